//! The decision core: observe → decide → status. Plain values in, plain values out, the time passed in; no IO.

mod check;
mod demand;
mod finding;
mod rejection;
#[cfg(test)]
mod scenarios;
mod schedule;
mod session;
mod status;
mod summary;
mod token_source;
mod workspaces;

pub use check::{CheckOutcome, Verdict};
pub use demand::Demand;
pub use finding::{Finding, Findings};
pub use rejection::{Judgement, TokenHistory};
pub use session::{CheckRequest, Session, Step, TokenReading};
pub use status::{Evaluation, StatusOptions};
pub use token_source::{SecretContent, TokenProblem, token_of};
pub use workspaces::{Resolution, resolve};

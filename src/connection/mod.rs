//! The decision core: observe → decide → status. Plain values in, plain values out, the time passed in; no IO.

mod access;
mod audience;
mod channel;
mod check;
mod demand;
mod finding;
mod nearest;
#[cfg(test)]
mod properties;
mod rejection;
#[cfg(test)]
mod scenarios;
mod schedule;
mod session;
mod sharing;
mod source;
mod status;
mod summary;
mod token_source;
mod topics;
mod workspaces;

pub use access::Node;
pub use audience::Audience;
pub use check::{Answers, CheckOutcome, Listed, Verdict};
pub use demand::Demand;
pub use finding::{Finding, Findings};
pub use rejection::{Judgement, TokenHistory};
pub use schedule::{Beat, retry_after};
pub use session::{CheckRequest, Common, Held, Recovery, Session, Step, TokenReading};
pub use sharing::{shares, uses_selector};
pub use source::{Lender, TokenSource, recalled_version};
pub use status::{Evaluation, StatusOptions};
pub use token_source::{SecretContent, TokenProblem, token_of};
pub use topics::{Topic, TopicAnswer, TopicOf, topics};
pub use workspaces::{Resolution, resolve};

//! ClickUp from outside: tokens, calls, what answers mean.

mod body;
mod client;
mod lenient;
mod rate_limit;
mod token;
mod transport;
mod verdict;
mod wire;

pub use client::{Client, ClientError, ClientOptions, Reply};
pub use rate_limit::{RateLimit, wait_after_429};
pub use token::{InvalidToken, Token, TokenKey, TokenKeys};
pub use transport::Failure;
pub use verdict::{
    Answer, Identity, NoVerdict, NodeVerdict, TokenVerdict, Unusable, judge_node, judge_token,
};
pub use wire::{ErrorBody, User, Workspace};

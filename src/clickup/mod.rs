//! ClickUp from outside: tokens, calls, what answers mean.

mod body;
mod breaker;
mod budget;
mod client;
mod lenient;
mod rate_limit;
mod token;
mod transport;
mod turns;
mod verdict;
mod wire;

pub use breaker::Breaker;
pub use budget::{Budget, Urgency, Want};
pub use client::{Client, ClientError, ClientOptions, NodeKind, Reply, read_answer};
pub use rate_limit::{RateLimit, wait_after_429};
pub use token::{InvalidToken, Token, TokenKey, TokenKeys};
pub use transport::Failure;
pub use turns::{Next, TurnId, Turns};
pub use verdict::{
    Answer, Identity, NoVerdict, NodeVerdict, TokenVerdict, Unusable, judge_node, judge_token,
};
pub use wire::{
    ChannelPage, ChannelsAnswer, ErrorBody, Named, NodeAnswer, Role, SpacesAnswer, TeamsAnswer, User,
    UserAnswer, Workspace,
};

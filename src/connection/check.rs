//! What one check found out.

use super::Demand;
use crate::{
    api::Reason,
    clickup::{Identity, Named, NoVerdict, NodeKind, NodeVerdict, TokenKey},
};
use jiff::{SignedDuration, Timestamp};
use std::{collections::BTreeMap, sync::Arc};

/// The names and ids that a call listed.
pub type Listed = Arc<[Named]>;

/// The end of one check of one connection.
#[derive(Clone, Debug)]
pub struct CheckOutcome {
    /// The token that was checked.
    pub key: TokenKey,
    /// The demand that it was checked for.
    pub demand: Arc<Demand>,
    /// The annotation's value when the check began.
    pub requested_at: Option<String>,
    /// What was found.
    pub verdict: Verdict,
    /// Requests per minute that ClickUp grants the token, if an answer told.
    pub rate_limit: Option<u32>,
    /// How long the token's budget held it up; awaiting a reset does not count.
    pub held: SignedDuration,
    /// When ClickUp was asked whether the token is alive; this check may have been served by an answer to another.
    pub asked: Timestamp,
    /// Without a verdict: when all who hold the token ask again together.
    pub retry_at: Option<Timestamp>,
    /// When it ended.
    pub ended: Timestamp,
}

/// What a check says about a token and what is reached with it.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// The token is alive.
    Valid {
        /// Whose it is and what it sees.
        identity: Arc<Identity>,
        /// What came of the calls on ids.
        answers: Box<Answers>,
    },
    /// The token is dead.
    Rejected,
    /// A token that was good before was rejected once, and could not be asked about again.
    RejectedOnce(NoVerdict),
    /// A token that was good before was rejected just now: one more rejection is awaited.
    Suspect {
        /// When to ask again.
        again_at: Timestamp,
    },
    /// ClickUp could not be asked.
    NoVerdict(NoVerdict),
}

/// What came of the calls that name an id.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    /// Of each workspace that was tried.
    pub workspaces: BTreeMap<String, NodeVerdict>,
    /// The spaces of the default workspace, where one is asked for by name.
    pub spaces: Option<NodeVerdict<Listed>>,
    /// The chat channels of the default workspace, where one is asked for.
    pub channels: Option<NodeVerdict<Listed>>,
    /// Of each node that was tried.
    pub nodes: BTreeMap<(NodeKind, String), NodeVerdict>,
}

impl Answers {
    /// Why a call on an id came to no verdict; a limit first, because it says when to go on.
    fn no_verdict(&self) -> Option<&NoVerdict> {
        let Self { workspaces, spaces, channels, nodes } = self;
        let units = || workspaces.values().chain(nodes.values()).filter_map(NodeVerdict::no_verdict);
        let lists = || [spaces, channels].into_iter().flatten().filter_map(NodeVerdict::no_verdict);
        let open = || units().chain(lists());
        open().find(|no| no.reason == Reason::RateLimited).or_else(|| open().next())
    }
}

impl CheckOutcome {
    /// What came of it in a word, for metrics and traces: what is said of the token, or the reason of no verdict.
    pub fn label(&self) -> &'static str {
        match (&self.verdict, self.no_verdict()) {
            (_, Some(no)) => no.reason.into(),
            (Verdict::Rejected, None) => "TokenRejected",
            (Verdict::Suspect { .. }, None) => "AwaitingSecondRejection",
            (_, None) => "TokenAccepted",
        }
    }

    /// Why the check, or a part of it, ended without a verdict.
    pub fn no_verdict(&self) -> Option<&NoVerdict> {
        match &self.verdict {
            Verdict::Valid { answers, .. } => answers.no_verdict(),
            Verdict::RejectedOnce(no) | Verdict::NoVerdict(no) => Some(no),
            Verdict::Rejected | Verdict::Suspect { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_told_before_other_reasons_because_it_says_when_to_go_on() {
        let (slow, limited) = (NoVerdict::timed_out(), NoVerdict::rate_limited(None));
        let no = |no: &NoVerdict| NodeVerdict::NoVerdict(no.clone());
        let of = |workspace, list: &NoVerdict| {
            let workspaces = [("90".to_owned(), workspace)].into();
            let lists = NodeVerdict::NoVerdict(list.clone());
            let answers = Answers { workspaces, spaces: Some(lists), ..Answers::default() };
            answers.no_verdict().cloned()
        };
        assert_eq!(of(no(&slow), &limited), Some(limited.clone()));
        assert_eq!(of(no(&limited), &slow), Some(limited.clone()));
        assert_eq!(of(NodeVerdict::Denied, &slow), Some(slow.clone()));
        assert_eq!(Answers::default().no_verdict(), None);
    }
}

//! What one check found out.

use super::Demand;
use crate::{
    api::Reason,
    clickup::{Identity, NoVerdict, NodeVerdict, TokenKey},
};
use jiff::Timestamp;
use std::{collections::BTreeMap, sync::Arc};

/// The end of one check of one connection.
#[derive(Clone, Debug)]
pub struct CheckOutcome {
    /// The token that was checked.
    pub key: TokenKey,
    /// The demand that it was checked for.
    pub demand: Demand,
    /// The annotation's value when the check began.
    pub requested_at: Option<String>,
    /// What was found.
    pub verdict: Verdict,
    /// Requests per minute that ClickUp grants the token, if an answer told.
    pub rate_limit: Option<u32>,
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
        /// For each workspace that was tried, what came of it.
        probes: BTreeMap<String, NodeVerdict>,
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

impl CheckOutcome {
    /// Why the check, or a part of it, ended without a verdict.
    pub fn no_verdict(&self) -> Option<&NoVerdict> {
        match &self.verdict {
            Verdict::Valid { probes, .. } => {
                let open = || {
                    probes.values().filter_map(|probe| match probe {
                        NodeVerdict::NoVerdict(no) => Some(no),
                        _ => None,
                    })
                };
                // A limit says when to go on.
                open().find(|no| no.reason == Reason::RateLimited).or_else(|| open().next())
            }
            Verdict::RejectedOnce(no) | Verdict::NoVerdict(no) => Some(no),
            Verdict::Rejected | Verdict::Suspect { .. } => None,
        }
    }
}

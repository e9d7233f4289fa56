//! References that were refused: told to the owner of the connection that is referred to, at most once an hour.

use super::{events::Transitions, lock};
use crate::api::StoredConnection;
use jiff::{SignedDuration, Timestamp};
use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex},
};
use tokio_util::task::AbortOnDropHandle;

/// Between two Events about the same connection.
const BETWEEN: SignedDuration = SignedDuration::from_hours(1);

/// References come together, when a team is set up.
const COLLECT: SignedDuration = SignedDuration::from_secs(3);

/// Namespaces that an Event names.
const NAMED: usize = 3;

/// The refusals of all connections.
#[derive(Default)]
pub(super) struct Refusals {
    by_owner: Arc<Mutex<HashMap<String, Refused>>>,
}

#[derive(Default)]
struct Refused {
    quiet_until: Timestamp,
    telling: Option<AbortOnDropHandle<()>>,
}

impl Refusals {
    /// Takes in that a reference to this connection was refused; its owner is told in a while which namespaces are refused
    /// then.
    pub(super) fn note(
        &self,
        owner: &StoredConnection,
        transitions: &Transitions,
        now: Timestamp,
        refused_namespaces: impl Fn() -> BTreeSet<String> + Send + 'static,
    ) {
        let uid = owner.metadata.uid.clone().unwrap_or_default();
        let mut by_owner = lock(&self.by_owner);
        by_owner.retain(|_, refused| refused.telling.is_some() || refused.quiet_until > now);
        let refused = by_owner.entry(uid.clone()).or_default();
        if refused.telling.is_some() {
            return;
        }
        let at = refused.quiet_until.max(now + COLLECT);
        let wait = std::time::Duration::try_from(at.duration_since(now)).unwrap_or_default();
        let (owner, transitions, by_owner) =
            (named(owner), transitions.clone(), Arc::downgrade(&self.by_owner));
        refused.telling = Some(AbortOnDropHandle::new(tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            let Some(by_owner) = by_owner.upgrade() else { return };
            let mut locked = lock(&by_owner);
            let Some(refused) = locked.get_mut(&uid) else { return };
            // This very task: it must not end itself before it is done.
            let _this = refused.telling.take();
            let namespaces: Vec<_> = refused_namespaces().into_iter().take(NAMED).collect();
            if !namespaces.is_empty() {
                refused.quiet_until = Timestamp::now() + BETWEEN;
                transitions.refused(&owner, &namespaces);
            }
        })));
    }
}

/// Of an owner, what it takes to name it.
fn named(owner: &StoredConnection) -> StoredConnection {
    StoredConnection { metadata: owner.metadata.clone(), spec: Err(String::new()), status: None }
}

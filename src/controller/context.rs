//! What passes and watches share.

use super::{
    ConnectionRef, checks::Checks, events::Transitions, index::SecretIndex, lock, namespaces::Namespaces,
    referrers::Referrers, refusals::Refusals, registry::Registry, scope::Scope,
};
use crate::{api::StoredConnection, clickup::TokenKeys, connection::StatusOptions, observe::Metrics};
use kube::{Client, runtime::reflector::Store};
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, atomic::AtomicBool},
};
use tokio::sync::{mpsc, watch};

/// What every pass uses.
pub(super) struct Context {
    pub(super) client: Client,
    pub(super) keys: TokenKeys,
    pub(super) checks: Checks,
    pub(super) store: Store<StoredConnection>,
    pub(super) index: Arc<Mutex<SecretIndex>>,
    pub(super) referrers: Arc<Mutex<Referrers>>,
    pub(super) namespaces: Arc<Namespaces>,
    pub(super) refusals: Refusals,
    pub(super) registry: Registry,
    pub(super) transitions: Transitions,
    pub(super) metrics: Arc<Metrics>,
    pub(super) status: StatusOptions,
    /// Set when the process is about to end: nothing new is begun.
    pub(super) draining: AtomicBool,
    /// Asks for a pass.
    pub(super) wake: mpsc::UnboundedSender<ConnectionRef>,
    /// Whether Secrets are polled: nothing tells of their edits between two polls.
    pub(super) polls: bool,
    /// Where every connection has been shown once. (A store's own `wait_until_ready` wakes one waiter only, and the
    /// controller is one.)
    pub(super) listed: watch::Sender<HashSet<Scope>>,
    /// Where something is still to be shown before the process is ready.
    pub(super) unsettled: watch::Sender<HashSet<Scope>>,
}

impl Context {
    /// A Secret that this connection refers to has changed: for who uses its token too.
    pub(super) fn secret_changed(&self, connection: &ConnectionRef, itself: bool) {
        self.wake_all(lock(&self.referrers).of(connection).cloned());
        self.wake_all(itself.then(|| connection.clone()));
    }

    /// All connections of this scope have been shown. Where Secrets are polled, nothing else is waited for.
    pub(super) fn listed(&self, scope: Scope) {
        if self.polls {
            self.settled(&scope);
        }
        self.listed.send_modify(|listed| {
            listed.insert(scope);
        });
    }

    /// This scope is no reason any more not to be ready.
    pub(super) fn settled(&self, scope: &Scope) {
        self.unsettled.send_if_modified(|unsettled| unsettled.remove(scope));
    }

    /// Asks for a pass over each of these.
    pub(super) fn wake_all(&self, connections: impl IntoIterator<Item = ConnectionRef>) {
        for connection in connections {
            // Nobody listens only when the process is about to end.
            let _ = self.wake.send(connection);
        }
    }
}

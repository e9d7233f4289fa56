//! The memory of every connection, and when each is due: what is due and not begun is a fault that /healthz reports.

use super::{
    checks::{Holding, RunningCheck},
    lock,
};
use crate::{
    api::{ClickUpConnectionStatus, StoredConnection},
    connection::{Session, recalled_version},
};
use jiff::{SignedDuration, Timestamp};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
};

/// All connections that were seen, by uid.
#[derive(Default)]
pub(super) struct Registry {
    entries: Mutex<HashMap<String, Arc<Entry>>>,
    /// When a pass ended last, be it in an error.
    passed_at: AtomicI64,
}

/// One connection.
pub(super) struct Entry {
    /// Held by the pass that is under way; there is never more than one.
    pub(super) memory: tokio::sync::Mutex<Memory>,
    due_at: AtomicI64,
    /// The version of the Secret that verdicts from before this process began are about, also those of who use its token.
    pub(super) recalled_version: Option<String>,
}

/// What is remembered of one connection, the running check and the last write included.
pub(super) struct Memory {
    pub(super) session: Session,
    pub(super) check: Option<RunningCheck>,
    /// Keeps what is known of the token for as long as the connection holds it.
    pub(super) token: Option<Holding>,
    pub(super) written: Option<Box<Written>>,
    pub(super) failures: u32,
}

/// The last write, until the watch shows it.
pub(super) struct Written {
    /// The version that it made.
    pub(super) version: String,
    pub(super) status: ClickUpConnectionStatus,
}

impl Registry {
    /// Takes in a connection; of one not seen before, what its status says. Its first pass is due.
    pub(super) fn see(&self, stored: &StoredConnection, now: Timestamp) {
        let uid = stored.metadata.uid.clone().unwrap_or_default();
        let fresh = || {
            let memory = Memory {
                session: Session::recall(stored, now),
                check: None,
                token: None,
                written: None,
                failures: 0,
            };
            Arc::new(Entry {
                memory: tokio::sync::Mutex::new(memory),
                due_at: AtomicI64::new(now.as_millisecond()),
                recalled_version: recalled_version(stored),
            })
        };
        lock(&self.entries).entry(uid).or_insert_with(fresh);
    }

    /// The memory of a connection, until it is forgotten.
    pub(super) fn entry(&self, stored: &StoredConnection) -> Option<Arc<Entry>> {
        lock(&self.entries).get(stored.metadata.uid.as_deref().unwrap_or_default()).cloned()
    }

    /// Whether what the watch shows is our own last write, of which there is nothing to learn.
    pub(super) fn is_echo(&self, stored: &StoredConnection) -> bool {
        let Some(entry) = self.entry(stored) else { return false };
        // A pass under way may not have noted its write yet; then one more does no harm.
        let Ok(mut memory) = entry.memory.try_lock() else { return false };
        let shown = stored.metadata.resource_version.as_deref();
        memory.written.take_if(|written| shown == Some(&written.version)).is_some()
    }

    /// A pass has ended.
    pub(super) fn passed(&self, now: Timestamp) {
        self.passed_at.store(now.as_millisecond(), Ordering::Relaxed);
    }

    /// Forgets a connection.
    pub(super) fn forget(&self, uid: &str) {
        lock(&self.entries).remove(uid);
    }

    /// Forgets the connections that are gone.
    pub(super) fn retain(&self, is_there: impl Fn(&str) -> bool) {
        lock(&self.entries).retain(|uid, _| is_there(uid));
    }

    /// For how long there is work that is due, and no pass ends. An API server that fails every pass is no fault of ours.
    pub(super) fn lag(&self, now: Timestamp) -> SignedDuration {
        let oldest =
            lock(&self.entries).values().map(|e| e.due_at.load(Ordering::Relaxed)).min().unwrap_or(i64::MAX);
        let since = oldest.max(self.passed_at.load(Ordering::Relaxed));
        Timestamp::from_millisecond(since)
            .map_or(SignedDuration::ZERO, |due| now.duration_since(due).max(SignedDuration::ZERO))
    }
}

impl Entry {
    /// Notes when the next pass is due.
    pub(super) fn due(&self, at: Option<Timestamp>) {
        self.due_at.store(at.map_or(i64::MAX, Timestamp::as_millisecond), Ordering::Relaxed);
    }
}

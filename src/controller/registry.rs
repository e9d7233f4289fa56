//! The memory of every connection, and when each is due: what is due and not begun is a fault that /healthz reports.

use super::{
    checks::{Holding, RunningCheck},
    lock, observed,
};
use crate::{
    api::{ClickUpConnectionStatus, StoredConnection},
    connection::{Session, recalled_version},
    observe::Gauges,
};
use jiff::{SignedDuration, Timestamp};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
};

/// No moment.
const NEVER: i64 = i64::MAX;

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
    /// When the pass that is under way began.
    began_at: AtomicI64,
    /// What the last pass left to be told in the metrics.
    gauges: Mutex<Gauges>,
    /// The version of the Secret that verdicts from before this process began are about, also those of who use its token.
    pub(super) recalled_version: Option<String>,
}

/// What is remembered of one connection, the running check and the last write included.
pub(super) struct Memory {
    pub(super) session: Session,
    pub(super) check: Option<RunningCheck>,
    /// Keeps what is known of the token for as long as the connection holds it.
    pub(super) token: Option<Holding>,
    /// When that was last written, at the latest, as its Secret says.
    pub(super) token_written: Option<Timestamp>,
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
    /// Takes in a connection; of one not seen before, what its status says. Its first pass is due, unless it is one of a
    /// list: the controller begins no pass before the end of that.
    pub(super) fn see(&self, stored: &StoredConnection, listing: bool, now: Timestamp) {
        let uid = stored.metadata.uid.clone().unwrap_or_default();
        let fresh = || {
            let session = Session::recall(stored, now);
            let gauges = Mutex::new(observed::recalled(session.last_verdict()));
            let memory =
                Memory { session, check: None, token: None, token_written: None, written: None, failures: 0 };
            Arc::new(Entry {
                memory: tokio::sync::Mutex::new(memory),
                gauges,
                due_at: AtomicI64::new(if listing { NEVER } else { now.as_millisecond() }),
                began_at: AtomicI64::new(NEVER),
                recalled_version: recalled_version(stored),
            })
        };
        lock(&self.entries).entry(uid).or_insert_with(fresh);
    }

    /// The memory of a connection, until it is forgotten.
    pub(super) fn entry(&self, stored: &StoredConnection) -> Option<Arc<Entry>> {
        lock(&self.entries).get(stored.metadata.uid.as_deref().unwrap_or_default()).cloned()
    }

    /// Whether what the watch shows is our own last write, of which there is nothing to learn; then it is no longer awaited.
    pub(super) fn take_echo(&self, stored: &StoredConnection) -> bool {
        let Some(entry) = self.entry(stored) else { return false };
        // A pass under way may not have noted its write yet; then one more does no harm.
        let Ok(mut memory) = entry.memory.try_lock() else { return false };
        let shown = stored.metadata.resource_version.as_deref();
        memory.written.take_if(|written| shown == Some(&written.version)).is_some()
    }

    /// A pass over this connection has begun.
    pub(super) fn begun(&self, entry: &Entry, now: Timestamp) {
        entry.began_at.store(now.as_millisecond(), Ordering::Relaxed);
    }

    /// It has ended.
    pub(super) fn passed(&self, entry: &Entry, now: Timestamp) {
        entry.began_at.store(NEVER, Ordering::Relaxed);
        self.passed_at.store(now.as_millisecond(), Ordering::Relaxed);
    }

    /// Forgets a connection.
    pub(super) fn forget(&self, uid: &str) {
        lock(&self.entries).remove(uid);
    }

    /// All connections were listed: forgets those that are gone. A pass over each of the others is due.
    pub(super) fn listed(&self, is_there: impl Fn(&str) -> bool, now: Timestamp) {
        let mut entries = lock(&self.entries);
        entries.retain(|uid, _| is_there(uid));
        entries.values().for_each(|entry| entry.due(Some(now)));
    }

    /// For how long there is work that is due, and no pass ends; or one pass does not, though it has a deadline. An API
    /// server that fails every pass is no fault of ours.
    pub(super) fn lag(&self, now: Timestamp) -> SignedDuration {
        let entries = lock(&self.entries);
        let oldest = |at: fn(&Entry) -> &AtomicI64| {
            entries.values().map(|e| at(e).load(Ordering::Relaxed)).min().unwrap_or(NEVER)
        };
        let waiting = oldest(|e| &e.due_at).max(self.passed_at.load(Ordering::Relaxed));
        Timestamp::from_millisecond(waiting.min(oldest(|e| &e.began_at)))
            .map_or(SignedDuration::ZERO, |since| now.duration_since(since).max(SignedDuration::ZERO))
    }
}

impl Entry {
    /// Notes when the next pass is due.
    pub(super) fn due(&self, at: Option<Timestamp>) {
        self.due_at.store(at.map_or(NEVER, Timestamp::as_millisecond), Ordering::Relaxed);
    }

    /// Notes what is told in the metrics.
    pub(super) fn tell(&self, gauges: Gauges) {
        *lock(&self.gauges) = gauges;
    }

    /// What is told in the metrics.
    pub(super) fn gauges(&self) -> Gauges {
        *lock(&self.gauges)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    /// Connections that were seen at second 0.
    fn registry<const N: usize>() -> (Registry, [Arc<Entry>; N]) {
        let registry = Registry::default();
        let entries = std::array::from_fn(|n| {
            let stored: StoredConnection = serde_json::from_value(json!({
                "metadata": {"name": "c", "namespace": "n", "uid": n.to_string()},
                "spec": {"tokenSecretRef": {"name": "s"}},
            }))
            .unwrap();
            registry.see(&stored, false, at(0));
            registry.entry(&stored).unwrap()
        });
        (registry, entries)
    }

    fn lag(registry: &Registry, second: i64) -> i64 {
        registry.lag(at(second)).as_secs()
    }

    #[test]
    fn a_scheduler_that_begins_nothing_lags() {
        assert_eq!(lag(&Registry::default(), 1000), 0, "nothing is due where there is nothing");
        let (registry, [one, _]) = registry::<2>();
        assert_eq!(lag(&registry, 100), 100, "the first pass is due at once");
        registry.begun(&one, at(100));
        registry.passed(&one, at(101));
        one.due(Some(at(700)));
        assert_eq!(lag(&registry, 301), 200, "the other is due, and since then nothing has ended");
    }

    #[test]
    fn a_list_that_stands_still_does_not_lag() {
        let registry = Registry::default();
        let stored: StoredConnection =
            serde_json::from_value(json!({"metadata": {"name": "c", "uid": "a"}, "spec": {}})).unwrap();
        registry.see(&stored, true, at(0));
        assert_eq!(lag(&registry, 1000), 0, "no pass can begin");
        registry.listed(|_| true, at(1000));
        assert_eq!(lag(&registry, 1100), 100);
    }

    #[test]
    fn what_is_not_due_does_not_lag() {
        let (registry, [one]) = registry::<1>();
        registry.begun(&one, at(0));
        registry.passed(&one, at(1));
        one.due(Some(at(700)));
        assert_eq!((lag(&registry, 699), lag(&registry, 760)), (0, 60));
        one.due(None);
        assert_eq!(lag(&registry, 100_000), 0);
        registry.forget("0");
        assert_eq!(lag(&registry, 100_000), 0);
    }

    #[test]
    fn an_api_server_that_fails_every_pass_is_no_lag() {
        let (registry, [one, other]) = registry::<2>();
        // Frozen, it holds each up to its deadline; then the next attempt is due.
        for round in 0..100 {
            let begin = round * 60;
            registry.begun(&one, at(begin));
            assert!(lag(&registry, begin + 30) <= 60, "{round}");
            registry.passed(&one, at(begin + 30));
            one.due(Some(at(begin + 60)));
        }
        assert!(lag(&registry, 6000) <= 60, "however long the other has waited");
        drop(other);
    }

    #[test]
    fn a_pass_that_outlives_its_deadline_lags_though_others_end() {
        let (registry, [stuck, fine]) = registry::<2>();
        registry.begun(&stuck, at(0));
        for second in 0..400 {
            registry.begun(&fine, at(second));
            registry.passed(&fine, at(second));
            fine.due(Some(at(second + 1)));
        }
        assert_eq!(lag(&registry, 400), 400);
        registry.passed(&stuck, at(400));
        stuck.due(None);
        assert!(lag(&registry, 400) <= 1);
    }
}

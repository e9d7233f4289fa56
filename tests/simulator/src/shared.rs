//! What all connections share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::watch;

use crate::fault::Faults;
use crate::journal::Journal;
use crate::window::Millis;
use crate::world::World;

/// Locks are held for moments, never across an await, and never two at once.
pub(crate) struct Shared {
    world: Mutex<World>,
    faults: Mutex<Faults>,
    journal: Mutex<Journal>,
    latency_ms: AtomicU64,
    /// Grows with every answer: wakes those who wait for the log.
    news: watch::Sender<u64>,
}

impl Shared {
    pub(crate) fn new(world: World, faults: Faults, latency_ms: u64) -> Self {
        Self {
            world: Mutex::new(world),
            faults: Mutex::new(faults),
            journal: Mutex::default(),
            latency_ms: AtomicU64::new(latency_ms),
            news: watch::Sender::default(),
        }
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        lock(&self.world)
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, Faults> {
        lock(&self.faults)
    }

    pub(crate) fn journal(&self) -> MutexGuard<'_, Journal> {
        lock(&self.journal)
    }

    pub(crate) fn latency(&self) -> Duration {
        Duration::from_millis(self.latency_ms.load(Ordering::Relaxed))
    }

    pub(crate) fn set_latency(&self, latency_ms: u64) {
        self.latency_ms.store(latency_ms, Ordering::Relaxed);
    }

    pub(crate) fn announce(&self) {
        self.news.send_modify(|count| *count += 1);
    }

    pub(crate) fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }
}

/// A panic elsewhere must not take the simulator along: what it holds is consistent between statements.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn now() -> Millis {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Counts a request as being answered for as long as it lives.
pub(crate) struct InFlight {
    shared: Arc<Shared>,
    token: Arc<str>,
    seq: u64,
}

impl InFlight {
    /// For a request that the journal has counted as arrived.
    pub(crate) fn new(shared: &Arc<Shared>, token: &Arc<str>, seq: u64) -> Self {
        Self { shared: Arc::clone(shared), token: Arc::clone(token), seq }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.shared.journal().left(self.seq, &self.token);
        self.shared.announce();
    }
}

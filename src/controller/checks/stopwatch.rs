//! The time of one check: what its calls take together, and how long the budget holds it up.

use super::question::Progress;
use crate::connection::Held;
use jiff::{SignedDuration, Timestamp};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// Runs while any call of the check is under way; a check is held up while none is and the budget keeps one waiting.
#[derive(Default)]
pub(super) struct Stopwatch(Mutex<Times>);

#[derive(Default)]
struct Times {
    sent: u32,
    held: u32,
    used: Duration,
    running_since: Option<Instant>,
    held_for: SignedDuration,
    held_since: Option<Timestamp>,
    /// When something happened first: a call was sent, or held up.
    began: Option<Timestamp>,
}

/// One question of the check, as the stopwatch sees it.
pub(super) struct Watching {
    stopwatch: Arc<Stopwatch>,
    progress: Progress,
    now: fn() -> Timestamp,
}

impl Stopwatch {
    /// What is left of a time limit for the calls.
    pub(super) fn left(&self, limit: Duration) -> Duration {
        let times = self.times();
        let running = times.running_since.map_or(Duration::ZERO, |since| since.elapsed());
        limit.saturating_sub(times.used + running)
    }

    /// When something happened first.
    pub(super) fn began(&self) -> Option<Timestamp> {
        self.times().began
    }

    /// Whether the check is held up, and for how long it was by now.
    pub(super) fn held(&self, now: Timestamp, by_reset: bool) -> Option<Held> {
        let times = self.times();
        let since = times.held_since?;
        Some(Held { by_reset, lasting: times.held_for + now.duration_since(since) })
    }

    /// How long the check was held up in all.
    pub(super) fn held_for(&self, now: Timestamp) -> SignedDuration {
        let times = self.times();
        times.held_for + times.held_since.map_or(SignedDuration::ZERO, |since| now.duration_since(since))
    }

    /// Follows one more question.
    pub(super) fn watch(self: &Arc<Self>, now: fn() -> Timestamp) -> Watching {
        Watching { stopwatch: self.clone(), progress: Progress::Queued, now }
    }

    fn change(&self, from: Progress, to: Progress, now: Timestamp) {
        let mut times = self.times();
        match from {
            Progress::Sent => times.sent -= 1,
            Progress::Held => times.held -= 1,
            Progress::Queued => {}
        }
        match to {
            Progress::Sent => times.sent += 1,
            Progress::Held => times.held += 1,
            Progress::Queued => {}
        }
        if to != Progress::Queued {
            times.began.get_or_insert(now);
        }
        match (times.sent > 0, times.running_since) {
            (true, None) => times.running_since = Some(Instant::now()),
            (false, Some(since)) => {
                times.used += since.elapsed();
                times.running_since = None;
            }
            _ => {}
        }
        match (times.held > 0 && times.sent == 0, times.held_since) {
            (true, None) => times.held_since = Some(now),
            (false, Some(since)) => {
                times.held_for += now.duration_since(since);
                times.held_since = None;
            }
            _ => {}
        }
    }

    fn times(&self) -> MutexGuard<'_, Times> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watching {
    pub(super) fn see(&mut self, progress: Progress) {
        let before = std::mem::replace(&mut self.progress, progress);
        self.stopwatch.change(before, progress, (self.now)());
    }

    pub(super) fn is_sent(&self) -> bool {
        self.progress == Progress::Sent
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.see(Progress::Queued);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn calls_count_once_and_waiting_does_not() {
        let stopwatch = Arc::new(Stopwatch::default());
        let limit = Duration::from_secs(30);
        let (mut a, mut b) = (stopwatch.watch(Timestamp::now), stopwatch.watch(Timestamp::now));
        let pass = |seconds| tokio::time::sleep(Duration::from_secs(seconds));
        a.see(Progress::Held);
        assert!(stopwatch.held(Timestamp::now(), false).is_some());
        pass(100).await;
        assert_eq!(stopwatch.left(limit), limit);
        a.see(Progress::Sent);
        b.see(Progress::Held);
        assert!(stopwatch.held(Timestamp::now(), false).is_none(), "something is under way");
        pass(4).await;
        b.see(Progress::Sent);
        pass(6).await;
        drop(a);
        pass(1).await;
        b.see(Progress::Queued);
        pass(50).await;
        assert_eq!(stopwatch.left(limit), Duration::from_secs(19));
        assert!(stopwatch.began().is_some());
    }
}

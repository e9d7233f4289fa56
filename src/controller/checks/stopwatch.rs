//! The time of one check: what its calls take together, and how long the budget holds it up.

use super::question::Progress;
use crate::{connection::Held, controller::lock};
use jiff::{SignedDuration, Timestamp};
use std::{
    sync::{Arc, Mutex},
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
    held_since: Option<Moment>,
    /// When something happened first: a call was sent, or held up.
    began: Option<Timestamp>,
}

/// A point in time, and how long limits' resets were awaited until then: that is nothing that the budget holds up.
#[derive(Clone, Copy)]
pub(super) struct Moment {
    pub(super) now: Timestamp,
    pub(super) awaited: SignedDuration,
}

impl Moment {
    /// The time since then in which no reset was awaited.
    fn since(self, then: Self) -> SignedDuration {
        self.now.duration_since(then.now) - (self.awaited - then.awaited)
    }
}

/// One question of the check, as the stopwatch sees it.
pub(super) struct Watching<C: Fn() -> Moment> {
    stopwatch: Arc<Stopwatch>,
    progress: Progress,
    clock: C,
}

impl Stopwatch {
    /// What is left of a time limit for the calls.
    pub(super) fn left(&self, limit: Duration) -> Duration {
        let times = lock(&self.0);
        let running = times.running_since.map_or(Duration::ZERO, |since| since.elapsed());
        limit.saturating_sub(times.used + running)
    }

    /// When something happened first.
    pub(super) fn began(&self) -> Option<Timestamp> {
        lock(&self.0).began
    }

    /// Whether the check is held up, and for how long the budget did that by now.
    pub(super) fn held(&self, moment: Moment, by_reset: bool) -> Option<Held> {
        let times = lock(&self.0);
        let since = times.held_since?;
        Some(Held { by_reset, lasting: times.held_for + moment.since(since) })
    }

    /// How long the budget held up the check in all.
    pub(super) fn held_for(&self, moment: Moment) -> SignedDuration {
        let times = lock(&self.0);
        times.held_for + times.held_since.map_or(SignedDuration::ZERO, |since| moment.since(since))
    }

    /// Follows one more question.
    pub(super) fn watch<C: Fn() -> Moment>(self: &Arc<Self>, clock: C) -> Watching<C> {
        Watching { stopwatch: self.clone(), progress: Progress::Queued, clock }
    }

    fn change(&self, from: Progress, to: Progress, moment: Moment) {
        let mut times = lock(&self.0);
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
            times.began.get_or_insert(moment.now);
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
            (true, None) => times.held_since = Some(moment),
            (false, Some(since)) => {
                times.held_for += moment.since(since);
                times.held_since = None;
            }
            _ => {}
        }
    }
}

impl<C: Fn() -> Moment> Watching<C> {
    pub(super) fn see(&mut self, progress: Progress) {
        let before = std::mem::replace(&mut self.progress, progress);
        self.stopwatch.change(before, progress, (self.clock)());
    }

    pub(super) fn is_sent(&self) -> bool {
        self.progress == Progress::Sent
    }
}

impl<C: Fn() -> Moment> Drop for Watching<C> {
    fn drop(&mut self) {
        self.see(Progress::Queued);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64, awaited: i64) -> Moment {
        Moment { now: Timestamp::from_second(second).unwrap(), awaited: SignedDuration::from_secs(awaited) }
    }

    #[tokio::test(start_paused = true)]
    async fn calls_count_once_and_waiting_does_not() {
        let stopwatch = Arc::new(Stopwatch::default());
        let limit = Duration::from_secs(30);
        let (mut a, mut b) = (stopwatch.watch(|| at(0, 0)), stopwatch.watch(|| at(0, 0)));
        let pass = |seconds| tokio::time::sleep(Duration::from_secs(seconds));
        a.see(Progress::Held);
        assert!(stopwatch.held(at(0, 0), false).is_some());
        pass(100).await;
        assert_eq!(stopwatch.left(limit), limit);
        a.see(Progress::Sent);
        b.see(Progress::Held);
        assert!(stopwatch.held(at(0, 0), false).is_none(), "something is under way");
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

    #[test]
    fn what_a_reset_holds_up_the_budget_does_not() {
        let stopwatch = Arc::new(Stopwatch::default());
        let time = std::cell::Cell::new(at(100, 7));
        let mut question = stopwatch.watch(|| time.get());
        let for_seconds = |second, awaited| stopwatch.held_for(at(second, awaited)).as_secs();
        question.see(Progress::Held);
        assert_eq!((for_seconds(104, 7), for_seconds(134, 37), for_seconds(140, 37)), (4, 4, 10));
        let held = stopwatch.held(at(134, 37), true);
        assert_eq!(held, Some(Held { by_reset: true, lasting: SignedDuration::from_secs(4) }));
        time.set(at(140, 37));
        question.see(Progress::Sent);
        assert_eq!((for_seconds(200, 90), stopwatch.began()), (10, Some(at(100, 0).now)));
    }
}

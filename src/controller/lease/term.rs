//! The time for which the Lease is surely held. Whoever writes, or asks ClickUp, looks here first.

use crate::controller::lock;
use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant, SystemTime},
};

/// A moment by two clocks: the one stands still while the machine is suspended, the other may be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) steady: Instant,
    pub(super) wall: SystemTime,
}

impl Moment {
    pub(super) fn now() -> Self {
        Self { steady: Instant::now(), wall: SystemTime::now() }
    }

    /// Whether so much time has passed until `now`, by either clock: who holds something must not hold it too long.
    pub(super) fn is_over(self, after: Duration, now: Self) -> bool {
        now.steady.saturating_duration_since(self.steady) >= after
            || now.wall.duration_since(self.wall).is_ok_and(|passed| passed >= after)
    }
}

/// When the Lease was renewed last, and for how long that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tenure {
    /// When the renewal was sent: to others it counts from a later moment.
    pub(super) since: Moment,
    pub(super) length: Duration,
}

impl Tenure {
    pub(super) fn is_over(&self, now: Moment) -> bool {
        self.since.is_over(self.length, now)
    }
}

/// Whether this process may write: always where there is no election, else while the Lease is surely its own.
#[derive(Clone, Debug)]
pub struct Term(Option<Arc<Mutex<Option<Tenure>>>>);

/// A request that was not sent, because the Lease may be another's by now.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the Lease may be held by another process: nothing is written")]
pub struct TermOver;

impl Term {
    /// Of the only process there is.
    pub fn unlimited() -> Self {
        Self(None)
    }

    /// Of a process that must be elected first.
    pub(super) fn not_begun() -> Self {
        Self(Some(Arc::default()))
    }

    pub(super) fn extend(&self, tenure: Option<Tenure>) {
        if let Some(current) = &self.0 {
            *lock(current) = tenure;
        }
    }

    /// Whether a write may be sent now.
    ///
    /// # Errors
    /// The Lease is not surely held.
    pub fn check(&self) -> Result<(), TermOver> {
        self.check_at(Moment::now())
    }

    fn check_at(&self, now: Moment) -> Result<(), TermOver> {
        match &self.0 {
            None => Ok(()),
            Some(current) if lock(current).is_some_and(|tenure| !tenure.is_over(now)) => Ok(()),
            Some(_) => Err(TermOver),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_term_ends_by_whichever_clock_is_first() {
        let begin = Moment::now();
        let later = |steady, wall: u64| Moment {
            steady: begin.steady + Duration::from_millis(steady),
            wall: begin.wall + Duration::from_millis(wall),
        };
        let term = Term::not_begun();
        assert!(term.check_at(begin).is_err(), "nothing is written before the election");
        term.extend(Some(Tenure { since: begin, length: Duration::from_secs(10) }));
        for (steady, wall, holds) in [
            (0, 0, true),
            (9_999, 9_999, true),
            (10_000, 9_999, false),
            // The machine slept, and the steady clock with it.
            (1_000, 60_000, false),
        ] {
            assert_eq!(term.check_at(later(steady, wall)).is_ok(), holds, "{steady} {wall}");
        }
        let set_back = Moment { wall: begin.wall - Duration::from_secs(3600), ..later(9_999, 0) };
        assert!(term.check_at(set_back).is_ok(), "a clock that is set back ends no term");
        assert!(
            term.check_at(Moment { wall: set_back.wall, ..later(10_000, 0) }).is_err(),
            "and prolongs none"
        );
        term.extend(None);
        assert!(term.check_at(begin).is_err());
        assert!(Term::unlimited().check_at(later(u64::MAX >> 20, 0)).is_ok());
    }
}

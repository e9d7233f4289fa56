//! When a connection is checked next: points on the wall clock taken from its uid, so that load is even and a restart
//! changes nothing.

use crate::api::Duration;
use jiff::{SignedDuration, Timestamp};
use ring::digest;

/// Two seconds: a first check that takes longer is announced.
pub(super) const ANNOUNCE_AFTER: SignedDuration = SignedDuration::from_secs(2);

/// A number taken from a connection's uid: the same in every process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Phase(u64);

impl Phase {
    pub(super) fn of(uid: &str) -> Self {
        let hash = digest::digest(&digest::SHA256, uid.as_bytes());
        Self(hash.as_ref().iter().take(8).fold(0, |n, byte| n << 8 | u64::from(*byte)))
    }

    /// Its place in 0..1.
    pub(super) fn fraction(self) -> f64 {
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Another number of the same connection, for the n-th attempt.
    fn stirred(self, n: u32) -> Self {
        Self(
            (self.0 ^ u64::from(n))
                .wrapping_mul(0x9E37_79B9_7F4A_7C15)
                .rotate_left(31)
                .wrapping_mul(0xBF58_476D_1CE4_E5B9),
        )
    }
}

/// The first of the connection's points on the wall clock that is at least half a period after the last check.
pub(super) fn routine(last: Timestamp, period: Duration, phase: Phase) -> Timestamp {
    let period_ms = i64::try_from(period.as_secs()).unwrap_or(i64::MAX / 1000).saturating_mul(1000).max(1);
    let offset = (phase.fraction() * period_ms as f64) as i64;
    let earliest = last.as_millisecond() + period_ms / 2;
    let point = offset + (earliest - offset + period_ms - 1).div_euclid(period_ms) * period_ms;
    Timestamp::from_millisecond(point).unwrap_or(Timestamp::MAX)
}

/// A point that was missed while no operator ran is made up soon, spread over the connections.
pub(super) fn resumed(due: Timestamp, now: Timestamp, interval: Duration, phase: Phase) -> Timestamp {
    if due > now {
        due
    } else {
        now + interval.signed().min(SignedDuration::from_mins(10)).mul_f64(phase.fraction())
    }
}

/// The period at which a rejected token is asked about.
pub(super) fn rejected_period(interval: Duration) -> Duration {
    interval.max(Duration::from_mins(10))
}

/// How long to wait after the n-th check in a row without a verdict: exponential, with jitter, from 5 s to the lesser of
/// `interval` and 5 min.
pub(super) fn backoff(failures: u32, interval: Duration, phase: Phase) -> SignedDuration {
    let most = interval.signed().min(SignedDuration::from_mins(5));
    let least = SignedDuration::from_secs(5);
    let full = (least * 2_i32.saturating_pow(failures.clamp(1, 16))).min(most);
    (full / 2 + (full / 2).mul_f64(phase.stirred(failures).fraction())).max(least)
}

/// How long until a Secret that yields no token is read again without an event.
pub(super) fn reread(denied: bool) -> SignedDuration {
    SignedDuration::from_mins(if denied { 1 } else { 5 })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + second).unwrap()
    }

    #[test]
    fn routine_points_are_the_uids_own_and_half_a_period_away() {
        for uid in ["a", "b", "7c9e6679-7425-40de-944b-e07fc1f90ae7"] {
            let (phase, period) = (Phase::of(uid), Duration::from_mins(10));
            for after in [0, 1, 77, 299, 300, 301, 599, 600, 12_345] {
                let next = routine(at(after), period, phase);
                let wait = next.duration_since(at(after)).as_secs();
                assert!((300..=900).contains(&wait), "{uid} {after}: {wait}");
                let offset = (phase.fraction() * 600_000.0) as i64;
                assert_eq!((next.as_millisecond() - offset).rem_euclid(600_000), 0, "{uid} {after}");
            }
            let first = routine(at(0), period, phase);
            assert_eq!(routine(first, period, phase).duration_since(first).as_secs(), 600);
        }
    }

    #[test]
    fn phases_are_even() {
        let mut tenths = [0; 10];
        for n in 0..10_000 {
            tenths[(Phase::of(&format!("uid-{n}")).fraction() * 10.0) as usize] += 1;
        }
        assert!(tenths.iter().all(|n| (800..1200).contains(n)), "{tenths:?}");
    }

    #[test]
    fn missed_points_are_made_up_within_ten_minutes_or_the_interval() {
        let phase = Phase::of("a");
        assert_eq!(resumed(at(10), at(0), Duration::from_mins(10), phase), at(10));
        for (interval, most) in [(Duration::from_mins(1), 60), (Duration::from_mins(600), 600)] {
            let wait = resumed(at(-5), at(0), interval, phase).duration_since(at(0)).as_secs();
            assert!((0..=most).contains(&wait));
        }
    }

    #[test]
    fn backoff_grows_from_5s_to_the_lesser_of_interval_and_5m() {
        let wait = |n, mins| backoff(n, Duration::from_mins(mins), Phase::of("a")).as_secs();
        assert!((5..=10).contains(&wait(1, 10)), "{}", wait(1, 10));
        assert!((10..=20).contains(&wait(2, 10)), "{}", wait(2, 10));
        assert!((150..=300).contains(&wait(30, 10)));
        assert!((30..=60).contains(&wait(30, 1)));
    }
}

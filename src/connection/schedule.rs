//! When a connection is checked next: points on the wall clock taken from its uid, so that load is even and a restart
//! changes nothing.

use crate::api::Duration;
use jiff::{SignedDuration, Timestamp};
use ring::digest;

/// Two seconds: a first check that takes longer is announced.
pub(super) const ANNOUNCE_AFTER: SignedDuration = SignedDuration::from_secs(2);

/// A number taken from a connection's uid: the same in every process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Phase(pub(super) u64);

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

/// The points on the wall clock at which all who hold a token are checked together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beat {
    /// The shortest interval among them.
    pub period: Duration,
    phase: Phase,
}

impl Beat {
    /// The points of the connection with this uid, the smallest of those that take part.
    pub fn of(period: Duration, uid: &str) -> Self {
        Self { period, phase: Phase::of(uid) }
    }

    pub(super) fn new(period: Duration, phase: Phase) -> Self {
        Self { period, phase }
    }

    /// The same for a token that is dead.
    pub(super) fn slowly(self) -> Self {
        Self { period: rejected_period(self.period), ..self }
    }

    /// The first point not before that time.
    fn from(self, earliest: Timestamp) -> Timestamp {
        let period = millis(self.period).max(1);
        let offset = (self.phase.fraction() * period as f64) as i64;
        let point = offset
            + (earliest.as_millisecond() - offset + period - 1).div_euclid(period).saturating_mul(period);
        Timestamp::from_millisecond(point).unwrap_or(Timestamp::MAX)
    }
}

/// When a connection that was checked last then is checked again: at the first point of the beat that is at least half an
/// interval later; one with a longer interval than the beat's rides on the first point that its own makes due.
pub(super) fn routine(last: Timestamp, interval: Duration, beat: Beat) -> Timestamp {
    let slack = match millis(beat.period) {
        // What a check may begin late.
        period if interval > beat.period => 30_000.min(period / 2),
        period => period / 2,
    };
    let earliest = last.as_millisecond().saturating_add(millis(interval.max(beat.period)) - slack);
    beat.from(Timestamp::from_millisecond(earliest).unwrap_or(Timestamp::MAX))
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX / 1000).saturating_mul(1000)
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

/// The longest that anything is put off: a routine check by one and a half periods, a limited one until its reset.
pub(super) fn longest_wait(interval: Duration) -> SignedDuration {
    (rejected_period(interval).signed() * 2).max(SignedDuration::from_mins(61))
}

/// How long to wait after the n-th check in a row without a verdict: exponential, with jitter, from 5 s to the lesser of
/// `interval` and 5 min. `seed` makes the jitter: the same for all who are to ask together.
pub fn retry_after(failures: u32, interval: Duration, seed: u64) -> SignedDuration {
    let most = interval.signed().min(SignedDuration::from_mins(5));
    let least = SignedDuration::from_secs(5);
    let full = (least * 2_i32.saturating_pow(failures.clamp(1, 16))).min(most);
    (full / 2 + (full / 2).mul_f64(Phase(seed).stirred(failures).fraction())).max(least)
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
                let next = routine(at(after), period, Beat::new(period, phase));
                let wait = next.duration_since(at(after)).as_secs();
                assert!((300..=900).contains(&wait), "{uid} {after}: {wait}");
                let offset = (phase.fraction() * 600_000.0) as i64;
                assert_eq!((next.as_millisecond() - offset).rem_euclid(600_000), 0, "{uid} {after}");
            }
            let beat = Beat::new(period, phase);
            let first = routine(at(0), period, beat);
            assert_eq!(routine(first, period, beat).duration_since(first).as_secs(), 600);
        }
    }

    #[test]
    fn a_longer_interval_rides_on_the_beat() {
        let minutes = |n| Duration::from_mins(n);
        let beat = Beat::new(minutes(10), Phase::of("a"));
        let point = beat.from(at(0));
        // A check ends a little after the point at which it was due.
        let last = point + SignedDuration::from_secs(3);
        for (interval, beats) in [(10, 1), (11, 2), (15, 2), (20, 2), (21, 3), (60, 6), (1440, 144)] {
            let next = routine(last, minutes(interval), beat);
            assert_eq!(next.duration_since(point).as_secs(), beats * 600, "{interval} min");
        }
        assert_eq!(
            routine(last, minutes(5), beat).duration_since(point).as_secs(),
            600,
            "not yet in the beat"
        );
    }

    #[test]
    fn a_point_is_due_when_it_comes() {
        let beat = Beat::new(Duration::from_mins(10), Phase::of("a"));
        let point = beat.from(at(0));
        assert_eq!(beat.from(point), point);
        let next = beat.from(point + SignedDuration::from_millis(1));
        assert_eq!(next.duration_since(point), SignedDuration::from_mins(10));
        // A dead token has points of its own, farther apart.
        let slow = Beat::new(Duration::from_mins(1), Phase::of("a")).slowly();
        assert_eq!(slow, Beat::new(Duration::from_mins(10), Phase::of("a")));
        // What a check may begin late is half a beat at most.
        let quick = Beat::new(Duration::from_secs(10), Phase::of("a"));
        let point = quick.from(at(0));
        let next = routine(point + SignedDuration::from_secs(1), Duration::from_secs(20), quick);
        assert_eq!(next.duration_since(point), SignedDuration::from_secs(20));
        assert!(millis(Duration::from_secs(u64::MAX)) > millis(Duration::from_mins(1 << 40)));
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
        assert!(resumed(at(0), at(0), Duration::from_mins(10), phase) > at(0), "just missed");
        for (interval, most) in [(Duration::from_mins(1), 60), (Duration::from_mins(600), 600)] {
            let wait = resumed(at(-5), at(0), interval, phase).duration_since(at(0)).as_secs();
            assert!((0..=most).contains(&wait));
        }
    }

    #[test]
    fn backoff_grows_from_5s_to_the_lesser_of_interval_and_5m() {
        let wait = |n, mins| retry_after(n, Duration::from_mins(mins), Phase::of("a").0).as_secs();
        assert!((5..=10).contains(&wait(1, 10)), "{}", wait(1, 10));
        assert!((10..=20).contains(&wait(2, 10)), "{}", wait(2, 10));
        assert!((150..=300).contains(&wait(30, 10)));
        assert!((30..=60).contains(&wait(30, 1)));
        for seed in [0, u64::MAX] {
            let waits = [3, 4, 5].map(|n| Phase(seed).stirred(n).fraction());
            assert!(waits[0] != waits[1] && waits[1] != waits[2], "each time another: {waits:?}");
        }
        // A Secret that may not be read is looked at more often than one that is not there.
        assert_eq!([true, false].map(|denied| reread(denied).as_secs()), [60, 300]);
    }
}

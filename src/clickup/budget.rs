//! The budget of one token: what the operator may send of a limit that is the users'.
//!
//! ClickUp counts in fixed windows of a minute. What a window has left is what the last answer told, less the requests
//! under way; until a first answer tells, it is a guess.

use super::{RateLimit, wait_after_429};
use jiff::{SignedDuration, Timestamp};
use std::num::NonZeroU32;

/// Of answers without headers.
const DEFAULT_LIMIT: u32 = 100;
const MINUTE: i64 = 60_000;
/// The average is over ten minutes, and one look at the token in as many is always allowed.
const TEN_MINUTES: i64 = 10 * MINUTE;
/// What that look costs: `GET /user` and `GET /team`.
const LOOK: u32 = 2;
/// No reset is believed to be farther away.
const LONGEST_WINDOW: SignedDuration = SignedDuration::from_mins(2);
/// Requests under way while the rest of the window is a guess.
const AT_ONCE_ON_A_GUESS: u32 = 4;
/// When to ask again where an answer that is under way decides.
const SOON: i64 = 250;
/// A clock that is set back further than this is followed; up to this, time stands still for as long.
const STAND_STILL: i64 = MINUTE;
const LONG_AGO: i64 = i64::MIN;

/// How urgent a request is, the most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Urgency {
    /// The second rejection, ahead of the budget.
    Confirmation,
    /// Somebody asks now: a first check, an edit, the annotation.
    Asked,
    /// Whatever can wait.
    Routine,
}

/// What somebody wants to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Want {
    /// How urgent it is.
    pub urgency: Urgency,
    /// Requests that are sent together, or one after the other without asking again.
    pub requests: u32,
    /// `GET /user` and `GET /team`: whether the token is alive.
    pub identity: bool,
}

/// What may be sent with one token, and when. Times are milliseconds since the epoch: there are ten thousand of these.
#[derive(Clone, Debug)]
pub struct Budget {
    percent: u8,
    stated_long: bool,
    limit: Option<NonZeroU32>,
    /// One more than what remained: so that it takes no more memory than a number.
    left: Option<NonZeroU32>,
    under_way: u32,
    window: Window,
    routine: Average,
    identity_sent: i64,
    blocked: i64,
    seen: i64,
}

/// ClickUp's present window.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    /// None until the first request of ours in it.
    ends: Option<i64>,
    /// By everybody, as the answers told.
    used: u32,
    /// By us, where no answer told. That one that came meanwhile told of them cannot be known.
    untold: u32,
    /// An answer told what remains.
    told: bool,
    /// Requests of [`Urgency::Asked`].
    asked: u32,
    asked_identity: bool,
    asked_other: bool,
}

impl Budget {
    /// A budget that leaves routine requests `percent` % of the limit; more than 100 counts as 100.
    pub fn new(percent: u8) -> Self {
        Self {
            percent: percent.min(100),
            stated_long: false,
            limit: None,
            left: None,
            under_way: 0,
            window: Window::default(),
            routine: Average::default(),
            identity_sent: LONG_AGO,
            blocked: LONG_AGO,
            seen: LONG_AGO,
        }
    }

    /// Counts the requests as sent if they may be sent now. Each must be followed by [`Self::answered`] or
    /// [`Self::unanswered`].
    ///
    /// # Errors
    /// When to ask again if nothing else happens, always after `now`; an answer may make it earlier.
    pub fn admit(&mut self, want: Want, now: Timestamp) -> Result<(), Timestamp> {
        let now = self.at(now);
        if let Some(until) = self.held_until(want, now) {
            return Err(timestamp(until));
        }
        self.under_way = self.under_way.saturating_add(want.requests);
        let window = &mut self.window;
        window.ends.get_or_insert(now.saturating_add(MINUTE));
        if want.urgency == Urgency::Asked {
            window.asked = window.asked.saturating_add(want.requests);
            window.asked_identity |= want.identity;
            window.asked_other |= !want.identity;
        }
        if want.urgency == Urgency::Routine && !self.is_due_look(want, now) {
            self.routine.add(want.requests);
        }
        if want.identity {
            self.identity_sent = now;
        }
        Ok(())
    }

    /// An answer to a request admitted before has come. A 429 is an answer too, and goes to [`Self::limited`] as well.
    pub fn answered(&mut self, told: &RateLimit, now: Timestamp) {
        let now = self.at(now);
        self.limit = told.limit.and_then(NonZeroU32::new).or(self.limit);
        self.left = told.remaining.map(|left| NonZeroU32::MIN.saturating_add(left)).or(self.left);
        // What it says about a window that has ended is of no use.
        let ended = told.reset_in.is_some_and(|reset| reset <= SignedDuration::ZERO);
        let Some(remaining) = told.remaining.filter(|_| !ended) else { return self.unanswered() };
        self.under_way = self.under_way.saturating_sub(1);
        let (limit, window) = (self.per_minute(), &mut self.window);
        // Answers overtake each other: within a window what remains only falls, and its end stays.
        window.used = window.used.max(limit.saturating_sub(remaining));
        if !window.told {
            window.told = true;
            let ends = told.reset_in.map(|reset| now.saturating_add(ms(reset.min(LONGEST_WINDOW))));
            window.ends = ends.or(window.ends).or(Some(now.saturating_add(MINUTE)));
        }
    }

    /// A request admitted before ended without an answer, or was not sent after all.
    pub fn unanswered(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
        if self.window.ends.is_some() {
            // ClickUp may have counted it.
            self.window.untold = self.window.untold.saturating_add(1);
        }
    }

    /// A 429 (or APP_002): nothing is sent until the time returned, when a new window begins.
    pub fn limited(&mut self, stated: Option<SignedDuration>, now: Timestamp) -> Timestamp {
        let now = self.at(now);
        // Answers to what was sent together state it only once.
        let waiting = self.blocked > now;
        let wait = wait_after_429(stated, self.stated_long && !waiting);
        let long = stated.is_some_and(|stated| stated > wait_after_429(Some(stated), false));
        self.stated_long = long || (waiting && self.stated_long);
        self.left = Some(NonZeroU32::MIN);
        self.blocked = self.blocked.max(now.saturating_add(ms(wait)));
        self.window.ends = Some(self.blocked);
        timestamp(self.blocked)
    }

    /// Until when nothing is sent, after a 429.
    pub fn blocked_until(&self, now: Timestamp) -> Option<Timestamp> {
        let (now, set_back) = self.clock(now);
        let until = self.blocked.saturating_sub(set_back);
        (until > now).then(|| timestamp(until))
    }

    /// Requests per minute, as told by the last answer that told.
    pub fn limit(&self) -> Option<u32> {
        self.limit.map(NonZeroU32::get)
    }

    /// Requests left in ClickUp's minute when it last told, or answered with a 429. That minute may be long past.
    pub fn remaining(&self) -> Option<u32> {
        self.left.map(|left| left.get() - 1)
    }

    /// When a look at the token is due that is exempt from the average; it may be long past.
    pub(super) fn look_due(&self) -> Timestamp {
        timestamp(self.identity_sent.saturating_add(TEN_MINUTES))
    }

    /// Until when a want is held; None if it may go.
    fn held_until(&self, want: Want, now: i64) -> Option<i64> {
        if self.blocked > now {
            return Some(self.blocked);
        }
        let (limit, window) = (self.per_minute(), self.window);
        let left = [window.used, window.untold, self.under_way].into_iter().fold(limit, u32::saturating_sub);
        let soon = now.saturating_add(SOON);
        let next_window = window.ends.unwrap_or(soon);
        // What no window can hold takes a whole one.
        let needs = |requests: u32| requests.min(limit);
        if left < needs(want.requests) {
            return Some(next_window);
        }
        if want.urgency == Urgency::Confirmation {
            return None;
        }
        let at_once = self.under_way.saturating_add(want.requests);
        if !window.told && self.under_way > 0 && at_once > AT_ONCE_ON_A_GUESS {
            return Some(soon);
        }
        if want.urgency == Urgency::Asked {
            let sent_before = if want.identity { window.asked_identity } else { window.asked_other };
            let (sent, left) = (u64::from(window.asked), u64::from(left));
            let within = 10 * (sent + u64::from(want.requests)) <= 3 * (left + sent);
            return (sent_before && !within).then_some(next_window);
        }
        if self.is_due_look(want, now) {
            return None;
        }
        let reserve = limit.div_ceil(5);
        let by_window = (left < needs(want.requests.saturating_add(reserve))).then_some(next_window);
        let until = by_window.max(self.routine.held_until(want.requests, self.in_ten_minutes()))?;
        let look = self.identity_sent.saturating_add(TEN_MINUTES);
        Some(if want.identity { until.min(look) } else { until })
    }

    /// Whether it is the look at the token that is always allowed.
    fn is_due_look(&self, want: Want, now: i64) -> bool {
        want.identity && self.identity_sent.saturating_add(TEN_MINUTES) <= now
    }

    /// What routine requests may use in ten minutes, without the look that is always allowed.
    fn in_ten_minutes(&self) -> u32 {
        let share = u64::from(self.per_minute()) * 10 * u64::from(self.percent) / 100;
        u32::try_from(share).unwrap_or(u32::MAX).saturating_sub(LOOK)
    }

    fn per_minute(&self) -> u32 {
        self.limit().unwrap_or(DEFAULT_LIMIT)
    }

    /// Brings everything up to this time, and returns it.
    fn at(&mut self, now: Timestamp) -> i64 {
        let (now, set_back) = self.clock(now);
        if set_back > 0 {
            for time in [&mut self.blocked, &mut self.identity_sent].into_iter().chain(&mut self.window.ends)
            {
                *time = time.saturating_sub(set_back);
            }
            self.routine.newest = Average::bucket(now);
        }
        self.seen = now;
        self.routine.advance(now);
        if self.window.ends.is_some_and(|ends| ends <= now) {
            self.window = Window::default();
        }
        now
    }

    /// The time, and how far the clock was set back.
    fn clock(&self, now: Timestamp) -> (i64, i64) {
        let now = i64::try_from(now.as_nanosecond().div_euclid(1_000_000)).unwrap_or(i64::MAX);
        if now >= self.seen.saturating_sub(STAND_STILL) {
            (now.max(self.seen), 0)
        } else {
            (now, self.seen - now)
        }
    }
}

/// What was sent in the last ten minutes, and up to half a minute longer.
#[derive(Clone, Debug, Default)]
struct Average {
    /// The latest bucket first.
    sent: [u16; Self::BUCKETS],
    /// The number of the latest bucket since the epoch.
    newest: i64,
}

impl Average {
    const WIDTH: i64 = MINUTE / 2;
    /// One more than ten minutes need: a bucket goes when all of it is older.
    const BUCKETS: usize = (TEN_MINUTES / Self::WIDTH + 1) as usize;

    fn bucket(now: i64) -> i64 {
        now.div_euclid(Self::WIDTH)
    }

    fn advance(&mut self, now: i64) {
        let bucket = Self::bucket(now);
        let by = usize::try_from(bucket.saturating_sub(self.newest)).unwrap_or(0).min(Self::BUCKETS);
        self.sent.copy_within(..Self::BUCKETS - by, by);
        self.sent[..by].fill(0);
        self.newest = bucket;
    }

    fn add(&mut self, requests: u32) {
        self.sent[0] = self.sent[0].saturating_add(u16::try_from(requests).unwrap_or(u16::MAX));
    }

    /// Until when so many more would be too many; None if they are not. What is too many for ten minutes goes alone.
    fn held_until(&self, requests: u32, most: u32) -> Option<i64> {
        // What the buckets can count.
        let most = most.min(u32::from(u16::MAX));
        let mut sent: u32 = self.sent.iter().copied().map(u32::from).sum();
        let mut until = None;
        for (n, freed) in (1..).zip(self.sent.iter().rev()) {
            if sent == 0 || sent.saturating_add(requests) <= most {
                break;
            }
            sent -= u32::from(*freed);
            until = Some(self.newest.saturating_add(n).saturating_mul(Self::WIDTH));
        }
        until
    }
}

/// Whole milliseconds.
fn ms(duration: SignedDuration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn timestamp(ms: i64) -> Timestamp {
    let end = if ms < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_millisecond(ms).unwrap_or(end)
}

#[cfg(test)]
pub(super) mod tests;

//! Limit headers and clocks → what is sent, and when.
//!
//! Input: answers, with an empty line between them. Each is a line `CLOCK URGENCY REQUESTS limited`, all of it optional, the
//! clock in milliseconds since the epoch, and then its headers.

use crate::words;
use clickup_operator::clickup::{Budget, RateLimit, Urgency, Want, wait_after_429};
use jiff::{SignedDuration, Timestamp};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

const SECOND: SignedDuration = SignedDuration::from_secs(1);
const MINUTE: SignedDuration = SignedDuration::from_mins(1);
const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// An hour is the most that a server is believed to want; and a clock that is set back by up to a minute stands still.
const LONGEST: SignedDuration = SignedDuration::from_secs(61 * 60);

/// Whatever headers say and however the clock jumps: nothing overflows, and nothing is held up for longer than an hour.
pub fn rate_limit(input: &[u8]) {
    let mut budget = Budget::new(10);
    let mut clock = 1_800_000_000_000;
    let lines: Vec<_> = input.split(|byte| *byte == b'\n').collect();
    for block in lines.split(|line| line.is_empty()).take(64) {
        let Some((first, headers)) = block.split_first() else { continue };
        let mut words = words(first);
        clock = words.next().and_then(|word| word.parse().ok()).unwrap_or(clock);
        let urgency = match words.next() {
            Some("confirmation") => Urgency::Confirmation,
            Some("asked") => Urgency::Asked,
            _ => Urgency::Routine,
        };
        let requests = words.next().and_then(|word| word.parse().ok()).unwrap_or(1);
        let want = Want { urgency, requests, identity: requests == 2 };
        answered(&mut budget, &header_map(headers), want, clock, words.next() == Some("limited"));
    }
}

fn header_map(lines: &[&[u8]]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines {
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let value = line.get(colon + 1..).unwrap_or_default().trim_ascii();
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(&line[..colon]), HeaderValue::from_bytes(value))
        {
            headers.append(name, value);
        }
    }
    headers
}

fn answered(budget: &mut Budget, headers: &HeaderMap, want: Want, clock: i64, limited: bool) {
    let end = if clock < 0 { Timestamp::MIN } else { Timestamp::MAX };
    let now = Timestamp::from_millisecond(clock).unwrap_or(end);
    let told = RateLimit::read(headers, now);
    for (again, most) in [(false, 2 * MINUTE), (true, HOUR)] {
        let wait = wait_after_429(told.reset_in, again);
        assert!((SECOND..=most).contains(&wait), "{:?} is waited for as {wait}", told.reset_in);
    }
    // Where time ends, nothing comes later.
    let is_later =
        |at: Timestamp, least: SignedDuration| now > Timestamp::MAX - HOUR * 2 || at >= now + least;
    let is_soon = |at: Timestamp| at.duration_since(now) <= LONGEST;
    match budget.admit(want, now) {
        Ok(()) => {
            // One is answered, and the others are not.
            budget.answered(&told, now);
            assert!(told.limit.is_none_or(|limit| limit == 0 || budget.limit() == Some(limit)));
            (1..want.requests.min(8)).for_each(|_| budget.unanswered());
        }
        Err(at) => {
            assert!(is_later(at, SignedDuration::from_millis(1)) && is_soon(at), "held from {now} to {at}")
        }
    }
    if limited {
        let until = budget.limited(told.reset_in, now);
        assert!(is_later(until, SECOND) && is_soon(until), "blocked from {now} to {until}");
        assert_eq!(budget.clone().admit(want, now), Err(until), "nothing goes out meanwhile");
    }
    assert!(budget.blocked_until(now).is_none_or(is_soon));
}

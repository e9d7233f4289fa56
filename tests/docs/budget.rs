//! The intervals of `docs/budget.md`, tried with the budget itself.

use crate::pages::{read, rows, unquoted};
use clickup_operator::{
    api::Duration,
    clickup::{Budget, Next, RateLimit, Turns, Urgency, Want},
};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;

/// Limits of the columns of the table of intervals.
const LIMITS: [u32; 3] = [100, 1000, 10_000];
const PERCENT: u8 = 10;

/// The formula of docs/budget.md, a tenth more, in whole minutes.
fn shortest_interval(limit: u32, questions: u32) -> Duration {
    let minutes = (11 * (2 + questions) * 100).div_ceil(10 * limit * u32::from(PERCENT));
    Duration::from_mins(minutes.max(1).into())
}

/// How long one of these questions waits for the budget at most, where all are asked every `interval`.
fn longest_wait(limit: u32, questions: u32, interval: SignedDuration) -> SignedDuration {
    let begin = Timestamp::from_second(1_800_000_000).unwrap();
    let end = begin + SignedDuration::from_hours(3).max(interval * 8);
    let (mut budget, mut turns) = (Budget::new(PERCENT), Turns::new());
    let (mut window_ends, mut used) = (begin, 0);
    let (mut waiting, mut last) = (BTreeMap::new(), BTreeMap::new());
    let (mut now, mut beat, mut longest) = (begin, begin, SignedDuration::ZERO);
    // The look at the token, upon which the questions follow.
    const LOOK: u32 = 0;
    while now < end {
        if now >= beat {
            beat += interval;
            if waiting.insert(LOOK, now).is_none() {
                let want = Want { urgency: Urgency::Routine, requests: 2, identity: true };
                turns.push("n", last.get(&LOOK).copied(), want, LOOK);
            }
        }
        match turns.next(&mut budget, now) {
            Next::Nobody => now = beat,
            Next::At(at) => now = at.min(beat),
            Next::Go(question) => {
                let since: Timestamp = waiting.remove(&question).unwrap();
                longest = longest.max(now.duration_since(since));
                last.insert(question, now);
                if now >= window_ends {
                    (window_ends, used) = (now + SignedDuration::from_mins(1), 0);
                }
                for _ in 0..if question == LOOK { 2 } else { 1 } {
                    used += 1;
                    let remaining = Some(limit.checked_sub(used).expect("more than the limit was sent"));
                    let reset_in = Some(window_ends.duration_since(now));
                    budget.answered(&RateLimit { limit: Some(limit), remaining, reset_in }, now);
                }
                for question in (question + 1..=questions).take_while(|_| question == LOOK) {
                    waiting.entry(question).or_insert_with(|| {
                        let want = Want { urgency: Urgency::Routine, requests: 1, identity: false };
                        turns.push("n", last.get(&question).copied(), want, question);
                        since
                    });
                }
            }
        }
    }
    longest
}

#[test]
fn the_intervals_of_the_table_can_be_kept_and_shorter_ones_cannot() {
    let page = read("docs/budget.md");
    assert!(page.contains("\n| different questions | limit 100 | limit 1,000 | limit 10,000 |\n"));
    let rows = rows(&page, "different questions");
    assert_eq!(rows.len(), 4);
    for (_, cells) in rows {
        let questions = cells[0].replace(',', "").parse().unwrap();
        for (limit, cell) in LIMITS.into_iter().zip(&cells[1..]) {
            let interval = shortest_interval(limit, questions);
            assert_eq!(unquoted(cell), interval.to_string(), "{questions} questions, limit {limit}");
            let waited = longest_wait(limit, questions, interval.signed());
            assert!(waited <= interval.signed(), "{questions} questions, limit {limit}: {waited}");
            // Four fifths of what the formula says, where the schema admits that.
            let seconds = 48 * 100 * (2 + questions) / (limit * u32::from(PERCENT));
            let short = SignedDuration::from_secs(seconds.into());
            if short >= SignedDuration::from_mins(1) {
                let waited = longest_wait(limit, questions, short);
                assert!(waited > short, "{questions} questions, limit {limit}: {waited} in {short}");
            }
        }
    }
}

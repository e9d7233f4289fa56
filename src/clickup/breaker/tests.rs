use super::{Reason::*, *};
use crate::{
    api::TokenType,
    clickup::{Token, TokenKeys},
};
use proptest::prelude::*;
use std::sync::LazyLock;

static KEYS: LazyLock<Vec<TokenKey>> = LazyLock::new(|| {
    let keys = TokenKeys::generate().unwrap();
    let token = |n: u32| Token::parse(format!("pk_{n}").as_bytes(), TokenType::Personal).unwrap();
    (0..8).map(|n| keys.key(&token(n))).collect()
});

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(1_800_000_000_000 + ms).unwrap()
}

fn no(reason: Reason) -> NoVerdict {
    NoVerdict { reason, message: format!("{reason}"), reset_in: None }
}

#[test]
fn it_opens_when_clickup_fails_for_everybody() {
    // (name, tokens in use, events, opens with the last): at second 3 token b times out is "3b", a verdict "3!".
    for (name, tokens, events, opens) in [
        ("three of nine tokens", 9, "0a 1b 2c", true),
        ("two of nine", 9, "0a 1b", false),
        ("two of two", 2, "0a 1b", true),
        ("one of two", 2, "0a", false),
        ("the only one", 1, "0a", true),
        ("none is known to be in use", 0, "0a", true),
        ("one token, often", 9, "0a 1a 2a 3a 4b", false),
        ("just within 30 s", 9, "0a 1b 29c", true),
        ("not within 30 s", 9, "0a 15b 30c", false),
        ("the latest of each counts", 9, "0a 15b 20a 35c", true),
        ("a verdict among them", 9, "0a 1! 2b 3c", false),
        ("a verdict before them", 9, "0! 20a 21b 29c", false),
        ("a verdict long before", 9, "0! 20a 21b 30c", true),
        ("more tokens than are remembered", 9, "0! 1a 2b 3c 26d 27e 40f", true),
        ("a clock set back", 9, "90000! 90001h 0a 1b 2c", true),
        ("a little", 9, "9a 8b 7c", true),
    ] {
        let (mut breaker, mut opened) = (Breaker::new(), false);
        for event in events.split(' ') {
            assert!(!opened, "{name}: too early");
            let (second, who) = event.split_at(event.len() - 1);
            let now = at(second.parse::<i64>().unwrap() * 1000);
            match who.as_bytes()[0] {
                b'!' => assert!(!breaker.verdict(tokens, now), "{name}: was closed"),
                token => opened = breaker.failed(KEYS[usize::from(token - b'a')], &no(TimedOut), tokens, now),
            }
        }
        assert_eq!((opened, breaker.is_open()), (opens, opens), "{name}");
    }
}

#[test]
fn only_what_speaks_of_clickup_counts() {
    for (reason, counts) in [
        (ConnectFailed, true),
        (TLSFailed, true),
        (TimedOut, true),
        (ServerError, true),
        (UnexpectedResponse, true),
        (RateLimited, false),
        (RequestRefused, false),
    ] {
        let mut breaker = Breaker::new();
        assert!(!breaker.failed(KEYS[0], &no(TimedOut), 3, at(0)));
        assert!(!breaker.failed(KEYS[1], &no(reason), 3, at(1)));
        assert_eq!(breaker.failed(KEYS[2], &no(ServerError), 3, at(2)), counts, "{reason}");
    }
}

#[test]
fn while_it_is_open_five_a_second_are_asked_about() {
    let mut breaker = Breaker::new();
    assert!((0..100).all(|_| breaker.permit(at(0)).is_ok()), "closed");
    assert!(breaker.failed(KEYS[0], &no(TimedOut), 1, at(0)));
    let asked = |breaker: &mut Breaker, ms| (0..100).filter(|_| breaker.permit(at(ms)).is_ok()).count();
    assert_eq!(asked(&mut breaker, 0), 5);
    assert_eq!(breaker.permit(at(999)), Err(no(TimedOut)));
    assert_eq!(asked(&mut breaker, 1000), 5);
    assert_eq!(asked(&mut breaker, -90_000), 5, "a clock set back");
    // The reason is kept up to date, by those that count.
    assert!(!breaker.failed(KEYS[0], &no(ServerError), 1, at(1100)), "was open");
    assert!(!breaker.failed(KEYS[1], &no(RateLimited), 1, at(1200)));
    asked(&mut breaker, 1200);
    assert_eq!(breaker.permit(at(1300)), Err(no(ServerError)));
    assert!(breaker.verdict(9, at(1400)) && !breaker.is_open());
    assert!(!breaker.verdict(1, at(1500)), "was closed");
    assert!((0..100).all(|_| breaker.permit(at(1500)).is_ok()));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    /// Against the rule as it is written, on all that ever happened.
    #[test]
    fn it_opens_and_closes_by_the_rule(
        events in prop::collection::vec((0_i64..15_000, 0_usize..12), 1..120), tokens in 0_usize..6,
    ) {
        let (mut breaker, mut now, mut open) = (Breaker::new(), 0, false);
        let (mut failures, mut verdicts, mut probes) = (Vec::new(), Vec::new(), Vec::new());
        for (step, event) in events {
            now += step;
            if event < 8 {
                failures.push((now, event));
                let mut failed: Vec<_> = failures.iter().filter(|(at, _)| now - at < 30_000).map(|f| f.1).collect();
                failed.sort_unstable();
                failed.dedup();
                let quiet = verdicts.iter().all(|at| now - at >= 30_000);
                let opens = !open && quiet && failed.len() >= tokens.clamp(1, 3);
                prop_assert_eq!(breaker.failed(KEYS[event], &no(TimedOut), tokens, at(now)), opens);
                open |= opens;
            } else if event == 8 {
                let quiet = verdicts.iter().all(|at| now - at >= 30_000);
                let last = verdicts.last().copied().unwrap_or(i64::MIN);
                let mut failed: Vec<_> = failures.iter().filter(|(at, _)| *at > last).map(|f| f.1).collect();
                failed.sort_unstable();
                failed.dedup();
                let ends = open || (quiet && failed.len() >= tokens.clamp(1, 3));
                prop_assert_eq!(breaker.verdict(tokens, at(now)), ends);
                verdicts.push(now);
                open = false;
            } else {
                // Asked faster than the other events come.
                let before = probes.len();
                for ms in (0..2_000).step_by(97) {
                    let permitted = breaker.permit(at(now + ms)).is_ok();
                    prop_assert!(permitted || open);
                    if open && permitted {
                        probes.push(now + ms);
                    }
                }
                prop_assert!(!open || probes.len() >= before + 5, "some are always asked about");
                now += 2_000;
            }
            prop_assert_eq!(breaker.is_open(), open);
        }
        for start in &probes {
            let second = probes.iter().filter(|at| (0..1000).contains(&(*at - start))).count();
            prop_assert!(second <= 5, "{second} in a second");
        }
    }
}

#[test]
fn a_verdict_after_silence_ends_an_outage_that_too_few_had_noticed() {
    let (mut breaker, keys) = (Breaker::new(), TokenKeys::generate().unwrap());
    let key = keys.key(&Token::parse(b"pk_1", TokenType::Personal).unwrap());
    let at = |second: i64| Timestamp::from_second(1_000_000 + second).unwrap();
    breaker.verdict(3, at(0));
    assert!(!breaker.verdict(3, at(100)), "nobody failed");
    assert!(!breaker.failed(key, &NoVerdict::timed_out(), 9, at(190)), "one of many");
    assert!(breaker.verdict(1, at(200)));
    assert!(!breaker.verdict(1, at(300)), "that was over");
    breaker.failed(key, &NoVerdict::timed_out(), 9, at(325));
    assert!(!breaker.verdict(1, at(329)), "others got answers all the time");
    breaker.failed(key, &NoVerdict::timed_out(), 9, at(400));
    assert!(!breaker.verdict(9, at(400)), "one is too few");
    assert!(!breaker.verdict(1, at(500)), "it failed before the verdict, or with it");
}

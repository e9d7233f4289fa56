use super::{Urgency::*, *};
use proptest::prelude::*;

/// Milliseconds after some full minute.
pub(in crate::clickup) fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(1_800_000_000_000 + ms).unwrap()
}

pub(in crate::clickup) fn secs(seconds: i64) -> Timestamp {
    at(seconds * 1000)
}

pub(in crate::clickup) fn want(urgency: Urgency, requests: u32) -> Want {
    Want { urgency, requests, identity: false }
}

pub(in crate::clickup) fn look(urgency: Urgency) -> Want {
    Want { urgency, requests: LOOK, identity: true }
}

pub(in crate::clickup) fn told(limit: u32, remaining: u32, reset_ms: i64) -> RateLimit {
    let reset_in = Some(SignedDuration::from_millis(reset_ms));
    RateLimit { limit: Some(limit), remaining: Some(remaining), reset_in }
}

fn failed(times: u32, budget: &mut Budget) {
    (0..times).for_each(|_| budget.unanswered());
}

/// A budget that at second 0 was told so, of a window that ends at second 60.
fn after(limit: u32, remaining: u32) -> Budget {
    let mut budget = Budget::new(10);
    budget.admit(look(Routine), secs(0)).unwrap();
    budget.answered(&told(limit, remaining + 1, 60_000), secs(0));
    budget.answered(&told(limit, remaining, 60_000), secs(0));
    budget
}

/// ClickUp as it counts: in fixed windows of a minute, everybody's requests.
pub(in crate::clickup) struct Server {
    pub limit: u32,
    pub used: u32,
    window: i64,
}

impl Server {
    pub fn new(limit: u32) -> Self {
        Self { limit, used: 0, window: 0 }
    }

    /// What remains.
    pub fn left(&mut self, now: i64) -> u32 {
        if now.div_euclid(MINUTE) != self.window {
            (self.window, self.used) = (now.div_euclid(MINUTE), 0);
        }
        self.limit - self.used
    }

    /// Whether there is something left for it, and what the headers say.
    pub fn request(&mut self, now: i64) -> (bool, RateLimit) {
        let left = self.left(now);
        self.used += u32::from(left > 0);
        (left > 0, told(self.limit, left.saturating_sub(1), MINUTE - now.rem_euclid(MINUTE)))
    }
}

#[test]
fn each_urgency_has_its_share_of_what_remains() {
    // (remaining, sent before, want, goes)
    let cases: [(u32, &[Want], Want, bool); 30] = [
        (100, &[], want(Routine, 1), true),
        (21, &[], want(Routine, 1), true),
        (20, &[], want(Routine, 1), false),
        (22, &[], want(Routine, 3), false),
        (22, &[want(Routine, 2)], want(Routine, 1), false),
        (100, &[], look(Routine), true),
        (21, &[], look(Routine), false),
        // The first of a minute, of either kind.
        (2, &[], look(Asked), true),
        (1, &[], look(Asked), false),
        (1, &[], want(Asked, 1), true),
        (0, &[], want(Asked, 1), false),
        (8, &[look(Asked)], want(Asked, 6), true),
        (7, &[look(Asked)], want(Asked, 6), false),
        (60, &[want(Asked, 50)], look(Asked), true),
        // The others: 30 %.
        (100, &[want(Asked, 1)], want(Asked, 29), true),
        (100, &[want(Asked, 1)], want(Asked, 30), false),
        (100, &[want(Asked, 30)], want(Asked, 1), false),
        (10, &[want(Asked, 2)], want(Asked, 1), true),
        (10, &[want(Asked, 2)], want(Asked, 2), false),
        (100, &[look(Asked)], look(Asked), true),
        (13, &[look(Asked)], look(Asked), false),
        (14, &[look(Asked)], look(Asked), true),
        (20, &[want(Confirmation, 10), want(Asked, 3)], want(Asked, 1), false),
        // What is routine uses nothing of it, but what it leaves is less.
        (100, &[want(Routine, 50), want(Asked, 1)], want(Asked, 14), true),
        (100, &[want(Routine, 50), want(Asked, 1)], want(Asked, 15), false),
        (100, &[want(Asked, 30)], want(Routine, 50), true),
        (100, &[want(Asked, 30)], want(Routine, 51), false),
        (1, &[], want(Confirmation, 1), true),
        (1, &[], want(Confirmation, 2), false),
        (100, &[want(Asked, 90)], want(Confirmation, 10), true),
    ];
    for (remaining, before, wanted, goes) in cases {
        let mut budget = after(100, remaining);
        for sent in before {
            budget.admit(*sent, secs(1)).unwrap_or_else(|_| panic!("{sent:?} of {remaining}"));
        }
        let expected = if goes { Ok(()) } else { Err(secs(60)) };
        assert_eq!(budget.admit(wanted, secs(1)), expected, "{wanted:?} after {before:?} of {remaining}");
    }
}

#[test]
fn routine_requests_keep_to_the_average() {
    for (limit, percent, most) in [(100, 10, 98), (1000, 10, 998), (100, 5, 48), (250, 3, 73)] {
        let mut budget = Budget::new(percent);
        budget.admit(look(Routine), secs(0)).unwrap();
        budget.answered(&told(limit, limit, 60_000), secs(0));
        budget.answered(&told(limit, limit, 60_000), secs(0));
        let (mut sent, mut until) = (0, secs(0));
        for second in 0..600 {
            for _ in 0..limit {
                if budget.admit(want(Routine, 1), secs(second)).is_err() {
                    break;
                }
                budget.answered(&told(limit, limit, 60_000), secs(second));
                sent += 1;
            }
            until = budget.admit(want(Routine, 1), secs(second)).unwrap_err();
        }
        assert_eq!(sent, most, "{limit} {percent} %");
        let late = until.duration_since(secs(600));
        assert!((0..=30).contains(&late.as_secs()), "{late}");
        assert_eq!(budget.admit(want(Routine, 1), until), Ok(()));
    }
}

#[test]
fn more_than_can_be_counted_is_not_sent() {
    let mut budget = Budget::new(100);
    budget.admit(look(Routine), secs(0)).unwrap();
    budget.answered(&told(u32::MAX, u32::MAX, 60_000), secs(0));
    assert_eq!(budget.admit(want(Routine, 60_000), secs(1)), Ok(()));
    assert_eq!(budget.admit(want(Routine, 6_000), secs(1)), Err(secs(630)));
    assert_eq!(budget.admit(want(Routine, 5_000), secs(1)), Ok(()));
}

#[test]
fn one_look_in_ten_minutes_is_always_allowed() {
    for (remaining, goes, again) in
        [(100, true, secs(601)), (19, true, secs(601)), (2, true, secs(60)), (1, false, secs(60))]
    {
        let mut budget = Budget::new(0);
        budget.admit(want(Routine, 1), secs(0)).unwrap();
        budget.answered(&told(100, remaining, 60_000), secs(0));
        assert_eq!(budget.admit(look(Routine), secs(1)).is_ok(), goes, "{remaining}");
        assert_eq!(budget.admit(look(Routine), secs(2)), Err(again), "{remaining}");
        failed(2, &mut budget);
        assert_eq!(budget.admit(look(Routine), again).is_ok(), !goes || again == secs(601), "{remaining}");
    }
    let mut budget = after(100, 100);
    budget.limited(None, secs(700));
    assert_eq!(budget.admit(look(Routine), secs(701)), Err(secs(760)));
    let mut budget = Budget::new(0);
    budget.admit(want(Routine, 1), secs(0)).unwrap();
    budget.admit(look(Asked), secs(0)).unwrap();
    failed(3, &mut budget);
    assert!(budget.admit(look(Routine), secs(599)).is_err(), "any look counts");
    assert!(budget.admit(look(Routine), secs(600)).is_ok());
}

#[test]
fn few_are_under_way_until_an_answer_tells() {
    let mut budget = Budget::new(10);
    assert_eq!(budget.admit(want(Asked, 3), secs(0)), Ok(()));
    assert_eq!(budget.admit(want(Asked, 2), secs(0)), Err(at(SOON)));
    assert_eq!(budget.admit(want(Routine, 1), secs(0)), Ok(()));
    assert_eq!(budget.admit(look(Routine), secs(0)), Err(at(SOON)));
    assert_eq!(budget.admit(look(Confirmation), secs(0)), Ok(()), "ahead of everything");
    budget.answered(&RateLimit::default(), secs(1));
    assert!(budget.admit(want(Asked, 2), secs(1)).is_err(), "that told nothing");
    budget.answered(&told(100, 98, 40_000), secs(1));
    assert_eq!(budget.admit(want(Asked, 20), secs(1)), Ok(()));
    failed(24, &mut budget);
    assert_eq!(budget.admit(want(Routine, 20), secs(41)), Ok(()), "however many, when none is under way");
    assert!(budget.admit(want(Asked, 1), secs(41)).is_err(), "a new window, a new guess");
}

#[test]
fn what_remains_is_what_was_told_less_what_is_under_way() {
    let left = |budget: &mut Budget, now| {
        let most = |n: &u32| budget.clone().admit(want(Confirmation, *n), secs(now)).is_ok();
        (1..=budget.limit().unwrap()).take_while(most).last().unwrap_or(0)
    };
    let mut budget = after(100, 50);
    budget.admit(want(Routine, 10), secs(1)).unwrap();
    assert_eq!(left(&mut budget, 1), 40);
    budget.answered(&told(100, 47, 59_000), secs(1));
    assert_eq!(left(&mut budget, 1), 38, "somebody else sent 2");
    budget.answered(&told(100, 48, 59_000), secs(1));
    assert_eq!(left(&mut budget, 1), 39, "overtaken");
    budget.answered(&told(100, 90, -1000), secs(1));
    assert_eq!(left(&mut budget, 1), 39, "of a window that has ended");
    budget.unanswered();
    assert_eq!(left(&mut budget, 1), 39, "counted all the same");
    budget.answered(&told(100, 30, 99_000), secs(2));
    assert_eq!(left(&mut budget, 2), 30 - 2 - 5);
    assert_eq!(left(&mut budget, 59), 23);
    assert_eq!(left(&mut budget, 60), 95, "a new window; five are still under way");
    failed(5, &mut budget);
    assert_eq!(left(&mut budget, 61), 100);
    budget.admit(want(Routine, 1), secs(61)).unwrap();
    budget.answered(&told(1000, 777, 10_000), secs(61));
    assert_eq!((left(&mut budget, 61), budget.limit()), (777, Some(1000)), "another plan");
    assert_eq!(left(&mut budget, 71), 1000);
}

#[test]
fn without_headers_the_limit_is_100_in_a_minute_from_the_first_request() {
    let (mut budget, mut sent) = (Budget::new(100), 0);
    for second in 7..67 {
        while budget.admit(want(Routine, 1), secs(second)).is_ok() {
            budget.answered(&RateLimit::default(), secs(second));
            sent += 1;
        }
    }
    assert_eq!((sent, budget.limit()), (80, None));
    assert_eq!(budget.admit(want(Routine, 1), at(66_999)), Err(secs(67)));
    assert_eq!(budget.admit(want(Asked, 6), secs(66)), Ok(()));
    failed(6, &mut budget);
    assert_eq!(budget.admit(want(Routine, 1), secs(67)), Ok(()));
}

#[test]
fn nothing_is_sent_between_a_429_and_its_reset() {
    let duration = SignedDuration::from_secs;
    let mut budget = after(100, 100);
    assert_eq!(budget.blocked_until(secs(0)), None);
    assert_eq!(budget.limited(Some(duration(20)), secs(10)), secs(30));
    for urgency in [Confirmation, Asked, Routine] {
        for wanted in [look(urgency), want(urgency, 1)] {
            assert_eq!(budget.clone().admit(wanted, at(29_999)), Err(secs(30)), "{wanted:?}");
            assert_eq!(budget.clone().admit(wanted, secs(30)), Ok(()), "{wanted:?}");
        }
    }
    assert_eq!(budget.limited(Some(duration(5)), secs(11)), secs(30), "never sooner");
    assert_eq!(budget.blocked_until(at(29_999)), Some(secs(30)));
    assert_eq!(budget.blocked_until(secs(30)), None);
    let mut budget = after(100, 0);
    budget.limited(Some(duration(20)), secs(10));
    assert_eq!(budget.admit(want(Asked, 1), secs(30)), Ok(()), "a reset, though another was told before");
    let mut budget = after(100, 100);
    // A long wait is believed when it is stated again; answers to what was sent together state it once.
    assert_eq!(budget.limited(Some(duration(600)), secs(100)), secs(220));
    assert_eq!(budget.limited(Some(duration(600)), secs(101)), secs(221));
    assert_eq!(budget.limited(None, secs(102)), secs(221));
    assert_eq!(budget.limited(Some(duration(600)), secs(221)), secs(821));
    assert_eq!(budget.limited(None, secs(821)), secs(881));
    assert_eq!(budget.limited(Some(duration(600)), secs(881)), secs(1001), "from the start");
    assert_eq!(budget.limited(Some(duration(60)), secs(1001)), secs(1061));
    assert_eq!(budget.limited(Some(duration(600)), secs(1061)), secs(1181), "a minute is not long");
}

#[test]
fn absurd_answers_are_survived() {
    let huge = SignedDuration::MAX;
    for (limit, remaining, reset_in) in [
        (Some(0), Some(0), Some(SignedDuration::from_secs(30))),
        (Some(0), Some(u32::MAX), Some(huge)),
        (Some(1), Some(0), None),
        (Some(1), Some(9), Some(SignedDuration::MIN)),
        (Some(u32::MAX), Some(0), Some(huge)),
        (Some(u32::MAX), Some(u32::MAX), Some(huge)),
        (None, Some(0), Some(huge)),
        (Some(100), None, Some(huge)),
    ] {
        let told = RateLimit { limit, remaining, reset_in };
        for percent in [0, 1, 100, 255] {
            for requests in [0, 1, 2, 50, 70_000, u32::MAX] {
                for urgency in [Confirmation, Asked, Routine] {
                    let mut budget = Budget::new(percent);
                    budget.admit(look(urgency), secs(0)).unwrap();
                    (0..2).for_each(|_| budget.answered(&told, secs(1)));
                    let wanted = want(urgency, requests);
                    assert!(goes_in_time(&mut budget, wanted, secs(2)), "{wanted:?} {told:?} {percent}");
                }
            }
        }
    }
}

#[test]
fn a_clock_that_is_set_back_holds_nothing_for_long() {
    let day = 86_400;
    let mut budget = after(100, 0);
    budget.admit(want(Routine, 1), secs(60)).unwrap();
    budget.unanswered();
    budget.limited(None, secs(60));
    assert_eq!(budget.admit(want(Asked, 1), secs(30)), Err(secs(120)), "stands still");
    assert_eq!(budget.blocked_until(secs(60 - day)), Some(secs(120 - day)));
    assert_eq!(budget.admit(want(Asked, 1), secs(60 - day)), Err(secs(120 - day)), "follows");
    assert_eq!(budget.look_due(), secs(600 - day));
    assert_eq!(budget.admit(want(Asked, 1), secs(120 - day)), Ok(()));
}

#[test]
fn what_remained_is_what_was_told_last() {
    let mut budget = Budget::new(10);
    assert_eq!(budget.remaining(), None);
    for (told, remaining) in [(Some(7), Some(7)), (None, Some(7)), (Some(0), Some(0)), (Some(99), Some(99))] {
        budget.answered(&RateLimit { limit: Some(100), remaining: told, reset_in: None }, secs(0));
        assert_eq!(budget.remaining(), remaining);
    }
    budget.limited(None, secs(1));
    assert_eq!(budget.remaining(), Some(0), "a 429 leaves nothing");
}

#[test]
fn ten_thousand_of_them_are_small() {
    assert!(size_of::<Budget>() <= 128, "{}", size_of::<Budget>());
}

/// Whether it goes when asked again at the times that the budget says, answers or not.
fn goes_in_time(budget: &mut Budget, wanted: Want, from: Timestamp) -> bool {
    let mut now = from;
    for _ in 0..40 {
        match budget.admit(wanted, now) {
            Ok(()) => return now.duration_since(from) <= SignedDuration::from_mins(90),
            Err(at) => {
                assert!(at > now, "{at} is not after {now}");
                now = at;
            }
        }
        // Whatever is under way ends.
        failed(budget.under_way, budget);
    }
    false
}

fn wants() -> impl Strategy<Value = Want> {
    let urgency = prop_oneof![1 => Just(Confirmation), 4 => Just(Asked), 8 => Just(Routine)];
    (urgency, prop_oneof![1 => Just(0), 3 => 1_u32..10])
        .prop_map(|(urgency, n)| if n == 0 { look(urgency) } else { want(urgency, n) })
}

#[derive(Clone, Debug)]
enum Event {
    Want(Want),
    /// Of the requests under way, which one ends, and whether its answer arrives.
    Ends(prop::sample::Index, bool),
    Wait(i64),
    Others(u32),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let wait = prop_oneof![5 => 1_i64..3_000, 2 => 1_i64..70_000];
    let event = prop_oneof![
        8 => wants().prop_map(Event::Want),
        8 => (any::<prop::sample::Index>(), prop::bool::weighted(0.9)).prop_map(|(i, b)| Event::Ends(i, b)),
        3 => wait.prop_map(Event::Wait),
        1 => (0_u32..40).prop_map(Event::Others),
    ];
    prop::collection::vec(event, 1..250)
}

/// What comes of events: the server counts a request when it is sent, and its answer comes some time later.
struct World {
    server: Server,
    budget: Budget,
    now: i64,
    /// When each was sent, whether it was served, and what its answer tells.
    under_way: Vec<(i64, bool, RateLimit)>,
    rejected: u32,
    /// Routine ones: when and how many.
    routine: Vec<(i64, u32)>,
}

impl World {
    fn new(limit: u32, percent: u8) -> Self {
        Self {
            server: Server::new(limit),
            budget: Budget::new(percent),
            now: 0,
            under_way: Vec::new(),
            rejected: 0,
            routine: Vec::new(),
        }
    }

    /// Sends what is wanted if it may be sent.
    fn wants(&mut self, wanted: Want) -> bool {
        let blocked = self.budget.blocked_until(at(self.now));
        match self.budget.admit(wanted, at(self.now)) {
            Err(until) => {
                assert!(until > at(self.now), "{until} is not later");
                return false;
            }
            Ok(()) => assert_eq!(blocked, None, "between a 429 and its reset"),
        }
        for _ in 0..wanted.requests {
            let (served, told) = self.server.request(self.now);
            self.under_way.push((self.now, served, told));
            self.rejected += u32::from(!served);
        }
        if wanted.urgency == Routine {
            self.routine.push((self.now, wanted.requests));
        }
        true
    }

    fn ends(&mut self, which: prop::sample::Index, arrives: bool) {
        if self.under_way.is_empty() {
            return;
        }
        let (sent, served, mut told) = self.under_way.remove(which.index(self.under_way.len()));
        told.reset_in = told.reset_in.map(|reset| reset - SignedDuration::from_millis(self.now - sent));
        if !arrives {
            self.budget.unanswered();
            return;
        }
        self.budget.answered(&told, at(self.now));
        if !served {
            self.budget.limited(told.reset_in, at(self.now));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_ten_minutes_see_more_routine_requests_than_the_average_allows(
        events in events(), limit in prop::sample::select(vec![100_u32, 200, 1000]), percent in 2_u8..30,
    ) {
        let mut world = World::new(limit, percent);
        for event in events {
            match event {
                Event::Want(wanted) => drop(world.wants(Want { urgency: Routine, ..wanted })),
                Event::Ends(which, arrives) => world.ends(which, arrives),
                Event::Wait(ms) => world.now += 5 * ms,
                Event::Others(n) => (0..n).for_each(|_| _ = world.server.request(world.now)),
            }
        }
        let most = limit.max(DEFAULT_LIMIT) * 10 * u32::from(percent) / 100;
        for (start, _) in &world.routine {
            let within = world.routine.iter().filter(|(at, _)| (0..TEN_MINUTES).contains(&(at - start)));
            let sent: u32 = within.map(|(_, n)| n).sum();
            prop_assert!(sent <= most, "{sent} of {most} from {start}");
        }
        prop_assert!(goes_in_time(&mut world.budget, want(Routine, 3), at(world.now)));
    }

    /// Where nobody else uses the token, what the budget thinks can be held against the server's own count.
    #[test]
    fn no_window_sees_more_than_the_urgencies_may_have(events in events(), limit in 60_u32..300) {
        let mut world = World::new(limit, 100);
        let (mut window, mut asked, mut first, mut last_look) = (0, 0, [true; 2], -TEN_MINUTES);
        for event in events {
            match event {
                Event::Want(wanted) => {
                    let before = world.server.left(world.now);
                    let guess = !world.budget.window.told;
                    let under_way = world.under_way.len() as u32;
                    if world.server.window != window {
                        (window, asked, first) = (world.server.window, 0, [true; 2]);
                    }
                    if !world.wants(wanted) {
                        continue;
                    }
                    let left = world.server.left(world.now);
                    let is_first = std::mem::take(&mut first[usize::from(wanted.identity)]);
                    match wanted.urgency {
                        Confirmation => first[usize::from(wanted.identity)] = is_first,
                        Asked => {
                            asked += wanted.requests;
                            prop_assert!(is_first || 10 * asked <= 3 * (before + asked - wanted.requests));
                        }
                        Routine => {
                            first[usize::from(wanted.identity)] = is_first;
                            let due = wanted.identity && world.now - last_look >= TEN_MINUTES;
                            prop_assert!(due || 5 * left >= limit, "{left} of {limit} are left");
                        }
                    }
                    if guess && wanted.urgency != Confirmation {
                        prop_assert!(under_way == 0 || under_way + wanted.requests <= 4, "too many on a guess");
                    }
                    if wanted.identity {
                        last_look = world.now;
                    }
                }
                Event::Ends(which, arrives) => world.ends(which, arrives),
                Event::Wait(ms) => world.now += ms,
                Event::Others(_) => {}
            }
        }
        prop_assert_eq!(world.rejected, 0);
    }

    #[test]
    fn nothing_wedges_it(
        events in prop::collection::vec((
            wants(), 0_u8..8, prop::option::of(any::<u32>()), prop::option::of(any::<u32>()),
            prop::option::of(-400_000_i64..400_000_000), -200_000_i64..200_000,
        ), 1..60),
        percent in any::<u8>(), wanted in wants(), requests in any::<u32>(),
    ) {
        let (mut budget, mut now) = (Budget::new(percent), 0);
        for (wanted, event, limit, remaining, reset, step) in events {
            let reset_in = reset.map(SignedDuration::from_millis);
            match event {
                0 => budget.unanswered(),
                1 => {
                    let until = budget.limited(reset_in, at(now));
                    prop_assert!(until > at(now));
                    prop_assert_eq!(budget.blocked_until(at(now)), Some(until));
                }
                2 => now += step,
                3..=5 => budget.answered(&RateLimit { limit, remaining, reset_in }, at(now)),
                _ => if let Err(until) = budget.admit(wanted, at(now)) {
                    prop_assert!(until > at(now));
                },
            }
        }
        prop_assert!(goes_in_time(&mut budget.clone(), wanted, at(now)));
        let wanted = Want { requests, ..wanted };
        prop_assert!(goes_in_time(&mut budget, wanted, at(now)));
    }
}

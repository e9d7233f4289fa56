use super::{
    super::{
        RateLimit,
        budget::tests::{Server, at, look, secs, told, want},
    },
    Urgency::*,
    *,
};
use proptest::prelude::*;

/// A budget that holds nothing.
fn rich() -> Budget {
    let mut budget = Budget::new(100);
    budget.admit(look(Confirmation), secs(0)).unwrap();
    budget.answered(&told(1_000_000, 1_000_000, 120_000), secs(0));
    budget
}

/// Who goes, in order, until nobody may.
fn all<W>(turns: &mut Turns<W>, budget: &mut Budget, now: Timestamp) -> (Vec<W>, Option<Timestamp>) {
    let mut gone = Vec::new();
    loop {
        match turns.next(budget, now) {
            Next::Go(waiter) => gone.push(waiter),
            Next::At(again) => return (gone, Some(again)),
            Next::Nobody => return (gone, None),
        }
    }
}

#[test]
fn urgency_then_namespaces_in_turn_then_the_oldest_verdict() {
    let (mut turns, mut budget) = (Turns::new(), rich());
    for (namespace, verdict, urgency, waiter) in [
        ("a", Some(5), Routine, "a5"),
        ("a", Some(3), Routine, "a3"),
        ("b", Some(9), Routine, "b9"),
        ("a", None, Routine, "a-new"),
        ("a", Some(3), Routine, "a3-later"),
        ("b", Some(1), Asked, "b-asked"),
        ("c", Some(1), Asked, "c-asked"),
        ("b", None, Asked, "b-new"),
        ("c", Some(7), Confirmation, "c-confirms"),
        ("b", Some(8), Routine, "b8"),
    ] {
        turns.push(namespace, verdict.map(secs), want(urgency, 1), waiter);
    }
    let (gone, again) = all(&mut turns, &mut budget, secs(1));
    let expected = ["c-confirms", "b-new", "c-asked", "b-asked", "a-new", "b8", "a3", "b9", "a3-later", "a5"];
    assert_eq!((gone.as_slice(), again), (&expected[..], None));
}

#[test]
fn a_namespace_that_comes_back_has_had_its_turn() {
    let (mut turns, mut budget) = (Turns::new(), rich());
    for n in 0..4 {
        turns.push("many", None, want(Routine, 1), n);
    }
    let mut gone = Vec::new();
    for _ in 0..3 {
        turns.push("one", None, want(Routine, 1), 99);
        for _ in 0..2 {
            let Next::Go(waiter) = turns.next(&mut budget, secs(1)) else { panic!("nobody") };
            gone.push(waiter);
        }
    }
    assert_eq!(gone, [0, 99, 1, 99, 2, 99]);
}

#[test]
fn namespaces_that_have_gone_are_forgotten() {
    let (mut turns, mut budget) = (Turns::new(), rich());
    for n in 0..10_000 {
        turns.push("stays", None, want(Routine, 1), n);
        turns.push("waits", None, want(Asked, 1), n);
        let id = turns.push(&format!("goes-{n}"), None, want(Routine, 1), n);
        if n % 3 == 0 {
            turns.remove(id);
        }
        while turns.waiting.len() > 2 && matches!(turns.next(&mut budget, secs(1)), Next::Go(_)) {
            budget.unanswered();
        }
        assert!(turns.lines.len() <= 24, "{}", turns.lines.len());
    }
    while matches!(turns.next(&mut budget, secs(1)), Next::Go(_)) {}
    assert!(turns.lines.is_empty() && turns.rotation.is_empty() && turns.waiting.is_empty());
}

#[test]
fn namespaces_that_may_come_back_are_not_forgotten() {
    let (mut turns, mut budget) = (Turns::new(), rich());
    (0..2).for_each(|_| _ = turns.push("stays", None, want(Routine, 1), "stays"));
    assert_eq!(turns.next(&mut budget, secs(1)), Next::Go("stays"));
    for n in 0..40 {
        turns.push(&n.to_string(), None, want(Routine, 1), "new");
        assert_eq!(turns.next(&mut budget, secs(1)), Next::Go("new"), "{n}");
    }
    turns.push("0", None, want(Routine, 1), "back");
    assert_eq!(all(&mut turns, &mut budget, secs(1)).0, ["stays", "back"]);
}

#[test]
fn raised_and_removed() {
    let (mut turns, mut budget) = (Turns::new(), rich());
    let ids: Vec<_> = (0..5).map(|n| turns.push("a", Some(secs(n)), look(Routine), n)).collect();
    turns.raise(ids[3], Asked);
    turns.raise(ids[4], Confirmation);
    turns.raise(ids[4], Routine);
    assert_eq!(turns.remove(ids[0]), Some(0));
    assert_eq!(turns.remove(ids[0]), None);
    turns.raise(ids[0], Asked);
    assert_eq!(all(&mut turns, &mut budget, secs(9)).0, [4, 3, 1, 2]);
    assert!(turns.is_empty() && turns.looks == 0);
    let id = turns.push("a", None, look(Asked), 7);
    assert!(!ids.contains(&id), "ids are never used again");
    assert_eq!(turns.remove(id), Some(7));
    assert_eq!(turns.next(&mut budget, secs(9)), Next::Nobody);
}

#[test]
fn who_is_raised_to_what_he_is_keeps_his_turn() {
    let (mut turns, mut budget) = (Turns::new(), rich());
    let first = turns.push("a", None, want(Routine, 1), "first");
    turns.push("b", None, want(Routine, 1), "b");
    let second = turns.push("a", None, want(Routine, 1), "second");
    turns.remove(first);
    turns.raise(second, Routine);
    assert_eq!(all(&mut turns, &mut budget, secs(1)).0, ["second", "b"]);
}

#[test]
fn each_urgency_goes_by_its_own_allowance() {
    // Sent before, of 100 in this minute; then who waits, and who goes.
    let asked = [want(Asked, 30)];
    let reserve = [want(Routine, 79)];
    type Case<'a> = (&'a str, &'a [Want], &'a [(Want, bool)]);
    let cases: [Case<'_>; 6] = [
        ("asked is used up, routine goes", &asked, &[(want(Asked, 1), false), (want(Routine, 1), true)]),
        ("routine is held, asked goes", &reserve, &[(want(Routine, 1), false), (want(Asked, 1), true)]),
        ("nobody overtakes the head", &[], &[(want(Routine, 81), false), (want(Routine, 1), false)]),
        ("but a look that is due", &[], &[(want(Routine, 81), false), (look(Routine), true)]),
        (
            "and that only among routine ones",
            &asked,
            &[
                (want(Asked, 1), false),
                (look(Asked), false),
                (want(Routine, 81), false),
                (look(Routine), true),
            ],
        ),
        ("none that is not", &[look(Routine)], &[(want(Routine, 81), false), (look(Routine), false)]),
    ];
    for (name, before, waiting) in cases {
        let (mut turns, mut budget) = (Turns::new(), Budget::new(100));
        budget.admit(want(Confirmation, 1), secs(0)).unwrap();
        budget.answered(&told(100, 99, 60_000), secs(0));
        before.iter().for_each(|sent| budget.admit(*sent, secs(0)).unwrap());
        for (n, (wanted, _)) in waiting.iter().enumerate() {
            turns.push("a", None, *wanted, n);
        }
        let goes: Vec<_> = (0..waiting.len()).filter(|n| waiting[*n].1).collect();
        let again = Some(secs(60)).filter(|_| goes.len() < waiting.len());
        assert_eq!(all(&mut turns, &mut budget, secs(1)), (goes, again), "{name}");
    }
}

#[test]
fn the_next_time_is_the_earliest_of_all() {
    let (mut turns, mut budget) = (Turns::new(), Budget::new(10));
    for second in 0..60 {
        // The average is used up; the look is due at 600.
        let wanted = if second == 0 { look(Routine) } else { want(Routine, 1) };
        let _ = budget.admit(wanted, secs(second * 9));
        (0..wanted.requests).for_each(|_| budget.answered(&told(10, 10, 1), secs(second * 9)));
    }
    turns.push("a", None, want(Routine, 9), "head");
    let allowed = budget.clone().admit(want(Routine, 9), secs(580)).unwrap_err();
    assert!(allowed > secs(600));
    assert_eq!(turns.next(&mut budget, secs(580)), Next::At(allowed), "nobody waits for the look");
    turns.push("a", None, look(Routine), "look");
    assert_eq!(all(&mut turns, &mut budget, secs(580)), (vec![], Some(secs(600))));
    assert_eq!(all(&mut turns, &mut budget, secs(600)).0, ["look"]);
    budget.limited(None, secs(700));
    turns.push("b", None, want(Confirmation, 1), "second");
    assert_eq!(all(&mut turns, &mut budget, secs(701)), (vec![], Some(secs(760))));
}

/// The order as it is written, on plain lists.
#[derive(Default)]
struct Model {
    waiting: Vec<(TurnId, Urgency, String, Option<Timestamp>)>,
    /// Those never served, in the order in which they came.
    came: Vec<(Urgency, String, TurnId)>,
    served: Vec<(Urgency, String)>,
}

impl Model {
    fn next(&mut self) -> Option<TurnId> {
        let order = |w: &(TurnId, Urgency, String, Option<Timestamp>)| {
            let served = self.served.iter().rposition(|(u, n)| *u == w.1 && *n == w.2);
            let came = self.came.iter().find(|(u, n, _)| *u == w.1 && *n == w.2).map(|line| line.2);
            (w.1, served, came.filter(|_| served.is_none()), w.3, w.0)
        };
        let (id, urgency, namespace, _) = self.waiting.iter().min_by_key(|w| order(w))?.clone();
        self.served.push((urgency, namespace));
        self.waiting.retain(|w| w.0 != id);
        Some(id)
    }

    fn settle(&mut self) {
        let waits =
            |line: &(Urgency, String, TurnId)| self.waiting.iter().any(|w| w.1 == line.0 && w.2 == line.1);
        self.came.retain(waits);
        for waiting in &self.waiting {
            if !self.came.iter().any(|line| line.0 == waiting.1 && line.1 == waiting.2) {
                self.came.push((waiting.1, waiting.2.clone(), waiting.0));
            }
        }
        if self.waiting.is_empty() {
            self.served.clear();
        }
    }
}

#[derive(Clone, Debug)]
enum Event {
    Push(u8, u8, Option<u8>),
    Raise(prop::sample::Index, u8),
    Remove(prop::sample::Index),
    Next,
}

fn urgency(n: u8) -> Urgency {
    [Confirmation, Asked, Routine][usize::from(n % 3)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_order_is_the_one_written_down(events in prop::collection::vec(prop_oneof![
        5 => (0_u8..5, any::<u8>(), prop::option::of(0_u8..5)).prop_map(|(n, u, v)| Event::Push(n, u, v)),
        1 => (any::<prop::sample::Index>(), any::<u8>()).prop_map(|(i, u)| Event::Raise(i, u)),
        1 => any::<prop::sample::Index>().prop_map(Event::Remove),
        5 => Just(Event::Next),
    ], 1..200)) {
        let (mut turns, mut budget, mut model, mut ids) = (Turns::new(), rich(), Model::default(), Vec::new());
        for event in events {
            match event {
                Event::Push(namespace, class, verdict) => {
                    let (namespace, verdict) = (namespace.to_string(), verdict.map(|v| secs(v.into())));
                    let n = ids.len();
                    ids.push(turns.push(&namespace, verdict, want(urgency(class), 1), n));
                    model.waiting.push((ids[n], urgency(class), namespace, verdict));
                }
                Event::Raise(which, class) if !ids.is_empty() => {
                    let id = *which.get(&ids);
                    turns.raise(id, urgency(class));
                    if let Some(waiting) = model.waiting.iter_mut().find(|w| w.0 == id) {
                        waiting.1 = waiting.1.min(urgency(class));
                    }
                }
                Event::Remove(which) if !ids.is_empty() => {
                    let id = *which.get(&ids);
                    let there = model.waiting.iter().any(|w| w.0 == id);
                    model.waiting.retain(|w| w.0 != id);
                    prop_assert_eq!(turns.remove(id).map(|n| ids[n]), Some(id).filter(|_| there));
                }
                Event::Next => {
                    let next = match turns.next(&mut budget, secs(1)) {
                        Next::Go(n) => Some(ids[n]),
                        Next::At(_) => panic!("the budget holds nothing"),
                        Next::Nobody => None,
                    };
                    budget.unanswered();
                    let expected = model.next();
                    prop_assert_eq!(next, expected);
                }
                _ => {}
            }
            model.settle();
            prop_assert_eq!(turns.is_empty(), model.waiting.is_empty());
            prop_assert!(!turns.is_empty() || turns.lines.is_empty() && turns.rotation.is_empty());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20, failure_persistence: None, ..ProptestConfig::default() })]

    /// Fifty clients of five namespaces share a token with others who have just used up its limit: ten minutes of first
    /// checks, then ten of routine.
    #[test]
    fn after_a_first_429_there_is_no_second_and_all_are_served(
        shares in prop::collection::vec(0_u32..50, 20), seed in any::<u64>(), latency in 20_i64..900,
    ) {
        let mut crowd = Crowd::new();
        crowd.run(&shares, seed, latency);
        prop_assert!(crowd.bursts == 1, "{} bursts of 429", crowd.bursts);
        let routine = crowd.served;
        let (least, most) = (routine.iter().min().unwrap(), routine.iter().max().unwrap());
        prop_assert!(*least >= 10 && most - least <= 1, "{routine:?}");
    }
}

struct Client {
    namespace: usize,
    last_verdict: Option<Timestamp>,
    first_check: bool,
}

struct Crowd {
    server: Server,
    budget: Budget,
    turns: Turns<usize>,
    clients: Vec<Client>,
    /// When an answer arrives, whose it is, whether it was served.
    under_way: Vec<(i64, usize, bool, RateLimit)>,
    /// Times in which 429s came, one after the other's reset.
    bursts: u32,
    /// Routine turns of each namespace.
    served: [u32; 5],
}

impl Crowd {
    fn new() -> Self {
        // Of 1, 5, 9, 13 and 22 clients.
        let namespaces = [1, 5, 9, 13, 22].iter().enumerate().flat_map(|(n, size)| vec![n; *size]);
        let client = |namespace| Client { namespace, last_verdict: None, first_check: true };
        Self {
            server: Server::new(100),
            budget: Budget::new(10),
            turns: Turns::new(),
            clients: namespaces.map(client).collect(),
            under_way: Vec::new(),
            bursts: 0,
            served: [0; 5],
        }
    }

    fn routine(&mut self) {
        assert!(self.clients.iter().all(|c| !c.first_check), "all were checked");
        (0..self.clients.len()).for_each(|client| self.push(client));
    }

    fn push(&mut self, client: usize) {
        let Client { namespace, last_verdict, first_check } = self.clients[client];
        let wanted = if first_check { look(Asked) } else { want(Routine, 1) };
        self.turns.push(&namespace.to_string(), last_verdict, wanted, client);
    }

    /// Others use everything of the first minute, and of each later one so many in the hundred, at random times.
    fn run(&mut self, shares: &[u32], mut seed: u64, latency: i64) {
        let mut random = |n: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % n
        };
        (0..self.clients.len()).for_each(|client| self.push(client));
        self.server.left(0);
        self.server.used = self.server.limit;
        for now in (0..20 * 60_000).step_by(100) {
            if now == 10 * 60_000 {
                self.routine();
            }
            if now >= 60_000 && random(600) < u64::from(shares[now as usize / 60_000]) {
                self.server.request(now);
            }
            let (arrived, under_way) = self.under_way.iter().partition(|(when, ..)| *when <= now);
            self.under_way = under_way;
            let arrived: Vec<(i64, usize, bool, RateLimit)> = arrived;
            for (_, client, served, told) in arrived {
                self.answer(client, served, &told, now);
            }
            while let Next::Go(client) = self.turns.next(&mut self.budget, at(now)) {
                let who = &self.clients[client];
                let requests = if who.first_check { 2 } else { 1 };
                if !who.first_check {
                    self.served[who.namespace] += 1;
                    // Somebody always waits in every namespace.
                    self.push(client);
                }
                for n in 0..requests {
                    let (served, told) = self.server.request(now);
                    // The client is told by its last answer.
                    let client = if n + 1 == requests { client } else { usize::MAX };
                    self.under_way.push((now + latency, client, served, told));
                }
            }
        }
    }

    fn answer(&mut self, client: usize, served: bool, told: &RateLimit, now: i64) {
        self.budget.answered(told, at(now));
        if !served {
            self.bursts += u32::from(self.budget.blocked_until(at(now)).is_none());
            self.budget.limited(told.reset_in, at(now));
        }
        let Some(who) = self.clients.get_mut(client) else { return };
        if served {
            who.last_verdict = Some(at(now));
            who.first_check = false;
        } else {
            self.push(client);
        }
    }
}

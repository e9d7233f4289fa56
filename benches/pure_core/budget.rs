//! Turns at the budget of one token, alone and among a thousand who wait, and where the budget keeps all of them waiting.

use crate::at;
use clickup_operator::clickup::{Budget, Next, RateLimit, Turns, Urgency, Want};
use criterion::{BenchmarkId, Criterion};
use jiff::SignedDuration;
use std::hint::black_box;

const PERCENT: u8 = 10;
const WANT: Want = Want { urgency: Urgency::Routine, requests: 1, identity: false };
const NAMESPACES: usize = 10;
/// So much that a routine request a second is never held.
const TOLD: RateLimit =
    RateLimit { limit: Some(10_000), remaining: Some(9_999), reset_in: Some(SignedDuration::from_secs(30)) };

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("budget");
    let names: Vec<_> = (0..NAMESPACES).map(|number| format!("team-{number}")).collect();
    for wants in [1, 1_000] {
        group.bench_function(BenchmarkId::new("a turn", wants), |b| {
            let (mut budget, mut turns, mut seconds) = (Budget::new(PERCENT), queue(&names, wants), 0);
            b.iter(|| {
                seconds += 1;
                let Next::Go(number) = turns.next(&mut budget, at(seconds)) else { panic!("held") };
                budget.answered(&TOLD, at(seconds));
                // It queues up again, so that as many wait as before.
                turns.push(&names[number % NAMESPACES], Some(at(seconds)), WANT, number);
            });
        });
        group.bench_function(BenchmarkId::new("held", wants), |b| {
            let (mut budget, mut turns) = (Budget::new(PERCENT), queue(&names, wants));
            budget.limited(Some(SignedDuration::from_secs(60)), at(0));
            b.iter(|| assert!(matches!(black_box(turns.next(&mut budget, at(1))), Next::At(_))));
        });
    }
    group.finish();
}

fn queue(names: &[String], wants: usize) -> Turns<usize> {
    let mut turns = Turns::new();
    for number in 0..wants {
        turns.push(&names[number % NAMESPACES], Some(at(0)), WANT, number);
    }
    turns
}

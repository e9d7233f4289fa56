//! The reverse index of Secrets: what each event of a watch costs.

use clickup_operator::controller::{ConnectionRef, Place, SecretIndex, Seen};
use criterion::{BenchmarkId, Criterion};
use std::hint::black_box;

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("index");
    for connections in [1_000, 10_000] {
        let mut index = SecretIndex::default();
        (0..connections).for_each(|number| index.refer(&connection(number), secret(number).name()));
        let (known, its, other) = (connection(7), secret(7), secret(connections));
        let mut version = 0_u64;
        group.bench_function(BenchmarkId::new("a Secret edited", connections), |b| {
            b.iter(|| {
                version += 1;
                let concerned = index.saw(&its, Seen::Version(version.to_string().into()));
                assert_eq!(concerned.len(), 1);
                concerned
            });
        });
        group.bench_function(BenchmarkId::new("an unrelated Secret edited", connections), |b| {
            b.iter(|| index.saw(black_box(&other), Seen::Version("1".into())));
        });
        group.bench_function(BenchmarkId::new("a connection seen again", connections), |b| {
            b.iter(|| index.refer(&known, its.name()));
        });
        group.bench_function(BenchmarkId::new("a connection refers to another Secret", connections), |b| {
            let mut moved = false;
            b.iter(|| {
                moved = !moved;
                index.refer(&known, if moved { other.name() } else { its.name() });
            });
        });
    }
    group.finish();
}

fn connection(number: usize) -> ConnectionRef {
    ConnectionRef::new(&format!("connection-{number}")).within(&namespace(number))
}

fn secret(number: usize) -> Place {
    Place::new(&namespace(number), &format!("clickup-token-{number}"))
}

fn namespace(number: usize) -> String {
    format!("team-{}", number % 10)
}

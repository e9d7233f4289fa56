//! What the pure parts cost that every check, event or pass goes through: `make bench-core`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a benchmark that cannot be set up has nothing to measure"
)]

mod budget;
mod index;
mod status;
mod teams;
mod verdict;

use criterion::Criterion;
use jiff::Timestamp;
use std::time::Duration;

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(3))
        .sample_size(50)
        .configure_from_args();
    verdict::bench(&mut criterion);
    status::bench(&mut criterion);
    teams::bench(&mut criterion);
    budget::bench(&mut criterion);
    index::bench(&mut criterion);
    criterion.final_summary();
}

/// So many seconds after the time at which the benchmarks take place.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

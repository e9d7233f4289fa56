//! A minute of faults over sixty connections, in the order of one seed: the short form of `make chaos`.
#![allow(clippy::panic, missing_docs)]

use chaos::{
    plan::{Plan, Profile},
    run::{RunOptions, run},
};

/// Any would do; one that does not change tells a fault of the operator's from one of this seed.
const SEED: u64 = 20_261_124;

#[tokio::test(flavor = "multi_thread")]
async fn every_status_is_what_it_must_be_after_each_fault() {
    let plan = Plan::new(SEED, Profile::Short);
    let operator = env!("CARGO_BIN_EXE_clickup-operator").into();
    let options = RunOptions { operator, time: None, sweep: false };
    let report = run(&plan, &options).await;
    let report = report.unwrap_or_else(|e| panic!("{e}\nAgain: chaos --short --seed {SEED}"));
    println!("{report}");
}

//! What GitOps tools make of connections: Argo CD's health check and kstatus over real objects in every state, the
//! manifests that are shipped for these tools, and the pages about them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod argocd;
mod flux;
mod foreign;
mod generated;
mod pipelines;
mod samples;
mod states;

use clickup_operator::api::{ConditionType, Reason};
use states::State;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};
use strum::VariantArray;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// A row of the table of states: what stands behind it is made in [`states`].
#[derive(Debug, Default, PartialEq)]
struct Row {
    ready: BTreeSet<String>,
    reasons: BTreeSet<String>,
    argo_cd: BTreeSet<String>,
    kstatus: BTreeSet<String>,
}

/// The table of docs/gitops/states.md.
fn documented() -> BTreeMap<String, Row> {
    let page = read("docs/gitops/states.md");
    let lines = page.lines().skip_while(|line| !line.starts_with("| state |")).skip(2);
    let set = |cell: &str| -> BTreeSet<String> {
        cell.split(',')
            .map(|word| word.trim().trim_matches('`').to_owned())
            .filter(|w| !w.is_empty())
            .collect()
    };
    lines
        .map_while(|line| line.strip_prefix("| ")?.strip_suffix(" |"))
        .map(|line| {
            let cells: Vec<_> = line.split(" | ").map(str::trim).collect();
            let [state, ready, reasons, argo_cd, kstatus] = cells.as_slice() else {
                panic!("not five cells: {cells:?}")
            };
            let row = Row {
                ready: set(ready),
                reasons: set(reasons),
                argo_cd: set(argo_cd),
                kstatus: set(kstatus),
            };
            ((*state).to_owned(), row)
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_state_reads_as_the_page_says() {
    let states = states::all().await;
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    for (state, kstatus) in states.iter().zip(flux::kstatus(&states).await) {
        let health = argocd::health(&state.object);
        let (ready, reason) = state.ready();
        says_what_ready_says(state, &health.message, &kstatus.message);
        let row = rows.entry(state.row.to_owned()).or_default();
        row.ready.insert(if ready.is_empty() { "absent" } else { ready }.to_owned());
        row.reasons.extend([reason.to_owned()].into_iter().filter(|reason| !reason.is_empty()));
        row.argo_cd.insert(health.status);
        row.kstatus.insert(kstatus.status);
    }
    let documented = documented();
    for (state, row) in &rows {
        assert_eq!(Some(row), documented.get(state), "docs/gitops/states.md, {state}");
    }
    assert_eq!(rows.len(), documented.len(), "the page has a state that was not made");
    every_reason_was_made(&states);
    argocd::compare_cases(&states);
}

/// Whoever sees only what a tool shows learns what to do.
fn says_what_ready_says(state: &State, argo_cd: &str, kstatus: &str) {
    let message = test_support::case::message(&state.object["status"], "Ready");
    if [states::REFUSED, states::STALLED, states::OPEN].contains(&state.row) {
        let name = state.name();
        assert_eq!(argo_cd, format!("{}: {message}", state.ready().1), "{name}");
        assert_eq!(kstatus, message, "{name}");
    }
}

fn every_reason_was_made(states: &[State]) {
    // Ready takes over what is not True of the others.
    let verdicts = ConditionType::VERDICTS.iter().flat_map(|condition| condition.reasons().iter().skip(1));
    let all = verdicts.chain(ConditionType::Ready.reasons());
    // Something else is not True before a condition is open, and Ready has the reason of that.
    let possible: BTreeSet<_> =
        all.filter(|reason| **reason != Reason::NotChecked).map(ToString::to_string).collect();
    let made: BTreeSet<_> = states.iter().map(|s| s.ready().1.to_owned()).filter(|r| !r.is_empty()).collect();
    assert_eq!(made, possible);
    assert!(ConditionType::VARIANTS.len() == 10, "a new condition: does it need a state?");
}

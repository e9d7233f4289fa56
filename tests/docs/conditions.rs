//! `docs/conditions.md` against the enums.

use crate::pages::{read, rows, unquoted};
use clickup_operator::api::ConditionType;
use std::collections::{BTreeMap, BTreeSet};
use strum::VariantArray;

#[test]
fn every_reason_has_a_row_with_cause_and_cure() {
    let page = read("docs/conditions.md");
    let mut documented = Vec::new();
    for (section, cells) in rows(&page, "reason") {
        let [reason, status, cause, cure] = cells.as_slice() else {
            panic!("{section}: not four cells: {cells:?}")
        };
        assert!(
            ["True", "False", "Unknown"].contains(&status.as_str()),
            "{section}, {reason}: status {status:?}"
        );
        assert!(!cause.is_empty(), "{section}, {reason}: no cause");
        assert!(!cure.is_empty(), "{section}, {reason}: no cure");
        documented.push(format!("{section} {}", unquoted(reason)));
    }
    let pairs =
        ConditionType::VARIANTS.iter().flat_map(|c| c.reasons().iter().map(move |r| format!("{c} {r}")));
    assert_eq!(documented, pairs.collect::<Vec<_>>(), "docs/conditions.md against ConditionType::reasons()");

    let listed: Vec<_> = rows(&page, "condition").into_iter().map(|(_, cells)| cells[0].clone()).collect();
    let expected =
        ConditionType::VARIANTS.iter().map(|c| format!("[`{c}`](#{})", c.to_string().to_lowercase()));
    assert_eq!(listed, expected.collect::<Vec<_>>(), "the table at the top of docs/conditions.md");
}

#[test]
fn what_ready_takes_over_is_listed() {
    let page = read("docs/conditions.md");
    let ready = page.split("\n## ").find(|section| section.starts_with("Ready\n")).unwrap();
    let of = |status: &str| {
        let line = ready.lines().find_map(|line| line.strip_prefix(&format!("- {status}: "))).unwrap();
        line.split(", ").map(|reason| unquoted(reason).to_owned()).collect::<BTreeSet<_>>()
    };
    let (no, open) = (of("False"), of("Unknown"));
    let expected: BTreeMap<String, &str> = ConditionType::VERDICTS
        .iter()
        .flat_map(|c| rows(&page, "reason").into_iter().filter(move |(section, _)| *section == c.to_string()))
        .filter(|(_, cells)| cells[1] != "True")
        // Not being able to ask is not a no.
        .map(|(section, cells)| {
            let no = cells[1] == "False" && section != ConditionType::Reachable.to_string();
            (unquoted(&cells[0]).to_owned(), if no { "False" } else { "Unknown" })
        })
        .collect();
    let with = |status| expected.iter().filter(|(_, s)| **s == status).map(|(r, _)| r.clone()).collect();
    assert_eq!((no, open), (with("False"), with("Unknown")));
}

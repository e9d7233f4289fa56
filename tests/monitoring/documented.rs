//! The metrics are those of docs/metrics.md, and as Prometheus wants them.

use crate::{case, promtool, read, scrape, stack};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use test_support::{case::SOON, wait};

/// Name, type and labels of every row.
fn rows(page: &str) -> BTreeMap<String, (String, BTreeSet<String>)> {
    let mut rows = BTreeMap::new();
    for line in page.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [name, kind, labels, meaning, example] = cells.as_slice() else {
            panic!("not five cells: {line}")
        };
        let name = name.trim_matches('`');
        assert!(!meaning.is_empty(), "{name}: no meaning");
        assert!(example.contains(name), "{name}: its example does not use it");
        let labels = labels.split(", ").map(|label| label.trim_matches('`').to_owned());
        let labels = labels.filter(|label| !label.is_empty()).collect();
        assert!(rows.insert(name.to_owned(), ((*kind).to_owned(), labels)).is_none(), "{name} comes twice");
    }
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_lists_what_a_scrape_shows() {
    let case = case("documented").await;
    case.verified("bot", json!({})).await;
    let documented = rows(&read("docs/metrics.md"));
    // What is told of a connection is told when its pass has ended, a moment after the status.
    let same = || async {
        let shown = scrape::families().await.into_iter().map(|(name, family)| {
            let labels = family.labels().into_iter().map(str::to_owned).collect();
            (name, (family.kind.clone(), labels))
        });
        let shown: BTreeMap<String, (String, BTreeSet<String>)> = shown.collect();
        if shown == documented { Ok(()) } else { Err(format!("shown: {shown:#?}")) }
    };
    let same = wait::until(SOON, "the scrape to show what docs/metrics.md lists", same).await;
    same.unwrap_or_else(|e| panic!("{e}\ndocumented: {documented:#?}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn promtool_finds_nothing_to_mend() {
    let case = case("linted").await;
    case.verified("bot", json!({})).await;
    let text = stack().await.operator.metrics().await.unwrap();
    let (content, said) = promtool(&["check", "metrics"], &text).await;
    assert!(content && said.trim().is_empty(), "{said}");
    let (content, _) = promtool(&["check", "metrics"], "# TYPE clicks counter\nclicks 1\n").await;
    assert!(!content, "the test is void");
}

#[tokio::test]
async fn openmetrics_is_told_to_who_asks_for_it() {
    let url = stack().await.operator.metrics_url();
    test_support::install_crypto_provider();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let asked = client.get(url).header("accept", "application/openmetrics-text;version=1.0.0").send();
    let answer = asked.await.unwrap();
    let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
    assert!(kind.starts_with("application/openmetrics-text; version=1.0.0"), "{kind}");
    let text = answer.text().await.unwrap();
    assert!(text.contains("# TYPE clickup_operator_checks counter\n") && text.ends_with("# EOF\n"), "{text}");
    let plain = client.get(url).send().await.unwrap();
    let kind = plain.headers()["content-type"].to_str().unwrap().to_owned();
    assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
}

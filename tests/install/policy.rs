//! A checker of manifests has nothing to say but what docs/install.md argues about.

use crate::{
    CHECKOUT,
    chart::{Helm, values_of},
};
use std::{collections::BTreeSet, fs, path::Path, process::Stdio};
use test_support::go_tools::KUBE_SCORE;
use tokio::{io::AsyncWriteExt, process::Command};

/// Complaints of kube-score that are not followed, as docs/install.md has them in its table.
fn argued() -> BTreeSet<String> {
    let page = fs::read_to_string(Path::new(CHECKOUT).join("docs/install.md")).unwrap();
    let table = page.split_once("| kube-score says | ").expect("no table of what kube-score says").1;
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let argued: BTreeSet<_> = rows.map(|row| row.split('|').nth(1).unwrap().trim().to_owned()).collect();
    assert!(!argued.is_empty());
    argued
}

async fn complaints(manifests: &str) -> BTreeSet<String> {
    let mut command = Command::new(KUBE_SCORE.find_or_build().await.unwrap());
    command.args(["score", "--output-format", "ci", "--kubernetes-version", "v1.34", "-"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(manifests.as_bytes()).await.unwrap();
    drop(stdin);
    let said = String::from_utf8(child.wait_with_output().await.unwrap().stdout).unwrap();
    assert!(said.contains("[OK]"), "{said}");
    let lines = said.lines().filter(|line| line.starts_with("[CRITICAL]") || line.starts_with("[WARNING]"));
    // `[CRITICAL] NAMESPACE/NAME KIND: (CONTAINER) WHAT`
    lines.map(|line| line.split_once(": ").unwrap().1.trim_start_matches("(operator) ").to_owned()).collect()
}

#[tokio::test]
async fn kube_score_says_only_what_is_argued() {
    let (helm, mut said) = (Helm::new().await, BTreeSet::new());
    for name in ["high-availability", "namespaced", "get"] {
        let manifests = helm.template(&["--values", values_of(name).to_str().unwrap()]).await.unwrap();
        said.extend(complaints(&manifests).await);
    }
    assert_eq!(said, argued(), "kube-score against the table of docs/install.md");
}

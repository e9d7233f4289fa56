//! What the pages say to write for the chart: values, and the releases of two shards.

use crate::{
    CHECKOUT,
    chart::{Helm, arguments, id, objects},
};
use serde_json::Value;
use std::{collections::BTreeSet, fs, path::Path};
use test_support::scratch::ScratchDir;

fn read(page: &str) -> String {
    fs::read_to_string(Path::new(CHECKOUT).join(page)).unwrap()
}

/// Blocks of YAML that say of themselves that they are values.
#[tokio::test]
async fn values_are_taken_by_the_chart() {
    let (helm, scratch, mut seen) = (Helm::new().await, ScratchDir::create("values").unwrap(), 0);
    let file = scratch.join("values.yaml");
    for page in book::pages::all(Path::new(CHECKOUT)).unwrap() {
        for block in read(&page).split("\n```yaml values\n").skip(1) {
            let values = block.split("\n```").next().unwrap();
            fs::write(&file, values).unwrap();
            let rendered = helm.template(&["--values", file.to_str().unwrap()]).await;
            let rendered = rendered.unwrap_or_else(|e| panic!("{page}: {e}\n{values}"));
            assert_ne!(rendered, helm.template(&[]).await.unwrap(), "{page} says nothing new:\n{values}");
            seen += 1;
        }
    }
    assert!(seen >= 4, "only {seen} found");
    scratch.remove().await.unwrap();
}

/// The commands of docs/tenancy.md, rendered.
#[tokio::test]
async fn two_shards_share_nothing_and_the_first_has_the_crd() {
    let (helm, page) = (Helm::new().await, read("docs/tenancy.md").replace("\\\n", ""));
    let mut releases = Vec::new();
    for command in page.lines().filter_map(|line| line.strip_prefix("helm install ")) {
        let words = command.split_whitespace().filter(|word| !word.is_empty());
        let manifests = helm.run(["template"].into_iter().chain(words)).await.unwrap();
        releases.push(objects(&manifests));
    }
    let [a, b] = releases.as_slice() else { panic!("not two commands") };
    let ids = |objects: &[Value]| objects.iter().map(id).collect::<BTreeSet<_>>();
    let shared: Vec<_> = ids(a).intersection(&ids(b)).cloned().collect();
    assert!(shared.is_empty(), "{shared:?}");
    // The CRD, and three roles for others than the operator.
    let for_all = |object: &&Value| {
        let name = object["metadata"]["name"].as_str().unwrap();
        object["metadata"]["namespace"].is_null() && !name.ends_with("-clickup-operator")
    };
    let count = |objects: &[Value]| objects.iter().filter(for_all).count();
    assert_eq!((count(a), count(b)), (4, 0));
    for (release, shard) in [(a, "a"), (b, "b")] {
        let arguments = arguments(release);
        let lease = format!("clickup-shard-{shard}-clickup-operator");
        assert!(arguments.contains(&format!("--watch-label-selector=shard={shard}")), "{arguments:?}");
        assert!(arguments.contains(&format!("--leader-election-id={lease}")), "{arguments:?}");
    }
    assert!(page.contains("`clickup-shard-a-clickup-operator`"), "the page names another Lease");
}

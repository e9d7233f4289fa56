//! The kustomize base and overlays and the chart have the same result.

use crate::{
    CHECKOUT,
    chart::{Helm, id, objects, values_of},
};
use serde_json::Value;
use std::{collections::BTreeMap, path::Path};
use test_support::control_plane::assets::Assets;
use tokio::process::Command;

async fn kustomized(folder: &str) -> Vec<Value> {
    let kubectl = Assets::find_or_build().await.unwrap().kubectl();
    let output =
        Command::new(kubectl).arg("kustomize").arg(Path::new(CHECKOUT).join(folder)).output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    objects(&String::from_utf8(output.stdout).unwrap())
}

/// By id, without what only one of the ways can say: the namespace itself, and whose release it is.
fn comparable(objects: Vec<Value>) -> BTreeMap<String, Value> {
    let objects = objects.into_iter().filter(|object| object["kind"] != "Namespace");
    objects
        .map(|mut object| {
            strip(&mut object);
            (id(&object), object)
        })
        .collect()
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|key, value| {
                let of_the_release =
                    ["instance", "version", "managed-by"].map(|name| format!("app.kubernetes.io/{name}"));
                let kept = *value == serde_json::json!({"helm.sh/resource-policy": "keep"});
                let only_kept = key == "annotations" && kept;
                !(only_kept || key == "helm.sh/chart" || of_the_release.contains(key))
            });
            map.values_mut().for_each(strip);
        }
        Value::Array(values) => values.iter_mut().for_each(strip),
        _ => {}
    }
}

async fn same(folder: &str, more: &[&str]) {
    let by_chart = comparable(Helm::new().await.objects(more).await);
    let by_kustomize = comparable(kustomized(folder).await);
    let names = |objects: &BTreeMap<String, Value>| objects.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&by_kustomize), names(&by_chart), "{folder}");
    for (id, object) in &by_kustomize {
        assert!(*object == by_chart[id], "{folder}, {id}: {object:#}\n\nis by the chart: {:#}", by_chart[id]);
    }
}

#[tokio::test]
async fn the_base_is_the_chart_with_its_defaults() {
    same("deploy/base", &[]).await;
}

#[tokio::test]
async fn the_overlay_for_namespaces_is_the_chart_with_its_values() {
    same("deploy/overlays/namespaced", &["--values", values_of("namespaced").to_str().unwrap()]).await;
}

#[tokio::test]
async fn the_overlay_for_high_availability_is_the_chart_with_its_values() {
    same(
        "deploy/overlays/high-availability",
        &["--values", values_of("high-availability").to_str().unwrap()],
    )
    .await;
}

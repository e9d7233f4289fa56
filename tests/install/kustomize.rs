//! The kustomize base and overlays and the chart have the same result.

use crate::{
    CHECKOUT,
    chart::{Helm, container, copy, id, objects, only, values_of},
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs, path::Path};
use test_support::{
    control_plane::{ControlPlane, Options, assets::Assets},
    scratch::ScratchDir,
};
use tokio::process::Command;

/// Of a folder of the checkout, or anywhere by its full path.
async fn kustomized(folder: impl AsRef<Path>) -> Vec<Value> {
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

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(CHECKOUT).join(path)).unwrap()
}

/// A checkout, as far as kustomize needs it, in a folder of its own name.
fn beside_a_checkout() -> ScratchDir {
    let scratch = ScratchDir::create("kustomize").unwrap();
    for folder in ["crds", "deploy/base", "deploy/overlays"] {
        copy(&Path::new(CHECKOUT).join(folder), &scratch.join("clickup-operator").join(folder));
    }
    scratch
}

#[tokio::test]
async fn the_kustomization_of_the_page_sets_the_image() {
    let (scratch, page) = (beside_a_checkout(), read("docs/install.md"));
    let example = page.split("\n\n").find(|block| block.contains("\n    images:\n")).unwrap();
    fs::write(scratch.join("kustomization.yaml"), example).unwrap();
    let objects = kustomized(scratch.path()).await;
    assert_eq!(container(&objects)["image"], "your-registry/clickup-operator:0.1.0");
    assert_eq!(only(&objects, "Deployment")["spec"]["replicas"], 2);
    scratch.remove().await.unwrap();
}

/// Neither an edit of what they apply nor their own end takes the CRD, and all connections with it.
#[tokio::test]
async fn the_examples_for_gitops_never_prune_the_crd() {
    for (file, at, annotation, value) in [
        ("flux/kustomizations.yaml", "/spec/patches", "kustomize.toolkit.fluxcd.io/prune", "disabled"),
        (
            "argocd/application.yaml",
            "/spec/source/kustomize/patches",
            "argocd.argoproj.io/sync-options",
            "Prune=false,Delete=false",
        ),
    ] {
        let manifest = objects(&read(&format!("deploy/gitops/{file}"))).swap_remove(0);
        let patches = manifest.pointer(at).unwrap_or_else(|| panic!("{file} patches nothing"));
        let scratch = beside_a_checkout();
        let kustomization = json!({"resources": ["clickup-operator/deploy/base"], "patches": patches});
        fs::write(scratch.join("kustomization.yaml"), kustomization.to_string()).unwrap();
        let crd = only(&kustomized(scratch.path()).await, "CustomResourceDefinition").clone();
        assert_eq!(crd["metadata"]["annotations"][annotation], value, "{file}");
        scratch.remove().await.unwrap();
    }
}

/// What the page says to type from `deploy/base` to the overlay, after which nothing has rights in all of the cluster.
#[tokio::test]
async fn from_the_base_to_namespaces_the_command_of_the_page_takes_the_cluster_role_away() {
    let control_plane = ControlPlane::start(Options::default()).await.unwrap();
    let kubectl = async |command: &str| {
        control_plane
            .run_kubectl(command.split_whitespace())
            .await
            .unwrap_or_else(|e| panic!("{command}: {e}"))
    };
    kubectl("create namespace team-a").await;
    kubectl("create namespace team-b").await;
    for folder in ["deploy/base", "deploy/overlays/namespaced"] {
        let folder = Path::new(CHECKOUT).join(folder);
        kubectl(&format!("apply --kustomize {}", folder.display())).await;
    }
    let bindings = "get clusterrolebindings --selector app.kubernetes.io/name=clickup-operator --output name";
    assert!(!kubectl(bindings).await.is_empty(), "the command is not needed any more");
    let [command, same] = ["docs/install.md", "docs/tenancy.md"].map(|page| {
        let page = read(page);
        let mut code = page.split(['`', '\n']).map(str::trim);
        code.find_map(|code| code.strip_prefix("kubectl ").filter(|rest| rest.starts_with("delete cluster")))
            .unwrap()
            .to_owned()
    });
    assert_eq!(command, same);
    kubectl(&command).await;
    assert_eq!(kubectl(bindings).await, "");
    let roles = kubectl(&bindings.replace("clusterrolebindings", "clusterroles")).await;
    let names: Vec<_> =
        roles.lines().filter_map(|role| role.rsplit_once('/')).map(|(_, name)| name).collect();
    assert_eq!(names, ["edit", "service-binding", "view"].map(|role| format!("clickup-operator-{role}")));
    control_plane.stop().await.unwrap();
}

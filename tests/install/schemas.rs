//! All that is rendered, against the schemas of what a real API server serves, and by that API server itself.

use crate::{
    CHECKOUT,
    chart::{Helm, id, only, value_files},
};
use serde_json::{Map, Value, json};
use std::{collections::BTreeSet, fs, path::Path, process::Stdio};
use test_support::{
    control_plane::{ControlPlane, Options},
    go_tools::{KUBECONFORM, MONITORING_TYPES},
    scratch::ScratchDir,
    stack::install_crd,
};
use tokio::{io::AsyncWriteExt, process::Command};

/// Kinds that other operators bring; their CRDs are not on our API server.
const OF_OTHERS: [&str; 3] = ["PodMonitor", "ServiceMonitor", "PrometheusRule"];

async fn control_plane() -> ControlPlane {
    let control_plane = ControlPlane::start(Options::default()).await.unwrap();
    install_crd(&control_plane, Path::new(CHECKOUT)).await.unwrap();
    control_plane
}

/// One file per kind, named as kubeconform looks for it. Unknown fields are refused.
async fn write_schemas(control_plane: &ControlPlane, directory: &Path) {
    let raw = async |path: &str| {
        let text = control_plane.run_kubectl(["get", "--raw", path]).await.unwrap();
        serde_json::from_str::<Value>(&text).unwrap()
    };
    let index = raw("/openapi/v3").await;
    for (group_version, entry) in index["paths"].as_object().unwrap() {
        let wanted = group_version == "api/v1" || group_version.starts_with("apis/");
        if !wanted
            || group_version.matches('/').count() != 1 + usize::from(group_version.starts_with("apis/"))
        {
            continue;
        }
        let document = raw(entry["serverRelativeURL"].as_str().unwrap()).await;
        let mut components = document["components"].clone();
        close(&mut components);
        let schemas = document["components"]["schemas"].as_object().unwrap();
        for (name, schema) in schemas {
            for kind in schema["x-kubernetes-group-version-kind"].as_array().into_iter().flatten() {
                let of = |field: &str| kind[field].as_str().unwrap_or_default().to_lowercase();
                let group = of("group").split('.').next().unwrap().to_owned();
                let suffix =
                    if group.is_empty() { of("version") } else { format!("{group}-{}", of("version")) };
                let file = directory.join(format!("{}-{suffix}.json", of("kind")));
                let schema =
                    json!({"$ref": format!("#/components/schemas/{name}"), "components": components});
                fs::write(file, schema.to_string()).unwrap();
            }
        }
    }
}

/// Refuses fields that a schema does not name, as a strict API server does.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            let is_schema = map.get("properties").is_some_and(Value::is_object)
                && map.get("type") == Some(&json!("object"));
            if is_schema && !map.contains_key("additionalProperties") && !preserves(map) {
                map.insert("additionalProperties".to_owned(), false.into());
            }
            map.values_mut().for_each(close);
        }
        Value::Array(values) => values.iter_mut().for_each(close),
        _ => {}
    }
}

fn preserves(schema: &Map<String, Value>) -> bool {
    schema.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(true))
}

#[tokio::test]
async fn what_is_rendered_fits_the_schemas_that_are_served() {
    let (helm, control_plane) = (Helm::new().await, control_plane().await);
    let schemas = ScratchDir::create("schemas").unwrap();
    write_schemas(&control_plane, schemas.path()).await;
    let kubeconform = KUBECONFORM.find_or_build().await.unwrap();
    let location = format!("{}/{{{{ .ResourceKind }}}}{{{{ .KindSuffix }}}}.json", schemas.path().display());
    let judge = async |file: &Path| {
        let mut command = Command::new(&kubeconform);
        command.args(["-strict", "-output", "json", "-verbose", "-skip", &OF_OTHERS.join(",")]);
        let output = command.args(["-schema-location", &location]).arg(file).output().await.unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let report: Value = serde_json::from_str(&said).unwrap_or_else(|e| panic!("{e}: {said}, {output:?}"));
        (output.status.success(), report["resources"].as_array().cloned().unwrap_or_default())
    };
    let manifests = schemas.join("manifests.yaml");
    for (name, values) in value_files() {
        let rendered = helm.template(&["--values", values.to_str().unwrap()]).await.unwrap();
        fs::write(&manifests, &rendered).unwrap();
        let (valid, resources) = judge(&manifests).await;
        assert!(valid, "{name}: {resources:#?}");
        let judged: Vec<_> = resources.iter().filter(|one| one["status"] == "statusValid").collect();
        let others = OF_OTHERS.iter().filter(|kind| rendered.contains(&format!("kind: {kind}"))).count();
        assert_eq!(judged.len() + others, crate::chart::objects(&rendered).len(), "{name}: {resources:#?}");
    }

    // That it can refuse: a field that is not there, in each of two groups.
    let rendered = helm.template(&[]).await.unwrap();
    for (right, wrong) in [("revisionHistoryLimit:", "revisionHistory:"), ("policyTypes:", "policies:")] {
        fs::write(&manifests, rendered.replacen(right, wrong, 1)).unwrap();
        assert!(!judge(&manifests).await.0, "{wrong} is taken");
    }
    schemas.remove().await.unwrap();
    control_plane.stop().await.unwrap();
}

/// Of those that no schema of ours covers, the types of the Prometheus Operator itself.
#[tokio::test]
async fn what_is_for_the_prometheus_operator_fits_its_types() {
    let program = MONITORING_TYPES.find_or_build().await.unwrap();
    let judge = async |objects: &[Value]| {
        let mut child = Command::new(&program);
        child.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = child.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(&serde_json::to_vec(objects).unwrap()).await.unwrap();
        drop(stdin);
        let output = child.wait_with_output().await.unwrap();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).trim().to_owned();
        if output.status.success() { Ok(said) } else { Err(said) }
    };
    let (helm, mut objects) = (Helm::new().await, Vec::new());
    for (_, values) in value_files() {
        objects.extend(helm.objects_of(&values).await);
    }
    objects.retain(|object| OF_OTHERS.contains(&object["kind"].as_str().unwrap()));
    assert_eq!(
        objects.iter().map(|object| object["kind"].as_str().unwrap()).collect::<BTreeSet<_>>(),
        OF_OTHERS.into()
    );
    assert_eq!(judge(&objects).await.unwrap(), format!("{} objects", objects.len()));

    let monitor = objects.iter_mut().find(|object| object["kind"] == "PodMonitor").unwrap();
    monitor["spec"]["podMetricsEndpoints"][0]["every"] = "30s".into();
    let complaint = judge(&objects).await.unwrap_err();
    assert!(complaint.contains("unknown field \"every\""), "{complaint}");
}

/// With namespaces that enforce `restricted`, warn and audit.
#[tokio::test]
async fn the_api_server_takes_everything_without_a_warning() {
    let (helm, control_plane) = (Helm::new().await, control_plane().await);
    for name in ["clickup-operator", "leases", "team-a", "team-b"] {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {
            "pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/warn": "restricted"}}});
        apply(&control_plane, &[namespace], &[]).await.unwrap();
    }
    for (name, values) in value_files() {
        let mut objects = helm.objects_of(&values).await;
        objects.retain(|object| !OF_OTHERS.contains(&object["kind"].as_str().unwrap()));
        let template = &only(&objects, "Deployment")["spec"]["template"];
        // What a Deployment makes of it is what is enforced.
        let mut pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": template["metadata"], "spec": template["spec"]});
        pod["metadata"]["name"] = "pod".into();
        pod["metadata"]["namespace"] = "clickup-operator".into();
        objects.push(pod);
        let (said, complaints) = apply(&control_plane, &objects, &["--dry-run=server"])
            .await
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(complaints, "", "{name}");
        assert_eq!(said.lines().count(), objects.len(), "{name}: {said}");
    }

    // That it would have said so.
    let mut objects = helm
        .objects(&["--set", "podSecurityContext.runAsNonRoot=null,podSecurityContext.seccompProfile=null"])
        .await;
    objects.retain(|object| object["kind"] == "Deployment");
    let complaints = apply(&control_plane, &objects, &["--dry-run=server"]).await.unwrap().1;
    assert!(complaints.contains("would violate PodSecurity"), "{complaints}");
    control_plane.stop().await.unwrap();
}

/// What kubectl prints, and what it complains about.
async fn apply(
    control_plane: &ControlPlane,
    objects: &[Value],
    more: &[&str],
) -> Result<(String, String), String> {
    let ids: BTreeSet<_> = objects.iter().map(id).collect();
    assert_eq!(ids.len(), objects.len(), "an object twice: {ids:?}");
    let file = control_plane.scratch().join("objects.json");
    fs::write(&file, json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string()).unwrap();
    let output =
        control_plane.kubectl().arg("apply").arg("--filename").arg(&file).args(more).output().await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() {
        Ok((text(&output.stdout), text(&output.stderr)))
    } else {
        Err(text(&output.stderr))
    }
}

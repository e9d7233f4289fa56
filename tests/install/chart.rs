//! Helm, with a home of its own.

use crate::CHECKOUT;
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};
use test_support::{
    go_tools::{GoTool, HELM, HELM_3},
    scratch::ScratchDir,
};
use tokio::process::Command;

pub const RELEASE: &str = "clickup-operator";

pub fn chart() -> PathBuf {
    Path::new(CHECKOUT).join(test_support::chart::CHART)
}

/// The sets of values beside the chart, by the name of their file.
pub fn value_files() -> Vec<(String, PathBuf)> {
    let files = fs::read_dir(chart().join("ci")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.map(|path| (file_name(&path), path)).collect();
    files.sort();
    assert!(files.len() >= 5, "{files:?}");
    files
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().trim_end_matches("-values.yaml").to_owned()
}

pub fn values_of(name: &str) -> PathBuf {
    value_files().into_iter().find(|(found, _)| found == name).unwrap_or_else(|| panic!("{name}?")).1
}

pub fn read_values(path: &Path) -> Value {
    serde_saphyr::from_str(&fs::read_to_string(path).unwrap()).unwrap_or_else(|e| panic!("{path:?}: {e}"))
}

/// A directory with all that is in it.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// Helm, whose caches and plugins are nobody else's.
pub struct Helm {
    program: PathBuf,
    home: ScratchDir,
    kubeconfig: Option<PathBuf>,
}

impl Helm {
    /// For what needs no cluster.
    pub async fn new() -> Helm {
        Helm::by(HELM).await
    }

    /// The oldest Helm 3 that the chart is for.
    pub async fn three() -> Helm {
        Helm::by(HELM_3).await
    }

    async fn by(tool: GoTool) -> Helm {
        let program = tool.find_or_build().await.unwrap_or_else(|e| panic!("{e}"));
        Helm { program, home: ScratchDir::create("helm").unwrap(), kubeconfig: None }
    }

    /// For this cluster.
    pub async fn of(kubeconfig: PathBuf) -> Helm {
        Helm::new().await.on(kubeconfig)
    }

    /// The same for a cluster.
    pub fn on(self, kubeconfig: PathBuf) -> Helm {
        Helm { kubeconfig: Some(kubeconfig), ..self }
    }

    /// What Helm prints, or what it complains about.
    pub async fn run<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Result<String, String> {
        let mut helm = Command::new(&self.program);
        helm.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
        for (variable, folder) in
            [("HELM_CACHE_HOME", "cache"), ("HELM_CONFIG_HOME", "config"), ("HELM_DATA_HOME", "data")]
        {
            helm.env(variable, self.home.join(folder));
        }
        // Without a file there is no cluster, whatever whoever runs the tests has.
        let nowhere = self.home.join("no-cluster");
        helm.env("KUBECONFIG", self.kubeconfig.as_ref().unwrap_or(&nowhere));
        for proxy in ["HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"] {
            helm.env_remove(proxy);
        }
        let output = helm.output().await.unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }

    /// The manifests of a release with more arguments, such as `--set`.
    pub async fn template(&self, more: &[&str]) -> Result<String, String> {
        let chart = chart();
        // Without a cluster Helm 3 would take one for granted that is older than the chart is for.
        let all = [
            "template",
            RELEASE,
            chart.to_str().unwrap(),
            "--namespace",
            RELEASE,
            "--kube-version",
            "1.34.0",
        ];
        self.run(all.into_iter().chain(more.iter().copied())).await
    }

    /// The manifests as objects.
    pub async fn objects(&self, more: &[&str]) -> Vec<Value> {
        objects(&self.template(more).await.unwrap_or_else(|e| panic!("{more:?}: {e}")))
    }

    /// Those of a set of values beside the chart.
    pub async fn objects_of(&self, values: &Path) -> Vec<Value> {
        self.objects(&["--values", values.to_str().unwrap()]).await
    }
}

/// The documents of a stream, without the empty ones.
pub fn objects(manifests: &str) -> Vec<Value> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(manifests).unwrap_or_else(|e| panic!("{e}"));
    documents.into_iter().filter(|document| !document.is_null()).collect()
}

/// `Kind/name`, with the namespace before it if there is one.
pub fn id(object: &Value) -> String {
    let of = |pointer| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (kind, name, namespace) = (of("/kind"), of("/metadata/name"), of("/metadata/namespace"));
    if namespace.is_empty() { format!("{kind}/{name}") } else { format!("{namespace}/{kind}/{name}") }
}

/// The only object of this kind.
pub fn only<'a>(objects: &'a [Value], kind: &str) -> &'a Value {
    let found: Vec<_> = objects.iter().filter(|object| object["kind"] == kind).collect();
    let [object] = found.as_slice() else { panic!("not one {kind}: {:?}", objects.iter().map(id)) };
    object
}

/// The operator's container.
pub fn container(objects: &[Value]) -> &Value {
    &only(objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]
}

/// The operator's arguments.
pub fn arguments(objects: &[Value]) -> Vec<String> {
    let arguments = container(objects)["args"].as_array().unwrap();
    arguments.iter().map(|argument| argument.as_str().unwrap().to_owned()).collect()
}

//! The manifests for Flux, Argo CD and those who make Secrets: applied to an API server that has the CRDs of these
//! projects, from their Go modules. Nothing of theirs runs.

use serde::Deserialize;
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use test_support::{
    control_plane::{ControlPlane, Options},
    stack,
};

const CHECKOUT: &str = env!("CARGO_MANIFEST_DIR");

/// A project's module, its checksum as in a go.sum, and its CRDs.
struct Project {
    module: &'static str,
    sum: &'static str,
    crds: &'static [&'static str],
}

const PROJECTS: [Project; 5] = [
    Project {
        module: "github.com/fluxcd/kustomize-controller@v1.9.6",
        sum: "h1:XB+G3A0mky0j5uVHZWv4oSlS2RvZBoNIUhstIvY0JKE=",
        crds: &["config/crd/bases/kustomize.toolkit.fluxcd.io_kustomizations.yaml"],
    },
    Project {
        module: "github.com/fluxcd/source-controller@v1.9.6",
        sum: "h1:nG534/bI6nVpyHra7ONAk6xDB3xPsVT+EOLHZHXPrrc=",
        crds: &["config/crd/bases/source.toolkit.fluxcd.io_gitrepositories.yaml"],
    },
    Project {
        module: "github.com/argoproj/argo-cd/v3@v3.5.7",
        sum: "h1:Xm1BF+I5OgDKUG3SDK49vn2/Y5AMyaNVko+/JT08gj0=",
        crds: &["manifests/crds/application-crd.yaml"],
    },
    Project {
        module: "github.com/external-secrets/external-secrets@v1.3.2",
        sum: "h1:u2J8RjlHIeF0oZCqtl92adI/uZWUwOesJIDkfql6LqQ=",
        crds: &["config/crds/bases/external-secrets.io_externalsecrets.yaml"],
    },
    Project {
        module: "github.com/bitnami-labs/sealed-secrets@v0.40.0",
        sum: "h1:rvCP35JL8ZV5LNA2SrwNR6iLyoM3ulrSFWN0lBtYEYI=",
        crds: &["helm/sealed-secrets/crds/bitnami.com_sealedsecrets.yaml"],
    },
];

/// What `go mod download -json` prints.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Download {
    dir: PathBuf,
    sum: String,
}

impl Project {
    /// The CRD files, in Go's own cache of modules: a download the first time, 80 MB for all projects.
    fn crd_files(&self, anywhere: &Path) -> Vec<PathBuf> {
        let mut go = Command::new("go");
        go.args(["mod", "download", "-json", self.module]).current_dir(anywhere).env("GOWORK", "off");
        let output = go.output().unwrap_or_else(|e| panic!("Go is needed to fetch {}: {e}", self.module));
        let said = String::from_utf8_lossy(&output.stdout);
        let download: Download = serde_json::from_str(&said)
            .unwrap_or_else(|e| panic!("{e}: {said}{}", String::from_utf8_lossy(&output.stderr)));
        assert_eq!(download.sum, self.sum, "{} is not what it was", self.module);
        self.crds.iter().map(|file| download.dir.join(file)).collect()
    }
}

/// The files below a folder with this ending.
fn files_in(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            files_in(&entry, ending, found);
        } else if entry.extension().is_some_and(|extension| extension == ending) {
            found.push(entry);
        }
    }
    found.sort();
}

/// The manifests that are shipped, and the examples of the pages, each with where it stands.
fn manifests() -> Vec<(String, String)> {
    let (mut shipped, mut pages) = (Vec::new(), Vec::new());
    for folder in ["deploy/gitops/argocd", "deploy/gitops/flux"] {
        files_in(&Path::new(CHECKOUT).join(folder), "yaml", &mut shipped);
    }
    files_in(&Path::new(CHECKOUT).join("docs/gitops"), "md", &mut pages);
    // Argo CD's own test cases are no manifests.
    shipped.retain(|path| !path.to_str().unwrap().contains("resource_customizations"));
    let shipped = shipped.iter().map(|path| (path, fs::read_to_string(path).unwrap()));
    let examples = pages.iter().flat_map(|path| {
        let page = fs::read_to_string(path).unwrap();
        let blocks = page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("\n```").next());
        blocks.map(|block| (path, block.to_owned())).collect::<Vec<_>>()
    });
    shipped
        .chain(examples)
        .flat_map(|(path, text)| {
            let documents =
                text.split("\n---\n").map(|document| (path.display().to_string(), document.to_owned()));
            documents.collect::<Vec<_>>()
        })
        .collect()
}

#[tokio::test]
async fn every_manifest_is_valid_where_its_kind_is_served() {
    let control_plane = ControlPlane::start(Options::default()).await.unwrap();
    stack::install_crd(&control_plane, Path::new(CHECKOUT)).await.unwrap();
    let kubectl = async |arguments: &[&str], what: &str| {
        control_plane.run_kubectl(arguments).await.unwrap_or_else(|e| panic!("{what}: {e}"))
    };
    for project in &PROJECTS {
        for file in project.crd_files(control_plane.scratch().path()) {
            let file = file.to_str().unwrap();
            // Too large for the annotation of a client-side apply.
            kubectl(&["apply", "--server-side", "--filename", file], file).await;
            control_plane.until_served(&["--filename", file]).await.unwrap_or_else(|e| panic!("{file}: {e}"));
        }
    }
    let file = control_plane.scratch().join("manifest.yaml");
    let (mut kinds, mut namespaces) = (BTreeSet::new(), BTreeSet::new());
    for (path, document) in manifests() {
        let manifest: Value = serde_saphyr::from_str(&document).unwrap_or_else(|e| panic!("{path}: {e}"));
        let of = |pointer| manifest.pointer(pointer).and_then(Value::as_str);
        let namespace = of("/metadata/namespace").unwrap_or("default").to_owned();
        if namespace != "default" && namespaces.insert(namespace.clone()) {
            kubectl(&["create", "namespace", &namespace], &path).await;
        }
        fs::write(&file, &document).unwrap();
        let apply =
            ["apply", "--validate=strict", "--namespace", &namespace, "--filename", file.to_str().unwrap()];
        kubectl(&apply, &path).await;
        kinds.insert(of("/kind").unwrap_or_default().to_owned());
    }
    for kind in
        ["Kustomization", "GitRepository", "Application", "ExternalSecret", "SealedSecret", "ConfigMap"]
    {
        assert!(kinds.contains(kind), "no {kind} among {kinds:?}");
    }
    control_plane.stop().await.unwrap();
}

/// Whoever depends comes after what it depends on, and the Secret before the connection.
#[test]
fn flux_applies_the_secret_first_and_waits() {
    let mut files = Vec::new();
    files_in(&Path::new(CHECKOUT).join("deploy/gitops/flux"), "yaml", &mut files);
    let manifests: Vec<Value> = files
        .iter()
        .flat_map(|path| serde_saphyr::from_multiple::<Value>(&fs::read_to_string(path).unwrap()).unwrap())
        .collect();
    let of_kind = |kind: &'static str| manifests.iter().filter(move |m| m["kind"] == kind);
    let name = |m: &Value| m["metadata"]["name"].as_str().unwrap().to_owned();
    let sources: BTreeSet<_> = of_kind("GitRepository").map(name).collect();
    let depends = |m: &Value| -> Vec<String> {
        let list = m["spec"]["dependsOn"].as_array().into_iter().flatten();
        list.map(|d| d["name"].as_str().unwrap().to_owned()).collect()
    };
    let all: BTreeSet<_> = of_kind("Kustomization").map(name).collect();
    for kustomization in of_kind("Kustomization") {
        assert!(sources.contains(kustomization["spec"]["sourceRef"]["name"].as_str().unwrap()));
        assert_eq!(kustomization["spec"]["wait"], true, "what depends on it depends on its health");
        assert!(depends(kustomization).iter().all(|d| all.contains(d)), "{kustomization:#}");
    }
    let find = |wanted: &str| of_kind("Kustomization").find(|m| name(m) == wanted).unwrap();
    assert_eq!(depends(find("clickup-connections")), ["clickup-operator", "clickup-secrets"]);
    assert_eq!(depends(find("release-job")), ["clickup-connections"]);
}

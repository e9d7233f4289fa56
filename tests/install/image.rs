//! The container image: what is in it, and that the Dockerfile gets what it builds from.

use crate::{CHECKOUT, OPERATOR};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use test_support::{image::Image, scratch::ScratchDir};

fn tar(arguments: &[&str]) -> String {
    let output = Command::new("tar").args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

struct Layout(PathBuf);

impl Layout {
    fn json(&self, path: &str) -> Value {
        serde_json::from_slice(&fs::read(self.0.join(path)).unwrap()).unwrap()
    }

    fn blob(&self, descriptor: &Value) -> String {
        format!("blobs/{}", descriptor["digest"].as_str().unwrap().replace(':', "/"))
    }
}

#[tokio::test]
async fn the_archive_holds_the_operator_and_certificates_and_runs_it_as_nobody() {
    let scratch = ScratchDir::create("image-test").unwrap();
    let (archive, certificates) = (scratch.join("image.tar"), scratch.join("certificates.pem"));
    fs::write(&certificates, "certificates").unwrap();
    let image = Image {
        binary: Path::new(OPERATOR),
        certificates: &certificates,
        version: env!("CARGO_PKG_VERSION"),
        archive: &archive,
    };
    image.make().await.unwrap_or_else(|e| panic!("{e}"));

    let layout = Layout(scratch.join("layout"));
    fs::create_dir(&layout.0).unwrap();
    tar(&["--extract", "--file", archive.to_str().unwrap(), "--directory", layout.0.to_str().unwrap()]);
    let index = layout.json("index.json");
    let [entry] = index["manifests"].as_array().unwrap().as_slice() else { panic!("{index}") };
    assert_eq!(entry["annotations"]["org.opencontainers.image.ref.name"], env!("CARGO_PKG_VERSION"));
    let manifest = layout.json(&layout.blob(entry));
    let config = layout.json(&layout.blob(&manifest["config"]));
    let architecture = if cfg!(target_arch = "x86_64") { "amd64" } else { "arm64" };
    assert_eq!((&config["os"], &config["architecture"]), (&json!("linux"), &json!(architecture)));
    let config = &config["config"];
    assert_eq!(config["User"], "65532:65532");
    assert_eq!((&config["Entrypoint"], &config["Cmd"]), (&json!(["/clickup-operator"]), &json!(["run"])));
    assert_eq!(config["ExposedPorts"], json!({"8080/tcp": {}, "8081/tcp": {}}));
    assert_eq!(config["Labels"]["org.opencontainers.image.version"], env!("CARGO_PKG_VERSION"));

    let mut files = BTreeMap::new();
    for layer in manifest["layers"].as_array().unwrap() {
        let blob = layout.0.join(layout.blob(layer));
        let list =
            tar(&["--list", "--verbose", "--numeric-owner", "--gzip", "--file", blob.to_str().unwrap()]);
        for line in list.lines().filter(|line| !line.starts_with('d')) {
            let words: Vec<_> = line.split_whitespace().collect();
            files.insert(
                words.last().unwrap().trim_start_matches(['.', '/']).to_owned(),
                (words[0].to_owned(), words[1].to_owned()),
            );
        }
    }
    let of_root = |mode: &str| (mode.to_owned(), "0/0".to_owned());
    let expected = [
        ("clickup-operator".to_owned(), of_root("-rwxr-xr-x")),
        ("etc/ssl/certs/ca-certificates.crt".to_owned(), of_root("-rw-r--r--")),
    ];
    assert_eq!(files, expected.into(), "all files, none of which the operator's user can write");
    scratch.remove().await.unwrap();
}

#[tokio::test]
async fn what_is_no_program_is_refused() {
    let scratch = ScratchDir::create("image-refused").unwrap();
    let binary = scratch.join("text");
    fs::write(&binary, "#!/bin/sh\n").unwrap();
    let (certificates, archive) = (Path::new(CHECKOUT).join("LICENSE"), scratch.join("image.tar"));
    let image = Image { binary: &binary, certificates: &certificates, version: "1", archive: &archive };
    let error = image.make().await.unwrap_err().to_string();
    assert!(error.contains("not a program for a known architecture"), "{error}");
    assert!(!archive.exists());
}

/// Cargo wants to see all members of the workspace, whatever it builds.
#[test]
fn the_dockerfile_gets_what_cargo_reads() {
    let scratch = ScratchDir::create("docker-context").unwrap();
    let ignore = fs::read_to_string(Path::new(CHECKOUT).join(".dockerignore")).unwrap();
    let kept: Vec<_> = ignore.lines().filter_map(|line| line.strip_prefix('!')).collect();
    assert!(ignore.lines().any(|line| line == "*") && kept.contains(&"src"), "{ignore}");
    for path in kept {
        let from = Path::new(CHECKOUT).join(path);
        let to = scratch.join(path);
        let copy = ["--archive", from.to_str().unwrap(), to.to_str().unwrap()];
        assert!(Command::new("cp").args(copy).status().unwrap().success(), "{path}");
    }
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["tree", "--locked", "--offline", "--package", "clickup-operator", "--depth", "0"]);
    let output = cargo.current_dir(scratch.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    // The stages agree with the archive about what is where, and with the Makefile about how it is made.
    let read = |path: &str| fs::read_to_string(Path::new(CHECKOUT).join(path)).unwrap();
    let (dockerfile, makefile) = (read("Dockerfile"), read("Makefile"));
    let pinned = makefile.split_once("/tools/cargo-auditable-").and_then(|(_, rest)| rest.split_once('/'));
    let pinned = pinned.map(|(version, _)| format!("cargo-auditable@{version}\n")).unwrap();
    assert!(dockerfile.contains(&pinned), "not {pinned}: {dockerfile}");
    for line in [
        "USER 65532:65532",
        "ENTRYPOINT [\"/clickup-operator\"]",
        "CMD [\"run\"]",
        "EXPOSE 8080 8081",
        "FROM scratch",
    ] {
        assert!(dockerfile.lines().any(|found| found == line), "the Dockerfile has no line {line}");
    }
}

//! The commands of docs/gitops/pipelines.md, run as they are written.

use crate::read;
use serde_json::json;
use std::{path::Path, process::Output};
use test_support::{
    case::Case,
    stack::{Stack, StackOptions},
};

const PAGE: &str = "docs/gitops/pipelines.md";

/// The shell blocks of the page, by the heading above them.
fn commands(heading: &str) -> String {
    let page = read(PAGE);
    let section = page.split("\n## ").find(|section| section.starts_with(heading));
    let section = section.unwrap_or_else(|| panic!("{PAGE} has no section {heading}"));
    let block = section.split("```sh\n").nth(1).and_then(|rest| rest.split("```").next());
    block.unwrap_or_else(|| panic!("{PAGE}, {heading}: no commands")).to_owned()
}

/// A namespace with the page's connection in a file, where the commands are run.
struct Pipeline<'a> {
    case: Case<'a>,
    kubeconfig: std::path::PathBuf,
}

impl Pipeline<'_> {
    async fn run(&self, commands: &str) -> Output {
        let control_plane = self.case.control_plane;
        let folder = control_plane.kubectl_path().parent().unwrap().to_owned();
        let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
        let mut shell = tokio::process::Command::new("bash");
        shell.args(["-euo", "pipefail", "-c", commands]).env("PATH", path).kill_on_drop(true);
        shell.env("KUBECONFIG", &self.kubeconfig).env("KUBECACHEDIR", control_plane.kubectl_cache());
        for variable in ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"] {
            shell.env_remove(variable);
        }
        shell.current_dir(self.folder()).output().await.unwrap()
    }

    fn folder(&self) -> std::path::PathBuf {
        self.case.control_plane.scratch().join(&self.case.namespace)
    }

    async fn succeeds(&self, heading: &str) -> String {
        let output = self.run(&commands(heading)).await;
        assert!(output.status.success(), "{heading}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// What the page's kubeconfig would have: the namespace of the connection.
    fn write_kubeconfig(&self, from: &Path) {
        let mut kubeconfig: serde_json::Value =
            serde_saphyr::from_str(&std::fs::read_to_string(from).unwrap()).unwrap();
        for context in kubeconfig["contexts"].as_array_mut().unwrap() {
            context["context"]["namespace"] = json!(self.case.namespace);
        }
        std::fs::write(&self.kubeconfig, kubeconfig.to_string()).unwrap();
    }
}

async fn pipeline<'a>(stack: &'a Stack, name: &str) -> Pipeline<'a> {
    let case = Case::new(name, &stack.control_plane, &stack.simulator).await;
    let kubeconfig = stack.control_plane.scratch().join(format!("{}.kubeconfig", case.namespace));
    let pipeline = Pipeline { case, kubeconfig };
    pipeline.write_kubeconfig(&stack.control_plane.admin_kubeconfig());
    std::fs::create_dir(pipeline.folder()).unwrap();
    let example = read(PAGE).split("```yaml\n").nth(1).unwrap().split("```").next().unwrap().to_owned();
    std::fs::write(pipeline.folder().join("connection.yaml"), example).unwrap();
    pipeline
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_wait_for_what_they_say() {
    let stack = Stack::start(StackOptions::new(env!("CARGO_BIN_EXE_clickup-operator")));
    let stack = stack.await.unwrap_or_else(|e| panic!("{e}"));
    let good = pipeline(&stack, "good").await;
    let account = good.case.account().await;
    good.case.secret("clickup-release-bot", &account.token.value).await;
    good.succeeds("Wait until it works").await;
    assert!(good.succeeds("Stop at the first No").await.contains("True: ClickUp accepts the token"));

    good.succeeds("Check now").await;
    assert_eq!(good.case.clickup.requests(&account.token.name, "/v2/user").await.unwrap(), 2);

    // The old token is dead; that the new one was judged is waited for, not that the old one was good.
    let new = good.case.clickup.regenerate(&account.token.name).await.unwrap();
    std::fs::write(good.folder().join("token.txt"), format!("{}\n", new.value)).unwrap();
    good.succeeds("Rotate a token").await;
    let object = good.case.get("release-bot").await;
    let secret = good.case.secrets().get("clickup-release-bot").await.unwrap();
    assert_eq!(
        object["status"]["secretResourceVersion"].as_str(),
        secret.metadata.resource_version.as_deref()
    );

    std::fs::write(good.folder().join("token.txt"), "pk_1_NOBODYKNOWSTHIS\n").unwrap();
    let output = good.run(&commands("Rotate a token")).await;
    assert!(!output.status.success(), "a dead token: {output:?}");

    let bad = pipeline(&stack, "bad").await;
    bad.case.secret("clickup-release-bot", "pk_1_NOBODYKNOWSTHIS").await;
    let started = std::time::Instant::now();
    let apply = "kubectl apply --filename connection.yaml\n";
    let output = bad.run(&format!("{apply}{}", commands("Stop at the first No"))).await;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!output.status.success() && said.contains("False: ClickUp says"), "{output:?}");
    assert!(
        started.elapsed().as_secs() < 30,
        "it is not waited for what cannot come: {:?}",
        started.elapsed()
    );
    stack.stop().await.unwrap();
}

/// The rights that the page gives to a workload's ServiceAccount are those that its init container needs.
#[tokio::test(flavor = "multi_thread")]
async fn a_workload_waits_with_the_rights_of_the_page() {
    let stack = Stack::start(StackOptions::new(env!("CARGO_BIN_EXE_clickup-operator")));
    let stack = stack.await.unwrap_or_else(|e| panic!("{e}"));
    let mut pipeline = pipeline(&stack, "workload").await;
    pipeline.case.verified("release-bot", json!({"tokenSecretRef": {"name": "release-bot"}})).await;
    let page = read(PAGE);
    let section = page.split("\n## ").find(|section| section.starts_with("Workloads")).unwrap();
    let block = section.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
    std::fs::write(pipeline.folder().join("workload.yaml"), block).unwrap();
    assert!(pipeline.run("kubectl apply --filename workload.yaml").await.status.success());

    let manifests: Vec<serde_json::Value> = serde_saphyr::from_multiple(block).unwrap();
    let deployment = manifests.iter().find(|m| m["kind"] == "Deployment").unwrap();
    let pod = &deployment["spec"]["template"]["spec"];
    let arguments = pod["initContainers"][0]["args"].as_array().unwrap();
    let arguments: Vec<_> = arguments.iter().map(|a| format!("'{}'", a.as_str().unwrap())).collect();
    let wait = format!("kubectl {}", arguments.join(" "));
    let account = pod["serviceAccountName"].as_str().unwrap();
    let own =
        stack.control_plane.service_account_kubeconfig(&pipeline.case.namespace, account).await.unwrap();
    pipeline.write_kubeconfig(&own);
    let output = pipeline.run(&wait).await;
    assert!(output.status.success(), "{wait}: {output:?}");
    let output = pipeline.run("kubectl get secrets").await;
    assert!(!output.status.success(), "the rights are no more than that");
    // Without the rights it fails: the test says something.
    pipeline.kubeconfig = pipeline.case.control_plane.scratch().join("nobody.kubeconfig");
    let nobody =
        stack.control_plane.service_account_kubeconfig("clickup-operator", "clickup-operator").await.unwrap();
    pipeline.write_kubeconfig(&nobody);
    assert!(!pipeline.run(&wait.replace("10m", "2s")).await.status.success());
    stack.stop().await.unwrap();
}

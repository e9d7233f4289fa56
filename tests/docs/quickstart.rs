//! The quick start: its commands, run one after the other as they are written.

use crate::pages::read;
use std::{fs, process::Stdio, time::Duration};
use test_support::{
    stack::{Stack, StackOptions},
    wait,
};

/// What the page has in place of a token, and one that the simulated ClickUp accepts.
const PLACEHOLDER: &str = "pk_12345678_REPLACE_WITH_YOUR_OWN";
const TOKEN: &str = "pk_57000001_ADA0ADA0ADA0ADA0ADA0ADA0ADA0ADA0";

/// The blocks of the page in this language.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let begin = format!("\n```{language}\n");
    page.split(&begin).skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_of_the_quick_start_does_what_it_says() {
    let page = read("docs/quickstart.md");
    let commands = blocks(&page, "sh").join("");
    assert!(page.contains(PLACEHOLDER) && commands.lines().count() > 8, "{commands}");
    let stack = Stack::start(StackOptions::new(env!("CARGO_BIN_EXE_clickup-operator"))).await.unwrap();
    let folder = stack.control_plane.scratch().join("quickstart");
    fs::create_dir(&folder).unwrap();
    let [manifest] = blocks(&page, "yaml")[..] else { panic!("not one manifest") };
    fs::write(folder.join("connection.yaml"), manifest).unwrap();

    let kubectl = stack.control_plane.kubectl_path();
    let path = std::env::join_paths(
        std::iter::once(kubectl.parent().unwrap().to_owned())
            .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    )
    .unwrap();
    let output = tokio::process::Command::new("bash")
        .args(["-euxo", "pipefail", "-c", &commands.replace(PLACEHOLDER, TOKEN)])
        .current_dir(&folder)
        .env("PATH", path)
        .env("KUBECONFIG", stack.control_plane.admin_kubeconfig())
        .env("KUBECACHEDIR", stack.control_plane.kubectl_cache())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(Duration::from_secs(240), output).await.unwrap().unwrap();
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (said(&output.stdout), said(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
    for expected in [
        "release-bot   True    Verified",
        "9012345678 Acme (Owner)",
        "clickupconnection.clickup-operator.dev/release-bot condition met",
        "store a new one in the Secret",
    ] {
        assert!(out.contains(expected), "{expected:?} is not in\n{out}\n{err}");
    }
    // The last command may have been too quick for it: Events are queued behind statuses.
    let last: Vec<_> = commands.lines().last().unwrap().split_whitespace().skip(1).collect();
    wait::until(Duration::from_secs(20), "the Event that tells of it", async || {
        let events = stack.control_plane.run_kubectl(&last).await.map_err(|e| e.to_string())?;
        if events.contains("TokenRejected") { Ok(()) } else { Err(events) }
    })
    .await
    .unwrap();
    stack.stop().await.unwrap();
}

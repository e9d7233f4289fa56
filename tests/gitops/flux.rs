//! What kstatus says, the library that Flux and Helm judge readiness with.

use crate::states::State;
use serde::Deserialize;
use std::process::Stdio;
use tokio::{io::AsyncWriteExt, process::Command};

/// What kstatus says of an object.
#[derive(Debug, Deserialize)]
pub struct Verdict {
    pub status: String,
    pub message: String,
}

pub async fn kstatus(states: &[State]) -> Vec<Verdict> {
    let program = test_support::go_tools::KSTATUS.find_or_build().await.unwrap_or_else(|e| panic!("{e}"));
    let mut kstatus = Command::new(program)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let objects: String = states.iter().map(|state| state.object.to_string() + "\n").collect();
    let mut stdin = kstatus.stdin.take().unwrap();
    let (written, output) = tokio::join!(
        async move {
            let written = stdin.write_all(objects.as_bytes()).await;
            // The end of its input.
            drop(stdin);
            written
        },
        kstatus.wait_with_output()
    );
    written.unwrap();
    let output = output.unwrap();
    assert!(output.status.success(), "kstatus failed");
    let lines = String::from_utf8(output.stdout).unwrap();
    let verdicts: Vec<Verdict> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(verdicts.len(), states.len());
    verdicts
}

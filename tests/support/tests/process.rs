//! Guarded processes: how they end, and that they do.

#![allow(clippy::unwrap_used, reason = "the lint knows tests, but not their helper functions")]

use std::process::Command;
use std::time::Duration;

use test_support::process::{Exit, Guarded, Launch, ProcessError, Signal};
use test_support::scratch::ScratchDir;
use test_support::wait;

const SOON: Duration = Duration::from_secs(20);

fn start(scratch: &ScratchDir, name: &str, script: &str) -> Guarded {
    let mut command = Command::new("sh");
    command.args(["-c", script]).env("GREETING", "hello");
    let log = scratch.join(format!("{name}.log"));
    Guarded::start(Launch { name, command, log, scratch: Some(scratch), grace: Duration::from_secs(1) })
        .unwrap()
}

async fn says(process: &Guarded, text: &str) {
    wait::until(SOON, text, || async {
        let log = process.log();
        if log.contains(text) { Ok(()) } else { Err(log) }
    })
    .await
    .unwrap();
}

fn is_alive(pid: u32) -> bool {
    std::path::Path::new(&format!("/proc/{pid}")).exists()
}

async fn is_gone(pid: u32) {
    wait::until(SOON, format!("process {pid} to end"), || async {
        if is_alive(pid) { Err("it runs") } else { Ok(()) }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn its_exit_code_and_output_arrive() {
    let scratch = ScratchDir::create("process-test").unwrap();
    let process = start(&scratch, "greeter", "echo $GREETING; echo oops >&2; exit 7");
    assert_eq!(process.wait(SOON).await.unwrap(), Exit::Code(7));
    assert_eq!(process.log(), "hello\noops\n");
    assert_eq!(process.log_tail(1), "oops");

    let again = start(&scratch, "greeter", "echo again");
    assert!(again.wait(SOON).await.unwrap().success());
    assert_eq!(again.log(), "again\n", "what an earlier start printed is not of this one");

    let directory = scratch.path().to_path_buf();
    scratch.remove().await.unwrap();
    assert!(!directory.exists());
}

#[tokio::test]
async fn signals_reach_the_program() {
    let scratch = ScratchDir::create("process-test").unwrap();
    let script = "trap 'echo asked; exit 3' TERM; echo ready; while :; do sleep 0.05; done";
    let process = start(&scratch, "patient", script);
    says(&process, "ready").await;
    assert!(process.usage().unwrap().resident_bytes > 0);
    process.signal(Signal::Terminate).unwrap();
    assert_eq!(process.wait(SOON).await.unwrap(), Exit::Code(3));
    says(&process, "asked").await;
    assert!(matches!(process.signal(Signal::Kill), Err(ProcessError::Signal { .. })));

    let process = start(&scratch, "victim", "exec sleep 1000");
    process.signal(Signal::Kill).unwrap();
    assert_eq!(process.wait(SOON).await.unwrap(), Exit::Signal(9));
}

#[tokio::test]
async fn stop_ends_whoever_obeys_ignores_or_is_frozen() {
    let scratch = ScratchDir::create("process-test").unwrap();
    let obedient = start(&scratch, "obedient", "exec sleep 1000");
    assert_eq!(obedient.stop().await.unwrap(), Exit::Signal(15));

    let stubborn = start(&scratch, "stubborn", "trap '' TERM; echo ready; while :; do sleep 0.05; done");
    says(&stubborn, "ready").await;
    assert_eq!(stubborn.stop().await.unwrap(), Exit::Signal(9));

    let frozen = start(&scratch, "frozen", "exec sleep 1000");
    frozen.signal(Signal::Stop).unwrap();
    let state = format!("/proc/{}/stat", frozen.pid());
    wait::until(SOON, "the process to be frozen", || async {
        let stat = std::fs::read_to_string(&state).unwrap();
        if stat.contains(") T ") { Ok(()) } else { Err(stat) }
    })
    .await
    .unwrap();
    assert_eq!(frozen.stop().await.unwrap(), Exit::Signal(15));
    scratch.remove().await.unwrap();
}

#[tokio::test]
async fn a_dropped_process_ends_and_its_directory_goes_after_it() {
    let scratch = ScratchDir::create("process-test").unwrap();
    let directory = scratch.path().to_path_buf();
    let script =
        "trap 'sleep 0.3; touch written-while-ending; exit' TERM; echo ready; while :; do sleep 0.05; done";
    let mut command = Command::new("sh");
    command.args(["-c", script]).current_dir(&directory);
    let log = scratch.join("late.log");
    let launch =
        Launch { name: "late", command, log, scratch: Some(&scratch), grace: Duration::from_secs(5) };
    let process = Guarded::start(launch).unwrap();
    says(&process, "ready").await;
    let pid = process.pid();
    drop(scratch);
    assert!(is_alive(pid) && directory.exists(), "a running process keeps its directory");
    drop(process);
    is_gone(pid).await;
    wait::until(SOON, "the directory to go", || async {
        if directory.exists() { Err("it is there") } else { Ok(()) }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_process_whose_guard_was_killed_ends_too() {
    let scratch = ScratchDir::create("process-test").unwrap();
    let process = start(&scratch, "orphan", "exec sleep 1000");
    let pid = process.pid();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let guard = status.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap().trim();
    assert!(Command::new("kill").args(["-KILL", guard]).status().unwrap().success());
    assert_eq!(process.wait(SOON).await.unwrap(), Exit::Signal(9));
    assert!(is_alive(pid), "nobody has told it to end yet");
    drop(process);
    is_gone(pid).await;
    scratch.remove().await.unwrap();
}

#[tokio::test]
async fn the_deadline_of_wait_shows_the_log() {
    let scratch = ScratchDir::create("process-test").unwrap();
    let process = start(&scratch, "busy", "echo I am busy; exec sleep 1000");
    says(&process, "busy").await;
    let error = process.wait(Duration::from_millis(50)).await.unwrap_err();
    assert!(error.to_string().contains("I am busy"), "{error}");
    process.stop().await.unwrap();
}

#[test]
fn a_missing_program_is_an_error_at_once() {
    let scratch = ScratchDir::create("process-test").unwrap();
    for program in ["/nowhere/program", "no-such-program-in-path"] {
        let launch = Launch {
            name: "missing",
            command: Command::new(program),
            log: scratch.join("missing.log"),
            scratch: None,
            grace: Duration::from_secs(1),
        };
        let error = Guarded::start(launch).unwrap_err();
        assert!(error.to_string().contains(program), "{error}");
    }
}

//! The control plane: starts, serves, stops, and leaves nothing behind, also when its owner is killed.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace, Secret, ServiceAccount};
use kube::api::{Api, ListParams, ObjectMeta, PostParams};
use test_support::control_plane::assets::{Assets, AssetsError};
use test_support::control_plane::audit::Stage;
use test_support::control_plane::{ControlPlane, Options};
use test_support::wait;

const SOON: Duration = Duration::from_secs(60);

fn is_alive(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

#[tokio::test]
async fn it_serves_logs_who_asks_and_stops() {
    let control_plane = ControlPlane::start(Options::default()).await.unwrap();
    let client = control_plane.client().await.unwrap();

    // As the administrator.
    assert_eq!(client.apiserver_version().await.unwrap().major, "1");
    let namespace = control_plane.fresh_namespace("team").await.unwrap();
    let names = control_plane.run_kubectl(["get", "namespaces", "--output=name"]).await.unwrap();
    assert!(names.contains(&format!("namespace/{namespace}")), "{names}");
    let refused = control_plane.run_kubectl(["get", "unicorns"]).await.unwrap_err().to_string();
    assert!(refused.contains("kubectl get unicorns failed") && refused.contains("unicorns\""), "{refused}");

    // As a ServiceAccount, which may do nothing.
    let accounts: Api<ServiceAccount> = Api::namespaced(client, &namespace);
    let metadata = ObjectMeta { name: Some("robot".into()), ..ObjectMeta::default() };
    let account = ServiceAccount { metadata, ..ServiceAccount::default() };
    accounts.create(&PostParams::default(), &account).await.unwrap();
    let kubeconfig = control_plane.service_account_kubeconfig(&namespace, "robot").await.unwrap();
    let robot = control_plane.client_for(&kubeconfig).await.unwrap();
    let secrets: Api<Secret> = Api::default_namespaced(robot);
    let error = secrets.list(&ListParams::default()).await.unwrap_err();
    assert!(error.to_string().contains("forbidden"), "{error}");

    let events = control_plane.audit_events().unwrap();
    let user = format!("system:serviceaccount:{namespace}:robot");
    let robots: Vec<_> = events.iter().filter(|event| event.user == user).collect();
    let [list] = robots.as_slice() else { panic!("not one request: {robots:?}") };
    assert_eq!((list.verb.as_str(), list.resource.as_str(), list.code), ("list", "secrets", Some(403)));
    assert_eq!((list.namespace.as_str(), list.stage), (namespace.as_str(), Stage::ResponseComplete));
    assert!(control_plane.apiserver().usage().unwrap().cpu > Duration::ZERO);

    let directory = control_plane.scratch().path().to_path_buf();
    let pids = [control_plane.apiserver().pid(), control_plane.etcd().pid()];
    assert!(directory.exists() && pids.into_iter().all(is_alive));
    control_plane.stop().await.unwrap();
    assert!(!directory.exists(), "{} is left", directory.display());
    assert!(!pids.into_iter().any(is_alive), "one of {pids:?} is left");
}

#[tokio::test]
async fn a_flag_that_the_server_refuses_is_shown() {
    let options = Options { apiserver_args: vec!["--no-such-flag".into()] };
    let error = ControlPlane::start(options).await.unwrap_err().to_string();
    assert!(error.contains("unknown flag: --no-such-flag"), "{error}");
}

/// A client belongs to the runtime that made it, the control plane to none.
#[test]
fn it_outlives_the_runtime_that_started_it() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let control_plane = runtime().block_on(ControlPlane::start(Options::default())).unwrap();
    runtime().block_on(async {
        let namespaces: Api<Namespace> = Api::all(control_plane.client().await.unwrap());
        namespaces.get("kube-system").await.unwrap();
        control_plane.stop().await.unwrap();
    });
}

#[tokio::test]
async fn killing_its_owner_ends_it() {
    for signal in ["KILL", "INT"] {
        let output =
            std::env::temp_dir().join(format!("clickup-operator-held-{}-{signal}", std::process::id()));
        // Who runs the tests in the background ignores SIGINT, and all that is started from there would.
        let owner = Command::new("env")
            .args(["--default-signal=INT", env!("CARGO_BIN_EXE_control-plane"), "hold"])
            .stdout(std::fs::File::create(&output).unwrap())
            .stderr(Stdio::null())
            .stdin(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        let mut owner = KilledOnDrop(owner);
        let held = wait::until(2 * SOON, "the other process's control plane", || async {
            let text = std::fs::read_to_string(&output).unwrap();
            text.lines().find_map(parse_held).ok_or(text)
        });
        let (pids, directory) = held.await.unwrap();
        assert!(directory.exists() && pids.into_iter().all(is_alive));

        // The whole group, as Ctrl-C in a terminal does.
        let kill = format!("kill -s {signal} -- -{}", owner.0.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        assert!(!owner.0.wait().unwrap().success());
        wait::until(SOON, "the programs and their directory to go", || async {
            let left: Vec<u32> = pids.into_iter().filter(|pid| is_alive(*pid)).collect();
            let there = directory.exists();
            if left.is_empty() && !there {
                Ok(())
            } else {
                Err(format!("processes {left:?}, directory: {there}"))
            }
        })
        .await
        .unwrap();
        std::fs::remove_file(output).unwrap();
    }
}

/// Whoever holds a control plane must not outlive a test that fails.
struct KilledOnDrop(Child);

impl Drop for KilledOnDrop {
    fn drop(&mut self) {
        // Both fail only if it has ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn parse_held(line: &str) -> Option<([u32; 2], PathBuf)> {
    // libtest prints the test's name before it, on the same line.
    let mut words = line.split_once("HELD ")?.1.split(' ');
    let mut pid = || words.next()?.parse().ok();
    let pids = [pid()?, pid()?];
    Some((pids, words.next()?.into()))
}

#[test]
fn an_incomplete_directory_of_programs_is_refused() {
    let scratch = test_support::scratch::ScratchDir::create("assets-test").unwrap();
    std::fs::write(scratch.join("etcd"), "").unwrap();
    let error = Assets::in_directory(scratch.path()).unwrap_err();
    assert!(matches!(error, AssetsError::Incomplete { .. }));
    let text = error.to_string();
    assert!(text.contains("kube-apiserver and kubectl is missing"), "{text}");
    assert!(text.contains("KUBEBUILDER_ASSETS") && text.contains("setup-envtest"), "{text}");

    for program in ["kube-apiserver", "kubectl"] {
        std::fs::write(scratch.join(program), "").unwrap();
    }
    assert_eq!(Assets::in_directory(scratch.path()).unwrap().directory, scratch.path());
}

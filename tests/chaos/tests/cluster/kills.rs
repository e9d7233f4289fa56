//! The operator, API server and etcd are killed; the operator's connections are right again afterwards.

use crate::ground::{SOON, back, cluster, verified};
use chaos::cluster::interposer::WriteKind;
use chaos::cluster::{ClusterFault, Explains};
use futures::{StreamExt, TryStreamExt};
use kube::api::{WatchEvent, WatchParams};
use serde_json::json;
use std::time::Instant;
use test_support::case::{Case, is};
use test_support::process::Exit;
use test_support::wait;
use tokio::time::timeout;

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_a_status_write_it_writes_again() {
    let mut cluster = cluster().await;
    for before in [true, false] {
        let name = if before { "kill-before" } else { "kill-after" };
        let namespace = back(&cluster, "default").await.beside(name, json!({})).await.namespace;
        let fault = ClusterFault::OperatorKilledAtWrite { nth: 0, before };
        cluster.begin(&fault).await.unwrap();
        let case = back(&cluster, &namespace).await;
        let account = case.account().await;
        case.secret("bot", &account.token.value).await;
        case.connection("bot", json!({})).await;
        let write = cluster.until_struck(SOON).await.unwrap();
        assert_eq!(write.kind, WriteKind::Status);
        assert!(write.path.contains(&format!("/{namespace}/clickupconnections/bot/")), "{}", write.path);
        assert_eq!(cluster.operator().process().exited(), Some(Exit::Signal(9)));
        let case = back(&cluster, &namespace).await;
        let status = case.get("bot").await["status"].clone();
        let written = (if before { "" } else { "True" }, if before { "" } else { "Verified" });
        assert_eq!(is(&status, "Ready"), written, "{status:#}");
        cluster.end(&fault).await.unwrap();
        let case = back(&cluster, &namespace).await;
        case.until_ready("bot", "True", "Verified").await;
    }
    // Without a write the operator lives.
    let pid = cluster.operator().process().pid();
    let fault = ClusterFault::OperatorKilledAtWrite { nth: 1000, before: true };
    cluster.begin(&fault).await.unwrap();
    assert!(cluster.until_struck(std::time::Duration::from_millis(100)).await.is_err());
    cluster.end(&fault).await.unwrap();
    assert_eq!((cluster.operator().process().pid(), cluster.operator().process().exited()), (pid, None));
    cluster.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_during_any_fault_is_taken_up() {
    let mut cluster = cluster().await;
    let (namespace, account) = verified(&cluster, "rotated").await;
    let at_write = |fault: &ClusterFault| matches!(fault, ClusterFault::OperatorKilledAtWrite { .. });
    let mut faults = ClusterFault::all();
    // First: watches that fail wait longer each time, until they have run for two minutes.
    faults.sort_by_key(|fault| *fault != ClusterFault::ApiServerKilled);
    for fault in faults.into_iter().filter(|fault| !at_write(fault)) {
        let goes_on = match fault.explains() {
            Explains::Delay => true,
            Explains::StandStill => false,
            Explains::Unreachable(_) => continue,
        };
        // Who has no API server can write no Secret.
        let is_served = !matches!(
            fault,
            ClusterFault::ApiServerKilled | ClusterFault::ApiServerStopped | ClusterFault::EtcdRestarted
        );
        let (began, asked) = (Instant::now(), cluster.interposer().counts().requests);
        cluster.begin(&fault).await.unwrap_or_else(|e| panic!("{fault}: {e}"));
        let case = back(&cluster, &namespace).await;
        let token = case.clickup.regenerate(&account.token.name).await.unwrap().value;
        if is_served {
            case.secret("bot", &token).await;
        }
        if let ClusterFault::ApiRefuses(_) | ClusterFault::ApiRefusesWrites(_) = fault {
            let before = case.get("bot").await["status"].clone();
            let tried = || async {
                let requests = cluster.interposer().counts().requests;
                if requests > asked + 1 { Ok(()) } else { Err(format!("{requests} requests")) }
            };
            wait::until(SOON, "the operator to try in vain", tried).await.unwrap();
            assert_eq!(case.get("bot").await["status"], before, "{fault}");
        }
        if !goes_on {
            cluster.end(&fault).await.unwrap_or_else(|e| panic!("{fault}: {e}"));
        }
        let ended = began.elapsed();
        let case = back(&cluster, &namespace).await;
        if !is_served {
            case.secret("bot", &token).await;
        }
        let secret = case.secrets().get("bot").await.unwrap().metadata.resource_version;
        let what = format!("verified with its new token: {fault}");
        case.until_within(3 * SOON, "bot", &what, |s| {
            s["secretResourceVersion"].as_str() == secret.as_deref() && is(s, "Ready").0 == "True"
        })
        .await;
        eprintln!("{fault}: ended after {ended:?}, verified {:?} after its begin", began.elapsed());
        if goes_on {
            cluster.end(&fault).await.unwrap_or_else(|e| panic!("{fault}: {e}"));
        }
    }
    cluster.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_api_server_had_in_memory_is_gone_with_it() {
    let mut cluster = cluster().await;
    let (namespace, _) = verified(&cluster, "forgotten").await;
    let case = back(&cluster, &namespace).await;
    let version = case.get("bot").await["metadata"]["resourceVersion"].clone();
    // A write elsewhere moves the version of all.
    case.beside("later", json!({"later": "yes"})).await;
    let clients = [cluster.admin(), case.client.clone()];
    cluster.begin(&ClusterFault::EtcdRestarted).await.unwrap();
    cluster.end(&ClusterFault::EtcdRestarted).await.unwrap();
    cluster.begin(&ClusterFault::ApiServerKilled).await.unwrap();
    cluster.end(&ClusterFault::ApiServerKilled).await.unwrap();
    for client in clients {
        // Clients find it again, and what etcd knew is there.
        let case = Case { client, ..back(&cluster, &namespace).await };
        let object = case.get("bot").await;
        assert_eq!(object["metadata"]["resourceVersion"], version);
        // But where a watch was is forgotten, by the API server's own word.
        let connections = case.connections();
        let watch = connections.watch(&WatchParams::default(), version.as_str().unwrap()).await.unwrap();
        let event = timeout(SOON, watch.boxed().try_next()).await.unwrap().unwrap().unwrap();
        assert!(matches!(&event, WatchEvent::Error(status) if status.code == 410), "{event:?}");
    }
    cluster.stop().await.unwrap();
}

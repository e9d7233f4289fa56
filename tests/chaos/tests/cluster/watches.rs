//! What befalls watches.

use crate::ground::{Ground, SOON, Watch, next, told};
use chaos::cluster::interposer::Interference;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::WatchEvent;
use std::time::{Duration, Instant};
use tokio::time::timeout;

async fn is_gone(watch: &mut Watch) -> bool {
    matches!(next(watch).await, Ok(Some(WatchEvent::Error(status))) if status.code == 410)
}

#[tokio::test(flavor = "multi_thread")]
async fn forgotten_versions_end_watches_time_and_again() {
    let ground = Ground::new("gone").await;
    let version = ground.config("one").await.metadata.resource_version.unwrap();
    let mut running = ground.watch(Some(&version)).await.unwrap();
    ground.config("two").await;
    assert_eq!(told(&mut running).await, "two");
    ground.interposer.begin(Interference::WatchesGone);
    assert!(is_gone(&mut running).await);
    assert!(next(&mut running).await.unwrap().is_none(), "the error is the last that is said");

    let mut resumed = ground.watch(Some(&version)).await.unwrap();
    assert!(is_gone(&mut resumed).await);

    let began = Instant::now();
    let mut fresh = ground.watch(None).await.unwrap();
    assert_eq!((told(&mut fresh).await, told(&mut fresh).await), ("one".to_owned(), "two".to_owned()));
    assert!(is_gone(&mut fresh).await);
    assert!(began.elapsed() >= Duration::from_secs(3), "{:?}", began.elapsed());

    ground.interposer.end(Interference::WatchesGone);
    let mut resumed = ground.watch(Some(&version)).await.unwrap();
    assert_eq!(told(&mut resumed).await, "two");
    assert_eq!(ground.interposer.counts().gone, 0, "the API server itself forgot nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn starts_are_refused_as_gone() {
    let ground = Ground::new("gone-starts").await;
    let mut running = ground.watch(None).await.unwrap();
    ground.interposer.begin(Interference::WatchStartsGone);
    assert!(is_gone(&mut running).await);
    for from in [None, Some("1")] {
        match ground.watch(from).await {
            Err(kube::Error::Api(status)) => assert!(status.code == 410 && status.reason == "Expired"),
            Err(error) => panic!("{error}"),
            Ok(_) => panic!("it starts"),
        }
    }
    ground.interposer.end(Interference::WatchStartsGone);
    drop(ground.watch(None).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn closed_watches_end_in_peace() {
    let ground = Ground::new("closed-watch").await;
    ground.interposer.begin(Interference::WatchesClosed);
    for _ in 0..2 {
        let began = Instant::now();
        let mut short = ground.watch(None).await.unwrap();
        assert!(next(&mut short).await.unwrap().is_none());
        assert!(began.elapsed() >= Duration::from_secs(2), "{:?}", began.elapsed());
    }
    ground.interposer.end(Interference::WatchesClosed);
}

/// Larger than a piece of the stream: an end that is due waits for the end of the event.
#[tokio::test(flavor = "multi_thread")]
async fn no_event_is_torn_by_an_end_in_peace() {
    let ground = Ground::new("large").await;
    ground.interposer.begin(Interference::WatchesClosed);
    let api: kube::Api<ConfigMap> = kube::Api::namespaced(ground.admin.clone(), &ground.namespace);
    let large = "x".repeat(700_000);
    let config =
        serde_json::from_value(serde_json::json!({"metadata": {"name": "large"}, "data": {"a": large}}));
    api.create(&Default::default(), &config.unwrap()).await.unwrap();
    let writer = tokio::spawn(async move {
        loop {
            let patch =
                kube::api::Patch::Merge(serde_json::json!({"data": {"b": format!("{:?}", Instant::now())}}));
            api.patch("large", &Default::default(), &patch).await.unwrap();
        }
    });
    let path = format!("/api/v1/namespaces/{}/configmaps?watch=1&resourceVersion=0", ground.namespace);
    for _ in 0..3 {
        // Undecoded: a kube client takes a torn event for the end.
        let request = hyper::Request::get(&path).body(Vec::new()).unwrap();
        let told = timeout(SOON, ground.client.request_text(request)).await.unwrap().unwrap();
        assert!(told.lines().count() > 3 && told.ends_with('\n'), "{} events", told.lines().count());
        for event in told.lines() {
            serde_json::from_str::<serde_json::Value>(event).unwrap();
        }
    }
    writer.abort();
}

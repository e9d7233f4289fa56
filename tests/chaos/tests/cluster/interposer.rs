//! What befalls requests, answers and connections.

use crate::ground::{Ground, SOON, control_plane, next, told};
use chaos::cluster::interposer::{Interference, WriteKind};
use kube::api::{PostParams, WatchEvent};
use serde_json::{Value, json};
use std::error::Error;
use std::io;
use std::time::{Duration, Instant};
use tokio::time::timeout;

const SHORT: Duration = Duration::from_millis(300);

/// The kinds of the io errors that caused this one.
fn io_kinds(error: &(dyn Error + 'static)) -> Vec<io::ErrorKind> {
    let causes = std::iter::successors(Some(error), |&cause| cause.source());
    causes.filter_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_befalls_anybody_unasked() {
    let ground = Ground::new("calm").await;
    let mut watch = ground.watch(None).await.unwrap();
    for name in ["one", "two"] {
        ground.config(name).await;
        // Each event at once: nothing waits for the next.
        assert_eq!(told(&mut watch).await, name);
        ground.configs().get(name).await.unwrap();
    }
    ground.quota().await;
    ground.write_status("1").await.unwrap();
    let counts = ground.interposer.counts();
    assert_eq!((counts.requests, counts.watches, counts.status_writes, counts.event_writes), (4, 1, 1, 0));
    assert_eq!(counts.gone, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_requests_come_later() {
    let ground = Ground::new("slow").await;
    ground.config("one").await;
    ground.configs().get("one").await.unwrap();
    let slow = Interference::Slow(Duration::from_millis(700));
    ground.interposer.begin(slow);
    let asked = Instant::now();
    ground.configs().get("one").await.unwrap();
    assert!(asked.elapsed() >= Duration::from_millis(700), "{:?}", asked.elapsed());
    ground.interposer.end(slow);
    timeout(Duration::from_millis(600), ground.configs().get("one")).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_frozen_stands_still_and_then_goes_on() {
    let ground = Ground::new("frozen").await;
    let mut watch = ground.watch(None).await.unwrap();
    ground.config("one").await;
    assert_eq!(told(&mut watch).await, "one");
    ground.interposer.begin(Interference::Frozen);
    ground.config("two").await;
    let asking = tokio::spawn({
        let configs = ground.configs();
        async move { configs.get("two").await }
    });
    let (client, namespace) = (ground.client.clone(), ground.namespace.clone());
    let writing = tokio::spawn(async move {
        let api: kube::Api<k8s_openapi::api::core::v1::ConfigMap> = kube::Api::namespaced(client, &namespace);
        let config = serde_json::from_value(json!({"metadata": {"name": "three"}})).unwrap();
        api.create(&PostParams::default(), &config).await
    });
    assert!(timeout(3 * SHORT, next(&mut watch)).await.is_err(), "a watch tells something");
    assert!(!asking.is_finished() && !writing.is_finished(), "a request is answered");
    assert_eq!(ground.count_configs().await, 2, "a write went through");
    ground.interposer.end(Interference::Frozen);
    assert_eq!(told(&mut watch).await, "two");
    timeout(SOON, asking).await.unwrap().unwrap().unwrap();
    timeout(SOON, writing).await.unwrap().unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_look_like_the_api_server_s() {
    let ground = Ground::new("refused").await;
    ground.config("one").await;
    ground.quota().await;
    for (code, reason) in [(429, "TooManyRequests"), (503, "ServiceUnavailable")] {
        let refuses = Interference::Refuses { code, only_writes: false };
        ground.interposer.begin(refuses);
        for error in [
            ground.configs().get("one").await.unwrap_err(),
            ground.write_status("1").await.unwrap_err(),
            ground.watch(None).await.err().unwrap(),
        ] {
            let kube::Error::Api(status) = error else { panic!("{error}") };
            assert_eq!((status.code, status.reason.as_str()), (code, reason));
        }
        ground.interposer.end(refuses);

        let refuses = Interference::Refuses { code, only_writes: true };
        ground.interposer.begin(refuses);
        ground.configs().get("one").await.unwrap();
        let kube::Error::Api(status) = ground.write_status("1").await.unwrap_err() else { panic!() };
        assert_eq!(status.code, code);
        assert_eq!(ground.status().await, None);
        ground.interposer.end(refuses);
    }
    ground.write_status("2").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_429_says_when_to_come_back_in_both_versions_of_http() {
    let ground = Ground::new("retry-after").await;
    let url = format!("{}/api/v1/namespaces", ground.interposer.url());
    let answer = ground.http().build().unwrap().get(&url).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.version()), (403, reqwest::Version::HTTP_2));
    let http = ground.http().http1_only().build().unwrap();
    let answer = http.get(&url).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.version()), (403, reqwest::Version::HTTP_11));
    ground.interposer.begin(Interference::Refuses { code: 429, only_writes: false });
    let answer = http.get(&url).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), &answer.headers()["retry-after"]), (429, &"1".parse().unwrap()));
    assert_eq!(answer.json::<Value>().await.unwrap()["kind"], "Status");
}

/// kube's client speaks HTTP/1.1 only.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_goaway_what_runs_goes_on_and_what_is_new_connects_anew() {
    let ground = Ground::new("goaway").await;
    ground.config("one").await;
    let http = ground.http().build().unwrap();
    let get = |query: &str| {
        let path = format!("/api/v1/namespaces/{}/configmaps{query}", ground.namespace);
        http.get(format!("{}{path}", ground.interposer.url())).bearer_auth(ground.admin_token()).send()
    };
    let mut watch = get("?watch=1&resourceVersion=0").await.unwrap();
    assert_eq!(watch.version(), reqwest::Version::HTTP_2);
    let connections = || ground.interposer.counts().connections;
    for _ in 0..10 {
        assert_eq!(get("/one").await.unwrap().status(), 200);
    }
    assert_eq!(connections(), 1);
    ground.interposer.begin(Interference::GoAway);
    let began = Instant::now();
    while connections() < 3 {
        assert!(began.elapsed() < SOON, "{} connections", connections());
        assert_eq!(get("/one").await.unwrap().status(), 200);
    }
    ground.config("two").await;
    let mut told = String::new();
    while !told.contains("\"two\"") {
        let piece = timeout(SOON, watch.chunk()).await.unwrap().unwrap().unwrap();
        told += &String::from_utf8_lossy(&piece);
    }
    ground.interposer.end(Interference::GoAway);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_of_http_1_close_instead() {
    let ground = Ground::new("close").await;
    let http = ground.http().http1_only().build().unwrap();
    let url = format!("{}/version", ground.interposer.url());
    let get = || async { http.get(&url).send().await?.bytes().await };
    let connections = || ground.interposer.counts().connections;
    let (mut began, mut answered) = (Instant::now(), 0);
    while answered < 20 {
        assert!(began.elapsed() < SOON, "{answered} answers");
        // Where the API server is too busy to answer, a connection breaks also unasked.
        answered += i32::from(get().await.is_ok());
    }
    let steady = connections();
    ground.interposer.begin(Interference::GoAway);
    began = Instant::now();
    while connections() < steady + 3 {
        assert!(began.elapsed() < SOON, "{} connections", connections());
        // A request that is on its way to a connection that closes has no answer.
        let _ = get().await;
    }
    ground.interposer.end(Interference::GoAway);
}

#[tokio::test(flavor = "multi_thread")]
async fn reset_connections_take_all_with_them() {
    let ground = Ground::new("reset").await;
    let mut watch = ground.watch(None).await.unwrap();
    ground.interposer.begin(Interference::Resets);
    let error = next(&mut watch).await.unwrap_err();
    assert!(io_kinds(&error).contains(&io::ErrorKind::ConnectionReset), "{error:?}");
    ground.config("one").await;
    ground.interposer.end(Interference::Resets);
    ground.until_answered("one").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_other_answer_is_cut() {
    let ground = Ground::new("cut").await;
    ground.config("one").await;
    ground.interposer.begin(Interference::CutsAnswers);
    let mut whole = Vec::new();
    for _ in 0..6 {
        whole.push(timeout(SOON, ground.configs().get("one")).await.unwrap().is_ok());
    }
    assert_eq!(whole, [false, true, false, true, false, true]);

    // To a client, a watch that breaks off may look like one that ends.
    let mut watch = ground.watch(None).await.unwrap();
    assert_eq!(told(&mut watch).await, "one");
    let began = Instant::now();
    for number in 0.. {
        let name = format!("more-{number}");
        ground.config(&name).await;
        match next(&mut watch).await {
            Ok(Some(event)) => assert!(matches!(event, WatchEvent::Added(_)), "{event:?}"),
            Ok(None) | Err(_) => break,
        }
        assert!(began.elapsed() < SOON);
    }
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
    ground.interposer.end(Interference::CutsAnswers);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_that_of_a_write_that_was_carried_out() {
    let ground = Ground::new("lost").await;
    ground.quota().await;
    ground.interposer.begin(Interference::LosesAnswers);
    for (number, arrives) in [("1", false), ("2", true), ("3", false)] {
        let answer = timeout(SOON, ground.write_status(number)).await.unwrap();
        assert_eq!(answer.is_ok(), arrives, "{answer:?}");
        assert_eq!(ground.status().await.as_deref(), Some(number));
        if let Err(error) = answer {
            assert!(io_kinds(&error).contains(&io::ErrorKind::ConnectionReset), "{error:?}");
        }
    }
    ground.interposer.end(Interference::LosesAnswers);
    ground.write_status("4").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_nth_write_is_held_on_either_side() {
    let ground = Ground::new("strike").await;
    ground.quota().await;
    for (before, passed, seen) in [(true, "1", "1"), (false, "3", "4")] {
        let mut strike = ground.interposer.strike(1, before);
        ground.write_status(passed).await.unwrap();
        let next = if before { "2" } else { "4" };
        let mut writing = Box::pin(ground.write_status(next));
        let write = tokio::select! {
            write = strike.held() => write.unwrap(),
            answer = &mut writing => panic!("it was answered: {answer:?}"),
        };
        assert_eq!(write.kind, WriteKind::Status);
        assert!(write.path.ends_with("/resourcequotas/quota/status"), "{}", write.path);
        assert!(timeout(SHORT, writing).await.is_err(), "it is answered");
        assert_eq!(ground.status().await.as_deref(), Some(seen), "before: {before}");
    }
    let strike = ground.interposer.strike(0, true);
    drop(strike);
    ground.write_status("5").await.unwrap();
    let mut first = ground.interposer.strike(0, true);
    let second = ground.interposer.strike(1, true);
    assert_eq!(first.held().await, None, "another took its place");
    ground.write_status("6").await.unwrap();
    drop(second);
    ground.write_status("7").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_port_refuses_and_opens_again() {
    let ground = Ground::new("closed").await;
    ground.config("one").await;
    let mut watch = ground.watch(None).await.unwrap();
    assert_eq!(told(&mut watch).await, "one");
    for _ in 0..2 {
        ground.interposer.set_open(false);
        let began = Instant::now();
        // The reset comes a little later than the call.
        loop {
            let error = ground.configs().get("one").await.unwrap_err();
            if io_kinds(&error).contains(&io::ErrorKind::ConnectionRefused) {
                break;
            }
            assert!(began.elapsed() < SOON, "{error:?}");
        }
        ground.interposer.set_open(true);
        ground.until_answered("one").await;
    }
    let error = next(&mut watch).await.unwrap_err();
    assert!(io_kinds(&error).contains(&io::ErrorKind::ConnectionReset), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_stays_who_asks() {
    let ground = Ground::new("identity").await;
    ground.config("one").await;
    ground.configs().get("one").await.unwrap();
    let events = control_plane().await.audit_events().unwrap();
    let asked = |event: &&_| -> bool {
        let event: &test_support::control_plane::audit::AuditEvent = event;
        event.namespace == ground.namespace && event.verb == "get"
    };
    let users: Vec<_> = events.iter().filter(asked).map(|event| event.user.as_str()).collect();
    assert_eq!(users, ["admin"]);
}

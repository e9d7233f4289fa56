//! Certificates, garbage and outages.

#![allow(clippy::unwrap_used, clippy::panic, reason = "the lints know tests, but not their helper functions")]

mod harness;

use std::error::Error;

use clickup_simulator::{Options, Simulator};
use harness::*;
use reqwest::Certificate;

/// The chain of an error's causes.
fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

fn trusting(pem: &str) -> reqwest::Client {
    clickup_simulator::install_crypto_provider();
    let ca = Certificate::from_pem(pem.as_bytes()).unwrap();
    reqwest::Client::builder().no_proxy().tls_certs_only([ca]).timeout(PATIENCE).build().unwrap()
}

#[tokio::test]
async fn only_the_good_certificate_is_accepted() {
    let tls = simulator().endpoints().tls.as_ref().unwrap();
    let pem = control().ca_pem().await.unwrap();
    assert_eq!(Some(pem.as_str()), simulator().ca_pem());
    let client = trusting(&pem);
    let token = account().await.token.value;
    let ask = |origin: &str| {
        let request = client.get(format!("{origin}/api/v2/user")).header("authorization", &token);
        request.send()
    };
    assert_eq!(ask(&tls.good).await.unwrap().status(), 200);
    let local = tls.good.replace("127.0.0.1", "localhost");
    assert_eq!(ask(&local).await.unwrap().status(), 200);
    let cases = [
        (&tls.wrong_host, "NotValidForName"),
        (&tls.expired, "Expired"),
        (&tls.unknown_ca, "UnknownIssuer"),
        (&tls.self_signed, "UnknownIssuer"),
    ];
    for (origin, expected) in cases {
        let error = causes(&ask(origin).await.unwrap_err());
        let simple = |text: &str| text.to_lowercase().replace([' ', '_', '-'], "");
        assert!(simple(&error).contains(&simple(expected)), "{origin}: {error}");
    }
}

#[tokio::test]
async fn faults_reach_through_tls() {
    let account = account().await;
    let good = &simulator().endpoints().tls.as_ref().unwrap().good;
    let client = trusting(simulator().ca_pem().unwrap());
    let fault = clickup_simulator::Fault::for_token(&account.token.name);
    for fault in [fault.clone().reset(), fault.clone().truncated(3), fault.clone().garbage()] {
        control().add_fault(fault.times(1)).await.unwrap();
        let request = client.get(format!("{good}/api/v2/user")).header("authorization", &account.token.value);
        let outcome = async { request.send().await?.text().await }.await;
        assert!(outcome.is_err(), "{outcome:?}");
    }
}

#[tokio::test]
async fn garbage_is_neither_http_nor_tls() {
    let garbage = &simulator().endpoints().garbage;
    let client = trusting(simulator().ca_pem().unwrap());
    for origin in [garbage.clone(), garbage.replace("http:", "https:")] {
        let error = client.get(&origin).send().await.unwrap_err();
        assert!(!error.is_timeout(), "{}", causes(&error));
    }
}

#[tokio::test]
async fn an_outage_refuses_connections_and_ends_on_the_same_port() {
    let simulator = Simulator::start(Options::default()).await.unwrap();
    let control = simulator.client().unwrap();
    let token = control.add_account("Acme").await.unwrap().token;
    let client = http();
    let url = format!("{}/v2/user", simulator.clickup_url());
    let ask = || client.get(&url).header("authorization", &token.value).send();
    assert_eq!(ask().await.unwrap().status(), 200);
    for _ in 0..3 {
        control.set_up(false).await.unwrap();
        control.set_up(false).await.unwrap();
        let error = causes(&ask().await.unwrap_err());
        assert!(error.contains("refused"), "{error}");
        control.set_up(true).await.unwrap();
        control.set_up(true).await.unwrap();
        assert_eq!(ask().await.unwrap().status(), 200);
    }
    assert_eq!(
        control.requests(&token.name, "/v2/user").await.unwrap(),
        4,
        "nothing was lost with the outage"
    );
}

#[tokio::test]
async fn an_outage_cuts_what_is_being_answered() {
    let simulator = Simulator::start(Options::default()).await.unwrap();
    let control = simulator.client().unwrap();
    let token = control.add_account("Acme").await.unwrap().token;
    let fault = clickup_simulator::Fault::for_token(&token.name).delay(PATIENCE * 100);
    control.add_fault(fault).await.unwrap();
    let url = format!("{}/v2/user", simulator.clickup_url());
    let asking = tokio::spawn(http().get(url).header("authorization", &token.value).send());
    let in_flight = || async { control.token(&token.name).await.unwrap().in_flight };
    eventually("the request arrives", in_flight, |requests| *requests == 1).await;
    control.set_up(false).await.unwrap();
    assert!(asking.await.unwrap().is_err());
    assert_eq!(in_flight().await, 0);
}

#[tokio::test]
async fn a_dropped_simulator_is_gone() {
    let simulators = [
        Simulator::start(Options::default()).await.unwrap(),
        Simulator::start_on_own_thread(Options::default()).unwrap(),
    ];
    for simulator in simulators {
        let url = simulator.clickup_url().to_owned();
        assert!(http().get(&url).send().await.is_ok());
        drop(simulator);
        let refused = || async { http().get(&url).send().await.is_err_and(|error| error.is_connect()) };
        eventually("connections are refused", refused, |refused| *refused).await;
    }
}

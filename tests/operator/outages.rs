//! ClickUp cannot be asked, limits the rate, or says no once.

use crate::case;
use clickup_simulator::fault::Fault;
use serde_json::json;
use std::time::{Duration, Instant};
use test_support::case::{is, message};

#[tokio::test(flavor = "multi_thread")]
async fn not_being_able_to_ask_is_not_a_no() {
    let case = case("outage").await;
    let fault = || Fault::for_token("");
    let rows = [
        ("server-error", fault().error(503, "", "down"), "ServerError"),
        ("html", fault().html(502), "ServerError"),
        ("portal", fault().html(200), "UnexpectedResponse"),
        ("garbage", fault().garbage(), "UnexpectedResponse"),
        ("truncated", fault().truncated(20), "UnexpectedResponse"),
        ("redirect", fault().redirect(302, "/elsewhere"), "UnexpectedResponse"),
        ("reset", fault().reset(), "ConnectFailed"),
        ("refused", fault().error(403, "", "no"), "RequestRefused"),
        ("no-header", fault().error(400, "OAUTH_017", "Authorization header required"), "RequestRefused"),
        ("slow", fault().delay(Duration::from_secs(30)), "TimedOut"),
    ];
    for (name, fault, _) in &rows {
        let account = case.verified(name, json!({"timeout": "1s"})).await;
        let fault = Fault { token: Some(account.token.name.clone()), ..fault.clone() };
        case.clickup.add_fault(fault.on("/v2/user")).await.unwrap();
        case.annotate(name, "1").await;
    }
    for (name, _, reason) in &rows {
        let object = case.until_handled(name, "1").await;
        let status = &object["status"];
        assert_eq!(
            (is(status, "Ready"), is(status, "Reachable")),
            (("True", "Verified"), ("False", *reason)),
            "{name}"
        );
        assert_eq!(is(status, "Authenticated"), ("True", "TokenAccepted"), "{name}");
        assert!(status["user"]["id"].is_string(), "{name}: what is known stays known");
    }
    // And back, by itself: the first retries come after 5 to 10 s.
    let faults = case.clickup.faults(None).await.unwrap();
    assert!(faults.len() >= rows.len());
    for (name, ..) in &rows {
        let object = case.get(name).await;
        let user = object["status"]["user"]["id"].as_str().unwrap().to_owned();
        for fault in faults.iter().filter(|f| f.fault.token.as_deref().is_some_and(|t| t.contains(&user))) {
            case.clickup.remove_fault(fault.id).await.unwrap();
        }
    }
    for (name, ..) in &rows {
        case.until(name, "reached again", |s| is(s, "Reachable").0 == "True").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_never_verified_has_no_grace() {
    let case = case("no-grace").await;
    let account = case.account().await;
    case.clickup.add_fault(Fault::for_token(&account.token.name).error(500, "", "down")).await.unwrap();
    case.secret("bot", &account.token.value).await;
    case.connection("bot", json!({})).await;
    let object = case.until_ready("bot", "Unknown", "ServerError").await;
    assert_eq!(is(&object["status"], "Authenticated"), ("Unknown", "NotChecked"));
    assert_eq!(is(&object["status"], "Reconciling"), ("True", "ServerError"));
    assert_eq!(object["status"]["observedGeneration"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_grace_period_ends() {
    let case = case("grace").await;
    let account = case.verified("bot", json!({"outageGracePeriod": "4s"})).await;
    case.clickup.add_fault(Fault::for_token(&account.token.name).error(500, "", "down")).await.unwrap();
    case.annotate("bot", "1").await;
    case.until("bot", "unreachable and ready", |s| {
        is(s, "Reachable").0 == "False" && is(s, "Ready").0 == "True"
    })
    .await;
    let object = case.until_ready("bot", "Unknown", "ServerError").await;
    assert_eq!(is(&object["status"], "WorkspacesResolved"), ("True", "WorkspacesFound"));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_between_a_429_and_its_reset() {
    let case = case("limited").await;
    let account = case.verified("bot", json!({})).await;
    let limited =
        Fault::for_token(&account.token.name).times(1).rate_limited().set_header("retry-after", "4");
    case.clickup.add_fault(limited).await.unwrap();
    let asked = Instant::now();
    case.annotate("bot", "1").await;
    let object = case.until("bot", "limited", |s| is(s, "RateLimited").0 == "True").await;
    assert_eq!(is(&object["status"], "Ready"), ("True", "Verified"));
    assert_eq!(is(&object["status"], "Reachable"), ("False", "RateLimited"));
    assert!(message(&object["status"], "RateLimited").contains("limit"));
    let sent = case.clickup.requests(&account.token.name, "/v2/user").await.unwrap();
    case.annotate("bot", "2").await;
    let object = case.until_handled("bot", "2").await;
    assert!(asked.elapsed() >= Duration::from_secs(4), "{:?}", asked.elapsed());
    assert_eq!(case.clickup.requests(&account.token.name, "/v2/user").await.unwrap(), sent + 1);
    assert_eq!(is(&object["status"], "RateLimited"), ("", ""));
    assert_eq!(is(&object["status"], "Reachable").0, "True");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_token_is_called_dead_only_the_second_time() {
    let case = case("regenerated").await;
    let account = case.verified("bot", json!({})).await;
    let new = case.clickup.regenerate(&account.token.name).await.unwrap();
    let asked = Instant::now();
    case.annotate("bot", "1").await;
    case.clickup
        .wait_for_requests(&account.token.name, "/v2/user", 2, Duration::from_secs(10))
        .await
        .unwrap();
    assert_eq!(is(&case.get("bot").await["status"], "Ready"), ("True", "Verified"));
    let object = case.until_ready("bot", "False", "TokenRejected").await;
    assert!(asked.elapsed() >= Duration::from_secs(10), "{:?}", asked.elapsed());
    assert_eq!(object["status"]["lastHandledReconcileAt"], "1");
    assert!(object["status"]["user"].is_null());
    let edited = Instant::now();
    case.secret("bot", &new.value).await;
    case.until_ready("bot", "True", "Verified").await;
    eprintln!("Secret edit to Ready: {:?}", edited.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_mistaken_rejection_changes_nothing() {
    let case = case("mistaken").await;
    let account = case.verified("bot", json!({})).await;
    let mistake = Fault::for_token(&account.token.name).on("/v2/user").times(1).error(
        401,
        "OAUTH_025",
        "Token invalid",
    );
    case.clickup.add_fault(mistake).await.unwrap();
    let writes = case.status_writes();
    case.annotate("bot", "1").await;
    let object = case.until_handled("bot", "1").await;
    assert_eq!(is(&object["status"], "Ready"), ("True", "Verified"));
    assert_eq!(case.status_writes(), writes + 1, "the acknowledgement");
}

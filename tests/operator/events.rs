//! Events: on transitions of Ready, none for a first check that succeeds.

use crate::case;
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use serde_json::json;
use test_support::case::{Case, SOON};
use test_support::wait;

/// What became of the Events of a test.
trait Events {
    async fn until_event(&self, reason: &str, times: i32) -> Event;
    async fn events(&self) -> Vec<String>;
}

impl Events for Case<'_> {
    /// Waits for an Event with this reason, seen so often.
    async fn until_event(&self, reason: &str, times: i32) -> Event {
        let api: Api<Event> = Api::namespaced(self.client.clone(), &self.namespace);
        wait::until(SOON, format!("the Event {reason}, {times} times"), || async {
            let events = api.list(&Default::default()).await.map_err(|e| e.to_string())?.items;
            let seen = |e: &Event| e.series.as_ref().map_or(1, |s| s.count);
            let found = events.iter().find(|e| e.reason.as_deref() == Some(reason) && seen(e) == times);
            found.cloned().ok_or_else(|| {
                format!("{:?}", events.iter().map(|e| (e.reason.clone(), seen(e))).collect::<Vec<_>>())
            })
        })
        .await
        .unwrap_or_else(|e| panic!("{e}"))
    }

    /// The reasons of all Events so far.
    async fn events(&self) -> Vec<String> {
        let api: Api<Event> = Api::namespaced(self.client.clone(), &self.namespace);
        api.list(&Default::default()).await.unwrap().items.into_iter().filter_map(|e| e.reason).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn transitions_are_told_once() {
    let case = case("events").await;
    let account = case.verified("bot", json!({})).await;
    assert_eq!(case.events().await, [""; 0], "that a first check succeeds is no news");
    case.no_secret("bot").await;
    let event = case.until_event("SecretNotFound", 1).await;
    assert_eq!(event.type_.as_deref(), Some("Warning"));
    assert_eq!(event.regarding.as_ref().and_then(|r| r.name.as_deref()), Some("bot"));
    assert_eq!(event.reporting_controller.as_deref(), Some("clickup-operator"));
    case.secret("bot", &account.token.value).await;
    assert_eq!(case.until_event("Verified", 1).await.type_.as_deref(), Some("Normal"));
    case.no_secret("bot").await;
    case.until_event("SecretNotFound", 2).await;
    // A retry is no transition.
    case.annotate("bot", "1").await;
    case.until_handled("bot", "1").await;
    case.secret("bot", &account.token.value).await;
    case.until_event("Verified", 2).await;
    assert_eq!(case.events().await.len(), 2, "the same again is a series");
}

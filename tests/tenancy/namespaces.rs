//! Single namespaces: some are not there yet, or refuse the operator, and that is their own matter.

use crate::ground::{Account, GET_SECRETS, WATCH_SECRETS, case, ground, rights};
use futures::{StreamExt, stream};
use k8s_openapi::api::{core::v1::Namespace, events::v1::Event};
use kube::Api;
use serde_json::{Value, json};
use test_support::{
    case::{Case, SOON},
    wait,
};

/// Waits for the Event with this reason about the connection, and returns it.
async fn until_event(case: &Case<'_>, reason: &str, about: &str) -> Event {
    let about_it = |event: &Event| {
        let regarding = event.regarding.as_ref().and_then(|r| r.name.as_deref());
        event.reason.as_deref() == Some(reason) && regarding == Some(about)
    };
    let found = wait::until(SOON, format!("the Event {reason} of {about}"), || async {
        let events = case.published_events().await;
        let mut found = events.iter().filter(|e| about_it(e));
        match (found.next(), found.next()) {
            (Some(event), None) => Ok(event.clone()),
            _ => Err(format!("{:?}", events.iter().map(|e| e.reason.clone()).collect::<Vec<_>>())),
        }
    });
    found.await.unwrap_or_else(|e| panic!("{e}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_refused_is_told_of_once_and_joins_when_it_may() {
    let (own, account) = (case("mine").await, Account::new("mine").await);
    let (closed, unwatched) =
        (own.beside("closed", json!({})).await, own.beside("unwatched", json!({})).await);
    let later = format!("{}-later", own.namespace);
    let granted = rights(&[GET_SECRETS, WATCH_SECRETS]);
    account.may_in(&own.namespace, &granted).await;
    // There before the operator: no connection there may be seen before its namespace is.
    closed.secret("lent", &closed.account().await.token.value).await;
    closed.connection("lent", json!({"sharing": {"scope": "Cluster"}})).await;
    closed.connection("beside", json!({"connectionRef": closed.reference("lent")})).await;
    let watch = format!("--watch-namespaces={},{},{later}", closed.namespace, own.namespace);
    let running = account.operator(&[&watch]).await;
    own.verified("bot", json!({"sharing": {"scope": "Cluster"}})).await;
    unwatched.connection("lent", json!({"sharing": {"scope": "Cluster"}})).await;
    for (name, to) in [("far", unwatched.reference("lent")), ("soon", closed.reference("lent"))] {
        own.connection(name, json!({"connectionRef": to})).await;
        own.until_ready(name, "False", "ConnectionNotShared").await;
    }
    let refused = |namespace: &str| {
        let text = format!("\"scope\":\"namespace {namespace}\"");
        running.process.process().log().lines().filter(|l| l.contains(&text) && l.contains("WARN")).count()
    };
    let tried = || async {
        let requests = account.requests().await;
        let of = |namespace: &str| {
            requests.iter().filter(|e| e.namespace == namespace && e.code == Some(403)).count()
        };
        let counts = [of(&closed.namespace), of(&later)];
        if counts.iter().all(|n| *n >= 3) { Ok(()) } else { Err(format!("{counts:?}")) }
    };
    wait::until(SOON, "both to be tried again and again", tried).await.unwrap();
    assert_eq!([refused(&closed.namespace), refused(&later), refused(&own.namespace)], [1, 1, 0]);
    running.process.readyz().await.unwrap();

    let writes_of = |case: &Case<'_>, name: &str| {
        let events = case.control_plane.audit_events().unwrap();
        let of_it = events.iter().filter(|e| e.namespace == case.namespace && e.name == name);
        of_it.filter(|e| e.subresource == "status").count()
    };
    let writes = [writes_of(&own, "bot"), writes_of(&own, "far")];
    account.may_in(&closed.namespace, &granted).await;
    for (case, name) in [(&closed, "lent"), (&closed, "beside"), (&own, "soon")] {
        case.until_ready(name, "True", "Verified").await;
    }
    // Secrets of the one that came late are watched.
    closed.no_secret("lent").await;
    closed.until_ready("lent", "False", "SecretNotFound").await;
    closed.until_ready("beside", "False", "ConnectionNotReady").await;
    until_event(&closed, "ConnectionNotReady", "beside").await;
    let events = closed.published_events().await;
    let missed = events.iter().any(|e| e.reason.as_deref() == Some("ConnectionNotShared"));
    assert!(!missed, "a reference within its own namespace never misses its owner: {events:?}");
    let after = [writes_of(&own, "bot"), writes_of(&own, "far")];
    assert_eq!(after, writes, "the list of one namespace changes nothing in another");

    let namespaces: Api<Namespace> = Api::all(own.client.clone());
    let namespace = serde_json::from_value(json!({"metadata": {"name": later}})).unwrap();
    namespaces.create(&Default::default(), &namespace).await.unwrap();
    account.may_in(&later, &granted).await;
    let ground = ground().await;
    let late = Case::in_namespace(later, &ground.control_plane, &ground.simulator).await;
    late.verified("bot", json!({})).await;
    late.connection("borrowed", json!({"connectionRef": own.reference("bot")})).await;
    late.until_ready("borrowed", "True", "Verified").await;
    own.annotate("bot", "1").await;
    own.until_handled("bot", "1").await;
    let requests = account.requests().await;
    assert!(requests.iter().all(|e| e.namespace != unwatched.namespace && !e.namespace.is_empty()));
    assert!(unwatched.get("lent").await["status"]["conditions"].is_null());
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_select_none_and_the_owner_is_told_once() {
    let (own, account) = (case("labels").await, Account::new("labels").await);
    let user = own.beside("labels-user", json!({"team": "labels"})).await;
    for case in [&own, &user] {
        account.may_in(&case.namespace, &rights(&[GET_SECRETS, WATCH_SECRETS])).await;
    }
    let watch = format!("--watch-namespaces={},{}", own.namespace, user.namespace);
    let running = account.operator(&[&watch]).await;
    let sharing = |selector: Value| json!({"scope": "Namespaces", "namespaceSelector": selector});
    own.verified("bot", json!({"sharing": sharing(json!({"matchLabels": {"team": "labels"}}))})).await;
    own.verified("all", json!({"sharing": sharing(json!({}))})).await;
    for to in ["bot", "all"] {
        user.connection(to, json!({"connectionRef": own.reference(to)})).await;
        user.until_ready(to, "False", "ConnectionNotShared").await;
        let event = until_event(&own, "SelectorIgnored", to).await;
        assert!(event.note.unwrap().contains("list the namespaces in spec.sharing.namespaces"));
        until_event(&own, "SharingRefused", to).await;
    }
    // Passes, edits and checks do not repeat it.
    let mentions = json!({"spec": {"interval": "11m", "sharing": {"namespaces": [user.namespace]}}});
    own.edit("bot", mentions).await;
    user.until_ready("bot", "True", "Verified").await;
    own.annotate("bot", "1").await;
    own.until_handled("bot", "1").await;
    let event = until_event(&own, "SelectorIgnored", "bot").await;
    assert!(event.series.is_none(), "told again: {event:?}");
    running.stop().await;
}

/// Over one connection an API server lets 100 requests run at the same time, and watches do not end.
#[tokio::test(flavor = "multi_thread")]
async fn sixty_namespaces_are_watched_at_the_same_time() {
    const MANY: usize = 60;
    let (first, account) = (case("many").await, Account::new("many").await);
    let token = first.account().await.token.value;
    let (first, account, token) = (&first, &account, &token);
    let cases: Vec<_> = stream::iter(0..MANY)
        .map(async |n| {
            let case = first.beside(&format!("many-{n}"), json!({})).await;
            account.may_in(&case.namespace, &rights(&[GET_SECRETS, WATCH_SECRETS])).await;
            case
        })
        .buffered(8)
        .collect()
        .await;
    let names: Vec<_> = cases.iter().map(|case| case.namespace.as_str()).collect();
    let running = account.operator(&[&format!("--watch-namespaces={}", names.join(","))]).await;
    let check = async |case: &Case<'_>| {
        case.secret("bot", token).await;
        case.connection("bot", json!({})).await;
        case.until_ready("bot", "True", "Verified").await;
        case.no_secret("bot").await;
        case.until_ready("bot", "False", "SecretNotFound").await;
    };
    stream::iter(&cases).for_each_concurrent(8, check).await;
    running.process.healthz().await.unwrap();
    running.stop().await;
}

//! Sharing: who may use whose token, how soon a change of that is followed, and how little is told.

use crate::{OPERATOR, case};
use clickup_simulator::client::Account;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::time::Duration;
use test_support::{
    case::{Case, is, message},
    wait,
};

/// An owner `bot` in a namespace of its own, verified.
async fn owner(name: &str, sharing: Value) -> (Case<'static>, Account) {
    let case = case(name).await;
    let account = case.verified("bot", json!({"sharing": sharing})).await;
    (case, account)
}

/// A connection that uses the token of another.
async fn refer(case: &Case<'_>, name: &str, owner: &Case<'_>, of: &str, more: Value) {
    let mut spec = more;
    spec["connectionRef"] = owner.reference(of);
    case.connection(name, spec).await;
}

/// A status without times, and whatever else there is.
fn timeless(object: &Value) -> Value {
    let mut status = object["status"].clone();
    for condition in status["conditions"].as_array_mut().unwrap() {
        condition["lastTransitionTime"].take();
    }
    status
}

async fn until_shared(case: &Case<'_>, name: &str, shared: bool) -> Value {
    match shared {
        true => case.until_ready(name, "True", "Verified").await,
        false => case.until_ready(name, "False", "ConnectionNotShared").await,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_shared_with_whom_its_owner_says() {
    let own = case("scopes").await;
    let account = own.account().await;
    own.secret("token", &account.token.value).await;
    // Labels of its own: other tests select by others.
    let team = own.namespace.clone();
    let listed = own.beside("scopes-listed", json!({})).await;
    let selected = own.beside("scopes-selected", json!({"team": team, "stage": "prod"})).await;
    let other = own.beside("scopes-other", json!({"stage": "prod"})).await;
    let namespaces = [&own, &listed, &selected, &other];
    let names = json!([listed.namespace, "not-there"]);
    let labels = json!({"matchLabels": {"team": team}});
    let expressions = json!({"matchExpressions": [
        {"key": "team", "operator": "In", "values": [team, "x"]},
        {"key": "stage", "operator": "Exists"}]});
    let rows = [
        ("default", json!({}), [true, false, false, false]),
        ("private", json!({"scope": "Private"}), [true, false, false, false]),
        ("cluster", json!({"scope": "Cluster"}), [true, true, true, true]),
        ("listed", json!({"scope": "Namespaces", "namespaces": names}), [true, true, false, false]),
        ("labels", json!({"scope": "Namespaces", "namespaceSelector": labels}), [true, false, true, false]),
        (
            "expressions",
            json!({"scope": "Namespaces", "namespaceSelector": expressions}),
            [true, false, true, false],
        ),
        (
            "either",
            json!({"scope": "Namespaces", "namespaces": names, "namespaceSelector": labels}),
            [true, true, true, false],
        ),
        ("all", json!({"scope": "Namespaces", "namespaceSelector": {}}), [true, true, true, true]),
    ];
    for (name, sharing, _) in &rows {
        own.connection(name, json!({"tokenSecretRef": {"name": "token"}, "sharing": sharing})).await;
        for case in namespaces {
            refer(case, &format!("to-{name}"), &own, name, json!({})).await;
        }
    }
    for (name, _, shared) in &rows {
        for (case, shared) in namespaces.iter().zip(shared) {
            let object = until_shared(case, &format!("to-{name}"), *shared).await;
            let status = &object["status"];
            let workspace = json!({"id": account.workspace.to_string(), "name": own.namespace});
            match shared {
                // A sole workspace is the default, as it is for the owner.
                true => assert_eq!(status["defaultWorkspace"], workspace, "{name}"),
                false => assert_eq!(is(status, "TokenAvailable"), ("False", "ConnectionNotShared"), "{name}"),
            }
        }
    }
    // A namespace that gets the labels, and loses them.
    other.label(json!({"team": team})).await;
    for name in ["to-labels", "to-expressions", "to-either"] {
        until_shared(&other, name, true).await;
    }
    other.label(json!({"stage": null})).await;
    until_shared(&other, "to-expressions", false).await;
    other.label(json!({"team": "another"})).await;
    for name in ["to-labels", "to-either"] {
        until_shared(&other, name, false).await;
    }
    until_shared(&other, "to-all", true).await;
    // One check for all of them, for there is one token.
    assert_eq!(own.clickup.requests(&account.token.name, "/v2/user").await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_and_what_is_not_shared_look_the_same() {
    let (own, account) = owner("probed", json!({"scope": "Private"})).await;
    let suspended = json!({"tokenSecretRef": {"name": "bot"}, "suspend": true});
    own.connection("suspended", suspended).await;
    own.until_ready("suspended", "Unknown", "Suspended").await;
    own.connection("without", json!({"sharing": {"scope": "Namespaces", "namespaces": ["elsewhere"]}})).await;
    own.until_ready("without", "False", "SecretNotFound").await;
    let user = own.beside("prober", json!({})).await;
    // A chain: the one in the middle may use the token, and shares nothing on.
    own.connection("shared", json!({"tokenSecretRef": {"name": "bot"}, "sharing": {"scope": "Cluster"}}))
        .await;
    refer(&user, "middle", &own, "shared", json!({})).await;
    until_shared(&user, "middle", true).await;
    let nowhere = json!({"namespace": "there-is-no-such-namespace", "name": "bot"});
    let rows = [
        ("to-private", own.reference("bot")),
        ("to-suspended", own.reference("suspended")),
        ("to-one-without-secret", own.reference("without")),
        ("to-missing", own.reference("missing")),
        ("to-nowhere", nowhere),
        ("to-middle", user.reference("middle")),
        ("to-itself", user.reference("to-itself")),
    ];
    let more = json!({"defaultWorkspace": {"name": own.namespace}, "channel": {"name": "c"}, "minimumRole": "Guest"});
    for (name, reference) in &rows {
        let mut spec = more.clone();
        spec["connectionRef"] = reference.clone();
        user.connection(name, spec).await;
    }
    let mut statuses = Vec::new();
    for (name, _) in &rows {
        statuses.push(timeless(&until_shared(&user, name, false).await));
    }
    for ((name, _), status) in rows.iter().zip(&statuses) {
        assert_eq!(*status, statuses[0], "{name}");
    }
    let text = statuses[0].to_string();
    assert!(!text.contains(&own.namespace) && !text.contains("bot"), "{text}");
    // The same in the Events, names aside.
    let told = wait::until(Duration::from_secs(20), "an Event about each", || async {
        let events = user.published_events().await;
        let about = |name: &str| {
            let regards = |e: &&_| regarding(e) == name;
            events
                .iter()
                .filter(regards)
                .map(|e| (e.reason.clone(), e.note.clone(), e.type_.clone()))
                .collect()
        };
        let told: Vec<Vec<_>> = rows.iter().map(|(name, _)| about(name)).collect();
        if told.iter().all(|t| t.len() == 1) { Ok(told) } else { Err(format!("{told:?}")) }
    });
    let told = told.await.unwrap_or_else(|e| panic!("{e}"));
    assert!(told.iter().all(|t| *t == told[0]), "{told:?}");
    // That the one that was missing comes, and goes, changes nothing either.
    let writes = user.status_writes();
    own.connection("missing", json!({"tokenSecretRef": {"name": "bot"}})).await;
    own.until_ready("missing", "True", "Verified").await;
    own.no_connection("missing").await;
    own.edit("bot", json!({"spec": {"interval": "20m"}})).await;
    own.until("bot", "at its new generation", |s| s["observedGeneration"] == 2).await;
    refer(&user, "later", &own, "shared", json!({})).await;
    until_shared(&user, "later", true).await;
    // The audit log tells of a write a little after it was made.
    let counted = wait::until(Duration::from_secs(10), "the write in the audit log", || async {
        let counted = user.status_writes();
        if counted > writes { Ok(counted) } else { Err(format!("{counted}, as before")) }
    });
    assert_eq!(
        counted.await.unwrap_or_else(|e| panic!("{e}")),
        writes + 1,
        "that of the one that came later"
    );
    // Not even asking for a check tells; it is acknowledged, for the evaluation is complete.
    for (name, _) in &rows {
        user.annotate(name, "now").await;
    }
    for (name, _) in &rows {
        let object = user.until_handled(name, "now").await;
        let mut expected = statuses[0].clone();
        expected["lastHandledReconcileAt"] = json!("now");
        assert_eq!(timeless(&object), expected, "{name}");
    }
    assert_eq!(own.clickup.requests(&account.token.name, "/v2/user").await.unwrap(), 1);
}

fn regarding(event: &k8s_openapi::api::events::v1::Event) -> &str {
    event.regarding.as_ref().and_then(|r| r.name.as_deref()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_without_a_good_token_has_none_to_share() {
    let own = case("tokenless").await;
    let user = own.beside("tokenless-user", json!({})).await;
    own.connection("bot", json!({"sharing": {"scope": "Cluster"}})).await;
    refer(&user, "mine", &own, "bot", json!({"minimumRole": "Owner"})).await;
    let object = user.until_ready("mine", "False", "ConnectionNotReady").await;
    let status = &object["status"];
    assert_eq!(is(status, "TokenAvailable"), ("False", "ConnectionNotReady"));
    let said = message(status, "TokenAvailable");
    assert!(said.contains("ask its owner") && !said.contains("bot"), "{said}");
    // Whatever is wrong with the Secret is its owner's affair.
    for content in ["", "\"pk_1_QUOTED\"", "hunter2"] {
        own.secret("bot", content).await;
        own.until("bot", "malformed", |s| is(s, "TokenAvailable").1.starts_with("Token")).await;
        let object = user.until_ready("mine", "False", "ConnectionNotReady").await;
        assert_eq!(message(&object["status"], "TokenAvailable"), said);
        assert_eq!(
            is(&object["status"], "Stalled"),
            ("", ""),
            "an edit of what is read can help, but not this one's"
        );
    }
    own.secret("bot", "pk_1_NOBODYKNOWSTHIS").await;
    let object = user.until_ready("mine", "False", "TokenRejected").await;
    let said = message(&object["status"], "Authenticated");
    assert!(said.contains("ask its owner"), "{said}");
    assert_eq!(is(&object["status"], "TokenAvailable"), ("True", "TokenFound"));
    // An edit of the owner's Secret reaches who uses it.
    let first = own.account().await;
    own.secret("bot", &first.token.value).await;
    let object = user.until_ready("mine", "True", "Verified").await;
    assert_eq!(object["status"]["defaultWorkspace"]["id"], first.workspace.to_string());
    let second = own.account().await;
    own.secret("bot", &second.token.value).await;
    let its = |account: &Account| {
        let id = json!(account.workspace.to_string());
        move |s: &Value| s["defaultWorkspace"]["id"] == id && is(s, "Ready").0 == "True"
    };
    user.until("mine", "at the second token's workspace", its(&second)).await;
    // So does an edit of the reference, and the end of the Secret.
    own.secret("other", &first.token.value).await;
    own.edit("bot", json!({"spec": {"tokenSecretRef": {"name": "other"}}})).await;
    user.until("mine", "at the first token's workspace", its(&first)).await;
    own.no_secret("other").await;
    let object = user.until_ready("mine", "False", "ConnectionNotReady").await;
    assert!(object["status"]["workspaces"].is_null() && object["status"]["defaultWorkspace"].is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_type_of_the_token_is_its_owners() {
    let own = case("lent-kind").await;
    let user = own.beside("lent-kind-user", json!({})).await;
    let account = own.account().await;
    let oauth = own.clickup.add_token(clickup_simulator::state::Token::oauth(account.user)).await.unwrap();
    let label = json!({"labels": {"clickup-operator.dev/token-type": "OAuth"}});
    own.secret_with("bot", json!({"metadata": label, "stringData": {"access": oauth.value}})).await;
    let secret = json!({"name": "bot", "key": "access"});
    own.connection(
        "bot",
        json!({"tokenType": "OAuth", "tokenSecretRef": secret, "sharing": {"scope": "Cluster"}}),
    )
    .await;
    refer(&user, "mine", &own, "bot", json!({})).await;
    user.until_ready("mine", "True", "Verified").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_owner_suspends_who_uses_its_token() {
    let (own, account) = owner("paused", json!({"scope": "Cluster"})).await;
    let user = own.beside("paused-user", json!({})).await;
    refer(&user, "good", &own, "bot", json!({})).await;
    refer(&user, "bad", &own, "bot", json!({"requiredWorkspaces": [{"id": "404"}]})).await;
    refer(&user, "withdrawn", &own, "bot", json!({})).await;
    user.until_ready("good", "True", "Verified").await;
    user.until_ready("bad", "False", "WorkspaceNotFound").await;
    user.until_ready("withdrawn", "True", "Verified").await;
    own.edit("bot", json!({"spec": {"suspend": true}})).await;
    own.until("bot", "suspended", |s| s["observedGeneration"] == 2).await;
    let asked = own.clickup.requests(&account.token.name, "/v2/user").await.unwrap();
    own.clickup.revoke(&account.token.name).await.unwrap();
    own.secret("bot", "nonsense").await;
    user.annotate("good", "1").await;
    // Born under it; a connection that is treated after all these edits shows that they were seen.
    refer(&user, "born", &own, "bot", json!({"minimumRole": "Owner"})).await;
    let object = user.until_ready("born", "Unknown", "Suspended").await;
    let said = message(&object["status"], "Ready");
    assert!(said.contains("here or in the connection that spec.connectionRef names"), "{said}");
    assert_eq!(is(&object["status"], "TokenAvailable"), ("Unknown", "NotChecked"));
    let good = user.get("good").await;
    assert_eq!(is(&good["status"], "Ready"), ("True", "Verified"));
    assert!(good["status"]["lastHandledReconcileAt"].is_null(), "the annotation waits");
    assert_eq!(is(&user.get("bad").await["status"], "Ready"), ("False", "WorkspaceNotFound"));
    // An edit of the demand is not judged, but what it touches is void.
    user.edit("good", json!({"spec": {"requiredWorkspaces": [{"id": "404"}]}})).await;
    user.until_ready("good", "Unknown", "Suspended").await;
    // That it is shared no longer takes effect all the same.
    own.edit("bot", json!({"spec": {"sharing": {"scope": "Private"}}})).await;
    for name in ["good", "bad", "withdrawn", "born"] {
        until_shared(&user, name, false).await;
    }
    own.edit("bot", json!({"spec": {"sharing": {"scope": "Cluster"}}})).await;
    for name in ["good", "bad", "withdrawn", "born"] {
        user.until_ready(name, "Unknown", "Suspended").await;
    }
    assert_eq!(
        own.clickup.requests(&account.token.name, "/v2/user").await.unwrap(),
        asked,
        "nothing was asked"
    );
    own.edit("bot", json!({"spec": {"suspend": false}})).await;
    for name in ["good", "bad", "withdrawn", "born"] {
        user.until_ready(name, "False", "ConnectionNotReady").await;
    }
    let new = own.clickup.regenerate(&account.token.name).await.unwrap();
    own.secret("bot", &new.value).await;
    user.until_ready("withdrawn", "True", "Verified").await;
    user.until_ready("born", "True", "Verified").await;
    user.until_handled("good", "1").await;
    user.until_ready("good", "False", "WorkspaceNotFound").await;
    // Its own suspension is nobody else's.
    user.edit("withdrawn", json!({"spec": {"suspend": true}})).await;
    user.until("withdrawn", "suspended", |s| s["observedGeneration"] == 2).await;
    user.edit("born", json!({"spec": {"minimumRole": "Guest"}})).await;
    user.until("born", "checked", |s| s["observedGeneration"] == 2 && is(s, "Ready").0 == "True").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_can_change_from_a_token_of_its_own_to_anothers_and_back() {
    let (own, account) = owner("lender", json!({"scope": "Cluster"})).await;
    let user = own.beside("changing", json!({})).await;
    let mine = user.verified("mine", json!({})).await;
    let before = user.get("mine").await["status"].clone();
    let facts = ["user", "workspaceCount", "rateLimit", "secretResourceVersion"];
    assert!(facts.iter().all(|f| !before[*f].is_null()), "{before:#}");
    let borrow = json!({"spec": {"tokenSecretRef": null, "connectionRef": own.reference("bot")}});
    let keep = json!({"spec": {"tokenSecretRef": {"name": "mine"}, "connectionRef": null}});
    for round in [1, 2] {
        user.edit("mine", borrow.clone()).await;
        let lent = |s: &Value| s["observedGeneration"] == 2 * round && is(s, "Ready").0 == "True";
        let object = user.until("mine", "verified with the other's token", lent).await;
        let status = &object["status"];
        assert_eq!(status["defaultWorkspace"]["id"], account.workspace.to_string());
        assert_eq!(status["workspaces"].as_array().map(Vec::len), Some(1));
        assert!(facts.iter().all(|f| status[*f].is_null()), "{status:#}");
        user.edit("mine", keep.clone()).await;
        let own = |s: &Value| s["observedGeneration"] == 2 * round + 1 && is(s, "Ready").0 == "True";
        let object = user.until("mine", "verified with its own token", own).await;
        let status = &object["status"];
        assert_eq!(status["defaultWorkspace"]["id"], mine.workspace.to_string());
        assert!(facts.iter().all(|f| status[*f] == before[*f]), "{status:#}");
    }
    // To one that is not shared: nothing is left of its own.
    own.edit("bot", json!({"spec": {"sharing": {"scope": "Private"}}})).await;
    user.edit("mine", borrow).await;
    let object = until_shared(&user, "mine", false).await;
    let left = ["user", "workspaces", "workspaceCount", "defaultWorkspace", "rateLimit", "tokenType"];
    assert!(left.iter().all(|f| object["status"][*f].is_null()), "{:#}", object["status"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_uses_anothers_token_asks_for_a_check_once_a_minute_at_most() {
    let (own, account) = owner("asked", json!({"scope": "Cluster"})).await;
    let user = own.beside("asking", json!({})).await;
    refer(&user, "mine", &own, "bot", json!({})).await;
    user.until_ready("mine", "True", "Verified").await;
    let asked = || own.clickup.requests(&account.token.name, "/v2/user");
    assert_eq!(asked().await.unwrap(), 1);
    let began = std::time::Instant::now();
    user.annotate("mine", "one").await;
    user.until_handled("mine", "one").await;
    assert_eq!(asked().await.unwrap(), 2);
    for value in ["two", "three"] {
        user.annotate("mine", value).await;
    }
    // The owner is not held up by that.
    own.annotate("bot", "mine").await;
    own.until_handled("bot", "mine").await;
    assert_eq!(asked().await.unwrap(), 3);
    let patience = Duration::from_secs(90);
    let object = user
        .until_within(patience, "mine", "checked at three", |s| s["lastHandledReconcileAt"] == "three")
        .await;
    assert!(began.elapsed() >= Duration::from_secs(59), "{:?}", began.elapsed());
    assert_eq!(asked().await.unwrap(), 4, "the last one of those that waited");
    assert_eq!(is(&object["status"], "Ready"), ("True", "Verified"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_is_told_once_whom_it_is_not_shared_with() {
    let (own, _) = owner("refusing", json!({"scope": "Private"})).await;
    own.connection("other", json!({"tokenSecretRef": {"name": "bot"}})).await;
    own.until_ready("other", "True", "Verified").await;
    let mut namespaces = Vec::new();
    for n in 0..5 {
        let user = own.beside(&format!("refused-{n}"), json!({})).await;
        for name in ["a", "b"] {
            refer(&user, name, &own, "bot", json!({})).await;
        }
        until_shared(&user, "a", false).await;
        namespaces.push(user);
    }
    let refusals = async |of: &str| {
        let events = own.published_events().await;
        let of_it = |e: &k8s_openapi::api::events::v1::Event| {
            regarding(e) == of && e.reason.as_deref() == Some("SharingRefused")
        };
        events.into_iter().filter(of_it).collect::<Vec<_>>()
    };
    let told = async |of: &str| {
        let told = wait::until(Duration::from_secs(20), "the owner to be told", || async {
            let events = refusals(of).await;
            if events.is_empty() { Err("no Event") } else { Ok(events) }
        });
        told.await.unwrap_or_else(|e| panic!("{e}"))
    };
    let events = told("bot").await;
    let note = events[0].note.as_deref().unwrap_or_default();
    let named = namespaces.iter().filter(|n| note.contains(&n.namespace)).count();
    assert!((1..=3).contains(&named) && note.contains("spec.sharing"), "{note}");
    assert_eq!(events[0].type_.as_deref(), Some("Warning"));
    // One more is not told of within the hour: what is refused later by another is told of before.
    let late = own.beside("refused-late", json!({})).await;
    refer(&late, "a", &own, "bot", json!({})).await;
    until_shared(&late, "a", false).await;
    // Nor is one told that has no token to share.
    refer(&late, "chain", &late, "a", json!({})).await;
    until_shared(&late, "chain", false).await;
    refer(&late, "b", &own, "other", json!({})).await;
    assert!(told("other").await[0].note.as_deref().is_some_and(|n| n.contains(&late.namespace)));
    let events = refusals("bot").await;
    assert_eq!((events.len(), events[0].series.is_some()), (1, false), "{events:?}");
    // Who refers sees none of that.
    for user in namespaces.iter().chain([&late]) {
        let reasons: Vec<_> = user.published_events().await.into_iter().filter_map(|e| e.reason).collect();
        assert!(!reasons.contains(&"SharingRefused".to_owned()), "{reasons:?}");
    }
}

/// How long the operator took from an edit until the last of these namespaces' statuses was written.
fn followed(case: &Case<'_>, mark: u64, users: &[&Case<'_>]) -> Duration {
    let events = case.control_plane.audit_events_since(mark).unwrap();
    let time = |text: &str| text.parse::<Timestamp>().unwrap();
    let namespaces: Vec<_> = [case].iter().chain(users).map(|c| c.namespace.as_str()).collect();
    let edited = events
        .iter()
        .filter(|e| e.user != OPERATOR && ["patch", "delete"].contains(&e.verb.as_str()))
        .filter(|e| namespaces.contains(&e.namespace.as_str()) || namespaces.contains(&e.name.as_str()))
        .map(|e| time(&e.reached))
        .min()
        .unwrap();
    let written = events
        .iter()
        .filter(|e| e.user == OPERATOR && e.subresource == "status")
        .filter(|e| users.iter().any(|u| u.namespace == e.namespace))
        .map(|e| time(&e.reached))
        .max()
        .unwrap();
    written.duration_since(edited).try_into().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawal_is_followed_at_once() {
    const EACH: usize = 10;
    let own = case("withdrawing").await;
    let account = own.account().await;
    own.secret("bot", &account.token.value).await;
    let (label, names): (_, Vec<_>) = (own.namespace.clone(), (0..EACH).map(|n| format!("r{n}")).collect());
    let users = [
        own.beside("withdrawn", json!({"to": label})).await,
        own.beside("withdrawn", json!({"to": label})).await,
    ];
    let (a, b) = (&users[0], &users[1]);
    let listed =
        json!({"scope": "Namespaces", "namespaces": [a.namespace, b.namespace], "namespaceSelector": null});
    let sharing = |value: &Value| json!({"spec": {"sharing": value}});
    own.connection("bot", sharing(&json!({"scope": "Cluster"}))["spec"].clone()).await;
    own.until_ready("bot", "True", "Verified").await;
    for user in &users {
        for name in &names {
            refer(user, name, &own, "bot", json!({})).await;
        }
    }
    let all = async |users: &[&Case<'_>], shared: bool| {
        for user in users {
            for name in &names {
                until_shared(user, name, shared).await;
            }
        }
    };
    let mark = || own.control_plane.audit_mark().unwrap();
    let print = |what: &str, mark: u64, users: &[&Case<'_>]| {
        eprintln!("{what}, {} connections: {:?}", users.len() * EACH, followed(&own, mark, users));
    };
    all(&[a, b], true).await;

    let at = mark();
    own.edit("bot", sharing(&json!({"scope": "Private"}))).await;
    all(&[a, b], false).await;
    print("scope: Private to ConnectionNotShared", at, &[a, b]);
    let at = mark();
    own.edit("bot", sharing(&listed)).await;
    all(&[a, b], true).await;
    print("shared again to Ready", at, &[a, b]);
    let at = mark();
    own.edit("bot", sharing(&json!({"namespaces": [b.namespace]}))).await;
    all(&[a], false).await;
    print("taken off the list to ConnectionNotShared", at, &[a]);
    all(&[b], true).await;
    let at = mark();
    let selector = json!({"matchLabels": {"to": label}});
    own.edit("bot", sharing(&json!({"namespaces": null, "namespaceSelector": selector}))).await;
    all(&[a, b], true).await;
    print("selected to Ready", at, &[a]);
    let at = mark();
    a.label(json!({"to": null})).await;
    all(&[a], false).await;
    print("label removed to ConnectionNotShared", at, &[a]);
    all(&[b], true).await;
    a.label(json!({"to": label})).await;
    all(&[a], true).await;
    let at = mark();
    own.no_connection("bot").await;
    all(&[a, b], false).await;
    print("owner deleted to ConnectionNotShared", at, &[a, b]);
    // A namesake is another connection, and shares if it says so.
    own.connection("bot", json!({})).await;
    own.until_ready("bot", "True", "Verified").await;
    own.no_connection("bot").await;
    let at = mark();
    own.connection("bot", sharing(&json!({"scope": "Cluster"}))["spec"].clone()).await;
    all(&[a, b], true).await;
    eprintln!("owner created: {} audit bytes since", mark() - at);
    // What is known of a token goes with the last who holds it: here, twice with the owner.
    assert_eq!(
        own.clickup.requests(&account.token.name, "/v2/team").await.unwrap(),
        3,
        "all from one answer, as long as somebody holds the token"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_that_goes_as_quietly_as_it_stood_is_noticed() {
    // Of this owner there is no event between the reference and its end.
    let (own, _) = owner("quiet", json!({"scope": "Cluster"})).await;
    let user = own.beside("quiet-user", json!({})).await;
    refer(&user, "mine", &own, "bot", json!({})).await;
    user.until_ready("mine", "True", "Verified").await;
    let at = own.control_plane.audit_mark().unwrap();
    own.no_connection("bot").await;
    until_shared(&user, "mine", false).await;
    eprintln!("quiet owner deleted to ConnectionNotShared: {:?}", followed(&own, at, &[&user]));
}

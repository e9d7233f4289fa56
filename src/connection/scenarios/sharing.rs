//! A connection that uses the token of another.

use super::*;

fn owner(patch: Value) -> ClickUpConnectionSpec {
    let mut spec = json!({"tokenSecretRef": {"name": "s"}, "sharing": {"scope": "Cluster"}});
    spec.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
    serde_json::from_value(spec).unwrap()
}

fn referrer(patch: Value) -> World {
    let mut spec =
        json!({"connectionRef": {"namespace": "o", "name": "bot"}, "defaultWorkspace": {"id": "90"}});
    spec.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
    let mut world = World::new(spec);
    world.lender = Some(owner(json!({})));
    world
}

/// Ready with another's token.
fn served() -> World {
    let mut world = referrer(json!({}));
    world.pass().ends(valid());
    assert_eq!(world.ready(), ("True", "Verified"));
    world
}

#[test]
fn a_referrer_has_a_verdict_of_its_own_and_learns_no_more() {
    let world = served();
    let status = world.status();
    assert!(status.user.is_none() && status.workspace_count.is_none() && status.rate_limit.is_none());
    assert!(status.secret_resource_version.is_none());
    assert_eq!(status.workspaces.iter().map(|w| w.id.as_str()).collect::<Vec<_>>(), ["90"]);
    let text = world.object["status"].to_string();
    assert!(!text.contains("183") && !text.contains("Ada") && !text.contains("Labs"), "{text}");
}

#[test]
fn what_is_not_shared_looks_like_what_is_not_there_and_takes_effect_at_once() {
    let mut world = referrer(json!({}));
    world.lender = None;
    world.pass();
    assert_eq!((world.ready(), world.wake), (("False", "ConnectionNotShared"), None));
    assert!(!world.checks());
    world.lender = Some(owner(json!({})));
    world.pass().ends(valid());
    assert_eq!(world.ready(), ("True", "Verified"));
    world.lender = None;
    world.pass();
    assert_eq!(world.ready(), ("False", "ConnectionNotShared"));
    assert!(world.status().workspaces.is_empty() && world.status().default_workspace.is_none());
    let writes = world.writes;
    world.pass();
    assert_eq!(world.writes, writes);
    world.annotate("now").pass();
    assert_eq!(
        world.status().last_handled_reconcile_at.as_deref(),
        Some("now"),
        "there is nothing to wait for"
    );
    // Also while suspended, and back.
    let mut world = served();
    world.edit("suspend", json!(true)).pass();
    assert_eq!(world.ready(), ("True", "Verified"));
    world.lender = None;
    world.annotate("later").pass();
    assert_eq!(world.ready(), ("False", "ConnectionNotShared"));
    assert_eq!(world.status().last_handled_reconcile_at, None, "annotations wait");
    world.lender = Some(owner(json!({})));
    world.pass();
    assert_eq!((world.ready(), world.wake), (("Unknown", "Suspended"), None));
    world.edit("suspend", json!(false)).pass().ends(valid());
    assert_eq!(world.ready(), ("True", "Verified"));
}

#[test]
fn an_owner_without_a_token_is_not_ready() {
    let mut world = referrer(json!({}));
    world.no_secret().pass();
    assert_eq!(world.ready(), ("False", "ConnectionNotReady"));
    let text = world.object["status"].to_string();
    assert!(!text.contains("\\\"s\\\""), "{text}");
    world.secret(1, 11).pass().ends(valid());
    assert_eq!(world.ready(), ("True", "Verified"));
    world.sleep().ends(Verdict::Rejected);
    assert_eq!((world.ready(), world.is("Stalled").0), (("False", "TokenRejected"), "True"));
}

#[test]
fn a_suspended_owner_suspends_its_referrers() {
    let mut world = served();
    world.lender = Some(owner(json!({"suspend": true})));
    world.pass();
    assert_eq!((world.ready(), world.wake), (("True", "Verified"), None));
    world.annotate("now").pass();
    assert!(!world.checks());
    world.lender = Some(owner(json!({})));
    world.pass();
    assert!(world.checks());
    world.ends(valid());
    assert_eq!(world.status().last_handled_reconcile_at.as_deref(), Some("now"));
    let mut world = referrer(json!({}));
    world.lender = Some(owner(json!({"suspend": true})));
    world.pass();
    assert_eq!(world.ready(), ("Unknown", "Suspended"));
    // It ends while no operator runs.
    world.lender = Some(owner(json!({})));
    world.restart().pass();
    assert!(world.checks());
    // The same with a demand that was edited meanwhile.
    let mut world = served();
    world.recalled = Some("10".into());
    world.lender = Some(owner(json!({"suspend": true})));
    world.edit("requiredWorkspaces", json!([{"id": "91"}])).pass();
    assert_eq!((world.ready(), world.is("TokenAvailable").0), (("Unknown", "Suspended"), "True"));
    world.lender = Some(owner(json!({})));
    world.restart().pass();
    assert!(world.checks());
}

#[test]
fn referrers_ask_no_more_often_than_the_owner_and_by_annotation_once_a_minute() {
    let mut world = referrer(json!({"interval": "1m"}));
    world.lender = Some(owner(json!({"interval": "1h"})));
    world.pass().ends(valid());
    assert!(world.due_in() >= 1800, "{}", world.due_in());
    world.annotate("one").pass();
    assert!(world.checks());
    world.ends(valid());
    world.after(10).annotate("two").pass();
    assert!(!world.checks());
    assert_eq!(world.due_in(), 50);
    world.sleep();
    assert!(world.checks());
    world.ends(valid());
    assert_eq!(world.status().last_handled_reconcile_at.as_deref(), Some("two"));
    world.after(60).pass();
    // Also after a restart.
    world.recalled = Some("10".into());
    world.after(5).restart().pass();
    assert!(world.due_in() >= 1700, "{}", world.due_in());
}

#[test]
fn after_a_restart_the_owners_secret_tells_whether_the_token_is_the_same() {
    let mut world = served();
    world.recalled = Some("10".into());
    world.restart().pass();
    assert!(!world.checks(), "unchanged: no burst");
    assert_eq!(world.ready(), ("True", "Verified"));
    world.sleep().ends(down());
    assert_eq!(world.ready(), ("True", "Verified"), "the grace covers it");
    let mut world = served();
    world.recalled = Some("10".into());
    world.secret(2, 20).restart().pass();
    assert!(world.checks());
    world.ends(down());
    assert_eq!(world.ready(), ("Unknown", "TimedOut"), "another token was never verified");
}

#[test]
fn with_another_ones_token_nothing_of_ones_own_stays() {
    let mut world = verified(json!({}));
    assert!(world.status().user.is_some());
    world.lender = Some(owner(json!({})));
    world.edit("tokenSecretRef", Value::Null);
    world.object["spec"].as_object_mut().unwrap().remove("tokenSecretRef");
    world.edit("connectionRef", json!({"namespace": "o", "name": "bot"})).pass();
    world.ends(down());
    assert_eq!(world.ready(), ("Unknown", "TimedOut"));
    assert!(world.status().user.is_none() && world.status().secret_resource_version.is_none());
}

#[test]
fn a_binding_is_published_while_there_is_a_token() {
    let bound = |world: &World| world.status().binding.map(|b| b.name);
    let mut world = verified(json!({"binding": {"enabled": true}}));
    assert_eq!(bound(&world).as_deref(), Some("s"));
    world.sleep().ends(down());
    assert_eq!(bound(&world).as_deref(), Some("s"));
    world.no_secret().pass();
    assert_eq!((world.ready(), bound(&world)), (("False", "SecretNotFound"), None));
    world.secret(1, 30).pass().ends(valid());
    assert_eq!(bound(&world).as_deref(), Some("s"));
    world.sleep().ends(Verdict::Rejected);
    assert_eq!(bound(&world).as_deref(), Some("s"), "a dead token is one");
    world.edit("binding", json!({"enabled": false})).pass().ends(valid());
    assert_eq!(bound(&world), None);
    // What is new waits for the end of a suspension, what is there stays.
    let mut world = verified(json!({"binding": {"enabled": true}}));
    world.edit("suspend", json!(true)).pass();
    assert_eq!(bound(&world).as_deref(), Some("s"));
    world.edit("tokenSecretRef", json!({"name": "t"})).pass();
    assert_eq!(bound(&world), None);
}

#[test]
fn a_referrer_in_an_outage_retries_soon_after_a_restart() {
    let mut world = referrer(json!({"interval": "10m"}));
    world.lender = Some(owner(json!({"interval": "24h"})));
    world.pass().ends(valid());
    world.annotate("x").pass().ends(down());
    assert!(world.due_in() <= 10, "{}", world.due_in());
    world.recalled = Some("10".into());
    world.after(5).restart().pass();
    assert!(world.due_in() <= 300, "{}", world.due_in());
}

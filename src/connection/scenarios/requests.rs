//! What a check is asked for with: how urgent it is, on whose account, and how old an answer may be.

use super::*;
use crate::clickup::Urgency;

fn ago(world: &World) -> i64 {
    world.now.duration_since(world.check.as_ref().expect("a check").not_before).as_secs()
}

#[test]
fn there_is_one_check_at_a_time() {
    let mut world = verified(json!({}));
    world.sleep();
    let begun = world.begun;
    // Soon it is seen whether it is held up, and then now and then.
    assert_eq!(world.due_in(), 2);
    world.pass().after(2).pass();
    assert_eq!((world.begun, world.due_in()), (begun, 10));
    // Of the same token and demand; another one is checked at once.
    let old = world.check.as_ref().unwrap().key;
    world.secret(2, 20).pass();
    assert_eq!(world.begun, begun + 1);
    assert_ne!(world.check.as_ref().unwrap().key, old);
    world.pass().pass();
    assert_eq!(world.begun, begun + 1);
}

#[test]
fn a_recent_answer_serves() {
    // A new connection, an edit: one of the last minute.
    let mut world = World::new(json!({"defaultWorkspace": {"id": "90"}}));
    world.pass();
    assert_eq!(ago(&world), 60);
    world.ends(valid()).after(100).edit("displayName", json!("x")).pass();
    assert_eq!(ago(&world), 60);
    // A routine check: one of this round.
    world.ends(valid()).sleep();
    assert_eq!(ago(&world), 300);
    // A try after a failure: none from before it; but an edit long after is served by what is recent.
    world.ends(down());
    let failed = world.now;
    world.sleep();
    assert_eq!(world.check.as_ref().unwrap().not_before, failed);
    for _ in 0..6 {
        world.ends(down()).sleep();
    }
    world.ends(down());
    assert!(world.due_in() > 120, "{}", world.due_in());
    world.after(30).edit("displayName", json!("y")).pass();
    assert_eq!(ago(&world), 30, "not from before the failure");
    world.ends(down()).after(100).edit("displayName", json!("z")).pass();
    assert_eq!(ago(&world), 60);
}

#[test]
fn only_what_an_annotation_asks_for_is_on_its_account() {
    let flags = |world: &World| {
        let check = world.check.as_ref().expect("a check");
        (check.urgency, check.annotated)
    };
    let mut world = World::new(json!({"defaultWorkspace": {"id": "90"}}));
    world.pass();
    assert_eq!(flags(&world), (Urgency::Asked, false));
    world.ends(valid()).sleep();
    assert_eq!(flags(&world), (Urgency::Routine, false));
    world.annotate("one").pass();
    assert_eq!(flags(&world), (Urgency::Asked, true));
    // Suspected: the second question is a confirmation, whoever asked the first.
    let again_at = world.now + SignedDuration::from_secs(12);
    world.ends(Verdict::Suspect { again_at }).sleep();
    assert_eq!(flags(&world), (Urgency::Confirmation, false));
    world.ends(valid()).sleep();
    assert_eq!(world.status().last_handled_reconcile_at.as_deref(), Some("one"));
    assert_eq!(flags(&world), (Urgency::Routine, false), "it was served");
}

#[test]
fn a_check_of_what_was_not_known_to_work_is_announced() {
    // Another token.
    let mut world = verified(json!({}));
    world.secret(2, 20).pass().after(2).pass();
    assert_eq!(world.ready(), ("Unknown", "Checking"));
    // A Secret that could not be read for a while.
    let mut world = verified(json!({}));
    world.denied = true;
    world.secret(1, 11).annotate("x").pass();
    assert_eq!(world.ready(), ("Unknown", "SecretAccessDenied"));
    world.denied = false;
    world.sleep();
    assert!(world.checks());
    world.after(2).pass();
    assert_eq!((world.ready(), world.is("Authenticated").0), (("Unknown", "Checking"), "True"));
    // A routine check is not, however long it takes.
    let mut world = verified(json!({}));
    world.sleep().after(60).pass();
    assert_eq!(world.ready(), ("True", "Verified"));
}

#[test]
fn a_check_that_waits_for_a_place_is_looked_at_until_it_has_one() {
    let mut world = World::new(json!({}));
    world.queued = true;
    world.pass();
    for _ in 0..3 {
        assert_eq!(world.due_in(), 2);
        world.sleep();
        assert_eq!(world.ready(), ("", ""), "that it takes long is not the token's");
    }
    // Nobody waits for a routine check.
    let mut world = verified(json!({}));
    world.queued = true;
    world.sleep();
    assert!(world.checks());
    world.after(2).pass();
    assert_eq!(world.due_in(), 10);
}

#[test]
fn a_check_that_dies_is_made_again_with_a_backoff() {
    let mut world = verified(json!({}));
    world.sleep();
    let mut before = 0;
    for _ in 0..4 {
        assert!(world.session.awaits_check());
        world.session.check_lost(world.now);
        world.pass();
        assert!(!world.session.awaits_check());
        assert!((before..=300).contains(&world.due_in()) && world.due_in() >= 5, "{}", world.due_in());
        before = world.due_in();
        world.sleep();
    }
    assert_eq!(world.ready(), ("True", "Verified"), "it says nothing");
}

#[test]
fn a_check_is_not_waited_for_where_nothing_is_to_be_asked() {
    let under_way = || {
        let mut world = verified(json!({}));
        world.sleep();
        assert!(world.session.awaits_check());
        world
    };
    let mut world = under_way();
    world.no_secret().pass();
    assert!(!world.session.awaits_check());
    let mut world = under_way();
    world.edit("suspend", json!(true)).pass();
    assert!(!world.session.awaits_check());
    let mut world = under_way();
    world.edit("interval", json!("soon")).pass();
    assert!(!world.session.awaits_check());
}

#[test]
fn answers_to_an_older_demand_serve_nobody() {
    let mut world = verified(json!({}));
    // The edit is seen in the pass that takes in the end of the check.
    let verdict = world.session_verdict();
    world.sleep().edit("requiredWorkspaces", json!([{"id": "404"}])).ends(valid());
    assert_eq!(world.session_verdict(), verdict, "of this demand there is none");
    assert_eq!((world.ready(), world.status().observed_generation), (("True", "Verified"), Some(1)));
    assert!(world.checks());
    world.ends(valid());
    assert_eq!(world.ready(), ("False", "WorkspaceNotFound"));
}

#[test]
fn all_who_hold_the_token_ask_again_together() {
    let mut world = verified(json!({}));
    let together = |world: &World, after| Some(world.now + SignedDuration::from_secs(after));
    world.sleep();
    let at = together(&world, 77);
    world.ends_until(down(), at);
    assert_eq!(world.due_in(), 77);
    // A time that is past is none.
    world.sleep();
    let at = together(&world, 0);
    world.ends_until(down(), at);
    assert!(world.due_in() >= 5, "{}", world.due_in());
}

#[test]
fn a_secret_is_read_again_when_a_newer_one_is_seen() {
    let mut world = verified(json!({}));
    let reads = world.reads;
    world.pass();
    world.secret(2, 9).pass();
    assert_eq!(world.reads, reads, "the watch is behind");
    world.secret(1, 11).pass();
    assert_eq!(world.reads, reads + 1);
    world.no_secret().pass();
    assert_eq!(world.reads, reads + 2);
    // What is no number is newer if it differs.
    let mut world = verified(json!({}));
    let stored = world.stored();
    let (spec, status) = (stored.spec.as_ref().unwrap(), stored.status.as_ref());
    world.session.secret_seen(Some("10"), status);
    assert!(matches!(world.session.step(spec, status, world.now), Step::Settle));
    world.session.secret_seen(Some("x"), status);
    assert!(matches!(world.session.step(spec, status, world.now), Step::ReadToken { anew: false }));
}

#[test]
fn another_tokens_version_is_told_when_that_was_checked() {
    let version = |world: &World| world.status().secret_resource_version.unwrap();
    let mut world = verified(json!({}));
    world.secret(2, 20).pass();
    world.after(1).pass();
    assert_eq!(version(&world), "10", "the verdicts that stand are about the old one");
    world.ends(valid());
    assert_eq!(version(&world), "20");
}

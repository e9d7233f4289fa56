//! First checks, edits of spec and Secret, suspension, restarts.

use super::*;

#[test]
fn the_first_pass_writes_the_verdict_once() {
    let mut world = World::new(json!({"defaultWorkspace": {"id": "90"}}));
    assert!(world.pass().checks());
    assert_eq!(world.writes, 0, "a quick check is not announced");
    assert_eq!(world.due_in(), 2);
    assert!(world.session.awaits_check());
    world.after(1).ends(valid());
    assert!(!world.session.awaits_check());
    assert_eq!((world.writes, world.ready()), (1, ("True", "Verified")));
    assert_eq!(world.status().observed_generation, Some(1));
    assert_eq!(world.status().user.unwrap().name, None, "personal data stays away");
    assert!((300..=900).contains(&world.due_in()), "{}", world.due_in());
    world.pass().pass();
    assert_eq!(world.writes, 1, "nothing changed");
}

#[test]
fn a_first_check_that_takes_long_is_announced() {
    let mut world = World::new(json!({}));
    world.pass().after(2).pass();
    assert_eq!(world.ready(), ("Unknown", "Checking"));
    assert_eq!(world.is("Reconciling"), ("True", "Checking"));
    assert_eq!(world.is("TokenAvailable"), ("True", "TokenFound"));
    assert_eq!(world.status().observed_generation, Some(-1));
    // Also where the API server has set no default.
    let mut bare = World::new(json!({}));
    bare.object["status"] = Value::Null;
    bare.restart().pass().after(2).pass();
    assert_eq!(bare.status().observed_generation, Some(-1));
    world.after(5).pass().after(5).pass();
    assert_eq!(world.writes, 1);
    world.ends(down());
    assert_eq!(world.ready(), ("Unknown", "TimedOut"));
    assert_eq!(world.is("Reconciling"), ("True", "TimedOut"));
    assert_eq!(world.status().observed_generation, Some(1), "an evaluation without a verdict counts");
    world.sleep().after(3).pass();
    assert_eq!(world.writes, 2, "a slow retry is not announced again");
}

#[test]
fn routine_checks_that_change_nothing_write_once_an_hour() {
    let mut world = verified(json!({}));
    let mut checks = 0;
    while checks < 13 {
        world.sleep();
        if world.checks() {
            checks += 1;
            world.ends(valid());
        }
    }
    assert_eq!(world.writes, 1 + 2, "13 checks of 10 min each: two hours, two heartbeats");
}

#[test]
fn secrets_come_and_go() {
    let mut world = World::new(json!({}));
    world.no_secret().pass();
    assert_eq!((world.ready(), world.is("Stalled")), (("False", "SecretNotFound"), ("", "")));
    assert_eq!(world.due_in(), 300);
    assert!(!world.checks());
    let reads = world.reads;
    world.after(1).restart().pass();
    assert_eq!(world.reads, reads + 1, "a new process looks for itself");
    world.after(299).pass();
    world.after(7).secret(1, 10).pass().ends(valid());
    assert_eq!(world.ready(), ("True", "Verified"));
    assert_eq!(world.status().secret_resource_version.as_deref(), Some("10"));
    world.no_secret().pass();
    assert_eq!(
        (world.ready(), world.is("Authenticated")),
        (("False", "SecretNotFound"), ("Unknown", "NotChecked"))
    );
    assert!(world.status().secret_resource_version.is_none() && world.status().user.is_none());
    world.secret(1, 30).pass();
    assert!(world.checks(), "even with the same value");
    // How long an earlier check took is forgotten.
    let mut world = World::new(json!({}));
    world.pass().after(1).pass().no_secret().pass().after(60).secret(1, 40).pass();
    assert!(world.checks());
    assert_eq!(world.ready(), ("False", "SecretNotFound"), "not announced at once");
    world.after(2).pass();
    assert_eq!(world.ready(), ("Unknown", "Checking"));
}

#[test]
fn an_event_that_leaves_the_value_spends_no_check() {
    let mut world = verified(json!({}));
    let writes = world.writes;
    world.secret(1, 11).pass();
    assert!(!world.checks());
    assert_eq!((world.writes, world.status().secret_resource_version.as_deref()), (writes + 1, Some("11")));
    // Unless it is not ready: the edit may be the cure.
    world.sleep().ends(Verdict::Rejected).secret(1, 12).pass();
    assert!(world.checks());
}

#[test]
fn a_secret_that_may_not_be_read_clears_nothing() {
    let mut world = verified(json!({}));
    let (key, _) = world.session.holds(world.stored().status.as_ref()).unwrap();
    let source = serde_json::from_value(json!({"name": "s"})).unwrap();
    let denied = TokenReading::Unavailable { problem: TokenProblem::access_denied(&source), version: None };
    let status = world.stored().status;
    world.session.token_read(denied, status.as_ref(), world.now);
    let stored = world.stored();
    let next = world.session.status(&stored, status.as_ref(), OPTIONS, world.now).unwrap();
    world.object["status"] = serde_json::to_value(&next).unwrap();
    test_support::invariants::check(&world.object).unwrap();
    assert_eq!((world.ready(), world.is("Reconciling").0), (("Unknown", "SecretAccessDenied"), "True"));
    assert_eq!((world.is("Authenticated").0, world.is("Reachable").0), ("True", "True"));
    assert!(world.status().user.is_some() && world.status().secret_resource_version.is_some());
    // The token is held on to, and is no longer known to have been good.
    let held = world.session.holds(world.stored().status.as_ref());
    assert_eq!(held, Some((key, false)));
    world.no_secret().after(60).pass();
    assert!(world.session.holds(world.stored().status.as_ref()).is_none(), "what is gone is not");
}

#[test]
fn suspended_nothing_moves() {
    let mut world = verified(json!({}));
    world.sleep().ends(down());
    world.after(60).edit("suspend", json!(true)).annotate("x").secret(2, 20).pass();
    assert_eq!(
        (world.ready(), world.is("Reachable").0, world.checks(), world.wake),
        (("True", "Verified"), "False", false, None)
    );
    assert_eq!(world.status().observed_generation, Some(2));
    assert_eq!(world.status().last_handled_reconcile_at, None);
    // The grace stands still too: a day later, as much of it is left.
    world.secret(1, 10).after(86_400).edit("suspend", json!(false)).pass();
    assert!(world.checks(), "the end of suspend asks for a check");
    world.ends(down());
    assert_eq!(world.ready(), ("True", "Verified"));
}

#[test]
fn an_edit_while_suspended_makes_its_conditions_unknown_until_a_check() {
    let mut world = verified(json!({}));
    world.edit("suspend", json!(true)).pass().edit("requiredWorkspaces", json!([{"id": "91"}])).pass();
    assert_eq!(
        (world.ready(), world.is("WorkspacesResolved")),
        (("Unknown", "Suspended"), ("Unknown", "NotChecked"))
    );
    assert_eq!((world.is("Authenticated").0, world.is("Reconciling").0), ("True", ""));
    world.edit("requiredWorkspaces", json!([])).pass();
    assert_eq!(world.ready(), ("Unknown", "Suspended"), "even back");
    world.edit("suspend", json!(false)).pass().ends(valid());
    assert_eq!(world.ready(), ("True", "Verified"));
    // Born suspended.
    let mut born = World::new(json!({"suspend": true}));
    born.pass();
    assert_eq!(
        (born.ready(), born.is("TokenAvailable"), born.checks()),
        (("Unknown", "Suspended"), ("Unknown", "NotChecked"), false)
    );
    assert_eq!(born.status().observed_generation, Some(1));
}

#[test]
fn an_invalid_spec_says_so_and_clears_the_rest() {
    let mut world = verified(json!({}));
    world.edit("interval", json!("soon")).pass();
    assert_eq!((world.ready(), world.is("Stalled")), (("False", "InvalidSpec"), ("True", "InvalidSpec")));
    assert!(world.status().user.is_none());
    assert_eq!(world.status().observed_generation, Some(2));
    world.pass();
    assert_eq!(world.writes, 2);
    world.edit("interval", json!("10m")).pass().ends(valid());
    assert_eq!(world.ready(), ("True", "Verified"));
}

#[test]
fn an_annotation_is_answered_by_a_check_begun_after_it() {
    let mut world = verified(json!({}));
    world.sleep();
    assert!(world.checks(), "a routine check is under way");
    world.after(1).annotate("one").pass();
    assert_eq!(world.check.as_ref().unwrap().requested_at.as_deref(), Some("one"));
    assert_eq!(world.check.as_ref().unwrap().not_before, world.now);
    world.ends(valid());
    assert_eq!(world.status().last_handled_reconcile_at.as_deref(), Some("one"));
    world.pass();
    assert!(!world.checks(), "and once only");
    world.annotate(&"x".repeat(129)).pass();
    assert!(!world.checks(), "longer values are ignored");
    // Acknowledged also where it ended before ClickUp was asked.
    world.no_secret().annotate("two").pass();
    assert_eq!(world.status().last_handled_reconcile_at.as_deref(), Some("two"));
}

#[test]
fn answers_that_could_not_be_written_do_not_serve_another_demand_or_token() {
    let mut world = World::new(json!({"defaultWorkspace": {"id": "90"}}));
    world.pass().conflicts = true;
    world.ends(valid());
    world.conflicts = false;
    world.edit("requiredWorkspaces", json!([{"id": "404"}])).pass();
    assert!(world.checks() && world.writes == 0, "another demand asks again");
    world.ends(valid());
    assert_eq!(world.ready(), ("False", "WorkspaceNotFound"));
    // The same object, at another version: judged again, nothing asked.
    let mut world = World::new(json!({"defaultWorkspace": {"id": "90"}}));
    world.pass().conflicts = true;
    world.ends(valid());
    world.conflicts = false;
    world.edit("displayName", json!("x")).pass();
    assert_eq!((world.ready(), world.status().observed_generation), (("True", "Verified"), Some(2)));
    assert!(!world.checks());
    // The Secret was edited in the moment in which the check of the old token ended.
    let mut world = verified(json!({}));
    world.sleep().secret(2, 20).ends(Verdict::Rejected);
    assert_eq!(world.ready(), ("True", "Verified"), "that was about the old one");
    assert!(world.checks());
}

#[test]
fn an_annotation_reads_the_secret_too() {
    let mut world = verified(json!({}));
    let stored = world.annotate("x").stored();
    let spec = stored.spec.as_ref().unwrap();
    let source = TokenSource::own("n", spec);
    world.session.notice(&stored, spec, source, stored.status.as_ref(), world.now);
    let step = world.session.step(spec, stored.status.as_ref(), world.now);
    assert!(matches!(step, Step::ReadToken { anew: true }), "{step:?}");
}

#[test]
fn edits_during_a_check_are_judged_against_the_newest_spec() {
    let mut world = World::new(json!({"defaultWorkspace": {"id": "90"}}));
    world.pass().edit("displayName", json!("x")).pass().ends(valid());
    assert_eq!((world.status().observed_generation, world.checks()), (Some(2), false), "the answers serve");
    world.sleep();
    let old = world.check.clone();
    world.edit("requiredWorkspaces", json!([{"id": "91"}])).pass();
    assert_ne!(world.check.as_ref().unwrap().demand, old.unwrap().demand, "another demand asks again");
}

#[test]
fn answers_that_could_not_be_written_do_not_serve_another_secret() {
    let mut world = verified(json!({}));
    world.edit("requiredWorkspaces", json!([{"id": "404"}])).pass().conflicts = true;
    // The edit of tokenSecretRef is what makes the write of the check's end a conflict.
    world.ends(valid());
    world.conflicts = false;
    world.edit("tokenSecretRef", json!({"name": "t"})).secret(2, 9).pass();
    assert!(world.checks(), "{:?} {:#}, due in {}", world.ready(), world.object["status"], world.due_in());
}

#[test]
fn a_new_token_awaits_no_second_rejection_of_the_old_one() {
    let mut world = verified(json!({}));
    world.sleep();
    let again_at = world.now + SignedDuration::from_secs(12);
    world.ends(Verdict::Suspect { again_at }).after(1).secret(2, 20).pass();
    let check = world.check.as_ref().unwrap();
    assert_eq!(check.urgency, crate::clickup::Urgency::Asked);
    assert!(check.not_before <= world.now);
}

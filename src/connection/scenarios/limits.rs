//! Checks are held up: by a limit that is to reset, or by the token's budget.

use super::*;
use crate::{
    api::{ConditionStatus, ConditionType, Reason},
    clickup::Urgency,
};

fn held(by_reset: bool, seconds: i64) -> Option<Held> {
    Some(Held { by_reset, lasting: SignedDuration::from_secs(seconds) })
}

#[test]
fn a_first_check_that_is_put_off_is_announced_and_then_limited() {
    let mut world = World::new(json!({"defaultWorkspace": {"id": "90"}}));
    world.pass();
    assert_eq!(world.check.as_ref().unwrap().urgency, Urgency::Asked);
    world.held = held(false, 2);
    world.after(2).pass();
    assert_eq!((world.ready(), world.status().observed_generation), (("Unknown", "Checking"), Some(-1)));
    assert_eq!(world.is("RateLimited"), ("", ""), "a little patience");
    world.held = held(false, 10);
    world.pass();
    assert_eq!(world.is("RateLimited"), ("", ""), "for ten seconds");
    world.held = held(false, 11);
    world.after(9).pass();
    assert_eq!((world.ready(), world.is("RateLimited").0), (("Unknown", "Checking"), "True"));
    let writes = world.writes;
    world.held = held(false, 60);
    world.after(49).pass();
    assert_eq!(world.writes, writes, "waiting on changes nothing");
    world.ends(valid());
    assert_eq!((world.ready(), world.is("RateLimited").0), (("True", "Verified"), "True"));
    world.sleep().ends(valid());
    assert_eq!(world.is("RateLimited"), ("", ""), "gone with the first check less late");
}

#[test]
fn a_routine_check_may_be_an_interval_late() {
    let mut world = verified(json!({"interval": "10m", "outageGracePeriod": "30m"}));
    world.sleep();
    assert_eq!(world.check.as_ref().unwrap().urgency, Urgency::Routine);
    let due = world.now;
    world.held = held(false, 0);
    world.pass();
    while world.is("RateLimited").0 != "True" {
        world.now = world.wake.unwrap();
        world.held = held(false, world.now.duration_since(due).as_secs());
        world.pass();
        assert_eq!(world.ready(), ("True", "Verified"));
    }
    let late = world.now.duration_since(due).as_secs();
    assert!((600..=602).contains(&late), "limited after {late} s");
    while world.ready().0 == "True" {
        world.now = world.wake.unwrap();
        world.held = held(false, world.now.duration_since(due).as_secs());
        world.pass();
    }
    assert_eq!(world.ready(), ("Unknown", "RateLimited"));
    let age = world.now.duration_since(world.session_verdict()).as_secs();
    assert!((2400..=2402).contains(&age), "a verdict of {age} s");
    assert_eq!(world.is("Authenticated").0, "True", "what was found stays");
    world.ends(valid());
    assert_eq!(world.ready(), ("True", "Verified"));
}

#[test]
fn a_check_that_was_held_up_for_as_long_as_may_be_is_not_late() {
    for (seconds, limited) in [(10, ""), (11, "True")] {
        let mut world = verified(json!({}));
        world.annotate("now").pass();
        world.held = held(false, seconds);
        world.after(seconds).ends(valid());
        assert_eq!(world.is("RateLimited").0, limited, "{seconds} s");
    }
}

#[test]
fn what_was_too_old_before_a_suspension_is_so_after_it() {
    let mut world = verified(json!({"outageGracePeriod": "10m", "interval": "10m"}));
    world.sleep();
    world.held = held(false, 3 * 3600);
    world.after(3 * 3600).pass();
    world.held = None;
    for suspended in [true, false] {
        world.edit("suspend", json!(suspended)).pass();
        assert_eq!(
            (world.ready(), world.is("RateLimited").0),
            (("Unknown", "RateLimited"), "True"),
            "{suspended}"
        );
    }
    world.ends(valid());
    assert_eq!((world.ready(), world.is("RateLimited").0), (("True", "Verified"), ""));
}

#[test]
fn of_an_invalid_spec_nothing_is_told_before_the_next_check() {
    let mut world = verified(json!({}));
    world.edit("interval", json!("soon")).pass().edit("interval", json!("10m"));
    world.pass();
    world.held = held(true, 0);
    world.after(1).pass();
    assert_eq!((world.ready(), world.is("RateLimited").0), (("False", "InvalidSpec"), ""));
}

#[test]
fn patience_ends_once() {
    let mut world = verified(json!({}));
    world.annotate("now").pass();
    // Looked at in the moment after, nothing is left to be looked at.
    world.held = Some(Held { by_reset: false, lasting: SignedDuration::from_millis(10_001) });
    world.after(10).pass();
    assert_eq!(world.is("RateLimited").0, "True");
}

#[test]
fn that_a_limit_is_awaited_is_not_told_before_there_is_anything_else() {
    let mut world = World::new(json!({}));
    world.pass();
    world.held = held(true, 0);
    world.after(1).pass();
    assert!(world.object["status"]["conditions"].is_null());
    world.after(1).pass();
    assert_eq!((world.ready(), world.is("RateLimited").0), (("Unknown", "Checking"), "True"));
}

#[test]
fn a_known_no_wins_over_a_limit() {
    let mut world = World::new(json!({"defaultWorkspace": {"id": "90"}, "outageGracePeriod": "0s"}));
    world.pass().ends(probed(NodeVerdict::Denied));
    world.sleep();
    world.held = held(false, 7200);
    world.after(7200).pass();
    assert_eq!((world.ready(), world.is("RateLimited").0), (("False", "WorkspaceAccessDenied"), "True"));
}

#[test]
fn while_a_reset_is_awaited_all_who_hold_the_token_say_so() {
    let mut world = verified(json!({}));
    world.sleep();
    world.held = held(true, 1);
    world.after(2).pass();
    assert_eq!((world.ready(), world.is("RateLimited").0), (("True", "Verified"), "True"));
    world.ends(valid());
    assert_eq!(world.is("RateLimited"), ("", ""), "it was not late");
}

#[test]
fn what_a_check_has_when_the_limit_stops_it_it_keeps() {
    let mut world = verified(json!({}));
    world.sleep();
    let began = world.check.as_ref().unwrap().not_before;
    let limited = NoVerdict::rate_limited(Some(SignedDuration::from_secs(50)));
    world.ends(probed(NodeVerdict::NoVerdict(limited)));
    assert_eq!(world.due_in(), 50);
    world.sleep();
    assert_eq!(world.check.as_ref().unwrap().not_before, began);
}

#[test]
fn edits_and_annotations_while_a_check_is_held_up_ask_for_another() {
    let mut world = verified(json!({}));
    world.sleep();
    world.held = held(false, 5);
    world.after(5).annotate("now").pass();
    let check = world.check.as_ref().unwrap();
    assert_eq!((check.requested_at.as_deref(), check.urgency), (Some("now"), Urgency::Asked));
    assert_eq!(
        world.status().last_handled_reconcile_at,
        None,
        "a check that is put off acknowledges nothing"
    );
    world.held = None;
    world.ends(valid());
    assert_eq!(world.status().last_handled_reconcile_at.as_deref(), Some("now"));
}

#[test]
fn after_a_restart_no_grace_ends_for_a_check_that_is_only_held_up() {
    let mut world = verified(json!({"outageGracePeriod": "10m", "interval": "10m"}));
    world.sleep().ends(down());
    world.after(3600).restart().pass();
    while !world.checks() {
        world.sleep();
    }
    world.held = held(false, 601);
    world.after(601).pass();
    assert_eq!((world.ready(), world.is("RateLimited").0), (("True", "Verified"), "True"));
    world.ends(down());
    assert_eq!(world.ready(), ("Unknown", "TimedOut"));
}

#[test]
fn an_edit_does_not_keep_a_verdict_that_is_too_old() {
    let mut world = verified(json!({"outageGracePeriod": "10m", "interval": "10m"}));
    world.edit("requiredWorkspaces", json!([{"id": "91"}])).after(1).pass();
    world.held = held(false, 3 * 3600);
    world.after(3 * 3600).pass();
    assert_eq!((world.ready(), world.is("RateLimited").0), (("Unknown", "RateLimited"), "True"));
}

#[test]
fn what_was_too_old_before_a_restart_is_so_after_it() {
    let mut world = verified(json!({"outageGracePeriod": "10m", "interval": "10m"}));
    world.sleep();
    world.held = held(false, 3 * 3600);
    world.after(3 * 3600).pass();
    assert_eq!(world.ready(), ("Unknown", "RateLimited"));
    world.held = None;
    world.after(5).restart().pass();
    while !world.checks() {
        world.sleep();
    }
    world.held = held(false, 700);
    world.after(700).pass();
    assert_eq!((world.ready(), world.is("RateLimited").0), (("Unknown", "RateLimited"), "True"));
}

#[test]
fn a_first_check_that_waits_across_a_restart_has_conditions_of_its_generation() {
    let mut world = World::new(json!({"defaultWorkspace": {"id": "90"}}));
    world.pass().after(3).pass();
    assert_eq!(world.ready(), ("Unknown", "Checking"));
    world.restart();
    world.held = held(true, 0);
    world.pass();
    for condition in world.object["status"]["conditions"].as_array().unwrap() {
        assert_eq!(condition["observedGeneration"], json!(1), "{condition}");
    }
}

#[test]
fn a_check_that_ends_is_a_completed_check() {
    let mut world = verified(json!({"interval": "10m", "outageGracePeriod": "30m"}));
    world.sleep();
    let asked = world.now;
    // Its probes wait for the budget.
    world.held = held(false, 3000);
    world.after(3000).pass();
    assert_eq!(world.ready(), ("Unknown", "RateLimited"));
    let CheckRequest { key, demand, requested_at, .. } = world.check.take().unwrap();
    let outcome = CheckOutcome {
        key,
        demand,
        requested_at,
        verdict: valid(),
        rate_limit: Some(100),
        held: SignedDuration::from_secs(3000),
        asked,
        retry_at: None,
        ended: world.now,
    };
    world.session.check_ended(outcome);
    world.held = None;
    let stored = world.stored();
    let next = world.session.status(&stored, stored.status.as_ref(), OPTIONS, world.now).unwrap();
    let ready = next.conditions.get(ConditionType::Ready).unwrap();
    assert_eq!((ready.status, ready.reason), (ConditionStatus::True, Reason::Verified));
}

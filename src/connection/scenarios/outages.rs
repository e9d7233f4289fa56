//! ClickUp cannot be asked, limits the rate, or says no.

use super::*;

#[test]
fn an_outage_is_survived_for_the_grace_period() {
    let mut world = verified(json!({"interval": "10m", "outageGracePeriod": "30m"}));
    world.sleep().ends(down());
    let since = world.now;
    assert_eq!((world.ready(), world.is("Reachable")), (("True", "Verified"), ("False", "TimedOut")));
    assert!((5..=10).contains(&world.due_in()), "first retry in {}", world.due_in());
    let writes = world.writes;
    while world.ready().0 == "True" {
        world.sleep();
        if world.checks() {
            world.ends(down());
        }
    }
    let lasted = world.now.duration_since(since).as_secs();
    assert!((1799..=1801).contains(&lasted), "transition times are whole seconds: {lasted}");
    assert_eq!(world.ready(), ("Unknown", "TimedOut"));
    assert_eq!((world.is("Authenticated").0, world.is("WorkspacesResolved").0), ("True", "True"));
    assert!(world.status().user.is_some(), "what is known stays known");
    assert_eq!(world.writes, writes + 1, "retries that change nothing write nothing");
    world.sleep();
    if world.checks() {
        world.ends(valid());
    }
    assert_eq!((world.ready(), world.is("Reachable")), (("True", "Verified"), ("True", "ResponseReceived")));
}

#[test]
fn the_grace_covers_only_what_was_verified() {
    // Another demand.
    let mut world = verified(json!({}));
    world.edit("requiredWorkspaces", json!([{"id": "91"}])).pass().ends(down());
    assert_eq!(world.ready(), ("Unknown", "TimedOut"));
    assert_eq!(
        (world.is("Authenticated").0, world.is("WorkspacesResolved")),
        ("True", ("Unknown", "NotChecked"))
    );
    // Another token.
    let mut world = verified(json!({}));
    world.secret(2, 20).pass().ends(down());
    assert_eq!(world.ready(), ("Unknown", "TimedOut"));
    assert_eq!(world.is("Authenticated"), ("Unknown", "NotChecked"));
    assert!(world.status().user.is_none());
    // Anything else.
    let mut world = verified(json!({}));
    world.edit("displayName", json!("new")).pass().ends(down());
    assert_eq!(world.ready(), ("True", "Verified"));
    assert_eq!(world.status().observed_generation, Some(2));
}

#[test]
fn a_known_no_outlives_an_outage() {
    let mut world = World::new(json!({"defaultWorkspace": {"id": "90"}}));
    world.pass().ends(probed(NodeVerdict::Denied));
    assert_eq!(world.ready(), ("False", "WorkspaceAccessDenied"));
    assert!(world.status().default_workspace.is_some(), "it was resolved all the same");
    world.sleep().ends(down());
    assert_eq!((world.ready(), world.is("Reachable").0), (("False", "WorkspaceAccessDenied"), "False"));
}

#[test]
fn a_probe_without_a_verdict_keeps_its_condition_and_starts_the_grace() {
    let no = || probed(NodeVerdict::NoVerdict(NoVerdict::timed_out()));
    let mut world = verified(json!({}));
    world.sleep().ends(no());
    assert_eq!((world.ready(), world.is("Reachable")), (("True", "Verified"), ("False", "TimedOut")));
    assert_eq!(world.is("WorkspacesResolved"), ("True", "WorkspacesFound"));
    let mut world = World::new(json!({"defaultWorkspace": {"id": "90"}}));
    world.pass().ends(no());
    assert_eq!(world.is("WorkspacesResolved"), ("Unknown", "TimedOut"));
    assert_eq!((world.ready(), world.is("Authenticated").0), (("Unknown", "TimedOut"), "True"));
}

#[test]
fn a_first_rejection_of_a_good_token_changes_nothing() {
    let mut world = verified(json!({}));
    world.annotate("now").pass();
    assert!(world.checks());
    let (writes, again_at) = (world.writes, world.now + SignedDuration::from_secs(12));
    world.ends(Verdict::Suspect { again_at });
    assert_eq!((world.writes, world.due_in()), (writes, 12));
    assert_eq!(world.status().last_handled_reconcile_at, None, "nothing is acknowledged");
    world.sleep();
    assert!(world.check.as_ref().unwrap().not_before >= again_at);
    world.ends(Verdict::Rejected);
    assert_eq!((world.ready(), world.is("Stalled")), (("False", "TokenRejected"), ("True", "TokenRejected")));
    assert_eq!(world.status().last_handled_reconcile_at.as_deref(), Some("now"));
    assert!((300..=900).contains(&world.due_in()), "slowly: {}", world.due_in());
}

#[test]
fn a_rejection_that_cannot_be_confirmed_stands_until_a_verdict() {
    let mut world = verified(json!({}));
    world.sleep().ends(Verdict::RejectedOnce(NoVerdict::timed_out()));
    assert_eq!((world.ready(), world.is("Reachable")), (("False", "TokenRejected"), ("False", "TimedOut")));
    assert!(world.due_in() <= 10);
    world.sleep().ends(valid());
    assert_eq!(world.ready(), ("True", "Verified"));
}

#[test]
fn a_restart_sends_no_burst_and_forgets_no_grace() {
    // Unchanged: nothing until the next routine point.
    let mut world = verified(json!({}));
    let due = world.wake;
    world.after(5).restart().pass();
    assert!(!world.checks());
    assert_eq!((world.wake, world.writes), (due, 1));
    // Missed points are made up within ten minutes.
    world.after(86_400).restart().pass();
    assert!(!world.checks() && (0..=600).contains(&world.due_in()), "{}", world.due_in());
    world.sleep();
    assert!(world.checks());
    world.ends(valid());
    // A grace that has run out lapses only after one attempt.
    world.sleep().ends(down()).after(3600).restart().pass();
    assert_eq!(world.ready(), ("True", "Verified"));
    world.sleep();
    if !world.checks() {
        world.sleep();
    }
    world.ends(down());
    assert_eq!(world.ready(), ("Unknown", "TimedOut"));
    // An edited Secret counts as another token.
    let mut world = verified(json!({}));
    world.restart().secret(2, 20).pass();
    assert!(world.checks());
    assert_eq!(world.good_before(), Some(false));
    // An unchanged one was good before.
    let mut world = verified(json!({}));
    world.restart().annotate("x").pass();
    assert_eq!(world.good_before(), Some(true));
}

#[test]
fn a_429_is_a_condition_until_the_next_check() {
    let mut world = verified(json!({}));
    world.sleep().ends(Verdict::NoVerdict(NoVerdict::rate_limited(Some(SignedDuration::from_secs(42)))));
    assert_eq!(
        (world.ready(), world.is("RateLimited"), world.is("Reachable")),
        (("True", "Verified"), ("True", "RateLimited"), ("False", "RateLimited"))
    );
    assert_eq!(world.due_in(), 42);
    world.sleep().ends(valid());
    assert_eq!(world.is("RateLimited"), ("", ""));
}

#[test]
fn a_grace_that_ends_during_a_check_of_an_edit_waits_for_it() {
    let mut world = verified(json!({"outageGracePeriod": "30s"}));
    world.sleep().ends(down()).edit("requiredWorkspaces", json!([{"id": "91"}])).pass();
    assert!(world.checks());
    world.after(31).pass();
    assert_eq!(world.ready(), ("True", "Verified"));
    world.ends(down());
    assert_eq!(world.ready(), ("Unknown", "TimedOut"));
}

#[test]
fn a_longer_grace_brings_nothing_back() {
    let mut world = verified(json!({"outageGracePeriod": "0s"}));
    world.sleep().ends(down());
    assert_eq!(world.ready(), ("Unknown", "TimedOut"));
    world.edit("outageGracePeriod", json!("30m")).pass();
    assert!(world.checks());
    world.after(1).pass();
    assert_eq!((world.ready(), world.status().observed_generation), (("Unknown", "TimedOut"), Some(1)));
}

#[test]
fn a_retry_is_not_answered_by_an_older_success() {
    let mut world = verified(json!({}));
    world.sleep().ends(down());
    let failed = world.now;
    world.sleep();
    assert!(world.check.as_ref().unwrap().not_before >= failed);
}

#[test]
fn only_a_grace_that_runs_is_held_up_by_a_suspension() {
    let mut world = verified(json!({"outageGracePeriod": "30m"}));
    world.edit("suspend", json!(true)).pass().after(86_400).edit("suspend", json!(false)).pass().ends(down());
    let since = world.now;
    while world.ready().0 == "True" {
        world.sleep();
        if world.checks() {
            world.ends(down());
        }
    }
    assert!(world.now.duration_since(since).as_secs() <= 1801);
}

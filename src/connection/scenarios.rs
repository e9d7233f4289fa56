//! Histories of one connection, told to the decision core in the order in which things happen: no IO, the time passed in.

use super::*;
use crate::{
    api::{ClickUpConnectionStatus, StoredConnection, TokenType},
    clickup::{Identity, NoVerdict, NodeVerdict, Token, TokenKeys, User, Workspace},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::sync::{Arc, LazyLock};

static KEYS: LazyLock<TokenKeys> = LazyLock::new(|| TokenKeys::generate().unwrap());
const OPTIONS: StatusOptions = StatusOptions { username: false, heartbeat: SignedDuration::from_hours(1) };

/// A connection, its Secret, and the time.
struct World {
    object: Value,
    secret: Option<(u32, u32)>,
    session: Session,
    check: Option<CheckRequest>,
    wake: Option<Timestamp>,
    now: Timestamp,
    writes: u32,
    /// Writes of the status end in a conflict.
    conflicts: bool,
}

impl World {
    fn new(spec: Value) -> Self {
        let mut all = json!({"tokenSecretRef": {"name": "s"}});
        all.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        let object = json!({"metadata": {"name": "a", "namespace": "n", "uid": "u", "generation": 1, "resourceVersion": "1"},
            "spec": all, "status": {"observedGeneration": -1}});
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let session = Session::recall(&serde_json::from_value(object.clone()).unwrap(), now);
        Self {
            object,
            secret: Some((1, 10)),
            session,
            check: None,
            wake: None,
            now,
            writes: 0,
            conflicts: false,
        }
    }

    fn stored(&self) -> StoredConnection {
        serde_json::from_value(self.object.clone()).unwrap()
    }

    fn after(&mut self, seconds: i64) -> &mut Self {
        self.now += SignedDuration::from_secs(seconds);
        self
    }

    /// Sleeps until the next pass is due.
    fn sleep(&mut self) -> &mut Self {
        self.now = self.wake.expect("nothing is due").max(self.now);
        self.pass()
    }

    fn edit(&mut self, field: &str, value: Value) -> &mut Self {
        self.object["spec"][field] = value;
        let generation = self.object["metadata"]["generation"].as_i64().unwrap();
        self.object["metadata"]["generation"] = json!(generation + 1);
        self
    }

    fn annotate(&mut self, value: &str) -> &mut Self {
        self.object["metadata"]["annotations"] =
            json!({"clickup-operator.dev/reconcile-requested-at": value});
        self
    }

    /// The Secret holds this token at this version.
    fn secret(&mut self, token: u32, version: u32) -> &mut Self {
        self.secret = Some((token, version));
        self
    }

    fn no_secret(&mut self) -> &mut Self {
        self.secret = None;
        self
    }

    fn restart(&mut self) -> &mut Self {
        self.session = Session::recall(&self.stored(), self.now);
        self.check = None;
        self
    }

    /// One pass, as the shell makes it.
    fn pass(&mut self) -> &mut Self {
        let stored = self.stored();
        let status = stored.status.clone();
        match &stored.spec {
            Err(_) => self.session.void(),
            Ok(spec) => {
                self.session.notice(&stored, spec, status.as_ref(), self.now);
                let seen = self.secret.map(|(_, version)| version.to_string());
                self.session.secret_seen(seen.as_deref(), status.as_ref());
                loop {
                    match self.session.step(spec, status.as_ref(), self.now) {
                        Step::Settle => break,
                        Step::ReadToken { .. } => {
                            self.session.token_read(self.read(spec.token_type), status.as_ref(), self.now)
                        }
                        Step::Check(request) => {
                            self.session.check_began(&request);
                            self.session.check_runs(self.now);
                            self.check = Some(*request);
                            break;
                        }
                    }
                }
                if !self.session.awaits_check() {
                    self.check = None;
                }
            }
        }
        let next = self.session.status(&stored, status.as_ref(), OPTIONS, self.now);
        if let Some(next) = next.filter(|n| Some(n) != status.as_ref()) {
            if self.conflicts {
                return self;
            }
            self.object["status"] = serde_json::to_value(&next).unwrap();
            self.writes += 1;
        }
        test_support::invariants::check(&self.object)
            .unwrap_or_else(|broken| panic!("{broken}: {:#}", self.object["status"]));
        self.session.acknowledge(&stored);
        let status = self.stored().status;
        self.wake = stored
            .spec
            .as_ref()
            .ok()
            .and_then(|spec| self.session.next_wake(spec, status.as_ref(), self.now));
        assert!(self.wake.is_none_or(|at| at > self.now), "a pass leaves nothing to do at once");
        self
    }

    fn read(&self, kind: TokenType) -> TokenReading {
        match self.secret {
            None => {
                let source = serde_json::from_value(json!({"name": "s"})).unwrap();
                TokenReading::Unavailable { problem: TokenProblem::secret_not_found(&source), version: None }
            }
            Some((token, version)) => {
                let value =
                    if kind == TokenType::Personal { format!("pk_{token}") } else { format!("o{token}") };
                let token = Arc::new(Token::parse(value.as_bytes(), kind).unwrap());
                TokenReading::Found { key: KEYS.key(&token), token, version: version.to_string() }
            }
        }
    }

    /// The check under way ends so, and the pass that follows.
    fn ends(&mut self, verdict: Verdict) -> &mut Self {
        let CheckRequest { key, demand, requested_at, .. } =
            self.check.take().expect("no check is under way");
        let outcome =
            CheckOutcome { key, demand, requested_at, verdict, rate_limit: Some(100), ended: self.now };
        let stored = self.stored();
        self.session.check_ended(outcome, stored.spec.as_ref().unwrap());
        self.pass()
    }

    fn checks(&self) -> bool {
        self.check.is_some()
    }

    /// Status and reason of a condition.
    fn is(&self, condition: &str) -> (&str, &str) {
        let conditions =
            self.object["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
        let found = conditions.iter().find(|c| c["type"] == condition);
        found.map_or(("", ""), |c| (c["status"].as_str().unwrap(), c["reason"].as_str().unwrap()))
    }

    fn ready(&self) -> (&str, &str) {
        self.is("Ready")
    }

    fn status(&self) -> ClickUpConnectionStatus {
        self.stored().status.unwrap()
    }

    /// Seconds until the next pass is due.
    fn due_in(&self) -> i64 {
        self.wake.map_or(i64::MAX, |at| at.duration_since(self.now).as_secs())
    }
}

fn valid() -> Verdict {
    probed(NodeVerdict::Granted)
}

fn probed(verdict: NodeVerdict) -> Verdict {
    let workspace = |id: &str, name: &str| Workspace { id: id.into(), name: Some(name.into()), role: None };
    let identity = Identity {
        user: User { id: "183".into(), name: Some("Ada".into()) },
        workspaces: vec![workspace("90", "Acme"), workspace("91", "Labs")],
    };
    Verdict::Valid { identity: Arc::new(identity), probes: [("90".into(), verdict)].into() }
}

fn down() -> Verdict {
    Verdict::NoVerdict(NoVerdict::timed_out())
}

/// Ready with workspace 90 as its default.
fn verified(spec: Value) -> World {
    let mut world = World::new(spec);
    world.object["spec"]["defaultWorkspace"] = json!({"id": "90"});
    world.pass().ends(valid());
    assert_eq!(world.ready(), ("True", "Verified"));
    world
}

#[test]
fn the_first_pass_writes_the_verdict_once() {
    let mut world = World::new(json!({"defaultWorkspace": {"id": "90"}}));
    assert!(world.pass().checks());
    assert_eq!(world.writes, 0, "a quick check is not announced");
    assert_eq!(world.due_in(), 2);
    world.after(1).ends(valid());
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
fn secrets_come_and_go() {
    let mut world = World::new(json!({}));
    world.no_secret().pass();
    assert_eq!((world.ready(), world.is("Stalled")), (("False", "SecretNotFound"), ("", "")));
    assert_eq!(world.due_in(), 300);
    assert!(!world.checks());
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
    world.pass();
    assert_eq!(world.writes, 2);
    world.edit("interval", json!("10m")).pass().ends(valid());
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
    assert!(!world.check.as_ref().unwrap().good_before);
    // An unchanged one was good before.
    let mut world = verified(json!({}));
    world.restart().annotate("x").pass();
    assert!(world.check.as_ref().unwrap().good_before);
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
    world.after(31).pass().ends(down());
    assert_eq!(world.ready(), ("Unknown", "TimedOut"));
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
    // The Secret was edited in the moment in which the check of the old token ended.
    let mut world = verified(json!({}));
    world.sleep().secret(2, 20).ends(Verdict::Rejected);
    assert_eq!(world.ready(), ("True", "Verified"), "that was about the old one");
    assert!(world.checks());
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

#[test]
fn an_annotation_reads_the_secret_too() {
    let mut world = verified(json!({}));
    let stored = world.annotate("x").stored();
    let spec = stored.spec.as_ref().unwrap();
    world.session.notice(&stored, spec, stored.status.as_ref(), world.now);
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

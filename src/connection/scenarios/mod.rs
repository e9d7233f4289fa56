//! Histories of one connection, told to the decision core in the order in which things happen: no IO, the time passed in.

mod clocks;
mod demands;
mod edits;
mod limits;
mod outages;
mod requests;
mod sharing;
mod together;

use super::*;
use crate::{
    api::{ClickUpConnectionSpec, ClickUpConnectionStatus, StoredConnection, TokenType},
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
    /// Its end, which the next pass takes in.
    ended: Option<CheckOutcome>,
    began: Timestamp,
    /// Checks wait for a place.
    queued: bool,
    /// The check under way is held up.
    held: Option<Held>,
    /// What the others who hold the token have made of it.
    common: Option<Common>,
    /// The connection whose token is used, if it shares it.
    lender: Option<ClickUpConnectionSpec>,
    recalled: Option<String>,
    wake: Option<Timestamp>,
    now: Timestamp,
    writes: u32,
    /// How many Secrets were read, and checks begun.
    reads: u32,
    begun: u32,
    /// The Secret may not be read.
    denied: bool,
    /// Writes of the status end in a conflict.
    conflicts: bool,
}

impl World {
    fn new(spec: Value) -> Self {
        let mut all = json!({});
        if spec.get("connectionRef").is_none() {
            all["tokenSecretRef"] = json!({"name": "s"});
        }
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
            ended: None,
            began: now,
            queued: false,
            held: None,
            common: None,
            lender: None,
            recalled: None,
            wake: None,
            now,
            writes: 0,
            reads: 0,
            begun: 0,
            denied: false,
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
        (self.check, self.ended) = (None, None);
        self
    }

    /// One pass, as the shell makes it.
    fn pass(&mut self) -> &mut Self {
        let stored = self.stored();
        let status = stored.status.clone();
        match &stored.spec {
            Err(_) => {
                (self.check, self.ended) = (None, None);
                self.session.void(self.now);
            }
            Ok(spec) => {
                let source = match &self.lender {
                    _ if spec.connection_ref.is_none() => TokenSource::own("n", spec),
                    Some(owner) => TokenSource::lent("o", owner, self.recalled.clone()),
                    None => None,
                };
                self.session.notice(&stored, spec, source, status.as_ref(), self.now);
                let seen = self.secret.map(|(_, version)| version.to_string());
                self.session.secret_seen(seen.as_deref(), status.as_ref());
                if let Some(common) = self.common {
                    self.session.follow(common, self.now);
                }
                if let Some(outcome) = self.ended.take() {
                    self.session.check_ended(outcome);
                }
                loop {
                    match self.session.step(spec, status.as_ref(), self.now) {
                        Step::Settle => break,
                        Step::ReadToken { .. } => {
                            self.reads += 1;
                            let kind = self.session.token_source().expect("a source").token_type;
                            self.session.token_read(self.read(kind), status.as_ref(), self.now);
                        }
                        Step::Check(request) => {
                            self.session.check_began(&request, self.now);
                            self.check = Some(*request);
                            self.began = self.now;
                            self.begun += 1;
                            break;
                        }
                    }
                }
                if self.check.is_some() && !self.queued {
                    self.session.check_runs(self.began, self.held);
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
        self.session.acknowledge();
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
        let source = serde_json::from_value(json!({"name": "s"})).unwrap();
        match self.secret {
            _ if self.denied => {
                TokenReading::Unavailable { problem: TokenProblem::access_denied(&source), version: None }
            }
            None => {
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
        self.ends_until(verdict, None)
    }

    /// The same, where all who hold the token ask again then.
    fn ends_until(&mut self, verdict: Verdict, retry_at: Option<Timestamp>) -> &mut Self {
        let CheckRequest { key, demand, requested_at, .. } =
            self.check.take().expect("no check is under way");
        let held = self.held.take().map_or(SignedDuration::ZERO, |held| held.lasting);
        let outcome = CheckOutcome {
            key,
            demand,
            requested_at,
            verdict,
            rate_limit: Some(100),
            held,
            asked: self.now,
            retry_at,
            ended: self.now,
        };
        self.ended = Some(outcome);
        self.pass()
    }

    /// What the status says of the token that is checked.
    fn good_before(&self) -> Option<bool> {
        self.session.holds(self.stored().status.as_ref()).map(|(_, good)| good)
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

    /// When the last check ended in a verdict.
    fn session_verdict(&self) -> Timestamp {
        self.session.last_verdict().expect("a verdict")
    }

    /// Seconds until the next pass is due.
    fn due_in(&self) -> i64 {
        self.wake.map_or(i64::MAX, |at| at.duration_since(self.now).as_secs())
    }
}

fn valid() -> Verdict {
    probed(NodeVerdict::Granted(()))
}

fn probed(verdict: NodeVerdict) -> Verdict {
    let workspace = |id: &str, name: &str| Workspace { id: id.into(), name: Some(name.into()), role: None };
    let identity = Identity {
        user: User { id: "183".into(), name: Some("Ada".into()) },
        workspaces: vec![workspace("90", "Acme"), workspace("91", "Labs")],
    };
    let answers = Answers { workspaces: [("90".into(), verdict)].into(), ..Answers::default() };
    Verdict::Valid { identity: Arc::new(identity), answers: Box::new(answers) }
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

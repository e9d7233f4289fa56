//! Passes over a connection that change nothing: the status is computed, and compared with what is there.

use crate::at;
use clickup_operator::{
    api::{ClickUpConnectionStatus, ConditionType, Reason, StandardRole, StoredConnection, TokenType},
    clickup::{Identity, NodeKind, NodeVerdict, Role, Token, TokenKeys, User, Workspace},
    connection::{
        Answers, CheckOutcome, CheckRequest, Session, StatusOptions, Step, TokenReading, TokenSource, Verdict,
    },
};
use criterion::{BatchSize, Criterion};
use jiff::SignedDuration;
use serde_json::json;
use std::{hint::black_box, sync::Arc};

const OPTIONS: StatusOptions = StatusOptions { username: false, heartbeat: SignedDuration::from_hours(1) };
const VERSION: &str = "10";

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("status");
    for workspaces in [1, 100] {
        let mut connection = Connection::verified(workspaces);
        group.bench_function(format!("nothing happened, {workspaces} workspaces"), |b| {
            b.iter(|| black_box(connection.pass(None)));
        });
        let request = connection.begin();
        let outcome = outcome(&request, workspaces);
        group.bench_function(format!("a check found nothing new, {workspaces} workspaces"), |b| {
            let checked = |outcome| {
                connection.session.check_began(&request, at(600));
                black_box(connection.pass(Some(outcome)))
            };
            b.iter_batched(|| outcome.clone(), checked, BatchSize::SmallInput);
        });
    }
    group.finish();
}

/// A connection as the controller holds it.
struct Connection {
    stored: StoredConnection,
    status: Option<ClickUpConnectionStatus>,
    session: Session,
}

impl Connection {
    /// One whose first check found all that it asks for.
    fn verified(workspaces: usize) -> Self {
        let stored: StoredConnection = serde_json::from_value(json!({
            "metadata": {"name": "c", "namespace": "n", "uid": "u", "generation": 1, "resourceVersion": "1"},
            "spec": {
                "tokenSecretRef": {"name": "clickup-token", "key": "token"},
                "defaultWorkspace": {"id": "9012345000"},
                "access": [{"list": {"id": "901220000001"}}],
                "minimumRole": "Member",
            },
            "status": {"observedGeneration": -1},
        }))
        .unwrap();
        let session = Session::recall(&stored, at(0));
        let mut connection = Self { stored, status: None, session };
        connection.pass_at(None, 0);
        let token = Arc::new(Token::parse(b"pk_57000001_ADA0", TokenType::Personal).unwrap());
        let key = TokenKeys::generate().unwrap().key(&token);
        let reading = TokenReading::Found { key, token, version: VERSION.into() };
        connection.session.token_read(reading, None, at(0));
        let Step::Check(request) = connection.step(0) else { panic!("no check begins") };
        connection.session.check_began(&request, at(0));
        assert!(!connection.pass_at(Some(outcome(&request, workspaces)), 0), "a first verdict is news");
        let ready = connection.status.as_ref().and_then(|s| s.conditions.get(ConditionType::Ready));
        assert!(ready.is_some_and(|ready| ready.reason == Reason::Verified), "{ready:?}");
        connection
    }

    /// The request of the next check, which is due.
    fn begin(&mut self) -> CheckRequest {
        let Step::Check(request) = self.step(1800) else { panic!("no check is due") };
        *request
    }

    fn step(&mut self, seconds: i64) -> Step {
        let Ok(spec) = &self.stored.spec else { panic!("the spec is not valid") };
        self.session.step(spec, self.status.as_ref(), at(seconds))
    }

    fn pass(&mut self, outcome: Option<CheckOutcome>) -> bool {
        let unchanged = self.pass_at(outcome, 1);
        assert!(unchanged);
        unchanged
    }

    /// What the controller does in a pass, but reading and writing; whether the status is as it was.
    fn pass_at(&mut self, outcome: Option<CheckOutcome>, seconds: i64) -> bool {
        let Self { stored, status, session } = self;
        let Ok(spec) = &stored.spec else { panic!("the spec is not valid") };
        session.notice(stored, spec, TokenSource::own("n", spec), status.as_ref(), at(seconds));
        session.secret_seen(Some(VERSION), status.as_ref());
        if let Some(outcome) = outcome {
            session.check_ended(outcome);
            assert!(matches!(session.step(spec, status.as_ref(), at(seconds)), Step::Settle));
        }
        let next = session.status(stored, status.as_ref(), OPTIONS, at(seconds));
        let unchanged = next.is_none() || next == *status;
        if let Some(next) = next {
            *status = Some(next);
        }
        session.acknowledge();
        unchanged
    }
}

fn outcome(request: &CheckRequest, workspaces: usize) -> CheckOutcome {
    let workspace = |number| Workspace {
        id: (9_012_345_000_u64 + number as u64).to_string(),
        name: Some(format!("Workspace {number}")),
        role: Some(Role::Standard(StandardRole::Member)),
    };
    let identity = Identity {
        user: User { id: "57000001".into(), name: Some("Ada Example".into()) },
        workspaces: (0..workspaces).map(workspace).collect(),
    };
    let answers = Answers {
        workspaces: [("9012345000".to_owned(), NodeVerdict::Granted(()))].into(),
        nodes: [((NodeKind::List, "901220000001".to_owned()), NodeVerdict::Granted(()))].into(),
        ..Answers::default()
    };
    CheckOutcome {
        key: request.key,
        demand: request.demand.clone(),
        requested_at: request.requested_at.clone(),
        verdict: Verdict::Valid { identity: Arc::new(identity), answers: Box::new(answers) },
        rate_limit: Some(100),
        held: SignedDuration::ZERO,
        asked: at(0),
        retry_at: None,
        ended: at(0),
    }
}

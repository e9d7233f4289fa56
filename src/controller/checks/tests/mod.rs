//! The whole of checks with a simulated ClickUp in simulated time: many connections, each with its session, as the shell
//! drives them.

mod deadlines;
mod limits;
mod locks;
mod outages;
mod simulated;
mod together;
mod traces;

use super::{calls::ClickUp, *};
use crate::{
    api::{ClickUpConnectionSpec, ClickUpConnectionStatus, ConditionType, StoredConnection, TokenType},
    clickup::{Token, TokenKeys},
    connection::{Session, StatusOptions, Step, TokenReading, TokenSource},
};
use futures::{StreamExt, stream::FuturesUnordered};
use jiff::SignedDuration;
use serde_json::{Value, json};
use simulated::{Calls, Simulated};
use std::{cell::RefCell, collections::BTreeMap, sync::Mutex, time::Duration as StdDuration};
use tokio::time::{Instant, sleep};

thread_local! {
    /// When the test began, by both clocks.
    static START: RefCell<Option<(Timestamp, Instant)>> = const { RefCell::new(None) };
}

/// The simulated time as a wall clock.
fn now() -> Timestamp {
    START.with_borrow_mut(|start| {
        let (wall, tokio) =
            *start.get_or_insert_with(|| (Timestamp::from_second(1_800_000_000).unwrap(), Instant::now()));
        wall + SignedDuration::try_from(tokio.elapsed()).unwrap()
    })
}

/// Seconds since the test began.
fn second() -> i64 {
    now().as_second() - 1_800_000_000
}

thread_local! {
    static TOKENS: TokenKeys = TokenKeys::generate().unwrap();
}

/// One connection and the loop that the controller drives it by.
struct Connection {
    object: Value,
    token: u32,
}

/// What became of a connection.
#[derive(Debug, Default, Clone)]
struct Story {
    /// When checks ended in a verdict.
    verdicts: Vec<i64>,
    /// When RateLimited turned True.
    limited: Vec<i64>,
    /// Whether it is so at the end.
    is_limited: bool,
    writes: u32,
    ready: String,
}

impl Connection {
    fn new(name: &str, token: u32, spec: Value) -> Self {
        let namespace = format!("team-{}", token % 7);
        let mut all = json!({"tokenSecretRef": {"name": "s"}, "outageGracePeriod": "24h"});
        all.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        let metadata =
            json!({"name": name, "namespace": namespace, "uid": format!("uid-{name}"), "generation": 1});
        Self {
            object: json!({"metadata": metadata, "spec": all, "status": {"observedGeneration": -1}}),
            token,
        }
    }

    /// Lives until the end of simulated time.
    async fn live(mut self, checks: Arc<Checks>, woken: Arc<tokio::sync::Notify>, until: i64) -> Story {
        let mut story = Story::default();
        let stored: StoredConnection = serde_json::from_value(self.object.clone()).unwrap();
        let mut session = Session::recall(&stored, now());
        let (mut holding, mut check): (Option<Holding>, Option<RunningCheck>) = (None, None);
        let options = StatusOptions { username: false, heartbeat: SignedDuration::from_hours(1) };
        while second() < until {
            let stored: StoredConnection = serde_json::from_value(self.object.clone()).unwrap();
            let spec: &ClickUpConnectionSpec = stored.spec.as_ref().unwrap();
            let status: Option<&ClickUpConnectionStatus> = stored.status.as_ref();
            let namespace = stored.metadata.namespace.as_deref().unwrap();
            session.notice(&stored, spec, TokenSource::own(namespace, spec), status, now());
            session.secret_seen(Some("1"), status);
            if let Some(holding) = &holding {
                session.follow(holding.common(), now());
                if let Some((check, since)) = check.as_ref().and_then(|c| Some((c, c.since()?))) {
                    session.check_runs(since, check.held(holding, now()));
                }
            }
            if let Some(outcome) = check.as_mut().and_then(|c| c.outcome().unwrap()) {
                if outcome.no_verdict().is_none() {
                    story.verdicts.push(second());
                }
                session.check_ended(outcome);
            }
            loop {
                match session.step(spec, status, now()) {
                    Step::Settle => break,
                    Step::ReadToken { .. } => {
                        let value = format!("pk_{}", self.token);
                        let token = Arc::new(Token::parse(value.as_bytes(), TokenType::Personal).unwrap());
                        let key = TOKENS.with(|keys| keys.key(&token));
                        session.token_read(
                            TokenReading::Found { key, token, version: "1".into() },
                            status,
                            now(),
                        );
                        let interval = session.interval().unwrap();
                        let uid = stored.metadata.uid.as_deref().unwrap();
                        let connection = super::super::connection_ref(&stored.metadata);
                        let held = checks.hold(key, uid, &connection, interval, false);
                        session.follow(held.common(), now());
                        holding = Some(held);
                    }
                    Step::Check(request) => {
                        session.check_began(&request, now());
                        let connection = super::super::connection_ref(&stored.metadata);
                        check = Some(checks.begin(connection, holding.as_ref().unwrap(), *request));
                        break;
                    }
                }
            }
            let next = session.status(&stored, status, options, now());
            if let Some(next) = next.filter(|next| Some(next) != status) {
                let was_limited = std::mem::replace(
                    &mut story.is_limited,
                    next.conditions.get(ConditionType::RateLimited).is_some(),
                );
                if story.is_limited && !was_limited {
                    story.limited.push(second());
                }
                let ready = next.conditions.get(ConditionType::Ready);
                story.ready = ready.map(|c| format!("{}/{}", c.status, c.reason)).unwrap_or_default();
                story.writes += 1;
                self.object["status"] = serde_json::to_value(&next).unwrap();
            }
            session.acknowledge();
            if !session.awaits_check() {
                check = None;
            }
            let stored: StoredConnection = serde_json::from_value(self.object.clone()).unwrap();
            let spec = stored.spec.as_ref().unwrap();
            let wake = session.next_wake(spec, stored.status.as_ref(), now());
            let wait = wake.map_or(StdDuration::from_secs(3600), |at| {
                StdDuration::try_from(at.duration_since(now())).unwrap_or_default()
                    + StdDuration::from_millis(5)
            });
            let end = StdDuration::from_secs(u64::try_from((until - second()).max(0)).unwrap());
            tokio::select! {
                () = woken.notified() => {}
                () = sleep(wait.min(end)) => {}
            }
        }
        story
    }
}

/// Lets these connections live for so many seconds.
async fn live(
    clickup: &Arc<Simulated>,
    percent: u8,
    seconds: i64,
    connections: Vec<Connection>,
) -> Vec<Story> {
    live_traced(Tracer::default(), clickup, percent, seconds, connections).await
}

async fn live_traced(
    tracer: Tracer,
    clickup: &Arc<Simulated>,
    percent: u8,
    seconds: i64,
    connections: Vec<Connection>,
) -> Vec<Story> {
    let (wake, mut woken) = mpsc::unbounded_channel();
    let limits = Limits { at_once: 128, budget_percent: percent };
    let calls = Box::new(Calls(clickup.clone()));
    let metrics = Arc::new(Metrics::default());
    let checks = Arc::new(Checks::with(calls, Term::unlimited(), metrics, tracer, limits, wake, now));
    let until = second() + seconds;
    let mut bells = BTreeMap::new();
    let mut lives = FuturesUnordered::new();
    for (at, connection) in connections.into_iter().enumerate() {
        let bell = Arc::new(tokio::sync::Notify::new());
        let name = connection.object["metadata"]["name"].as_str().unwrap().to_owned();
        bells.insert(name, bell.clone());
        let checks = checks.clone();
        lives.push(async move { (at, connection.live(checks, bell, until).await) });
    }
    let ring = async move {
        while let Some(connection) = woken.recv().await {
            if let Some(bell) = bells.get(&connection.name) {
                bell.notify_one();
            }
        }
    };
    let mut stories = BTreeMap::new();
    let all = async {
        while let Some((at, story)) = lives.next().await {
            stories.insert(at, story);
        }
    };
    tokio::select! {
        () = all => {}
        () = ring => panic!("nobody can be woken"),
    }
    stories.into_values().collect()
}

fn on_one_token(n: usize, spec: impl Fn(usize) -> Value) -> Vec<Connection> {
    (0..n).map(|i| Connection::new(&format!("c{i:04}"), 1, spec(i))).collect()
}

/// What `spec.access` asks for.
fn lists(ids: impl IntoIterator<Item = usize>) -> Vec<Value> {
    ids.into_iter().map(|id| json!({"list": {"id": id.to_string()}})).collect()
}

/// Things that happen while connections live.
async fn during(events: impl Future<Output = ()>, lives: impl Future<Output = Vec<Story>>) -> Vec<Story> {
    tokio::pin!(lives);
    tokio::select! {
        stories = &mut lives => return stories,
        () = events => {}
    }
    lives.await
}

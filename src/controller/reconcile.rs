//! One pass over one connection: take in what changed, read the Secret if need be, begin a check if one is due, write the
//! status if it differs. ClickUp is not waited for: the end of a check begins a pass of its own.

use super::{
    ConnectionRef, Place, ReconcileError,
    checks::{Lost, RunningCheck},
    connection_ref,
    context::Context,
    index::Seen,
    lock, observed,
    registry::{Entry, Memory, Written},
    secrets,
    sourcing::{Sourcing, source},
    status_writer,
};
use crate::{
    api::{ClickUpConnectionSpec, ClickUpConnectionStatus, StoredConnection, compare_versions},
    connection::{Step, TokenReading, TokenSource},
};
use jiff::Timestamp;
use kube::runtime::controller::Action;
use std::{
    cmp,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};
use tokio::time::timeout;
use tracing::warn;

/// The deadline of a pass: a read and two writes, each under its own.
pub(super) const DEADLINE: Duration = Duration::from_secs(30);

/// How a pass that did not fail is counted.
pub(super) const OK: &str = "ok";

/// A failed pass, and how many failed before it.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub(super) struct FailedPass {
    #[source]
    error: ReconcileError,
    failures: u32,
}

/// A pass, within its deadline.
pub(super) async fn reconcile(
    stored: Arc<StoredConnection>,
    context: Arc<Context>,
) -> Result<Action, FailedPass> {
    // Deleted between the call of this pass and its begin.
    let Some(entry) = context.registry.entry(&stored) else { return Ok(Action::await_change()) };
    context.registry.begun(&entry, Timestamp::now());
    let mut memory = entry.memory.lock().await;
    let passed = timeout(DEADLINE, pass(&stored, &mut memory, &context)).await;
    let passed = passed.unwrap_or(Err(ReconcileError::Deadline(DEADLINE)));
    context.registry.passed(&entry, Timestamp::now());
    entry.tell(observed::gauges(&stored, &memory));
    match passed {
        Ok(wake) => {
            memory.failures = 0;
            context.metrics.reconciled(OK);
            entry.due(wake);
            let draining = context.draining.load(Ordering::Relaxed);
            Ok(action(wake.filter(|_| !draining)))
        }
        Err(error) => {
            memory.failures = memory.failures.saturating_add(1);
            context.metrics.reconciled(error.class().into());
            Err(failed(&entry, &stored, error, memory.failures))
        }
    }
}

/// When a failed pass is tried again.
pub(super) fn retry(_: Arc<StoredConnection>, failed: &FailedPass, _: Arc<Context>) -> Action {
    Action::requeue(failed.error.class().retry_after(failed.failures))
}

fn failed(entry: &Entry, stored: &StoredConnection, error: ReconcileError, failures: u32) -> FailedPass {
    let after = error.class().retry_after(failures);
    // An attempt that ends in an error is progress too.
    entry.due(Timestamp::now().checked_add(after).ok());
    if !matches!(error, ReconcileError::Conflict) {
        let (namespace, name) = (&stored.metadata.namespace, &stored.metadata.name);
        let class: &str = error.class().into();
        warn!(namespace, name, class, failures, %error, "a pass failed: it is tried again");
    }
    FailedPass { error, failures }
}

async fn pass(
    stored: &StoredConnection,
    memory: &mut Memory,
    context: &Context,
) -> Result<Option<Timestamp>, ReconcileError> {
    let (version, status) = current(stored, memory);
    match &stored.spec {
        Ok(spec) => match source(stored, spec, context) {
            Sourcing::Known(source) => {
                observe(stored, spec, source, status.as_ref(), memory, context).await?;
            }
            // Once the labels of the Namespaces are known, there is a pass for all whom they concern.
            Sourcing::Open => return Ok(None),
        },
        Err(_) => {
            memory.check = None;
            memory.token = None;
            memory.session.void(Timestamp::now());
        }
    }
    let now = Timestamp::now();
    let next = memory.session.status(stored, status.as_ref(), context.status, now);
    let status = settle(stored, version, status, next, memory, context).await?;
    memory.session.acknowledge();
    if !memory.session.awaits_check() {
        memory.check = None;
    }
    Ok(stored
        .spec
        .as_ref()
        .ok()
        .and_then(|spec| memory.session.next_wake(spec, status.as_ref(), Timestamp::now())))
}

/// The object's version and status: those last written, until the watch shows them or newer ones.
fn current(
    stored: &StoredConnection,
    memory: &mut Memory,
) -> (Option<String>, Option<ClickUpConnectionStatus>) {
    let shown = stored.metadata.resource_version.as_deref();
    memory.written.take_if(|written| {
        shown.and_then(|shown| compare_versions(shown, &written.version)) != Some(cmp::Ordering::Less)
    });
    match &memory.written {
        Some(written) => (Some(written.version.clone()), Some(written.status.clone())),
        None => (shown.map(Into::into), stored.status.clone()),
    }
}

/// Takes in what is new, and goes on until the session has nothing more to ask for.
async fn observe(
    stored: &StoredConnection,
    spec: &ClickUpConnectionSpec,
    source: Option<TokenSource>,
    status: Option<&ClickUpConnectionStatus>,
    memory: &mut Memory,
    context: &Context,
) -> Result<(), ReconcileError> {
    let Memory { session, check, token, token_written, .. } = memory;
    if source.is_none() {
        // What is not shared is not held: its interval and its uid have no say any more.
        *token = None;
    }
    session.notice(stored, spec, source, status, Timestamp::now());
    let connection = connection_ref(&stored.metadata);
    // Who uses another's token looks at that one's Secret.
    let owner = spec.connection_ref.as_ref().map(|r| ConnectionRef::new(&r.name).within(&r.namespace));
    let seen = lock(&context.index).seen(owner.as_ref().unwrap_or(&connection)).cloned();
    let seen = seen.as_ref().map(|seen| match seen {
        Seen::Version(version) => Some(&**version),
        Seen::Gone => None,
    });
    if let Some(seen) = seen {
        session.secret_seen(seen, status);
    }
    if let (Some(holding), Some(interval)) = (&token, session.interval()) {
        holding.set_interval(interval);
        session.follow(holding.common(), Timestamp::now());
        if let Some((check, since)) = check.as_ref().and_then(|check| Some((check, check.since()?))) {
            session.check_runs(since, check.held(holding, Timestamp::now()));
        }
    }
    match check.as_mut().map_or(Ok(None), RunningCheck::outcome) {
        Ok(Some(outcome)) => session.check_ended(outcome),
        Ok(None) => {}
        Err(Lost) => session.check_lost(Timestamp::now()),
    }
    // What a watch shows is as good as read; between two polls a Secret may have changed.
    let mut fresh = !context.polls;
    loop {
        let anew = match session.step(spec, status, Timestamp::now()) {
            Step::Settle => break,
            _ if context.draining.load(Ordering::Relaxed) => break,
            Step::ReadToken { anew } => anew,
            Step::Check(_) if !fresh => false,
            Step::Check(request) => {
                let Some(holding) = token.as_ref() else { break };
                session.check_began(&request, Timestamp::now());
                *check = Some(context.checks.begin(connection, holding, *request));
                break;
            }
        };
        fresh = true;
        let Some(source) = session.token_source() else { break };
        let read = read_token(&connection, source, seen.flatten().filter(|_| !anew), context).await?;
        *token_written = read.token_written;
        session.token_read(read.token, status, Timestamp::now());
        let Some((key, good_before)) = session.holds(status) else {
            *token = None;
            continue;
        };
        if token.as_ref().is_none_or(|held| held.key() != key) {
            let uid = stored.metadata.uid.as_deref().unwrap_or_default();
            let interval = session.interval().unwrap_or(spec.interval);
            let holding = context.checks.hold(key, uid, &connection, interval, good_before);
            // What others know of the token decides when it is due.
            session.follow(holding.common(), Timestamp::now());
            *token = Some(holding);
        }
    }
    Ok(())
}

/// Reads the token. Where Secrets are polled, what was found is as good as a poll to all who use this one.
async fn read_token(
    connection: &ConnectionRef,
    source: &TokenSource,
    seen: Option<&str>,
    context: &Context,
) -> Result<secrets::Read, ReconcileError> {
    let place = Place::new(&source.namespace, &source.secret.name);
    let before = lock(&context.index).seen_of(&place).cloned();
    let read = secrets::read_token(&context.client, &context.keys, source, seen).await;
    let read = read.map_err(ReconcileError::ReadSecret)?;
    let found = match &read.token {
        TokenReading::Found { version, .. } | TokenReading::Unavailable { version: Some(version), .. } => {
            Some(Seen::Version(version.as_str().into()))
        }
        TokenReading::Unavailable { problem, .. } => (!problem.is_denied()).then_some(Seen::Gone),
    };
    if let Some(found) = found.filter(|_| context.polls) {
        let concerned = lock(&context.index).learned(&place, before.as_ref(), found);
        concerned.iter().for_each(|who| context.secret_changed(who, who != connection));
    }
    Ok(read)
}

/// Writes the status if it differs from what is there, and returns what is there then.
async fn settle(
    stored: &StoredConnection,
    version: Option<String>,
    status: Option<ClickUpConnectionStatus>,
    next: Option<ClickUpConnectionStatus>,
    memory: &mut Memory,
    context: &Context,
) -> Result<Option<ClickUpConnectionStatus>, ReconcileError> {
    let Some(next) = next else { return Ok(status) };
    if status.as_ref() == Some(&next) {
        context.metrics.status("unchanged");
        return Ok(status);
    }
    let written =
        status_writer::write(&context.client, stored, version.as_deref(), status.as_ref(), &next).await;
    context.metrics.status(match &written {
        Ok(Some(_)) => "written",
        Ok(None) => "gone",
        Err(ReconcileError::Conflict) => "conflict",
        Err(_) => "failed",
    });
    if let Some(made) = written? {
        context.transitions.tell(stored, status.as_ref(), &next);
        memory.written = Some(Box::new(Written { version: made, status: next.clone() }));
    }
    Ok(Some(next))
}

fn action(wake: Option<Timestamp>) -> Action {
    match wake {
        None => Action::await_change(),
        Some(at) => {
            // A little more: woken too early, a pass would find nothing due.
            let wait = Duration::try_from(at.duration_since(Timestamp::now())).unwrap_or_default();
            Action::requeue(wait + Duration::from_millis(5))
        }
    }
}

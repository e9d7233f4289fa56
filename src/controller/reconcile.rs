//! One pass over one connection: take in what changed, read the Secret if need be, begin a check if one is due, write the
//! status if it differs. ClickUp is not waited for: the end of a check begins a pass of its own.

use super::{
    ConnectionRef, ReconcileError,
    checks::{Checks, Lost, RunningCheck},
    events::Transitions,
    index::{SecretIndex, SecretRef, Seen},
    registry::{Entry, Memory, Registry, Written},
    secrets, status_writer,
    token_state::lock,
};
use crate::{
    api::{ClickUpConnectionSpec, ClickUpConnectionStatus, StoredConnection},
    clickup::TokenKeys,
    connection::{StatusOptions, Step},
    observe::Metrics,
};
use jiff::Timestamp;
use kube::{
    Client,
    api::ObjectMeta,
    runtime::{controller::Action, reflector::Store, watcher::Event},
};
use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};
use tracing::{info, warn};

/// The deadline of a pass: a read and two writes, each under its own.
pub(super) const DEADLINE: Duration = Duration::from_secs(30);

/// What every pass uses.
pub(super) struct Context {
    pub(super) client: Client,
    pub(super) keys: TokenKeys,
    pub(super) checks: Checks,
    pub(super) index: Arc<Mutex<SecretIndex>>,
    pub(super) registry: Registry,
    pub(super) transitions: Transitions,
    pub(super) metrics: Arc<Metrics>,
    pub(super) status: StatusOptions,
    /// Set when the process is about to end: nothing new is begun.
    pub(super) draining: AtomicBool,
    /// Asks for a pass.
    pub(super) wake: mpsc::UnboundedSender<ConnectionRef>,
    /// Whether the watch has shown every connection once. (A store's own `wait_until_ready` wakes one waiter only, and the
    /// controller is one.)
    pub(super) listed: watch::Sender<bool>,
}

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
    let mut memory = entry.memory.lock().await;
    let passed = timeout(DEADLINE, pass(&stored, &mut memory, &context)).await;
    let passed = passed.unwrap_or(Err(ReconcileError::Deadline(DEADLINE)));
    context.registry.passed(Timestamp::now());
    match passed {
        Ok(wake) => {
            memory.failures = 0;
            context.metrics.reconciled("ok");
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
        Ok(spec) => observe(stored, spec, status.as_ref(), memory, context).await?,
        Err(_) => {
            memory.check = None;
            memory.session.void();
        }
    }
    let now = Timestamp::now();
    let next = memory.session.status(stored, status.as_ref(), context.status, now);
    let status = settle(stored, version, status, next, memory, context).await?;
    memory.session.acknowledge(stored);
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
    memory.written.take_if(|written| !is_older(shown, &written.version));
    match &memory.written {
        Some(written) => (Some(written.version.clone()), Some(written.status.clone())),
        None => (shown.map(Into::into), stored.status.clone()),
    }
}

/// Resource versions of one object grow.
fn is_older(version: Option<&str>, than: &str) -> bool {
    let number = |text: &str| text.parse::<u128>().ok();
    version.and_then(number).zip(number(than)).is_some_and(|(a, b)| a < b)
}

/// Takes in what is new, and goes on until the session has nothing more to ask for.
async fn observe(
    stored: &StoredConnection,
    spec: &ClickUpConnectionSpec,
    status: Option<&ClickUpConnectionStatus>,
    memory: &mut Memory,
    context: &Context,
) -> Result<(), ReconcileError> {
    let Memory { session, check, token, .. } = memory;
    session.notice(stored, spec, status, Timestamp::now());
    let connection = connection_ref(&stored.metadata);
    let seen = lock(&context.index).seen(&connection).cloned();
    let seen = seen.as_ref().map(|seen| match seen {
        Seen::Version(version) => Some(version.as_str()),
        Seen::Gone => None,
    });
    if let Some(seen) = seen {
        session.secret_seen(seen, status);
    }
    if let Some(since) = check.as_ref().and_then(RunningCheck::since) {
        session.check_runs(since);
    }
    match check.as_mut().map_or(Ok(None), RunningCheck::outcome) {
        Ok(Some(outcome)) => session.check_ended(outcome, spec),
        Ok(None) => {}
        Err(Lost) => session.check_lost(spec.interval, Timestamp::now()),
    }
    loop {
        match session.step(spec, status, Timestamp::now()) {
            Step::Settle => break,
            _ if context.draining.load(Ordering::Relaxed) => break,
            Step::ReadToken { anew } => {
                let namespace = stored.metadata.namespace.as_deref().unwrap_or_default();
                let (source, kind) = (&spec.token_secret_ref, spec.token_type);
                let reading = secrets::read_token(
                    &context.client,
                    &context.keys,
                    namespace,
                    source,
                    kind,
                    seen.flatten().filter(|_| !anew),
                );
                let reading = reading.await.map_err(ReconcileError::ReadSecret)?;
                session.token_read(reading, status, Timestamp::now());
            }
            Step::Check(request) => {
                let state = context.checks.token(request.key, request.good_before);
                *token = Some(state.clone());
                if let Some(until) = Checks::limited_until(&state, Timestamp::now()) {
                    session.put_off(until, Timestamp::now());
                    break;
                }
                session.check_began(&request);
                *check = Some(context.checks.begin(connection, state, *request));
                break;
            }
        }
    }
    Ok(())
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
    context.metrics.status(if written.is_ok() { "written" } else { "failed" });
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

/// Takes in an event of the watch of connections before a pass sees it; `store` holds it already.
pub(super) fn take_in(context: &Context, event: &Event<StoredConnection>, store: &Store<StoredConnection>) {
    match event {
        Event::Apply(stored) | Event::InitApply(stored) => {
            context.registry.see(stored, Timestamp::now());
            let connection = connection_ref(&stored.metadata);
            let secret = stored.spec.as_ref().ok().and_then(|spec| {
                let namespace = stored.metadata.namespace.clone()?;
                Some(SecretRef { namespace, name: spec.token_secret_ref.name.clone() })
            });
            match secret {
                Some(secret) => lock(&context.index).refer(connection, secret),
                None => lock(&context.index).forget(&connection),
            }
        }
        Event::Delete(stored) => {
            lock(&context.index).forget(&connection_ref(&stored.metadata));
            context.registry.forget(stored.metadata.uid.as_deref().unwrap_or_default());
        }
        Event::Init => {}
        Event::InitDone => {
            let uids: HashSet<_> = store.state().iter().filter_map(|c| c.metadata.uid.clone()).collect();
            context.registry.retain(|uid| uids.contains(uid));
            lock(&context.index).retain(|connection| store.get(connection).is_some());
            if context.listed.send_replace(true) {
                info!("the watch of ClickUpConnections has shown them all again");
                // A pass that ran during the list saw what was there before it.
                for stored in store.state() {
                    let _ = context.wake.send(connection_ref(&stored.metadata));
                }
            }
        }
    }
}

/// The name of a connection alone: the references that kube makes hold uid and version too.
fn connection_ref(metadata: &ObjectMeta) -> ConnectionRef {
    let name = ConnectionRef::new(metadata.name.as_deref().unwrap_or_default());
    name.within(metadata.namespace.as_deref().unwrap_or_default())
}

//! One pass over one connection: take in what changed, read the Secret if need be, begin a check if one is due, write the
//! status if it differs. ClickUp is not waited for: the end of a check begins a pass of its own.

use super::{
    ConnectionRef, Place, ReconcileError,
    checks::{Checks, Lost, RunningCheck},
    connection_ref,
    events::Transitions,
    index::{SecretIndex, Seen},
    lock,
    namespaces::Namespaces,
    observed,
    referrers::Referrers,
    refusals::Refusals,
    registry::{Entry, Memory, Registry, Written},
    scope::Scope,
    secrets, status_writer,
};
use crate::{
    api::{ClickUpConnectionSpec, ClickUpConnectionStatus, StoredConnection},
    clickup::TokenKeys,
    connection::{StatusOptions, Step, TokenReading, TokenSource, shares, uses_selector},
    observe::Metrics,
};
use jiff::Timestamp;
use kube::{
    Client,
    runtime::{controller::Action, reflector::Store, watcher::Event},
};
use std::{
    collections::{BTreeSet, HashSet},
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

/// How a pass that did not fail is counted.
pub(super) const OK: &str = "ok";

/// What every pass uses.
pub(super) struct Context {
    pub(super) client: Client,
    pub(super) keys: TokenKeys,
    pub(super) checks: Checks,
    pub(super) store: Store<StoredConnection>,
    pub(super) index: Arc<Mutex<SecretIndex>>,
    pub(super) referrers: Arc<Mutex<Referrers>>,
    pub(super) namespaces: Arc<Namespaces>,
    pub(super) refusals: Refusals,
    pub(super) registry: Registry,
    pub(super) transitions: Transitions,
    pub(super) metrics: Arc<Metrics>,
    pub(super) status: StatusOptions,
    /// Set when the process is about to end: nothing new is begun.
    pub(super) draining: AtomicBool,
    /// Asks for a pass.
    pub(super) wake: mpsc::UnboundedSender<ConnectionRef>,
    /// Whether Secrets are polled: nothing tells of their edits between two polls.
    pub(super) polls: bool,
    /// Where every connection has been shown once. (A store's own `wait_until_ready` wakes one waiter only, and the
    /// controller is one.)
    pub(super) listed: watch::Sender<HashSet<Scope>>,
    /// Where something is still to be shown before the process is ready.
    pub(super) unsettled: watch::Sender<HashSet<Scope>>,
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

/// Where a connection's token comes from.
enum Sourcing {
    /// From there; `None` where the connection that is referred to does not share it.
    Known(Option<TokenSource>),
    /// That depends on labels which are not known yet.
    Open,
}

fn source(stored: &StoredConnection, spec: &ClickUpConnectionSpec, context: &Context) -> Sourcing {
    let namespace = stored.metadata.namespace.as_deref().unwrap_or_default();
    let Some(reference) = &spec.connection_ref else {
        return Sourcing::Known(TokenSource::own(namespace, spec));
    };
    let Some(owner) = context.store.get(&ConnectionRef::new(&reference.name).within(&reference.namespace))
    else {
        return Sourcing::Known(None);
    };
    // One that cannot be understood shares with nobody.
    let Ok(shared) = &owner.spec else { return Sourcing::Known(None) };
    let labels = context.namespaces.labels(namespace);
    match shares(shared, &reference.namespace, namespace, labels.as_ref()) {
        Some(true) => {
            let recalled = context.registry.entry(&owner).and_then(|entry| entry.recalled_version.clone());
            Sourcing::Known(TokenSource::lent(&reference.namespace, shared, recalled))
        }
        Some(false) => {
            // One that refers itself has nothing to share, and its owner nothing to correct.
            if shared.connection_ref.is_none() {
                let refused = {
                    let (store, namespaces) = (context.store.clone(), context.namespaces.clone());
                    let (referrers, owner) = (context.referrers.clone(), connection_ref(&owner.metadata));
                    move || refused_namespaces(&owner, &store, &lock(&referrers), &namespaces)
                };
                context.refusals.note(&owner, &context.transitions, Timestamp::now(), refused);
            }
            Sourcing::Known(None)
        }
        // Whom nobody can tell to be selected is not.
        None if context.namespaces.are_denied() => Sourcing::Known(None),
        None => Sourcing::Open,
    }
}

/// The namespaces that refer to a connection without being allowed to.
fn refused_namespaces(
    owner: &ConnectionRef,
    store: &Store<StoredConnection>,
    referrers: &Referrers,
    namespaces: &Namespaces,
) -> BTreeSet<String> {
    let stored = store.get(owner);
    let Some(Ok(spec)) = stored.as_deref().map(|stored| &stored.spec) else { return BTreeSet::new() };
    let place = owner.namespace.as_deref().unwrap_or_default();
    let referring = referrers.of(owner).filter_map(|referrer| referrer.namespace.clone());
    let referring: BTreeSet<_> = referring.collect();
    let is_refused = |namespace: &String| {
        shares(spec, place, namespace, namespaces.labels(namespace).as_ref()) == Some(false)
    };
    referring.into_iter().filter(is_refused).collect()
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

/// Takes in an event of the watch of connections before a pass sees it; the store holds it already.
pub(super) fn take_in(context: &Context, event: &Event<StoredConnection>) {
    match event {
        Event::Apply(stored) | Event::InitApply(stored) => {
            let listing = matches!(event, Event::InitApply(_));
            context.registry.see(stored, listing, Timestamp::now());
            refers(context, stored);
        }
        Event::Delete(stored) => {
            let connection = connection_ref(&stored.metadata);
            lock(&context.index).forget(&connection);
            context.registry.forget(stored.metadata.uid.as_deref().unwrap_or_default());
            let mut referrers = lock(&context.referrers);
            referrers.refer(&connection, None);
            context.namespaces.want(referrers.select(&connection, false));
            context.wake_all(referrers.changed(&connection, None));
        }
        Event::Init => {}
        Event::InitDone => {
            let store = &context.store;
            let uids: HashSet<_> = store.state().iter().filter_map(|c| c.metadata.uid.clone()).collect();
            context.registry.listed(|uid| uids.contains(uid), Timestamp::now());
            let is_there = |connection: &ConnectionRef| store.get(connection).is_some();
            lock(&context.index).retain(is_there);
            context.namespaces.want(lock(&context.referrers).retain(is_there));
            // With several watches there is one such event, at the begin: then each tells what has changed.
            if !context.listed.borrow().is_empty() {
                info!("the watch of ClickUpConnections has shown them all again");
                // A pass that ran during the list saw what was there before it.
                context.wake_all(store.state().iter().map(|stored| connection_ref(&stored.metadata)));
            }
        }
    }
}

/// Notes which Secret and which connection a connection refers to, and wakes those who refer to it.
fn refers(context: &Context, stored: &StoredConnection) {
    let connection = connection_ref(&stored.metadata);
    let spec = stored.spec.as_ref().ok();
    match spec.and_then(|spec| spec.token_secret_ref.as_ref()) {
        // Of what is suspended, nothing is asked.
        Some(secret) if !(context.polls && spec.is_some_and(|spec| spec.suspend)) => {
            lock(&context.index).refer(&connection, &secret.name);
        }
        _ => lock(&context.index).forget(&connection),
    }
    let owner = spec.and_then(|spec| spec.connection_ref.as_ref());
    let mut referrers = lock(&context.referrers);
    referrers.refer(&connection, owner.map(|r| ConnectionRef::new(&r.name).within(&r.namespace)));
    context.namespaces.want(referrers.select(&connection, spec.is_some_and(uses_selector)));
    let uid = stored.metadata.uid.as_deref().unwrap_or_default();
    context.wake_all(referrers.changed(&connection, Some((uid, stored.generation()))));
}

impl Context {
    /// A Secret that this connection refers to has changed: for who uses its token too.
    pub(super) fn secret_changed(&self, connection: &ConnectionRef, itself: bool) {
        self.wake_all(lock(&self.referrers).of(connection).cloned());
        self.wake_all(itself.then(|| connection.clone()));
    }

    /// All connections of this scope have been shown. Where Secrets are polled, nothing else is waited for.
    pub(super) fn listed(&self, scope: Scope) {
        if self.polls {
            self.settled(&scope);
        }
        self.listed.send_modify(|listed| {
            listed.insert(scope);
        });
    }

    /// This scope is no reason any more not to be ready.
    pub(super) fn settled(&self, scope: &Scope) {
        self.unsettled.send_if_modified(|unsettled| unsettled.remove(scope));
    }

    /// Asks for a pass over each of these.
    pub(super) fn wake_all(&self, connections: impl IntoIterator<Item = ConnectionRef>) {
        for connection in connections {
            // Nobody listens only when the process is about to end.
            let _ = self.wake.send(connection);
        }
    }
}

//! The controller's life: start the watches, run passes until the end is asked for, then finish what runs.

use super::{
    ErrorClass,
    checks::{Checks, Limits},
    connections,
    context::Context,
    events,
    index::SecretIndex,
    lease::Term,
    lock,
    namespaces::{Changed, Namespaces},
    observed::Observable,
    polls, reconcile,
    referrers::Referrers,
    refusals::Refusals,
    registry::Registry,
    scope::{NamespaceName, Scope},
    secrets,
    selector::LabelSelector,
};
use crate::{
    clickup::{self, TokenKeys},
    connection::StatusOptions,
    observe::{Health, Metrics, Tracer},
};
use futures::{StreamExt, future::join_all, stream};
use jiff::Timestamp;
use kube::{
    Client,
    runtime::{Controller, controller, reflector},
};
use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use strum::VariantArray;
use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tracing::{info, warn};

/// After the end was asked for, checks that run get this long to end and to be written. The rest of the ten seconds that
/// a Pod is given at least is for the passes under way and the Events.
const DRAIN: Duration = Duration::from_secs(5);
const LAST_PASSES: Duration = Duration::from_secs(2);
const LAST_EVENTS: Duration = Duration::from_secs(1);

/// What the operator's flags say about the controller.
#[derive(Clone, Debug)]
pub struct ControllerOptions {
    /// Where connections are looked for; empty, everywhere.
    pub namespaces: Vec<NamespaceName>,
    /// Which of them are this process's.
    pub selector: Option<LabelSelector>,
    /// How edits of Secrets are noticed.
    pub secrets: SecretAccess,
    /// Passes that run at the same time.
    pub concurrency: u16,
    /// Percent of a token's limit that routine checks may use.
    pub budget_percent: u8,
    /// What the status holds.
    pub status: StatusOptions,
    /// Begins the spans of checks.
    pub tracer: Tracer,
}

/// How edits of Secrets are noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretAccess {
    /// By a watch of their metadata, at once.
    Watch,
    /// By reading the metadata of those that connections refer to, each once in this time.
    Get {
        /// The time.
        every: Duration,
    },
}

impl ControllerOptions {
    /// Watches that are open at the same time.
    pub fn watches(&self) -> usize {
        // Of connections and, unless they are polled, Secrets in each; and once for all of Namespaces.
        let each = if self.secrets == SecretAccess::Watch { 2 } else { 1 };
        each * self.namespaces.len().max(1) + 1
    }

    /// Requests to ClickUp at the same time: who sends one mostly waits, so there are more of them than passes.
    pub fn requests(&self) -> usize {
        usize::from(self.concurrency) * 4
    }
}

/// Runs until `stop` resolves, and then to the end of what runs. Asks ClickUp while `term` lasts; the client is one that
/// writes no longer than that.
///
/// # Errors
/// The system has no randomness to give.
pub async fn run(
    client: Client,
    clickup: clickup::Client,
    term: Term,
    options: ControllerOptions,
    metrics: Arc<Metrics>,
    health: Arc<Health>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ring::error::Unspecified> {
    // Holds at most an entry per connection and event; the scheduler takes them off at once and merges them.
    let (wake, woken) = mpsc::unbounded_channel();
    let (transitions, events) = events::start(client.clone(), metrics.clone());
    let (store, writer) = reflector::store();
    let scopes = Scope::of(&options.namespaces);
    let limits = Limits { at_once: options.requests(), budget_percent: options.budget_percent };
    let context = Arc::new(Context {
        client: client.clone(),
        keys: TokenKeys::generate()?,
        checks: Checks::new(clickup, term, metrics.clone(), options.tracer, limits, wake.clone()),
        store: store.clone(),
        index: Arc::new(Mutex::new(SecretIndex::default())),
        referrers: Arc::new(Mutex::new(Referrers::default())),
        namespaces: Arc::new(Namespaces::default()),
        refusals: Refusals::default(),
        registry: Registry::default(),
        transitions,
        metrics: metrics.clone(),
        status: options.status,
        draining: AtomicBool::new(false),
        wake: wake.clone(),
        polls: options.secrets != SecretAccess::Watch,
        listed: watch::Sender::default(),
        unsettled: watch::Sender::new(scopes.iter().cloned().collect()),
    });

    let pass_outcomes = ErrorClass::VARIANTS.iter().map(Into::into).chain([reconcile::OK]);
    metrics.observe(Arc::new(Observable(Arc::downgrade(&context))), pass_outcomes);
    let connections =
        connections::follow(&client, &scopes, options.selector.as_ref(), context.clone(), writer);
    let secrets = follow_secrets(client.clone(), scopes, options.secrets, context.clone());
    let secrets = AbortOnDropHandle::new(tokio::spawn(secrets));
    let namespaces = AbortOnDropHandle::new(tokio::spawn({
        let (namespaces, referrers) = (context.namespaces.clone(), context.referrers.clone());
        async move {
            let changed = |changed| {
                let referrers = lock(&referrers);
                let wake = |referrer: &super::ConnectionRef| drop(wake.send(referrer.clone()));
                match changed {
                    Changed::One(namespace) => referrers.within(&namespace).for_each(wake),
                    Changed::All => referrers.all().for_each(wake),
                }
            };
            namespaces.watch(client, changed).await;
        }
    }));
    let watching = match options.secrets {
        SecretAccess::Watch => "watching ClickUpConnections and Secrets",
        SecretAccess::Get { .. } => "watching ClickUpConnections, and polling the Secrets that they refer to",
    };
    let ready = AbortOnDropHandle::new(tokio::spawn({
        let health = health.clone();
        let mut unsettled = context.unsettled.subscribe();
        async move {
            if unsettled.wait_for(HashSet::is_empty).await.is_ok() {
                health.set_ready(true);
                info!("{watching}");
            }
        }
    }));
    health.watch_lag({
        let context = Arc::downgrade(&context);
        move || context.upgrade().map_or(jiff::SignedDuration::ZERO, |c| c.registry.lag(Timestamp::now()))
    });

    let drained = CancellationToken::new();
    let _drain = AbortOnDropHandle::new(tokio::spawn(drain(stop, context.clone(), health, drained.clone())));
    let woken = stream::unfold(woken, |mut woken| async { woken.recv().await.map(|who| (who, woken)) });
    let config = controller::Config::default().concurrency(options.concurrency);
    let passes = Controller::for_stream(connections, store)
        .with_config(config)
        .reconcile_on(woken)
        .graceful_shutdown_on(drained.clone().cancelled_owned())
        .run(|stored, context| Box::pin(reconcile::reconcile(stored, context)), reconcile::retry, context)
        // What fails is logged where it fails.
        .for_each(|_| std::future::ready(()));
    let over = async {
        drained.cancelled().await;
        tokio::time::sleep(LAST_PASSES).await;
    };
    tokio::select! {
        () = passes => {}
        () = over => warn!("passes still run: they are given up"),
    }
    // With the last pass the last sender of Events is gone.
    drop((secrets, namespaces, ready));
    if timeout(LAST_EVENTS, events).await.is_err() {
        warn!("some Events could not be written in time");
    }
    info!("stopped");
    Ok(())
}

/// Follows the Secrets in the way that is asked for. In each scope first who refers to what is known, then the Secrets:
/// events of others need not be kept.
async fn follow_secrets(client: Client, scopes: Vec<Scope>, access: SecretAccess, context: Arc<Context>) {
    let changed = |connection: &super::ConnectionRef| context.secret_changed(connection, true);
    match access {
        SecretAccess::Get { every } => polls::follow(client, &context.index, every, changed).await,
        SecretAccess::Watch => {
            let watches = scopes.iter().map(async |scope| {
                let mut listed = context.listed.subscribe();
                if listed.wait_for(|listed| listed.contains(scope)).await.is_ok() {
                    let settled = || context.settled(scope);
                    secrets::watch_versions(client.clone(), scope, &context.index, changed, settled).await;
                }
            });
            join_all(watches).await;
        }
    }
}

/// Once the end is asked for, begins nothing new, and lets checks end and be written.
async fn drain(
    stop: impl Future<Output = ()>,
    context: Arc<Context>,
    health: Arc<Health>,
    drained: CancellationToken,
) {
    stop.await;
    health.set_ready(false);
    info!("asked to stop: finishing what runs");
    context.draining.store(true, Ordering::Relaxed);
    if timeout(DRAIN, context.checks.drained()).await.is_err() {
        warn!("checks still run: they are given up, and begun anew after the next start");
    }
    drained.cancel();
}

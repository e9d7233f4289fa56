//! The controller's life: start the watches, run passes until the end is asked for, then finish what runs.

use super::{
    checks::{Checks, Limits},
    events,
    index::SecretIndex,
    lease::Term,
    lock,
    namespaces::{Changed, Namespaces},
    reconcile::{self, Context},
    referrers::Referrers,
    refusals::Refusals,
    registry::Registry,
    secrets, watches,
};
use crate::{
    api::StoredConnection,
    clickup::{self, TokenKeys},
    connection::StatusOptions,
    observe::{Health, Metrics, Tracer},
};
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use kube::{
    Api, Client,
    runtime::{Controller, WatchStreamExt, controller, reflector, watcher},
};
use std::{
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
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tracing::{info, warn};

/// After the end was asked for, checks that run get this long to end and to be written. The rest of the ten seconds that
/// a Pod is given at least is for the passes under way and the Events.
const DRAIN: Duration = Duration::from_secs(6);
const LAST_PASSES: Duration = Duration::from_secs(2);
const LAST_EVENTS: Duration = Duration::from_secs(1);

/// What the operator's flags say about the controller.
#[derive(Clone, Debug)]
pub struct ControllerOptions {
    /// Passes that run at the same time.
    pub concurrency: u16,
    /// Percent of a token's limit that routine checks may use.
    pub budget_percent: u8,
    /// What the status holds.
    pub status: StatusOptions,
    /// Begins the spans of checks.
    pub tracer: Tracer,
}

impl ControllerOptions {
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
        listed: watch::Sender::new(false),
    });

    metrics.observe(store.clone());
    let connections = connections(&client, context.clone(), writer);

    let (synced, mut secrets_synced) = watch::channel(false);
    let secrets = AbortOnDropHandle::new(tokio::spawn({
        let (index, mut listed) = (context.index.clone(), context.listed.subscribe());
        let (client, wake, referrers) = (client.clone(), wake.clone(), context.referrers.clone());
        async move {
            // First who refers to what, then the Secrets: events of others need not be kept.
            if listed.wait_for(|listed| *listed).await.is_ok() {
                let changed = |connection| {
                    let referrers = lock(&referrers);
                    // Nobody listens only when the process is about to end.
                    referrers.of(&connection).for_each(|referrer| drop(wake.send(referrer.clone())));
                    drop(wake.send(connection));
                };
                secrets::watch_versions(client, index, changed, synced).await;
            }
        }
    }));
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
    let ready = AbortOnDropHandle::new(tokio::spawn({
        let health = health.clone();
        async move {
            if secrets_synced.wait_for(|synced| *synced).await.is_ok() {
                health.set_ready(true);
                info!("watching ClickUpConnections and Secrets");
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

/// The watch of connections, which fills the store and the index on its way to the controller.
fn connections(
    client: &Client,
    context: Arc<Context>,
    writer: reflector::store::Writer<StoredConnection>,
) -> impl futures::Stream<Item = Result<StoredConnection, watcher::Error>> + Send + 'static {
    let api: Api<StoredConnection> = Api::all(client.clone());
    let known = context.clone();
    let mut failing = false;
    watcher(api, watcher::Config::default().streaming_lists())
        .backoff(watches::backoff())
        .reflect(writer)
        .inspect(move |event| match event {
            Ok(event) => {
                failing = false;
                reconcile::take_in(&context, event);
            }
            Err(_) if std::mem::replace(&mut failing, true) => {}
            Err(error) if watches::is_unknown(error) => {
                warn!("the API server does not know ClickUpConnections, and they are waited for: apply the CRD of this version, which `clickup-operator crd` prints");
            }
            Err(error) => {
                let error = watches::watch_error(error);
                warn!(error, "the watch of ClickUpConnections fails: it is tried again");
            }
        })
        .applied_objects()
        .try_filter(move |stored| std::future::ready(!known.registry.is_echo(stored)))
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

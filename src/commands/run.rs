//! `clickup-operator run`: the operator.

use super::{ClusterError, cluster};
use crate::{
    api::{Duration, InvalidDuration},
    clickup::{self, ClientError, ClientOptions},
    connection::StatusOptions,
    controller::{
        self, Candidacy, ControllerOptions, LabelSelector, LeaseOptions, Loss, NamespaceName, SecretAccess,
        Term,
    },
    observe::{self, Health, LogFormat, LogLevel, Metrics, ServeError, Servers, Traces, TracesError},
};
use clap::{Args, ValueEnum};
use reqwest::Url;
use std::{io, net::SocketAddr, ops::RangeInclusive, path::PathBuf, str::FromStr, sync::Arc};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};
use tracing::error;

/// The operator's flags. Each has an environment twin.
#[derive(Args, Clone, Debug)]
pub struct RunArgs {
    /// Base URL of ClickUp's API; https, unless --allow-insecure-http
    #[arg(
        long,
        env = "CLICKUP_OPERATOR_CLICKUP_URL",
        default_value = "https://api.clickup.com/api",
        value_name = "URL",
        value_parser = clickup_url
    )]
    clickup_url: Url,

    /// Permit a plain http --clickup-url: everybody on the way can read the tokens, so for tests only
    #[arg(long, env = "CLICKUP_OPERATOR_ALLOW_INSECURE_HTTP")]
    allow_insecure_http: bool,

    /// PEM file of the authorities to trust for ClickUp, instead of the system's
    #[arg(long, env = "CLICKUP_OPERATOR_CA_FILE", value_name = "FILE")]
    ca_file: Option<PathBuf>,

    /// Proxy for requests to ClickUp; left out, HTTPS_PROXY, HTTP_PROXY and NO_PROXY count
    // A text, for what cannot be parsed would be quoted: there may be a password in it.
    #[arg(long, env = "CLICKUP_OPERATOR_PROXY", hide_env_values = true, value_name = "URL")]
    proxy: Option<String>,

    /// Bytes after which an answer of ClickUp's is given up
    #[arg(long, env = "CLICKUP_OPERATOR_MAX_BODY", default_value_t = 64 * 1024 * 1024, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(1024..))]
    max_body: u64,

    /// Namespaces to watch, separated by commas, by Roles there; left out, all of the cluster
    #[arg(
        long,
        env = "CLICKUP_OPERATOR_WATCH_NAMESPACES",
        value_delimiter = ',',
        value_name = "NAMESPACE,..."
    )]
    watch_namespaces: Vec<NamespaceName>,

    /// Labels of the connections that this process takes care of, such as shard=a; left out, all
    #[arg(long, env = "CLICKUP_OPERATOR_WATCH_LABEL_SELECTOR", value_name = "SELECTOR")]
    watch_label_selector: Option<LabelSelector>,

    /// How edits of Secrets are noticed
    #[arg(long, env = "CLICKUP_OPERATOR_SECRET_ACCESS", default_value = "watch", value_enum)]
    secret_access: SecretAccessMode,

    /// With --secret-access=get, how often the metadata of each Secret is read, from 1s to 24h
    #[arg(long, env = "CLICKUP_OPERATOR_SECRET_POLL_INTERVAL", default_value = "1m", value_name = "DURATION", value_parser = duration_within(Duration::from_secs(1)..=Duration::from_mins(24 * 60)))]
    secret_poll_interval: Duration,

    /// Connections that are worked on at the same time; four times as many requests may wait for ClickUp
    #[arg(long, env = "CLICKUP_OPERATOR_CONCURRENCY", default_value_t = 32, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    concurrency: u16,

    /// Percent of a token's request limit that routine checks may use, averaged over ten minutes; the rest is its users'
    #[arg(long, env = "CLICKUP_OPERATOR_BUDGET_PERCENT", default_value_t = 10, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(1..=100))]
    budget_percent: u8,

    /// How old status.lastVerifiedTime may get while nothing else changes, such as 1h
    #[arg(long, env = "CLICKUP_OPERATOR_STATUS_HEARTBEAT", default_value = "1h", value_name = "DURATION")]
    status_heartbeat: Duration,

    /// Write the name of the token's user to the status; it is personal data
    #[arg(long, env = "CLICKUP_OPERATOR_STATUS_USERNAME")]
    status_username: bool,

    /// Check only while holding a Lease, so that several replicas can run and one of them works
    #[arg(long, env = "CLICKUP_OPERATOR_LEADER_ELECT")]
    leader_elect: bool,

    /// Name of the Lease
    #[arg(long, env = "CLICKUP_OPERATOR_LEADER_ELECTION_ID", default_value = controller::MANAGER, value_name = "NAME")]
    leader_election_id: String,

    /// Namespace of the Lease; left out, the Pod's own, or that of the KUBECONFIG file
    #[arg(long, env = "CLICKUP_OPERATOR_LEADER_ELECTION_NAMESPACE", value_name = "NAMESPACE")]
    leader_election_namespace: Option<String>,

    /// How long the Lease outlives a leader that does not renew it, 3s to 10m; a leader that cannot renew it ends after two thirds of this
    #[arg(long, env = "CLICKUP_OPERATOR_LEADER_ELECTION_LEASE_DURATION", default_value = "15s", value_name = "DURATION", value_parser = duration_within(Duration::from_secs(3)..=Duration::from_mins(10)))]
    leader_election_lease_duration: Duration,

    /// Address that serves /metrics
    #[arg(
        long,
        env = "CLICKUP_OPERATOR_METRICS_ADDR",
        default_value = "0.0.0.0:8080",
        value_name = "ADDR:PORT",
        value_parser = listen_address
    )]
    metrics_addr: SocketAddr,

    /// Address that serves /healthz and /readyz
    #[arg(
        long,
        env = "CLICKUP_OPERATOR_HEALTH_ADDR",
        default_value = "0.0.0.0:8081",
        value_name = "ADDR:PORT",
        value_parser = listen_address
    )]
    health_addr: SocketAddr,

    /// How log lines look
    #[arg(long, env = "CLICKUP_OPERATOR_LOG_FORMAT", default_value = "json", value_enum)]
    log_format: LogFormat,

    /// The least severe level that is logged: error, warn, info, debug or trace
    #[arg(long, env = "CLICKUP_OPERATOR_LOG_LEVEL", default_value = "info", value_name = "LEVEL")]
    log_level: LogLevel,

    /// Send a trace of each check by OTLP over HTTP; where to, and which of them, the usual OTEL_ variables say
    #[arg(long, env = "CLICKUP_OPERATOR_OTEL")]
    otel: bool,
}

/// How edits of Secrets are noticed.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum SecretAccessMode {
    /// By a watch of their metadata, at once
    Watch,
    /// By polls of those that connections refer to, with no right but to get them
    Get,
}

/// Takes a duration within the range, and tells the range to who writes another.
fn duration_within(range: RangeInclusive<Duration>) -> impl Fn(&str) -> Result<Duration, String> + Clone {
    move |text| {
        let duration = text.parse().map_err(|e: InvalidDuration| e.to_string())?;
        if range.contains(&duration) {
            Ok(duration)
        } else {
            Err(format!("write a duration from {} to {}", range.start(), range.end()))
        }
    }
}

fn clickup_url(text: &str) -> Result<Url, String> {
    text.parse().map_err(|error| format!("{error}: write one such as https://api.clickup.com/api"))
}

fn listen_address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "write an address and a port, such as 0.0.0.0:8080".to_owned())
}

/// Why the operator does not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The proxy is none.
    #[error("--proxy is no URL: write one such as http://proxy.example.com:3128")]
    Proxy(#[source] <Url as FromStr>::Err),
    /// A flag about ClickUp cannot be used.
    #[error(transparent)]
    ClickUp(#[from] ClientError),
    /// The cluster cannot be talked to.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// A variable about traces cannot be used.
    #[error(transparent)]
    Traces(#[from] TracesError),
    /// An address cannot be listened on.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// Signals cannot be listened for.
    #[error("cannot listen for signals")]
    Signals(#[source] io::Error),
    /// Another process may lead by now.
    #[error("no longer the leader: {0}; started again, this process stands for election anew")]
    Leadership(#[source] Loss),
    /// The system gives no randomness.
    #[error("the system has no randomness to give")]
    Randomness,
}

/// Runs the operator until SIGTERM or SIGINT.
///
/// # Errors
/// Says which flag or part of the environment to correct.
pub async fn run(args: RunArgs) -> Result<(), RunError> {
    observe::init(args.log_format, args.log_level);
    let traces = if args.otel { Traces::start()? } else { Traces::default() };
    let options = ControllerOptions {
        namespaces: args.watch_namespaces,
        selector: args.watch_label_selector,
        secrets: match args.secret_access {
            SecretAccessMode::Watch => SecretAccess::Watch,
            SecretAccessMode::Get => SecretAccess::Get { every: args.secret_poll_interval.into() },
        },
        concurrency: args.concurrency,
        budget_percent: args.budget_percent,
        status: StatusOptions { username: args.status_username, heartbeat: args.status_heartbeat.signed() },
        tracer: traces.tracer(),
    };
    let clickup = clickup::Client::new(ClientOptions {
        url: args.clickup_url,
        allow_insecure_http: args.allow_insecure_http,
        ca_file: args.ca_file,
        proxy: args.proxy.as_deref().map(Url::from_str).transpose().map_err(RunError::Proxy)?,
        max_body: args.max_body,
        connections: options.requests(),
    })?;
    let (metrics, health) = (Arc::new(Metrics::default()), Arc::new(Health::default()));
    let _servers =
        Servers::start(args.metrics_addr, args.health_addr, metrics.clone(), health.clone()).await?;
    let (stop, _signals) = stop_signal()?;
    let (candidacy, term) = if args.leader_elect {
        let lease = LeaseOptions {
            name: args.leader_election_id,
            namespace: args.leader_election_namespace,
            duration: args.leader_election_lease_duration,
        };
        let client = cluster::client(Term::unlimited(), 1).await?;
        let candidacy = Candidacy::stand(client, lease).map_err(|_| RunError::Randomness)?;
        let term = candidacy.term();
        (Some(candidacy), term)
    } else {
        (None, Term::unlimited())
    };
    let client = cluster::client(term.clone(), options.watches()).await?;
    let controller = {
        let (metrics, health, stop) = (metrics.clone(), health.clone(), stop.clone());
        async move {
            metrics.set_leader(true);
            controller::run(client, clickup, term, options, metrics, health, stop.cancelled_owned())
                .await
                .map_err(|_| RunError::Randomness)
        }
    };
    let ended = match candidacy {
        None => controller.await,
        Some(candidacy) => lead(candidacy, controller, &health, stop).await,
    };
    traces.finish().await;
    ended
}

/// Stands by until this process is elected, and then runs the controller for as long as it leads.
async fn lead(
    mut candidacy: Candidacy,
    controller: impl Future<Output = Result<(), RunError>>,
    health: &Health,
    stop: CancellationToken,
) -> Result<(), RunError> {
    let standby = async {
        candidacy.informed().await?;
        // It can take over, and that is all that is asked of it.
        health.set_ready(true);
        candidacy.elected().await?;
        health.set_ready(false);
        Ok(())
    };
    tokio::select! {
        elected = standby => elected.map_err(RunError::Leadership)?,
        () = stop.cancelled() => {
            health.set_ready(false);
            candidacy.resign().await;
            return Ok(());
        }
    }
    let ended = tokio::select! {
        biased;
        loss = candidacy.lost() => {
            error!(%loss, "no longer the leader: the process ends");
            return Err(RunError::Leadership(loss));
        }
        ended = controller => ended,
    };
    candidacy.resign().await;
    ended
}

/// Is cancelled by SIGTERM or SIGINT, while its task is held.
fn stop_signal() -> Result<(CancellationToken, AbortOnDropHandle<()>), RunError> {
    let (mut term, mut int) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    let stop = CancellationToken::new();
    let asked = stop.clone();
    let signals = tokio::spawn(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
        asked.cancel();
    });
    Ok((stop, AbortOnDropHandle::new(signals)))
}

fn listen(kind: SignalKind) -> Result<tokio::signal::unix::Signal, RunError> {
    signal(kind).map_err(RunError::Signals)
}

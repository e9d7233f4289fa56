//! Prometheus metrics: what is counted, and what a scrape finds out. docs/metrics.md explains each.

use super::{
    connections::{self, Observed},
    exposition::Format,
    process::Process,
};
use crate::{
    api::{ConditionType, Reason},
    clickup::NodeKind,
    connection::CheckOutcome,
};
use futures::{Stream, StreamExt, future::ready, stream};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeLabelValue, EncodeMetric, text::encode_registry},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::{ConstGauge, Gauge},
        histogram::Histogram,
        info::Info,
    },
    registry::{Registry, Unit},
};
use std::{
    fmt,
    sync::{Arc, OnceLock, PoisonError, RwLock},
    time::Duration,
};

/// What may become of a status and of an Event.
const STATUS_OUTCOMES: [&str; 5] = ["written", "conflict", "gone", "failed", "unchanged"];
const EVENT_OUTCOMES: [&str; 3] = ["sent", "failed", "dropped"];

/// What comes of a check whose token was rejected for the first time.
const SUSPECT: &str = "AwaitingSecondRejection";

/// The calls of ClickUp's that are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Call {
    /// `GET /v2/user`.
    User,
    /// `GET /v2/team`.
    Workspaces,
    /// `GET /v2/team/{id}/space`.
    Spaces,
    /// `GET /v3/workspaces/{id}/chat/channels`.
    Channels,
    /// `GET /v2/space/{id}`.
    Space,
    /// `GET /v2/folder/{id}`.
    Folder,
    /// `GET /v2/list/{id}`.
    List,
    /// `GET /v2/task/{id}`.
    Task,
}

impl From<NodeKind> for Call {
    fn from(kind: NodeKind) -> Self {
        match kind {
            NodeKind::Space => Self::Space,
            NodeKind::Folder => Self::Folder,
            NodeKind::List => Self::List,
            NodeKind::Task => Self::Task,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    call: Call,
    status: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByCall {
    call: Call,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

/// All metrics of the process.
pub struct Metrics {
    registry: RwLock<Registry>,
    observed: OnceLock<Arc<dyn Observed>>,
    checks: Family<Outcome, Counter>,
    requests: Family<Request, Counter>,
    latency: Family<ByCall, Histogram, fn() -> Histogram>,
    reconciles: Family<Outcome, Counter>,
    statuses: Family<Outcome, Counter>,
    events: Family<Outcome, Counter>,
    leader: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut all = Registry::default();
        all.register_collector(Box::new(Process));
        let registry = all.sub_registry_with_prefix("clickup_operator");
        let latency: fn() -> Histogram =
            || Histogram::new([0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0]);
        let metrics = Self {
            checks: Family::default(),
            requests: Family::default(),
            latency: Family::new_with_constructor(latency),
            reconciles: Family::default(),
            statuses: Family::default(),
            events: Family::default(),
            leader: Gauge::default(),
            observed: OnceLock::new(),
            registry: RwLock::default(),
        };
        registry.register(
            "build",
            "The version that runs",
            Info::new([("version", env!("CARGO_PKG_VERSION"))]),
        );
        registry.register("checks", "Checks that ended, by what came of them", metrics.checks.clone());
        registry.register(
            "clickup_requests",
            "Requests to ClickUp, by call and class of the HTTP status",
            metrics.requests.clone(),
        );
        registry.register_with_unit(
            "clickup_request_duration",
            "Time from a request to ClickUp to the end of its answer",
            Unit::Seconds,
            metrics.latency.clone(),
        );
        registry.register(
            "reconciles",
            "Passes over a connection, by outcome: ok or the class of the error",
            metrics.reconciles.clone(),
        );
        registry.register(
            "status_writes",
            "Statuses written, failed to write, or left alone because nothing had changed",
            metrics.statuses.clone(),
        );
        registry.register(
            "events",
            "Events sent, failed, or dropped because too many waited",
            metrics.events.clone(),
        );
        registry.register(
            "leader",
            "Whether this process checks connections: 1 yes, 0 it stands by for another",
            metrics.leader.clone(),
        );
        *metrics.registry.write().unwrap_or_else(PoisonError::into_inner) = all;
        metrics
    }
}

impl Metrics {
    /// Reports what the controller knows, which from now on works: what it counts begins at zero, so that the first of
    /// each is seen as an increase. The first call counts.
    pub fn observe(
        &self,
        observed: Arc<dyn Observed>,
        pass_outcomes: impl IntoIterator<Item = &'static str>,
    ) {
        if self.observed.set(observed.clone()).is_err() {
            return;
        }
        let families = [
            (&self.checks, check_outcomes().collect::<Vec<_>>()),
            (&self.reconciles, pass_outcomes.into_iter().collect()),
            (&self.statuses, STATUS_OUTCOMES.to_vec()),
            (&self.events, EVENT_OUTCOMES.to_vec()),
        ];
        for (family, outcomes) in families {
            for outcome in outcomes {
                drop(family.get_or_create(&Outcome { outcome }));
            }
        }
        let mut registry = self.registry.write().unwrap_or_else(PoisonError::into_inner);
        registry.sub_registry_with_prefix("clickup_operator").register_collector(Box::new(Beat(observed)));
    }

    /// Says whether this process leads, or is the only one.
    pub fn set_leader(&self, leads: bool) {
        self.leader.set(leads.into());
    }

    /// Counts the end of a check.
    pub fn check_ended(&self, outcome: &CheckOutcome) {
        count(&self.checks, outcome.label());
    }

    /// Counts an answer of ClickUp's, or that none came.
    pub fn answered(&self, call: Call, status: Option<u16>, elapsed: Duration) {
        let status = match status.map(|s| s / 100) {
            Some(2) => "2xx",
            Some(3) => "3xx",
            Some(4) => "4xx",
            Some(5) => "5xx",
            Some(_) => "other",
            None => "none",
        };
        self.requests.get_or_create(&Request { call, status }).inc();
        self.latency.get_or_create(&ByCall { call }).observe(elapsed.as_secs_f64());
    }

    /// Counts a pass.
    pub fn reconciled(&self, outcome: &'static str) {
        count(&self.reconciles, outcome);
    }

    /// Counts what became of a status.
    pub fn status(&self, outcome: &'static str) {
        count(&self.statuses, outcome);
    }

    /// Counts what became of an Event.
    pub fn event(&self, outcome: &'static str) {
        count(&self.events, outcome);
    }

    /// Everything, in parts: first what is counted, then the connections.
    ///
    /// # Errors
    /// A metric cannot be encoded.
    pub(super) fn expose(
        &self,
        format: Format,
    ) -> Result<impl Stream<Item = String> + Send + use<>, fmt::Error> {
        let mut text = String::new();
        encode_registry(&mut text, &self.registry.read().unwrap_or_else(PoisonError::into_inner))?;
        let units = format == Format::OpenMetrics;
        let connections = self.observed.get().map(|observed| connections::lines(observed.clone(), units));
        let end = format.end().to_owned();
        Ok(stream::once(ready(format.of(text)))
            .chain(stream::iter(connections).flatten())
            .chain(stream::once(ready(end))))
    }
}

fn count(family: &Family<Outcome, Counter>, outcome: &'static str) {
    family.get_or_create(&Outcome { outcome }).inc();
}

/// All that may come of a check: a verdict about the token, or the reason why there is none.
fn check_outcomes() -> impl Iterator<Item = &'static str> {
    let no_verdicts = ConditionType::Reachable.reasons().iter().copied();
    let no_verdicts = no_verdicts.filter(|r| !matches!(r, Reason::ResponseReceived | Reason::NotChecked));
    let outcomes = [Reason::TokenAccepted, Reason::TokenRejected].into_iter().chain(no_verdicts);
    outcomes.map(Into::into).chain([SUSPECT])
}

/// How the work goes, as the controller knows it.
struct Beat(Arc<dyn Observed>);

impl fmt::Debug for Beat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Beat")
    }
}

impl Collector for Beat {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let pulse = self.0.pulse();
        let lag = ConstGauge::new(pulse.lag.as_secs_f64());
        let help = "For how long there is work that is due, and no pass over a connection ends";
        lag.encode(encoder.encode_descriptor("work_lag", help, Some(&Unit::Seconds), lag.metric_type())?)?;
        let outage = ConstGauge::new(i64::from(pulse.outage));
        let help = "1 while ClickUp cannot be asked about any token, and is only tried now and then";
        outage.encode(encoder.encode_descriptor("clickup_outage", help, None, outage.metric_type())?)?;
        let tokens = ConstGauge::new(i64::try_from(pulse.tokens).unwrap_or(i64::MAX));
        let help = "Different tokens in use";
        tokens.encode(encoder.encode_descriptor("tokens", help, None, tokens.metric_type())?)
    }
}

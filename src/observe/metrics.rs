//! Prometheus metrics. What a connection's status says is read from the store at each scrape and gone with the object.

use crate::{
    api::{ConditionStatus, ConditionType, StoredConnection},
    clickup::NodeKind,
    connection::CheckOutcome,
};
use kube::runtime::reflector::Store;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeLabelValue, EncodeMetric, text::encode},
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
    sync::{PoisonError, RwLock},
    time::Duration,
};

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
    outcome: String,
}

/// All metrics of the process.
pub struct Metrics {
    registry: RwLock<Registry>,
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
        let mut registry = Registry::with_prefix("clickup_operator");
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
        *metrics.registry.write().unwrap_or_else(PoisonError::into_inner) = registry;
        metrics
    }
}

impl Metrics {
    /// Reports the connections of this store.
    pub fn observe(&self, store: Store<StoredConnection>) {
        let mut registry = self.registry.write().unwrap_or_else(PoisonError::into_inner);
        registry.register_collector(Box::new(Connections(store)));
    }

    /// Says whether this process leads, or is the only one.
    pub fn set_leader(&self, leads: bool) {
        self.leader.set(leads.into());
    }

    /// Counts the end of a check.
    pub fn check_ended(&self, outcome: &CheckOutcome) {
        self.checks.get_or_create(&Outcome { outcome: outcome.label().to_owned() }).inc();
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
    pub fn reconciled(&self, outcome: &str) {
        self.reconciles.get_or_create(&Outcome { outcome: outcome.to_owned() }).inc();
    }

    /// Counts what became of a status.
    pub fn status(&self, outcome: &str) {
        self.statuses.get_or_create(&Outcome { outcome: outcome.to_owned() }).inc();
    }

    /// Counts what became of an Event.
    pub fn event(&self, outcome: &str) {
        self.events.get_or_create(&Outcome { outcome: outcome.to_owned() }).inc();
    }

    /// Everything, in the text format of OpenMetrics.
    ///
    /// # Errors
    /// A metric cannot be encoded.
    pub fn encode(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry.read().unwrap_or_else(PoisonError::into_inner))?;
        Ok(text)
    }
}

/// The readiness of every connection, as its status says.
struct Connections(Store<StoredConnection>);

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connections")
    }
}

impl Collector for Connections {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let connections = self.0.state();
        let gauge = ConstGauge::new(0_i64);
        let mut family = encoder.encode_descriptor(
            "connection_ready",
            "Whether a connection is ready: 1 yes, 0 no, -1 not known",
            None,
            gauge.metric_type(),
        )?;
        for connection in &connections {
            let meta = &connection.metadata;
            let labels = [
                ("namespace", meta.namespace.clone().unwrap_or_default()),
                ("name", meta.name.clone().unwrap_or_default()),
            ];
            ConstGauge::new(readiness(connection)).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

fn readiness(connection: &StoredConnection) -> i64 {
    let ready = connection.status.as_ref().and_then(|s| s.conditions.get(ConditionType::Ready));
    match ready.map(|c| c.status) {
        Some(ConditionStatus::True) => 1,
        Some(ConditionStatus::False) => 0,
        _ => -1,
    }
}

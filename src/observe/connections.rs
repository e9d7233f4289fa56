//! The series of every connection. They are written at each scrape from what is known then, a few connections at a time:
//! of ten thousand the text is several megabytes, and is never held at once.

use crate::api::{Condition, ConditionStatus, ConditionType, Reason, StoredConnection};
use futures::{Stream, stream};
use std::{fmt::Write, num::NonZeroI64, sync::Arc, time::Duration};

/// Connections whose lines are written in one go.
const AT_ONCE: usize = 256;

/// What is told of a connection besides its status, as small as ten thousand of them ask for. What another connection's
/// token is told of only its owner is: of who refers to it the last three are unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gauges {
    /// When a check last ended in a verdict, in milliseconds since the epoch.
    pub last_verified: Option<NonZeroI64>,
    /// Seconds from one routine check to the next; 0 while it is suspended.
    pub interval: Option<u32>,
    /// When the Secret's token was last written, in milliseconds since the epoch.
    pub token_written: Option<NonZeroI64>,
    /// Requests per minute that ClickUp grants the token.
    pub limit: Option<u32>,
    /// How many of these were left at the last check.
    pub remaining: Option<u32>,
}

/// How the work goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pulse {
    /// For how long there is work that is due, and none is done.
    pub lag: Duration,
    /// Whether ClickUp cannot be asked about any token.
    pub outage: bool,
    /// Different tokens in use.
    pub tokens: usize,
}

/// Who knows the connections.
pub trait Observed: Send + Sync + 'static {
    /// All of them.
    fn connections(&self) -> Vec<Arc<StoredConnection>>;

    /// What is told of one besides its status; nothing of one that is gone.
    fn gauges(&self, connection: &StoredConnection) -> Option<Gauges>;

    /// How the work goes.
    fn pulse(&self) -> Pulse;
}

/// A metric of every connection.
struct Family {
    name: &'static str,
    help: &'static str,
    unit: Option<&'static str>,
    value: fn(&StoredConnection, Gauges) -> Option<Value>,
}

enum Value {
    Number(f64),
    /// One, with the reason as a label.
    Reason(Reason),
}

const FAMILIES: [Family; 7] = [
    Family {
        name: "connection_ready",
        help: "Whether a connection is ready: 1 yes, 0 no, -1 not known",
        unit: None,
        value: |connection, _| Some(Value::Number(readiness(connection))),
    },
    Family {
        name: "connection_reason",
        help: "The reason of a connection's condition Ready, as a label of a constant 1; none before the first",
        unit: None,
        value: |connection, _| ready(connection).map(|ready| Value::Reason(ready.reason)),
    },
    Family {
        name: "connection_check_interval_seconds",
        help: "Time from one routine check of a connection to the next; 0 while it is suspended",
        unit: Some("seconds"),
        value: |_, gauges| Some(Value::Number(gauges.interval?.into())),
    },
    Family {
        name: "connection_last_verified_timestamp_seconds",
        help: "When a check of a connection last ended in a verdict, since the epoch",
        unit: Some("seconds"),
        value: |_, gauges| Some(Value::Number(seconds(gauges.last_verified?))),
    },
    Family {
        name: "connection_token_written_timestamp_seconds",
        help: "When the key of the Secret that holds a connection's token was last written, at the latest, since the epoch",
        unit: Some("seconds"),
        value: |_, gauges| Some(Value::Number(seconds(gauges.token_written?))),
    },
    Family {
        name: "connection_rate_limit_requests",
        help: "Requests a minute that ClickUp grants a connection's token",
        unit: None,
        value: |_, gauges| Some(Value::Number(gauges.limit?.into())),
    },
    Family {
        name: "connection_rate_limit_remaining_requests",
        help: "Requests that were left of a token's minute at the connection's last check, whoever used the others",
        unit: None,
        value: |_, gauges| Some(Value::Number(gauges.remaining?.into())),
    },
];

/// The lines of all connections, family after family.
pub(super) fn lines(observed: Arc<dyn Observed>, units: bool) -> impl Stream<Item = String> + Send {
    let connections: Arc<[_]> = observed.connections().into();
    let slices = connections.len().div_ceil(AT_ONCE);
    let parts = FAMILIES.iter().flat_map(move |family| (0..=slices).map(move |part| (family, part)));
    stream::iter(parts.map(move |(family, part)| match part.checked_sub(1) {
        None => family.head(units),
        Some(slice) => {
            let connections = connections.chunks(AT_ONCE).nth(slice).unwrap_or_default();
            family.samples(connections, &*observed)
        }
    }))
}

impl Family {
    fn head(&self, units: bool) -> String {
        let Self { name, help, unit, value: _ } = self;
        let mut text =
            format!("# HELP clickup_operator_{name} {help}.\n# TYPE clickup_operator_{name} gauge\n");
        if let Some(unit) = unit.filter(|_| units) {
            text.extend(["# UNIT clickup_operator_", name, " ", unit, "\n"]);
        }
        text
    }

    fn samples(&self, connections: &[Arc<StoredConnection>], observed: &dyn Observed) -> String {
        let mut text = String::with_capacity(connections.len() * 128);
        for connection in connections {
            let Some(value) = observed.gauges(connection).and_then(|gauges| (self.value)(connection, gauges))
            else {
                continue;
            };
            // Names of Kubernetes' hold nothing to be escaped.
            let of = |name: &Option<String>| name.clone().unwrap_or_default();
            let (namespace, name) = (of(&connection.metadata.namespace), of(&connection.metadata.name));
            let family = self.name;
            // Writing to a text cannot fail.
            let _ = match value {
                Value::Number(value) => writeln!(
                    text,
                    "clickup_operator_{family}{{namespace=\"{namespace}\",name=\"{name}\"}} {value}"
                ),
                Value::Reason(reason) => writeln!(
                    text,
                    "clickup_operator_{family}{{namespace=\"{namespace}\",name=\"{name}\",reason=\"{reason}\"}} 1"
                ),
            };
        }
        text
    }
}

fn ready(connection: &StoredConnection) -> Option<&Condition> {
    connection.status.as_ref()?.conditions.get(ConditionType::Ready)
}

fn readiness(connection: &StoredConnection) -> f64 {
    match ready(connection).map(|ready| ready.status) {
        Some(ConditionStatus::True) => 1.0,
        Some(ConditionStatus::False) => 0.0,
        Some(ConditionStatus::Unknown) | None => -1.0,
    }
}

fn seconds(milliseconds: NonZeroI64) -> f64 {
    milliseconds.get() as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::StreamExt;
    use serde_json::{Value as Json, json};

    /// Connections by their names, with what is told of them.
    struct Known(Vec<(Arc<StoredConnection>, Option<Gauges>)>);

    impl Observed for Known {
        fn connections(&self) -> Vec<Arc<StoredConnection>> {
            self.0.iter().map(|(connection, _)| connection.clone()).collect()
        }

        fn gauges(&self, connection: &StoredConnection) -> Option<Gauges> {
            self.0.iter().find(|(known, _)| known.metadata.name == connection.metadata.name)?.1
        }

        fn pulse(&self) -> Pulse {
            Pulse::default()
        }
    }

    fn connection(name: &str, ready: Json) -> Arc<StoredConnection> {
        let conditions: Vec<_> = ready.is_object().then_some(ready).into_iter().collect();
        let object = json!({"metadata": {"namespace": "ns", "name": name},
            "spec": {"tokenSecretRef": {"name": "s"}}, "status": {"conditions": conditions}});
        Arc::new(serde_json::from_value(object).unwrap())
    }

    fn ready_is(status: &str, reason: &str) -> Json {
        json!({"type": "Ready", "status": status, "reason": reason, "message": "",
            "lastTransitionTime": "2026-11-23T10:00:00Z"})
    }

    async fn text(known: Known, units: bool) -> String {
        lines(Arc::new(known), units).collect::<Vec<_>>().await.concat()
    }

    #[tokio::test]
    async fn what_is_known_is_told_and_nothing_else() {
        let all = Gauges {
            last_verified: NonZeroI64::new(1_795_000_000_250),
            interval: Some(600),
            token_written: NonZeroI64::new(1_794_000_000_000),
            limit: Some(100),
            remaining: Some(0),
        };
        let text = text(
            Known(vec![
                (connection("good", ready_is("True", "Verified")), Some(all)),
                (connection("dead", ready_is("False", "TokenRejected")), Some(Gauges::default())),
                (connection("new", Json::Null), Some(Gauges { interval: Some(0), ..Gauges::default() })),
                (connection("gone", ready_is("True", "Verified")), None),
            ]),
            true,
        )
        .await;
        let samples: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            samples,
            [
                "clickup_operator_connection_ready{namespace=\"ns\",name=\"good\"} 1",
                "clickup_operator_connection_ready{namespace=\"ns\",name=\"dead\"} 0",
                "clickup_operator_connection_ready{namespace=\"ns\",name=\"new\"} -1",
                "clickup_operator_connection_reason{namespace=\"ns\",name=\"good\",reason=\"Verified\"} 1",
                "clickup_operator_connection_reason{namespace=\"ns\",name=\"dead\",reason=\"TokenRejected\"} 1",
                "clickup_operator_connection_check_interval_seconds{namespace=\"ns\",name=\"good\"} 600",
                "clickup_operator_connection_check_interval_seconds{namespace=\"ns\",name=\"new\"} 0",
                "clickup_operator_connection_last_verified_timestamp_seconds{namespace=\"ns\",name=\"good\"} 1795000000.25",
                "clickup_operator_connection_token_written_timestamp_seconds{namespace=\"ns\",name=\"good\"} 1794000000",
                "clickup_operator_connection_rate_limit_requests{namespace=\"ns\",name=\"good\"} 100",
                "clickup_operator_connection_rate_limit_remaining_requests{namespace=\"ns\",name=\"good\"} 0",
            ]
        );
        let units = text.lines().filter(|line| line.starts_with("# UNIT ")).count();
        assert_eq!(units, 3, "{text}");
    }

    #[tokio::test]
    async fn many_are_written_in_parts_and_none_is_left_out() {
        let known = |name: String| (connection(&name, Json::Null), Some(Gauges::default()));
        let names = || (0..2 * AT_ONCE + 1).map(|n| format!("c{n}"));
        let parts: Vec<_> = lines(Arc::new(Known(names().map(known).collect())), false).collect().await;
        assert!(parts.iter().all(|part| part.len() < 64 * 1024));
        let text = parts.concat();
        for name in names() {
            let line = format!("clickup_operator_connection_ready{{namespace=\"ns\",name=\"{name}\"}} -1");
            assert_eq!(text.lines().filter(|told| **told == line).count(), 1, "{name}");
        }
        assert!(!text.contains("# UNIT"));
    }
}

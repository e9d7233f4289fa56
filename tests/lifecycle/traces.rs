//! Traces, as a collector gets them.

use crate::{
    OPERATOR,
    collector::{Collector, Place, attributes},
};
use clickup_simulator::state::{Channel, List, Space};
use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};
use test_support::{
    case::Case,
    operator::{OperatorOptions, OperatorProcess},
    process::Exit,
    stack::{Stack, StackOptions},
    wait,
};

const LOST: &str = "traces do not reach the collector";
const AGAIN: &str = "traces reach the collector again";

async fn start(place: &Place, args: &[&str], env: &[(&str, &str)]) -> Stack {
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(), place.endpoint());
    let more = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let options = StackOptions {
        log_level: "trace".to_owned(),
        operator_args: args.iter().map(|arg| (*arg).to_owned()).collect(),
        operator_env: [endpoint].into_iter().chain(more).collect(),
        ..StackOptions::new(OPERATOR)
    };
    Stack::start(options).await.unwrap_or_else(|e| panic!("the stack does not start: {e}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_is_one_tree_of_spans_which_arrives_also_at_the_end() {
    let place = Place::reserve();
    // Only the end makes it send.
    let env = [("OTEL_BSP_SCHEDULE_DELAY", "3600000"), ("OTEL_EXPORTER_OTLP_HEADERS", "x-team=platform")];
    let stack = start(&place, &[], &env).await;
    let collector = Collector::start(place, false);
    let case = Case::new("traces", &stack.control_plane, &stack.simulator).await;
    let quiet = case.verified("quiet", json!({})).await;
    assert_eq!(stack.operator.terminate().await.unwrap(), Exit::Code(0));
    assert!(collector.deliveries().is_empty(), "nothing is sent unless it is asked for");

    let options = OperatorOptions { args: vec!["--otel".to_owned()], ..stack.operator.options().clone() };
    let operator = OperatorProcess::start(options, stack.control_plane.scratch()).await.unwrap();
    let account = case.account().await;
    let space = Space { name: "Wombat".into(), ..Space::default() };
    let space = case.clickup.add_space(account.workspace, space).await.unwrap();
    let list = case.clickup.add_list_to_space(space, List::default()).await.unwrap();
    let channel = case.clickup.add_channel(account.workspace, Channel::named("wallaby")).await.unwrap();
    case.secret("bot", &account.token.value).await;
    let spec = json!({
        "channel": {"name": "wallaby"},
        "access": [{"space": {"name": "Wombat"}}, {"list": {"id": list.to_string()}}],
    });
    case.connection("bot", spec).await;
    case.until_ready("bot", "True", "Verified").await;
    let metrics = operator.metrics().await.unwrap();
    let asked = Instant::now();
    assert_eq!(operator.terminate().await.unwrap(), Exit::Code(0));
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());

    let spans = collector.spans();
    let root = tree_of("bot", &case.namespace, &spans);
    assert_eq!(root["clickup.check.urgency"], "asked");
    assert_eq!(root["clickup.check.outcome"], "TokenAccepted");
    for (resource, span) in &spans {
        assert_eq!(resource["service.name"], "clickup-operator");
        assert_eq!(resource["service.version"], env!("CARGO_PKG_VERSION"));
        if span.kind() == SpanKind::Client {
            let call = &attributes(&span.attributes)["clickup.call"];
            assert!(metrics.contains(&format!("call=\"{call}\"")), "the metrics know no {call}");
        }
    }
    let deliveries = collector.deliveries();
    for delivery in &deliveries {
        assert_eq!(delivery.path, "/v1/traces");
        assert_eq!(delivery.headers["content-type"], "application/x-protobuf");
        assert_eq!(delivery.headers["x-team"], "platform");
        for account in [&account, &quiet] {
            let part = account.token.value.rsplit('_').next().unwrap();
            assert!(!holds(&delivery.body, part), "a token's secret was sent");
        }
        for id in [account.workspace.to_string(), space.to_string(), list.to_string(), channel.clone()] {
            assert!(!holds(&delivery.body, &id), "an id was sent");
        }
    }
    assert!(!operator.process().log().contains("x-team"), "headers may be credentials");
    for line in operator.process().log().lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        assert!(line["span"].is_null() && line["spans"].is_null(), "{line}");
    }
}

/// The attributes of the one check of a connection, after its tree was looked at.
fn tree_of(
    name: &str,
    namespace: &str,
    spans: &[(BTreeMap<String, String>, Span)],
) -> BTreeMap<String, String> {
    let mut roots = spans.iter().map(|(_, span)| span).filter(|span| {
        let of = attributes(&span.attributes);
        of.get("clickup.connection.name").is_some_and(|connection| connection == name)
            && of["k8s.namespace.name"] == namespace
    });
    let root = roots.next().unwrap_or_else(|| panic!("no check of {name}"));
    assert!(roots.next().is_none(), "there was one check");
    assert_eq!((root.name.as_str(), root.parent_span_id.len()), ("check", 0));
    let branches: Vec<_> = spans
        .iter()
        .map(|(_, span)| span)
        .filter(|span| span.trace_id == root.trace_id && span.span_id != root.span_id)
        .collect();
    for span in &branches {
        assert_eq!(span.parent_span_id, root.span_id, "{span:?}");
        let within = root.start_time_unix_nano..=root.end_time_unix_nano;
        assert!(within.contains(&span.start_time_unix_nano) && within.contains(&span.end_time_unix_nano));
    }
    let calls: Vec<_> = branches.into_iter().filter(|span| span.kind() == SpanKind::Client).collect();
    for call in &calls {
        let of = attributes(&call.attributes);
        assert_eq!(
            (of["http.request.method"].as_str(), of["http.response.status_code"].as_str()),
            ("GET", "200")
        );
        assert_eq!(call.name, format!("GET {}", of["url.template"]));
        assert!(!of.contains_key("error.type"), "{of:?}");
    }
    let paths: BTreeSet<_> = calls.iter().map(|call| call.name.as_str()).collect();
    let expected = [
        "GET /v2/user",
        "GET /v2/team",
        "GET /v2/team/{id}/space",
        "GET /v3/workspaces/{id}/chat/channels",
        "GET /v2/list/{id}",
    ];
    assert_eq!((paths, calls.len()), (expected.into(), expected.len()));
    attributes(&root.attributes)
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_or_refuses_is_told_of_once() {
    let place = Place::reserve();
    let stack = start(&place, &["--otel"], &[("OTEL_BSP_SCHEDULE_DELAY", "100")]).await;
    let case = Case::new("lost", &stack.control_plane, &stack.simulator).await;
    let log = || stack.operator.process().log();
    let said = |what: &'static str| async move {
        let log = log();
        if log.contains(what) { Ok(log) } else { Err("not yet") }
    };
    let patience = Duration::from_secs(30);
    case.verified("first", json!({})).await;
    let first = wait::until(patience, "the loss in the log", || said(LOST)).await.unwrap();
    assert!(
        first.contains(&format!("127.0.0.1 port {}: connection refused", place.address.port())),
        "{first}"
    );

    let collector = Collector::start(place, true);
    for n in 0..4 {
        case.verified(&format!("more-{n}"), json!({})).await;
        let refused = || async {
            let refused = collector.deliveries().len();
            if refused > n { Ok(()) } else { Err(format!("{refused} batches were refused")) }
        };
        wait::until(patience, "a batch to be refused", refused).await.unwrap();
    }
    assert_eq!(log().matches(LOST).count(), 1, "not for every batch");
    stack.operator.healthz().await.unwrap();

    collector.accept();
    case.verified("last", json!({})).await;
    let log = wait::until(patience, "the end of the loss in the log", || said(AGAIN)).await.unwrap();
    assert_eq!((log.matches(LOST).count(), log.matches(AGAIN).count()), (1, 1));
    stack.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_variable_that_cannot_be_used_is_named_at_the_start() {
    let mut command = std::process::Command::new(OPERATOR);
    command.args(["run", "--otel"]).env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("OTEL_EXPORTER_OTLP_PROTOCOL"), "{said}");
}

//! The spans of checks, seen where they end.

use super::*;
use opentelemetry::trace::{SpanId, TraceId, TracerProvider};
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{SdkTracerProvider, SpanData, SpanExporter},
};

/// Keeps what ends.
#[derive(Clone, Debug, Default)]
struct Ended(Arc<Mutex<Vec<SpanData>>>);

impl SpanExporter for Ended {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().unwrap().extend(batch);
        Ok(())
    }
}

/// Lets connections live, and returns the spans that ended meanwhile.
async fn spans(clickup: &Arc<Simulated>, seconds: i64, connections: Vec<Connection>) -> Vec<SpanData> {
    let ended = Ended::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(ended.clone()).build();
    let tracer = Tracer::new(provider.tracer("test"));
    live_traced(tracer, clickup, 10, seconds, connections).await;
    let mut spans = ended.0.lock().unwrap().clone();
    let roots: BTreeMap<_, _> = named(&spans, "check")
        .into_iter()
        .map(|root| (trace(root).to_bytes(), root.span_context.span_id()))
        .collect();
    // A check that was under way at the end has no root yet.
    spans.retain(|span| roots.contains_key(&trace(span).to_bytes()));
    for span in &spans {
        let parent = if span.name == "check" { SpanId::INVALID } else { roots[&trace(span).to_bytes()] };
        assert_eq!(span.parent_span_id, parent, "{span:?}");
    }
    spans
}

fn attribute(span: &SpanData, name: &str) -> String {
    let found = span.attributes.iter().find(|attribute| attribute.key.as_str() == name);
    found.map(|attribute| attribute.value.to_string()).unwrap_or_default()
}

fn named<'a>(spans: &'a [SpanData], name: &str) -> Vec<&'a SpanData> {
    spans.iter().filter(|span| span.name == name).collect()
}

fn waits<'a>(spans: &'a [SpanData], for_what: &str) -> Vec<&'a SpanData> {
    named(spans, "wait").into_iter().filter(|span| attribute(span, "clickup.wait.for") == for_what).collect()
}

fn trace(span: &SpanData) -> TraceId {
    span.span_context.trace_id()
}

#[tokio::test(start_paused = true)]
async fn every_check_is_a_tree_and_who_is_served_by_another_names_it() {
    let clickup = Simulated::new(100);
    let spans = spans(&clickup, 60, on_one_token(3, |i| json!({"access": lists([i])}))).await;
    let checks = named(&spans, "check");
    let names: Vec<_> = checks.iter().map(|check| attribute(check, "clickup.connection.name")).collect();
    assert_eq!(names.len(), 3, "{names:?}");
    for check in &checks {
        assert_eq!(attribute(check, "k8s.namespace.name"), "team-1");
        assert_eq!(attribute(check, "clickup.check.urgency"), "asked");
        assert_eq!(attribute(check, "clickup.check.outcome"), "TokenAccepted");
        let lists = named(&spans, "GET /v2/list/{id}");
        assert_eq!(lists.iter().filter(|call| trace(call) == trace(check)).count(), 1, "its own list");
    }
    let [user] = named(&spans, "GET /v2/user")[..] else { panic!("not one call") };
    assert_eq!(attribute(user, "clickup.call"), "User");
    assert_eq!(attribute(user, "http.response.status_code"), "200");
    assert_eq!(attribute(user, "error.type"), "");
    let served = waits(&spans, "another_check");
    let served: Vec<_> = served.into_iter().filter(|wait| trace(wait) != trace(user)).collect();
    assert!(served.len() >= 2, "two were served by the first: {served:?}");
    for wait in served {
        let link = wait.links.iter().next().expect("a link");
        assert_ne!(link.span_context.trace_id(), trace(wait));
        assert!(checks.iter().any(|check| check.span_context == link.span_context));
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_budget_holds_up_is_told() {
    let clickup = Simulated::new(20);
    let spans = spans(&clickup, 300, on_one_token(1, |_| json!({"access": lists(0..10)}))).await;
    assert!(!waits(&spans, "budget").is_empty());
    assert!(waits(&spans, "another_check").is_empty(), "its own questions are no others'");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_fails_says_how_and_one_that_nobody_waits_for_any_more_too() {
    let clickup = Simulated::new(100);
    clickup.world(|w| (w.down, w.hangs) = (true, true));
    let connections = on_one_token(1, |_| json!({"timeout": "10s"}));
    let later = async {
        sleep(StdDuration::from_secs(20)).await;
        clickup.world(|w| w.hangs = false);
    };
    let (spans, ()) = tokio::join!(spans(&clickup, 120, connections), later);
    let errors: Vec<_> =
        named(&spans, "GET /v2/user").into_iter().map(|call| attribute(call, "error.type")).collect();
    assert_eq!(errors.first().map(String::as_str), Some("cancelled"), "{errors:?}");
    assert!(errors.iter().any(|error| error == "ConnectFailed"), "{errors:?}");
    let outcomes: Vec<_> =
        named(&spans, "check").into_iter().map(|check| attribute(check, "clickup.check.outcome")).collect();
    assert_eq!(outcomes.first().map(String::as_str), Some("TimedOut"), "{outcomes:?}");
    assert!(outcomes.iter().any(|outcome| outcome == "ConnectFailed"), "{outcomes:?}");
}

#[tokio::test(start_paused = true)]
async fn an_http_error_is_told_by_its_status() {
    let clickup = Simulated::new(100);
    clickup.world(|w| w.rejects = true);
    let spans = spans(&clickup, 5, on_one_token(1, |_| json!({}))).await;
    let [user] = named(&spans, "GET /v2/user")[..] else { panic!("not one call") };
    assert_eq!(attribute(user, "error.type"), "401");
    assert_eq!(attribute(named(&spans, "check")[0], "clickup.check.outcome"), "TokenRejected");
}

//! The spans of a check: one tree, with a branch for each call of ClickUp's and for each time that the check had to wait.
//! Where traces are off, none of this costs more than a look at an empty option.

use super::super::Call;
use crate::{api::Reason, clickup::Urgency};
use opentelemetry::{
    Context, KeyValue,
    trace::{Link, Span, SpanBuilder, SpanKind, Status, TraceContextExt, Tracer as _},
};
use opentelemetry_sdk::trace::SdkTracer;
use std::sync::Arc;

/// Begins the spans of checks; the default one begins none.
#[derive(Clone, Debug, Default)]
pub struct Tracer(Option<SdkTracer>);

/// The span of a check, and the root of its tree. It ends with [`Self::end`], or with its last copy.
#[derive(Clone, Debug, Default)]
pub struct CheckSpan(Option<Arc<Root>>);

#[derive(Debug)]
struct Root {
    tracer: SdkTracer,
    context: Context,
}

/// The span of a call.
#[must_use = "a call that is not answered is told as cancelled"]
#[derive(Debug)]
pub struct CallSpan(Option<<SdkTracer as opentelemetry::trace::Tracer>::Span>);

/// The span of a wait, which ends where it is dropped.
#[must_use = "the wait ends where this is dropped"]
#[derive(Debug)]
pub struct WaitSpan {
    _span: Option<<SdkTracer as opentelemetry::trace::Tracer>::Span>,
}

/// What keeps a check waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum WaitFor {
    /// The token's budget, or the reset of its limit.
    Budget,
    /// The time that lies between two checks which annotations ask for.
    Annotation,
    /// A place among all requests that are under way.
    Place,
    /// The answer to a question that another check has put.
    AnotherCheck,
}

impl Tracer {
    /// Spans of this tracer.
    pub fn new(tracer: SdkTracer) -> Self {
        Self(Some(tracer))
    }

    /// A check of this connection begins.
    pub fn check(&self, namespace: &str, name: &str, urgency: Urgency) -> CheckSpan {
        CheckSpan(self.0.as_ref().map(|tracer| {
            let urgency = match urgency {
                Urgency::Confirmation => "confirmation",
                Urgency::Asked => "asked",
                Urgency::Routine => "routine",
            };
            let span = SpanBuilder::from_name("check").with_attributes([
                KeyValue::new("k8s.namespace.name", namespace.to_owned()),
                KeyValue::new("clickup.connection.name", name.to_owned()),
                KeyValue::new("clickup.check.urgency", urgency),
            ]);
            // A context of its own: nothing around is the parent of a check.
            let span = tracer.build_with_context(span, &Context::new());
            Arc::new(Root { tracer: tracer.clone(), context: Context::new().with_span(span) })
        }))
    }
}

impl CheckSpan {
    /// A request goes out.
    pub fn call(&self, call: Call) -> CallSpan {
        CallSpan(self.0.as_ref().map(|root| {
            let (name, template) = described(call);
            let span = SpanBuilder::from_name(format!("GET {template}"))
                .with_kind(SpanKind::Client)
                .with_attributes([
                    KeyValue::new("clickup.call", name),
                    KeyValue::new("http.request.method", "GET"),
                    KeyValue::new("url.template", template),
                ]);
            root.branch(span)
        }))
    }

    /// The check has to wait.
    pub fn wait(&self, for_what: WaitFor) -> WaitSpan {
        WaitSpan { _span: self.0.as_ref().map(|root| root.branch(waiting(for_what))) }
    }

    /// Waits for the answer to a question that `asker` has put, which may be this check itself; then there is no span.
    pub fn wait_for_answer_to(&self, asker: &Self) -> WaitSpan {
        let Some((root, other)) = self.0.as_ref().zip(asker.0.as_ref()).filter(|(a, b)| !Arc::ptr_eq(a, b))
        else {
            return WaitSpan { _span: None };
        };
        let asker = other.context.span().span_context().clone();
        let link = Link::new(asker, Vec::new(), 0);
        WaitSpan { _span: Some(root.branch(waiting(WaitFor::AnotherCheck).with_links(vec![link]))) }
    }

    /// Nothing is sent, for ClickUp is known not to answer.
    pub fn in_outage(&self) {
        if let Some(root) = &self.0 {
            root.context.span().add_event("not asked: ClickUp does not answer anybody", Vec::new());
        }
    }

    /// The check has ended, with this outcome.
    pub fn end(&self, outcome: &'static str) {
        if let Some(root) = &self.0 {
            let span = root.context.span();
            span.set_attribute(KeyValue::new("clickup.check.outcome", outcome));
            span.end();
        }
    }
}

impl Root {
    fn branch(&self, span: SpanBuilder) -> <SdkTracer as opentelemetry::trace::Tracer>::Span {
        self.tracer.build_with_context(span, &self.context)
    }
}

impl CallSpan {
    /// What came back: the HTTP status, if there was an answer, and why it was no verdict.
    pub fn answered(mut self, status: Option<u16>, no_verdict: Option<Reason>) {
        let Some(mut span) = self.0.take() else { return };
        if let Some(status) = status {
            span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status)));
        }
        match (status.filter(|status| *status >= 400), no_verdict) {
            (Some(status), _) => fail(&mut span, status.to_string()),
            (None, Some(reason)) => fail(&mut span, reason.to_string()),
            (None, None) => {}
        }
        span.end();
    }
}

impl Drop for CallSpan {
    fn drop(&mut self) {
        if let Some(mut span) = self.0.take() {
            fail(&mut span, "cancelled".to_owned());
        }
    }
}

fn fail(span: &mut impl Span, error: String) {
    span.set_attribute(KeyValue::new("error.type", error));
    span.set_status(Status::error(""));
}

fn waiting(for_what: WaitFor) -> SpanBuilder {
    let for_what: &'static str = for_what.into();
    SpanBuilder::from_name("wait").with_attributes([KeyValue::new("clickup.wait.for", for_what)])
}

/// A call's name, as the metrics have it, and its path, which names no id.
fn described(call: Call) -> (&'static str, &'static str) {
    match call {
        Call::User => ("User", "/v2/user"),
        Call::Workspaces => ("Workspaces", "/v2/team"),
        Call::Spaces => ("Spaces", "/v2/team/{id}/space"),
        Call::Channels => ("Channels", "/v3/workspaces/{id}/chat/channels"),
        Call::Space => ("Space", "/v2/space/{id}"),
        Call::Folder => ("Folder", "/v2/folder/{id}"),
        Call::List => ("List", "/v2/list/{id}"),
        Call::Task => ("Task", "/v2/task/{id}"),
    }
}

//! Traces by OpenTelemetry, where they are asked for: one tree of spans for each check, sent by OTLP over HTTP as the usual
//! variables say. Logs know nothing of them, and what libraries tell of themselves does not get into them.

mod collector;
mod environment;
mod queue;
mod spans;

pub use environment::TracesError;
pub use spans::{CallSpan, CheckSpan, Tracer, WaitFor, WaitSpan};

use collector::Collector;
use opentelemetry::{InstrumentationScope, trace::TracerProvider};
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::trace::SdkTracerProvider;
use queue::{Queue, Waiting};
use std::time::Duration;
use tokio::{runtime::Handle, task::spawn_blocking, time::timeout};
use tracing::{info, warn};

/// At the end, spans that wait get this long; it is what the drain leaves of the ten seconds of a Pod.
const FLUSH: Duration = Duration::from_millis(800);

/// How to say `service.name` where the environment does not.
const SERVICE: &str = "clickup-operator";

/// The sending of traces; the default one sends nothing.
#[derive(Debug, Default)]
pub struct Traces(Option<SdkTracerProvider>);

impl Traces {
    /// Starts sending, as the `OTEL_` variables say. Within a runtime.
    ///
    /// # Errors
    /// Names the variable to correct.
    pub fn start() -> Result<Self, TracesError> {
        let environment = environment::Environment::read(|name| std::env::var(name).ok())?;
        let collector = Collector::new(environment.http()?, Handle::current());
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(collector.clone())
            .with_timeout(environment.timeout)
            .build()
            .map_err(|error| TracesError::Exporter(error.to_string()))?;
        let waiting = Waiting::default();
        let exporter = collector.watch(exporter, waiting.clone());
        let provider = SdkTracerProvider::builder()
            .with_resource(environment.resource())
            .with_span_processor(Queue::new(exporter, waiting, environment.queue))
            .build();
        info!("traces of checks are sent to the collector");
        Ok(Self(Some(provider)))
    }

    /// What begins spans.
    pub fn tracer(&self) -> Tracer {
        let scope = InstrumentationScope::builder(SERVICE).with_version(env!("CARGO_PKG_VERSION")).build();
        self.0.as_ref().map_or_else(Tracer::default, |p| Tracer::new(p.tracer_with_scope(scope)))
    }

    /// Sends what waits, and ends.
    pub async fn finish(self) {
        let Some(provider) = self.0 else { return };
        // It blocks until the runtime, which is this thread's, has sent the batch.
        let flushed = spawn_blocking(move || provider.shutdown_with_timeout(FLUSH));
        if !matches!(timeout(FLUSH, flushed).await, Ok(Ok(Ok(())))) {
            warn!("the last traces could not be sent in time");
        }
    }
}

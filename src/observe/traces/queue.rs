//! The spans that wait for the collector, and how many are too many: what is dropped is counted and told, which the SDK
//! would do in logs of its own.

use super::collector::Watched;
use opentelemetry::Context;
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{BatchConfigBuilder, BatchSpanProcessor, Span, SpanData, SpanProcessor},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tracing::warn;

/// How many spans wait.
#[derive(Clone, Debug, Default)]
pub(super) struct Waiting(Arc<AtomicUsize>);

impl Waiting {
    /// So many are on their way.
    pub(super) fn leave(&self, spans: usize) {
        self.0.fetch_sub(spans, Ordering::Relaxed);
    }

    fn join(&self, limit: usize) -> bool {
        let free = |waiting| (waiting < limit).then_some(waiting + 1);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, free).is_ok()
    }
}

/// The queue, in front of the SDK's own, which never gets more than it holds.
#[derive(Debug)]
pub(super) struct Queue<P = BatchSpanProcessor> {
    batches: P,
    waiting: Waiting,
    limit: usize,
    dropped: AtomicU64,
}

impl Queue {
    pub(super) fn new(exporter: Watched, waiting: Waiting, limit: usize) -> Self {
        let config = BatchConfigBuilder::default().with_max_queue_size(limit).build();
        let batches = BatchSpanProcessor::builder(exporter).with_batch_config(config).build();
        Self { batches, waiting, limit, dropped: AtomicU64::new(0) }
    }
}

impl<P: SpanProcessor> SpanProcessor for Queue<P> {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.batches.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if self.waiting.join(self.limit) {
            self.batches.on_end(span);
        } else if self.dropped.fetch_add(1, Ordering::Relaxed) == 0 {
            let limit = self.limit;
            warn!(
                limit,
                "spans are dropped: more wait for the collector than OTEL_BSP_MAX_QUEUE_SIZE allows"
            );
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.batches.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        let dropped = self.dropped.load(Ordering::Relaxed);
        if dropped > 0 {
            warn!(dropped, "so many spans were dropped in all");
        }
        self.batches.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.batches.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry::trace::{Tracer, TracerProvider};
    use opentelemetry_sdk::trace::SdkTracerProvider;

    /// Takes spans and keeps them waiting.
    #[derive(Clone, Debug, Default)]
    struct Slow(Arc<AtomicUsize>);

    impl SpanProcessor for Slow {
        fn on_start(&self, _: &mut Span, _: &Context) {}

        fn on_end(&self, _: SpanData) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }

        fn force_flush(&self) -> OTelSdkResult {
            Ok(())
        }

        fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
            Ok(())
        }
    }

    #[test]
    fn no_more_than_the_limit_wait_and_there_is_room_again_once_they_leave() {
        let (slow, waiting) = (Slow::default(), Waiting::default());
        let queue =
            Queue { batches: slow.clone(), waiting: waiting.clone(), limit: 3, dropped: AtomicU64::new(0) };
        let provider = SdkTracerProvider::builder().with_span_processor(queue).build();
        let tracer = provider.tracer("test");
        let end = |spans: usize| (0..spans).for_each(|_| drop(tracer.start("span")));
        end(5);
        assert_eq!(slow.0.load(Ordering::Relaxed), 3);
        waiting.leave(2);
        end(5);
        assert_eq!(slow.0.load(Ordering::Relaxed), 5);
    }
}

//! The way to the collector: OTLP over HTTP with the same client library and TLS provider as everything else.

use super::queue::Waiting;
use crate::clickup::Failure;
use async_trait::async_trait;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{SpanData, SpanExporter as Exporter},
};
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::runtime::Handle;
use tokio_util::task::AbortOnDropHandle;
use tracing::{info, warn};

/// What a collector answers is short, and of no interest beyond its status; more than this is not read.
const MAX_ANSWER: usize = 64 * 1024;

/// Sends batches. The SDK asks for that on a thread of its own; the sending is the runtime's.
#[derive(Clone, Debug)]
pub(super) struct Collector {
    http: reqwest::Client,
    runtime: Handle,
    /// Why the last batch did not arrive, in words that hold nothing of what was sent or answered.
    cause: Arc<Mutex<String>>,
}

impl Collector {
    pub(super) fn new(http: reqwest::Client, runtime: Handle) -> Self {
        Self { http, runtime, cause: Arc::default() }
    }

    /// Says of batches whether they arrive.
    pub(super) fn watch(&self, exporter: SpanExporter, waiting: Waiting) -> Watched {
        Watched { exporter, waiting, cause: self.cause.clone(), failing: AtomicBool::new(false) }
    }

    fn note(&self, cause: String) {
        *self.cause.lock().unwrap_or_else(PoisonError::into_inner) = cause;
    }
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let request = reqwest::Request::try_from(request)?;
        let url = request.url();
        let port = url.port_or_known_default().unwrap_or_default();
        let to = format!("{} port {port}", url.host_str().unwrap_or_default());
        let sending = send(self.http.clone(), request);
        let sent = AbortOnDropHandle::new(self.runtime.spawn(sending)).await?;
        match &sent {
            Ok(response) if response.status().is_success() => {}
            Ok(response) => {
                self.note(format!("{to} answers with HTTP status {}", response.status().as_u16()))
            }
            Err(error) => self.note(match Failure::of(error) {
                Failure::Connect(cause) | Failure::Tls(cause) | Failure::Garbled(cause) => {
                    format!("{to}: {cause}")
                }
                Failure::TimedOut => format!("{to}: no answer in time"),
            }),
        }
        Ok(sent?)
    }
}

/// The answer's head; its body is read to its end, so that the connection can be used again.
async fn send(http: reqwest::Client, request: reqwest::Request) -> reqwest::Result<Response<Bytes>> {
    let mut response = http.execute(request).await?;
    let mut head = Response::new(Bytes::new());
    *head.status_mut() = response.status();
    *head.headers_mut() = std::mem::take(response.headers_mut());
    let mut read = 0;
    while let Some(chunk) = response.chunk().await? {
        read += chunk.len();
        if read > MAX_ANSWER {
            break;
        }
    }
    Ok(head)
}

/// An exporter that tells of its first failure, and of the first success after it; not of every batch.
#[derive(Debug)]
pub(super) struct Watched {
    exporter: SpanExporter,
    waiting: Waiting,
    cause: Arc<Mutex<String>>,
    failing: AtomicBool,
}

impl Exporter for Watched {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.waiting.leave(batch.len());
        let sent = self.exporter.export(batch).await;
        let was_failing = self.failing.swap(sent.is_err(), Ordering::Relaxed);
        match &sent {
            Err(error) if !was_failing => {
                let noted = std::mem::take(&mut *self.cause.lock().unwrap_or_else(PoisonError::into_inner));
                // Where nothing was sent, the SDK knows why.
                let cause = if noted.is_empty() { error.to_string() } else { noted };
                warn!(cause, "traces do not reach the collector and are lost until they do");
            }
            Ok(()) if was_failing => info!("traces reach the collector again"),
            _ => {}
        }
        sent
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

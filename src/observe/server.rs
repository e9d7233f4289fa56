//! The HTTP endpoints: /healthz and /readyz on one address, /metrics on another.

use super::{Health, Metrics, exposition::Format};
use axum::{
    Router,
    body::Body,
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use futures::StreamExt;
use std::{convert::Infallible, io, net::SocketAddr, sync::Arc};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;
use tracing::info;

/// The endpoints, while this is held.
pub struct Servers {
    _tasks: [AbortOnDropHandle<()>; 2],
}

/// An address that cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("{flag} {address}: cannot listen there: choose a free address, or port 0 for any free port")]
pub struct ServeError {
    flag: &'static str,
    address: SocketAddr,
    source: io::Error,
}

impl Servers {
    /// Starts the endpoints.
    ///
    /// # Errors
    /// Names the flag whose address cannot be listened on.
    pub async fn start(
        metrics_at: SocketAddr,
        health_at: SocketAddr,
        metrics: Arc<Metrics>,
        health: Arc<Health>,
    ) -> Result<Self, ServeError> {
        let metrics = Router::new().route(
            "/metrics",
            get(move |headers: HeaderMap| std::future::ready(scrape(&metrics, Format::wanted(&headers)))),
        );
        let (live, ready) = (health.clone(), health);
        let health =
            Router::new().route("/healthz", get(move || async move { verdict(live.progress()) })).route(
                "/readyz",
                get(move || async move {
                    verdict(
                        ready.is_ready().then_some(()).ok_or(
                            "the watches have not shown everything yet, or the process is about to end"
                                .to_owned(),
                        ),
                    )
                }),
            );
        Ok(Self {
            _tasks: [
                serve("--metrics-addr", metrics_at, metrics).await?,
                serve("--health-addr", health_at, health).await?,
            ],
        })
    }
}

async fn serve(
    flag: &'static str,
    address: SocketAddr,
    routes: Router,
) -> Result<AbortOnDropHandle<()>, ServeError> {
    let failed = |source| ServeError { flag, address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    info!(%address, "listening for {}", flag.trim_start_matches("--").trim_end_matches("-addr"));
    Ok(AbortOnDropHandle::new(tokio::spawn(async move {
        // Accept errors are retried inside; it ends with its task only.
        let _ = axum::serve(listener, routes).await;
    })))
}

fn scrape(metrics: &Metrics, format: Format) -> Response {
    match metrics.expose(format) {
        Ok(parts) => {
            let body = Body::from_stream(parts.map(Ok::<_, Infallible>));
            ([(CONTENT_TYPE, format.content_type())], body).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn verdict(health: Result<(), String>) -> impl IntoResponse {
    match health {
        Ok(()) => (StatusCode::OK, "ok\n".to_owned()),
        Err(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
    }
}

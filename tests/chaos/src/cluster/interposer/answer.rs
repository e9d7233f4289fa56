//! One request: what befalls it, what the API server answers, and what befalls that.

use std::convert::Infallible;
use std::sync::Arc;

use futures::stream::unfold;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, RETRY_AFTER, TRANSFER_ENCODING};
use hyper::http::request::Parts;
use hyper::{Request, Response, StatusCode};
use serde_json::json;
use tokio::sync::Notify;

use super::flow::{Cut, Flow};
use super::request::Asked;
use super::{Interference, Shared, WriteKind, one_more, thawed};

type Body = UnsyncBoxBody<Bytes, Cut>;

/// Answers one request. Where there is to be no answer it waits until its connection is gone.
pub(super) async fn answer(
    request: Request<Incoming>,
    shared: Arc<Shared>,
    reset: Arc<Notify>,
) -> Result<Response<Body>, Infallible> {
    let (parts, body) = request.into_parts();
    let asked = Asked::of(&parts);
    shared.count(asked);
    let mut interferences = shared.interferences();
    thawed(&mut interferences).await;
    let now = interferences.borrow_and_update().clone();
    for interference in &now {
        if let Interference::Slow(delay) = interference {
            tokio::time::sleep(*delay).await;
        }
    }
    if let Some(refusal) = now.iter().find_map(|interference| refusal(*interference, asked)) {
        return Ok(refusal);
    }
    let chosen = match asked {
        Asked::Write(kind) => shared.choose(kind, parts.uri.path()),
        _ => None,
    };
    let after = match chosen {
        Some(chosen) if chosen.before() => {
            if chosen.tell() {
                return silence().await;
            }
            None
        }
        other => other,
    };
    let path = parts.uri.path().to_owned();
    let answered = shared.forward(parts, body).await;
    if after.is_some_and(|chosen| chosen.tell()) {
        return silence().await;
    }
    let loses = now.contains(&Interference::LosesAnswers) && asked == Asked::Write(WriteKind::Status);
    let answered = match answered {
        Ok(answered) if !(loses && shared.every_other(&path)) => answered,
        // An API server that does not answer is one whose connections break.
        _ => {
            reset.notify_one();
            return silence().await;
        }
    };
    thawed(&mut interferences).await;
    if answered.status() == StatusCode::GONE {
        one_more(&shared.counters.gone);
    }
    let mut response = Response::new(());
    *response.status_mut() = answered.status();
    *response.headers_mut() = answered.headers().clone();
    for hop in [CONNECTION, TRANSFER_ENCODING] {
        response.headers_mut().remove(hop);
    }
    let cut = now.contains(&Interference::CutsAnswers) && !asked.is_watch() && shared.every_other(&path);
    let flow = Flow::new(answered, shared, asked.is_watch(), cut);
    Ok(response.map(|()| StreamBody::new(unfold(flow, Flow::next)).boxed_unsync()))
}

impl Shared {
    fn count(&self, asked: Asked) {
        one_more(&self.counters.requests);
        match asked {
            Asked::Watch { .. } => one_more(&self.counters.watches),
            Asked::Write(WriteKind::Status) => one_more(&self.counters.status_writes),
            Asked::Write(WriteKind::Event) => one_more(&self.counters.event_writes),
            Asked::Read | Asked::OtherWrite => {}
        }
    }

    async fn forward(&self, parts: Parts, body: Incoming) -> reqwest::Result<reqwest::Response> {
        let Parts { method, uri, mut headers, .. } = parts;
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        for hop in [HOST, CONNECTION, TRANSFER_ENCODING] {
            headers.remove(hop);
        }
        let request = self.http.request(method, format!("{}{path}", self.upstream)).headers(headers);
        request.body(reqwest::Body::wrap(body)).send().await
    }
}

/// What an interference answers instead of the API server.
fn refusal(interference: Interference, asked: Asked) -> Option<Response<Body>> {
    match interference {
        Interference::Refuses { code, only_writes } if asked.is_write() || !only_writes => {
            let mut response = status(code, "the interposer refuses");
            if code == 429 {
                response.headers_mut().insert(RETRY_AFTER, 1.into());
            }
            Some(response)
        }
        Interference::WatchStartsGone if asked.is_watch() => Some(status(410, "too old resource version")),
        Interference::WatchesGone if asked == (Asked::Watch { resumed: true }) => {
            // As the API server does it, which has begun to answer when it finds out.
            Some(json_response(200, super::flow::GONE_EVENT.clone()))
        }
        _ => None,
    }
}

fn status(code: u16, message: &str) -> Response<Body> {
    let reason = match code {
        410 => "Expired",
        429 => "TooManyRequests",
        _ => "ServiceUnavailable",
    };
    let status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code});
    json_response(code, Bytes::from(status.to_string()))
}

fn json_response(code: u16, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Full::new(body).map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("application/json"));
    response
}

/// No answer, until the connection is gone, and with it whoever waits here.
async fn silence() -> Result<Response<Body>, Infallible> {
    std::future::pending().await
}

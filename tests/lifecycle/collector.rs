//! A collector of traces: takes OTLP over HTTP on the loopback address, or refuses it, and remembers what came.

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, Uri},
};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value},
    trace::v1::Span,
};
use prost::Message;
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::{net::TcpSocket, task::JoinSet};

/// A port on which nobody listens yet.
pub(crate) struct Place {
    socket: TcpSocket,
    pub(crate) address: SocketAddr,
}

#[derive(Clone)]
pub(crate) struct Delivery {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

pub(crate) struct Collector {
    seen: Arc<Seen>,
    /// Ends with this.
    _server: JoinSet<()>,
}

#[derive(Default)]
struct Seen {
    refuses: AtomicBool,
    deliveries: Mutex<Vec<Delivery>>,
}

impl Place {
    pub(crate) fn reserve() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = socket.local_addr().unwrap();
        Self { socket, address }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Collector {
    pub(crate) fn start(place: Place, refuses: bool) -> Self {
        let seen = Arc::new(Seen { refuses: refuses.into(), ..Seen::default() });
        let routes = Router::new().fallback(take).with_state(seen.clone());
        let listener = place.socket.listen(64).unwrap();
        let mut server = JoinSet::new();
        server.spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { seen, _server: server }
    }

    pub(crate) fn accept(&self) {
        self.seen.refuses.store(false, Ordering::Relaxed);
    }

    pub(crate) fn deliveries(&self) -> Vec<Delivery> {
        self.seen.deliveries.lock().unwrap().clone()
    }

    /// The spans of all batches, each with what its resource says.
    pub(crate) fn spans(&self) -> Vec<(BTreeMap<String, String>, Span)> {
        let requests = self.deliveries().into_iter().map(|delivery| {
            ExportTraceServiceRequest::decode(delivery.body).unwrap_or_else(|e| panic!("not OTLP: {e}"))
        });
        let resources = requests.flat_map(|request| request.resource_spans);
        let spans = resources.flat_map(|of| {
            let resource = attributes(&of.resource.unwrap_or_default().attributes);
            let spans = of.scope_spans.into_iter().flat_map(|scope| scope.spans);
            spans.map(move |span| (resource.clone(), span)).collect::<Vec<_>>()
        });
        spans.collect()
    }
}

async fn take(State(seen): State<Arc<Seen>>, uri: Uri, headers: HeaderMap, body: Bytes) -> StatusCode {
    seen.deliveries.lock().unwrap().push(Delivery { path: uri.path().to_owned(), headers, body });
    if seen.refuses.load(Ordering::Relaxed) { StatusCode::BAD_REQUEST } else { StatusCode::OK }
}

pub(crate) fn attributes(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |value: &Value| match value {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(number) => number.to_string(),
        other => format!("{other:?}"),
    };
    let of = |attribute: &KeyValue| attribute.value.as_ref()?.value.as_ref().map(text);
    attributes.iter().map(|a| (a.key.clone(), of(a).unwrap_or_default())).collect()
}

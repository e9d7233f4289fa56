//! A proxy before the API server: it notes what is asked for in which form, and on demand answers a GET of a Secret with
//! something that is no Secret and holds the token.

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::Response,
};
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};
use test_support::control_plane::ControlPlane;

pub(crate) struct Proxy {
    pub(crate) kubeconfig: PathBuf,
    upstream: Arc<Upstream>,
}

struct Upstream {
    url: String,
    http: reqwest::Client,
    token: Option<String>,
    lies: AtomicBool,
    /// Path, and the form that was asked for.
    seen: Mutex<Vec<(String, String)>>,
}

impl Proxy {
    /// With a token it lies from the start.
    pub(crate) async fn start(control_plane: &ControlPlane, kubeconfig: &Path, token: Option<&str>) -> Self {
        test_support::install_crypto_provider();
        let ca = reqwest::Certificate::from_pem(control_plane.ca_pem().unwrap().as_bytes()).unwrap();
        let http = reqwest::Client::builder().tls_certs_only([ca]).no_proxy().build().unwrap();
        let upstream = Arc::new(Upstream {
            url: control_plane.url().to_owned(),
            http,
            token: token.map(Into::into),
            lies: AtomicBool::new(token.is_some()),
            seen: Mutex::default(),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let routes = Router::new().fallback(forward).with_state(upstream.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        let text = std::fs::read_to_string(kubeconfig).unwrap();
        let kubeconfig = control_plane.scratch().join("garbling.kubeconfig");
        std::fs::write(&kubeconfig, text.replace(control_plane.url(), &format!("http://{address}"))).unwrap();
        Self { kubeconfig, upstream }
    }

    pub(crate) fn tell_the_truth(&self) {
        self.upstream.lies.store(false, Ordering::Relaxed);
    }

    /// In which forms paths that end so were asked for, queries aside.
    pub(crate) fn forms(&self, path: &str) -> Vec<String> {
        let seen = self.upstream.seen.lock().unwrap();
        let of_it = seen.iter().filter(|(p, _)| p.split('?').next().is_some_and(|p| p.ends_with(path)));
        of_it.map(|(_, form)| form.clone()).collect()
    }
}

async fn forward(State(upstream): State<Arc<Upstream>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |p| p.as_str());
    let accept = parts.headers.get("accept").and_then(|form| form.to_str().ok()).unwrap_or_default();
    upstream.seen.lock().unwrap().push((path.to_owned(), accept.to_owned()));
    if let Some(token) = upstream.token.as_ref().filter(|_| upstream.lies.load(Ordering::Relaxed))
        && path.contains("/secrets/")
    {
        return Response::new(Body::from(format!("{{\"metadata\": \"{token}\"}}")));
    }
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let mut headers = parts.headers;
    headers.remove("host");
    let sent = upstream
        .http
        .request(parts.method, format!("{}{path}", upstream.url))
        .headers(headers)
        .body(body)
        .send();
    let answer = sent.await.unwrap();
    let mut response = Response::builder().status(answer.status());
    for (name, value) in answer.headers().iter().filter(|(name, _)| *name != "transfer-encoding") {
        response = response.header(name, value);
    }
    response.body(Body::from_stream(answer.bytes_stream())).unwrap()
}

//! The client of the Kubernetes API: everything over one HTTP/2 connection, or a few where there are many watches.

use crate::controller::{Term, WriteGuard};
use hyper::Request;
use hyper_rustls::{FixedServerNameResolver, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client as HttpClient, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use kube::{
    Client, Config,
    client::{Body, ClientBuilder, ConfigExt},
    config::InferConfigError,
};
use rustls::pki_types::{InvalidDnsNameError, ServerName};
use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};
use tower::{ServiceBuilder, layer::layer_fn, service_fn};

/// After so long without a byte, the API server is asked for a sign of life, and given up if there is none: what is
/// behind a firewall that has forgotten the connection would else never be noticed. As other clients of Kubernetes do.
const SILENCE: Duration = Duration::from_secs(30);
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);

/// Watches over one connection. An API server has 100 requests under way over each, and watches do not end: with as many of
/// them, nothing else would ever be answered.
const WATCHES: usize = 40;

/// Bytes of one answer that wait while it is decoded. Watches stream; nothing else is large.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// There is no cluster to talk to.
    #[error(
        "no Kubernetes cluster: run in a Pod with a ServiceAccount, or set KUBECONFIG to a file that names one"
    )]
    Config(#[from] InferConfigError),
    /// The name that the API server's certificate is for cannot be one.
    #[error("tls-server-name {name:?} in the KUBECONFIG file is not the name of a host")]
    ServerName {
        /// As it is written there.
        name: String,
        /// Why.
        source: InvalidDnsNameError,
    },
    /// The cluster's client cannot be made.
    #[error("cannot set up the client of the Kubernetes API")]
    Client(#[from] kube::Error),
}

/// A client of the cluster around, or of the one that KUBECONFIG names, which writes while the term lasts, for so many
/// watches at the same time.
///
/// # Errors
/// Says which part of the environment to correct.
pub(super) async fn client(term: Term, watches: usize) -> Result<Client, ClusterError> {
    let mut config = Config::infer().await?;
    // Its own retries would hide for minutes that the API server fails; passes have a retry policy.
    config.default_retry = false;
    // kube's own client speaks HTTP/1.1: a connection for each request under way. It knows the kinds of proxies.
    if config.proxy_url.is_some() {
        let guard = layer_fn(move |http| WriteGuard::new(http, term.clone()));
        return Ok(ClientBuilder::try_from(config)?.with_layer(&guard).build());
    }
    multiplexed(&config, term, watches)
}

fn multiplexed(config: &Config, term: Term, watches: usize) -> Result<Client, ClusterError> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(config.connect_timeout);
    let mut connector =
        HttpsConnectorBuilder::new().with_tls_config(config.rustls_client_config()?).https_or_http();
    if let Some(name) = &config.tls_server_name {
        let host = ServerName::try_from(name.clone())
            .map_err(|source| ClusterError::ServerName { name: name.clone(), source })?;
        connector = connector.with_server_name_resolver(FixedServerNameResolver::new(host));
    }
    // An API server behind something that speaks HTTP/1.1 only is spoken to in that.
    let connector = connector.enable_all_versions().wrap_connector(tcp);
    // Each has a pool of its own, which holds one connection while that speaks HTTP/2.
    let connection = || -> HttpClient<_, Body> {
        HttpClient::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .http2_keep_alive_interval(SILENCE)
            .http2_keep_alive_timeout(SIGN_OF_LIFE)
            .http2_initial_stream_window_size(STREAM_WINDOW)
            .http2_initial_connection_window_size(CONNECTION_WINDOW)
            .build(connector.clone())
    };
    let first = connection();
    let others: Vec<_> = (1..watches.div_ceil(WATCHES)).map(|_| connection()).collect();
    let http = service_fn(move |request: Request<Body>| {
        let other = place(&request, others.len() + 1).checked_sub(1).and_then(|n| others.get(n));
        other.unwrap_or(&first).request(request)
    });
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .service(WriteGuard::new(http, term));
    Ok(Client::new(service, &config.default_namespace))
}

/// Over which of the connections a request goes: each watch always over the same, all else over the first.
fn place(request: &Request<Body>, connections: usize) -> usize {
    let watches = request.uri().query().is_some_and(|query| query.split('&').any(|p| p == "watch=true"));
    if !watches || connections < 2 {
        return 0;
    }
    let mut hasher = DefaultHasher::new();
    request.uri().path().hash(&mut hasher);
    // Of a hash the remainder is as good as any.
    usize::try_from(hasher.finish() % connections as u64).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn watches_are_spread_and_all_else_goes_over_the_first() {
        let over = |uri: &str, connections| {
            place(&Request::builder().uri(uri).body(Body::empty()).unwrap(), connections)
        };
        let mut spread = [0; 5];
        for n in 0..100 {
            for kind in ["clickupconnections", "secrets"] {
                let uri = format!("/namespaces/team-{n}/{kind}");
                spread[over(&format!("{uri}?&watch=true&timeoutSeconds=290"), 5)] += 1;
                assert_eq!(over(&format!("{uri}?&watch=true"), 1), 0);
                assert_eq!(over(&format!("{uri}/name?resourceVersion=1"), 5), 0);
            }
        }
        assert!(spread.iter().all(|n| (20..60).contains(n)), "{spread:?}");
    }
}

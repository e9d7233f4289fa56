//! Probes on the loopback address.

use std::error::Error;
use std::time::Duration;

/// How to ask the API server.
pub(crate) struct Tls<'a> {
    pub(crate) ca_pem: &'a [u8],
    pub(crate) token: &'a str,
}

/// The body of a 200, or in words what came instead.
pub(crate) async fn get(url: &str, tls: Option<Tls<'_>>) -> Result<String, String> {
    try_get(url, tls).await.map_err(|error| with_causes(&*error))
}

async fn try_get(url: &str, tls: Option<Tls<'_>>) -> Result<String, Box<dyn Error + Send + Sync>> {
    crate::install_crypto_provider();
    // Made per call: the tests' runtimes come and go, and a pooled connection dies with its own.
    let mut builder = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(10));
    if let Some(tls) = &tls {
        builder = builder.tls_certs_only(reqwest::Certificate::from_pem_bundle(tls.ca_pem)?);
    }
    let mut request = builder.build()?.get(url);
    if let Some(tls) = tls {
        request = request.bearer_auth(tls.token);
    }
    let response = request.send().await?;
    let status = response.status();
    let body = response.text().await?;
    if status == reqwest::StatusCode::OK {
        Ok(body)
    } else {
        Err(format!("{status}: {}", body.trim()).into())
    }
}

/// An error and what caused it, in one line.
fn with_causes(error: &dyn Error) -> String {
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

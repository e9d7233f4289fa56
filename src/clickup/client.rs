//! The calls, over HTTP. One client per process; it holds no token.

use super::{Answer, ErrorBody, Failure, RateLimit, Token, Unusable, User, Workspace, body, transport, wire};
use jiff::Timestamp;
use reqwest::{Certificate, Proxy, Response, StatusCode, Url, header::AUTHORIZATION, redirect};
use serde::de::DeserializeSeed;
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// Only the list of workspaces grows with its owner; other answers are small.
const MAX_SMALL_BODY: u64 = 8 * 1024 * 1024;

/// Where ClickUp is and how it is reached.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// The base of all calls, such as `https://api.clickup.com/api`.
    pub url: Url,
    /// Whether the URL may be plain http, over which tokens can be read.
    pub allow_insecure_http: bool,
    /// PEM certificates of the authorities to trust, instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// A proxy, instead of the one that HTTPS_PROXY and NO_PROXY name.
    pub proxy: Option<Url>,
    /// Bytes after which a body is given up.
    pub max_body: u64,
    /// Idle connections to keep.
    pub connections: usize,
}

/// Options that make no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// A plain-text URL.
    #[error(
        "--clickup-url must start with https://: over {0}:// everybody on the way can read the tokens; --allow-insecure-http permits http:// for tests"
    )]
    Insecure(String),
    /// A URL with parts that it must not have.
    #[error(
        "--clickup-url must be a scheme, a host and a path, such as https://api.clickup.com/api: it has no user, password, query or fragment"
    )]
    Url,
    /// The CA file cannot be read.
    #[error("--ca-file {path}: cannot read it")]
    ReadCa {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The CA file holds no certificates.
    #[error("--ca-file {path}: it holds no PEM certificate")]
    ParseCa {
        /// The file.
        path: PathBuf,
        /// Why, where there is more to say.
        source: Option<reqwest::Error>,
    },
    /// The proxy, or the system's certificates, cannot be used.
    #[error("cannot set up the HTTP client")]
    Http(#[source] reqwest::Error),
}

/// A client of ClickUp's public API.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    max_body: u64,
}

/// What came back from a call, and what it told about the token's limit.
#[derive(Clone, Debug)]
pub struct Reply<T> {
    /// The answer.
    pub answer: Answer<T>,
    /// The limit headers.
    pub rate_limit: RateLimit,
    /// The HTTP status, if there was one.
    pub status: Option<u16>,
    /// From sending to the end of the body.
    pub elapsed: Duration,
}

impl Client {
    /// Makes the client.
    ///
    /// # Errors
    /// Names the option that cannot be used and what to write instead.
    pub fn new(options: ClientOptions) -> Result<Self, ClientError> {
        let ClientOptions { url, allow_insecure_http, ca_file, proxy, max_body, connections } = options;
        match url.scheme() {
            "https" => {}
            "http" if allow_insecure_http => {}
            other => return Err(ClientError::Insecure(other.to_owned())),
        }
        let extra = !url.username().is_empty()
            || url.password().is_some()
            || url.query().is_some()
            || url.fragment().is_some();
        if extra || !url.has_host() {
            return Err(ClientError::Url);
        }
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("clickup-operator/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .connect_timeout(transport::CONNECT_TIMEOUT)
            .pool_max_idle_per_host(connections)
            .referer(false);
        if let Some(path) = &ca_file {
            builder = builder.tls_certs_only(read_authorities(path)?);
        }
        if let Some(proxy) = proxy {
            builder = builder.proxy(Proxy::all(proxy).map_err(ClientError::Http)?);
        }
        let http = builder.build().map_err(|source| match ca_file {
            // The content of certificates is looked at only now.
            Some(path) => ClientError::ParseCa { path, source: Some(source) },
            None => ClientError::Http(source),
        })?;
        Ok(Self { http, base: url, max_body })
    }

    /// `GET /v2/user`: whose token it is.
    pub async fn user(&self, token: &Token) -> Reply<User> {
        self.get(token, &["v2", "user"], None, MAX_SMALL_BODY.min(self.max_body), wire::UserAnswer).await
    }

    /// `GET /v2/team`: the workspaces that the token of this user sees.
    pub async fn workspaces(&self, token: &Token, user_id: &str) -> Reply<Vec<Workspace>> {
        let seed = wire::TeamsAnswer { user_id: user_id.to_owned() };
        self.get(token, &["v2", "team"], None, self.max_body, seed).await
    }

    /// `GET /v2/team/{id}/space`: whether the token can be used in this workspace.
    pub async fn probe_workspace(&self, token: &Token, id: &str) -> Reply<()> {
        let path = ["v2", "team", id, "space"];
        self.get(token, &path, Some(("archived", "false")), self.max_body, wire::ListAnswer("spaces")).await
    }

    async fn get<S, T>(
        &self,
        token: &Token,
        path: &[&str],
        query: Option<(&str, &str)>,
        cap: u64,
        seed: S,
    ) -> Reply<T>
    where
        S: for<'de> DeserializeSeed<'de, Value = T> + Send + 'static,
        T: Send + 'static,
    {
        let started = std::time::Instant::now();
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        if let Some((name, value)) = query {
            url.query_pairs_mut().append_pair(name, value);
        }
        let (status, rate_limit, answer) = match self.send(token, url).await {
            Ok(response) => {
                let rate_limit = RateLimit::read(response.headers(), Timestamp::now());
                (Some(response.status().as_u16()), rate_limit, read(response, cap, seed).await)
            }
            Err(failure) => (None, RateLimit::default(), Answer::Failed(failure)),
        };
        Reply { answer, rate_limit, status, elapsed: started.elapsed() }
    }

    async fn send(&self, token: &Token, url: Url) -> Result<Response, Failure> {
        let Ok(authorization) = token.authorization() else {
            return Err(Failure::Connect("the token makes no header"));
        };
        let request = self.http.get(url).header(AUTHORIZATION, authorization).send();
        match tokio::time::timeout(transport::HEADER_TIMEOUT, request).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(Failure::of(&error)),
            Err(_) => Err(Failure::TimedOut),
        }
    }
}

async fn read<S, T>(response: Response, cap: u64, seed: S) -> Answer<T>
where
    S: for<'de> DeserializeSeed<'de, Value = T> + Send + 'static,
    T: Send + 'static,
{
    let status = response.status();
    if status.is_success() {
        body::decode(response, cap, seed).await
    } else if status.is_redirection() {
        Answer::Unusable(Unusable::Redirect)
    } else if status >= StatusCode::BAD_REQUEST {
        let body = ErrorBody::read(&body::start_of(response).await);
        Answer::Error { status: status.as_u16(), body }
    } else {
        Answer::Unusable(Unusable::Status)
    }
}

fn read_authorities(path: &Path) -> Result<Vec<Certificate>, ClientError> {
    let pem = fs::read(path).map_err(|source| ClientError::ReadCa { path: path.to_owned(), source })?;
    match Certificate::from_pem_bundle(&pem) {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) => Err(ClientError::ParseCa { path: path.to_owned(), source: None }),
        Err(source) => Err(ClientError::ParseCa { path: path.to_owned(), source: Some(source) }),
    }
}

//! The calls, over HTTP. One client per process; it holds no token.

use super::{
    Answer, ChannelPage, ErrorBody, Failure, Named, RateLimit, Token, Unusable, User, Workspace, body,
    transport, wire,
};
use jiff::Timestamp;
use reqwest::{Certificate, Proxy, Response, StatusCode, Url, header::AUTHORIZATION, redirect};
use serde::de::DeserializeSeed;
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};
use strum::{Display, IntoStaticStr};

/// A user is small; all other answers grow with what people put into ClickUp.
const MAX_SMALL_BODY: u64 = 8 * 1024 * 1024;

/// Bytes of one answer that wait while it is decoded, over HTTP/2. The HTTP client's own default is 2 MiB.
const STREAM_WINDOW: u32 = 256 * 1024;

/// Channels of one page: the most that ClickUp allows (official).
const CHANNELS_PER_PAGE: &str = "100";

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
    /// A proxy that would be passed over in silence.
    #[error("--proxy must start with http:// or https://, such as http://proxy.example.com:3128")]
    Proxy,
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

/// What holds tasks, and tasks themselves: the token's user reaches each or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Display, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum NodeKind {
    /// A space of a workspace.
    Space,
    /// A folder of a space.
    Folder,
    /// A list of a folder or space.
    List,
    /// A task of a list.
    Task,
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
            .http2_initial_stream_window_size(STREAM_WINDOW)
            .referer(false);
        if let Some(path) = &ca_file {
            builder = builder.tls_certs_only(read_authorities(path)?);
        }
        if let Some(proxy) = proxy {
            if !matches!(proxy.scheme(), "http" | "https") {
                return Err(ClientError::Proxy);
            }
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
        self.get(token, &["v2", "user"], &[], MAX_SMALL_BODY.min(self.max_body), wire::UserAnswer).await
    }

    /// `GET /v2/team`: the workspaces that the token of this user sees.
    pub async fn workspaces(&self, token: &Token, user_id: &str) -> Reply<Vec<Workspace>> {
        let seed = wire::TeamsAnswer { user_id: user_id.to_owned() };
        self.get(token, &["v2", "team"], &[], self.max_body, seed).await
    }

    /// `GET /v2/team/{id}/space?archived=false` (official): the spaces of this workspace that the token sees, sorted by id.
    /// That there is an answer says that the token can be used in the workspace.
    pub async fn spaces(&self, token: &Token, workspace_id: &str) -> Reply<Vec<Named>> {
        let path = ["v2", "team", workspace_id, "space"];
        self.get(token, &path, &[("archived", "false")], self.max_body, wire::SpacesAnswer).await
    }

    /// `GET /v3/workspaces/{id}/chat/channels` (official, but experimental): one page of this workspace's chat channels
    /// that the token sees, from the first on without a cursor. A page names the next one; an answer that leads back to
    /// its own page has the wrong shape, and longer circles are for the caller to bound. With a cursor an error may be
    /// about the cursor, and says nothing about the workspace that had a first page.
    pub async fn channels(
        &self,
        token: &Token,
        workspace_id: &str,
        cursor: Option<&str>,
    ) -> Reply<ChannelPage> {
        let path = ["v3", "workspaces", workspace_id, "chat", "channels"];
        let seed = wire::ChannelsAnswer { cursor: cursor.map(str::to_owned) };
        let first = [("limit", CHANNELS_PER_PAGE)];
        let query: Vec<_> = first.into_iter().chain(cursor.map(|cursor| ("cursor", cursor))).collect();
        self.get(token, &path, &query, self.max_body, seed).await
    }

    /// `GET /v2/space/{id}`, `/v2/folder/{id}`, `/v2/list/{id}` or `/v2/task/{id}` (official): whether the token reaches
    /// the node; archived ones are answered too. Task ids are ClickUp's own, not a workspace's custom ones.
    pub async fn node(&self, token: &Token, kind: NodeKind, id: &str) -> Reply<()> {
        self.get(token, &["v2", kind.into(), id], &[], self.max_body, wire::NodeAnswer).await
    }

    /// Ids are percent-encoded as one segment each. `.` and `..`, which would be left out, are no ids by the CRD's schema
    /// nor by what is taken from answers.
    async fn get<S, T>(
        &self,
        token: &Token,
        path: &[&str],
        query: &[(&str, &str)],
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
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let (status, rate_limit, answer) = match self.send(token, url).await {
            Ok(response) => {
                let rate_limit = RateLimit::read(response.headers(), Timestamp::now());
                (Some(response.status().as_u16()), rate_limit, read_answer(response, cap, seed).await)
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

/// Reads what came back from a call, as [`Client`] does: the body as a stream, given up after `cap` bytes. The seed is that
/// of the call, such as [`TeamsAnswer`](super::TeamsAnswer).
pub async fn read_answer<S, T>(response: Response, cap: u64, seed: S) -> Answer<T>
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

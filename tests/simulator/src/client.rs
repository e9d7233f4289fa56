//! A typed client of the control API.

mod content;

use std::time::Duration;

use reqwest::{Method, Url};
use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;

use crate::fault::Fault;
use crate::messages::{
    Added, ArmedFault, Count, FaultAdded, GeneratedToken, Latency, ListenerState, LogEntry, LogPage,
    LogQuery, Refused, TokenChange, TokenQuery, TokenStatus, TokenValue, UserAdded, WorkspaceChange,
};
use crate::simulator::Endpoints;
use crate::state::{Generate, Id, Member, Refusal, Role, Token, User, Workspace};

/// For every call, beside what the call itself is to wait for.
const DEADLINE: Duration = Duration::from_secs(30);

/// Talks to the control API of a simulator in this process or another.
#[derive(Debug, Clone)]
pub struct SimulatorClient {
    control: Url,
    http: reqwest::Client,
}

/// Why a call had no result.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The simulator is not there, or not one.
    #[error("cannot talk to the simulator's control API (is it running?): {0}")]
    Http(#[from] reqwest::Error),
    /// Not an address.
    #[error("{0:?} is not the address of a control API, such as http://127.0.0.1:4711")]
    Address(String),
    /// The simulator said no.
    #[error("the simulator refused {call} with status {status}: {error}")]
    Refused {
        /// Method and path.
        call: String,
        /// Status of the answer.
        status: u16,
        /// What is wrong and what to do.
        error: String,
    },
    /// What was waited for did not come.
    #[error("{token} sent {seen} of {wanted} requests to {path} within {waited:?}")]
    Waited {
        /// Name of the token.
        token: String,
        /// Beginning of the path.
        path: String,
        /// Requests answered.
        seen: usize,
        /// Requests awaited.
        wanted: usize,
        /// The time given.
        waited: Duration,
    },
}

/// A user with a workspace and a personal token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The user, who owns the workspace.
    pub user: u64,
    /// The workspace.
    pub workspace: Id,
    /// The token.
    pub token: TokenValue,
}

type Outcome<T> = Result<T, ClientError>;

/// Every call fails in the same ways: the simulator cannot be reached, or it refuses and says why.
#[allow(clippy::missing_errors_doc)]
impl SimulatorClient {
    /// For the control API at this address, such as `http://127.0.0.1:4711`.
    pub fn new(control: &str) -> Outcome<Self> {
        crate::install_crypto_provider();
        let control = Url::parse(control).map_err(|_| ClientError::Address(control.to_owned()))?;
        let http =
            reqwest::Client::builder().no_proxy().connect_timeout(DEADLINE).timeout(DEADLINE).build()?;
        Ok(Self { control, http })
    }

    /// Where the simulator listens.
    pub async fn endpoints(&self) -> Outcome<Endpoints> {
        self.get("endpoints").await
    }

    /// The certificate authority of the good TLS listener.
    pub async fn ca_pem(&self) -> Outcome<String> {
        let response = self.send(Method::GET, "ca.pem", None::<&Value>, &()).await?;
        Ok(response.text().await?)
    }

    /// Adds a user and returns the id.
    pub async fn add_user(&self, user: User) -> Outcome<u64> {
        let UserAdded { id } = self.with(Method::POST, "users", &user).await?;
        Ok(id)
    }

    /// Adds a workspace and returns its id.
    pub async fn add_workspace(&self, workspace: Workspace) -> Outcome<Id> {
        let Added { id } = self.with(Method::POST, "workspaces", &workspace).await?;
        Ok(id)
    }

    /// Adds a user who owns a new workspace, with a personal token: what most tests begin with.
    pub async fn add_account(&self, workspace: &str) -> Outcome<Account> {
        self.add_account_with(Workspace { name: workspace.to_owned(), ..Workspace::default() }, |_| {}).await
    }

    /// The same with what the workspace and the token are to have: spaces and channels, a limit and a window.
    /// The user owns the workspace beside the members that it has.
    pub async fn add_account_with(
        &self,
        mut workspace: Workspace,
        token: impl FnOnce(&mut Token),
    ) -> Outcome<Account> {
        let user = self.add_user(User::default()).await?;
        workspace.members.insert(0, Member::new(user, Role::OWNER));
        let workspace = self.add_workspace(workspace).await?;
        let mut wanted = Token::personal(user);
        token(&mut wanted);
        let token = self.add_token(wanted).await?;
        Ok(Account { user, workspace, token })
    }

    /// Changes a workspace.
    pub async fn change_workspace(&self, workspace: Id, change: WorkspaceChange) -> Outcome<()> {
        self.done(Method::PATCH, &format!("workspaces/{workspace}"), &change).await
    }

    /// Renames a workspace.
    pub async fn rename_workspace(&self, workspace: Id, name: &str) -> Outcome<()> {
        let change = WorkspaceChange { name: Some(name.to_owned()), ..WorkspaceChange::default() };
        self.change_workspace(workspace, change).await
    }

    /// Removes a workspace.
    pub async fn remove_workspace(&self, workspace: Id) -> Outcome<()> {
        self.remove(&format!("workspaces/{workspace}")).await
    }

    /// Adds a member to a workspace, or changes what the member may do.
    pub async fn put_member(&self, workspace: Id, member: Member) -> Outcome<()> {
        self.done(Method::PUT, &format!("workspaces/{workspace}/members"), &member).await
    }

    /// Removes a member from a workspace.
    pub async fn remove_member(&self, workspace: Id, user: u64) -> Outcome<()> {
        self.remove(&format!("workspaces/{workspace}/members/{user}")).await
    }

    /// Adds a token.
    pub async fn add_token(&self, token: Token) -> Outcome<TokenValue> {
        self.with(Method::POST, "tokens", &token).await
    }

    /// All tokens, sorted by name.
    pub async fn tokens(&self) -> Outcome<Vec<TokenValue>> {
        self.get("tokens").await
    }

    /// How a token stands.
    pub async fn token(&self, name: &str) -> Outcome<TokenStatus> {
        self.get(&format!("tokens/{name}")).await
    }

    /// Changes a token's limits.
    pub async fn change_token(&self, name: &str, change: TokenChange) -> Outcome<()> {
        self.done(Method::PATCH, &format!("tokens/{name}"), &change).await
    }

    /// Changes how many requests a token may send in one window. [`SimulatorClient::change_token`] also changes
    /// its length.
    pub async fn set_limit(&self, name: &str, limit: u64) -> Outcome<()> {
        self.change_token(name, TokenChange { limit: Some(limit), ..TokenChange::default() }).await
    }

    /// Uses up requests of a token's window, as the users' own integrations do.
    pub async fn spend(&self, name: &str, requests: u64) -> Outcome<()> {
        self.change_token(name, TokenChange { spend: Some(requests), ..TokenChange::default() }).await
    }

    /// Kills a token's value. [`SimulatorClient::regenerate`] brings a new one.
    pub async fn revoke(&self, name: &str) -> Outcome<()> {
        self.done(Method::POST, &format!("tokens/{name}/revoke"), &()).await
    }

    /// Kills a token's value and returns the new one.
    pub async fn regenerate(&self, name: &str) -> Outcome<TokenValue> {
        self.with(Method::POST, &format!("tokens/{name}/regenerate"), &()).await
    }

    /// Lets one workspace refuse a token all or only its chat, though its user is a member.
    pub async fn refuse(&self, name: &str, refusal: Refusal) -> Outcome<()> {
        self.done(Method::PUT, &format!("tokens/{name}/refusals"), &refusal).await
    }

    /// Ends [`SimulatorClient::refuse`].
    pub async fn admit(&self, name: &str, workspace: Id) -> Outcome<()> {
        self.remove(&format!("tokens/{name}/refusals/{workspace}")).await
    }

    /// Makes many tokens, each with a user of its own.
    pub async fn generate(&self, wanted: Generate) -> Outcome<Vec<GeneratedToken>> {
        self.with(Method::POST, "generate", &wanted).await
    }

    /// Arms a fault and returns its number.
    pub async fn add_fault(&self, fault: Fault) -> Outcome<u64> {
        let FaultAdded { id } = self.with(Method::POST, "faults", &fault).await?;
        Ok(id)
    }

    /// The armed faults that name this token, or all.
    pub async fn faults(&self, token: Option<&str>) -> Outcome<Vec<ArmedFault>> {
        self.call(Method::GET, "faults", None::<&Value>, &query_for(token)).await
    }

    /// Disarms a fault.
    pub async fn remove_fault(&self, id: u64) -> Outcome<()> {
        self.remove(&format!("faults/{id}")).await
    }

    /// Disarms the faults that name this token, or all.
    pub async fn clear_faults(&self, token: Option<&str>) -> Outcome<()> {
        self.call(Method::DELETE, "faults", None::<&Value>, &query_for(token)).await.map(|IgnoredAny| ())
    }

    /// Sets the time that every answer takes. Concerns all who share the simulator: a fault with a delay can be
    /// for one token.
    pub async fn set_latency(&self, latency: Duration) -> Outcome<()> {
        let latency_ms = u64::try_from(latency.as_millis()).unwrap_or(u64::MAX);
        self.done(Method::PUT, "latency", &Latency { latency_ms }).await
    }

    /// Takes the plain listener of the API down, cutting its connections, or up again on the same port.
    /// Concerns all who share the simulator.
    pub async fn set_up(&self, up: bool) -> Outcome<()> {
        self.done(Method::PUT, "listener", &ListenerState { up }).await
    }

    /// A part of the log.
    pub async fn log(&self, query: &LogQuery) -> Outcome<LogPage> {
        let waits = Duration::from_millis(query.wait_ms.unwrap_or(0));
        let request = self.http.get(self.url("log", query)?).timeout(DEADLINE.saturating_add(waits));
        Ok(accepted("GET /log", request).await?.json().await?)
    }

    /// Waits until a token's requests to paths that begin so were answered so many times since the last reset.
    pub async fn wait_for_requests(
        &self,
        token: &str,
        path: &str,
        wanted: usize,
        patience: Duration,
    ) -> Outcome<Vec<LogEntry>> {
        let query = LogQuery {
            token: Some(token.to_owned()),
            path: Some(path.to_owned()),
            since: None,
            at_least: Some(wanted),
            wait_ms: Some(u64::try_from(patience.as_millis()).unwrap_or(u64::MAX)),
        };
        let entries = self.log(&query).await?.entries;
        let seen = entries.iter().filter(|entry| entry.answered).count();
        if seen >= wanted {
            return Ok(entries);
        }
        let (token, path) = (token.to_owned(), path.to_owned());
        Err(ClientError::Waited { token, path, seen, wanted, waited: patience })
    }

    /// Requests by token and path, of one token or all.
    pub async fn counts(&self, token: Option<&str>) -> Outcome<Vec<Count>> {
        self.call(Method::GET, "counts", None::<&Value>, &query_for(token)).await
    }

    /// Requests of a token to exactly this path.
    pub async fn requests(&self, token: &str, path: &str) -> Outcome<u64> {
        let counts = self.counts(Some(token)).await?;
        Ok(counts.iter().find(|count| count.path == path).map_or(0, |count| count.requests))
    }

    /// Forgets the log and the counts of one token, or of all.
    pub async fn reset_log(&self, token: Option<&str>) -> Outcome<()> {
        self.call(Method::DELETE, "log", None::<&Value>, &query_for(token)).await.map(|IgnoredAny| ())
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Outcome<T> {
        self.call(Method::GET, path, None::<&Value>, &()).await
    }

    async fn with<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Outcome<T> {
        self.call(method, path, Some(body), &()).await
    }

    async fn done(&self, method: Method, path: &str, body: &impl Serialize) -> Outcome<()> {
        self.call(method, path, Some(body), &()).await.map(|IgnoredAny| ())
    }

    async fn remove(&self, path: &str) -> Outcome<()> {
        self.call(Method::DELETE, path, None::<&Value>, &()).await.map(|IgnoredAny| ())
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
        query: &impl Serialize,
    ) -> Outcome<T> {
        Ok(self.send(method, path, body, query).await?.json().await?)
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
        query: &impl Serialize,
    ) -> Outcome<reqwest::Response> {
        let call = format!("{method} /{path}");
        let mut request = self.http.request(method, self.url(path, query)?);
        if let Some(body) = body {
            request = request.json(body);
        }
        accepted(&call, request).await
    }

    fn url(&self, path: &str, query: &impl Serialize) -> Outcome<Url> {
        let mut url = self.control.join(path).map_err(|_| ClientError::Address(path.to_owned()))?;
        if let Ok(Value::Object(query)) = serde_json::to_value(query)
            && !query.is_empty()
        {
            let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            url.query_pairs_mut().extend_pairs(query.iter().map(|(name, value)| (name, text(value))));
        }
        Ok(url)
    }
}

/// Sends a request, and tells what the simulator has against it.
async fn accepted(call: &str, request: reqwest::RequestBuilder) -> Outcome<reqwest::Response> {
    let response = request.send().await?;
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let text = response.text().await?;
    let error = serde_json::from_str(&text).map_or(text, |Refused { error }| error);
    Err(ClientError::Refused { call: call.to_owned(), status: status.as_u16(), error })
}

fn query_for(token: Option<&str>) -> TokenQuery {
    TokenQuery { token: token.map(str::to_owned) }
}

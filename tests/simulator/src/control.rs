//! The control API: changes the simulated ClickUp while it runs, and tells what was asked of it.

mod content;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, patch, post, put};
use axum::{Json, Router};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use crate::fault::Fault;
use crate::messages::{
    Added, ArmedFault, Count, FaultAdded, GeneratedToken, Latency, ListenerState, LogPage, LogQuery, Refused,
    TokenChange, TokenQuery, TokenStatus, TokenValue, UserAdded, WorkspaceChange,
};
use crate::server::Listener;
use crate::shared::{Shared, now};
use crate::simulator::Endpoints;
use crate::state::{Generate, Id, Member, Refusal, Token, User, Workspace};
use crate::world::WorldError;

/// What the control API works on.
pub(crate) struct Control {
    pub(crate) shared: Arc<Shared>,
    pub(crate) api: Arc<Listener>,
    pub(crate) endpoints: Endpoints,
    pub(crate) ca_pem: Option<String>,
}

type Here = State<Arc<Control>>;
type Answer<T> = Result<Json<T>, Refusing>;

pub(crate) fn router(control: Control) -> Router {
    Router::new()
        .route("/endpoints", get(endpoints))
        .route("/ca.pem", get(ca_pem))
        .route("/users", post(add_user))
        .route("/workspaces", post(add_workspace))
        .route("/workspaces/{id}", patch(change_workspace).delete(remove_workspace))
        .route("/workspaces/{id}/members", put(put_member))
        .route("/workspaces/{id}/members/{user}", delete(remove_member))
        .route("/tokens", get(tokens).post(add_token))
        .route("/tokens/{name}", get(token).patch(change_token))
        .route("/tokens/{name}/revoke", post(revoke))
        .route("/tokens/{name}/regenerate", post(regenerate))
        .route("/tokens/{name}/refusals", put(put_refusal))
        .route("/tokens/{name}/refusals/{workspace}", delete(remove_refusal))
        .route("/generate", post(generate))
        .route("/faults", get(faults).post(add_fault).delete(clear_faults))
        .route("/faults/{id}", delete(remove_fault))
        .route("/latency", put(set_latency))
        .route("/listener", get(listener).put(set_listener))
        .route("/log", get(log).delete(reset_log))
        .route("/counts", get(counts))
        .merge(content::router())
        .fallback(nowhere)
        .with_state(Arc::new(control))
}

/// Why a call was refused, with its status.
struct Refusing(StatusCode, String);

impl IntoResponse for Refusing {
    fn into_response(self) -> Response {
        (self.0, Json(Refused { error: self.1 })).into_response()
    }
}

impl From<WorldError> for Refusing {
    fn from(error: WorldError) -> Self {
        let status = match error {
            WorldError::Missing(..) => StatusCode::NOT_FOUND,
            WorldError::Taken(..) | WorldError::SecondPersonalToken(..) => StatusCode::CONFLICT,
            WorldError::WrongKind(_) | WorldError::BadName(_) | WorldError::Bad(_) => StatusCode::BAD_REQUEST,
        };
        Self(status, error.to_string())
    }
}

/// A JSON body, whatever `Content-Type` says: `curl --data` says something else.
struct Body<T>(T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Refusing;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusing> {
        let bad = |error: String| Refusing(StatusCode::BAD_REQUEST, format!("cannot read the body: {error}"));
        let bytes = Bytes::from_request(request, state).await.map_err(|error| bad(error.to_string()))?;
        serde_json::from_slice(&bytes).map(Self).map_err(|error| bad(error.to_string()))
    }
}

/// What follows `?`.
struct Params<T>(T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Refusing;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusing> {
        let bad = |error| Refusing(StatusCode::BAD_REQUEST, format!("cannot read what follows `?`: {error}"));
        Query::try_from_uri(&parts.uri).map(|Query(params)| Self(params)).map_err(bad)
    }
}

/// The variable parts of a path.
struct At<T>(T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for At<T> {
    type Rejection = Refusing;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusing> {
        let bad = |error| Refusing(StatusCode::BAD_REQUEST, format!("cannot read the path: {error}"));
        Path::from_request_parts(parts, state).await.map(|Path(at)| Self(at)).map_err(bad)
    }
}

fn done() -> Answer<Value> {
    Ok(Json(json!({})))
}

async fn nowhere(request: Request) -> Refusing {
    let call = format!("{} {}", request.method(), request.uri().path());
    Refusing(StatusCode::NOT_FOUND, format!("there is no call {call}: tests/simulator/README.md lists them"))
}

async fn endpoints(State(control): Here) -> Json<Endpoints> {
    Json(control.endpoints.clone())
}

async fn ca_pem(State(control): Here) -> Result<String, Refusing> {
    let off = || Refusing(StatusCode::NOT_FOUND, "TLS is off: start with --tls-listen".to_owned());
    control.ca_pem.clone().ok_or_else(off)
}

async fn add_user(State(control): Here, Body(user): Body<User>) -> Answer<UserAdded> {
    let id = control.shared.world().add_user(user)?;
    Ok(Json(UserAdded { id }))
}

async fn add_workspace(State(control): Here, Body(workspace): Body<Workspace>) -> Answer<Added> {
    let id = control.shared.world().add_workspace(workspace)?;
    Ok(Json(Added { id }))
}

async fn change_workspace(
    State(control): Here,
    At(id): At<u64>,
    Body(change): Body<WorkspaceChange>,
) -> Answer<Value> {
    control.shared.world().change_workspace(Id(id), change)?;
    done()
}

async fn remove_workspace(State(control): Here, At(id): At<u64>) -> Answer<Value> {
    control.shared.world().remove_workspace(Id(id))?;
    done()
}

async fn put_member(State(control): Here, At(id): At<u64>, Body(member): Body<Member>) -> Answer<Value> {
    control.shared.world().put_member(Id(id), member)?;
    done()
}

async fn remove_member(State(control): Here, At((id, user)): At<(u64, u64)>) -> Answer<Value> {
    control.shared.world().remove_member(Id(id), user)?;
    done()
}

async fn add_token(State(control): Here, Body(token): Body<Token>) -> Answer<TokenValue> {
    Ok(Json(control.shared.world().add_token(token)?))
}

async fn tokens(State(control): Here) -> Json<Vec<TokenValue>> {
    let mut tokens: Vec<TokenValue> = {
        let world = control.shared.world();
        let shown = world.tokens().map(|token| TokenValue {
            name: token.name.to_string(),
            value: token.value.clone(),
            user: token.user,
            kind: token.kind,
        });
        shown.collect()
    };
    tokens.sort_by(|a, b| a.name.cmp(&b.name));
    Json(tokens)
}

async fn token(State(control): Here, At(name): At<String>) -> Answer<TokenStatus> {
    let (in_flight, max_in_flight) = control.shared.journal().in_flight(&name);
    let mut world = control.shared.world();
    let missing = || WorldError::Missing("token", name.clone());
    let standing = world.standing(&name, now()).ok_or_else(missing)?;
    let token = world.token(&name).ok_or_else(missing)?;
    Ok(Json(TokenStatus {
        name: token.name.to_string(),
        user: token.user,
        kind: token.kind,
        live: token.live,
        value: token.value.clone(),
        limit: standing.limit,
        remaining: standing.remaining,
        reset: standing.reset,
        in_flight,
        max_in_flight,
    }))
}

async fn change_token(
    State(control): Here,
    At(name): At<String>,
    Body(change): Body<TokenChange>,
) -> Answer<Value> {
    control.shared.world().change_token(&name, change, now())?;
    done()
}

async fn revoke(State(control): Here, At(name): At<String>) -> Answer<Value> {
    control.shared.world().revoke(&name)?;
    done()
}

async fn regenerate(State(control): Here, At(name): At<String>) -> Answer<TokenValue> {
    Ok(Json(control.shared.world().regenerate(&name)?))
}

async fn put_refusal(
    State(control): Here,
    At(name): At<String>,
    Body(refusal): Body<Refusal>,
) -> Answer<Value> {
    control.shared.world().put_refusal(&name, refusal)?;
    done()
}

async fn remove_refusal(State(control): Here, At((name, workspace)): At<(String, u64)>) -> Answer<Value> {
    control.shared.world().remove_refusal(&name, Id(workspace))?;
    done()
}

async fn generate(State(control): Here, Body(wanted): Body<Generate>) -> Answer<Vec<GeneratedToken>> {
    Ok(Json(control.shared.world().generate(&wanted)?))
}

async fn add_fault(State(control): Here, Body(fault): Body<Fault>) -> Answer<FaultAdded> {
    fault.check().map_err(WorldError::Bad)?;
    let id = control.shared.faults().add(fault);
    Ok(Json(FaultAdded { id }))
}

async fn faults(State(control): Here, Params(query): Params<TokenQuery>) -> Json<Vec<ArmedFault>> {
    Json(control.shared.faults().list(query.token.as_deref()))
}

async fn remove_fault(State(control): Here, At(id): At<u64>) -> Answer<Value> {
    if !control.shared.faults().remove(id) {
        return Err(WorldError::Missing("fault", format!("{id} (any more)")).into());
    }
    done()
}

async fn clear_faults(State(control): Here, Params(query): Params<TokenQuery>) -> Answer<Value> {
    control.shared.faults().clear(query.token.as_deref());
    done()
}

async fn set_latency(State(control): Here, Body(latency): Body<Latency>) -> Answer<Value> {
    control.shared.set_latency(latency.latency_ms);
    done()
}

async fn listener(State(control): Here) -> Json<ListenerState> {
    Json(ListenerState { up: control.api.is_up().await })
}

async fn set_listener(State(control): Here, Body(wanted): Body<ListenerState>) -> Answer<Value> {
    let address = control.api.address;
    let failed = |error| {
        Refusing(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("cannot change the listener on {address}: {error}"),
        )
    };
    control.api.set_up(wanted.up).await.map_err(failed)?;
    done()
}

async fn log(State(control): Here, Params(query): Params<LogQuery>) -> Json<LogPage> {
    const LONGEST: Duration = Duration::from_secs(600);
    let wait = Duration::from_millis(query.wait_ms.unwrap_or(0)).min(LONGEST);
    let deadline = Instant::now() + wait;
    let mut news = control.shared.news();
    loop {
        news.mark_unchanged();
        let (page, enough) = control.shared.journal().page(&query);
        if enough || !matches!(timeout_at(deadline, news.changed()).await, Ok(Ok(()))) {
            return Json(page);
        }
    }
}

async fn reset_log(State(control): Here, Params(query): Params<TokenQuery>) -> Answer<Value> {
    control.shared.journal().reset(query.token.as_deref());
    done()
}

async fn counts(State(control): Here, Params(query): Params<TokenQuery>) -> Json<Vec<Count>> {
    Json(control.shared.journal().counts(query.token.as_deref()))
}

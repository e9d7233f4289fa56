//! Which call a request is, and its true answer.

use hyper::http::StatusCode;
use hyper::http::request::Parts;
use hyper::{Method, Uri};
use serde_json::json;

use super::members::teams;
use super::reply::Reply;
use super::views;
use crate::state::{Refusal, Scope};
use crate::world::{Caller, Person, Token, Workspace, World};

/// The true answer. The path is without `/api`.
pub(super) fn route(world: &World, caller: &Caller, request: &Parts, path: &str) -> Reply {
    if let Some(refusal) = Reply::no_access(caller.access) {
        return refusal;
    }
    let (Some(token), Some(person)) = (world.token(&caller.name), world.person_of(&caller.name)) else {
        return Reply::error(StatusCode::UNAUTHORIZED, "Token invalid", "OAUTH_025");
    };
    if request.method != Method::GET {
        return No::Route.reply();
    }
    let call = Call { world, token, person, uri: &request.uri };
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let answer = match segments.as_slice() {
        ["v2", "user"] => Ok(Reply::json(StatusCode::OK, &views::user(person))),
        ["v2", "team"] => Ok(Reply::streamed_json(teams(world, person))),
        ["v2", "team", id, "space"] => call.spaces(id),
        ["v2", "team", id, "plan"] => call.about_workspace(id, views::plan),
        ["v2", "team", id, "seats"] => call.about_workspace(id, views::seats),
        ["v2", "space", id] => call.space(id),
        ["v2", "folder", id] => call.folder(id),
        ["v2", "list", id] => call.list(id),
        ["v2", "task", id] => call.task(id),
        ["v3", "workspaces", id, "chat", "channels"] => call.channels(id),
        _ => Err(No::Route),
    };
    answer.unwrap_or_else(|no| no.reply())
}

/// Why a live token gets no good answer.
pub(super) enum No<'a> {
    Route,
    /// Not digits: refused at the door.
    MalformedId,
    /// So many digits that something behind the door breaks.
    OverlongId,
    /// Not visible to the user, or not there; the code differs between the calls.
    NotAuthorized(&'static str),
    /// The same of a folder, list or task, in other words.
    Unseen(Unseen),
    /// Closed to this token though the user belongs there.
    Refused(&'a Refusal),
    /// Nothing that the workspace pays for.
    NotInPlan,
    /// What the newer services say, in the form of version 3 and without a code.
    Newer(StatusCode, &'static str),
}

/// Status, text and `ECODE` of a refusal.
pub(super) type Unseen = (StatusCode, &'static str, &'static str);

impl No<'_> {
    fn reply(&self) -> Reply {
        let (status, err, ecode) = match self {
            Self::Route => (StatusCode::NOT_FOUND, "Route not found", "APP_001"),
            Self::MalformedId => (StatusCode::BAD_REQUEST, "Team ID invalid", "INPUT_003"),
            Self::OverlongId => (StatusCode::INTERNAL_SERVER_ERROR, "Internal server error", "SHARD_001"),
            Self::NotAuthorized(ecode) => (StatusCode::UNAUTHORIZED, "Team not authorized", *ecode),
            Self::Unseen(unseen) => *unseen,
            Self::Refused(refusal) => return Reply::refused(refusal),
            Self::NotInPlan => (StatusCode::FORBIDDEN, "Plan does not include this feature", "TEAM_110"),
            Self::Newer(status, message) => return Reply::newer_error(*status, message),
        };
        Reply::error(status, err, ecode)
    }
}

/// A call of somebody who is known.
pub(super) struct Call<'a> {
    pub(super) world: &'a World,
    pub(super) token: &'a Token,
    pub(super) person: &'a Person,
    pub(super) uri: &'a Uri,
}

impl<'a> Call<'a> {
    pub(super) fn workspace(&self, id: &str, ecode: &'static str) -> Result<&'a Workspace, No<'a>> {
        let workspace = self.world.workspace_for(self.person, number(id)?).ok_or(No::NotAuthorized(ecode))?;
        self.admitted(workspace, Scope::Workspace).map(|()| workspace)
    }

    pub(super) fn admitted(&self, workspace: &Workspace, scope: Scope) -> Result<(), No<'a>> {
        self.token.refusal(workspace.id, scope).map_or(Ok(()), |refusal| Err(No::Refused(refusal)))
    }

    fn spaces(&self, id: &str) -> Result<Reply, No<'a>> {
        let workspace = self.workspace(id, "OAUTH_027")?;
        let archived = self.asks_for("archived=true");
        let visible = workspace.spaces.iter().filter(|space| space.place.archived == archived);
        let visible = visible.filter(|space| workspace.shows(&space.place, self.person.id));
        let spaces: Vec<_> = visible.map(views::space).collect();
        Ok(Reply::json(StatusCode::OK, &json!({ "spaces": spaces })))
    }

    fn about_workspace(&self, id: &str, view: fn(&Workspace) -> serde_json::Value) -> Result<Reply, No<'a>> {
        self.workspace(id, "OAUTH_023").map(|workspace| Reply::json(StatusCode::OK, &view(workspace)))
    }

    /// Whether this pair is in the query.
    pub(super) fn asks_for(&self, pair: &str) -> bool {
        self.uri.query().is_some_and(|query| query.split('&').any(|other| other == pair))
    }
}

pub(super) fn number(id: &str) -> Result<u64, No<'static>> {
    if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(No::MalformedId);
    }
    id.parse().map_err(|_| No::OverlongId)
}

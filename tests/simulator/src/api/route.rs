//! Which call a request is, and its true answer.

use hyper::Method;
use hyper::http::StatusCode;
use serde_json::json;

use super::members::teams;
use super::reply::Reply;
use super::views;
use crate::state::Refusal;
use crate::world::{Caller, Person, Token, Workspace, World};

/// The true answer.
pub(super) fn route(
    world: &World,
    caller: &Caller,
    method: &Method,
    path: &str,
    query: Option<&str>,
) -> Reply {
    if let Some(refusal) = Reply::no_access(caller.access) {
        return refusal;
    }
    let (Some(token), Some(person)) = (world.token(&caller.name), world.person_of(&caller.name)) else {
        return Reply::error(StatusCode::UNAUTHORIZED, "Token invalid", "OAUTH_025");
    };
    let call = Call { world, token, person };
    let segments: Vec<&str> = path.split('/').skip(1).collect();
    let answer = match (method, segments.as_slice()) {
        (&Method::GET, ["v2", "user"]) => Ok(Reply::json(StatusCode::OK, &views::user(person))),
        (&Method::GET, ["v2", "team"]) => Ok(Reply::streamed_json(teams(world, person))),
        (&Method::GET, ["v2", "team", id, "space"]) => call.spaces(id, query),
        (&Method::GET, ["v2", "team", id, "plan"]) => call.about_workspace(id, views::plan),
        (&Method::GET, ["v2", "team", id, "seats"]) => call.about_workspace(id, views::seats),
        (&Method::GET, ["v2", "space", id]) => call.space(id),
        _ => Err(No::Route),
    };
    answer.unwrap_or_else(|no| no.reply())
}

/// Why a live token gets no good answer.
enum No<'a> {
    Route,
    /// Not digits: refused at the door.
    MalformedId,
    /// So many digits that something behind the door breaks.
    OverlongId,
    /// Not visible to the user, or not there; the code differs between the calls.
    NotAuthorized(&'static str),
    /// Closed to this token though the user belongs there.
    Refused(&'a Refusal),
}

impl No<'_> {
    fn reply(&self) -> Reply {
        let (status, err, ecode) = match self {
            Self::Route => (StatusCode::NOT_FOUND, "Route not found", "APP_001"),
            Self::MalformedId => (StatusCode::BAD_REQUEST, "Team ID invalid", "INPUT_003"),
            Self::OverlongId => (StatusCode::INTERNAL_SERVER_ERROR, "Internal server error", "SHARD_001"),
            Self::NotAuthorized(ecode) => (StatusCode::UNAUTHORIZED, "Team not authorized", *ecode),
            Self::Refused(refusal) => return Reply::refused(refusal),
        };
        Reply::error(status, err, ecode)
    }
}

struct Call<'a> {
    world: &'a World,
    token: &'a Token,
    person: &'a Person,
}

impl<'a> Call<'a> {
    fn workspace(&self, id: &str, ecode: &'static str) -> Result<&'a Workspace, No<'a>> {
        let workspace = self.world.workspace_for(self.person, number(id)?).ok_or(No::NotAuthorized(ecode))?;
        self.admitted(workspace).map(|()| workspace)
    }

    fn admitted(&self, workspace: &Workspace) -> Result<(), No<'a>> {
        self.token.refusal(workspace.id).map_or(Ok(()), |refusal| Err(No::Refused(refusal)))
    }

    fn spaces(&self, id: &str, query: Option<&str>) -> Result<Reply, No<'a>> {
        let workspace = self.workspace(id, "OAUTH_027")?;
        let archived = query.is_some_and(|query| query.split('&').any(|pair| pair == "archived=true"));
        let visible = workspace.spaces.iter().filter(|space| space.archived == archived);
        let visible = visible.filter(|space| workspace.shows(space, self.person.id));
        let spaces: Vec<_> = visible.map(views::space).collect();
        Ok(Reply::json(StatusCode::OK, &json!({ "spaces": spaces })))
    }

    fn about_workspace(&self, id: &str, view: fn(&Workspace) -> serde_json::Value) -> Result<Reply, No<'a>> {
        self.workspace(id, "OAUTH_023").map(|workspace| Reply::json(StatusCode::OK, &view(workspace)))
    }

    fn space(&self, id: &str) -> Result<Reply, No<'a>> {
        let (workspace, space) =
            self.world.space_for(self.person, number(id)?).ok_or(No::NotAuthorized("OAUTH_027"))?;
        self.admitted(workspace)?;
        Ok(Reply::json(StatusCode::OK, &views::space(space)))
    }
}

fn number(id: &str) -> Result<u64, No<'static>> {
    if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(No::MalformedId);
    }
    id.parse().map_err(|_| No::OverlongId)
}

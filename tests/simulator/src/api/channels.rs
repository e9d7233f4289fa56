//! `GET /v3/workspaces/{id}/chat/channels`: the channels of a workspace that the user sees, in pages.

use axum::extract::Query;
use hyper::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::reply::Reply;
use super::route::{Call, No, number};
use crate::state::{ChannelKind, Id, LastCursor, Scope};
use crate::world::{Channel, Workspace};

const LIMITS: std::ops::RangeInclusive<usize> = 1..=100;
const DEFAULT_LIMIT: usize = 50;

/// What of the query counts.
#[derive(Deserialize)]
struct Asked {
    limit: Option<String>,
    cursor: Option<String>,
}

impl<'a> Call<'a> {
    pub(super) fn channels(&self, id: &str) -> Result<Reply, No<'a>> {
        let bad = |message| No::Newer(StatusCode::BAD_REQUEST, message);
        let id = match number(id) {
            Err(No::MalformedId) => Err(bad("Validation failed (numeric string is expected)")),
            other => other,
        }?;
        let foreign = || No::Newer(StatusCode::UNAUTHORIZED, "Team not authorized");
        let workspace = self.world.workspace_for(self.person, id).ok_or_else(foreign)?;
        self.admitted(workspace, Scope::Workspace)?;
        if workspace.without_chat {
            return Err(No::NotInPlan);
        }
        self.admitted(workspace, Scope::Chat)?;
        let Query(asked) = Query::<Asked>::try_from_uri(self.uri).map_err(|_| bad("Query invalid"))?;
        let limit = asked.limit.map_or(Some(DEFAULT_LIMIT), |limit| limit.parse().ok());
        let limit = limit.filter(|limit| LIMITS.contains(limit));
        let limit = limit.ok_or_else(|| bad("limit must be a number from 1 to 100"))?;
        let after = match asked.cursor.as_deref() {
            None | Some("") => 0,
            Some(cursor) => serial_of(cursor, workspace.id)
                .filter(|serial| *serial <= self.world.last_channel())
                .ok_or_else(|| bad("Invalid cursor"))?,
        };
        Ok(Reply::json(StatusCode::OK, &page(workspace, self.person.id, after, limit)))
    }
}

/// The channels after a serial number. A page tells where it ends, so that what comes and goes meanwhile makes
/// the next one neither skip nor repeat anything.
fn page(workspace: &Workspace, user: u64, after: u64, limit: usize) -> Value {
    let mut visible = workspace.channels_after(after, user);
    let channels: Vec<&Channel> = visible.by_ref().take(limit).collect();
    let data: Vec<Value> = channels.iter().map(|channel| view(workspace, channel)).collect();
    let mut page = json!({ "data": data });
    let more = channels.last().filter(|_| visible.next().is_some());
    match (more, workspace.last_cursor) {
        (Some(last), _) => page["next_cursor"] = json!(cursor(last.serial, workspace.id)),
        (None, LastCursor::Empty) => page["next_cursor"] = json!(""),
        (None, LastCursor::Null) => page["next_cursor"] = Value::Null,
        (None, LastCursor::Missing) => {}
    }
    page
}

fn view(workspace: &Workspace, channel: &Channel) -> Value {
    let place = &channel.place;
    let first = place.members.first().or(workspace.members.first().map(|member| &member.user));
    let links = format!("/api/v3/workspaces/{}/chat/channels/{}", workspace.id, channel.id);
    let mut view = json!({
        "id": channel.id,
        "name": place.name,
        "type": channel.kind,
        "visibility": if place.private { "PRIVATE" } else { "PUBLIC" },
        "parent": {"id": workspace.id, "type": 7},
        "creator": first.map(u64::to_string),
        "created_at": "2026-01-15T09:30:00.000Z",
        "updated_at": "2026-01-15T09:30:00.000Z",
        "workspace_id": workspace.id,
        "archived": place.archived,
        "links": {"members": format!("{links}/members"), "followers": format!("{links}/followers")},
    });
    if channel.kind == ChannelKind::Channel {
        view["topic"] = Value::Null;
        view["is_canonical_channel"] = json!(false);
        view["channel_type"] = json!(1);
    } else {
        view["is_hidden"] = json!(false);
    }
    view
}

/// A cursor means something in its workspace only, and has to be escaped in a query, as any opaque text may.
fn cursor(serial: u64, workspace: Id) -> String {
    format!("{:016x}+/==", serial ^ mixed(workspace))
}

/// The serial in a cursor; a wild one if the cursor is another workspace's.
fn serial_of(cursor: &str, workspace: Id) -> Option<u64> {
    let digits = cursor.strip_suffix("+/==")?;
    let whole = digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let digits = whole.then_some(digits)?;
    u64::from_str_radix(digits, 16).ok().map(|mixture| mixture ^ mixed(workspace))
}

fn mixed(workspace: Id) -> u64 {
    workspace.0.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_come_back_in_their_own_workspace_only() {
        let (mine, other) = (Id(9_012_345_678), Id(9_012_345_679));
        for serial in [1, 2, 1000] {
            let text = cursor(serial, mine);
            assert_eq!(serial_of(&text, mine), Some(serial));
            assert!(serial_of(&text, other).is_none_or(|serial| serial > 1_000_000_000), "{text}");
        }
        for text in ["", "1", "00000000000000zz+/==", "0000000000000001", "+000000000000001+/=="] {
            assert_eq!(serial_of(text, mine), None, "{text}");
        }
    }
}

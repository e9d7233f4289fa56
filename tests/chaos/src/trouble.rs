//! What can be wrong with ClickUp's answers: each fault of the simulator, on each call, and what must come of it.

use std::{fmt, time::Duration};

use clickup_simulator::fault::Fault;
use serde_json::json;

use crate::{
    model::Denial,
    world::{Asks, Node},
};

/// A call of ClickUp's API that a check makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    /// `GET /v2/user`.
    User,
    /// `GET /v2/team`.
    Team,
    /// `GET /v2/team/{id}/space`.
    Spaces,
    /// `GET /v3/workspaces/{id}/chat/channels`.
    Channels,
    /// `GET` of a node by its id.
    Node(Node),
}

/// What is wrong with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    /// The connection is reset.
    Reset,
    /// The connection is closed without an answer.
    Close,
    /// Bytes that are not HTTP.
    Garbage,
    /// The body breaks off.
    Truncated,
    /// The head comes byte by byte.
    SlowHead,
    /// The body comes byte by byte.
    SlowBody,
    /// Nothing comes.
    Silent,
    /// 500 in ClickUp's form.
    Error500,
    /// 503 in ClickUp's form.
    Error503,
    /// A proxy's page, 502.
    Html502,
    /// A portal's page, 200.
    Html200,
    /// JSON that breaks off.
    BrokenJson,
    /// JSON of another shape.
    WrongShape,
    /// JSON larger than `--max-body`.
    Huge,
    /// A redirect.
    Redirect,
    /// 429 with `Retry-After`.
    Limited,
    /// 429 with `x-ratelimit-reset`.
    LimitedUntil,
    /// 429 without a reset.
    LimitedBare,
    /// 401 without a code.
    Refused401,
    /// 403 without a code.
    Refused403,
    /// 400 OAUTH_017.
    NoHeader,
    /// 401 OAUTH_025.
    Dead,
    /// 403 ACCESS_083.
    Denied,
    /// 403 TEAM_110.
    Plan,
    /// 404 ITEM_013.
    Missing,
    /// 500 SHARD_001.
    Shard,
}

/// What comes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Reachable turns False for one of these reasons; nothing else changes.
    NoVerdict(&'static [&'static str]),
    /// It is an answer.
    No(Denial),
}

impl Call {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::User,
        Self::Team,
        Self::Spaces,
        Self::Channels,
        Self::Node(Node::Space),
        Self::Node(Node::Folder),
        Self::Node(Node::List),
        Self::Node(Node::Task),
    ];

    /// Its path, with `*` for ids.
    pub fn path(self) -> &'static str {
        match self {
            Self::User => "/v2/user",
            Self::Team => "/v2/team",
            Self::Spaces => "/v2/team/*/space",
            Self::Channels => "/v3/workspaces/*/chat/channels",
            Self::Node(Node::Space | Node::SpaceNamed) => "/v2/space/*",
            Self::Node(Node::Folder) => "/v2/folder/*",
            Self::Node(Node::List) => "/v2/list/*",
            Self::Node(Node::Task) => "/v2/task/*",
        }
    }

    /// Whether a connection that asks for this makes it.
    pub fn is_made_for(self, asks: &Asks) -> bool {
        match self {
            Self::User | Self::Team | Self::Spaces => true,
            Self::Channels => asks.channel.is_some(),
            Self::Node(node) => asks.for_node(node),
        }
    }

    fn is_about_the_token(self) -> bool {
        matches!(self, Self::User | Self::Team)
    }
}

impl Trouble {
    /// All of them.
    pub const ALL: [Self; 26] = {
        use Trouble::*;
        [
            Reset,
            Close,
            Garbage,
            Truncated,
            SlowHead,
            SlowBody,
            Silent,
            Error500,
            Error503,
            Html502,
            Html200,
            BrokenJson,
            WrongShape,
            Huge,
            Redirect,
            Limited,
            LimitedUntil,
            LimitedBare,
            Refused401,
            Refused403,
            NoHeader,
            Dead,
            Denied,
            Plan,
            Missing,
            Shard,
        ]
    };

    /// What comes of it on this call (CLICKUP.md §3 and §5).
    pub fn effect(self, call: Call) -> Effect {
        use Trouble::*;
        let no = |reason| {
            let condition = match call {
                Call::User | Call::Team => "Authenticated",
                Call::Spaces => "WorkspacesResolved",
                Call::Channels => "ChannelResolved",
                Call::Node(_) => "AccessVerified",
            };
            Effect::No(Denial { condition, reason })
        };
        match self {
            Reset | Close => Effect::NoVerdict(&["ConnectFailed"]),
            SlowHead | SlowBody | Silent => Effect::NoVerdict(&["TimedOut"]),
            Error500 | Error503 | Html502 => Effect::NoVerdict(&["ServerError"]),
            Garbage | Truncated | Html200 | BrokenJson | WrongShape | Redirect => {
                Effect::NoVerdict(&["UnexpectedResponse"])
            }
            // On a busy machine so much may take longer than the check has.
            Huge => Effect::NoVerdict(&["UnexpectedResponse", "TimedOut"]),
            Limited | LimitedUntil | LimitedBare => Effect::NoVerdict(&["RateLimited"]),
            Refused401 | Refused403 | NoHeader => Effect::NoVerdict(&["RequestRefused"]),
            Dead if call.is_about_the_token() => no("TokenRejected"),
            Dead => Effect::NoVerdict(&["RequestRefused"]),
            Denied | Plan if call.is_about_the_token() => Effect::NoVerdict(&["RequestRefused"]),
            Missing if call.is_about_the_token() => Effect::NoVerdict(&["UnexpectedResponse"]),
            Shard if call.is_about_the_token() => Effect::NoVerdict(&["ServerError"]),
            Denied | Plan | Missing | Shard => no(match (call, self) {
                (Call::Spaces, Denied) => "WorkspaceAccessDenied",
                (Call::Spaces, Missing | Shard) => "WorkspaceNotFound",
                (Call::Spaces | Call::Channels, Plan) => "PlanRequired",
                (Call::Channels, _) => "ChannelAccessDenied",
                _ => "AccessDenied",
            }),
        }
    }

    /// For how long ClickUp wants no request after it, at most.
    pub fn blocks(self) -> Duration {
        Duration::from_secs(match self {
            Self::Limited | Self::LimitedUntil => RESET,
            Self::LimitedBare => 60,
            _ => 0,
        })
    }

    /// The simulator's fault.
    pub fn fault(self, call: Call) -> Fault {
        use Trouble::*;
        let fault = Fault::default().on(call.path());
        let second = Duration::from_secs(1);
        match self {
            Reset => fault.reset(),
            Close => fault.close(),
            Garbage => fault.garbage(),
            Truncated => fault.truncated(7),
            SlowHead => fault.slow_head(second),
            SlowBody => fault.slow_body(1, second),
            Silent => fault.delay(60 * second),
            Error500 => fault.error(500, "", "down"),
            Error503 => fault.error(503, "", "down"),
            Html502 => fault.html(502),
            Html200 => fault.html(200),
            BrokenJson => fault.broken_json("{\"user\": {\"id\": 1"),
            WrongShape => fault.json(200, json!(["nothing", "of", "use"])),
            Huge => fault.huge(65 * 1024 * 1024),
            Redirect => fault.redirect(302, "/elsewhere"),
            Limited => {
                fault.rate_limited().omit_rate_limit_headers().set_header("retry-after", RESET.to_string())
            }
            LimitedUntil => {
                let reset = jiff::Timestamp::now().as_second() + RESET as i64;
                fault.rate_limited().set_header("x-ratelimit-reset", reset.to_string())
            }
            LimitedBare => fault.rate_limited().omit_rate_limit_headers(),
            Refused401 => fault.error(401, "", "no"),
            Refused403 => fault.error(403, "", "no"),
            NoHeader => fault.error(400, "OAUTH_017", "Authorization header required"),
            Dead => fault.error(401, "OAUTH_025", "Token invalid"),
            Denied => fault.error(403, "ACCESS_083", "no"),
            Plan => fault.plan_required(),
            Missing => fault.error(404, "ITEM_013", "not found"),
            Shard => fault.error(500, "SHARD_001", "Internal server error"),
        }
    }
}

/// Seconds until a limit resets.
const RESET: u64 = 4;

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.path())
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use Trouble::*;
        f.write_str(match self {
            Reset => "connection reset",
            Close => "connection closed without an answer",
            Garbage => "bytes that are not HTTP",
            Truncated => "body cut",
            SlowHead => "head byte by byte",
            SlowBody => "body byte by byte",
            Silent => "no answer",
            Error500 => "500",
            Error503 => "503",
            Html502 => "HTML 502",
            Html200 => "HTML 200",
            BrokenJson => "broken JSON",
            WrongShape => "JSON of another shape",
            Huge => "body of 65 MiB",
            Redirect => "redirect",
            Limited => "429 with Retry-After",
            LimitedUntil => "429 with x-ratelimit-reset",
            LimitedBare => "429 without a reset",
            Refused401 => "401 without a code",
            Refused403 => "403 without a code",
            NoHeader => "400 OAUTH_017",
            Dead => "401 OAUTH_025",
            Denied => "403 ACCESS_083",
            Plan => "403 TEAM_110",
            Missing => "404 ITEM_013",
            Shard => "500 SHARD_001",
        })
    }
}

//! What an answer of ClickUp's means: the tables of CLICKUP.md §3 and §5 as pure functions.
//!
//! Never by the HTTP status alone, nor by the prefix of a code alone.

use super::{ErrorBody, Failure, User, Workspace};
use crate::api::Reason;
use jiff::SignedDuration;

/// What came back from a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer<T> {
    /// 2xx, in the right shape.
    Good(T),
    /// Status ≥ 400.
    Error {
        /// The HTTP status.
        status: u16,
        /// What the body says.
        body: ErrorBody,
    },
    /// An answer that ClickUp does not give.
    Unusable(Unusable),
    /// No answer.
    Failed(Failure),
}

/// Answers that ClickUp does not give: a captive portal, a proxy, a broken connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// 3xx: never followed, the token would go elsewhere.
    Redirect,
    /// A status outside 2xx to 5xx.
    Status,
    /// The body is not JSON.
    NotJson,
    /// JSON, but not what the call answers.
    WrongShape,
    /// More bytes than `--max-body`.
    TooLarge,
    /// Fewer bytes than announced.
    Truncated,
}

/// Whom a token belongs to and what it sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The user that it acts as.
    pub user: User,
    /// The workspaces that it sees, sorted by id.
    pub workspaces: Vec<Workspace>,
}

/// ClickUp could not be asked: says nothing about the token, the workspaces or anything else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoVerdict {
    /// The reason of the condition Reachable.
    pub reason: Reason,
    /// What happened and what to do.
    pub message: String,
    /// With RateLimited: until when ClickUp wants no request with this token, if it says so.
    pub reset_in: Option<SignedDuration>,
}

/// What an answer to `GET /v2/user` or `GET /v2/team` says about the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenVerdict<T> {
    /// It is alive.
    Valid(T),
    /// ClickUp says that it is dead.
    Rejected,
    /// Nothing.
    NoVerdict(NoVerdict),
}

/// What an answer to a call on an id says about that id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeVerdict<T = ()> {
    /// The token reaches it, and this is what it holds.
    Granted(T),
    /// There is no such id, or it is malformed.
    NotFound,
    /// The workspace, or the user's role in it, refuses the token.
    Denied,
    /// The workspace's plan does not include it.
    PlanRequired,
    /// The token seems dead, which only `GET /v2/user` can tell.
    TokenDead,
    /// Nothing.
    NoVerdict(NoVerdict),
}

impl<T> NodeVerdict<T> {
    /// Why it is no verdict, if it is none.
    pub fn no_verdict(&self) -> Option<&NoVerdict> {
        if let Self::NoVerdict(no) = self { Some(no) } else { None }
    }

    /// The same verdict with something made of what was granted.
    pub fn map<U>(self, make: impl FnOnce(T) -> U) -> NodeVerdict<U> {
        match self {
            Self::Granted(value) => NodeVerdict::Granted(make(value)),
            Self::NotFound => NodeVerdict::NotFound,
            Self::Denied => NodeVerdict::Denied,
            Self::PlanRequired => NodeVerdict::PlanRequired,
            Self::TokenDead => NodeVerdict::TokenDead,
            Self::NoVerdict(no) => NodeVerdict::NoVerdict(no),
        }
    }
}

/// Token-dead codes (official). On a call that names an id, OAUTH_018 may mean the id.
const DEAD: [&str; 4] = ["OAUTH_019", "OAUTH_021", "OAUTH_025", "OAUTH_077"];
const DEAD_WITHOUT_ID: &str = "OAUTH_018";

/// Judges an answer to `GET /v2/user` or `GET /v2/team`.
pub fn judge_token<T>(answer: Answer<T>, reset_in: Option<SignedDuration>) -> TokenVerdict<T> {
    match answer {
        Answer::Good(value) => TokenVerdict::Valid(value),
        Answer::Error { status: 401, body }
            if code(&body).is_some_and(|c| DEAD.contains(&c) || c == DEAD_WITHOUT_ID) =>
        {
            TokenVerdict::Rejected
        }
        other => TokenVerdict::NoVerdict(NoVerdict::of(&other, reset_in)),
    }
}

/// Judges an answer to a call on the id of a workspace, channel or node.
///
/// | answer | verdict | grade |
/// | --- | --- | --- |
/// | 200, right shape | Granted | official |
/// | 429, or APP_002 with any status | no verdict | measured |
/// | 400 OAUTH_017 | no verdict: our header did not arrive | measured |
/// | 400, JSON | NotFound: a malformed id | measured |
/// | 401, token-dead code | TokenDead | official |
/// | 401, 403, 404 with ITEM_* or ACCESS_999 | NotFound | measured |
/// | 401, 403, 404 with TEAM_110 | PlanRequired | measured |
/// | 401, 403, 404 with another ACCESS_*, OAUTH_* or a lacking permission | Denied | measured |
/// | 401, 403 in v3's form, without a code | Denied: `GET /v2/user` had accepted the token a moment before | inference |
/// | 404 in v3's form, without a code | NotFound | inference |
/// | 5xx with SHARD_* | NotFound: a malformed id | measured |
/// | 401, 403, 404 with another code, or JSON of no known form, or HTML | no verdict | inference |
/// | everything else | no verdict | CLICKUP.md §5 |
pub fn judge_node<T>(answer: Answer<T>, reset_in: Option<SignedDuration>) -> NodeVerdict<T> {
    let no = match &answer {
        Answer::Error { status, body } => about_the_id(*status, body),
        _ => None,
    };
    match (answer, no) {
        (Answer::Good(value), _) => NodeVerdict::Granted(value),
        (_, Some(no)) => no,
        (other, None) => NodeVerdict::NoVerdict(NoVerdict::of(&other, reset_in)),
    }
}

fn about_the_id<T>(status: u16, body: &ErrorBody) -> Option<NodeVerdict<T>> {
    if rate_limited(status, body) {
        return None;
    }
    // Codes say more than the form.
    let v3 = body.v3 && body.code.is_none();
    let code = code(body).unwrap_or_default();
    Some(match status {
        400 if code == "OAUTH_017" => return None,
        400 if body.json => NodeVerdict::NotFound,
        401 if DEAD.contains(&code) => NodeVerdict::TokenDead,
        401 | 403 | 404 if code.starts_with("ITEM_") || code == "ACCESS_999" => NodeVerdict::NotFound,
        401 | 403 | 404 if code == "TEAM_110" => NodeVerdict::PlanRequired,
        401 | 403 | 404
            if body.lacks_permission || code.starts_with("ACCESS_") || code.starts_with("OAUTH_") =>
        {
            NodeVerdict::Denied
        }
        401 | 403 if v3 => NodeVerdict::Denied,
        404 if v3 => NodeVerdict::NotFound,
        500.. if code.starts_with("SHARD_") => NodeVerdict::NotFound,
        _ => return None,
    })
}

impl NoVerdict {
    /// The check did not end within the connection's timeout.
    pub fn timed_out() -> Self {
        Self::new(
            Reason::TimedOut,
            "ClickUp did not answer in time: see status.clickup.com, and the network between the operator and ClickUp; spec.timeout bounds a check",
        )
    }

    /// Nothing was sent, because ClickUp limits this token's requests until a reset that is still to come.
    pub fn rate_limited(reset_in: Option<SignedDuration>) -> Self {
        let message = "ClickUp's request limit for this token is used up, by all that use it together: checking goes on when the limit resets";
        Self { reset_in, ..Self::new(Reason::RateLimited, message) }
    }

    /// A 401 or 403 that does not speak about the token.
    pub fn refused() -> Self {
        Self::new(
            Reason::RequestRefused,
            "ClickUp refused the request without saying that the token is dead: see whether a proxy or an IP allow-list stands in between",
        )
    }

    /// The pages of a list do not come to an end, or one of them could not be had.
    pub fn unending_list() -> Self {
        Self::unexpected("a list whose pages do not come to an end")
    }

    fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), reset_in: None }
    }

    fn of<T>(answer: &Answer<T>, reset_in: Option<SignedDuration>) -> Self {
        match answer {
            Answer::Good(_) => Self::unexpected("an answer that does not belong here"),
            Answer::Error { status, body } if rate_limited(*status, body) => Self::rate_limited(reset_in),
            Answer::Error { status: 400, body } if code(body) == Some("OAUTH_017") => Self::new(
                Reason::RequestRefused,
                "the Authorization header did not arrive at ClickUp: see whether a proxy in between removes it",
            ),
            Answer::Error { status: 401 | 403, .. } => Self::refused(),
            Answer::Error { status: status @ 500.., .. } => Self::new(
                Reason::ServerError,
                format!("ClickUp answered HTTP {status}: see status.clickup.com; checking goes on by itself"),
            ),
            Answer::Error { status, .. } => Self::unexpected(format!("HTTP {status}")),
            Answer::Unusable(Unusable::Redirect) => {
                Self::unexpected("a redirect, which is never followed with a token")
            }
            Answer::Unusable(Unusable::Status) => Self::unexpected("an HTTP status that it does not use"),
            Answer::Unusable(Unusable::NotJson) => Self::unexpected("a body that is not JSON"),
            Answer::Unusable(Unusable::WrongShape) => Self::unexpected("JSON of another shape"),
            Answer::Unusable(Unusable::TooLarge) => Self::unexpected("a body larger than --max-body"),
            Answer::Unusable(Unusable::Truncated) | Answer::Failed(Failure::Garbled(_)) => {
                Self::unexpected("an answer that is garbled or ends early")
            }
            Answer::Failed(Failure::Connect(cause)) => Self::new(
                Reason::ConnectFailed,
                format!("cannot connect to ClickUp, {cause}: see DNS, proxy, firewall and network policies"),
            ),
            Answer::Failed(Failure::Tls(cause)) => Self::new(
                Reason::TLSFailed,
                format!(
                    "no TLS connection to ClickUp, {cause}: see whether a proxy intercepts it; the operator's --ca-file names the authorities to trust"
                ),
            ),
            Answer::Failed(Failure::TimedOut) => Self::timed_out(),
        }
    }

    fn unexpected(what: impl std::fmt::Display) -> Self {
        Self::new(
            Reason::UnexpectedResponse,
            format!(
                "the answer is not one of ClickUp's, {what}: see whether a proxy or portal stands in between, and the operator's --clickup-url"
            ),
        )
    }
}

/// ClickUp's code for the limit was seen with other statuses than 429 too.
fn rate_limited(status: u16, body: &ErrorBody) -> bool {
    status == 429 || code(body) == Some("APP_002")
}

fn code(body: &ErrorBody) -> Option<&str> {
    body.code.as_deref()
}

#[cfg(test)]
mod tests {
    use super::*;
    use Reason::*;

    fn error(status: u16, code: &str) -> Answer<()> {
        let code = (!code.is_empty()).then(|| code.to_owned());
        Answer::Error { status, body: ErrorBody { json: true, code, ..ErrorBody::default() } }
    }

    fn html(status: u16) -> Answer<()> {
        Answer::Error { status, body: ErrorBody::default() }
    }

    fn lacking(status: u16, code: &str) -> Answer<()> {
        match error(status, code) {
            Answer::Error { status, body } => {
                Answer::Error { status, body: ErrorBody { lacks_permission: true, ..body } }
            }
            other => other,
        }
    }

    fn v3(status: u16, code: &str) -> Answer<()> {
        match error(status, code) {
            Answer::Error { status, body } => Answer::Error { status, body: ErrorBody { v3: true, ..body } },
            other => other,
        }
    }

    /// Every row of CLICKUP.md §3 and §5: (answer, on /user and /team, on an id).
    fn table() -> Vec<(Answer<()>, &'static str, &'static str)> {
        let team_codes = [23, 26, 27].into_iter().chain(29..=45).chain([56, 57, 60, 61]);
        let mut rows = vec![
            (Answer::Good(()), "Valid", "Granted(())"),
            (error(400, "OAUTH_017"), "RequestRefused", "RequestRefused"),
            (error(400, "INPUT_002"), "UnexpectedResponse", "NotFound"),
            (error(400, ""), "UnexpectedResponse", "NotFound"),
            (html(400), "UnexpectedResponse", "UnexpectedResponse"),
            (error(401, "OAUTH_018"), "Rejected", "Denied"),
            (error(403, "OAUTH_025"), "RequestRefused", "Denied"),
            (error(401, "ACCESS_083"), "RequestRefused", "Denied"),
            (error(403, "ACCESS_083"), "RequestRefused", "Denied"),
            (lacking(403, "ACCESS_083"), "RequestRefused", "Denied"),
            (lacking(401, "SOMETHING_1"), "RequestRefused", "Denied"),
            (error(404, "ACCESS_999"), "UnexpectedResponse", "NotFound"),
            (error(401, "ACCESS_999"), "RequestRefused", "NotFound"),
            (error(404, "ITEM_013"), "UnexpectedResponse", "NotFound"),
            (error(404, "ITEM_015"), "UnexpectedResponse", "NotFound"),
            (html(404), "UnexpectedResponse", "UnexpectedResponse"),
            (error(404, ""), "UnexpectedResponse", "UnexpectedResponse"),
            (error(403, "TEAM_110"), "RequestRefused", "PlanRequired"),
            (error(401, ""), "RequestRefused", "RequestRefused"),
            (html(401), "RequestRefused", "RequestRefused"),
            (html(403), "RequestRefused", "RequestRefused"),
            (error(403, "UNKNOWN_1"), "RequestRefused", "RequestRefused"),
            (error(429, "APP_002"), "RateLimited", "RateLimited"),
            (html(429), "RateLimited", "RateLimited"),
            (error(401, "APP_002"), "RateLimited", "RateLimited"),
            (error(500, "APP_002"), "RateLimited", "RateLimited"),
            (error(500, "SHARD_001"), "ServerError", "NotFound"),
            (error(500, ""), "ServerError", "ServerError"),
            (html(502), "ServerError", "ServerError"),
            (html(503), "ServerError", "ServerError"),
            (error(504, "OAUTH_025"), "ServerError", "ServerError"),
            (html(418), "UnexpectedResponse", "UnexpectedResponse"),
            (v3(400, ""), "UnexpectedResponse", "NotFound"),
            (v3(401, ""), "RequestRefused", "Denied"),
            (v3(402, ""), "UnexpectedResponse", "UnexpectedResponse"),
            (v3(403, ""), "RequestRefused", "Denied"),
            (v3(404, ""), "UnexpectedResponse", "NotFound"),
            (v3(409, ""), "UnexpectedResponse", "UnexpectedResponse"),
            (v3(429, ""), "RateLimited", "RateLimited"),
            (v3(500, ""), "ServerError", "ServerError"),
            (v3(401, "OAUTH_025"), "Rejected", "TokenDead"),
            (v3(404, "ACCESS_083"), "UnexpectedResponse", "Denied"),
            (v3(403, "TEAM_110"), "RequestRefused", "PlanRequired"),
            (v3(403, "APP_002"), "RateLimited", "RateLimited"),
            (v3(401, "UNKNOWN_1"), "RequestRefused", "RequestRefused"),
            (v3(404, "UNKNOWN_1"), "UnexpectedResponse", "UnexpectedResponse"),
        ];
        rows.extend(DEAD.map(|c| (error(401, c), "Rejected", "TokenDead")));
        rows.extend(team_codes.map(|n| (error(401, &format!("OAUTH_{n:03}")), "RequestRefused", "Denied")));
        use Unusable::*;
        for unusable in [Redirect, Status, NotJson, WrongShape, TooLarge, Truncated] {
            rows.push((Answer::Unusable(unusable), "UnexpectedResponse", "UnexpectedResponse"));
        }
        for (failure, reason) in [
            (Failure::Connect("connection refused"), "ConnectFailed"),
            (Failure::Tls("its certificate has expired"), "TLSFailed"),
            (Failure::TimedOut, "TimedOut"),
            (Failure::Garbled("x"), "UnexpectedResponse"),
        ] {
            rows.push((Answer::Failed(failure), reason, reason));
        }
        rows
    }

    #[test]
    fn every_row_ends_in_its_verdict() {
        for (answer, token, node) in table() {
            let on_token = match judge_token(answer.clone(), None) {
                TokenVerdict::Valid(()) => "Valid".to_owned(),
                TokenVerdict::Rejected => "Rejected".to_owned(),
                TokenVerdict::NoVerdict(no) => no.reason.to_string(),
            };
            let on_node = match judge_node(answer.clone(), None) {
                NodeVerdict::NoVerdict(no) => no.reason.to_string(),
                verdict => format!("{verdict:?}"),
            };
            assert_eq!((on_token.as_str(), on_node.as_str()), (token, node), "{answer:?}");
        }
    }

    #[test]
    fn messages_are_one_bounded_line() {
        for (answer, ..) in table() {
            if let TokenVerdict::NoVerdict(no) = judge_token(answer, None) {
                assert!(no.message.len() <= 512 && !no.message.contains('\n'), "{}", no.message);
            }
        }
    }

    #[test]
    fn the_reset_goes_with_rate_limited_only() {
        let reset = Some(SignedDuration::from_secs(9));
        for (answer, expected) in [(error(429, ""), reset), (error(500, ""), None)] {
            let TokenVerdict::NoVerdict(no) = judge_token(answer, reset) else { panic!("a verdict") };
            assert_eq!(no.reset_in, expected);
            assert!(matches!(no.reason, RateLimited | ServerError));
        }
    }
}

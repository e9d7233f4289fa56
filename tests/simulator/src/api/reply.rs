//! An answer before it is sent: status, headers, content.

use std::time::SystemTime;

use hyper::header::{CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue};
use hyper::http::StatusCode;
use serde::Serialize;
use serde_json::json;

use super::Content;
use crate::fault::{Answer, Body, HeaderEdits};
use crate::shared::now;
use crate::state::{Refusal, Scope};
use crate::window::Standing;
use crate::world::Access;

pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) content: Content,
}

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

impl Reply {
    fn new(status: StatusCode, content_type: HeaderValue, content: Content) -> Self {
        Self { status, headers: HeaderMap::from_iter([(CONTENT_TYPE, content_type)]), content }
    }

    pub(super) fn streamed_json(content: Content) -> Self {
        Self::new(StatusCode::OK, JSON, content)
    }

    pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Self {
        // The values are our own and always have a JSON form; an empty body would be seen by any test.
        let bytes = serde_json::to_vec(value).unwrap_or_default();
        Self::new(status, JSON, Content::whole(bytes))
    }

    pub(super) fn error(status: StatusCode, err: &str, ecode: &str) -> Self {
        Self::json(status, &json!({"err": err, "ECODE": ecode}))
    }

    /// An error in the form of version 3, which has no code.
    pub(super) fn newer_error(status: StatusCode, message: &str) -> Self {
        let timestamp = now();
        // Documented as an integer; the tracing systems that make such ids use all 64 bits.
        let trace_id = u64::MAX - timestamp;
        let body = json!({
            "status": status.as_u16(), "message": message, "trace_id": trace_id, "timestamp": timestamp,
        });
        Self::json(status, &body)
    }

    pub(super) fn no_access(access: Access) -> Option<Self> {
        let unauthorized = |err, ecode| Some(Self::error(StatusCode::UNAUTHORIZED, err, ecode));
        match access {
            Access::Granted => None,
            Access::Missing => {
                Some(Self::error(StatusCode::BAD_REQUEST, "Authorization header required", "OAUTH_017"))
            }
            Access::DeadPersonal => unauthorized("Token invalid", "OAUTH_025"),
            Access::DeadOauth => unauthorized("Oauth token not found", "OAUTH_019"),
        }
    }

    pub(super) fn rate_limited() -> Self {
        Self::error(StatusCode::TOO_MANY_REQUESTS, "Rate limit reached", "APP_002")
    }

    pub(super) fn refused(refusal: &Refusal) -> Self {
        let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::FORBIDDEN);
        match refusal.scope {
            Scope::Workspace => Self::json(
                status,
                &json!({
                    "err": "You do not have permission to use the public API in this Workspace",
                    "ECODE": refusal.ecode,
                    "invalid_permissions": ["can_use_public_api_dev_key"],
                }),
            ),
            Scope::Chat => Self::error(status, "You do not have access to Chat", &refusal.ecode),
        }
    }

    pub(super) fn fault(answer: &Answer) -> Self {
        let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        match &answer.body {
            Body::Empty => Self { status, headers: HeaderMap::new(), content: Content::whole(Vec::new()) },
            Body::Error { err, ecode } if ecode.is_empty() => Self::json(status, &json!({ "err": err })),
            Body::Error { err, ecode } => Self::error(status, err, ecode),
            Body::Json(value) => Self::json(status, value),
            Body::Html => {
                let page = format!(
                    "<!DOCTYPE html>\n<html><head><title>{status}</title></head><body><h1>{status}</h1><hr>proxy</body></html>\n"
                );
                Self::new(status, HeaderValue::from_static("text/html"), Content::whole(page))
            }
            Body::Text { content_type, text } => {
                let content_type = HeaderValue::from_str(content_type).unwrap_or(JSON);
                Self::new(status, content_type, Content::whole(text.clone()))
            }
            Body::Huge(bytes) => Self::new(status, JSON, Content::huge(*bytes)),
        }
    }

    /// The headers that every answer has.
    pub(super) fn stamp(&mut self, standing: &Standing) {
        let Standing { limit, remaining, reset, over: _ } = *standing;
        let numbers = [
            ("x-ratelimit-limit", limit),
            ("x-ratelimit-remaining", remaining),
            ("x-ratelimit-reset", reset),
        ];
        for (name, number) in numbers {
            self.headers.insert(HeaderName::from_static(name), number.into());
        }
        if let Ok(date) = HeaderValue::from_str(&httpdate::fmt_http_date(SystemTime::now())) {
            self.headers.insert(DATE, date);
        }
    }

    pub(super) fn edit(&mut self, edits: &HeaderEdits) {
        for name in &edits.omit {
            self.headers.remove(name.as_str());
        }
        for (name, value) in &edits.set {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                self.headers.insert(name, value);
            }
        }
    }
}

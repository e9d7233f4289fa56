//! Bodies of answers with status ≥ 400.

use super::is_number;
use serde_json::{Map, Value};

/// What the body of an answer with status ≥ 400 says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErrorBody {
    /// Whether the body was a JSON object: a proxy in between answers HTML.
    pub json: bool,
    /// `ECODE`, if it looks like one.
    pub code: Option<String>,
    /// Whether it names a permission that the user lacks.
    pub lacks_permission: bool,
    /// Whether it has the form of v3's errors (its OpenAPI document, official): a status, a message and a trace id, which
    /// may be null. There is no code in it; a gateway's own JSON lacks the trace id.
    pub v3: bool,
}

impl ErrorBody {
    /// Reads an error body; what cannot be read says nothing.
    pub fn read(body: &[u8]) -> Self {
        let Ok(body) = serde_json::from_slice::<Map<String, Value>>(body) else {
            return Self::default();
        };
        let code = body.get("ECODE").and_then(Value::as_str).filter(|code| {
            code.len() <= 32
                && code.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
        });
        let lacks_permission =
            body.get("invalid_permissions").and_then(Value::as_array).is_some_and(|p| !p.is_empty());
        Self { json: true, code: code.map(str::to_owned), lacks_permission, v3: is_v3(&body) }
    }
}

fn is_v3(body: &Map<String, Value>) -> bool {
    let status = body.get("status").is_some_and(|s| s.is_u64() || s.as_str().is_some_and(is_number));
    let trace = body.get("trace_id").is_some_and(|t| t.is_null() || t.is_number() || t.is_string());
    status && trace && body.get("message").is_some_and(Value::is_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> ErrorBody {
        ErrorBody::read(body.as_bytes())
    }

    #[test]
    fn error_bodies_say_only_what_they_surely_say() {
        let full =
            read(r#"{"err":"x","ECODE":"ACCESS_083","invalid_permissions":["can_use_public_api_dev_key"]}"#);
        let code = Some("ACCESS_083".into());
        assert_eq!(full, ErrorBody { json: true, code, lacks_permission: true, v3: false });
        for (body, json) in [
            ("{}", true),
            (r#"{"ECODE":7}"#, true),
            (r#"{"ECODE":"<b>"}"#, true),
            ("<html>", false),
            ("[]", false),
            ("", false),
        ] {
            assert_eq!(read(body), ErrorBody { json, ..ErrorBody::default() }, "{body}");
        }
    }

    #[test]
    fn the_form_of_v3_is_told_from_a_gateways() {
        for (body, v3) in [
            (r#"{"status":403,"message":"x","trace_id":123,"timestamp":1671534256138}"#, true),
            (r#"{"status":403,"message":"x","trace_id":null}"#, true),
            (r#"{"status":"403","message":"","trace_id":"a-b","more":{}}"#, true),
            (r#"{"status":403,"message":"x","trace_id":1,"ECODE":"ACCESS_083"}"#, true),
            // Kong, AWS, Spring: the usual errors of what stands in between.
            (r#"{"message":"Unauthorized","request_id":"1"}"#, false),
            (r#"{"message":"Forbidden"}"#, false),
            (r#"{"timestamp":1,"status":404,"error":"Not Found","message":"x","path":"/"}"#, false),
            (r#"{"status":"error","message":"x","trace_id":1}"#, false),
            (r#"{"status":403,"message":null,"trace_id":1}"#, false),
            (r#"{"status":403,"message":"x","trace_id":{}}"#, false),
            (r#"{"status":403,"trace_id":1}"#, false),
            (r#"{"err":"x","ECODE":"OAUTH_027"}"#, false),
            (r#"[{"status":403,"message":"x","trace_id":1}]"#, false),
        ] {
            assert_eq!(read(body).v3, v3, "{body}");
        }
    }
}

//! The API server's audit log: who asked for what, and what came of it.

use serde::Deserialize;

/// One entry: a stage of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEvent {
    /// How far the request was. A watch has two entries, any other request one.
    pub stage: Stage,
    /// Who asked, for a ServiceAccount `system:serviceaccount:NAMESPACE:NAME`.
    pub user: String,
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, …
    pub verb: String,
    /// The API group, empty for core and for requests without a resource.
    pub group: String,
    /// The plural, for example `secrets`; empty for a request without a resource.
    pub resource: String,
    /// For example `status`; empty if there is none.
    pub subresource: String,
    /// Empty for cluster-wide requests.
    pub namespace: String,
    /// Empty for lists, watches and creations.
    pub name: String,
    /// The HTTP status; none while a watch runs or after a panic.
    pub code: Option<u16>,
    /// The client's user agent.
    pub user_agent: String,
    /// Path and query.
    pub uri: String,
    /// When the request came (RFC 3339, microseconds).
    pub received: String,
    /// When this stage was reached; of a request that is over, when it was answered.
    pub reached: String,
}

/// How far a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Stage {
    /// Not in our log: the audit policy leaves it out.
    RequestReceived,
    /// The answer has begun; only watches and other long requests.
    ResponseStarted,
    /// The answer is complete.
    ResponseComplete,
    /// The server failed.
    Panic,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    stage: Stage,
    #[serde(rename = "requestURI", default)]
    uri: String,
    verb: String,
    #[serde(default)]
    user: User,
    #[serde(default)]
    user_agent: String,
    #[serde(default)]
    object_ref: ObjectRef,
    response_status: Option<ResponseStatus>,
    #[serde(default)]
    request_received_timestamp: String,
    #[serde(default)]
    stage_timestamp: String,
}

#[derive(Default, Deserialize)]
struct User {
    #[serde(default)]
    username: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ObjectRef {
    api_group: String,
    resource: String,
    subresource: String,
    namespace: String,
    name: String,
}

#[derive(Deserialize)]
struct ResponseStatus {
    code: Option<u16>,
}

/// Reads a whole log. A last line without its end is left out: the server is writing it.
pub(super) fn parse(log: &str) -> serde_json::Result<Vec<AuditEvent>> {
    let complete = log.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    complete.map(|line| serde_json::from_str::<Entry>(line).map(AuditEvent::from)).collect()
}

impl From<Entry> for AuditEvent {
    fn from(entry: Entry) -> AuditEvent {
        let Entry {
            stage,
            uri,
            verb,
            user,
            user_agent,
            object_ref,
            response_status,
            request_received_timestamp,
            stage_timestamp,
        } = entry;
        let ObjectRef { api_group, resource, subresource, namespace, name } = object_ref;
        AuditEvent {
            stage,
            user: user.username,
            verb,
            group: api_group,
            resource,
            subresource,
            namespace,
            name,
            code: response_status.and_then(|status| status.code),
            user_agent,
            uri,
            received: request_received_timestamp,
            reached: stage_timestamp,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_complete_lines_only() {
        let log = concat!(
            r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"1","#,
            r#""stage":"ResponseComplete","requestURI":"/api/v1/namespaces/a/secrets/s","verb":"get","#,
            r#""user":{"username":"u","groups":["g"]},"sourceIPs":["127.0.0.1"],"userAgent":"t/1","#,
            r#""objectRef":{"resource":"secrets","namespace":"a","name":"s","apiVersion":"v1"},"#,
            r#""responseStatus":{"metadata":{},"code":403},"#,
            r#""requestReceivedTimestamp":"2026-11-23T10:00:00.000001Z","#,
            r#""stageTimestamp":"2026-11-23T10:00:00.000009Z"}"#,
            "\n{\"kind\":\"Event\",\"sta",
        );
        let expected = AuditEvent {
            stage: Stage::ResponseComplete,
            user: "u".into(),
            verb: "get".into(),
            group: String::new(),
            resource: "secrets".into(),
            subresource: String::new(),
            namespace: "a".into(),
            name: "s".into(),
            code: Some(403),
            user_agent: "t/1".into(),
            uri: "/api/v1/namespaces/a/secrets/s".into(),
            received: "2026-11-23T10:00:00.000001Z".into(),
            reached: "2026-11-23T10:00:00.000009Z".into(),
        };
        assert_eq!(parse(log).unwrap(), [expected]);
        assert!(parse("{\"stage\":1}\n").is_err());
    }
}

//! What the story applies, as its users would write it.

/// A Secret with a token.
pub fn secret(name: &str, token: &str) -> String {
    format!(
        "\
apiVersion: v1
kind: Secret
metadata: {{name: {name}}}
stringData:
  token: {token}
"
    )
}

/// The connection that the story follows; the channel's name has a slip in it.
pub const RELEASE_BOT: &str = "\
apiVersion: clickup-operator.dev/v1alpha1
kind: ClickUpConnection
metadata: {name: release-bot}
spec:
  tokenSecretRef: {name: clickup-release-bot}   # key: token
  defaultWorkspace: {name: Acme}
  requiredWorkspaces: [{name: Acme Labs}]
  channel: {name: deployment}                   # a chat channel of Acme
  access: [{space: {name: Engineering}}, {list: {id: \"901220000001\"}}]
  minimumRole: Member                           # of the token's user in Acme
  interval: 10m
";

/// The other team's connection, which has no token of its own.
pub const INVOICES: &str = "\
apiVersion: clickup-operator.dev/v1alpha1
kind: ClickUpConnection
metadata: {name: invoices, namespace: payments}
spec:
  connectionRef: {namespace: default, name: release-bot}
  defaultWorkspace: {name: Acme}
  access: [{space: {name: Engineering}}]
";

/// A connection that needs no more than a Secret.
pub fn connection(name: &str, secret: &str) -> String {
    format!(
        "\
apiVersion: clickup-operator.dev/v1alpha1
kind: ClickUpConnection
metadata: {{name: {name}}}
spec:
  tokenSecretRef: {{name: {secret}}}
"
    )
}

/// Prints the conditions as a table, and what Ready says: `kubectl get ... -o go-template-file=conditions.tmpl`.
pub const CONDITIONS_TEMPLATE: &str = r#"{{range .status.conditions}}{{printf "%-18s  %-7s  %s\n" .type .status .reason}}
{{- if eq .type "Ready"}}{{printf "  %s\n" .message}}{{end}}{{end}}"#;

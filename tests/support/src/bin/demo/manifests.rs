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

/// The connection that the story follows.
pub const RELEASE_BOT: &str = "\
apiVersion: clickup-operator.dev/v1alpha1
kind: ClickUpConnection
metadata: {name: release-bot}
spec:
  displayName: Release bot
  tokenSecretRef: {name: clickup-release-bot}   # key: token
  defaultWorkspace: {name: Acme}
  requiredWorkspaces: [{name: Acme Labs}]
  interval: 10m
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

/// Prints the conditions as a table: `kubectl get ... -o go-template-file=conditions.tmpl`.
pub const CONDITIONS_TEMPLATE: &str =
    r#"{{range .status.conditions}}{{printf "%-19s %-8s %-17s %s\n" .type .status .reason .message}}{{end}}"#;

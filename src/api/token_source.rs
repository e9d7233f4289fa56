//! Where a connection's token comes from, and who else may use it.

use kube::KubeSchema;
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use strum::{Display, IntoStaticStr};

/// A key of a Secret in the connection's own namespace.
// References are atomic: an apply that replaces one must not leave a part of it behind, such as the key's default.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct SecretKeyRef {
    /// The Secret's name.
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
    )]
    #[x_kube(validation = Rule::new("!format.dns1123Subdomain().validate(self).hasValue()")
        .message("write the name of a Secret: lower case letters, digits, '-' and '.', such as clickup-token"))]
    pub name: String,

    /// The key of the Secret's data that holds the token.
    #[serde(default = "default_key")]
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[-._a-zA-Z0-9]+$"))]
    #[x_kube(validation = Rule::new("self.matches('^[-._a-zA-Z0-9]+$')")
        .message("write a key of the Secret's data: letters, digits, '-', '_' and '.', such as token"))]
    pub key: String,
}

fn default_key() -> String {
    "token".to_owned()
}

/// The kinds of ClickUp tokens.
#[derive(
    JsonSchema,
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    Serialize,
    Deserialize,
    Display,
    IntoStaticStr,
)]
#[schemars(inline)]
pub enum TokenType {
    /// A personal API token; ClickUp promises that it starts with `pk_`.
    #[default]
    Personal,
    /// An access token issued to an OAuth app; it has no documented shape.
    OAuth,
}

/// Another connection.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct SharedConnectionRef {
    /// The namespace of the connection that holds the token.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    #[x_kube(validation = Rule::new("!format.dns1123Label().validate(self).hasValue()")
        .message("write the name of a namespace: lower case letters, digits and '-', such as platform"))]
    pub namespace: String,

    /// The name of the connection that holds the token.
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
    )]
    #[x_kube(validation = Rule::new("!format.dns1123Subdomain().validate(self).hasValue()")
        .message("write the name of a ClickUpConnection: lower case letters, digits, '-' and '.', such as release-bot"))]
    pub name: String,
}

/// Who may use a connection's token by `connectionRef`. To be allowed, and to have the right to create connections in an
/// allowed namespace, is enough.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.scope != 'Namespaces' || (has(self.namespaces) && size(self.namespaces) > 0) || has(self.namespaceSelector)")
        .message("say which namespaces: write namespaces or namespaceSelector beside scope: Namespaces"),
    validation = Rule::new("self.scope == 'Namespaces' || !((has(self.namespaces) && size(self.namespaces) > 0) || has(self.namespaceSelector))")
        .message("namespaces and namespaceSelector need scope: Namespaces: write it, or leave them out")
)]
pub struct Sharing {
    /// Private: connections in this namespace. Namespaces: also those in the listed or selected namespaces. Cluster: all.
    #[serde(default)]
    pub scope: SharingScope,

    /// Names of namespaces. At most 100.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), extend("x-kubernetes-list-type" = "set"))]
    pub namespaces: Vec<NamespaceName>,

    /// Selects namespaces by their labels. Empty, it selects all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace_selector: Option<NamespaceSelector>,
}

/// How far a connection is shared.
#[derive(
    JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Display, IntoStaticStr,
)]
#[schemars(inline)]
pub enum SharingScope {
    /// With connections in its own namespace.
    #[default]
    Private,
    /// Also with those in the listed or selected namespaces.
    Namespaces,
    /// With all.
    Cluster,
}

/// The name of a namespace.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[schemars(inline, extend("x-kubernetes-validations" = [{
    "rule": "!format.dns1123Label().validate(self).hasValue()",
    "message": "write the name of a namespace: lower case letters, digits and '-', such as payments",
}]))]
pub struct NamespaceName(
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))] pub String,
);

/// Selects namespaces by their labels, as Kubernetes' own selectors do: every line must hold.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct NamespaceSelector {
    /// Labels that a namespace must have, with these values. At most 20.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 20), transform = take_null_for_empty)]
    #[x_kube(validation = Rule::new("self.all(key, !format.qualifiedName().validate(key).hasValue())")
        .message("write labels by their names: letters, digits, '-', '_' and '.', with or without a prefix, such as team or example.com/team"))]
    pub match_labels: BTreeMap<String, LabelValue>,

    /// Conditions on labels. At most 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub match_expressions: Vec<LabelExpression>,
}

/// The API server drops a null from a map that has no default for it, and without its label the selector selects more.
fn take_null_for_empty(map: &mut Schema) {
    if let Some(value) = map.get_mut("additionalProperties").and_then(Value::as_object_mut) {
        value.insert("default".into(), "".into());
    }
}

/// A condition on a label.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("(self.operator in ['In', 'NotIn']) == (has(self.values) && size(self.values) > 0)")
    .message("write values beside In and NotIn, and none beside Exists and DoesNotExist"))]
pub struct LabelExpression {
    /// The label's name.
    #[schemars(length(min = 1, max = 317))]
    #[x_kube(validation = Rule::new("!format.qualifiedName().validate(self).hasValue()")
        .message("write the name of a label: letters, digits, '-', '_' and '.', with or without a prefix, such as team or example.com/team"))]
    pub key: String,

    /// What must be the case.
    pub operator: LabelOperator,

    /// Values, for In and NotIn. At most 50.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50))]
    pub values: Vec<LabelValue>,
}

/// The value of a label; it may be empty.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[schemars(inline, extend("x-kubernetes-validations" = [{
    "rule": "!format.labelValue().validate(self).hasValue()",
    "message": "write the value of a label: letters, digits, '-', '_' and '.', with a letter or digit at both ends, such as payments",
}]))]
pub struct LabelValue(#[schemars(length(max = 63))] pub String);

/// What a condition says about a label.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[schemars(inline)]
pub enum LabelOperator {
    /// It has one of the values.
    In,
    /// It has none of the values, or is not there.
    NotIn,
    /// It is there.
    Exists,
    /// It is not there.
    DoesNotExist,
}

/// Binding of workloads to the token's Secret.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Binding {
    /// Publish the Secret's name as `status.binding.name`, by which a workload is bound to it as to a provisioned service
    /// of the Service Binding specification. Who may create bindings here then gets the token itself mounted.
    #[serde(default)]
    pub enabled: bool,
}

impl NamespaceSelector {
    /// Whether a namespace with these labels is selected.
    pub fn selects(&self, labels: &BTreeMap<String, String>) -> bool {
        let has = |(key, value): (&String, &LabelValue)| labels.get(key) == Some(&value.0);
        self.match_labels.iter().all(has) && self.match_expressions.iter().all(|e| e.holds(labels))
    }
}

impl LabelExpression {
    fn holds(&self, labels: &BTreeMap<String, String>) -> bool {
        let value = labels.get(&self.key);
        let listed = value.is_some_and(|value| self.values.iter().any(|listed| listed.0 == *value));
        match self.operator {
            LabelOperator::In => listed,
            LabelOperator::NotIn => !listed,
            LabelOperator::Exists => value.is_some(),
            LabelOperator::DoesNotExist => value.is_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn selectors_are_those_of_kubernetes() {
        let labels = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<BTreeMap<_, _>>()
        };
        let (none, team, both) =
            (labels(&[]), labels(&[("team", "a")]), labels(&[("team", "b"), ("env", "prod")]));
        let expression = |key: &str, operator: &str, values: &[&str]| json!({"matchExpressions": [{"key": key, "operator": operator, "values": values}]});
        for (selector, selected) in [
            (json!({}), [true, true, true]),
            (json!({"matchLabels": {"team": "a"}}), [false, true, false]),
            (json!({"matchLabels": {"team": "b", "env": "prod"}}), [false, false, true]),
            (json!({"matchLabels": {"team": "b", "env": "test"}}), [false, false, false]),
            (expression("team", "In", &["a", "c"]), [false, true, false]),
            (expression("team", "NotIn", &["a", "c"]), [true, false, true]),
            (expression("team", "Exists", &[]), [false, true, true]),
            (expression("env", "DoesNotExist", &[]), [true, true, false]),
            (
                json!({"matchLabels": {"team": "b"}, "matchExpressions": [{"key": "env", "operator": "DoesNotExist"}]}),
                [false, false, false],
            ),
        ] {
            let read: NamespaceSelector = serde_json::from_value(selector.clone()).unwrap();
            assert_eq!([&none, &team, &both].map(|l| read.selects(l)), selected, "{selector}");
        }
    }
}

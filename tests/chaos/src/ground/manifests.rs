//! Secrets and connections as they are applied.

use std::collections::BTreeMap;

use k8s_openapi::{ByteString, api::core::v1::Secret};
use serde_json::{Value, json};

use crate::world::{Broken, Connection, Content, Key, LABEL, Node, Sharing, Source, namespace_name, node_id};

const MEGABYTE: usize = 1_000_000;

/// A Secret with this content, and what of it, apart from the token, must not be seen anywhere.
pub(super) fn secret(key: &Key, content: Content, token: String) -> (Secret, Option<String>) {
    // Of nobody else, so that it is known where it is found.
    let marker = format!("HIDDEN{}IN{}", key.name.to_uppercase().replace('-', ""), key.namespace);
    let (name, value, hidden) = match content {
        Content::Token { .. } => ("token", token.into_bytes(), None),
        Content::Broken(Broken::Empty) => ("token", b" \n".to_vec(), None),
        Content::Broken(Broken::NoKey) => ("other", marker.clone().into_bytes(), Some(marker)),
        Content::Broken(Broken::Binary) => {
            ("token", [&[0, 255, 7, 1], marker.as_bytes(), &[200, 0]].concat(), Some(marker))
        }
        Content::Broken(Broken::Huge) => {
            let mut text = format!("pk_1_{marker}");
            text.extend(std::iter::repeat_n('A', MEGABYTE));
            ("token", text.into_bytes(), Some(marker))
        }
        Content::Broken(Broken::Password) => ("token", format!("hunter2{marker}").into_bytes(), Some(marker)),
        Content::Broken(Broken::Unknown) => ("token", format!("pk_1_{marker}").into_bytes(), Some(marker)),
    };
    let mut data = BTreeMap::from([(name.to_owned(), ByteString(value))]);
    if let Content::Token { large: true, .. } = content {
        data.insert("ballast".to_owned(), ByteString(vec![b'x'; MEGABYTE]));
    }
    let mut secret = Secret { data: Some(data), ..Secret::default() };
    secret.metadata.name = Some(key.name.clone());
    (secret, hidden)
}

/// A connection, whole.
pub(super) fn connection(key: &Key, connection: &Connection) -> Value {
    json!({
        "apiVersion": "clickup-operator.dev/v1alpha1",
        "kind": "ClickUpConnection",
        "metadata": {"name": key.name, "namespace": key.namespace_name()},
        "spec": spec(connection),
    })
}

/// A connection's spec.
pub(super) fn spec(connection: &Connection) -> Value {
    let Connection { source, asks, of, sharing, suspended, graceless, hasty, revision, .. } = connection;
    let mut spec = json!({
        "description": format!("Revision {revision}"),
        "defaultWorkspace": {"name": "Home"},
        "interval": if *hasty { "1m" } else { "10m" },
        "timeout": "5s",
        "suspend": suspended,
    });
    match source {
        Source::Secret(name) => spec["tokenSecretRef"] = json!({"name": name}),
        Source::Owner(owner) => {
            spec["connectionRef"] = json!({"namespace": owner.namespace_name(), "name": owner.name});
        }
    }
    match sharing {
        Sharing::Private => {}
        Sharing::Cluster => spec["sharing"] = json!({"scope": "Cluster"}),
        Sharing::Selected => {
            let selector = json!({"matchLabels": {LABEL: "shared"}});
            spec["sharing"] = json!({"scope": "Namespaces", "namespaceSelector": selector});
        }
        Sharing::Listed(number) => {
            spec["sharing"] = json!({"scope": "Namespaces", "namespaces": [namespace_name(*number)]});
        }
    }
    if *graceless {
        spec["outageGracePeriod"] = json!("0s");
    }
    if let Some(there) = asks.channel {
        spec["channel"] = json!({"name": if there { "releases" } else { "no such channel" }});
    }
    let mut access: Vec<_> = asks.access.iter().map(|node| node_ref(*of, *node)).collect();
    if asks.missing_list {
        access.push(json!({"list": {"id": "1"}}));
    }
    if !access.is_empty() {
        spec["access"] = json!(access);
    }
    if let Some(everybodys) = asks.role {
        spec["minimumRole"] = json!(if everybodys { "Member" } else { "Admin" });
    }
    if let Some(there) = asks.required {
        spec["requiredWorkspaces"] = json!([{"name": if there { "Away" } else { "Nowhere" }}]);
    }
    spec
}

fn node_ref(account: usize, node: Node) -> Value {
    let id = node_id(account, node);
    match node {
        Node::Space => json!({"space": {"id": id}}),
        Node::SpaceNamed => json!({"space": {"name": "Engineering"}}),
        Node::Folder => json!({"folder": {"id": id}}),
        Node::List => json!({"list": {"id": id}}),
        Node::Task => json!({"task": {"id": id}}),
    }
}

//! Who may use a connection's token by `connectionRef`.

use crate::api::{ClickUpConnectionSpec, NamespaceSelector, Sharing, SharingScope};
use std::collections::BTreeMap;

/// Whether a connection is shared with a namespace. `None` while the namespace's labels decide and are not known.
pub fn shares(
    owner: &ClickUpConnectionSpec,
    owner_namespace: &str,
    namespace: &str,
    labels: Option<&BTreeMap<String, String>>,
) -> Option<bool> {
    // There are no chains: what refers has no token of its own to share.
    if owner.connection_ref.is_some() {
        return Some(false);
    }
    if namespace == owner_namespace {
        return Some(true);
    }
    let Some(Sharing { scope, namespaces, namespace_selector }) = owner.sharing.as_deref() else {
        return Some(false);
    };
    match (scope, namespace_selector) {
        (SharingScope::Private, _) => Some(false),
        (SharingScope::Cluster, _) => Some(true),
        (SharingScope::Namespaces, _) if namespaces.iter().any(|n| n.0 == namespace) => Some(true),
        (SharingScope::Namespaces, None) => Some(false),
        (SharingScope::Namespaces, Some(all)) if selects_all(all) => Some(true),
        (SharingScope::Namespaces, Some(selector)) => labels.map(|labels| selector.selects(labels)),
    }
}

/// Whether the labels of namespaces have a say in whom a connection is shared with.
pub fn uses_selector(owner: &ClickUpConnectionSpec) -> bool {
    let selector = owner
        .sharing
        .as_ref()
        .filter(|s| owner.connection_ref.is_none() && s.scope == SharingScope::Namespaces)
        .and_then(|s| s.namespace_selector.as_ref());
    selector.is_some_and(|s| !selects_all(s))
}

fn selects_all(selector: &NamespaceSelector) -> bool {
    *selector == NamespaceSelector::default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_owners_namespace_and_whom_it_names_or_selects() {
        let selected = BTreeMap::from([("clickup".to_owned(), "yes".to_owned())]);
        let other = BTreeMap::new();
        let selector = json!({"matchLabels": {"clickup": "yes"}});
        let (yes, no, open) = (Some(true), Some(false), None);
        // For each sharing: of the own namespace, a listed one, one selected, one not selected, one of unknown labels.
        for (sharing, expected, uses) in [
            (json!(null), [yes, no, no, no, no], false),
            (json!({}), [yes, no, no, no, no], false),
            (
                json!({"scope": "Private", "namespaces": ["listed"], "namespaceSelector": selector}),
                [yes, no, no, no, no],
                false,
            ),
            (json!({"scope": "Cluster"}), [yes; 5], false),
            (json!({"scope": "Cluster", "namespaceSelector": selector}), [yes; 5], false),
            (json!({"scope": "Namespaces"}), [yes, no, no, no, no], false),
            (json!({"scope": "Namespaces", "namespaces": ["x", "listed"]}), [yes, yes, no, no, no], false),
            (json!({"scope": "Namespaces", "namespaceSelector": selector}), [yes, no, yes, no, open], true),
            (
                json!({"scope": "Namespaces", "namespaces": ["listed"], "namespaceSelector": selector}),
                [yes, yes, yes, no, open],
                true,
            ),
            (json!({"scope": "Namespaces", "namespaceSelector": {}}), [yes; 5], false),
            (
                json!({"scope": "Namespaces", "namespaceSelector": {"matchExpressions": [{"key": "clickup", "operator": "DoesNotExist"}]}}),
                [yes, yes, no, yes, open],
                true,
            ),
        ] {
            let read = |source: serde_json::Value| -> ClickUpConnectionSpec {
                let mut spec = source;
                if !sharing.is_null() {
                    spec["sharing"] = sharing.clone();
                }
                serde_json::from_value(spec).unwrap()
            };
            let owner = read(json!({"tokenSecretRef": {"name": "s"}}));
            let referrer = read(json!({"connectionRef": {"namespace": "a", "name": "b"}}));
            let namespaces = [
                ("own", None),
                ("listed", Some(&other)),
                ("selected", Some(&selected)),
                ("other", Some(&other)),
                ("new", None),
            ];
            let judged = namespaces.map(|(namespace, labels)| shares(&owner, "own", namespace, labels));
            assert_eq!(judged, expected, "{sharing}");
            assert_eq!(uses_selector(&owner), uses, "{sharing}");
            // What decides without labels does so whatever they are.
            for (namespace, _) in namespaces {
                if let Some(known) = shares(&owner, "own", namespace, None) {
                    assert_eq!(shares(&owner, "own", namespace, Some(&selected)), Some(known), "{sharing}");
                }
            }
            let chained = namespaces.map(|(namespace, labels)| shares(&referrer, "own", namespace, labels));
            assert_eq!((chained, uses_selector(&referrer)), ([no; 5], false), "{sharing}");
        }
    }
}

//! Where connections are looked for: everywhere, or in some namespaces, each with watches of its own.

use super::selector::is_dns_label;
use kube::{Api, Client, Resource, core::NamespaceResourceScope};
use std::{fmt, str::FromStr};

/// The name of a namespace to watch.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NamespaceName(String);

/// A text that no namespace can be called.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "write names of namespaces separated by commas and nothing else, such as \"team-a,team-b\", or leave the flag out to watch all"
)]
pub struct InvalidNamespace;

impl FromStr for NamespaceName {
    type Err = InvalidNamespace;

    fn from_str(text: &str) -> Result<Self, InvalidNamespace> {
        if text.len() <= 63 && is_dns_label(text) { Ok(Self(text.to_owned())) } else { Err(InvalidNamespace) }
    }
}

/// What one watch covers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Scope {
    /// All namespaces.
    Cluster,
    /// One.
    Namespace(String),
}

impl Scope {
    /// What is to be watched: the namespaces that are named, or all.
    pub(super) fn of(namespaces: &[NamespaceName]) -> Vec<Self> {
        if namespaces.is_empty() {
            return vec![Self::Cluster];
        }
        let mut names: Vec<_> = namespaces.iter().map(|name| name.0.clone()).collect();
        names.sort();
        names.dedup();
        names.into_iter().map(Self::Namespace).collect()
    }

    /// Its namespace, if it is one.
    pub(super) fn namespace(&self) -> Option<&str> {
        match self {
            Self::Cluster => None,
            Self::Namespace(name) => Some(name),
        }
    }

    /// Whether it covers a namespace.
    pub(super) fn covers(&self, namespace: &str) -> bool {
        self.namespace().is_none_or(|name| name == namespace)
    }

    /// The objects in it.
    pub(super) fn api<K>(&self, client: Client) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        match self {
            Self::Cluster => Api::all(client),
            Self::Namespace(name) => Api::namespaced(client, name),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster => f.write_str("all namespaces"),
            Self::Namespace(name) => write!(f, "namespace {name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_are_names_each_once() {
        let named = |names: &[&str]| -> Vec<_> { names.iter().map(|n| n.parse().unwrap()).collect() };
        assert_eq!(Scope::of(&[]), [Scope::Cluster]);
        let scopes = Scope::of(&named(&["b", "a", "b"]));
        assert_eq!(scopes, ["a", "b"].map(|n| Scope::Namespace(n.into())));
        assert!(scopes[0].covers("a") && !scopes[0].covers("b") && Scope::Cluster.covers("b"));
        for wrong in ["", " a", "A", "a/b", "-a", "*", "a.b", &"x".repeat(64)] {
            assert_eq!(wrong.parse::<NamespaceName>(), Err(InvalidNamespace), "{wrong}");
        }
    }
}

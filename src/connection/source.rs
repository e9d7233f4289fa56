//! Where a connection's token comes from: a Secret beside it, or that of a connection which shares it.

use crate::api::{ClickUpConnectionSpec, Duration, SecretKeyRef, StoredConnection, TokenType};

/// The Secret that holds a connection's token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenSource {
    /// The Secret's namespace.
    pub namespace: String,
    /// The Secret.
    pub secret: SecretKeyRef,
    /// What its value is.
    pub token_type: TokenType,
    /// The connection that shares it, of one that refers to it.
    pub lender: Option<Lender>,
}

/// What of the connection that shares its token bears on those that use it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lender {
    /// Its suspension is theirs.
    pub suspended: bool,
    /// Theirs is no shorter.
    pub interval: Duration,
    /// The Secret's version that its status named when this process first saw it, see [`recalled_version`].
    pub recalled_version: Option<String>,
}

impl TokenSource {
    /// The Secret that a spec names.
    pub fn own(namespace: &str, spec: &ClickUpConnectionSpec) -> Option<Self> {
        let secret = spec.token_secret_ref.clone()?;
        Some(Self { namespace: namespace.to_owned(), secret, token_type: spec.token_type, lender: None })
    }

    /// The Secret of a connection that shares its token.
    pub fn lent(
        namespace: &str,
        owner: &ClickUpConnectionSpec,
        recalled_version: Option<String>,
    ) -> Option<Self> {
        let lender = Lender { suspended: owner.suspend, interval: owner.interval, recalled_version };
        Some(Self { lender: Some(lender), ..Self::own(namespace, owner)? })
    }
}

/// The Secret's version that the stored verdicts of a connection, and of all who use its token, are about. An edit that no
/// process has seen may have made it another token of the same Secret: then it is not known.
pub fn recalled_version(stored: &StoredConnection) -> Option<String> {
    let status = stored.status.as_ref()?;
    let unchanged = status.observed_generation == Some(stored.generation());
    status.secret_resource_version.clone().filter(|_| unchanged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn what_the_verdicts_are_about_is_known_while_the_spec_is_as_it_was() {
        let recalled = |status: Value| {
            let object = json!({"metadata": {"generation": 2}, "spec": {"tokenSecretRef": {"name": "s"}}, "status": status});
            recalled_version(&serde_json::from_value(object).unwrap())
        };
        assert_eq!(
            recalled(json!({"observedGeneration": 2, "secretResourceVersion": "10"})),
            Some("10".into())
        );
        assert_eq!(recalled(json!({"observedGeneration": 1, "secretResourceVersion": "10"})), None, "edited");
        assert_eq!(recalled(json!({"observedGeneration": 2})), None);
        assert_eq!(recalled(Value::Null), None);
    }
}

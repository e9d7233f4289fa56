//! Where a connection's token comes from: a Secret beside it, or that of a connection which shares it.

use crate::api::{ClickUpConnectionSpec, Duration, SecretKeyRef, TokenType};

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
    /// The Secret's version that its status named when this process first saw it.
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

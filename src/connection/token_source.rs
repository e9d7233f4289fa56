//! From a Secret to a token: which Secrets are used, and what is wrong with the others.

use super::Finding;
use crate::{
    api::{ConditionStatus, Reason, SecretKeyRef, TOKEN_TYPE_LABEL, TokenType},
    clickup::{InvalidToken, Token},
};
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// What of a Secret matters here.
#[derive(Default)]
pub struct SecretContent {
    /// The Secret's type, such as `Opaque`.
    pub type_: String,
    /// The value of the label by which it consents to being sent as another type of token.
    pub token_type_label: Option<String>,
    /// Its decoded data.
    pub data: BTreeMap<String, Zeroizing<Vec<u8>>>,
}

/// Why there is no token to check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenProblem {
    reason: Reason,
    message: String,
}

impl TokenProblem {
    /// There is no such Secret.
    pub fn secret_not_found(source: &SecretKeyRef) -> Self {
        let name = &source.name;
        let message = format!(
            "there is no Secret {name:?} in this namespace: create it, or correct spec.tokenSecretRef.name"
        );
        Self { reason: Reason::SecretNotFound, message }
    }

    /// The API server does not let the operator read the Secret.
    pub fn access_denied(source: &SecretKeyRef) -> Self {
        let name = &source.name;
        let message = format!(
            "the operator may not read the Secret {name:?}: grant its ServiceAccount get on secrets in this namespace"
        );
        Self { reason: Reason::SecretAccessDenied, message }
    }

    /// The connection that is referred to does not share with this namespace, or is not there: who refers cannot tell.
    pub fn not_shared() -> Self {
        let message = "no connection by the name in spec.connectionRef is shared with this namespace: correct the reference, or ask the owner to allow this namespace in spec.sharing";
        Self { reason: Reason::ConnectionNotShared, message: message.to_owned() }
    }

    /// The same problem, as those are told who use the token of the connection that has it.
    pub(super) fn for_referrers(&self) -> Self {
        let (reason, message) = if self.is_denied() {
            (
                self.reason,
                "the operator may not read the Secret of the connection that spec.connectionRef names: ask its owner",
            )
        } else {
            (
                Reason::ConnectionNotReady,
                "the Secret of the connection that spec.connectionRef names yields no token: ask its owner",
            )
        };
        Self { reason, message: message.to_owned() }
    }

    /// Whether there is no consent to use the token.
    pub(super) fn is_not_shared(&self) -> bool {
        self.reason == Reason::ConnectionNotShared
    }

    /// What it does to the condition TokenAvailable: that the operator may not look is no answer.
    pub(super) fn finding(&self) -> Finding {
        let status = if self.is_denied() { ConditionStatus::Unknown } else { ConditionStatus::False };
        Finding { status, ..Finding::no(self.reason, &self.message) }
    }

    /// Whether the Secret could not be read, which says nothing about what is in it.
    pub fn is_denied(&self) -> bool {
        self.reason == Reason::SecretAccessDenied
    }
}

/// Takes the token out of a Secret, if it is one that may be sent to ClickUp: who can create connections but cannot read
/// Secrets must not be able to have some other Secret sent there.
///
/// # Errors
/// Says what is wrong and what to do. Never lists what else the Secret holds.
pub fn token_of(
    secret: &SecretContent,
    source: &SecretKeyRef,
    kind: TokenType,
) -> Result<Token, TokenProblem> {
    let SecretContent { type_, token_type_label, data } = secret;
    let SecretKeyRef { name, key } = source;
    let mismatch = |message: String| TokenProblem { reason: Reason::TokenTypeMismatch, message };
    let allowed = type_ == "Opaque"
        || type_.starts_with("clickup-operator.dev/")
        || type_.starts_with("servicebinding.io/");
    if !allowed {
        return Err(mismatch(format!(
            "the Secret {name:?} is of another type than Opaque, clickup-operator.dev/* or servicebinding.io/*, and is not used: store the token in a Secret of one of these types"
        )));
    }
    if kind == TokenType::OAuth && token_type_label.as_deref() != Some("OAuth") {
        return Err(mismatch(format!(
            "the Secret {name:?} lacks the label {TOKEN_TYPE_LABEL}: OAuth, without which nothing in it is sent as an OAuth token: add it, or set tokenType: Personal"
        )));
    }
    let value = data.get(key).ok_or_else(|| TokenProblem {
        reason: Reason::SecretKeyNotFound,
        message: format!("the Secret {name:?} has no key {key:?}: store the token there, or correct spec.tokenSecretRef.key"),
    })?;
    Token::parse(value, kind).map_err(|error| {
        let reason = match error {
            InvalidToken::Empty => Reason::TokenEmpty,
            InvalidToken::Malformed(_) => Reason::TokenMalformed,
            InvalidToken::WrongType(_) => Reason::TokenTypeMismatch,
        };
        TokenProblem { reason, message: format!("key {key:?} of the Secret {name:?}: {error}") }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_other_secret_is_never_used() {
        use TokenType::{OAuth, Personal};
        let reason = |type_: &str, label: Option<&str>, key: &str, value: &str, kind| {
            let data = [
                ("token".to_owned(), Zeroizing::new(value.into())),
                ("other".to_owned(), Zeroizing::new(b"x".to_vec())),
            ];
            let secret = SecretContent {
                type_: type_.into(),
                token_type_label: label.map(Into::into),
                data: data.into(),
            };
            let source = SecretKeyRef { name: "s".into(), key: key.into() };
            match token_of(&secret, &source, kind) {
                Ok(_) => Reason::TokenFound,
                Err(problem) => {
                    assert!(
                        !problem.message.contains("other") || problem.message.contains("another"),
                        "{}",
                        problem.message
                    );
                    assert!(value.is_empty() || !problem.message.contains(value), "{}", problem.message);
                    problem.reason
                }
            }
        };
        for (type_, label, key, value, kind, expected) in [
            ("Opaque", None, "token", "pk_1_ABC", Personal, Reason::TokenFound),
            ("clickup-operator.dev/token", None, "token", "pk_1_ABC", Personal, Reason::TokenFound),
            ("servicebinding.io/clickup", None, "token", "pk_1_ABC\n", Personal, Reason::TokenFound),
            ("kubernetes.io/tls", None, "token", "pk_1_ABC", Personal, Reason::TokenTypeMismatch),
            (
                "kubernetes.io/service-account-token",
                Some("OAuth"),
                "token",
                "eyJhbGciOi",
                OAuth,
                Reason::TokenTypeMismatch,
            ),
            ("", None, "token", "pk_1_ABC", Personal, Reason::TokenTypeMismatch),
            ("Opaque", None, "missing", "pk_1_ABC", Personal, Reason::SecretKeyNotFound),
            ("Opaque", None, "token", "  \n", Personal, Reason::TokenEmpty),
            ("Opaque", None, "token", "Bearer pk_1_ABC", Personal, Reason::TokenMalformed),
            ("Opaque", None, "token", "hunter2-password", Personal, Reason::TokenTypeMismatch),
            ("Opaque", Some("OAuth"), "token", "123_abcdef", OAuth, Reason::TokenFound),
            ("Opaque", None, "token", "123_abcdef", OAuth, Reason::TokenTypeMismatch),
            ("Opaque", Some("Personal"), "token", "123_abcdef", OAuth, Reason::TokenTypeMismatch),
            ("Opaque", Some("OAuth"), "token", "pk_1_ABC", OAuth, Reason::TokenTypeMismatch),
        ] {
            assert_eq!(
                reason(type_, label, key, value, kind),
                expected,
                "{type_} {label:?} {key} {value:?} {kind}"
            );
        }
    }
}

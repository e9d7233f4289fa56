//! Condition types and reasons: a closed set, part of the API, explained in `docs/conditions.md`.

use serde::{Deserialize, Serialize};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

/// The conditions of a connection, in the order in which they are judged and listed.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
    Serialize,
    Deserialize,
)]
pub enum ConditionType {
    /// The Secret holds something that may be sent as a token.
    TokenAvailable,
    /// ClickUp answered the last check.
    Reachable,
    /// ClickUp accepts the token.
    Authenticated,
    /// The workspaces that the connection names are there and can be used with the token.
    WorkspacesResolved,
    /// The chat channel that the connection names is there; present only where one is named.
    ChannelResolved,
    /// The token reaches the nodes that the connection names, and its user has the role; present only where asked for.
    AccessVerified,
    /// What the connection asks for works: the summary of the conditions above.
    Ready,
    /// Work towards readiness is under way; present only while True.
    Reconciling,
    /// Nothing but an edit of the spec or of the Secret helps; present only while True.
    Stalled,
    /// ClickUp limits the rate of this token's requests; present only while True.
    RateLimited,
}

impl ConditionType {
    /// The conditions that `Ready` sums up, in order: the first that is not True gives it its reason.
    pub const VERDICTS: [Self; 6] = [
        Self::TokenAvailable,
        Self::Reachable,
        Self::Authenticated,
        Self::WorkspacesResolved,
        Self::ChannelResolved,
        Self::AccessVerified,
    ];

    /// Every reason that this condition can have by itself; what it takes over from others is left out.
    pub fn reasons(self) -> &'static [Reason] {
        use Reason::*;
        match self {
            Self::TokenAvailable => &[
                TokenFound,
                SecretNotFound,
                SecretKeyNotFound,
                SecretAccessDenied,
                TokenEmpty,
                TokenMalformed,
                TokenTypeMismatch,
                ConnectionNotShared,
                ConnectionNotReady,
                NotChecked,
            ],
            Self::Reachable => &[
                ResponseReceived,
                RateLimited,
                ConnectFailed,
                TLSFailed,
                TimedOut,
                ServerError,
                UnexpectedResponse,
                RequestRefused,
                NotChecked,
            ],
            Self::Authenticated => &[TokenAccepted, TokenRejected, NotChecked],
            Self::WorkspacesResolved => &[
                WorkspacesFound,
                NoWorkspaces,
                WorkspaceNotFound,
                WorkspaceAmbiguous,
                WorkspaceNotSelected,
                WorkspaceAccessDenied,
                PlanRequired,
                NotChecked,
            ],
            Self::ChannelResolved => &[
                ChannelFound,
                ChannelNotFound,
                ChannelAmbiguous,
                ChannelAccessDenied,
                PlanRequired,
                NotChecked,
            ],
            Self::AccessVerified => &[AccessGranted, AccessDenied, RoleTooLow, NotChecked],
            Self::Ready => &[Verified, Checking, Suspended, InvalidSpec],
            Self::Reconciling => &[Checking],
            Self::Stalled => &[InvalidSpec],
            Self::RateLimited => &[RateLimited],
        }
    }
}

/// Why a condition has its status.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
    Serialize,
    Deserialize,
)]
pub enum Reason {
    /// The Secret holds a token of the declared type.
    TokenFound,
    /// There is no such Secret in the connection's namespace.
    SecretNotFound,
    /// The Secret lacks the key.
    SecretKeyNotFound,
    /// The API server does not let the operator read the Secret.
    SecretAccessDenied,
    /// The value is empty, or white space only.
    TokenEmpty,
    /// The value cannot be a token: quotes, a `Bearer ` prefix, control characters, too long.
    TokenMalformed,
    /// The value, or its Secret, is not of the kind that `tokenType` declares.
    TokenTypeMismatch,
    /// The connection that `connectionRef` names is not shared with this namespace, or is not there.
    ConnectionNotShared,
    /// The Secret of the connection that `connectionRef` names yields no token.
    ConnectionNotReady,
    /// ClickUp answered.
    ResponseReceived,
    /// ClickUp's request limit for this token is used up.
    RateLimited,
    /// No connection to ClickUp: name resolution, connect, or a reset.
    ConnectFailed,
    /// The TLS handshake with ClickUp failed.
    #[allow(clippy::upper_case_acronyms)]
    TLSFailed,
    /// ClickUp did not answer within the connection's timeout.
    TimedOut,
    /// ClickUp answered 5xx.
    ServerError,
    /// An answer that ClickUp does not give: no JSON, wrong shape, truncated, too large, a redirect.
    UnexpectedResponse,
    /// The request was refused in a way that says nothing about the token.
    RequestRefused,
    /// ClickUp accepts the token.
    TokenAccepted,
    /// ClickUp says that the token is dead.
    TokenRejected,
    /// Every workspace asked for is there and can be used.
    WorkspacesFound,
    /// The token is valid and sees no workspace.
    NoWorkspaces,
    /// A workspace asked for is not among the token's.
    WorkspaceNotFound,
    /// A workspace is asked for by a name that several have.
    WorkspaceAmbiguous,
    /// Something is asked for in the default workspace, and there is none.
    WorkspaceNotSelected,
    /// A workspace, or the user's role in it, refuses API tokens.
    WorkspaceAccessDenied,
    /// The workspace's plan does not include the API that was asked for.
    PlanRequired,
    /// The chat channel asked for is there.
    ChannelFound,
    /// The chat channel asked for is not among those that the token sees.
    ChannelNotFound,
    /// The chat channel is asked for by a name that several have.
    ChannelAmbiguous,
    /// The workspace does not let the token see its chat.
    ChannelAccessDenied,
    /// The token reaches every node asked for, and its user's role is high enough.
    AccessGranted,
    /// The token does not reach a node asked for.
    AccessDenied,
    /// The user's role in the default workspace is lower than asked for, or not known.
    RoleTooLow,
    /// Everything asked for works.
    Verified,
    /// The first check of this token is under way.
    Checking,
    /// `spec.suspend` is true and something was edited that no check has judged yet.
    Suspended,
    /// The stored object cannot be understood.
    InvalidSpec,
    /// No verdict for this token and this demand yet.
    NotChecked,
}

/// The status of a condition.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, Display, EnumString, IntoStaticStr, Serialize, Deserialize,
)]
pub enum ConditionStatus {
    /// Yes.
    True,
    /// No.
    False,
    /// Not known.
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_reason_belongs_to_a_condition() {
        let used: BTreeSet<_> = ConditionType::VARIANTS.iter().flat_map(|c| c.reasons()).collect();
        assert_eq!(used, Reason::VARIANTS.iter().collect());
    }
}

//! The resource as its users see it: spec, status, conditions and reasons, and the CRD made from them.
//!
//! Knows no client and no runtime.

pub mod conditions;
mod crd;
mod duration;
mod requirements;
mod rules;
mod spec;
mod status;
mod stored;
mod token_source;
mod version;

pub use conditions::{ConditionStatus, ConditionType, Reason};
pub use crd::crd;
pub use duration::{Duration, InvalidDuration};
pub use requirements::{AccessRef, ChannelRef, NodeRef, SpaceRef, StandardRole, TaskRef, WorkspaceRef};
pub use rules::InvalidSpec;
pub use spec::{ClickUpConnection, ClickUpConnectionSpec};
pub use status::{
    BindingStatus, ClickUpConnectionStatus, Condition, Conditions, RateLimitStatus, Resolved, UserStatus,
    WorkspaceRole, WorkspaceStatus,
};
pub use stored::StoredConnection;
pub use token_source::{
    Binding, LabelExpression, LabelOperator, LabelValue, NamespaceName, NamespaceSelector, SecretKeyRef,
    SharedConnectionRef, Sharing, SharingScope, TokenType,
};
pub use version::compare_versions;

/// The annotation that asks for a check now: any new value of at most 128 bytes does.
pub const RECONCILE_REQUESTED_AT: &str = "clickup-operator.dev/reconcile-requested-at";

/// The label by which a Secret consents to its value being sent to ClickUp as an OAuth token.
pub const TOKEN_TYPE_LABEL: &str = "clickup-operator.dev/token-type";

//! The resource as its users see it: spec, status, conditions and reasons, and the CRD made from them.
//!
//! Knows no client and no runtime.

pub mod conditions;
mod crd;
mod duration;
mod spec;
mod status;
mod stored;

pub use conditions::{ConditionStatus, ConditionType, Reason};
pub use crd::crd;
pub use duration::{Duration, InvalidDuration};
pub use spec::{
    ClickUpConnection, ClickUpConnectionSpec, InvalidSpec, SecretKeyRef, TokenType, WorkspaceRef,
};
pub use status::{
    ClickUpConnectionStatus, RateLimitStatus, ResolvedWorkspace, UserStatus, WorkspaceRole, WorkspaceStatus,
};
pub use stored::StoredConnection;

/// The annotation that asks for a check now: any new value of at most 128 bytes does.
pub const RECONCILE_REQUESTED_AT: &str = "clickup-operator.dev/reconcile-requested-at";

/// The label by which a Secret consents to its value being sent to ClickUp as an OAuth token.
pub const TOKEN_TYPE_LABEL: &str = "clickup-operator.dev/token-type";

//! What of a spec the verdicts are about; other edits keep them.

use crate::api::{ClickUpConnectionSpec, TokenType, WorkspaceRef};

/// The demand of a connection. A verdict for one demand says nothing about another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand {
    /// What the Secret's value is.
    pub token_type: TokenType,
    /// The default workspace, if one is named.
    pub default_workspace: Option<WorkspaceRef>,
    /// The workspaces needed besides.
    pub required_workspaces: Vec<WorkspaceRef>,
}

impl From<&ClickUpConnectionSpec> for Demand {
    fn from(spec: &ClickUpConnectionSpec) -> Self {
        Self {
            token_type: spec.token_type,
            default_workspace: spec.default_workspace.clone(),
            required_workspaces: spec.required_workspaces.clone(),
        }
    }
}

//! What of a spec the verdicts are about; other edits keep them.

use crate::api::{
    AccessRef, ChannelRef, ClickUpConnectionSpec, ConditionType, StandardRole, TokenType, WorkspaceRef,
};
use std::ops::BitOrAssign;

/// The demand of a connection. A verdict for one demand says nothing about another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// What the Secret's value is.
    pub token_type: TokenType,
    /// The default workspace, if one is named.
    pub default_workspace: Option<Box<WorkspaceRef>>,
    /// The workspaces needed besides.
    pub required_workspaces: Vec<WorkspaceRef>,
    /// The chat channel, in the default workspace.
    pub channel: Option<Box<ChannelRef>>,
    /// The nodes that the token must reach.
    pub access: Vec<AccessRef>,
    /// The least role of the token's user in the default workspace.
    pub minimum_role: Option<StandardRole>,
}

/// What of the stored verdicts an edit has made void, until an evaluation is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Touched {
    /// They are about another token.
    pub(super) token: bool,
    pub(super) workspaces: bool,
    pub(super) channel: bool,
    pub(super) access: bool,
}

impl Demand {
    /// What a spec demands of a token of this type.
    pub fn of(spec: &ClickUpConnectionSpec, token_type: TokenType) -> Self {
        Self {
            token_type,
            default_workspace: spec.default_workspace.clone(),
            required_workspaces: spec.required_workspaces.clone(),
            channel: spec.channel.clone(),
            access: spec.access.clone(),
            minimum_role: spec.minimum_role,
        }
    }

    /// Whether anything is asked for in the default workspace.
    pub fn needs_default(&self) -> bool {
        let by_name = |a: &AccessRef| a.space.as_ref().is_some_and(|s| s.name.is_some());
        self.channel.is_some() || self.minimum_role.is_some() || self.access.iter().any(by_name)
    }

    /// Whether a condition is about anything that is demanded.
    pub(super) fn concerns(&self, condition: ConditionType) -> bool {
        match condition {
            ConditionType::ChannelResolved => self.channel.is_some(),
            ConditionType::AccessVerified => !self.access.is_empty() || self.minimum_role.is_some(),
            _ => true,
        }
    }

    /// What an edit to `next` touches: each condition has its part, and the default workspace belongs to all of them.
    pub(super) fn edited(&self, next: &Self) -> Touched {
        let Self { token_type, default_workspace, required_workspaces, channel, access, minimum_role } = self;
        let moved = *default_workspace != next.default_workspace;
        Touched {
            token: *token_type != next.token_type,
            // Where none is named, that one is needed is a demand too.
            workspaces: moved
                || *required_workspaces != next.required_workspaces
                || (default_workspace.is_none() && self.needs_default() != next.needs_default()),
            channel: moved || *channel != next.channel,
            access: moved || *access != next.access || *minimum_role != next.minimum_role,
        }
    }
}

impl Touched {
    pub(super) const ALL: Self = Self { token: true, workspaces: true, channel: true, access: true };

    /// Whether nothing was edited.
    pub(super) fn is_none(self) -> bool {
        self == Self::default()
    }

    /// Whether a verdict of this kind is void.
    pub(super) fn covers(self, condition: ConditionType) -> bool {
        match condition {
            ConditionType::WorkspacesResolved => self.token || self.workspaces,
            ConditionType::ChannelResolved => self.token || self.channel,
            ConditionType::AccessVerified => self.token || self.access,
            _ => self.token,
        }
    }
}

impl BitOrAssign for Touched {
    fn bitor_assign(&mut self, other: Self) {
        self.token |= other.token;
        self.workspaces |= other.workspaces;
        self.channel |= other.channel;
        self.access |= other.access;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn an_edit_touches_what_it_is_about() {
        let demand = |patch: Value| {
            let mut spec = json!({"tokenSecretRef": {"name": "s"}, "defaultWorkspace": {"id": "1"}, "channel": {"id": "c"},
                "access": [{"list": {"id": "7"}}], "minimumRole": "Guest"});
            spec.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
            let spec: ClickUpConnectionSpec = serde_json::from_value(spec).unwrap();
            Demand::of(&spec, spec.token_type)
        };
        let none = Touched::default();
        for (patch, touched) in [
            (json!({"displayName": "x", "interval": "1h", "sharing": {"scope": "Cluster"}}), none),
            (json!({"tokenType": "OAuth"}), Touched { token: true, ..none }),
            (json!({"requiredWorkspaces": [{"id": "2"}]}), Touched { workspaces: true, ..none }),
            (json!({"channel": {"id": "d"}}), Touched { channel: true, ..none }),
            (json!({"access": []}), Touched { access: true, ..none }),
            (json!({"minimumRole": "Owner"}), Touched { access: true, ..none }),
            (json!({"defaultWorkspace": {"id": "2"}}), Touched { token: false, ..Touched::ALL }),
        ] {
            assert_eq!(demand(json!({})).edited(&demand(patch.clone())), touched, "{patch}");
        }
    }

    #[test]
    fn that_a_default_is_needed_is_a_demand_where_none_is_named() {
        let demand = |spec: Value| Demand::of(&serde_json::from_value(spec).unwrap(), TokenType::Personal);
        let channel = Touched { channel: true, ..Touched::default() };
        for (before, after, touched) in [
            (json!({}), json!({"channel": {"id": "c"}}), Touched { workspaces: true, ..channel }),
            (
                json!({"minimumRole": "Guest"}),
                json!({"minimumRole": "Guest", "channel": {"id": "c"}}),
                channel,
            ),
            (
                json!({"defaultWorkspace": {"id": "1"}}),
                json!({"defaultWorkspace": {"id": "1"}, "channel": {"id": "c"}}),
                channel,
            ),
        ] {
            assert_eq!(demand(before.clone()).edited(&demand(after.clone())), touched, "{before} {after}");
        }
    }

    #[test]
    fn each_condition_has_its_part() {
        use ConditionType::{AccessVerified, Authenticated, ChannelResolved, WorkspacesResolved};
        let all = [Authenticated, WorkspacesResolved, ChannelResolved, AccessVerified];
        let none = Touched::default();
        for (touched, covered) in [
            (none, [false; 4]),
            (Touched { token: true, ..none }, [true; 4]),
            (Touched { workspaces: true, ..none }, [false, true, false, false]),
            (Touched { channel: true, ..none }, [false, false, true, false]),
            (Touched { access: true, ..none }, [false, false, false, true]),
        ] {
            assert_eq!(all.map(|c| touched.covers(c)), covered, "{touched:?}");
            for mut sum in [none, Touched::ALL] {
                let expected = if sum == none { touched } else { sum };
                sum |= touched;
                assert_eq!(sum, expected);
            }
        }
        let concerns = |spec: Value| {
            let demand = Demand::of(&serde_json::from_value(spec).unwrap(), TokenType::Personal);
            all.map(|c| demand.concerns(c))
        };
        assert_eq!(concerns(json!({})), [true, true, false, false]);
        assert_eq!(concerns(json!({"channel": {"id": "c"}})), [true, true, true, false]);
        for asked in [json!({"minimumRole": "Guest"}), json!({"access": [{"list": {"id": "7"}}]})] {
            assert_eq!(concerns(asked), [true, true, false, true]);
        }
    }
}

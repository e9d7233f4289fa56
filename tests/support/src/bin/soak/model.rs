//! What each connection is, what is wrong with it because we made it so, and what it must say of itself at last.

use serde_json::{Value, json};

/// Of so many connections, some of each role.
const GROUP: usize = 50;
pub(crate) const CHANNEL: &str = "deployments";
pub(crate) const SPACE: &str = "Engineering";

/// What a connection is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Plain,
    Channel,
    Access,
    /// Shares its token with others, by labels or with all.
    Owner {
        by_labels: bool,
    },
    /// Uses the token of this one.
    Referrer(usize),
    /// Has a Secret of its own with the token of this one.
    Twin(usize),
}

/// What is wrong with a connection, because we made it so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ailment {
    /// It is deleted, with its Secret.
    Gone,
    SecretGone,
    Suspended,
    /// It does not share its token any longer.
    Withdrawn,
    ChannelRenamed,
}

/// A connection, which is deleted and made anew now and then.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub(crate) role: Role,
    pub(crate) namespace: String,
    /// Also the Secret's.
    pub(crate) name: String,
    /// How often it was made.
    pub(crate) lives: u32,
    /// Whose token it uses: its own index, or that of another.
    pub(crate) holder: usize,
    pub(crate) token: Token,
    pub(crate) ailment: Option<Ailment>,
}

/// Of a slot that holds one of its own.
#[derive(Clone, Debug, Default)]
pub(crate) struct Token {
    /// For the simulator.
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) revoked: bool,
    pub(crate) workspace: String,
    pub(crate) list: String,
    pub(crate) channel: String,
}

impl Role {
    /// Of the connection with this index.
    pub(crate) fn of(index: usize) -> Role {
        let first = index - index % GROUP;
        match index % GROUP {
            0 => Role::Owner { by_labels: (index / GROUP).is_multiple_of(2) },
            1 | 2 => Role::Referrer(first),
            3..=5 => Role::Channel,
            6..=8 => Role::Access,
            10 | 11 => Role::Twin(first + 9),
            _ => Role::Plain,
        }
    }
}

/// What the connection asks for; `owner` is whom a referrer refers to.
pub(crate) fn spec(slot: &Slot, owner: &Slot) -> Value {
    let mut spec = json!({"interval": "1m", "tokenSecretRef": {"name": slot.name}});
    match slot.role {
        Role::Plain | Role::Twin(_) => {}
        Role::Channel => spec["channel"] = json!({"name": CHANNEL}),
        Role::Access => {
            spec["access"] = json!([{"space": {"name": SPACE}}, {"list": {"id": slot.token.list}}]);
            spec["minimumRole"] = json!("Member");
        }
        Role::Owner { by_labels } => spec["sharing"] = sharing(by_labels),
        Role::Referrer(_) => {
            let reference = json!({"namespace": owner.namespace, "name": owner.name});
            spec = json!({"interval": "1m", "connectionRef": reference});
        }
    }
    spec
}

/// What an owner writes to share its token.
pub(crate) fn sharing(by_labels: bool) -> Value {
    if by_labels {
        json!({"scope": "Namespaces", "namespaceSelector": {"matchLabels": {"soak": "yes"}}})
    } else {
        json!({"scope": "Cluster"})
    }
}

/// Status and reason that Ready must have at last; none of what is deleted. `holder` is whose token it uses.
pub(crate) fn expected(slot: &Slot, holder: &Slot) -> Option<(&'static str, &'static str)> {
    let token = if holder.token.revoked { ("False", "TokenRejected") } else { ("True", "Verified") };
    let refers = matches!(slot.role, Role::Referrer(_));
    Some(match (slot.ailment, holder.ailment) {
        (Some(Ailment::Gone), _) => return None,
        (_, Some(Ailment::Gone | Ailment::Withdrawn)) if refers => ("False", "ConnectionNotShared"),
        (_, Some(Ailment::SecretGone)) if refers => ("False", "ConnectionNotReady"),
        (Some(Ailment::SecretGone), _) => ("False", "SecretNotFound"),
        (Some(Ailment::ChannelRenamed), _) if !holder.token.revoked => ("False", "ChannelNotFound"),
        _ => token,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(role: Role, ailment: Option<Ailment>, revoked: bool) -> Slot {
        let token = Token { revoked, ..Token::default() };
        Slot { role, namespace: "n".into(), name: "c".into(), lives: 1, holder: 0, token, ailment }
    }

    #[test]
    fn each_ailment_has_its_reason() {
        let (plain, referrer, owner) = (Role::Plain, Role::Referrer(0), Role::Owner { by_labels: true });
        let [verified, rejected] = [Some(("True", "Verified")), Some(("False", "TokenRejected"))];
        let no = |reason| Some(("False", reason));
        for (role, own, holders, revoked, reason) in [
            (plain, None, None, false, verified),
            (plain, None, None, true, rejected),
            (plain, Some(Ailment::Gone), None, true, None),
            (plain, Some(Ailment::SecretGone), None, true, no("SecretNotFound")),
            (Role::Channel, Some(Ailment::ChannelRenamed), None, false, no("ChannelNotFound")),
            (Role::Channel, Some(Ailment::ChannelRenamed), None, true, rejected),
            (owner, Some(Ailment::Withdrawn), None, false, verified),
            (Role::Twin(0), None, Some(Ailment::Gone), false, verified),
            (Role::Twin(0), None, Some(Ailment::SecretGone), true, rejected),
            (referrer, None, Some(Ailment::Gone), false, no("ConnectionNotShared")),
            (referrer, None, Some(Ailment::Withdrawn), true, no("ConnectionNotShared")),
            (referrer, None, Some(Ailment::SecretGone), true, no("ConnectionNotReady")),
            (referrer, None, None, true, rejected),
            (referrer, Some(Ailment::Gone), Some(Ailment::Gone), false, None),
        ] {
            let (slot, holder) = (slot(role, own, false), slot(owner, holders, revoked));
            assert_eq!(expected(&slot, &holder), reason, "{role:?} with {own:?}, {holders:?}, {revoked}");
        }
    }

    #[test]
    fn there_are_some_of_each_role() {
        let count = |wanted: fn(Role) -> bool| (0..500).filter(|index| wanted(Role::of(*index))).count();
        assert_eq!(count(|role| role == Role::Plain), 390);
        assert_eq!(count(|role| matches!(role, Role::Owner { by_labels: true })), 5);
        assert_eq!(count(|role| matches!(role, Role::Referrer(_))), 20);
        assert_eq!(Role::of(461), Role::Twin(459));
    }
}

//! What a status must be once things have settled, told from the world alone: the contract's §2 in few words, and not the
//! operator's code.

use std::fmt;

use serde_json::Value;

use crate::world::{Asks, Key, Node, Token, World, user_id};

/// Type, status and reason of a condition.
pub type Condition = (&'static str, &'static str, &'static str);

const UNCHECKED: (&str, &str) = ("Unknown", "NotChecked");
const STALLED: [&str; 4] = ["TokenEmpty", "TokenMalformed", "TokenTypeMismatch", "TokenRejected"];

/// What a status must say, apart from messages and times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// All conditions, the abnormal ones too, sorted by type.
    pub conditions: Vec<Condition>,
    /// Id of the user whose token it is, where that may be told.
    pub user: Option<u64>,
}

/// ClickUp's answer to one call, instead of the truth: what it makes of the condition that it decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denial {
    /// The condition.
    pub condition: &'static str,
    /// The reason with which it turns False.
    pub reason: &'static str,
}

impl World {
    /// What the status of a connection must be.
    pub fn expected(&self, key: &Key) -> Expected {
        self.expected_under(key, None)
    }

    /// The same while ClickUp answers so.
    pub fn expected_under(&self, key: &Key, denial: Option<Denial>) -> Expected {
        let Some(connection) = self.connections.get(key) else { return Expected::default() };
        if self.is_suspended(key) {
            return connection.frozen.clone().unwrap_or_else(|| Expected::unjudged(&connection.asks));
        }
        let owner = self.is_owner(key);
        let no = |reason| Expected::new(&connection.asks, [("False", reason), UNCHECKED, UNCHECKED], None);
        match self.token_of(key) {
            Token::Unshared => no("ConnectionNotShared"),
            Token::None(reason) => no(if owner { reason } else { "ConnectionNotReady" }),
            Token::Dead => Expected::rejected(&connection.asks),
            Token::Live(_) if denial.is_some_and(|d| d.condition == "Authenticated") => {
                Expected::rejected(&connection.asks)
            }
            Token::Live(account) => {
                let member = self.accounts.get(account).is_some_and(|a| a.member);
                let verdicts = judged(&connection.asks, member, denial);
                let user = owner.then(|| user_id(account));
                Expected { user, ..Expected::new(&connection.asks, FINE, Some(verdicts)) }
            }
        }
    }
}

const FINE: [(&str, &str); 3] =
    [("True", "TokenFound"), ("True", "ResponseReceived"), ("True", "TokenAccepted")];

/// Workspaces, channel and access.
fn judged(asks: &Asks, member: bool, denial: Option<Denial>) -> [(&'static str, &'static str); 3] {
    let denied = |condition| denial.filter(|d| d.condition == condition).map(|d| ("False", d.reason));
    let workspaces = match asks.required {
        Some(false) => ("False", "WorkspaceNotFound"),
        _ => ("True", "WorkspacesFound"),
    };
    let channel = match asks.channel {
        Some(false) => ("False", "ChannelNotFound"),
        _ => ("True", "ChannelFound"),
    };
    let access = match asks {
        Asks { missing_list: true, .. } => ("False", "AccessDenied"),
        Asks { role: Some(false), .. } if member => ("False", "RoleTooLow"),
        _ => ("True", "AccessGranted"),
    };
    [
        denied("WorkspacesResolved").unwrap_or(workspaces),
        denied("ChannelResolved").unwrap_or(channel),
        denied("AccessVerified").unwrap_or(access),
    ]
}

impl Asks {
    /// Whether there is a condition about access.
    pub fn for_access(&self) -> bool {
        !self.access.is_empty() || self.missing_list || self.role.is_some()
    }

    /// Whether the node is asked about by its id.
    pub fn for_node(&self, node: Node) -> bool {
        self.access.contains(&node) || (node == Node::List && self.missing_list)
    }
}

impl Expected {
    fn new(
        asks: &Asks,
        token: [(&'static str, &'static str); 3],
        verdicts: Option<[(&'static str, &'static str); 3]>,
    ) -> Self {
        let [available, reachable, authenticated] = token;
        let [workspaces, channel, access] = verdicts.unwrap_or([UNCHECKED; 3]);
        let named = |condition, (status, reason)| (condition, status, reason);
        let mut conditions: Vec<Condition> = vec![
            named("TokenAvailable", available),
            named("Reachable", reachable),
            named("Authenticated", authenticated),
            named("WorkspacesResolved", workspaces),
        ];
        conditions.extend(asks.channel.map(|_| named("ChannelResolved", channel)));
        conditions.extend(asks.for_access().then(|| named("AccessVerified", access)));
        let no = conditions.iter().find(|(_, status, _)| *status == "False").copied();
        let ready = no.map_or(("Ready", "True", "Verified"), |(_, status, reason)| ("Ready", status, reason));
        conditions.push(ready);
        conditions.extend(STALLED.contains(&ready.2).then_some(("Stalled", "True", ready.2)));
        conditions.sort_unstable();
        Self { conditions, user: None }
    }

    fn rejected(asks: &Asks) -> Self {
        Self::new(asks, [FINE[0], FINE[1], ("False", "TokenRejected")], None)
    }

    /// Of a connection that was never checked and is not to be.
    fn unjudged(asks: &Asks) -> Self {
        let mut all = Self::new(asks, [UNCHECKED; 3], None);
        for condition in &mut all.conditions {
            if condition.0 == "Ready" {
                *condition = ("Ready", "Unknown", "Suspended");
            }
        }
        all
    }

    /// Status and reason of Ready.
    pub fn ready(&self) -> (&'static str, &'static str) {
        self.of("Ready")
    }

    /// Status and reason of a condition; empty where it is absent.
    pub fn of(&self, condition: &str) -> (&'static str, &'static str) {
        let found = self.conditions.iter().find(|(type_, ..)| *type_ == condition);
        found.map_or(("", ""), |(_, status, reason)| (*status, *reason))
    }

    /// What differs from it, in words.
    ///
    /// # Errors
    /// Names the first difference.
    pub fn compare(&self, status: &Value) -> Result<(), String> {
        let text = |value: &'_ Value| value.as_str().unwrap_or_default().to_owned();
        let mut found: Vec<_> = status["conditions"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|c| (text(&c["type"]), text(&c["status"]), text(&c["reason"])))
            .collect();
        found.sort_unstable();
        let wanted = self.conditions.iter().map(|(a, b, c)| (*a, *b, *c));
        let same = wanted.clone().eq(found.iter().map(|(a, b, c)| (a.as_str(), b.as_str(), c.as_str())));
        if !same {
            let odd = found.iter().find(|(a, b, c)| !wanted.clone().any(|w| w == (a, b, c)));
            let odd = odd.map_or("a condition less".to_owned(), |(a, b, c)| format!("{a}={b}/{c}"));
            return Err(format!("{odd}, to be {self}"));
        }
        let user = status["user"]["id"].as_str();
        if user != self.user.map(|id| id.to_string()).as_deref() {
            return Err(format!("user {user:?} instead of {:?}", self.user));
        }
        Ok(())
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (status, reason) = self.ready();
        write!(f, "Ready={status}/{reason}")?;
        let not_true = |(type_, status, _): &&Condition| *status != "True" && *type_ != "Ready";
        for (type_, status, reason) in self.conditions.iter().filter(not_true) {
            write!(f, " {type_}={status}/{reason}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn status(conditions: &[Condition], user: Option<&str>) -> Value {
        let of =
            |(type_, status, reason): &Condition| json!({"type": type_, "status": status, "reason": reason});
        json!({"conditions": conditions.iter().map(of).collect::<Vec<_>>(), "user": {"id": user}})
    }

    #[test]
    fn what_is_expected_passes_and_each_difference_is_found() {
        let asks = Asks { channel: Some(true), ..Asks::default() };
        let verdicts = judged(&asks, false, None);
        let expected = Expected { user: Some(7), ..Expected::new(&asks, FINE, Some(verdicts)) };
        let good = expected.conditions.clone();
        assert_eq!(expected.compare(&status(&good, Some("7"))), Ok(()));
        assert!(expected.compare(&status(&good, Some("8"))).unwrap_err().contains("user"));
        assert!(expected.compare(&status(&good, None)).unwrap_err().contains("user"));
        assert!(expected.compare(&status(&good[1..], Some("7"))).unwrap_err().contains("a condition less"));
        let limited = [&good[..], &[("RateLimited", "True", "RateLimited")]].concat();
        assert!(expected.compare(&status(&limited, Some("7"))).unwrap_err().contains("RateLimited"));
        let mut other = good;
        other[0].2 = "Other";
        assert!(expected.compare(&status(&other, Some("7"))).unwrap_err().contains("/Other"));
    }

    #[test]
    fn a_wrong_answer_decides_one_condition() {
        let asks = Asks { channel: Some(true), role: Some(false), ..Asks::default() };
        let denial = Denial { condition: "ChannelResolved", reason: "ChannelAccessDenied" };
        for (denial, reason) in [(None, "RoleTooLow"), (Some(denial), "ChannelAccessDenied")] {
            let expected = Expected::new(&asks, FINE, Some(judged(&asks, true, denial)));
            assert_eq!(expected.ready(), ("False", reason));
            assert_eq!(expected.of("Stalled"), ("", ""));
        }
        assert_eq!(Expected::rejected(&asks).of("Stalled"), ("True", "TokenRejected"));
        assert_eq!(Expected::unjudged(&asks).ready(), ("Unknown", "Suspended"));
    }
}

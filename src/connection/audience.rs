//! Who reads a status, and how much of what ClickUp says a message may tell there.

use super::finding::MAX_MESSAGE;
use crate::api::{ClickUpConnectionSpec, Resolved};

/// How many of several names or ids a message shows.
pub(super) const LISTED: usize = 5;

/// What of a name a message shows, in characters and in bytes.
const QUOTED: (usize, usize) = (64, 128);

/// Who reads a connection's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Whoever may hold the token: it sees nothing that they cannot see.
    Owner,
    /// Whoever uses the token by `connectionRef`: of ClickUp's names and ids they learn those that their own spec names,
    /// what these resolve to, and a sole workspace. No hints, no candidates, no counts.
    Referrer,
}

impl Audience {
    /// Who reads the status of a connection with this spec.
    pub fn of(spec: &ClickUpConnectionSpec) -> Self {
        if spec.connection_ref.is_some() { Self::Referrer } else { Self::Owner }
    }

    /// What is the case, for an owner a hint that fits between, and what to do about it.
    pub(super) fn message(self, what: &str, hint: impl FnOnce(usize) -> String, advice: &str) -> String {
        format!("{what}{}{advice}", self.hint(|| hint(room(what, advice))))
    }

    /// What only an owner is told.
    pub(super) fn hint(self, hint: impl FnOnce() -> String) -> String {
        match self {
            Self::Owner => hint(),
            Self::Referrer => String::new(),
        }
    }
}

/// The bytes that a message leaves between what is the case and what to do about it.
pub(super) fn room(what: &str, advice: &str) -> usize {
    MAX_MESSAGE.saturating_sub(what.len() + advice.len())
}

/// A name in quotes, cut and escaped: it is someone else's text.
pub(super) fn quoted(name: &str) -> String {
    let (characters, mut room) = QUOTED;
    let fits = |c: &char| {
        let size = c.escape_debug().map(char::len_utf8).sum();
        let rest = room.checked_sub(size);
        room = rest.unwrap_or_default();
        rest.is_some()
    };
    let mut cut: String = name.chars().take(characters).take_while(fits).collect();
    if cut.len() < name.len() {
        cut.push('…');
    }
    format!("{cut:?}")
}

/// What a reference resolved to: its name, if it has one, and its id.
pub(super) fn label(resolved: &Resolved) -> String {
    labelled(&resolved.id, resolved.name.as_deref())
}

/// A name, if there is one, and an id.
pub(super) fn labelled(id: &str, name: Option<&str>) -> String {
    match name {
        Some(name) => format!("{} ({id})", quoted(name)),
        None => id.to_owned(),
    }
}

/// As many items as fit into so many bytes, and how many are left out, those `beyond` the given ones included.
pub(super) fn listed(items: &[String], beyond: usize, room: usize) -> String {
    fitting(items.len(), beyond, room, |n| items[..n].join(", "))
}

/// Items and what is said of each, likewise; neighbours of which the same is said share it.
pub(super) fn grouped(items: &[(String, String)], room: usize) -> String {
    let group = |group: &[(String, String)]| {
        let items: Vec<_> = group.iter().map(|(item, _)| item.as_str()).collect();
        let said = group.first().map(|(_, said)| said.as_str()).unwrap_or_default();
        format!("{} ({said})", items.join(", "))
    };
    let text = |n: usize| items[..n].chunk_by(|a, b| a.1 == b.1).map(group).collect::<Vec<_>>().join(", ");
    fitting(items.len(), 0, room, text)
}

fn fitting(all: usize, beyond: usize, room: usize, text: impl Fn(usize) -> String) -> String {
    let shown = |n: usize| match (n, all - n + beyond) {
        (n, 0) => text(n),
        (0, more) => format!("{more} more"),
        (n, more) => format!("{} and {more} more", text(n)),
    };
    (0..=all).rev().map(shown).find(|text| text.len() <= room).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::{StandardRole, TokenType},
        clickup::{self, Named, NodeVerdict, NodeVerdict::*, Role, Workspace},
        connection::{
            Demand,
            access::{Access, DefaultWorkspace, Node},
            channel::find_channel,
            resolve,
        },
    };
    use serde_json::json;
    use std::sync::Arc;

    #[test]
    fn names_are_quoted_escaped_and_cut() {
        for (name, expected) in [
            ("Acme", r#""Acme""#.to_owned()),
            ("a \"b\"\n\u{200b}", r#""a \"b\"\n\u{200b}""#.to_owned()),
            (&"n".repeat(64), format!("\"{}\"", "n".repeat(64))),
            (&"n".repeat(65), format!("\"{}…\"", "n".repeat(64))),
            (&"漢".repeat(64), format!("\"{}…\"", "漢".repeat(42))),
            (&"\u{200b}".repeat(64), format!("\"{}…\"", "\\u{200b}".repeat(16))),
        ] {
            assert_eq!(quoted(name), expected);
        }
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let items = ["one", "two", "three"].map(str::to_owned);
        for (beyond, room, expected) in [
            (0, 15, "one, two, three"),
            (0, 14, "one and 2 more"),
            (1, 24, "one, two and 2 more"),
            (7, 99, "one, two, three and 7 more"),
            (0, 6, "3 more"),
            (0, 5, ""),
        ] {
            assert_eq!(listed(&items, beyond, room), expected);
        }
        let said =
            [("a", "x"), ("b", "x"), ("c", "y"), ("d", "x")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        for (room, expected) in [
            (99, "a, b (x), c (y), d (x)"),
            (21, "a, b (x) and 2 more"),
            (16, "a (x) and 3 more"),
            (9, "4 more"),
        ] {
            assert_eq!(grouped(&said, room), expected);
        }
    }

    /// What a token sees: what the specs below name, and so much else.
    struct World {
        workspaces: Vec<Workspace>,
        named: Arc<[Named]>,
    }

    impl World {
        fn new(others: usize) -> Self {
            let known = [("11", "Acme"), ("12", "Labs")].map(|(id, name)| (id.to_owned(), name.to_owned()));
            let other = |n| (format!("9{others}00{n}"), format!("Acm SECRETNAME {others} {n}"));
            let twin = |n| (format!("9{others}99{n}"), "Twin".to_owned());
            let all: Vec<_> =
                known.into_iter().chain((0..others).map(other)).chain((0..others).map(twin)).collect();
            let workspace = |(id, name): &(String, String)| Workspace {
                id: id.clone(),
                name: Some(name.clone()),
                role: Some(Role::Standard(StandardRole::Guest)),
            };
            let named = |(id, name): &(String, String)| Named { id: id.clone(), name: Some(name.clone()) };
            Self { workspaces: all.iter().map(workspace).collect(), named: all.iter().map(named).collect() }
        }

        /// The messages of all conditions, for a spec with the default and everything else named alike, where every
        /// probe ends in the same verdict.
        fn messages(
            &self,
            default: Option<&str>,
            asked: &str,
            verdict: &NodeVerdict,
            audience: Audience,
        ) -> Vec<String> {
            let named = asked.parse::<u64>().is_err();
            let reference = |text: &str| if named { json!({"name": text}) } else { json!({"id": text}) };
            let mut spec = json!({"connectionRef": {"namespace": "n", "name": "o"},
                "requiredWorkspaces": [reference(asked)], "channel": reference(asked), "minimumRole": "Member",
                "access": [{"space": reference(asked)}, {"list": {"id": "77"}}]});
            if let Some(name) = default {
                spec["defaultWorkspace"] = json!({"name": name});
            }
            let demand = Demand::of(&serde_json::from_value(spec).unwrap(), TokenType::Personal);
            let resolution = resolve(&demand, &self.workspaces);
            let probes = resolution.probes().into_iter().map(|id| (id.to_owned(), verdict.clone())).collect();
            let mut findings: Vec<_> = resolution.judge(&probes, audience).into_iter().collect();
            let lists = verdict.clone().map(|()| self.named.clone());
            if let (Some(default), Some(channel)) = (&resolution.default, &demand.channel) {
                let found = find_channel(channel, default, &lists, audience);
                findings.extend(found.map(|(finding, _)| finding));
            }
            let wanted: Vec<_> = demand.access.iter().filter_map(Node::of).collect();
            let tried = wanted.iter().filter_map(Node::probe);
            let nodes = tried.map(|(kind, id)| ((kind, id.to_owned()), verdict.clone())).collect();
            let role = |d: &Resolved| self.workspaces.iter().find(|w| w.id == d.id).and_then(|w| w.role);
            let default = resolution.default.map(|d| DefaultWorkspace { role: role(&d), resolved: d });
            for minimum in [None, demand.minimum_role] {
                let (default, spaces) = (default.as_ref(), Some(&lists));
                let access = Access { wanted: &wanted, minimum, default, nodes: &nodes, spaces, audience };
                findings.extend(access.judge());
            }
            findings.into_iter().map(|f| f.message).collect()
        }
    }

    #[test]
    fn a_referrer_learns_nothing_of_what_its_spec_does_not_name() {
        let worlds = [2, 3, 7].map(World::new);
        let verdicts = [
            Granted(()),
            NotFound,
            Denied,
            PlanRequired,
            TokenDead,
            NoVerdict(clickup::NoVerdict::timed_out()),
        ];
        let (mut judged, mut told) = (0, 0);
        for default in [None, Some("Acme"), Some("acme"), Some("Twin")] {
            for asked in ["Labs", "12", "acm", "Twin", "9", "900"] {
                for verdict in &verdicts {
                    let read =
                        |audience| worlds.each_ref().map(|w| w.messages(default, asked, verdict, audience));
                    let [few, more, many] = read(Audience::Referrer);
                    // The same messages whatever else there is: they depend on nothing else.
                    assert!(
                        few == more && few == many,
                        "{default:?} {asked} {verdict:?}: {few:#?} {more:#?} {many:#?}"
                    );
                    assert!(!few.iter().any(|m| m.contains("SECRET")), "{few:#?}");
                    judged += few.len();
                    let [few, .., many] = read(Audience::Owner);
                    told += usize::from(few != many);
                }
            }
        }
        assert!(judged > 300 && told > 50, "{judged} {told}");
    }

    #[test]
    fn who_refers_is_a_referrer() {
        for (spec, audience) in [
            (json!({"tokenSecretRef": {"name": "s"}, "sharing": {"scope": "Cluster"}}), Audience::Owner),
            (json!({"connectionRef": {"namespace": "n", "name": "o"}}), Audience::Referrer),
        ] {
            assert_eq!(Audience::of(&serde_json::from_value(spec).unwrap()), audience);
        }
    }
}

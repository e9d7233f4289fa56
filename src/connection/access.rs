//! Whether the token reaches the nodes that a demand names, and its user's role is high enough.

use super::{
    Finding,
    audience::{Audience, grouped, label, quoted, room},
    nearest::{Found, Seen, Wanted, find, ids, instead},
};
use crate::{
    api::{AccessRef, NodeRef, Reason, Resolved, StandardRole},
    clickup::{Named, NoVerdict, NodeKind, NodeVerdict, Role},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

/// How much of the message a hint on one node may take, in bytes.
const HINT: usize = 160;
/// On how many nodes hints are given: each costs a look at every name, and more would not fit.
const HINTED: usize = 3;

/// A node that the token must reach.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Node {
    /// A space by its id.
    Space(String),
    /// A space of the default workspace by its name.
    SpaceNamed(String),
    /// A folder by its id.
    Folder(String),
    /// A list by its id.
    List(String),
    /// A task by its id.
    Task(String),
}

impl Node {
    /// The node that an entry names; the schema requires exactly one.
    pub fn of(entry: &AccessRef) -> Option<Self> {
        let AccessRef { space, folder, list, task } = entry;
        let space = space.as_ref().and_then(|s| {
            let by_name = || s.name.clone().map(Self::SpaceNamed);
            s.id.clone().map(Self::Space).or_else(by_name)
        });
        let id = |node: &Option<NodeRef>| node.as_ref().map(|n| n.id.clone());
        space
            .or_else(|| id(folder).map(Self::Folder))
            .or_else(|| id(list).map(Self::List))
            .or_else(|| task.as_ref().map(|t| Self::Task(t.id.clone())))
    }

    /// What to try the token on. A space by name is looked up among those of the default workspace instead.
    pub fn probe(&self) -> Option<(NodeKind, &str)> {
        match self {
            Self::Space(id) => Some((NodeKind::Space, id)),
            Self::SpaceNamed(_) => None,
            Self::Folder(id) => Some((NodeKind::Folder, id)),
            Self::List(id) => Some((NodeKind::List, id)),
            Self::Task(id) => Some((NodeKind::Task, id)),
        }
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SpaceNamed(name) => write!(f, "space {}", quoted(name)),
            Self::Space(id) => write!(f, "{} {id}", NodeKind::Space),
            Self::Folder(id) => write!(f, "{} {id}", NodeKind::Folder),
            Self::List(id) => write!(f, "{} {id}", NodeKind::List),
            Self::Task(id) => write!(f, "{} {id}", NodeKind::Task),
        }
    }
}

/// The default workspace, as far as access is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DefaultWorkspace {
    pub(super) resolved: Resolved,
    /// The role of the token's user there, where ClickUp tells.
    pub(super) role: Option<Role>,
}

/// What is demanded and what was found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Access<'a> {
    pub(super) wanted: &'a [Node],
    pub(super) minimum: Option<StandardRole>,
    pub(super) default: Option<&'a DefaultWorkspace>,
    /// What came of trying the token on nodes.
    pub(super) nodes: &'a BTreeMap<(NodeKind, String), NodeVerdict>,
    /// The spaces of the default workspace.
    pub(super) spaces: Option<&'a NodeVerdict<Arc<[Named]>>>,
    pub(super) audience: Audience,
}

/// Why a node is not known to be reached.
enum Obstacle {
    Refused(Refusal),
    Open(NoVerdict),
    /// There is no default workspace to look in.
    NoDefault,
}

struct Refusal {
    node: String,
    why: Why,
    /// For an owner: what was meant.
    hint: String,
}

/// In the order in which they are named.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Why {
    NotFound,
    Denied,
    Plan,
    NoneNamed,
    SeveralNamed,
}

impl Access<'_> {
    /// The condition AccessVerified. One No decides, whatever the others could not say.
    ///
    /// # Errors
    /// Why it cannot be told; nothing if there is no default workspace, of which WorkspacesResolved speaks.
    pub(super) fn judge(&self) -> Result<Finding, Option<NoVerdict>> {
        let wanted: BTreeSet<_> = self.wanted.iter().collect();
        let (mut refusals, mut open, mut no_default) = (Vec::new(), Vec::new(), false);
        for node in &wanted {
            let told = if refusals.len() < HINTED { self.audience } else { Audience::Referrer };
            match self.reach(node, told) {
                Ok(()) => {}
                Err(Obstacle::Refused(refusal)) => refusals.push(refusal),
                Err(Obstacle::Open(no)) => open.push(no),
                Err(Obstacle::NoDefault) => no_default = true,
            }
        }
        if !refusals.is_empty() {
            return Ok(Finding::no(Reason::AccessDenied, denied(&refusals)));
        }
        let mut granted = match wanted.len() {
            0 => Vec::new(),
            1 => vec!["the token reaches what spec.access names".to_owned()],
            n => vec![format!("the token reaches all {n} nodes of spec.access")],
        };
        match (self.minimum, self.default) {
            (None, _) => {}
            (Some(_), None) => no_default = true,
            (Some(minimum), Some(default)) => match default.judge(minimum) {
                Ok(enough) => granted.push(enough),
                Err(too_low) => return Ok(Finding::no(Reason::RoleTooLow, too_low)),
            },
        }
        if no_default {
            return Err(None);
        }
        // A limit says when to go on.
        let limited = open.iter().position(|no| no.reason == Reason::RateLimited);
        match open.into_iter().nth(limited.unwrap_or_default()) {
            Some(no) => Err(Some(no)),
            None => Ok(Finding::yes(Reason::AccessGranted, granted.join("; "))),
        }
    }

    fn reach(&self, node: &Node, told: Audience) -> Result<(), Obstacle> {
        if let Node::SpaceNamed(name) = node {
            return self.find_space(name, node, told);
        }
        let verdict = node.probe().and_then(|(kind, id)| self.nodes.get(&(kind, id.to_owned())));
        verdict.map_or_else(|| Err(Obstacle::Open(NoVerdict::timed_out())), |v| granted(v, node).copied())
    }

    fn find_space(&self, name: &str, node: &Node, told: Audience) -> Result<(), Obstacle> {
        if self.default.is_none() {
            return Err(Obstacle::NoDefault);
        }
        let verdict = self.spaces.ok_or_else(|| Obstacle::Open(NoVerdict::timed_out()))?;
        let spaces = granted(verdict, node)?;
        let (wanted, seen) = (Wanted::Name(name), || spaces.iter().map(Seen::from));
        let (why, hint) = match find(wanted, seen()) {
            Found::One(_) => return Ok(()),
            Found::None => (Why::NoneNamed, told.hint(|| instead(wanted, seen(), HINT))),
            Found::Several(several) => {
                (Why::SeveralNamed, told.hint(|| ids(&several, ", with the ids ", HINT)))
            }
        };
        Err(Obstacle::Refused(Refusal { node: node.to_string(), why, hint }))
    }
}

fn granted<'a, T>(verdict: &'a NodeVerdict<T>, node: &Node) -> Result<&'a T, Obstacle> {
    let refused = |why| Err(Obstacle::Refused(Refusal { node: node.to_string(), why, hint: String::new() }));
    match verdict {
        NodeVerdict::Granted(value) => Ok(value),
        NodeVerdict::NotFound => refused(Why::NotFound),
        NodeVerdict::Denied => refused(Why::Denied),
        NodeVerdict::PlanRequired => refused(Why::Plan),
        NodeVerdict::TokenDead => Err(Obstacle::Open(NoVerdict::refused())),
        NodeVerdict::NoVerdict(no) => Err(Obstacle::Open(no.clone())),
    }
}

/// Names the nodes: with what was meant if that fits, and never so many that the end is cut.
fn denied(refusals: &[Refusal]) -> String {
    let any = |why| refusals.iter().any(|r| r.why == why);
    let mut advice = ": correct spec.access, or give the token's user access".to_owned();
    for (why, more) in [
        (Why::Denied, "; ClickUp refuses alike what is not there and what the user cannot see"),
        (Why::SeveralNamed, "; where several have a name, write the id"),
        (Why::Plan, "; what is not in the plan needs another plan"),
    ] {
        if any(why) {
            advice.push_str(more);
        }
    }
    let what = "the token does not reach ";
    let room = room(what, &advice);
    let mut refusals: Vec<_> = refusals.iter().collect();
    refusals.sort_by_key(|r| r.why);
    let said = |r: &&Refusal, hint: &str| (r.node.clone(), format!("{}{hint}", r.why));
    let hinted: Vec<_> = refusals.iter().map(|r| said(r, &r.hint)).collect();
    let full = grouped(&hinted, usize::MAX);
    if full.len() <= room {
        return format!("{what}{full}{advice}");
    }
    let bare: Vec<_> = refusals.iter().map(|r| said(r, "")).collect();
    format!("{what}{}{advice}", grouped(&bare, room))
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound => "not found",
            Self::Denied => "refused",
            Self::Plan => "not in the plan",
            Self::NoneNamed => "none of this name",
            Self::SeveralNamed => "several of this name",
        })
    }
}

impl DefaultWorkspace {
    /// Whether the user's role is high enough, and what to say in either case.
    fn judge(&self, minimum: StandardRole) -> Result<String, String> {
        let (standard, is) = match self.role {
            Some(Role::Standard(role)) => (Some(role), format!("has the role {role}")),
            Some(Role::Custom { inherits: Some(role) }) => {
                (Some(role), format!("has a custom role made from {role}"))
            }
            Some(Role::Custom { inherits: None }) => {
                (None, "has a custom role, and it is not known from which one that is made".to_owned())
            }
            Some(Role::Unknown) => (None, "has a role that is not known to this version".to_owned()),
            None => (None, "has a role that is not known, since ClickUp does not tell it".to_owned()),
        };
        let place = label(&self.resolved);
        let state =
            format!("the token's user {is} in workspace {place}, where spec.minimumRole asks for {minimum}");
        match standard {
            Some(role) if role >= minimum => Ok(state),
            Some(_) => {
                Err(format!("{state}: ask a workspace admin for that role, or lower spec.minimumRole"))
            }
            None => Err(format!(
                "{state}: ask a workspace admin for one of ClickUp's own roles, or leave out spec.minimumRole"
            )),
        }
    }
}

#[cfg(test)]
mod tests;

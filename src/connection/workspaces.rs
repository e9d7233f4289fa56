//! Which workspaces a demand means, and whether they can be used.

use super::{Demand, Finding};
use crate::{
    api::{Reason, ResolvedWorkspace, WorkspaceRef},
    clickup::{NoVerdict, NodeVerdict, Workspace},
};
use std::collections::BTreeMap;

/// What of a list of names a message shows.
const LISTED: usize = 5;

/// A demand held against the workspaces that a token sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// The default workspace: the one named, or the only one.
    pub default: Option<ResolvedWorkspace>,
    /// The default, then the required ones in their order: found, or why not.
    wanted: Vec<Result<ResolvedWorkspace, Problem>>,
    /// How many workspaces the token sees.
    count: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Problem {
    reason: Reason,
    message: String,
}

/// Finds the workspaces that a demand names among those that the token sees.
pub fn resolve(demand: &Demand, workspaces: &[Workspace]) -> Resolution {
    let named_default = demand.default_workspace.as_ref().map(|r| find(r, workspaces));
    let default = named_default.or_else(|| match workspaces {
        [only] => Some(Ok(resolved(only))),
        _ => None,
    });
    let required = demand.required_workspaces.iter().map(|r| find(r, workspaces));
    Resolution {
        default: default.clone().and_then(Result::ok),
        wanted: default.into_iter().chain(required).collect(),
        count: workspaces.len(),
    }
}

impl Resolution {
    /// The ids of the workspaces to try the token in, each once.
    pub fn probes(&self) -> Vec<&str> {
        let mut ids = Vec::new();
        for workspace in self.wanted.iter().flatten() {
            if !ids.contains(&workspace.id.as_str()) {
                ids.push(&workspace.id);
            }
        }
        ids
    }

    /// The condition WorkspacesResolved, or why it cannot be told. One No decides, whatever the other probes could not say.
    pub(super) fn judge(&self, probes: &BTreeMap<String, NodeVerdict>) -> Result<Finding, NoVerdict> {
        if self.count == 0 {
            return Ok(Finding::no(
                Reason::NoWorkspaces,
                "the token's user is in no workspace, or none is authorized: invite the user to one",
            ));
        }
        let (mut problems, mut undecided) = (Vec::new(), None);
        for wanted in &self.wanted {
            match wanted.clone().and_then(|w| usable(&w, probes.get(&w.id))) {
                Ok(None) => {}
                Ok(Some(no)) => undecided = undecided.or(Some(no)),
                Err(problem) => problems.push(problem),
            }
        }
        match (problems.first(), undecided) {
            (Some(first), _) => {
                let mut messages: Vec<_> = problems.iter().map(|p| p.message.as_str()).collect();
                messages.dedup();
                Ok(Finding::no(first.reason, messages.join("; ")))
            }
            (None, Some(no)) => Err(no),
            (None, None) => Ok(Finding::yes(Reason::WorkspacesFound, self.summary())),
        }
    }

    fn summary(&self) -> String {
        let seen = match self.count {
            1 => "the token sees 1 workspace".to_owned(),
            n => format!("the token sees {n} workspaces"),
        };
        match (&self.default, self.probes().len()) {
            (None, 0) => format!("{seen}; none is the default, spec.defaultWorkspace would name one"),
            (Some(default), 1) => format!("{seen}; {} is the default", label(default)),
            (Some(default), n) => {
                format!("{seen}; {} is the default; all {n} asked for can be used", label(default))
            }
            (None, n) => format!("{seen}; all {n} required can be used"),
        }
    }
}

/// What a probe says about a workspace: it can be used, cannot be told yet, or cannot be used.
fn usable(workspace: &ResolvedWorkspace, probe: Option<&NodeVerdict>) -> Result<Option<NoVerdict>, Problem> {
    let label = label(workspace);
    let problem = |reason, message: String| Err(Problem { reason, message });
    match probe {
        Some(NodeVerdict::Granted) => Ok(None),
        Some(NodeVerdict::Denied) => problem(
            Reason::WorkspaceAccessDenied,
            format!(
                "workspace {label} refuses this token: ask its owner to allow API tokens for the user's role"
            ),
        ),
        Some(NodeVerdict::NotFound) => problem(
            Reason::WorkspaceNotFound,
            format!(
                "workspace {label} is listed for this token, but ClickUp does not find it: see whether it was deleted"
            ),
        ),
        Some(NodeVerdict::PlanRequired) => problem(
            Reason::PlanRequired,
            format!("the plan of workspace {label} does not include the API: upgrade it"),
        ),
        Some(NodeVerdict::NoVerdict(no)) => Ok(Some(no.clone())),
        Some(NodeVerdict::TokenDead) => Ok(Some(NoVerdict::refused())),
        None => Ok(Some(NoVerdict::timed_out())),
    }
}

fn find(wanted: &WorkspaceRef, workspaces: &[Workspace]) -> Result<ResolvedWorkspace, Problem> {
    let matches: Vec<_> = workspaces
        .iter()
        .filter(|w| match wanted {
            WorkspaceRef { id: Some(id), .. } => w.id == *id,
            WorkspaceRef { name, .. } => w.name.is_some() && w.name == *name,
        })
        .collect();
    match matches.as_slice() {
        [one] => Ok(resolved(one)),
        [] => Err(Problem { reason: Reason::WorkspaceNotFound, message: not_found(wanted, workspaces) }),
        several => {
            let ids = listed(several.iter().map(|w| w.id.clone()));
            let name = wanted.name.as_deref().unwrap_or_default();
            let message =
                format!("several workspaces are named {name:?}: name the one by its id, one of {ids}");
            Err(Problem { reason: Reason::WorkspaceAmbiguous, message })
        }
    }
}

fn not_found(wanted: &WorkspaceRef, workspaces: &[Workspace]) -> String {
    let what = match wanted {
        WorkspaceRef { id: Some(id), .. } => format!("with id {id}"),
        WorkspaceRef { name, .. } => format!("named {:?}", name.as_deref().unwrap_or_default()),
    };
    if workspaces.is_empty() {
        return format!("the token sees no workspace {what}");
    }
    let seen = listed(workspaces.iter().map(|w| label(&resolved(w))));
    format!(
        "the token sees no workspace {what}, but {seen}: correct the spec, or invite the token's user there"
    )
}

fn resolved(workspace: &Workspace) -> ResolvedWorkspace {
    ResolvedWorkspace { id: workspace.id.clone(), name: workspace.name.clone() }
}

fn label(workspace: &ResolvedWorkspace) -> String {
    match &workspace.name {
        Some(name) => format!("{:?} ({})", name.chars().take(64).collect::<String>(), workspace.id),
        None => workspace.id.clone(),
    }
}

fn listed(items: impl ExactSizeIterator<Item = String>) -> String {
    let more = items.len().saturating_sub(LISTED);
    let list = items.take(LISTED).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{list} and {more} more") } else { list }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{api::TokenType, clickup::NodeVerdict::*};

    fn named(name: &str) -> WorkspaceRef {
        WorkspaceRef { name: Some(name.into()), id: None }
    }

    fn id(id: &str) -> WorkspaceRef {
        WorkspaceRef { id: Some(id.into()), name: None }
    }

    fn demand(default: Option<WorkspaceRef>, required: &[WorkspaceRef]) -> Demand {
        Demand {
            token_type: TokenType::Personal,
            default_workspace: default,
            required_workspaces: required.to_vec(),
        }
    }

    fn sees(list: &[(&str, &str)]) -> Vec<Workspace> {
        list.iter()
            .map(|(id, name)| Workspace { id: (*id).into(), name: Some((*name).into()), role: None })
            .collect()
    }

    fn no() -> NodeVerdict {
        NoVerdict(super::NoVerdict::timed_out())
    }

    #[test]
    fn the_default_is_the_one_named_or_the_only_one() {
        let (one, two) = (sees(&[("1", "A")]), sees(&[("1", "A"), ("2", "B")]));
        for (demand, workspaces, default, probes) in [
            (demand(None, &[]), &one, Some("1"), vec!["1"]),
            (demand(None, &[]), &two, None, vec![]),
            (demand(Some(named("B")), &[]), &two, Some("2"), vec!["2"]),
            (demand(Some(id("2")), &[named("A"), id("2")]), &two, Some("2"), vec!["2", "1"]),
            (demand(Some(id("9")), &[]), &one, None, vec![]),
            (demand(None, &[id("2")]), &two, None, vec!["2"]),
        ] {
            let resolution = resolve(&demand, workspaces);
            assert_eq!(resolution.default.as_ref().map(|d| d.id.as_str()), default, "{demand:?}");
            assert_eq!(resolution.probes(), probes, "{demand:?}");
        }
    }

    #[test]
    fn the_first_problem_gives_the_reason_and_all_are_named() {
        let three = sees(&[("1", "A"), ("2", "B"), ("3", "B")]);
        let cases = [
            (
                demand(Some(id("1")), &[id("2")]),
                vec![("1", Granted), ("2", Granted)],
                Ok((Reason::WorkspacesFound, vec!["3 workspaces", "(1) is the default"])),
            ),
            (demand(Some(named("B")), &[]), vec![], Ok((Reason::WorkspaceAmbiguous, vec!["2, 3"]))),
            (
                demand(Some(named("a")), &[]),
                vec![],
                Ok((Reason::WorkspaceNotFound, vec!["\"a\"", "\"A\" (1)"])),
            ),
            (
                demand(Some(id("1")), &[id("9"), named("B")]),
                vec![("1", Denied)],
                Ok((Reason::WorkspaceAccessDenied, vec!["(1) refuses", "id 9", "several"])),
            ),
            (
                demand(Some(id("1")), &[id("2")]),
                vec![("1", no()), ("2", Denied)],
                Ok((Reason::WorkspaceAccessDenied, vec!["(2)"])),
            ),
            (
                demand(Some(id("1")), &[id("2")]),
                vec![("1", PlanRequired), ("2", NotFound)],
                Ok((Reason::PlanRequired, vec!["(1)", "(2)"])),
            ),
            (demand(Some(id("1")), &[id("2")]), vec![("1", no()), ("2", Granted)], Err(Reason::TimedOut)),
            (demand(Some(id("1")), &[]), vec![("1", TokenDead)], Err(Reason::RequestRefused)),
            (demand(Some(id("1")), &[]), vec![], Err(Reason::TimedOut)),
        ];
        for (demand, probes, expected) in cases {
            let probes = probes.into_iter().map(|(id, verdict)| (id.to_owned(), verdict)).collect();
            match (resolve(&demand, &three).judge(&probes), expected) {
                (Ok(finding), Ok((reason, says))) => {
                    assert_eq!(finding.reason, reason, "{demand:?}");
                    assert!(says.iter().all(|s| finding.message.contains(s)), "{}", finding.message);
                }
                (Err(no), Err(reason)) => assert_eq!(no.reason, reason, "{demand:?}"),
                (found, expected) => panic!("{demand:?}: {found:?}, not {expected:?}"),
            }
        }
    }

    #[test]
    fn no_workspaces_at_all_is_a_reason_of_its_own() {
        let finding = resolve(&demand(Some(id("1")), &[]), &[]).judge(&BTreeMap::new()).unwrap();
        assert_eq!(finding.reason, Reason::NoWorkspaces);
    }
}

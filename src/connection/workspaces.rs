//! Which workspaces a demand means, and whether they can be used.

use super::{
    Demand, Finding,
    audience::{Audience, grouped, label, quoted, room},
    finding::MAX_MESSAGE,
    nearest::{Found, Seen, Wanted, find, ids, instead, listed},
};
use crate::{
    api::{Reason, Resolved, WorkspaceRef},
    clickup::{NoVerdict, NodeVerdict, Workspace},
};
use std::collections::BTreeMap;

/// A demand held against the workspaces that a token sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// The default workspace: the one named, or the only one.
    pub default: Option<Resolved>,
    /// The default, then the required ones in their order: found, or why not.
    wanted: Vec<Result<Resolved, Problem>>,
    /// How many workspaces the token sees.
    count: usize,
}

/// What is wrong with a workspace that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Problem {
    reason: Reason,
    /// Which workspace it is, and what is wrong in a word, where many are named.
    wanted: String,
    word: &'static str,
    what: String,
    /// For an owner only: what the token sees instead.
    hint: String,
    advice: String,
}

/// Finds the workspaces that a demand names among those that the token sees.
pub fn resolve(demand: &Demand, workspaces: &[Workspace]) -> Resolution {
    let named = demand.default_workspace.as_ref().map(|r| look_up(r, "spec.defaultWorkspace", workspaces));
    let default = named.or_else(|| match workspaces {
        [only] => Some(Ok(Seen::from(only).into())),
        [_, _, ..] if demand.needs_default() => Some(Err(Problem::not_selected(workspaces))),
        _ => None,
    });
    let besides =
        demand.required_workspaces.iter().filter(|r| Some(*r) != demand.default_workspace.as_deref());
    let required = besides.map(|r| look_up(r, "spec.requiredWorkspaces", workspaces));
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
    pub(super) fn judge(
        &self,
        probes: &BTreeMap<String, NodeVerdict>,
        audience: Audience,
    ) -> Result<Finding, NoVerdict> {
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
                Err(problem) if problems.contains(&problem) => {}
                Err(problem) => problems.push(problem),
            }
        }
        match (problems.first(), undecided) {
            (Some(first), _) => Ok(Finding::no(first.reason, named(&problems, audience))),
            (None, Some(no)) => Err(no),
            (None, None) => Ok(Finding::yes(Reason::WorkspacesFound, self.summary(audience))),
        }
    }

    fn summary(&self, audience: Audience) -> String {
        let seen = audience.hint(|| match self.count {
            1 => "the token sees 1 workspace; ".to_owned(),
            n => format!("the token sees {n} workspaces; "),
        });
        match (&self.default, self.probes().len()) {
            (None, 0) => format!("{seen}none is the default, spec.defaultWorkspace would name one"),
            (Some(default), 1) => format!("{seen}{} is the default", label(default)),
            (Some(default), n) => {
                format!("{seen}{} is the default; all {n} asked for can be used", label(default))
            }
            (None, 1) => format!("{seen}the one required can be used"),
            (None, n) => format!("{seen}all {n} required can be used"),
        }
    }
}

/// All problems in full, without hints if they do not fit, or else in a word each.
fn named(problems: &[Problem], audience: Audience) -> String {
    let full = |audience: Audience| -> String {
        let all: Vec<_> = problems.iter().map(|p| p.message(audience)).collect();
        all.join("; ")
    };
    let fits = |text: &String| text.len() <= MAX_MESSAGE;
    [audience, Audience::Referrer].into_iter().map(full).find(fits).unwrap_or_else(|| {
        let (what, advice) =
            ("the token cannot use workspaces ", ": correct the spec, or invite the token's user there");
        let rank = |p: &Problem| problems.iter().position(|other| other.word == p.word);
        let mut brief: Vec<_> = problems.iter().collect();
        brief.sort_by_key(|p| rank(p));
        let brief: Vec<_> = brief.into_iter().map(|p| (p.wanted.clone(), p.word.to_owned())).collect();
        format!("{what}{}{advice}", grouped(&brief, room(what, advice)))
    })
}

impl Problem {
    fn not_selected(workspaces: &[Workspace]) -> Self {
        let seen: Vec<_> = workspaces.iter().map(Seen::from).collect();
        let what = "the token sees several workspaces";
        let advice = " and needs a default for spec.channel, spec.minimumRole or a space by name: write spec.defaultWorkspace";
        let hint = listed(&seen, ", ", room(what, advice) - 1);
        Self {
            reason: Reason::WorkspaceNotSelected,
            wanted: "no default".to_owned(),
            word: "several to choose from",
            what: what.to_owned(),
            hint: if hint.is_empty() { hint } else { format!("{hint},") },
            advice: advice.to_owned(),
        }
    }

    fn message(&self, audience: Audience) -> String {
        audience.message(&self.what, |_| self.hint.clone(), &self.advice)
    }
}

/// What a probe says about a workspace: it can be used, cannot be told yet, or cannot be used.
fn usable(workspace: &Resolved, probe: Option<&NodeVerdict>) -> Result<Option<NoVerdict>, Problem> {
    let label = label(workspace);
    let (reason, word, what, advice) = match probe {
        Some(NodeVerdict::Granted(())) => return Ok(None),
        Some(NodeVerdict::Denied) => (
            Reason::WorkspaceAccessDenied,
            "refused",
            format!("workspace {label} refuses this token"),
            ": ask its owner to allow API tokens for the user's role",
        ),
        Some(NodeVerdict::NotFound) => (
            Reason::WorkspaceNotFound,
            "not found",
            format!("workspace {label} is listed for this token, but ClickUp does not find it"),
            ": see whether it was deleted",
        ),
        Some(NodeVerdict::PlanRequired) => (
            Reason::PlanRequired,
            "not in the plan",
            format!("the plan of workspace {label} does not include the API"),
            ": upgrade it",
        ),
        Some(NodeVerdict::NoVerdict(no)) => return Ok(Some(no.clone())),
        Some(NodeVerdict::TokenDead) => return Ok(Some(NoVerdict::refused())),
        None => return Ok(Some(NoVerdict::timed_out())),
    };
    let (wanted, hint) = (workspace.id.clone(), String::new());
    Err(Problem { reason, wanted, word, what, hint, advice: advice.to_owned() })
}

fn look_up(wanted: &WorkspaceRef, field: &str, workspaces: &[Workspace]) -> Result<Resolved, Problem> {
    let wanted = Wanted::of(wanted.id.as_deref(), wanted.name.as_deref());
    let seen = || workspaces.iter().map(Seen::from);
    let (as_written, described) = match wanted {
        Wanted::Id(id) => (id.to_owned(), format!("with id {id}")),
        Wanted::Name(name) => (quoted(name), format!("named {}", quoted(name))),
    };
    match find(wanted, seen()) {
        Found::One(one) => Ok(one.into()),
        Found::None => {
            let what = format!("the token sees no workspace {described}");
            let advice = format!(": correct {field}, or invite the token's user there");
            Err(Problem {
                reason: Reason::WorkspaceNotFound,
                wanted: as_written,
                word: "not found",
                hint: instead(wanted, seen(), room(&what, &advice)),
                what,
                advice,
            })
        }
        Found::Several(several) => {
            let what = format!("several workspaces are {described}");
            let advice = format!(": write the id of the one that is meant in {field}");
            Err(Problem {
                reason: Reason::WorkspaceAmbiguous,
                wanted: as_written,
                word: "several of this name",
                hint: ids(&several, ", with the ids ", room(&what, &advice)),
                what,
                advice,
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::{ChannelRef, StandardRole},
        clickup::NodeVerdict::*,
    };
    use Audience::{Owner, Referrer};

    fn named(name: &str) -> WorkspaceRef {
        WorkspaceRef { name: Some(name.into()), id: None }
    }

    fn id(id: &str) -> WorkspaceRef {
        WorkspaceRef { id: Some(id.into()), name: None }
    }

    fn demand(default: Option<WorkspaceRef>, required: &[WorkspaceRef]) -> Demand {
        Demand {
            default_workspace: default.map(Box::new),
            required_workspaces: required.to_vec(),
            ..Demand::default()
        }
    }

    fn needy(demand: Demand) -> Demand {
        Demand { minimum_role: Some(StandardRole::Guest), ..demand }
    }

    fn sees(list: &[(&str, &str)]) -> Vec<Workspace> {
        list.iter()
            .map(|(id, name)| Workspace { id: (*id).into(), name: Some((*name).into()), role: None })
            .collect()
    }

    fn probed(probes: &[(&str, NodeVerdict)]) -> BTreeMap<String, NodeVerdict> {
        probes.iter().map(|(id, verdict)| ((*id).to_owned(), verdict.clone())).collect()
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
            (needy(demand(None, &[id("2")])), &two, None, vec!["2"]),
            (needy(demand(None, &[])), &one, Some("1"), vec!["1"]),
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
                vec![("1", Granted(())), ("2", Granted(()))],
                Ok((Reason::WorkspacesFound, vec!["3 workspaces", "(1) is the default"])),
            ),
            (demand(Some(named("B")), &[]), vec![], Ok((Reason::WorkspaceAmbiguous, vec!["2, 3"]))),
            (
                demand(Some(named("a")), &[]),
                vec![],
                Ok((Reason::WorkspaceNotFound, vec!["\"a\"", "\"A\" (1)", "spec.defaultWorkspace"])),
            ),
            (
                demand(Some(id("1")), &[id("9"), named("B")]),
                vec![("1", Denied)],
                Ok((
                    Reason::WorkspaceAccessDenied,
                    vec!["(1) refuses", "id 9", "several", "spec.requiredWorkspaces"],
                )),
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
            (
                needy(demand(None, &[id("9")])),
                vec![],
                Ok((Reason::WorkspaceNotSelected, vec!["write spec.defaultWorkspace", "id 9"])),
            ),
            (needy(demand(Some(id("9")), &[])), vec![], Ok((Reason::WorkspaceNotFound, vec!["id 9"]))),
            (
                needy(demand(None, &[id("2")])),
                vec![("2", no())],
                Ok((Reason::WorkspaceNotSelected, vec!["spec.defaultWorkspace"])),
            ),
            (demand(Some(id("1")), &[id("2")]), vec![("1", no()), ("2", Granted(()))], Err(Reason::TimedOut)),
            (demand(Some(id("1")), &[]), vec![("1", TokenDead)], Err(Reason::RequestRefused)),
            (demand(Some(id("1")), &[]), vec![], Err(Reason::TimedOut)),
        ];
        for (demand, probes, expected) in cases {
            match (resolve(&demand, &three).judge(&probed(&probes), Owner), expected) {
                (Ok(finding), Ok((reason, says))) => {
                    assert_eq!(finding.reason, reason, "{demand:?}");
                    assert_eq!(finding.is_true(), reason == Reason::WorkspacesFound);
                    assert!(says.iter().all(|s| finding.message.contains(s)), "{}", finding.message);
                }
                (Err(no), Err(reason)) => assert_eq!(no.reason, reason, "{demand:?}"),
                (found, expected) => panic!("{demand:?}: {found:?}, not {expected:?}"),
            }
        }
    }

    #[test]
    fn no_workspaces_at_all_is_a_reason_of_its_own() {
        for demand in [demand(Some(id("1")), &[]), needy(demand(None, &[])), demand(None, &[])] {
            let finding = resolve(&demand, &[]).judge(&BTreeMap::new(), Owner).unwrap();
            assert_eq!((finding.reason, finding.is_false()), (Reason::NoWorkspaces, true));
        }
    }

    #[test]
    fn only_an_owner_is_told_of_what_was_not_named() {
        let three = sees(&[("1", "Acme"), ("2", "B"), ("3", "B")]);
        let granted = || probed(&[("1", Granted(())), ("2", Granted(()))]);
        let channel = Some(ChannelRef { name: Some("c".into()), id: None });
        for (demand, owner, referrer) in [
            (
                demand(Some(named("acme")), &[]),
                r#"the token sees no workspace named "acme", but "Acme" (1): correct spec.defaultWorkspace, or invite the token's user there"#,
                r#"the token sees no workspace named "acme": correct spec.defaultWorkspace, or invite the token's user there"#,
            ),
            (
                demand(None, &[named("B")]),
                r#"several workspaces are named "B", with the ids 2, 3: write the id of the one that is meant in spec.requiredWorkspaces"#,
                r#"several workspaces are named "B": write the id of the one that is meant in spec.requiredWorkspaces"#,
            ),
            (
                Demand { channel: channel.map(Box::new), ..Demand::default() },
                r#"the token sees several workspaces, "Acme" (1), "B" (2), "B" (3), and needs a default for spec.channel, spec.minimumRole or a space by name: write spec.defaultWorkspace"#,
                "the token sees several workspaces and needs a default for spec.channel, spec.minimumRole or a space by name: write spec.defaultWorkspace",
            ),
            (
                demand(None, &[]),
                "the token sees 3 workspaces; none is the default, spec.defaultWorkspace would name one",
                "none is the default, spec.defaultWorkspace would name one",
            ),
            (
                demand(Some(id("1")), &[id("1")]),
                r#"the token sees 3 workspaces; "Acme" (1) is the default"#,
                r#""Acme" (1) is the default"#,
            ),
            (
                demand(Some(named("Acme")), &[id("2")]),
                r#"the token sees 3 workspaces; "Acme" (1) is the default; all 2 asked for can be used"#,
                r#""Acme" (1) is the default; all 2 asked for can be used"#,
            ),
            (
                demand(None, &[id("2")]),
                "the token sees 3 workspaces; the one required can be used",
                "the one required can be used",
            ),
        ] {
            let resolution = resolve(&demand, &three);
            for (audience, message) in [(Owner, owner), (Referrer, referrer)] {
                assert_eq!(resolution.judge(&granted(), audience).unwrap().message, message);
            }
        }
    }

    #[test]
    fn what_is_asked_for_twice_is_named_once() {
        let resolution =
            resolve(&demand(Some(id("9")), &[id("9"), named("x"), named("x")]), &sees(&[("1", "A")]));
        let message = resolution.judge(&BTreeMap::new(), Owner).unwrap().message;
        assert_eq!((message.matches("id 9").count(), message.matches("\"x\"").count()), (1, 1), "{message}");
    }

    #[test]
    fn no_message_is_cut_however_many_fail() {
        let long = |n: usize| format!("{n}{}", "漢".repeat(255));
        let all: Vec<_> = (100..120).map(|n| (n.to_string(), long(n))).collect();
        let all = sees(&all.iter().map(|(id, name)| (id.as_str(), name.as_str())).collect::<Vec<_>>());
        let ids: Vec<_> = (10..30).map(|n| id(&format!("90123456{n}"))).collect();
        let names: Vec<_> = (0..20).map(|n| named(&long(n))).collect();
        let (full, brief) = ("the token sees", "the token cannot use workspaces ");
        for (demand, start, end) in [
            (demand(None, &ids[..1]), full, "there"),
            (demand(None, &ids[..3]), full, "there"),
            (demand(Some(names[0].clone()), &ids), brief, "there"),
            (demand(Some(ids[0].clone()), &names), brief, "there"),
            (needy(demand(None, &names)), brief, "there"),
            (needy(demand(None, &[])), full, "spec.defaultWorkspace"),
        ] {
            let finding = resolve(&demand, &all).judge(&BTreeMap::new(), Owner).unwrap();
            let message = &finding.message;
            assert!(message.len() <= MAX_MESSAGE, "{message}");
            assert!(message.starts_with(start) && message.ends_with(end), "{message}");
        }
        let finding = resolve(&demand(None, &ids), &all).judge(&BTreeMap::new(), Owner).unwrap();
        assert!(
            ids.iter().all(|id| finding.message.contains(id.id.as_deref().unwrap())),
            "{}",
            finding.message
        );
        let finding =
            resolve(&demand(Some(ids[0].clone()), &names), &all).judge(&BTreeMap::new(), Owner).unwrap();
        assert!(finding.message.contains(" and 18 more: "), "{}", finding.message);
        // What is wrong with several is said once.
        let mixed: Vec<_> =
            (100..110).zip(&ids).flat_map(|(n, other)| [id(&n.to_string()), other.clone()]).collect();
        let resolution = resolve(&demand(None, &mixed), &all);
        let refused = resolution.probes().into_iter().map(|id| (id.to_owned(), Denied)).collect();
        let message = resolution.judge(&refused, Owner).unwrap().message;
        assert_eq!(
            (message.matches("(refused)").count(), message.matches("(not found)").count()),
            (1, 1),
            "{message}"
        );
        // In the order in which they are met.
        assert!(message.find("(refused)") < message.find("(not found)"), "{message}");
        // Whatever the lengths of the names that just fit.
        for length in 5..=64 {
            let list: Vec<_> =
                (10..15).map(|n| (format!("{n}{}", "0".repeat(12)), "n".repeat(length))).collect();
            for shorter in 0..5 {
                let mut list: Vec<_> = list.iter().map(|(id, name)| (id.as_str(), name.as_str())).collect();
                list[0].1 = &list[0].1[shorter..];
                let resolution = resolve(&needy(demand(None, &[])), &sees(&list));
                let message = resolution.judge(&BTreeMap::new(), Owner).unwrap().message;
                assert!(
                    message.contains("(10000") && message.ends_with("spec.defaultWorkspace"),
                    "{message}"
                );
            }
        }
    }
}

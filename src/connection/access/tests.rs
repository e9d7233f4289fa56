//! Every node and role, and what a message says of them.

use super::*;
use crate::{clickup::NodeVerdict::*, connection::finding::MAX_MESSAGE};
use Audience::{Owner, Referrer};
use serde_json::json;

fn nodes(list: &[(NodeKind, &str, NodeVerdict)]) -> BTreeMap<(NodeKind, String), NodeVerdict> {
    list.iter().map(|(kind, id, verdict)| ((*kind, (*id).to_owned()), verdict.clone())).collect()
}

fn spaces(list: &[(&str, &str)]) -> NodeVerdict<Arc<[Named]>> {
    let named = |(id, name): &(&str, &str)| Named { id: (*id).into(), name: Some((*name).into()) };
    Granted(list.iter().map(named).collect())
}

fn acme(role: Option<Role>) -> DefaultWorkspace {
    DefaultWorkspace { resolved: Resolved { id: "90".into(), name: Some("Acme".into()) }, role }
}

fn no<T>(reason: Reason) -> NodeVerdict<T> {
    let no = match reason {
        Reason::RateLimited => super::NoVerdict::rate_limited(None),
        _ => super::NoVerdict::timed_out(),
    };
    NoVerdict(no)
}

fn space(name: &str) -> Node {
    Node::SpaceNamed(name.into())
}

fn list(id: &str) -> Node {
    Node::List(id.into())
}

/// The reason and the message, or the reason of no verdict.
fn judged(access: Access<'_>) -> Result<(Reason, String), Option<Reason>> {
    let finding = access.judge().map_err(|no| no.map(|no| no.reason))?;
    assert_eq!(finding.is_true(), finding.reason == Reason::AccessGranted, "{finding:?}");
    assert_eq!(finding.is_false(), finding.reason != Reason::AccessGranted, "{finding:?}");
    Ok((finding.reason, finding.message))
}

#[test]
fn an_entry_names_one_node() {
    for (entry, node, probe) in [
        (json!({"space": {"id": "1"}}), Some(Node::Space("1".into())), Some((NodeKind::Space, "1"))),
        (json!({"space": {"name": "Eng"}}), Some(space("Eng")), None),
        (json!({"folder": {"id": "2"}}), Some(Node::Folder("2".into())), Some((NodeKind::Folder, "2"))),
        (json!({"list": {"id": "3"}}), Some(list("3")), Some((NodeKind::List, "3"))),
        (json!({"task": {"id": "abc"}}), Some(Node::Task("abc".into())), Some((NodeKind::Task, "abc"))),
        (json!({}), None, None),
    ] {
        let read = Node::of(&serde_json::from_value(entry.clone()).unwrap());
        assert_eq!(read, node, "{entry}");
        assert_eq!(read.as_ref().and_then(Node::probe), probe, "{entry}");
    }
}

#[test]
fn every_node_is_judged_and_one_no_decides() {
    use NodeKind::{Folder, List, Space, Task};
    use Reason::{AccessDenied, AccessGranted, RateLimited, RequestRefused, TimedOut};
    let some = spaces(&[("1", "Engineering"), ("2", "Twin"), ("3", "Twin")]);
    let four = [list("7"), Node::Task("abc".into()), Node::Folder("5".into()), Node::Space("4".into())];
    let tried = |verdicts: [NodeVerdict; 4]| {
        let ids = [(List, "7"), (Task, "abc"), (Folder, "5"), (Space, "4")];
        ids.into_iter().zip(verdicts).map(|((kind, id), verdict)| ((kind, id.to_owned()), verdict)).collect()
    };
    let none = BTreeMap::new;
    let granted = || Granted(());
    let see = "correct spec.access, or give the token's user access";
    let alike = "ClickUp refuses alike what is not there and what the user cannot see";
    let ok = |reason, message: String| Ok((reason, message));
    for (wanted, verdicts, spaces, expected) in [
        (
            &four[..],
            tried([granted(), granted(), granted(), granted()]),
            Some(&some),
            ok(AccessGranted, "the token reaches all 4 nodes of spec.access".into()),
        ),
        (
            &four[..1],
            tried([granted(), Denied, Denied, Denied]),
            Some(&some),
            ok(AccessGranted, "the token reaches what spec.access names".into()),
        ),
        (
            &four[..],
            tried([Denied, NotFound, PlanRequired, Denied]),
            Some(&some),
            ok(
                AccessDenied,
                format!(
                    "the token does not reach task abc (not found), space 4, list 7 (refused), folder 5 (not in the plan): {see}; {alike}; what is not in the plan needs another plan"
                ),
            ),
        ),
        (
            &four[..],
            tried([no(TimedOut), granted(), NotFound, granted()]),
            Some(&some),
            ok(AccessDenied, format!("the token does not reach folder 5 (not found): {see}")),
        ),
        (&four[..], tried([no(TimedOut), granted(), granted(), granted()]), Some(&some), Err(Some(TimedOut))),
        (
            &four[..],
            tried([no(RateLimited), granted(), no(TimedOut), granted()]),
            Some(&some),
            Err(Some(RateLimited)),
        ),
        (
            &four[..],
            tried([granted(), TokenDead, granted(), granted()]),
            Some(&some),
            Err(Some(RequestRefused)),
        ),
        (&four[..], none(), Some(&some), Err(Some(TimedOut))),
        (
            &[space("Engineering")],
            none(),
            Some(&some),
            ok(AccessGranted, "the token reaches what spec.access names".into()),
        ),
        (
            &[space("engineering"), space("Twin"), space("Twin")],
            none(),
            Some(&some),
            ok(
                AccessDenied,
                format!(
                    r#"the token does not reach space "engineering" (none of this name, but "Engineering" (1)), space "Twin" (several of this name, with the ids 2, 3): {see}; where several have a name, write the id"#
                ),
            ),
        ),
        (
            &[space("Engineering"), space("X")],
            none(),
            Some(&Denied),
            ok(
                AccessDenied,
                format!(
                    r#"the token does not reach space "Engineering", space "X" (refused): {see}; {alike}"#
                ),
            ),
        ),
        (
            &[space("X")],
            none(),
            Some(&NotFound),
            ok(AccessDenied, format!(r#"the token does not reach space "X" (not found): {see}"#)),
        ),
        (&[space("X")], none(), Some(&TokenDead), Err(Some(RequestRefused))),
        (&[space("X")], none(), Some(&no(RateLimited)), Err(Some(RateLimited))),
        (&[space("X")], none(), None, Err(Some(TimedOut))),
    ] {
        let default = acme(None);
        let access = Access {
            wanted,
            minimum: None,
            default: Some(&default),
            nodes: &verdicts,
            spaces,
            audience: Owner,
        };
        assert_eq!(judged(access), expected, "{wanted:?}");
    }
}

#[test]
fn a_referrer_is_told_of_no_space_that_it_did_not_name() {
    let some = spaces(&[("1", "Engineering"), ("2", "Twin"), ("3", "Twin")]);
    let (wanted, default, nodes) = ([space("engineering"), space("Twin")], acme(None), BTreeMap::new());
    let access = Access {
        wanted: &wanted,
        minimum: None,
        default: Some(&default),
        nodes: &nodes,
        spaces: Some(&some),
        audience: Referrer,
    };
    let message = r#"the token does not reach space "engineering" (none of this name), space "Twin" (several of this name): correct spec.access, or give the token's user access; where several have a name, write the id"#;
    assert_eq!(judged(access), Ok((Reason::AccessDenied, message.to_owned())));
}

#[test]
fn without_a_default_workspace_what_needs_one_is_not_judged() {
    let refused = nodes(&[(NodeKind::List, "7", Denied)]);
    let granted = nodes(&[(NodeKind::List, "7", Granted(()))]);
    let open = nodes(&[(NodeKind::List, "7", no(Reason::TimedOut))]);
    for (wanted, minimum, nodes, expected) in [
        (&[space("X")][..], None, &granted, Err(None)),
        (&[list("7")], Some(StandardRole::Guest), &granted, Err(None)),
        (&[space("X"), list("7")], None, &open, Err(None)),
        (&[space("X"), list("7")], None, &refused, Ok(Reason::AccessDenied)),
        (&[list("7")], Some(StandardRole::Guest), &refused, Ok(Reason::AccessDenied)),
        (&[list("7")], None, &granted, Ok(Reason::AccessGranted)),
    ] {
        let access = Access { wanted, minimum, default: None, nodes, spaces: None, audience: Owner };
        assert_eq!(judged(access).map(|(reason, _)| reason), expected, "{wanted:?} {minimum:?}");
    }
}

#[test]
fn a_role_is_high_enough_too_low_or_not_known() {
    use Reason::{AccessDenied, AccessGranted, RoleTooLow, TimedOut};
    use StandardRole::{Admin, Guest, Member, Owner as Own};
    let custom = |inherits| Some(Role::Custom { inherits });
    let standard = |role| Some(Role::Standard(role));
    for (role, minimum, reason, says) in [
        (standard(Guest), Guest, AccessGranted, "has the role Guest in workspace \"Acme\" (90)"),
        (standard(Own), Admin, AccessGranted, "has the role Owner"),
        (standard(Member), Member, AccessGranted, "asks for Member"),
        (
            standard(Guest),
            Member,
            RoleTooLow,
            "has the role Guest in workspace \"Acme\" (90), where spec.minimumRole asks for Member: ",
        ),
        (standard(Admin), Own, RoleTooLow, "asks for Owner: "),
        (custom(Some(Admin)), Member, AccessGranted, "a custom role made from Admin"),
        (custom(Some(Guest)), Member, RoleTooLow, "a custom role made from Guest"),
        (custom(None), Guest, RoleTooLow, "a custom role, and it is not known"),
        (Some(Role::Unknown), Guest, RoleTooLow, "not known to this version"),
        (None, Guest, RoleTooLow, "is not known, since ClickUp does not tell it"),
    ] {
        let default = acme(role);
        let alone = Access {
            wanted: &[],
            minimum: Some(minimum),
            default: Some(&default),
            nodes: &BTreeMap::new(),
            spaces: None,
            audience: Owner,
        };
        let (found, message) = judged(alone).unwrap();
        assert_eq!(found, reason, "{message}");
        assert!(message.contains(says) && message.starts_with("the token's user"), "{message}");
        // Beside a node: what is refused comes first, and a low role decides over what could not be told.
        let low = reason == RoleTooLow;
        for (verdict, expected) in [
            (Granted(()), Ok(reason)),
            (Denied, Ok(AccessDenied)),
            (no(TimedOut), if low { Ok(RoleTooLow) } else { Err(Some(TimedOut)) }),
        ] {
            let nodes = nodes(&[(NodeKind::List, "7", verdict)]);
            let both = Access { wanted: &[list("7")], nodes: &nodes, ..alone };
            assert_eq!(judged(both).map(|(reason, _)| reason), expected, "{role:?}");
        }
    }
}

#[test]
fn hints_are_given_on_the_first_few() {
    let seen = spaces(&[("1", "Alpha"), ("2", "Bravo"), ("3", "Carol"), ("4", "Delta")]);
    let wanted: Vec<_> = ["Alpho", "Bravi", "Carel", "Delto"].map(space).into();
    let (default, nodes) = (acme(None), BTreeMap::new());
    let access = Access {
        wanted: &wanted,
        minimum: None,
        default: Some(&default),
        nodes: &nodes,
        spaces: Some(&seen),
        audience: Owner,
    };
    let (_, message) = judged(access).unwrap();
    let told = ["Alpha", "Bravo", "Carol", "Delta"].map(|name| message.contains(name));
    assert_eq!(told, [true, true, true, false], "{message}");
}

#[test]
fn no_message_is_cut_however_many_are_refused() {
    for character in ["n", "漢", "🦀", "\"", "\u{200b}"] {
        let long = |n: usize| format!("{n}{}", character.repeat(250));
        let all: Vec<_> = (100..150).map(|n| (format!("{n}"), long(n))).collect();
        let all = spaces(&all.iter().map(|(id, name)| (id.as_str(), name.as_str())).collect::<Vec<_>>());
        let by_name: Vec<_> = (10..60).map(|n| space(&long(n))).collect();
        let by_id: Vec<_> = (10..60).map(|n| Node::Task(format!("{n}{}", "t".repeat(62)))).collect();
        let mixed: Vec<_> =
            by_name.iter().zip(&by_id).flat_map(|(a, b)| [a.clone(), b.clone()]).take(50).collect();
        let tried = |verdict: NodeVerdict| -> BTreeMap<_, _> {
            let ids = by_id.iter().filter_map(Node::probe);
            ids.map(|(kind, id)| ((kind, id.to_owned()), verdict.clone())).collect()
        };
        let default = acme(None);
        let resolved = Resolved { id: "9".repeat(20), name: Some(long(1)) };
        for role in [None, Some(Role::Custom { inherits: None }), Some(Role::Standard(StandardRole::Guest))] {
            let default = DefaultWorkspace { resolved: resolved.clone(), role };
            let minimum = Some(StandardRole::Member);
            let nodes = BTreeMap::new();
            let access = Access {
                wanted: &[],
                minimum,
                default: Some(&default),
                nodes: &nodes,
                spaces: None,
                audience: Owner,
            };
            let (_, message) = judged(access).unwrap();
            assert!(message.len() <= MAX_MESSAGE && message.ends_with("spec.minimumRole"), "{message}");
        }
        for (wanted, verdict, more) in [
            (&by_name, NotFound, true),
            (&by_id, PlanRequired, true),
            (&mixed, Denied, true),
            (&by_name[..1].to_vec(), Denied, false),
        ] {
            let nodes = tried(verdict);
            let access = Access {
                wanted,
                minimum: None,
                default: Some(&default),
                nodes: &nodes,
                spaces: Some(&all),
                audience: Owner,
            };
            let (reason, message) = judged(access).unwrap();
            assert_eq!(reason, Reason::AccessDenied);
            assert!(message.len() <= MAX_MESSAGE && !message.ends_with('…'), "{message}");
            assert_eq!(message.contains(" more: correct"), more, "{message}");
            assert!(message.contains("give the token's user access"), "{message}");
        }
    }
    // Hints are left out as soon as they do not fit.
    let mut hinted = Vec::new();
    for length in 5..64 {
        let name = |c: char, end: char| format!("{}{end}", String::from(c).repeat(length));
        let near = ['a', 'b', 'c'].map(|c| (c.to_string(), name(c, 'x')));
        let some = spaces(&near.each_ref().map(|(id, name)| (id.as_str(), name.as_str())));
        let (wanted, nodes) = (['a', 'b', 'c'].map(|c| space(&name(c, 'y'))), BTreeMap::new());
        let default = acme(None);
        let access = Access {
            wanted: &wanted,
            minimum: None,
            default: Some(&default),
            nodes: &nodes,
            spaces: Some(&some),
            audience: Owner,
        };
        let (_, message) = judged(access).unwrap();
        assert!(
            message.len() <= MAX_MESSAGE && message.ends_with("give the token's user access"),
            "{message}"
        );
        hinted.push(message.contains(", but "));
    }
    assert!(hinted[0] && !hinted[58] && hinted.is_sorted_by(|a, b| a >= b), "{hinted:?}");
    // Of the usual ids two dozen are named.
    let lists: Vec<_> = (10..60).map(|n| list(&format!("9015001234{n}"))).collect();
    let nodes =
        lists.iter().filter_map(Node::probe).map(|(kind, id)| ((kind, id.to_owned()), Denied)).collect();
    let access = Access {
        wanted: &lists,
        minimum: None,
        default: None,
        nodes: &nodes,
        spaces: None,
        audience: Referrer,
    };
    let (_, message) = judged(access).unwrap();
    assert!(message.matches("list 90").count() >= 15, "{message}");
}

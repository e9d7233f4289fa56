//! Which chat channel a demand means, and whether the token sees it.

use super::{
    Finding,
    audience::{Audience, label, labelled, quoted},
    nearest::{Found, Seen, Wanted, find, ids, instead},
};
use crate::{
    api::{ChannelRef, Reason, Resolved},
    clickup::{Named, NoVerdict, NodeVerdict},
};
use std::sync::Arc;

/// The condition ChannelResolved and the channel, or why it cannot be told. What is listed are the workspace's channels
/// without direct messages and archived ones.
pub(super) fn find_channel(
    wanted: &ChannelRef,
    workspace: &Resolved,
    listed: &NodeVerdict<Arc<[Named]>>,
    audience: Audience,
) -> Result<(Finding, Option<Resolved>), NoVerdict> {
    let place = label(workspace);
    let (reason, message) = match listed {
        NodeVerdict::Granted(channels) => return Ok(among(wanted, &place, channels, audience)),
        NodeVerdict::Denied => (
            Reason::ChannelAccessDenied,
            format!(
                "workspace {place} refuses its chat to this token: ask a workspace admin to allow API tokens and chat for the user's role"
            ),
        ),
        // The workspace itself is there: it is among those that the token sees. A channel's spelling cannot help.
        NodeVerdict::NotFound => (
            Reason::ChannelAccessDenied,
            format!(
                "ClickUp finds no chat in workspace {place} for this token: see whether chat is turned on there, and whether the token's user has it"
            ),
        ),
        NodeVerdict::PlanRequired => (
            Reason::PlanRequired,
            format!(
                "the plan of workspace {place} does not include chat in the API: upgrade it, or leave out spec.channel"
            ),
        ),
        NodeVerdict::TokenDead => return Err(NoVerdict::refused()),
        NodeVerdict::NoVerdict(no) => return Err(no.clone()),
    };
    Ok((Finding::no(reason, message), None))
}

fn among(
    wanted: &ChannelRef,
    place: &str,
    channels: &[Named],
    audience: Audience,
) -> (Finding, Option<Resolved>) {
    let wanted = Wanted::of(wanted.id.as_deref(), wanted.name.as_deref());
    let seen = || channels.iter().map(Seen::from);
    match find(wanted, seen()) {
        Found::One(one) => {
            let message =
                format!("the token sees channel {} in workspace {place}", labelled(one.id, one.name));
            (Finding::yes(Reason::ChannelFound, message), Some(one.into()))
        }
        Found::None => {
            let what = match wanted {
                Wanted::Id(id) => format!("the token sees no channel with id {id} in workspace {place}"),
                Wanted::Name(name) => {
                    format!("the token sees no channel named {} in workspace {place}", quoted(name))
                }
            };
            let advice =
                ": correct spec.channel, or add the token's user to the channel, unless it is archived";
            let message = audience.message(&what, |room| instead(wanted, seen(), room), advice);
            (Finding::no(Reason::ChannelNotFound, message), None)
        }
        Found::Several(several) => {
            let (Wanted::Id(name) | Wanted::Name(name)) = wanted;
            let what = format!("several channels in workspace {place} are named {}", quoted(name));
            let advice = ": write the id of the one that is meant in spec.channel";
            let message = audience.message(&what, |room| ids(&several, ", with the ids ", room), advice);
            (Finding::no(Reason::ChannelAmbiguous, message), None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::finding::MAX_MESSAGE;
    use Audience::{Owner, Referrer};

    fn workspace() -> Resolved {
        Resolved { id: "90".into(), name: Some("Acme".into()) }
    }

    fn named(name: &str) -> ChannelRef {
        ChannelRef { name: Some(name.into()), id: None }
    }

    fn id(id: &str) -> ChannelRef {
        ChannelRef { id: Some(id.into()), name: None }
    }

    fn channels(list: &[(&str, &str)]) -> NodeVerdict<Arc<[Named]>> {
        let named = |(id, name): &(&str, &str)| Named {
            id: (*id).into(),
            name: (!name.is_empty()).then(|| (*name).into()),
        };
        NodeVerdict::Granted(list.iter().map(named).collect())
    }

    #[test]
    fn a_channel_is_found_by_its_id_or_its_exact_name() {
        use Reason::*;
        let some = || {
            channels(&[("6-1", "releases"), ("6-2", "General"), ("6-3", "dup"), ("6-4", "dup"), ("6-5", "")])
        };
        for (wanted, listed, audience, reason, resolved, message) in [
            (
                named("releases"),
                some(),
                Owner,
                ChannelFound,
                Some("6-1"),
                r#"the token sees channel "releases" (6-1) in workspace "Acme" (90)"#,
            ),
            (
                id("6-5"),
                some(),
                Referrer,
                ChannelFound,
                Some("6-5"),
                r#"the token sees channel 6-5 in workspace "Acme" (90)"#,
            ),
            (
                named("general"),
                some(),
                Owner,
                ChannelNotFound,
                None,
                r#"the token sees no channel named "general" in workspace "Acme" (90), but "General" (6-2): correct spec.channel, or add the token's user to the channel, unless it is archived"#,
            ),
            (
                named("general"),
                some(),
                Referrer,
                ChannelNotFound,
                None,
                r#"the token sees no channel named "general" in workspace "Acme" (90): correct spec.channel, or add the token's user to the channel, unless it is archived"#,
            ),
            (
                id("x"),
                some(),
                Owner,
                ChannelNotFound,
                None,
                r#"the token sees no channel with id x in workspace "Acme" (90), but "releases" (6-1), "General" (6-2), "dup" (6-3), "dup" (6-4), 6-5: correct spec.channel, or add the token's user to the channel, unless it is archived"#,
            ),
            (
                id("x"),
                channels(&[]),
                Owner,
                ChannelNotFound,
                None,
                r#"the token sees no channel with id x in workspace "Acme" (90): correct spec.channel, or add the token's user to the channel, unless it is archived"#,
            ),
            (
                named("dup"),
                some(),
                Owner,
                ChannelAmbiguous,
                None,
                r#"several channels in workspace "Acme" (90) are named "dup", with the ids 6-3, 6-4: write the id of the one that is meant in spec.channel"#,
            ),
            (
                named("dup"),
                some(),
                Referrer,
                ChannelAmbiguous,
                None,
                r#"several channels in workspace "Acme" (90) are named "dup": write the id of the one that is meant in spec.channel"#,
            ),
        ] {
            let (finding, found) = find_channel(&wanted, &workspace(), &listed, audience).unwrap();
            assert_eq!((finding.reason, finding.message.as_str()), (reason, message));
            assert_eq!(finding.is_true(), reason == ChannelFound);
            assert_eq!(found.map(|f| f.id).as_deref(), resolved, "{wanted:?}");
        }
    }

    #[test]
    fn what_keeps_the_list_from_being_read_has_its_own_reason_or_is_no_verdict() {
        use NodeVerdict::*;
        for (listed, expected) in [
            (Denied, Ok(Reason::ChannelAccessDenied)),
            (NotFound, Ok(Reason::ChannelAccessDenied)),
            (PlanRequired, Ok(Reason::PlanRequired)),
            (TokenDead, Err(Reason::RequestRefused)),
            (NoVerdict(super::NoVerdict::timed_out()), Err(Reason::TimedOut)),
        ] {
            match (find_channel(&named("a"), &workspace(), &listed, Owner), expected) {
                (Ok((finding, None)), Ok(reason)) => {
                    assert!(finding.is_false() && finding.reason == reason, "{finding:?}");
                    assert!(finding.message.contains(r#""Acme" (90)"#), "{finding:?}");
                }
                (Err(no), Err(reason)) => assert_eq!(no.reason, reason),
                (judged, expected) => panic!("{judged:?}, not {expected:?}"),
            }
        }
    }

    #[test]
    fn no_message_is_cut_however_long_the_names() {
        for character in ["n", "ü", "漢", "🦀", "\"", "\u{200b}"] {
            let long = character.repeat(256);
            let workspace = Resolved { id: "9".repeat(20), name: Some(long.clone()) };
            let ids: Vec<_> = (10..60).map(|n| format!("{n}{}", "c".repeat(62))).collect();
            let near: Vec<_> = (0..50).map(|n| format!("{long}{n}")).collect();
            let alike = channels(&ids.iter().map(|id| (id.as_str(), long.as_str())).collect::<Vec<_>>());
            let others =
                channels(&ids.iter().zip(&near).map(|(id, n)| (id.as_str(), n.as_str())).collect::<Vec<_>>());
            for (wanted, listed) in
                [(named(&long), &alike), (named(&long), &others), (id(&ids[0]), &alike), (id("x"), &alike)]
            {
                let (finding, _) = find_channel(&wanted, &workspace, listed, Owner).unwrap();
                assert!(finding.message.len() <= MAX_MESSAGE, "{}", finding.message);
                let end = if finding.is_true() {
                    ")"
                } else if finding.reason == Reason::ChannelAmbiguous {
                    "spec.channel"
                } else {
                    "archived"
                };
                assert!(finding.message.ends_with(end), "{}", finding.message);
            }
        }
    }
}

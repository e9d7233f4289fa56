//! A connection that asks for all there is.

use super::*;
use crate::{
    api::StandardRole,
    clickup::{Named, NodeKind, Role},
};

fn named(id: &str, name: &str) -> NodeVerdict<Listed> {
    NodeVerdict::Granted([Named { id: id.into(), name: Some(name.into()) }].into())
}

/// Everything is there, but for what is changed.
fn found(change: impl FnOnce(&mut Answers)) -> Verdict {
    let workspace = |id: &str, role| Workspace {
        id: id.into(),
        name: Some(format!("W{id}")),
        role: Some(Role::Standard(role)),
    };
    let identity = Identity {
        user: User { id: "183".into(), name: None },
        workspaces: vec![workspace("89", StandardRole::Guest), workspace("90", StandardRole::Admin)],
    };
    let mut answers = Answers {
        workspaces: [("90".into(), NodeVerdict::Granted(()))].into(),
        spaces: Some(named("5", "Engineering")),
        channels: Some(named("6-1", "releases")),
        nodes: [((NodeKind::List, "7".into()), NodeVerdict::Granted(()))].into(),
    };
    change(&mut answers);
    Verdict::Valid { identity: Arc::new(identity), answers: Box::new(answers) }
}

fn asking() -> World {
    let mut world = World::new(json!({"defaultWorkspace": {"id": "90"}, "channel": {"name": "releases"},
        "access": [{"space": {"name": "Engineering"}}, {"list": {"id": "7"}}], "minimumRole": "Member"}));
    world.pass();
    world
}

#[test]
fn everything_asked_for_is_judged_and_shown() {
    let mut world = asking();
    world.ends(found(|_| {}));
    assert_eq!(world.ready(), ("True", "Verified"));
    assert_eq!(world.is("ChannelResolved"), ("True", "ChannelFound"));
    assert_eq!(world.is("AccessVerified"), ("True", "AccessGranted"));
    let shown = |world: &World| {
        let status = world.status();
        [status.default_workspace, status.channel].map(|r| r.map(|r| r.id))
    };
    assert_eq!(shown(&world), [Some("90".to_owned()), Some("6-1".to_owned())]);
    // What ClickUp could not be asked about stays as it was.
    let no = NoVerdict::timed_out;
    world.sleep().ends(found(|a| {
        a.channels = Some(NodeVerdict::NoVerdict(no()));
        a.spaces = Some(NodeVerdict::NoVerdict(no()));
    }));
    assert_eq!((world.ready(), world.is("Reachable")), (("True", "Verified"), ("False", "TimedOut")));
    assert_eq!(shown(&world), [Some("90".to_owned()), Some("6-1".to_owned())]);
    // A No is one, and the channel is not shown any more.
    world.sleep().ends(found(|a| a.channels = Some(named("6-2", "other"))));
    assert_eq!((world.ready(), world.is("AccessVerified").0), (("False", "ChannelNotFound"), "True"));
    assert_eq!(shown(&world), [Some("90".to_owned()), None]);
    world.sleep().ends(found(|a| a.spaces = Some(named("6", "Other"))));
    assert_eq!((world.ready(), world.is("ChannelResolved").0), (("False", "AccessDenied"), "True"));
}

#[test]
fn edits_of_a_part_keep_the_others() {
    let mut world = asking();
    world.ends(found(|_| {})).edit("channel", json!({"id": "6-1"})).pass().ends(down());
    let is = |world: &World| {
        ["Authenticated", "WorkspacesResolved", "ChannelResolved", "AccessVerified"]
            .map(|c| world.is(c).0 == "True")
    };
    assert_eq!((world.ready(), is(&world)), (("Unknown", "TimedOut"), [true, true, false, true]));
    assert!(world.status().channel.is_none() && world.status().default_workspace.is_some());
    let mut world = asking();
    world.ends(found(|_| {})).edit("minimumRole", json!("Admin")).pass().ends(down());
    assert_eq!(is(&world), [true, true, true, false]);
    assert!(world.status().channel.is_some());
    // The default workspace belongs to all.
    let mut world = asking();
    world.ends(found(|_| {})).edit("defaultWorkspace", json!({"id": "89"})).pass().ends(down());
    assert_eq!(is(&world), [true, false, false, false]);
    assert!(world.status().channel.is_none() && world.status().default_workspace.is_none());
    assert!(world.status().user.is_some());
    // What is not asked for any more is gone, and what is left was verified.
    let mut world = asking();
    world.ends(found(|_| {})).edit("channel", Value::Null);
    world.object["spec"].as_object_mut().unwrap().remove("channel");
    world.pass().ends(down());
    assert_eq!((world.ready(), world.is("ChannelResolved")), (("True", "Verified"), ("", "")));
}

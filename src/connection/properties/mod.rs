//! Histories that nobody thought of: random specs, Secrets, statuses and answers, in any order, through the decision core
//! as the shell drives it. After every pass the contract's rules must hold; shrunk, a broken one reads like a scenario.

mod given;
mod rules;
mod world;

use crate::{
    api::StandardRole,
    clickup::{Role, Workspace},
};
use given::{Ending, Said, edit, event, odd_status};
use proptest::{collection::vec, option, prelude::*};
use serde_json::{Value, json};
use world::World;

/// Everything is there.
fn healthy() -> Ending {
    let workspace = |(id, name): (&str, &str)| Workspace {
        id: id.into(),
        name: Some(name.into()),
        role: Some(Role::Standard(StandardRole::Owner)),
    };
    Ending {
        token: Said::Good,
        workspaces: given::WORKSPACES.map(workspace).into(),
        nodes: vec![Said::Good],
        listed: vec![0, 1, 2],
        limit: Some(100),
        age: 0,
        reset: None,
        retry: None,
    }
}

/// What a status says, whenever it was written.
fn timeless(world: &World) -> Value {
    let mut status = json!(world.status);
    let times = status.as_object_mut().expect("a status");
    for time in ["lastVerifiedTime", "lastHandledReconcileAt"] {
        times.remove(time);
    }
    for condition in status["conditions"].as_array_mut().expect("conditions") {
        condition["lastTransitionTime"].take();
    }
    status
}

proptest! {
    // PROPTEST_CASES=50000 tries harder.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_rules_hold_and_it_heals(
        spec in vec(edit(), 0..5),
        odd in option::weighted(0.2, odd_status()),
        watched in any::<bool>(),
        events in vec((event(), any::<bool>()), 1..40),
    ) {
        let mut world = World::new(&spec, odd, watched);
        for (event, twice) in &events {
            world.happens(event)?;
            if *twice {
                world.pass_again()?;
            }
        }
        world.heals(&healthy())?;
        world.pass_again()?;
        // As a new operator would see it.
        let mut fresh = world.afresh();
        fresh.pass()?;
        fresh.ends(&healthy())?;
        prop_assert_eq!(timeless(&world), timeless(&fresh), "a history is left in the status");
    }
}

use std::collections::BTreeSet;

use super::*;

#[test]
fn a_plan_is_a_function_of_its_seed() {
    for profile in [Profile::Short, Profile::Long] {
        assert_eq!(Plan::new(7, profile), Plan::new(7, profile));
        assert_ne!(Plan::new(7, profile).steps, Plan::new(8, profile).steps);
    }
}

#[test]
fn a_long_plan_has_every_fault_of_the_cluster_and_of_clickup() {
    let plan = Plan::new(1, Profile::Long);
    let mut cluster: Vec<_> = ClusterFault::all();
    let mut dealt: BTreeSet<(Call, Trouble)> = BTreeSet::new();
    for step in &plan.steps {
        match &step.fault {
            Fault::Cluster(fault, _) => cluster.retain(|other| other != fault),
            Fault::Dealt(all) => dealt.extend(all.iter().map(|d| (d.call, d.trouble))),
            _ => {}
        }
    }
    assert_eq!(cluster, []);
    assert_eq!(dealt.len(), Call::ALL.len() * Trouble::ALL.len());
}

#[test]
fn a_short_plan_ends_within_a_minute_by_design() {
    for seed in 0..50 {
        let plan = Plan::new(seed, Profile::Short);
        let blocked = plan.steps.iter().map(|step| step.patience().as_secs()).max();
        assert!(blocked.is_some_and(|s| s < 90), "{plan}");
        assert!(plan.steps.iter().any(|step| !step.changes.is_empty()));
        assert!((55..80).contains(&plan.world.connections.len()), "{plan}");
    }
}

#[test]
fn a_world_stays_of_the_same_size_and_mostly_works() {
    let plan = Plan::new(3, Profile::Long);
    let mut world = plan.world.clone();
    for step in plan.steps.iter().filter(|step| !step.sweep) {
        step.changes.iter().chain(&step.after).for_each(|change| drop(world.apply(change)));
        let good = world.connections.keys().filter(|key| world.expected(key).ready().0 == "True").count();
        let all = world.connections.len();
        assert!((250..450).contains(&all), "{all} after {step}");
        assert!(good * 2 > all, "{good} of {all} after {step}");
    }
}

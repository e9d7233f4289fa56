//! Clocks that differ from machine to machine, or are set back: what lies ahead must not put off what is due.

use super::*;

const DAY: i64 = 24 * 3600;

#[test]
fn a_status_from_a_clock_that_was_ahead_puts_nothing_off() {
    let mut world = verified(json!({}));
    world.after(-DAY).restart().pass();
    assert!((1..=900).contains(&world.due_in()), "{}", world.due_in());
    world.sleep();
    assert!(world.checks());
    let writes = world.writes;
    world.ends(valid());
    let told = world.status().last_verified_time.unwrap().0.as_second();
    assert_eq!(told, world.now.as_second(), "by this clock");
    assert_eq!(world.writes, writes + 1);
}

#[test]
fn a_clock_that_is_set_back_delays_no_check_by_as_much() {
    // One that failed may wait for a reset, an hour at most.
    for (ended, most) in [(valid(), 900), (Verdict::Rejected, 900), (down(), 3660)] {
        let mut world = verified(json!({}));
        world.sleep().ends(ended).after(-DAY).pass();
        assert!((1..=most).contains(&world.due_in()), "{}", world.due_in());
        world.sleep();
        assert!(world.checks());
    }
    // The second look at a rejected token, and at a Secret that may not be read.
    let mut world = verified(json!({}));
    world.sleep();
    let again_at = world.now + SignedDuration::from_secs(12);
    world.ends(Verdict::Suspect { again_at }).after(-DAY).pass();
    assert!((1..=15).contains(&world.due_in()), "{}", world.due_in());
    let mut world = World::new(json!({}));
    world.denied = true;
    world.pass().after(-DAY).pass();
    assert!((1..=300).contains(&world.due_in()), "{}", world.due_in());
    // An interval that is longer than anything else is put off keeps its points.
    let mut world = verified(json!({"interval": "24h"}));
    world.restart().pass().after(60).pass();
    assert!(world.due_in() > DAY / 3, "{}", world.due_in());
}

#[test]
fn an_annotation_waits_for_no_time_that_was_before() {
    let mut world = World::new(json!({"connectionRef": {"namespace": "o", "name": "c"}}));
    world.lender = serde_json::from_value(json!({"tokenSecretRef": {"name": "s"}})).ok();
    world.pass().ends(valid()).annotate("1").pass();
    assert!(world.checks());
    world.ends(valid()).after(-DAY).annotate("2").pass();
    assert!(world.checks());
}

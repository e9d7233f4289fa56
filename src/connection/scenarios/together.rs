//! What all who hold a token have in common: their beat, the end of an outage, news.

use super::*;
use crate::api::Duration;

fn beat(mins: u64) -> Common {
    Common { beat: Some(Beat::of(Duration::from_mins(mins), "another")), ..Common::default() }
}

#[test]
fn checks_are_made_at_the_common_beat() {
    let mut world = verified(json!({"interval": "10m"}));
    world.common = Some(beat(1));
    world.pass();
    assert!((540..=600).contains(&world.due_in()), "its own interval, at that point: {}", world.due_in());
    let alone = world.wake;
    world.common = Some(beat(7));
    world.pass();
    assert_ne!(world.wake, alone);
    assert!((210..=840).contains(&world.due_in()), "{}", world.due_in());
    // A longer interval rides on the beat: how recent an answer must be is the beat's half.
    world.common = Some(beat(1));
    world.sleep();
    let check = world.check.as_ref().unwrap();
    assert_eq!(check.not_before, world.now - SignedDuration::from_secs(30));
}

#[test]
fn after_an_outage_what_failed_in_it_is_tried_again_soon() {
    let recovered = |since: Timestamp, after: i64| {
        let (since, retry_at) =
            (since + SignedDuration::from_millis(1), since + SignedDuration::from_secs(after));
        Some(Common { recovery: Some(Recovery { since, retry_at }), ..beat(10) })
    };
    let mut world = verified(json!({}));
    world.sleep().ends(down());
    for _ in 0..5 {
        world.sleep().ends(down());
    }
    assert!(world.due_in() > 20, "{}", world.due_in());
    world.common = recovered(world.now, 7);
    world.pass();
    assert_eq!(world.due_in(), 7);
    // Never later than it would be.
    world.common = recovered(world.now, 7000);
    world.pass();
    assert_eq!(world.due_in(), 7);
    // What failed when that outage was over waits for its backoff.
    let since = world.now;
    world.sleep().ends(down());
    let due = world.due_in();
    assert!(due > 20, "{due}");
    world.common = recovered(since, 8);
    world.pass();
    assert_eq!(world.due_in(), due);
    let at_the_end = Recovery { since: world.now, retry_at: world.now + SignedDuration::from_secs(1) };
    world.common = Some(Common { recovery: Some(at_the_end), ..beat(10) });
    world.pass();
    assert_eq!(world.due_in(), due, "it failed no earlier than the outage ended");
    // One that has not failed has nothing to try again.
    world.sleep().ends(valid());
    let due = world.due_in();
    world.common = recovered(world.now, 7);
    world.pass();
    assert_eq!(world.due_in(), due);
}

#[test]
fn news_about_the_token_are_taken_over_at_once() {
    let mut world = verified(json!({}));
    let answered = world.now;
    world.common = Some(Common { news_at: Some(answered), ..beat(10) });
    world.after(5).pass();
    assert!(!world.checks(), "it knows them");
    world.common = Some(Common { news_at: Some(answered - SignedDuration::from_secs(9)), ..beat(10) });
    world.pass();
    assert!(!world.checks(), "it knows newer ones");
    let news = Some(answered + SignedDuration::from_secs(3));
    world.common = Some(Common { news_at: news, ..beat(10) });
    world.pass();
    assert!(world.checks());
    assert!(world.check.as_ref().unwrap().not_before >= answered, "by no older answer than it has");
    world.ends(Verdict::Rejected);
    assert_eq!(world.ready(), ("False", "TokenRejected"));
    world.pass();
    assert!(!world.checks(), "once");
    // Whoever has asked nothing yet has nothing to take over.
    let mut world = verified(json!({}));
    world.common = Some(Common { news_at: Some(world.now), ..beat(10) });
    world.after(1).restart().pass();
    assert!(!world.checks());
}

#[test]
fn a_second_rejection_is_awaited_whatever_others_do() {
    let mut world = verified(json!({}));
    world.sleep();
    let again_at = world.now + SignedDuration::from_secs(12);
    world.ends(Verdict::Suspect { again_at });
    let news = world.now + SignedDuration::from_secs(1);
    let recovery = Some(Recovery { since: news, retry_at: news });
    world.common = Some(Common { recovery, news_at: Some(news), ..beat(10) });
    world.after(2).pass();
    assert!(!world.checks());
    assert_eq!(world.due_in(), 10);
}

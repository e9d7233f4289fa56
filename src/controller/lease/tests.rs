//! Two candidates, an API server that compares versions, and everything that may happen between them.

use super::{
    election::{Answer, Election, Loss, Move, Record, Shown},
    term::Moment,
};
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::api::ObjectMeta;
use proptest::prelude::*;
use std::time::Duration;

const DURATION: Duration = Duration::from_secs(15);

fn record(version: u64, holder: Option<&str>, renewed: i64) -> Record {
    let metadata = ObjectMeta { resource_version: Some(version.to_string()), ..ObjectMeta::default() };
    let spec = LeaseSpec {
        holder_identity: holder.map(Into::into),
        lease_duration_seconds: Some(15),
        renew_time: Some(MicroTime(jiff::Timestamp::from_second(renewed).unwrap())),
        ..LeaseSpec::default()
    };
    Lease { metadata, spec: Some(spec) }.into()
}

fn after(begin: Moment, seconds: u64) -> Moment {
    let passed = Duration::from_secs(seconds);
    Moment { steady: begin.steady + passed, wall: begin.wall + passed }
}

/// A candidate `me` and the moment of its begin.
fn candidate() -> (Election, Moment) {
    (Election::new("me".to_owned(), DURATION), Moment::now())
}

/// One that has led since its begin, with version 1.
fn leader() -> (Election, Moment) {
    let (mut election, begin) = candidate();
    election.shown(Shown::NoneYet, begin.steady);
    assert_eq!(election.next(begin), Move::Create);
    election.answered(begin, Answer::Written(record(1, Some("me"), 0)), begin.steady);
    (election, begin)
}

#[test]
fn nothing_is_tried_before_the_watch_has_shown_how_things_stand() {
    let (election, begin) = candidate();
    assert_eq!(election.next(after(begin, 3600)), Move::Wait(None));
}

#[test]
fn what_is_free_is_taken_at_once() {
    let (mut election, begin) = candidate();
    election.shown(Shown::There(record(7, Some("other"), 0)), begin.steady);
    election.shown(Shown::There(record(8, None, 1)), after(begin, 1).steady);
    assert_eq!(election.next(after(begin, 1)), Move::Take(record(8, None, 1)));
    election.shown(Shown::Deleted(record(9, None, 1)), after(begin, 1).steady);
    assert_eq!(election.next(after(begin, 1)), Move::Create);
}

#[test]
fn anothers_lease_runs_out_when_it_was_seen_unchanged_for_its_duration() {
    let (mut election, begin) = candidate();
    election.shown(Shown::There(record(7, Some("other"), 0)), begin.steady);
    assert_eq!(election.next(begin), Move::Wait(Some(after(begin, 15).steady)));
    // A renewal prolongs it, an edit by somebody else does not.
    let renewed = record(8, Some("other"), 3);
    election.shown(Shown::There(renewed), after(begin, 3).steady);
    let edited = record(9, Some("other"), 3);
    election.shown(Shown::There(edited.clone()), after(begin, 9).steady);
    assert_eq!(election.next(after(begin, 17)), Move::Wait(Some(after(begin, 18).steady)));
    assert_eq!(election.next(after(begin, 18)), Move::Take(edited));
}

#[test]
fn a_leader_renews_and_steps_down_when_it_cannot() {
    let (mut election, begin) = leader();
    let mine = record(1, Some("me"), 0);
    assert_eq!(election.next(begin), Move::Wait(Some(after(begin, 3).steady)));
    assert_eq!(election.next(after(begin, 3)), Move::Renew(mine.clone()));
    election.answered(after(begin, 3), Answer::Failed, after(begin, 6).steady);
    assert_eq!(election.next(after(begin, 6)), Move::Wait(Some(after(begin, 7).steady)));
    assert_eq!(election.next(after(begin, 9)), Move::Renew(mine));
    // The answer counts from when the renewal was sent, however late it comes.
    election.answered(after(begin, 9), Answer::Written(record(2, Some("me"), 9)), after(begin, 20).steady);
    assert_eq!(election.next(after(begin, 18)), Move::Renew(record(2, Some("me"), 9)));
    assert_eq!(election.next(after(begin, 19)), Move::StepDown(Loss::Expired));
}

#[test]
fn a_leader_steps_down_when_the_lease_is_anothers_or_gone() {
    let other = Loss::Taken("other".to_owned());
    let rows = [
        (Shown::There(record(2, Some("other"), 1)), Some(other)),
        (Shown::There(record(2, None, 1)), Some(Loss::Cleared)),
        (Shown::Deleted(record(2, Some("me"), 0)), Some(Loss::Cleared)),
        (Shown::There(record(2, Some("me"), 1)), None),
        // What the watch shows may be old.
        (Shown::There(record(1, Some("other"), 0)), None),
        (Shown::Deleted(record(0, None, 0)), None),
        (Shown::NoneYet, None),
    ];
    for (shown, loss) in rows {
        let (mut election, begin) = leader();
        let what = format!("{shown:?}");
        election.shown(shown, after(begin, 1).steady);
        let lost = match election.next(after(begin, 1)) {
            Move::StepDown(loss) => Some(loss),
            _ => None,
        };
        assert_eq!(lost, loss, "{what}");
    }
    let (mut election, begin) = leader();
    election.answered(after(begin, 3), Answer::NotFound, after(begin, 3).steady);
    assert_eq!(election.next(after(begin, 3)), Move::StepDown(Loss::Cleared));
}

#[test]
fn an_answer_that_was_lost_is_made_up_for() {
    let (mut election, begin) = candidate();
    election.shown(Shown::NoneYet, begin.steady);
    election.answered(begin, Answer::Failed, after(begin, 3).steady);
    election.shown(Shown::There(record(5, Some("me"), 0)), after(begin, 3).steady);
    assert!(election.tenure().is_none(), "when that write was sent is not known any more");
    assert_eq!(election.next(after(begin, 3)), Move::Renew(record(5, Some("me"), 0)));
}

/// What happens next in a story of two candidates.
#[derive(Clone, Copy, Debug)]
enum Happening {
    /// Time passes.
    Pass { millis: u64 },
    /// The watch shows a candidate the next thing that it has not seen.
    Show { who: usize },
    /// A candidate does what it decides, and hears of it so much later.
    Act { who: usize, takes: u64 },
    /// The same, but the answer never comes.
    ActUnheard { who: usize },
    /// Somebody else deletes the Lease.
    Delete,
}

fn happening() -> impl Strategy<Value = Happening> {
    let who = 0..2_usize;
    prop_oneof![
        4 => (0..6_000_u64).prop_map(|millis| Happening::Pass { millis }),
        1 => (10_000..40_000_u64).prop_map(|millis| Happening::Pass { millis }),
        6 => who.clone().prop_map(|who| Happening::Show { who }),
        8 => (who.clone(), 0..3_000_u64).prop_map(|(who, takes)| Happening::Act { who, takes }),
        1 => who.prop_map(|who| Happening::ActUnheard { who }),
    ]
}

/// The API server: the Lease and all that a watch has to show.
#[derive(Default)]
struct Server {
    version: u64,
    lease: Option<Record>,
    shown: Vec<Shown>,
}

impl Server {
    fn write(&mut self, me: &str, decided: &Move) -> Answer {
        let seen = match decided {
            Move::Create if self.lease.is_some() => return Answer::Conflict,
            Move::Create => None,
            Move::Take(seen) | Move::Renew(seen) => Some(seen),
            Move::Wait(_) | Move::StepDown(_) => unreachable!(),
        };
        match (&self.lease, seen) {
            (None, Some(_)) => return Answer::NotFound,
            (Some(lease), Some(seen)) if lease.version != seen.version => return Answer::Conflict,
            _ => {}
        }
        self.version += 1;
        let written = record(self.version, Some(me), i64::try_from(self.version).unwrap());
        self.lease = Some(written.clone());
        self.shown.push(Shown::There(written.clone()));
        Answer::Written(written)
    }

    fn delete(&mut self) {
        if self.lease.take().is_some() {
            self.version += 1;
            self.shown.push(Shown::Deleted(record(self.version, None, 0)));
        }
    }
}

/// Tells a story, and returns how many terms there were.
fn tell(story: &[Happening]) -> Result<usize, TestCaseError> {
    let names = ["first", "second"];
    let mut candidates = names.map(|name| Election::new(name.to_owned(), DURATION));
    let (mut seen, mut terms) = ([0; 2], 0);
    let (mut server, begin, mut millis) = (Server::default(), Moment::now(), 0);
    candidates.iter_mut().for_each(|c| c.shown(Shown::NoneYet, begin.steady));
    let at = |millis| {
        let passed = Duration::from_millis(millis);
        Moment { steady: begin.steady + passed, wall: begin.wall + passed }
    };
    for happening in story {
        match *happening {
            Happening::Pass { millis: passed } => millis += passed,
            Happening::Delete => server.delete(),
            Happening::Show { who } => {
                if let Some(next) = server.shown.get(seen[who]) {
                    seen[who] += 1;
                    candidates[who].shown(next.clone(), at(millis).steady);
                }
            }
            Happening::Act { who, .. } | Happening::ActUnheard { who } => {
                let decided = candidates[who].next(at(millis));
                let was_leader = candidates[who].tenure().is_some();
                match &decided {
                    Move::Wait(_) => continue,
                    Move::StepDown(_) => {
                        // The process ends; another with another name begins.
                        candidates[who] = Election::new(format!("{}-{millis}", names[who]), DURATION);
                        candidates[who].shown(Shown::NoneYet, at(millis).steady);
                        seen[who] = 0;
                        continue;
                    }
                    _ => {}
                }
                let sent = at(millis);
                let answer = server.write(candidates[who].me(), &decided);
                match happening {
                    Happening::Act { takes, .. } => {
                        millis += takes;
                        candidates[who].answered(sent, answer, at(millis).steady);
                    }
                    _ => candidates[who].answered(sent, Answer::Failed, at(millis).steady),
                }
                terms += usize::from(!was_leader && candidates[who].tenure().is_some());
            }
        }
        let now = at(millis);
        let leaders = candidates.iter().filter(|c| c.tenure().is_some_and(|t| !t.is_over(now))).count();
        prop_assert!(leaders < 2, "two leaders after {happening:?}");
    }
    Ok(terms)
}

proptest! {
    #[test]
    fn there_are_never_two_leaders(story in prop::collection::vec(happening(), 1..400)) {
        tell(&story)?;
    }
}

#[test]
fn stories_have_changes_of_leaders() {
    use Happening::*;
    let act = |who| Act { who, takes: 10 };
    let story = [act(0), Show { who: 1 }, Pass { millis: 16_000 }, act(1), act(0), Show { who: 0 }, act(0)];
    assert_eq!(tell(&story).unwrap(), 2, "the second takes over from one that stood still");
    let story = [act(0), Show { who: 1 }, Delete, Show { who: 1 }, act(1)];
    assert!(tell(&story).is_err(), "that two lead for a moment after a deletion, this model can see");
}

//! Single flight: whoever asks while a question is under way waits for its answer; a recent answer serves too.

use crate::{
    clickup::{TurnId, Urgency},
    controller::lock,
    observe::CheckSpan,
};
use futures::{
    FutureExt,
    future::{BoxFuture, Shared, WeakShared},
};
use jiff::{SignedDuration, Timestamp};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use tokio::sync::watch;

/// How far a question has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// The token's budget, or a limit, keeps it from being sent.
    Held,
    /// It waits for a place among all requests.
    Queued,
    /// It was sent.
    Sent,
}

/// On whose behalf a question is asked.
#[derive(Clone, Debug)]
pub(super) struct OnBehalf {
    pub(super) namespace: Arc<str>,
    pub(super) last_verdict: Option<Timestamp>,
    pub(super) urgency: Urgency,
    /// Somebody has asked for it with the annotation.
    pub(super) annotated: bool,
    /// For how long its calls are waited for.
    pub(super) timeout: SignedDuration,
    /// Where calls and waits are told, whoever waits for the answer.
    pub(super) span: CheckSpan,
}

/// A question on its way: what its flight and those who wait for it share.
pub(super) struct Errand {
    pub(super) on_behalf: OnBehalf,
    progress: watch::Sender<Progress>,
    sent: Arc<OnceLock<Timestamp>>,
    place: Mutex<Place>,
}

/// Its place in the queue for the budget.
struct Place {
    urgency: Urgency,
    turn: Option<TurnId>,
}

impl Errand {
    fn new(on_behalf: OnBehalf) -> Arc<Self> {
        let place = Mutex::new(Place { urgency: on_behalf.urgency, turn: None });
        Arc::new(Self {
            on_behalf,
            progress: watch::Sender::new(Progress::Queued),
            sent: Arc::default(),
            place,
        })
    }

    pub(super) fn urgency(&self) -> Urgency {
        lock(&self.place).urgency
    }

    pub(super) fn queued(&self, turn: Option<TurnId>) {
        lock(&self.place).turn = turn;
    }

    pub(super) fn advance(&self, progress: Progress) {
        self.progress.send_replace(progress);
    }

    /// The first request goes out.
    pub(super) fn send(&self, now: Timestamp) {
        let _ = self.sent.set(now);
        self.advance(Progress::Sent);
    }

    /// When the first request went out, if one did.
    pub(super) fn sent(&self) -> Option<Timestamp> {
        self.sent.get().copied()
    }

    /// What is left of it when nobody waits for it any more.
    pub(super) fn trace(self: &Arc<Self>) -> Trace {
        Trace { errand: Arc::downgrade(self), sent: self.sent.clone() }
    }

    /// Somebody joins to whom it matters more; returns the turn that is to be moved up.
    fn raise(&self, urgency: Urgency) -> Option<TurnId> {
        let mut place = lock(&self.place);
        if urgency >= place.urgency {
            return None;
        }
        place.urgency = urgency;
        place.turn
    }
}

/// An errand that may have been given up.
pub(super) struct Trace {
    errand: Weak<Errand>,
    sent: Arc<OnceLock<Timestamp>>,
}

impl Trace {
    /// When the first request went out, if one did.
    pub(super) fn sent(&self) -> Option<Timestamp> {
        self.sent.get().copied()
    }
}

/// An answer, and when it was asked for; none where the process ended before there was one.
pub(super) type Answered<T> = Option<(Timestamp, T)>;

/// The future of an answer, for all who wait for it.
pub(super) type Flight<T> = Shared<BoxFuture<'static, Answered<T>>>;
type WeakFlight<T> = WeakShared<BoxFuture<'static, Answered<T>>>;

/// A place on a flight.
pub(super) struct Ticket<T: Clone> {
    pub(super) errand: Option<Arc<Errand>>,
    pub(super) progress: watch::Receiver<Progress>,
    pub(super) flight: Flight<T>,
    /// A turn that is to be moved up, because this one cannot wait.
    pub(super) raised: Option<TurnId>,
}

/// One question, asked by one at a time. A flight lives as long as somebody waits for it, under each one's own deadline,
/// and so under the longest.
pub(super) struct Question<T: Clone> {
    /// Without a hold on either: a flight that ends where a lock is held would want that lock.
    running: Option<(Weak<Errand>, WeakFlight<T>)>,
    last: Option<Last<T>>,
    failures: u32,
}

struct Last<T> {
    asked: Timestamp,
    answer: T,
    /// Where it is no verdict: until when it stands for others.
    retry_at: Option<Timestamp>,
    /// Where it was given up: for how long somebody waited. It says nothing to who would wait longer.
    waited: Option<SignedDuration>,
}

impl<T: Clone + Send + Sync + 'static> Last<T> {
    fn ticket(&self) -> Ticket<T> {
        let (_, progress) = watch::channel(Progress::Sent);
        let flight = futures::future::ready(Some((self.asked, self.answer.clone()))).boxed().shared();
        Ticket { errand: None, progress, flight, raised: None }
    }
}

impl<T: Clone> Default for Question<T> {
    fn default() -> Self {
        Self { running: None, last: None, failures: 0 }
    }
}

impl<T: Clone + Send + Sync + 'static> Question<T> {
    /// Takes the last answer, or joins the flight under way, if it was asked for not before `not_before` and `serves`;
    /// else asks.
    pub(super) fn join(
        &mut self,
        not_before: Timestamp,
        now: Timestamp,
        on_behalf: OnBehalf,
        serves: impl Fn(&T) -> bool,
        ask: impl FnOnce(Arc<Errand>) -> BoxFuture<'static, Answered<T>>,
    ) -> Ticket<T> {
        // What a clock that was set back left ahead would stand until the time has come again.
        self.last.take_if(|last| last.asked > now);
        let stands = |last: &&Last<T>| {
            last.asked >= not_before
                && last.retry_at.is_none_or(|at| now < at)
                && last.waited.is_none_or(|waited| on_behalf.timeout <= waited)
                && serves(&last.answer)
        };
        let last = self.last.as_ref().filter(stands);
        if let Some(last) = last.filter(|last| last.retry_at.is_none()) {
            return last.ticket();
        }
        // A flight that is not joined is not touched: the last to let go of it must not hold the lock.
        if let Some((errand, flight)) = &self.running
            && let Some(errand) = errand.upgrade()
            && errand.sent().is_none_or(|sent| sent >= not_before)
            && let Some(flight) = flight.upgrade()
        {
            let raised = errand.raise(on_behalf.urgency);
            return Ticket { progress: errand.progress.subscribe(), errand: Some(errand), flight, raised };
        }
        if let Some(last) = last {
            return last.ticket();
        }
        let errand = Errand::new(on_behalf);
        let flight = ask(errand.clone()).shared();
        self.running = flight.downgrade().map(|weak| (Arc::downgrade(&errand), weak));
        Ticket { progress: errand.progress.subscribe(), errand: Some(errand), flight, raised: None }
    }

    /// Whether nobody waits for this errand any more, and it has ended for that.
    pub(super) fn is_abandoned(&self, Trace { errand, .. }: &Trace) -> bool {
        errand.strong_count() == 0 && self.running.as_ref().is_some_and(|(e, _)| e.ptr_eq(errand))
    }

    /// The flight of this errand has its answer: nobody joins it any more.
    pub(super) fn ended(&mut self, errand: &Errand) {
        self.running.take_if(|(e, _)| std::ptr::eq(e.as_ptr(), errand));
    }

    /// How many answers in a row were no verdict.
    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    /// An answer has come; where it is no verdict, with the time when the question is asked again.
    pub(super) fn settle(
        &mut self,
        asked: Timestamp,
        answer: T,
        retry_at: Option<Timestamp>,
        waited: Option<SignedDuration>,
    ) -> bool {
        let newest = self.last.as_ref().is_none_or(|last| last.asked <= asked);
        if newest {
            self.failures = if retry_at.is_some() { self.failures.saturating_add(1) } else { 0 };
            self.last = Some(Last { asked, answer, retry_at, waited });
        }
        newest
    }

    /// When it is asked again after an answer without a verdict.
    pub(super) fn retry_at(&self) -> Option<Timestamp> {
        self.last.as_ref()?.retry_at
    }

    /// Forgets an answer that was no verdict, and how many there were: it would be another one now.
    pub(super) fn forget_failure(&mut self) {
        if self.last.take_if(|last| last.retry_at.is_some()).is_some() {
            self.failures = 0;
        }
    }

    /// Whether it is under way, or was answered since then.
    pub(super) fn is_fresh(&self, since: Timestamp) -> bool {
        self.running.as_ref().is_some_and(|(errand, _)| errand.strong_count() > 0)
            || self.last.as_ref().is_some_and(|last| last.asked >= since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn anybody(urgency: Urgency) -> OnBehalf {
        OnBehalf {
            namespace: "n".into(),
            last_verdict: None,
            urgency,
            annotated: false,
            timeout: SignedDuration::from_secs(30),
            span: CheckSpan::default(),
        }
    }

    #[tokio::test]
    async fn a_question_is_asked_once_unless_a_newer_answer_is_wanted() {
        let asked = Arc::new(AtomicU32::new(0));
        let ask = |second| {
            let asked = asked.clone();
            move |errand: Arc<Errand>| {
                errand.send(at(second));
                async move {
                    let _flown = errand;
                    Some((at(second), asked.fetch_add(1, Ordering::SeqCst) + 1))
                }
                .boxed()
            }
        };
        let mut question = Question::default();
        let mut join = |not_before, now| {
            question.join(at(not_before), at(now), anybody(Urgency::Routine), |_| true, ask(now)).flight
        };
        let (first, second, newer) = (join(0, 10), join(10, 11), join(11, 12));
        assert_eq!((first.await, second.await), (Some((at(10), 1)), Some((at(10), 1))));
        assert_eq!(newer.await, Some((at(12), 2)));
        question.settle(at(12), 2, None, None);
        question.settle(at(10), 1, None, None);
        let mut join = |not_before, now| {
            question.join(at(not_before), at(now), anybody(Urgency::Routine), |_| true, ask(now)).flight
        };
        assert_eq!(join(12, 13).await, Some((at(12), 2)), "the last answer serves");
        assert_eq!(join(13, 13).await, Some((at(13), 3)), "an older one does not");
        question.settle(at(13), 3, Some(at(22)), None);
        assert_eq!((question.retry_at(), question.failures()), (Some(at(22)), 1));
        let mut join = |not_before, now| {
            question.join(at(not_before), at(now), anybody(Urgency::Routine), |_| true, ask(now)).flight
        };
        assert_eq!(
            join(0, 21).await,
            Some((at(13), 3)),
            "what was no verdict serves until it is asked again"
        );
        assert_eq!(join(0, 22).await, Some((at(22), 4)));
    }

    #[tokio::test]
    async fn an_answer_from_before_the_clock_was_set_back_serves_nobody() {
        let ask = |_| async { Some((at(50), 2)) }.boxed();
        for retry_at in [None, Some(at(120))] {
            let mut question = Question::default();
            question.settle(at(100), 1, retry_at, None);
            let flight = question.join(at(0), at(50), anybody(Urgency::Routine), |_| true, ask).flight;
            assert_eq!(flight.await, Some((at(50), 2)));
            assert!(question.settle(at(50), 2, None, None), "and is no news to what came after");
        }
    }

    #[tokio::test]
    async fn an_errand_that_waits_serves_all_and_is_raised_by_who_cannot_wait() {
        let mut question: Question<u32> = Question::default();
        let ask = |_| futures::future::pending().boxed();
        let first = question.join(at(0), at(0), anybody(Urgency::Routine), |_| true, ask);
        let errand = first.errand.clone().unwrap();
        let second = question.join(at(5), at(5), anybody(Urgency::Asked), |_| true, ask);
        assert!(Arc::ptr_eq(&errand, second.errand.as_ref().unwrap()), "it was not sent before 5");
        assert_eq!(errand.urgency(), Urgency::Asked);
        errand.send(at(6));
        let third = question.join(at(7), at(7), anybody(Urgency::Asked), |_| true, ask);
        assert!(!Arc::ptr_eq(&errand, third.errand.as_ref().unwrap()));
        drop((first, second));
        let errand = third.errand.as_ref().unwrap().trace();
        assert!(!question.is_abandoned(&errand));
        drop(third);
        assert!(question.is_abandoned(&errand), "nobody waiting ends the flight");
    }
}

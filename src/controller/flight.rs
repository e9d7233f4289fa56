//! Single flight: whoever asks while a question is under way waits for its answer; a recent answer serves too.

use futures::{
    FutureExt,
    future::{BoxFuture, Shared, WeakShared},
};
use jiff::Timestamp;

/// One question, asked by one at a time. A flight lives as long as somebody waits for it, under each one's own deadline,
/// and so under the longest.
pub(super) struct Flight<T: Clone> {
    running: Option<(Timestamp, WeakShared<BoxFuture<'static, T>>)>,
    last: Option<(Timestamp, T)>,
}

impl<T: Clone> Default for Flight<T> {
    fn default() -> Self {
        Self { running: None, last: None }
    }
}

/// A place on a flight.
pub(super) struct Ticket<T: Clone> {
    /// When the question was asked.
    pub(super) begun: Timestamp,
    /// Its answer.
    pub(super) answer: Shared<BoxFuture<'static, T>>,
}

impl<T: Clone + Send + Sync + 'static> Flight<T> {
    /// Joins the flight under way, or takes the last answer, if it was asked for not before `not_before`; else asks.
    pub(super) fn join(
        &mut self,
        not_before: Timestamp,
        now: Timestamp,
        ask: impl FnOnce() -> BoxFuture<'static, T>,
    ) -> Ticket<T> {
        if let Some((begun, answer)) =
            self.running.as_ref().and_then(|(begun, weak)| Some((*begun, weak.upgrade()?)))
            && begun >= not_before
        {
            return Ticket { begun, answer };
        }
        if let Some((begun, answer)) = self.last.as_ref().filter(|(begun, _)| *begun >= not_before) {
            return Ticket { begun: *begun, answer: futures::future::ready(answer.clone()).boxed().shared() };
        }
        let answer = ask().shared();
        self.running = answer.downgrade().map(|weak| (now, weak));
        Ticket { begun: now, answer }
    }

    /// Remembers an answer that may serve others.
    pub(super) fn remember(&mut self, begun: Timestamp, answer: T) {
        if self.last.as_ref().is_none_or(|(last, _)| *last < begun) {
            self.last = Some((begun, answer));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[tokio::test]
    async fn a_question_is_asked_once_unless_a_newer_answer_is_wanted() {
        let asked = Arc::new(AtomicU32::new(0));
        let ask = || {
            let asked = asked.clone();
            || async move { asked.fetch_add(1, Ordering::SeqCst) + 1 }.boxed()
        };
        let mut flight = Flight::default();
        let (first, second) = (flight.join(at(0), at(10), ask()), flight.join(at(10), at(11), ask()));
        let newer = flight.join(at(11), at(12), ask());
        assert_eq!((first.answer.await, second.answer.await, newer.answer.await), (1, 1, 2));
        flight.remember(at(12), 2);
        flight.remember(at(10), 1);
        assert_eq!(flight.join(at(12), at(13), ask()).answer.await, 2);
        assert_eq!(flight.join(at(13), at(13), ask()).answer.await, 3);
    }

    #[tokio::test]
    async fn nobody_waiting_ends_the_flight() {
        let mut flight: Flight<u32> = Flight::default();
        drop(flight.join(at(0), at(0), || futures::future::pending().boxed()));
        assert_eq!(flight.join(at(0), at(1), || async { 7 }.boxed()).answer.await, 7);
    }
}

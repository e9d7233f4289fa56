//! The second rejection: a token that was good before is called dead only when ClickUp says so twice.

use crate::clickup::{NoVerdict, TokenVerdict};
use jiff::{SignedDuration, Timestamp};

/// The least time between a first rejection and one that confirms it; the most is [`SECOND_AFTER_AT_MOST`].
pub(super) const SECOND_AFTER: SignedDuration = SignedDuration::from_secs(10);
pub(super) const SECOND_AFTER_AT_MOST: SignedDuration = SignedDuration::from_secs(15);

/// What is known of a token's past. It belongs to the token, not to a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TokenHistory {
    /// Nothing.
    #[default]
    Unknown,
    /// ClickUp accepted it.
    Good,
    /// A good one was rejected then, which awaits confirmation.
    Suspect(Timestamp),
    /// A good one was rejected, and could not be asked about again: that stands until the next verdict.
    RejectedOnce,
    /// ClickUp rejected it.
    Dead,
}

/// What an answer means in the light of the token's past.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judgement<T> {
    /// Alive.
    Valid(T),
    /// Dead.
    Rejected,
    /// Rejected once, and not to be asked now.
    RejectedOnce(NoVerdict),
    /// Rejected for the first time: ask again then.
    Suspect {
        /// When to ask again.
        again_at: Timestamp,
    },
    /// Could not be asked.
    NoVerdict(NoVerdict),
}

impl TokenHistory {
    /// Judges a verdict about the token and remembers it. `spread` in 0..1 keeps many tokens from asking at once.
    pub fn judge<T>(&mut self, verdict: TokenVerdict<T>, now: Timestamp, spread: f64) -> Judgement<T> {
        let early = |first: Timestamp| now < first + SECOND_AFTER;
        let (history, judgement) = match (verdict, *self) {
            (TokenVerdict::Valid(value), _) => (Self::Good, Judgement::Valid(value)),
            (TokenVerdict::Rejected, Self::Good) => {
                (Self::Suspect(now), Judgement::Suspect { again_at: again_at(now, spread) })
            }
            // Asked too early to count as the second time.
            (TokenVerdict::Rejected | TokenVerdict::NoVerdict(_), Self::Suspect(first)) if early(first) => {
                // From now on where the clock was set back since.
                let first = first.min(now);
                (Self::Suspect(first), Judgement::Suspect { again_at: again_at(first, spread) })
            }
            (TokenVerdict::Rejected, _) => (Self::Dead, Judgement::Rejected),
            (TokenVerdict::NoVerdict(no), Self::Suspect(_) | Self::RejectedOnce) => {
                (Self::RejectedOnce, Judgement::RejectedOnce(no))
            }
            (TokenVerdict::NoVerdict(no), history) => (history, Judgement::NoVerdict(no)),
        };
        *self = history;
        judgement
    }
}

fn again_at(first: Timestamp, spread: f64) -> Timestamp {
    let more = (SECOND_AFTER_AT_MOST - SECOND_AFTER).mul_f64(spread.clamp(0.0, 1.0) * 0.8);
    first + SECOND_AFTER + more
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + second).unwrap()
    }

    fn no() -> TokenVerdict<()> {
        TokenVerdict::NoVerdict(NoVerdict::timed_out())
    }

    #[test]
    fn a_first_rejection_that_lies_ahead_counts_from_now_on() {
        let mut history = TokenHistory::Good;
        history.judge::<()>(TokenVerdict::Rejected, at(1000), 0.0);
        let again = history.judge::<()>(TokenVerdict::Rejected, at(0), 0.0);
        assert_eq!(again, Judgement::Suspect { again_at: at(10) }, "the clock was set back");
        assert_eq!(history.judge::<()>(TokenVerdict::Rejected, at(10), 0.0), Judgement::Rejected);
    }

    #[test]
    fn a_good_token_is_rejected_only_the_second_time() {
        use TokenVerdict::{Rejected, Valid};
        let second = |s| Judgement::Suspect { again_at: at(s) };
        let cases = [
            ("new token, at once", false, vec![(Rejected, 0, Judgement::Rejected)]),
            (
                "good token, twice",
                true,
                vec![
                    (Rejected, 0, second(10)),
                    (Rejected, 10, Judgement::Rejected),
                    (Rejected, 700, Judgement::Rejected),
                ],
            ),
            (
                "too early to count",
                true,
                vec![
                    (Rejected, 0, second(10)),
                    (Rejected, 4, second(10)),
                    (no(), 5, second(10)),
                    (Rejected, 11, Judgement::Rejected),
                ],
            ),
            (
                "a mistake",
                true,
                vec![
                    (Rejected, 0, second(10)),
                    (Valid(()), 10, Judgement::Valid(())),
                    (Rejected, 20, second(30)),
                ],
            ),
            (
                "cannot ask again: the first stands until a verdict",
                true,
                vec![
                    (Rejected, 0, second(10)),
                    (no(), 12, Judgement::RejectedOnce(NoVerdict::timed_out())),
                    (no(), 20, Judgement::RejectedOnce(NoVerdict::timed_out())),
                    (Rejected, 30, Judgement::Rejected),
                    (no(), 40, Judgement::NoVerdict(NoVerdict::timed_out())),
                ],
            ),
            (
                "no verdict says nothing",
                true,
                vec![(no(), 0, Judgement::NoVerdict(NoVerdict::timed_out())), (Rejected, 5, second(15))],
            ),
        ];
        for (name, good, steps) in cases {
            let mut history = if good { TokenHistory::Good } else { TokenHistory::Unknown };
            for (verdict, second, expected) in steps {
                assert_eq!(history.judge(verdict, at(second), 0.0), expected, "{name}, at {second}");
            }
        }
    }

    #[test]
    fn the_second_time_is_10_to_15_seconds_after_the_first() {
        for spread in [0.0, 0.3, 1.0] {
            let after = again_at(at(0), spread).duration_since(at(0));
            assert!((SECOND_AFTER..SECOND_AFTER_AT_MOST).contains(&after), "{after}");
        }
    }
}

//! The second rejection: a token that was good before is called dead only when ClickUp says so twice.

use crate::clickup::{NoVerdict, TokenVerdict};
use jiff::{SignedDuration, Timestamp};

/// The least time between a first rejection and one that confirms it; the most is [`SECOND_AFTER_AT_MOST`].
pub(super) const SECOND_AFTER: SignedDuration = SignedDuration::from_secs(10);
const SECOND_AFTER_AT_MOST: SignedDuration = SignedDuration::from_secs(15);

/// What is known of a token's past. It belongs to the token, not to a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenHistory {
    /// Whether ClickUp accepted it before.
    pub good: bool,
    /// When a good token was rejected, while that awaits confirmation.
    pub rejected_at: Option<Timestamp>,
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
        match (verdict, self.rejected_at) {
            (TokenVerdict::Valid(value), _) => {
                *self = Self { good: true, rejected_at: None };
                Judgement::Valid(value)
            }
            (TokenVerdict::Rejected, None) if self.good => {
                self.rejected_at = Some(now);
                Judgement::Suspect { again_at: again_at(now, spread) }
            }
            (TokenVerdict::Rejected, Some(first)) if now < first + SECOND_AFTER => {
                Judgement::Suspect { again_at: again_at(first, spread) }
            }
            (TokenVerdict::Rejected, _) => {
                *self = Self::default();
                Judgement::Rejected
            }
            // Asked too early to count as the second time.
            (TokenVerdict::NoVerdict(_), Some(first)) if now < first + SECOND_AFTER => {
                Judgement::Suspect { again_at: again_at(first, spread) }
            }
            (TokenVerdict::NoVerdict(no), Some(_)) => {
                *self = Self::default();
                Judgement::RejectedOnce(no)
            }
            (TokenVerdict::NoVerdict(no), None) => Judgement::NoVerdict(no),
        }
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
                    (Rejected, 30, Judgement::Rejected),
                ],
            ),
            (
                "no verdict says nothing",
                true,
                vec![(no(), 0, Judgement::NoVerdict(NoVerdict::timed_out())), (Rejected, 5, second(15))],
            ),
        ];
        for (name, good, steps) in cases {
            let mut history = TokenHistory { good, rejected_at: None };
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

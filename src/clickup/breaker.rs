//! The breaker: when ClickUp fails for everybody, that is one event, and few are sent to see whether it is over.

use super::{NoVerdict, TokenKey};
use crate::api::Reason;
use jiff::{SignedDuration, Timestamp};
use std::cmp::Reverse;

/// Failures within this time count together; a verdict within it says that ClickUp is there.
const TOGETHER: SignedDuration = SignedDuration::from_secs(30);
/// So many tokens make an outage; all of them, if there are fewer.
const TOKENS: usize = 3;
/// Tokens that may be asked about in a second while it is open.
const PROBES: usize = 5;
const SECOND: SignedDuration = SignedDuration::from_secs(1);

/// One per process.
#[derive(Debug, Default)]
pub struct Breaker {
    /// Why it is open.
    open: Option<NoVerdict>,
    /// The last failures, each of another token.
    failures: [Option<(TokenKey, Timestamp)>; TOKENS],
    last_verdict: Option<Timestamp>,
    /// When the last probes were permitted.
    probes: [Option<Timestamp>; PROBES],
}

impl Breaker {
    /// A closed one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether a token may be asked about now, as a probe if it is open. Who may not fails for the reason of the outage.
    ///
    /// # Errors
    /// The latest failure, when it is open and this second's probes are taken.
    pub fn permit(&mut self, now: Timestamp) -> Result<(), NoVerdict> {
        let Some(no) = &self.open else { return Ok(()) };
        let free = self.probes.iter_mut().find(|at| is_free(at, now));
        *free.ok_or_else(|| no.clone())? = Some(now);
        Ok(())
    }

    /// Whether a token may wait until it is asked about. While it is open, nobody waits for a turn: who would have to fails
    /// at once.
    ///
    /// # Errors
    /// The latest failure, as by [`Self::permit`].
    pub fn may_wait(&self, its_turn: bool, now: Timestamp) -> Result<(), NoVerdict> {
        match &self.open {
            Some(no) if !its_turn || !self.probes.iter().any(|at| is_free(at, now)) => Err(no.clone()),
            _ => Ok(()),
        }
    }

    /// A check of this token ended so on `/user` or `/team`; `tokens` is how many are in use. Whether that opened it.
    pub fn failed(&mut self, key: TokenKey, no: &NoVerdict, tokens: usize, now: Timestamp) -> bool {
        if !is_outage(no.reason) {
            return false;
        }
        if let Some(reason) = &mut self.open {
            *reason = no.clone();
            return false;
        }
        self.remember(key, now);
        let answered = self.last_verdict.is_some_and(|at| within(TOGETHER, at, now));
        let failures = self.failures.iter().flatten().filter(|(_, at)| within(TOGETHER, *at, now)).count();
        if answered || failures < tokens.clamp(1, TOKENS) {
            return false;
        }
        self.open = Some(no.clone());
        true
    }

    /// ClickUp gave a verdict about some token; that closes it. Whether it is the end of an outage, be it one that too few
    /// tokens met to open it: then those that failed need not wait any longer.
    pub fn verdict(&mut self, tokens: usize, now: Timestamp) -> bool {
        let before = self.last_verdict.replace(now);
        let silence = before.is_none_or(|at| !within(TOGETHER, at, now));
        let since = |at: Timestamp| before.is_none_or(|verdict| at > verdict);
        let failed = self.failures.iter().flatten().filter(|(_, at)| since(*at)).count();
        self.open.take().is_some() || (silence && failed >= tokens.clamp(1, TOKENS))
    }

    /// Whether it is open.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// In the place of the same token's failure, else in a free one, else in that farthest from now.
    fn remember(&mut self, key: TokenKey, now: Timestamp) {
        let place = self.failures.iter_mut().min_by_key(|failure| match failure {
            Some((other, _)) if *other == key => (0, None),
            None => (1, None),
            Some((_, at)) => (2, Some(Reverse(now.duration_since(*at).abs()))),
        });
        if let Some(place) = place {
            *place = Some((key, now));
        }
    }
}

/// Failures that speak of ClickUp or the way to it, not of one token.
fn is_outage(reason: Reason) -> bool {
    use Reason::{ConnectFailed, ServerError, TLSFailed, TimedOut, UnexpectedResponse};
    matches!(reason, ConnectFailed | TLSFailed | TimedOut | ServerError | UnexpectedResponse)
}

/// Whether the probe permitted then is one of a second that is over.
fn is_free(probe: &Option<Timestamp>, now: Timestamp) -> bool {
    probe.is_none_or(|at| !within(SECOND, at, now))
}

/// Less than this apart; what a clock that was set back left in the future counts only if it is as near.
fn within(time: SignedDuration, at: Timestamp, now: Timestamp) -> bool {
    now.duration_since(at).abs() < time
}

#[cfg(test)]
mod tests;

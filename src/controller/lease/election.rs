//! Who leads, decided from what the Lease says. No IO: what is seen goes in with its time, what is to be done comes out.
//!
//! Every write carries the version that it was decided from, so of two who take the Lease at once one fails. Whether
//! another's Lease has run out is judged by how long it was seen unchanged, never by the times in it: clocks of different
//! machines are not compared.

use super::term::{Moment, Tenure};
use crate::api::compare_versions;
use k8s_openapi::api::coordination::v1::Lease;
use std::{
    cmp::Ordering,
    time::{Duration, Instant},
};

/// What the Lease said when it was seen last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) version: String,
    /// None where it is free.
    pub(super) holder: Option<String>,
    /// Seconds for which it is not taken from its holder, as the holder wrote it.
    pub(super) seconds: Option<i32>,
    pub(super) transitions: i32,
    /// Differs with every renewal.
    renewed: Option<String>,
}

impl From<Lease> for Record {
    fn from(lease: Lease) -> Self {
        let spec = lease.spec.unwrap_or_default();
        Self {
            version: lease.metadata.resource_version.unwrap_or_default(),
            holder: spec.holder_identity.filter(|holder| !holder.is_empty()),
            seconds: spec.lease_duration_seconds,
            transitions: spec.lease_transitions.unwrap_or_default(),
            renewed: spec.renew_time.map(|time| time.0.to_string()),
        }
    }
}

/// What the watch shows.
#[derive(Clone, Debug)]
pub(super) enum Shown {
    /// There was none when the watch began.
    NoneYet,
    /// It was deleted; this is what it was last.
    Deleted(Record),
    There(Record),
}

/// What came of an attempt to write.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    Written(Record),
    /// Another was faster, or the watch is behind.
    Conflict,
    NotFound,
    /// No answer, or an error.
    Failed,
}

/// What is to be done now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Move {
    /// Wait for the watch, and no longer than until then.
    Wait(Option<Instant>),
    /// Make the Lease and hold it.
    Create,
    /// Hold what nobody holds any more.
    Take(Record),
    /// Stay its holder.
    Renew(Record),
    /// It is lost, and with it everything that this process does.
    StepDown(Loss),
}

/// Why the Lease is lost.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Loss {
    /// It could not be renewed.
    #[error(
        "the Lease was not renewed in time: the API server did not answer, or this process stood still; what it began is left to the next leader"
    )]
    Expired,
    /// Someone else holds it.
    #[error("the Lease was taken by {0}")]
    Taken(String),
    /// Nobody holds it: somebody has deleted it or cleared its holder.
    #[error("the Lease was deleted, or its holder removed, by somebody else")]
    Cleared,
    /// A fault of this program.
    #[error("the election has ended unexpectedly")]
    Ended,
}

enum Known {
    /// The watch has shown nothing yet.
    Nothing,
    Absent,
    There {
        record: Record,
        /// When it was seen first as it is.
        since: Instant,
    },
}

/// One process's view of the election.
pub(super) struct Election {
    me: String,
    duration: Duration,
    known: Known,
    tenure: Option<Tenure>,
    loss: Option<Loss>,
    /// When a write may be tried next.
    next_attempt: Option<Instant>,
}

impl Election {
    /// Of a process with a name that no other has.
    pub(super) fn new(me: String, duration: Duration) -> Self {
        Self { me, duration, known: Known::Nothing, tenure: None, loss: None, next_attempt: None }
    }

    #[cfg(test)]
    pub(super) fn me(&self) -> &str {
        &self.me
    }

    /// How long one attempt to write may take.
    pub(super) fn attempt(&self) -> Duration {
        self.duration / 5
    }

    /// For how long this process surely holds the Lease.
    pub(super) fn tenure(&self) -> Option<Tenure> {
        self.tenure
    }

    /// The Lease that this process holds.
    pub(super) fn held(&self) -> Option<&Record> {
        match &self.known {
            Known::There { record, .. } if record.holder.as_deref() == Some(&self.me) => Some(record),
            Known::There { .. } | Known::Nothing | Known::Absent => None,
        }
    }

    /// Whether the watch has shown how things stand.
    pub(super) fn is_informed(&self) -> bool {
        !matches!(self.known, Known::Nothing)
    }

    /// Who holds the Lease, as far as is known.
    pub(super) fn holder(&self) -> Option<&str> {
        match &self.known {
            Known::There { record, .. } => record.holder.as_deref(),
            Known::Nothing | Known::Absent => None,
        }
    }

    /// Takes in what the watch shows, which may be older than what is known.
    pub(super) fn shown(&mut self, shown: Shown, now: Instant) {
        match shown {
            Shown::NoneYet => {
                // Who knows of one already learns from its next attempt whether it is gone.
                if !self.is_informed() {
                    self.known = Known::Absent;
                }
            }
            Shown::Deleted(record) if self.is_news(&record) => self.absent(),
            Shown::There(record) if self.is_news(&record) => {
                self.next_attempt = None;
                match &record.holder {
                    Some(holder) if *holder != self.me => self.lose(Loss::Taken(holder.clone())),
                    Some(_) => {}
                    None => self.lose(Loss::Cleared),
                }
                self.note(record, now);
            }
            Shown::Deleted(_) | Shown::There(_) => {}
        }
    }

    /// Takes in what came of a write that was sent at `sent`.
    pub(super) fn answered(&mut self, sent: Moment, answer: Answer, now: Instant) {
        self.next_attempt = Some(now + self.pause());
        match answer {
            Answer::Written(record) => {
                self.note(record, now);
                // A third is left for what is under way when the term ends, before another may take over.
                self.tenure = Some(Tenure { since: sent, length: self.duration * 2 / 3 });
                self.next_attempt = Some(sent.steady + self.duration / 5);
            }
            Answer::NotFound => {
                self.absent();
                self.next_attempt = Some(now + self.pause());
            }
            Answer::Conflict | Answer::Failed => {}
        }
    }

    /// What to do now.
    pub(super) fn next(&self, now: Moment) -> Move {
        if let Some(loss) = &self.loss {
            return Move::StepDown(loss.clone());
        }
        if self.tenure.is_some_and(|tenure| tenure.is_over(now)) {
            return Move::StepDown(Loss::Expired);
        }
        let (at, then) = match &self.known {
            Known::Nothing => return Move::Wait(None),
            Known::Absent => (None, Move::Create),
            // Also who holds it without having heard so: an answer was lost on its way.
            Known::There { record, .. } if record.holder.as_ref() == Some(&self.me) => {
                (None, Move::Renew(record.clone()))
            }
            Known::There { record, .. } if record.holder.is_none() => (None, Move::Take(record.clone())),
            Known::There { record, since } => {
                (Some(*since + self.patience(record)), Move::Take(record.clone()))
            }
        };
        let at = at.max(self.next_attempt).filter(|at| *at > now.steady);
        match at {
            None => then,
            Some(at) => Move::Wait(Some(self.tenure.map_or(at, |t| at.min(t.since.steady + t.length)))),
        }
    }

    /// How long a Lease is another's without being renewed.
    fn patience(&self, record: &Record) -> Duration {
        let seconds = record.seconds.and_then(|s| u64::try_from(s).ok()).filter(|s| *s > 0);
        seconds.map_or(self.duration, Duration::from_secs)
    }

    /// Between two attempts.
    fn pause(&self) -> Duration {
        self.duration / 15
    }

    fn lose(&mut self, loss: Loss) {
        if self.tenure.is_some() {
            self.loss.get_or_insert(loss);
        }
    }

    fn absent(&mut self) {
        self.lose(Loss::Cleared);
        self.known = Known::Absent;
        self.next_attempt = None;
    }

    /// An edit that is no renewal does not prolong a Lease.
    fn note(&mut self, record: Record, now: Instant) {
        let since = match &self.known {
            Known::There { record: known, since }
                if (&known.holder, &known.renewed) == (&record.holder, &record.renewed) =>
            {
                *since
            }
            _ => now,
        };
        self.known = Known::There { record, since };
    }

    fn is_news(&self, record: &Record) -> bool {
        let Known::There { record: known, .. } = &self.known else { return true };
        compare_versions(&record.version, &known.version).is_none_or(Ordering::is_gt)
    }
}

//! Which requests came: the last ones in full, all of them counted.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use hyper::Method;

use crate::credentials::Sent;
use crate::messages::{Count, LogEntry, LogPage, LogQuery};
use crate::window::Millis;

/// Entries that are kept.
const CAPACITY: usize = 100_000;

/// A request when it arrives.
pub(crate) struct Arrival {
    pub(crate) time: Millis,
    pub(crate) token: Arc<str>,
    pub(crate) live: bool,
    pub(crate) sent: Sent,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) faults: Vec<u64>,
}

struct Entry {
    arrival: Arrival,
    path: Arc<str>,
    status: Option<u16>,
    answered: bool,
}

#[derive(Default)]
struct PerToken {
    in_flight: u64,
    max_in_flight: u64,
    paths: HashMap<Arc<str>, PerPath>,
}

#[derive(Default)]
struct PerPath {
    requests: u64,
    statuses: BTreeMap<u16, u64>,
}

/// The journal. Numbers go on after a reset.
pub(crate) struct Journal {
    capacity: usize,
    entries: VecDeque<(u64, Entry)>,
    last: u64,
    dropped: u64,
    tokens: HashMap<Arc<str>, PerToken>,
}

impl Default for Journal {
    fn default() -> Self {
        Self { capacity: CAPACITY, entries: VecDeque::new(), last: 0, dropped: 0, tokens: HashMap::new() }
    }
}

impl Journal {
    /// Writes down a request and counts it; the number is for [`Journal::answered`].
    pub(crate) fn arrived(&mut self, mut arrival: Arrival) -> u64 {
        self.last += 1;
        let token = self.tokens.entry(Arc::clone(&arrival.token)).or_default();
        token.in_flight += 1;
        token.max_in_flight = token.max_in_flight.max(token.in_flight);
        let path = std::mem::take(&mut arrival.path);
        let path =
            token.paths.get_key_value(path.as_str()).map_or_else(|| path.into(), |(path, _)| path.clone());
        token.paths.entry(Arc::clone(&path)).or_default().requests += 1;
        if self.entries.len() >= self.capacity {
            self.entries.pop_front();
            self.dropped += 1;
        }
        self.entries.push_back((self.last, Entry { arrival, path, status: None, answered: false }));
        self.last
    }

    /// Writes down what was answered.
    pub(crate) fn answered(&mut self, seq: u64, token: &str, path: &str, status: Option<u16>) {
        if let Some(entry) = self.entry(seq) {
            entry.status = status;
            entry.answered = true;
        }
        if let Some(path) = self.tokens.get_mut(token).and_then(|token| token.paths.get_mut(path)) {
            *path.statuses.entry(status.unwrap_or(0)).or_default() += 1;
        }
    }

    /// A request whose [`Journal::arrived`] was counted has left altogether, answered or given up by its client.
    pub(crate) fn left(&mut self, seq: u64, token: &str) {
        if let Some(entry) = self.entry(seq) {
            entry.answered = true;
        }
        if let Some(token) = self.tokens.get_mut(token) {
            token.in_flight = token.in_flight.saturating_sub(1);
        }
    }

    fn entry(&mut self, seq: u64) -> Option<&mut Entry> {
        let at = self.entries.binary_search_by_key(&seq, |(seq, _)| *seq).ok()?;
        self.entries.get_mut(at).map(|(_, entry)| entry)
    }

    /// The wanted part of the log, and whether it satisfies the query's `at_least`.
    pub(crate) fn page(&self, query: &LogQuery) -> (LogPage, bool) {
        let since = query.since.unwrap_or(0);
        let start = self.entries.partition_point(|(seq, _)| *seq <= since);
        let wanted = |(_, entry): &&(u64, Entry)| {
            query.token.as_deref().is_none_or(|token| *token == *entry.arrival.token)
                && query.path.as_deref().is_none_or(|path| entry.path.starts_with(path))
        };
        let entries: Vec<LogEntry> =
            self.entries.range(start..).filter(wanted).map(|(seq, entry)| entry.shown(*seq)).collect();
        let answered = entries.iter().filter(|entry| entry.answered).count();
        let enough = answered >= query.at_least.unwrap_or(0);
        (LogPage { entries, last: self.last, dropped: self.dropped }, enough)
    }

    /// Counts by token and path, sorted.
    pub(crate) fn counts(&self, token: Option<&str>) -> Vec<Count> {
        let wanted = |name: &str| token.is_none_or(|token| token == name);
        let mut counts: Vec<Count> = self
            .tokens
            .iter()
            .filter(|(name, _)| wanted(name))
            .flat_map(|(name, token)| token.paths.iter().map(|(path, counted)| counted.shown(name, path)))
            .collect();
        counts.sort_by(|a, b| (&a.token, &a.path).cmp(&(&b.token, &b.path)));
        counts
    }

    /// Requests of a token that are being answered: now, and at most so far.
    pub(crate) fn in_flight(&self, token: &str) -> (u64, u64) {
        self.tokens.get(token).map_or((0, 0), |token| (token.in_flight, token.max_in_flight))
    }

    /// Forgets the entries and counts of one token, or of all.
    pub(crate) fn reset(&mut self, token: Option<&str>) {
        self.entries.retain(|(_, entry)| token.is_some_and(|token| *token != *entry.arrival.token));
        if token.is_none() {
            self.dropped = 0;
        }
        self.tokens.retain(|name, counted| {
            if token.is_none_or(|token| *token == **name) {
                counted.paths.clear();
                counted.max_in_flight = counted.in_flight;
            }
            counted.in_flight > 0 || !counted.paths.is_empty()
        });
    }
}

impl Entry {
    fn shown(&self, seq: u64) -> LogEntry {
        let Arrival { time, token, live, sent, method, path: _, query, faults } = &self.arrival;
        LogEntry {
            seq,
            time_ms: *time,
            token: token.to_string(),
            live: *live,
            sent: *sent,
            method: method.to_string(),
            path: self.path.to_string(),
            query: query.clone(),
            status: self.status,
            answered: self.answered,
            faults: faults.clone(),
        }
    }
}

impl PerPath {
    fn shown(&self, token: &str, path: &str) -> Count {
        let Self { requests, statuses } = self;
        Count {
            token: token.to_owned(),
            path: path.to_owned(),
            requests: *requests,
            statuses: statuses.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrival(token: &str, path: &str) -> Arrival {
        Arrival {
            time: 1,
            token: token.into(),
            live: true,
            sent: Sent::Raw,
            method: Method::GET,
            path: path.to_owned(),
            query: String::new(),
            faults: Vec::new(),
        }
    }

    #[test]
    fn keeps_the_last_entries_and_counts_all() {
        let mut journal = Journal { capacity: 3, ..Journal::default() };
        for _ in 0..5 {
            let seq = journal.arrived(arrival("ada", "/v2/user"));
            journal.answered(seq, "ada", "/v2/user", Some(200));
            journal.left(seq, "ada");
        }
        let (page, _) = journal.page(&LogQuery::default());
        assert_eq!(page.entries.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [3, 4, 5]);
        assert_eq!((page.last, page.dropped), (5, 2));
        let counts = journal.counts(Some("ada"));
        assert_eq!((counts[0].requests, counts[0].statuses[&200]), (5, 5));
    }

    #[test]
    fn knows_what_is_in_flight_and_what_is_unanswered() {
        let mut journal = Journal::default();
        let first = journal.arrived(arrival("ada", "/v2/user"));
        journal.arrived(arrival("ada", "/v2/team"));
        journal.arrived(arrival("grace", "/v2/team"));
        journal.answered(first, "ada", "/v2/user", None);
        journal.left(first, "ada");
        assert_eq!(journal.in_flight("ada"), (1, 2));
        let query = LogQuery { token: Some("ada".to_owned()), at_least: Some(2), ..LogQuery::default() };
        let (page, enough) = journal.page(&query);
        assert_eq!(page.entries.len(), 2);
        assert!(!enough, "one of the two is not answered yet");
        assert_eq!(journal.counts(Some("ada"))[1].statuses, BTreeMap::from([(0, 1)]));
    }

    #[test]
    fn a_reset_for_one_token_leaves_the_others_and_what_is_in_flight() {
        let mut journal = Journal::default();
        journal.arrived(arrival("ada", "/v2/user"));
        journal.arrived(arrival("grace", "/v2/user"));
        journal.reset(Some("ada"));
        assert!(journal.counts(Some("ada")).is_empty());
        assert_eq!(journal.counts(None).len(), 1);
        assert_eq!(journal.in_flight("ada"), (1, 1));
        let (page, _) = journal.page(&LogQuery { since: Some(1), ..LogQuery::default() });
        assert_eq!(page.entries.len(), 1);
        journal.reset(None);
        assert!(journal.page(&LogQuery::default()).0.entries.is_empty());
    }
}

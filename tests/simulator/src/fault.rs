//! Faults: what an answer is replaced by, how it is delivered, and which requests it is for.

use std::collections::BTreeMap;
use std::time::Duration;

use hyper::header::{HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};

/// A fault. What it does not name stays as it would be without it.
///
/// All faults that match a request add their delay and their headers; of those that replace or maim the
/// answer the oldest decides, and the younger ones wait until it is used up.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fault {
    /// Name of the token; `unknown` are tokens that the simulator does not know, `none` is no token. Left
    /// out: every request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Path without `/api` and query, such as `/v2/team`; `*` stands for any text. Left out: every path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// So many matching requests go free first.
    pub after: u64,
    /// So many requests are hit, then the fault is gone. Left out: until it is removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
    /// Milliseconds before anything is answered.
    pub delay_ms: u64,
    /// Changes to the headers of the answer.
    pub headers: HeaderEdits,
    /// Answered instead of the truth.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
    /// How the answer travels.
    pub delivery: Delivery,
    /// Compress the answer, whether the request allows it or not.
    pub gzip: bool,
}

/// Changes to the headers of an answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HeaderEdits {
    /// Names of headers that are left out, such as `x-ratelimit-reset` or `date`.
    pub omit: Vec<String>,
    /// Headers that are set, over those of the same name.
    pub set: BTreeMap<String, String>,
}

/// An answer that is not the truth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// Its status.
    #[serde(default = "Answer::default_status")]
    pub status: u16,
    /// Its body.
    pub body: Body,
}

impl Answer {
    fn default_status() -> u16 {
        200
    }
}

/// The body of an answer that is not the truth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// No body.
    Empty,
    /// ClickUp's form of an error.
    Error {
        /// The text under `err`.
        err: String,
        /// The code under `ECODE`; left out of the body when empty.
        #[serde(default)]
        ecode: String,
    },
    /// Any JSON.
    Json(serde_json::Value),
    /// The page of a proxy.
    Html,
    /// Any text.
    Text {
        /// Its `Content-Type`.
        content_type: String,
        /// The text.
        text: String,
    },
    /// A JSON object of so many bytes, made while it is sent.
    Huge(u64),
}

/// How an answer travels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// As it should.
    #[default]
    Normal,
    /// The connection is reset instead.
    Reset,
    /// The connection is closed instead.
    Close,
    /// Bytes that are not HTTP arrive instead, then the connection is closed.
    Garbage,
    /// The headers promise the whole body, the connection ends within it.
    Truncated {
        /// Bytes of the body that arrive.
        keep: u64,
        /// Ends with a reset instead of a close.
        #[serde(default)]
        reset: bool,
    },
    /// The head arrives byte by byte.
    SlowHead {
        /// Milliseconds between two bytes.
        every_ms: u64,
    },
    /// The body arrives in pieces.
    SlowBody {
        /// Bytes of a piece.
        bytes: usize,
        /// Milliseconds between two pieces.
        every_ms: u64,
    },
}

impl Fault {
    /// A fault for every request of the token with this name.
    #[must_use]
    pub fn for_token(name: impl Into<String>) -> Self {
        Self { token: Some(name.into()), ..Self::default() }
    }

    /// Only for this path; `*` stands for any text.
    #[must_use]
    pub fn on(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Hits so many requests, then is gone.
    #[must_use]
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    /// Lets so many matching requests go free first.
    #[must_use]
    pub fn after(mut self, requests: u64) -> Self {
        self.after = requests;
        self
    }

    /// Waits before anything is answered.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        self
    }

    /// Leaves a header of the answer out.
    #[must_use]
    pub fn omit_header(mut self, name: impl Into<String>) -> Self {
        self.headers.omit.push(name.into());
        self
    }

    /// Leaves the three headers of the rate limit out.
    #[must_use]
    pub fn omit_rate_limit_headers(self) -> Self {
        self.omit_header("x-ratelimit-limit")
            .omit_header("x-ratelimit-remaining")
            .omit_header("x-ratelimit-reset")
    }

    /// Sets a header of the answer.
    #[must_use]
    pub fn set_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.set.insert(name.into(), value.into());
        self
    }

    /// Answers with this status and body.
    #[must_use]
    pub fn answer(mut self, status: u16, body: Body) -> Self {
        self.answer = Some(Answer { status, body });
        self
    }

    /// Answers with an error in ClickUp's form; an empty `ecode` is left out.
    #[must_use]
    pub fn error(self, status: u16, ecode: &str, err: &str) -> Self {
        self.answer(status, Body::Error { err: err.to_owned(), ecode: ecode.to_owned() })
    }

    /// Answers with some JSON.
    #[must_use]
    pub fn json(self, status: u16, body: serde_json::Value) -> Self {
        self.answer(status, Body::Json(body))
    }

    /// Answers with a page of HTML, as proxies do.
    #[must_use]
    pub fn html(self, status: u16) -> Self {
        self.answer(status, Body::Html)
    }

    /// Answers with a text that claims to be JSON.
    #[must_use]
    pub fn broken_json(self, text: &str) -> Self {
        let body = Body::Text { content_type: "application/json".to_owned(), text: text.to_owned() };
        self.answer(200, body)
    }

    /// Answers with a JSON object of so many bytes.
    #[must_use]
    pub fn huge(self, bytes: u64) -> Self {
        self.answer(200, Body::Huge(bytes))
    }

    /// Sends the client somewhere else.
    #[must_use]
    pub fn redirect(self, status: u16, location: impl Into<String>) -> Self {
        self.set_header("location", location).answer(status, Body::Empty)
    }

    /// ClickUp's answer over the limit, without touching the token's real window.
    #[must_use]
    pub fn rate_limited(self) -> Self {
        self.error(429, "APP_002", "Rate limit reached")
    }

    /// ClickUp's answer when the plan lacks the feature.
    #[must_use]
    pub fn plan_required(self) -> Self {
        self.error(403, "TEAM_110", "Plan does not include this feature")
    }

    /// Lets the answer travel this way.
    #[must_use]
    pub fn delivered(mut self, delivery: Delivery) -> Self {
        self.delivery = delivery;
        self
    }

    /// Resets the connection.
    #[must_use]
    pub fn reset(self) -> Self {
        self.delivered(Delivery::Reset)
    }

    /// Closes the connection without an answer.
    #[must_use]
    pub fn close(self) -> Self {
        self.delivered(Delivery::Close)
    }

    /// Answers with bytes that are not HTTP.
    #[must_use]
    pub fn garbage(self) -> Self {
        self.delivered(Delivery::Garbage)
    }

    /// Ends the connection after so many bytes of the body.
    #[must_use]
    pub fn truncated(self, keep: u64) -> Self {
        self.delivered(Delivery::Truncated { keep, reset: false })
    }

    /// Lets the head arrive byte by byte.
    #[must_use]
    pub fn slow_head(self, every: Duration) -> Self {
        self.delivered(Delivery::SlowHead { every_ms: u64::try_from(every.as_millis()).unwrap_or(u64::MAX) })
    }

    /// Lets the body arrive in pieces.
    #[must_use]
    pub fn slow_body(self, bytes: usize, every: Duration) -> Self {
        let every_ms = u64::try_from(every.as_millis()).unwrap_or(u64::MAX);
        self.delivered(Delivery::SlowBody { bytes, every_ms })
    }

    /// Compresses the answer.
    #[must_use]
    pub fn gzip(mut self) -> Self {
        self.gzip = true;
        self
    }

    /// Whether an answer can be made of it; the error says what to write instead.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.times == Some(0) {
            return Err(
                "a fault with `times: 0` hits nothing: leave `times` out, or use 1 or more".to_owned()
            );
        }
        if let Some(Answer { status, .. }) = self.answer
            && !(200..=599).contains(&status)
        {
            return Err(format!("{status} is no status of an answer: use 200 to 599"));
        }
        for name in self.headers.omit.iter().chain(self.headers.set.keys()) {
            HeaderName::try_from(name).map_err(|_| format!("{name:?} is no name of a header"))?;
        }
        for value in self.headers.set.values() {
            HeaderValue::try_from(value).map_err(|_| format!("{value:?} is no value of a header"))?;
        }
        Ok(())
    }

    fn replaces(&self) -> bool {
        self.answer.is_some() || self.delivery != Delivery::Normal || self.gzip
    }

    fn is_for(&self, token: &str, path: &str) -> bool {
        self.token.as_deref().is_none_or(|name| name == token)
            && self.path.as_deref().is_none_or(|pattern| matches(pattern, path))
    }
}

/// Whether `pattern`, in which `*` is any text, is the whole of `text`.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, rest)) => text.strip_prefix(head).is_some_and(|tail| {
            (0..=tail.len()).filter_map(|at| tail.get(at..)).any(|tail| matches(rest, tail))
        }),
    }
}

/// A fault that the simulator holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArmedFault {
    /// Number to remove it by.
    pub id: u64,
    /// Matching requests that it let go free.
    pub skipped: u64,
    /// Requests that it hit.
    pub hits: u64,
    /// The fault.
    pub fault: Fault,
}

/// What the faults do to one request.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Effect {
    pub(crate) delay: Duration,
    pub(crate) headers: Vec<HeaderEdits>,
    pub(crate) answer: Option<Answer>,
    pub(crate) delivery: Delivery,
    pub(crate) gzip: bool,
    /// The faults that hit.
    pub(crate) faults: Vec<u64>,
}

/// All faults, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    armed: Vec<ArmedFault>,
    last: u64,
}

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) -> u64 {
        self.last += 1;
        self.armed.push(ArmedFault { id: self.last, skipped: 0, hits: 0, fault });
        self.last
    }

    pub(crate) fn list(&self, token: Option<&str>) -> Vec<ArmedFault> {
        let wanted = |armed: &&ArmedFault| token.is_none() || armed.fault.token.as_deref() == token;
        self.armed.iter().filter(wanted).cloned().collect()
    }

    /// Tells whether there was such a fault.
    pub(crate) fn remove(&mut self, id: u64) -> bool {
        let before = self.armed.len();
        self.armed.retain(|armed| armed.id != id);
        self.armed.len() < before
    }

    /// Removes the faults of one token, or all.
    pub(crate) fn clear(&mut self, token: Option<&str>) {
        self.armed.retain(|armed| token.is_some() && armed.fault.token.as_deref() != token);
    }

    /// What happens to this request; uses up what it uses.
    pub(crate) fn strike(&mut self, token: &str, path: &str) -> Effect {
        let mut effect = Effect::default();
        let mut replaced = false;
        for armed in &mut self.armed {
            if !armed.fault.is_for(token, path) || (replaced && armed.fault.replaces()) {
                continue;
            }
            if armed.skipped < armed.fault.after {
                armed.skipped += 1;
                continue;
            }
            armed.hits += 1;
            replaced |= armed.fault.replaces();
            effect.add(armed);
        }
        self.armed.retain(|armed| armed.fault.times.is_none_or(|times| armed.hits < times));
        effect
    }
}

impl Effect {
    fn add(&mut self, ArmedFault { id, fault, .. }: &ArmedFault) {
        self.faults.push(*id);
        self.delay += Duration::from_millis(fault.delay_ms);
        if fault.headers != HeaderEdits::default() {
            self.headers.push(fault.headers.clone());
        }
        if fault.replaces() {
            self.answer = fault.answer.clone();
            self.delivery = fault.delivery;
            self.gzip = fault.gzip;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let cases = [
            ("/v2/team", "/v2/team", true),
            ("/v2/team", "/v2/team/1", false),
            ("*", "/v2/user", true),
            ("/v2/team/*/space", "/v2/team/901/space", true),
            ("/v2/team/*/space", "/v2/team/901/plan", false),
            ("/v2/*", "/v2/user", true),
            ("/v2/user*", "/v2/user", true),
            ("*/space", "/v2/team/1/space", true),
        ];
        for (pattern, path, expected) in cases {
            assert_eq!(matches(pattern, path), expected, "{pattern} {path}");
        }
    }

    fn statuses(faults: &mut Faults, requests: usize) -> Vec<u16> {
        let status = |effect: Effect| effect.answer.map_or(0, |answer| answer.status);
        (0..requests).map(|_| status(faults.strike("ada", "/v2/user"))).collect()
    }

    #[test]
    fn faults_follow_each_other_and_run_out() {
        let mut faults = Faults::default();
        faults.add(Fault::for_token("ada").error(500, "", "x").times(2));
        faults.add(Fault::for_token("ada").html(502).times(1));
        faults.add(Fault::for_token("grace").html(503));
        assert_eq!(statuses(&mut faults, 4), [500, 500, 502, 0]);
        assert_eq!(faults.list(None).len(), 1, "those used up are gone");
    }

    #[test]
    fn skips_before_it_hits() {
        let mut faults = Faults::default();
        faults.add(Fault::for_token("ada").on("/v2/user").after(2).times(1).html(500));
        assert_eq!(statuses(&mut faults, 4), [0, 0, 500, 0]);
    }

    #[test]
    fn delays_and_headers_add_up_while_one_answer_decides() {
        let mut faults = Faults::default();
        let first = faults.add(Fault::default().delay(Duration::from_millis(20)));
        let second = faults.add(Fault::for_token("ada").html(502).delay(Duration::from_millis(5)));
        faults.add(Fault::for_token("ada").html(503));
        let fourth = faults.add(Fault::for_token("ada").omit_header("date"));
        let effect = faults.strike("ada", "/v2/user");
        assert_eq!(effect.delay, Duration::from_millis(25));
        assert_eq!(effect.faults, [first, second, fourth]);
        assert_eq!(effect.answer.map(|answer| answer.status), Some(502));
        assert_eq!(effect.headers.len(), 1);
        assert!(faults.remove(second));
        assert!(!faults.remove(second));
        assert_eq!(statuses(&mut faults, 1), [503]);
        faults.clear(Some("ada"));
        assert_eq!(faults.list(None).len(), 1);
        faults.clear(None);
        assert_eq!(faults.strike("ada", "/v2/user"), Effect::default());
    }
}

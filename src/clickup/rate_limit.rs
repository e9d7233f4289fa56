//! What ClickUp says about its limit for a token, and how long to wait after a 429.

use jiff::{SignedDuration, Timestamp, fmt::rfc2822};
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

/// The limit headers of an answer. They come with every answer (official); a proxy's answer has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateLimit {
    /// Requests per minute.
    pub limit: Option<u32>,
    /// Requests left in this minute.
    pub remaining: Option<u32>,
    /// Time from the answer to the next reset, by the server's own clock, or as `Retry-After` asks.
    pub reset_in: Option<SignedDuration>,
}

impl RateLimit {
    /// Reads the headers; `now` stands in where the answer has no `Date`.
    pub fn read(headers: &HeaderMap, now: Timestamp) -> Self {
        let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok()).map(str::trim);
        let http_date = |text: &str| rfc2822::parse(text).ok().map(|z| z.timestamp());
        let server_now = text(DATE.as_str()).and_then(http_date).unwrap_or(now);
        let retry_after = text(RETRY_AFTER.as_str()).and_then(|t| match t.parse::<i64>() {
            Ok(seconds) => Some(SignedDuration::from_secs(seconds.min(i64::from(u32::MAX)))),
            Err(_) => http_date(t).map(|at| at.duration_since(server_now)),
        });
        let reset = text("x-ratelimit-reset").and_then(|t| t.parse::<i64>().ok()).and_then(|number| {
            // Epoch seconds (official); milliseconds were seen.
            let seconds = if number > 1_000_000_000_000 { number / 1000 } else { number };
            Timestamp::from_second(seconds).ok().map(|at| at.duration_since(server_now))
        });
        Self {
            limit: text("x-ratelimit-limit").and_then(|t| t.parse().ok()),
            remaining: text("x-ratelimit-remaining").and_then(|t| t.parse().ok()),
            reset_in: retry_after.or(reset),
        }
    }
}

/// How long nothing is sent after a 429: what the server states, between 1 s and 2 min; longer only when it states so
/// `again`, and then at most an hour. A server that states nothing gets a minute, ClickUp's window.
pub fn wait_after_429(stated: Option<SignedDuration>, again: bool) -> SignedDuration {
    let most = if again { SignedDuration::from_hours(1) } else { LONGEST_FIRST_WAIT };
    stated.unwrap_or(SignedDuration::from_mins(1)).clamp(SignedDuration::from_secs(1), most)
}

/// What is believed the first time.
const LONGEST_FIRST_WAIT: SignedDuration = SignedDuration::from_mins(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resets_are_judged_by_the_servers_clock() {
        let secs = SignedDuration::from_secs;
        let date = ("date", "Mon, 23 Nov 2026 10:00:00 GMT");
        let now: Timestamp = "2026-11-23T12:34:56Z".parse().unwrap();
        let reset_at = "2026-11-23T10:00:40Z".parse::<Timestamp>().unwrap().as_second();
        let (in_s, in_ms) = (reset_at.to_string(), (reset_at * 1000).to_string());
        type Headers<'a> = &'a [(&'a str, &'a str)];
        let cases: [(Headers<'_>, Option<SignedDuration>); 7] = [
            (&[date, ("x-ratelimit-reset", &in_s)], Some(secs(40))),
            (&[date, ("x-ratelimit-reset", &in_ms)], Some(secs(40))),
            (
                &[("x-ratelimit-reset", &in_s)],
                Some("2026-11-23T10:00:40Z".parse::<Timestamp>().unwrap().duration_since(now)),
            ),
            (&[date, ("retry-after", "7"), ("x-ratelimit-reset", &in_s)], Some(secs(7))),
            (&[date, ("retry-after", "Mon, 23 Nov 2026 10:01:30 GMT")], Some(secs(90))),
            (&[date, ("x-ratelimit-reset", "soon")], None),
            (&[], None),
        ];
        for (headers, expected) in cases {
            let map = headers.iter().map(|(k, v)| (k.parse().unwrap(), v.parse().unwrap())).collect();
            assert_eq!(RateLimit::read(&map, now).reset_in, expected, "{headers:?}");
        }
    }

    #[test]
    fn waits_are_clamped_until_stated_twice() {
        let secs = SignedDuration::from_secs;
        for (stated, again, wait) in [
            (None, false, 60),
            (Some(-5), false, 1),
            (Some(0), true, 1),
            (Some(30), false, 30),
            (Some(600), false, 120),
            (Some(600), true, 600),
            (Some(999_999), true, 3600),
        ] {
            assert_eq!(wait_after_429(stated.map(secs), again), secs(wait), "{stated:?} {again}");
        }
    }
}

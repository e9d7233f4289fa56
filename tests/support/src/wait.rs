//! Waiting for a condition with a deadline, never for a fixed time.

use std::fmt::Display;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// The condition did not come true in time.
#[derive(Debug, thiserror::Error)]
#[error("waited {deadline:?} for {what}, in vain; last seen: {last_seen}")]
pub struct TimedOut {
    /// What was waited for, as the caller put it.
    pub what: String,
    /// How long.
    pub deadline: Duration,
    /// What the last completed look found instead.
    pub last_seen: String,
}

/// Calls `look` until it answers `Ok`, at most for `deadline`.
///
/// `look` answers `Err` with what it saw instead, in words that help whoever reads the failure. A look that
/// hangs is cut off at the deadline too.
///
/// ```
/// # use std::time::Duration;
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let ready = std::cell::Cell::new(0);
/// let looks = test_support::wait::until(Duration::from_secs(5), "the third look", || async {
///     ready.set(ready.get() + 1);
///     if ready.get() == 3 { Ok(ready.get()) } else { Err(format!("look {}", ready.get())) }
/// });
/// assert_eq!(looks.await.unwrap(), 3);
/// # }
/// ```
pub async fn until<T, Seen, Look, Looking>(
    deadline: Duration,
    what: impl Display,
    mut look: Look,
) -> Result<T, TimedOut>
where
    Seen: Display,
    Look: FnMut() -> Looking,
    Looking: Future<Output = Result<T, Seen>>,
{
    let end = Instant::now() + deadline;
    let mut pause = FIRST_PAUSE;
    let mut last_seen = "nothing, the first look did not come back".to_string();
    loop {
        match timeout_at(end, look()).await {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(seen)) => last_seen = seen.to_string(),
            Err(_) => return Err(TimedOut { what: what.to_string(), deadline, last_seen }),
        }
        if Instant::now() + pause >= end {
            return Err(TimedOut { what: what.to_string(), deadline, last_seen });
        }
        sleep(pause).await;
        pause = (pause * 3 / 2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_failure_shows_the_last_value_seen() {
        let mut number = 0;
        let failure = until(Duration::from_secs(1), "a miracle", || {
            number += 1;
            let seen = if number < 3 { "too early" } else { "still nothing" };
            async move { Err::<(), _>(seen) }
        })
        .await
        .unwrap_err();
        assert_eq!(failure.to_string(), "waited 1s for a miracle, in vain; last seen: still nothing");
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_that_hangs_is_cut_off() {
        let hang = std::future::pending::<Result<(), String>>;
        let failure = until(Duration::from_secs(1), "an answer", hang).await.unwrap_err();
        assert!(failure.last_seen.starts_with("nothing"), "{failure}");
    }
}

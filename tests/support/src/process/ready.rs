//! Waiting for a program that has just been started.

use std::fmt::Display;
use std::time::Duration;

use super::{Exit, Guarded};
use crate::wait;

const TAIL_LINES: usize = 20;

/// A program did not become ready.
#[derive(Debug, thiserror::Error)]
pub enum NotReady {
    /// It ended first.
    #[error("{name} ended with {exit} while it was starting; the end of its log:\n{log_tail}")]
    Ended {
        /// Which.
        name: String,
        /// How.
        exit: Exit,
        /// The last lines of its log.
        log_tail: String,
    },
    /// It runs, but is not ready.
    #[error("{source}; the end of its log:\n{log_tail}")]
    TimedOut {
        /// The last lines of its log.
        log_tail: String,
        /// What was waited for.
        source: Box<wait::TimedOut>,
    },
}

impl NotReady {
    /// Whether it ended because a port of its was taken. Go and Rust word it the same, but for the capital.
    pub fn port_taken(&self) -> bool {
        match self {
            NotReady::Ended { log_tail, .. } => {
                log_tail.to_ascii_lowercase().contains("address already in use")
                    || log_tail.contains("AddrInUse")
            }
            NotReady::TimedOut { .. } => false,
        }
    }
}

impl Guarded {
    /// Waits until `look` answers `Ok`, but not for a program that has ended.
    pub async fn until_ready<T, Seen: Display, Looking>(
        &self,
        deadline: Duration,
        mut look: impl FnMut() -> Looking,
    ) -> Result<T, NotReady>
    where
        Looking: Future<Output = Result<T, Seen>>,
    {
        let ready = wait::until(deadline, format!("{} to be ready", self.name), || {
            let looking = look();
            async move {
                match self.exited() {
                    Some(exit) => Ok(Err(exit)),
                    None => looking.await.map(Ok),
                }
            }
        });
        let log_tail = || self.log_tail(TAIL_LINES);
        let ready = ready
            .await
            .map_err(|source| NotReady::TimedOut { log_tail: log_tail(), source: Box::new(source) })?;
        // Whoever answered was somebody else, if ours has ended meanwhile.
        let ready = ready.and_then(|value| self.exited().map_or(Ok(value), Err));
        ready.map_err(|exit| NotReady::Ended { name: self.name.clone(), exit, log_tail: log_tail() })
    }
}

//! Whether the process is ready, and whether it still gets its work done.

use jiff::SignedDuration;
use std::sync::{
    OnceLock,
    atomic::{AtomicBool, Ordering},
};

/// Work that is due and was not begun for this long, or does not end, is a fault: a pass has a deadline of 30 s, and retries
/// come after 60 s at most.
const MAX_LAG: SignedDuration = SignedDuration::from_mins(3);

/// The health of the process.
#[derive(Default)]
pub struct Health {
    ready: AtomicBool,
    lag: OnceLock<Box<dyn Fn() -> SignedDuration + Send + Sync>>,
}

impl Health {
    /// Says whether the watches have shown everything once.
    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Relaxed);
    }

    /// Says how to find out how late the latest due work is. The first call counts.
    pub fn watch_lag(&self, lag: impl Fn() -> SignedDuration + Send + Sync + 'static) {
        let _ = self.lag.set(Box::new(lag));
    }

    /// Whether the process serves.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed)
    }

    /// Whether work that is due gets done.
    ///
    /// # Errors
    /// Says how late it is.
    pub fn progress(&self) -> Result<(), String> {
        let lag = self.lag.get().map_or(SignedDuration::ZERO, |lag| lag());
        if lag <= MAX_LAG {
            Ok(())
        } else {
            Err(format!("work that is due was not begun, or does not end, for {} s", lag.as_secs()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_work_is_a_fault() {
        for (seconds, fine) in [(0, true), (180, true), (181, false)] {
            let health = Health::default();
            assert!(health.progress().is_ok());
            health.watch_lag(move || SignedDuration::from_secs(seconds));
            assert_eq!(health.progress().is_ok(), fine, "{seconds}");
        }
    }
}

//! The rate limit of one token: a counter that starts anew at a time which the answers announce.

/// Milliseconds since the epoch.
pub(crate) type Millis = u64;

/// A window of requests. It begins with the first request after the last one ended.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    pub(crate) limit: u64,
    pub(crate) seconds: u64,
    used: u64,
    /// Epoch seconds, because that is all that the header can say.
    ends: u64,
}

/// Where a token stands, as its headers say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) limit: u64,
    pub(crate) remaining: u64,
    /// Epoch seconds.
    pub(crate) reset: u64,
    /// This request was one too many.
    pub(crate) over: bool,
}

impl Window {
    pub(crate) fn new(limit: u64, seconds: u64) -> Self {
        Self { limit, seconds, used: 0, ends: 0 }
    }

    /// Counts one request.
    pub(crate) fn take(&mut self, now: Millis) -> Standing {
        self.roll(now);
        let over = self.used >= self.limit;
        self.used = self.used.saturating_add(1);
        Standing { over, ..self.standing() }
    }

    /// Counts requests of somebody else who uses the same token.
    pub(crate) fn spend(&mut self, requests: u64, now: Millis) {
        self.roll(now);
        self.used = self.used.saturating_add(requests);
    }

    /// Where the token stands, without a request.
    pub(crate) fn look(&mut self, now: Millis) -> Standing {
        self.roll(now);
        self.standing()
    }

    /// Begins a new window with the next request.
    pub(crate) fn restart(&mut self) {
        self.ends = 0;
        self.used = 0;
    }

    fn roll(&mut self, now: Millis) {
        if now >= self.ends.saturating_mul(1000) {
            self.ends = now.saturating_add(self.seconds.saturating_mul(1000)).div_ceil(1000);
            self.used = 0;
        }
    }

    fn standing(&self) -> Standing {
        let remaining = self.limit.saturating_sub(self.used);
        Standing { limit: self.limit, remaining, reset: self.ends, over: false }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_down_refuses_and_starts_anew_at_the_announced_second() {
        let mut window = Window::new(2, 60);
        let start = 1_000_000_500;
        let reset = 1_000_061;
        let standing = |remaining, over| Standing { limit: 2, remaining, reset, over };
        assert_eq!(window.take(start), standing(1, false));
        assert_eq!(window.take(start + 10), standing(0, false));
        assert_eq!(window.take(start + 20), standing(0, true));
        assert_eq!(window.take(reset * 1000 - 1), standing(0, true));
        let next = Standing { limit: 2, remaining: 1, reset: reset + 60, over: false };
        assert_eq!(window.take(reset * 1000), next);
    }

    #[test]
    fn others_use_up_the_same_window() {
        let mut window = Window::new(100, 60);
        window.spend(99, 5_000);
        assert_eq!(window.take(5_000).remaining, 0);
        assert!(window.take(5_000).over);
        window.restart();
        assert_eq!(window.take(6_000), Standing { limit: 100, remaining: 99, reset: 66, over: false });
    }
}

//! What must hold at whatever speed: a benchmark in which it does not has failed.

use super::numbers::thousands;
use super::{Report, Window};

/// What does not hold.
pub(crate) fn broken(report: &Report) -> Vec<String> {
    let mut broken = Vec::new();
    for cold in report.growth() {
        let events: u64 = cold.rounds.iter().map(|round| round.operator.cost.events()).sum();
        if events > 0 {
            let size = thousands(cold.size.into());
            broken.push(format!("{size} connections: first checks that succeeded wrote {events} Events"));
        }
    }
    for size in &report.sizes {
        let mut silent = |window: &Window, when: &str| {
            let others = window.side.cost.api_total() - window.side.cost.watches();
            if others > 0 {
                let size = thousands(size.cold.size.into());
                let all = &window.side.cost.api_requests;
                broken.push(format!(
                    "{size} connections, {when}: {others} requests to the API server beside watches: {all:?}"
                ));
            }
        };
        silent(&size.rest, "at rest");
        silent(&size.recheck.window, "checks that change nothing");
    }
    broken
}

//! What time it is in the life of the soak.

use std::time::Duration;

const CYCLE: Duration = Duration::from_secs(600);
const OUTAGE: Duration = Duration::from_secs(20);

/// What happens at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Everyday life.
    Life,
    /// Everyday life while ClickUp is not there.
    Outage,
    /// Nobody changes anything, long enough for what was under way to have ended.
    Rest,
    /// Nobody changes anything any longer, and the comparison is under way.
    End,
}

impl Phase {
    /// So long after the begin, in a run of this length: ten minutes each with an outage and, at its end, a rest. A
    /// shorter run has two shorter cycles.
    pub(crate) fn at(elapsed: Duration, length: Duration) -> Phase {
        let cycle = CYCLE.min(length / 2).max(Duration::from_secs(1));
        let into = elapsed.as_secs_f64() % cycle.as_secs_f64();
        let share = into / cycle.as_secs_f64();
        let outage = (into - cycle.as_secs_f64() * 0.6).max(0.0);
        match share {
            _ if elapsed >= length => Phase::End,
            _ if share >= 0.9 => Phase::Rest,
            _ if share >= 0.6 && outage < OUTAGE.min(cycle / 10).as_secs_f64() => Phase::Outage,
            _ => Phase::Life,
        }
    }

    /// As the samples name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Phase::Life => "life",
            Phase::Outage => "outage",
            Phase::Rest => "rest",
            Phase::End => "end",
        }
    }

    /// The phase of that name.
    pub(crate) fn named(name: &str) -> Option<Phase> {
        [Phase::Life, Phase::Outage, Phase::Rest, Phase::End].into_iter().find(|phase| phase.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_minutes_have_an_outage_and_end_with_a_rest() {
        let at = |seconds| Phase::at(Duration::from_secs(seconds), Duration::from_secs(7200));
        for (seconds, phase) in [
            (0, Phase::Life),
            (359, Phase::Life),
            (360, Phase::Outage),
            (379, Phase::Outage),
            (380, Phase::Life),
            (539, Phase::Life),
            (540, Phase::Rest),
            (599, Phase::Rest),
            (600, Phase::Life),
            (7199, Phase::Rest),
            (7200, Phase::End),
        ] {
            assert_eq!(at(seconds), phase, "at {seconds} s");
            assert_eq!(Phase::named(phase.name()), Some(phase));
        }
    }

    #[test]
    fn a_short_run_has_everything_twice() {
        let seconds = |wanted| {
            let at = |second| Phase::at(Duration::from_secs(second), Duration::from_secs(180));
            (0..180).filter(|second| at(*second) == wanted).count()
        };
        assert_eq!([Phase::Outage, Phase::Rest].map(seconds), [18, 18]);
    }
}

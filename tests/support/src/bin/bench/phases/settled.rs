//! The operator once all is well: nothing to do, edits one by one, restarts, and checks that change nothing.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{Bench, millis, side};
use crate::edits::{self, Kind};
use crate::measure::Meter;
use crate::operator::{Metrics, Operator};
use crate::report::{Recheck, Restart, Side, Size, Window};
use crate::{Failure, progress};

const QUIET: Duration = Duration::from_secs(10);
const AFTER_RESTART: Duration = Duration::from_secs(10);
const RECHECKS: Duration = Duration::from_secs(60);
const STARTS: usize = 5;
/// A connection is checked again after half an interval at the earliest.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(60);
/// Of all connections, so many are checked again when the measuring of that begins: one in this.
const UNDER_WAY: u64 = 100;
/// Roughly: the API server takes a little more than 5 ms to write a status.
const CHECKED_IN_HALF_A_MINUTE: u64 = 5500;
const LOOK: Duration = Duration::from_secs(1);

impl Bench {
    /// Everything about one size.
    pub(crate) async fn everything(&self) -> Result<Size, Failure> {
        let (cold, running) = self.cold().await?;
        progress("measuring the operator at rest");
        self.ground.quiet().await?;
        let rest = self.window(&running, QUIET).await?;
        let spec_edits = edits::measure(self, &running, Kind::Spec).await?;
        let secret_edits = edits::measure(self, &running, Kind::Secret).await?;
        running.stop().await?;
        let restart = self.restart().await?;
        let starts_ms = self.starts().await?;
        let (edited_restart, recheck) = self.edited().await?;
        Ok(Size { cold, rest, spec_edits, secret_edits, restart, edited_restart, recheck, starts_ms })
    }

    async fn window(&self, operator: &Operator, time: Duration) -> Result<Window, Failure> {
        let before = operator.used(&self.ground)?;
        let meter = Meter::start(&self.ground).await?;
        tokio::time::sleep(time).await;
        let used = operator.used(&self.ground)?;
        let cost = meter.stop(&self.ground, used.usage.cpu.saturating_sub(before.usage.cpu)).await?;
        Ok(Window { seconds: time.as_secs_f64(), side: side(cost, used) })
    }

    /// All is Ready and nothing has changed since the operator ended.
    async fn restart(&self) -> Result<Restart, Failure> {
        progress("measuring a restart with nothing changed");
        self.ground.quiet().await?;
        let meter = Meter::start(&self.ground).await?;
        let operator = self.program.start(&self.ground).await?;
        let ready_ms = millis(operator.ready_after);
        tokio::time::sleep(AFTER_RESTART.saturating_sub(operator.ready_after)).await;
        let used = operator.used(&self.ground)?;
        let cost = meter.stop(&self.ground, used.usage.cpu).await?;
        operator.stop().await?;
        let window = Window { seconds: AFTER_RESTART.as_secs_f64(), side: side(cost, used) };
        Ok(Restart { ready_ms, window })
    }

    async fn starts(&self) -> Result<Vec<f64>, Failure> {
        let mut starts = Vec::new();
        for _ in 0..STARTS {
            let operator = self.program.start(&self.ground).await?;
            starts.push(millis(operator.alive_after));
            operator.stop().await?;
        }
        Ok(starts)
    }

    /// A restart after every connection was given a shorter interval, and the checks that come of that interval.
    async fn edited(&self) -> Result<(Side, Recheck), Failure> {
        progress("editing every connection while no operator runs");
        let (size, most) = (self.size() as u64, self.size());
        // All first checks are to be over before the first of them is due again.
        let minutes = 1 + size / CHECKED_IN_HALF_A_MINUTE;
        let interval = SHORTEST_INTERVAL * u32::try_from(minutes)?;
        let spec = json!({"interval": format!("{minutes}m")});
        self.fleet.edit(most, move |_| json!({"spec": spec})).await?;
        self.ground.quiet().await?;
        progress("measuring a restart with all to be checked");
        let meter = Meter::start(&self.ground).await?;
        let operator = self.program.start(&self.ground).await?;
        operator.until(most, self.patience, "statuses written", Metrics::written).await?;
        let used = operator.used(&self.ground)?;
        let cost = meter.stop(&self.ground, used.usage.cpu).await?;
        let restarted = side(cost, used);
        let recheck = self.recheck(&operator, interval).await?;
        operator.stop().await?;
        Ok((restarted, recheck))
    }

    /// Waits, once all first checks have ended, until some connections are checked again.
    pub(crate) async fn until_due_again(
        &self,
        operator: &Operator,
        interval: Duration,
    ) -> Result<(), Failure> {
        progress("waiting for the first connections to be due again");
        let (first, began) = (operator.metrics().await?.checks(), Instant::now());
        while operator.metrics().await?.checks() <= first + self.size() as u64 / UNDER_WAY {
            if began.elapsed() > 2 * interval {
                return Err("no connection is checked again".into());
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    async fn recheck(&self, operator: &Operator, interval: Duration) -> Result<Recheck, Failure> {
        self.until_due_again(operator, interval).await?;
        progress(format_args!("measuring checks that change nothing for {} s", RECHECKS.as_secs()));
        let before = operator.metrics().await?.checks();
        let window = self.window(operator, RECHECKS).await?;
        let checks = operator.metrics().await?.checks() - before;
        Ok(Recheck { interval_minutes: interval.as_secs() / 60, checks, window })
    }
}

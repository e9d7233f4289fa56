//! What is measured, in which order.
//!
//! Each side begins with the same number of connections that have no status: between two sides all connections are
//! removed and made anew with the same names; the Secrets stay. An API server is slow at first and grows later, so
//! the rounds alternate: bare loop, operator; operator, bare loop; and so on.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use test_support::process::Usage;

use crate::fleet::Fleet;
use crate::ground::Ground;
use crate::measure::Meter;
use crate::operator::{Operator, Program};
use crate::report::{Aftermath, Left, Report, Round, Side};
use crate::{Arguments, Failure, bare, progress};

const QUIET: Duration = Duration::from_secs(5);
const AFTER_RESTART: Duration = Duration::from_secs(10);
const STARTS: usize = 5;

/// Measures everything and leaves nothing behind.
pub(crate) async fn run(arguments: &Arguments) -> Result<Report, Failure> {
    let Arguments { size, rounds, latency, operator_args, .. } = arguments;
    let beside = |name: &str| std::env::current_exe().map(|path| path.with_file_name(name));
    let path =
        |given: &Option<PathBuf>, name| given.as_ref().map_or_else(|| beside(name), std::path::absolute);
    let binary = path(&arguments.operator, "clickup-operator")?;
    let simulator = path(&arguments.simulator, "clickup-simulator")?;
    let missing = |_| format!("{} is not there: build it, or use --operator", binary.display());
    let binary_bytes = std::fs::metadata(&binary).map_err(missing)?.len();

    let ground = Ground::prepare(simulator, *size, Duration::from_millis(*latency)).await?;
    let kubernetes = ground.admin.apiserver_version().await?.git_version;
    let fleet = Fleet::create(ground.admin.clone(), &ground.tokens).await?;
    let program = Program { binary, args: operator_args.clone() };
    let patience = Duration::from_secs(60) + Duration::from_millis(60) * *size;
    let mut bench = Bench { ground, fleet, program, patience, template: Value::Null };
    bench.template = bench.template().await?;

    let (mut done, mut aftermath) = (Vec::new(), Aftermath::default());
    for number in 1..=*rounds {
        progress(format_args!("round {number} of {rounds}"));
        let bare_first = number % 2 == 1;
        let early = if bare_first { Some(bench.bare().await?) } else { None };
        let (operator, running) = bench.operator().await?;
        if number == *rounds {
            aftermath = bench.aftermath(running).await?;
        } else {
            running.stop().await?;
        }
        let bare = match early {
            Some(bare) => bare,
            None => bench.bare().await?,
        };
        done.push(Round { bare_first, bare, operator });
    }
    bench.ground.stop().await?;
    Ok(Report {
        size: *size,
        latency_ms: *latency,
        cores: std::thread::available_parallelism()?.get(),
        kubernetes,
        binary_bytes,
        rounds: done,
        aftermath,
    })
}

struct Bench {
    ground: Ground,
    fleet: Fleet,
    program: Program,
    /// How long one side may take.
    patience: Duration,
    /// A status that the operator wrote.
    template: Value,
}

impl Bench {
    /// What the operator writes about one connection, so that the bare loop can write the same about all.
    async fn template(&self) -> Result<Value, Failure> {
        self.fleet.connect(1).await?;
        let operator = self.program.start(&self.ground).await?;
        operator.until_all_ready(1, self.patience).await?;
        let status = self.fleet.first_status().await?;
        operator.stop().await?;
        Ok(status)
    }

    /// As many connections as Secrets, without a status, and an API server that has nothing else to do.
    async fn afresh(&self) -> Result<(), Failure> {
        self.fleet.disconnect().await?;
        self.fleet.connect(self.fleet.places.len()).await?;
        self.ground.quiet().await
    }

    async fn bare(&self) -> Result<Side, Failure> {
        self.afresh().await?;
        progress("measuring the bare loop");
        let meter = Meter::start(&self.ground).await?;
        let used = bare::measure(&self.ground, &self.fleet.places, &self.template, self.patience).await?;
        let cost = meter.stop(&self.ground, used.cpu).await?;
        self.fleet.verify(&self.template).await?;
        Ok(side(cost, used))
    }

    async fn operator(&self) -> Result<(Side, Operator), Failure> {
        self.afresh().await?;
        progress("measuring the operator");
        let meter = Meter::start(&self.ground).await?;
        let operator = self.program.start(&self.ground).await?;
        operator.until_all_ready(self.fleet.places.len(), self.patience).await?;
        let used = operator.usage()?;
        let cost = meter.stop(&self.ground, used.cpu).await?;
        self.fleet.verify(&self.template).await?;
        let passes = Some(operator.passes().await?);
        Ok((Side { passes, ..side(cost, used) }, operator))
    }

    /// What the operator does once all is well: nothing, and nothing much after a restart.
    async fn aftermath(&self, operator: Operator) -> Result<Aftermath, Failure> {
        progress("measuring the operator at rest and after a restart");
        self.ground.quiet().await?;
        let rest = self.watch(&operator, QUIET).await?;
        operator.stop().await?;

        self.ground.quiet().await?;
        let meter = Meter::start(&self.ground).await?;
        let operator = self.program.start(&self.ground).await?;
        let ready_ms = millis(operator.ready_after);
        tokio::time::sleep(AFTER_RESTART).await;
        let used = operator.usage()?;
        let cost = meter.stop(&self.ground, used.cpu).await?;
        let restart = Left { seconds: AFTER_RESTART.as_secs(), side: side(cost, used) };
        operator.stop().await?;

        let mut starts_ms = Vec::new();
        for _ in 0..STARTS {
            let operator = self.program.start(&self.ground).await?;
            starts_ms.push(millis(operator.alive_after));
            operator.stop().await?;
        }
        Ok(Aftermath { rest, restart, restart_ready_ms: ready_ms, starts_ms })
    }

    async fn watch(&self, operator: &Operator, time: Duration) -> Result<Left, Failure> {
        let before = operator.usage()?;
        let meter = Meter::start(&self.ground).await?;
        tokio::time::sleep(time).await;
        let used = operator.usage()?;
        let cost = meter.stop(&self.ground, used.cpu.saturating_sub(before.cpu)).await?;
        Ok(Left { seconds: time.as_secs(), side: side(cost, used) })
    }
}

fn side(cost: crate::measure::Cost, used: Usage) -> Side {
    let Usage { resident_bytes, peak_resident_bytes, cpu: _ } = used;
    Side { cost, resident_bytes, peak_resident_bytes, passes: None }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

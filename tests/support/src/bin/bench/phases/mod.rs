//! What is measured with one number of connections, on an API server of its own.

mod cases;
mod cold;
mod settled;

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::arguments::Arguments;
use crate::bare;
use crate::fleet::Fleet;
use crate::ground::Ground;
use crate::measure::{Cost, Meter};
use crate::operator::{Operator, Program};
use crate::report::Side;
use crate::{Failure, progress};

/// Everything that runs, and the connections.
pub(crate) struct Bench {
    pub(crate) ground: Ground,
    pub(crate) fleet: Fleet,
    pub(crate) program: Program,
    /// How long one side may take.
    pub(crate) patience: Duration,
    /// A status that the operator wrote.
    template: Value,
}

/// What a process has used so far.
pub(crate) struct Used {
    pub(crate) usage: test_support::process::Usage,
    pub(crate) api_connections: usize,
}

impl Bench {
    /// Starts an API server and ClickUp, and makes so many Secrets.
    pub(crate) async fn prepare(arguments: &Arguments, size: u32) -> Result<Bench, Failure> {
        let Arguments { latency, operator_args, .. } = arguments;
        let binary = beside(&arguments.operator, "clickup-operator")?;
        let simulator = beside(&arguments.simulator, "clickup-simulator")?;
        let ground = Ground::prepare(simulator, size, Duration::from_millis(*latency)).await?;
        let fleet = Fleet::create(ground.admin.clone(), &ground.tokens).await?;
        let program = Program { binary, args: operator_args.clone(), under: Vec::new() };
        let patience = Duration::from_secs(60) + Duration::from_millis(60) * size;
        let mut bench = Bench { ground, fleet, program, patience, template: Value::Null };
        bench.template = bench.template().await?;
        Ok(bench)
    }

    pub(crate) fn size(&self) -> usize {
        self.fleet.places.len()
    }

    pub(crate) async fn stop(self) -> Result<(), Failure> {
        self.ground.stop().await
    }

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
    pub(crate) async fn afresh(&self) -> Result<(), Failure> {
        self.fleet.disconnect().await?;
        self.fleet.connect(self.size()).await?;
        self.ground.quiet().await
    }

    /// The bare loop, from nothing to all Ready.
    async fn bare(&self) -> Result<Side, Failure> {
        self.afresh().await?;
        progress("measuring the bare loop");
        let meter = Meter::start(&self.ground).await?;
        let used = bare::measure(&self.ground, &self.fleet.places, &self.template, self.patience).await?;
        let cost = meter.stop(&self.ground, used.usage.cpu).await?;
        self.fleet.verify(&self.template).await?;
        Ok(side(cost, used))
    }

    /// The operator, from nothing to all Ready. It runs on.
    async fn operator(&self) -> Result<(Side, Operator), Failure> {
        self.afresh().await?;
        progress("measuring the operator");
        let meter = Meter::start(&self.ground).await?;
        let operator = self.program.start(&self.ground).await?;
        operator.until_all_ready(self.size(), self.patience).await?;
        let used = operator.used(&self.ground)?;
        let cost = meter.stop(&self.ground, used.usage.cpu).await?;
        self.fleet.verify(&self.template).await?;
        let passes = Some(operator.metrics().await?.passes());
        Ok((Side { passes, ..side(cost, used) }, operator))
    }
}

/// Where a program is.
pub(crate) fn beside(given: &Option<PathBuf>, name: &str) -> Result<PathBuf, Failure> {
    let path = match given {
        Some(path) => std::path::absolute(path)?,
        None => std::env::current_exe()?.with_file_name(name),
    };
    let missing = || format!("{} is not there: build it, or say where it is with an option", path.display());
    if path.is_file() { Ok(path) } else { Err(missing().into()) }
}

pub(crate) fn side(cost: Cost, used: Used) -> Side {
    let Used { usage, api_connections } = used;
    Side {
        cost,
        resident_bytes: usage.resident_bytes,
        peak_resident_bytes: usage.peak_resident_bytes,
        api_connections,
        passes: None,
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

//! The run itself: start, everyday life beside the samples, and the comparison at the end.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use test_support::stack::{Stack, StackOptions};
use test_support::wait;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use crate::fleet::Fleet;
use crate::life::{Life, PACE, Tally};
use crate::phase::Phase;
use crate::sample::{self, Sample, Samples};
use crate::{Arguments, Failure, progress};

/// In the output directory.
pub(crate) const FILE: &str = "run.json";
const LOG: &str = "operator.log";

const EVERY: Duration = Duration::from_secs(10);
const SAMPLES_PER_LINE: u64 = 6;
/// In a row, on a machine that is busy with other things.
const MISSES: u32 = 30;
/// Until all is as it must be: longer than any interval, a second rejection and the longest backoff.
const SETTLED: Duration = Duration::from_secs(420);
const LOOK: Duration = Duration::from_secs(3);
/// As far from ClickUp as its users are.
const LATENCY: Duration = Duration::from_millis(20);
const CUT_SHORT: &str = "cut short: no state was compared";

/// What a run was, for the report.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) minutes: u64,
    pub(crate) size: u32,
    pub(crate) seed: u64,
    pub(crate) kubernetes: String,
    pub(crate) cores: usize,
    /// What was done, by its name.
    pub(crate) changes: BTreeMap<String, u64>,
    /// What came of the comparison at the end, if it got there.
    pub(crate) end: String,
}

struct Soak<'a> {
    stack: &'a Stack,
    output: &'a Path,
    length: Duration,
    began: Instant,
    done: Tally,
    run: Run,
}

/// Writes samples and run; returns what is wrong at the end.
pub(crate) async fn run(arguments: &Arguments) -> Result<Vec<String>, Failure> {
    let output = &arguments.output;
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let asked_to_end = async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    let mut asked_to_end = pin!(asked_to_end);
    progress("starting a Kubernetes API server, a simulated ClickUp and the operator");
    let stack = tokio::select! {
        stack = Stack::start(options(arguments)?) => stack?,
        () = &mut asked_to_end => return Err("interrupted before it began".into()),
    };
    let (soak, life) = tokio::select! {
        prepared = prepare(arguments, &stack) => prepared?,
        () = &mut asked_to_end => return Err("interrupted before it began".into()),
    };
    let mut samples = Samples::create(&output.join(sample::FILE))?;
    soak.write_run(CUT_SHORT)?;
    let pid = stack.operator.process().pid();
    progress(format_args!("the operator is process {pid}; samples are in {}", output.display()));
    let ended = tokio::select! {
        ended = soak.live(life) => ended,
        failed = soak.watch(&mut samples) => failed.map(|()| Vec::new()),
        () = asked_to_end => Ok(vec![CUT_SHORT.to_owned()]),
    };
    let mut found = ended.unwrap_or_else(|error| vec![format!("given up: {error}")]);
    let log = std::fs::read_to_string(stack.operator.process().log_path())?;
    std::fs::write(output.join(LOG), &log)?;
    if holds_token(&log) {
        found.push(format!("a token is in {LOG}"));
    }
    soak.write_run(&summary(&found))?;
    drop(soak);
    stack.stop().await?;
    Ok(found)
}

fn options(arguments: &Arguments) -> Result<StackOptions, Failure> {
    let beside = |name: &str| std::env::current_exe().map(|path| path.with_file_name(name));
    let path =
        |given: &Option<PathBuf>, name| given.as_ref().map_or_else(|| beside(name), std::path::absolute);
    let mut options = StackOptions::new(path(&arguments.operator, "clickup-operator")?);
    options.simulator.binary = path(&arguments.simulator, "clickup-simulator")?;
    options.log_level = "info".to_owned();
    Ok(options)
}

/// Makes all connections.
async fn prepare<'a>(arguments: &'a Arguments, stack: &'a Stack) -> Result<(Soak<'a>, Life), Failure> {
    let Arguments { minutes, size, seed, output, .. } = arguments;
    let client = stack.control_plane.client().await?;
    let run = Run {
        minutes: *minutes,
        size: *size,
        seed: *seed,
        kubernetes: client.apiserver_version().await?.git_version,
        cores: std::thread::available_parallelism()?.get(),
        changes: BTreeMap::new(),
        end: String::new(),
    };
    let clickup = stack.simulator.client()?;
    clickup.set_latency(LATENCY).await?;
    let mut fleet = Fleet::new(client, clickup, usize::try_from(*size)?).await?;
    for index in 0..fleet.slots.len() {
        fleet.make(index).await?;
    }
    progress(format_args!("{size} connections made"));
    let done = Tally::default();
    let life = Life::new(fleet, done.clone(), *seed);
    let length = Duration::from_secs(minutes * 60);
    Ok((Soak { stack, output, length, began: Instant::now(), done, run }, life))
}

impl Soak<'_> {
    /// The changes and outages, and the comparison.
    async fn live(&self, mut life: Life) -> Result<Vec<String>, Failure> {
        let mut pace = interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut up = true;
        loop {
            pace.tick().await;
            let phase = self.phase();
            // On a busy machine it may take another attempt.
            if up != (phase != Phase::Outage) && life.fleet.clickup.set_up(!up).await.is_ok() {
                up = !up;
            }
            match phase {
                Phase::Life | Phase::Outage => life.step().await?,
                Phase::Rest => {}
                Phase::End if up => break,
                Phase::End => {}
            }
        }
        life.resume_all().await?;
        progress("comparing every connection with what it must be");
        let fleet = &life.fleet;
        let settled = wait::until(SETTLED, "every connection to be as it must be", || async move {
            let found = self.mismatches(fleet).await.unwrap_or_else(|error| vec![error.to_string()]);
            if found.is_empty() {
                return Ok(());
            }
            sleep(LOOK).await;
            Err(found.join("\n"))
        });
        Ok(match settled.await {
            Ok(()) => Vec::new(),
            Err(error) => error.last_seen.lines().map(str::to_owned).collect(),
        })
    }

    async fn mismatches(&self, fleet: &Fleet) -> Result<Vec<String>, Failure> {
        let mut found = fleet.mismatches().await?;
        let (told, there) = (self.sample().await?.connections(), fleet.present());
        if told != there {
            found.push(format!("metrics of {told} connections, of which there are {there}"));
        }
        Ok(found)
    }

    fn phase(&self) -> Phase {
        Phase::at(self.began.elapsed(), self.length)
    }

    async fn sample(&self) -> Result<Sample, Failure> {
        let changes = self.done.borrow().values().sum();
        Sample::take(self.stack, self.began.elapsed(), self.phase(), changes).await
    }

    /// Ends only when the operator does, or cannot be looked at.
    async fn watch(&self, samples: &mut Samples) -> Result<(), Failure> {
        let mut tick = interval(EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut number, mut missed) = (0_u64, 0);
        loop {
            tick.tick().await;
            if let Some(exit) = self.stack.operator.process().exited() {
                return Err(format!("the operator ended with {exit}").into());
            }
            let sample = match self.sample().await {
                Ok(sample) => sample,
                Err(error) if missed >= MISSES => return Err(error),
                Err(error) => {
                    progress(format_args!("no sample this time: {error}"));
                    missed += 1;
                    continue;
                }
            };
            missed = 0;
            samples.add(&sample)?;
            if number.is_multiple_of(SAMPLES_PER_LINE) {
                let length = self.length.as_secs() / 60;
                progress(format_args!("{:>4.0} of {length} min, {sample}", sample.seconds / 60.0));
                self.write_run(CUT_SHORT)?;
            }
            number += 1;
        }
    }

    fn write_run(&self, end: &str) -> Result<(), Failure> {
        let (changes, end) = (self.done.borrow().clone(), end.to_owned());
        let run = Run { changes, end, ..self.run.clone() };
        Ok(std::fs::write(self.output.join(FILE), serde_json::to_vec_pretty(&run)?)?)
    }
}

/// For the table, which has room for a few.
fn summary(found: &[String]) -> String {
    match found {
        [] => "every connection as it must be".to_owned(),
        [one] => one.clone(),
        [one, others @ ..] => format!("{one}; {} more", others.len()),
    }
}

/// A personal token looks like `pk_1234567_ABC`; its prefix alone may be spoken of.
fn holds_token(text: &str) -> bool {
    let after = |(at, prefix): (usize, &str)| text[at + prefix.len()..].chars().next();
    text.match_indices("pk_").filter_map(after).any(|next| next.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_told_from_its_prefix() {
        assert!(holds_token("it starts with pk_, as pk_1234567_ABC does"));
        assert!(!holds_token("a personal token starts with pk_"));
    }
}

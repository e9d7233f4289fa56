//! `make chaos`: faults in a seeded order, and a report.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use chaos::{
    plan::{Plan, Profile},
    report::{Report, WriteDocs},
    run::{RunError, RunOptions, run},
};
use clap::Parser;

/// Breaks everything around the operator, in an order that a seed decides, and checks after each step that every status
/// is what it must be.
///
/// A few hundred connections of all shapes live on a real Kubernetes API server and a simulated ClickUp. Step by step
/// something breaks: the API server, etcd, the way to ClickUp, ClickUp's answers, the operator itself; meanwhile Secrets,
/// tokens and specs change. A model says what each status must be, a watch judges every version of every status, and the
/// logs, Events, metrics and requests are read after each step. The first rule that is broken ends the run, with the seed
/// that repeats it, what was seen, and where the logs are.
#[derive(Parser)]
#[command(
    version,
    after_help = "Examples:\n  \
        make chaos                      half an hour, another order each time\n  \
        make chaos SEED=7 MINUTES=10    an order that was seen before, shorter\n  \
        chaos --seed 7 --plan           what that order is; runs nothing"
)]
struct Arguments {
    /// Decides what happens to whom, and in which order; left out, the time of day
    #[arg(long, env = "SEED")]
    seed: Option<u64>,

    /// Begin no step after so many minutes
    #[arg(long, env = "MINUTES", default_value_t = 30)]
    minutes: u64,

    /// The short run that the tests make: 60 connections, a minute
    #[arg(long)]
    short: bool,

    /// Leave out that the operator is killed at each write in turn, which takes six minutes
    #[arg(long)]
    no_sweep: bool,

    /// Print the schedule, and run nothing
    #[arg(long)]
    plan: bool,

    /// The operator's program, with clickup-simulator beside it; left out, the one beside this program
    #[arg(long, value_name = "FILE")]
    operator: Option<PathBuf>,

    /// Write the table of the report to this page, between its markers
    #[arg(long, value_name = "FILE")]
    write_docs: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let seed =
        arguments.seed.unwrap_or_else(|| jiff::Timestamp::now().as_second().unsigned_abs() % 1_000_000);
    let profile = if arguments.short { Profile::Short } else { Profile::Long };
    let plan = Plan::new(seed, profile);
    if arguments.plan {
        print!("{plan}");
        return ExitCode::SUCCESS;
    }
    match attempt(&arguments, &plan).await {
        Ok(report) => finish(&arguments, &report),
        Err(error) => {
            let short = if arguments.short { " --short" } else { "" };
            eprintln!("\n{error}\nAgain: chaos --seed {seed}{short}");
            ExitCode::FAILURE
        }
    }
}

async fn attempt(arguments: &Arguments, plan: &Plan) -> Result<Report, RunError> {
    let operator = match &arguments.operator {
        Some(operator) => operator.clone(),
        None => std::env::current_exe()?.with_file_name("clickup-operator"),
    };
    let time = Duration::from_secs(60 * arguments.minutes);
    run(plan, &RunOptions { operator, time: Some(time), sweep: !arguments.no_sweep }).await
}

fn finish(arguments: &Arguments, report: &Report) -> ExitCode {
    println!("\n{report}");
    let Some(page) = &arguments.write_docs else { return ExitCode::SUCCESS };
    match report.write_docs(page) {
        Ok(()) => ExitCode::SUCCESS,
        Err(WriteDocs { page, source }) => {
            eprintln!("cannot write the table to {}: {source}", page.display());
            ExitCode::FAILURE
        }
    }
}

//! `make profile`: where a cold start of the operator spends its time and its memory.
//!
//! Two cold starts of the same connections, one under `perf`, one under `heaptrack`, and a minute of checks that change
//! nothing, watched by `perf`. What they recorded becomes flame graphs by the programs of `inferno`.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::arguments::Arguments;
use crate::operator::{Operator, Program};
use crate::phases::Bench;
use crate::{Failure, progress};

const SIZE: u32 = 1000;
/// Samples per second: not in step with anything that happens every hundredth of a second.
const FREQUENCY: &str = "999";
/// The shortest that a connection may have.
const INTERVAL: Duration = Duration::from_secs(60);
const END: Duration = Duration::from_secs(120);

/// Each program with what it is good for and where it comes from.
const PROGRAMS: [(&str, &str); 6] = [
    (
        "perf",
        "samples of the processor's time; Debian: linux-perf, Fedora: perf, Ubuntu: linux-tools-generic",
    ),
    ("heaptrack", "records of allocations; Debian, Ubuntu and Fedora: heaptrack"),
    ("heaptrack_print", "comes with heaptrack"),
    ("c++filt", "readable names; everywhere: binutils"),
    ("inferno-collapse-perf", "flame graphs; `make profile` installs it, or: cargo install inferno"),
    ("inferno-flamegraph", "flame graphs; `make profile` installs it, or: cargo install inferno"),
];

/// Profiles a cold start and says where the files are.
pub(crate) async fn run(arguments: &Arguments, folder: &Path) -> Result<(), Failure> {
    let missing: Vec<_> = PROGRAMS.iter().filter(|(program, _)| !is_in_path(program)).collect();
    if !missing.is_empty() {
        let lines = missing.iter().map(|(program, hint)| format!("\n  {program}: {hint}"));
        return Err(format!("not in PATH:{}", lines.collect::<String>()).into());
    }
    std::fs::create_dir_all(folder)?;
    let folder = std::path::absolute(folder)?;
    let bench = Bench::prepare(arguments, arguments.size.first().copied().unwrap_or(SIZE)).await?;
    let mut files = time(&bench, &folder).await?;
    files.extend(time_of_rechecks(&bench, &folder).await?);
    files.extend(memory(&bench, &folder).await?);
    bench.stop().await?;
    for (what, file) in files {
        println!("{what}: {}", file.display());
    }
    Ok(())
}

/// Files with what is in them.
type Files = Vec<(&'static str, PathBuf)>;

async fn time(bench: &Bench, folder: &Path) -> Result<Files, Failure> {
    let [data, flames] = ["perf.data", "cpu.svg"].map(|name| folder.join(name));
    let perf = ["perf", "record", "--freq", FREQUENCY, "--call-graph", "fp", "--output"].map(OsString::from);
    start_under(bench, perf.into_iter().chain([data.clone().into(), "--".into()])).await?;
    flame_graph(&data, &flames, "Processor time of a cold start")?;
    Ok(vec![("processor time of a cold start", flames), ("… for perf report --input", data)])
}

async fn time_of_rechecks(bench: &Bench, folder: &Path) -> Result<Files, Failure> {
    let [data, flames] = ["perf-recheck.data", "cpu-recheck.svg"].map(|name| folder.join(name));
    bench.afresh().await?;
    bench.fleet.edit(bench.size(), |_| json!({"spec": {"interval": "1m"}})).await?;
    let operator = bench.program.start(&bench.ground).await?;
    operator.until_all_ready(bench.size(), bench.patience).await?;
    bench.until_due_again(&operator, INTERVAL).await?;
    progress("a minute of checks that change nothing under perf");
    let mut perf = tokio::process::Command::new("perf");
    perf.args(["record", "--freq", FREQUENCY, "--call-graph", "fp", "--output"]).arg(&data);
    perf.args([
        "--pid",
        &operator.process().pid().to_string(),
        "--",
        "sleep",
        &INTERVAL.as_secs().to_string(),
    ]);
    let exit = perf.stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true).status().await?;
    operator.stop().await?;
    if !exit.success() {
        return Err(format!("perf ended with {exit}").into());
    }
    flame_graph(&data, &flames, "Processor time of checks that change nothing")?;
    Ok(vec![("processor time of checks that change nothing", flames), ("… for perf report --input", data)])
}

fn flame_graph(data: &Path, flames: &Path, title: &str) -> Result<(), Failure> {
    let (mut script, mut graph) = (Command::new("perf"), Command::new("inferno-flamegraph"));
    script.args(["script", "--input"]).arg(data);
    graph.args(["--title", title]);
    pipe(Stdio::null(), [script, Command::new("inferno-collapse-perf"), graph], flames)
}

async fn memory(bench: &Bench, folder: &Path) -> Result<Files, Failure> {
    let [data, stacks, flames, largest] =
        ["heaptrack", "heap.stacks", "heap.svg", "heap.txt"].map(|name| folder.join(name));
    start_under(bench, ["heaptrack".into(), "--output".into(), data.clone().into()]).await?;
    // It has added an ending of its own.
    let data =
        ["zst", "gz"].map(|ending| data.with_extension(ending)).into_iter().find(|file| file.is_file());
    let data = data.ok_or("heaptrack has written nothing")?;
    let mut print = Command::new("heaptrack_print");
    print.args(["--print-allocators", "0", "--print-temporary", "0", "--flamegraph-cost-type", "peak"]);
    print.arg("--print-flamegraph").arg(&stacks).arg("--file").arg(&data);
    pipe(Stdio::null(), [print, Command::new("c++filt")], &largest)?;
    let mut graph = Command::new("inferno-flamegraph");
    graph.args(["--title", "Memory at the peak of a cold start", "--countname", "bytes", "--colors", "mem"]);
    pipe(File::open(&stacks)?.into(), [Command::new("c++filt"), graph], &flames)?;
    // Large, and all of it is in what heaptrack wrote.
    std::fs::remove_file(stacks)?;
    Ok(vec![
        ("memory at the peak of a cold start", flames),
        ("… the largest of it", largest),
        ("… for heaptrack_gui", data),
    ])
}

/// A cold start under another program, which ends when the operator does.
async fn start_under(bench: &Bench, under: impl IntoIterator<Item = OsString>) -> Result<(), Failure> {
    let under: Vec<_> = under.into_iter().collect();
    let name = under[0].to_string_lossy().into_owned();
    bench.afresh().await?;
    progress(format_args!("a cold start under {name}"));
    let Program { binary, args, .. } = &bench.program;
    let program = Program { binary: binary.clone(), args: args.clone(), under };
    let operator = program.start(&bench.ground).await?;
    operator.until_all_ready(bench.size(), 4 * bench.patience).await?;
    kill_process(running(&operator, binary)?, Signal::TERM)?;
    let exit = operator.process().wait(END).await?;
    if exit.success() {
        return Ok(());
    }
    Err(format!("{name} ended with {exit}: {}", operator.process().log_tail(5)).into())
}

/// The operator itself: what its profiler has started.
fn running(operator: &Operator, binary: &Path) -> Result<Pid, Failure> {
    let (parent, binary) = (operator.process().pid(), std::fs::canonicalize(binary)?);
    for entry in std::fs::read_dir("/proc")? {
        let path: PathBuf = entry?.path();
        let Some(pid) = path.file_name().and_then(|name| name.to_str()?.parse::<i32>().ok()) else {
            continue;
        };
        let is_it = std::fs::read_link(path.join("exe")).is_ok_and(|exe| exe == binary);
        let status = std::fs::read_to_string(path.join("status")).unwrap_or_default();
        let of = status.lines().find_map(|line| line.strip_prefix("PPid:")?.trim().parse::<u32>().ok());
        if is_it && of == Some(parent) {
            return Pid::from_raw(pid).ok_or_else(|| "a process without a number".into());
        }
    }
    Err(format!("no {} runs under process {parent}", binary.display()).into())
}

/// Runs commands, each with the output of the one before as its input, the last into a file.
fn pipe<const N: usize>(mut input: Stdio, commands: [Command; N], file: &Path) -> Result<(), Failure> {
    let mut children = Vec::new();
    let last = N - 1;
    for (at, mut command) in commands.into_iter().enumerate() {
        let output = if at == last { Stdio::from(File::create(file)?) } else { Stdio::piped() };
        let mut child = command.stdin(input).stdout(output).stderr(Stdio::null()).spawn()?;
        input = child.stdout.take().map_or_else(Stdio::null, Stdio::from);
        children.push((command.get_program().to_string_lossy().into_owned(), child));
    }
    for (program, mut child) in children {
        let exit = child.wait()?;
        if !exit.success() {
            return Err(format!("{program} ended with {exit}").into());
        }
    }
    Ok(())
}

fn is_in_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

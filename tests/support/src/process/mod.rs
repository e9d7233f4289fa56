//! Child processes that never outlive us, also when we are killed.
//!
//! Each runs under a small shell, its guard (`guard.sh`), which reads from a pipe that we hold. When the pipe
//! closes, because we ask for it or because we are gone, the guard ends the program: SIGTERM first, SIGKILL
//! after a grace. Both are in a process group of their own, so Ctrl-C in a terminal reaches only us.

use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::scratch::ScratchDir;
use crate::wait;

mod ready;
mod usage;

pub use ready::NotReady;
pub use usage::Usage;

/// Where `make try` finds the token of whoever runs it. No process that we start gets it.
pub const TOKEN_VARIABLE: &str = "CLICKUP_TOKEN";

const GUARD: &str = include_str!("guard.sh");

/// What to start, and how.
#[derive(Debug)]
pub struct Launch<'a> {
    /// For messages and `ps`.
    pub name: &'a str,
    /// Program, arguments, environment and working directory; its standard streams are not used.
    pub command: Command,
    /// Where standard output and error go, appended.
    pub log: PathBuf,
    /// The directory that must stay until the program has ended.
    pub scratch: Option<&'a ScratchDir>,
    /// Time between SIGTERM and SIGKILL when it is to end; whole seconds, at least one.
    pub grace: Duration,
}

/// A running program and its guard. Dropping it asks the guard to end the program, and does not wait.
#[derive(Debug)]
pub struct Guarded {
    name: String,
    pid: u32,
    log: PathBuf,
    log_start: u64,
    grace: Duration,
    guard: Mutex<Guard>,
}

#[derive(Debug)]
struct Guard {
    process: Child,
    /// Closing it ends the program.
    control: Option<ChildStdin>,
    exit: Option<Exit>,
}

/// How a program ended. A shell cannot tell exit code 130 from signal 2; above 128 it is taken for a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

/// The signals that tests and the demo send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Ask to end.
    Terminate,
    /// End at once.
    Kill,
    /// Freeze.
    Stop,
    /// Thaw.
    Continue,
}

/// A program could not be started, signalled or awaited.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// It is not there or the guard did not start.
    #[error("cannot start {name} ({program})")]
    Start {
        /// The program's name.
        name: String,
        /// Its path.
        program: String,
        /// Why not.
        source: io::Error,
    },
    /// It has ended before.
    #[error("cannot send {signal} to {name}: it has ended")]
    Signal {
        /// The program's name.
        name: String,
        /// What was to be sent.
        signal: Signal,
        /// What the pipe to the guard says.
        source: io::Error,
    },
    /// It still runs at the deadline.
    #[error("{name} (pid {pid}) does not end; the end of its log:\n{log_tail}")]
    StillRunning {
        /// The program's name.
        name: String,
        /// Its process id.
        pid: u32,
        /// The last lines of its log.
        log_tail: String,
        /// How long it was waited for.
        source: Box<wait::TimedOut>,
    },
    /// Its `/proc` entry cannot be read: it has ended, or this is not Linux.
    #[error("cannot read the resource usage of {name} (pid {pid}) from /proc")]
    Usage {
        /// The program's name.
        name: String,
        /// Its process id.
        pid: u32,
        /// Why not.
        source: io::Error,
    },
}

impl Guarded {
    /// Starts the program; that it runs says nothing yet about whether it works.
    pub fn start(launch: Launch<'_>) -> Result<Guarded, ProcessError> {
        let Launch { name, command, log, scratch, grace } = launch;
        let failed = |source| ProcessError::Start {
            name: name.to_string(),
            program: command.get_program().to_string_lossy().into_owned(),
            source,
        };
        require_executable(Path::new(command.get_program())).map_err(failed)?;
        let log_start = File::options().create(true).append(true).open(&log).and_then(|file| file.metadata());
        let log_start = log_start.map_err(failed)?.len();

        let stderr = match scratch {
            Some(scratch) => Stdio::from(scratch.hold().map_err(failed)?),
            None => Stdio::null(),
        };
        let grace = Duration::from_secs(grace.as_secs().max(1));
        let mut guard = Command::new("sh");
        guard.args(["-c", GUARD]).arg(format!("guard-of-{name}"));
        guard.arg(&log).arg(grace.as_secs().to_string());
        guard.arg(command.get_program()).args(command.get_args());
        for (variable, value) in command.get_envs() {
            match value {
                Some(value) => guard.env(variable, value),
                None => guard.env_remove(variable),
            };
        }
        if let Some(directory) = command.get_current_dir() {
            guard.current_dir(directory);
        }
        guard.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(stderr).process_group(0);
        let mut process = guard.spawn().map_err(failed)?;
        drop(guard); // and with it our copy of the handle on the scratch directory

        let control = process.stdin.take();
        let pid = read_pid(&mut process).map_err(failed)?;
        let guard = Mutex::new(Guard { process, control, exit: None });
        Ok(Guarded { name: name.to_string(), pid, log, log_start, grace, guard })
    }

    /// The program's own process id, not the guard's.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Where its output goes.
    pub fn log_path(&self) -> &Path {
        &self.log
    }

    /// What it has printed since this start; empty if that cannot be read.
    pub fn log(&self) -> String {
        let mut bytes = Vec::new();
        let read = File::open(&self.log).and_then(|mut file| {
            file.seek(SeekFrom::Start(self.log_start))?;
            file.read_to_end(&mut bytes)
        });
        match read {
            Ok(_) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(_) => String::new(),
        }
    }

    /// The last lines that it has printed since this start.
    pub fn log_tail(&self, lines: usize) -> String {
        let log = self.log();
        let all: Vec<&str> = log.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }

    /// How it ended, if it has.
    pub fn exited(&self) -> Option<Exit> {
        let mut guard = self.lock();
        if guard.exit.is_none() {
            // An error cannot happen here: nobody else waits for this child.
            guard.exit = guard.process.try_wait().ok().flatten().map(Exit::from_guard);
        }
        guard.exit
    }

    /// Sends a signal to the program.
    pub fn signal(&self, signal: Signal) -> Result<(), ProcessError> {
        let ended = |source| ProcessError::Signal { name: self.name.clone(), signal, source };
        if self.exited().is_some() {
            return Err(ended(io::ErrorKind::NotFound.into()));
        }
        match &mut self.lock().control {
            Some(control) => writeln!(control, "{}", signal.name()).map_err(ended),
            None => Err(ended(io::ErrorKind::BrokenPipe.into())),
        }
    }

    /// Waits until it ends by itself or by a signal that was sent to it.
    pub async fn wait(&self, deadline: Duration) -> Result<Exit, ProcessError> {
        let what = format!("{} to end", self.name);
        let ended = wait::until(deadline, what, || async { self.exited().ok_or("it runs") });
        ended.await.map_err(|source| ProcessError::StillRunning {
            name: self.name.clone(),
            pid: self.pid,
            log_tail: self.log_tail(20),
            source: Box::new(source),
        })
    }

    /// Ends it: SIGTERM, after the grace SIGKILL. Returns how it ended, also if it had before.
    pub async fn stop(&self) -> Result<Exit, ProcessError> {
        self.lock().control = None;
        self.wait(self.grace + Duration::from_secs(10)).await
    }

    /// Memory and processor time so far. Linux only.
    pub fn usage(&self) -> Result<Usage, ProcessError> {
        Usage::of(self.pid).map_err(|source| ProcessError::Usage {
            name: self.name.clone(),
            pid: self.pid,
            source,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Guard> {
        self.guard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Exit {
    /// Whether it ended by itself with code 0.
    pub fn success(self) -> bool {
        self == Exit::Code(0)
    }

    fn from_guard(status: ExitStatus) -> Exit {
        match (status.code(), status.signal()) {
            (Some(code), _) if code <= 128 => Exit::Code(code),
            (Some(code), _) => Exit::Signal(code - 128),
            (None, signal) => Exit::Signal(signal.unwrap_or_default()),
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exit::Code(code) => write!(f, "exit code {code}"),
            Exit::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}

impl Signal {
    fn name(self) -> &'static str {
        match self {
            Signal::Terminate => "TERM",
            Signal::Kill => "KILL",
            Signal::Stop => "STOP",
            Signal::Continue => "CONT",
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SIG{}", self.name())
    }
}

/// The shell would only say "not found" in the log, so look first. A bare name is looked up in PATH.
fn require_executable(program: &Path) -> io::Result<()> {
    if program.components().count() > 1 {
        return require_file(program);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|directory| require_file(&directory.join(program)).is_ok());
    if found { Ok(()) } else { Err(io::Error::new(io::ErrorKind::NotFound, "not found in PATH")) }
}

fn require_file(path: &Path) -> io::Result<()> {
    if path.metadata()?.is_file() { Ok(()) } else { Err(io::Error::other("not a file")) }
}

fn read_pid(process: &mut Child) -> io::Result<u32> {
    let stdout = process.stdout.take().ok_or_else(|| io::Error::other("the guard has no output"))?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    line.trim().parse().map_err(|_| io::Error::other(format!("the guard printed {line:?} instead of a pid")))
}

/// A command whose proxies are those of the loopback address: none. The token of `make try` is not its business.
pub(crate) fn command_without_proxy(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_remove(TOKEN_VARIABLE);
    for variable in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"] {
        command.env_remove(variable);
    }
    command
}

//! A directory that is removed once we and all processes that work in it are gone, however we end.
//!
//! A small shell, the keeper, reads from a pipe. We hold its write end, and so does the guard of each process
//! that works in the directory. When the last of them is gone the keeper sees the end and removes the directory.

use std::fs::DirBuilder;
use std::io::{self, PipeWriter, Write};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::process::TOKEN_VARIABLE;
use crate::wait;

/// Set, to whatever value, scratch directories stay, for whoever wants to read the logs afterwards.
pub const KEEP_VARIABLE: &str = "CLICKUP_OPERATOR_KEEP";

const KEEPER: &str = r#"
trap '' HUP INT TERM
while read -r _; do :; done
[ -n "$2" ] || rm -rf -- "$1"
"#;
const REMOVAL_DEADLINE: Duration = Duration::from_secs(30);

/// A directory for one run, readable by this user only.
#[derive(Debug)]
pub struct ScratchDir {
    path: PathBuf,
    pipe: PipeWriter,
    keeper: Child,
}

/// A scratch directory could not be made or removed.
#[derive(Debug, thiserror::Error)]
pub enum ScratchError {
    /// The directory or its keeper could not be made.
    #[error("cannot make the directory {path} (TMPDIR chooses another place)")]
    Create {
        /// Where it should have been.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Somebody still holds the directory.
    #[error("the directory {path} was not removed: a process that works in it does not end")]
    Remove {
        /// The directory.
        path: PathBuf,
        /// How long it was waited for.
        source: wait::TimedOut,
    },
}

impl ScratchDir {
    /// Makes a directory whose name begins with `clickup-operator-` and `name`, below `TMPDIR`.
    pub fn create(name: &str) -> Result<ScratchDir, ScratchError> {
        let path = std::env::temp_dir().join(format!("clickup-operator-{name}-{}", unique_suffix()));
        let failed = |source| ScratchError::Create { path: path.clone(), source };
        let (reader, pipe) = io::pipe().map_err(failed)?;
        let keep = std::env::var_os(KEEP_VARIABLE).map_or("", |_| "keep");
        if !keep.is_empty() {
            // Past the capture of `cargo test`.
            let _ = writeln!(io::stderr().lock(), "{KEEP_VARIABLE} is set: {} stays", path.display());
        }
        DirBuilder::new().mode(0o700).create(&path).map_err(failed)?;
        let keeper = Command::new("sh")
            .args(["-c", KEEPER, "clickup-operator-scratch-keeper"])
            .arg(&path)
            .arg(keep)
            .current_dir("/")
            .env_remove(TOKEN_VARIABLE)
            .stdin(reader)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        Ok(ScratchDir { path, pipe, keeper })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A path in it.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path.join(name)
    }

    /// A handle that keeps the directory for as long as any process holds it.
    pub(crate) fn hold(&self) -> io::Result<PipeWriter> {
        self.pipe.try_clone()
    }

    /// Lets go of the directory and waits until it is removed, that is until the last process in it has ended.
    pub async fn remove(self) -> Result<(), ScratchError> {
        let ScratchDir { path, pipe, mut keeper } = self;
        drop(pipe);
        let gone = wait::until(REMOVAL_DEADLINE, "the scratch directory's keeper to end", || {
            let ended = keeper.try_wait();
            async move {
                match ended {
                    Ok(Some(_)) => Ok(()),
                    Ok(None) => Err("it runs, so another process still holds the directory".to_string()),
                    Err(error) => Err(error.to_string()),
                }
            }
        });
        gone.await.map_err(|source| ScratchError::Remove { path, source })
    }
}

/// Differs between processes, between calls, and, so that a stale directory is in nobody's way, between runs.
pub(crate) fn unique_suffix() -> String {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let call = CALLS.fetch_add(1, Ordering::Relaxed);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{}-{call}-{:x}", std::process::id(), now.as_millis() & 0xff_ffff)
}

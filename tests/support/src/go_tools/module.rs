//! A Go module that pins programs, and how they are built from it.

use std::borrow::Cow;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::cache::{CACHE_VARIABLE, cache_error, lock};
use crate::process::{Exit, Guarded, Launch, ProcessError};

pub(super) const REPORT_EVERY: Duration = Duration::from_secs(15);
const BUILD_DEADLINE: Duration = Duration::from_secs(2 * 3600);

/// A module with all that is needed to build its programs.
#[derive(Clone, Debug)]
pub struct GoModule {
    /// Begins the name of the directory in the cache, and each line about the build.
    pub name: Cow<'static, str>,
    /// Its files by name, `go.mod` first; built into this crate, so that no checkout is needed.
    pub sources: &'static [(&'static str, &'static str)],
    /// What is built, in this order.
    pub programs: &'static [GoProgram],
    /// For `go build -ldflags`.
    pub linker_flags: Cow<'static, str>,
}

/// A program of a module.
#[derive(Clone, Copy, Debug)]
pub struct GoProgram {
    /// Name of the file.
    pub name: &'static str,
    /// Its Go package; `.` for one whose source is here.
    pub package: &'static str,
    /// How long a build takes on two cores the first time.
    pub expected: &'static str,
}

/// A program was neither found nor built.
#[derive(Debug, thiserror::Error)]
pub enum GoBuildError {
    /// There is no home for the cache.
    #[error("no directory for built programs: set HOME or {CACHE_VARIABLE}")]
    NoCacheDirectory,
    /// Go is not installed.
    #[error("Go is needed once, to build {programs}: install Go {wanted} or newer (https://go.dev/dl)")]
    GoMissing {
        /// What was to be built.
        programs: String,
        /// The oldest version that will do.
        wanted: String,
        /// What the start of `go` ended in.
        source: io::Error,
    },
    /// A file or directory of the cache cannot be read or written.
    #[error("cannot use {path} (set {CACHE_VARIABLE} to another directory)")]
    Cache {
        /// The path.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Go refused.
    #[error("building {program} with Go failed ({exit}); the end of {log}:\n{log_tail}")]
    Build {
        /// Which program.
        program: &'static str,
        /// How `go build` ended.
        exit: Exit,
        /// The full output.
        log: PathBuf,
        /// Its last lines.
        log_tail: String,
    },
    /// The build could not be started or does not end.
    #[error("building {program} with Go failed")]
    BuildProcess {
        /// Which program.
        program: &'static str,
        /// Why.
        source: ProcessError,
    },
}

impl GoModule {
    /// The directory below `cache` that holds all programs, built unless they are there.
    pub async fn find_or_build(&self, cache: &Path) -> Result<PathBuf, GoBuildError> {
        let finished = cache.join(self.key());
        if self.missing_in(&finished).is_empty() {
            return Ok(finished);
        }
        fs::create_dir_all(cache).map_err(cache_error(cache))?;
        let _lock = lock(&finished.with_added_extension("lock"), &self.name).await?;
        // Whoever held the lock before may have built it.
        if !self.missing_in(&finished).is_empty() {
            self.build(&finished).await?;
        }
        Ok(finished)
    }

    /// The programs that a directory lacks.
    pub fn missing_in(&self, directory: &Path) -> Vec<&'static str> {
        let names = self.programs.iter().map(|program| program.name);
        names.filter(|name| !directory.join(name).is_file()).collect()
    }

    /// Names everything that the result depends on, but for the version of Go.
    fn key(&self) -> String {
        let texts = self.sources.iter().map(|(_, text)| *text).chain([&*self.linker_flags]);
        let recipe: String = texts.collect();
        let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
        format!("{}-{os}-{arch}-{:016x}", self.name, fnv1a(recipe.as_bytes()))
    }

    /// Builds next to where the result belongs and renames at the end, so that what has its name is complete.
    async fn build(&self, finished: &Path) -> Result<(), GoBuildError> {
        self.check_go()?;
        // Left by builds that were killed, or by a hand: we hold the lock, so nobody works there.
        let partial = finished.with_added_extension("partial");
        for old in [&partial, finished] {
            if old.exists() {
                fs::remove_dir_all(old).map_err(cache_error(old))?;
            }
        }
        fs::create_dir(&partial).map_err(cache_error(&partial))?;
        for (name, text) in self.sources {
            fs::write(partial.join(name), text).map_err(cache_error(&partial))?;
        }
        report(&self.name, &format!("built from source, once; the result stays in {}", finished.display()));
        let start = Instant::now();
        for (step, program) in self.programs.iter().enumerate() {
            let GoProgram { name, expected, .. } = program;
            let step = format!("{name} ({} of {}, first time {expected})", step + 1, self.programs.len());
            self.build_program(program, &step, &partial).await?;
        }
        let _ = fs::remove_file(partial.with_added_extension("log"));
        fs::rename(&partial, finished).map_err(cache_error(finished))?;
        report(&self.name, &format!("done after {}", minutes(start.elapsed())));
        Ok(())
    }

    async fn build_program(
        &self,
        program: &GoProgram,
        step: &str,
        directory: &Path,
    ) -> Result<(), GoBuildError> {
        let GoProgram { name, package, .. } = *program;
        let log = directory.with_added_extension("log");
        let mut go = Command::new("go");
        go.args([
            "build",
            "-trimpath",
            "-buildvcs=false",
            "-ldflags",
            &self.linker_flags,
            "-o",
            name,
            package,
        ]);
        // GOOS and GOARCH of whoever cross-compiles something else must not reach us.
        go.env("CGO_ENABLED", "0").env("GOWORK", "off").env_remove("GOOS").env_remove("GOARCH");
        go.current_dir(directory);
        let _ = fs::remove_file(&log);
        let failed = |source| GoBuildError::BuildProcess { program: name, source };
        // Guarded, so that Ctrl-C ends it. Go's own cache keeps what it has compiled until then.
        let launch = Launch {
            name: "go-build",
            command: go,
            log: log.clone(),
            scratch: None,
            grace: Duration::from_secs(5),
        };
        let build = Guarded::start(launch).map_err(failed)?;
        let start = Instant::now();
        let exit = loop {
            report(&self.name, &format!("building {step}: {} so far", minutes(start.elapsed())));
            match build.wait(REPORT_EVERY).await {
                Ok(exit) => break exit,
                Err(ProcessError::StillRunning { .. }) if start.elapsed() < BUILD_DEADLINE => {}
                Err(source) => return Err(failed(source)),
            }
        };
        if exit.success() {
            return Ok(());
        }
        Err(GoBuildError::Build { program: name, exit, log, log_tail: build.log_tail(20) })
    }

    fn check_go(&self) -> Result<(), GoBuildError> {
        Command::new("go").arg("version").output().map(drop).map_err(|source| {
            let programs: Vec<&str> = self.programs.iter().map(|program| program.name).collect();
            let go_mod = self.sources.first().map_or("", |(_, text)| text);
            let wanted = line_value(go_mod, "go ").unwrap_or("1.26").to_string();
            GoBuildError::GoMissing { programs: programs.join(", "), wanted, source }
        })
    }
}

/// What follows `start` on the first line of a `go.mod` that begins so.
pub fn line_value<'a>(text: &'a str, start: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(start)).map(str::trim)
}

/// FNV-1a: the standard library's hasher may differ between releases, and this is no matter of security.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

pub(super) fn minutes(elapsed: Duration) -> String {
    format!("{}:{:02}", elapsed.as_secs() / 60, elapsed.as_secs() % 60)
}

/// Past the capture of `cargo test`: whoever waits ten minutes must see why.
pub(super) fn report(what: &str, text: &str) {
    let _ = writeln!(io::stderr().lock(), "[{what}] {text}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::ScratchDir;

    fn hello(source: &'static [(&'static str, &'static str)]) -> GoModule {
        GoModule {
            name: "hello".into(),
            sources: source,
            programs: &[GoProgram { name: "hello", package: ".", expected: "a second" }],
            linker_flags: "-s -w".into(),
        }
    }

    #[test]
    fn the_hash_is_that_of_the_reference() {
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[tokio::test]
    async fn a_program_is_built_once_and_found_again() {
        let module = hello(&[
            ("go.mod", "module hello\n\ngo 1.24\n"),
            ("main.go", "package main\n\nfunc main() { println(\"hello\") }\n"),
        ]);
        let scratch = ScratchDir::create("go-module").unwrap();
        let (one, other) =
            tokio::join!(module.find_or_build(scratch.path()), module.find_or_build(scratch.path()));
        let directory = one.unwrap();
        assert_eq!(other.unwrap(), directory);
        let printed = Command::new(directory.join("hello")).output().unwrap().stderr;
        assert_eq!(String::from_utf8_lossy(&printed), "hello\n");

        let built = fs::metadata(directory.join("hello")).unwrap().modified().unwrap();
        module.find_or_build(scratch.path()).await.unwrap();
        assert_eq!(fs::metadata(directory.join("hello")).unwrap().modified().unwrap(), built);
        let edited = hello(&[("go.mod", "module hello\n"), ("main.go", "package main\n")]);
        assert_ne!(edited.key(), module.key());
        scratch.remove().await.unwrap();
    }

    #[tokio::test]
    async fn what_go_refuses_is_shown_and_leaves_nothing_that_passes_for_built() {
        let module = hello(&[
            ("go.mod", "module hello\n\ngo 1.24\n"),
            ("main.go", "package main\n\nfunc main() { nope() }\n"),
        ]);
        let scratch = ScratchDir::create("go-module").unwrap();
        let error = module.find_or_build(scratch.path()).await.unwrap_err().to_string();
        assert!(
            error.contains("building hello with Go failed") && error.contains("undefined: nope"),
            "{error}"
        );
        assert_eq!(module.missing_in(&scratch.path().join(module.key())), ["hello"]);
        scratch.remove().await.unwrap();
    }
}

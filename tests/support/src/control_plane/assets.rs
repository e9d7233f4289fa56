//! Finds kube-apiserver, etcd and kubectl, or builds them once from `tests/control-plane`.

use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::process::{Exit, Guarded, Launch, ProcessError};

/// A directory that has all three programs, as `setup-envtest` makes it; nothing is built then.
pub const ASSETS_VARIABLE: &str = "KUBEBUILDER_ASSETS";
/// Where built programs are kept instead of `$XDG_CACHE_HOME/clickup-operator`.
pub const CACHE_VARIABLE: &str = "CLICKUP_OPERATOR_CACHE";

const GO_MOD: &str = include_str!("../../../control-plane/kubernetes-1.37/go.mod");
const GO_SUM: &str = include_str!("../../../control-plane/kubernetes-1.37/go.sum");

const PROGRAMS: [&str; 3] = ["etcd", "kube-apiserver", "kubectl"];
/// The Go packages of `PROGRAMS`, in the same order, which is that of their build times on two cores.
const PACKAGES: [(&str, &str); 3] = [
    ("go.etcd.io/etcd/server/v3", "1 minute"),
    ("k8s.io/kubernetes/cmd/kube-apiserver", "5 to 9 minutes"),
    ("k8s.io/kubernetes/cmd/kubectl", "half a minute"),
];
/// Packages that hold the version which the programs report.
const VERSION_PACKAGES: [&str; 2] = ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"];

const REPORT_EVERY: Duration = Duration::from_secs(15);
const BUILD_DEADLINE: Duration = Duration::from_secs(2 * 3600);

/// The programs that make a control plane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assets {
    /// The directory that holds all three.
    pub directory: PathBuf,
}

/// The programs were neither found nor built.
#[derive(Debug, thiserror::Error)]
pub enum AssetsError {
    /// The directory lacks programs.
    #[error(
        "{ASSETS_VARIABLE} is {directory}, where {missing} is missing; it must hold etcd, kube-apiserver and \
         kubectl (`setup-envtest use -p path` prints such a directory). Unset it to have them built with Go"
    )]
    Incomplete {
        /// What the variable says.
        directory: PathBuf,
        /// What is not there.
        missing: String,
    },
    /// There is no home for the cache.
    #[error("no directory for built programs: set HOME or {CACHE_VARIABLE}")]
    NoCacheDirectory,
    /// Go is not installed.
    #[error(
        "Go is needed once, to build kube-apiserver, etcd and kubectl: install Go {wanted} or newer \
         (https://go.dev/dl), or set {ASSETS_VARIABLE} to a directory that holds the three programs"
    )]
    GoMissing {
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

impl Assets {
    /// What `KUBEBUILDER_ASSETS` names, else what the cache holds, else builds it, which takes about ten minutes
    /// on two cores and tells on standard error how far it is. Only one process builds, others wait for it.
    pub async fn find_or_build() -> Result<Assets, AssetsError> {
        match std::env::var_os(ASSETS_VARIABLE).filter(|directory| !directory.is_empty()) {
            Some(directory) => Assets::in_directory(Path::new(&directory)),
            None => Assets::cached_in(&cache_directory(|name| std::env::var_os(name))?).await,
        }
    }

    /// The programs in this directory; all three must be there.
    pub fn in_directory(directory: &Path) -> Result<Assets, AssetsError> {
        let missing: Vec<&str> =
            PROGRAMS.into_iter().filter(|program| !directory.join(program).is_file()).collect();
        if missing.is_empty() {
            // Absolute, because the programs are started in directories of their own.
            let directory = std::path::absolute(directory).map_err(cache_error(directory))?;
            return Ok(Assets { directory });
        }
        let directory = directory.to_path_buf();
        Err(AssetsError::Incomplete { directory, missing: missing.join(" and ") })
    }

    /// The path of kube-apiserver.
    pub fn kube_apiserver(&self) -> PathBuf {
        self.directory.join("kube-apiserver")
    }

    /// The path of etcd.
    pub fn etcd(&self) -> PathBuf {
        self.directory.join("etcd")
    }

    /// The path of kubectl.
    pub fn kubectl(&self) -> PathBuf {
        self.directory.join("kubectl")
    }

    async fn cached_in(cache: &Path) -> Result<Assets, AssetsError> {
        let finished = cache.join(cache_key());
        if let Ok(assets) = Assets::in_directory(&finished) {
            return Ok(assets);
        }
        fs::create_dir_all(cache).map_err(cache_error(cache))?;
        let _lock = lock(&finished.with_added_extension("lock")).await?;
        // Whoever held the lock before may have built it.
        match Assets::in_directory(&finished) {
            Ok(assets) => Ok(assets),
            Err(_) => build(&finished).await,
        }
    }
}

/// Builds next to where the result belongs and renames at the end, so that what has its name is complete.
async fn build(finished: &Path) -> Result<Assets, AssetsError> {
    // Build directories of builds that were killed: we hold the lock, so nobody works there.
    let partial = finished.with_added_extension("partial");
    if partial.exists() {
        fs::remove_dir_all(&partial).map_err(cache_error(&partial))?;
    }
    fs::create_dir(&partial).map_err(cache_error(&partial))?;
    for (name, text) in [("go.mod", GO_MOD), ("go.sum", GO_SUM)] {
        fs::write(partial.join(name), text).map_err(cache_error(&partial))?;
    }

    check_go()?;
    report(&format!(
        "building Kubernetes {} and etcd from source, once; about ten minutes on two cores, 4 GB of Go cache. \
         {ASSETS_VARIABLE} would spare it. The result stays in {}",
        kubernetes_version(),
        finished.display(),
    ));
    let start = Instant::now();
    for (step, (program, (package, expected))) in PROGRAMS.into_iter().zip(PACKAGES).enumerate() {
        let step = format!("{program} ({} of {}, first time {expected})", step + 1, PROGRAMS.len());
        build_program(program, package, &step, &partial).await?;
    }
    let _ = fs::remove_file(partial.with_added_extension("log"));
    fs::rename(&partial, finished).map_err(cache_error(finished))?;
    report(&format!("done after {}", minutes(start.elapsed())));
    Assets::in_directory(finished)
}

async fn build_program(
    program: &'static str,
    package: &str,
    step: &str,
    directory: &Path,
) -> Result<(), AssetsError> {
    let log = directory.with_added_extension("log");
    let mut go = Command::new("go");
    go.args(["build", "-trimpath", "-buildvcs=false", "-ldflags", &linker_flags(), "-o", program, package]);
    // GOOS and GOARCH of whoever cross-compiles something else must not reach us.
    go.env("CGO_ENABLED", "0").env("GOWORK", "off").env_remove("GOOS").env_remove("GOARCH");
    go.current_dir(directory);
    let _ = fs::remove_file(&log);
    let failed = |source| AssetsError::BuildProcess { program, source };
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
        report(&format!("building {step}: {} so far", minutes(start.elapsed())));
        match build.wait(REPORT_EVERY).await {
            Ok(exit) => break exit,
            Err(ProcessError::StillRunning { .. }) if start.elapsed() < BUILD_DEADLINE => {}
            Err(source) => return Err(failed(source)),
        }
    };
    if exit.success() {
        return Ok(());
    }
    Err(AssetsError::Build { program, exit, log, log_tail: build.log_tail(20) })
}

fn check_go() -> Result<(), AssetsError> {
    let wanted = || line_value(GO_MOD, "go ").unwrap_or("1.26").to_string();
    match Command::new("go").arg("version").output() {
        Ok(_) => Ok(()),
        Err(source) => Err(AssetsError::GoMissing { wanted: wanted(), source }),
    }
}

/// Waits for whoever builds. The lock goes with its holder, also when that is killed.
async fn lock(path: &Path) -> Result<File, AssetsError> {
    let mut options = File::options();
    let file = options.create(true).truncate(false).write(true).open(path).map_err(cache_error(path))?;
    let start = Instant::now();
    let mut next_report = Duration::ZERO;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(source)) => return Err(cache_error(path)(source)),
            Err(TryLockError::WouldBlock) => {}
        }
        if start.elapsed() >= next_report {
            let waited = minutes(start.elapsed());
            report(&format!(
                "another process builds Kubernetes for us (lock {}), waiting: {waited} so far",
                path.display(),
            ));
            next_report += REPORT_EVERY;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

fn cache_directory(variable: impl Fn(&str) -> Option<OsString>) -> Result<PathBuf, AssetsError> {
    let set = |name| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = set(CACHE_VARIABLE)
        .or_else(|| set("XDG_CACHE_HOME").map(|cache| cache.join("clickup-operator")))
        .or_else(|| set("HOME").map(|home| home.join(".cache/clickup-operator")))
        .ok_or(AssetsError::NoCacheDirectory)?;
    Ok(base.join("control-plane"))
}

/// Names everything that the result depends on, but for the version of Go.
fn cache_key() -> String {
    let recipe = [GO_MOD, GO_SUM, &linker_flags()].concat();
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    format!("kubernetes-{}-{os}-{arch}-{:016x}", kubernetes_version(), fnv1a(recipe.as_bytes()))
}

/// FNV-1a: the standard library's hasher may differ between releases, and this is no matter of security.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

fn kubernetes_version() -> &'static str {
    line_value(GO_MOD, "require k8s.io/kubernetes v").unwrap_or("0.0.0")
}

fn linker_flags() -> String {
    let version = kubernetes_version();
    let mut numbers = version.split('.');
    let (major, minor) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
    let mut flags = "-s -w".to_string();
    for package in VERSION_PACKAGES {
        flags += &format!(" -X {package}.gitVersion=v{version}");
        flags += &format!(" -X {package}.gitMajor={major} -X {package}.gitMinor={minor}");
    }
    flags
}

fn line_value<'a>(text: &'a str, start: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(start)).map(str::trim)
}

fn cache_error(path: &Path) -> impl Fn(io::Error) -> AssetsError + use<> {
    let path = path.to_path_buf();
    move |source| AssetsError::Cache { path: path.clone(), source }
}

fn minutes(elapsed: Duration) -> String {
    format!("{}:{:02}", elapsed.as_secs() / 60, elapsed.as_secs() % 60)
}

/// Past the capture of `cargo test`: whoever waits ten minutes must see why.
fn report(text: &str) {
    let _ = writeln!(io::stderr().lock(), "[control plane] {text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_comes_from_the_go_module() {
        assert!(kubernetes_version().starts_with("1.37."), "{}", kubernetes_version());
        assert!(linker_flags().contains("-X k8s.io/client-go/pkg/version.gitMinor=37"), "{}", linker_flags());
        assert!(GO_MOD.contains("etcd"), "the module builds etcd too");
    }

    #[test]
    fn the_cache_follows_the_variables_in_order() {
        let with = |set: &[(&str, &str)]| {
            let value = |name: &str| set.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into());
            cache_directory(value).map(|path| path.display().to_string()).map_err(|error| error.to_string())
        };
        let (home, xdg) = (("HOME", "/home/u"), ("XDG_CACHE_HOME", "/xdg"));
        assert_eq!(with(&[home]).unwrap(), "/home/u/.cache/clickup-operator/control-plane");
        assert_eq!(with(&[home, xdg]).unwrap(), "/xdg/clickup-operator/control-plane");
        assert_eq!(with(&[home, xdg, (CACHE_VARIABLE, "/own")]).unwrap(), "/own/control-plane");
        assert!(with(&[("HOME", "")]).unwrap_err().contains(CACHE_VARIABLE));
    }

    #[test]
    fn the_hash_is_that_of_the_reference() {
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }
}

//! Where built programs are kept, and who may build them.

use std::ffi::OsString;
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::module::{GoBuildError, REPORT_EVERY, minutes, report};

/// Where built programs are kept instead of `$XDG_CACHE_HOME/clickup-operator`.
pub const CACHE_VARIABLE: &str = "CLICKUP_OPERATOR_CACHE";

/// A folder of the cache; it need not be there yet.
pub fn cache_directory(folder: &str) -> Result<PathBuf, GoBuildError> {
    Ok(cache_root(|name| std::env::var_os(name))?.join(folder))
}

fn cache_root(variable: impl Fn(&str) -> Option<OsString>) -> Result<PathBuf, GoBuildError> {
    let set = |name| variable(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set(CACHE_VARIABLE)
        .or_else(|| set("XDG_CACHE_HOME").map(|cache| cache.join("clickup-operator")))
        .or_else(|| set("HOME").map(|home| home.join(".cache/clickup-operator")))
        .ok_or(GoBuildError::NoCacheDirectory)
}

/// Waits for whoever builds `what`. The lock goes with its holder, also when that is killed.
pub(super) async fn lock(path: &Path, what: &str) -> Result<File, GoBuildError> {
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
            let lock = path.display();
            report(
                what,
                &format!("another process builds it for us (lock {lock}), waiting: {waited} so far"),
            );
            next_report += REPORT_EVERY;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

pub(super) fn cache_error(path: &Path) -> impl Fn(io::Error) -> GoBuildError + use<> {
    let path = path.to_path_buf();
    move |source| GoBuildError::Cache { path: path.clone(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_follows_the_variables_in_order() {
        let with = |set: &[(&str, &str)]| {
            let value = |name: &str| set.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into());
            cache_root(value).map(|path| path.display().to_string()).map_err(|error| error.to_string())
        };
        let (home, xdg) = (("HOME", "/home/u"), ("XDG_CACHE_HOME", "/xdg"));
        assert_eq!(with(&[home]).unwrap(), "/home/u/.cache/clickup-operator");
        assert_eq!(with(&[home, xdg]).unwrap(), "/xdg/clickup-operator");
        assert_eq!(with(&[home, xdg, (CACHE_VARIABLE, "/own")]).unwrap(), "/own");
        assert!(with(&[("HOME", "")]).unwrap_err().contains(CACHE_VARIABLE));
    }
}

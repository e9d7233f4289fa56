//! Finds kube-apiserver, etcd and kubectl, or builds them once from `tests/control-plane`.

use std::path::{Path, PathBuf};

use crate::go_tools::{GoBuildError, GoModule, GoProgram, cache_directory, line_value};

/// A directory that has all three programs, as `setup-envtest` makes it; nothing is built then.
pub const ASSETS_VARIABLE: &str = "KUBEBUILDER_ASSETS";
/// Which minor version of Kubernetes to run, such as `1.34`, where nothing is said the newest.
pub const KUBERNETES_VARIABLE: &str = "CLICKUP_OPERATOR_KUBERNETES";

/// In the order of their build times on two cores.
const PROGRAMS: &[GoProgram] = &[
    GoProgram { name: "etcd", package: "go.etcd.io/etcd/server/v3", expected: "1 minute" },
    GoProgram {
        name: "kube-apiserver",
        package: "k8s.io/kubernetes/cmd/kube-apiserver",
        expected: "5 to 9 minutes",
    },
    GoProgram { name: "kubectl", package: "k8s.io/kubernetes/cmd/kubectl", expected: "half a minute" },
];
/// Packages that hold the version which the programs report.
const VERSION_PACKAGES: [&str; 2] = ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"];

macro_rules! release {
    ($minor:literal) => {
        Release {
            minor: $minor,
            sources: &[
                ("go.mod", include_str!(concat!("../../../control-plane/kubernetes-", $minor, "/go.mod"))),
                ("go.sum", include_str!(concat!("../../../control-plane/kubernetes-", $minor, "/go.sum"))),
            ],
        }
    };
}

/// What can be built, the one that is used first.
const RELEASES: &[Release] = &[release!("1.37"), release!("1.34")];

/// A version of Kubernetes with the etcd that belongs to it.
#[derive(Clone, Copy, Debug)]
struct Release {
    minor: &'static str,
    sources: &'static [(&'static str, &'static str)],
}

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
    /// There is no such version here.
    #[error("{KUBERNETES_VARIABLE} is {wanted:?}: there is {known}")]
    UnknownRelease {
        /// What the variable says.
        wanted: String,
        /// What it may say.
        known: String,
    },
    /// They could not be built; a directory of programs that are there would spare it.
    #[error(
        "no control plane; {ASSETS_VARIABLE} may name a directory that holds etcd, kube-apiserver and kubectl"
    )]
    Build(#[from] GoBuildError),
}

impl Assets {
    /// What `KUBEBUILDER_ASSETS` names, else what the cache holds, else builds it, which takes about ten minutes
    /// on two cores and tells on standard error how far it is. Only one process builds, others wait for it.
    pub async fn find_or_build() -> Result<Assets, AssetsError> {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        if let Some(directory) = set(ASSETS_VARIABLE) {
            return Assets::in_directory(Path::new(&directory));
        }
        let wanted = set(KUBERNETES_VARIABLE).map(|minor| minor.to_string_lossy().into_owned());
        let module = release(wanted.as_deref())?.module();
        Ok(Assets { directory: module.find_or_build(&cache_directory("control-plane")?).await? })
    }

    /// The programs in this directory; all three must be there.
    pub fn in_directory(directory: &Path) -> Result<Assets, AssetsError> {
        let names = PROGRAMS.iter().map(|program| program.name);
        let missing: Vec<&str> = names.filter(|name| !directory.join(name).is_file()).collect();
        if missing.is_empty() {
            // Absolute, because the programs are started in directories of their own.
            let absolute = std::path::absolute(directory).unwrap_or_else(|_| directory.to_path_buf());
            return Ok(Assets { directory: absolute });
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
}

fn release(wanted: Option<&str>) -> Result<Release, AssetsError> {
    let found = RELEASES.iter().find(|release| wanted.is_none_or(|wanted| release.minor == wanted));
    found.copied().ok_or_else(|| AssetsError::UnknownRelease {
        wanted: wanted.unwrap_or_default().to_string(),
        known: RELEASES.iter().map(|release| release.minor).collect::<Vec<_>>().join(" and "),
    })
}

impl Release {
    fn module(self) -> GoModule {
        GoModule {
            name: format!("kubernetes-{}", self.version()).into(),
            sources: self.sources,
            programs: PROGRAMS,
            linker_flags: self.linker_flags().into(),
        }
    }

    /// With the patch release.
    fn version(self) -> &'static str {
        let go_mod = self.sources.first().map_or("", |(_, text)| text);
        line_value(go_mod, "require k8s.io/kubernetes v").unwrap_or("0.0.0")
    }

    fn linker_flags(self) -> String {
        let version = self.version();
        let mut numbers = version.split('.');
        let (major, minor) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
        let mut flags = "-s -w".to_string();
        for package in VERSION_PACKAGES {
            flags += &format!(" -X {package}.gitVersion=v{version}");
            flags += &format!(" -X {package}.gitMajor={major} -X {package}.gitMinor={minor}");
        }
        flags
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_comes_from_the_go_module() {
        for release in RELEASES {
            let (version, flags) = (release.version(), release.linker_flags());
            assert!(version.starts_with(&format!("{}.", release.minor)), "{version}");
            let minor = release.minor.trim_start_matches("1.");
            assert!(flags.contains(&format!("-X k8s.io/client-go/pkg/version.gitMinor={minor}")), "{flags}");
            assert!(release.sources[0].1.contains("etcd"), "the module builds etcd too");
        }
    }

    #[test]
    fn a_version_that_is_not_here_is_refused() {
        assert_eq!(release(None).unwrap().minor, RELEASES[0].minor);
        assert_eq!(release(Some("1.37")).unwrap().minor, "1.37");
        let error = release(Some("1.2")).unwrap_err().to_string();
        assert!(error.contains(KUBERNETES_VARIABLE) && error.contains("1.37"), "{error}");
    }
}

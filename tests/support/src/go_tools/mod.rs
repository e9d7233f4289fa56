//! Programs written in Go that the tests run: found in the cache, or built once from the modules of `tests/tools`,
//! which pin them.

mod cache;
mod module;

use std::borrow::Cow;
use std::path::PathBuf;

pub use cache::{CACHE_VARIABLE, cache_directory};
pub use module::{GoBuildError, GoModule, GoProgram, line_value};

/// One program of a module. Making it is cheap; what is built stays.
#[derive(Clone, Copy, Debug)]
pub struct GoTool {
    module: &'static GoModule,
    program: &'static str,
}

impl GoTool {
    /// The name of the program.
    pub fn name(&self) -> &'static str {
        self.program
    }

    /// The path of the program, which is built unless the cache has it; standard error tells how far that is.
    /// One process builds, others wait for it.
    pub async fn find_or_build(&self) -> Result<PathBuf, GoBuildError> {
        let directory = self.module.find_or_build(&cache_directory("tools")?).await?;
        Ok(directory.join(self.program))
    }
}

/// `helm`, which renders and installs the chart.
pub const HELM: GoTool = GoTool { module: &HELM_MODULE, program: "helm" };
/// The oldest Helm 3 that the chart is for.
pub const HELM_3: GoTool = GoTool { module: &HELM_3_MODULE, program: "helm-3" };
/// `kubeconform`, which checks manifests against schemas.
pub const KUBECONFORM: GoTool = GoTool { module: &KUBECONFORM_MODULE, program: "kubeconform" };
/// `kube-score`, which knows what a careful manifest has.
pub const KUBE_SCORE: GoTool = GoTool { module: &KUBE_SCORE_MODULE, program: "kube-score" };
/// `promtool`, which checks metrics and rules.
pub const PROMTOOL: GoTool = GoTool { module: &PROMETHEUS_MODULE, program: "promtool" };
/// `prometheus`, the server.
pub const PROMETHEUS: GoTool = GoTool { module: &PROMETHEUS_MODULE, program: "prometheus" };
/// `actionlint`, which checks workflows.
pub const ACTIONLINT: GoTool = GoTool { module: &ACTIONLINT_MODULE, program: "actionlint" };
/// `kstatus`, ours: what the library of that name says of objects.
pub const KSTATUS: GoTool = GoTool { module: &KSTATUS_MODULE, program: "kstatus" };
/// `umoci`, which makes container images without an engine.
pub const UMOCI: GoTool = GoTool { module: &UMOCI_MODULE, program: "umoci" };

/// `monitoring-types`, a program of our own, which decodes objects into the Prometheus Operator's types.
pub const MONITORING_TYPES: GoTool = GoTool { module: &MONITORING_TYPES_MODULE, program: "monitoring-types" };

/// All of them.
pub const ALL: [GoTool; 10] = [
    HELM,
    HELM_3,
    KUBECONFORM,
    KUBE_SCORE,
    PROMTOOL,
    PROMETHEUS,
    ACTIONLINT,
    UMOCI,
    MONITORING_TYPES,
    KSTATUS,
];

/// Builds what the cache lacks of all of them, the quick ones first.
pub async fn build_all() -> Result<(), GoBuildError> {
    let cache = cache_directory("tools")?;
    for module in MODULES {
        module.find_or_build(&cache).await?;
    }
    Ok(())
}

/// A module below `tests/tools`; its folder is named like it.
macro_rules! module {
    ($name:literal, [$($program:expr),+ $(,)?] $(, $file:literal)* $(,)?) => {
        GoModule {
            name: Cow::Borrowed($name),
            sources: &[
                ("go.mod", include_str!(concat!("../../../tools/", $name, "/go.mod"))),
                ("go.sum", include_str!(concat!("../../../tools/", $name, "/go.sum"))),
                $(($file, include_str!(concat!("../../../tools/", $name, "/", $file))),)*
            ],
            programs: &[$($program),+],
            linker_flags: Cow::Borrowed("-s -w"),
        }
    };
}

static KUBECONFORM_MODULE: GoModule = module!(
    "kubeconform",
    [GoProgram {
        name: "kubeconform",
        package: "github.com/yannh/kubeconform/cmd/kubeconform",
        expected: "half a minute"
    }],
);
static ACTIONLINT_MODULE: GoModule = module!(
    "actionlint",
    [GoProgram {
        name: "actionlint",
        package: "github.com/rhysd/actionlint/cmd/actionlint",
        expected: "half a minute"
    }],
);
static KSTATUS_MODULE: GoModule =
    module!("kstatus", [GoProgram { name: "kstatus", package: ".", expected: "a minute" }], "main.go",);
static KUBE_SCORE_MODULE: GoModule = module!(
    "kube-score",
    [GoProgram {
        name: "kube-score",
        package: "github.com/zegl/kube-score/cmd/kube-score",
        expected: "a minute"
    }],
);
static MONITORING_TYPES_MODULE: GoModule = module!(
    "monitoring-types",
    [GoProgram { name: "monitoring-types", package: ".", expected: "a minute" }],
    "main.go",
);
static UMOCI_MODULE: GoModule = module!(
    "umoci",
    [GoProgram { name: "umoci", package: "github.com/opencontainers/umoci/cmd/umoci", expected: "a minute" }],
);
static HELM_MODULE: GoModule = module!(
    "helm",
    [GoProgram { name: "helm", package: "helm.sh/helm/v4/cmd/helm", expected: "3 minutes" }],
);
static HELM_3_MODULE: GoModule = module!(
    "helm-3",
    [GoProgram { name: "helm-3", package: "helm.sh/helm/v3/cmd/helm", expected: "3 minutes" }],
);
static PROMETHEUS_MODULE: GoModule = module!(
    "prometheus",
    [
        GoProgram {
            name: "promtool",
            package: "github.com/prometheus/prometheus/cmd/promtool",
            expected: "5 minutes"
        },
        GoProgram {
            name: "prometheus",
            package: "github.com/prometheus/prometheus/cmd/prometheus",
            expected: "2 minutes"
        },
    ],
);

/// All modules, in the order of their build times.
static MODULES: [&GoModule; 9] = [
    &KUBECONFORM_MODULE,
    &ACTIONLINT_MODULE,
    &KSTATUS_MODULE,
    &UMOCI_MODULE,
    &MONITORING_TYPES_MODULE,
    &KUBE_SCORE_MODULE,
    &HELM_MODULE,
    &HELM_3_MODULE,
    &PROMETHEUS_MODULE,
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_folder_of_tools_is_built() {
        let folders: BTreeSet<_> = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../tools"))
            .unwrap()
            .map(|entry| entry.unwrap())
            .filter(|entry| entry.file_type().unwrap().is_dir())
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect();
        let built = MODULES.iter().map(|module| module.name.to_string()).collect();
        assert_eq!(folders, built, "tests/tools against MODULES");
    }

    #[test]
    fn every_tool_is_a_program_of_its_module() {
        for tool in ALL {
            assert!(tool.module.programs.iter().any(|p| p.name == tool.program), "{tool:?}");
        }
    }
}

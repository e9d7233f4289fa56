//! A real Prometheus that scrapes the operator every second, and the questions that a dashboard asks it.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::go_tools::{GoBuildError, PROMETHEUS};
use crate::http;
use crate::network::free_ports;
use crate::process::{Guarded, Launch, NotReady, ProcessError, command_without_proxy};
use crate::scratch::ScratchDir;

const READY_DEADLINE: Duration = Duration::from_secs(60);
const GRACE: Duration = Duration::from_secs(5);
/// Starts, where a port was taken meanwhile.
const ATTEMPTS: u32 = 5;

/// A running Prometheus. Dropping it ends it.
#[derive(Debug)]
pub struct PrometheusProcess {
    process: Guarded,
    url: String,
}

/// Prometheus did not start, or refuses what it is asked.
#[derive(Debug, thiserror::Error)]
pub enum PrometheusError {
    /// The program was not built.
    #[error(transparent)]
    Build(#[from] GoBuildError),
    /// Its configuration could not be written, or no port could be had.
    #[error("cannot prepare a start of Prometheus")]
    Prepare(#[from] io::Error),
    /// The program is missing.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// It did not become ready.
    #[error(transparent)]
    NotReady(#[from] NotReady),
    /// It does not answer 200.
    #[error("{question}: {answer}")]
    Refused {
        /// What was asked.
        question: String,
        /// What came.
        answer: String,
    },
}

/// What a query gives for one set of labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Without `__name__` only if the query took it off.
    pub labels: BTreeMap<String, String>,
    /// Time, in seconds since the epoch, and value. One of an instant query.
    pub points: Vec<(f64, f64)>,
}

impl PrometheusProcess {
    /// Starts it with these rule files, on what listens at `target` (`http://ADDRESS:PORT/metrics`).
    pub async fn start(
        target: &str,
        rules: &[PathBuf],
        scratch: &ScratchDir,
    ) -> Result<PrometheusProcess, PrometheusError> {
        let program = PROMETHEUS.find_or_build().await?;
        let config = scratch.join("prometheus.json");
        let address = target.trim_start_matches("http://").trim_end_matches("/metrics");
        let job = json!({"job_name": "clickup-operator", "honor_labels": true,
            "static_configs": [{"targets": [address]}]});
        let global = json!({"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"});
        // YAML is a superset of JSON.
        let text = json!({"global": global, "rule_files": rules, "scrape_configs": [job]}).to_string();
        std::fs::write(&config, text)?;
        let mut attempt = 1;
        loop {
            let [port] = free_ports()?;
            let mut command = command_without_proxy(&program);
            command.arg(format!("--config.file={}", config.display()));
            command.arg(format!("--storage.tsdb.path={}", scratch.join("prometheus").display()));
            command.arg(format!("--web.listen-address=127.0.0.1:{port}")).arg("--log.level=warn");
            command.current_dir(scratch.path());
            let log = scratch.join("prometheus.log");
            let launch = Launch { name: "prometheus", command, log, scratch: Some(scratch), grace: GRACE };
            let process = Guarded::start(launch)?;
            let url = format!("http://127.0.0.1:{port}");
            let readyz = format!("{url}/-/ready");
            match process.until_ready(READY_DEADLINE, || http::get(&readyz, None)).await {
                Ok(_) => return Ok(PrometheusProcess { process, url }),
                Err(failure) if failure.port_taken() && attempt < ATTEMPTS => attempt += 1,
                Err(failure) => return Err(failure.into()),
            }
        }
    }

    /// What a query gives now.
    pub async fn query(&self, query: &str) -> Result<Vec<Series>, PrometheusError> {
        self.series("query", &[("query", query)]).await
    }

    /// What a query gives from one time to another, in seconds since the epoch, every `step` seconds.
    pub async fn query_range(
        &self,
        query: &str,
        from: f64,
        to: f64,
        step: f64,
    ) -> Result<Vec<Series>, PrometheusError> {
        let [from, to, step] = [from, to, step].map(|seconds| format!("{seconds:.3}"));
        self.series("query_range", &[("query", query), ("start", &from), ("end", &to), ("step", &step)]).await
    }

    /// Every rule, as `/api/v1/rules` tells it.
    pub async fn rules(&self) -> Result<Vec<Value>, PrometheusError> {
        let data = self.ask("rules", &[]).await?;
        let groups = data["groups"].as_array().into_iter().flatten();
        Ok(groups.flat_map(|group| group["rules"].as_array().cloned().unwrap_or_default()).collect())
    }

    /// The process: pid, log.
    pub fn process(&self) -> &Guarded {
        &self.process
    }

    /// Ends it.
    pub async fn stop(self) -> Result<(), ProcessError> {
        self.process.stop().await.map(|_| ())
    }

    async fn series(&self, api: &str, parameters: &[(&str, &str)]) -> Result<Vec<Series>, PrometheusError> {
        #[derive(Deserialize)]
        struct Told {
            metric: BTreeMap<String, String>,
            value: Option<(f64, String)>,
            #[serde(default)]
            values: Vec<(f64, String)>,
        }
        let data = self.ask(api, parameters).await?;
        let refused = |answer: String| PrometheusError::Refused {
            question: parameters.first().map_or(api, |(_, query)| query).to_string(),
            answer,
        };
        let told: Vec<Told> =
            serde_json::from_value(data["result"].clone()).map_err(|error| refused(error.to_string()))?;
        let series = told.into_iter().map(|Told { metric, value, values }| {
            let points = value.into_iter().chain(values);
            // Prometheus writes NaN and +Inf as Rust reads them.
            let points = points.filter_map(|(at, value)| Some((at, value.parse().ok()?)));
            Series { labels: metric, points: points.collect() }
        });
        Ok(series.collect())
    }

    async fn ask(&self, api: &str, parameters: &[(&str, &str)]) -> Result<Value, PrometheusError> {
        let refused = |answer: String| {
            let question = parameters.first().map_or(api, |(_, query)| query).to_string();
            PrometheusError::Refused { question, answer }
        };
        let url = format!("{}/api/v1/{api}", self.url);
        let url = reqwest::Url::parse_with_params(&url, parameters).map_err(|e| refused(e.to_string()))?;
        let answer = http::get(url.as_str(), None).await.map_err(refused)?;
        let answer: Value = serde_json::from_str(&answer).map_err(|e| refused(e.to_string()))?;
        Ok(answer["data"].clone())
    }
}

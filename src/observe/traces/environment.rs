//! The `OTEL_` variables: those that the SDK leaves to the client, and those where it would pass over a mistake in silence.

use super::SERVICE;
use opentelemetry::KeyValue;
use opentelemetry_sdk::{
    Resource,
    resource::{EnvResourceDetector, TelemetryResourceDetector},
};
use reqwest::{Certificate, Url, redirect};
use std::{fs, path::PathBuf, time::Duration};

/// How long a batch may take, its repetitions included, unless a variable says otherwise.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Spans that may wait, unless a variable says otherwise.
const QUEUE: usize = 2048;

/// The samplers that the SDK has.
const SAMPLERS: [&str; 6] = [
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
];

/// Why traces cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum TracesError {
    /// A protocol that is not spoken.
    #[error("{0}: the operator sends traces by http/protobuf only, to port 4318 as a rule")]
    Protocol(&'static str),
    /// An endpoint that is none.
    #[error("{0} must be an http:// or https:// URL, such as http://collector.observability:4318")]
    Endpoint(&'static str),
    /// A number that is none.
    #[error("{0} must be a number of milliseconds, such as 10000")]
    Timeout(&'static str),
    /// A size that is none.
    #[error("OTEL_BSP_MAX_QUEUE_SIZE must be a number of spans, from 1 to 1000000, such as 2048")]
    Queue,
    /// A sampler that does not exist.
    #[error("OTEL_TRACES_SAMPLER must be one of {}", SAMPLERS.join(", "))]
    Sampler,
    /// A share that is none.
    #[error("OTEL_TRACES_SAMPLER_ARG must be the share of checks to trace, from 0 to 1, such as 0.1")]
    SamplerShare,
    /// The file of authorities cannot be read.
    #[error("{variable}: cannot read {path}")]
    ReadCertificate {
        /// What names the file.
        variable: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file of authorities holds none.
    #[error("{variable}: {path} holds no PEM certificate")]
    ParseCertificate {
        /// What names the file.
        variable: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// There is no HTTP client for these settings.
    #[error("cannot set up the HTTP client for traces")]
    Http(#[source] reqwest::Error),
    /// The SDK refuses a setting; what it says of it.
    #[error("cannot set up the sending of traces: {0}")]
    Exporter(String),
}

/// What the variables say.
#[derive(Debug)]
pub(super) struct Environment {
    pub(super) timeout: Duration,
    pub(super) queue: usize,
    certificate: Option<(&'static str, PathBuf)>,
    service_name: Option<String>,
}

impl Environment {
    /// Reads the variables; an empty one counts as absent.
    pub(super) fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, TracesError> {
        // What is said of traces comes before what is said of everything.
        let first = |names: [&'static str; 2]| {
            let mut set = names.into_iter().filter_map(|name| Some((name, variable(name)?)));
            set.find(|(_, value)| !value.is_empty())
        };
        let protocol = first(["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"]);
        if let Some((name, _)) = protocol.filter(|(_, value)| !value.eq_ignore_ascii_case("http/protobuf")) {
            return Err(TracesError::Protocol(name));
        }
        let endpoint = first(["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"]);
        let usable = |url: &Url| matches!(url.scheme(), "http" | "https") && url.has_host();
        if let Some((name, _)) = endpoint.filter(|(_, value)| !value.parse().is_ok_and(|url| usable(&url))) {
            return Err(TracesError::Endpoint(name));
        }
        let timeout = match first(["OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"]) {
            None => TIMEOUT,
            Some((name, value)) => {
                Duration::from_millis(value.parse().map_err(|_| TracesError::Timeout(name))?)
            }
        };
        let queue = match variable("OTEL_BSP_MAX_QUEUE_SIZE").filter(|size| !size.is_empty()) {
            None => QUEUE,
            Some(size) => {
                let size = size.parse().ok().filter(|size| (1..=1_000_000).contains(size));
                size.ok_or(TracesError::Queue)?
            }
        };
        let sampler = variable("OTEL_TRACES_SAMPLER").filter(|sampler| !sampler.is_empty());
        if let Some(sampler) = sampler {
            let share = || variable("OTEL_TRACES_SAMPLER_ARG")?.parse::<f64>().ok();
            if !SAMPLERS.contains(&sampler.as_str()) {
                return Err(TracesError::Sampler);
            }
            if sampler.ends_with("ratio") && !share().is_some_and(|share| (0.0..=1.0).contains(&share)) {
                return Err(TracesError::SamplerShare);
            }
        }
        let certificate = first(["OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "OTEL_EXPORTER_OTLP_CERTIFICATE"])
            .map(|(name, path)| (name, path.into()));
        let service_name = variable("OTEL_SERVICE_NAME").filter(|name| !name.is_empty());
        Ok(Self { timeout, queue, certificate, service_name })
    }

    /// A client that follows no redirect and trusts the authorities named, or else the system's.
    pub(super) fn http(&self) -> Result<reqwest::Client, TracesError> {
        let mut builder = reqwest::Client::builder()
            .timeout(self.timeout)
            .redirect(redirect::Policy::none())
            .referer(false);
        if let Some((variable, path)) = self.certificate.clone() {
            let pem = fs::read(&path).map_err(|source| TracesError::ReadCertificate {
                variable,
                path: path.clone(),
                source,
            })?;
            let authorities = Certificate::from_pem_bundle(&pem).unwrap_or_default();
            if authorities.is_empty() {
                return Err(TracesError::ParseCertificate { variable, path });
            }
            builder = builder.tls_certs_only(authorities);
        }
        builder.build().map_err(TracesError::Http)
    }

    /// Who sends: the operator and its version, where the variables do not say otherwise.
    pub(super) fn resource(&self) -> Resource {
        let own = [
            KeyValue::new("service.name", SERVICE),
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        ];
        let builder = Resource::builder_empty()
            .with_attributes(own)
            .with_detectors(&[Box::new(TelemetryResourceDetector), Box::new(EnvResourceDetector::new())]);
        match &self.service_name {
            Some(name) => builder.with_service_name(name.clone()).build(),
            None => builder.build(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(set: &[(&str, &str)]) -> Result<Environment, String> {
        let value = |name: &str| set.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
        Environment::read(value).map_err(|error| error.to_string())
    }

    #[test]
    fn what_the_sdk_would_pass_over_is_refused_by_name() {
        for (name, value) in [
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "collector"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
            ("OTEL_TRACES_SAMPLER", "sometimes"),
        ] {
            let refused = read(&[(name, value)]).unwrap_err();
            assert!(refused.contains(name), "{name}={value}: {refused}");
        }
        for share in ["", "2", "a tenth"] {
            let set = [("OTEL_TRACES_SAMPLER", "traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", share)];
            assert!(read(&set).unwrap_err().contains("OTEL_TRACES_SAMPLER_ARG"), "{share}");
        }
    }

    #[test]
    fn what_is_said_of_traces_counts_first_and_an_empty_variable_does_not() {
        let general = ("OTEL_EXPORTER_OTLP_TIMEOUT", "2000");
        let of_traces = |value| ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", value);
        let timeout = |set: &[_]| read(set).unwrap().timeout;
        assert_eq!(timeout(&[]), TIMEOUT);
        assert_eq!(timeout(&[general]), Duration::from_secs(2));
        assert_eq!(timeout(&[general, of_traces("3000")]), Duration::from_secs(3));
        assert_eq!(timeout(&[general, of_traces("")]), Duration::from_secs(2));
        let grpc = ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
        assert!(read(&[grpc, ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf")]).is_ok());
    }

    #[test]
    fn authorities_must_be_there() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let variable = "OTEL_EXPORTER_OTLP_CERTIFICATE";
        let client = |path: &str| read(&[(variable, path)]).unwrap().http().map(drop);
        assert!(client("").is_ok());
        for (path, says) in [("no/such/file.pem", "cannot read"), ("Cargo.toml", "holds no PEM")] {
            let refused = client(path).unwrap_err().to_string();
            assert!(refused.contains(variable) && refused.contains(says), "{refused}");
        }
    }
}

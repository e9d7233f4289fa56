//! Logs on standard error: JSON or text, one line per transition at info.

use clap::ValueEnum;
use std::{fmt, io, str::FromStr};
use tracing::{Level, level_filters::LevelFilter};
use tracing_subscriber::{Layer, filter::Targets, layer::SubscriberExt, util::SubscriberInitExt};

/// Libraries that would log what travels: kube's client the text of answers that it cannot decode, which may be Secrets.
const CAPPED: [&str; 8] =
    ["kube_client", "kube_runtime", "hyper", "hyper_util", "h2", "rustls", "reqwest", "tower"];

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// The least severe level that is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLevel(LevelFilter);

/// A text that is not a level.
#[derive(Clone, Debug, thiserror::Error)]
#[error("write one of error, warn, info, debug, trace")]
pub struct InvalidLevel;

impl FromStr for LogLevel {
    type Err = InvalidLevel;

    fn from_str(text: &str) -> Result<Self, InvalidLevel> {
        text.parse::<Level>().map(|level| Self(level.into())).map_err(|_| InvalidLevel)
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Starts logging. The second call of a process changes nothing.
pub fn init(format: LogFormat, level: LogLevel) {
    let registry = tracing_subscriber::registry();
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let started = match format {
        LogFormat::Json => registry
            .with(
                lines
                    .json()
                    .flatten_event(true)
                    .with_span_list(false)
                    .with_current_span(false)
                    .with_filter(targets(level)),
            )
            .try_init(),
        LogFormat::Text => registry
            .with(lines.with_ansi(io::IsTerminal::is_terminal(&io::stderr())).with_filter(targets(level)))
            .try_init(),
    };
    drop(started);
}

/// The libraries' errors come back as values and are logged by us, with what is safe to say.
fn targets(level: LogLevel) -> Targets {
    Targets::new().with_default(level.0).with_targets(CAPPED.map(|target| (target, LevelFilter::OFF)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_that_see_tokens_are_silent_at_every_level() {
        let targets = targets("trace".parse().unwrap());
        assert!(targets.would_enable("clickup_operator::controller", &Level::TRACE));
        for target in [
            "kube_client::client",
            "kube_client::client::builder",
            "hyper_util::client",
            "h2::codec",
            "rustls::conn",
            "reqwest::connect",
        ] {
            assert!(!targets.would_enable(target, &Level::ERROR), "{target}");
        }
    }
}

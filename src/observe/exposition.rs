//! The two text formats that scrapers read: OpenMetrics for who asks for it, Prometheus' own for everybody else.

use axum::http::{HeaderMap, header::ACCEPT};
use std::borrow::Cow;

/// A text format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Prometheus 0.0.4: what `curl` gets and `promtool check metrics` reads.
    Prometheus,
    /// OpenMetrics 1.0.0.
    OpenMetrics,
}

impl Format {
    /// What a scraper wants.
    pub(super) fn wanted(headers: &HeaderMap) -> Self {
        let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let mut kinds = accepted.flat_map(|value| value.split(','));
        if kinds.any(|kind| kind.trim_start().starts_with("application/openmetrics-text")) {
            Self::OpenMetrics
        } else {
            Self::Prometheus
        }
    }

    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// What stands at the very end.
    pub(super) fn end(self) -> &'static str {
        match self {
            Self::Prometheus => "",
            Self::OpenMetrics => "# EOF\n",
        }
    }

    /// Families in OpenMetrics, in this format.
    pub(super) fn of(self, openmetrics: String) -> String {
        match self {
            Self::Prometheus => prometheus(&openmetrics),
            Self::OpenMetrics => openmetrics,
        }
    }
}

/// In Prometheus' format a family has the name of its samples, units have no line, and there is no type `info`.
fn prometheus(openmetrics: &str) -> String {
    let (mut text, mut help) = (String::with_capacity(openmetrics.len()), None);
    for line in openmetrics.lines() {
        if let Some(described) = line.strip_prefix("# HELP ") {
            help = described.split_once(' ');
        } else if let Some((name, kind)) =
            line.strip_prefix("# TYPE ").and_then(|typed| typed.split_once(' '))
        {
            let (name, kind) = match kind {
                "counter" => (Cow::from(format!("{name}_total")), kind),
                "info" => (Cow::from(format!("{name}_info")), "gauge"),
                "unknown" => (Cow::from(name), "untyped"),
                _ => (Cow::from(name), kind),
            };
            if let Some((_, help)) = help.take() {
                text.extend(["# HELP ", &name, " ", help, "\n"]);
            }
            text.extend(["# TYPE ", &name, " ", kind, "\n"]);
        } else if !line.starts_with('#') {
            text.extend([line, "\n"]);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openmetrics_is_for_who_asks_for_it() {
        let prometheus_3 = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
                            text/plain;version=0.0.4;q=0.3,*/*;q=0.1";
        for (accept, format) in [
            (Some(prometheus_3), Format::OpenMetrics),
            (Some("text/plain, application/openmetrics-text"), Format::OpenMetrics),
            (Some("*/*"), Format::Prometheus),
            (Some("text/plain;version=0.0.4"), Format::Prometheus),
            (None, Format::Prometheus),
        ] {
            let headers = accept.map(|accept| (ACCEPT, accept.parse().unwrap()));
            assert_eq!(Format::wanted(&headers.into_iter().collect()), format, "{accept:?}");
        }
    }

    #[test]
    fn a_family_is_named_as_its_samples_are() {
        let openmetrics = "# HELP a_build The version.\n# TYPE a_build info\na_build_info{version=\"1\"} 1\n\
                           # HELP a_cpu_seconds Time.\n# TYPE a_cpu_seconds counter\n# UNIT a_cpu_seconds seconds\n\
                           a_cpu_seconds_total 2.5\n# HELP a_size Size.\n# TYPE a_size gauge\na_size{x=\"# no\"} 3\n";
        let prometheus = "# HELP a_build_info The version.\n# TYPE a_build_info gauge\na_build_info{version=\"1\"} 1\n\
                          # HELP a_cpu_seconds_total Time.\n# TYPE a_cpu_seconds_total counter\n\
                          a_cpu_seconds_total 2.5\n# HELP a_size Size.\n# TYPE a_size gauge\na_size{x=\"# no\"} 3\n";
        assert_eq!(Format::Prometheus.of(openmetrics.to_owned()), prometheus);
        assert_eq!(Format::OpenMetrics.of(openmetrics.to_owned()), openmetrics);
    }
}

//! The Grafana dashboard as a list of panels and their queries.

use std::path::Path;

use serde::Deserialize;

/// What stands in for Grafana's variables: everything, and rates over this.
const RATE_WINDOW: &str = "30s";
const EVERYTHING: &str = ".*";

/// A panel that shows data, or the heading of a row.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Panel {
    /// Grafana's name of what it looks like: `row`, `stat`, `timeseries`, `table` and others.
    #[serde(rename = "type")]
    pub kind: String,
    /// What stands above it.
    pub title: String,
    /// Where it is, on a grid of 24 columns.
    pub grid_pos: Place,
    /// What it shows.
    #[serde(default)]
    pub targets: Vec<Target>,
    /// Of what its values are.
    #[serde(default)]
    pub field_config: FieldConfig,
}

/// A place on the grid.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "Grafana's own names")]
pub struct Place {
    pub x: u32,
    pub y: u32,
    pub w: u32,
    pub h: u32,
}

/// A query of a panel.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// In Prometheus' language, with Grafana's variables.
    pub expr: String,
    /// What a line is called, with labels in double braces.
    #[serde(default)]
    pub legend_format: String,
}

/// How values are shown.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FieldConfig {
    /// Unless overridden.
    pub defaults: Defaults,
    /// For some of the lines, such as those of the second query.
    pub overrides: Vec<serde_json::Value>,
}

/// How values are shown, unless overridden.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Defaults {
    /// Grafana's name of the unit, such as `s` or `bytes`.
    pub unit: String,
    /// What only some kinds of panels know.
    pub custom: Custom,
}

/// How lines are drawn.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Custom {
    /// Whether one is upon the other.
    pub stacking: Stacking,
}

/// Whether lines are drawn one upon the other.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Stacking {
    /// `normal` if they are.
    pub mode: String,
}

/// The panels of a dashboard's file, rows included.
///
/// # Errors
/// It cannot be read, or is no dashboard.
pub fn panels(file: &Path) -> std::io::Result<Vec<Panel>> {
    #[derive(Deserialize)]
    struct Dashboard {
        panels: Vec<Panel>,
    }
    let dashboard: Dashboard = serde_json::from_slice(&std::fs::read(file)?)?;
    Ok(dashboard.panels)
}

impl Target {
    /// The query, with all namespaces and names chosen.
    pub fn filled(&self) -> String {
        let variables =
            [("$__rate_interval", RATE_WINDOW), ("$namespace", EVERYTHING), ("$name", EVERYTHING)];
        variables.into_iter().fold(self.expr.clone(), |expr, (name, value)| expr.replace(name, value))
    }

    /// What a line with these labels is called.
    pub fn legend(&self, labels: &std::collections::BTreeMap<String, String>) -> String {
        labels.iter().fold(self.legend_format.clone(), |legend, (name, value)| {
            legend.replace(&format!("{{{{{name}}}}}"), value)
        })
    }
}

//! The flags of `clickup-operator run`, from what clap knows of them.

use super::cell;
use clap::{Arg, ArgAction, Command};

/// A row for each flag.
pub(super) fn table(run: &Command) -> String {
    let mut table = "| flag, and its variable | default | meaning |\n| --- | --- | --- |\n".to_owned();
    for flag in run.get_arguments() {
        if let Some(long) = flag.get_long() {
            table.push_str(&row(long, flag));
        }
    }
    table
}

fn row(long: &str, flag: &Arg) -> String {
    let takes_value = flag.get_action().takes_values();
    let value = flag.get_value_names().unwrap_or_default().join(" ");
    let name = if takes_value { format!("`--{long}={value}`") } else { format!("`--{long}`") };
    // In one cell: a column of its own would leave no room for the meaning.
    let variable = flag.get_env().map(|name| format!("<br>`{}`", name.to_string_lossy())).unwrap_or_default();
    let defaults: Vec<_> = flag.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    let default = match flag.get_action() {
        ArgAction::SetTrue => "off".to_owned(),
        _ if defaults.is_empty() => String::new(),
        _ => format!("`{}`", defaults.join(",")),
    };
    let help = flag.get_long_help().or_else(|| flag.get_help()).map(ToString::to_string).unwrap_or_default();
    let values: Vec<_> = flag
        .get_possible_values()
        .iter()
        .filter(|_| takes_value)
        .map(|value| match value.get_help() {
            Some(help) => format!("`{}` ({help})", value.get_name()),
            None => format!("`{}`", value.get_name()),
        })
        .collect();
    let values = if values.is_empty() { String::new() } else { format!(": {}", values.join(", ")) };
    format!("| {name}{variable} | {default} | {}{} |\n", cell(&help), cell(&values))
}

//! The fields of the resource, from the CRD's schema.

use super::cell;
use serde_json::Value;
use std::fmt::Write;

/// A table for this object and one for each object in it, each under a heading with its path.
pub(super) fn tables(path: &str, schema: &Value) -> String {
    let (mut text, mut below) = (format!("### {path}\n\n"), Vec::new());
    if let Some(description) = description(schema) {
        let _ = writeln!(text, "{description}\n");
    }
    let rules = messages(schema);
    if !rules.is_empty() {
        text.push_str("The API server refuses what breaks these rules, and says:\n\n");
        for rule in rules {
            let _ = writeln!(text, "- {rule}");
        }
        text.push('\n');
    }
    text.push_str("| field | type | default | meaning |\n| --- | --- | --- | --- |\n");
    let required = schema["required"].as_array().map(Vec::as_slice).unwrap_or_default();
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let entry = field.get("items").unwrap_or(field);
        let inner =
            if field.get("items").is_some() { format!("{path}.{name}[]") } else { format!("{path}.{name}") };
        let is_object = entry["properties"].is_object();
        if is_object {
            below.push((inner.clone(), entry));
        }
        let default = match &field["default"] {
            Value::String(text) => format!("`{text}`"),
            // Of an object its fields tell.
            other if !is_object && !other.is_null() => format!("`{other}`"),
            // Nobody has to write a status.
            _ if required.contains(&name.as_str().into()) && path.starts_with("spec") => {
                "required".to_owned()
            }
            _ if required.contains(&name.as_str().into()) => "always there".to_owned(),
            _ => String::new(),
        };
        let type_ = type_of(field, is_object.then_some(inner.as_str()));
        let _ = writeln!(text, "| `{name}` | {type_} | {default} | {} |", cell(&meaning(field)));
    }
    for (path, schema) in below {
        text.push('\n');
        text.push_str(&tables(&path, schema));
    }
    text
}

/// The columns of `kubectl get`.
pub(super) fn columns(columns: &Value) -> String {
    let mut text =
        "| column | with `-o wide` only | what it shows | from |\n| --- | --- | --- | --- |\n".to_owned();
    for column in columns.as_array().into_iter().flatten() {
        let of = |field: &str| cell(column[field].as_str().unwrap_or_default());
        let wide = if column["priority"].as_i64().unwrap_or_default() > 0 { "yes" } else { "" };
        let _ = writeln!(text, "| {} | {wide} | {} | `{}` |", of("name"), of("description"), of("jsonPath"));
    }
    text
}

fn type_of(field: &Value, object: Option<&str>) -> String {
    let linked = |text: &str, path: &str| {
        let anchor: String = path.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect();
        format!("[{text}](#{anchor})")
    };
    let plain = |schema: &Value| match (schema["type"].as_str(), schema["format"].as_str()) {
        (_, Some("date-time")) => "time".to_owned(),
        (Some("string"), _) => "text".to_owned(),
        (Some(other), _) => other.to_owned(),
        (None, _) => "any".to_owned(),
    };
    match (field.get("items"), object) {
        (Some(_), Some(path)) => format!("list of {}", linked("objects", path)),
        (Some(items), None) => format!("list of {}", plain(items)),
        (None, Some(path)) => linked("object", path),
        (None, None) if field["additionalProperties"].is_object() => "map of text".to_owned(),
        (None, None) => plain(field),
    }
}

/// What a field means, and what the schema asks of its value.
fn meaning(field: &Value) -> String {
    let mut parts: Vec<String> = description(field).into_iter().collect();
    let values = field["enum"].as_array().map(Vec::as_slice).unwrap_or_default();
    if !values.is_empty() {
        let values: Vec<_> =
            values.iter().filter_map(Value::as_str).map(|value| format!("`{value}`")).collect();
        parts.push(format!("One of {}.", values.join(", ")));
    }
    // A pattern says most; where a rule has words for it, they are better.
    let mut rules = messages(field);
    if let Some(items) = field.get("items").filter(|items| !items["properties"].is_object()) {
        rules.extend(messages(items));
    }
    if let Some(values) = field.get("additionalProperties") {
        rules.extend(messages(values));
    }
    if !field["properties"].is_object() {
        parts.extend(rules.into_iter().map(|rule| format!("Else refused: \"{rule}\".")));
    }
    parts.join(" ")
}

fn description(schema: &Value) -> Option<String> {
    schema["description"].as_str().map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// What the API server says where a rule is broken.
fn messages(schema: &Value) -> Vec<String> {
    let rules = schema["x-kubernetes-validations"].as_array().map(Vec::as_slice).unwrap_or_default();
    rules.iter().filter_map(|rule| rule["message"].as_str()).map(str::to_owned).collect()
}

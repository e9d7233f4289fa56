//! What the CRD constrains, read from the CRD itself.

use serde_json::Value;
use std::collections::BTreeSet;

/// Keywords of a schema that refuse nothing by themselves.
const INERT: [&str; 9] = [
    "default",
    "description",
    "properties",
    "items",
    "additionalProperties",
    "type",
    "title",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-map-type",
];

/// Each constraint with its place, such as `spec.interval maxLength`.
pub fn constraints(schema: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    visit(schema, "", &mut |path, schema| {
        for (keyword, value) in schema.as_object().unwrap() {
            let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
            match keyword.as_str() {
                inert if INERT.contains(&inert) => {}
                // The API server takes it as documentation.
                "format" if value == "int64" => {}
                "required" => {
                    found.extend(
                        list.iter().map(|name| format!("{path} required {}", name.as_str().unwrap())),
                    );
                }
                "x-kubernetes-validations" => {
                    found.extend(
                        list.iter().map(|rule| format!("{path} rule: {}", rule["message"].as_str().unwrap())),
                    );
                }
                "x-kubernetes-list-type" if value == "set" => {
                    found.insert(format!("{path} set"));
                }
                "x-kubernetes-list-type" => {
                    let keys = schema["x-kubernetes-list-map-keys"].as_array().unwrap();
                    let keys: Vec<_> = keys.iter().map(|key| key.as_str().unwrap()).collect();
                    found.insert(format!("{path} {} by {}", value.as_str().unwrap(), keys.join(", ")));
                }
                keyword => {
                    found.insert(format!("{path} {keyword}"));
                }
            }
        }
    });
    found
}

/// Each place and the type that belongs there. The values of a map are at `*`.
pub fn types(schema: &Value) -> Vec<(String, String)> {
    let mut types = Vec::new();
    visit(schema, "", &mut |path, schema| {
        types.push((path.to_owned(), schema["type"].as_str().unwrap().to_owned()));
    });
    types
}

/// Each place with a default, and what that is.
pub fn defaults(schema: &Value) -> Vec<(String, Value)> {
    let mut defaults = Vec::new();
    visit(schema, "", &mut |path, schema| {
        if let Some(default) = schema.get("default") {
            defaults.push((path.to_owned(), default.clone()));
        }
    });
    defaults
}

fn visit(schema: &Value, path: &str, look: &mut impl FnMut(&str, &Value)) {
    look(path, schema);
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        visit(property, &path, look);
    }
    if schema.get("items").is_some() {
        visit(&schema["items"], &format!("{path}[]"), look);
    }
    if schema.get("additionalProperties").is_some() {
        visit(&schema["additionalProperties"], &format!("{path}.*"), look);
    }
}

//! The README's tables of fields and permissions.

use crate::pages::{read, rows, unquoted};
use k8s_openapi::api::rbac::v1::PolicyRule;
use serde_json::Value;
use std::collections::BTreeMap;

/// A field of the spec, as its row shows it.
#[derive(Debug, PartialEq)]
struct Field {
    /// What stands in the column of defaults.
    default: String,
    /// Whether nothing is below it.
    is_leaf: bool,
}

/// Every field by its path; those of a list's entries stand below the list.
fn spec_fields() -> BTreeMap<String, Field> {
    let crd: Value = serde_saphyr::from_str(&read("crds/clickupconnections.yaml")).unwrap();
    let spec = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
    let mut fields = BTreeMap::new();
    collect("", spec, &mut fields);
    fields
}

fn collect(prefix: &str, schema: &Value, fields: &mut BTreeMap<String, Field>) {
    let entry = schema.get("items").unwrap_or(schema);
    let required = entry["required"].as_array().cloned().unwrap_or_default();
    for (name, property) in entry["properties"].as_object().into_iter().flatten() {
        let path = format!("{prefix}{name}");
        let before = fields.len();
        collect(&format!("{path}."), property, fields);
        let is_leaf = fields.len() == before;
        let default = match &property["default"] {
            Value::String(text) => format!("`{text}`"),
            // Of an object its fields tell.
            other if is_leaf && !other.is_null() => format!("`{other}`"),
            _ if required.contains(&name.as_str().into()) => "required".to_owned(),
            _ => String::new(),
        };
        fields.insert(path, Field { default, is_leaf });
    }
}

/// A field has a row, or is named in the row of what it belongs to; with a default it has one of its own.
#[test]
fn the_field_table_has_every_field_and_its_default() {
    let rows = rows(&read("README.md"), "field of `spec`");
    let documented: BTreeMap<_, _> =
        rows.iter().map(|(_, cells)| (unquoted(&cells[0]), (cells[1].as_str(), cells[2].as_str()))).collect();
    assert_eq!(rows.len(), documented.len(), "a field has two rows");
    let (fields, mut wrong) = (spec_fields(), Vec::new());
    for (path, (default, meaning)) in &documented {
        match fields.get(*path) {
            None => wrong.push(format!("there is no spec.{path}")),
            Some(field) if field.default != *default => {
                wrong.push(format!("the default of spec.{path} is {:?}, not {default:?}", field.default));
            }
            Some(_) if meaning.is_empty() => wrong.push(format!("nothing is said about spec.{path}")),
            Some(_) => {}
        }
    }
    for (path, field) in fields.iter().filter(|(_, field)| field.is_leaf) {
        let above = path.match_indices('.').map(|(end, _)| &path[..end]);
        let Some(row) = above.chain([path.as_str()]).rfind(|p| documented.contains_key(p)) else {
            wrong.push(format!("spec.{path} has no row"));
            continue;
        };
        let unnamed = path[row.len()..]
            .split('.')
            .find(|name| !name.is_empty() && !documented[row].1.contains(&format!("`{name}`")));
        if let Some(name) = unnamed {
            wrong.push(format!("spec.{path} has no row, and that of {row} does not name `{name}`"));
        } else if row != path && !["", "required"].contains(&field.default.as_str()) {
            wrong.push(format!("spec.{path} has a default and no row"));
        }
    }
    assert!(wrong.is_empty(), "README against crds/clickupconnections.yaml: {wrong:#?}");
}

#[test]
fn the_permissions_are_those_of_the_role() {
    let mut granted = BTreeMap::<String, Vec<String>>::new();
    for (file, kind) in [("rbac", "ClusterRole"), ("leader-election", "Role")] {
        let documents: Vec<Value> =
            serde_saphyr::from_multiple(&read(&format!("deploy/base/{file}.yaml"))).unwrap();
        let role = documents.into_iter().find(|document| document["kind"] == kind).unwrap();
        let rules: Vec<PolicyRule> = serde_json::from_value(role["rules"].clone()).unwrap();
        for rule in rules {
            for resource in rule.resources.unwrap() {
                granted.entry(resource).or_default().extend(rule.verbs.clone());
            }
        }
    }
    let granted: BTreeMap<_, _> = granted.into_iter().map(|(of, verbs)| (of, verbs.join(", "))).collect();
    let documented: BTreeMap<_, _> = rows(&read("README.md"), "resource")
        .into_iter()
        .map(|(_, cells)| (unquoted(&cells[0]).to_owned(), cells[1].clone()))
        .collect();
    assert_eq!(documented, granted, "README against deploy/base");
}

//! What is made from the CRD and the health check, and checked in: the JSON schema and Argo CD's ConfigMap.

use crate::{argocd, read};
use serde_json::{Map, Value, json};

/// Writes what is compared otherwise; `make generate` sets it.
pub const WRITE: &str = "CLICKUP_OPERATOR_WRITE_GENERATED";
pub const SCHEMA: &str = "deploy/schemas/clickupconnection_v1alpha1.json";

#[test]
fn generated_schema_follows_the_crd() {
    let crd: Value = serde_saphyr::from_str(&read("crds/clickupconnections.yaml")).unwrap();
    same_as_generated(SCHEMA, &format!("{:#}\n", schema(&crd)));
}

#[test]
fn generated_config_map_has_the_health_check() {
    same_as_generated(argocd::CONFIG_MAP, &argocd::config_map());
    let parsed: Value = serde_saphyr::from_str(&read(argocd::CONFIG_MAP)).unwrap();
    assert_eq!(parsed["data"][argocd::KEY].as_str(), Some(argocd::read("health.lua").as_str()));
}

fn same_as_generated(file: &str, expected: &str) {
    if std::env::var_os(WRITE).is_some() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        std::fs::write(path, expected).unwrap();
    }
    assert!(read(file) == expected, "{file} is not up to date: make generate");
}

/// The CRD's schema, for tools that read JSON schemas and know nothing of Kubernetes.
fn schema(crd: &Value) -> Value {
    let (names, version) = (&crd["spec"]["names"], &crd["spec"]["versions"][0]);
    let api_version =
        format!("{}/{}", crd["spec"]["group"].as_str().unwrap(), version["name"].as_str().unwrap());
    let mut schema = plain(&version["schema"]["openAPIV3Schema"]);
    schema["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    schema["title"] = names["kind"].clone();
    let properties = schema["properties"].as_object_mut().unwrap();
    properties.insert("apiVersion".to_owned(), json!({"type": "string", "enum": [api_version]}));
    properties.insert("kind".to_owned(), json!({"type": "string", "enum": [names["kind"]]}));
    properties.insert("metadata".to_owned(), json!({"type": "object"}));
    schema["required"] = json!(["apiVersion", "kind", "metadata", "spec"]);
    schema
}

/// Without what only the API server understands; a field that is not named is a mistake.
fn plain(schema: &Value) -> Value {
    let Value::Object(fields) = schema else { return schema.clone() };
    let mut plain_fields = Map::new();
    for (name, value) in fields.iter().filter(|(name, _)| !name.starts_with("x-kubernetes-")) {
        let value = match name.as_str() {
            "properties" => value
                .as_object()
                .unwrap()
                .iter()
                .map(|(name, schema)| (name.clone(), plain(schema)))
                .collect(),
            "items" | "additionalProperties" => plain(value),
            _ => value.clone(),
        };
        plain_fields.insert(name.clone(), value);
    }
    if plain_fields.contains_key("properties") && !plain_fields.contains_key("additionalProperties") {
        plain_fields.insert("additionalProperties".to_owned(), false.into());
    }
    Value::Object(plain_fields)
}

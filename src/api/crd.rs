//! The CustomResourceDefinition, made from the types of this module.

use super::ClickUpConnection;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;
use serde_json::json;

/// The CRD that `clickup-operator crd` prints.
pub fn crd() -> CustomResourceDefinition {
    let mut crd = ClickUpConnection::crd();
    // By this label the Service Binding specification's reconcilers know whom to ask for status.binding.name.
    crd.metadata.labels = Some([("servicebinding.io/provisioned-service".into(), "true".into())].into());
    for version in &mut crd.spec.versions {
        if let Some(schema) = version.schema.as_mut().and_then(|s| s.open_api_v3_schema.as_mut()) {
            forbid_null(schema);
            if let Some(status) = schema.properties.as_mut().and_then(|p| p.get_mut("status")) {
                // GitOps tools wait for the first check, instead of taking "no status" for done.
                status.default = Some(JSON(json!({"observedGeneration": -1})));
            }
        }
    }
    crd
}

/// An optional field is left out, never null: a null would have to mean something.
fn forbid_null(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    schema.properties.iter_mut().flat_map(|p| p.values_mut()).for_each(forbid_null);
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        forbid_null(items);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        forbid_null(values);
    }
}

//! `clickup-operator crd`: prints the CustomResourceDefinition.

use crate::api;

/// The CRD as YAML, as it stands in `crds/`.
///
/// # Errors
/// It cannot be written as YAML.
pub fn yaml() -> Result<String, serde_saphyr::ser::Error> {
    let crd = serde_saphyr::to_string(&api::crd())?;
    Ok(format!("# Printed by `clickup-operator crd`. Do not edit: `make generate` writes it anew.\n{crd}"))
}

//! What is installed: the Helm chart and the kustomize bases, rendered, validated, compared, and installed on a real API
//! server, with the operator under the rights that they grant.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod chart;
mod documented;
mod flags;
mod generated;
mod image;
mod kustomize;
mod lifecycle;
mod policy;
mod rendered;
mod rights;
mod schemas;
mod values;

const CHECKOUT: &str = env!("CARGO_MANIFEST_DIR");
const OPERATOR: &str = env!("CARGO_BIN_EXE_clickup-operator");

//! ClickUp connections as Kubernetes resources: the parts of the operator.

pub mod api;
pub mod clickup;
pub mod commands;
pub mod connection;
pub mod controller;
pub mod observe;

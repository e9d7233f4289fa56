//! The commands, one file each.

mod cluster;

pub mod crd;
pub mod run;

pub use cluster::ClusterError;

//! The commands, one file each.

pub mod crd;
pub mod run;

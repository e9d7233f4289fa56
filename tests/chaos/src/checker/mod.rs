//! Everything that can be seen from outside, held against the rules of the contract.

pub mod footprint;
pub mod leaks;
pub mod rules;
pub mod traffic;
pub mod watch;

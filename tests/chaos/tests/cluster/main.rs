//! Each fault of a cluster does what it says: those of the interposer to a client, all of them to the operator.
#![allow(clippy::unwrap_used, clippy::panic, reason = "the lints know tests, but not their helper functions")]

mod clickup;
mod ground;
mod interposer;
mod kills;
mod watches;

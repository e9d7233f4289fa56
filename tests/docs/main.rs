//! What the documents for people say is true: tables against the code, the examples against a real API server, commands,
//! flags and links against what is there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod budget;
mod chapters;
mod conditions;
mod examples;
mod fields;
mod names;
mod pages;
mod quickstart;
mod workflows;

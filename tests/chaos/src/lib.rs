//! Faults in a seeded order over a few hundred connections: a world, a model of what each status must then be, and a
//! checker of everything that can be seen from outside.

pub mod checker;
pub mod cluster;
pub mod ground;
pub mod model;
pub mod plan;
pub mod report;
pub mod run;
pub mod trouble;
pub mod world;

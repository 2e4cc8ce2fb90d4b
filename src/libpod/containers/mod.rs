//! Containers: what create takes.

mod spec;

pub use spec::*;

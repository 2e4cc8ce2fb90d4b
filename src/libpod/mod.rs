//! A hand-written client of the libpod REST API.

pub mod containers;

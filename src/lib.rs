//! Stockade runs autonomous coding agents in rootless Podman sandboxes.
//!
//! Layers, each reading as if those above it did not exist: [`libpod`] is a hand-written client of
//! Podman's REST API, [`context`] turns a directory into a build context, [`sandbox`] is the policy,
//! [`workspace`] keeps checkpoints of a directory, and [`ralph`] is the loop: the same prompt again
//! and again, until the work is done.

#[cfg(feature = "cli")]
pub mod cli;
pub mod context;
pub mod libpod;
pub mod ralph;
pub mod sandbox;
pub mod workspace;

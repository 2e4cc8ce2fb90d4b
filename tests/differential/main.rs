//! Stockade beside podman: the same command lines, typed at `podman --remote` of the service's own
//! release and at `stockade`, against the same service. What differs stands in `differences.toml`
//! with its reason, or the test fails; what stands there and differs no longer fails too.
//!
//! A case is a few lines of shell in which `podman` is one program, then the other; each side has
//! its own directory, containers and images. See `case.rs` for what such a line can use.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "all of this is tests; the lints only know functions marked as such"
)]

#[path = "../integration/support/mod.rs"]
#[expect(dead_code, reason = "this target needs a part of it")]
mod support;

mod case; // a case: run on both sides, compared
mod cases; // the cases, a file a verb
mod differences; // what is meant to differ
mod normal; // without ids, times and names
mod session; // one side of a case

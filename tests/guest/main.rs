//! Stockade where limits hold: in a guest of `tests/bench/vm.sh`, which is thrown away afterwards.
//! A table of contents: what is tested is in the modules.
//!
//! Nothing here may use up what it is limited to before [`gate`] has let it.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "all of this is tests; the lints only know functions marked as such"
)]

#[expect(
    dead_code,
    reason = "shared with the integration tests, which use all of it"
)]
#[path = "../integration/support/mod.rs"]
mod support;

mod cgroup; // what the kernel has of a container's limits
mod clock; // a clock that jumps while a container runs
mod disk; // a store whose disk is full
mod figures; // stats, pause and unpause
mod gate; // nothing is stressed where limits do not hold
mod isolation; // what a container cannot see, use or change
mod limits; // limits that are asked for, and what becomes of those who exceed them
mod network; // what a container reaches
mod ralph; // the loop: nights, checkpoints, disks
mod undelegated; // a user to whom a controller is not delegated
mod verbs; // each verb once

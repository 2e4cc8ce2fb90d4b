//! Checkpoints of real trees, and what real `git` says about them.

mod damaged;
mod git;
pub(super) mod hostile;
mod killed;
mod meanwhile;
mod pruned;
mod random;
mod reading;
pub(super) mod scene;
mod unprivileged;

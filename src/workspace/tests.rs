//! Checkpoints of real trees, and what real `git` says about them.

mod git;
mod reading;
mod scene;

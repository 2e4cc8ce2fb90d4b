//! Sandbox policy: what was asked, as libpod requests; and the life of a container made so.

mod lifecycle;

pub use lifecycle::{Outcome, Sandbox, Watch};

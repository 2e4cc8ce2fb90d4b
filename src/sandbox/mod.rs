//! Sandbox policy: what was asked, as libpod requests; and the life of a container made so.
//!
//! Words become typed values ([`limits`], [`mounts`], [`network`], …), values become a
//! [`SandboxSpec`] (the only step that looks at host files), and a spec becomes a [`Plan`]: pure.

mod lifecycle;
mod verification;

pub mod asked;
pub mod enforcement;
pub mod entrypoint;
pub mod env;
pub mod env_file;
pub mod forbidden;
mod forks;
mod home;
pub mod host_path;
pub mod invalid;
pub mod ledger;
pub mod limits;
pub mod log;
pub mod loosening;
mod monitor;
pub mod mounts;
pub mod name;
pub mod network;
mod oom;
pub mod ownership;
pub mod plan;
pub mod proc_files;
pub mod read_back;
pub mod secret;
pub mod security;
pub mod signal;
pub mod size;
pub mod spec;
mod usage;
pub mod user;
pub mod warning;

pub use home::Home;
pub use invalid::Invalid;
pub use lifecycle::{Outcome, Sandbox, Watch};
pub use loosening::Loosening;
pub use monitor::Monitor;
pub use oom::OomWatch;
pub use plan::{Plan, PlanError, Service, plan};
pub use spec::{Host, Request, SandboxSpec, SpecError};
pub use usage::{LifeWatch, Usage};
pub use verification::{Reverification, Verification};
pub use warning::Warning;

//! Containers: create, run, watch, remove.

mod archive;
mod attach;
mod inspect;
mod lifecycle;
mod list;
mod logs;
mod spec;
mod stats;

pub use archive::{ArchiveStat, ArchiveWrite, CopyOwnership, Lookup};
pub use attach::AttachOptions;
pub use inspect::{Config, Container, HostConfig, Mounted, State, Status};
pub use lifecycle::{Created, Removal, Removed, Stopped};
pub use list::{ContainerFilter, ListedContainer, PortForward, Pruned};
pub use logs::{LogLine, LogOptions, LogStream};
pub use spec::*;
pub use stats::{Sample, StatsStream};

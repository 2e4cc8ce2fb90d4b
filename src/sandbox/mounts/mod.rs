//! What the sandbox sees of the host's files, and where it may write.

mod device;
mod mount_flag;
mod options;
mod own;
mod tmpfs;
mod volume;

pub use device::DeviceArg;
pub use mount_flag::parse_mount;
pub use options::MountOptions;
pub use own::{Access, OwnMount};
pub use tmpfs::parse_tmpfs;
pub use volume::{Mount, MountSource, parse_volume};

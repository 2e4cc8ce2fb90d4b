//! A directory as a tar stream: the build context.
//!
//! [`Directory`] is the root with its [`Containerfile`] and [`IgnoreFile`]; a [`Plan`] says what of
//! it is sent and writes it; [`Digest`] identifies it. Everything here blocks and knows nothing of
//! Podman beyond what an archive for it has to look like.

mod archive;
mod digest;
mod directory;
mod error;
mod glob;
mod ignore;
mod pack;
mod plan;
mod select;
mod tree;

pub use self::digest::Digest;
pub use self::digest::ImageInputs;
pub use self::directory::Containerfile;
pub use self::directory::Directory;
pub use self::directory::IgnoreFile;
pub use self::error::Error;
pub use self::ignore::Ignore;
pub use self::pack::Summary;
pub use self::plan::Plan;
pub use self::select::Source;

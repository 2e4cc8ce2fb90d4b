//! A directory as a tar stream: the build context.
//!
//! [`Directory`] is the root with its [`Containerfile`] and [`IgnoreFile`]; [`needs`] says what a
//! build reads of it; a [`Plan`] says what is sent, and writes it; a [`Digest`] identifies it.
//! [`Input`] is a context from standard input. A [`CopySource`] is any file or directory as an
//! archive, and [`unpack`] the way back. Everything here blocks, keeps no content in memory and knows
//! nothing of Podman beyond what an archive for it has to look like.
//!
//! ```no_run
//! use std::collections::BTreeMap;
//! use std::path::Path;
//!
//! use stockade::context::{Base, Directory, Plan, needs};
//!
//! let directory = Directory::open(Path::new("."))?;
//! let containerfile = directory.default_containerfile()?;
//! let ignore_file = directory.ignore_file(&containerfile, None)?;
//! let needs = needs(&containerfile, &BTreeMap::new(), |_image| Base::Unknown);
//! let mut plan = Plan::new(directory, containerfile, ignore_file)?;
//! if let Some(reason) = plan.select(needs) {
//!     println!("the whole context is sent: {reason}");
//! }
//! println!("dockerfile={} excludes={:?}", plan.dockerfile(), plan.excludes());
//! plan.write(std::io::sink())?;
//! # Ok::<(), stockade::context::Error>(())
//! ```

mod archive;
mod containerfile;
mod copy;
mod destination;
mod digest;
mod directory;
mod entries;
mod error;
mod glob;
mod ignore;
mod links;
mod pack;
mod plan;
mod select;
mod stdin;
mod tree;
mod unpack;

pub use self::containerfile::Base;
pub use self::containerfile::Needs;
pub use self::containerfile::Reason;
pub use self::containerfile::images;
pub use self::containerfile::needs;
pub use self::copy::CopySource;
pub use self::copy::Top;
pub use self::destination::Overwrite;
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
pub use self::stdin::Archive;
pub use self::stdin::Input;
pub use self::unpack::Unpacked;
pub use self::unpack::unpack;

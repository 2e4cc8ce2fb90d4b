//! Directories and files of Stockade's own.

use std::path::PathBuf;

use super::super::name::GuestPath;

/// A mount of a file or directory that is Stockade's own, and that no flag can name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnMount {
    /// Where it is.
    pub source: PathBuf,
    /// Where the sandbox finds it.
    pub target: GuestPath,
    /// What the sandbox may do with it.
    pub access: Access,
}

/// What may be done with a mount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It is read.
    Read,
    /// It is changed as well.
    Write,
}

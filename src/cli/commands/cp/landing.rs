//! Where a copy lands: podman's rules, the same in both directions.
//!
//! | source | onto a directory | onto a file | onto nothing |
//! |---|---|---|---|
//! | file | below it, by its name | in its place | there |
//! | directory | below it, by its name | refused | there |
//! | `directory/.` | what is in it, below it | refused | there |

use std::ffi::OsString;

use crate::cli::error::{CliError, CliResult};
use crate::cli::exit::Exit;
use crate::context::Top;

/// What is copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Copied {
    /// A file of this name.
    File(OsString),
    /// A directory of this name.
    Directory(OsString),
    /// What is in a directory.
    Contents,
}

/// What is where the copy goes. `P` is a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum There<P> {
    /// A directory.
    Directory(P),
    /// A file: the directory it is in and its name.
    File(P, OsString),
    /// Nothing, but in a directory that is there.
    Nothing(P, OsString),
}

/// Decides which directory is written to, and what stands at the archive's top.
pub(super) fn landing<P>(copied: Copied, there: There<P>) -> CliResult<(P, Top)> {
    match (copied, there) {
        (Copied::File(name), There::Directory(at)) => Ok((at, Top::File(name))),
        (Copied::File(_), There::File(at, name) | There::Nothing(at, name)) => {
            Ok((at, Top::File(name)))
        }
        (Copied::Directory(name), There::Directory(at)) => Ok((at, Top::Directory(name))),
        (Copied::Contents, There::Directory(at)) => Ok((at, Top::Contents)),
        (Copied::Directory(_) | Copied::Contents, There::Nothing(at, name)) => {
            Ok((at, Top::Directory(name)))
        }
        (Copied::Directory(_) | Copied::Contents, There::File(..)) => Err(CliError::new(
            Exit::Failed,
            "a directory cannot be copied onto a file",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_land_where_podman_puts_them() {
        let file = || Copied::File("f".into());
        let directory = || Copied::Directory("d".into());
        let at_directory = || There::Directory("at");
        let at_file = || There::File("at", "x".into());
        let at_nothing = || There::Nothing("at", "x".into());
        for (copied, there, want) in [
            (file(), at_directory(), Top::File("f".into())),
            (file(), at_file(), Top::File("x".into())),
            (file(), at_nothing(), Top::File("x".into())),
            (directory(), at_directory(), Top::Directory("d".into())),
            (directory(), at_nothing(), Top::Directory("x".into())),
            (Copied::Contents, at_directory(), Top::Contents),
            (Copied::Contents, at_nothing(), Top::Directory("x".into())),
        ] {
            assert_eq!(landing(copied, there).unwrap(), ("at", want));
        }
        assert!(landing(directory(), at_file()).is_err());
        assert!(landing(Copied::Contents, at_file()).is_err());
    }
}

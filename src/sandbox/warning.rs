//! What is not an error, but should be said.

use std::fmt;
use std::path::PathBuf;

use super::env_file::EnvFileWarning;

/// One warning. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// Something in an env file looks like a mistake.
    EnvFile(EnvFileWarning),
    /// An env file that is masked in the sandbox has a second name, which may not be.
    EnvFileHasOtherNames {
        /// The file.
        path: PathBuf,
    },
    /// Ports are not published: on the host's network there is nothing to publish.
    PublishDiscarded,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EnvFile(warning) => warning.fmt(f),
            Self::EnvFileHasOtherNames { path } => {
                write!(
                    f,
                    "{} has other names (hard links), which are not masked",
                    path.display()
                )
            }
            Self::PublishDiscarded => {
                f.write_str("ports are not published on the host's own network")
            }
        }
    }
}

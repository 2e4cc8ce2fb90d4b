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
    /// What is to be mounted was named by a link.
    LinkedMount {
        /// As typed.
        typed: PathBuf,
        /// Where it leads.
        real: PathBuf,
    },
    /// Ports are not published: on the host's network there is nothing to publish.
    PublishDiscarded,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EnvFile(warning) => warning.fmt(f),
            Self::LinkedMount { typed, real } => {
                let (typed, real) = (typed.display(), real.display());
                write!(f, "{typed} is a link: what is mounted is {real}")
            }
            Self::PublishDiscarded => {
                f.write_str("ports are not published on the host's own network")
            }
        }
    }
}

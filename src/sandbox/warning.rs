//! What is not an error, but should be said.

use std::fmt;

use super::env_file::EnvFileWarning;

/// One warning. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// Something in an env file looks like a mistake.
    EnvFile(EnvFileWarning),
    /// Ports are not published: on the host's network there is nothing to publish.
    PublishDiscarded,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EnvFile(warning) => warning.fmt(f),
            Self::PublishDiscarded => {
                f.write_str("ports are not published on the host's own network")
            }
        }
    }
}

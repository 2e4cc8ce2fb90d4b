//! Identifiers that the service gave us. Two strings that must not be mixed up are two types.

use std::fmt;

use serde::Deserialize;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes an identifier as the service wrote it.
            pub fn new(id: impl Into<String>) -> Self {
                Self(id.into())
            }

            /// The whole identifier.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The first twelve characters, as people read it.
            pub fn short(&self) -> &str {
                let id = self.0.strip_prefix("sha256:").unwrap_or(&self.0);
                id.get(..12).unwrap_or(id)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id!(
    /// A container's full identifier (64 hexadecimal digits).
    ContainerId
);
id!(
    /// An image's identifier.
    ImageId
);
id!(
    /// An exec session's identifier.
    ExecId
);

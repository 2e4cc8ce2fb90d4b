//! A Podman service of our own, for the host where none listens at the usual place.
//!
//! Its program is one that nobody but root can have put there, its environment is a closed list, and
//! its socket lies in a private directory. It ends by itself, and the next one of us finds it again
//! as long as it answers.

mod directory;
mod environment;
mod invocation;
mod log;
mod program;
mod reach;
mod trust;

pub(crate) use directory::places;
pub(crate) use reach::reach;

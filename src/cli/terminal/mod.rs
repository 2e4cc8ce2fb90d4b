//! The person's terminal, and the container's streams on it.

mod detach;
mod filter;
mod guard;
mod input;
mod leave;
mod output;
mod quoted;
mod session;

pub(crate) use detach::DetachKeys;
pub(crate) use filter::{Filter, Policy};
pub(crate) use guard::{RawTerminal, window_size};
pub(crate) use input::Input;
pub(crate) use leave::Leave;
pub(crate) use output::{Asked, Gone, Output};
pub(crate) use quoted::OURS;
pub(crate) use session::{End, Remote, Session};

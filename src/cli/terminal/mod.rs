//! The person's terminal, and the container's streams on it.

mod detach;
mod filter;
mod guard;
mod input;
mod output;
mod session;

pub use detach::DetachKeys;
pub use filter::{Filter, Policy};
pub use guard::{RawTerminal, window_size};
pub use input::Input;
pub use output::Output;
pub use session::{End, Remote, Session};

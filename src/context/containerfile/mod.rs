//! What a build reads of its context, from its Containerfile: as far as it can be known for certain,
//! on every release. Whatever is not understood means everything; a context that is too large is
//! slow, one that is too small is wrong.
//!
//! `lines` makes instructions of text, `words` makes words of instructions, `variables` knows what a
//! `$name` stands for, `needs` draws the conclusion. None of them reports a malformed file as an
//! error: that is the service's part, which sees the same bytes.

mod lines;
mod needs;
mod variables;
mod words;

pub use self::needs::Base;
pub use self::needs::Needs;
pub use self::needs::Reason;
pub use self::needs::images;
pub use self::needs::needs;

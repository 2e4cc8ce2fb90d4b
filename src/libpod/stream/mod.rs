//! Decoders: bytes in, values out. None of them reads a socket by itself except [`Attached`]'s halves.

mod attached;
mod frames;
mod json_lines;

pub(crate) use attached::hijack;
pub use attached::{AttachInput, AttachOutput, Attached, Chunk, Framing};
pub use frames::{Channel, Frame, FrameDecoder};
pub use json_lines::JsonLines;

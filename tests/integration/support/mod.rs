//! What tests stand on. No tests here.

pub(crate) mod capture;
pub(crate) mod command;
pub(crate) mod content;
pub(crate) mod dir;
pub(crate) mod gate;
pub(crate) mod image;
pub(crate) mod listener;
pub(crate) mod podman;
pub(crate) mod private_service;
pub(crate) mod pty;
pub(crate) mod relay;
pub(crate) mod stub;

/// Bytes without a pattern, all values among them.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_u32;
    let next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[1]
    };
    std::iter::repeat_with(next).take(length).collect()
}

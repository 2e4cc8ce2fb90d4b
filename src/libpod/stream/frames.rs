//! The multiplexing of stdout and stderr: an 8-byte header, then the payload.
//!
//! `[channel, 0, 0, 0, length: u32 big-endian]`, as in Docker's attach; used where the container
//! (or exec session) has no TTY, and always by logs.

use bytes::{Buf as _, Bytes, BytesMut};

use crate::libpod::error::{Error, Kind, Result};

const HEADER: usize = 8;
/// The longest payload. The service sends at most 8 KiB when attached; a log line may be longer.
const LIMIT: usize = 16 << 20;

/// Which stream a frame belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// The process's standard output (a TTY's output, too).
    Stdout,
    /// The process's standard error.
    Stderr,
    /// The service's own words about a failure.
    ServiceError,
}

/// One piece of output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Where it was written.
    pub channel: Channel,
    /// What was written, byte-exact.
    pub payload: Bytes,
}

/// Bytes to frames, wherever reads are cut.
#[derive(Debug)]
pub struct FrameDecoder {
    endpoint: String,
    buffer: BytesMut,
}

impl FrameDecoder {
    /// An empty decoder; `endpoint` goes into errors.
    pub fn new(endpoint: impl Into<String>) -> Self {
        Self {
            endpoint: endpoint.into(),
            buffer: BytesMut::new(),
        }
    }

    /// Takes the next bytes from the wire.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    pub(super) fn buffer_mut(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// The next whole frame, `None` when more bytes are needed. Empty frames are passed over.
    ///
    /// # Errors
    /// An unknown channel, a header that is none, or a payload above 16 MiB.
    pub fn next_frame(&mut self) -> Result<Option<Frame>> {
        loop {
            let Some((header, _)) = self.buffer.split_first_chunk::<HEADER>() else {
                return Ok(None);
            };
            let [channel, zero @ .., a, b, c, d] = *header;
            let channel = match (channel, zero) {
                // 0 is standard input, echoed; nothing sends it, and it would be output if it came.
                (0 | 1, [0, 0, 0]) => Channel::Stdout,
                (2, [0, 0, 0]) => Channel::Stderr,
                (3, [0, 0, 0]) => Channel::ServiceError,
                _ => {
                    return Err(Error::protocol(
                        &self.endpoint,
                        format!("the output is not framed as it should be: header {header:02x?}"),
                    ));
                }
            };
            let length = u32::from_be_bytes([a, b, c, d]) as usize;
            if length > LIMIT {
                return Err(Error::new(Kind::TooLong {
                    endpoint: self.endpoint.clone(),
                    limit: LIMIT,
                }));
            }
            if self.buffer.len() < HEADER + length {
                return Ok(None);
            }
            self.buffer.advance(HEADER);
            if length > 0 {
                let payload = self.buffer.split_to(length).freeze();
                return Ok(Some(Frame { channel, payload }));
            }
        }
    }

    /// The stream has ended.
    ///
    /// # Errors
    /// It ended inside a frame.
    pub fn finish(&self) -> Result<()> {
        if self.buffer.is_empty() {
            Ok(())
        } else {
            Err(Error::cut(&self.endpoint))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wire(channel: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![channel, 0, 0, 0];
        bytes.extend((payload.len() as u32).to_be_bytes());
        bytes.extend(payload);
        bytes
    }

    #[test]
    fn frames_cut_at_every_byte() {
        let bytes = [wire(1, b"out"), wire(1, b""), wire(2, b"err")].concat();
        for cut in 0..=bytes.len() {
            let mut decoder = FrameDecoder::new("x");
            let mut got = Vec::new();
            for part in [&bytes[..cut], &bytes[cut..]] {
                decoder.push(part);
                while let Some(frame) = decoder.next_frame().unwrap() {
                    got.push((frame.channel, frame.payload.to_vec()));
                }
            }
            decoder.finish().unwrap();
            let want = [
                (Channel::Stdout, b"out".to_vec()),
                (Channel::Stderr, b"err".to_vec()),
            ];
            assert_eq!(got, want, "cut at {cut}");
        }
    }

    #[test]
    fn an_end_inside_a_frame_is_an_error() {
        let bytes = wire(1, b"out");
        for end in 1..bytes.len() {
            let mut decoder = FrameDecoder::new("x");
            decoder.push(&bytes[..end]);
            assert_eq!(decoder.next_frame().unwrap(), None);
            assert!(decoder.finish().unwrap_err().is_disconnect(), "end {end}");
        }
    }

    #[test]
    fn nonsense_is_an_error_and_never_an_allocation() {
        for header in [
            [9, 0, 0, 0, 0, 0, 0, 1],
            [1, 7, 0, 0, 0, 0, 0, 1],
            [1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff],
        ] {
            let mut decoder = FrameDecoder::new("x");
            decoder.push(&header);
            assert!(decoder.next_frame().is_err(), "{header:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut decoder = FrameDecoder::new("x");
            decoder.push(&bytes);
            while let Ok(Some(_)) = decoder.next_frame() {}
        }

        #[test]
        fn random_short_reads(payloads in prop::collection::vec((1u8..4, prop::collection::vec(any::<u8>(), 1..50)), 0..8), step in 1usize..9) {
            let bytes: Vec<u8> = payloads.iter().flat_map(|(c, p)| wire(*c, p)).collect();
            let mut decoder = FrameDecoder::new("x");
            let mut got = Vec::new();
            for part in bytes.chunks(step) {
                decoder.push(part);
                while let Some(frame) = decoder.next_frame().unwrap() {
                    got.push(frame.payload.to_vec());
                }
            }
            let want: Vec<Vec<u8>> = payloads.into_iter().map(|(_, p)| p).collect();
            prop_assert_eq!(got, want);
            prop_assert!(decoder.finish().is_ok());
        }
    }
}

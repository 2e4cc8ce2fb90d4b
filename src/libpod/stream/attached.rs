//! A hijacked connection: input one way, output the other.

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf};

use super::frames::{Channel, FrameDecoder};
use crate::libpod::error::{ApiError, Error, Kind, Result};
use crate::libpod::response::Response;
use crate::libpod::transport::Duplex;

/// How much is read at once, in bytes.
const READ: usize = 64 << 10;
/// How an in-band failure of the service begins, in either framing.
const IN_BAND: &str = "Error: ";
/// The same on a line that is not the first.
const IN_BAND_LATER: &str = "\nError: ";
/// How much of the output's end is kept, in bytes.
const LAST_WORDS: usize = 1 << 10;

/// How output comes over a hijacked connection: known from inspect (`Tty`), never guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// A TTY's bytes as they are.
    Raw,
    /// Frames that tell stdout from stderr.
    Multiplexed,
}

/// A piece of output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Where it was written.
    pub channel: Channel,
    /// What was written, byte-exact.
    pub bytes: Bytes,
}

/// Both halves of a hijacked connection. Dropping both closes it; the container runs on.
#[derive(Debug)]
pub struct Attached {
    /// To the process's standard input.
    pub input: AttachInput,
    /// From its standard output and error.
    pub output: AttachOutput,
}

/// The half that writes to standard input.
#[derive(Debug)]
pub struct AttachInput {
    endpoint: String,
    half: WriteHalf<Duplex>,
}

/// The half that reads output.
#[derive(Debug)]
pub struct AttachOutput {
    endpoint: String,
    half: ReadHalf<Duplex>,
    decoder: Decoder,
    last_words: Vec<u8>,
}

#[derive(Debug)]
enum Decoder {
    Raw(BytesMut),
    Multiplexed(FrameDecoder),
}

/// Takes over the connection of an answer, which must be 101: an answer of 200 would leave the
/// first bytes of output in a place where they are lost.
pub(crate) async fn hijack(response: Response, framing: Framing) -> Result<Attached> {
    let endpoint = response.endpoint().to_owned();
    let upgraded = response.upgraded().await?;
    let (read, write) = tokio::io::split(upgraded);
    let decoder = match framing {
        Framing::Raw => Decoder::Raw(BytesMut::new()),
        Framing::Multiplexed => Decoder::Multiplexed(FrameDecoder::new(&endpoint)),
    };
    Ok(Attached {
        input: AttachInput {
            endpoint: endpoint.clone(),
            half: write,
        },
        output: AttachOutput {
            endpoint,
            half: read,
            decoder,
            last_words: Vec::new(),
        },
    })
}

fn broken(endpoint: &str, source: std::io::Error) -> Error {
    Error::new(Kind::Exchange {
        endpoint: endpoint.to_owned(),
        source: source.into(),
    })
}

impl AttachInput {
    /// Writes to the process's standard input; returns when the service has taken all of it.
    ///
    /// # Errors
    /// The connection is gone, which also happens when the process has ended.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let written = async {
            self.half.write_all(bytes).await?;
            self.half.flush().await
        };
        written.await.map_err(|e| broken(&self.endpoint, e))
    }

    /// Ends standard input and leaves output open. A TTY ignores it: send `^D` there.
    pub async fn close(&mut self) -> Result<()> {
        self.half
            .shutdown()
            .await
            .map_err(|e| broken(&self.endpoint, e))
    }
}

impl AttachOutput {
    /// The next output; `None` at the end of the stream, which alone does not mean that the
    /// process has ended.
    ///
    /// # Errors
    /// The connection broke, or ended inside a frame, or carried what is no frame.
    pub async fn next(&mut self) -> Result<Option<Chunk>> {
        loop {
            if let Some(chunk) = self.decoder.take()? {
                self.remember(&chunk.bytes);
                return Ok(Some(chunk));
            }
            let buffer = self.decoder.buffer();
            buffer.reserve(READ);
            match self.half.read_buf(buffer).await {
                Ok(0) => {
                    if let Decoder::Multiplexed(frames) = &self.decoder {
                        frames.finish()?;
                    }
                    return Ok(None);
                }
                Ok(_) => {}
                Err(error) => return Err(broken(&self.endpoint, error)),
            }
        }
    }

    /// The last output, up to 1 KiB of it: what the stream ended with.
    pub fn last_words(&self) -> &[u8] {
        &self.last_words
    }

    /// The last output, if it reads as a failure that the service wrote into the stream
    /// (`Error: …`). A program can write the same: it is the service's only where the stream has
    /// ended and the process has not.
    pub fn in_band_error(&self) -> Option<Error> {
        let text = String::from_utf8_lossy(&self.last_words);
        let last = text.rsplit_once(IN_BAND_LATER).map(|(_, last)| last);
        let message = last.or_else(|| text.strip_prefix(IN_BAND))?;
        Some(Error::new(Kind::Api(ApiError {
            status: 200,
            cause: String::new(),
            message: message.trim_end().to_owned(),
            endpoint: self.endpoint.clone(),
        })))
    }

    /// Keeps the end of what was read: one line may come in several frames.
    fn remember(&mut self, bytes: &[u8]) {
        let bytes = bytes.get(bytes.len().saturating_sub(LAST_WORDS)..);
        let bytes = bytes.unwrap_or_default();
        let too_many = (self.last_words.len() + bytes.len()).saturating_sub(LAST_WORDS);
        self.last_words.drain(..too_many);
        self.last_words.extend_from_slice(bytes);
    }
}

impl Decoder {
    fn buffer(&mut self) -> &mut BytesMut {
        match self {
            Self::Raw(buffer) => buffer,
            Self::Multiplexed(frames) => frames.buffer_mut(),
        }
    }

    fn take(&mut self) -> Result<Option<Chunk>> {
        match self {
            Self::Raw(buffer) if buffer.is_empty() => Ok(None),
            Self::Raw(buffer) => Ok(Some(Chunk {
                channel: Channel::Stdout,
                bytes: buffer.split().freeze(),
            })),
            Self::Multiplexed(frames) => Ok(frames.next_frame()?.map(|frame| Chunk {
                channel: frame.channel,
                bytes: frame.payload,
            })),
        }
    }
}

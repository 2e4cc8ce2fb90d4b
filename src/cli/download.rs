//! The body of an answer at one end, a blocking reader or another request at the other.

use std::io::{self, Read};

use bytes::{Buf as _, Bytes};
use tokio::sync::mpsc;

use super::progress::Meter;
use crate::libpod::{self, ByteStream, TarChunk};

/// Chunks that may wait between receiving and writing.
const DEPTH: usize = 4;

/// Reads what was received. Blocks until something is; an answer that breaks off is an error, not an
/// end.
#[derive(Debug)]
pub(crate) struct Downlink {
    chunks: mpsc::Receiver<TarChunk>,
    current: Bytes,
    ended: bool,
}

/// A reader and the end that feeds it.
pub(crate) fn channel() -> (mpsc::Sender<TarChunk>, Downlink) {
    let (sender, chunks) = mpsc::channel(DEPTH);
    let downlink = Downlink {
        chunks,
        current: Bytes::new(),
        ended: false,
    };
    (sender, downlink)
}

impl Read for Downlink {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() && !self.ended {
            match self.chunks.blocking_recv() {
                Some(TarChunk::Bytes(bytes)) => self.current = bytes,
                Some(TarChunk::End) => self.ended = true,
                Some(TarChunk::Failed(error)) => return Err(io::Error::other(error)),
                None => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
        let size = buffer.len().min(self.current.len());
        let buffer = buffer.get_mut(..size).unwrap_or_default();
        self.current.copy_to_slice(buffer);
        Ok(size)
    }
}

/// Passes an answer on to its end, or until nobody takes it any more.
///
/// # Errors
/// The answer breaks off; the other end is told.
pub(crate) async fn forward(
    mut answer: ByteStream,
    chunks: mpsc::Sender<TarChunk>,
    meter: &Meter,
) -> libpod::Result<()> {
    loop {
        let (chunk, last) = match answer.next().await {
            Ok(Some(bytes)) => {
                meter.add(bytes.len());
                (TarChunk::Bytes(bytes), None)
            }
            Ok(None) => (TarChunk::End, Some(Ok(()))),
            Err(error) => (TarChunk::Failed(error.to_string().into()), Some(Err(error))),
        };
        let sent = chunks.send(chunk).await;
        match (last, sent) {
            (Some(last), _) => {
                meter.finish();
                return last;
            }
            (None, Ok(())) => {}
            (None, Err(_)) => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(chunks: Vec<TarChunk>) -> io::Result<Vec<u8>> {
        let (sender, mut downlink) = channel();
        let feeder = std::thread::spawn(move || {
            for chunk in chunks {
                sender.blocking_send(chunk).unwrap();
            }
        });
        let mut bytes = Vec::new();
        let result = downlink.read_to_end(&mut bytes).map(|_| bytes);
        feeder.join().unwrap();
        result
    }

    #[test]
    fn only_an_end_is_an_end() {
        let bytes = |text: &'static [u8]| TarChunk::Bytes(Bytes::from_static(text));
        let whole = read(vec![bytes(b"ab"), bytes(b""), bytes(b"c"), TarChunk::End]);
        assert_eq!(whole.unwrap(), b"abc");
        assert!(read(vec![bytes(b"ab")]).is_err());
        assert!(read(vec![bytes(b"ab"), TarChunk::Failed("x".into())]).is_err());
    }
}

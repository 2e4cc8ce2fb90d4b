//! A blocking writer of an archive at one end, a request body at the other.

use std::io::{self, Write};

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::progress::Meter;
use crate::libpod::{TarBody, TarChunk};

/// Chunks that may wait between walking and sending.
const DEPTH: usize = 4;

/// Where an archive is written to. Blocks while the service is behind.
#[derive(Debug)]
struct Uplink {
    chunks: mpsc::Sender<TarChunk>,
    meter: Meter,
}

impl Write for Uplink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.chunks
            .blocking_send(TarChunk::Bytes(bytes.to_vec().into()))
            .map_err(|_| io::ErrorKind::BrokenPipe)?;
        self.meter.add(bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes an archive on a thread of its own while it is sent. The task's result is the writer's;
/// if it is an error the request is broken off, never ended.
pub(crate) fn upload<T, E>(
    meter: Meter,
    write: impl FnOnce(&mut dyn Write) -> Result<T, E> + Send + 'static,
) -> (TarBody, JoinHandle<Result<T, E>>)
where
    T: Send + 'static,
    E: std::error::Error + Send + Sync + 'static,
{
    let (chunks, body) = TarBody::channel(DEPTH);
    let task = tokio::task::spawn_blocking(move || {
        let mut uplink = Uplink { chunks, meter };
        let result = write(&mut uplink);
        let last = match &result {
            Ok(_) => TarChunk::End,
            Err(error) => TarChunk::Failed(error.to_string().into()),
        };
        uplink.meter.finish();
        // The service may have answered before the end: then nobody listens any more.
        let _ = uplink.chunks.blocking_send(last);
        result
    });
    (body, task)
}

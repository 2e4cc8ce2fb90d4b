//! A blocking writer of an archive at one end, a request body at the other.

use std::io::{self, Write};

use tokio::sync::mpsc;

use crate::libpod::{TarBody, TarChunk};

/// Chunks that may wait between walking and sending.
const DEPTH: usize = 4;

/// Where an archive is written to. Blocks while the service is behind.
#[derive(Debug)]
struct Uplink(mpsc::Sender<TarChunk>);

impl Write for Uplink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .blocking_send(TarChunk::Bytes(bytes.to_vec().into()))
            .map_err(|_| io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes an archive on a thread of its own while it is sent. The task's result is the writer's;
/// if it is an error the request is broken off, never ended.
pub fn upload<T, E>(
    write: impl FnOnce(&mut dyn Write) -> Result<T, E> + Send + 'static,
) -> (TarBody, tokio::task::JoinHandle<Result<T, E>>)
where
    T: Send + 'static,
    E: std::error::Error + Send + Sync + 'static,
{
    let (sender, body) = TarBody::channel(DEPTH);
    let task = tokio::task::spawn_blocking(move || {
        let mut uplink = Uplink(sender);
        let result = write(&mut uplink);
        let last = match &result {
            Ok(_) => TarChunk::End,
            Err(error) => TarChunk::Failed(error.to_string().into()),
        };
        // The service may have answered before the end: then nobody listens any more.
        let _ = uplink.0.blocking_send(last);
        result
    });
    (body, task)
}

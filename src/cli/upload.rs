//! A blocking writer of an archive at one end, a request body at the other.

use std::io::{self, Read, Write};
use std::time::Duration;

use tokio::task::JoinHandle;

use super::progress::Meter;
use crate::context;
use crate::libpod::{TarBody, TarWriter};

/// Chunks that may wait between walking and sending.
const DEPTH: usize = 4;

/// How long an upload may still take to end when the service has answered: its reader may wait for
/// standard input.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Why an archive was not sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendError {
    /// What it is made of cannot be read.
    #[error(transparent)]
    Files(context::Error),
    /// It came on standard input.
    #[error("cannot read the archive on standard input")]
    Archive(#[source] io::Error),
    /// The service has answered already.
    #[error("the service takes no more of the archive")]
    Refused,
}

impl From<context::Error> for SendError {
    fn from(error: context::Error) -> Self {
        if error.is_write() {
            Self::Refused
        } else {
            Self::Files(error)
        }
    }
}

/// Where an archive is written to, with what is shown of that.
#[derive(Debug)]
struct Metered {
    writer: TarWriter,
    meter: Meter,
}

impl Write for Metered {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.writer.write(bytes)?;
        self.meter.add(written);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes an archive on a thread of its own while it is sent. The task's result is the writer's;
/// if it is an error the request is broken off, never ended.
pub(crate) fn upload<T: Send + 'static>(
    meter: Meter,
    write: impl FnOnce(&mut dyn Write) -> Result<T, SendError> + Send + 'static,
) -> (TarBody, Upload<T>) {
    let (writer, body) = TarBody::written(DEPTH);
    let task = tokio::task::spawn_blocking(move || {
        let mut metered = Metered { writer, meter };
        let result = write(&mut metered);
        metered.meter.finish();
        let written = result.as_ref().map(|_| ());
        let written = written.map_err(|error| io::Error::other(error.to_string()));
        metered.writer.finish(written);
        result
    });
    (body, Upload(task))
}

/// An upload under way.
#[derive(Debug)]
pub(crate) struct Upload<T>(JoinHandle<Result<T, SendError>>);

impl<T> Upload<T> {
    /// What came of it, once the service has answered; an upload that hangs is left alone.
    pub(crate) async fn finish(self) -> Result<T, SendError> {
        match tokio::time::timeout(LAST_WORDS, self.0).await {
            Ok(Ok(sent)) => sent,
            // It hangs, or its thread is gone, which is seen in the answer.
            Ok(Err(_)) | Err(_) => Err(SendError::Refused),
        }
    }
}

/// Passes on an archive as it comes. Blocks.
pub(crate) fn pass(mut archive: impl Read, sink: &mut dyn Write) -> Result<(), SendError> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match archive.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(got) => sink
                .write_all(buffer.get(..got).unwrap_or_default())
                .map_err(|_| SendError::Refused)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(SendError::Archive(error)),
        }
    }
}

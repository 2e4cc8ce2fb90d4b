//! Reading files into a pack, by several threads at once.

use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;

use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::workspace::disk;
use crate::workspace::disk::Found;
use crate::workspace::disk::OpenedUp;
use crate::workspace::disk::Type;
use crate::workspace::error::Error;
use crate::workspace::error::Result;
use crate::workspace::id::Hasher;
use crate::workspace::id::Kind;
use crate::workspace::id::ObjectId;
use crate::workspace::pack::Deflater;
use crate::workspace::pack::PackWriter;
use crate::workspace::snapshot;
use crate::workspace::snapshot::At;
use crate::workspace::snapshot::Reason;
use crate::workspace::store::Store;
use crate::workspace::walk;

/// Files up to this size are read into memory.
const SMALL: u64 = 4 << 20;

/// How often a file that changes is read.
const TRIES: usize = 4;

/// A file or link to be read.
pub(super) struct Job {
    pub(super) at: At,
    pub(super) dir: Arc<OwnedFd>,
    /// The directory stays open to us until this is done.
    pub(super) opened: Option<Arc<OpenedUp>>,
    pub(super) name: CString,
    pub(super) found: Found,
}

/// What was read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Content {
    pub(super) id: ObjectId,
    /// As the file was afterwards.
    pub(super) found: Found,
    pub(super) size: u64,
    pub(super) torn: bool,
}

/// What came of a job.
pub(super) type Done = (At, Result<Content, Reason>);

/// Objects on their way into the repository.
pub(super) struct Sink<'a> {
    store: &'a Store,
    writer: Mutex<PackWriter>,
    failed: AtomicBool,
}

impl<'a> Sink<'a> {
    pub(super) fn new(store: &'a Store) -> Result<Self> {
        Ok(Self {
            store,
            writer: Mutex::new(PackWriter::create(&store.packs_directory())?),
            failed: AtomicBool::new(false),
        })
    }

    pub(super) fn into_writer(self) -> PackWriter {
        let writer = self.writer.into_inner();
        writer.unwrap_or_else(PoisonError::into_inner)
    }

    fn writer(&self) -> MutexGuard<'_, PackWriter> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn go_on(&self) -> Result<()> {
        self.store.go_on()
    }

    /// Adds an object, unless it is there.
    pub(super) fn put(
        &self,
        deflater: &mut Deflater,
        kind: Kind,
        content: &[u8],
    ) -> Result<ObjectId> {
        self.store.go_on()?;
        let id = Hasher::of(kind, content);
        if !self.store.contains(&id) && !self.writer().contains(&id) {
            let packed = deflater.pack(id, kind, content)?;
            self.writer().add(&packed)?;
        }
        Ok(id)
    }

    /// Does jobs until there are no more. After an error nothing more is read.
    pub(super) fn work(&self, jobs: &Mutex<Receiver<Vec<Job>>>) -> Result<Vec<Done>> {
        let mut worker = Worker {
            sink: self,
            deflater: Deflater::new(),
            buffer: Vec::new(),
        };
        let mut done = Vec::new();
        loop {
            let batch = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(batch) = batch else {
                return Ok(done);
            };
            if self.failed.load(Ordering::Relaxed) {
                continue;
            }
            for job in batch {
                let content = worker.read(&job);
                drop(job.opened);
                match content {
                    Ok(content) => done.push((job.at, content)),
                    Err(error) => {
                        self.failed.store(true, Ordering::Relaxed);
                        // The walk must not wait for ever.
                        while jobs
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .recv()
                            .is_ok()
                        {}
                        return Err(error);
                    }
                }
            }
        }
    }
}

struct Worker<'a> {
    sink: &'a Sink<'a>,
    deflater: Deflater,
    buffer: Vec<u8>,
}

/// What came of one try.
enum Try {
    Stable(Content),
    /// It changed meanwhile; the content is there if it was to be kept all the same.
    Changed(Option<Content>),
}

impl Worker<'_> {
    fn read(&mut self, job: &Job) -> Result<Result<Content, Reason>> {
        let mut opened = None;
        for left in (0..TRIES).rev() {
            let tried = match job.found.kind {
                Type::Link => self.link(job),
                _ => self.file(job, left == 0),
            };
            match tried {
                Ok(Ok(Try::Stable(content) | Try::Changed(Some(content)))) => {
                    return Ok(Ok(content));
                }
                Ok(Ok(Try::Changed(None))) => {}
                Ok(Err(reason)) => return Ok(Err(reason)),
                Err(Failure::Ours(error)) => return Err(error),
                Err(Failure::Tree(Errno::ACCESS)) if opened.is_none() => {
                    // Whether or not that helps, it is tried once more.
                    opened = Some(OpenedUp::new(&job.dir, &job.name, &job.found));
                }
                Err(Failure::Tree(errno)) => {
                    let path = snapshot::path(job.name.to_bytes());
                    let reason = walk::reason(errno);
                    return reason
                        .map(Err)
                        .ok_or_else(|| Error::file("read", &path)(errno));
                }
            }
        }
        Ok(Err(Reason::Changed))
    }

    fn link(&mut self, job: &Job) -> Result<Result<Try, Reason>, Failure> {
        let target = rustix::fs::readlinkat(&job.dir, &job.name, Vec::new());
        let target = match target {
            Err(Errno::INVAL) => return Ok(Err(Reason::Changed)),
            target => target?.into_bytes(),
        };
        let id = self.sink.put(&mut self.deflater, Kind::Blob, &target)?;
        let found = disk::find(&job.dir, &job.name)?;
        if found.kind != Type::Link {
            return Ok(Err(Reason::Changed));
        }
        let size = target.len() as u64;
        let content = Content {
            id,
            found,
            size,
            torn: false,
        };
        Ok(Ok(match size == found.size {
            true => Try::Stable(content),
            false => Try::Changed(None),
        }))
    }

    fn file(&mut self, job: &Job, last: bool) -> Result<Result<Try, Reason>, Failure> {
        let fd = disk::open(&job.dir, &job.name, OFlags::RDONLY)?;
        let found = disk::found(&fd)?;
        if found.kind != Type::File {
            return Ok(Err(Reason::Changed));
        }
        if found.size > SMALL {
            // It may have grown since it was found to fit.
            if found.size > job.found.size.saturating_mul(2).max(2 * SMALL) {
                return Ok(Err(Reason::Changed));
            }
            return self.large(&fd, &found, last).map(Ok);
        }
        let size = usize::try_from(found.size).unwrap_or(usize::MAX);
        // One more, to notice that it grew.
        self.buffer.resize(size.saturating_add(1), 0);
        let got = disk::read_full(&fd, &mut self.buffer)?;
        let after = disk::found(&fd)?;
        let stable = got == size && found.is_as(&after);
        if !stable && !last {
            return Ok(Ok(Try::Changed(None)));
        }
        let content = self.buffer.get(..got).unwrap_or_default();
        let id = self.sink.put(&mut self.deflater, Kind::Blob, content)?;
        let content = Content {
            id,
            found: after,
            size: got as u64,
            torn: !stable,
        };
        Ok(Ok(Try::Stable(content)))
    }

    fn large(&mut self, fd: &OwnedFd, found: &Found, last: bool) -> Result<Try, Failure> {
        let mut error = None;
        let mut short = false;
        let mut goes_on = Ok(());
        let next = |buffer: &mut [u8]| {
            goes_on = self.sink.go_on();
            if goes_on.is_err() {
                return None;
            }
            match disk::read_full(fd, buffer) {
                Ok(0) => {
                    short = true;
                    // At the last try, what is missing counts as zeros.
                    buffer.fill(0);
                    last.then_some(buffer.len())
                }
                Ok(got) => Some(got),
                Err(failed) => {
                    error = Some(failed);
                    None
                }
            }
        };
        let mut after = *found;
        let keep = |id: &ObjectId| {
            after = disk::found(fd).unwrap_or(after);
            (last || found.is_as(&after)) && !self.sink.store.contains(id)
        };
        let id = self.sink.writer().stream(found.size, next, keep)?;
        goes_on?;
        if let Some(error) = error {
            return Err(error.into());
        }
        let stable = found.is_as(&after) && !short;
        let content = id.filter(|_| stable || last).map(|id| Content {
            id,
            found: after,
            size: found.size,
            torn: !stable,
        });
        Ok(Try::Changed(content))
    }
}

/// Why a try failed.
enum Failure {
    /// On the tree's side.
    Tree(Errno),
    /// On the repository's.
    Ours(Error),
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Self {
        Self::Tree(errno)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Tree(Errno::from_io_error(&error).unwrap_or(Errno::IO))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

//! The copies themselves, one for each pair of ends.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read as _, Write};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use tokio::sync::oneshot;

use super::CpArgs;
use super::end::split;
use super::host::{Shared, look};
use super::inside::{Inside, Source};
use super::landing::{Copied, There, landing};
use crate::cli::containers::Containers;
use crate::cli::download::{self, forward};
use crate::cli::error::{CliError, CliResult, Context as _};
use crate::cli::exit::Exit;
use crate::cli::outcome;
use crate::cli::progress::Progress;
use crate::cli::sanitize::sanitize_line;
use crate::cli::ui::Ui;
use crate::cli::upload::{SendError, pass, upload};
use crate::context::{self, Input, Overwrite, Top, unpack};
use crate::libpod::{ArchiveWrite, Client, CopyOwnership, TarBody};

/// Kept by whoever unpacks, to its end.
pub(super) type Unpacking = oneshot::Sender<()>;

/// Who copies.
pub(super) struct Copy<'a> {
    pub(super) client: &'a Client,
    pub(super) args: &'a CpArgs,
    pub(super) containers: Containers,
    pub(super) progress: Progress<'a>,
    pub(super) ui: &'a Ui,
}

impl<'a> Copy<'a> {
    pub(super) async fn inside(&self, name: &'a str) -> CliResult<Inside<'a>> {
        Ok(Inside {
            client: self.client,
            container: self.containers.find(self.client, name).await?,
            name,
        })
    }

    pub(super) async fn fetch(
        &self,
        from: &Inside<'_>,
        path: &str,
        to: &Path,
        unpacking: Unpacking,
    ) -> CliResult {
        let source = from.source(path).await?;
        let shared = Shared::of(&from.container);
        let (directory, top, path) = destination(&source, look(to)?, &shared)?;
        let overwrite = match self.args.overwrite {
            true => Overwrite::AnyKind,
            false => Overwrite::SameKind,
        };
        let (_, archive) = self.client.read_archive(&from.container.id, &path).await?;
        let (chunks, downlink) = download::channel();
        let unpacked = tokio::task::spawn_blocking(move || {
            let _until_the_end = unpacking;
            unpack(downlink, directory, top, overwrite)
        });
        let meter = self.progress.meter();
        let passed = async {
            let passed = forward(archive, chunks, &meter).await;
            (passed, unpacked.await)
        };
        let (passed, unpacked) = self.progress.during(passed).await;
        // If the service broke off, that is why nothing more could be read.
        passed?;
        let unpacked = unpacked.doing("copy")?.map_err(|e| not_unpacked(&e))?;
        self.warn_of_skipped(unpacked.skipped, &unpacked.skipped_paths);
        Ok(Exit::Done)
    }

    pub(super) async fn fetch_archive(&self, from: &Inside<'_>, path: &str) -> CliResult {
        if self.ui.stdout_is_terminal() {
            return Err(
                CliError::new(Exit::Failed, "an archive is not written to a terminal")
                    .hint("send it into a pipe or a file"),
            );
        }
        let source = from.source(path).await?;
        let id = &from.container.id;
        let (_, archive) = self.client.read_archive(id, &source.path).await?;
        let (chunks, mut downlink) = download::channel();
        let mut stdout = self.ui.byte_stream().doing("write")?;
        let written = tokio::task::spawn_blocking(move || {
            let mut buffer = vec![0; 64 * 1024];
            loop {
                let got = downlink.read(&mut buffer).map_err(|_| Unwritten::Cut)?;
                if got == 0 {
                    return Ok(());
                }
                let bytes = buffer.get(..got).unwrap_or_default();
                stdout.write_all(bytes).map_err(Unwritten::Failed)?;
            }
        });
        let meter = self.progress.meter();
        let passed = async {
            let passed = forward(archive, chunks, &meter).await;
            (passed, written.await)
        };
        let (passed, written) = self.progress.during(passed).await;
        passed?;
        match written.doing("copy")? {
            Ok(()) => Ok(Exit::Done),
            Err(Unwritten::Failed(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
                Ok(outcome::OUTPUT_GONE)
            }
            Err(Unwritten::Failed(error)) => Err(error).doing("write"),
            Err(Unwritten::Cut) => Err(CliError::new(Exit::Failed, "the archive broke off")),
        }
    }

    pub(super) async fn store(&self, from: &Path, to: &Inside<'_>, path: &str) -> CliResult {
        let shared = Shared::of(&to.container);
        let (source, copied) = shared.source(from)?;
        let (directory, top) = landing(copied, to.look(path).await?)?;
        let write = move |sink: &mut dyn Write| Ok(source.write(&top, sink)?);
        let summary = self.send(to, &directory, write).await?;
        self.warn_of_skipped(summary.skipped, &summary.skipped_paths);
        Ok(Exit::Done)
    }

    pub(super) async fn store_archive(&self, to: &Inside<'_>, path: &str) -> CliResult {
        let There::Directory(directory) = to.look(path).await? else {
            return Err(CliError::new(
                Exit::Failed,
                format!("an archive is unpacked into a directory, and `{path}` is none"),
            ));
        };
        let stdin = io::stdin().as_fd().try_clone_to_owned();
        let stdin = File::from(stdin.doing("read standard input")?);
        let sniffed = tokio::task::spawn_blocking(move || Input::sniff(stdin));
        let Ok(Input::Archive(archive)) = sniffed.await.doing("read standard input")? else {
            return Err(CliError::new(
                Exit::Failed,
                "standard input is not a tar archive",
            ));
        };
        let write = move |sink: &mut dyn Write| pass(archive, sink);
        self.send(to, &directory, write).await?;
        Ok(Exit::Done)
    }

    pub(super) async fn between(
        &self,
        from: &Inside<'_>,
        path: &str,
        to: &Inside<'_>,
        at: &str,
    ) -> CliResult {
        let source = from.source(path).await?;
        let there = to.look(at).await?;
        let renamed = !matches!(there, There::Directory(_));
        let (directory, top) = landing(source.copied.clone(), there)?;
        let path = match (renamed, source.with_directory()) {
            (true, Some(path)) => path,
            (false, _) => &source.path,
            (true, None) => {
                return Err(CliError::new(
                    Exit::Failed,
                    "`/` is copied into a directory that is there",
                ));
            }
        };
        let mut rename = BTreeMap::new();
        if renamed
            && let (Some((_, old)), Top::File(new) | Top::Directory(new)) = (split(path), &top)
        {
            let text = |name: &OsString| name.to_string_lossy().into_owned();
            rename.insert(text(&old), text(new));
        }
        let (_, archive) = self.client.read_archive(&from.container.id, path).await?;
        let (chunks, body) = TarBody::channel(4);
        let meter = self.progress.meter();
        let read = forward(archive, chunks, &meter);
        let how = self.how(rename);
        let written = self
            .client
            .write_archive(&to.container.id, &directory, &how, body);
        let both = async { tokio::join!(read, written) };
        let (read, written) = self.progress.during(both).await;
        read?;
        written.map_err(|error| to.not_written(error, &directory))?;
        Ok(Exit::Done)
    }

    /// Sends an archive; gives back what its writer said.
    async fn send<T: Default + Send + 'static>(
        &self,
        to: &Inside<'_>,
        directory: &str,
        write: impl FnOnce(&mut dyn Write) -> Result<T, SendError> + Send + 'static,
    ) -> CliResult<T> {
        let (body, upload) = upload(self.progress.meter(), write);
        let how = self.how(BTreeMap::new());
        let id = &to.container.id;
        let written = self.client.write_archive(id, directory, &how, body);
        let answer = self.progress.during(written).await;
        match (upload.finish().await, answer) {
            // That is why the request was broken off.
            (Err(SendError::Files(error)), _) => Err(unreadable(&error)),
            (Err(error @ SendError::Archive(_)), _) => {
                Err(CliError::from_source(Exit::Failed, &error))
            }
            (_, Err(error)) => Err(to.not_written(error, directory)),
            (Err(SendError::Refused), Ok(())) => Ok(T::default()),
            (Ok(sent), Ok(())) => Ok(sent),
        }
    }

    fn how(&self, rename: BTreeMap<String, String>) -> ArchiveWrite {
        ArchiveWrite {
            ownership: match self.args.archive {
                true => CopyOwnership::Container,
                false => CopyOwnership::Archive,
            },
            overwrite: self.args.overwrite,
            rename,
        }
    }

    fn warn_of_skipped(&self, skipped: u64, paths: &[PathBuf]) {
        if skipped > 0 {
            let names: Vec<String> = paths
                .iter()
                .map(|path| format!("`{}`", sanitize_line(&path.display().to_string())))
                .collect();
            self.ui.warning(&format!(
                "{skipped} sockets, FIFOs or devices were left out: {}",
                names.join(", ")
            ));
        }
    }
}

/// Why an archive is not on standard output.
enum Unwritten {
    /// It broke off.
    Cut,
    Failed(io::Error),
}

/// The directory that is written to, what stands at the archive's top, and the path to ask for.
fn destination(
    source: &Source,
    there: There<PathBuf>,
    shared: &Shared,
) -> CliResult<(File, Top, String)> {
    let renamed = !matches!(there, There::Directory(_));
    let (directory, top) = landing(source.copied.clone(), there)?;
    let directory = shared.open(&directory)?;
    match (&source.copied, top, source.with_directory()) {
        (Copied::Contents, Top::Directory(name), None) if renamed => {
            // The archive has no entry for it.
            let made = make_directory(&directory, &name, source.mode)
                .doing(format!("make `{}`", name.display()))?;
            Ok((made, Top::Contents, source.path.clone()))
        }
        (Copied::Contents, top @ Top::Directory(_), Some(path)) => {
            Ok((directory, top, path.to_owned()))
        }
        (_, top, _) => Ok((directory, top, source.path.clone())),
    }
}

fn make_directory(parent: &File, name: &OsStr, mode: u32) -> io::Result<File> {
    rustix::fs::mkdirat(parent, name, Mode::from_raw_mode(mode) | Mode::RWXU)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(parent, name, flags, Mode::empty())?.into())
}

fn unreadable(error: &context::Error) -> CliError {
    let cli = CliError::context(Exit::Failed, "cannot read what is copied", error);
    if error.is_changed() {
        cli.hint("something changes it while it is read; copy it when it is quiet")
    } else {
        cli
    }
}

fn not_unpacked(error: &context::Error) -> CliError {
    let cli = CliError::context(Exit::Failed, "cannot write what is copied", error);
    if error.is_in_the_way() {
        cli.hint("to replace it, with all that is in it: `--overwrite`")
    } else if error.is_refused() {
        cli.hint("the container sent what no honest copy holds")
    } else {
        cli
    }
}

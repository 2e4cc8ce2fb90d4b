//! What is kept of a build, for `ralph`.

use std::path::{Path, PathBuf};

use super::BuildArgs;
use super::source::{Bases, Extent, Sent, bases, prune};
use crate::cli::built::{Built, sha256};
use crate::cli::error::{CliError, CliResult, Context as _};
use crate::cli::exit::Exit;
use crate::context::{self, Base, Containerfile, Digest, Plan};
use crate::libpod::{BuildOptions, Client, ImageId, PullPolicy};

/// A build that has succeeded.
pub(super) struct Note<'a> {
    pub(super) args: &'a BuildArgs,
    pub(super) containerfile: &'a Containerfile,
    pub(super) options: &'a BuildOptions,
    pub(super) client: &'a Client,
    pub(super) image: &'a ImageId,
}

/// What identifies the files of a build.
struct Files {
    digest: Digest,
    bytes: u64,
    /// Nothing is known of any other image.
    bases: Bases,
}

impl Note<'_> {
    /// Keeps it, if context and Containerfile are files that can be found again.
    pub(super) async fn take(&self, sent: Sent, extent: Extent, known: Bases) -> CliResult<()> {
        let Sent {
            plan: Some(plan),
            digest: Some(digest),
            summary,
            is_forced,
        } = sent
        else {
            return Ok(());
        };
        let Some((directory, file)) = plan.in_directory() else {
            return Ok(());
        };
        let (directory, file) = (directory.to_owned(), file.to_owned());
        let mut files = Files {
            digest,
            bytes: summary.bytes,
            bases: Bases::new(),
        };
        match extent {
            Extent::Part if !is_forced => files.bases = known,
            Extent::Whole => files = self.narrowed(*plan, files).await?,
            Extent::Part => {}
        }
        let bases = files.bases.into_iter().filter_map(|(image, base)| {
            let Base::Plain(env) = base else { return None };
            Some((image, env))
        });
        let built = Built {
            version: Built::VERSION,
            directory: directory.display().to_string(),
            containerfile: sha256(self.containerfile.bytes()),
            ignore_file: self.ignore_file()?,
            build_args: self.options.build_args.clone(),
            bases: bases.collect(),
            context: files.digest.to_string(),
            bytes: files.bytes,
            image: self.image.to_string(),
            tags: self.options.tags.clone(),
            at: jiff::Timestamp::now()
                .strftime("%Y-%m-%d %H:%M UTC")
                .to_string(),
        };
        built.keep(&directory, &file)
    }

    fn ignore_file(&self) -> CliResult<Option<PathBuf>> {
        let path = self.args.ignorefile.as_deref().map(Path::canonicalize);
        path.transpose().doing("find the ignore file again")
    }

    /// All was sent, since a base image was not there yet. Now it is: if nothing has changed
    /// meanwhile, what the Containerfile does not need may do so from now on.
    async fn narrowed(&self, mut plan: Plan, sent: Files) -> CliResult<Files> {
        let options = BuildOptions {
            pull: PullPolicy::Missing,
            ..self.options.clone()
        };
        let bases = bases(self.containerfile, &options, self.client).await?;
        if prune(&mut plan, self.containerfile, &options, &bases) == Extent::Whole {
            return Ok(sent);
        }
        let containerfile = self.containerfile.clone();
        let read = tokio::task::spawn_blocking(move || -> Result<Files, context::Error> {
            plan.select_everything();
            if plan.digest()? != sent.digest {
                return Ok(sent);
            }
            prune(&mut plan, &containerfile, &options, &bases);
            let (summary, digest) = plan.write_digested(std::io::sink())?;
            Ok(Files {
                digest,
                bytes: summary.bytes,
                bases,
            })
        });
        let read = read.await.doing("read the context again")?;
        read.map_err(|error| {
            let heading = "cannot read the context again";
            CliError::context(Exit::Failed, heading, &error)
        })
    }
}

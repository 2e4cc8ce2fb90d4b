//! What a build is made from: a directory, an archive on standard input, or a lone Containerfile.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd as _;
use std::path::Path;

use super::BuildArgs;
use crate::cli::error::{CliError, CliResult, Context as _};
use crate::cli::exit::Exit;
use crate::cli::upload::{SendError, pass};
use crate::context::{
    self, Archive, Base, Containerfile, Digest, Directory, Input, Needs, Plan, Summary,
};
use crate::libpod::{BuildOptions, Client, PullPolicy};

/// What travels beside the request.
pub(super) enum Source {
    /// Files of ours.
    Files(Box<Plan>),
    /// An archive that is passed on as it comes.
    Archive(Archive<File>),
}

/// What was sent.
pub(super) struct Sent {
    pub(super) summary: Summary,
    /// Of files of ours.
    pub(super) digest: Option<Digest>,
    /// All of them, though the Containerfile seemed to need less.
    pub(super) is_forced: bool,
    /// For a second time.
    pub(super) plan: Option<Box<Plan>>,
}

/// What the person named: a source, and what the build does where that is known.
type Opened = (Source, Option<Containerfile>);

impl Source {
    /// Looks at what the person named. Blocks, on standard input for as long as it takes.
    pub(super) fn open(args: &BuildArgs) -> CliResult<Opened> {
        let stdin = Path::new("-");
        let file = args.file.as_deref();
        match (args.context.as_deref(), file) {
            (Some(context), Some(file)) if context == stdin && file == stdin => Err(
                CliError::usage("context and Containerfile cannot both come from standard input"),
            ),
            (Some(context), _) if context == stdin => Self::from_stdin(file),
            (None, Some(file)) if file == stdin => Ok(Self::lone(containerfile_on_stdin()?)),
            (context, Some(file)) if file == stdin => {
                let directory = directory(context)?;
                Self::files(directory, containerfile_on_stdin()?, args)
            }
            (context, Some(file)) => {
                // Without a context, the Containerfile's own directory is one.
                let directory = directory(context.or_else(|| file.parent()))?;
                let containerfile = directory.containerfile(file);
                Self::files(directory, containerfile.map_err(|e| unreadable(&e))?, args)
            }
            (context, None) => {
                let directory = directory(context)?;
                let containerfile = directory.default_containerfile().map_err(|error| {
                    CliError::from_source(Exit::Failed, &error).hint("name it with `-f PATH`")
                })?;
                Self::files(directory, containerfile, args)
            }
        }
    }

    fn lone(containerfile: Containerfile) -> Opened {
        let plan = Plan::lone(containerfile.clone());
        (Self::Files(Box::new(plan)), Some(containerfile))
    }

    fn files(
        directory: Directory,
        containerfile: Containerfile,
        args: &BuildArgs,
    ) -> CliResult<Opened> {
        let ignore_file = match &args.ignorefile {
            None => directory.ignore_file(&containerfile, args.file.as_deref()),
            Some(path) => directory.named_ignore_file(path),
        };
        let ignore_file = ignore_file.map_err(|e| unreadable(&e))?;
        let plan =
            Plan::new(directory, containerfile.clone(), ignore_file).map_err(|e| unreadable(&e))?;
        Ok((Self::Files(Box::new(plan)), Some(containerfile)))
    }

    fn from_stdin(file: Option<&Path>) -> CliResult<Opened> {
        match Input::sniff(stdin()?).map_err(|e| unreadable(&e))? {
            Input::Archive(archive) => Ok((Self::Archive(archive), None)),
            Input::Containerfile(_) if file.is_some() => Err(CliError::usage(
                "`-f` names a file in the context, but standard input is a Containerfile and no archive",
            )),
            Input::Containerfile(containerfile) => Ok(Self::lone(containerfile)),
        }
    }

    /// Writes the archive. Blocks.
    pub(super) fn write(self, sink: &mut dyn Write) -> Result<Sent, SendError> {
        match self {
            Self::Files(plan) => {
                let (summary, digest) = plan.write_digested(sink)?;
                Ok(Sent {
                    summary,
                    digest: Some(digest),
                    is_forced: false,
                    plan: Some(plan),
                })
            }
            Self::Archive(archive) => {
                pass(archive, sink)?;
                Ok(Sent {
                    summary: Summary::default(),
                    digest: None,
                    is_forced: false,
                    plan: None,
                })
            }
        }
    }
}

/// How much of a directory is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// What the Containerfile needs, as far as is known.
    Part,
    /// All that is not ignored.
    Whole,
}

/// What is known of the images that a build begins with.
pub(super) type Bases = BTreeMap<String, Base>;

/// Asks the service for them.
pub(super) async fn bases(
    containerfile: &Containerfile,
    options: &BuildOptions,
    client: &Client,
) -> CliResult<Bases> {
    let asked = RefCell::new(BTreeSet::new());
    // Which images are asked for does not depend on the answers.
    context::needs(containerfile, &options.build_args, |image| {
        asked.borrow_mut().insert(image.to_owned());
        Base::Unknown
    });
    let mut bases = BTreeMap::new();
    for image in asked.into_inner() {
        let base = base(&image, options, client).await?;
        bases.insert(image, base);
    }
    Ok(bases)
}

/// Leaves out what the build does not need.
pub(super) fn prune(
    plan: &mut Plan,
    containerfile: &Containerfile,
    options: &BuildOptions,
    bases: &Bases,
) -> Extent {
    let needs = context::needs(containerfile, &options.build_args, |image| {
        bases.get(image).cloned().unwrap_or(Base::Unknown)
    });
    let part = matches!(needs, Needs::Only(_));
    let whole = plan.select(needs).is_some();
    if part && !whole {
        Extent::Part
    } else {
        Extent::Whole
    }
}

async fn base(image: &str, options: &BuildOptions, client: &Client) -> CliResult<Base> {
    if matches!(options.pull, PullPolicy::Always | PullPolicy::Newer) {
        return Ok(Base::Unknown);
    }
    match client.inspect_image(image).await {
        Ok(image) if image.has_triggers() => Ok(Base::Triggers),
        Ok(image) if !is_for(&image.os, &image.architecture, options.platform.as_deref()) => {
            Ok(Base::Unknown)
        }
        Ok(image) => Ok(Base::Plain(image.config.env)),
        // A name that the service does not take is for the build to complain of.
        Err(error) if error.api().is_some() => Ok(Base::Unknown),
        Err(error) => Err(error.into()),
    }
}

/// Whether an image that is there is the one for a platform.
fn is_for(os: &str, architecture: &str, platform: Option<&str>) -> bool {
    let Some(platform) = platform else {
        return true;
    };
    let mut parts = platform.split('/');
    parts.next() == Some(os) && parts.next() == Some(architecture) && parts.next().is_none()
}

fn directory(path: Option<&Path>) -> CliResult<Directory> {
    let path = match path {
        Some(path) if !path.as_os_str().is_empty() => path,
        _ => Path::new("."),
    };
    if path.to_str().is_some_and(|text| text.contains("://")) {
        return Err(CliError::usage(format!(
            "the context `{}` is not a directory: contexts from the network are not supported",
            path.display()
        )));
    }
    Directory::open(path).map_err(|e| unreadable(&e))
}

fn containerfile_on_stdin() -> CliResult<Containerfile> {
    match Input::sniff(stdin()?).map_err(|e| unreadable(&e))? {
        Input::Containerfile(containerfile) => Ok(containerfile),
        Input::Archive(_) => Err(CliError::usage(
            "standard input is an archive, not a Containerfile: as a context it is `-` in place of the directory",
        )),
    }
}

/// Standard input without the library's buffer.
fn stdin() -> CliResult<File> {
    io::stdin()
        .as_fd()
        .try_clone_to_owned()
        .map(File::from)
        .doing("read standard input")
}

/// What is said of a context that cannot be sent.
pub(super) fn unreadable(error: &context::Error) -> CliError {
    let cli = CliError::context(Exit::Failed, "cannot send the build context", error);
    if error.is_changed() {
        cli.hint("something changes the directory while it is read; build again when it is quiet")
    } else {
        cli
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_for_its_platform() {
        assert!(is_for("linux", "amd64", None));
        assert!(is_for("linux", "amd64", Some("linux/amd64")));
        for other in [
            "linux/arm64",
            "windows/amd64",
            "linux",
            "linux/amd64/v3",
            "",
        ] {
            assert!(!is_for("linux", "amd64", Some(other)), "{other}");
        }
    }
}

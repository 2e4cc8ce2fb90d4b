//! What the person last built from a Containerfile: `ralph` finds the image again by it, as long as
//! the files are those that it was built from.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::error::{CliError, CliResult, Context as _};
use super::exit::Exit;
use super::host;
use super::progress::{Meter, Progress};
use super::ui::Ui;
use crate::context::{self, Base, Directory, Plan};
use crate::libpod::{Client, Image};
use crate::ralph::files::{private_directory, read_bounded, write_whole};

/// Where a Containerfile is looked for, in this order.
const FILES: [&str; 3] = ["Containerfile", "Dockerfile.ralph", "Dockerfile"];
/// The longest record that is read, in bytes.
const MAX: u64 = 4 << 20;
/// What an archive may be longer than the one that was sent before it must be another, in bytes.
const SLACK: u64 = 64 << 10;

/// A build that succeeded.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Built {
    pub(crate) version: u32,
    /// The context, for people.
    pub(crate) directory: String,
    /// SHA-256 of the Containerfile.
    pub(crate) containerfile: String,
    /// The ignore file that was named.
    pub(crate) ignore_file: Option<PathBuf>,
    /// What it copies can depend on them, and on the environment of the base images.
    pub(crate) build_args: BTreeMap<String, String>,
    pub(crate) bases: BTreeMap<String, Vec<String>>,
    /// The digest of what was sent.
    pub(crate) context: String,
    /// The length of that.
    pub(crate) bytes: u64,
    pub(crate) image: String,
    pub(crate) tags: Vec<String>,
    /// When.
    pub(crate) at: String,
}

/// How files are not those that were built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Changed {
    Containerfile,
    Context,
}

impl Built {
    /// The format of the record.
    pub(crate) const VERSION: u32 = 1;

    /// Keeps it in the place of what was built there before.
    pub(crate) fn keep(&self, directory: &Path, file: &Path) -> CliResult<()> {
        let text = serde_json::to_vec_pretty(self).doing("describe what was built")?;
        Ok(write_whole(&place(directory, file)?, &text, 0o600)?)
    }

    fn find(directory: &Path, file: &Path) -> CliResult<Option<Self>> {
        let path = place(directory, file)?;
        let bytes = match read_bounded(&path, MAX) {
            Err(error) if error.is_missing() => return Ok(None),
            bytes => bytes?,
        };
        let built: Self =
            serde_json::from_slice(&bytes).doing(format!("read `{}`", path.display()))?;
        Ok(Some(built).filter(|built| built.version == Self::VERSION))
    }

    /// Whether it would be sent today as it was. Reads no more than was read then. Blocks.
    fn compare(
        &self,
        root: &Path,
        file: &str,
        meter: &Meter,
    ) -> Result<Option<Changed>, context::Error> {
        let directory = Directory::open(root)?;
        let containerfile = directory.containerfile(&root.join(file))?;
        if sha256(containerfile.bytes()) != self.containerfile {
            return Ok(Some(Changed::Containerfile));
        }
        let ignore_file = match &self.ignore_file {
            None => directory.ignore_file(&containerfile, None)?,
            Some(path) => directory.named_ignore_file(path)?,
        };
        let mut plan = Plan::new(directory, containerfile.clone(), ignore_file)?;
        plan.select(context::needs(
            &containerfile,
            &self.build_args,
            |image| match self.bases.get(image) {
                Some(env) => Base::Plain(env.clone()),
                None => Base::Unknown,
            },
        ));
        let mut sink = Bounded {
            left: self.bytes.saturating_add(SLACK),
            is_over: false,
            meter,
        };
        match plan.write_digested(&mut sink) {
            Err(_) if sink.is_over => Ok(Some(Changed::Context)),
            Err(error) => Err(error),
            Ok((_, digest)) => {
                let same = digest.to_string() == self.context;
                Ok((!same).then_some(Changed::Context))
            }
        }
    }
}

/// Where it is kept what was built from this Containerfile with this context.
fn place(directory: &Path, file: &Path) -> CliResult<PathBuf> {
    let builds = host::state_directory()?.join("builds");
    private_directory(&builds)?;
    let mut key = directory.as_os_str().as_encoded_bytes().to_vec();
    key.push(0);
    key.extend_from_slice(file.as_os_str().as_encoded_bytes());
    Ok(builds.join(format!("{}.json", sha256(&key))))
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Takes so much and no more.
struct Bounded<'a> {
    left: u64,
    is_over: bool,
    meter: &'a Meter,
}

impl Write for Bounded<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.left.checked_sub(bytes.len() as u64) {
            Some(left) => self.left = left,
            None => {
                self.is_over = true;
                return Err(io::ErrorKind::FileTooLarge.into());
            }
        }
        self.meter.add(bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The image of the Containerfile in a directory.
#[derive(Debug)]
pub(crate) struct Here {
    file: &'static str,
    built: Built,
}

impl Here {
    /// Finds it; `None` where there is no Containerfile. An agent may have written one, and what it
    /// copies: only what the person has built counts, and nothing is built here.
    pub(crate) async fn find(directory: &Path, ui: &Ui) -> CliResult<Option<Self>> {
        let Some(file) = file_in(directory)? else {
            return Ok(None);
        };
        let directory = directory.canonicalize().doing("find this directory")?;
        let Some(built) = Built::find(&directory, Path::new(file))? else {
            return Err(refused(file, format!("`{file}` here was never built")));
        };
        let progress = Progress::new(ui, "comparing the build context with what was built");
        let (meter, here) = (progress.meter(), Self { file, built });
        let compared = tokio::task::spawn_blocking(move || {
            let changed = here.built.compare(&directory, file, &meter);
            (changed, here)
        });
        let (changed, here) = progress.during(compared).await.doing("read the context")?;
        let changed = changed.map_err(|error| {
            let text = format!("cannot tell whether `{file}` has changed since it was built");
            CliError::context(Exit::Preflight, text, &error).hint(hint(file))
        })?;
        match changed {
            None => Ok(Some(here)),
            Some(changed) => Err(refused(file, changed.says(file, &here.built))),
        }
    }

    /// The image's id, by which it is used: a name can be given to another.
    pub(crate) fn id(&self) -> &str {
        &self.built.image
    }

    /// The image, if it is still there.
    pub(crate) async fn image(&self, client: &Client) -> CliResult<Image> {
        let file = self.file;
        let gone = || {
            refused(
                file,
                format!("the image that was built from `{file}` is gone"),
            )
        };
        match client.inspect_image(self.id()).await {
            Ok(image) if image.id.as_str() == self.id() => Ok(image),
            Ok(_) => Err(gone()),
            Err(error) if error.is_not_found() => Err(gone()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Changed {
    fn says(self, file: &str, built: &Built) -> String {
        let at = &built.at;
        match self {
            Self::Containerfile => format!("`{file}` has changed since it was built ({at})"),
            Self::Context => format!("what `{file}` copies has changed since it was built ({at})"),
        }
    }
}

fn refused(file: &str, text: String) -> CliError {
    CliError::new(Exit::Preflight, text)
        .hint(hint(file))
        .hint("or name an image: `--image IMAGE`")
}

fn hint(file: &str) -> String {
    let flag = match file {
        "Dockerfile.ralph" => "-f Dockerfile.ralph ",
        _ => "",
    };
    format!("look at it, then build it: `stockade build {flag}.`")
}

/// The first that is there. Not one that leads elsewhere.
fn file_in(directory: &Path) -> CliResult<Option<&'static str>> {
    for file in FILES {
        match directory.join(file).symlink_metadata() {
            Ok(found) if found.is_file() => return Ok(Some(file)),
            Ok(_) => {
                let text = format!("`{file}` here is no plain file");
                return Err(
                    CliError::new(Exit::Preflight, text).hint("name the image: `--image IMAGE`")
                );
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).doing(format!("look at `{file}`")),
        }
    }
    Ok(None)
}

//! `stockade cp`

mod copy;
mod end;
mod host;
mod inside;
mod landing;

use std::ffi::OsString;
use std::time::Duration;

use clap::Args;
use tokio::sync::oneshot;

use self::copy::{Copy, Unpacking};
use self::end::End;
use crate::cli::args::Global;
use crate::cli::connect;
use crate::cli::containers::{Containers, ScopeArgs};
use crate::cli::error::{CliError, CliResult, Context as _};
use crate::cli::exit::Exit;
use crate::cli::progress::Progress;
use crate::cli::signals::Signals;
use crate::cli::ui::Ui;

/// What is being unpacked may take so long to be cleared away on Ctrl-C.
const CLEARING: Duration = Duration::from_secs(1);

/// Copy files or directories between a container and the host
///
/// The container may run or not. A directory whose path ends in `/.` stands for what is in it. `-`
/// stands for a tar archive on standard input or output.
#[derive(Debug, Args)]
#[command(override_usage = "stockade cp [OPTIONS] [CONTAINER:]SOURCE [CONTAINER:]DESTINATION")]
pub(crate) struct CpArgs {
    /// Give what is copied into a container to its user; otherwise owners stay as they are
    #[arg(short, long, value_name = "BOOL", default_value_t = true, default_missing_value = "true",
          num_args = 0..=1, require_equals = true, action = clap::ArgAction::Set)]
    archive: bool,
    /// Let a file replace a directory, with all that is in it, and a directory a file
    #[arg(long)]
    overwrite: bool,
    #[command(flatten)]
    scope: ScopeArgs,
    /// What is copied
    #[arg(value_name = "[CONTAINER:]SOURCE")]
    source: OsString,
    /// Where it goes
    #[arg(value_name = "[CONTAINER:]DESTINATION")]
    destination: OsString,
}

/// Runs the verb.
pub(crate) async fn run(args: &CpArgs, global: &Global, ui: &Ui) -> CliResult {
    let mut signals = Signals::catch().doing("catch signals")?;
    // Dropped by the thread that unpacks, when it has ended.
    let (unpacking, cleared) = oneshot::channel();
    tokio::select! {
        done = inner(args, global, unpacking, ui) => done,
        caught = signals.next_end() => {
            // What was half written goes, unless somebody is in a hurry.
            tokio::select! {
                _ = tokio::time::timeout(CLEARING, cleared) => {}
                _ = signals.next_end() => {}
            }
            Ok(Exit::Signal(caught.number()))
        }
    }
}

async fn inner(args: &CpArgs, global: &Global, unpacking: Unpacking, ui: &Ui) -> CliResult {
    let source = End::parse(&args.source)?;
    let destination = End::parse(&args.destination)?;
    if !matches!(source, End::Container { .. }) && !matches!(destination, End::Container { .. }) {
        return Err(CliError::usage("neither path is in a container")
            .hint("write `CONTAINER:PATH` for one of them"));
    }
    let client = connect::client(global, ui).await?;
    let copy = Copy {
        client: &client,
        args,
        containers: Containers::new(args.scope)?,
        progress: Progress::new(ui, "copying"),
        ui,
    };
    match (&source, &destination) {
        (End::Container { name, path }, End::Host(to)) => {
            let from = copy.inside(name).await?;
            copy.fetch(&from, path, to, unpacking).await
        }
        (End::Container { name, path }, End::Stream) => {
            let from = copy.inside(name).await?;
            copy.fetch_archive(&from, path).await
        }
        (End::Host(from), End::Container { name, path }) => {
            let to = copy.inside(name).await?;
            copy.store(from, &to, path).await
        }
        (End::Stream, End::Container { name, path }) => {
            let to = copy.inside(name).await?;
            copy.store_archive(&to, path).await
        }
        (End::Container { name, path }, End::Container { name: to, path: at }) => {
            let from = copy.inside(name).await?;
            let to = copy.inside(to).await?;
            copy.between(&from, path, &to, at).await
        }
        // Said above.
        (End::Host(_) | End::Stream, End::Host(_) | End::Stream) => Ok(Exit::Usage),
    }
}

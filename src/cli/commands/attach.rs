//! `stockade attach`

use clap::{ArgAction, Args};

use crate::cli::args::Global;
use crate::cli::argv::named;
use crate::cli::connect;
use crate::cli::containers::{Containers, ScopeArgs};
use crate::cli::error::{CliError, CliResult, Context as _};
use crate::cli::exit::Exit;
use crate::cli::foreground::{self, Finished, Streams};
use crate::cli::night;
use crate::cli::outcome;
use crate::cli::page::Look;
use crate::cli::signals::Signals;
use crate::cli::terminal::DetachKeys;
use crate::cli::ui::Ui;
use crate::cli::view::{self, Interrupt};
use crate::libpod::Status;
use crate::ralph::Run;
use crate::sandbox::Sandbox;

/// Join a running container on your terminal, or look at a run
///
/// The agent of a run works by itself: to look at it is what `watch` does. Ctrl-C ends the looking, not the
/// run, and the exit code is the run's.
#[derive(Debug, Args)]
pub(crate) struct AttachArgs {
    /// Do not pass standard input on
    #[arg(long)]
    no_stdin: bool,
    /// Keys that leave the container running; empty for none
    #[arg(long, value_name = "KEYS", default_value = "ctrl-p,ctrl-q")]
    detach_keys: DetachKeys,
    /// Pass signals on to the container
    #[arg(long, value_name = "BOOL", default_value = "true", num_args = 0..=1,
          require_equals = true, default_missing_value = "true", action = ArgAction::Set)]
    sig_proxy: bool,
    /// Let everything through to the terminal, titles and clipboard included
    #[arg(long)]
    raw_terminal: bool,
    #[command(flatten)]
    scope: ScopeArgs,
    /// Container, or run [default: the last run here]
    #[arg(value_name = "CONTAINER", value_parser = named)]
    container: Option<String>,
}

/// Runs the verb.
pub(crate) async fn run(args: &AttachArgs, global: &Global, ui: &Ui) -> CliResult {
    inner(args, global, ui)
        .await
        .map_err(|error| error.or_exit(Exit::NotRun))
}

/// The run is in another's hands.
async fn look_at(run: &Run, global: &Global, ui: &Ui) -> CliResult {
    let mut signals = Signals::catch().doing("catch signals")?;
    let (look, interrupt) = (Look::Readable, Interrupt::Leaves);
    view::follow(run, look, interrupt, &mut signals, global, ui).await
}

async fn inner(args: &AttachArgs, global: &Global, ui: &Ui) -> CliResult {
    let Some(name) = &args.container else {
        return look_at(&night::find(None)?, global, ui).await;
    };
    if let Some(run) = night::meant(name, global, ui).await? {
        return look_at(&run, global, ui).await;
    }
    let client = connect::client(global, ui).await?;
    let containers = Containers::new(args.scope)?;
    let container = containers.find(&client, name).await?;
    // Attaching to one that has ended would prepare another life and then wait for ever.
    if !matches!(container.state.status, Status::Running | Status::Paused) {
        return Err(CliError::new(
            Exit::NotRun,
            format!(
                "the container `{}` is {}, not running",
                name,
                container.state.status.as_str()
            ),
        )
        .hint(format!("its output: `stockade logs {name}`")));
    }
    let streams = Streams {
        stdin: !args.no_stdin && container.config.open_stdin,
        tty: container.config.tty,
        detach_keys: args.detach_keys.clone(),
        proxy_signals: args.sig_proxy,
        raw_terminal: args.raw_terminal,
    };
    let sandbox = Sandbox::adopt(&client, &container);
    // Until here Ctrl-C simply ends us.
    let mut signals = Signals::catch().doing("catch signals")?;
    match foreground::join(&sandbox, &streams, &mut signals, ui).await? {
        Finished::Ended(ended, last_words) => {
            outcome::report(&ended, ui);
            containers.remove_if_asked(&sandbox, &container).await?;
            Ok(outcome::exit(&ended, &last_words, None, ui))
        }
        Finished::Detached => {
            outcome::detached(name, ui);
            Ok(Exit::Done)
        }
        Finished::NotBegun(caught) | Finished::Signal(caught) => Ok(Exit::Signal(caught.number())),
        Finished::OutputGone => Ok(outcome::OUTPUT_GONE),
        Finished::Lost(error) => Err(error.into()),
    }
}

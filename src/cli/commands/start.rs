//! `stockade start`

use clap::Args;

use crate::cli::args::Global;
use crate::cli::argv::named;
use crate::cli::connect;
use crate::cli::containers::{Containers, ScopeArgs, each};
use crate::cli::error::{CliError, CliResult, Context as _};
use crate::cli::exit::Exit;
use crate::cli::foreground::{self, Finished, Streams};
use crate::cli::launch;
use crate::cli::outcome;
use crate::cli::signals::Signals;
use crate::cli::terminal::DetachKeys;
use crate::cli::ui::Ui;
use crate::libpod::{Client, Status};
use crate::sandbox::Sandbox;

/// Start containers that have ended or never ran
#[derive(Debug, Args)]
pub(crate) struct StartArgs {
    /// Join it on your terminal
    #[arg(short, long)]
    attach: bool,
    /// Pass standard input on; with --attach
    #[arg(short, long)]
    interactive: bool,
    /// Keys that leave the container running; empty for none
    #[arg(long, value_name = "KEYS", default_value = "ctrl-p,ctrl-q")]
    detach_keys: DetachKeys,
    #[command(flatten)]
    scope: ScopeArgs,
    /// Containers
    #[arg(required = true, value_name = "CONTAINER", value_parser = named)]
    containers: Vec<String>,
}

/// Runs the verb.
pub(crate) async fn run(args: &StartArgs, global: &Global, ui: &Ui) -> CliResult {
    let client = connect::client(global, ui).await?;
    let containers = Containers::new(args.scope)?;
    if args.attach || args.interactive {
        let [name] = args.containers.as_slice() else {
            return Err(CliError::usage("only one container can be joined"));
        };
        return attached(args, name, &client, &containers, ui).await;
    }
    each(&args.containers, ui, async |name| {
        let container = containers.find(&client, name).await?;
        if container.state.status.is_live() {
            client.start_container(&container.id).await?;
        } else {
            let sandbox = Sandbox::adopt(&client, &container);
            if container.state.status != Status::Initialized {
                sandbox.prepare().await?;
            }
            launch::verify_again(&sandbox, ui).await?;
            sandbox.start().await?;
        }
        ui.line(name).doing("write")
    })
    .await
}

async fn attached(
    args: &StartArgs,
    name: &str,
    client: &Client,
    containers: &Containers,
    ui: &Ui,
) -> CliResult {
    let mut signals = Signals::catch().doing("catch signals")?;
    let container = containers.find(client, name).await?;
    if container.state.status.is_live() {
        return Err(
            CliError::new(Exit::NotRun, format!("`{name}` runs already"))
                .hint(format!("join it with `stockade attach {name}`")),
        );
    }
    let streams = Streams {
        stdin: args.interactive && container.config.open_stdin,
        tty: container.config.tty,
        detach_keys: args.detach_keys.clone(),
        proxy_signals: true,
        raw_terminal: false,
    };
    let sandbox = Sandbox::adopt(client, &container);
    if container.state.status == Status::Stopped {
        // 4.3 attaches to it only after that.
        sandbox.cleaned_up().await?;
    }
    let verify = async |sandbox: &Sandbox| launch::verify_again(sandbox, ui).await;
    let run = foreground::run(&sandbox, &streams, &mut signals, ui, verify);
    match run.await? {
        Finished::Ended(ended, last_words) => {
            outcome::report(&ended, ui);
            containers.remove_if_asked(&sandbox, &container).await?;
            Ok(outcome::exit(&ended, &last_words, None, ui))
        }
        Finished::Detached => {
            outcome::detached(name, ui);
            Ok(Exit::Done)
        }
        Finished::NotBegun(caught) => {
            // It is prepared, and would wait for a start that does not come.
            sandbox.stop(Some(0)).await?;
            Ok(Exit::Signal(caught.number()))
        }
        Finished::Signal(caught) => Ok(Exit::Signal(caught.number())),
        Finished::OutputGone => Ok(outcome::OUTPUT_GONE),
        Finished::Lost(error) => Err(error.into()),
    }
}

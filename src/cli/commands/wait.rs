//! `stockade wait`

use std::time::Duration;

use clap::Args;

use crate::cli::args::Global;
use crate::cli::argv::named;
use crate::cli::connect;
use crate::cli::containers::{Containers, ScopeArgs, fitting_run};
use crate::cli::error::{CliError, CliResult, Context as _};
use crate::cli::exit::Exit;
use crate::cli::ui::Ui;
use crate::cli::{night, view};

/// How often the service looks whether a container has ended.
const INTERVAL: Duration = Duration::from_millis(250);

/// Wait until containers or runs have ended, print their exit codes and exit with the last one
#[derive(Debug, Args)]
pub(crate) struct WaitArgs {
    #[command(flatten)]
    scope: ScopeArgs,
    /// Containers, or runs [default: the last run here]
    #[arg(value_name = "CONTAINER", value_parser = named)]
    containers: Vec<String>,
}

/// Runs the verb. Ctrl-C simply ends it.
pub(crate) async fn run(args: &WaitArgs, global: &Global, ui: &Ui) -> CliResult {
    let waited = async {
        let containers = Containers::new(args.scope)?;
        let mut client = None;
        let mut exit = Exit::Done;
        if args.containers.is_empty() {
            exit = night::exit(&view::until_verdict(&night::find(None)?).await?);
            ui.line(&exit.code().to_string()).doing("write")?;
        }
        for name in &args.containers {
            if let Some(run) = night::named(name)?.filter(night::never_began) {
                let (id, text) = (run.id(), format!("the run {} never began", run.id()));
                return Err(CliError::new(Exit::Failed, text).hint(format!(
                    "take it up: `stockade resume {id}`; or forget it: `stockade stop {id}`"
                )));
            }
            let mut run = night::meant(name, global, ui).await?;
            if run.is_none() {
                run = fitting_run(name, global, ui).await;
            }
            if let Some(run) = run {
                exit = night::exit(&view::until_verdict(&run).await?);
                ui.line(&exit.code().to_string()).doing("write")?;
                continue;
            }
            let client = match &client {
                Some(client) => client,
                None => client.insert(connect::client(global, ui).await?),
            };
            let container = containers.find(client, name).await?;
            let code = client.wait_container(&container.id, INTERVAL).await?;
            ui.line(&code.to_string()).doing("write")?;
            exit = u8::try_from(code).map_or(Exit::NotRun, Exit::Container);
        }
        Ok(exit)
    };
    waited
        .await
        .map_err(|error: CliError| error.or_exit(Exit::NotRun))
}

//! The command line: the only layer that reads flags and the environment, prints, and sets exit
//! codes.

mod admission;
mod agent_image;
mod args;
mod argv;
mod awake;
mod boot;
mod built;
mod clock;
mod commands;
mod configuration;
mod connect;
mod containers;
mod download;
mod error;
mod exit;
mod foreground;
mod host;
mod image;
mod in_need;
mod launch;
mod logout;
mod night;
mod notify;
mod outcome;
mod page;
mod pager;
mod paths;
mod program;
mod progress;
mod prompt;
mod reclaim;
mod sandbox_args;
mod sanitize;
mod service;
mod signals;
mod state;
mod steps;
mod supervisor;
mod table;
mod terminal;
mod trust;
mod turn;
mod ui;
mod units;
mod upload;
mod view;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use args::Cli;
use error::CliError;
use exit::Exit;
use ui::Ui;

/// So many files may be open at once, if the system lets us.
const OPEN: u64 = 16_384;

/// Runs the program.
pub fn main() -> ExitCode {
    let ui = Ui::new(std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()));
    let words = argv::separate(Cli::command(), std::env::args_os().collect());
    let usage = argv::usage_exit(&words);
    let cli = match Cli::try_parse_from(words) {
        Ok(cli) => cli,
        // Help and version go to standard output and are no failure.
        Err(error) if !error.use_stderr() => {
            let _ = error.print();
            return Exit::Done.into();
        }
        Err(error) => {
            // It repeats what was typed, which may have come from a file.
            ui.usage(&error.render().ansi().to_string());
            return usage.into();
        }
    };
    open_more();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let result = match runtime {
        Ok(runtime) => {
            let result = runtime.block_on(commands::run(cli, &ui));
            // Threads that still wait for a stalled reader end with the process.
            runtime.shutdown_background();
            result
        }
        Err(error) => Err(CliError::from_source(Exit::Failed, &error)),
    };
    match result {
        Ok(exit) => exit.into(),
        Err(error) => {
            ui.error(&error);
            error.exit.into()
        }
    }
}

/// Lets us open more at once, as far as we may: an agent can close directories in each other, and each that is opened up
/// stays open until it is closed again.
fn open_more() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(OPEN).min(OPEN);
    if limit.current.is_some_and(|current| current < most) {
        limit.current = Some(most);
        // As many as before will have to do.
        let _ = setrlimit(Resource::Nofile, limit);
    }
}

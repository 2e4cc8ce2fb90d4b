//! `stockade logs`

mod check;

use std::io;

use clap::Args;

use self::check::Which;
use crate::cli::args::Global;
use crate::cli::argv::named;
use crate::cli::connect;
use crate::cli::containers::{self, Containers, ScopeArgs};
use crate::cli::error::{CliError, CliResult, Context as _};
use crate::cli::exit::Exit;
use crate::cli::night;
use crate::cli::page::Look;
use crate::cli::signals::Signals;
use crate::cli::terminal::{Output, Policy};
use crate::cli::ui::Ui;
use crate::cli::view::{self, Interrupt};
use crate::libpod::stream::Chunk;
use crate::libpod::{LogOptions, LogStream};
use crate::ralph::Run;

/// Show what a container or a run's agent has written
///
/// When an agent wrote what is not kept: of a run, only how much is shown can be chosen.
#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    /// Go on until the container ends
    #[arg(short, long)]
    follow: bool,
    /// Only from this time on: RFC 3339, Unix seconds, or how long ago, as in 10m
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only up to this time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only the last so many lines; -1 for all
    #[arg(
        short = 'n',
        long,
        value_name = "NUMBER",
        default_value = "-1",
        allow_negative_numbers = true
    )]
    tail: i64,
    /// The time of each line
    #[arg(short, long)]
    timestamps: bool,
    /// What the last check of a run wrote, or that of an iteration's claim
    #[arg(
        long,
        value_name = "ITERATION",
        num_args = 0..=1,
        require_equals = true,
        conflicts_with_all = ["follow", "since", "until", "tail", "timestamps"]
    )]
    check: Option<Option<u32>>,
    #[command(flatten)]
    scope: ScopeArgs,
    /// Container, or run [default: the last run here]
    #[arg(value_name = "CONTAINER", value_parser = named)]
    container: Option<String>,
}

/// Runs the verb.
pub(crate) async fn run(args: &LogsArgs, global: &Global, ui: &Ui) -> CliResult {
    if let Some(number) = args.check {
        let run = night::find(args.container.as_deref())?;
        return check::show(&run, number.map_or(Which::Last, Which::Of), ui).await;
    }
    let Some(name) = &args.container else {
        return of_run(&night::find(None)?, args, global, ui).await;
    };
    let mut run = night::meant(name, global, ui).await?;
    if run.is_none() {
        run = containers::fitting_run(name, global, ui).await;
    }
    if let Some(run) = run {
        return of_run(&run, args, global, ui).await;
    }
    let client = connect::client(global, ui).await?;
    let container = Containers::new(args.scope)?.find(&client, name).await?;
    let options = LogOptions {
        follow: args.follow,
        since: args.since.clone(),
        until: args.until.clone(),
        tail: u64::try_from(args.tail).ok(),
        timestamps: args.timestamps,
    };
    let mut signals = Signals::catch().doing("catch signals")?;
    let output = Output::start(Some(Policy::Text)).doing("start writing output")?;
    // 4.3 sends no head of its answer before the first line: nothing to wait for by itself.
    let copied = async {
        let mut log = client.container_logs(&container.id, &options).await?;
        copy(&mut log, &output).await
    };
    let exit = tokio::select! {
        copied = copied => copied?,
        caught = signals.next_end() => Exit::Signal(caught.number()),
    };
    tokio::select! {
        written = output.finish() => match written {
            // Whoever read our output has had enough: that is no failure.
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                return Err(error).doing("write the log");
            }
            _ => {}
        },
        _ = signals.next_end() => {}
    }
    Ok(exit)
}

/// All that a run's agent has written, in all its lives.
async fn of_run(run: &Run, args: &LogsArgs, global: &Global, ui: &Ui) -> CliResult {
    for (is_given, flag) in [
        (args.since.is_some(), "--since"),
        (args.until.is_some(), "--until"),
        (args.timestamps, "--timestamps"),
    ] {
        if is_given {
            let text = format!("`{flag}` is not for a run: when its agent wrote what is not kept");
            return Err(CliError::usage(text)
                .hint(format!("what happened when: `stockade show {}`", run.id())));
        }
    }
    let from = match u64::try_from(args.tail) {
        Ok(lines) => view::last_lines(run, lines)?,
        Err(_) => 0,
    };
    if args.follow {
        let mut signals = Signals::catch().doing("catch signals")?;
        // Not a view, but the record.
        let (look, interrupt) = (Look::AsItIs, Interrupt::Leaves);
        return view::follow_from(run, from, look, interrupt, &mut signals, global, ui).await;
    }
    let output = Output::start(Some(Policy::Text)).doing("start writing output")?;
    view::output(run, from, &output, ui).await?;
    match output.finish().await {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).doing("write the log")
        }
        _ => Ok(Exit::Done),
    }
}

async fn copy(log: &mut LogStream, output: &Output) -> Result<Exit, CliError> {
    while let Some(line) = log.next().await? {
        let chunk = Chunk {
            channel: line.channel,
            bytes: line.payload,
        };
        if output.write(chunk).await.is_err() {
            break;
        }
    }
    Ok(Exit::Done)
}

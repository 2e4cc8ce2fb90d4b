//! `stockade events`

use clap::{ArgAction, Args};

use crate::cli::args::Global;
use crate::cli::connect;
use crate::cli::containers::filters;
use crate::cli::error::{CliResult, Context as _};
use crate::cli::exit::Exit;
use crate::cli::sanitize::sanitize_line;
use crate::cli::signals::Signals;
use crate::cli::ui::Ui;
use crate::libpod::{Client, Event, EventOptions};

/// Show what happens on the Podman service
#[derive(Debug, Args)]
pub(crate) struct EventsArgs {
    /// From this time on: RFC 3339, Unix seconds, or how long ago, as in 10m
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Up to this time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only those that match, as in container=NAME (can be repeated)
    #[arg(short, long, value_name = "NAME=VALUE")]
    filter: Vec<String>,
    /// Go on after what has happened so far
    #[arg(long, value_name = "BOOL", default_value = "true", num_args = 0..=1,
          require_equals = true, default_missing_value = "true", action = ArgAction::Set)]
    stream: bool,
    /// Output format
    #[arg(long, value_name = "FORMAT", value_parser = ["text", "json"], default_value = "text")]
    format: String,
}

/// Runs the verb.
pub(crate) async fn run(args: &EventsArgs, global: &Global, ui: &Ui) -> CliResult {
    let client = connect::client(global, ui).await?;
    let mut signals = Signals::catch().doing("catch signals")?;
    tokio::select! {
        shown = show(args, &client, ui) => shown,
        caught = signals.next_end() => Ok(Exit::Signal(caught.number())),
    }
}

async fn show(args: &EventsArgs, client: &Client, ui: &Ui) -> CliResult {
    let options = EventOptions {
        since: args.since.clone(),
        until: args.until.clone(),
        filters: filters(&args.filter)?,
        follow: args.stream,
    };
    let mut events = client.events(&options).await?;
    while let Some(event) = events.next().await? {
        let line = if args.format == "json" {
            serde_json::to_string(&event).doing("write JSON")?
        } else {
            text(&event)
        };
        ui.line(&line).doing("write")?;
    }
    Ok(Exit::Done)
}

/// `TIME KIND ACTION ID (name=…, image=…)`, as podman prints it.
fn text(event: &Event) -> String {
    let time = jiff::Timestamp::from_nanosecond(event.time_nanos.into())
        .map(|time| time.to_string())
        .unwrap_or_default();
    let attributes: Vec<String> = event
        .actor
        .attributes
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    sanitize_line(&format!(
        "{time} {} {} {} ({})",
        event.kind,
        event.action,
        event.actor.id,
        attributes.join(", ")
    ))
}

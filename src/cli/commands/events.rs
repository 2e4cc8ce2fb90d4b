//! `stockade events`

use std::collections::BTreeMap;

use clap::{ArgAction, Args};
use serde::Serialize;

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

/// An event as `podman events --format json` writes it, since 5.0.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Row<'a> {
    #[serde(rename = "ID")]
    id: &'a str,
    image: &'a str,
    name: &'a str,
    #[serde(rename = "Type")]
    kind: &'a str,
    status: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    container_exit_code: Option<i32>,
    #[serde(rename = "time")]
    seconds: i64,
    #[serde(rename = "timeNano")]
    nanoseconds: i64,
    /// Labels, among other things.
    attributes: BTreeMap<&'a str, &'a str>,
}

impl<'a> Row<'a> {
    fn of(event: &'a Event) -> Self {
        let all = &event.actor.attributes;
        let attribute = |name: &str| all.get(name).map_or("", String::as_str);
        let elsewhere = ["image", "name", "podId", "containerExitCode"];
        let attributes = all
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        Self {
            id: &event.actor.id,
            image: attribute("image"),
            name: attribute("name"),
            kind: &event.kind,
            status: &event.action,
            container_exit_code: event.exit_code(),
            seconds: event.time_nanos.div_euclid(1_000_000_000),
            nanoseconds: event.time_nanos,
            attributes: attributes
                .filter(|(name, _)| !elsewhere.contains(name))
                .collect(),
        }
    }
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
            serde_json::to_string(&Row::of(&event)).doing("write JSON")?
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_has_podmans_keys() {
        let event = json!({
            "Type": "container", "Action": "died", "timeNano": 1_700_000_000_500_000_000_i64,
            "Actor": {"ID": "abc", "Attributes": {
                "image": "bb", "name": "box", "podId": "", "containerExitCode": "7", "label": "x",
            }},
        });
        let event: Event = serde_json::from_value(event).unwrap();
        assert_eq!(
            serde_json::to_value(Row::of(&event)).unwrap(),
            json!({
                "Type": "container", "Status": "died", "ID": "abc", "Image": "bb", "Name": "box",
                "ContainerExitCode": 7, "time": 1_700_000_000,
                "timeNano": 1_700_000_000_500_000_000_i64, "Attributes": {"label": "x"},
            })
        );
    }
}

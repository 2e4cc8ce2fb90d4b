//! `stockade stats`

use clap::Args;
use serde::Serialize;

use crate::cli::args::Global;
use crate::cli::argv::named;
use crate::cli::connect;
use crate::cli::containers::{Containers, ScopeArgs};
use crate::cli::error::{CliError, CliResult, Context as _};
use crate::cli::exit::Exit;
use crate::cli::signals::Signals;
use crate::cli::table::Table;
use crate::cli::ui::Ui;
use crate::cli::units;
use crate::libpod::{Client, ContainerId, Sample};

/// Show what containers use, again and again
#[derive(Debug, Args)]
pub(crate) struct StatsArgs {
    /// Only once
    #[arg(long)]
    no_stream: bool,
    /// Do not clear the terminal between samples
    #[arg(long)]
    no_reset: bool,
    /// Seconds between samples
    #[arg(short, long, value_name = "SECONDS", default_value = "5", value_parser = clap::value_parser!(u32).range(1..))]
    interval: u32,
    /// Output format
    #[arg(long, value_name = "FORMAT", value_parser = ["table", "json"], default_value = "table")]
    format: String,
    #[command(flatten)]
    scope: ScopeArgs,
    /// Containers, or runs [default: all of Stockade's that run]
    #[arg(value_name = "CONTAINER", value_parser = named)]
    containers: Vec<String>,
}

#[derive(Serialize)]
struct Row<'a> {
    id: &'a str,
    name: &'a str,
    /// Percent of one processor; null where the service cannot measure.
    cpu_percent: Option<f64>,
    mem_usage: Option<u64>,
    mem_limit: Option<u64>,
    mem_percent: Option<f64>,
    net_input: Option<u64>,
    net_output: Option<u64>,
    block_input: Option<u64>,
    block_output: Option<u64>,
    pids: Option<u64>,
}

/// Runs the verb.
pub(crate) async fn run(args: &StatsArgs, global: &Global, ui: &Ui) -> CliResult {
    let client = connect::client(global, ui).await?;
    let ids = ids(args, &client, global, ui).await?;
    if ids.is_empty() {
        ui.data(&render(&[], args)?).doing("write")?;
        return Ok(Exit::Done);
    }
    let mut signals = Signals::catch().doing("catch signals")?;
    tokio::select! {
        shown = show(args, &client, &ids, ui) => shown,
        caught = signals.next_end() => Ok(Exit::Signal(caught.number())),
    }
}

async fn ids(
    args: &StatsArgs,
    client: &Client,
    global: &Global,
    ui: &Ui,
) -> CliResult<Vec<ContainerId>> {
    let containers = Containers::new(args.scope)?;
    let mut ids = Vec::new();
    if args.containers.is_empty() {
        let listing = containers.list(client, false, &Default::default()).await?;
        ids.extend(listing.containers.into_iter().map(|container| container.id));
    }
    for name in &args.containers {
        let container = containers.find_live(client, name, global, ui).await?;
        if !container.state.status.is_live() {
            return Err(CliError::new(
                Exit::Failed,
                format!("the container `{name}` does not run"),
            ));
        }
        ids.push(container.id);
    }
    Ok(ids)
}

async fn show(args: &StatsArgs, client: &Client, ids: &[ContainerId], ui: &Ui) -> CliResult {
    let interval = (!args.no_stream).then_some(args.interval);
    let mut stream = client.container_stats(ids, interval).await.map_err(|error| {
        let no_cgroups = error.status() == Some(409);
        let cli = CliError::from(error);
        if no_cgroups {
            cli.hint("the service has no cgroups of its own: boot with cgroups v2 (`systemd.unified_cgroup_hierarchy=1`)")
        } else {
            cli
        }
    })?;
    let mut warned = false;
    while let Some(samples) = stream.next().await? {
        if !warned && samples.iter().any(|sample| !sample.is_measured()) {
            warned = true;
            ui.warning("the service cannot measure: no cgroup controllers are delegated to it");
        }
        if ui.stdout_is_terminal() && interval.is_some() && !args.no_reset {
            ui.clear().doing("write")?;
        }
        ui.data(&render(&samples, args)?).doing("write")?;
    }
    Ok(Exit::Done)
}

fn render(samples: &[Sample], args: &StatsArgs) -> CliResult<String> {
    if args.format == "json" {
        let rows: Vec<Row<'_>> = samples.iter().map(row).collect();
        return Ok(serde_json::to_string_pretty(&rows).doing("write JSON")? + "\n");
    }
    let mut table = Table::new(&[
        "ID",
        "NAME",
        "CPU %",
        "MEM USAGE / LIMIT",
        "MEM %",
        "NET IO",
        "BLOCK IO",
        "PIDS",
    ]);
    let pair = |a, b| format!("{} / {}", units::decimal_size(a), units::decimal_size(b));
    for sample in samples {
        let cell = |text: String| {
            if sample.is_measured() {
                text
            } else {
                "n/a".to_owned()
            }
        };
        table.row([
            sample.id.short().to_owned(),
            sample.name.clone(),
            cell(format!("{:.2}%", sample.cpu_percent)),
            cell(pair(sample.memory, sample.memory_limit)),
            cell(format!("{:.2}%", sample.memory_percent)),
            cell(pair(sample.received(), sample.sent())),
            cell(pair(sample.block_input, sample.block_output)),
            cell(sample.pids.to_string()),
        ]);
    }
    Ok(table.render())
}

fn row(sample: &Sample) -> Row<'_> {
    let known = sample.is_measured();
    let number = |value| known.then_some(value);
    Row {
        id: sample.id.as_str(),
        name: &sample.name,
        cpu_percent: known.then_some(sample.cpu_percent),
        mem_usage: number(sample.memory),
        mem_limit: number(sample.memory_limit),
        mem_percent: known.then_some(sample.memory_percent),
        net_input: number(sample.received()),
        net_output: number(sample.sent()),
        block_input: number(sample.block_input),
        block_output: number(sample.block_output),
        pids: number(sample.pids),
    }
}

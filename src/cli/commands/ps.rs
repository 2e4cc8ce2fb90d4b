//! `stockade ps`

use clap::Args;
use serde::Serialize;

use crate::cli::args::Global;
use crate::cli::clock;
use crate::cli::connect;
use crate::cli::containers::{Containers, ScopeArgs, filters};
use crate::cli::error::{CliResult, Context as _};
use crate::cli::exit::Exit;
use crate::cli::table::{Table, shorten};
use crate::cli::ui::Ui;
use crate::libpod::{ListedContainer, PortForward, Status};

/// List containers
#[derive(Debug, Args)]
pub(crate) struct PsArgs {
    /// Also those that do not run
    #[arg(short, long)]
    all: bool,
    /// Only the ids
    #[arg(short, long)]
    quiet: bool,
    /// Only those that match, as in status=exited (can be repeated)
    #[arg(short, long, value_name = "NAME=VALUE")]
    filter: Vec<String>,
    /// Only the latest one
    #[arg(short, long)]
    latest: bool,
    /// Whole ids and commands
    #[arg(long)]
    no_trunc: bool,
    /// Output format
    #[arg(long, value_name = "FORMAT", value_parser = ["table", "json"], default_value = "table")]
    format: String,
    #[command(flatten)]
    scope: ScopeArgs,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Row<'a> {
    id: &'a str,
    names: &'a [String],
    image: &'a str,
    command: &'a [String],
    created: i64,
    state: &'static str,
    status: String,
    exit_code: i32,
    started_at: i64,
    exited_at: i64,
    ports: &'a [PortForward],
}

/// Runs the verb.
pub(crate) async fn run(args: &PsArgs, global: &Global, ui: &Ui) -> CliResult {
    let client = connect::client(global, ui).await?;
    let containers = Containers::new(args.scope)?;
    let all = args.all || args.latest || args.filter.iter().any(|f| f.starts_with("status="));
    let mut listing = containers
        .list(&client, all, &filters(&args.filter)?)
        .await?;
    listing
        .containers
        .sort_by_key(|container| clock::unix_seconds(&container.created));
    if args.latest {
        let first = listing.containers.len().saturating_sub(1);
        listing.containers.drain(..first);
    }
    let text = if args.quiet {
        ids(&listing.containers, args.no_trunc)
    } else if args.format == "json" {
        let rows: Vec<Row<'_>> = listing.containers.iter().map(row).collect();
        serde_json::to_string_pretty(&rows).doing("write JSON")? + "\n"
    } else {
        table(&listing.containers, args.no_trunc)
    };
    ui.data(&text).doing("write")?;
    if listing.others > 0 && !args.quiet && args.format == "table" {
        ui.status(&format!(
            "({} more that Stockade did not make; `--unmanaged` shows them)",
            listing.others
        ));
    }
    Ok(Exit::Done)
}

fn ids(containers: &[ListedContainer], whole: bool) -> String {
    let lines = containers.iter().map(|container| {
        let id = if whole {
            container.id.as_str()
        } else {
            container.id.short()
        };
        format!("{id}\n")
    });
    lines.collect()
}

fn table(containers: &[ListedContainer], whole: bool) -> String {
    let mut table = Table::new(&[
        "CONTAINER ID",
        "IMAGE",
        "COMMAND",
        "CREATED",
        "STATUS",
        "PORTS",
        "NAMES",
    ]);
    for container in containers {
        let command = container.command.join(" ");
        let created = clock::unix_seconds(&container.created).map(clock::ago);
        table.row([
            if whole {
                container.id.to_string()
            } else {
                container.id.short().to_owned()
            },
            container.image.clone(),
            if whole {
                command
            } else {
                shorten(&command, 20)
            },
            created.unwrap_or_default(),
            status(container),
            ports(&container.ports),
            container.names.join(","),
        ]);
    }
    table.render()
}

fn row(container: &ListedContainer) -> Row<'_> {
    Row {
        id: container.id.as_str(),
        names: &container.names,
        image: &container.image,
        command: &container.command,
        created: clock::unix_seconds(&container.created).unwrap_or_default(),
        state: container.state.as_str(),
        status: status(container),
        exit_code: container.exit_code,
        started_at: container.started_at,
        exited_at: container.exited_at,
        ports: &container.ports,
    }
}

/// `Up 5 minutes`, `Exited (0) 2 hours ago`: the service leaves these words to its clients.
fn status(container: &ListedContainer) -> String {
    match container.state {
        Status::Running => {
            let since = clock::ago(container.started_at);
            format!("Up {}", since.trim_end_matches(" ago"))
        }
        Status::Exited | Status::Stopped => format!(
            "Exited ({}) {}",
            container.exit_code,
            clock::ago(container.exited_at)
        ),
        Status::Paused => "Paused".to_owned(),
        Status::Created => "Created".to_owned(),
        Status::Initialized => "Initialized".to_owned(),
        Status::Stopping => "Stopping".to_owned(),
        Status::Removing => "Removal in progress".to_owned(),
        Status::Unknown => "Unknown".to_owned(),
    }
}

fn ports(ports: &[PortForward]) -> String {
    let texts = ports.iter().map(|port| {
        let address = if port.host_ip.is_empty() {
            "0.0.0.0"
        } else {
            &port.host_ip
        };
        let range = |first: u16| match port.range {
            0 | 1 => first.to_string(),
            count => format!("{first}-{}", first.saturating_add(count - 1)),
        };
        format!(
            "{address}:{}->{}/{}",
            range(port.host_port),
            range(port.container_port),
            port.protocol
        )
    });
    texts.collect::<Vec<_>>().join(", ")
}

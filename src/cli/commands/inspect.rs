//! `stockade inspect`

use clap::Args;
use serde_json::Value;

use crate::cli::args::Global;
use crate::cli::argv::named;
use crate::cli::connect;
use crate::cli::containers::{Containers, ScopeArgs, each};
use crate::cli::error::{CliResult, Context as _};
use crate::cli::ui::Ui;
use crate::libpod::Client;

/// What a value of a variable is replaced with.
const HIDDEN: &str = "…";

/// Describe containers or images as JSON, without the values of variables
#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// What it is
    #[arg(short, long = "type", value_name = "TYPE", value_parser = ["all", "container", "image"], default_value = "all")]
    kind: String,
    /// Also the values of variables, which may be secrets
    #[arg(long)]
    show_env: bool,
    #[command(flatten)]
    scope: ScopeArgs,
    /// Containers or images
    #[arg(required = true, value_name = "NAME", value_parser = named)]
    names: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Any,
    Container,
    Image,
}

/// Runs the verb.
pub(crate) async fn run(args: &InspectArgs, global: &Global, ui: &Ui) -> CliResult {
    let kind = match args.kind.as_str() {
        "container" => Kind::Container,
        "image" => Kind::Image,
        _ => Kind::Any,
    };
    describe(args, kind, global, ui).await
}

/// `stockade container inspect`
pub(crate) async fn container(args: &InspectArgs, global: &Global, ui: &Ui) -> CliResult {
    describe(args, Kind::Container, global, ui).await
}

/// `stockade image inspect`
pub(crate) async fn image(args: &InspectArgs, global: &Global, ui: &Ui) -> CliResult {
    describe(args, Kind::Image, global, ui).await
}

async fn describe(args: &InspectArgs, kind: Kind, global: &Global, ui: &Ui) -> CliResult {
    let client = connect::client(global, ui).await?;
    let containers = Containers::new(args.scope)?;
    let mut documents = Vec::new();
    let found = each(&args.names, ui, async |name| {
        let mut document = one(name, kind, &client, &containers).await?;
        if !args.show_env {
            hide(&mut document);
        }
        documents.push(document);
        Ok(())
    });
    let exit = found.await?;
    // What there is, and a list even of nothing: whoever reads it as JSON gets JSON.
    let text = serde_json::to_string_pretty(&documents).doing("write JSON")?;
    ui.line(&text).doing("write")?;
    Ok(exit)
}

async fn one(name: &str, kind: Kind, client: &Client, containers: &Containers) -> CliResult<Value> {
    let container =
        kind == Kind::Container || kind == Kind::Any && client.container_exists(name).await?;
    if container {
        let id = containers.find(client, name).await?.id;
        return Ok(client.inspect_container_json(id.as_str()).await?);
    }
    Ok(client.inspect_image_json(name).await?)
}

/// Secrets come in through the environment, and what we print may be kept. `Config.CreateCommand`
/// is the command line of whoever made it: `-e KEY=VALUE` and all.
fn hide(document: &mut Value) {
    for pointer in ["/Config/Env", "/Config/CreateCommand"] {
        let Some(Value::Array(entries)) = document.pointer_mut(pointer) else {
            continue;
        };
        for entry in entries {
            if let Value::String(text) = entry
                && let Some((name, _)) = text.split_once('=')
            {
                *text = format!("{name}={HIDDEN}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_of_variables_are_hidden() {
        let mut document = json!({"Config": {
            "Env": ["KEY=secret=x", "PLAIN"],
            "CreateCommand": ["podman", "run", "-e", "KEY=secret"],
        }});
        hide(&mut document);
        assert_eq!(
            document,
            json!({"Config": {
                "Env": ["KEY=…", "PLAIN"],
                "CreateCommand": ["podman", "run", "-e", "KEY=…"],
            }})
        );
    }
}

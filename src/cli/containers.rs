//! Containers by name: ours, unless the person says otherwise.

use std::path::Path;

use clap::Args;

use super::args::Global;
use super::connect;
use super::error::{CliError, CliResult};
use super::exit::Exit;
use super::night;
use super::state::State;
use super::ui::Ui;
use crate::libpod::{Client, Container, ContainerFilter, ListedContainer, Mounted};
use crate::ralph::Run;
use crate::sandbox::Sandbox;
use crate::sandbox::asked::Asked;

/// Which containers a verb sees
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct ScopeArgs {
    /// Also containers that Stockade did not make
    #[arg(long)]
    unmanaged: bool,
}

impl ScopeArgs {
    /// Only what Stockade made.
    pub(crate) fn ours() -> Self {
        Self { unmanaged: false }
    }
}

/// Looks containers up.
#[derive(Debug)]
pub(crate) struct Containers {
    state: State,
    unmanaged: bool,
}

/// A list, and how many were left out because they are not ours.
#[derive(Debug)]
pub(crate) struct Listing {
    /// What the verb sees.
    pub(crate) containers: Vec<ListedContainer>,
    /// How many others there are.
    pub(crate) others: usize,
}

impl Containers {
    /// Prepares to look.
    pub(crate) fn new(scope: ScopeArgs) -> CliResult<Self> {
        Ok(Self {
            state: State::open()?,
            unmanaged: scope.unmanaged,
        })
    }

    /// Whether a container is ours.
    pub(crate) fn owns(&self, container: &Container) -> bool {
        self.state
            .owns(&container.name, &container.id, &container.config.labels)
    }

    /// The container of this name or id.
    pub(crate) async fn find(&self, client: &Client, name: &str) -> CliResult<Container> {
        let container = client.inspect_container(name).await.map_err(|error| {
            let missing = error.is_not_found();
            let cli = CliError::from(error);
            if missing {
                CliError::new(cli.exit, format!("there is no container `{name}`"))
                    .hint("`stockade ps -a` lists them")
            } else {
                cli
            }
        })?;
        if self.owns(&container) {
            // Its maker may have been killed before it could say so.
            self.state.note(&container.id, &container.config.labels)?;
            return Ok(container);
        }
        if self.unmanaged {
            return Ok(container);
        }
        Err(CliError::new(
            Exit::Failed,
            format!("the container `{name}` was not made by Stockade"),
        )
        .hint("add `--unmanaged` if you mean it all the same"))
    }

    /// As [`Self::find`], or the sandbox of the run of this name or id, while its agent works.
    pub(crate) async fn find_live(
        &self,
        client: &Client,
        name: &str,
        global: &Global,
        ui: &Ui,
    ) -> CliResult<Container> {
        match night::meant(name, global, ui).await? {
            Some(run) => night::sandbox(&run, client).await,
            None => self.find(client, name).await,
        }
    }

    /// Removes a container of ours that was made with `--rm`, and whose maker has detached from it.
    pub(crate) async fn remove_if_asked(
        &self,
        sandbox: &Sandbox,
        container: &Container,
    ) -> CliResult<()> {
        if self.owns(container) && Asked::of(container).is_some_and(|asked| asked.remove) {
            sandbox.remove().await?;
        }
        Ok(())
    }

    /// The containers there are.
    pub(crate) async fn list(
        &self,
        client: &Client,
        all: bool,
        filter: &ContainerFilter,
    ) -> CliResult<Listing> {
        let mut containers = client.list_containers(all, filter).await?;
        let before = containers.len();
        if !self.unmanaged {
            containers.retain(|container| {
                let name = container.names.first().map_or("", String::as_str);
                self.state.owns(name, &container.id, &container.labels)
            });
        }
        Ok(Listing {
            others: before - containers.len(),
            containers,
        })
    }
}

/// Two cannot work in one directory: a sandbox of the person's own that can write in it, above it or below it is in
/// the way of a run. What is stopped is not.
///
/// # Errors
/// There is one, or the service does not say.
pub(crate) async fn refuse_overlap(workspace: &Path, client: &Client) -> CliResult<()> {
    let ours = Containers::new(ScopeArgs::ours())?;
    let running = ours
        .list(client, false, &ContainerFilter::default())
        .await?;
    for listed in running.containers {
        let container = match client.inspect_container(listed.id.as_str()).await {
            // It has ended meanwhile.
            Err(error) if error.is_not_found() => continue,
            found => found?,
        };
        let mut theirs = container
            .mounts
            .iter()
            .filter(|mount| mount.kind == "bind" && mount.writable);
        let is_in_the_way = |mount: &Mounted| {
            let theirs = Path::new(&mount.source);
            workspace.starts_with(theirs) || theirs.starts_with(workspace)
        };
        if let Some(mount) = theirs.find(|mount| is_in_the_way(mount)) {
            let name = &container.name;
            return Err(CliError::new(
                Exit::Failed,
                format!("the container {name} is at work in `{}`", mount.source),
            )
            .hint(format!("stop it first: `stockade stop {name}`")));
        }
    }
    Ok(())
}

/// The run whose id begins or ends so, if there is no such container.
pub(crate) async fn fitting_run(word: &str, global: &Global, ui: &Ui) -> Option<Run> {
    let run = night::find(Some(word)).ok()?;
    let is_taken = match connect::client(global, ui).await {
        Ok(client) => client.container_exists(word).await.unwrap_or(false),
        Err(_) => false,
    };
    (!is_taken).then_some(run)
}

/// Does one thing to each name, in order; a failure is said at once and the others go on.
pub(crate) async fn each<'a>(
    names: &'a [String],
    ui: &Ui,
    mut act: impl AsyncFnMut(&'a str) -> CliResult<()>,
) -> CliResult {
    let mut exit = Exit::Done;
    for name in names {
        match act(name).await {
            Ok(()) => {}
            // There is no point in going on without the service.
            Err(error) if error.exit == Exit::Unreachable => return Err(error),
            Err(error) => {
                exit = error.exit;
                ui.error(&error);
            }
        }
    }
    Ok(exit)
}

/// Reads `--filter NAME=VALUE` into the API's form.
pub(crate) fn filters(given: &[String]) -> CliResult<ContainerFilter> {
    let mut filters = ContainerFilter::new();
    for filter in given {
        let Some((name, value)) = filter.split_once('=') else {
            return Err(CliError::usage(format!(
                "`--filter {filter}` is not NAME=VALUE"
            )));
        };
        filters
            .entry(name.to_owned())
            .or_default()
            .push(value.to_owned());
    }
    Ok(filters)
}

//! From flags and environment to a connected client.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use super::args::Global;
use super::error::{CliError, CliResult};
use super::exit::Exit;
use super::host;
use super::service;
use super::ui::Ui;
use crate::libpod::{self, ApiVersion, Client, Discovery, Endpoint, Source};
use crate::sandbox::user::ServiceOwner;

/// The longest configuration file that is read, in bytes.
const CONFIG_LIMIT: u64 = (1 << 20) + 1;

/// Where the service is to be found.
fn endpoint(global: &Global) -> CliResult<(Endpoint, Source)> {
    let discovery = Discovery {
        url: global.url.as_deref(),
        connection: global.connection.as_deref(),
        uid: rustix::process::geteuid().as_raw(),
        variable: &|name| std::env::var_os(name),
        read: &read,
    };
    Ok(discovery.endpoint()?)
}

/// The service that somebody has chosen, in whatever way; `None` is the usual place.
pub(crate) fn chosen(global: &Global) -> CliResult<Option<Endpoint>> {
    let (endpoint, source) = endpoint(global)?;
    Ok((source != Source::Default).then_some(endpoint))
}

/// Where the service is to be found that was asked for, or that is usual.
pub(crate) fn place(global: &Global) -> CliResult<Endpoint> {
    Ok(endpoint(global)?.0)
}

/// Connects, and says so once where the service is newer than what was tested.
pub(crate) async fn client(global: &Global, ui: &Ui) -> CliResult<Client> {
    Ok(reach(global, ui).await?.client)
}

/// A client, and what it talks to.
struct Reached {
    client: Client,
    endpoint: Endpoint,
    origin: Origin,
}

/// Who has the service listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Somebody else.
    Found,
    /// We do: where it ends, the next one of us starts another, on another socket.
    Ours,
}

/// Connects to the service that was asked for, or, where nobody asked for any and none listens, to
/// one of our own.
async fn reach(global: &Global, ui: &Ui) -> CliResult<Reached> {
    let (endpoint, source) = endpoint(global)?;
    let (client, endpoint, origin) = match Client::connect(&endpoint).await {
        Ok(client) => (client, endpoint, Origin::Found),
        Err(missing) if source == Source::Default && missing.nobody_listens() => {
            let manager = global.cgroup_manager.as_deref();
            let (client, endpoint) = service::reach(manager, missing.into(), ui).await?;
            (client, endpoint, Origin::Ours)
        }
        Err(error) => return Err(explained(error, &source)),
    };
    if client.version().is_untested() {
        ui.warning(&format!(
            "Podman {} is newer than what this release was tested with (up to {}.{})",
            client.version(),
            ApiVersion::NEWEST_TESTED.major,
            ApiVersion::NEWEST_TESTED.minor,
        ));
    }
    Ok(Reached {
        client,
        endpoint,
        origin,
    })
}

/// Says who chose a socket that cannot be used.
fn explained(error: libpod::Error, source: &Source) -> CliError {
    let is_missing = error.nobody_listens();
    let cannot_be_used = is_missing || error.is_denied();
    let cli = CliError::from(error);
    let chooser = match source {
        _ if !cannot_be_used => return cli,
        Source::Default => {
            return cli.hint("after `su` or `sudo`, XDG_RUNTIME_DIR may still be the other user's");
        }
        Source::Url => "`--url`".to_owned(),
        Source::Connection => "`--connection`".to_owned(),
        Source::Variable(name) => format!("`{name}`"),
        Source::File(path) => format!("`{}`", path.display()),
    };
    cli.hint(format!(
        "this socket was chosen by {chooser}: without it, Stockade uses or starts a service of your own"
    ))
}

/// A connected client and what is known of the service without asking.
#[derive(Debug)]
pub(crate) struct Service {
    /// The client.
    pub(crate) client: Client,
    /// Where it is connected to.
    pub(crate) endpoint: Endpoint,
    /// Who has it listen.
    pub(crate) origin: Origin,
    /// Whose service it is.
    pub(crate) owner: ServiceOwner,
}

impl Service {
    /// Connects.
    pub(crate) async fn connect(global: &Global, ui: &Ui) -> CliResult<Self> {
        Self::of(reach(global, ui).await?).await
    }

    /// Connects to what somebody before us was connected to: to one of our own wherever another may listen by now, since that
    /// could have another store.
    pub(crate) async fn connect_again(origin: Origin, global: &Global, ui: &Ui) -> CliResult<Self> {
        if origin == Origin::Found {
            return Self::connect(global, ui).await;
        }
        let manager = global.cgroup_manager.as_deref();
        let text = "the Podman service that was started for this cannot be started again";
        let missing = CliError::new(Exit::Unreachable, text);
        let (client, endpoint) = service::reach(manager, missing, ui).await?;
        Self::of(Reached {
            client,
            endpoint,
            origin,
        })
        .await
    }

    async fn of(reached: Reached) -> CliResult<Self> {
        let Reached {
            client,
            endpoint,
            origin,
        } = reached;
        let owner = host::socket_owner(&endpoint)?;
        let owner = if owner.uid != 0 {
            ServiceOwner::Rootless(owner)
        } else if client.info().await?.host.security.rootless {
            // Somebody forwards the socket of a rootless service.
            ServiceOwner::Rootless(owner)
        } else {
            ServiceOwner::Rootful
        };
        Ok(Self {
            client,
            endpoint,
            origin,
            owner,
        })
    }
}

fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(CONFIG_LIMIT)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

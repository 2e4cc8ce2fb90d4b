//! What an agent made as another user of its sandbox belongs, outside, to one of the person's subordinate ids: they
//! cannot change it. A container of the run's image gives it back to them: in it all those ids are users that its
//! root, who is the person, may take files from.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path};

use super::connect::Service;
use super::error::{CliError, CliResult, Context as _};
use super::exit::Exit;
use super::launch::{Launch, Unenforced};
use super::sandbox_args::invalid;
use super::signals::Signals;
use super::turn::Turn;
use super::ui::Ui;
use crate::ralph::Record;
use crate::sandbox::entrypoint::Entrypoint;
use crate::sandbox::env::EnvArg;
use crate::sandbox::mounts::{MountSource, parse_volume};
use crate::sandbox::network::NetworkMode;
use crate::sandbox::security::CapabilityArg;
use crate::sandbox::user::{ServiceOwner, UserArg, UserNs};
use crate::sandbox::{Request, Sandbox};

/// What it takes to give files of others away.
const CAPABILITIES: [&str; 3] = ["CHOWN", "DAC_OVERRIDE", "FOWNER"];
const TARGET: &str = "/workspace";
const CLEAN: [&str; 3] = [
    "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
    "LD_PRELOAD=",
    "LD_LIBRARY_PATH=",
];

/// Whether something on the way to this path belongs to somebody else, as far as no link leads elsewhere.
pub(crate) fn is_foreign(root: &Path, path: &Path) -> bool {
    let own = rustix::process::geteuid().as_raw();
    let mut at = root.to_owned();
    for component in path.components() {
        let Component::Normal(name) = component else {
            return false;
        };
        at.push(name);
        match at.symlink_metadata() {
            Ok(found) if found.uid() != own => return true,
            Ok(found) if found.is_dir() => {}
            _ => return false,
        }
    }
    false
}

/// Makes all that lies in a run's workspace the person's own.
///
/// # Errors
/// The service is another one than the person's own, or the container could not do it.
pub(crate) async fn reclaim(
    workspace: &Path,
    record: &Record,
    service: &Service,
    ui: &Ui,
) -> CliResult<()> {
    if service.owner == ServiceOwner::Rootful {
        return Err(CliError::new(
            Exit::Failed,
            "this service is not your own: to it your subordinate ids are nobody's",
        ));
    }
    let mut signals = Signals::catch().doing("catch signals")?;
    let image = service.client.inspect_image(&record.image.id).await?;
    let launch = Launch::new(
        request(workspace, record)?,
        &image,
        service,
        Unenforced::new(record.asked.unenforced),
    )?;
    let turn = Turn::wait(&service.endpoint, &launch.plan.container).await;
    let (sandbox, _) = Sandbox::create(&service.client, &launch.plan.container).await?;
    drop(turn);
    let noted = launch.note(sandbox.id());
    ui.status("files of other users of the sandbox: a container makes them yours");
    let done = tokio::select! {
        done = async { noted.map(|()| live(&sandbox))?.await } => done,
        caught = signals.next_end() => Err(CliError::new(Exit::Signal(caught.number()), "interrupted")),
    };
    // Before anything is said of it.
    sandbox.remove().await?;
    match done? {
        0 => Ok(()),
        code => Err(CliError::new(
            Exit::Failed,
            format!("`chown` in a container of the run's image ended with {code}"),
        )),
    }
}

async fn live(sandbox: &Sandbox) -> CliResult<i32> {
    let watch = sandbox.watch();
    sandbox.start().await?;
    Ok(sandbox.outcome(watch).await?.exit_code)
}

fn request(workspace: &Path, record: &Record) -> CliResult<Request> {
    let words = ["-hR", "0:0", TARGET].map(str::to_owned);
    let mut request = Request {
        image: record.image.id.clone(),
        entrypoint: Some(Entrypoint::parse("chown").map_err(|e| invalid(&e))?),
        command: words.to_vec(),
        limits: record.asked.again(),
        network: NetworkMode::None,
        ..Request::default()
    };
    // The caller is its root, whatever the service's own settings say.
    request.user.user = Some(UserArg::parse("0").map_err(|e| invalid(&e))?);
    request.user.userns = Some(UserNs::Host);
    // Nothing from the workspace is run, whatever the image's variables say.
    for variable in CLEAN {
        let variable = EnvArg::parse(variable).map_err(|e| invalid(&e))?;
        request.env.push(variable);
    }
    for name in CAPABILITIES {
        let capability = CapabilityArg::parse(name).map_err(|e| invalid(&e))?;
        request.security.cap_add.push(capability);
    }
    let mut mount = parse_volume(&format!(".:{TARGET}:Z")).map_err(|e| invalid(&e))?;
    mount.source = MountSource::Host(workspace.to_owned());
    request.mounts.push(mount);
    Ok(request)
}

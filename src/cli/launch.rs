//! From what was asked for to a container that is about to start.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::connect::Service;
use super::error::{CliError, CliResult, Context as _};
use super::exit::Exit;
use super::host;
use super::state::State;
use super::ui::Ui;
use crate::libpod::{Client, ContainerId, Image};
use crate::sandbox::asked::Asked;
use crate::sandbox::enforcement::{Absence, Enforcement, LimitCheck, LimitKind, Obstacle};
use crate::sandbox::env_file::EnvFileError;
use crate::sandbox::forbidden::ForbiddenPaths;
use crate::sandbox::host_path::HostPath;
use crate::sandbox::limits::Origin;
use crate::sandbox::name::ContainerName;
use crate::sandbox::proc_files::KernelFiles;
use crate::sandbox::spec::Removal;
use crate::sandbox::{
    self, Home, Host, OomWatch, Plan, PlanError, Request, Sandbox, SandboxSpec, SpecError, plan,
};

/// How long the service may take to clean up behind a container that was refused.
const CLEAN_UP: Duration = Duration::from_secs(5);
const ELSEWHERE: &str = "make a directory for the agent's work, and mount that";

/// A container that is planned.
#[derive(Debug)]
pub(crate) struct Launch {
    /// What is sent, and what is to be checked.
    pub(crate) plan: Plan,
    state: State,
}

impl Launch {
    /// Resolves paths, reads env files and plans the container. An agent could have written the `untrusted`
    /// directories, beside those that the sandbox gets.
    pub(crate) fn new(
        mut request: Request,
        image: &Image,
        service: &Service,
        unenforced: Unenforced,
        untrusted: &[PathBuf],
    ) -> CliResult<Self> {
        let name = match request.name.take() {
            Some(name) => name,
            None => {
                let [a, b, c] = host::random()?;
                ContainerName::parse(&format!("stockade-{a:02x}{b:02x}{c:02x}"))
                    .map_err(|e| CliError::from_source(Exit::Failed, &e))?
            }
        };
        let state = State::open()?;
        request.own_labels = state.labels(name.as_str())?;
        let asked = Asked::new(
            &request.limits,
            unenforced == Unenforced::Allow,
            request.removal != Removal::Kept,
        );
        request.own_labels.extend(asked.labels());
        request.name = Some(name);
        // By id: the name could mean another image by now.
        image.id.as_str().clone_into(&mut request.image);
        let cwd = host::working_directory()?;
        let env = host::environment();
        let forbidden = host::forbidden(&service.endpoint)?;
        let spec = SandboxSpec::new(
            request,
            &Host {
                cwd: &cwd,
                env: &env,
                forbidden: &forbidden,
                untrusted,
            },
        )
        .map_err(|error| refused(&error))?;
        let facts = sandbox::Service {
            version: *service.client.version(),
            owner: service.owner,
            ram: host::memory()?,
            image_env: image.config.env.clone(),
            image_user: image.config.user.clone(),
        };
        let plan = plan(&spec, &facts).map_err(|error| impossible(&error))?;
        Ok(Self { plan, state })
    }

    /// Notes that it was made, and is ours.
    pub(crate) fn note(&self, id: &ContainerId) -> CliResult<()> {
        self.state.note(id, &self.plan.container.labels)
    }

    /// Makes the volume that the container has for a home, if it is to have one.
    pub(crate) async fn make_home(&self, client: &Client) -> CliResult<()> {
        if let Some(home) = Home::asked(&self.plan.container) {
            home.make(client, self.state.labels(home.name())?).await?;
        }
        Ok(())
    }

    /// The container's name.
    pub(crate) fn name(&self) -> &str {
        self.plan.container.name.as_deref().unwrap_or_default()
    }

    /// The program that was asked for; `None` for the image's own.
    pub(crate) fn command(&self) -> Option<&str> {
        let spec = &self.plan.container;
        let entrypoint = spec.entrypoint.iter().flatten();
        entrypoint.chain(&spec.command).next().map(String::as_str)
    }

    /// Says what was opened that is closed by default, and what looks like a mistake.
    pub(crate) fn announce(&self, ui: &Ui) {
        for loosening in &self.plan.loosenings {
            ui.warning(&format!("loosened: {loosening}"));
        }
        for warning in &self.plan.warnings {
            ui.warning(&warning.to_string());
        }
    }

    /// What would be created, as JSON, without a single value of a variable.
    pub(crate) fn description(&self) -> CliResult<String> {
        let description = serde_json::json!({
            "create": self.plan.container.redacted(),
            "loosenings": self.plan.loosenings,
        });
        serde_json::to_string_pretty(&description).doing("describe the container")
    }
}

/// Looks at a prepared container before its first instruction, and refuses to start one that is
/// less closed or less limited than the person asked for.
pub(crate) async fn verify(
    sandbox: &Sandbox,
    plan: &Plan,
    unenforced: Unenforced,
    ui: &Ui,
) -> CliResult<OomWatch> {
    let found = sandbox.verify(plan, &KernelFiles::default()).await?;
    if let Some(mismatch) = found.mismatches.first() {
        return Err(CliError::new(
            Exit::NotRun,
            format!("the service did not make the container as asked: {mismatch}"),
        ));
    }
    if let Some(path) = found.unmasked.first() {
        return Err(CliError::new(
            Exit::NotRun,
            format!("the env file can be read in the container, at `{path}`"),
        )
        .hint("move it out of the mounted directory"));
    }
    if let Some(forbidden) = found.forbidden.first() {
        let error = CliError::context(Exit::NotRun, "cannot mount it", forbidden);
        return Err(error.hint(ELSEWHERE));
    }
    if let Some(bind) = found.replaced.first() {
        return Err(CliError::new(
            Exit::NotRun,
            format!(
                "`{}` was replaced by another file while the container was made",
                bind.path.display()
            ),
        ));
    }
    judge(&found.limits, unenforced, ui)?;
    Ok(OomWatch::begin(&found.cgroups))
}

/// Looks at a container that was made earlier, prepared for another life: what it mounts must still
/// be what was mounted then. One that is refused does not stay prepared.
pub(crate) async fn verify_again(sandbox: &Sandbox, ui: &Ui) -> CliResult<OomWatch> {
    let found = sandbox.verify_again(&KernelFiles::default()).await?;
    let verdict = match found.changed.first() {
        Some(path) => Err(CliError::new(
            Exit::NotRun,
            format!(
                "`{}` is not what it was when the container was made: it is gone, or a link leads elsewhere",
                path.display()
            ),
        )
        .hint("look at it, and make a new container with `stockade run`")),
        None => {
            let allowed = found.asked.is_some_and(|asked| asked.unenforced);
            judge(&found.limits, Unenforced::new(allowed), ui)
        }
    };
    if verdict.is_err() {
        // The refusal matters more than why it could not be stopped. Whoever tries again at once
        // finds it as it stays.
        let _ = sandbox.stop(Some(0)).await;
        let _ = tokio::time::timeout(CLEAN_UP, sandbox.cleaned_up()).await;
    }
    verdict.map(|()| OomWatch::begin(&found.cgroups))
}

/// What to do with a limit that was asked for and is not in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unenforced {
    /// Do not start.
    Refuse,
    /// Say so and start.
    Allow,
}

impl Unenforced {
    /// As `--allow-unenforced-limits` was given or not.
    pub(crate) fn new(allowed: bool) -> Self {
        if allowed { Self::Allow } else { Self::Refuse }
    }
}

fn judge(limits: &[LimitCheck], unenforced: Unenforced, ui: &Ui) -> CliResult<()> {
    // Swap that nobody asked for follows memory, and need not be said beside it.
    let said =
        |check: &&LimitCheck| check.limit != LimitKind::Swap || check.origin == Origin::Asked;
    let list = |pick: fn(&LimitCheck) -> bool| -> Vec<String> {
        let picked = limits.iter().filter(said).filter(|check| pick(check));
        picked
            .map(|check| format!("--{} {}", check.limit, check.asked))
            .collect()
    };
    let broken = list(LimitCheck::is_broken);
    let defaults = list(|check| !check.is_in_force() && !check.is_broken());
    let reason = |pick: fn(&LimitCheck) -> bool| {
        let first = limits.iter().find(|check| pick(check));
        first.map_or_else(String::new, |check| check.enforcement.to_string())
    };
    if !broken.is_empty() {
        let reason = reason(LimitCheck::is_broken);
        let text = format!("not in force: {} ({reason})", broken.join(", "));
        match unenforced {
            Unenforced::Allow => ui.warning(&text),
            Unenforced::Refuse => {
                let error = CliError::new(Exit::NotRun, format!("limits are {text}"));
                let check = limits.iter().find(|check| check.is_broken());
                return Err(mend(error, check).hint("to run without: `--allow-unenforced-limits`"));
            }
        }
    }
    if !defaults.is_empty() {
        ui.warning(&format!(
            "built-in limits are not in force: {} ({})",
            defaults.join(", "),
            reason(|check| !check.is_in_force() && !check.is_broken())
        ));
    }
    Ok(())
}

/// How to have a limit enforced, by what was found.
fn mend(error: CliError, check: Option<&LimitCheck>) -> CliError {
    let Some(check) = check else { return error };
    let controller = check.limit.controller();
    match &check.enforcement {
        Enforcement::NotInForce(Absence::NotDelegated { controllers, .. }) => error
            .hint(format!(
                "delegated so far: {}",
                if controllers.is_empty() {
                    "nothing".to_owned()
                } else {
                    controllers.join(" ")
                }
            ))
            .hint(delegation(controller)),
        Enforcement::NotInForce(Absence::NoOwnCgroup { .. }) => error.hint(
            "the service has no right to make cgroups: run it in a systemd user session (`systemctl --user enable --now podman.socket`)",
        ),
        Enforcement::Unverifiable(Obstacle::LegacyCgroup) => error.hint(
            "rootless limits need cgroups v2: boot with `systemd.unified_cgroup_hierarchy=1`",
        ),
        _ => error,
    }
}

/// How to have a controller delegated to a user's services by systemd.
pub(crate) fn delegation(controller: &str) -> String {
    format!(
        "delegate `{controller}`: `sudo mkdir -p /etc/systemd/system/user@.service.d && printf '[Service]\\nDelegate=cpu cpuset io memory pids\\n' | sudo tee /etc/systemd/system/user@.service.d/delegate.conf && sudo systemctl daemon-reload`, then log in again"
    )
}

/// Refuses a workspace that no sandbox may have, before anything of it is read.
pub(crate) fn refuse_forbidden(workspace: &Path, forbidden: &ForbiddenPaths) -> CliResult<()> {
    let path = || workspace.to_owned();
    let real = HostPath::resolve(workspace, Path::new("/"));
    let real = real.map_err(|source| SpecError::HostPath {
        path: path(),
        source,
    });
    let checked = real.and_then(|real| {
        let checked = forbidden.check(&real);
        checked.map_err(|source| SpecError::Forbidden {
            path: path(),
            source,
        })
    });
    checked.map_err(|error| refused(&error))
}

/// Makes the file for the container's id.
pub(crate) fn cidfile(path: &Path) -> CliResult<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .doing(format!("create the container id file `{}`", path.display()))
}

/// Writes the container's id.
pub(crate) fn write_id(file: &mut File, id: &ContainerId) -> CliResult<()> {
    file.write_all(id.as_str().as_bytes())
        .doing("write the container id file")
}

fn refused(error: &SpecError) -> CliError {
    let cli = CliError::from_source(Exit::NotRun, error);
    match error {
        SpecError::Forbidden { .. } => cli.hint(ELSEWHERE),
        SpecError::EnvFile(error) => env_file_refused(error),
        _ => cli,
    }
}

/// An env file that is not taken.
pub(crate) fn env_file_refused(error: &EnvFileError) -> CliError {
    let cli = CliError::from_source(Exit::NotRun, error);
    match error {
        EnvFileError::UntrustedImport { .. } => {
            cli.hint("what the sandbox may have of your environment: `-e NAME`")
        }
        EnvFileError::OtherNames { .. } => {
            cli.hint("move it out of the mounted directory, or put a copy of it in its place")
        }
        _ => cli,
    }
}

fn impossible(error: &PlanError) -> CliError {
    CliError::from_source(Exit::NotRun, error)
}

//! From what was asked for to a container that is about to start.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use super::connect::Service;
use super::error::{CliError, CliResult, Context as _};
use super::exit::Exit;
use super::host;
use super::state::State;
use super::ui::Ui;
use crate::libpod::{ContainerId, Image};
use crate::sandbox::name::ContainerName;
use crate::sandbox::{self, Host, Plan, PlanError, Request, SandboxSpec, SpecError, plan};

/// A container that is planned.
#[derive(Debug)]
pub struct Launch {
    /// What is sent, and what is to be checked.
    pub plan: Plan,
}

impl Launch {
    /// Resolves paths, reads env files and plans the container.
    pub fn new(mut request: Request, image: &Image, service: &Service) -> CliResult<Self> {
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
                untrusted: &[],
            },
        )
        .map_err(|error| refused(&error))?;
        let version = service.client.version();
        let facts = sandbox::Service {
            version: (
                version.major.into(),
                version.minor.into(),
                version.patch.into(),
            ),
            owner: service.owner,
            ram: host::memory()?,
            image_env: image.config.env.clone(),
            image_user: image.config.user.clone(),
        };
        let plan = plan(&spec, &facts).map_err(|error| impossible(&error))?;
        Ok(Self { plan })
    }

    /// The container's name.
    pub fn name(&self) -> &str {
        self.plan.container.name.as_deref().unwrap_or_default()
    }

    /// Says what was opened that is closed by default, and what looks like a mistake.
    pub fn announce(&self, ui: &Ui) {
        for loosening in &self.plan.loosenings {
            ui.warning(&format!("loosened: {loosening}"));
        }
        for warning in &self.plan.warnings {
            ui.warning(&warning.to_string());
        }
    }

    /// What would be created, as JSON, without a single value of a variable.
    pub fn description(&self) -> CliResult<String> {
        let description = serde_json::json!({
            "create": self.plan.container.redacted(),
            "loosenings": self.plan.loosenings,
        });
        serde_json::to_string_pretty(&description).doing("describe the container")
    }
}

/// Makes the file for the container's id.
pub fn cidfile(path: &Path) -> CliResult<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .doing(format!("create the container id file `{}`", path.display()))
}

/// Writes the container's id.
pub fn write_id(file: &mut File, id: &ContainerId) -> CliResult<()> {
    file.write_all(id.as_str().as_bytes())
        .doing("write the container id file")
}

fn refused(error: &SpecError) -> CliError {
    let cli = CliError::from_source(Exit::NotRun, error);
    match error {
        SpecError::Forbidden { .. } => {
            cli.hint("make a directory for the agent's work, and mount that")
        }
        _ => cli,
    }
}

fn impossible(error: &PlanError) -> CliError {
    CliError::from_source(Exit::NotRun, error)
}

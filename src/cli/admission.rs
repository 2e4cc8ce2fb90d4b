//! Whether a sandbox may start, and how the container of a check is made.

use super::connect::Service;
use super::error::CliError;
use super::exit::Exit;
use super::launch::{self, Launch, Unenforced};
use super::sandbox_args::invalid;
use super::state::State;
use super::turn::Turn;
use super::ui::Ui;
use crate::ralph::{CHECK_DIRECTORY, Check, Gate, Record, Task};
use crate::sandbox::asked::Asked;
use crate::sandbox::entrypoint::Entrypoint;
use crate::sandbox::mounts::{MountSource, parse_volume};
use crate::sandbox::name::{ContainerName, GuestPath};
use crate::sandbox::network::NetworkMode;
use crate::sandbox::{Request, Sandbox};

/// What is looked at before each iteration and check, and how the container of a check is made.
pub(crate) struct Admission<'a> {
    pub(crate) record: &'a Record,
    pub(crate) service: &'a Service,
    pub(crate) asked: Asked,
    pub(crate) ui: &'a Ui,
}

impl Gate for Admission<'_> {
    type Error = CliError;

    async fn admit(&self, sandbox: &Sandbox) -> Result<(), CliError> {
        launch::verify_again(sandbox, self.ui).await.map(drop)
    }

    async fn make_clean(
        &self,
        name: &str,
        task: &Task,
        left: Option<&str>,
    ) -> Result<Sandbox, CliError> {
        let Check::Command(check) = &task.check else {
            return Err(CliError::new(Exit::Failed, "the task has no check"));
        };
        let client = &self.service.client;
        if let Some(left) = left
            && let Ok(found) = client.inspect_container(left).await
            && State::open()?.owns(&found.name, &found.id, &found.config.labels)
            && let Err(error) = Sandbox::adopt(client, &found).remove().await
        {
            self.ui.warning(&format!("`{left}` stays: {error}"));
        }
        let image = client.inspect_image(&self.record.image.id).await?;
        let words = ["-c", check].map(str::to_owned);
        let mut request = Request {
            image: self.record.image.id.clone(),
            // The image's own entrypoint is for agents.
            entrypoint: Some(Entrypoint::parse("/bin/sh").map_err(|e| invalid(&e))?),
            command: words.to_vec(),
            name: Some(ContainerName::parse(name).map_err(|e| invalid(&e))?),
            limits: self.asked.again(),
            network: NetworkMode::None,
            workdir: Some(
                GuestPath::parse(&self.record.workspace.target).map_err(|e| invalid(&e))?,
            ),
            ..Request::default()
        };
        if let Some(directory) = &task.check_directory {
            let words = format!(".:{CHECK_DIRECTORY}:ro,z");
            let mut mount = parse_volume(&words).map_err(|e| invalid(&e))?;
            mount.source = MountSource::Host(directory.clone());
            request.mounts.push(mount);
        }
        let unenforced = Unenforced::new(self.asked.unenforced);
        let launch = Launch::new(request, &image, self.service, unenforced, &[])?;
        let turn = Turn::wait(&self.service.endpoint, &launch.plan.container).await;
        let (sandbox, _) = Sandbox::create(client, &launch.plan.container).await?;
        drop(turn);
        launch.note(sandbox.id())?;
        Ok(sandbox)
    }
}

//! Which agent works, and how it is started.

use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::cli::agent_image::AgentImage;
use crate::cli::error::{CliError, CliResult, Context as _};
use crate::cli::exit::Exit;
use crate::cli::host;
use crate::cli::sandbox_args::invalid;
use crate::cli::ui::Ui;
use crate::libpod::Image;
use crate::ralph::{Agent, Promised, Task, Voice};
use crate::sandbox::Request;
use crate::sandbox::entrypoint::Entrypoint;
use crate::sandbox::env::EnvArg;
use crate::sandbox::host_path::{FileKind, HostPath};

/// The word that lists them.
pub(super) const HELP: &str = "help";
/// The one that is meant where a command is given whole.
const COMMAND: &str = "command";
/// The one that is meant without a word: the guide's.
const DEFAULT: &str = "patchpal";
/// The longest file of a preset, in bytes.
const MAX: u64 = 64 << 10;

/// The agent that was asked for.
pub(super) struct Chosen {
    pub(super) name: String,
    agent: Agent,
    /// What a shell does with it.
    shell: String,
    /// Its command, without what Stockade puts round it.
    pub(super) command: Vec<String>,
}

impl Chosen {
    /// Finds it, the person's own first.
    pub(super) fn find(
        name: Option<&str>,
        more: &[String],
        tasks: &[Task],
        cwd: &Path,
        workspace: &Path,
        ui: &Ui,
    ) -> CliResult<Self> {
        let promised = tasks.iter().any(|task| task.promise.is_some());
        let name = name.unwrap_or_else(|| match (more, promised) {
            ([], true) => {
                ui.status(&format!(
                    "no agent is named: {DEFAULT} works (`--agent help` lists them)"
                ));
                DEFAULT
            }
            _ => COMMAND,
        });
        let own = match Agent::is_name(name) {
            true => own(name, cwd, workspace)?,
            false => None,
        };
        let Some(agent) = own.or_else(|| Agent::preset(name)) else {
            let mut known: Vec<_> = Agent::presets().map(str::to_owned).collect();
            known.extend(own_names());
            return Err(CliError::usage(format!("there is no agent `{name}`"))
                .hint(format!("there are {}", known.join(", "))));
        };
        let promised = Promised::of(tasks.iter().map(|task| task.promise.as_ref()));
        if agent.needs_promise() && promised == Promised::No {
            let of_each = match tasks.len() {
                1 => "",
                _ => " for each phase",
            };
            return Err(CliError::usage(format!(
                "`--agent {name}` needs a `--completion-promise`{of_each}"
            )));
        }
        let command = agent.command_for(promised, more);
        if command.is_empty() {
            return Err(CliError::usage("which agent is to work?").hint(
                "`--agent NAME` for one that Stockade knows (`--agent help` lists them), or its command after `--`",
            ));
        }
        Ok(Self {
            name: name.to_owned(),
            shell: agent.shell(promised),
            agent,
            command,
        })
    }

    /// What the run keeps of it.
    pub(super) fn voice(&self) -> Voice {
        self.agent.voice(&self.name)
    }

    /// The image to be built for it, where none is named and none was built here.
    pub(super) fn image(&self) -> CliResult<AgentImage> {
        AgentImage::of(&self.name, &self.agent).ok_or_else(no_image)
    }

    /// Puts it into a request; what the person says of a variable counts more.
    pub(super) fn ask(&self, request: &mut Request, image: &Image) -> CliResult<()> {
        for (name, value) in self.agent.environment.iter().rev() {
            let variable = EnvArg::parse(&format!("{name}={value}")).map_err(|e| invalid(&e))?;
            request.env.insert(0, variable);
        }
        self.deliver(request, image)
    }

    /// The names of its keys, if it is given none and nothing that could stand for one: of all variables it has `names`.
    pub(super) fn lacks_key<'a>(
        &self,
        request: &Request,
        image: &'a Image,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Option<&[String]> {
        let keys = &self.agent.keys;
        let own = &self.agent.environment;
        let of_image = image.config.env.iter();
        let of_image = of_image.filter_map(|variable| Some(variable.split_once('=')?.0));
        let is_given = names.into_iter().chain(of_image).any(|name| {
            keys.iter().any(|key| key == name) || !own.contains_key(name) && may_be_key(name)
        });
        // What is mounted beside the workspace may hold a login, or its model.
        let is_unseen = !request.secrets.is_empty() || request.mounts.len() > 1;
        (!keys.is_empty() && !is_given && !is_unseen).then_some(keys)
    }

    /// Gives the command the prompt.
    fn deliver(&self, request: &mut Request, image: &Image) -> CliResult<()> {
        let entrypoint = match &request.entrypoint {
            Some(entrypoint) => entrypoint.words(),
            None => &image.config.entrypoint,
        };
        let mut command = vec!["-c".to_owned(), self.shell.clone(), "stockade".to_owned()];
        command.extend(self.agent.prompt_flag.clone());
        command.extend(entrypoint.iter().chain(&self.command).cloned());
        request.command = command;
        request.entrypoint = Some(Entrypoint::parse("/bin/sh").map_err(|e| invalid(&e))?);
        Ok(())
    }
}

/// Whether a variable of this name may be a key, or say where a model is that wants none.
fn may_be_key(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let parts = [
        "API_KEY",
        "ACCESS_KEY",
        "TOKEN",
        "AUTH",
        "CREDENTIAL",
        "API_BASE",
        "BASE_URL",
        "API_URL",
        "ENDPOINT",
        "OLLAMA",
        "BEDROCK",
        "VERTEX",
    ];
    parts.iter().any(|part| name.contains(part))
}

/// There is nothing to work in.
pub(super) fn no_image() -> CliError {
    CliError::usage("which image is it to work in?")
        .hint("name one: `--image IMAGE`")
        .hint("or build one from a Containerfile in this directory: `stockade build .`")
        .hint(
            "or name an agent that Stockade can install: `--agent NAME`, `--agent help` lists them",
        )
}

/// Lists what there is.
pub(super) fn list(ui: &Ui) -> CliResult<()> {
    let cwd = host::working_directory()?;
    for name in Agent::presets() {
        if let Some(agent) = Agent::preset(name) {
            ui.line(&format!("{name:<12} {}", agent.about))
                .doing("write")?;
        }
    }
    for name in own_names() {
        let about = match own(&name, &cwd, &cwd) {
            Ok(agent) => agent.map(|agent| agent.about).unwrap_or_default(),
            Err(error) => format!("cannot be used: {}", error.message),
        };
        ui.line(&format!("{name:<12} {about} (yours)"))
            .doing("write")?;
    }
    Ok(())
}

/// Where the person's own are.
fn directory() -> Option<PathBuf> {
    host::config_directory().map(|config| config.join("agents"))
}

fn own_names() -> Vec<String> {
    let entries = directory().and_then(|directory| std::fs::read_dir(directory).ok());
    let name = |entry: std::io::Result<std::fs::DirEntry>| {
        let file = entry.ok()?.file_name().into_string().ok()?;
        let name = file.strip_suffix(".toml")?;
        Agent::is_name(name).then(|| name.to_owned())
    };
    let mut names: Vec<_> = entries.into_iter().flatten().filter_map(name).collect();
    names.sort();
    names
}

/// One of the person's own. It says what runs and with which variables, so nobody else may have
/// written it, least of all an agent.
fn own(name: &str, cwd: &Path, workspace: &Path) -> CliResult<Option<Agent>> {
    let Some(path) = directory().map(|directory| directory.join(format!("{name}.toml"))) else {
        return Ok(None);
    };
    if !path.exists() {
        return Ok(None);
    }
    let heading = || format!("cannot use the agent `{}`", path.display());
    let fault = |why: &str| Err(CliError::new(Exit::Failed, format!("{}: {why}", heading())));
    let open = || {
        let found = HostPath::resolve(&path, cwd)?;
        found.open().map(|file| (found, file))
    };
    let (found, file) = open().map_err(|e| CliError::context(Exit::Failed, heading(), &e))?;
    if found.path().starts_with(workspace) {
        return fault("it lies in the workspace, where an agent may have written it");
    }
    let metadata = file.metadata().doing(heading())?;
    let ours = rustix::process::geteuid().as_raw();
    if found.kind() != FileKind::Regular || metadata.uid() != ours || metadata.mode() & 0o022 != 0 {
        return fault("it must be a file of yours that nobody else can write");
    }
    let mut text = String::new();
    file.take(MAX).read_to_string(&mut text).doing(heading())?;
    match Agent::parse(&text) {
        Ok(agent) => Ok(Some(agent)),
        Err(why) => fault(&why),
    }
}

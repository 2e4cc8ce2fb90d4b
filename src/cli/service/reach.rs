//! Finds the service of ours that answers, or starts one.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use super::directory::{self, NotPrivate, PrivateDirectory};
use super::invocation::{IDLE_SECONDS, Invocation, cgroup_manager};
use super::trust::Trust;
use super::{environment, log, program};
use crate::cli::error::{CliError, CliResult};
use crate::cli::exit::Exit;
use crate::cli::host;
use crate::cli::ui::Ui;
use crate::libpod::{Client, Endpoint};

/// How long a service may take to answer. The first one after a boot sets up its storage.
const START_LIMIT: Duration = Duration::from_secs(30);
/// From when on the person is told what is waited for.
const PATIENCE: Duration = Duration::from_secs(1);
/// Between two looks. There is nothing to wait on: a socket does not say when it begins to listen.
const PAUSE: Duration = Duration::from_millis(10);

/// Connects to a service of our own, which is started if it does not run yet.
///
/// `missing` is why one is wanted, and what is told where no `podman` can be started.
pub(crate) async fn reach(
    manager: Option<&str>,
    missing: CliError,
    ui: &Ui,
) -> CliResult<(Client, Endpoint)> {
    let uid = rustix::process::geteuid().as_raw();
    let workspace = std::env::current_dir().ok();
    let trust = Trust::in_root(uid, workspace.as_deref());
    let variable = |name| std::env::var_os(name);
    let search = variable("PATH").unwrap_or_default();
    let program = match program::find(&search, &trust) {
        Ok(program) => program,
        Err(refused) => {
            let mut error = missing;
            if let Some(refused) = refused {
                error.hints.insert(0, refused.to_string());
            }
            return Err(error);
        }
    };
    let runtime = directory::runtime(variable("XDG_RUNTIME_DIR"), uid);
    let directory =
        PrivateDirectory::open(runtime.as_deref(), uid).map_err(|error| no_place(&error))?;
    let bus = variable("DBUS_SESSION_BUS_ADDRESS");
    let invocation = Invocation {
        program,
        cgroup_manager: cgroup_manager(manager, uid, runtime.as_deref(), bus.as_deref()),
        environment: environment::passed(
            std::env::vars_os(),
            // A rootful one has no use for it.
            runtime.as_deref().filter(|_| uid != 0),
            &trust,
        ),
    };
    let own = OwnService {
        key: invocation.key(),
        invocation,
        directory,
    };
    own.reach(ui).await
}

/// A service of ours, running or not.
#[derive(Debug)]
struct OwnService {
    invocation: Invocation,
    directory: PrivateDirectory,
    key: String,
}

/// How far we are.
enum Stage {
    /// Another one of us may be starting it.
    Looking,
    /// Nobody else is, while we have the lock.
    Locked(File),
    /// It was started by us.
    Started(File, Child),
}

impl OwnService {
    async fn reach(&self, ui: &Ui) -> CliResult<(Client, Endpoint)> {
        let begun = Instant::now();
        let found = self.find(begun, ui).await;
        if begun.elapsed() > PATIENCE {
            ui.live_done();
        }
        let (answered, stage) = found?;
        if let Stage::Started(_, mut child) = stage {
            // It may end before we do.
            std::thread::spawn(move || child.wait());
            ui.status(&format!(
                "no Podman socket: started {} for our own use (it ends when unused for {} minutes)",
                self.invocation,
                IDLE_SECONDS / 60
            ));
        }
        Ok(answered)
    }

    async fn find(&self, begun: Instant, ui: &Ui) -> CliResult<((Client, Endpoint), Stage)> {
        let mut stage = Stage::Looking;
        loop {
            if let Some(answered) = self.answering().await? {
                return Ok((answered, stage));
            }
            stage = match stage {
                Stage::Looking => match self.directory.try_lock(&self.name("lock")) {
                    Ok(Some(lock)) => {
                        // The one before us may have started it since we looked.
                        stage = Stage::Locked(lock);
                        continue;
                    }
                    Ok(None) => Stage::Looking,
                    Err(error) => return Err(self.not_started(&error)),
                },
                Stage::Locked(lock) => Stage::Started(lock, self.start()?),
                Stage::Started(lock, mut child) => match child.try_wait() {
                    Ok(Some(status)) => return Err(self.ended(status)),
                    _ => Stage::Started(lock, child),
                },
            };
            if begun.elapsed() > START_LIMIT {
                return Err(self.silent(stage));
            }
            if begun.elapsed() > PATIENCE {
                ui.live("waiting for the Podman service to start");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn name(&self, kind: &str) -> String {
        format!("podman-{}.{kind}", self.key)
    }

    fn log(&self) -> PathBuf {
        self.directory.file(&self.name("log"))
    }

    /// The service, if it is there.
    async fn answering(&self) -> CliResult<Option<(Client, Endpoint)>> {
        let socket = match self.directory.socket(&self.name("sock")) {
            Ok(Some(socket)) => socket,
            Ok(None) => return Ok(None),
            Err(error) => return Err(self.not_started(&error)),
        };
        let endpoint = Endpoint::unix(socket);
        match Client::connect(&endpoint).await {
            Ok(client) => Ok(Some((client, endpoint))),
            // It may also be about to end.
            Err(error) if error.nobody_listens() || error.is_disconnect() => Ok(None),
            Err(error) if error.is_silent() => Err(CliError::from_source(
                Exit::Unreachable,
                &error,
            )
            .hint("this service was started by Stockade: end its process, and the next one is started")),
            Err(error) => Err(error.into()),
        }
    }

    /// Starts it on a socket that no other one has, nor will take away when it ends: one that was
    /// abandoned while it started may still be about to listen.
    fn start(&self) -> CliResult<Child> {
        let link = self.name("sock");
        if let Ok(Some(left_behind)) = self.directory.socket(&link) {
            let _ = std::fs::remove_file(left_behind);
        }
        let [a, b, c, d] = host::random()?;
        let socket = format!("podman-{}-{a:02x}{b:02x}{c:02x}{d:02x}.sock", self.key);
        self.directory
            .point(&link, &socket)
            .and_then(|()| self.directory.empty_file(&self.name("log")))
            .and_then(|log| self.invocation.start(&self.directory.file(&socket), log))
            .map_err(|error| self.not_started(&error))
    }

    fn not_started(&self, error: &(dyn std::error::Error + 'static)) -> CliError {
        CliError::context(
            Exit::Unreachable,
            format!(
                "no Podman socket, and {} cannot be started",
                self.invocation
            ),
            error,
        )
    }

    fn ended(&self, status: ExitStatus) -> CliError {
        self.with_log(format!(
            "no Podman socket, and {} ended at once ({status})",
            self.invocation
        ))
        .hint("see what `podman info` says")
    }

    fn silent(&self, stage: Stage) -> CliError {
        // Both processes of a rootless service: a signal to the first does not reach the second.
        if let Stage::Started(_, child) = stage {
            let _ = rustix::process::kill_process_group(Pid::from_child(&child), Signal::TERM);
        }
        self.with_log(format!(
            "no Podman socket, and {} did not answer within {} s",
            self.invocation,
            START_LIMIT.as_secs()
        ))
    }

    fn with_log(&self, message: String) -> CliError {
        let mut error = CliError::new(Exit::Unreachable, message);
        error.causes = log::last_lines(&self.log());
        error.hint(format!("its log is `{}`", self.log().display()))
    }
}

fn no_place(error: &NotPrivate) -> CliError {
    CliError::from_source(Exit::Unreachable, error)
        .hint("set XDG_RUNTIME_DIR to a directory of yours that is closed to others (mode 0700)")
}

//! `stockade exec`

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use clap::Args;

use super::shell::{SHELL, ShellArgs};
use crate::cli::args::Global;
use crate::cli::argv::named;
use crate::cli::connect;
use crate::cli::containers::{Containers, ScopeArgs};
use crate::cli::error::{CliError, CliResult, Context as _};
use crate::cli::exit::Exit;
use crate::cli::foreground::{self, Streams};
use crate::cli::host;
use crate::cli::launch;
use crate::cli::outcome;
use crate::cli::sandbox_args::invalid;
use crate::cli::signals::Signals;
use crate::cli::terminal::{DetachKeys, End, Remote, window_size};
use crate::cli::ui::Ui;
use crate::libpod::stream::Framing;
use crate::libpod::{self, Client, Container, ExecId, ExecSpec};
use crate::sandbox::env::{EnvArg, EnvVars};
use crate::sandbox::env_file::read_env_file;

/// Run a further command in a running container, or in a run's sandbox
///
/// A run's sandbox lives as long as an iteration, and so does the command.
#[derive(Debug, Args)]
#[command(override_usage = "stockade exec [OPTIONS] CONTAINER COMMAND [ARG...]")]
pub(crate) struct ExecArgs {
    /// Pass standard input on
    #[arg(short, long)]
    interactive: bool,
    /// Give the command a terminal
    #[arg(short, long)]
    tty: bool,
    /// Do not wait for the command
    #[arg(short, long)]
    detach: bool,
    /// Variable for the command; without `=`, from our environment (can be repeated)
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    env: Vec<String>,
    /// File of variables (can be repeated)
    #[arg(long, value_name = "FILE")]
    env_file: Vec<PathBuf>,
    /// Working directory
    #[arg(short, long, value_name = "DIR")]
    workdir: Option<String>,
    /// User in the container
    #[arg(short, long, value_name = "USER[:GROUP]")]
    user: Option<String>,
    /// Keys that leave the command running; empty for none
    #[arg(long, value_name = "KEYS", default_value = "ctrl-p,ctrl-q")]
    detach_keys: DetachKeys,
    /// All capabilities; refused without --not-a-sandbox
    #[arg(long, requires = "not_a_sandbox")]
    privileged: bool,
    /// Says that you know what --privileged means
    #[arg(long)]
    not_a_sandbox: bool,
    /// Let everything through to the terminal, titles and clipboard included
    #[arg(long)]
    raw_terminal: bool,
    #[command(flatten)]
    scope: ScopeArgs,
    /// Container or run, and the command to run in it
    // One list: what follows the container is never a flag of ours (`argv.rs` sees to it).
    #[arg(required = true, num_args = 2.., trailing_var_arg = true,
          value_names = ["CONTAINER", "COMMAND"])]
    container_and_command: Vec<String>,
}

impl ExecArgs {
    /// A shell in this container, on our terminal if there is one.
    pub(super) fn shell(args: &ShellArgs, name: &str) -> Self {
        let words = [name, "sh", "-c", SHELL];
        Self {
            interactive: true,
            tty: std::io::stdin().is_terminal() && std::io::stdout().is_terminal(),
            detach: false,
            env: args.env.clone(),
            env_file: Vec::new(),
            workdir: args.workdir.clone(),
            user: args.user.clone(),
            detach_keys: args.detach_keys.clone(),
            privileged: false,
            not_a_sandbox: false,
            raw_terminal: args.raw_terminal,
            scope: args.scope,
            container_and_command: words.map(str::to_owned).to_vec(),
        }
    }
}

struct Process<'a> {
    client: &'a Client,
    id: ExecId,
}

impl Remote for Process<'_> {
    async fn resize(&self, rows: u16, columns: u16) -> libpod::Result<()> {
        self.client.resize_exec(&self.id, rows, columns).await
    }

    async fn signal(&self, _: &'static str) -> libpod::Result<()> {
        // The API knows no way to send a signal to an exec session.
        Ok(())
    }
}

/// Runs the verb.
pub(crate) async fn run(args: &ExecArgs, global: &Global, ui: &Ui) -> CliResult {
    inner(args, global, ui)
        .await
        .map_err(|error| error.or_exit(Exit::NotRun))
}

async fn inner(args: &ExecArgs, global: &Global, ui: &Ui) -> CliResult {
    let Some((name, command)) = args.container_and_command.split_first() else {
        return Err(CliError::usage("the container is missing"));
    };
    named(name).map_err(CliError::usage)?;
    let asked: Vec<EnvArg> = (args.env.iter().map(|text| EnvArg::parse(text)))
        .collect::<Result<_, _>>()
        .map_err(|error| invalid(&error))?;
    let client = connect::client(global, ui).await?;
    let container = Containers::new(args.scope)?
        .find_live(&client, name, global, ui)
        .await?;
    // What is mounted there, its processes may have written.
    let mounts = container.mounts.iter().filter(|mount| mount.kind == "bind");
    let mounted: Vec<&Path> = mounts.map(|mount| Path::new(&mount.source)).collect();
    let env = environment(args, &asked, &mounted, ui)?;
    let id = create(args, command, env, &client, &container).await?;
    if args.detach {
        client.start_exec_detached(&id).await?;
        ui.line(id.as_str()).doing("write")?;
        return Ok(Exit::Done);
    }
    let process = Process {
        client: &client,
        id,
    };
    // Until here Ctrl-C simply ends us.
    let mut signals = Signals::catch().doing("catch signals")?;
    converse(args, &process, &mut signals, ui).await
}

async fn create(
    args: &ExecArgs,
    command: &[String],
    env: Vec<String>,
    client: &Client,
    container: &Container,
) -> CliResult<ExecId> {
    let spec = ExecSpec {
        cmd: command.to_vec(),
        tty: args.tty,
        attach_stdin: args.interactive,
        attach_stdout: !args.detach,
        attach_stderr: !args.detach,
        env,
        user: args.user.clone(),
        working_dir: args.workdir.clone(),
        privileged: args.privileged,
    };
    Ok(client.create_exec(&container.id, &spec).await?)
}

async fn converse(
    args: &ExecArgs,
    process: &Process<'_>,
    signals: &mut Signals,
    ui: &Ui,
) -> CliResult {
    let streams = Streams {
        stdin: args.interactive,
        tty: args.tty,
        detach_keys: args.detach_keys.clone(),
        proxy_signals: false,
        raw_terminal: args.raw_terminal,
    };
    let framing = if args.tty {
        Framing::Raw
    } else {
        Framing::Multiplexed
    };
    let terminal = streams.raw_terminal(ui)?;
    let size = window_size().filter(|_| args.tty);
    let attached = tokio::select! {
        attached = process.client.start_exec(&process.id, framing, size) => attached?,
        caught = signals.next_end() => return Ok(Exit::Signal(caught.number())),
    };
    match foreground::talk(attached, process, &streams, terminal, signals, ui).await? {
        End::Stream(_) => {}
        End::OutputGone => return Ok(outcome::OUTPUT_GONE),
        End::Detached => return Ok(Exit::Done),
        End::Signal(caught) => return Ok(Exit::Signal(caught.number())),
        End::Broken(error) => return Err(error.into()),
    }
    let state = process.client.inspect_exec(&process.id).await?;
    if state.running {
        return Err(CliError::new(
            Exit::NotRun,
            "the connection to the command ended before the command did",
        ));
    }
    Ok(u8::try_from(state.exit_code).map_or(Exit::NotRun, Exit::Container))
}

fn environment(
    args: &ExecArgs,
    asked: &[EnvArg],
    untrusted: &[&Path],
    ui: &Ui,
) -> CliResult<Vec<String>> {
    let caller = host::environment();
    let cwd = host::working_directory()?;
    let mut vars = EnvVars::default();
    for file in &args.env_file {
        let file = read_env_file(file, &cwd, untrusted.iter().copied())
            .map_err(|error| launch::env_file_refused(&error))?;
        for warning in &file.warnings {
            ui.warning(&warning.to_string());
        }
        for arg in &file.args {
            vars.apply(arg, &caller);
        }
    }
    for arg in asked {
        vars.apply(arg, &caller);
    }
    // 4.3 sets none for a terminal.
    if args.tty
        && vars.get("TERM").is_none()
        && let Ok(term) = EnvArg::parse("TERM")
    {
        vars.apply(&term, &caller);
    }
    let pairs = vars
        .iter()
        .map(|(name, value)| format!("{name}={}", value.expose()));
    Ok(pairs.collect())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::cli::args::{Cli, Command};
    use clap::Parser as _;

    #[test]
    fn env_files_below_a_mount_are_not_the_persons() {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().canonicalize().unwrap();
        let mount = base.join("ws");
        fs::create_dir(&mount).unwrap();
        fs::write(base.join("own"), "HOM*\n").unwrap();
        fs::write(mount.join("all"), "*\n").unwrap();
        fs::write(mount.join("plain"), "A=1\n").unwrap();
        std::os::unix::fs::symlink(base.join("own"), mount.join("link")).unwrap();
        let read = |file: &Path| {
            let file = file.to_str().unwrap();
            let cli = Cli::parse_from(["stockade", "exec", "--env-file", file, "box", "env"]);
            let Command::Exec(args) = cli.command else {
                panic!("not exec")
            };
            environment(&args, &[], &[&mount], &Ui::new(true))
        };
        assert_eq!(read(&mount.join("plain")).unwrap(), ["A=1"]);
        read(&base.join("own")).unwrap();
        read(&mount.join("all")).unwrap_err();
        read(&mount.join("link")).unwrap_err();
    }
}

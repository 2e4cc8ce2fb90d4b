//! Long output through the person's pager, as git does it.

use std::io::{self, IsTerminal as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use clap::Args;
use rustix::stdio::dup2_stdout;

use super::error::{CliResult, Context as _};
use super::exit::Exit;
use super::night;
use super::program;
use super::signals::Signals;
use super::ui::{Pages, Ui};

/// Whether a pager is used
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct PagerArgs {
    /// Not through $STOCKADE_PAGER, $PAGER or less, also at a terminal (a dumb one has none)
    #[arg(long)]
    no_pager: bool,
}

/// A pager that reads what would go to standard output.
struct Pager {
    child: Child,
    terminal: OwnedFd,
}

/// Writes through a pager, if standard output is a terminal and there is one.
pub(crate) fn paged(args: PagerArgs, ui: &Ui, write: impl FnOnce(&Ui) -> CliResult) -> CliResult {
    // A pager would ask before it shows anything there.
    let is_dumb = !std::env::var("TERM").is_ok_and(|term| !term.is_empty() && term != "dumb");
    if args.no_pager || is_dumb || !io::stdout().is_terminal() {
        return write(ui);
    }
    let Some(words) = words(ui) else {
        return write(ui);
    };
    // Ctrl-C is the pager's; we end when it does.
    let _signals = Signals::catch().doing("catch signals")?;
    let pager = match Pager::start(&words) {
        Ok(pager) => pager,
        Err(error) => {
            ui.warning(&format!("the pager cannot be used: {error}"));
            return write(ui);
        }
    };
    let written = write(&ui.paged(pages(&words)));
    pager.finish().doing("give the terminal back")?;
    match written {
        // The person has seen enough.
        Err(error) if error.is_silent() => Ok(Exit::Done),
        written => written,
    }
}

/// The pager's command; `None` for none.
fn words(ui: &Ui) -> Option<Vec<String>> {
    let asked = ["STOCKADE_PAGER", "PAGER"]
        .iter()
        .find_map(|name| std::env::var(name).ok());
    let asked = asked.as_deref().unwrap_or("less");
    let mut words = asked.split_whitespace().map(str::to_owned);
    let program = words.next().filter(|program| program != "cat")?;
    let Some(path) = trusted(&program) else {
        if program != "less" {
            ui.warning(&format!(
                "the pager `{program}` is not used: it is not there, or an agent could have made it"
            ));
        }
        return None;
    };
    let path = path.to_str()?.to_owned();
    Some(std::iter::once(path).chain(words).collect())
}

/// Only of less it is known what it does with colours.
fn pages(words: &[String]) -> Pages {
    let path = words.first().map(Path::new);
    let path = path.map(|path| path.canonicalize().unwrap_or(path.to_owned()));
    match path.as_deref().and_then(Path::file_name) {
        Some(name) if name == "less" => Pages::Colors,
        _ => Pages::Text,
    }
}

/// A program that is in no directory that an agent has worked on, as far as all that is known.
fn trusted(program: &str) -> Option<PathBuf> {
    let runs = night::runs().ok()?.list().ok()?;
    let workspaces = runs.iter().map(|run| run.record().ok());
    let workspaces: Option<Vec<_>> = workspaces
        .map(|record| Some(record?.workspace.path))
        .collect();
    let workspaces = workspaces?;
    let workspaces: Vec<&Path> = workspaces.iter().map(PathBuf::as_path).collect();
    program::find(program, &workspaces)
}

impl Pager {
    fn start(words: &[String]) -> io::Result<Self> {
        let (program, arguments) = words.split_first().ok_or(io::ErrorKind::NotFound)?;
        let mut command = Command::new(program);
        // Not where an agent may have left settings for it.
        command.current_dir("/");
        match std::env::var("LESS") {
            // Colours, and nothing else, come through.
            Ok(flags) if pages(words) == Pages::Colors => {
                command.env("LESS", format!("-R {flags}"))
            }
            Ok(_) => &mut command,
            Err(_) => command.env("LESS", "FRX"),
        };
        let terminal = io::stdout().as_fd().try_clone_to_owned()?;
        let mut child = command.args(arguments).stdin(Stdio::piped()).spawn()?;
        if let Some(input) = child.stdin.take() {
            dup2_stdout(&input)?;
        }
        Ok(Self { child, terminal })
    }

    /// Gives it the end of what it reads, and waits until the person has seen enough.
    fn finish(mut self) -> io::Result<()> {
        let _ = io::stdout().lock().flush();
        dup2_stdout(&self.terminal)?;
        self.child.wait().map(drop)
    }
}

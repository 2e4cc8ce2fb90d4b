//! Between the iterations of a run that goes on step by step: what the person can do, by a key.

use std::io::{self, IsTerminal as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::{Command, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use tokio::task::JoinHandle;

use super::args::Global;
use super::error::{CliError, CliResult, Context as _};
use super::exit::Exit;
use super::program;
use super::signals::Caught;
use super::ui::Ui;
use crate::ralph::{self, Answer, GitAccess, Record, Run, Stop};

/// The longest prompt, in bytes.
const MAX_PROMPT: u64 = 1 << 20;
/// What can be done.
const KEYS: &str =
    "[c]ontinue, [e]dit the prompt, [d]iff, [s]hell, chec[k], [r]oll back to N, [q]uit: ";

/// The person at the keyboard, asked about a run.
pub(crate) struct Keyboard<'a> {
    run: &'a Run,
    record: &'a Record,
    global: &'a Global,
    ui: &'a Ui,
    line: Option<JoinHandle<io::Result<String>>>,
    answered: Option<u64>,
}

/// Whether the terminal is there no more: then the end of input is nobody's word.
fn is_closed() -> bool {
    let stdin = io::stdin();
    let mut asked = [PollFd::new(&stdin, PollFlags::IN)];
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let answered = poll(&mut asked, Some(&now)).is_ok();
    let closed = PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL;
    answered && asked.iter().any(|one| one.revents().intersects(closed))
}

impl<'a> Keyboard<'a> {
    /// Whoever sits there; `None` if nobody does.
    pub(crate) fn new(
        run: &'a Run,
        record: &'a Record,
        global: &'a Global,
        ui: &'a Ui,
    ) -> Option<Self> {
        io::stdin().is_terminal().then_some(Self {
            run,
            record,
            global,
            ui,
            line: None,
            answered: None,
        })
    }

    /// Waits for a line. Dropping the future loses none of it.
    ///
    /// # Errors
    /// It cannot be read; with the exit code of a hangup if the terminal was closed.
    pub(crate) async fn line(&mut self) -> CliResult<String> {
        if self.line.is_none() {
            self.ui.ask(KEYS);
            self.line = Some(tokio::task::spawn_blocking(|| {
                let mut line = String::new();
                // The end of input is the end of the run: nobody can answer any more.
                match io::stdin().read_line(&mut line)? {
                    0 => Ok("q".to_owned()),
                    _ => Ok(line),
                }
            }));
        }
        let Some(reading) = &mut self.line else {
            return Ok(String::new());
        };
        let line = reading.await;
        self.line = None;
        if is_closed() {
            let hangup = Exit::Signal(Caught::HangUp.number());
            return Err(CliError::new(hangup, "the terminal was closed"));
        }
        match line {
            Ok(line) => line.doing("read what you type"),
            Err(error) => Err(CliError::from_source(Exit::Failed, &error)),
        }
    }

    /// Does what was typed about the question in this line of the journal.
    pub(crate) fn act(&mut self, line: &str, question: u64) -> CliResult<()> {
        let mut words = line.split_whitespace();
        let (first, second, more) = (words.next(), words.next(), words.next());
        let answer = match (first.unwrap_or_default(), second) {
            _ if more.is_some() => {
                return self.say("a letter; and for `r` the number of a checkpoint, no more");
            }
            ("c" | "continue", None) => Answer::GoOn,
            ("k" | "check", None) => Answer::Check,
            ("r" | "rollback", Some(number)) => match number.parse() {
                Ok(number) => Answer::RollBack(number),
                Err(_) => return self.say("a checkpoint is a number: see `stockade history`"),
            },
            ("q" | "quit" | "stop", None) => {
                self.answered = Some(question);
                return Ok(self.run.ask_to_stop(Stop::Gently)?);
            }
            ("e" | "edit", None) => match self.edit()? {
                Some(text) => Answer::Prompt(text),
                None => return self.say("the prompt stays as it is"),
            },
            ("d" | "diff", None) => return self.ourselves(&["diff", self.run.id().as_str()]),
            ("s" | "shell", None) => return self.shell(),
            ("", None) => return Ok(()),
            _ => return self.say("a letter; and for `r` the number of a checkpoint, as in `r 0`"),
        };
        self.run.answer(question, answer)?;
        self.answered = Some(question);
        Ok(())
    }

    /// Whether this question is not the person's any more.
    pub(crate) fn has_answered(&self, question: Option<u64>) -> bool {
        question.is_some() && self.answered == question
    }

    fn say(&self, text: &str) -> CliResult<()> {
        self.ui.status(text);
        Ok(())
    }

    /// A shell beside the agent's things: a sandbox of its own, from the same image, that goes with it.
    fn shell(&self) -> CliResult<()> {
        let workspace = &self.record.workspace;
        let volume = format!("{}:{}:Z", workspace.path.display(), workspace.target);
        self.ui
            .status("a shell in a sandbox of its own, without a network; `exit` leaves it");
        let mut words = vec![
            "run",
            "--within",
            self.run.id().as_str(),
            "-it",
            "--rm",
            "--network=none",
            "--allow-unenforced-limits",
            "-v",
            &volume,
            "-w",
            &workspace.target,
            "--entrypoint=/bin/sh",
        ];
        // What the agent was kept from, what it has made is kept from, too.
        let repository = workspace.path.join(".git");
        let only_read = format!("{}:{}/.git:ro", repository.display(), workspace.target);
        let access = self.record.repository.as_ref().map(|own| own.access);
        // A directory, or a further worktree's file; a link would lead elsewhere.
        let is_there = (repository.symlink_metadata()).is_ok_and(|found| !found.is_symlink());
        if access != Some(GitAccess::Rw) && is_there {
            words.extend(["-v", &only_read]);
        }
        words.push(&self.record.image.id);
        self.ourselves(&words)
    }

    /// Another of our verbs, on the same terminal.
    fn ourselves(&self, words: &[&str]) -> CliResult<()> {
        let mut command = program::ourselves();
        for (flag, value) in [
            ("--url", &self.global.url),
            ("--connection", &self.global.connection),
        ] {
            if let Some(value) = value {
                command.arg(flag).arg(value);
            }
        }
        // It says itself what is wrong.
        let ran = command.args(words).status();
        ran.map(drop).doing("run it")
    }

    /// The prompt as the person's editor leaves it; `None` if it is as it was.
    fn edit(&self) -> CliResult<Option<String>> {
        // Notes and what a check has printed are for one iteration, and not in it.
        let before = ralph::prompt(self.run, self.record)?.into_text();
        let directory = self.run.directory().join("editing");
        ralph::files::private_directory(&directory)?;
        let path = directory.join("prompt.md");
        let mut options = std::fs::OpenOptions::new();
        let options = options.write(true).create(true).truncate(true).mode(0o600);
        let written = options.open(&path);
        written
            .and_then(|mut file| io::Write::write_all(&mut file, before.as_bytes()))
            .doing("write the prompt for the editor")?;
        let words = ["VISUAL", "EDITOR"]
            .iter()
            .find_map(|name| {
                std::env::var(name)
                    .ok()
                    .filter(|value| !value.trim().is_empty())
            })
            .unwrap_or_else(|| "vi".to_owned());
        let mut words = words.split_whitespace();
        let program = words.next().unwrap_or("vi");
        let Some(program) = program::find(program, &[&self.record.workspace.path]) else {
            let error = CliError::new(Exit::Failed, format!("there is no editor `{program}`"));
            return Err(error.hint("set EDITOR to one that is not in the workspace"));
        };
        let status = Command::new(program)
            .args(words)
            .arg(&path)
            .current_dir(&directory)
            .stdin(Stdio::inherit())
            .status()
            .doing("run the editor")?;
        let after = ralph::files::read_bounded(&path, MAX_PROMPT)?;
        let _ = std::fs::remove_dir_all(&directory);
        let after = String::from_utf8(after).unwrap_or_default();
        let same = !status.success() || after.trim().is_empty() || after == before;
        Ok((!same).then_some(after))
    }
}

//! A command, run to its end or watched while it runs; what it said stands in every panic.

use std::fmt;
use std::io::Write as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use super::capture::{Capture, stretched};

/// Where programs are looked for.
pub(crate) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The longest that a command may run.
const LIMIT: Duration = Duration::from_secs(150);

/// How much of an output a panic shows, in bytes.
const SHOWN: usize = 16 << 10;

/// A command that is about to be run.
#[derive(Debug)]
#[must_use = "run it"]
pub(crate) struct TestCommand {
    command: Command,
    stdin: Vec<u8>,
}

impl TestCommand {
    /// A command without input.
    pub(crate) fn new(command: Command) -> Self {
        Self {
            command,
            stdin: Vec::new(),
        }
    }

    /// Adds arguments.
    pub(crate) fn args<'a>(mut self, arguments: impl IntoIterator<Item = &'a str>) -> Self {
        self.command.args(arguments);
        self
    }

    /// Sets a variable.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// What it reads: these bytes, then the end.
    pub(crate) fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// The bare command, for a terminal.
    pub(crate) fn into_inner(self) -> Command {
        self.command
    }

    /// Runs it to its end.
    #[track_caller]
    pub(crate) fn run(mut self) -> Output {
        let input = std::mem::take(&mut self.stdin);
        let mut running = self.spawn();
        let mut stdin = running.stdin.take().expect("stdin is piped");
        // Beside the reading: else both could wait for each other.
        thread::spawn(move || {
            // It may well have ended without reading it all.
            let _ = stdin.write_all(&input);
        });
        running.finish()
    }

    /// Starts it with an input that stays open.
    #[track_caller]
    pub(crate) fn spawn(mut self) -> Running {
        let line = line_of(&self.command);
        let child = self
            .command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A group of its own, whose parent is in another one: in an orphaned group, as a test
            // run without a terminal has it, SIGTSTP stops nobody.
            .process_group(0)
            .spawn();
        let mut child = child.unwrap_or_else(|error| panic!("cannot run {line}: {error}"));
        Running {
            stdin: child.stdin.take(),
            stdout: Capture::start(child.stdout.take().expect("stdout is piped")),
            stderr: Capture::start(child.stderr.take().expect("stderr is piped")),
            line,
            child,
        }
    }
}

fn line_of(command: &Command) -> String {
    let mut line = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}

/// A command that runs. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Running {
    line: String,
    child: Child,
    /// Its input; dropping it is the end of file.
    pub(crate) stdin: Option<ChildStdin>,
    /// What it writes.
    pub(crate) stdout: Capture,
    /// What it complains of.
    pub(crate) stderr: Capture,
}

impl Running {
    /// Its process.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Sends it a signal.
    #[track_caller]
    pub(crate) fn signal(&self, signal: Signal) {
        rustix::process::kill_process(self.pid(), signal).expect("it runs");
    }

    /// Waits until it has written this, after what was last waited for.
    #[track_caller]
    pub(crate) fn expect(&self, text: &str) {
        if self.stdout.wait_for(text).is_none() {
            panic!("`{text}` did not come\n{}", self.shown());
        }
    }

    fn shown(&self) -> String {
        let (stdout, stderr) = (self.stdout.bytes(), self.stderr.bytes());
        let mut text = format!("$ {}\n", self.line);
        streams(&mut text, &stdout, &stderr);
        text
    }

    /// Whether it ends by itself within a time.
    pub(crate) fn ends_within(&mut self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        while self.child.try_wait().expect("it is our child").is_none() {
            if Instant::now() > deadline {
                return false;
            }
            thread::sleep(Duration::from_millis(3));
        }
        true
    }

    /// Waits for its end; its input ends first.
    #[track_caller]
    pub(crate) fn finish(mut self) -> Output {
        self.stdin = None;
        let deadline = Instant::now() + stretched(LIMIT);
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                break status;
            }
            if Instant::now() > deadline {
                let _ = self.child.kill();
                panic!("took longer than {LIMIT:?}\n{}", self.shown());
            }
            thread::sleep(Duration::from_millis(3));
        };
        let ends = [&self.stdout, &self.stderr].map(|capture| capture.wait_end(deadline));
        if ends.contains(&None) {
            panic!(
                "ended, but somebody keeps its output open\n{}",
                self.shown()
            );
        }
        Output {
            line: std::mem::take(&mut self.line),
            status,
            bytes: self.stdout.bytes(),
            errors: self.stderr.bytes(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// How a command ended and what it said.
#[must_use = "say how it should have ended: `.success()` or `.code(1)`"]
#[derive(Debug, Clone)]
pub(crate) struct Output {
    line: String,
    status: ExitStatus,
    /// Standard output.
    pub(crate) bytes: Vec<u8>,
    /// Standard error.
    pub(crate) errors: Vec<u8>,
}

impl Output {
    /// It has ended with 0.
    #[track_caller]
    pub(crate) fn success(self) -> Self {
        self.code(0)
    }

    /// It has ended with this exit code.
    #[track_caller]
    pub(crate) fn code(self, code: i32) -> Self {
        assert_eq!(self.status.code(), Some(code), "exit code\n{self}");
        self
    }

    /// The exit code; `None` if a signal ended it.
    pub(crate) fn exit_code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Standard output as text.
    pub(crate) fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// The one line of standard output.
    #[track_caller]
    pub(crate) fn line(&self) -> String {
        let text = self.stdout();
        let line = text.strip_suffix('\n').unwrap_or(&text);
        assert!(!line.is_empty() && !line.contains('\n'), "one line\n{self}");
        line.to_owned()
    }

    /// Standard output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|error| panic!("{error}\n{self}"))
    }

    /// Standard error as text.
    pub(crate) fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.errors).into_owned()
    }

    /// Standard output is this.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert_eq!(self.stdout(), text, "stdout\n{self}");
        self
    }

    /// Standard output has this in it.
    #[track_caller]
    pub(crate) fn has(self, text: &str) -> Self {
        assert!(
            self.stdout().contains(text),
            "no `{text}` on stdout\n{self}"
        );
        self
    }

    /// Standard output has no such thing in it.
    #[track_caller]
    pub(crate) fn lacks(self, text: &str) -> Self {
        assert!(!self.stdout().contains(text), "`{text}` on stdout\n{self}");
        self
    }

    /// Standard error has this in it.
    #[track_caller]
    pub(crate) fn complains(self, text: &str) -> Self {
        assert!(
            self.stderr().contains(text),
            "no `{text}` on stderr\n{self}"
        );
        self
    }

    /// Standard error has no such thing in it.
    #[track_caller]
    pub(crate) fn does_not_complain(self, text: &str) -> Self {
        assert!(!self.stderr().contains(text), "`{text}` on stderr\n{self}");
        self
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = format!("$ {}\n", self.line);
        match (self.status.code(), self.status.signal()) {
            (Some(code), _) => text.push_str(&format!("exit code {code}\n")),
            (None, signal) => text.push_str(&format!("ended by signal {signal:?}\n")),
        }
        streams(&mut text, &self.bytes, &self.errors);
        f.write_str(&text)
    }
}

fn streams(text: &mut String, stdout: &[u8], stderr: &[u8]) {
    for (name, bytes) in [("stdout", stdout), ("stderr", stderr)] {
        let shown = &bytes[..bytes.len().min(SHOWN)];
        text.push_str(&format!("--- {name}, {} bytes\n", bytes.len()));
        text.push_str(&String::from_utf8_lossy(shown));
        if shown.len() < bytes.len() {
            text.push_str(" … (cut)");
        }
        text.push('\n');
    }
}

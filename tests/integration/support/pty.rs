//! A program on a real pseudo-terminal.

use std::fs::File;
use std::io::Write as _;
use std::os::fd::{AsFd as _, OwnedFd};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};
use rustix::pty::OpenptFlags;
use rustix::termios::{self, OptionalActions, Winsize};

use super::capture::{Capture, PATIENCE, stretched};
use super::command::TestCommand;

/// A program whose terminal we hold. Dropping it kills the program.
#[derive(Debug)]
pub(crate) struct Pty {
    child: Child,
    keyboard: File,
    /// Our end of its side: with it the terminal's modes can be read when the program is gone.
    line: OwnedFd,
    screen: Capture,
    /// The terminal's modes before the program had it.
    before: String,
}

impl Pty {
    /// Starts a command as the leader of a session that this terminal controls.
    #[track_caller]
    pub(crate) fn spawn(command: TestCommand, rows: u16, columns: u16) -> Self {
        let (master, line) = open();
        resize(&line, rows, columns);
        let before = modes(&line);
        let command = command.into_inner();
        // Without unsafe code only a program in between can make the terminal the controlling one.
        // It becomes the command, since it leads no process group itself.
        let mut leader = Command::new("setsid");
        leader.arg("--ctty").arg(command.get_program());
        leader.args(command.get_args());
        leader.env_clear();
        for (name, value) in command.get_envs() {
            if let Some(value) = value {
                leader.env(name, value);
            }
        }
        if let Some(directory) = command.get_current_dir() {
            leader.current_dir(directory);
        }
        let end = || line.try_clone().expect("a descriptor");
        leader.stdin(end()).stdout(end()).stderr(end());
        let child = leader.spawn().expect("setsid of util-linux is there");
        let keyboard = File::from(master);
        let screen = Capture::start(keyboard.try_clone().expect("a descriptor"));
        Self {
            child,
            keyboard,
            line,
            screen,
            before,
        }
    }

    /// Types these bytes in one packet.
    #[track_caller]
    pub(crate) fn type_keys(&mut self, bytes: &[u8]) {
        self.keyboard
            .write_all(bytes)
            .expect("the terminal takes it");
    }

    /// Waits until the screen shows this, after what was last waited for.
    #[track_caller]
    pub(crate) fn expect(&self, text: &str) {
        if self.screen.wait_for(text).is_none() {
            panic!("`{text}` did not come; the screen:\n{}", self.screen.text());
        }
    }

    /// Everything the screen has shown.
    pub(crate) fn screen(&self) -> String {
        self.screen.text()
    }

    /// Everything that a program which has ended has shown: a thread reads it, so that a mark is
    /// waited for.
    #[track_caller]
    pub(crate) fn last_screen(&self) -> String {
        const END: &str = "<the end>";
        let line = self.line.try_clone().expect("a descriptor");
        let written = File::from(line).write_all(END.as_bytes());
        written.expect("the terminal takes it");
        self.expect(END);
        self.screen().replace(END, "")
    }

    /// Changes the terminal's size, as a window does: the program gets SIGWINCH.
    pub(crate) fn resize(&self, rows: u16, columns: u16) {
        resize(&self.line, rows, columns);
    }

    /// The terminal's modes are what they were before the program had it.
    #[track_caller]
    pub(crate) fn assert_given_back(&self) {
        assert_eq!(
            modes(&self.line),
            self.before,
            "the screen:\n{}",
            self.screen()
        );
    }

    /// Waits until the terminal is in raw mode.
    #[track_caller]
    pub(crate) fn wait_raw(&self) {
        let deadline = Instant::now() + stretched(PATIENCE);
        while termios::tcgetattr(&self.line)
            .expect("a terminal")
            .local_modes
            .contains(termios::LocalModes::ICANON)
        {
            assert!(Instant::now() < deadline, "not raw:\n{}", self.screen());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// How many bytes that were typed wait for whoever reads the terminal next.
    pub(crate) fn unread(&self) -> u64 {
        // Whole lines only count while the terminal waits for them.
        let mut modes = termios::tcgetattr(&self.line).expect("a terminal");
        modes.local_modes.remove(termios::LocalModes::ICANON);
        termios::tcsetattr(&self.line, OptionalActions::Now, &modes).expect("a terminal");
        rustix::io::ioctl_fionread(&self.line).expect("a terminal")
    }

    /// Sends the program a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        rustix::process::kill_process(Pid::from_child(&self.child), signal).expect("it runs");
    }

    /// Whether the program has the terminal's keys one by one.
    pub(crate) fn takes_keys(&self) -> bool {
        let modes = termios::tcgetattr(&self.line).expect("a terminal");
        !modes.local_modes.contains(termios::LocalModes::ICANON)
    }

    /// Whether the program was stopped, as by Ctrl-Z.
    pub(crate) fn is_stopped(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()));
        // Behind the name, which may hold anything.
        stat.is_ok_and(|stat| {
            stat.rsplit_once(") ")
                .is_some_and(|(_, state)| state.starts_with('T'))
        })
    }

    /// Waits for the program's end and gives its exit code.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> Option<i32> {
        let deadline = Instant::now() + stretched(PATIENCE);
        loop {
            if let Some(status) = self.child.try_wait().expect("our child") {
                return status.code();
            }
            if Instant::now() > deadline {
                panic!("does not end; the screen:\n{}", self.screen());
            }
            std::thread::sleep(Duration::from_millis(3));
        }
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn open() -> (OwnedFd, OwnedFd) {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let master = rustix::pty::openpt(flags).expect("a pseudo-terminal");
    rustix::pty::grantpt(&master).expect("granted");
    rustix::pty::unlockpt(&master).expect("unlocked");
    let line = rustix::pty::ioctl_tiocgptpeer(&master, flags).expect("its other end");
    (master, line)
}

fn resize(line: &OwnedFd, rows: u16, columns: u16) {
    let size = Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    termios::tcsetwinsize(line.as_fd(), size).expect("a terminal");
}

fn modes(line: &OwnedFd) -> String {
    let termios = termios::tcgetattr(line).expect("a terminal");
    format!(
        "{:?} {:?} {:?} {:?} {:?}",
        termios.input_modes,
        termios.output_modes,
        termios.control_modes,
        termios.local_modes,
        termios.special_codes
    )
}

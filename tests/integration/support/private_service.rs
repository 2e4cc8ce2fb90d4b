//! Rootless services of our own, each on a private store: the one of `cargo test` without the bench,
//! and those of tests that end their service.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use super::capture::PATIENCE;
use super::dir::TestDir;
use super::image;
use super::podman::Podman;

/// Starts services on request, and clears them away when the requests end: when we do, in whatever
/// way.
const STARTER: &str = include_str!("private_service.sh");

/// How often it is looked whether something has happened.
const PAUSE: Duration = Duration::from_millis(10);

/// Who takes our requests: a FIFO of the bench, where the slot's release is only in namespaces of
/// its own, else a shell of ours.
#[derive(Debug)]
enum Starter {
    Ours(Child),
    Bench(File),
}

/// Kept for the life of the process.
static STARTED: Mutex<Option<Starter>> = Mutex::new(None);

fn request(line: &str) {
    let mut starter = STARTED.lock().unwrap();
    let written = match starter.get_or_insert_with(Starter::find) {
        Starter::Ours(shell) => {
            let stdin = shell.stdin.as_mut().expect("it is piped");
            writeln!(stdin, "{line}")
        }
        Starter::Bench(fifo) => writeln!(fifo, "{line}"),
    };
    written.expect("the starter takes requests");
}

impl Starter {
    fn find() -> Self {
        if let Some(path) = std::env::var_os("STOCKADE_TEST_STARTER") {
            let fifo = OpenOptions::new().write(true).open(path);
            return Self::Bench(fifo.expect("the bench's starter"));
        }
        let shell = Command::new("sh")
            .args(["-c", STARTER])
            .stdin(Stdio::piped())
            // Whoever reads our output does not wait for the clearing away.
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self::Ours(shell.expect("a shell"))
    }
}

/// The service that all tests use where the bench gives none.
///
/// # Panics
/// There is no Podman, or it does not answer.
pub(crate) fn start() -> Podman {
    assert!(
        !rustix::process::geteuid().is_root(),
        "these tests belong to an ordinary user; as root, use `make test`"
    );
    let directory = tempfile::Builder::new()
        .prefix("stockade-")
        .tempdir()
        .expect("a temporary directory")
        .keep();
    std::fs::create_dir(directory.join("shared")).expect("a new directory");
    request(&format!("start {} 0", directory.display()));
    let socket = directory.join("podman.sock");
    let log = directory.join("service.log");
    wait_ping(&socket, &log);
    let url = format!("unix://{}", socket.display());
    let remote = ["podman", "--remote", "--url", &url].map(Into::into);
    Podman::new(
        socket,
        directory.join("shared"),
        busybox(),
        remote.into(),
        Some(log),
    )
}

/// A further service of the release that is tested, for a test that ends it. Dropping it clears it
/// away: declare it before the directories on it.
#[derive(Debug)]
pub(crate) struct Service {
    directory: PathBuf,
    seconds: u32,
    podman: &'static Podman,
}

impl Service {
    /// Starts one, with the tests' image.
    #[track_caller]
    pub(crate) fn start() -> Self {
        Self::idle(0)
    }

    /// Starts one that ends after so many seconds without work; 0 is never.
    #[track_caller]
    pub(crate) fn idle(seconds: u32) -> Self {
        let main = Podman::get();
        let directory = tempfile::Builder::new()
            .prefix("p-")
            .tempdir_in(&main.shared)
            .expect("the directory can be written to")
            .keep();
        let socket = directory.join("podman.sock");
        let mut remote = main.remote.clone();
        // Of two the last counts.
        remote.extend([
            "--url".into(),
            format!("unix://{}", socket.display()).into(),
        ]);
        let podman = Podman::new(
            socket,
            main.shared.clone(),
            main.busybox.clone(),
            remote,
            Some(directory.join("service.log")),
        );
        let mut service = Self {
            directory,
            seconds: 0,
            podman: Box::leak(Box::new(podman)),
        };
        service.start_again();
        assert_eq!(
            service.podman.version(),
            main.version(),
            "the release that is tested cannot be started from here"
        );
        image::make(&service.dir());
        if seconds > 0 {
            service.kill();
            service.seconds = seconds;
            service.start_again();
        }
        service
    }

    /// The service as such.
    pub(crate) fn podman(&self) -> &'static Podman {
        self.podman
    }

    /// A test's directory on it.
    pub(crate) fn dir(&self) -> TestDir {
        TestDir::of(self.podman)
    }

    /// Starts it on the same store and socket once more, and waits until it answers.
    #[track_caller]
    pub(crate) fn start_again(&self) {
        let directory = self.directory.display();
        request(&format!("start {directory} {}", self.seconds));
        wait_ping(&self.podman.socket, &self.directory.join("service.log"));
    }

    /// Ends it at once, as the kernel does for want of memory; its containers run on.
    #[track_caller]
    pub(crate) fn kill(&self) {
        for process in self.processes() {
            let _ = rustix::process::kill_process(process, Signal::KILL);
        }
        self.wait_ended();
    }

    /// Ends it, its containers and all that looks after them, as a power failure does; what it keeps
    /// at run time is gone.
    #[track_caller]
    pub(crate) fn reboot(&self) {
        let done = self.directory.join("rebooted");
        request(&format!("reboot {}", self.directory.display()));
        let deadline = Instant::now() + PATIENCE;
        while !done.exists() {
            assert!(Instant::now() < deadline, "it does not go down");
            sleep(PAUSE);
        }
        std::fs::remove_file(done).expect("it was there");
        self.wait_ended();
    }

    /// Waits until its processes have ended.
    #[track_caller]
    pub(crate) fn wait_ended(&self) {
        let deadline = Instant::now() + PATIENCE;
        // One that is about to go has no arguments any more, and its socket still.
        let listens = || UnixStream::connect(&self.podman.socket).is_ok();
        while !self.processes().is_empty() || listens() {
            assert!(Instant::now() < deadline, "the service does not end");
            sleep(PAUSE);
        }
    }

    /// How many monitors of its containers there are.
    pub(crate) fn monitors(&self) -> usize {
        let store = self.directory.join("root");
        let store = store.as_os_str().as_encoded_bytes();
        let processes = std::fs::read_dir("/proc").expect("proc(5)");
        let lines = processes
            .filter_map(|entry| std::fs::read(entry.ok()?.path().join("cmdline")).ok())
            .filter(|line| line.starts_with(b"/usr/bin/conmon\0"));
        lines
            .filter(|line| line.windows(store.len()).any(|part| part == store))
            .count()
    }

    /// Its processes: two of a rootless one, the second of which serves.
    pub(crate) fn processes(&self) -> Vec<Pid> {
        let url = format!("\0{}\0", self.podman.url());
        let is_ours = |process: &PathBuf| {
            let line = std::fs::read(process.join("cmdline")).unwrap_or_default();
            // One that has ended and was not waited for has no arguments any more.
            line.windows(url.len()).any(|part| part == url.as_bytes())
                && line.windows(8).any(|part| part == b"\0service")
        };
        let processes = std::fs::read_dir("/proc").expect("proc(5)");
        let mut found: Vec<_> = processes
            .map(|entry| entry.expect("an entry").path())
            .filter(is_ours)
            .filter_map(|process| Pid::from_raw(process.file_name()?.to_str()?.parse().ok()?))
            .collect();
        found.sort_by_key(|pid| pid.as_raw_nonzero());
        found
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        request(&format!("clear {}", self.directory.display()));
    }
}

/// An answer counts, not the socket's file: that is there before anybody listens.
#[track_caller]
fn wait_ping(socket: &Path, log: &Path) {
    let deadline = Instant::now() + PATIENCE;
    while !pings(socket) {
        if Instant::now() > deadline {
            let text = std::fs::read_to_string(log).unwrap_or_default();
            panic!("no Podman service answers; its log:\n{text}");
        }
        sleep(PAUSE);
    }
}

fn pings(socket: &Path) -> bool {
    use std::io::{Read as _, Write as _};
    let Ok(mut stream) = UnixStream::connect(socket) else {
        return false;
    };
    let request = b"GET /libpod/_ping HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n";
    let mut answer = String::new();
    let limit = Some(Duration::from_secs(5));
    stream.set_read_timeout(limit).is_ok()
        && stream.write_all(request).is_ok()
        && stream.read_to_string(&mut answer).is_ok()
        && answer.ends_with("OK")
}

fn busybox() -> PathBuf {
    [
        "/bin/busybox",
        "/usr/bin/busybox",
        "/usr/bin/busybox.static",
    ]
    .map(PathBuf::from)
    .into_iter()
    .find(|path| path.exists())
    .expect("a static busybox (Debian package busybox-static)")
}

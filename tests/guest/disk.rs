//! A store whose disk is full: it is said, and nothing is left.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use crate::gate;
use crate::support::capture::{PATIENCE, stretched};
use crate::support::command::{Output, PATH, TestCommand};
use crate::support::dir::TestDir;
use crate::support::image::tiny;

const FULL: &str = "o space left on device";

/// A service of alice's whose store has a small disk of its own.
struct SmallStore {
    disk: PathBuf,
    podman: Option<Child>,
}

/// As alice, in her session.
fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).env_clear().env("PATH", PATH);
    command
        .env("HOME", "/home/alice")
        .env("XDG_RUNTIME_DIR", "/run/user/1000");
    command
}

#[track_caller]
fn done(program: &str, arguments: &[&str]) -> Output {
    TestCommand::new(command(program, arguments))
        .run()
        .success()
}

impl SmallStore {
    /// Mounts 48 MiB and starts the service; it has the tests' image.
    fn start(dir: &TestDir) -> Self {
        gate::in_a_guest();
        let disk = dir.path().join("disk");
        fs::create_dir(&disk).expect("a directory");
        let mut store = Self { disk, podman: None };
        let image = dir.path().join("disk.img").display().to_string();
        let _ = done("truncate", &["--size", "48M", &image]);
        let _ = done("mke2fs", &["-q", "-t", "ext4", "-m", "0", &image]);
        let _ = done("sudo", &["mount", "-o", "loop", &image, &store.path("")]);
        let _ = done("sudo", &["chown", "alice:alice", &store.path("")]);
        let archive = dir.path().join("image.tar").display().to_string();
        let save = dir
            .podman()
            .command(&["save", "--output", &archive, tiny()]);
        let _ = save.run().success();
        let _ = store.podman(&["load", "--input", &archive]);
        let mut service = command("podman", &store.options());
        service.args(["system", "service", "--time=0", &store.url()]);
        // A rootless Podman is two processes, hence the group; who waits for our output's end does
        // not wait for theirs.
        service.process_group(0).stdin(Stdio::null());
        service.stdout(Stdio::null()).stderr(Stdio::null());
        store.podman = Some(service.spawn().expect("podman starts"));
        let deadline = Instant::now() + stretched(PATIENCE);
        while std::os::unix::net::UnixStream::connect(store.socket()).is_err() {
            assert!(Instant::now() < deadline, "no service");
            std::thread::sleep(Duration::from_millis(50));
        }
        store
    }

    fn path(&self, below: &str) -> String {
        self.disk.join(below).display().to_string()
    }

    fn socket(&self) -> PathBuf {
        self.disk.with_file_name("small.sock")
    }

    fn url(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    fn options(&self) -> [&str; 4] {
        let root = self.disk.to_str().expect("a name of ours");
        ["--root", root, "--runroot", "/run/user/1000/small"]
    }

    #[track_caller]
    fn podman(&self, arguments: &[&str]) -> Output {
        done("podman", &[&self.options(), arguments].concat())
    }

    /// What of images and containers there is.
    fn content(&self, here: &TestDir) -> String {
        let list = |words: &[&str]| here.stockade(words).run().success().stdout();
        let images = list(&["images", "--all", "--quiet"]);
        let containers = list(&["ps", "--all", "--quiet", "--unmanaged"]);
        format!("{images}/{containers}")
    }
}

impl Drop for SmallStore {
    fn drop(&mut self) {
        let run = |program: &str, arguments: &[&str]| {
            let ended = command(program, arguments).status();
            if !ended.is_ok_and(|status| status.success()) {
                eprintln!("{program} {arguments:?} failed");
            }
        };
        if let Some(mut podman) = self.podman.take() {
            let group = Pid::from_child(&podman);
            if let Err(error) = rustix::process::kill_process_group(group, Signal::TERM) {
                eprintln!("the service with the small store: {error}");
                let _ = podman.kill();
            }
            let _ = podman.wait();
        }
        // A mount of its own lies over the store, in the namespace of all of alice's Podmans.
        run(
            "podman",
            &["unshare", "umount", "--recursive", &self.path("overlay")],
        );
        run("sudo", &["umount", "--lazy", &self.path("")]);
    }
}

#[test]
#[ignore = "needs podman: with cgroup v2 limits, run by tests/bench/vm.sh"]
fn a_full_disk_is_said_and_leaves_nothing() {
    gate::in_a_guest();
    let dir = TestDir::new();
    let small = SmallStore::start(&dir);
    let here = TestDir::on(&small.socket());
    let before = small.content(&here);
    let fill = "dd if=/dev/zero of=/big bs=1M count=100";
    let run = |flags: &[&str], script: &str| {
        let first = ["run", "--rm", "--network", "none"];
        here.stockade(&[&first, flags, &[tiny(), "sh", "-c", script]].concat())
            .run()
    };

    // What the agent writes is the agent's to hear of.
    let _ = run(
        &["--as-root"],
        &format!("{fill}; echo code $?; rm /big; exit 5"),
    )
    .code(5)
    .says("code 1\n")
    .complains(FULL);
    assert_eq!(small.content(&here), before);

    // Where it leaves no room for Podman's own records that is said, unless there was just enough,
    // and with a little room the container can be removed.
    let reserve = small.path("reserve");
    fs::write(&reserve, crate::support::noise(2 << 20)).expect("ours");
    let name = here.name("filler");
    let ended = run(&["--as-root", "--name", &name], &format!("{fill}; exit 5"));
    if ended.exit_code() != Some(5) {
        let _ = ended.code(125).complains("full");
    }
    fs::remove_file(&reserve).expect("ours");
    let _ = here
        .stockade(&["rm", "--force", "--time", "0", "--ignore", &name])
        .run()
        .success();
    assert_eq!(small.content(&here), before);

    // Not a byte is free before anything is made.
    let filler = small.path("filler");
    let filled = command("dd", &["if=/dev/zero", &format!("of={filler}"), "bs=64k"]).status();
    assert!(!filled.expect("dd runs").success(), "there was room");
    let _ = run(&[], "echo ran").code(125).says("").complains(FULL);
    fs::remove_file(&filler).expect("ours");
    assert_eq!(small.content(&here), before);

    // A night that would end for want of room there is not begun.
    let night = ["ralph", "--image", tiny(), "--min-free=100m", "--no-check"];
    let task = ["--prompt=x", "--completion-promise=DONE", "--", "true"];
    let refused = here.stockade(&[&night[..], &task].concat()).run();
    let _ = refused.code(30).complains("100 MiB have to stay so");
    assert_eq!(small.content(&here), before);

    // With room again it works.
    let _ = run(&[], "echo ran").success().says("ran\n");
    assert_eq!(small.content(&here), before);

    // A step of a build. Podman may keep what it had of it in no image: this comes last.
    here.write("Containerfile", format!("FROM {}\nRUN {fill}\n", tiny()));
    let build = ["build", "--network=none", "-t", "localhost/big", "."];
    let built = here.stockade(&build).run();
    // By the step itself, before 5.0 by nobody else.
    let built = built.code(1);
    assert!(
        built.stdout().contains(FULL) || built.stderr().contains(FULL),
        "{built}"
    );
    assert_eq!(small.content(&here), before);

    // What is sent to it.
    here.write("big", vec![b'x'; 64 << 20]);
    here.write("Containerfile", format!("FROM {}\nCOPY big /\n", tiny()));
    let built = here.stockade(&build).run();
    let _ = built.code(1).complains(FULL);
    assert_eq!(small.content(&here), before);
}

//! No socket anywhere: the service that Stockade starts for its own use. It is the machine's own
//! Podman, whatever release the other tests talk to.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use rustix::process::{Pid, Signal};

use crate::support::capture::{PATIENCE, wait_until};
use crate::support::command::{PATH, TestCommand};
use crate::support::podman::stockade_program;

/// A person's home and runtime directory, with no service in it. Dropping it ends what was started.
#[derive(Debug)]
struct Person(tempfile::TempDir);

impl Person {
    fn new() -> Self {
        assert!(
            !rustix::process::geteuid().is_root(),
            "as root another service would be started: the machine's"
        );
        // A socket's path is short.
        let root = tempfile::Builder::new().prefix("st-").tempdir_in("/tmp");
        let person = Self(root.unwrap());
        for name in ["home", "run", "project"] {
            fs::create_dir(person.path(name)).unwrap();
            fs::set_permissions(person.path(name), PermissionsExt::from_mode(0o700)).unwrap();
        }
        person
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn stockade(&self, arguments: &[&str]) -> TestCommand {
        let mut command = Command::new(stockade_program());
        command
            .env_clear()
            .env("PATH", PATH)
            .env("HOME", self.path("home"))
            .env("XDG_RUNTIME_DIR", self.path("run"))
            .env("ANTHROPIC_API_KEY", "sk-not-for-podman")
            .current_dir(self.path("project"))
            .args(arguments);
        TestCommand::new(command)
    }

    /// The services' processes that there are.
    fn services(&self) -> Vec<Pid> {
        let sockets = format!("unix://{}/", self.path("run/stockade").display());
        let is_ours = |process: &PathBuf| {
            fs::read(process.join("cmdline"))
                .is_ok_and(|line| String::from_utf8_lossy(&line).contains(&sockets))
        };
        let processes = fs::read_dir("/proc").unwrap();
        processes
            .map(|entry| entry.unwrap().path())
            .filter(is_ours)
            .filter_map(|process| Pid::from_raw(process.file_name()?.to_str()?.parse().ok()?))
            .collect()
    }

    /// The sockets that there are, without the names that stand for them.
    fn sockets(&self) -> Vec<OsString> {
        let entries = fs::read_dir(self.path("run/stockade")).unwrap();
        let entries = entries.map(Result::unwrap);
        let is_socket = |entry: &fs::DirEntry| {
            use std::os::unix::fs::FileTypeExt as _;
            entry.file_type().unwrap().is_socket()
        };
        entries.filter(is_socket).map(|e| e.file_name()).collect()
    }

    /// Ends the services and waits for it.
    fn end_services(&self, signal: Signal) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let services = self.services();
            if services.is_empty() {
                return;
            }
            for service in services {
                let _ = rustix::process::kill_process(service, signal);
            }
            assert!(Instant::now() < deadline, "the service does not end");
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        self.end_services(Signal::KILL);
        // What holds a rootless Podman's namespaces.
        let pause = fs::read_to_string(self.path("run/libpod/tmp/pause.pid")).unwrap_or_default();
        let line = fs::read(Path::new("/proc").join(pause.trim()).join("cmdline"));
        let is_pause = line.is_ok_and(|line| line.starts_with(b"catatonit\0-P"));
        if let Some(pid) = pause.trim().parse().ok().and_then(Pid::from_raw)
            && is_pause
        {
            let _ = rustix::process::kill_process(pid, Signal::KILL);
        }
    }
}

/// What is said when one is started, and at no other time.
const STARTED: &str = "no Podman socket: started `";

#[test]
#[ignore = "needs podman: starts the machine's own"]
fn is_started_privately_said_once_and_found_again() {
    let person = Person::new();
    let _ = person
        .stockade(&["version"])
        .run()
        .success()
        .has("Podman: ")
        .complains(STARTED)
        .complains("--cgroup-manager=cgroupfs");
    let first = person.services();
    assert!(!first.is_empty());
    for service in &first {
        let process = PathBuf::from(format!("/proc/{}", service.as_raw_nonzero()));
        let environment = fs::read(process.join("environ")).unwrap();
        let environment = String::from_utf8_lossy(&environment).into_owned();
        assert!(environment.contains("XDG_RUNTIME_DIR="), "{environment}");
        assert!(!environment.contains("sk-not"), "{environment}");
    }
    let directory = person.path("run/stockade").metadata().unwrap();
    assert_eq!(directory.mode() & 0o7777, 0o700);

    let _ = person
        .stockade(&["ps"])
        .run()
        .success()
        .does_not_complain(STARTED);
    let _ = person.stockade(&["info"]).run().success().json();
    assert_eq!(person.services(), first);
}

#[test]
#[ignore = "needs podman: starts the machine's own"]
fn many_at_once_start_one() {
    let person = Person::new();
    let running: Vec<_> = (0..8).map(|_| person.stockade(&["ps"]).spawn()).collect();
    let outputs: Vec<_> = running.into_iter().map(|r| r.finish().success()).collect();
    let starters = outputs.iter().filter(|o| o.stderr().contains(STARTED));
    assert_eq!(starters.count(), 1);
    assert_eq!(person.sockets().len(), 1);
}

#[test]
#[ignore = "needs podman: starts the machine's own"]
fn is_started_anew_when_it_has_ended_in_whatever_way() {
    let person = Person::new();
    for signal in [Signal::TERM, Signal::KILL] {
        let _ = person.stockade(&["ps"]).run().success().complains(STARTED);
        person.end_services(signal);
    }
    let _ = person.stockade(&["ps"]).run().success().complains(STARTED);
    // What the killed one left is gone.
    assert_eq!(person.sockets().len(), 1);
}

#[test]
#[ignore = "needs podman: starts the machine's own"]
fn ctrl_c_ends_us_and_not_the_service() {
    let person = Person::new();
    let _ = person.stockade(&["version"]).run().success();
    let service = person.services();
    let running = person.stockade(&["events"]).spawn();
    std::thread::sleep(std::time::Duration::from_millis(300));
    running.signal(Signal::INT);
    let _ = running.finish();
    assert_eq!(person.services(), service);
    let group = |pid: Pid| rustix::process::getpgid(Some(pid)).unwrap();
    let own = rustix::process::getpgrp();
    assert!(service.iter().all(|pid| group(*pid) != own));
}

#[test]
#[ignore = "needs podman: would start the machine's own"]
fn a_planted_podman_is_passed_over_and_named() {
    let person = Person::new();
    let bin = person.path("project/bin");
    fs::create_dir(&bin).unwrap();
    let planted = bin.join("podman");
    let mark = person.path("project/ran");
    fs::write(&planted, format!("#!/bin/sh\ntouch {}\n", mark.display())).unwrap();
    fs::set_permissions(&planted, PermissionsExt::from_mode(0o755)).unwrap();

    let entry = bin.to_str().unwrap();
    for search in [entry, "bin", "bin:", "/nowhere"] {
        let refused = person.stockade(&["ps"]).env("PATH", search).run().code(3);
        let refused = refused.complains("systemctl --user enable --now podman.socket");
        if search != "/nowhere" {
            let _ = refused.complains("/podman` is not used: ");
        }
        assert!(person.services().is_empty());
    }
    let _ = person
        .stockade(&["ps"])
        .env("PATH", &format!("{entry}:bin:{PATH}"))
        .run()
        .success()
        .complains("started `/usr/bin/podman ");
    assert!(!mark.exists(), "the planted program was run");
}

#[test]
#[ignore = "needs podman: would start the machine's own"]
fn a_socket_that_was_asked_for_starts_nothing() {
    let person = Person::new();
    let usual = format!("unix://{}", person.path("run/podman/podman.sock").display());
    let _ = person
        .stockade(&["--url", &usual, "ps"])
        .run()
        .code(3)
        .complains("chosen by `--url`");
    let _ = person
        .stockade(&["ps"])
        .env("CONTAINER_HOST", &usual)
        .run()
        .code(3)
        .complains("chosen by `CONTAINER_HOST`");
    assert!(!person.path("run/stockade").exists());
}

#[test]
#[ignore = "needs podman: would start the machine's own"]
fn a_directory_that_is_open_to_others_is_refused() {
    let person = Person::new();
    let directory = person.path("run/stockade");
    fs::create_dir(&directory).unwrap();
    fs::set_permissions(&directory, PermissionsExt::from_mode(0o755)).unwrap();
    let _ = person
        .stockade(&["ps"])
        .run()
        .code(3)
        .complains("its mode is 0755 in place of 0700");
    assert!(person.services().is_empty());
}

#[test]
#[ignore = "needs podman: starts the machine's own"]
fn what_it_said_is_told_when_it_ends_at_once() {
    let person = Person::new();
    let config = person.path("home/.config/containers");
    fs::create_dir_all(&config).unwrap();
    fs::write(
        config.join("storage.conf"),
        "[storage]\ndriver = \"none-such\"\n",
    )
    .unwrap();
    let _ = person
        .stockade(&["ps"])
        .run()
        .code(3)
        .complains("ended at once")
        .complains("none-such")
        .does_not_complain(STARTED);
}

/// A run whose agent works in a person's project until `go` is there.
fn night(person: &Person) -> String {
    let write =
        |name: &str, text: &str| fs::write(person.path("project").join(name), text).unwrap();
    write(
        "Containerfile",
        "FROM scratch\nCOPY busybox /bin/\nENV PATH=/bin\nRUN [\"/bin/busybox\", \"--install\", \"-s\", \"/bin\"]\n",
    );
    let busybox = &crate::support::podman::Podman::get().busybox;
    fs::copy(busybox, person.path("project/busybox")).unwrap();
    let _ = person
        .stockade(&["build", "-q", "--network=none", "-t", "night", "."])
        .run()
        .success();
    let agent = "touch begun; until [ -e go ]; do sleep 0.1; done";
    let first = [
        "ralph",
        "-d",
        "--no-linger-check",
        "--network=none",
        "--prompt=Wait.",
    ];
    let last = [
        "--no-check",
        "--max-iterations=1",
        "--image=night",
        "--",
        "sh",
        "-c",
        agent,
    ];
    person
        .stockade(&[&first[..], &last].concat())
        .run()
        .success()
        .line()
}

#[test]
#[ignore = "needs podman: starts the machine's own"]
fn a_run_whose_service_was_killed_starts_another() {
    let person = Person::new();
    let id = night(&person);
    wait_until(|| person.path("project/begun").exists());
    person.end_services(Signal::KILL);
    // Nobody else asks for one.
    wait_until(|| !person.services().is_empty());
    fs::write(person.path("project/go"), "").unwrap();
    let _ = person.stockade(&["wait", &id]).run().code(11);
    let _ = person
        .stockade(&["report", &id])
        .run()
        .success()
        .has("Podman's service went away; waiting for it");
    let left = person.stockade(&["ps", "-a", "-q"]).run().success();
    assert_eq!(left.stdout(), "");
}

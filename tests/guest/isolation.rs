//! What a container cannot see, use or change. Each probe is also made where it must succeed.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::process::{Child, Command};

use crate::gate;
use crate::support::command::Output;
use crate::support::dir::TestDir;
use crate::support::image::tiny;

/// `run --rm --network none FLAGS IMAGE sh -c SCRIPT`
fn run(dir: &TestDir, flags: &[&str], script: &str) -> Output {
    let first = ["run", "--rm", "--network", "none"];
    let last = [tiny(), "sh", "-c", script];
    dir.stockade(&[&first, flags, &last].concat()).run()
}

/// A process of the guest's, known by its arguments.
struct Needle(Child);

impl Needle {
    fn start(name: &str) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 1000; :", name]);
        Self(command.spawn().expect("a shell"))
    }
}

impl Drop for Needle {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
#[ignore = "needs podman: with cgroup v2 limits, run by tests/bench/vm.sh"]
fn the_callers_home_processes_and_podman_are_not_to_be_found() {
    gate::in_a_guest();
    let dir = TestDir::new();
    let name = dir.name("needle");
    let _needle = Needle::start(&name);
    let secret = format!("/home/alice/{name}");
    fs::write(&secret, "secret").expect("alice's home");
    let socket = dir.podman().socket.display().to_string();
    // The name is in two parts, so that this script is not found itself.
    let (head, tail) = name.split_at(name.len() / 2);
    let script = format!(
        "n={head}''{tail}; found() {{ echo \"$1 found\"; }}; \
         cat /home/alice/$n >/dev/null 2>&1 && found secret; \
         [ -n \"$(find /home /root -name $n 2>/dev/null)\" ] && found file; \
         [ -S {socket} ] && found socket; \
         [ -n \"$(find /run /var/run -name podman.sock 2>/dev/null)\" ] && found other-socket; \
         for p in /proc/[0-9]*/cmdline; do \
         tr '\\0' ' ' <$p 2>/dev/null | grep -q \" ${{n}} \" && found process; done; \
         [ -e /proc/{} ] && found us; echo end",
        std::process::id(),
    );
    let all = "secret found\nfile found\nsocket found\nother-socket found\nprocess found\nus found\nend\n";
    // Here they are found, each of them.
    let here = dir.shell(&format!(
        "exec busybox sh -c '{}'",
        script.replace('\'', "'\\''")
    ));
    let _ = here
        .env("PATH", "/srv/bench:/bin:/usr/bin")
        .run()
        .success()
        .says(all);
    let _ = run(&dir, &[], &script).success().says("end\n");
    fs::remove_file(secret).expect("ours");
}

#[test]
#[ignore = "needs podman: with cgroup v2 limits, run by tests/bench/vm.sh"]
fn nothing_is_privileged_and_what_is_made_is_the_callers() {
    gate::in_a_guest();
    let dir = TestDir::new();
    let status = "grep -E '^(Uid|CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status";
    let script =
        format!("{status}; umask 022; mkdir /workspace/made; echo x > /workspace/made/file");
    let said = run(&dir, &["-v", ".:/workspace:Z"], &script).success();
    let uid = rustix::process::geteuid().as_raw();
    let _ = said.says(&format!(
        "Uid:\t{uid}\t{uid}\t{uid}\t{uid}\nCapEff:\t0000000000000000\nCapBnd:\t0000000000000000\n\
         NoNewPrivs:\t1\nSeccomp:\t2\n"
    ));
    for path in ["made", "made/file"] {
        let made = fs::metadata(dir.work().join(path)).expect("made");
        assert_eq!(
            (made.uid(), made.gid()),
            (uid, rustix::process::getegid().as_raw())
        );
    }
    // The same lines are others in a container that is not a sandbox.
    let open = run(&dir, &["--privileged", "--not-a-sandbox"], status).success();
    let _ = open
        .lacks("CapBnd:\t0000000000000000")
        .lacks("NoNewPrivs:\t1")
        .lacks("Seccomp:\t2");
}

#[test]
#[ignore = "needs podman: with cgroup v2 limits, run by tests/bench/vm.sh"]
fn a_read_only_root_holds_even_against_root() {
    gate::in_a_guest();
    let dir = TestDir::new();
    let script = "for f in /etc/x /bin/x /x; do touch $f 2>&1; done; \
                  mount -o remount,rw / 2>/dev/null && echo remounted; \
                  touch /tmp/x && echo scratch";
    let closed = run(&dir, &["--as-root", "--read-only"], script).success();
    assert_eq!(
        closed.stdout().matches("Read-only file system").count(),
        3,
        "{closed}"
    );
    let _ = closed.lacks("remounted").has("scratch\n");
    let _ = run(&dir, &["--as-root"], script)
        .success()
        .says("scratch\n");
}

#[test]
#[ignore = "needs podman: with cgroup v2 limits, run by tests/bench/vm.sh"]
fn proc_and_sys_are_masked_even_for_root() {
    gate::in_a_guest();
    let dir = TestDir::new();
    // Each line is a thing that is shown, or could be changed.
    let script = "ls /sys/firmware | grep -q . && echo firmware; \
                  grep -q . /proc/keys && echo keys; \
                  grep -E ' (/proc/sys|/proc/sysrq-trigger|/sys) ' /proc/self/mountinfo | \
                  cut -d' ' -f5,6 | grep -v ' ro,' ; \
                  [ -c /proc/kcore ] || echo kcore; [ -c /proc/timer_list ] || echo timers; \
                  for f in /proc/sys /proc/sysrq-trigger; do \
                  grep -q \" $f \" /proc/self/mountinfo || echo $f open; done; \
                  echo h 2>/dev/null > /proc/sysrq-trigger && echo sysrq; echo end";
    let _ = run(&dir, &["--as-root"], script).success().says("end\n");
    let open = run(
        &dir,
        &["--as-root", "--privileged", "--not-a-sandbox"],
        script,
    );
    let _ = open
        .success()
        .has("firmware\n")
        .has("keys\n")
        .has("kcore\n")
        .has("timers\n")
        .has("/proc/sys open\n")
        .has("/proc/sysrq-trigger open\n");
}

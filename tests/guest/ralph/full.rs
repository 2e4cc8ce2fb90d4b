//! A run whose record's disk is full: the agent is ended, and the verdict is written.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::gate;
use crate::support::command::{PATH, TestCommand};
use crate::support::dir::TestDir;
use crate::support::image::tiny;

/// A small disk where runs are kept.
struct SmallState(PathBuf);

fn sudo(arguments: &[&str]) -> TestCommand {
    let mut command = Command::new("sudo");
    command.args(arguments).env_clear().env("PATH", PATH);
    TestCommand::new(command)
}

impl SmallState {
    fn mount(dir: &TestDir) -> Self {
        gate::in_a_guest();
        let disk = dir.path().join("state").display().to_string();
        let image = dir.path().join("state.img").display().to_string();
        let made = dir.shell(&format!(
            "truncate --size 16M {image} && mke2fs -q -t ext4 -m 0 {image}"
        ));
        let _ = made.run().success();
        let _ = sudo(&["mount", "-o", "loop", &image, &disk])
            .run()
            .success();
        let small = Self(dir.path().join("state"));
        let _ = sudo(&["chown", "alice:alice", &disk]).run().success();
        small
    }
}

impl Drop for SmallState {
    fn drop(&mut self) {
        let _ = sudo(&["umount", "--lazy", &self.0.display().to_string()]).run();
    }
}

#[test]
#[ignore = "needs podman: with a disk of its own, run by tests/bench/vm.sh"]
fn the_verdict_of_a_run_whose_disk_is_full_is_written() {
    gate::in_a_guest();
    let dir = TestDir::new();
    let small = SmallState::mount(&dir);
    // Between the verdict and the report somebody else fills it up.
    let filler = small.0.join("filler").display().to_string();
    let notify = format!("cat /dev/zero >{filler}");
    let ralph = |agent: &str| {
        let typed = [
            "ralph",
            "--network=none",
            "--min-free=0",
            "--notify",
            &notify,
            "--no-check",
            "--prompt=Work until it is done.",
            "--completion-promise=COMPLETE",
            "--image",
            tiny(),
            "--",
            "sh",
            "-c",
            agent,
        ];
        dir.stockade(&typed).run()
    };
    // What it says fills the disk, and it would go on.
    let output = ralph("touch made; yes; sleep 600");
    let _ = output
        .code(22)
        .complains("MiB are free where")
        .complains("the disk is nearly full");
    assert!(fs::exists(&filler).unwrap());
    // Also the report is kept.
    let runs = small.0.join("stockade/runs");
    let mut runs = fs::read_dir(runs).unwrap().map(|run| run.unwrap().path());
    let kept = fs::read_to_string(runs.next().unwrap().join("report.md")).unwrap();
    assert!(kept.contains("MiB are free where"), "{kept}");
    // What there is can be read.
    let report = dir.stockade(&["report"]).run().success();
    assert!(report.stdout().contains("MiB are free where"), "{report}");
    let _ = dir.stockade(&["show"]).run().success().has("checkpoint 0");
    let logs = dir.stockade(&["logs"]).run().success();
    assert!(logs.stdout().len() > 4 << 20, "{}", logs.stdout().len());
    dir.assert_nothing_left();
    drop(small);
}

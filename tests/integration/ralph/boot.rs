//! `ralph --survive-reboot`: the unit that takes up runs at boot, without a boot. That is in
//! `tests/bench/reboot.sh`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use super::night::{ended, lives, ralph, record, wait_until};
use crate::support::dir::TestDir;

const PROMISE: &str = "echo '<promise>COMPLETE</promise>'\n";

/// Nobody lingers in a slot, and few have a systemd.
const FLAGS: [&str; 3] = ["--survive-reboot", "--no-linger-check", "--no-check"];

fn unit(dir: &TestDir) -> PathBuf {
    dir.path()
        .join("home/.config/systemd/user/stockade-resume.service")
}

fn no_run(dir: &TestDir) {
    let runs = dir.stockade(&["runs", "-q"]).run().success();
    assert_eq!(runs.stdout(), "");
    assert_eq!(lives(dir), 0);
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: runs an agent, and kills whoever has it in hand"]
fn what_the_unit_calls_takes_up_a_run() {
    let dir = TestDir::new();
    let agent = format!("while [ ! -e go ]; do sleep 0.1; done; {PROMISE}");
    let begun = ralph(&dir, &agent, &[&FLAGS[..], &["-d"]].concat()).run();
    let begun = begun.success().complains("a reboot: ");
    let id = begun.line();
    let text = fs::read_to_string(unit(&dir)).unwrap();
    let mode = fs::metadata(unit(&dir)).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o644);
    let wanted = unit(&dir).with_file_name("default.target.wants/stockade-resume.service");
    assert_eq!(fs::read_to_string(wanted).unwrap(), text);
    wait_until(|| lives(&dir) == 1);
    let killed = dir.shell(&format!("pkill -KILL -f 'supervise {id}'")).run();
    let _ = killed.success();
    // As systemd does it: its environment and the unit's, no shell's.
    let has = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key));
        line.unwrap_or_else(|| panic!("no {key}\n{text}"))
            .to_owned()
    };
    let (places, call) = (has("Environment="), has("ExecStart="));
    let home = dir.path().join("home");
    let line = format!("env -i HOME='{}' {places} {call}", home.display());
    wait_until(|| dir.shell(&line).run().stdout() == format!("{id}: taken up\n"));
    dir.write("go", "");
    let output = dir.stockade(&["wait", &id]).run();
    let _ = ended(&dir, output, 0, 1);
    let journal = fs::read_to_string(record(&dir).join("journal.jsonl")).unwrap();
    assert_eq!(journal.matches("\"event\":\"resumed\"").count(), 1);
}

#[test]
#[ignore = "needs podman: makes a container in vain"]
fn a_unit_of_somebody_else_stays_as_it_is() {
    let dir = TestDir::new();
    let theirs = "[Service]\nExecStart=/bin/true\n";
    fs::create_dir_all(unit(&dir).parent().unwrap()).unwrap();
    fs::write(unit(&dir), theirs).unwrap();
    let output = ralph(&dir, PROMISE, &FLAGS).run().code(30);
    let _ = output.complains("is not Stockade's: it stays");
    assert_eq!(fs::read_to_string(unit(&dir)).unwrap(), theirs);
    no_run(&dir);
}

#[test]
#[ignore = "needs podman: makes a container in vain"]
fn what_an_agent_can_change_is_not_called_at_boot() {
    let dir = TestDir::new();
    let config = dir.path().join("home/.config/systemd");
    fs::create_dir_all(&config).unwrap();
    let volume = format!("{}:/mnt", config.display());
    let output = ralph(&dir, PROMISE, &[&FLAGS[..], &["-v", &volume]].concat()).run();
    let _ = output.code(30).complains("an agent can write to");
    assert!(!unit(&dir).exists());
    // Nor does a file that an agent may have written ask for it.
    dir.write("stockade.toml", "survive-reboot = true\n");
    let _ = dir.stockade(&["trust", "--yes"]).run().code(0);
    let output = ralph(&dir, PROMISE, &["--no-check"]).run();
    let _ = output.code(1).complains("for the command line alone");
    no_run(&dir);
    assert!(!unit(&dir).exists());
}

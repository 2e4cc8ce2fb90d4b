//! Runs that were cut off, runs beside each other, and what is done with one that has ended.

use std::collections::BTreeSet;
use std::fs;

use rustix::process::Signal;

use super::night::{ended, lives, ralph, record, wait_until};
use crate::support::dir::TestDir;
use crate::support::gate::{Gate, Hold};
use crate::support::podman::stockade_program;
use crate::support::private_service::Service;

const PROMISE: &str = "echo '<promise>COMPLETE</promise>'\n";

fn journal(dir: &TestDir) -> String {
    fs::read_to_string(record(dir).join("journal.jsonl")).unwrap()
}

#[test]
#[ignore = "needs podman: a service of its own, that goes down with everything"]
fn a_run_survives_a_reboot() {
    let service = Service::start();
    let dir = service.dir();
    // What it has said when it is cut off is no claim.
    let agent = format!(
        "touch made-$n\n\
         [ $n = 1 ] && {{ {PROMISE} touch said; sleep 600; }}\n\
         echo after; {PROMISE}"
    );
    let flags = ["--check", "test -e made-2", "-d"];
    let id = ralph(&dir, &agent, &flags).run().success().line();
    wait_until(|| dir.work().join("said").exists());
    let killed = dir.shell(&format!("pkill -KILL -f 'supervise {id}'")).run();
    let _ = killed.success();
    service.reboot();
    let _ = dir.stockade(&["resume"]).run().code(3);
    service.start_again();
    let output = dir.stockade(&["resume"]).run();
    let output = ended(&dir, output, 0, 2);
    let _ = output.complains("verified");
    let kept = fs::read_to_string(record(&dir).join("output.log")).unwrap();
    assert!(kept.starts_with("life 1\n"), "{kept}");
    assert!(
        kept.ends_with("life 2\nafter\n<promise>COMPLETE</promise>\n"),
        "{kept}"
    );
    // What was cut short is kept like everything else.
    let journal = journal(&dir);
    assert_eq!(journal.matches("machine-down").count(), 1, "{journal}");
    assert!(
        !journal.contains("\"event\":\"checking\",\"number\":1"),
        "{journal}"
    );
    assert_eq!(
        journal.matches("\"event\":\"ended\"").count(),
        2,
        "{journal}"
    );
    assert_eq!(
        journal.matches("\"event\":\"checkpoint\"").count(),
        3,
        "{journal}"
    );
}

#[test]
#[ignore = "needs podman: ends a service of its own"]
fn stop_is_heard_while_the_service_is_away() {
    let service = Service::start();
    let dir = service.dir();
    let agent = "touch ready; while :; do sleep 0.2; done";
    let id = ralph(&dir, agent, &["--no-check", "-d"])
        .run()
        .success()
        .line();
    wait_until(|| dir.work().join("ready").exists());
    service.kill();
    wait_until(|| journal(&dir).contains("waiting for it"));
    let stopped = dir.stockade(&["stop", &id]).run().code(3);
    let _ = stopped.complains("has not ended: Podman is away");
    service.start_again();
    let _ = dir.stockade(&["stop", &id]).run().success();
    let output = dir.stockade(&["watch", &id]).run();
    let _ = ended(&dir, output, 23, 1);
}

#[test]
#[ignore = "needs podman: runs an agent and checks"]
fn a_checkpoint_is_checked_again_by_hand() {
    let dir = TestDir::new();
    let agent = format!("touch made-$n; [ $n = 2 ] && {PROMISE}");
    let output = ralph(&dir, &agent, &["--check", "test -e made-2"]).run();
    let _ = ended(&dir, output, 0, 2);
    let check = |flags: &[&str]| dir.stockade(&[&["check"], flags].concat()).run();
    let _ = check(&[])
        .code(0)
        .complains("checkpoint 2 checked again: it passed");
    let _ = check(&["--at", "1"]).code(10).complains("it failed with 1");
    let output = check(&["--at", "1", "--check", "ls; test -e made-1"]).code(0);
    assert_eq!(output.stdout(), "agent.sh\ncount\nmade-1\n");
    let _ = check(&["--at", "7"]).code(1);
    // The person's workspace and the verdict are as they were.
    let _ = dir
        .stockade(&["wait", &record(&dir).file_name().unwrap().to_string_lossy()])
        .run()
        .code(0);
    assert_eq!(journal(&dir).matches("checked-again").count(), 3);
    assert_eq!(lives(&dir), 2);
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: runs ten agents"]
fn ten_runs_go_on_beside_each_other() {
    let dir = TestDir::new();
    // None goes on before all are at work: one after the other they would not come so far.
    let agent = format!(
        "echo $$ >mine; touch at-work; until [ -e go ]; do sleep 0.1; done; test -e mine && {PROMISE}"
    );
    dir.write("agent.sh", &agent);
    let works: Vec<_> = (0..10).map(|n| dir.path().join(format!("w{n}"))).collect();
    let running: Vec<_> = works
        .iter()
        .map(|work| {
            fs::create_dir(work).unwrap();
            let volume = format!("{}:/workspace:Z", work.display());
            let typed = [
                "ralph",
                "--allow-unenforced-limits",
                "--allow-overcommit",
                "--network=none",
                "--image",
                dir.tiny(),
                "--prompt=Work until it is done.",
                "--completion-promise=COMPLETE",
                "--check=test -e mine",
                "-v",
                &volume,
                "--",
                "sh",
                "-c",
                &agent,
            ];
            dir.stockade(&typed).spawn()
        })
        .collect();
    for work in &works {
        wait_until(|| work.join("at-work").exists());
    }
    for work in &works {
        fs::write(work.join("go"), "").unwrap();
    }
    for run in running {
        let _ = run.finish().code(0);
    }
    assert!(works.iter().all(|work| work.join("mine").exists()));
    let ids = dir.stockade(&["runs", "-q"]).run().success().stdout();
    assert_eq!(ids.lines().count(), 10);
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: runs agents, and kills whoever has them in hand"]
fn all_that_are_left_alone_are_taken_up() {
    let dir = TestDir::new();
    let all = || dir.stockade(&["resume", "--all"]).run();
    let _ = all().code(0).complains("no run is left alone");
    let agent = format!("touch ready; while [ ! -e go ]; do sleep 0.1; done; {PROMISE}");
    let begin = |work: &str| {
        let volume = format!("{}:/workspace:Z", dir.work().join(work).display());
        dir.write(&format!("{work}/task"), "");
        let mut typed: Vec<&str> = "ralph -d --no-check --allow-unenforced-limits --network none \
            --allow-overcommit --completion-promise COMPLETE --prompt Work --image"
            .split_whitespace()
            .collect();
        typed.extend([dir.tiny(), "-v", &volume, "--", "sh", "-c", &agent]);
        let id = dir.stockade(&typed).run().success().line();
        wait_until(|| dir.work().join(work).join("ready").exists());
        id
    };
    let ids = ["damaged", "goes-on", "is-stopped", "in-hand"].map(begin);
    let [damaged, goes_on, is_stopped, in_hand] = &ids;
    for id in [damaged, goes_on, is_stopped] {
        let killed = dir.shell(&format!("pkill -KILL -f 'supervise {id}'")).run();
        let _ = killed.success();
    }
    // Whoever was killed may have it for a moment more.
    let left = || dir.stockade(&["runs"]).run().success().stdout();
    wait_until(|| left().matches("left alone").count() == 3);
    let runs = dir.path().join("state/stockade/runs");
    let asked = runs.join(damaged).join("run.json");
    let whole = fs::read(&asked).unwrap();
    fs::write(&asked, "{").unwrap();
    fs::write(runs.join(is_stopped).join("stop"), "gently").unwrap();

    let _ = all()
        .code(1)
        .has(&format!("{damaged}: not taken up: "))
        .has(&format!("{goes_on}: taken up\n"))
        .has(&format!("{is_stopped}: taken up\n"));
    fs::write(&asked, whole).unwrap();
    let output = all().code(0);
    assert_eq!(output.stdout(), format!("{damaged}: taken up\n"));
    let wait = |id: &str| dir.stockade(&["wait", id]).run();
    let _ = wait(is_stopped).code(23);
    for work in ["damaged", "goes-on", "in-hand"] {
        dir.write(&format!("{work}/go"), "");
    }
    for id in [damaged, goes_on, in_hand] {
        let _ = wait(id).code(0);
    }
    let _ = all().code(0).complains("no run is left alone");
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: runs an agent, and kills whoever has it in hand"]
fn wherever_the_supervisor_is_killed_the_end_is_the_same() {
    let agent = format!("echo $n >work; [ $n -gt 1 ] && {PROMISE}");
    let flags = ["--check", "grep -q 8 work", "--no-progress", "0", "-d"];
    let begin = |dir: &TestDir| ralph(dir, &agent, &flags).run();
    // What is done again after a cut is no new step.
    let steps = |dir: &TestDir| {
        let journal = journal(dir);
        let entries = journal.lines().filter_map(|line| {
            let entry: serde_json::Value = serde_json::from_str(line).ok()?;
            Some((entry["event"].to_string(), entry["number"].to_string()))
        });
        entries.collect::<BTreeSet<_>>()
    };
    let uncut = TestDir::new();
    let id = begin(&uncut).success().line();
    let _ = uncut.stockade(&["wait", &id]).run().success();
    let dir = TestDir::new();
    let id = begin(&dir).success().line();
    // Once after each step, until it has ended.
    let lines = || steps(&dir).len();
    let mut cuts = 0;
    let mut seen = lines();
    while !journal(&dir).contains("\"event\":\"verdict\"") {
        wait_until(|| lines() > seen || journal(&dir).contains("\"event\":\"verdict\""));
        seen = lines();
        let killed = dir.shell(&format!("pkill -KILL -f 'supervise {id}'")).run();
        // It may have ended by itself meanwhile.
        cuts += u32::from(killed.exit_code() == Some(0));
        // Whoever was killed may have it for a moment more.
        wait_until(|| {
            let resumed = dir.stockade(&["resume", "-d"]).run();
            resumed.exit_code() == Some(0) || journal(&dir).contains("\"event\":\"verdict\"")
        });
        assert!(cuts < 60, "{}", journal(&dir));
    }
    assert!(cuts >= 10, "{cuts}: {}", journal(&dir));
    let output = dir.stockade(&["resume"]).run();
    let _ = ended(&dir, output, 0, 8);
    let text = journal(&dir);
    assert_eq!(text.matches("\"event\":\"ended\"").count(), 8, "{text}");
    let (cut, whole) = (steps(&dir), steps(&uncut));
    // One that a cut kept from being noted is taken again, with the next number.
    let is_numbered = |step: &&(String, String)| step.0 != "\"checkpoint\"";
    let missing: Vec<_> = whole.difference(&cut).filter(is_numbered).collect();
    assert!(missing.is_empty(), "{missing:?}: {text}");
    let tree = |dir: &TestDir| {
        dir.shell("find . -type f -exec cksum {} + | sort -k3")
            .run()
    };
    assert_eq!(
        tree(&dir).success().stdout(),
        tree(&uncut).success().stdout()
    );
    let _ = dir.stockade(&["report"]).run().success();
}

#[test]
#[ignore = "needs podman: makes containers in vain"]
fn a_run_whose_client_was_killed_before_it_began_is_forgotten() {
    let points = [
        Hold::Request("POST /containers/create"),
        Hold::Answer("POST /containers/create"),
    ];
    for (number, hold) in points.into_iter().enumerate() {
        let dir = TestDir::new();
        for ends in ["resume", "stop", "all"] {
            let gate = Gate::start(hold);
            let url = gate.url();
            let running = ralph(&dir, PROMISE, &["--no-check", "--url", &url]).spawn();
            gate.wait_held();
            running.signal(Signal::KILL);
            let _ = running.finish();
            drop(gate);
            let id = record(&dir)
                .file_name()
                .unwrap()
                .to_string_lossy()
                .into_owned();
            let _ = dir.stockade(&["runs"]).run().success().has("never began");
            let wait = dir.stockade(&["wait", &id]).run();
            let _ = wait.code(125).complains("never began");
            let _ = dir
                .stockade(&["runs", "prune", "--force"])
                .run()
                .success()
                .complains("1 that never began");
            let made = dir.containers().len();
            assert_eq!(made, number, "{hold:?}");
            let [home] = &*dir.homes() else {
                panic!("the agent's home is made first")
            };
            match ends {
                "resume" => {
                    let _ = dir
                        .stockade(&["resume"])
                        .run()
                        .code(30)
                        .complains("never began");
                }
                "stop" => drop(dir.stockade(&["stop", &id]).run().success()),
                _ => {
                    let output = dir.stockade(&["resume", "--all"]).run().success();
                    assert_eq!(output.stdout(), format!("{id}: never began: forgotten\n"));
                }
            }
            assert_eq!(dir.stockade(&["runs", "-q"]).run().success().stdout(), "");
            dir.assert_nothing_left();
            let left = dir.podman().command(&["volume", "exists", home]).run();
            let _ = left.code(1);
        }
    }
}

#[test]
#[ignore = "needs podman: runs an agent, and removes its sandbox"]
fn a_sandbox_that_is_removed_ends_the_run_and_its_work_is_kept() {
    let dir = TestDir::new();
    let agent = "echo mine >made; touch ready; sleep 600";
    let id = ralph(&dir, agent, &["--no-check", "-d"])
        .run()
        .success()
        .line();
    wait_until(|| dir.work().join("ready").exists());
    let name = format!("ralph-{id}");
    let _ = dir
        .stockade(&["rm", "-f", "-t", "0", &name])
        .run()
        .success();
    let output = dir.stockade(&["watch"]).run();
    let _ = ended(&dir, output, 1, 1).complains("failed: the sandbox was removed");
    let changed = dir.stockade(&["diff", "--name-only"]).run().success();
    assert!(changed.stdout().contains("made\n"), "{changed}");
    let _ = dir
        .stockade(&["history"])
        .run()
        .success()
        .has("when the sandbox was removed");
    // One that nobody has in hand, too.
    let id = ralph(
        &dir,
        "rm ready; touch again; sleep 600",
        &["--no-check", "-d"],
    )
    .run()
    .success()
    .line();
    wait_until(|| dir.work().join("again").exists());
    let killed = dir.shell(&format!("pkill -KILL -f 'supervise {id}'")).run();
    let _ = killed.success();
    let name = format!("ralph-{id}");
    let _ = dir
        .stockade(&["rm", "-f", "-t", "0", &name])
        .run()
        .success();
    let output = dir.stockade(&["resume"]).run();
    let _ = ended(&dir, output, 1, 2).complains("failed: the sandbox was removed");
    let changed = dir.stockade(&["diff", "--name-only"]).run().success();
    assert!(changed.stdout().contains("again\n"), "{changed}");
}

#[test]
#[ignore = "needs podman: runs an agent, and kills whoever has it in hand"]
fn an_end_that_nobody_could_be_told_of_is_told_later() {
    let dir = TestDir::new();
    let path = |name: &str| dir.path().join(name).display().to_string();
    let (tried, told) = (path("tried"), path("told"));
    let notify = format!(
        "if [ ! -e '{tried}' ]; then touch '{tried}'; kill -KILL $PPID; exit; fi; cat >>'{told}'"
    );
    let flags = ["--no-check", "-d", "--notify", &notify];
    let id = ralph(&dir, PROMISE, &flags).run().success().line();
    // The verdict is there before.
    let _ = dir.stockade(&["wait", &id]).run().code(0);
    wait_until(|| dir.path().join("tried").exists());
    assert!(!dir.path().join("told").exists());
    assert!(!record(&dir).join("report.md").exists());

    let all = || dir.stockade(&["resume", "--all"]).run().code(0);
    assert_eq!(
        all().stdout(),
        format!("{id}: had ended: what was left to do is done\n")
    );
    let fields: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&told).unwrap()).unwrap();
    assert_eq!(
        (&fields["run"], &fields["exit_code"]),
        (&id.into(), &0.into())
    );
    assert!(record(&dir).join("report.md").exists());
    assert!(!record(&dir).join("report.room").exists());
    // Once.
    let _ = all().complains("no run is left alone");
    let _ = dir.stockade(&["resume"]).run().code(0);
    assert_eq!(fs::read_to_string(&told).unwrap().lines().count(), 1);
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn a_program_that_was_replaced_meanwhile_has_a_supervisor_all_the_same() {
    let dir = TestDir::new();
    let copy = dir.path().join("stockade");
    fs::copy(stockade_program(), &copy).unwrap();
    let gate = Gate::start(Hold::Request("POST /containers/create"));
    let (url, copy) = (gate.url(), copy.display().to_string());
    let running = dir.shell(&format!(
        "exec '{copy}' ralph -d --no-check --allow-unenforced-limits --network none --prompt Work --url {url} \
         --completion-promise COMPLETE --image {} -- sh -c \"echo '<promise>COMPLETE</promise>'\"",
        dir.tiny()
    ));
    let running = running.spawn();
    gate.wait_held();
    fs::remove_file(&copy).unwrap();
    fs::write(&copy, "").unwrap();
    gate.release();
    let id = running.finish().success().line();
    let _ = dir.stockade(&["wait", &id]).run().code(0);
    dir.assert_nothing_left();
}

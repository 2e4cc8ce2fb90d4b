//! Limits that are asked for, and what becomes of those who exceed them.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::cgroup::Cgroup;
use crate::gate;
use crate::support::capture::{PATIENCE, stretched};
use crate::support::command::Output;
use crate::support::dir::TestDir;
use crate::support::image::tiny;

/// Takes 200 MiB at once.
const HOG: &str = "dd if=/dev/zero of=/dev/null bs=200M count=1";

/// `run --rm --network none FLAGS IMAGE sh -c SCRIPT`
fn run(dir: &TestDir, flags: &[&str], script: &str) -> Output {
    let first = ["run", "--rm", "--network", "none"];
    let last = [tiny(), "sh", "-c", script];
    dir.stockade(&[&first, flags, &last].concat()).run()
}

#[test]
#[ignore = "needs podman: with cgroup v2 limits, run by tests/bench/vm.sh"]
fn what_is_asked_for_stands_in_the_kernels_files() {
    gate::limits_hold();
}

#[test]
#[ignore = "needs podman: with cgroup v2 limits, run by tests/bench/vm.sh"]
fn where_nothing_is_asked_for_there_are_limits_too() {
    gate::limits_hold();
    let dir = TestDir::new();
    let name = dir.background("defaults", &[], "sleep 300");
    let cgroup = Cgroup::of(&dir, &name);
    let memory = fs::read_to_string("/proc/meminfo").expect("Linux");
    let total = memory.lines().find_map(|line| {
        let line = line.strip_prefix("MemTotal:")?.strip_suffix("kB")?;
        line.trim().parse::<u64>().ok()
    });
    let half = total.expect("its memory") * 1024 / 2;
    let limit = cgroup.number("memory.max", "");
    assert!(limit <= half && limit + 8192 > half, "{limit} of {half}");
    assert_eq!(cgroup.read("memory.swap.max"), "0");
    assert_eq!(cgroup.read("pids.max"), "2048");
    assert_eq!(cgroup.read("cpu.max"), "max 100000");
}

#[test]
#[ignore = "needs podman: with cgroup v2 limits, run by tests/bench/vm.sh"]
fn a_fork_bomb_stops_at_the_limit_and_the_machine_goes_on() {
    gate::limits_hold();
    let dir = TestDir::new();
    // It begins when it is told to, and goes on until it is killed: awk takes no refusal amiss.
    let script = "until [ -e /workspace/go ]; do sleep 0.1; done; \
                  exec awk 'BEGIN { while (1) system(\"b() { b | b & }; b 2>/dev/null\") }'";
    let flags = [
        "--pids-limit",
        "20",
        "--memory",
        "128m",
        "-v",
        ".:/workspace:Z",
    ];
    let name = dir.background("bomb", &flags, script);
    let cgroup = Cgroup::of(&dir, &name);
    assert_eq!(cgroup.read("pids.max"), "20");
    assert_eq!(cgroup.number("pids.events", "max "), 0);
    dir.write("go", "");
    let deadline = Instant::now() + stretched(PATIENCE);
    while cgroup.number("pids.events", "max ") < 50 {
        assert!(Instant::now() < deadline, "the bomb does not go off");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(cgroup.number("pids.current", "") <= 20);
    // Others can do their work meanwhile.
    let refused = cgroup.number("pids.events", "max ");
    let start = Instant::now();
    for _ in 0..5 {
        let status = Command::new("/bin/true").status().expect("it starts");
        assert!(status.success());
    }
    let took = start.elapsed();
    // However patient the tests are with a busy machine.
    let most = stretched(Duration::from_secs(5)).min(Duration::from_secs(20));
    assert!(took < most, "5 × true: {took:?}");
    let _ = dir.stockade(&["ps"]).run().success().has(&name);
    let later = cgroup.number("pids.events", "max ");
    assert!(later > refused, "it has come to an end");
    assert!(cgroup.number("pids.current", "") <= 20);
    eprintln!("fork bomb: {later} forks refused, 5 × true beside it in {took:?}");
    let _ = dir
        .stockade(&["rm", "--force", "--time", "0", &name])
        .run()
        .success();
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: with cgroup v2 limits, run by tests/bench/vm.sh"]
fn a_hog_is_killed_and_that_is_said_with_the_limit_and_the_flag() {
    gate::limits_hold();
    let dir = TestDir::new();
    let hog = format!("exec {HOG}");
    for init in ["--init", "--init=false"] {
        // On Podman 4.3 it is what we have read ourselves, before the cgroup was gone.
        let ended = run(&dir, &["--memory", "64m", init], &hog).code(137);
        let ended = ended.complains("out of memory").complains("64MiB");
        let _ = ended.complains("`--memory`");
    }
    // With room enough it does no harm, and nothing is said.
    let _ = run(&dir, &["--memory", "300m"], &hog)
        .success()
        .does_not_complain("out of memory");
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: with cgroup v2 limits, run by tests/bench/vm.sh"]
fn a_child_that_is_killed_for_its_memory_is_noticed_and_the_exit_code_is_the_commands_own() {
    gate::limits_hold();
    let dir = TestDir::new();
    let script = format!("{HOG}; echo child=$?; exit 9");
    let ended = run(&dir, &["--memory", "64m"], &script).code(9);
    let ended = ended.has("child=137\n");
    let _ = ended.complains("out of memory").complains("64MiB");
}

#[test]
#[ignore = "needs podman: with cgroup v2 limits, run by tests/bench/vm.sh"]
fn half_a_processor_is_no_more_than_half_of_one() {
    gate::limits_hold();
    let dir = TestDir::new();
    let used = |what: &str, flags: &[&str]| {
        let name = dir.background(what, flags, "while :; do :; done");
        let cgroup = Cgroup::of(&dir, &name);
        let usage = || cgroup.number("cpu.stat", "usage_usec ");
        let (start, before) = (Instant::now(), usage());
        std::thread::sleep(Duration::from_secs(6));
        let share = (usage() - before) as f64 / start.elapsed().as_micros() as f64;
        let throttled = cgroup.number("cpu.stat", "nr_throttled ");
        let _ = dir
            .stockade(&["rm", "--force", "--time", "0", &name])
            .run()
            .success();
        (share, throttled)
    };
    let (share, throttled) = used("half", &["--cpus", "0.5"]);
    eprintln!("--cpus 0.5: {share:.3} of a processor, throttled {throttled} times");
    assert!(share <= 0.55, "{share}");
    assert!(throttled > 0);
    // The same takes more where it may, if the machine has it to give: beside other suites not at each time.
    let mut shares = (0..5).map(|_| {
        let (share, throttled) = used("whole", &[]);
        eprintln!("without a limit: {share:.3} of a processor");
        assert_eq!(throttled, 0);
        share
    });
    assert!(shares.any(|share| share > 0.55));
}

/// `stockade ralph`: the kernel counts who was refused a process, and the run ends by that.
#[test]
#[ignore = "needs podman: with cgroup v2 limits, run by tests/bench/vm.sh"]
fn a_run_ends_when_its_agent_is_refused_processes_again() {
    gate::limits_hold();
    let dir = TestDir::new();
    dir.write(
        "agent.sh",
        "n=$(cat count 2>/dev/null || echo 0); n=$((n+1)); echo $n >count\n\
         [ $n != 2 ] || exit 1\n\
         [ $n != 1 ] || { dd if=/dev/zero of=/dev/null bs=30M count=1; echo used; sleep 1; }\n\
         exec awk 'BEGIN { for (i = 0; i < 40; i++) system(\"sleep 600 2>/dev/null &\") }'\n",
    );
    let first = ["ralph", "--network", "none", "--image", tiny()];
    let task = [
        "--prompt",
        "Do it until done.",
        "--completion-promise",
        "DONE",
        "--no-check",
    ];
    let limits = ["--pids-limit", "20", "--min-free", "0"];
    let agent = ["--", "sh", "agent.sh"];
    let output = dir
        .stockade(&[&first[..], &task, &limits, &agent].concat())
        .run()
        .code(21)
        .complains("out of processes")
        .complains("its limit of processes, again");
    // Not in a row are the first and the third.
    assert_eq!(
        fs::read_to_string(dir.work().join("count")).unwrap(),
        "4\n",
        "{output}"
    );
    let report = dir.stockade(&["report", "--format", "json"]).run().json();
    let used = &report["report"]["iterations"][0]["used"];
    let number = |what: &str| used[what].as_u64().unwrap_or_default();
    assert!(number("memory") >= 30 << 20, "bytes: {used}");
    assert!(number("cpu") > 1000, "microseconds: {used}");
    assert!((1..=20).contains(&number("pids")), "{used}");
    let told = dir.stockade(&["report"]).run().success();
    let _ = told
        .has("- it needs more processes at once")
        .has("`--pids-limit`");
    dir.assert_nothing_left();
}

/// A child's end is evidence; the agent's own, twice in a row, is the run's.
#[test]
#[ignore = "needs podman: with cgroup v2 limits, run by tests/bench/vm.sh"]
fn a_run_ends_when_its_agent_is_killed_for_its_memory_again() {
    gate::limits_hold();
    let dir = TestDir::new();
    dir.write(
        "agent.sh",
        format!(
            "n=$(cat count 2>/dev/null || echo 0); n=$((n+1)); echo $n >count\n\
             if [ $n = 1 ]; then {HOG}; exit 0; fi\n\
             exec {HOG}\n"
        ),
    );
    let words = [
        "ralph --network none --prompt Work.until.it.is.done --completion-promise DONE --no-check",
        "--memory 64m --min-free 0 --image",
        tiny(),
        "-- sh agent.sh",
    ];
    let words = words.join(" ");
    let words: Vec<_> = words.split(' ').collect();
    let output = dir.stockade(&words).run().code(20);
    let output = output
        .complains("iteration 1 ended after")
        .complains("out of memory");
    let lives = fs::read_to_string(dir.work().join("count")).unwrap();
    assert_eq!(lives, "3\n", "{output}");
    let report = dir.stockade(&["report", "--format", "json"]).run().json();
    let iterations = report["report"]["iterations"].as_array().unwrap();
    let told: Vec<_> = iterations
        .iter()
        .map(|one| (&one["exit_code"], &one["oom_killed"]))
        .collect();
    assert_eq!(
        format!("{told:?}").matches("Bool(true)").count(),
        3,
        "{told:?}"
    );
    let told = dir.stockade(&["report"]).run().success();
    let _ = told.has("- its limit was 64 MiB").has("`--memory 128m`");
    dir.assert_nothing_left();
}

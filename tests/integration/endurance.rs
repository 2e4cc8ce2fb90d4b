//! Two hundred lives in one process: neither it nor the service grows.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use rustix::process::Pid;
use stockade::libpod::{Client, ContainerSpec, Namespace};
use stockade::sandbox::Sandbox;
use tokio::task::JoinSet;

use crate::support::command::TestCommand;
use crate::support::image;
use crate::support::private_service::Service;

/// Set in the process of its own that this is measured in: the others' tests would be counted too.
const ALONE: &str = "STOCKADE_TEST_ALONE";

/// Lives before the first measurement: caches, thread pools and heaps find their size.
const WARM_UP: usize = 60;
const LIVES: usize = 200;
const AT_ONCE: usize = 4;

/// By how much a process may have grown.
#[derive(Debug, Clone, Copy)]
struct Tolerance {
    descriptors: usize,
    /// KiB.
    resident: usize,
}

const OURS: Tolerance = Tolerance {
    descriptors: 2,
    resident: 2 << 10,
};
/// Podman leaves it to its collector to close the file of events: it was seen open four to
/// thirty times, up and down. One for each life would be two hundred. Its heap is collected when
/// it has doubled.
const SERVICES: Tolerance = Tolerance {
    descriptors: 60,
    resident: 20 << 10,
};

/// What a process holds.
#[derive(Debug, Clone, Copy)]
struct Size {
    descriptors: usize,
    resident: usize,
}

impl Size {
    fn of(process: Pid) -> Self {
        let process = PathBuf::from(format!("/proc/{}", process.as_raw_nonzero()));
        let descriptors = fs::read_dir(process.join("fd")).expect("a process of ours");
        let status = fs::read_to_string(process.join("status")).expect("a process of ours");
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let resident = resident.expect("VmRSS").trim().trim_end_matches(" kB");
        Self {
            descriptors: descriptors.count(),
            resident: resident.parse().expect("KiB"),
        }
    }

    /// The least of three seconds: what has just ended takes a moment to go.
    async fn settled(process: Pid) -> Self {
        let mut least = Self::of(process);
        for _ in 0..30 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let now = Self::of(process);
            least.descriptors = least.descriptors.min(now.descriptors);
            least.resident = least.resident.min(now.resident);
        }
        least
    }

    #[track_caller]
    fn assert_not_grown(self, before: Self, whose: &str, tolerance: Tolerance) {
        eprintln!("{whose}: {before:?} before, {self:?} after {LIVES} lives");
        assert!(
            self.descriptors <= before.descriptors + tolerance.descriptors,
            "{whose}: descriptors: {before:?}, {self:?}"
        );
        assert!(
            self.resident <= before.resident + tolerance.resident,
            "{whose}: memory: {before:?}, {self:?}"
        );
    }
}

async fn live(client: Client, number: usize) {
    let spec = ContainerSpec {
        image: image::NAME.to_owned(),
        command: vec!["echo".to_owned(), number.to_string()],
        netns: Some(Namespace::new("none")),
        ..ContainerSpec::default()
    };
    let (sandbox, _) = Sandbox::create(&client, &spec).await.unwrap();
    let mut attached = sandbox.attach(false).await.unwrap();
    let watch = sandbox.watch();
    sandbox.start().await.unwrap();
    let mut output = Vec::new();
    while let Some(chunk) = attached.output.next().await.unwrap() {
        output.extend_from_slice(&chunk.bytes);
    }
    assert_eq!(output, format!("{number}\n").into_bytes());
    assert_eq!(sandbox.outcome(watch).await.unwrap().exit_code, 0);
    sandbox.remove().await.unwrap();
}

async fn lives(client: &Client, count: usize) {
    let mut running = JoinSet::new();
    for number in 0..count {
        if running.len() == AT_ONCE {
            running.join_next().await.unwrap().unwrap();
        }
        running.spawn(live(client.clone(), number));
    }
    while let Some(ended) = running.join_next().await {
        ended.unwrap();
    }
}

#[tokio::test]
#[ignore = "needs podman: runs 260 containers on a service of its own"]
async fn two_hundred_lives_and_nothing_has_grown() {
    if std::env::var_os(ALONE).is_none() {
        let mut again = Command::new(std::env::current_exe().unwrap());
        again.args(["--exact", "--include-ignored", "--nocapture"]);
        again.arg("endurance::two_hundred_lives_and_nothing_has_grown");
        again.env(ALONE, "yes");
        // Else it would be silent about a name that is no test's.
        let said = TestCommand::new(again).run().success().has("1 passed");
        eprintln!("{}", said.stderr());
        return;
    }
    let service = Service::start();
    let client = service.podman().client().await;
    let ours = rustix::process::getpid();
    let theirs = *service.processes().last().expect("it serves");
    lives(&client, WARM_UP).await;
    let before = (Size::settled(ours).await, Size::settled(theirs).await);
    lives(&client, LIVES).await;
    let after = (Size::settled(ours).await, Size::settled(theirs).await);
    after.0.assert_not_grown(before.0, "our process", OURS);
    after.1.assert_not_grown(before.1, "the service", SERVICES);
    assert_eq!(service.monitors(), 0, "monitors are left");
}

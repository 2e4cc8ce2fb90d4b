//! The library's client on the real service: a container's life and the traps on its way.

use std::time::{Duration, Instant};

use stockade::libpod::stream::{AttachOutput, Attached, Framing};
use stockade::libpod::{
    AttachOptions, Client, ContainerId, ContainerSpec, ExecSpec, LinuxMemory, LogOptions,
    Namespace, Removal, Removed, Status, Stopped,
};
use stockade::sandbox::Sandbox;

use crate::support::dir::TestDir;
use crate::support::image::tiny;

/// How often the service looks whether a container has ended.
const SOON: Duration = Duration::from_millis(10);

/// A spec that runs a shell line without a network.
fn spec(script: &str) -> ContainerSpec {
    ContainerSpec {
        image: tiny().to_owned(),
        command: ["sh", "-c", script].map(str::to_owned).to_vec(),
        netns: Some(Namespace::new("none")),
        ..ContainerSpec::default()
    }
}

async fn create(dir: &TestDir, client: &Client, spec: &ContainerSpec) -> ContainerId {
    let created = client.create_container(spec).await.unwrap();
    dir.adopt(created.id.as_str());
    created.id
}

async fn attach(client: &Client, id: &ContainerId, framing: Framing) -> Attached {
    let options = AttachOptions {
        stdin: true,
        framing,
    };
    client.attach_container(id, options).await.unwrap()
}

async fn read(output: &mut AttachOutput) -> String {
    let mut all = Vec::new();
    while let Some(chunk) = output.next().await.unwrap() {
        all.extend_from_slice(&chunk.bytes);
    }
    String::from_utf8(all).unwrap()
}

async fn status(client: &Client, id: &ContainerId) -> Status {
    client
        .inspect_container(id.as_str())
        .await
        .unwrap()
        .state
        .status
}

#[tokio::test]
#[ignore = "needs podman: runs containers"]
async fn attached_before_the_start_nothing_is_lost() {
    let dir = TestDir::new();
    let client = dir.podman().client().await;
    for _ in 0..5 {
        let id = create(&dir, &client, &spec("seq 1 5000; exit 12")).await;
        let mut attached = attach(&client, &id, Framing::Multiplexed).await;
        assert_eq!(status(&client, &id).await, Status::Initialized);
        // Asked before the start, it waits for the end and not for the state of now.
        let waiting = tokio::spawn({
            let (client, id) = (client.clone(), id.clone());
            async move { client.wait_container(&id, SOON).await }
        });
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(!waiting.is_finished());
        client.start_container(&id).await.unwrap();
        let text = read(&mut attached.output).await;
        let expected: String = (1..=5000).map(|n| format!("{n}\n")).collect();
        assert!(text == expected, "{} bytes", text.len());
        assert_eq!(waiting.await.unwrap().unwrap(), 12);
    }
}

#[tokio::test]
#[ignore = "needs podman: runs a container"]
async fn a_terminal_can_be_sized_before_the_start() {
    let dir = TestDir::new();
    let client = dir.podman().client().await;
    // Podman's monitor sets it after the service has answered.
    let mut terminal =
        spec("until s=$(stty size 2>/dev/null) && [ \"$s\" ]; do sleep 0.01; done; echo $s");
    terminal.terminal = true;
    let id = create(&dir, &client, &terminal).await;
    // Nothing to resize before it is prepared.
    let early = client.resize_container(&id, 40, 100).await.unwrap_err();
    assert_eq!(early.status(), Some(409));
    let mut attached = attach(&client, &id, Framing::Raw).await;
    client.resize_container(&id, 40, 100).await.unwrap();
    client.start_container(&id).await.unwrap();
    assert_eq!(read(&mut attached.output).await, "40 100\r\n");
    assert_eq!(client.wait_container(&id, SOON).await.unwrap(), 0);
    // A terminal's log is framed all the same.
    let mut log = client
        .container_logs(&id, &LogOptions::default())
        .await
        .unwrap();
    let line = log.next().await.unwrap().unwrap();
    assert_eq!(&line.payload[..], b"40 100\r\n");
    assert!(log.next().await.unwrap().is_none());
}

#[tokio::test]
#[ignore = "needs podman: runs a container"]
async fn input_that_ends_before_the_start_arrives() {
    let dir = TestDir::new();
    let client = dir.podman().client().await;
    let mut counting = spec("wc -c");
    counting.stdin = true;
    let id = create(&dir, &client, &counting).await;
    let Attached {
        mut input,
        mut output,
    } = attach(&client, &id, Framing::Multiplexed).await;
    input.write(b"hello").await.unwrap();
    input.close().await.unwrap();
    client.start_container(&id).await.unwrap();
    assert_eq!(read(&mut output).await, "5\n");
}

#[tokio::test]
#[ignore = "needs podman: prepares a container"]
async fn a_missing_command_fails_at_attach() {
    let dir = TestDir::new();
    let client = dir.podman().client().await;
    let mut missing = spec("");
    missing.command = vec!["/nope".to_owned()];
    let id = create(&dir, &client, &missing).await;
    let options = AttachOptions {
        stdin: false,
        framing: Framing::Multiplexed,
    };
    let error = client.attach_container(&id, options).await;
    let started = match error {
        // runc checks when it starts.
        Ok(_) => client.start_container(&id).await.unwrap_err(),
        Err(error) => error,
    };
    let api = started.api().expect("an answer");
    assert!(api.message.contains("nope"), "{api:?}");
    let removed = client.remove_container(
        &id,
        Removal {
            force: true,
            ..Removal::default()
        },
    );
    removed.await.unwrap();
    assert!(!client.container_exists(id.as_str()).await.unwrap());
}

#[tokio::test]
#[ignore = "needs podman: runs a container"]
async fn what_is_done_already_is_no_failure() {
    let dir = TestDir::new();
    let client = dir.podman().client().await;
    let id = create(&dir, &client, &spec("sleep 300")).await;
    client.start_container(&id).await.unwrap();
    client.start_container(&id).await.expect("304 when it runs");
    assert_eq!(
        client.stop_container(&id, Some(0)).await.unwrap(),
        Stopped::Now
    );
    assert_eq!(
        client.stop_container(&id, Some(0)).await.unwrap(),
        Stopped::Before
    );
    let killed = client.kill_container(&id, "TERM").await.unwrap_err();
    assert!(matches!(killed.status(), Some(409 | 500)));
    let how = Removal::default();
    assert_eq!(
        client.remove_container(&id, how).await.unwrap(),
        Removed::Now
    );
    assert_eq!(
        client.remove_container(&id, how).await.unwrap(),
        Removed::Before
    );
    let gone = client.inspect_container(id.as_str()).await.unwrap_err();
    assert!(gone.is_not_found());
}

#[tokio::test]
#[ignore = "needs podman: runs a container"]
async fn the_interval_of_a_wait_is_ours() {
    let dir = TestDir::new();
    let client = dir.podman().client().await;
    let waited = async |interval| {
        let id = create(&dir, &client, &spec("sleep 0.2")).await;
        client.start_container(&id).await.unwrap();
        let begun = Instant::now();
        assert_eq!(client.wait_container(&id, interval).await.unwrap(), 0);
        begun.elapsed()
    };
    let mut short = Duration::MAX;
    for _ in 0..3 {
        short = short.min(waited(SOON).await);
    }
    assert!(short < Duration::from_secs(3), "{short:?}");
    // Later releases are told of the end, and look at no interval.
    if !dir.podman().is_at_least(5, 0) {
        let long = waited(Duration::from_secs(6)).await;
        assert!(long > Duration::from_secs(5), "{long:?}: it means nothing");
    }
}

#[tokio::test]
#[ignore = "needs podman: removes a running container"]
async fn the_exit_code_survives_a_removal_by_somebody_else() {
    let dir = TestDir::new();
    let client = dir.podman().client().await;
    let created = Sandbox::create(&client, &spec("sleep 300")).await;
    let (sandbox, _) = created.unwrap();
    dir.adopt(sandbox.id().as_str());
    let mut attached = sandbox.attach(false).await.unwrap();
    let watch = sandbox.watch();
    sandbox.start().await.unwrap();
    let how = Removal {
        force: true,
        timeout: Some(0),
        ..Removal::default()
    };
    client.remove_container(sandbox.id(), how).await.unwrap();
    while attached
        .output
        .next()
        .await
        .is_ok_and(|chunk| chunk.is_some())
    {}
    assert_eq!(sandbox.outcome(watch).await.unwrap().exit_code, 137);
    assert_eq!(sandbox.remove().await.unwrap(), Removed::Before);
}

#[tokio::test]
#[ignore = "needs podman: creates a container"]
async fn memory_without_swap_would_be_doubled() {
    let dir = TestDir::new();
    let client = dir.podman().client().await;
    if client.info().await.unwrap().host.cgroup_version == "v1" {
        // Rootless on v1 it is dropped, and that is said.
        let mut limited = spec("true");
        limited.resource_limits.memory = Some(LinuxMemory {
            limit: Some(64 << 20),
            swap: None,
        });
        let created = client.create_container(&limited).await.unwrap();
        dir.adopt(created.id.as_str());
        assert!(!created.warnings.is_empty());
        let inspected = client.inspect_container(created.id.as_str()).await.unwrap();
        assert_eq!(inspected.host_config.memory, 0);
        return;
    }
    for (swap, expected) in [(None, 128 << 20), (Some(64 << 20), 64 << 20)] {
        let mut limited = spec("true");
        limited.resource_limits.memory = Some(LinuxMemory {
            limit: Some(64 << 20),
            swap,
        });
        let id = create(&dir, &client, &limited).await;
        let inspected = client.inspect_container(id.as_str()).await.unwrap();
        assert_eq!(inspected.host_config.memory, 64 << 20);
        assert_eq!(inspected.host_config.memory_swap, expected);
    }
}

#[tokio::test]
#[ignore = "needs podman: runs a container"]
async fn a_container_that_ends_at_its_timeout_says_so() {
    let dir = TestDir::new();
    let client = dir.podman().client().await;
    let mut short = spec("sleep 300");
    short.timeout = Some(1);
    let id = create(&dir, &client, &short).await;
    client.start_container(&id).await.unwrap();
    assert_eq!(client.wait_container(&id, SOON).await.unwrap(), -1);
}

#[tokio::test]
#[ignore = "needs podman: runs a container"]
async fn several_lives_of_one_container() {
    let dir = TestDir::new();
    let client = dir.podman().client().await;
    let script = "echo x >> /lives; wc -l < /lives; exit $(wc -l < /lives)";
    let id = create(&dir, &client, &spec(script)).await;
    for life in 1..=3 {
        let mut attached = attach(&client, &id, Framing::Multiplexed).await;
        client.start_container(&id).await.unwrap();
        assert_eq!(read(&mut attached.output).await, format!("{life}\n"));
        assert_eq!(client.wait_container(&id, SOON).await.unwrap(), life);
    }
}

#[tokio::test]
#[ignore = "needs podman: runs a container"]
async fn a_missing_command_of_an_exec_is_told_in_the_stream() {
    let dir = TestDir::new();
    let client = dir.podman().client().await;
    let id = create(&dir, &client, &spec("sleep 300")).await;
    client.start_container(&id).await.unwrap();
    let exec = ExecSpec {
        cmd: vec!["/nope".to_owned()],
        attach_stdout: true,
        attach_stderr: true,
        ..ExecSpec::default()
    };
    let session = client.create_exec(&id, &exec).await.unwrap();
    if let Ok(mut attached) = client
        .start_exec(&session, Framing::Multiplexed, None)
        .await
    {
        let text = read(&mut attached.output).await;
        assert!(text.contains("nope"), "{text}");
    }
    let state = client.inspect_exec(&session).await.unwrap();
    assert!(!state.running);
    assert_eq!(state.exit_code, 127);
}

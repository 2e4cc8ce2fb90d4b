//! The home of an agent: what it puts there is there in its next life, and not after the run.

use std::path::{Path, PathBuf};

use stockade::libpod::VolumeSpec;
use stockade::sandbox::Sandbox;

use super::night::{COUNTING, ended, ralph};
use crate::support::dir::TestDir;
use crate::support::image::{self, tiny};

/// Where `HOME` is, whose it is, and that it is not memory.
const LOOK: &str = "[ $HOME = /home/agent ] && [ -O $HOME ] && ! grep -q 'tmpfs /home/agent ' /proc/mounts || echo bad home\n";

#[test]
#[ignore = "needs podman: runs an agent"]
fn what_is_put_there_is_there_in_the_next_iteration() {
    let dir = TestDir::new();
    let agent = format!(
        "{LOOK}case $n in\n\
         1) mkdir -p ~/.local/bin; printf '#!/bin/sh\\necho installed\\n' >~/.local/bin/tool; chmod +x ~/.local/bin/tool;;\n\
         2) tool;;\n\
         esac"
    );
    let output = ralph(&dir, &agent, &["--no-check", "--max-iterations", "2"]).run();
    let output = ended(&dir, output, 11, 2);
    assert_eq!(output.stdout(), "life 1\nlife 2\ninstalled\n", "{output}");
}

#[test]
#[ignore = "needs podman: builds an image, and runs an agent"]
fn an_image_that_has_it_already_keeps_its_own() {
    let dir = TestDir::new();
    let name = dir.name("homely");
    dir.image(&name);
    dir.write(
        "image/Containerfile",
        format!(
            "FROM {}\nRUN mkdir -p /home/agent/of-the-image && chmod 700 /home/agent\n",
            dir.tiny()
        ),
    );
    let built = image::build(&dir, &["-q", "--network", "none", "-t", &name, "image"]);
    let _ = built.success();
    let agent = format!("{COUNTING}{LOOK}ls -A ~; echo $n >~/life");
    dir.write("agent.sh", agent);
    let flags = [
        "--allow-unenforced-limits",
        "--network",
        "none",
        "--image",
        &name,
    ];
    let task = [
        "--prompt",
        "Look at home.",
        "--no-check",
        "--max-iterations",
        "2",
    ];
    let agent = ["--", "sh", "agent.sh"];
    let output = dir
        .stockade(&[&["ralph"], &flags[..], &task, &agent].concat())
        .run();
    let output = ended(&dir, output, 11, 2);
    assert_eq!(output.stdout(), "life 1\nlife 2\nlife\n", "{output}");
}

#[test]
#[ignore = "needs podman: runs an agent and its check"]
fn a_check_does_not_see_it() {
    let dir = TestDir::new();
    let agent = "touch ~/left; echo '<promise>COMPLETE</promise>'";
    let flags = ["--check", "[ -O ~ ] && [ ! -e ~/left ]"];
    let output = ralph(&dir, agent, &flags).run();
    let _ = ended(&dir, output, 0, 1);
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn a_container_that_is_removed_by_hand_takes_it_along() {
    let dir = TestDir::new();
    let run = ralph(&dir, "sleep 1000", &["--no-check", "-d"]).run();
    let run = run.success().stdout();
    assert_eq!(dir.homes(), [format!("stockade-home-{}", run.trim())]);
    let containers = dir.containers();
    let containers: Vec<_> = containers.iter().map(String::as_str).collect();
    let _ = dir
        .stockade(&[&["rm", "-f"], &containers[..]].concat())
        .run()
        .success();
    let _ = dir.stockade(&["watch", run.trim()]).run();
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn what_is_tidied_up_leaves_a_run_that_has_not_ended_its_container() {
    let dir = TestDir::new();
    let run = ralph(&dir, "echo out; sleep 1000", &["--no-check", "-d"]).run();
    let run = run.success().line();
    let container = dir.containers()[0].clone();
    let rm = |words: &[&str]| dir.stockade(&[&["rm"], words].concat()).run();
    let text = format!("that of the run {run}, which has not ended");
    let _ = rm(&[&container]).code(1).complains(&text);
    // Left alone: its container has ended, and is what its next life is started from.
    let killed = dir
        .shell(&format!("pkill -KILL -f 'supervise {run}'"))
        .run();
    let _ = killed.success();
    let _ = dir.stockade(&["kill", &container]).run().success();
    let _ = dir.stockade(&["wait", &container]).run();
    let pruned = dir.stockade(&["container", "prune", "-f"]).run().success();
    assert_eq!(pruned.stdout(), "", "{pruned}");
    let _ = pruned.complains(&format!("of the run {run}, which has not ended"));
    let _ = rm(&["-a"]).code(1).complains(&text);
    assert_eq!(dir.containers(), [container]);
    assert_eq!(dir.homes(), [format!("stockade-home-{run}")]);
    let _ = dir.stockade(&["resume", "-d", &run]).run().success();
    let _ = dir.stockade(&["stop", &run]).run().success();
    dir.assert_nothing_left();
}

#[tokio::test]
#[ignore = "needs podman: runs an agent, and makes volumes"]
async fn one_that_was_left_behind_is_found_again() {
    let dir = TestDir::new();
    let client = dir.podman().client().await;
    let run = ralph(&dir, "sleep 1000", &["--no-check", "-d"]).run();
    let run = run.success().line();
    let name = format!("stockade-home-{run}");
    let home = client.inspect_volume(&name).await.unwrap();
    let labels = home.labels;
    // A disk that it fills up is watched.
    let container = client
        .inspect_container(&dir.containers()[0])
        .await
        .unwrap();
    let places = Sandbox::adopt(&client, &container).storage().await.unwrap();
    let holds = |place: &PathBuf| place.is_dir() && Path::new(&home.mountpoint).starts_with(place);
    assert!(places.iter().any(holds), "{places:?}: {}", home.mountpoint);
    let prune = |flags: &[&str]| dir.stockade(&[&["runs", "prune"], flags].concat()).run();
    // The agent works there.
    let _ = prune(&["--force"]).success();
    assert!(client.volume_exists(&name).await.unwrap());
    let _ = dir.stockade(&["stop", "-t", "0", &run]).run().success();
    assert!(!client.volume_exists(&name).await.unwrap());

    // As if nobody had removed it: and one whose seal is another's.
    let forged = name.replace("home-2", "home-1");
    for name in [&name, &forged] {
        let mut labels = labels.clone();
        labels.insert("io.stockade.home".to_owned(), name.clone());
        let spec = VolumeSpec {
            name: name.clone(),
            labels,
            ..VolumeSpec::default()
        };
        client.create_volume(&spec).await.unwrap();
    }
    let user = dir.name("user");
    let mount = format!("{name}:/data");
    let made = [
        "run",
        "--name",
        &user,
        "--network",
        "none",
        "-v",
        &mount,
        tiny(),
        "true",
    ];
    let _ = dir.stockade(&made).run().success();
    let output = prune(&[]).success();
    assert!(!output.stderr().contains("home"), "in use: {output}");
    let _ = dir.stockade(&["rm", &user]).run().success();
    // Where nobody can be asked, the rest is done.
    let nowhere = ["runs", "prune", "--url", "unix:///no/such.sock"];
    let _ = dir.stockade(&nowhere).run().success();
    let _ = prune(&["--dry-run"]).success().complains(&name);
    assert!(client.volume_exists(&name).await.unwrap());
    let _ = prune(&[]).success().complains(&name);
    assert!(!client.volume_exists(&name).await.unwrap());
    assert!(client.volume_exists(&forged).await.unwrap());
    client.remove_volume(&forged).await.unwrap();
}

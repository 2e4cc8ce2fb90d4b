//! What stands in the place of a file that a run reads: an agent may have put it there.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

use crate::support::capture::stretched;
use crate::support::dir::TestDir;
use crate::support::image::tiny;

/// What is outside, and stays there.
const SECRET: &str = "image = \"not-for-agents\"";
/// No pipe was waited for.
const SOON: Duration = Duration::from_secs(10);

/// The same error for each thing that may stand there, soon, with nothing of what a link leads to.
fn refused(file: &str, words: &[&str], code: i32, heading: &str, why: [&str; 5]) {
    let dir = TestDir::new();
    let secret = dir.path().join("secret");
    fs::write(&secret, SECRET).unwrap();
    let path = dir.work().join(file);
    let [link, device, pipe, directory, unreadable] = why;
    for (what, why) in [
        ("link", link),
        ("device", device),
        ("pipe", pipe),
        ("pipe with a writer", pipe),
        ("directory", directory),
        ("unreadable", unreadable),
    ] {
        let mut writer = None;
        match what {
            "link" => symlink(&secret, &path).unwrap(),
            "device" => symlink("/dev/zero", &path).unwrap(),
            "directory" => fs::create_dir(&path).unwrap(),
            "unreadable" => {
                dir.write(file, SECRET);
                dir.mode(file, 0);
            }
            _ => {
                let _ = dir.shell(&format!("mkfifo {file}")).run().success();
                if what != "pipe" {
                    let line = format!("exec 3<>{file}; echo '{SECRET}' >&3; echo ready; cat");
                    let running = dir.shell(&line).spawn();
                    running.expect("ready");
                    writer = Some(running);
                }
            }
        }
        let begun = Instant::now();
        let output = dir.stockade(words).run().code(code);
        assert!(begun.elapsed() < stretched(SOON), "{what}: {output}");
        let output = output.says("").complains(heading).complains(why);
        let _ = output.does_not_complain("not-for-agents");
        drop(writer);
        let gone = if what == "directory" {
            fs::remove_dir(&path)
        } else {
            fs::remove_file(&path)
        };
        gone.unwrap();
    }
    let runs = dir.stockade(&["runs", "-q"]).run().success().stdout();
    assert_eq!(runs, "");
    dir.assert_nothing_left();
}

const RALPH: [&str; 7] = [
    "ralph",
    "--image",
    "localhost/none",
    "--pull",
    "never",
    "--network",
    "none",
];

#[test]
#[ignore = "needs podman: connects"]
fn a_configuration_is_a_file_or_none() {
    for words in [&RALPH[..], &["trust"], &["trust", "--yes"]] {
        let why = [
            "it is a symbolic link",
            "it is a symbolic link",
            "it is no regular file",
            "it is no regular file",
            "Permission denied",
        ];
        refused("stockade.toml", words, 2, "stockade.toml`", why);
    }
}

#[test]
#[ignore = "needs podman: connects"]
fn a_prompt_is_a_file_or_none() {
    let words = [&RALPH[..], &["--prompt-file", "task.md", "--", "sh"]].concat();
    let why = [
        "is a symbolic link below",
        "is a symbolic link below",
        "it is no regular file",
        "it is no regular file",
        "Permission denied",
    ];
    refused(
        "task.md",
        &words,
        30,
        "cannot read the prompt `task.md`",
        why,
    );
}

#[test]
#[ignore = "needs podman: connects"]
fn an_env_file_is_a_file_or_none() {
    let env = [
        "--env-file",
        ".env",
        "--prompt",
        "Work until done.",
        "--",
        "sh",
    ];
    // It is read once there is an image.
    let image = ["ralph", "--image", tiny(), "--network", "none"];
    let words = [&image[..], &env].concat();
    let why = [
        "is a symbolic link below",
        "is a symbolic link below",
        "is not a regular file",
        "is not a regular file",
        "Permission denied",
    ];
    refused(".env", &words, 30, "env file", why);
}

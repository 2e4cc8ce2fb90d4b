//! `stockade cp`: where things land, whose they are, and what a hostile container cannot do.

use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::Path;

use crate::support::dir::TestDir;
use crate::support::noise;

/// Everything below a directory, a line each: kind, path, and content or target.
fn tree(root: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    let mut left = vec![root.to_owned()];
    while let Some(directory) = left.pop() {
        for entry in std::fs::read_dir(directory).expect("ours") {
            let path = entry.expect("an entry").path();
            let name = path.strip_prefix(root).expect("below").display();
            let metadata = path.symlink_metadata().expect("there");
            if metadata.is_symlink() {
                let target = std::fs::read_link(&path).expect("a link");
                lines.push(format!("{name} -> {}", target.display()));
            } else if metadata.is_dir() {
                lines.push(format!("{name}/"));
                left.push(path);
            } else {
                let content = std::fs::read_to_string(&path).expect("text");
                lines.push(format!("{name} {:o} {content}", metadata.mode() & 0o777));
            }
        }
    }
    lines.sort();
    lines
}

#[test]
#[ignore = "needs podman: copies files"]
fn out_of_a_container_things_land_where_podman_lands_them() {
    let dir = TestDir::new();
    let script = "mkdir -p /d/sub; echo f > /d/f; echo g > /d/sub/g; chmod 640 /d/f; sleep 300";
    let name = dir.background("out", &["--as-root"], script);
    let ready = [
        "exec",
        &name,
        "sh",
        "-c",
        "until [ -e /d/sub/g ]; do sleep 0.02; done",
    ];
    let _ = dir.stockade(&ready).run().success();
    /// Source in the container and destination on the host, where `there/` and `file` exist.
    const CASES: [(&str, &str); 10] = [
        ("/d/f", "new"),
        ("/d/f", "there"),
        ("/d/f", "there/new"),
        ("/d/f", "file"),
        ("/d", "new"),
        ("/d", "there"),
        ("/d/.", "new"),
        ("/d/.", "there"),
        ("/d/sub", "there/"),
        ("d/sub", "there"),
    ];
    for (from, to) in CASES {
        let land = |by: &str| {
            let root = dir.path().join(format!("{by}-land"));
            let _ = std::fs::remove_dir_all(&root);
            std::fs::create_dir_all(root.join("there")).expect("a directory");
            std::fs::write(root.join("file"), "old").expect("a file");
            root
        };
        let (ours, theirs) = (land("ours"), land("theirs"));
        let from = format!("{name}:{from}");
        let to_of = |root: &Path| format!("{}/{to}", root.display());
        let our = dir.stockade(&["cp", &from, &to_of(&ours)]).run();
        let their = dir.podman().command(&["cp", &from, &to_of(&theirs)]).run();
        let same = our.exit_code() == Some(0);
        assert_eq!(same, their.exit_code() == Some(0), "{our}\n{their}");
        assert_eq!(tree(&ours), tree(&theirs), "{from} {to}");
    }
}

#[test]
#[ignore = "needs podman: copies files"]
fn into_a_container_things_land_where_podman_lands_them() {
    let dir = TestDir::new();
    dir.write("f", "f");
    dir.write("d/sub/g", "g");
    dir.write("d/h", "h");
    symlink("h", dir.work().join("d/link")).expect("a link");
    const CASES: [(&str, &str); 9] = [
        ("f", "/tmp/new"),
        ("f", "/tmp/there"),
        ("f", "/tmp/there/"),
        ("f", "/tmp/there/new"),
        ("d", "/tmp/new"),
        ("d", "/tmp/there"),
        ("d/.", "/tmp/new"),
        ("d/.", "/tmp/there"),
        ("d/sub", "/tmp/no/such/parent"),
    ];
    let prepare = "rm -rf /tmp/*; mkdir -p /tmp/there; echo old > /tmp/file";
    let show = "cd /tmp; find . -print | sort | while read p; do stat -c '%n %F %a %u' $p; \
                [ ! -f $p ] || cat $p; done";
    let name = dir.background("in", &[], "sleep 300");
    let inside = |script: &str| {
        let arguments = ["exec", &name, "sh", "-e", "-c", script];
        dir.stockade(&arguments).run().success().stdout()
    };
    for (from, to) in CASES {
        let to = format!("{name}:{to}");
        inside(prepare);
        let our = dir.stockade(&["cp", from, &to]).run();
        let ours = inside(show);
        inside(prepare);
        let path = dir.work().join("d/..").join(from).display().to_string();
        let their = dir.podman().command(&["cp", &path, &to]).run();
        let theirs = inside(show);
        let same = our.exit_code() == Some(0);
        assert_eq!(same, their.exit_code() == Some(0), "{our}\n{their}");
        assert_eq!(ours, theirs, "{from} {to}");
    }
}

#[test]
#[ignore = "needs podman: copies files"]
fn what_comes_out_is_ours_and_byte_for_byte() {
    let dir = TestDir::new();
    let bytes = noise(3 << 20);
    dir.write("in", &bytes);
    let name = dir.background("bytes", &[], "sleep 300");
    let at = |path: &str| format!("{name}:{path}");
    let _ = dir.stockade(&["cp", "in", &at("/tmp/x")]).run().success();
    // The container's user has it, and can change it.
    let change = [
        "exec",
        &name,
        "sh",
        "-c",
        "test -O /tmp/x && echo more >> /tmp/x",
    ];
    let _ = dir.stockade(&change).run().success();
    let _ = dir.stockade(&["cp", &at("/tmp/x"), "out"]).run().success();
    let out = dir.work().join("out");
    let content = std::fs::read(&out).expect("copied");
    assert!(
        content == [&bytes[..], b"more\n"].concat(),
        "{} bytes",
        content.len()
    );
    let owner = std::fs::metadata(&out).expect("copied").uid();
    assert_eq!(owner, rustix::process::geteuid().as_raw());
    // One that has ended as well.
    let _ = dir.stockade(&["stop", "-t", "0", &name]).run().success();
    let _ = dir
        .stockade(&["cp", &at("/tmp/x"), "again"])
        .run()
        .success();
    assert_eq!(
        std::fs::read(dir.work().join("again")).expect("copied"),
        content
    );
}

#[test]
#[ignore = "needs podman: copies files"]
fn an_archive_on_either_stream() {
    let dir = TestDir::new();
    dir.write("d/f", "through");
    let name = dir.background("pipe", &[], "sleep 300");
    let program = dir.program();
    let line = format!(
        "tar c d | {program} cp - {name}:/tmp && {program} cp {name}:/tmp/d - | tar xO d/f"
    );
    let _ = dir.shell(&line).run().success().says("through");
}

#[test]
#[ignore = "needs podman: copies files"]
fn a_hostile_container_writes_nothing_outside() {
    let dir = TestDir::new();
    let script = "mkdir -p /d/a; ln -s ../../../outside /d/up; ln -s /etc/passwd /d/abs; \
                  ln -s /d/a/x /d/in; echo x > /d/a/x; mkfifo /d/fifo; touch /d/ok; sleep 300";
    let name = dir.background("hostile", &["--as-root"], script);
    let ready = [
        "exec",
        &name,
        "sh",
        "-c",
        "until [ -e /d/ok ]; do sleep 0.02; done",
    ];
    let _ = dir.stockade(&ready).run().success();
    dir.write("../outside/kept", "kept");
    std::fs::create_dir(dir.work().join("to")).expect("a directory");
    let outside = dir.path().join("outside");
    let untouched = tree(&outside);
    assert_eq!(untouched.len(), 1, "{untouched:?}");
    // Links of the container are links, and nothing is written through one that is there already.
    let copy = |to: &str| dir.stockade(&["cp", &format!("{name}:/d/."), to]).run();
    for _ in 0..2 {
        let _ = copy("to").success().complains("fifo");
    }
    let to = tree(&dir.work().join("to"));
    for link in [
        "abs -> /etc/passwd",
        "in -> /d/a/x",
        "up -> ../../../outside",
    ] {
        assert!(to.iter().any(|line| line == link), "{to:?}");
    }
    assert_eq!(to.len(), 6, "{to:?}");
    // A link on our side that somebody else put there.
    std::fs::create_dir(dir.work().join("trap")).expect("a directory");
    symlink("../../outside", dir.work().join("trap/a")).expect("a link");
    let _ = copy("trap").code(1).complains("no directory");
    assert_eq!(tree(&outside), untouched, "written through a link");
}

#[test]
#[ignore = "needs podman: copies nothing"]
fn what_cannot_be_copied_is_said() {
    let dir = TestDir::new();
    dir.write("f", "f");
    let name = dir.background("errors", &[], "sleep 300");
    let foreign = dir.foreign("foreign", &[], "sleep 300");
    let cp = |from: &str, to: &str| dir.stockade(&["cp", from, to]).run();
    let _ = cp("f", "g").code(2).complains("CONTAINER:PATH");
    let _ = cp("missing", &format!("{name}:/tmp"))
        .code(1)
        .complains("missing");
    let _ = cp(&format!("{name}:/missing"), "x")
        .code(1)
        .complains("/missing");
    let _ = cp("f", "no-such:/tmp").code(1).complains("no-such");
    let _ = cp("f", &format!("{foreign}:/tmp"))
        .code(1)
        .complains("--unmanaged");
    assert!(!dir.work().join("x").exists(), "half of it is left");
}

//! What checkpoints hold: most of the workspace, all of it, or less.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use crate::night::{ended, ralph, record};
use crate::support::dir::TestDir;

const CLAIM: &str = "\necho '<promise>COMPLETE</promise>'\n";

/// A workspace with what a tool makes again, and with data.
fn furnished() -> TestDir {
    let dir = TestDir::new();
    for name in ["node_modules", "data"] {
        fs::create_dir(dir.work().join(name)).unwrap();
    }
    dir.write(".gitignore", "node_modules/\n");
    dir.write("node_modules/a.js", "first\n");
    dir.write("data/b.bin", "first\n");
    dir
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn the_person_says_what_checkpoints_hold() {
    let both = ["second\n", "second\n"];
    let all = ["first\n", "first\n"];
    for (flags, told, expected) in [
        (
            &[][..],
            Some("checkpoints leave out node_modules (1 file, 6B)"),
            ["second\n", "first\n"],
        ),
        (&["--checkpoint-all"], None, all),
        (
            &["--checkpoint-skip", "/data/"],
            Some("checkpoints leave out data (1 file, 6B), node_modules (1 file, 6B)"),
            both,
        ),
        (
            &["--checkpoint-all", "--checkpoint-skip", "*.bin"],
            Some("checkpoints leave out data/b.bin (1 file, 6B)"),
            ["first\n", "second\n"],
        ),
    ] {
        let dir = furnished();
        let agent = format!("echo second | tee node_modules/a.js >data/b.bin{CLAIM}");
        let flags = [&["--no-check"], flags].concat();
        let output = ralph(&dir, &agent, &flags).run();
        let output = ended(&dir, output, 0, 1);
        let says = output.stderr().contains("checkpoints leave out");
        assert_eq!(says, told.is_some(), "{flags:?}: {output}");
        assert!(
            output.stderr().contains(told.unwrap_or_default()),
            "{output}"
        );
        let kept = fs::read_to_string(record(&dir).join("run.json")).unwrap();
        let kept: serde_json::Value = serde_json::from_str(&kept).unwrap();
        assert_eq!(kept["keep"]["all"], flags.contains(&"--checkpoint-all"));
        let _ = dir.stockade(&["rollback"]).run().success();
        let read = |name| fs::read_to_string(dir.work().join(name)).unwrap();
        let found = [read("node_modules/a.js"), read("data/b.bin")];
        assert_eq!(found, expected, "{flags:?}");
        assert!(!dir.work().join("count").exists(), "{flags:?}");
    }
}

/// Outside they belong to subordinate ids of the person's, who can neither read nor remove them.
#[test]
#[ignore = "needs podman: runs an agent that has other users"]
fn going_back_takes_files_of_other_users_too() {
    let dir = TestDir::new();
    dir.write("file", "one\n");
    let agent = "mkdir closed open; echo x | tee closed/x >open/x; echo two >file; echo h >hidden\n\
                 chmod 600 hidden; chmod 700 closed; chown -R 33:33 closed open hidden\n\
                 echo '<promise>COMPLETE</promise>'\n";
    let output = ralph(&dir, agent, &["--no-check", "--as-root"]).run();
    let _ = ended(&dir, output, 0, 1);
    let made = ["closed", "open", "hidden"].map(|name| dir.work().join(name));
    let own = fs::metadata(dir.work()).unwrap().uid();
    for path in &made {
        assert_ne!(fs::metadata(path).unwrap().uid(), own, "{path:?}");
    }
    let output = dir.stockade(&["rollback"]).run().success();
    let output = output.complains("a container makes them yours");
    for path in &made {
        assert!(!path.exists(), "{path:?}: {output}");
    }
    let read = || fs::read_to_string(dir.work().join("file")).unwrap();
    assert_eq!(read(), "one\n");
    // What nobody could read is kept by now.
    let _ = output.complains("is in checkpoint 3");
    let _ = dir.stockade(&["rollback", "--to", "3"]).run().success();
    let hidden = fs::read_to_string(&made[2]).unwrap();
    assert_eq!(hidden, "h\n");
    dir.assert_nothing_left();
}

use super::*;
use crate::sandbox::size::{ByteSize, GIB};

fn table(text: &str) -> toml::Table {
    text.parse().unwrap()
}

fn said(text: &str) -> Vec<String> {
    words(&table(text), &|_| false).unwrap()
}

#[test]
fn keys_are_the_names_of_flags() {
    let text = "memory = \"2g\"\ncpus = 1.5\nmax-iterations = 7\nno-check = true\n\
                read-only = false\nvolume = [\"./a:/a\", \"./b:/b\"]\ncommand = [\"sh\", \"-c\", \"--x\"]";
    let mut words = said(text);
    let command = words.split_off(words.iter().position(|word| word == "--").unwrap());
    assert_eq!(command, ["--", "sh", "-c", "--x"]);
    words.sort();
    assert_eq!(
        words,
        [
            "--cpus=1.5",
            "--max-iterations=7",
            "--memory=2g",
            "--no-check",
            "--volume=./a:/a",
            "--volume=./b:/b",
        ]
    );
}

#[test]
fn what_was_typed_is_not_said_again() {
    let table = table("memory = \"2g\"\ncheck = \"true\"\ncommand = [\"a\"]");
    let words = words(&table, &|key| key != "check").unwrap();
    assert_eq!(words, ["--check=true"]);
}

#[test]
fn what_no_flag_is_is_refused() {
    for text in [
        "memroy = \"2g\"",
        "url = \"unix:///x\"",
        "privileged = true",
        "detach = true",
        "no-check = \"yes\"",
        "memory = [\"1g\", \"2g\"]",
        "memory = { a = 1 }",
        "command = []",
    ] {
        let error = words(&table(text), &|_| false).unwrap_err();
        assert!(error.message.starts_with("cannot use `"), "{text}");
    }
}

#[test]
fn without_trust_limits_can_only_be_lowered() {
    let ram = ByteSize::new(32 * GIB);
    let loosens = |text: &str, accepted: &str| loosens(&table(text), &table(accepted), ram);
    for lower in [
        "max-iterations = 50",
        "time = \"8h\"",
        "iteration-timeout = \"5m\"",
        "memory = \"8g\"",
        "cpus = 64",
        "pids-limit = 2048",
        "network = \"none\"",
    ] {
        assert_eq!(loosens(lower, ""), Vec::<String>::new(), "{lower}");
    }
    for higher in [
        "max-iterations = 51",
        "max-iterations = 0",
        "memory = \"9g\"",
        "memory = \"0\"",
        "pids-limit = -1",
        "pids-limit = 2049",
        "network = \"full\"",
        "no-progress = 1",
        "check = \"true\"",
        "protect = []",
        "image = \"x\"",
        "command = [\"x\"]",
        "[[phase]]\nprompt = \"x\"",
    ] {
        assert_eq!(loosens(higher, "").len(), 1, "{higher}");
    }
}

#[test]
fn an_edit_that_loosens_needs_trust_again() {
    let ram = ByteSize::new(32 * GIB);
    let before = "check = \"pytest\"\nmemory = \"2g\"\nmax-iterations = 100\ntime = \"1h\"\n";
    let loosens = |text: &str| loosens(&table(text), &table(before), ram);
    assert!(loosens(&before.replace("2g", "1g").replace("100", "99")).is_empty());
    assert_eq!(loosens(&before.replace("2g", "3g")), ["memory"]);
    assert_eq!(loosens(&before.replace("1h", "2h")), ["time"]);
    assert_eq!(loosens(&before.replace("pytest", "true")), ["check"]);
    assert_eq!(
        loosens("check = \"pytest\""),
        ["max-iterations", "memory", "time"]
    );
}

#[test]
fn a_phase_has_its_own_and_else_what_is_said_for_all() {
    let all = "image = \"i\"\ncheck = \"a\"\ncheck-dir = \"d\"\ntime = \"8h\"\nprompt = \"p\"\n\
               [[phase]]\nname = \"one\"\nprompt = \"q\"\n\
               [[phase]]\nprompt-file = \"f\"\nno-check = true\ntime = \"1h\"";
    let all = table(all);
    let phases = phases(&all).unwrap();
    let said: Vec<toml::Table> = phases.iter().map(|phase| for_phase(&all, phase)).collect();
    let first = table("image = \"i\"\ncheck = \"a\"\ncheck-dir = \"d\"\nprompt = \"q\"");
    let second = table("image = \"i\"\nprompt-file = \"f\"\nno-check = true\ntime = \"1h\"");
    assert_eq!(said, [first, second]);
    for text in [
        "phase = 1",
        "phase = []",
        "[phase]\nprompt = \"x\"",
        "[[phase]]\nname = \"x\"",
        "[[phase]]\nprompt = \"x\"\nimage = \"y\"",
    ] {
        assert!(super::phases(&table(text)).is_err(), "{text}");
    }
}

#[test]
fn a_file_that_is_no_plain_text_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let read = || Configuration::read(dir.path());
    assert!(read().unwrap().is_none());
    let path = dir.path().join(FILE);
    std::fs::write(&path, "image = \"x\"").unwrap();
    assert_eq!(read().unwrap().unwrap().text, "image = \"x\"");
    for bad in [&b"image = "[..], b"\xff", &vec![b'#'; 65 << 10]] {
        std::fs::write(&path, bad).unwrap();
        assert!(read().is_err());
    }
    std::fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", &path).unwrap();
    assert!(read().is_err());
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert!(read().is_err());
}

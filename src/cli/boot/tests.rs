use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn unit(dir: &Path) -> Unit {
    let program = Path::new("/opt/a b/stockade");
    let places = [("XDG_STATE_HOME", PathBuf::from("/home/ann/50%/state"))];
    let endpoint = Endpoint::unix("/run/user/1000/p/p.sock");
    Unit {
        directory: dir.join("config/systemd/user"),
        program: program.to_owned(),
        text: text(program, &places, Some(&endpoint), None).unwrap(),
    }
}

#[test]
fn the_unit_says_what_systemd_reads_again() {
    let text = unit(Path::new("/")).text;
    assert!(text.starts_with(MARK), "{text}");
    for line in [
        "Environment=XDG_STATE_HOME=/home/ann/50%%/state",
        "ExecStart=\"/opt/a b/stockade\" --url unix:///run/user/1000/p/p.sock resume --all",
        "Type=oneshot",
        "RemainAfterExit=yes",
        "StartLimitBurst=20",
        "WantedBy=default.target",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}

#[test]
fn what_systemd_would_obey_is_refused() {
    for bad in [
        "a\"b",
        "a'b",
        "a\\b",
        "$HOME",
        "a\nExecStart=/bin/evil",
        "a\tb",
        "a\u{85}b",
    ] {
        assert_eq!(quoted(bad).unwrap_err().exit, Exit::Preflight, "{bad:?}");
    }
    for (word, written) in [
        ("/usr/bin/stockade", "/usr/bin/stockade"),
        ("/a%h/b", "/a%%h/b"),
        ("/a;b", "\"/a;b\""),
        ("/a b#c", "\"/a b#c\""),
    ] {
        assert_eq!(quoted(word).unwrap(), written);
    }
}

#[test]
fn it_is_placed_once_and_ours_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let mut unit = unit(dir.path());
    assert!(!unit.is_placed());
    assert!(!unit.place().unwrap());
    assert!(unit.is_placed());
    assert!(!unit.place().unwrap());
    let mode = fs::metadata(unit.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o644);
    let read = fs::read_to_string(unit.link()).unwrap();
    assert_eq!(read, unit.text);
    unit.text.push_str("# newer\n");
    assert!(!unit.is_placed());
    assert!(unit.place().unwrap());
    assert!(unit.is_placed());
}

#[test]
fn what_is_not_ours_stays() {
    let refused = |make: &dyn Fn(&Unit)| {
        let dir = tempfile::tempdir().unwrap();
        let unit = unit(dir.path());
        fs::create_dir_all(unit.link().parent().unwrap()).unwrap();
        make(&unit);
        let error = unit.place().unwrap_err();
        assert_eq!(error.exit, Exit::Preflight);
        assert!(error.message.contains("not Stockade's"), "{error:?}");
        assert!(!unit.is_placed());
        fs::read_to_string(unit.path()).unwrap_or_default()
    };
    let theirs = "[Service]\nExecStart=/bin/true\n";
    let kept = refused(&|unit| fs::write(unit.path(), theirs).unwrap());
    assert_eq!(kept, theirs);
    // Masked: the person does not want it.
    let _ = refused(&|unit| symlink("/dev/null", unit.path()).unwrap());
    let _ = refused(&|unit| symlink("../another.service", unit.link()).unwrap());
    let _ = refused(&|unit| fs::write(unit.link(), "").unwrap());
}

#[test]
fn what_an_agent_can_change_is_not_used_at_boot() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().canonicalize().unwrap();
    let mut unit = unit(&root);
    let work = root.join("work");
    fs::create_dir(&work).unwrap();
    assert!(unit.refuse_below(std::slice::from_ref(&work)).is_ok());
    assert!(unit.refuse_below(std::slice::from_ref(&root)).is_err());
    unit.program = work.join("target/stockade");
    assert!(unit.refuse_below(std::slice::from_ref(&work)).is_err());
    // Settings that are kept in a repository, with links to them.
    unit.program = "/usr/bin/stockade".into();
    symlink(&work, root.join("config")).unwrap();
    let error = unit.refuse_below(&[work]).unwrap_err();
    assert_eq!(error.exit, Exit::Preflight);
}

#[test]
fn only_a_user_who_lingers_has_a_manager_at_boot() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    let make = |path: &str| fs::create_dir_all(root.join(path)).unwrap();
    assert!(
        starts_at_boot(root, 1000)
            .unwrap_err()
            .contains("no systemd")
    );
    make("run/systemd/system");
    make("etc");
    let users = "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n";
    fs::write(root.join("etc/passwd"), users).unwrap();
    for (uid, user) in [(0, "root"), (1000, "ann")] {
        let why = starts_at_boot(root, uid).unwrap_err();
        assert!(why.contains(&format!("enable-linger {user}")), "{why}");
        make(&format!("var/lib/systemd/linger/{user}"));
        assert_eq!(starts_at_boot(root, uid), Ok(()));
    }
}

//! Submodules: what an agent has of them, and what the person's git obeys in them afterwards.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use super::night::{ended, ralph, record, wait_until};
use super::repository::{git, listing, names, repository, used_up, with_git};
use crate::support::dir::TestDir;
use crate::support::gate::{Gate, Hold};

const ALLOW: &str = "-c protocol.file.allow=always submodule --quiet";

/// A workspace with a submodule `sub`, in which is another one, `sub/inner`; and a third that nobody has
/// initialized.
fn with_submodules() -> TestDir {
    let dir = TestDir::new();
    for name in ["inner", "module"] {
        let at = dir.path().join(name);
        fs::create_dir(&at).unwrap();
        repository(&at);
    }
    let module = dir.path().join("module");
    git(&module, &format!("{ALLOW} add ../inner inner"));
    git(&module, "commit -qm inner");
    repository(&dir.work());
    for (from, to) in [
        ("module", "sub"),
        ("module", "vendor/deep"),
        ("inner", "bare"),
    ] {
        git(&dir.work(), &format!("{ALLOW} add ../{from} {to}"));
    }
    git(&dir.work(), "commit -qm with");
    git(&dir.work(), &format!("{ALLOW} update --init --recursive"));
    git(&dir.work(), "submodule --quiet deinit bare");
    dir
}

/// Shell that makes a repository in a directory, whose configuration has the person's git run something.
fn planted(dir: &TestDir) -> String {
    let evil = evil(dir);
    format!(
        "plant() {{ mkdir -p $1; git init -q $1 2>/dev/null; (cd $1; git config user.name x; git config user.email x\n\
         git commit -q --allow-empty -m x; git config core.fsmonitor 'touch {}; false'); }}\n",
        evil.display()
    )
}

fn evil(dir: &TestDir) -> PathBuf {
    dir.path().join("evil")
}

/// Whether the person's own git runs what was planted, when asked at the workspace's top.
fn runs(dir: &TestDir) -> bool {
    let _ = fs::remove_file(evil(dir));
    for line in ["status", "diff --stat", "grep --recurse-submodules -e 1"] {
        // It may well complain of what it finds there.
        let asked = Command::new("git")
            .args(line.split(' '))
            .current_dir(dir.work())
            .output();
        let _ = asked.unwrap();
    }
    evil(dir).exists()
}

fn moved(dir: &TestDir) -> Vec<PathBuf> {
    let quarantine = record(dir).join("quarantine");
    let names = names(&quarantine).into_iter();
    names.map(|name| quarantine.join(name)).collect()
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn no_submodule_becomes_a_repository_of_the_agents() {
    let plants: [(&str, &str, &str); 6] = [
        (
            "sub/.git",
            "sub",
            "plant sub/hidden; echo 'gitdir: hidden/.git' >sub/.git",
        ),
        (
            "sub/inner/.git",
            "sub/inner",
            "plant hidden; echo 'gitdir: ../../hidden/.git' >sub/inner/.git",
        ),
        ("sub/.git", "sub", "rm -rf sub; plant sub"),
        ("bare/.git", "bare", "plant bare"),
        ("sub", "sub", "rm -rf sub; plant hidden; ln -s hidden sub"),
        (
            "vendor",
            "vendor/deep",
            "plant hidden/deep; rm -rf vendor; ln -s hidden vendor",
        ),
    ];
    for (path, module, plant) in plants {
        let dir = with_submodules();
        let is_file = path.ends_with("sub/.git") || path.ends_with("inner/.git");
        let before = is_file.then(|| fs::read(dir.work().join(path)).unwrap());
        assert!(!runs(&dir));
        let agent = format!("{}{plant}", planted(&dir));
        let output = used_up(&dir, with_git(&dir, &agent, 1, &[]), 1);
        let output = output.complains(&format!("`{path}` has come since the beginning"));
        assert!(!runs(&dir), "{module}: {plant}\n{output}");
        let now = dir.work().join(path);
        assert_eq!(before.clone(), fs::read(&now).ok(), "{plant}");
        // Where it was, it would be obeyed.
        let [away] = &moved(&dir)[..] else {
            panic!("{:?}", moved(&dir))
        };
        let _ = fs::remove_file(&now);
        fs::rename(away, &now).unwrap();
        assert!(runs(&dir), "the test shows nothing: {plant}");
    }
}

/// The workspace is a directory in a repository, which has submodules there.
fn below_a_repository() -> TestDir {
    let dir = TestDir::new();
    let module = dir.path().join("module");
    fs::create_dir(&module).unwrap();
    repository(&module);
    repository(dir.path());
    for to in ["sub", "vendor/deep", "bare"] {
        let line = format!("{ALLOW} add {} work/{to}", module.display());
        git(dir.path(), &line);
    }
    let old = dir.work().join("old");
    fs::create_dir(&old).unwrap();
    repository(&old);
    git(dir.path(), "-c advice.addEmbeddedRepo=false add work/old");
    git(dir.path(), "commit -qm with");
    git(dir.path(), "submodule --quiet deinit work/bare");
    dir
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn those_of_a_repository_above_are_kept_too() {
    for (path, plant) in [
        ("sub/.git", "rm -rf sub; plant sub"),
        ("bare/.git", "plant bare"),
        ("sub", "rm -rf sub; plant hidden; ln -s hidden sub"),
    ] {
        let dir = below_a_repository();
        assert!(!runs(&dir));
        let old = listing(&dir.work().join("old/.git"));
        let agent = format!(
            "{}{plant}; git -C old config core.fsmonitor 'touch {}'",
            planted(&dir),
            evil(&dir).display()
        );
        let output = used_up(&dir, with_git(&dir, &agent, 1, &[]), 1);
        let output = output.complains(&format!("`{path}` has come since the beginning"));
        assert_eq!(listing(&dir.work().join("old/.git")), old, "{output}");
        assert!(!runs(&dir), "{plant}\n{output}");
        let [away] = &moved(&dir)[..] else {
            panic!("{:?}", moved(&dir))
        };
        let now = dir.work().join(path);
        let _ = fs::remove_file(&now);
        fs::rename(away, &now).unwrap();
        assert!(runs(&dir), "the test shows nothing: {plant}");
    }
}

/// In its first life the agent only makes room; what it puts there comes in the second.
#[test]
#[ignore = "needs podman: runs an agent"]
fn an_agent_gets_no_further_in_two_lives() {
    for begun in [with_submodules, below_a_repository] {
        for (first, second, path) in [
            ("mv sub away; mkdir sub", "plant sub", "sub/.git"),
            (
                "mv sub away; ln -s away sub",
                "rm away/.git; plant away; mv away sub",
                "sub/.git",
            ),
            (
                "plant away; mv sub was; ln -s away sub",
                "mv away sub",
                "sub/.git",
            ),
            (
                "mv vendor away; ln -s away vendor",
                "rm away/deep/.git; plant away/deep; ln -s away vendor",
                "vendor",
            ),
            (
                "rm -rf vendor; echo >vendor",
                "rm vendor; plant vendor/deep",
                "vendor/deep/.git",
            ),
        ] {
            let dir = begun();
            let agent = format!(
                "{}if [ $n = 1 ]; then {first}; else {second}; fi",
                planted(&dir)
            );
            let output = used_up(&dir, with_git(&dir, &agent, 2, &[]), 2);
            assert!(!runs(&dir), "{first}; {second}\n{output}");
            let now = dir.work().join(path);
            let name = now.file_name().unwrap().to_str().unwrap();
            let mut moved = moved(&dir).into_iter();
            let is_it = |path: &PathBuf| {
                path.file_name()
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .starts_with(name)
            };
            let last = moved.rfind(is_it).expect("it was moved");
            let _ = fs::remove_file(&now);
            fs::rename(last, &now).unwrap();
            assert!(runs(&dir), "the test shows nothing: {first}; {second}");
        }
    }
}

/// As if the supervisor had been killed between moving a submodule's `.git` away and putting back what it was.
#[test]
#[ignore = "needs podman: runs an agent"]
fn whoever_takes_up_a_run_puts_back_what_was_being_put_back() {
    let dir = with_submodules();
    let file = dir.work().join("sub/.git");
    let before = fs::read(&file).unwrap();
    let agent = "touch ready; while [ ! -e go ]; do sleep 0.05; done";
    let flags = ["--no-check", "--max-iterations", "1", "-d"];
    let id = ralph(&dir, agent, &flags).run().success().line();
    wait_until(|| dir.work().join("ready").exists());
    let killed = dir.shell(&format!("pkill -KILL -f 'supervise {id}'")).run();
    let _ = killed.success();
    fs::remove_file(&file).unwrap();
    fs::write(record(&dir).join("put-back"), "sub").unwrap();
    dir.write("go", "");
    let output = dir.stockade(&["resume"]).run();
    let output = ended(&dir, output, 11, 1);
    assert_eq!(fs::read(&file).ok(), Some(before), "{output}");
    assert!(!record(&dir).join("put-back").exists());
    git(&dir.work(), "status");
}

#[test]
#[ignore = "needs podman: runs an agent that has other users"]
fn what_another_user_of_the_sandbox_made_there_is_taken_back() {
    for plant in ["chown 33:33 sub", "chown 33:33 sub; chmod 700 sub"] {
        let dir = with_submodules();
        let before = fs::read(dir.work().join("sub/.git")).unwrap();
        let agent = format!("{}rm -rf sub; plant sub; {plant}", planted(&dir));
        let agent = format!("echo x >last; {agent}");
        // By the time that what gave it to the person goes it is not obeyed any more.
        let gate = Gate::start(Hold::Request("DELETE /containers/*"));
        let flags = ["--as-root", "--url", &gate.url()];
        let running = with_git(&dir, &agent, 3, &flags).spawn();
        gate.wait_held();
        assert!(!runs(&dir), "{plant}");
        gate.release();
        let output = running.finish();
        let output = ended(&dir, output, 1, 1).complains("is not what it was when the run began");
        assert!(!runs(&dir), "{plant}\n{output}");
        assert_eq!(fs::read(dir.work().join("sub/.git")).ok(), Some(before));
        // What it did last is kept, without what could not stay.
        let kept = dir.stockade(&["diff", "--name-only"]).run().success();
        let kept = kept.has("last").stdout();
        let stayed = |line: &str| line == "sub/.git" || line.starts_with("sub/.git/");
        assert!(!kept.lines().any(stayed), "{plant}: {kept}");
        fs::rename(&moved(&dir)[0], dir.work().join("sub/.git.new")).unwrap();
        fs::remove_file(dir.work().join("sub/.git")).unwrap();
        fs::rename(dir.work().join("sub/.git.new"), dir.work().join("sub/.git")).unwrap();
        assert!(runs(&dir), "the test shows nothing: {plant}");
    }
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn submodules_that_are_left_alone_are() {
    let dir = with_submodules();
    let before = listing(&dir.work().join("sub"));
    // What git does not look into by itself may stay; closed directories are opened and closed again.
    let agent =
        "git init -q fresh; echo 2 >vendor/deep/file; rm vendor/deep/inner/.git; chmod 0 vendor";
    let output = used_up(&dir, with_git(&dir, agent, 1, &["--git", "none"]), 1);
    let vendor = dir.work().join("vendor");
    let mode = || fs::metadata(&vendor).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(), 0, "{output}");
    fs::set_permissions(&vendor, PermissionsExt::from_mode(0o755)).unwrap();
    assert_eq!(listing(&dir.work().join("sub")), before, "{output}");
    assert!(dir.work().join("fresh/.git").exists());
    assert!(!record(&dir).join("quarantine").exists());
}

/// As git made them before 2012, and as `git submodule add` still finds them.
fn with_old_submodule() -> TestDir {
    let dir = TestDir::new();
    repository(&dir.work());
    let old = dir.work().join("old");
    fs::create_dir(&old).unwrap();
    repository(&old);
    git(&dir.work(), "-c advice.addEmbeddedRepo=false add old");
    git(&dir.work(), "commit -qm old");
    dir
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn a_submodule_whose_repository_is_in_the_workspace_has_a_copy_too() {
    let dir = with_old_submodule();
    let before = listing(&dir.work().join("old/.git"));
    let agent = format!(
        "set -e; echo 2 >old/file; git -C old commit -qam deep; git -C old log --format=%s\n\
         git -C old config core.fsmonitor 'touch {}'; git add old; git commit -qm second",
        evil(&dir).display()
    );
    let output = used_up(&dir, with_git(&dir, &agent, 1, &[]), 1);
    assert_eq!(output.stdout(), "life 1\ndeep\nfirst\n", "{output}");
    assert_eq!(listing(&dir.work().join("old/.git")), before);
    assert!(!runs(&dir));
    assert_eq!(git(&dir.work().join("old"), "log --format=%s"), "first\n");
}

#[test]
#[ignore = "needs podman: runs an agent"]
fn such_a_submodule_is_closed_with_the_rest_and_cannot_be_replaced() {
    for (access, seen) in [("none", ""), ("ro", "HEAD\n")] {
        let dir = with_old_submodule();
        let agent = format!(
            "{}ls old/.git | grep HEAD; touch old/.git/x 2>/dev/null && echo written; mv old older; plant old",
            planted(&dir)
        );
        let flags = ["--git", access];
        // In another life it would not be closed.
        let output = ended(&dir, with_git(&dir, &agent, 3, &flags).run(), 1, 1);
        assert_eq!(output.stdout(), format!("life 1\n{seen}"), "{output}");
        let output = output.complains("another directory than the one that the run began with");
        let output = output.complains("`old/.git` has come since");
        let _ = output.complains("`old/.git` of the beginning is not there any more");
        assert!(!runs(&dir));
        assert!(dir.work().join("older/.git/HEAD").exists());
        fs::rename(&moved(&dir)[0], dir.work().join("old/.git")).unwrap();
        assert!(runs(&dir), "the test shows nothing");
    }
}

#[test]
#[ignore = "needs podman: connects"]
fn submodules_that_cannot_be_told_are_refused() {
    let dir = with_submodules();
    let sub = dir.work().join("sub");
    fs::rename(&sub, dir.work().join("moved")).unwrap();
    std::os::unix::fs::symlink("moved", &sub).unwrap();
    let refused = ralph(&dir, "", &[]).run().code(30);
    let _ = refused
        .complains("a link leads to a submodule")
        .complains("--git rw");
    let listed = dir.stockade(&["runs", "-q"]).run().success().stdout();
    assert_eq!(listed, "");
}

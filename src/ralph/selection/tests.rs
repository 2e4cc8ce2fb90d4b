use std::os::unix::fs::{MetadataExt as _, symlink};

use super::*;

#[test]
fn what_decides_the_outcome_is_the_persons() {
    let selection = Selection::new(&["tests/".into(), "check.sh".into()], "");
    let base = |path: &str| selection.select(Path::new(path)) == Selected::Base;
    for path in [
        "tests/test_a.py",
        "tests/deep/down/x",
        "tests",
        "check.sh",
        "sub/check.sh",
        "conftest.py",
        "sub/conftest.py",
        "a.pth",
        ".cargo/config.toml",
        "Makefile",
        "pytest/__init__.py",
        "_pytest/x.py",
        "sub/unittest/case.py",
        "unittest.py",
        "pytest.pyc",
        "pytest.cpython-311-x86_64-linux-gnu.so",
        "sitecustomize/__init__.py",
        "lie.dist-info/entry_points.txt",
        "sub/Lie.DIST-INFO/entry_points.txt",
        "lie.Egg-Info",
        "__pycache__/conftest.cpython-311-pytest-9.2.0.pyc",
        "src/.mypy_cache/3.11/a.data.json",
        ".yarn/releases/yarn-4.cjs",
        "sub/.yarn/plugins/p.cjs",
        ".yarnrc.yml",
    ] {
        assert!(base(path), "{path}");
    }
    for path in [
        "src/main.py",
        "test_a.py",
        "tests.py",
        "src/conftest.pyc",
        "unittests/a.cc",
        "unittest_a.py",
        "pytest.md",
        "a.dist-infos/x",
        "check.sh.bak",
        ".yarn/cache/left-pad.zip",
        "releases/a",
    ] {
        assert!(!base(path), "{path}");
    }
}

#[test]
fn what_the_check_names_and_the_agent_wrote_is_told() {
    let changes = ["check.sh", "sub/run.sh", "pyproject.toml", "main.py"].map(|path| Change {
        path: path.into(),
        kind: ChangeKind::Modified,
        before: None,
        after: None,
    });
    let findings = |protect: &[String], check| Selection::new(protect, check).findings(&changes);
    let told = findings(&[], "sh ./check.sh && (cd sub; 'run.sh')");
    // One that could not be read.
    assert_eq!(
        told.agents_tests,
        ["check.sh", "sub/run.sh", "pyproject.toml"]
    );
    assert!(!told.is_protected());
    let new = ["check.sh", "made.txt"].map(|path| Change {
        path: path.into(),
        kind: ChangeKind::Added,
        before: None,
        after: None,
    });
    let told = Selection::new(&[], "sh check.sh && cat made.txt").findings(&new);
    assert_eq!(told.agents_tests, ["check.sh"]);
    let protect = ["check.sh".to_owned(), "pyproject.toml".to_owned()];
    assert!(findings(&protect, "sh /workspace/check.sh").is_protected());
}

/// What is found where an agent makes of one directory another: files (`name`, `name=content`), links (`name>target`), and what
/// is gone (`-name`).
fn found(base: &[&str], agents: &[&str], protect: &[&str]) -> Findings {
    let dir = tempfile::tempdir().unwrap();
    let (state, work) = (dir.path().join("state"), dir.path().join("work"));
    std::fs::create_dir(&work).unwrap();
    let run = crate::ralph::store::tests::run_in(&state);
    let mut record = run.record().unwrap();
    let found = std::fs::metadata(&work).unwrap();
    record.workspace.path = work.canonicalize().unwrap();
    (record.workspace.device, record.workspace.inode) = (found.dev(), found.ino());
    let checkpoints = run.checkpoints(&record).unwrap();
    let taken = [base, agents].map(|steps| {
        for step in steps {
            let name = step.split(['>', '=']).next().unwrap_or_default();
            let path = work.join(name.trim_start_matches('-'));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            match step.split_once('>') {
                _ if name.starts_with('-') && path.symlink_metadata().unwrap().is_dir() => {
                    std::fs::remove_dir_all(path).unwrap();
                }
                _ if name.starts_with('-') => std::fs::remove_file(path).unwrap(),
                Some((_, target)) => symlink(target, path).unwrap(),
                None => {
                    let content = step.split_once('=').map(|(_, content)| content.to_owned());
                    let content = content.unwrap_or_else(|| format!("{steps:?}"));
                    std::fs::write(path, content).unwrap();
                }
            }
        }
        checkpoints.take("test").unwrap().0
    });
    let repository = checkpoints.open().unwrap();
    let changes = repository.changes(&taken[0], &taken[1]).unwrap();
    let protect: Vec<_> = protect.iter().map(|path| (*path).to_owned()).collect();
    let mut selection = Selection::new(&protect, "sh ci/check.sh");
    selection.follow(&repository.links(&taken[0]).unwrap());
    selection.look_inside(&repository, &changes);
    let mut findings = selection.findings(&changes);
    findings.weakened = crate::ralph::weakened::weakened(&repository, &changes, &selection);
    findings
}

/// Names of each language, and whether they are the person's for a check, decide, or are work.
#[test]
fn tests_and_what_builds_them_are_known_by_their_names() {
    let selection = Selection::new(&[], "");
    let change = |path: &str| Change {
        path: path.into(),
        kind: ChangeKind::Modified,
        before: None,
        after: None,
    };
    for path in "src/foo/tests.rs src/foo/test.rs Foo.Tests/Foo.cs src/FooTests/Bar.fs Tests/FooTests/a.swift FooTest.java \
        src/FooTests.java src/FooSpec.scala src/FooTest.kt src/FooSpec.kt FooTest.php lib/foo_test.exs lib/foo_test.dart \
        src/foo_unittest.cc src/foo-test.js src/foo.tests.ts src/__snapshots__/a.snap t/basic.t a.bats e2e/a.js \
        src/FooSuite.scala pkg/testdata/a.json tests.py sub/test_foo.c foo_SUITE.erl FooIT.java"
        .split_whitespace()
        .chain(
            "CMakeLists.txt sub/CMakeLists.txt a.cmake rules.mk mix.exs composer.json meson.build build.sbt \
             project/plugins.sbt project/Build.scala defs.bzl BUILD sub/BUILD.bazel dune dune-project Foo/Foo.csproj \
             Foo.fsproj All.sln Gemfile Rakefile Package.swift Directory.Build.props settings.gradle.kts build.zig"
                .split_whitespace(),
        )
    {
        assert!(selection.is_agents_test(&change(path)), "{path}");
        assert_eq!(selection.select(Path::new(path)), Selected::Keep, "{path}");
    }
    for path in ["phpunit.xml.dist", "cypress.config.ts", "a.runsettings"] {
        assert_eq!(selection.select(Path::new(path)), Selected::Base, "{path}");
    }
    for path in "src/latest.rs src/contest.java src/PodSpec.go src/attest.py protest/a.rs src/Testing.java src/testsuite \
        src/inspect.rb src/builder.rs docs/building.md src/main.kt"
        .split_whitespace()
    {
        assert!(!selection.is_agents_test(&change(path)), "{path}");
    }
}

#[test]
fn tests_inside_files_of_source_are_the_persons_to_begin_with() {
    let tested = "pub fn a() {}\n#[test]\nfn b() { assert!(true) }\n";
    let [lib, gone, more] = ["lib", "gone", "more"].map(|name| format!("src/{name}.rs={tested}"));
    let base = [
        &*lib,
        &gone,
        &more,
        "src/plain.rs=fn a() {}",
        "README.md=#[test]",
    ];
    let more = format!("{more}#[test]\nfn c() {{}}\n");
    let agents = [
        "src/lib.rs=pub fn a() {}",
        "-src/gone.rs",
        &more,
        "src/plain.rs=fn b() {}",
        "README.md=none",
        "src/new.rs=fn c() {}",
    ];
    let found = found(&base, &agents, &[]);
    assert_eq!(found.agents_tests, ["src/lib.rs", "src/more.rs"]);
    assert_eq!(found.tests_gone, ["src/gone.rs"]);
    assert_eq!(found.weakened, ["src/lib.rs"]);
    assert!(!found.is_protected());
}

#[test]
fn so_much_of_source_that_it_is_not_read_may_hold_tests() {
    let large = format!("a.rs={}", "x".repeat(1 << 20));
    assert!(found(&[&large], &["a.rs=y"], &[]).is_protected());
    let larger = format!("{large}x");
    assert_eq!(found(&[&larger], &["a.rs=y"], &[]).agents_tests, ["a.rs"]);
}

#[test]
fn what_stands_in_the_place_of_a_library_is_told() {
    let agents = [
        "json.py",
        "argparse/__init__.py",
        "argparse/more.py",
        "src/pluggy.pyc",
        "lib/_csv.cpython-311.so",
        "pytest_cov/__init__.py",
        "re>mine",
        "iniconfig.py>mine/x",
        // None of these is loaded in place of one.
        "sub/json.py",
        "src/json",
        "src/sub/json.py",
        "html/index.html",
        "json.txt",
        "calculator.py",
        "mine/x",
    ];
    let told = [
        "argparse/__init__.py",
        "iniconfig.py",
        "json.py",
        "lib/_csv.cpython-311.so",
        "pytest_cov/__init__.py",
        "re",
        "src/pluggy.pyc",
    ];
    assert_eq!(found(&["a"], &agents, &[]).agents_tests, told);
    // Whoever had it in the beginning has it as it was.
    assert!(found(&["json.py"], &["a"], &[]).is_protected());
}

#[test]
fn what_was_installed_or_built_is_told_by_one_name() {
    let agents = [
        "node_modules/jest/bin.js",
        "node_modules/jest/test/a.js",
        "sub/target/debug/deps/a-1",
        "tests/a.py",
    ];
    let found = found(&["node_modules/jest/bin.js"], &agents, &[]);
    let told = ["node_modules", "sub/target", "tests/a.py"];
    assert_eq!(found.agents_tests, told);
    assert!(found.put_back.is_empty());
}

#[test]
fn what_tools_keep_for_themselves_is_neither_used_nor_told() {
    let agents = ["__pycache__/a.pyc", ".pytest_cache/v/x", "s/.eslintcache"];
    let found = found(&["a"], &agents, &[]);
    assert_eq!(found, Findings::default());
}

#[test]
fn what_yarn_installs_stays_and_is_told_and_yarn_is_the_persons() {
    let yarn = [
        ".pnp.cjs",
        ".yarn/releases/yarn.cjs",
        ".yarn/cache/a.zip",
        ".yarnrc.yml",
    ];
    let agents = [
        ".pnp.cjs",
        ".pnp.loader.mjs",
        ".yarn/cache/b.zip",
        ".yarn/unplugged/b/index.js",
        ".yarn/releases/yarn.cjs",
        ".yarn/plugins/p.cjs",
        ".yarnrc.yml",
    ];
    let found = found(&yarn, &agents, &[]);
    assert!(!found.is_protected());
    assert_eq!(
        found.put_back,
        [
            ".yarn/plugins",
            ".yarn/plugins/p.cjs",
            ".yarn/releases/yarn.cjs",
            ".yarnrc.yml"
        ]
    );
    assert_eq!(
        found.agents_tests,
        [
            ".pnp.cjs",
            ".pnp.loader.mjs",
            ".yarn/cache/b.zip",
            ".yarn/unplugged",
            ".yarn/unplugged/b",
            ".yarn/unplugged/b/index.js"
        ]
    );
}

#[test]
fn a_link_where_something_decides_is_told() {
    let told = |base: &[&str], agents: &[&str], protect: &[&str]| {
        let found = found(base, agents, protect);
        let told = [found.agents_tests.as_slice(), &found.tests_gone].concat();
        assert_eq!(told.is_empty(), found.is_protected());
        told
    };
    for name in ["tests", ".yarn", "sub/.yarn", ".config", "gradle"] {
        let link = format!("{name}>/workspace/mine");
        let agents = ["mine/a", "sub/a", &link];
        assert_eq!(told(&["a"], &agents, &[]), [name], "new");
        let back = format!("-{name}");
        assert_eq!(told(&["sub/a", &link], &[&back], &[]), [name], "gone");
        let file = format!("{name}/nextest.toml");
        let agents = ["mine/a", back.as_str(), link.as_str()];
        let told = told(&["sub/a", &file], &agents, &[]);
        assert!(told.contains(&name.to_owned()), "another: {told:?}");
    }
    let protect = ["ci/of/checks/", "**/deep/**/x"];
    for name in ["ci", "deep", "deep/y"] {
        let link = format!("{name}>/workspace/mine");
        assert_eq!(told(&["a"], &["mine/a", &link], &protect), [name]);
    }
    // One that leads nowhere of interest, and names that are only alike.
    let agents = [
        "mine/a",
        "src>mine",
        "cix>mine",
        ".config/x>y",
        "testsuite>mine",
    ];
    assert!(told(&[".config/a"], &agents, &protect).is_empty());
    assert!(told(&["a"], &["test", ".yarn", ".config", "ci"], &protect).is_empty());
}

#[test]
fn what_a_link_of_the_persons_leads_to_decides_as_it_does() {
    // What the check names lies in a directory, and that may be a link.
    let turned = ["mine/check.sh", "-ci", "ci>mine"];
    assert_eq!(found(&["a", "ci>other"], &turned, &[]).agents_tests, ["ci"]);
    assert_eq!(
        found(&["a"], &["mine/check.sh", "ci>mine"], &[]).agents_tests,
        ["ci"]
    );
    for (base, agents, protect) in [
        (&["suite/a", "tests>suite"][..], "suite/a", &["tests/"][..]),
        (
            &["suite/a", "tests>/workspace/suite"],
            "suite/a",
            &["tests/"],
        ),
        (&["suite/a", "tests>suite"], "suite/b", &[]),
        (
            &["build/real.mk", "Makefile>build/real.mk"],
            "build/real.mk",
            &[],
        ),
        (
            &["tools/sh/a", "ci/check.sh>../tools/sh/a"],
            "tools/sh/a",
            &[],
        ),
        (&["x/y/a", "one>x", "tests>one/y"], "x/y/a", &[]),
        (&["own/check.sh", "ci>own"], "own/check.sh", &[]),
    ] {
        let found = found(base, &[agents], protect);
        assert_eq!(found.agents_tests, [agents], "{base:?}");
    }
    // One that leads out of the workspace, in a circle, or to what did not change.
    let found = found(
        &[
            "suite/a",
            "src/a",
            "tests>suite",
            "lib>../../etc",
            "conftest.py>conftest.py",
        ],
        &["src/a"],
        &["tests/"],
    );
    assert!(found.is_protected(), "{found:?}");
}

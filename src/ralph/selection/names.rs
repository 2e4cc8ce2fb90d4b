//! What decides the outcome of a check, by names.

use std::path::{Component, Path};

/// Files that steer test runners: new or changed ones are put back or left out.
pub(super) const STEERING: &[&str] = &[
    "conftest.py",
    "pytest.py",
    "pytest.pyc",
    "pytest*.so",
    "pytest/",
    "_pytest.py",
    "_pytest.pyc",
    "_pytest/",
    "unittest.py",
    "unittest.pyc",
    "unittest*.so",
    "unittest/",
    "pytest.ini",
    ".pytest.ini",
    "pytest.toml",
    ".pytest.toml",
    "tox.ini",
    "tox.toml",
    ".coveragerc",
    "noxfile.py",
    "sitecustomize.py",
    "sitecustomize.pyc",
    "sitecustomize*.so",
    "sitecustomize/",
    "usercustomize.py",
    "usercustomize.pyc",
    "usercustomize*.so",
    "usercustomize/",
    "*.pth",
    "rust-toolchain",
    "rust-toolchain.toml",
    ".cargo/",
    "build.rs",
    ".config/nextest.toml",
    "bunfig.toml",
    "Makefile",
    "makefile",
    "GNUmakefile",
    ".npmrc",
    "**/.yarn/releases/",
    "**/.yarn/plugins/",
    "**/.yarn/sdks/",
    ".yarnrc",
    ".yarnrc.yml",
    ".pnpmfile.cjs",
    ".mocharc*",
    ".nycrc*",
    ".c8rc*",
    "ava.config.*",
    "playwright.config.*",
    "jest.config.*",
    "vitest.config.*",
    "karma.conf.*",
    "phpunit.xml*",
    ".rspec",
    "cypress.config.*",
    "cypress.json",
    "wdio.conf.*",
    "*.runsettings",
    "xunit.runner.json",
    ".proverc",
    ".busted",
];
/// Files that may steer a check but hold more than that: new or changed ones are told. Those of which the part that steers
/// is known are in [`super::sections`].
pub(super) const DECIDING: &[&str] = &[
    ".babelrc*",
    ".eslintrc*",
    ".flake8",
    ".mvn/",
    ".mypy.ini",
    // What yarn installs, where that is kept with the work: a dependency that is new has to be there.
    ".pnp.*",
    ".yarn/",
    ".ruff.toml",
    "Justfile",
    "Rakefile",
    "Taskfile*",
    "babel.config.*",
    "biome.json*",
    "build.gradle*",
    "clippy.toml",
    ".clippy.toml",
    "deno.json*",
    "eslint.config.*",
    // Another module, or a directory, in the place of what tests are written with.
    "go.mod",
    "go.work",
    "gradle/",
    "gradlew",
    "justfile",
    "mvnw",
    "mypy.ini",
    "pom.xml",
    "ruff.toml",
    "setup.py",
    "tsconfig*.json",
    "vendor/",
    "vite.config.*",
    "vitest.workspace.*",
    // What builds and tests may have to change with the work, as where a source file is new.
    "*.bzl",
    "*.cabal",
    "*.cmake",
    "*.csproj",
    "*.fsproj",
    "*.gemspec",
    "*.mak",
    "*.mk",
    "*.opam",
    "*.props",
    "*.rake",
    "*.sbt",
    "*.sln",
    "*.slnx",
    "*.targets",
    "*.vbproj",
    "*.vcxproj",
    ".bazelrc",
    "BUCK",
    "BUILD",
    "BUILD.bazel",
    "Build.PL",
    "CMakeLists.txt",
    "CMakePresets.json",
    "CMakeUserPresets.json",
    "Gemfile",
    "Gruntfile.*",
    "MODULE.bazel",
    "Makefile.*",
    "Package.swift",
    "SConscript",
    "SConstruct",
    "Setup.hs",
    "WORKSPACE",
    "WORKSPACE.bazel",
    "build.mill",
    "build.ninja",
    "build.sc",
    "build.xml",
    "build.zig",
    "build.zig.zon",
    "cabal.project*",
    "composer.json",
    "configure",
    "configure.ac",
    "dodo.py",
    "dune",
    "dune-project",
    "global.json",
    "gradle.properties",
    "gulpfile.*",
    "init.gradle*",
    "magefile.go",
    "meson.build",
    "meson.options",
    "meson_options.txt",
    "mix.exs",
    "nx.json",
    "pubspec.yaml",
    "**/project/*.scala",
    "**/project/build.properties",
    "rakefile",
    "rebar.config*",
    "settings.gradle*",
    "stack.yaml",
    "tasks.py",
    "turbo.json",
    "wscript",
    "xtask/",
];
/// What runs the file that is named next.
pub(super) const RUNNERS: &[&str] = &[
    "sh", "bash", "dash", "zsh", ".", "source", "python", "python3", "node", "ruby", "perl", "php",
];
/// Where tests are.
pub(super) const TESTS: &[&str] = &[
    "test/",
    "tests/",
    "spec/",
    "__tests__/",
    // `Foo.Tests/`, `FooTests/` and `Tests/`, too.
    "*Test/",
    "*Tests/",
    "Spec/",
    "Specs/",
    "specs/",
    "e2e/",
    "t/",
    "testdata/",
    "__snapshots__/",
    "test.*",
    "tests.*",
    "test_*.*",
    "test-*.*",
    "*_test.*",
    "*_tests.*",
    "*_unittest.*",
    "*-test.*",
    "*-tests.*",
    "*.test.*",
    "*.tests.*",
    "*.spec.*",
    "*_spec.*",
    "*-spec.*",
    "*Test.*",
    "*Tests.*",
    "*TestCase.*",
    "*IT.java",
    "*IT.kt",
    "*Spec.groovy",
    "*Spec.hs",
    "*Spec.java",
    "*Spec.js",
    "*Spec.kt",
    "*Spec.php",
    "*Spec.scala",
    "*Spec.swift",
    "*Spec.ts",
    "*Suite.scala",
    "*_SUITE.erl",
    "*.bats",
    "*.feature",
    "*.snap",
    "*.t",
];

/// What was installed or built, programs that run tests among it: all of it is told by one name.
pub(super) const INSTALLED: &[&str] = &[
    ".nox/",
    ".tox/",
    ".venv/",
    "node_modules/",
    "site-packages/",
    "target/",
    "venv/",
];
/// What tools keep for themselves, and believe: a compiled test, or that nothing is to be complained of. They make it again.
pub(super) const CACHES: &[&str] = &[
    "__pycache__/",
    ".eslintcache",
    ".mypy_cache/",
    ".pytest_cache/",
    ".ruff_cache/",
];
/// Python's own modules, and those of its test runners.
const PYTHON: &str = include_str!("python.txt");
/// Where `python -m` and test runners look for modules before the installed ones.
const FIRST: [&str; 2] = ["src", "lib"];

/// Whether it is, or is in, what names the plugins that are loaded: in letters of either case.
pub(super) fn names_plugins(path: &Path) -> bool {
    path.components().any(|part| {
        let name = part.as_os_str().as_encoded_bytes().to_ascii_lowercase();
        name.ends_with(b".dist-info") || name.ends_with(b".egg-info")
    })
}

/// Whether Python takes it for a module of its own or its test runners', of those that are looked for in this directory first.
/// What a link leads to may be any.
pub(super) fn hides_a_module(path: &Path, is_link: bool) -> bool {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => parts.push(name.to_str().unwrap_or_default()),
            _ => return false,
        }
    }
    if parts.len() > 1 && parts.first().is_some_and(|first| FIRST.contains(first)) {
        parts.remove(0);
    }
    let (name, is_module) = match parts[..] {
        [name] if is_link && !name.contains('.') => (name, true),
        [file] => loaded(file),
        [name, file] => (name, loaded(file) == ("__init__", true)),
        _ => return false,
    };
    is_module && is_pythons(name)
}

/// A module's name by that of its file, and whether Python loads such a file.
fn loaded(file: &str) -> (&str, bool) {
    let (name, kind) = file.split_once('.').unwrap_or((file, ""));
    let is_module = matches!(kind, "py" | "pyc" | "so") || kind.ends_with(".so");
    (name, is_module)
}

fn is_pythons(name: &str) -> bool {
    let lines = PYTHON.lines().filter(|line| !line.starts_with('#'));
    let mut known = lines.flat_map(str::split_whitespace);
    name.starts_with("pytest_") || known.any(|known| known == name)
}

//! House rules that no compiler knows, as tests: they read the tree and need no Podman.
//!
//! A rule that a reader of the code has to take on trust is worth little. Each test here names every
//! place that breaks its rule.
#![expect(
    clippy::unwrap_used,
    reason = "in a test, whatever cannot be read is a failure"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What each folder of `src` may import of the others. A new folder has to say it here.
const ARROWS: [(&str, &[&str]); 6] = [
    ("context", &[]),
    ("libpod", &[]),
    ("sandbox", &["libpod"]),
    ("workspace", &[]),
    ("ralph", &["libpod", "sandbox", "workspace"]),
    (
        "cli",
        &["context", "libpod", "ralph", "sandbox", "workspace"],
    ),
];
/// The longest file, tests included.
const LINES: usize = 500;

/// A file of this package.
struct File {
    /// Relative to the root.
    path: PathBuf,
    text: String,
}

impl File {
    /// Line numbers from 1 and lines, without comments that stand alone.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate();
        let lines = lines.filter(|(_, line)| !line.trim_start().starts_with("//"));
        lines.map(|(index, line)| (index + 1, line))
    }

    /// As [`File::code`], up to the tests at the end. Nothing of a file that is all tests.
    fn product(&self) -> impl Iterator<Item = (usize, &str)> {
        let tests = self.path.file_stem().is_some_and(|stem| stem == "tests")
            || self.path.iter().any(|part| part == "tests");
        let end = match self.text.find("#[cfg(test)]\nmod tests {") {
            _ if tests => 0,
            Some(at) => self.text[..at].lines().count(),
            None => usize::MAX,
        };
        self.code().take_while(move |(line, _)| *line <= end)
    }

    /// The folder below `src`, if it is in one.
    fn layer(&self) -> Option<&str> {
        let below = self.path.strip_prefix("src").ok()?;
        let mut parts = below.iter();
        let first = parts.next()?.to_str()?;
        parts.next().map(|_| first)
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Text files below a directory that has to be there, without what cargo and git make.
fn files(directory: &str) -> Vec<File> {
    let mut found = Vec::new();
    let mut open = vec![root().join(directory)];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let kind = fs::symlink_metadata(&path).unwrap().file_type();
            let made = path.ends_with(".git")
                || path.ends_with("target")
                || path.join("CACHEDIR.TAG").exists();
            if made {
                continue;
            }
            if kind.is_dir() {
                open.push(path);
            } else if kind.is_file()
                && let Ok(text) = fs::read_to_string(&path)
            {
                let path = path.strip_prefix(root()).unwrap().to_owned();
                found.push(File { path, text });
            }
        }
    }
    assert!(!found.is_empty(), "no files in `{directory}`");
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// All Rust files of the package.
fn sources() -> Vec<File> {
    let mut sources = files("src");
    sources.extend(files("tests"));
    sources.extend(files("examples"));
    sources.retain(|file| file.path.extension().is_some_and(|end| end == "rs"));
    sources
}

/// Fails with every place that breaks a rule.
#[track_caller]
fn none(rule: &str, broken: &[String]) {
    assert!(broken.is_empty(), "{rule}:\n  {}\n", broken.join("\n  "));
}

fn at(file: &File, line: usize, what: &str) -> String {
    format!("{}:{line}: {}", file.path.display(), what.trim())
}

/// The names that follow `crate::`, `stockade::` or a chain of `super::` in a text: the first part
/// of each path, groups in braces included. With their line.
fn imported(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for start in ["crate::", "stockade::", "super::"] {
        for (index, _) in text.match_indices(start) {
            let before = text[..index].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | ':')) {
                continue;
            }
            let line = text[..index].lines().count().max(1);
            let mut rest = &text[index + start.len()..];
            while let Some(up) = rest.strip_prefix("super::") {
                rest = up;
            }
            let mut names = vec![rest];
            if let Some(group) = rest.strip_prefix('{') {
                names = top_level(group);
            }
            for name in names {
                let end = name.find(|c: char| !c.is_alphanumeric() && c != '_');
                let name = &name[..end.unwrap_or(name.len())];
                if !name.is_empty() {
                    found.push((line, name.to_owned()));
                }
            }
        }
    }
    found
}

/// The items of a group, whose opening brace is gone.
fn top_level(group: &str) -> Vec<&str> {
    let mut items = Vec::new();
    let (mut depth, mut start) = (0, 0);
    for (index, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                items.push(group[start..index].trim());
                start = index + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    items
}

#[test]
fn imports_are_found_in_every_form() {
    let text = "use crate::a::B;\nuse crate::{\n  c::{D, e},\n  f,\n};\nsuper::super::g::h();\n\
                use stockade::i;\n$crate::j mycrate::k";
    let names: Vec<String> = imported(text).into_iter().map(|(_, name)| name).collect();
    assert_eq!(names, ["a", "c", "f", "j", "i", "g"]);
    assert_eq!(imported("x\ny\nuse crate::z;"), [(3, "z".to_owned())]);
}

#[test]
fn layers_import_only_what_is_below() {
    let mut broken = Vec::new();
    for file in files("src") {
        let Some(layer) = file.layer() else { continue };
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == layer) else {
            broken.push(at(&file, 1, "a folder without a line in ARROWS"));
            continue;
        };
        for (line, name) in imported(&file.text) {
            let other = ARROWS.iter().any(|(layer, _)| *layer == name) && name != layer;
            if other && !allowed.contains(&name.as_str()) {
                broken.push(at(&file, line, &format!("{layer} imports {name}")));
            }
        }
    }
    none("a layer reads as if those above did not exist", &broken);
}

#[test]
fn below_the_command_line_nothing_is_printed_read_or_ended() {
    let words = [
        "print!",
        "println!",
        "eprint!",
        "eprintln!",
        "process::exit",
        "clap",
        "env::var",
        "env::vars",
        "env::args",
        "env::current_dir",
        "io::stdin",
        "io::stdout",
        "io::stderr",
    ];
    let mut broken = Vec::new();
    for file in sources() {
        if matches!(file.layer(), None | Some("cli")) {
            continue;
        }
        for (line, code) in file.product() {
            if words.iter().any(|word| code.contains(word)) {
                broken.push(at(&file, line, code));
            }
        }
    }
    none(
        "printing, flags, the environment and exit codes are the command line's",
        &broken,
    );
}

#[test]
fn only_ui_and_the_output_thread_hold_the_standard_streams() {
    let mut broken = Vec::new();
    for file in sources().iter().filter(|f| f.layer() == Some("cli")) {
        let terminal = file.path.starts_with("src/cli/terminal");
        // The pager is what standard output leads to, and writes nothing itself.
        if terminal
            || ["ui.rs", "pager.rs"]
                .iter()
                .any(|name| file.path.ends_with(name))
        {
            continue;
        }
        for (line, code) in file.product() {
            let words = ["print!", "println!", "io::stdout()", "io::stderr()"];
            // Asking what a stream is writes nothing.
            let asks = code.contains(".is_terminal()");
            if words.iter().any(|word| code.contains(word)) && !asks {
                broken.push(at(file, line, code));
            }
        }
    }
    none("what is printed goes through `Ui`", &broken);
}

#[test]
fn http_is_behind_one_file_for_each_peer() {
    let mut broken = Vec::new();
    for file in sources() {
        // Podman's service, and whoever wants to be told of a run's end.
        let may = [
            "libpod/transport.rs",
            "cli/notify/address.rs",
            "cli/notify/address/tests.rs",
            "tidy.rs",
        ];
        if may.iter().any(|path| file.path.ends_with(path)) {
            continue;
        }
        for (line, code) in file.product() {
            if ["hyper", "http_body"]
                .iter()
                .any(|word| code.contains(word))
            {
                broken.push(at(&file, line, code));
            }
        }
    }
    none(
        "only src/libpod/transport.rs and src/cli/notify/address.rs name hyper",
        &broken,
    );
}

#[test]
fn a_file_fits_in_the_head() {
    let long = sources().into_iter().filter_map(|file| {
        let lines = file.text.lines().count();
        (lines > LINES).then(|| format!("{}: {lines} lines", file.path.display()))
    });
    none(
        &format!("a file has at most {LINES} lines, tests included"),
        &long.collect::<Vec<_>>(),
    );
}

/// A file and the modules that it declares, and theirs.
fn declared(path: &Path, found: &mut BTreeSet<PathBuf>) {
    if !found.insert(path.to_owned()) {
        return;
    }
    let directory = path.parent().unwrap();
    let stem = path.file_stem().unwrap();
    let own = ["main", "lib", "mod"].iter().any(|name| stem == *name);
    // A file of tests/*.rs or examples/*.rs is a crate of its own.
    let own = own
        || ["tests", "examples"]
            .iter()
            .any(|crates| directory == root().join(crates));
    let below = if own {
        directory.to_owned()
    } else {
        directory.join(stem)
    };
    let text = fs::read_to_string(path).unwrap();
    let mut named = None;
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("#[path = \"") {
            named = name.strip_suffix("\"]").map(|name| directory.join(name));
            continue;
        }
        let code = line.split("//").next().unwrap_or_default();
        let words: Vec<&str> = code.split_whitespace().collect();
        let (["mod", module] | [_, "mod", module]) = words[..] else {
            continue;
        };
        let Some(module) = module.strip_suffix(';') else {
            continue;
        };
        let flat = below.join(format!("{module}.rs"));
        let nested = below.join(module).join("mod.rs");
        let file = named
            .take()
            .unwrap_or(if flat.exists() { flat } else { nested });
        declared(&file, found);
    }
}

#[test]
fn no_file_is_forgotten() {
    let mut found = BTreeSet::new();
    for file in ["src/lib.rs", "src/main.rs"] {
        declared(&root().join(file), &mut found);
    }
    let crates = ["tests", "examples"].map(|name| fs::read_dir(root().join(name)).unwrap());
    for entry in crates.into_iter().flatten() {
        let path = entry.unwrap().path();
        let crate_root = if path.is_dir() {
            path.join("main.rs")
        } else {
            path
        };
        if crate_root.exists() && crate_root.extension().is_some_and(|end| end == "rs") {
            declared(&crate_root, &mut found);
        }
    }
    let forgotten = sources().into_iter().map(|file| root().join(file.path));
    let forgotten = forgotten.filter(|path| !found.contains(path));
    let forgotten: Vec<String> = forgotten.map(|path| path.display().to_string()).collect();
    none(
        "a file that no `mod` declares is never compiled",
        &forgotten,
    );
}

#[test]
fn what_is_skipped_silenced_or_unwritten_has_no_place() {
    // In two parts, so that this file may hold them.
    let words = [
        ["#[ign", "ore]"],
        ["#[ign", "ore = \"\"]"],
        ["#[all", "ow("],
        ["#![all", "ow("],
        ["tod", "o!"],
        ["unimpl", "emented!"],
        ["db", "g!("],
    ]
    .map(|parts| parts.concat());
    let mut broken = Vec::new();
    for file in sources() {
        for (line, code) in file.code() {
            if words.iter().any(|word| code.contains(word.as_str())) {
                broken.push(at(&file, line, code));
            }
        }
    }
    none(
        "a skip has its reason, an exemption is `expect` with a reason, nothing is left to do",
        &broken,
    );
}

#[test]
fn nothing_names_one_machine_or_registry() {
    let words = [
        ["/wo", "rk/"],
        ["/fa", "rm/"],
        ["deb.deb", "ian.org"],
        ["security.deb", "ian.org"],
        ["snapshot.deb", "ian.org"],
        ["archive.ub", "untu.com"],
        ["crat", "es.io"],
        ["pypi", ".org"],
        ["pythonho", "sted.org"],
        ["npm", "js."],
        ["proxy.gol", "ang.org"],
        ["rubyg", "ems.org"],
    ]
    .map(|parts| parts.concat());
    let mut broken = Vec::new();
    for file in files(".") {
        if file.path == Path::new("Cargo.lock") {
            continue;
        }
        for (line, text) in file.text.lines().enumerate() {
            if words.iter().any(|word| text.contains(word.as_str())) {
                broken.push(at(&file, line + 1, text));
            }
        }
    }
    none(
        "mirrors and directories are the machine's own business",
        &broken,
    );
}

#[test]
fn no_snapshot_waits_for_review() {
    let waiting = files(".").into_iter().map(|file| file.path);
    let waiting = waiting.filter(|path| {
        let name = path.to_string_lossy();
        name.ends_with(".pending-snap") || name.ends_with(".snap.new")
    });
    let waiting: Vec<String> = waiting.map(|path| path.display().to_string()).collect();
    none("accept or reject these snapshots", &waiting);
}

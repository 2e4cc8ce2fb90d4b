//! One side of a case: a directory of its own, the script, and what it left.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;

use serde_json::Value;

use crate::case::Observed;
use crate::normal::{Names, own_words, unclear};
use crate::support::content::{content, described};
use crate::support::dir::TestDir;
use crate::support::image::NAME;

const PRELUDE: &str = include_str!("prelude.sh");

/// Whose command lines they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    /// `podman --remote` of the service's release.
    Podman,
    /// The program under test.
    Stockade,
}

/// What one side did.
#[derive(Debug)]
pub(crate) struct Session {
    /// What is compared.
    pub(crate) observed: Observed,
    /// What was said, for a person who looks for the reason of a difference.
    transcript: String,
}

impl Session {
    /// Runs a script in a new directory.
    #[track_caller]
    pub(crate) fn run(program: Program, script: &str) -> Self {
        let dir = TestDir::new();
        let observed = dir.path().join("observed");
        std::fs::create_dir(&observed).expect("a new directory");
        let label = format!("differential={}", dir.name("label"));
        let podman = dir.podman().remote.iter();
        let podman: Vec<_> = podman.map(|word| word.to_string_lossy()).collect();
        let podman = podman.join("\n");
        let typed = match program {
            Program::Podman => podman.clone(),
            Program::Stockade => dir.program(),
        };
        let names = Names::of(&dir);
        let mut shell = dir.shell(&format!("{PRELUDE}\n{script}"));
        for (name, value) in names.variables() {
            shell = shell.env(name, value);
        }
        let ran = shell
            .env("PROGRAM", &typed)
            .env("REFERENCE", &podman)
            .env("OBSERVED", &observed.display().to_string())
            .env("LABEL", &label)
            .env("TINY", NAME)
            .run();
        assert_eq!(ran.stderr(), "", "the script itself complains");
        let mut session = Self {
            observed: Observed::new(),
            transcript: String::new(),
        };
        for number in 1.. {
            let line = observed.join(number.to_string());
            if !line.exists() {
                break;
            }
            session.observe(&dir, program, &names, number, &line);
        }
        session.observe_left(&dir, &names, &label);
        session
    }

    /// What one line of the script came to.
    fn observe(&mut self, dir: &TestDir, program: Program, names: &Names, number: u32, at: &Path) {
        let read = |name: &str| {
            let bytes = std::fs::read(at.join(name)).ok()?;
            let text = String::from_utf8(bytes);
            Some(text.unwrap_or_else(|bytes| bytes.as_bytes().escape_ascii().to_string()))
        };
        let line = names.normal(&read("line").expect("every line has one"));
        self.transcript.push_str(&format!("{number}: {line}\n"));
        if let Some(exit) = read("exit") {
            let (stdout, stderr) = (read("stdout"), read("stderr").unwrap_or_default());
            let stdout = stdout.unwrap_or_default();
            self.transcript.push_str(&format!(
                "exit {exit}stdout: {}\nstderr: {}\n",
                brief(&stdout),
                brief(&stderr)
            ));
            if program == Program::Stockade
                && let Some(what) = unclear(&stderr)
            {
                panic!("{line}: {what}\n{stderr}");
            }
            let (error, rest) = own_words(program, &stderr);
            self.add(number, "exit", exit.trim_end().to_owned());
            match read("as").as_deref() {
                Some("keys") => self.add(number, "keys", keys(&stdout)),
                Some("table") => self.add(number, "table", table(&names.normal(&stdout))),
                Some("nothing") => {}
                _ => self.add(number, "stdout", names.normal(&stdout)),
            }
            self.add(number, "stderr", names.normal(&rest));
            self.add(number, "error", if error { "said" } else { "none" }.into());
        }
        if let Some(shown) = read("shown") {
            self.transcript.push_str(&shown);
            self.add(number, "shown", names.normal(&shown));
        }
        if let Some(fields) = read("fields") {
            let json = read("inspect").unwrap_or_default();
            self.fields(names, number, &json, &fields);
        }
        if let Some(image) = read("image") {
            let there = dir.podman().command(&["image", "exists", &image]).run();
            if there.exit_code() != Some(0) {
                return self.add(number, "content", "no such image".into());
            }
            let mut files = String::new();
            // The tiny image's programs are the same in both, and many.
            for (path, entry) in content(dir, &image)
                .iter()
                .filter(|(path, _)| !path.starts_with("bin"))
            {
                let hash = sum(&entry.content);
                files.push_str(&format!(
                    "{} {} {hash:x}\n",
                    path.display(),
                    described(entry)
                ));
            }
            self.add(number, "content", files);
        }
    }

    /// Fields of what inspect said.
    fn fields(&mut self, names: &Names, number: u32, json: &str, fields: &str) {
        let json: Value = serde_json::from_str(json).unwrap_or_default();
        self.add(number, "there", json.get(0).is_some().to_string());
        for field in fields.lines() {
            let pointer = format!("/0/{}", field.replace('.', "/"));
            let value = json.pointer(&pointer).cloned().unwrap_or_default();
            // Which of the two is a matter of moments.
            let value = names
                .normal(&value.to_string())
                .replace("\"stopped\"", "\"exited\"");
            self.transcript.push_str(&format!("{field}: {value}\n"));
            self.add(number, field, value);
        }
    }

    /// The containers that are left, and their removal.
    fn observe_left(&mut self, dir: &TestDir, names: &Names, label: &str) {
        let filter = BTreeMap::from([("label".to_owned(), vec![label.to_owned()])]);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let listed = runtime.block_on(async {
            let client = dir.podman().client().await;
            client.list_containers(true, &filter).await.expect("a list")
        });
        let mut left = Vec::new();
        for container in listed {
            dir.adopt(container.id.as_str());
            let name = names.normal(&container.names.join(","));
            // A name that podman made up says nothing.
            let name = if name.starts_with('$') { &name } else { "?" };
            let state = container.state.as_str().replace("stopped", "exited");
            left.push(format!("{name} {state}"));
        }
        left.sort();
        self.observed.insert("left".into(), left.join("\n"));
    }

    fn add(&mut self, number: u32, what: &str, value: String) {
        self.observed.insert(format!("{number} {what}"), value);
    }
}

impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.transcript)
    }
}

/// The keys of JSON values and what they have, one a line; those of a list's elements together.
fn keys(text: &str) -> String {
    fn collect(value: &Value, path: &str, all: &mut BTreeSet<String>) {
        let kind = match value {
            Value::Object(map) => {
                for (key, value) in map {
                    // Labels and annotations are the container's, not the format's.
                    let key = if key.contains('.') { "*" } else { key };
                    collect(value, &format!("{path}.{key}"), all);
                }
                "object"
            }
            Value::Array(list) => {
                for value in list {
                    collect(value, &format!("{path}[]"), all);
                }
                "list"
            }
            Value::Null => "null",
            Value::Bool(_) => "bool",
            Value::Number(_) => "number",
            Value::String(_) => "string",
        };
        all.insert(format!("{path}: {kind}"));
    }
    let mut all = BTreeSet::new();
    for value in serde_json::Deserializer::from_str(text).into_iter() {
        match value {
            Ok(value) => collect(&value, "", &mut all),
            Err(error) => return format!("no JSON: {error}"),
        }
    }
    Vec::from_iter(all).join("\n")
}

/// A table without the width of its columns and the ages in them.
fn table(text: &str) -> String {
    let units = ["second", "seconds", "minute", "minutes", "hour", "hours"];
    let mut lines = Vec::new();
    for line in text.lines() {
        let line = line
            .replace("Less than a second", "0 seconds")
            .replace("About a minute", "1 minute")
            .replace("About an hour", "1 hour");
        let mut words: Vec<&str> = line.split_whitespace().collect();
        for at in 1..words.len() {
            if units.contains(&words[at]) {
                words[at - 1] = "N";
                words[at] = "seconds";
            }
        }
        lines.push(words.join(" "));
    }
    lines.join("\n")
}

/// Tells one content from another.
fn sum(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

/// The beginning of a text, for a person.
fn brief(text: &str) -> String {
    let mut brief: String = text.chars().take(500).collect();
    if brief.len() < text.len() {
        brief.push_str(" … (cut)");
    }
    brief
}

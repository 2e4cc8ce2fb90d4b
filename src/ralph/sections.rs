//! Files of which a part steers a check and the rest is work: that part is the person's. Pure.

use std::ffi::OsStr;
use std::path::Path;

/// What is longer stays as the agent left it, and is told, in bytes.
pub(super) const MAX: u64 = 1 << 20;

/// How such a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Toml,
    Json,
    /// Sections of lines. A name that ends in `*` stands for all that begin so.
    Ini,
}

/// Names, how they are written, and what in them is the person's: keys with points between them, in which `*` stands for
/// each part of a list, those of one `name` together.
const FILES: &[(&str, Form, &[&str])] = &[
    (
        "pyproject.toml",
        Form::Toml,
        &[
            "build-system",
            "project.entry-points",
            "tool.coverage",
            "tool.hatch",
            "tool.nox",
            "tool.pdm.scripts",
            "tool.poe",
            "tool.pytest",
            "tool.taskipy",
            "tool.tox",
        ],
    ),
    (
        "Cargo.toml",
        Form::Toml,
        &[
            "bench",
            "bin.*.harness",
            "bin.*.test",
            "example.*.test",
            "lib.doctest",
            "lib.harness",
            "lib.test",
            "package.autobenches",
            "package.autotests",
            "package.build",
            "test",
            "workspace.default-members",
        ],
    ),
    (
        "package.json",
        Form::Json,
        &[
            "ava", "c8", "jest", "mocha", "nyc", "scripts", "tap", "vitest",
        ],
    ),
    (
        "setup.cfg",
        Form::Ini,
        &[
            "aliases",
            "coverage:*",
            "nosetests",
            "options.entry_points",
            "pytest",
            "test",
            "tool:pytest",
            "tox:*",
        ],
    ),
];

/// What becomes of such a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mended {
    /// What steers is as it was.
    Same,
    /// The agent's, but for these parts.
    Replaced(Vec<u8>, Vec<&'static str>),
    /// It cannot be read.
    Unclear,
}

/// Whether a file is one of these.
pub(super) fn is_known(path: &Path) -> bool {
    of(path).is_some()
}

fn of(path: &Path) -> Option<&'static (&'static str, Form, &'static [&'static str])> {
    FILES
        .iter()
        .find(|(name, ..)| path.file_name() == Some(OsStr::new(name)))
}

/// The agent's file with what steers as it was; `base` is the whole file as it was, if there was one.
pub(super) fn mend(path: &Path, base: Option<&[u8]>, agents: &[u8]) -> Mended {
    let Some((_, form, keys)) = of(path) else {
        return Mended::Unclear;
    };
    let text = |bytes| std::str::from_utf8(bytes).ok();
    let Some(agents) = text(agents) else {
        return Mended::Unclear;
    };
    let base = match base.map(text) {
        None => None,
        Some(Some(base)) => Some(base),
        Some(None) => return Mended::Unclear,
    };
    let mended = match form {
        Form::Toml => tree::<toml::Value>(base, agents, keys),
        Form::Json => tree::<serde_json::Value>(base, agents, keys),
        Form::Ini => Some(ini(base.unwrap_or_default(), agents, keys)),
    };
    match mended {
        None => Mended::Unclear,
        Some((_, changed)) if changed.is_empty() => Mended::Same,
        Some((text, changed)) => Mended::Replaced(text.into_bytes(), changed),
    }
}

/// A text, and which of the keys were put back in it.
type Restored = (String, Vec<&'static str>);

// ---- trees ----

/// What TOML and JSON have in common.
trait Tree: Sized + Clone + PartialEq {
    fn read(text: &str) -> Option<Self>;
    fn written(&self) -> Option<String>;
    fn empty() -> Self;
    fn get(&self, key: &str) -> Option<&Self>;
    fn get_mut(&mut self, key: &str) -> Option<&mut Self>;
    fn set(&mut self, key: &str, value: Option<Self>);
    fn list(&self) -> Option<&[Self]>;
    fn list_mut(&mut self) -> Option<&mut [Self]>;
    fn is_table(&self) -> bool;
}

macro_rules! tree {
    ($value:ty, $table:path, $list:path, $empty:expr, $read:expr, $write:expr) => {
        impl Tree for $value {
            fn read(text: &str) -> Option<Self> {
                $read(text)
            }

            fn written(&self) -> Option<String> {
                $write(self).ok()
            }

            fn empty() -> Self {
                $table($empty)
            }

            fn get(&self, key: &str) -> Option<&Self> {
                self.get(key)
            }

            fn get_mut(&mut self, key: &str) -> Option<&mut Self> {
                self.get_mut(key)
            }

            fn set(&mut self, key: &str, value: Option<Self>) {
                if let $table(table) = self {
                    match value {
                        Some(value) => drop(table.insert(key.to_owned(), value)),
                        None => drop(table.remove(key)),
                    }
                }
            }

            fn list(&self) -> Option<&[Self]> {
                match self {
                    $list(list) => Some(list),
                    _ => None,
                }
            }

            fn list_mut(&mut self) -> Option<&mut [Self]> {
                match self {
                    $list(list) => Some(list),
                    _ => None,
                }
            }

            fn is_table(&self) -> bool {
                matches!(self, $table(_))
            }
        }
    };
}

tree!(
    toml::Value,
    toml::Value::Table,
    toml::Value::Array,
    toml::Table::new(),
    |text: &str| text.parse::<toml::Table>().ok().map(toml::Value::Table),
    toml::to_string
);
tree!(
    serde_json::Value,
    serde_json::Value::Object,
    serde_json::Value::Array,
    serde_json::Map::new(),
    |text: &str| serde_json::from_str(text).ok().filter(Tree::is_table),
    serde_json::to_string_pretty
);

fn tree<T: Tree>(base: Option<&str>, agents: &str, keys: &[&'static str]) -> Option<Restored> {
    let base = match base {
        Some(base) => Some(T::read(base)?),
        None => None,
    };
    let mut agents = T::read(agents)?;
    let mut changed = Vec::new();
    for key in keys {
        let path: Vec<_> = key.split('.').collect();
        if restore(&mut agents, base.as_ref(), &path) {
            changed.push(*key);
        }
    }
    Some((agents.written()?, changed))
}

/// Makes what is at a path what it was; whether it was anything else.
fn restore<T: Tree>(agents: &mut T, base: Option<&T>, path: &[&str]) -> bool {
    let Some((key, below)) = path.split_first() else {
        return false;
    };
    if *key == "*" {
        let mut any = false;
        for part in agents.list_mut().unwrap_or_default() {
            let was = base.and_then(Tree::list).into_iter().flatten();
            let mut was = was.filter(|was| was.get("name") == part.get("name"));
            any |= restore(part, was.next(), below);
        }
        return any;
    }
    let was = base.and_then(|base| base.get(key));
    if below.is_empty() {
        let other = agents.get(key) != was;
        if other {
            agents.set(key, was.cloned());
        }
        return other;
    }
    let fits = |found: &T| found.is_table() || found.list().is_some();
    match agents.get_mut(key) {
        Some(found) if fits(found) => restore(found, was, below),
        // Nothing there, or what cannot hold it.
        found => {
            let mut table = T::empty();
            let put = was.is_some_and(Tree::is_table) && restore(&mut table, was, below);
            let in_the_way = found.is_some();
            if put || in_the_way && was.is_some() {
                agents.set(key, Some(table));
            }
            put
        }
    }
}

// ---- lines ----

/// Sections with their heads, what is before the first one without a name.
fn sections(text: &str) -> Vec<(&str, String)> {
    let mut all = vec![("", String::new())];
    for line in text.lines() {
        let head = line.trim_start().strip_prefix('[');
        if let Some((name, _)) = head.and_then(|head| head.split_once(']')) {
            all.push((name.trim(), String::new()));
        }
        if let Some((_, lines)) = all.last_mut() {
            lines.push_str(line);
            lines.push('\n');
        }
    }
    all
}

fn ini(base: &str, agents: &str, keys: &[&'static str]) -> Restored {
    let fits = |key: &str, name: &str| match key.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == key,
    };
    let (base, agents) = (sections(base), sections(agents));
    let of = |all: &[(&str, String)], key: &str| -> String {
        let those = all.iter().filter(|(name, _)| fits(key, name));
        those.map(|(_, lines)| lines.as_str()).collect()
    };
    let differs = |key: &&&'static str| of(&base, key) != of(&agents, key);
    let changed: Vec<_> = keys.iter().filter(differs).copied().collect();
    let is_changed = |name: &str| changed.iter().any(|key| fits(key, name));
    let kept = agents.iter().filter(|(name, _)| !is_changed(name));
    let back = base.iter().filter(|(name, _)| is_changed(name));
    let text = kept.chain(back).map(|(_, lines)| lines.as_str()).collect();
    (text, changed)
}

#[cfg(test)]
mod tests;

//! git's ignore rules. Time is pattern times name, whatever they are.

use std::collections::HashMap;

use crate::workspace::policy::wildcard;

/// What stands for bytes of one name.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Unit {
    Byte(u8),
    /// Any one.
    One,
    /// Any number.
    Many,
    /// One of these, or none of these.
    Set(bool, Vec<(u8, u8)>),
}

/// A name in a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// Any number of names.
    Many,
    /// Any name.
    One,
    Name(Vec<Unit>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    /// `!`: what it matches is not ignored.
    takes_back: bool,
    directories: bool,
    /// From the directory of the file on; otherwise the last name alone counts.
    rooted: bool,
    parts: Vec<Part>,
}

/// The rules of one file, the last one first.
fn read(text: &[u8]) -> Vec<Rule> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let lines = text.split(|&byte| byte == b'\n');
    let mut rules: Vec<Rule> = lines.filter_map(rule).collect();
    rules.reverse();
    rules
}

/// One rule; `None` if the line is none.
pub(super) fn rule(line: &[u8]) -> Option<Rule> {
    let mut line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.starts_with(b"#") {
        return None;
    }
    while let Some(rest) = line.strip_suffix(b" ") {
        let escapes = rest.iter().rev().take_while(|byte| **byte == b'\\').count();
        if escapes % 2 == 1 {
            break;
        }
        line = rest;
    }
    let takes_back = line.strip_prefix(b"!");
    let line = takes_back.unwrap_or(line);
    let directories = line.strip_suffix(b"/");
    let body = directories.unwrap_or(line);
    if body.is_empty() {
        return None;
    }
    let rooted = body.contains(&b'/');
    let body = body.strip_prefix(b"/").unwrap_or(body);
    let names: Vec<&[u8]> = body.split(|&byte| byte == b'/').collect();
    let mut parts = Vec::new();
    for (at, name) in names.iter().enumerate() {
        match *name {
            b"**" if rooted && at + 1 == names.len() => parts.extend([Part::One, Part::Many]),
            b"**" if rooted => parts.push(Part::Many),
            name => parts.push(Part::Name(units(name)?)),
        }
    }
    Some(Rule {
        takes_back: takes_back.is_some(),
        directories: directories.is_some(),
        rooted,
        parts,
    })
}

/// `None` for a pattern that matches nothing.
fn units(name: &[u8]) -> Option<Vec<Unit>> {
    let mut units = Vec::new();
    let mut rest = name;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        units.push(match byte {
            b'*' => Unit::Many,
            b'?' => Unit::One,
            b'\\' => {
                let (&byte, after) = rest.split_first()?;
                rest = after;
                Unit::Byte(byte)
            }
            b'[' => {
                let (set, after) = set(rest)?;
                rest = after;
                set
            }
            byte => Unit::Byte(byte),
        });
    }
    Some(units)
}

/// What follows a `[`, up to its `]`.
fn set(mut rest: &[u8]) -> Option<(Unit, &[u8])> {
    let negated = matches!(rest.first(), Some(b'!' | b'^'));
    if negated {
        rest = rest.get(1..)?;
    }
    let mut ranges = Vec::new();
    let mut first = true;
    loop {
        let (&byte, after) = rest.split_first()?;
        rest = after;
        let low = match byte {
            b']' if !first => return Some((Unit::Set(negated, ranges), rest)),
            b'[' if rest.first() == Some(&b':') => {
                let end = rest.windows(2).position(|two| two == b":]")?;
                ranges.extend(class(rest.get(1..end)?)?);
                rest = rest.get(end + 2..)?;
                first = false;
                continue;
            }
            b'\\' => {
                let (&byte, after) = rest.split_first()?;
                rest = after;
                byte
            }
            byte => byte,
        };
        first = false;
        let mut high = low;
        if rest.first() == Some(&b'-') && rest.get(1).is_some_and(|byte| *byte != b']') {
            let (&byte, after) = rest.get(1..)?.split_first()?;
            (high, rest) = (byte, after);
            if high == b'\\' {
                let (&byte, after) = rest.split_first()?;
                (high, rest) = (byte, after);
            }
        }
        ranges.push((low, high));
    }
}

fn class(name: &[u8]) -> Option<Vec<(u8, u8)>> {
    Some(match name {
        b"alnum" => vec![(b'0', b'9'), (b'A', b'Z'), (b'a', b'z')],
        b"alpha" => vec![(b'A', b'Z'), (b'a', b'z')],
        b"blank" => vec![(b' ', b' '), (b'\t', b'\t')],
        b"cntrl" => vec![(0, 31), (127, 127)],
        b"digit" => vec![(b'0', b'9')],
        b"graph" => vec![(33, 126)],
        b"lower" => vec![(b'a', b'z')],
        b"print" => vec![(32, 126)],
        b"punct" => vec![(33, 47), (58, 64), (91, 96), (123, 126)],
        b"space" => vec![(b' ', b' '), (9, 13)],
        b"upper" => vec![(b'A', b'Z')],
        b"xdigit" => vec![(b'0', b'9'), (b'A', b'F'), (b'a', b'f')],
        _ => return None,
    })
}

fn name_fits(units: &[Unit], name: &[u8]) -> bool {
    wildcard(
        units,
        name,
        |unit| *unit == Unit::Many,
        |unit, byte| match unit {
            Unit::Byte(wanted) => wanted == byte,
            Unit::One | Unit::Many => true,
            Unit::Set(negated, ranges) => {
                let mut ranges = ranges.iter();
                ranges.any(|(low, high)| (low..=high).contains(&byte)) != *negated
            }
        },
    )
}

impl Rule {
    /// Whether it speaks of a path, relative to the directory of its file.
    pub(super) fn fits(&self, path: &[u8], is_directory: bool) -> bool {
        if self.directories && !is_directory {
            return false;
        }
        let names: Vec<&[u8]> = match self.rooted {
            true => path.split(|&byte| byte == b'/').collect(),
            false => path.rsplit(|&byte| byte == b'/').take(1).collect(),
        };
        wildcard(
            &self.parts,
            &names,
            |part| *part == Part::Many,
            |part, name| match part {
                Part::Name(units) => name_fits(units, name),
                Part::One | Part::Many => true,
            },
        )
    }
}

/// The rules of a tree.
#[derive(Debug, Default)]
pub(super) struct Ignore {
    /// By directory; that of the top is the empty one.
    files: HashMap<Vec<u8>, Vec<Rule>>,
    /// `info/exclude`, and the person's own for all repositories: the last ones asked.
    excludes: Vec<Rule>,
}

impl Ignore {
    /// An ignore file of a directory.
    pub(super) fn add(&mut self, directory: &[u8], text: &[u8]) {
        self.files.insert(directory.to_vec(), read(text));
    }

    /// Rules that count less than all that came before.
    pub(super) fn exclude(&mut self, text: &[u8]) {
        self.excludes.extend(read(text));
    }

    /// Whether a path is ignored by itself: whoever walks knows about the directories above it.
    pub(super) fn ignores(&self, path: &[u8], is_directory: bool) -> bool {
        let ends = path.iter().enumerate().rev();
        let ends = ends.filter(|(_, byte)| **byte == b'/').map(|(end, _)| end);
        let directories = ends.map(|end| path.split_at(end)).chain([(&b""[..], path)]);
        for (directory, below) in directories {
            let Some(rules) = self.files.get(directory) else {
                continue;
            };
            let below = below.strip_prefix(b"/").unwrap_or(below);
            if let Some(rule) = rules.iter().find(|rule| rule.fits(below, is_directory)) {
                return !rule.takes_back;
            }
        }
        let mut rules = self.excludes.iter();
        let found = rules.find(|rule| rule.fits(path, is_directory));
        found.is_some_and(|rule| !rule.takes_back)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::*;

    /// As the walk asks: an ignored directory ignores all in it.
    fn ignored(ignore: &Ignore, path: &str) -> bool {
        let path = path.as_bytes();
        let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        let mut above = ends.map(|(end, _)| &path[..end]);
        above.any(|above| ignore.ignores(above, true)) || ignore.ignores(path, false)
    }

    /// Many rules and many paths, against real `git`, which is asked in a directory of ours.
    #[test]
    fn ignore_rules_are_those_of_git() {
        let lines = [
            "a",
            "a/",
            "/a",
            "a/b",
            "/a/b/",
            "*.o",
            "!keep.o",
            "**/a",
            "a/**",
            "a/**/b",
            "**",
            "*",
            "!*/",
            "!*.c",
            "b*",
            "?",
            "[ab]",
            "[!a]",
            "[a-c]x",
            "[[:digit:]]",
            "\\#x",
            "#x",
            "\\!x",
            "!a/b",
            "x ",
            "x\\ ",
            "a*b*c",
            "/*",
            "!/a",
            "a/*",
            "[",
            "[a",
            "b\\",
            "**/b/**",
            "a**b",
            "/**/c",
            "[]x]",
            "[^]]",
            "c/",
            "**/",
            "*/b",
            "a//b",
            "/",
            "",
            " ",
            "[a-",
            "\\a",
        ];
        let names = [
            "a", "b", "c", "x", "1", "keep.o", "m.o", "m.c", "#x", "!x", "x ", "bx", "abc", "]",
            "[", "\\",
        ];
        let mut paths = Vec::new();
        for one in names {
            paths.push(one.to_owned());
            for two in names {
                paths.push(format!("{one}/{two}"));
                paths.extend(["a", "b", "m.o"].map(|three| format!("{one}/{two}/{three}")));
            }
        }
        // That one is there, as a directory.
        paths.retain(|path| path != "a");
        for seed in 0..60_usize {
            let pick = |n: usize| lines[(seed * 7919 + n * n * 104_729 + n * seed) % lines.len()];
            let top: Vec<&str> = (0..1 + seed % 4).map(pick).collect();
            let sub: Vec<&str> = (5..5 + seed % 3).map(pick).collect();
            let (top, sub) = (top.join("\n"), sub.join("\n") + "\n");
            let exclude = pick(9);
            let dir = tempfile::tempdir().unwrap();
            let git = |arguments: &[&str]| {
                let mut git = Command::new("git");
                git.current_dir(dir.path()).args(arguments);
                git.env("GIT_CONFIG_GLOBAL", "/dev/null")
                    .env("GIT_CONFIG_SYSTEM", "/dev/null");
                git.stdout(Stdio::piped()).stdin(Stdio::piped());
                git
            };
            assert!(git(&["init", "-q"]).status().unwrap().success());
            std::fs::create_dir(dir.path().join("a")).unwrap();
            std::fs::write(dir.path().join(".gitignore"), &top).unwrap();
            std::fs::write(dir.path().join("a/.gitignore"), &sub).unwrap();
            std::fs::write(dir.path().join(".git/info/exclude"), exclude).unwrap();
            let mut ignore = Ignore::default();
            ignore.add(b"", top.as_bytes());
            ignore.add(b"a", sub.as_bytes());
            ignore.exclude(exclude.as_bytes());
            let mut child = git(&["check-ignore", "--no-index", "-z", "--stdin"])
                .spawn()
                .unwrap();
            let input = paths.join("\0") + "\0";
            let mut stdin = child.stdin.take().unwrap();
            let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
            let output = child.wait_with_output().unwrap();
            writer.join().unwrap().unwrap();
            let wanted = String::from_utf8(output.stdout).unwrap();
            let wanted: std::collections::HashSet<&str> = wanted.split('\0').collect();
            let wrong: Vec<&String> = paths
                .iter()
                .filter(|path| ignored(&ignore, path) != wanted.contains(path.as_str()))
                .collect();
            assert!(
                wrong.is_empty(),
                "{top:?}, in `a` {sub:?}, else {exclude:?}: {wrong:?}"
            );
        }
    }
}

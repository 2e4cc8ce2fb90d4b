//! A repository's configuration, of which an agent's copy has a closed list: nothing that names a program,
//! a file, a server or a credential.

use std::fmt::Write as _;

/// What is read of a configuration. Of one key the last value counts.
#[derive(Debug, Default)]
pub(super) struct Config(Vec<Entry>);

#[derive(Debug)]
struct Entry {
    /// In lower case; with its subsection, if it has one.
    section: String,
    key: String,
    /// A key alone means yes.
    value: Option<String>,
}

/// What a value may be.
enum Value {
    YesNo,
    Word(&'static [&'static str]),
    Text,
}

/// All that is taken over. `user` is what a commit has as its author.
const KEYS: [(&str, &str, Value); 9] = [
    ("core", "filemode", Value::YesNo),
    ("core", "ignorecase", Value::YesNo),
    ("core", "symlinks", Value::YesNo),
    ("core", "autocrlf", Value::Word(&["true", "false", "input"])),
    ("core", "eol", Value::Word(&["lf", "crlf", "native"])),
    (
        "extensions",
        "objectformat",
        Value::Word(&["sha1", "sha256"]),
    ),
    (
        "extensions",
        "refstorage",
        Value::Word(&["files", "reftable"]),
    ),
    ("user", "name", Value::Text),
    ("user", "email", Value::Text),
];
/// Extensions that a copy does without.
const WITHOUT: [&str; 6] = [
    "noop",
    "noop-v1",
    "partialclone",
    "preciousobjects",
    "relativeworktrees",
    "worktreeconfig",
];

impl Config {
    /// Reads one; `None` if git would not.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut reader = Reader {
            rest: text.trim_start_matches('\u{feff}').chars().peekable(),
        };
        let (mut entries, mut section) = (Vec::new(), None);
        while let Some(next) = reader.rest.next() {
            match next {
                c if c.is_whitespace() => {}
                '#' | ';' => reader.skip_line(),
                '[' => section = Some(reader.section()?),
                c if c.is_ascii_alphabetic() => {
                    let (key, value) = reader.entry(c)?;
                    let section = section.clone()?;
                    entries.push(Entry {
                        section,
                        key,
                        value,
                    });
                }
                _ => return None,
            }
        }
        Some(Self(entries))
    }

    pub(super) fn get(&self, section: &str, key: &str) -> Option<&str> {
        let is = |entry: &&Entry| entry.section == section && entry.key == key;
        let entry = self.0.iter().rfind(is)?;
        Some(entry.value.as_deref().unwrap_or("true"))
    }

    /// Whether refs are kept in tables.
    pub(super) fn has_reftable(&self) -> bool {
        self.get("extensions", "refstorage") == Some("reftable")
    }

    /// The configuration of a copy.
    ///
    /// # Errors
    /// Why there can be none.
    pub(super) fn closed(&self) -> Result<String, &'static str> {
        let version = self.get("core", "repositoryformatversion").unwrap_or("0");
        if !matches!(version, "0" | "1") {
            return Err("it is of a format that is not known");
        }
        let carried = |key: &str| {
            let of_list =
                |(section, name, _): &(&str, &str, Value)| *section == "extensions" && *name == key;
            KEYS.iter().any(of_list) || WITHOUT.contains(&key)
        };
        let mut extensions = self.0.iter().filter(|entry| entry.section == "extensions");
        if version == "1" && extensions.any(|entry| !carried(&entry.key)) {
            return Err("it has an extension that is not known");
        }
        let mut text = format!("[core]\n\trepositoryformatversion = {version}\n\tbare = false\n");
        for (section, key, allowed) in &KEYS {
            let Some(value) = self.get(section, key) else {
                continue;
            };
            if let Some(value) = allowed.checked(value) {
                let _ = writeln!(text, "[{section}]\n\t{key} = {value}");
            } else if *section == "extensions" {
                return Err("it has an extension that is not known");
            }
        }
        if self.get("user", "email").is_none() {
            text.push_str("[user]\n\tname = agent\n\temail = agent@localhost\n");
        }
        Ok(text)
    }
}

impl Value {
    /// The value as it is written, if it may be.
    fn checked(&self, value: &str) -> Option<String> {
        let word = value.to_ascii_lowercase();
        match self {
            Self::YesNo => match word.as_str() {
                "true" | "yes" | "on" | "1" => Some("true".to_owned()),
                "false" | "no" | "off" | "0" | "" => Some("false".to_owned()),
                _ => None,
            },
            Self::Word(words) => words.contains(&word.as_str()).then_some(word),
            Self::Text if value.chars().any(char::is_control) => None,
            Self::Text => {
                let escaped = value.replace('\\', "\\\\").replace('"', "\\\"");
                Some(format!("\"{escaped}\""))
            }
        }
    }
}

struct Reader<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
}

impl Reader<'_> {
    fn skip_line(&mut self) {
        let _ = self.rest.find(|c| *c == '\n');
    }

    /// What stands between brackets.
    fn section(&mut self) -> Option<String> {
        let mut name = String::new();
        loop {
            match self.rest.next()? {
                ']' => return Some(name),
                '"' => {
                    let below = self.subsection()?;
                    return Some(format!("{name}.{below}"));
                }
                ' ' | '\t' => {}
                c if c.is_ascii_alphanumeric() || matches!(c, '-' | '.') => {
                    name.push(c.to_ascii_lowercase());
                }
                _ => return None,
            }
        }
    }

    fn subsection(&mut self) -> Option<String> {
        let mut name = String::new();
        loop {
            match self.rest.next()? {
                '"' => break,
                '\n' => return None,
                '\\' => name.push(self.rest.next()?),
                c => name.push(c),
            }
        }
        (self.rest.next()? == ']').then_some(name)
    }

    fn entry(&mut self, first: char) -> Option<(String, Option<String>)> {
        let mut key = String::from(first.to_ascii_lowercase());
        while let Some(c) = self
            .rest
            .next_if(|c| c.is_ascii_alphanumeric() || *c == '-')
        {
            key.push(c.to_ascii_lowercase());
        }
        while self
            .rest
            .next_if(|c| matches!(c, ' ' | '\t' | '\r'))
            .is_some()
        {}
        match self.rest.next() {
            None | Some('\n') => Some((key, None)),
            Some('=') => Some((key, Some(self.value()?))),
            // A comment is none of git's syntax here.
            Some(_) => None,
        }
    }

    fn value(&mut self) -> Option<String> {
        let (mut value, mut blanks, mut quoted) = (String::new(), String::new(), false);
        loop {
            match self.rest.next() {
                None | Some('\n') => return (!quoted).then_some(value),
                Some('\r') if self.rest.peek() == Some(&'\n') => {}
                Some('#' | ';') if !quoted => {
                    self.skip_line();
                    return Some(value);
                }
                Some('"') => quoted = !quoted,
                Some(c) if c.is_whitespace() && !quoted => {
                    if !value.is_empty() {
                        blanks.push(c);
                    }
                }
                Some(mut c) => {
                    if c == '\\' {
                        c = match self.rest.next()? {
                            '\n' => continue,
                            'n' => '\n',
                            't' => '\t',
                            'b' => '\u{8}',
                            c @ ('"' | '\\') => c,
                            _ => return None,
                        };
                    }
                    value.push_str(&blanks);
                    blanks.clear();
                    value.push(c);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_git_reads_them() {
        let text = "[core]\n\tfileMode = false # no\n[User]\nname = \" A \\\"B\\\"\"  C ; x\nemail = a@\\\nb\n\
            [remote \"o\\\"x\"] url = \"x;y\"\n[alias]\n\tx\n";
        let config = Config::parse(text).unwrap();
        for (section, key, value) in [
            ("core", "filemode", "false"),
            ("user", "name", " A \"B\"  C"),
            ("user", "email", "a@b"),
            ("remote.o\"x", "url", "x;y"),
            ("alias", "x", "true"),
        ] {
            assert_eq!(config.get(section, key), Some(value), "{section}.{key}");
        }
        for wrong in [
            "x = 1",
            "[core",
            "[core]\n1 = 2",
            "[core]\nx = \"a\nb\"",
            "[core]\nx = \\z",
        ] {
            assert!(Config::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn nothing_that_runs_or_reaches_out_is_taken_over() {
        let text = "[core]\nrepositoryformatversion = 0\nbare = true\nfilemode = yes\nsymlinks\nfsmonitor = evil\n\
            hooksPath = /x\nsshCommand = evil\npager = evil\nworktree = /\nattributesFile = x\neditor = x\n\
            autocrlf = evil\n[include]\npath = /evil\n[includeIf \"gitdir:/\"]\npath = evil\n[filter \"f\"]\n\
            clean = evil\n[credential]\nhelper = evil\n[remote \"origin\"]\nurl = https://user:pass@evil/\n\
            [alias]\nst = !evil\n[user]\nname = \"A \\\"B\\\\\"\nemail = a@b\nsigningKey = evil\n\
            [user \"name\"]\nemail = evil\n[gpg]\nprogram = evil\n[commit]\ngpgsign = true\n";
        let closed = Config::parse(text).unwrap().closed().unwrap();
        assert_eq!(
            closed,
            "[core]\n\trepositoryformatversion = 0\n\tbare = false\n[core]\n\tfilemode = true\n\
            [core]\n\tsymlinks = true\n[user]\n\tname = \"A \\\"B\\\\\"\n[user]\n\temail = \"a@b\"\n"
        );
        let again = Config::parse(&closed).unwrap();
        assert_eq!(again.get("user", "name"), Some("A \"B\\"));
    }

    #[test]
    fn formats_that_are_not_known_are_refused() {
        for (text, good) in [
            ("[core]\nrepositoryformatversion = 2", false),
            (
                "[core]\nrepositoryformatversion = 1\n[extensions]\nnew = 1",
                false,
            ),
            (
                "[core]\nrepositoryformatversion = 1\n[extensions]\nobjectFormat = new",
                false,
            ),
            (
                "[core]\nrepositoryformatversion = 1\n[extensions]\nobjectFormat = sha256\nworktreeConfig = true",
                true,
            ),
            ("", true),
        ] {
            let closed = Config::parse(text).unwrap().closed();
            assert_eq!(closed.is_ok(), good, "{text}: {closed:?}");
        }
    }
}

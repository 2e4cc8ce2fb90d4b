//! git's configuration files as data.

use super::personal::Include;

/// Settings in the order in which they stand.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GitConfig(Vec<(String, String)>);

impl GitConfig {
    /// Reads a file; `None` if `git` would refuse it.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes);
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let mut rest = text.chars().peekable();
        let mut section = String::new();
        let mut settings = Vec::new();
        while let Some(&c) = rest.peek() {
            match c {
                '#' | ';' => while rest.next_if(|c| *c != '\n').is_some() {},
                '[' => section = header(&mut rest)?,
                c if c.is_whitespace() => {
                    rest.next();
                }
                _ => {
                    let (name, value) = setting(&mut rest)?;
                    if section.is_empty() {
                        return None;
                    }
                    settings.push((format!("{section}.{name}"), value));
                }
            }
        }
        Some(Self(settings))
    }

    /// The last value of a setting: section and name in lower case.
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut all = self.0.iter().rev();
        let found = all.find(|(other, _)| other == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Whether it is set to something that is true.
    pub(super) fn is_true(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| {
            let value = value.to_ascii_lowercase();
            matches!(value.as_str(), "true" | "yes" | "on")
                || value.parse::<i64>().is_ok_and(|number| number != 0)
        })
    }

    /// Names of all settings below a section, without it.
    pub(super) fn below<'a>(&'a self, section: &'a str) -> impl Iterator<Item = &'a str> {
        let all = self.0.iter();
        all.filter_map(move |(name, _)| name.strip_prefix(section)?.strip_prefix('.'))
    }

    /// With the files that it includes, each where it is named: whether one is read, and what is in it, `read` says.
    ///
    /// # Errors
    /// Those of `read`.
    pub fn with_included<E>(
        self,
        read: &mut dyn FnMut(Include<'_>) -> Result<Option<Self>, E>,
    ) -> Result<Self, E> {
        let mut all = Vec::new();
        for (name, value) in self.0 {
            let include = Include::of(&name, &value);
            let included = include.map(&mut *read).transpose()?.flatten();
            all.push((name, value));
            all.extend(included.unwrap_or_default().0);
        }
        Ok(Self(all))
    }

    /// Adds a setting, which has the last word.
    pub fn set(&mut self, name: &str, value: &str) {
        self.0.push((name.to_owned(), value.to_owned()));
    }

    /// The names of all settings.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// What another file adds, and has the last word on.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// `[section]`, `[section "of this name"]`.
fn header(rest: &mut Chars<'_>) -> Option<String> {
    rest.next();
    let mut section = String::new();
    loop {
        match rest.next()? {
            ']' => return Some(section),
            c if c.is_ascii_alphanumeric() || matches!(c, '-' | '.') => {
                section.push(c.to_ascii_lowercase());
            }
            ' ' | '\t' => break,
            _ => return None,
        }
    }
    while rest.next_if(|c| matches!(c, ' ' | '\t')).is_some() {}
    if rest.next()? != '"' {
        return None;
    }
    section.push('.');
    loop {
        match rest.next()? {
            '"' => break,
            '\n' => return None,
            '\\' => section.push(rest.next().filter(|c| *c != '\n')?),
            c => section.push(c),
        }
    }
    (rest.next()? == ']').then_some(section)
}

/// `name = value`; a name alone is true.
fn setting(rest: &mut Chars<'_>) -> Option<(String, String)> {
    let mut name = String::new();
    while let Some(c) = rest.next_if(|c| c.is_ascii_alphanumeric() || *c == '-') {
        name.push(c.to_ascii_lowercase());
    }
    if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    while rest.next_if(|c| matches!(c, ' ' | '\t' | '\r')).is_some() {}
    match rest.next() {
        None | Some('\n') => Some((name, "true".to_owned())),
        Some('=') => Some((name, value(rest)?)),
        Some(_) => None,
    }
}

fn value(rest: &mut Chars<'_>) -> Option<String> {
    let mut value = String::new();
    // Space at the end counts only within quotes.
    let (mut kept, mut quoted) = (0, false);
    while let Some(c) = rest.next() {
        match c {
            '\n' if quoted => return None,
            '\n' => break,
            '\r' if rest.peek() == Some(&'\n') => {}
            '"' => {
                quoted = !quoted;
                kept = value.len();
            }
            '#' | ';' if !quoted => while rest.next_if(|c| *c != '\n').is_some() {},
            '\\' => {
                match rest.next()? {
                    '\n' => continue,
                    'n' => value.push('\n'),
                    't' => value.push('\t'),
                    'b' => value.push('\u{8}'),
                    c @ ('\\' | '"') => value.push(c),
                    _ => return None,
                }
                kept = value.len();
            }
            c if c.is_whitespace() && !quoted => {
                if !value.is_empty() {
                    value.push(c);
                }
            }
            c => {
                value.push(c);
                kept = value.len();
            }
        }
    }
    if quoted {
        return None;
    }
    value.truncate(kept);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_as_git_does() {
        let text = "; first\n[core]\n\tbare = false # not\n\tFileMode\n[user]name = \"A \" B\\\n C  ;x\n\
                    [remote \"o\\\"r\"]\n url=a\\tb\n[Extensions]\r\n\tobjectFormat = sha256\r\n";
        let config = GitConfig::parse(text.as_bytes()).unwrap();
        for (name, value) in [
            ("core.bare", "false"),
            ("core.filemode", "true"),
            ("user.name", "A  B C"),
            ("remote.o\"r.url", "a\tb"),
            ("extensions.objectformat", "sha256"),
        ] {
            assert_eq!(config.get(name), Some(value), "{name}");
        }
        assert!(config.is_true("core.filemode") && !config.is_true("core.bare"));
        let below: Vec<&str> = config.below("extensions").collect();
        assert_eq!(below, ["objectformat"]);
        for text in [
            "x = y\n",
            "[a\n",
            "[a]\n1 = 2\n",
            "[a]\nb = \"c\n",
            "[a]\nb = \\x\n",
            "[a \"b]\n",
        ] {
            assert_eq!(GitConfig::parse(text.as_bytes()), None, "{text}");
        }
    }
}

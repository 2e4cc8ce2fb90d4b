//! Mount options: known words, none twice, none against another (podman `pkg/util/mountOpts.go`).

use super::super::Invalid;
use super::super::size::ByteSize;
use super::own::Access;

/// Checked mount options, in the order given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MountOptions(Vec<String>);

/// What the options are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OptionsOf {
    Host,
    Tmpfs,
}

impl MountOptions {
    pub(super) fn parse<'a>(
        what: &'static str,
        given: &str,
        of: OptionsOf,
        words: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, Invalid> {
        let mut options: Vec<String> = Vec::new();
        let mut groups = Vec::new();
        for word in words {
            // Hints for other systems, which podman ignores too.
            if word.is_empty() || matches!(word, "cached" | "delegated" | "consistent") {
                continue;
            }
            let invalid = |why: &str| Invalid::new(what, given, format!("option {word:?} {why}"));
            let (group, only) = group(word).ok_or_else(|| invalid("is not known"))?;
            if only.is_some_and(|only| only != of) {
                return Err(invalid("does not go with this type"));
            }
            if !value_is_good(word) {
                return Err(invalid("has a bad value"));
            }
            if groups.contains(&group) {
                return Err(invalid("is given twice, or against another"));
            }
            groups.push(group);
            options.push(word.to_owned());
        }
        Ok(Self(options))
    }

    /// For what is our own: labelled for this container alone.
    pub(in crate::sandbox) fn own(access: Access) -> Self {
        let access = match access {
            Access::Read => "ro",
            Access::Write => "rw",
        };
        Self(vec![access.to_owned(), "Z".to_owned()])
    }

    /// Whether a word is among them.
    #[must_use]
    pub fn has(&self, word: &str) -> bool {
        self.0.iter().any(|option| option == word)
    }

    /// The words.
    #[must_use]
    pub fn words(&self) -> &[String] {
        &self.0
    }

    /// The words, and those of `defaults` whose group nobody named.
    pub(crate) fn or(&self, defaults: &[&str]) -> Vec<String> {
        let taken: Vec<_> = self.0.iter().filter_map(|word| group(word)).collect();
        let missing = defaults.iter().filter(|word| match group(word) {
            Some(group) => !taken.contains(&group),
            None => false,
        });
        self.0
            .iter()
            .cloned()
            .chain(missing.map(|word| (*word).to_owned()))
            .collect()
    }
}

/// Words of one group exclude each other. The second value says where the group is allowed.
fn group(word: &str) -> Option<(&'static str, Option<OptionsOf>)> {
    let host = Some(OptionsOf::Host);
    let tmpfs = Some(OptionsOf::Tmpfs);
    Some(match word.split_once('=').map_or(word, |(key, _)| key) {
        "size" if word.contains('=') => ("size", tmpfs),
        "mode" if word.contains('=') => ("mode", tmpfs),
        _ if word.contains('=') => return None,
        "ro" | "rw" => ("access", None),
        "exec" | "noexec" => ("exec", None),
        "suid" | "nosuid" => ("suid", None),
        "dev" | "nodev" => ("dev", None),
        "U" => ("U", None),
        "z" | "Z" => ("relabel", host),
        "O" => ("overlay", host),
        "bind" | "rbind" => ("recursion", host),
        "copy" | "nocopy" => ("copy", host),
        "private" | "rprivate" | "slave" | "rslave" | "shared" | "rshared" | "unbindable"
        | "runbindable" => ("propagation", host),
        "tmpcopyup" | "notmpcopyup" => ("copy-up", tmpfs),
        _ => return None,
    })
}

fn value_is_good(word: &str) -> bool {
    match word.split_once('=') {
        Some(("size", size)) => match size.strip_suffix('%') {
            Some(percent) => percent.parse::<u8>().is_ok_and(|percent| percent <= 100),
            // The kernel knows k, m and g only.
            None => {
                let bare = size.trim_end_matches(['k', 'K', 'm', 'M', 'g', 'G']);
                size.len() - bare.len() <= 1
                    && bare.bytes().all(|byte| byte.is_ascii_digit())
                    && ByteSize::parse(size).is_ok()
            }
        },
        Some(("mode", mode)) => {
            mode.bytes().all(|byte| byte.is_ascii_digit())
                && u32::from_str_radix(mode, 8).is_ok_and(|mode| mode <= 0o7777)
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(of: OptionsOf, text: &str) -> Result<MountOptions, Invalid> {
        MountOptions::parse("mount", text, of, text.split(','))
    }

    #[test]
    fn conflicts() {
        for text in [
            "ro,rw",
            "ro,ro",
            "z,Z",
            "exec,noexec",
            "shared,private",
            "size=1m",
            "x",
            "ro=1",
        ] {
            assert!(parse(OptionsOf::Host, text).is_err(), "{text}");
        }
        for text in [
            "Z",
            "size=1x",
            "size=1.5m",
            "size=1kb",
            "mode=9",
            "mode=17777",
            "size=101%",
        ] {
            assert!(parse(OptionsOf::Tmpfs, text).is_err(), "{text}");
        }
        assert!(parse(OptionsOf::Host, "ro,Z,U,nosuid,nodev,noexec,rslave,cached").is_ok());
        assert!(parse(OptionsOf::Tmpfs, "rw,size=64m,mode=1777,noexec,notmpcopyup").is_ok());
        let error = parse(OptionsOf::Host, "ro,x").unwrap_err().to_string();
        assert_eq!(error, r#"invalid mount "ro,x": option "x" is not known"#);
    }

    #[test]
    fn defaults_yield() {
        let options = parse(OptionsOf::Host, "dev,ro").unwrap();
        assert_eq!(
            options.or(&["nosuid", "nodev", "rw"]),
            ["dev", "ro", "nosuid"]
        );
    }
}

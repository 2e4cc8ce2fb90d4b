//! Environment variables: what `--env` says, and what the caller's environment holds.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;

use super::Invalid;

/// A value that may be a secret. `Debug` shows `…`; there is no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value.
    #[must_use]
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// A variable's name: not empty, without `=` and NUL. Anything else is allowed, as in podman.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VarName(String);

impl VarName {
    /// Reads a name. The error does not repeat it: it may be a secret typed in the wrong place.
    ///
    /// # Errors
    /// If it is empty, or has `=` or NUL in it.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let invalid = |why| Err(Invalid::concealed("variable name", why));
        match text {
            "" => invalid("it is empty"),
            text if text.contains(['=', '\0']) => invalid("it has '=' or NUL in it"),
            text => Ok(Self(text.to_owned())),
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for VarName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One `--env`, or one line of an env file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EnvArg {
    /// `NAME=VALUE`.
    Set(VarName, Secret),
    /// `NAME`: the caller's value, if there is one.
    Import(VarName),
    /// `PREFIX*`: every variable of the caller that begins so.
    ImportPrefix(String),
}

impl EnvArg {
    /// Reads one.
    ///
    /// # Errors
    /// If the name is empty or a NUL byte is in it. The text is never repeated.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        match text.split_once('=') {
            Some((_, value)) if value.contains('\0') => {
                Err(Invalid::concealed("variable", "its value has a NUL byte"))
            }
            Some((name, value)) => Ok(Self::Set(VarName::parse(name)?, Secret::new(value))),
            None => match text.strip_suffix('*') {
                Some(prefix) if prefix.contains('\0') => {
                    Err(Invalid::concealed("variable", "its name has a NUL byte"))
                }
                Some(prefix) => Ok(Self::ImportPrefix(prefix.to_owned())),
                None => Ok(Self::Import(VarName::parse(text)?)),
            },
        }
    }
}

/// The environment of the one who called us. Nothing of it is passed on unasked.
#[derive(Clone, Debug, Default)]
pub struct CallerEnv(BTreeMap<OsString, OsString>);

impl FromIterator<(OsString, OsString)> for CallerEnv {
    fn from_iter<I: IntoIterator<Item = (OsString, OsString)>>(vars: I) -> Self {
        Self(vars.into_iter().collect())
    }
}

impl CallerEnv {
    /// A variable's value. `None` if it is not set, or not UTF-8, which the wire cannot carry.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(std::ffi::OsStr::new(name))?.to_str()
    }

    fn with_prefix(&self, prefix: &str) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .filter_map(|(name, value)| Some((name.to_str()?, value.to_str()?)))
            .filter(move |(name, _)| name.starts_with(prefix))
    }
}

/// The sandbox's variables, imports done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EnvVars(BTreeMap<VarName, Secret>);

impl EnvVars {
    /// Sets one, or imports what it names.
    pub fn apply(&mut self, arg: &EnvArg, caller: &CallerEnv) {
        match arg {
            EnvArg::Set(name, value) => {
                self.0.insert(name.clone(), value.clone());
            }
            EnvArg::Import(name) => {
                if let Some(value) = caller.get(name.as_str()) {
                    self.0.insert(name.clone(), Secret::new(value));
                }
            }
            EnvArg::ImportPrefix(prefix) => {
                for (name, value) in caller.with_prefix(prefix) {
                    if let Ok(name) = VarName::parse(name) {
                        self.0.insert(name, Secret::new(value));
                    }
                }
            }
        }
    }

    /// A variable's value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Secret> {
        self.0
            .iter()
            .find(|(known, _)| known.as_str() == name)
            .map(|(_, value)| value)
    }

    /// Names and values, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&VarName, &Secret)> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let name = |text| VarName::parse(text).unwrap();
        assert_eq!(
            EnvArg::parse("A=b=c"),
            Ok(EnvArg::Set(name("A"), Secret::new("b=c")))
        );
        assert_eq!(
            EnvArg::parse("A="),
            Ok(EnvArg::Set(name("A"), Secret::new("")))
        );
        assert_eq!(EnvArg::parse("A"), Ok(EnvArg::Import(name("A"))));
        assert_eq!(EnvArg::parse("A*"), Ok(EnvArg::ImportPrefix("A".into())));
        for text in ["", "=", "=hunter2", "A=hunter2\0"] {
            let error = EnvArg::parse(text).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn imports() {
        let caller: CallerEnv = [("KEY_A", "1"), ("KEY_B", "2"), ("OTHER", "3")]
            .map(|(name, value)| (name.into(), value.into()))
            .into_iter()
            .collect();
        let mut vars = EnvVars::default();
        for text in ["KEY_*", "MISSING", "KEY_B=4"] {
            vars.apply(&EnvArg::parse(text).unwrap(), &caller);
        }
        let seen: Vec<_> = vars
            .iter()
            .map(|(name, value)| (name.as_str(), value.expose()))
            .collect();
        assert_eq!(seen, [("KEY_A", "1"), ("KEY_B", "4")]);
    }

    #[test]
    fn debug_conceals() {
        let arg = EnvArg::parse("A=hunter2").unwrap();
        assert_eq!(format!("{arg:?}"), r#"Set(VarName("A"), …)"#);
    }
}

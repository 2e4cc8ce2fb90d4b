//! `--entrypoint`: one program, a JSON array, or nothing.

use super::Invalid;

/// What replaces the image's entrypoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entrypoint(Vec<String>);

impl Entrypoint {
    /// Reads a JSON array of strings, or else one program; an empty text clears the entrypoint.
    ///
    /// # Errors
    /// If it begins like a JSON array and is none, or has a NUL byte.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let words = if text.starts_with('[') {
            serde_json::from_str::<Vec<String>>(text)
                .map_err(|_| Invalid::new("entrypoint", text, "it is no JSON array of strings"))?
        } else if text.is_empty() {
            Vec::new()
        } else {
            vec![text.to_owned()]
        };
        if words.iter().any(|word| word.contains('\0')) {
            return Err(Invalid::new("entrypoint", text, "it has a NUL byte"));
        }
        Ok(Self(words))
    }

    /// The program and its first arguments; empty to clear the image's own.
    #[must_use]
    pub fn words(&self) -> &[String] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_forms() {
        let words = |text| Entrypoint::parse(text).unwrap().0;
        assert_eq!(words("/bin/sh -c"), ["/bin/sh -c"]);
        assert_eq!(words(r#"["sh","-c"]"#), ["sh", "-c"]);
        assert!(words("").is_empty());
        assert!(words("[]").is_empty());
        for text in ["[", "[1]", r#"["a""#, "a\0"] {
            assert!(Entrypoint::parse(text).is_err(), "{text}");
        }
    }
}

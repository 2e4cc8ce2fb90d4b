//! JSON: one table, whose order and texts are kept. In some of its values the order counts.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{Mended, Parts, is_plain};

/// Keys and the texts of their values, in order; a key that is there twice is an error.
struct Texts<'a>(Vec<(String, &'a str)>);

impl<'a> Texts<'a> {
    fn get(&self, key: &str) -> Option<&'a str> {
        let found = self.0.iter().find(|(name, _)| name == key);
        found.map(|(_, text)| *text)
    }
}

impl<'de> Deserialize<'de> for Texts<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;

        impl<'de> Visitor<'de> for Read {
            type Value = Texts<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut texts = Texts(Vec::new());
                while let Some((key, value)) = map.next_entry::<String, &RawValue>()? {
                    if texts.get(&key).is_some() {
                        return Err(A::Error::custom("a key is there twice"));
                    }
                    texts.0.push((key, value.get()));
                }
                Ok(texts)
            }
        }

        deserializer.deserialize_map(Read)
    }
}

pub(super) fn mend(parts: &Parts, base: &str, agents: &str) -> Option<Mended> {
    let base = if base.is_empty() { "{}" } else { base };
    let base: Texts<'_> = serde_json::from_str(base).ok()?;
    let mut agents: Texts<'_> = serde_json::from_str(agents).ok()?;
    let keys = base.0.iter().chain(&agents.0).map(|(key, _)| key.as_str());
    let changed = keys.filter(|key| base.get(key) != agents.get(key));
    let mut back = Vec::new();
    let mut decides = false;
    for key in changed {
        let (was, is) = (base.get(key), agents.get(key));
        let steers = parts.steers.iter().find(|steers| **steers == key);
        match steers {
            Some(steers) if was.is_some() => back.push(*steers),
            _ => {
                let needed = parts.needs.contains(&key) && needs_are_plain(was, is);
                decides |= !needed && !parts.tells.contains(&key);
            }
        }
    }
    back.sort_unstable();
    back.dedup();
    for key in &back {
        let was = base.get(key)?;
        match agents.0.iter_mut().find(|(name, _)| name == key) {
            Some((_, text)) => *text = was,
            None => agents.0.push(((*key).to_owned(), was)),
        }
    }
    Some(Mended::new(written(&agents), back, decides))
}

fn written(texts: &Texts<'_>) -> Option<String> {
    let line = |(key, text): &(String, &str)| {
        let key = serde_json::to_string(key).ok()?;
        Some(format!("  {key}: {text}"))
    };
    let lines: Option<Vec<_>> = texts.0.iter().map(line).collect();
    Some(format!("{{\n{}\n}}\n", lines?.join(",\n")))
}

/// Whether what is needed now, and was not before, is a name and a version.
fn needs_are_plain(was: Option<&str>, is: Option<&str>) -> bool {
    type Needs = BTreeMap<String, String>;
    let read = |text: Option<&str>| serde_json::from_str::<Needs>(text.unwrap_or("{}")).ok();
    let (Some(was), Some(is)) = (read(was), read(is)) else {
        return false;
    };
    let new = is
        .iter()
        .filter(|(name, version)| was.get(*name) != Some(version));
    new.into_iter().all(|(_, version)| is_plain(version))
}

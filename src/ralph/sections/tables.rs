//! TOML: tables in tables.

use toml::{Table, Value};

use super::{Mended, Parts, is_plain};

/// Keys of something needed that say where it comes from.
const PLACES: [&str; 8] = [
    "branch", "file", "git", "package", "path", "registry", "source", "url",
];

pub(super) fn mend(parts: &Parts, base: &str, agents: &str) -> Option<Mended> {
    let base = Value::Table(base.parse::<Table>().ok()?);
    let mut agents = Value::Table(agents.parse::<Table>().ok()?);
    let mut changed = Vec::new();
    changes(Some(&base), Some(&agents), &mut Vec::new(), &mut changed);
    let mut back = Vec::new();
    let mut decides = false;
    for path in &changed {
        let under = |key: &&&'static str| key.split('.').eq(path.iter().take(depth(key)).copied());
        // What is above a key was changed as a whole.
        let above = |key: &&&'static str| key.split('.').take(path.len()).eq(path.iter().copied());
        let was = |key: &&&'static str| at(&base, key.split('.')).is_some();
        let steers = parts.steers.iter().filter(was);
        let here: Vec<_> = steers.filter(|key| under(key) || above(key)).collect();
        let whole = here.iter().any(under);
        back.extend(here.into_iter().copied());
        let needed = || {
            let found = at(&agents, path.iter().copied());
            let of = parts.needs.iter().find(|key| under(key));
            of.is_some_and(|key| !path.iter().skip(depth(key)).any(|key| PLACES.contains(key)))
                && found.is_none_or(comes_from_nowhere_else)
        };
        let harmless = || parts.tells.iter().any(|key| under(&key)) || needed();
        decides |= !whole && !harmless();
    }
    back.sort_unstable();
    back.dedup();
    for key in &back {
        let path: Vec<_> = key.split('.').collect();
        put(&mut agents, &path, at(&base, path.iter().copied())?);
    }
    Some(Mended::new(toml::to_string(&agents).ok(), back, decides))
}

fn depth(key: &str) -> usize {
    key.split('.').count()
}

/// Where both differ, as deep as both are tables.
fn changes<'a>(
    base: Option<&'a Value>,
    agents: Option<&'a Value>,
    path: &mut Vec<&'a str>,
    changed: &mut Vec<Vec<&'a str>>,
) {
    let table = |value: Option<&'a Value>| value.and_then(Value::as_table);
    let fits = |value: Option<&Value>| value.is_none_or(Value::is_table);
    if base == agents {
        return;
    }
    if !(fits(base) && fits(agents)) {
        changed.push(path.clone());
        return;
    }
    let keys = table(base).into_iter().chain(table(agents)).flatten();
    let mut keys: Vec<_> = keys.map(|(key, _)| key.as_str()).collect();
    keys.sort_unstable();
    keys.dedup();
    if keys.is_empty() {
        changed.push(path.clone());
    }
    for key in keys {
        path.push(key);
        let of = |value: Option<&'a Value>| table(value).and_then(|table| table.get(key));
        changes(of(base), of(agents), path, changed);
        path.pop();
    }
}

fn at(value: &Value, path: impl Iterator<Item = impl AsRef<str>>) -> Option<&Value> {
    let mut value = value;
    for key in path {
        value = value.as_table()?.get(key.as_ref())?;
    }
    Some(value)
}

/// Puts it there; what is in the way goes.
fn put(value: &mut Value, path: &[&str], was: &Value) {
    let Some((key, below)) = path.split_first() else {
        *value = was.clone();
        return;
    };
    if !value.is_table() {
        *value = Value::Table(Table::new());
    }
    if let Value::Table(table) = value {
        let entry = table.entry((*key).to_owned());
        let entry = entry.or_insert_with(|| Value::Table(Table::new()));
        put(entry, below, was);
    }
}

fn comes_from_nowhere_else(value: &Value) -> bool {
    match value {
        Value::String(text) => is_plain(text),
        Value::Array(list) => list.iter().all(comes_from_nowhere_else),
        Value::Table(table) => table.iter().all(|(key, value)| {
            !PLACES.contains(&key.as_str()) && is_plain(key) && comes_from_nowhere_else(value)
        }),
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => true,
    }
}

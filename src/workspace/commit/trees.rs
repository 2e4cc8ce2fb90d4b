//! Trees, from the lowest to the topmost.

use std::collections::BTreeMap;

use crate::workspace::error::Result;

use super::index::{Entries, Entry};
use super::objects::{Id, Objects};
use super::plan::conflict;

/// What is in a directory: its name as git sorts it, with a slash behind that of a directory.
type Names = BTreeMap<Vec<u8>, (u32, Id)>;

const DIRECTORY: u32 = 0o40_000;

/// Writes all trees; the id of the topmost.
pub(super) fn write(objects: &Objects, entries: &Entries) -> Result<Id> {
    // Of directories that are not done, by depth: a directory comes before what is in it.
    let mut open: Vec<(Vec<u8>, Names)> = vec![(Vec::new(), Names::new())];
    // What is only to be added some time is in the index alone.
    let is_held = |entry: &&Entry| !entry.is_intent();
    for (path, entry) in entries.iter().filter(|(_, entry)| is_held(entry)) {
        let (directory, name) = split(path);
        while let Some((top, _)) = open.last()
            && !is_below(directory, top)
        {
            close(objects, &mut open)?;
        }
        let mut depth = open.last().map_or(0, |(top, _)| top.len());
        while depth < directory.len() {
            let start = if depth == 0 { 0 } else { depth + 1 };
            let rest = directory.get(start..).unwrap_or_default();
            let end = rest.iter().position(|&byte| byte == b'/');
            depth = end.map_or(directory.len(), |end| start + end);
            let below = directory.get(..depth).unwrap_or_default();
            if entries.get(below).is_some_and(|entry| is_held(&entry)) {
                return Err(conflict(below));
            }
            open.push((below.to_vec(), Names::new()));
        }
        if let Some((_, names)) = open.last_mut() {
            names.insert(name.to_vec(), (entry.mode, entry.id.clone()));
        }
    }
    while open.len() > 1 {
        close(objects, &mut open)?;
    }
    let (_, names) = open.pop().unwrap_or_default();
    tree(objects, &names)
}

fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|&byte| byte == b'/') {
        Some(at) => (
            path.get(..at).unwrap_or_default(),
            path.get(at + 1..).unwrap_or_default(),
        ),
        None => (&[], path),
    }
}

fn is_below(directory: &[u8], top: &[u8]) -> bool {
    top.is_empty()
        || directory
            .strip_prefix(top)
            .is_some_and(|rest| matches!(rest, [] | [b'/', ..]))
}

/// Writes the lowest directory, and enters it in the one above.
fn close(objects: &Objects, open: &mut Vec<(Vec<u8>, Names)>) -> Result<()> {
    let Some((path, names)) = open.pop() else {
        return Ok(());
    };
    let id = tree(objects, &names)?;
    let mut name = split(&path).1.to_vec();
    name.push(b'/');
    if let Some((_, above)) = open.last_mut() {
        above.insert(name, (DIRECTORY, id));
    }
    Ok(())
}

fn tree(objects: &Objects, names: &Names) -> Result<Id> {
    let mut content = Vec::new();
    for (name, (mode, id)) in names {
        content.extend_from_slice(format!("{mode:o} ").as_bytes());
        content.extend_from_slice(name.strip_suffix(b"/").unwrap_or(name));
        content.push(0);
        content.extend_from_slice(id.as_bytes());
    }
    objects.put("tree", &content)
}

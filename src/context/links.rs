//! Sources that lead through symbolic links. The service resolves them inside the context, so what
//! they lead to has to be sent too. Links below a source are sent as links and need nothing.

#[cfg(test)]
mod tests;

use std::ffi::CString;
use std::os::fd::OwnedFd;

use crate::context::error::Error;
use crate::context::select::Source;
use crate::context::tree;
use crate::context::tree::Listing;
use crate::context::tree::Type;
use crate::context::tree::as_path;
use crate::context::tree::names;

/// More sources than this, counting what links add, and the context is sent whole.
pub(super) const MAX_SOURCES: usize = 512;

/// Adds to the sources what the links on the way to them lead to. `None` if that cannot be told, or
/// is too much to follow.
pub(super) fn follow(root: &OwnedFd, sources: &[Source]) -> Option<Vec<Source>> {
    let mut all = sources.to_vec();
    let mut next = 0;
    while let Some(source) = all.get(next).cloned() {
        next += 1;
        let mut found = Vec::new();
        let root = tree::reopen_root(root).ok()?;
        visit(&root, &mut Vec::new(), &source, 0, &mut found)?;
        for source in found {
            if !all.contains(&source) {
                all.push(source);
            }
        }
        if all.len() > MAX_SOURCES {
            return None;
        }
    }
    Some(all)
}

/// Looks at the entries of a directory that match the source's part at this depth. `path` is made of
/// real directories.
fn visit(
    dir: &OwnedFd,
    path: &mut Vec<Vec<u8>>,
    source: &Source,
    depth: usize,
    found: &mut Vec<Source>,
) -> Option<()> {
    if depth >= source.parts() {
        return Some(());
    }
    if let Some(name) = source.name_at(depth) {
        let name = CString::new(name).ok()?;
        return entry(dir, &name, path, source, depth, found);
    }
    let mut listing = Listing::read(tree::reopen_root(dir).ok()?, as_path(b".")).ok()?;
    while let Some(start) = listing.pop() {
        let name = listing.name(start);
        if source.matches_at(depth, name.to_bytes()) {
            entry(dir, name, path, source, depth, found)?;
        }
    }
    Some(())
}

fn entry(
    dir: &OwnedFd,
    name: &std::ffi::CStr,
    path: &mut Vec<Vec<u8>>,
    source: &Source,
    depth: usize,
    found: &mut Vec<Source>,
) -> Option<()> {
    let shown = as_path(name.to_bytes());
    let there = match tree::find(dir, name, shown) {
        Ok(there) => there,
        // The service will say so.
        Err(error) if Error::is_not_found(&error) => return Some(()),
        Err(_) => return None,
    };
    match there.kind() {
        Type::Directory if depth + 1 < source.parts() => {
            let below = tree::open_directory(dir, name, &there, shown).ok()?;
            path.push(name.to_bytes().to_vec());
            visit(&below, path, source, depth + 1, found)?;
            path.pop();
        }
        Type::Link => {
            let target = tree::read_link(dir, name, shown).ok()?;
            found.push(source.redirected(depth, &destination(path, &target)?));
            if found.len() > MAX_SOURCES {
                return None;
            }
        }
        _ => {}
    }
    Some(())
}

/// Where a link in the directory `path` leads, as a path below the root. `None` if it goes up after
/// it went down: what it went down through may be a link itself.
fn destination(path: &[Vec<u8>], target: &[u8]) -> Option<Vec<u8>> {
    let mut real: Vec<&[u8]> = match target.starts_with(b"/") {
        true => Vec::new(),
        false => path.iter().map(Vec::as_slice).collect(),
    };
    let mut went_down = false;
    for name in names(target) {
        if name != b".." {
            went_down = true;
            real.push(name);
        } else if went_down {
            return None;
        } else {
            real.pop();
        }
    }
    Some(real.join(&b'/'))
}

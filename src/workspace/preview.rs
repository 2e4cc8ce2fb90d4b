//! What a first checkpoint would leave out, as far as a short look tells.

use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use rustix::fs::OFlags;

use crate::workspace::disk;
use crate::workspace::disk::Found;
use crate::workspace::disk::Root;
use crate::workspace::disk::Type;
use crate::workspace::error::Error;
use crate::workspace::error::Result;
use crate::workspace::policy::Caps;
use crate::workspace::policy::LeaveOut;
use crate::workspace::policy::Rules;
use crate::workspace::snapshot;

/// What is further down, and what is in a directory with more names, is not looked at.
const DEPTH: usize = 64;
const NAMES: usize = 100_000;

/// So many are remembered.
const FOUND: usize = 1000;

/// What was found in the time that there was.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Preview {
    /// The topmost names that are left out, the largest first.
    pub left_out: Vec<Omitted>,
    /// Whether everything was looked at.
    pub is_whole: bool,
}

/// A name that would be left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Omitted {
    /// Relative to the root, not escaped.
    pub path: PathBuf,
    /// Files and links in it.
    pub files: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Whether these were all.
    pub is_whole: bool,
}

impl Preview {
    /// Looks for so long, half of it at how much there is in what was found. Files that are too large for the caps are
    /// among them, each by itself.
    ///
    /// # Errors
    ///
    /// The root cannot be opened, or a pattern makes no sense.
    pub fn of(root: &Root, leave_out: &LeaveOut, caps: &Caps, time: Duration) -> Result<Self> {
        let rules = Rules::decide(leave_out, root)?;
        let top = root.reopen().map_err(Error::file("open", &root.path))?;
        let begun = Instant::now();
        let mut left_out = Vec::new();
        let mut is_whole = walk(top, begun, time / 2, &mut |path, found| {
            let is_directory = found.kind == Type::Directory;
            let is_too_large = found.kind == Type::File && found.size > caps.file;
            if found.id.0 != root.id.0 || !(is_too_large || rules.leaves_out(path, is_directory)) {
                return true;
            }
            if left_out.len() < FOUND {
                left_out.push((path.to_vec(), *found));
            }
            false
        });
        is_whole &= left_out.len() < FOUND;
        let mut left_out: Vec<_> = left_out
            .into_iter()
            .map(|(path, found)| size(root, &path, &found, begun, time))
            .collect();
        left_out.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.path.cmp(&b.path)));
        Ok(Self { left_out, is_whole })
    }
}

/// How much there is in it.
fn size(root: &Root, path: &[u8], found: &Found, begun: Instant, time: Duration) -> Omitted {
    let mut omitted = Omitted {
        path: snapshot::path(path),
        files: 0,
        bytes: 0,
        is_whole: true,
    };
    let mut count = |found: &Found| {
        if found.kind != Type::Directory {
            omitted.files += 1;
            omitted.bytes += found.size;
        }
    };
    count(found);
    if found.kind == Type::Directory {
        let opened = open(root, path);
        let all = opened.is_some_and(|fd| {
            walk(fd, begun, time, &mut |_, found| {
                count(found);
                true
            })
        });
        omitted.is_whole = all;
    }
    omitted
}

/// Opens a directory below, name by name.
pub(super) fn open(root: &Root, path: &[u8]) -> Option<OwnedFd> {
    let mut fd = root.reopen().ok()?;
    for name in path.split(|&byte| byte == b'/') {
        let name = CString::new(name).ok()?;
        fd = disk::open(&fd, &name, OFlags::RDONLY | OFlags::DIRECTORY).ok()?;
    }
    Some(fd)
}

/// Visits every name below, and goes where the visitor wants to; whether it came to the end.
pub(super) fn walk(
    top: OwnedFd,
    begun: Instant,
    time: Duration,
    visit: &mut dyn FnMut(&[u8], &Found) -> bool,
) -> bool {
    let names = |fd: &OwnedFd| Some(disk::list(fd, NAMES).ok()??.to_vec().into_iter());
    let Some(first) = names(&top) else {
        return false;
    };
    let mut whole = true;
    let mut path = Vec::new();
    let mut frames = vec![(top, first, 0)];
    while let Some((fd, rest, above)) = frames.last_mut() {
        if begun.elapsed() >= time {
            return false;
        }
        path.truncate(*above);
        let Some(name) = rest.next() else {
            frames.pop();
            continue;
        };
        let Ok(found) = disk::find(&*fd, &name) else {
            continue;
        };
        snapshot::join(&mut path, name.to_bytes());
        if !visit(&path, &found) || found.kind != Type::Directory {
            continue;
        }
        let below = disk::open_directory(&*fd, &name, found.id).ok();
        match below.and_then(|fd| Some((names(&fd)?, fd))) {
            Some((rest, fd)) if frames.len() < DEPTH => frames.push((fd, rest, path.len())),
            _ => whole = false,
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::tests::scene::Scene;

    fn look(scene: &Scene, leave_out: &LeaveOut, time: Duration) -> Preview {
        Preview::of(&scene.root(), leave_out, &Caps::default(), time).unwrap()
    }

    #[test]
    fn the_topmost_names_are_told_with_what_is_in_them() {
        let scene = Scene::new();
        scene.write(".gitignore", "node_modules\ntarget/\n");
        scene.write("node_modules/a/index.js", "12345");
        scene.write("node_modules/a/node_modules/b.js", "67");
        scene.write("sub/target/debug", "0123456789");
        scene.write("data/x.bin", "1");
        scene.write("src/main.rs", "");
        let told = |leave_out: &LeaveOut| {
            let preview = look(&scene, leave_out, Duration::from_secs(60));
            assert!(preview.is_whole && preview.left_out.iter().all(|one| one.is_whole));
            let told = preview.left_out.into_iter();
            told.map(|one| format!("{} {} {}", one.path.display(), one.files, one.bytes))
                .collect::<Vec<_>>()
        };
        let mut leave_out = LeaveOut::default();
        let usual = ["sub/target 1 10", "node_modules 2 7"];
        assert_eq!(told(&leave_out), usual);
        leave_out.globs = vec!["*.bin".to_owned()];
        assert_eq!(told(&leave_out).last().unwrap(), "data/x.bin 1 1");
        leave_out.regenerable = false;
        assert_eq!(told(&leave_out), ["data/x.bin 1 1"]);
        let large = std::fs::File::create(scene.path("data/disk.img")).unwrap();
        large.set_len(Caps::default().file).unwrap();
        assert_eq!(told(&leave_out), ["data/x.bin 1 1"]);
        large.set_len(Caps::default().file + 1).unwrap();
        assert_eq!(
            told(&leave_out),
            ["data/disk.img 1 8589934593", "data/x.bin 1 1"]
        );
    }

    #[test]
    fn a_look_takes_no_longer_than_it_may() {
        let scene = Scene::new();
        scene.write(".gitignore", "target\n");
        scene.write("target/debug", "");
        let preview = look(&scene, &LeaveOut::default(), Duration::ZERO);
        assert!(!preview.is_whole && preview.left_out.is_empty());
    }
}

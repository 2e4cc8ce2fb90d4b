//! How much disk a tree takes, as far as a look of so long tells.

use std::collections::HashSet;
use std::time::Duration;
use std::time::Instant;

use crate::workspace::disk::Root;
use crate::workspace::disk::Type;
use crate::workspace::error::Error;
use crate::workspace::error::Result;
use crate::workspace::preview;

/// So many files with several names are known again.
const KNOWN: usize = 1 << 20;

/// What was found in the time that there was.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Measured {
    /// Bytes on disk: holes take none, and a file with several names is counted once.
    pub bytes: u64,
    /// Whether everything was looked at: also what is very deep, and directories with very many names.
    pub is_whole: bool,
}

impl Measured {
    /// Looks for so long. What is on another file system does not count, nor what cannot be looked into.
    ///
    /// # Errors
    ///
    /// The root cannot be opened.
    pub fn of(root: &Root, time: Duration) -> Result<Self> {
        let top = root.reopen().map_err(Error::file("open", &root.path))?;
        let mut known = HashSet::new();
        let mut bytes = 0;
        let is_whole = preview::walk(top, Instant::now(), time, &mut |_, found| {
            if found.id.0 != root.id.0 {
                return false;
            }
            let has_names = found.kind != Type::Directory && found.links > 1;
            if !has_names || known.len() == KNOWN || known.insert(found.id) {
                bytes += found.disk;
            }
            true
        });
        Ok(Self { bytes, is_whole })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::workspace::tests::scene::Scene;

    #[test]
    fn what_takes_no_disk_is_not_counted() {
        let scene = Scene::new();
        let measured = || Measured::of(&scene.root(), Duration::from_secs(60)).unwrap();
        let before = measured();
        assert!(before.is_whole);
        scene.write("sub/data", vec![1; 1 << 20]);
        let sparse = fs::File::create(scene.path("sparse")).unwrap();
        sparse.set_len(1 << 40).unwrap();
        fs::hard_link(scene.path("sub/data"), scene.path("again")).unwrap();
        symlink("/", scene.path("away")).unwrap();
        let grown = measured().bytes - before.bytes;
        assert!((1 << 20..2 << 20).contains(&grown), "{grown}");
        let none = Measured::of(&scene.root(), Duration::ZERO).unwrap();
        assert_eq!(none, Measured::default());
    }
}

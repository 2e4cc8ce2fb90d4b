//! Copies of a person's directory that are being made for runs which have not begun. Who makes one holds a note of it:
//! where nobody does any more and there is no such run, it is nobody's, and goes.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::checkpoints::Checkpoints;
use super::error::{Error, Result};
use super::files::{private_directory, read_bounded, remove_all};
use super::record::{Keep, Workspace};
use super::store::{RunId, Runs};

/// The longest note that is read, in bytes.
const MAX_NOTE: u64 = 64 << 10;

/// A copy that is being made.
#[derive(Debug)]
pub struct Copying {
    path: PathBuf,
    _lock: File,
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Note {
    original: Workspace,
    copy: PathBuf,
}

impl Copying {
    /// Says so, before there is anything of it.
    ///
    /// # Errors
    /// That cannot be written.
    pub fn begin(state: &Path, id: &RunId, original: &Workspace, copy: &Path) -> Result<Self> {
        let _turn = Runs::open(state)?.turn()?;
        let directory = state.join("copying");
        private_directory(&directory)?;
        let path = directory.join(id.as_str());
        let note = Note {
            original: original.clone(),
            copy: copy.to_owned(),
        };
        let write = || -> std::io::Result<File> {
            let text = serde_json::to_vec(&note)?;
            let options = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .clone();
            let mut file = options.open(&path)?;
            flock(&file, FlockOperation::LockExclusive)?;
            file.write_all(&text)?;
            file.sync_data()?;
            Ok(file)
        };
        let lock = write().map_err(|e| Error::file("write", &path, e))?;
        Ok(Self { path, _lock: lock })
    }

    /// It is a run's now, or nothing is left of it.
    pub fn end(self) {
        // Otherwise that is found out the next time.
        let _ = fs::remove_file(&self.path);
    }
}

/// What came of a copy that is nobody's.
#[derive(Debug)]
pub struct Abandoned {
    /// Where it is.
    pub copy: PathBuf,
    /// Why it is still there.
    pub stays: Option<Error>,
}

/// Removes copies that are nobody's, and their checkpoints; or only says which there are. Blocks.
///
/// # Errors
/// The state directory cannot be read.
pub fn clear_abandoned(state: &Path, only_look: bool) -> Result<Vec<Abandoned>> {
    let mut all = Vec::new();
    for (id, note, copying) in abandoned(state)? {
        let cleared = match only_look {
            true => Ok(()),
            false => clear(state, &id, &note),
        };
        if cleared.is_ok() && !only_look {
            copying.end();
        }
        all.push(Abandoned {
            copy: note.copy,
            stays: cleared.err(),
        });
    }
    Ok(all)
}

/// Their notes, held.
fn abandoned(state: &Path) -> Result<Vec<(RunId, Note, Copying)>> {
    let runs = Runs::open(state)?;
    // Who is about to hold a note has its turn.
    let _turn = runs.turn()?;
    let mut all = Vec::new();
    let directory = state.join("copying");
    for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
        let path = entry.path();
        let Ok(lock) = File::open(&path) else {
            continue;
        };
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            continue;
        }
        let id = entry.file_name().to_str().and_then(RunId::parse);
        let text = read_bounded(&path, MAX_NOTE).unwrap_or_default();
        let note = serde_json::from_slice::<Note>(&text).ok();
        let copying = Copying { path, _lock: lock };
        match (id, note) {
            (Some(id), Some(note)) if !state.join("runs").join(id.as_str()).exists() => {
                all.push((id, note, copying));
            }
            // A run knows its copy; and who came no further than this has made none.
            _ => copying.end(),
        }
    }
    Ok(all)
}

/// The checkpoints first: without the copy nobody would look for them.
fn clear(state: &Path, id: &RunId, note: &Note) -> Result<()> {
    Checkpoints::before_copy(state, &note.original, &Keep::default(), id)?.drop_all()?;
    if note.copy.file_name() == Some(id.as_str().as_ref()) && note.copy.symlink_metadata().is_ok() {
        remove_all(&note.copy)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;
    use crate::ralph::store::tests::run_in;

    struct Scene {
        _base: tempfile::TempDir,
        state: PathBuf,
        original: Workspace,
        copies: PathBuf,
    }

    impl Scene {
        fn new() -> Self {
            let base = tempfile::tempdir().unwrap();
            let [state, work, copies] =
                ["state", "work", "copies"].map(|name| base.path().join(name));
            fs::create_dir(&work).unwrap();
            let found = fs::metadata(&work).unwrap();
            fs::write(work.join("file"), "x").unwrap();
            private_directory(&state).unwrap();
            Self {
                state,
                copies,
                original: Workspace {
                    path: work,
                    device: found.dev(),
                    inode: found.ino(),
                    device_then: None,
                    target: "/workspace".to_owned(),
                    read_only: false,
                },
                _base: base,
            }
        }

        fn checkpoints(&self, id: &RunId) -> Checkpoints {
            let keep = Keep::default();
            Checkpoints::before_copy(&self.state, &self.original, &keep, id).unwrap()
        }

        /// A copy and its checkpoint, of one who still holds it.
        fn copy(&self, id: &RunId) -> (PathBuf, Copying) {
            let copy = self.copies.join(id.as_str());
            let copying = Copying::begin(&self.state, id, &self.original, &copy).unwrap();
            fs::create_dir_all(copy.join("closed")).unwrap();
            self.checkpoints(id).take("test").unwrap();
            (copy, copying)
        }

        fn cleared(&self, only_look: bool) -> Vec<PathBuf> {
            let all = clear_abandoned(&self.state, only_look).unwrap().into_iter();
            all.map(|one| {
                assert!(one.stays.is_none(), "{:?}", one.stays);
                one.copy
            })
            .collect()
        }
    }

    #[test]
    fn what_nobody_makes_any_more_goes_and_nothing_else() {
        let scene = Scene::new();
        let run = run_in(&scene.state);
        let id = |text| RunId::parse(text).unwrap();
        let (of_run, killed) = scene.copy(run.id());
        drop(killed);
        let (made, copying) = scene.copy(&id("20261124-101500-000001"));
        let gone = id("20261124-101500-000002");
        let (left, killed) = scene.copy(&gone);
        drop(killed);
        assert_eq!(scene.cleared(true).as_slice(), std::slice::from_ref(&left));
        assert!(left.exists());
        assert_eq!(scene.cleared(false).as_slice(), std::slice::from_ref(&left));
        assert!(!left.exists() && scene.checkpoints(&gone).list().unwrap().is_empty());
        assert!(of_run.exists() && made.exists());
        assert_eq!(scene.checkpoints(run.id()).list().unwrap().len(), 1);
        assert!(scene.cleared(false).is_empty());
        copying.end();
        assert!(scene.cleared(false).is_empty() && made.exists());
        assert_eq!(
            fs::read_dir(scene.state.join("copying")).unwrap().count(),
            0
        );
        // Killed before there was anything; or in the middle of saying so.
        let none = id("20261124-101500-000003");
        let copy = scene.copies.join(none.as_str());
        drop(Copying::begin(&scene.state, &none, &scene.original, &copy).unwrap());
        fs::write(scene.state.join("copying/20261124-101500-000004"), "{").unwrap();
        assert_eq!(scene.cleared(false), [copy]);
        assert_eq!(
            fs::read_dir(scene.state.join("copying")).unwrap().count(),
            0
        );
    }
}

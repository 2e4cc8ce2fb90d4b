//! What a record of another boot means today. Btrfs, NFS, device mappers and others number their devices anew: what is at
//! the same path, with the same inode, is the same, and what was on its device is on that of today. But for the top of a
//! file system, which has the same inode on each of its kind.

use std::os::unix::fs::MetadataExt as _;

use super::modules::Obeyed;
use super::record::{Record, Workspace};
use super::repository::Repository;

/// The numbers of a device: then, and now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Renumbered {
    then: u64,
    now: u64,
}

impl Record {
    /// As it has to be read now. One of the same boot is as it was written.
    pub(super) fn on_boot(mut self, boot: Option<&str>) -> Self {
        let is_another = boot.is_some() && self.boot.is_some() && self.boot.as_deref() != boot;
        if is_another {
            let renumbered = self.workspace.renumber();
            if let (Some(device), Some(repository)) = (renumbered, &mut self.repository) {
                repository.renumber(device);
            }
            if let Some(original) = &mut self.original {
                let _ = original.renumber();
            }
        }
        self
    }
}

impl Workspace {
    fn renumber(&mut self) -> Option<Renumbered> {
        let found = self.path.symlink_metadata().ok()?;
        let then = self.device;
        let now = found.dev();
        let above = self.path.parent()?.symlink_metadata().ok()?;
        let is_same = found.is_dir() && found.ino() == self.inode && above.dev() == now;
        (is_same && now != then).then(|| {
            (self.device, self.device_then) = (now, Some(then));
            Renumbered { then, now }
        })
    }
}

impl Repository {
    fn renumber(&mut self, device: Renumbered) {
        let git = self.git.iter_mut().map(|git| &mut git.device);
        let modules = self.modules.iter_mut().filter_map(|module| {
            let Some(Obeyed::Directory { device, .. }) = &mut module.git else {
                return None;
            };
            Some(device)
        });
        for number in git.chain(modules).filter(|number| **number == device.then) {
            *number = device.now;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::ralph::modules::Module;
    use crate::ralph::newcomer::Newcomer;
    use crate::ralph::repository::{GitAccess, Identity, IdentityKind};
    use crate::ralph::store::Run;
    use crate::ralph::store::tests::run_in;

    const OTHER: &str = "6a1f7d5e-0000-4000-8000-000000000000";

    /// A record of a run in a repository, as a boot has it in which the device had another number.
    fn record_of(run: &Run, work: &Path, boot: Option<&str>) -> Record {
        let mut record = run.record().unwrap();
        std::fs::create_dir_all(work.join(".git")).unwrap();
        let of = |path: &Path| path.metadata().unwrap().ino();
        let device = work.metadata().unwrap().dev() + 1;
        record.boot = boot.map(str::to_owned);
        record.workspace.path = work.canonicalize().unwrap();
        (record.workspace.device, record.workspace.inode) = (device, of(work));
        record.repository = Some(Repository {
            access: GitAccess::Shadow,
            git: Some(Identity {
                device,
                inode: of(&work.join(".git")),
                kind: IdentityKind::Directory,
            }),
            configured: false,
            bare: false,
            modules: vec![Module {
                path: "sub".into(),
                git: Some(Obeyed::Directory { device, inode: 1 }),
            }],
        });
        record
    }

    #[test]
    fn after_a_reboot_the_workspace_is_the_one_at_its_path() {
        let dir = tempfile::tempdir().unwrap();
        let (state, work) = (dir.path().join("state"), dir.path().join("work"));
        std::fs::create_dir(&work).unwrap();
        let run = run_in(&state);
        let record = record_of(&run, &work, Some(OTHER));
        let now = work.metadata().unwrap().dev();
        let read = record.clone().on_boot(Some("today"));
        let root = run.checkpoints(&read).unwrap().root().unwrap();
        let repository = read.repository.as_ref().unwrap();
        assert!(repository.is_persons(&root, Newcomer::Agents).unwrap());
        let module = repository.modules[0].git.clone();
        let of_today = Obeyed::Directory {
            device: now,
            inode: 1,
        };
        assert_eq!(module, Some(of_today));
        // Its checkpoints are where they were.
        assert_eq!(read.workspace.id(), record.workspace.id());

        // Within a boot, and where nobody knows, numbers stay: it is another one.
        for (then, today) in [
            (Some(OTHER), Some(OTHER)),
            (None, Some("x")),
            (Some(OTHER), None),
        ] {
            let record = record_of(&run, &work, then);
            assert_eq!(record.clone().on_boot(today), record);
            assert!(run.checkpoints(&record).unwrap().root().is_err());
        }
        // So is another file system's top.
        let mut top = record.clone();
        top.workspace.path = "/proc".into();
        top.workspace.inode = top.workspace.path.metadata().unwrap().ino();
        assert_eq!(top.clone().on_boot(Some("today")), top);
        // Another directory in its place is another one.
        std::fs::rename(&work, dir.path().join("away")).unwrap();
        std::fs::create_dir(&work).unwrap();
        assert_eq!(record.clone().on_boot(Some("today")), record);
    }
}

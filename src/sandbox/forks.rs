//! Whether a container was refused processes at its limit: the kernel counts that in `pids.events` of
//! its cgroup (cgroup v2), and tells of each change of that file, also when it is gone since.

use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};

use super::proc_files::read;

/// A watch on that file, from when it was begun.
#[derive(Debug)]
pub(super) struct ForkWatch {
    told: OwnedFd,
    /// Somebody was refused before.
    before: bool,
}

impl ForkWatch {
    /// The limit may sit at any of these cgroups, and which of them counts depends on the kernel.
    pub(super) fn begin(cgroups: &[PathBuf]) -> Option<Self> {
        let told = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok()?;
        let mut counts = Vec::new();
        for cgroup in cgroups {
            let path = cgroup.join("pids.events");
            if inotify::add_watch(&told, &path, WatchFlags::MODIFY).is_ok() {
                counts.push(count(&read(&path).unwrap_or_default()));
            }
        }
        // Without a file nothing would ever be told.
        (!counts.is_empty()).then(|| Self {
            told,
            before: counts.iter().any(|count| *count > 0),
        })
    }

    /// Whether anything in it was refused a process so far.
    pub(super) fn were_refused(&self) -> bool {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut events = inotify::Reader::new(&self.told, &mut buffer);
        let mut modified = false;
        while let Ok(event) = events.next() {
            modified |= event.events().contains(ReadFlags::MODIFY);
        }
        self.before || modified
    }
}

/// The number in `max NUMBER`.
fn count(text: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(text);
    let count = text.lines().find_map(|line| line.strip_prefix("max "));
    count.and_then(|n| n.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_also_when_the_file_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let none = dir.path().join("none");
        assert!(ForkWatch::begin(std::slice::from_ref(&none)).is_none());
        let file = dir.path().join("pids.events");
        std::fs::write(&file, "max 0\n").unwrap();
        let cgroups = [none, dir.path().to_owned()];
        let watch = ForkWatch::begin(&cgroups).unwrap();
        assert!(!watch.were_refused());
        std::fs::write(&file, "max 3\n").unwrap();
        let late = ForkWatch::begin(&cgroups).unwrap();
        std::fs::remove_file(&file).unwrap();
        assert!(watch.were_refused());
        assert!(late.were_refused());
        assert_eq!(count(b"max 12\n"), 12);
        assert_eq!(count(b""), 0);
    }
}

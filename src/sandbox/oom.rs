//! Whether something in a container was killed for want of memory, as the kernel counts it in `memory.events` of its cgroup
//! (cgroup v2). The service asks that file too, but at the end, when the cgroup may be gone already.

use std::fs::File;
use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::AsFd as _;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{PollFd, PollFlags, poll};

/// The file has some lines of a name and a number.
const MAX: usize = 4096;

/// A watch on that file, from when it was begun; dropping it ends it.
#[derive(Debug, Default)]
pub struct OomWatch {
    killed: Arc<AtomicBool>,
    /// Closed, it ends the thread.
    watching: Option<PipeWriter>,
}

impl OomWatch {
    /// Begins to watch, in a thread. Where there is no such file nothing is seen. What was killed in this life before counts, too.
    pub fn begin(cgroups: &[PathBuf]) -> Self {
        let files = cgroups.iter();
        let files = files.filter_map(|cgroup| File::open(cgroup.join("memory.events")).ok());
        let files: Vec<_> = files.collect();
        let mut watch = Self::default();
        if !files.is_empty()
            && let Ok((end, watching)) = io::pipe()
        {
            let killed = Arc::clone(&watch.killed);
            let looking = std::thread::Builder::new().name("oom".to_owned());
            let looking = looking.spawn(move || look(files, &end, &killed));
            watch.watching = looking.is_ok().then_some(watching);
        }
        watch
    }

    /// Whether anything was killed so far.
    pub fn has_seen_a_kill(&self) -> bool {
        self.killed.load(Ordering::Relaxed)
    }
}

/// Reads the files each time that the kernel says one has changed, until something was killed, all are gone, or nobody wants
/// to know any more.
fn look(mut files: Vec<File>, end: &PipeReader, killed: &AtomicBool) {
    loop {
        // Before it is waited for: to read is what arms them.
        files.retain(|file| {
            let mut text = [0; MAX];
            let read = file.read_at(&mut text, 0);
            let text = read.as_ref().map(|length| text.get(..*length));
            if kills(text.ok().flatten().unwrap_or_default()) > 0 {
                killed.store(true, Ordering::Relaxed);
            }
            read.is_ok()
        });
        if files.is_empty() || killed.load(Ordering::Relaxed) {
            return;
        }
        let end = PollFd::from_borrowed_fd(end.as_fd(), PollFlags::IN);
        let mut waited = vec![end];
        waited.extend(files.iter().map(|file| PollFd::new(file, PollFlags::PRI)));
        match poll(&mut waited, None) {
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return,
            Ok(_) if waited.first().is_some_and(|end| !end.revents().is_empty()) => return,
            Ok(_) => {}
        }
    }
}

/// The number in `oom_kill NUMBER`.
fn kills(text: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(text);
    let count = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
    count.and_then(|n| n.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kills_are_counted_and_nothing_else() {
        let text = "low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 1\n";
        assert_eq!(kills(text.as_bytes()), 2);
        assert_eq!(kills(b"oom 3\noom_kill 0\noom_group_kill 4\n"), 0);
        assert_eq!(kills(b""), 0);
    }

    #[test]
    fn where_there_is_no_file_nothing_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let watch = OomWatch::begin(&[dir.path().to_owned()]);
        assert!(!watch.has_seen_a_kill());
        assert!(watch.watching.is_none());
    }
}

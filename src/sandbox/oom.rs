//! Whether something in a container was killed for want of memory, as the kernel counts it in `memory.events` of its cgroup
//! (cgroup v2). The service asks that file too, but at the end, when the cgroup may be gone already.
//!
//! A kill is counted before the process dies, but the file goes with the cgroup, and that goes soon after its last process.
//! Of `memory.events` the kernel tells at most every 10 ms, and the limit is reached, which is told, before somebody is killed. So
//! `cgroup.events` is waited for, too: that the last process has ended is told at once, to whoever waits as this does before
//! it is told to those who watch by inotify, as systemd does, which then removes it. Where the processors are too busy even for
//! that, the count of the cgroup above says it, which stays.

use std::fs::File;
use std::io::{self, PipeReader, PipeWriter};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};

/// These files have some lines of a name and a number.
const MAX: usize = 4096;

/// How long after its own count was read last a kill above is its own, though the kernel did not tell of its file.
const SOON: Duration = Duration::from_secs(1);

/// A watch on that file, from when it was begun; dropping it ends it.
#[derive(Debug, Default)]
pub struct OomWatch {
    /// The pipe, closed, ends the thread.
    looking: Option<(PipeWriter, JoinHandle<bool>)>,
}

impl OomWatch {
    /// Begins to watch, in a thread. Where there is no such file nothing is seen. What was killed in this life before counts, too.
    pub fn begin(cgroups: &[PathBuf]) -> Self {
        let Some(mut files) = Files::of(cgroups) else {
            return Self::default();
        };
        let Ok((end, watching)) = io::pipe() else {
            return Self::default();
        };
        let thread = std::thread::Builder::new().name("oom".to_owned());
        let thread = thread.spawn(move || files.watch(&end));
        Self {
            looking: thread.ok().map(|thread| (watching, thread)),
        }
    }

    /// Whether anything was killed until now. It is not watched any more.
    pub fn end(self) -> bool {
        self.looking.is_some_and(|(watching, thread)| {
            drop(watching);
            thread.join().unwrap_or(false)
        })
    }
}

/// What a look at the files has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    /// There may be more to come.
    Nothing,
    /// Something was killed.
    Killed,
    /// Nothing was, and there is nothing left that could be.
    Over,
}

/// The kernel's files about a container's cgroups, open. What of them is gone is dropped.
#[derive(Debug)]
struct Files {
    /// `memory.events`.
    memory: Vec<File>,
    /// `cgroup.events`; the last is that of the uppermost.
    processes: Vec<File>,
    /// Changes of `memory.events` are told there, also when it is gone since.
    told: Option<OwnedFd>,
    /// `memory.events` of the cgroup above these: has what was killed in it and below.
    above: Option<File>,
    before: Before,
}

/// How it was when nothing was killed yet.
#[derive(Debug)]
struct Before {
    /// So many were killed above and below it.
    above: u64,
    at: Instant,
}

impl Files {
    fn of(cgroups: &[PathBuf]) -> Option<Self> {
        let open = |cgroup: &Path, name| File::open(cgroup.join(name)).ok();
        let top = cgroups.last().and_then(|top| top.parent());
        let above = top.and_then(|top| open(top, "memory.events"));
        let before = Before {
            above: above.as_ref().and_then(kills).unwrap_or(0),
            at: Instant::now(),
        };
        let told = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok();
        if let Some(told) = &told {
            for cgroup in cgroups {
                let path = cgroup.join("memory.events");
                let _ = inotify::add_watch(told, &path, WatchFlags::MODIFY);
            }
        }
        let all = |name| cgroups.iter().filter_map(move |cgroup| open(cgroup, name));
        let files = Self {
            memory: all("memory.events")
                .filter(|file| kills(file).is_some())
                .collect(),
            processes: all("cgroup.events").collect(),
            told,
            above,
            before,
        };
        (!files.memory.is_empty()).then_some(files)
    }

    /// Looks each time that the kernel says that something has changed, until it is known, or nobody wants to know any more:
    /// whether something was killed.
    fn watch(&mut self, end: &PipeReader) -> bool {
        let mut is_wanted = true;
        loop {
            // Before it is waited for: to read is what arms them.
            match self.look() {
                Found::Killed => return true,
                Found::Over => return false,
                Found::Nothing if !is_wanted => return false,
                Found::Nothing => {}
            }
            let files = self.memory.iter().chain(&self.processes);
            let files = files.map(|file| PollFd::new(file, PollFlags::PRI));
            let end = PollFd::from_borrowed_fd(end.as_fd(), PollFlags::IN);
            let mut waited: Vec<_> = [end].into_iter().chain(files).collect();
            match poll(&mut waited, None) {
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return false,
                Ok(_) => is_wanted = waited.first().is_some_and(|end| end.revents().is_empty()),
            }
        }
    }

    /// In this order: what is killed meanwhile is counted in what is read later.
    fn look(&mut self) -> Found {
        let was_told = self.told.as_ref().is_some_and(has_changed);
        let above = self.above.as_ref().and_then(kills).unwrap_or(0);
        let mut populated = None;
        self.processes.retain(|file| {
            populated = number(file, "populated ");
            populated.is_some()
        });
        let mut own = None;
        self.memory.retain(|file| {
            let kills = kills(file);
            own = own.max(kills);
            kills.is_some()
        });
        match own {
            Some(0) if populated == Some(0) => Found::Over,
            Some(0) => {
                let at = Instant::now();
                self.before = Before { above, at };
                Found::Nothing
            }
            Some(_) => Found::Killed,
            None => {
                let above = self.above.as_ref().and_then(kills).unwrap_or(0);
                self.before.judge(above, was_told, Instant::now())
            }
        }
    }
}

impl Before {
    /// Of a cgroup that is gone. Others below the one above may have had a kill, too: it is its own where its file has
    /// changed since it was read, or that was just now.
    fn judge(&self, above: u64, was_told: bool, now: Instant) -> Found {
        let is_own = was_told || now.saturating_duration_since(self.at) <= SOON;
        match above > self.above && is_own {
            true => Found::Killed,
            false => Found::Over,
        }
    }
}

/// Whether any of what is watched there has changed since this was asked.
fn has_changed(told: &OwnedFd) -> bool {
    let mut buffer = [MaybeUninit::uninit(); MAX];
    let mut events = inotify::Reader::new(told, &mut buffer);
    let mut changed = false;
    while let Ok(event) = events.next() {
        changed |= event.events().contains(ReadFlags::MODIFY);
    }
    changed
}

/// How many were killed; `None` where the cgroup is gone.
fn kills(file: &File) -> Option<u64> {
    number(file, "oom_kill ")
}

/// The number in a line `NAME NUMBER`.
fn number(file: &File, name: &str) -> Option<u64> {
    let mut text = [0; MAX];
    let length = file.read_at(&mut text, 0).ok()?;
    let text = String::from_utf8_lossy(text.get(..length)?);
    let number = text.lines().find_map(|line| line.strip_prefix(name))?;
    number.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Cgroups as a container of crun's has them, and what is in their files.
    struct Cgroups(tempfile::TempDir);

    impl Cgroups {
        fn new() -> Self {
            let cgroups = Self(tempfile::tempdir().unwrap());
            fs::create_dir_all(cgroups.0.path().join("scope/container")).unwrap();
            for place in ["scope/container", "scope", "."] {
                cgroups.write(place, 0, 1);
            }
            cgroups
        }

        fn write(&self, place: &str, kills: u64, populated: u8) {
            let place = self.0.path().join(place);
            let memory = format!("low 0\nmax 12\noom 3\noom_kill {kills}\noom_group_kill 7\n");
            fs::write(place.join("memory.events"), memory).unwrap();
            let processes = format!("populated {populated}\nfrozen 0\n");
            fs::write(place.join("cgroup.events"), processes).unwrap();
        }

        fn own(&self) -> [PathBuf; 2] {
            ["scope/container", "scope"].map(|place| self.0.path().join(place))
        }
    }

    #[test]
    fn a_kill_is_found_in_any_of_its_cgroups_and_in_no_other() {
        for place in ["scope/container", "scope"] {
            let cgroups = Cgroups::new();
            let mut files = Files::of(&cgroups.own()).unwrap();
            assert_eq!(files.look(), Found::Nothing);
            cgroups.write(".", 3, 1);
            assert_eq!(files.look(), Found::Nothing);
            cgroups.write(place, 1, 0);
            assert_eq!(files.look(), Found::Killed);
            assert!(OomWatch::begin(&cgroups.own()).end(), "also from before");
        }
    }

    #[test]
    fn it_is_over_with_the_last_process() {
        let cgroups = Cgroups::new();
        let mut files = Files::of(&cgroups.own()).unwrap();
        cgroups.write("scope/container", 0, 0);
        assert_eq!(files.look(), Found::Nothing, "others are in the scope");
        cgroups.write("scope", 0, 0);
        assert_eq!(files.look(), Found::Over);
    }

    #[test]
    fn of_one_that_is_gone_the_one_above_says_it() {
        let at = Instant::now();
        let before = Before { above: 2, at };
        let later = at + 2 * SOON;
        for (above, was_told, now, found) in [
            (3, true, later, Found::Killed),
            (3, false, at, Found::Killed),
            // A kill of another's.
            (3, false, later, Found::Over),
            (2, true, at, Found::Over),
            // That is gone, too.
            (0, true, at, Found::Over),
        ] {
            assert_eq!(before.judge(above, was_told, now), found, "{above}");
        }
    }

    #[test]
    fn a_change_is_told_once() {
        let cgroups = Cgroups::new();
        let files = Files::of(&cgroups.own()).unwrap();
        let told = files.told.as_ref().unwrap();
        assert!(!has_changed(told));
        cgroups.write("scope", 0, 1);
        fs::remove_dir_all(cgroups.0.path().join("scope")).unwrap();
        assert!(has_changed(told));
        assert!(!has_changed(told));
    }

    #[test]
    fn a_watch_that_saw_nothing_ends_when_it_is_asked() {
        let cgroups = Cgroups::new();
        let watch = OomWatch::begin(&cgroups.own());
        assert!(watch.looking.is_some());
        assert!(!watch.end());
    }

    #[test]
    fn where_there_is_no_file_nothing_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let watch = OomWatch::begin(&[dir.path().to_owned()]);
        assert!(watch.looking.is_none());
        fs::write(dir.path().join("memory.events"), "low 0\n").unwrap();
        let watch = OomWatch::begin(&[dir.path().to_owned()]);
        assert!(watch.looking.is_none(), "this kernel does not count them");
        assert!(!watch.end());
    }
}

//! Looking into one directory, and doing so ahead of the walk in other threads: asking for every name
//! what it is takes most of the time where few files have to be read.

use std::ffi::CStr;
use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use rustix::io::Errno;

use crate::workspace::disk;
use crate::workspace::disk::Found;
use crate::workspace::disk::Listed;
use crate::workspace::disk::OpenedUp;
use crate::workspace::disk::Type;
use crate::workspace::snapshot::At;
use crate::workspace::snapshot::Reason;

/// How often a name that is another thing each time is looked at.
const TRIES: usize = 3;

/// Directories that are looked into ahead; each of them may be open, and the one above it.
const AHEAD: usize = 12;

/// Every name in a directory, sorted, and what it is.
pub(super) struct Names {
    listed: Listed,
    found: Vec<Result<Found, Errno>>,
}

impl Names {
    pub(super) fn len(&self) -> usize {
        self.listed.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&CStr, Result<Found, Errno>)> {
        self.listed.iter().zip(self.found.iter().copied())
    }
}

/// An open directory and what is in it.
pub(super) struct Scanned {
    pub(super) fd: OwnedFd,
    pub(super) found: Found,
    /// As long as somebody looks into it.
    pub(super) opened: Option<OpenedUp>,
    pub(super) names: Names,
}

/// Why there is none.
pub(super) enum Failure {
    /// The tree's part.
    Left(Reason),
    /// Our own: out of descriptors or memory.
    Ours(Errno),
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::MFILE | Errno::NFILE | Errno::NOMEM => Self::Ours(errno),
            Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::STALE => {
                Self::Left(Reason::Changed)
            }
            Errno::XDEV => Self::Left(Reason::MountPoint),
            _ => Self::Left(Reason::Unreadable),
        }
    }
}

/// A directory to be looked into, which holds no more names than `limit`.
pub(super) struct Question {
    pub(super) dir: Arc<OwnedFd>,
    pub(super) name: CString,
    pub(super) found: Found,
    pub(super) limit: usize,
}

impl Question {
    /// Opens the directory as it was found, or as what it is by now, and looks at every name.
    pub(super) fn answer(self) -> Result<Scanned, Failure> {
        let Self {
            dir,
            name,
            mut found,
            limit,
        } = self;
        let mut left = TRIES;
        let (fd, opened) = loop {
            left -= 1;
            match open(&dir, &name, &found) {
                Ok(opened) => break opened,
                Err(errno) => match Failure::from(errno) {
                    Failure::Left(Reason::Changed) if left > 0 => {}
                    failure => return Err(failure),
                },
            }
            match disk::find(&dir, &name) {
                Ok(again) if again.kind == Type::Directory => found = again,
                _ => return Err(Failure::Left(Reason::Changed)),
            }
        };
        let names = names(&fd, limit)?;
        Ok(Scanned {
            fd,
            found,
            opened,
            names,
        })
    }
}

fn open(dir: &OwnedFd, name: &CStr, found: &Found) -> Result<(OwnedFd, Option<OpenedUp>), Errno> {
    let fd = disk::open_directory(dir, name, found.id);
    let closed = match &fd {
        Ok(fd) => !disk::is_usable(fd, false),
        Err(errno) => *errno == Errno::ACCESS,
    };
    if closed && let Some(opened) = OpenedUp::new(dir, name, found) {
        let fd = disk::open_directory(dir, name, found.id)?;
        return Ok((fd, Some(opened)));
    }
    fd.map(|fd| (fd, None))
}

/// Every name in an open directory, and what it is.
pub(super) fn names(fd: &OwnedFd, limit: usize) -> Result<Names, Failure> {
    let listed = disk::list(fd, limit)?.ok_or(Failure::Left(Reason::Full))?;
    let found = listed.iter().map(|name| disk::find(fd, name)).collect();
    Ok(Names { listed, found })
}

/// Questions that are answered ahead.
pub(super) struct Ahead {
    state: Mutex<State>,
    /// There is a question, or there will be no more.
    asked: Condvar,
    /// There is an answer.
    answered: Condvar,
}

struct State {
    slots: Vec<(At, Work)>,
    closed: bool,
    /// So many wait for a question, and somebody for an answer: waking nobody takes time, too.
    idle: usize,
    awaited: bool,
}

enum Work {
    Waiting(Question),
    Running,
    Done(Result<Scanned, Failure>),
}

impl State {
    /// The question that is to be answered first.
    fn next(&mut self) -> Option<(At, Question)> {
        let waiting = self.slots.iter_mut();
        let waiting = waiting.filter(|(_, work)| matches!(work, Work::Waiting(_)));
        let (at, work) = waiting.min_by_key(|(at, _)| *at)?;
        match std::mem::replace(work, Work::Running) {
            Work::Waiting(question) => Some((*at, question)),
            _ => None,
        }
    }

    fn done(&mut self, at: At, answer: Result<Scanned, Failure>) {
        let mut slots = self.slots.iter_mut();
        if let Some((_, work)) = slots.find(|(other, _)| *other == at) {
            *work = Work::Done(answer);
        }
    }
}

impl Ahead {
    pub(super) fn new() -> Self {
        Self {
            state: Mutex::new(State {
                slots: Vec::new(),
                closed: false,
                idle: 0,
                awaited: false,
            }),
            asked: Condvar::new(),
            answered: Condvar::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks about a directory; false if too much was asked already.
    pub(super) fn ask(&self, at: At, question: impl FnOnce() -> Question) -> bool {
        let mut state = self.state();
        if state.slots.len() >= AHEAD {
            return false;
        }
        state.slots.push((at, Work::Waiting(question())));
        if state.idle > 0 {
            self.asked.notify_one();
        }
        true
    }

    /// The answer; `None` if nobody has begun with it. Answers others as long as somebody is at it.
    pub(super) fn answer(&self, at: At) -> Option<Result<Scanned, Failure>> {
        let mut state = self.state();
        loop {
            let place = state.slots.iter().position(|(other, _)| *other == at)?;
            if !matches!(state.slots.get(place), Some((_, Work::Running))) {
                return match state.slots.swap_remove(place).1 {
                    Work::Done(answer) => Some(answer),
                    _ => None,
                };
            }
            state = match state.next() {
                Some((other, question)) => {
                    drop(state);
                    let answer = question.answer();
                    let mut state = self.state();
                    state.done(other, answer);
                    state
                }
                None => {
                    state.awaited = true;
                    let waited = self.answered.wait(state);
                    let mut state = waited.unwrap_or_else(PoisonError::into_inner);
                    state.awaited = false;
                    state
                }
            };
        }
    }

    /// Answers questions until there will be no more.
    pub(super) fn help(&self) {
        let mut state = self.state();
        while !state.closed {
            let Some((at, question)) = state.next() else {
                state.idle += 1;
                let waited = self.asked.wait(state);
                state = waited.unwrap_or_else(PoisonError::into_inner);
                state.idle -= 1;
                continue;
            };
            drop(state);
            let answer = question.answer();
            state = self.state();
            state.done(at, answer);
            if state.awaited {
                self.answered.notify_one();
            }
        }
    }

    /// Lets the helpers end when it is dropped, whatever the reason.
    pub(super) fn closing(&self) -> Closing<'_> {
        Closing(self)
    }
}

/// See [`Ahead::closing`].
pub(super) struct Closing<'a>(&'a Ahead);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.state().closed = true;
        self.0.asked.notify_all();
    }
}

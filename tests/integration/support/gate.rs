//! The real service behind a socket of ours that holds back one request, or the answer to it.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Instant;

use super::capture::PATIENCE;
use super::podman::Podman;

/// Where an exchange is held, by method and path, in which `*` stands for a name or an id:
/// `POST /containers/*/start`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hold {
    /// The service does not see the request.
    Request(&'static str),
    /// The service has done what was asked; nobody is told.
    Answer(&'static str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// What is to be held has not come.
    Waiting,
    /// It is on its way to the service.
    Sent,
    /// It is held.
    Held,
    /// It goes on.
    Open,
    /// It does not.
    Dropped,
}

/// Passes every byte on, both ways, but for one exchange.
#[derive(Debug)]
pub(crate) struct Gate {
    directory: tempfile::TempDir,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    hold: Hold,
    state: Mutex<State>,
    changed: Condvar,
    /// What began a packet from the client: if that which is waited for does not come.
    seen: Mutex<Vec<String>>,
}

impl Gate {
    /// Starts to listen, and holds the first such exchange.
    pub(crate) fn start(hold: Hold) -> Self {
        Self::on(Podman::get(), hold)
    }

    /// The same before another service.
    pub(crate) fn on(podman: &'static Podman, hold: Hold) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let gate = Self {
            directory,
            shared: Arc::new(Shared {
                hold,
                state: Mutex::new(State::Waiting),
                changed: Condvar::new(),
                seen: Mutex::default(),
            }),
        };
        let listener = UnixListener::bind(gate.directory.path().join("gate.sock"));
        let listener = listener.expect("a socket");
        let shared = Arc::clone(&gate.shared);
        // It ends with the process; a thread that waits costs nothing.
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let service = UnixStream::connect(&podman.socket).expect("Podman listens");
                Arc::clone(&shared).pass(client, service);
            }
        });
        gate
    }

    /// Where it listens, as `--url` has it.
    pub(crate) fn url(&self) -> String {
        format!(
            "unix://{}",
            self.directory.path().join("gate.sock").display()
        )
    }

    /// Waits until the exchange is held.
    #[track_caller]
    pub(crate) fn wait_held(&self) {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.shared.state.lock().unwrap();
        while *state != State::Held {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let (found, hold) = (*state, self.shared.hold);
                // The end of this test wants it.
                drop(state);
                let seen = self.shared.seen.lock().unwrap();
                panic!("{hold:?} does not come, {found:?}; there came {seen:?}");
            }
            state = self.shared.changed.wait_timeout(state, left).unwrap().0;
        }
    }

    /// Lets it go on.
    pub(crate) fn release(&self) {
        self.shared.change(State::Open);
    }

    /// Closes its connections.
    pub(crate) fn discard(&self) {
        self.shared.change(State::Dropped);
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.discard();
    }
}

impl Shared {
    fn change(&self, state: State) {
        *self.state.lock().unwrap() = state;
        self.changed.notify_all();
    }

    fn pass(self: Arc<Self>, client: UnixStream, service: UnixStream) {
        let both = |stream: &UnixStream| stream.try_clone().expect("a descriptor");
        let (from_client, from_service) = (both(&client), both(&service));
        // Whether this connection has the exchange that is held.
        let ours = Arc::new(AtomicBool::new(false));
        let (shared, mine) = (Arc::clone(&self), Arc::clone(&ours));
        thread::spawn(move || {
            pump(from_client, service, |bytes| {
                if !shared.begins(bytes) {
                    return true;
                }
                mine.store(true, Ordering::SeqCst);
                match shared.hold {
                    Hold::Request(_) => shared.hold_here(),
                    Hold::Answer(_) => true,
                }
            });
        });
        thread::spawn(move || {
            pump(from_service, client, |_| {
                !(matches!(self.hold, Hold::Answer(_)) && ours.swap(false, Ordering::SeqCst))
                    || self.hold_here()
            });
        });
    }

    /// Whether these bytes are the beginning of what is to be held. A request begins with a packet:
    /// the client sends none before the last one is answered.
    fn begins(&self, bytes: &[u8]) -> bool {
        let (Hold::Request(wanted) | Hold::Answer(wanted)) = self.hold;
        let line = bytes
            .split(|byte| *byte == b'\r')
            .next()
            .unwrap_or_default();
        let line = String::from_utf8_lossy(line);
        let mut words = line.split(' ');
        let (method, target) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        let path = target.split('?').next().unwrap_or("");
        let path = path.split_once("/libpod").map_or(path, |(_, path)| path);
        let what = format!("{method} {path}");
        self.seen.lock().unwrap().push(what.clone());
        let fits = match wanted.split_once('*') {
            None => what == wanted,
            Some((first, last)) => {
                what.len() > first.len() + last.len()
                    && what.starts_with(first)
                    && what.ends_with(last)
            }
        };
        let mut state = self.state.lock().unwrap();
        let first = fits && *state == State::Waiting;
        if first {
            *state = State::Sent;
        }
        first
    }

    /// Waits until it may go on; false if it may not.
    fn hold_here(&self) -> bool {
        let mut state = self.state.lock().unwrap();
        if *state == State::Sent {
            *state = State::Held;
            self.changed.notify_all();
        }
        while *state == State::Held {
            state = self.changed.wait(state).unwrap();
        }
        *state == State::Open
    }
}

fn pump(mut from: UnixStream, mut to: UnixStream, mut may_pass: impl FnMut(&[u8]) -> bool) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if !may_pass(&buffer[..count]) {
            let _ = from.shutdown(Shutdown::Both);
            let _ = to.shutdown(Shutdown::Both);
            return;
        }
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    // The end of one half alone.
    let _ = to.shutdown(Shutdown::Write);
}

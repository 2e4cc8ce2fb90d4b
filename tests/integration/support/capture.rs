//! What a process writes, readable while it still writes.

use std::io::Read;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// How long a test waits for something that takes a moment.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A limit as long as this machine needs it: one in an emulator says how much slower it is.
pub(crate) fn stretched(limit: Duration) -> Duration {
    let times = std::env::var("STOCKADE_TEST_SLOWNESS").ok();
    limit * times.map_or(1, |times| times.parse().expect("a number of times"))
}

/// Waits for what nothing tells of.
#[track_caller]
pub(crate) fn wait_until(is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < stretched(PATIENCE), "it did not come");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Bytes that a thread collects.
#[derive(Debug, Clone, Default)]
pub(crate) struct Capture(Arc<(Mutex<State>, Condvar)>);

#[derive(Debug, Default)]
struct State {
    bytes: Vec<u8>,
    ended: bool,
    /// Up to where `wait_for` has looked.
    seen: usize,
}

impl Capture {
    /// Reads on a thread of its own until the end.
    pub(crate) fn start(mut from: impl Read + Send + 'static) -> Self {
        let capture = Self::default();
        let into = capture.clone();
        thread::spawn(move || {
            let mut buffer = vec![0; 64 << 10];
            loop {
                let count = match from.read(&mut buffer) {
                    // A pseudo-terminal whose other side is gone fails instead of ending.
                    Ok(0) | Err(_) => break,
                    Ok(count) => count,
                };
                into.change(|state| state.bytes.extend_from_slice(&buffer[..count]));
            }
            into.change(|state| state.ended = true);
        });
        capture
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.0.lock().unwrap());
        self.0.1.notify_all();
    }

    /// Everything so far.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.0.lock().unwrap().bytes.clone()
    }

    /// Everything so far as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }

    /// Waits for a text after the last one that was waited for; what it does not come, `None`.
    pub(crate) fn wait_for(&self, text: &str) -> Option<()> {
        let deadline = Instant::now() + stretched(PATIENCE);
        let mut state = self.0.0.lock().unwrap();
        loop {
            let fresh = &state.bytes[state.seen..];
            if let Some(at) = find(fresh, text.as_bytes()) {
                state.seen += at + text.len();
                return Some(());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if state.ended || left.is_zero() {
                return None;
            }
            state = self.0.1.wait_timeout(state, left).unwrap().0;
        }
    }

    /// Waits for the end; `None` if it does not come.
    pub(crate) fn wait_end(&self, deadline: Instant) -> Option<()> {
        let mut state = self.0.0.lock().unwrap();
        while !state.ended {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            state = self.0.1.wait_timeout(state, left).unwrap().0;
        }
        Some(())
    }
}

fn find(bytes: &[u8], text: &[u8]) -> Option<usize> {
    bytes.windows(text.len()).position(|window| window == text)
}

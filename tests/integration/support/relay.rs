//! The real service behind a socket of ours, which can be cut, and may fail.

use std::io::{self, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use super::podman::Podman;

/// Passes every byte on, both ways, until it is cut.
#[derive(Debug)]
pub(crate) struct Relay {
    directory: tempfile::TempDir,
    open: Arc<Mutex<Option<Vec<UnixStream>>>>,
}

impl Relay {
    /// Starts to listen.
    pub(crate) fn start() -> Self {
        Self::failing_at("\n", 0, "")
    }

    /// The same; so many requests whose first line has this fail, with these words of Podman's.
    pub(crate) fn failing_at(part: &'static str, times: u32, words: &'static str) -> Self {
        let failure = Failure {
            part,
            words,
            left: Arc::new(AtomicU32::new(times)),
        };
        let directory = tempfile::tempdir().expect("a temporary directory");
        let relay = Self {
            directory,
            open: Arc::new(Mutex::new(Some(Vec::new()))),
        };
        let listener = UnixListener::bind(relay.socket()).expect("a socket");
        let open = Arc::clone(&relay.open);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let mut open = open.lock().unwrap();
                let Some(open) = open.as_mut() else {
                    return;
                };
                let service = UnixStream::connect(&Podman::get().socket).expect("Podman listens");
                open.push(client.try_clone().expect("a descriptor"));
                open.push(service.try_clone().expect("a descriptor"));
                pass_requests_on(&client, &service, failure.clone());
                pass_on(&service, &client);
            }
        });
        relay
    }

    /// Where it listens.
    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("relay.sock")
    }

    /// Its connections are closed, and it is there again at once, as one that systemd starts for whoever asks.
    pub(crate) fn hang_up(&self) {
        let mut open = self.open.lock().unwrap();
        for stream in open.iter_mut().flat_map(std::mem::take) {
            // It may be closed already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// The service is gone, as far as clients can tell: its connections are closed, its socket too.
    pub(crate) fn cut(&self) {
        std::fs::remove_file(self.socket()).expect("our socket");
        let open = self.open.lock().unwrap().take();
        for stream in open.into_iter().flatten() {
            // It may be closed already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// What fails, how, and how often still.
#[derive(Debug, Clone)]
struct Failure {
    part: &'static str,
    words: &'static str,
    left: Arc<AtomicU32>,
}

fn pass_on(from: &UnixStream, to: &UnixStream) {
    let (mut from, mut to) = (
        from.try_clone().expect("a descriptor"),
        to.try_clone().expect("a descriptor"),
    );
    thread::spawn(move || {
        let _ = io::copy(&mut from, &mut to);
        // The end of one half alone.
        let _ = to.shutdown(Shutdown::Write);
    });
}

/// Passes on what a client asks for, unless that is to fail: then the connection ends with the answer.
fn pass_requests_on(client: &UnixStream, service: &UnixStream, failure: Failure) {
    let Failure { part, words, left } = failure;
    let body = serde_json::json!({ "cause": words, "message": words, "response": 500 }).to_string();
    let (mut client, mut service) = (
        client.try_clone().expect("a descriptor"),
        service.try_clone().expect("a descriptor"),
    );
    thread::spawn(move || {
        let mut bytes = [0; 64 << 10];
        while let Ok(length @ 1..) = client.read(&mut bytes) {
            let line = bytes[..length]
                .split(|byte| *byte == b'\r')
                .next()
                .unwrap_or_default();
            let is_meant = String::from_utf8_lossy(line).contains(part);
            let down = |left: u32| left.checked_sub(1);
            if is_meant
                && left
                    .fetch_update(Ordering::SeqCst, Ordering::SeqCst, down)
                    .is_ok()
            {
                let head = "HTTP/1.1 500 Internal Server Error\r\nContent-Type: application/json\r\nConnection: close";
                let length = body.len();
                let _ = write!(client, "{head}\r\nContent-Length: {length}\r\n\r\n{body}");
                let _ = service.shutdown(Shutdown::Both);
                // What is still being sent is not cut off, or its sender would not read the answer.
                let _ = client.shutdown(Shutdown::Write);
                let _ = io::copy(&mut client, &mut io::sink());
                return;
            }
            if service.write_all(&bytes[..length]).is_err() {
                return;
            }
        }
        let _ = service.shutdown(Shutdown::Write);
    });
}

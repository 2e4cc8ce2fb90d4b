//! The real service behind a socket of ours, which can be cut.

use std::io;
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
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
                pass_on(&client, &service);
                pass_on(&service, &client);
            }
        });
        relay
    }

    /// Where it listens.
    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("relay.sock")
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

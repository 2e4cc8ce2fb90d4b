//! Somebody who listens on the machine that the tests run on.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Listens on a port of its own and counts who comes.
#[derive(Debug)]
pub(crate) struct Listener {
    /// Where.
    pub(crate) port: u16,
    visits: Arc<AtomicUsize>,
}

impl Listener {
    /// On an address of this machine.
    pub(crate) fn on(address: &str) -> Self {
        let listener = TcpListener::bind((address, 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let visits = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&visits);
        thread::spawn(move || {
            for visit in listener.incoming() {
                drop(visit);
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { port, visits }
    }

    /// How many have come.
    pub(crate) fn visits(&self) -> usize {
        self.visits.load(Ordering::SeqCst)
    }
}

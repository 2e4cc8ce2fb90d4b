//! One container at a time is made by a service, whoever of us asks.
//!
//! For a user namespace the service asks libsubid for the user's ids, which two threads may not do
//! at once: every now and then it makes a container with a wrong mapping, and at times it crashes,
//! with all that it is serving (podman#23264; seen on 4.3.1 and not mended in 6.1). Only creating
//! has to wait; the mapping is kept with the container.

use std::fs::File;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use tokio::time::{Instant, sleep};

use crate::libpod::{ContainerSpec, Endpoint};

/// How often we look whether it is our turn.
const INTERVAL: Duration = Duration::from_millis(10);
/// The longest we wait: somebody may have been stopped in the middle of a turn.
const PATIENCE: Duration = Duration::from_secs(60);

/// Our turn; dropping it is the next one's.
#[derive(Debug)]
pub(crate) struct Turn {
    _lock: Option<File>,
}

impl Turn {
    /// Waits for our turn to have a container made, if it needs one. A socket in a directory that
    /// we cannot open has no turns.
    pub(crate) async fn wait(endpoint: &Endpoint, spec: &ContainerSpec) -> Self {
        let directory = endpoint.socket().parent();
        let lock = match directory.filter(|_| spec.userns.is_some()) {
            Some(directory) => File::open(directory).ok(),
            None => None,
        };
        if let Some(lock) = &lock {
            let deadline = Instant::now() + PATIENCE;
            while flock(lock, FlockOperation::NonBlockingLockExclusive).is_err()
                && Instant::now() < deadline
            {
                sleep(INTERVAL).await;
            }
        }
        Self { _lock: lock }
    }
}

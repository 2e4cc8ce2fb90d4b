//! How much a workspace grows: looked at while an agent works, since a disk may have room for what no checkpoint can hold.

use std::future::pending;
use std::time::{Duration, Instant};

use super::checkpoints::Checkpoints;
use crate::workspace::Measured;

/// How often it is looked at while an agent works, at most.
const LOOK: Duration = Duration::from_secs(60);

/// A look takes no longer; one that takes long is not repeated before this many times as long.
const TIME: Duration = Duration::from_secs(20);
const SHARE: u32 = 100;

/// By how much it may grow, and from what.
#[derive(Debug, Clone)]
pub(super) struct Growth {
    pub(super) checkpoints: Checkpoints,
    /// What it took of the disk before the agent, in bytes.
    pub(super) from: u64,
    /// By so many bytes.
    pub(super) most: u64,
}

/// When it was last looked at, and how long that took.
#[derive(Debug)]
pub(super) struct Looked {
    at: Instant,
    took: Duration,
}

/// A workspace that has grown by too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Grown {
    /// By so many bytes on disk.
    pub bytes: u64,
    /// By how many it might.
    pub most: u64,
}

impl Looked {
    pub(super) fn since(begun: Instant) -> Self {
        let at = Instant::now();
        let took = at.duration_since(begun);
        Self { at, took }
    }

    /// Whether another look would be worth its time.
    pub(super) fn is_long_ago(&self) -> bool {
        self.at.elapsed() >= self.took * SHARE
    }
}

impl Growth {
    /// Whether it is too much now. What cannot be told is not too much: what is counted in part is too much if that is.
    pub(super) async fn look(&self) -> Option<Grown> {
        let measured = measure(&self.checkpoints).await?;
        let bytes = measured.bytes.saturating_sub(self.from);
        let most = self.most;
        (bytes > most).then_some(Grown { bytes, most })
    }

    /// Waits until it is too much.
    pub(super) async fn until_too_much(this: Option<&Self>) -> Grown {
        let Some(growth) = this else {
            return pending().await;
        };
        let mut rest = LOOK;
        loop {
            tokio::time::sleep(rest).await;
            let begun = Instant::now();
            if let Some(grown) = growth.look().await {
                return grown;
            }
            rest = LOOK.max(begun.elapsed() * SHARE);
        }
    }
}

/// What the workspace takes on its disk, as far as it could be counted.
pub(super) async fn measure(checkpoints: &Checkpoints) -> Option<Measured> {
    let checkpoints = checkpoints.clone();
    // It may be large, and its file system slow to answer.
    let look = move || Measured::of(&checkpoints.root_as_it_is().ok()?, TIME).ok();
    tokio::task::spawn_blocking(look).await.ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ralph::checkpoints::tests::of_directory;

    #[tokio::test(start_paused = true)]
    async fn it_is_looked_at_each_minute() {
        let dir = tempfile::tempdir().unwrap();
        let (state, work) = (dir.path().join("state"), dir.path().join("work"));
        std::fs::create_dir(&work).unwrap();
        let checkpoints = of_directory(&state, &work);
        let from = measure(&checkpoints).await.unwrap().bytes;
        let growth = |most| Growth {
            checkpoints: checkpoints.clone(),
            from,
            most,
        };
        std::fs::write(work.join("data"), vec![1; 3 << 20]).unwrap();
        assert_eq!(growth(4 << 20).look().await, None);
        let begun = tokio::time::Instant::now();
        let grown = Growth::until_too_much(Some(&growth(2 << 20))).await;
        assert!(grown.bytes >= 3 << 20 && grown.most == 2 << 20, "{grown:?}");
        assert_eq!(begun.elapsed(), LOOK);
        // Of what is gone nothing is said.
        std::fs::remove_dir_all(&work).unwrap();
        assert_eq!(growth(0).look().await, None);
    }
}

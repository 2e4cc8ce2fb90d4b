//! Room on the disks that a run needs: looked at, since an agent that fills them harms more than itself.

use std::fmt;
use std::future::pending;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A file system on which no more files than so many can be made is nearly full, whatever it has free.
const LEAST_FILES: u64 = 1000;

/// How often it is looked at while an agent works. Nothing tells of a disk that fills up.
const LOOK: Duration = Duration::from_secs(60);

/// What has to be left free, and where.
#[derive(Debug, Clone, Default)]
pub(super) struct Room {
    places: Vec<PathBuf>,
    /// In bytes; 0 is nothing.
    least: u64,
}

/// A file system with too little room.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Low {
    /// A directory in it.
    pub path: PathBuf,
    /// Bytes that are left for the person.
    pub free: u64,
    /// Files that can still be made there, if those are too few.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<u64>,
}

impl fmt::Display for Low {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.path.display();
        match self.files {
            Some(files) => write!(
                f,
                "no more than {files} files can be made where `{place}` is"
            ),
            None => write!(
                f,
                "only {} MiB are free where `{place}` is",
                self.free >> 20
            ),
        }
    }
}

impl Low {
    /// The first of these places whose file system has less than so many bytes left. Of one that cannot be told nothing is said.
    pub fn find<'a>(places: impl IntoIterator<Item = &'a Path>, least: u64) -> Option<Self> {
        let mut places = places.into_iter().filter(|_| least > 0);
        places.find_map(|path| low(path.to_owned(), least))
    }
}

impl Room {
    pub(super) fn new<'a>(places: impl IntoIterator<Item = &'a Path>, least: u64) -> Self {
        Self {
            places: places.into_iter().map(Path::to_owned).collect(),
            least,
        }
    }

    /// Where there is too little now. What cannot be told is not too little.
    pub(super) async fn low(&self) -> Option<Low> {
        let Self { places, least } = self.clone();
        if least == 0 {
            return None;
        }
        // A file system may be slow to answer.
        let look = move || places.into_iter().find_map(|path| low(path, least));
        tokio::task::spawn_blocking(look).await.ok().flatten()
    }

    /// That where the run is kept there was no room for something.
    pub(super) fn none(&self) -> Low {
        let path = self.places.first().cloned().unwrap_or_default();
        low(path.clone(), u64::MAX).unwrap_or(Low {
            path,
            free: 0,
            files: None,
        })
    }

    /// Waits until there is too little somewhere.
    pub(super) async fn until_low(&self) -> Low {
        if self.least == 0 {
            return pending().await;
        }
        loop {
            tokio::time::sleep(LOOK).await;
            if let Some(low) = self.low().await {
                return low;
            }
        }
    }
}

fn low(path: PathBuf, least: u64) -> Option<Low> {
    let found = rustix::fs::statvfs(&path).ok()?;
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    let files = too_few(found.f_files, found.f_favail).then_some(found.f_favail);
    let is_low = free < least || files.is_some();
    // Which of both it is: bytes, if those are too few as well.
    let files = files.filter(|_| free >= least);
    is_low.then_some(Low { path, free, files })
}

/// Of some file systems nobody can say how many: they have none in all.
fn too_few(all: u64, left: u64) -> bool {
    all > 0 && left < LEAST_FILES.min(all / 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn too_little_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let none = Path::new("/no/such/directory");
        let room = |least| Room::new([none, dir.path()], least);
        assert_eq!(room(0).low().await, None);
        assert_eq!(room(1).low().await, None);
        assert_eq!(Low::find([Path::new("/proc")], 0), None);
        let low = room(u64::MAX).low().await.unwrap();
        assert_eq!(low.path, dir.path());
        assert!(low.free > 0);
        assert_eq!(Room::new([dir.path(), none], 0).none().path, dir.path());
        // Each is looked at, and it is said which it is.
        let full = Path::new("/proc");
        let low = Room::new([dir.path(), none, full], 1).low().await.unwrap();
        assert_eq!((low.path.as_path(), low.free), (full, 0));
        // Of a place that is not there nothing is said.
        assert_eq!(Room::new([none, none], u64::MAX).low().await, None);
    }

    #[test]
    fn files_run_out_as_well() {
        for (all, left, few) in [
            (0, 0, false),
            (1 << 20, 999, true),
            (1 << 20, 1000, false),
            (500, 49, true),
            (500, 50, false),
        ] {
            assert_eq!(too_few(all, left), few, "{left} of {all}");
        }
        let low = Low {
            path: "/w".into(),
            free: 5 << 30,
            files: Some(7),
        };
        assert_eq!(
            low.to_string(),
            "no more than 7 files can be made where `/w` is"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_looked_at_each_minute() {
        let dir = tempfile::tempdir().unwrap();
        let room = |least| Room::new([dir.path(), dir.path()], least);
        let begun = tokio::time::Instant::now();
        let _ = room(u64::MAX).until_low().await;
        assert_eq!(begun.elapsed(), LOOK);
        let (never, one) = (room(0), room(1));
        let hours = Duration::from_secs(7200);
        for room in [never, one] {
            let told = tokio::time::timeout(hours, room.until_low()).await;
            assert!(told.is_err());
        }
    }
}

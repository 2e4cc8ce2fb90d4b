//! Room on the disk for the report of a run, for when the disk is full in the end. As long as it is there, no report was kept.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use rustix::fs::{FallocateFlags, fallocate};

use super::Run;

/// Bytes for both of its forms.
const ROOM: u64 = 1 << 20;

impl Run {
    /// Keeps it, where the disk has so much.
    pub(in crate::ralph) fn keep_room(&self) {
        let mut options = OpenOptions::new();
        let options = options.write(true).create(true).truncate(false).mode(0o600);
        // A full disk is told of when something is written.
        if let Ok(file) = options.open(self.room_path()) {
            let _ = fallocate(&file, FallocateFlags::empty(), 0, ROOM);
        }
    }

    /// Whether it is there.
    pub fn keeps_room(&self) -> bool {
        self.room_path().exists()
    }

    /// Gives it back: the report is about to be written.
    pub fn give_room_back(&self) {
        let _ = fs::remove_file(self.room_path());
    }

    fn room_path(&self) -> PathBuf {
        self.directory.join("report.room")
    }
}

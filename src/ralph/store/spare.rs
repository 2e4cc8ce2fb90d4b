//! Room on the disk for the report of a run, for when the disk is full in the end. As long as its file is there, no report was kept.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use rustix::fs::{FallocateFlags, fallocate};

use super::Run;

/// Bytes for both of its forms.
const ROOM: u64 = 1 << 20;

impl Run {
    /// Keeps it, where the disk has so much.
    pub fn keep_room(&self) {
        let mut options = OpenOptions::new();
        let options = options.write(true).create(true).truncate(false).mode(0o600);
        // A full disk is told of when something is written.
        if let Ok(file) = options.open(self.room_path()) {
            let _ = fallocate(&file, FallocateFlags::empty(), 0, ROOM);
        }
    }

    /// Whether nothing was made of it yet.
    pub fn keeps_room(&self) -> bool {
        self.room_path().exists()
    }

    /// Gives it back: the report is about to be written.
    pub fn give_room_back(&self) {
        let file = OpenOptions::new().write(true).open(self.room_path());
        let _ = file.and_then(|file| file.set_len(0));
    }

    /// The report was written, or cannot be.
    pub fn needs_no_room(&self) {
        let _ = fs::remove_file(self.room_path());
    }

    fn room_path(&self) -> PathBuf {
        self.directory.join("report.room")
    }
}

//! A container's cgroup, as the guest's kernel has it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::dir::TestDir;

/// The files of a container's cgroup.
#[derive(Debug)]
pub(crate) struct Cgroup(PathBuf);

impl Cgroup {
    /// That of a running container's first process.
    #[track_caller]
    pub(crate) fn of(dir: &TestDir, name: &str) -> Self {
        let inspected = dir.stockade(&["inspect", name]).run().success().json();
        let pid = inspected[0]["State"]["Pid"].as_u64().expect("a process");
        let line = fs::read_to_string(format!("/proc/{pid}/cgroup")).expect("it runs");
        let path = line.trim_end().strip_prefix("0::/").expect("cgroup v2");
        assert!(path.contains("libpod-"), "a cgroup of its own: {line}");
        Self(Path::new("/sys/fs/cgroup").join(path))
    }

    /// What a file says, without the newline.
    #[track_caller]
    pub(crate) fn read(&self, file: &str) -> String {
        let path = self.0.join(file);
        let text = fs::read_to_string(&path);
        let text = text.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        text.trim_end().to_owned()
    }

    /// A number of a file with one, or with a name on each line.
    #[track_caller]
    pub(crate) fn number(&self, file: &str, name: &str) -> u64 {
        let text = self.read(file);
        let line = text.lines().find_map(|line| {
            let line = line.strip_prefix(name)?;
            line.trim().parse().ok()
        });
        line.unwrap_or_else(|| panic!("no number `{name}` in {file}: {text}"))
    }
}

//! A test's own directory, home and state, and what it leaves on the service.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::capture::{PATIENCE, stretched};
use super::command::{PATH, TestCommand};
use super::image::{self, tiny};
use super::podman::{Podman, stockade_program};

/// A fresh directory that the service sees at the same path. Our containers are known by a key in
/// the state directory, so that those of one test belong to that test alone. Dropping it removes
/// them, and the directory.
#[derive(Debug)]
pub(crate) struct TestDir {
    root: tempfile::TempDir,
    program: PathBuf,
    url: String,
    podman: Option<&'static Podman>,
    others: Mutex<Vec<String>>,
    images: Mutex<Vec<String>>,
}

impl TestDir {
    /// A directory named after the test, on the real service.
    pub(crate) fn new() -> Self {
        Self::of(Podman::get())
    }

    /// The same on another service, which has the tests' image.
    pub(crate) fn of(podman: &'static Podman) -> Self {
        Self::make(&podman.shared, podman.url(), Some(podman))
    }

    /// The same on something else that listens on a socket.
    pub(crate) fn on(socket: &Path) -> Self {
        let url = format!("unix://{}", socket.display());
        Self::make(&std::env::temp_dir(), url, None)
    }

    fn make(parent: &Path, url: String, podman: Option<&'static Podman>) -> Self {
        let thread = std::thread::current();
        let name = thread.name().unwrap_or("test").replace("::", "-");
        let root = tempfile::Builder::new()
            .prefix(&format!("{name}-"))
            .tempdir_in(parent)
            .expect("the directory can be written to");
        for name in ["home", "state", "work"] {
            std::fs::create_dir(root.path().join(name)).expect("a new directory");
        }
        Self {
            root,
            program: stockade_program(),
            url,
            podman,
            others: Mutex::default(),
            images: Mutex::default(),
        }
    }

    /// The service.
    pub(crate) fn podman(&self) -> &'static Podman {
        self.podman.expect("a test on the real service")
    }

    /// The directory.
    pub(crate) fn path(&self) -> &Path {
        self.root.path()
    }

    /// Where commands are run: the person's project.
    pub(crate) fn work(&self) -> PathBuf {
        self.path().join("work")
    }

    /// A name that no other test has.
    pub(crate) fn name(&self, what: &str) -> String {
        let own = self.path().file_name().expect("a name").to_string_lossy();
        let tail: String = own.rsplit('-').next().expect("a part").to_owned();
        format!("t-{what}-{}", tail.to_lowercase())
    }

    /// `stockade ARGUMENT...` in the work directory, with nothing of our own environment.
    pub(crate) fn stockade(&self, arguments: &[&str]) -> TestCommand {
        self.command(&self.program, arguments)
    }

    /// The program under test.
    pub(crate) fn program(&self) -> String {
        self.program.display().to_string()
    }

    /// A line for bash, in the same surroundings.
    pub(crate) fn shell(&self, line: &str) -> TestCommand {
        self.command(Path::new("/bin/bash"), &["-c", line])
    }

    fn command(&self, program: &Path, arguments: &[&str]) -> TestCommand {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", PATH)
            .env("HOME", self.path().join("home"))
            .env("XDG_STATE_HOME", self.path().join("state"))
            .env("CONTAINER_HOST", &self.url)
            .env("LANG", "C.UTF-8")
            .current_dir(self.work())
            .args(arguments);
        TestCommand::new(command)
    }

    /// A container of ours that runs a shell line in the background; its name.
    #[track_caller]
    pub(crate) fn background(&self, what: &str, flags: &[&str], script: &str) -> String {
        let name = self.name(what);
        let first = ["run", "-d", "--network", "none", "--name", &name];
        let last = [self.tiny(), "sh", "-c", script];
        let run = self.stockade(&[&first, flags, &last].concat()).run();
        let _ = run.success();
        name
    }

    /// The same made by podman, which is not ours; its id. Removed with the test.
    #[track_caller]
    pub(crate) fn foreign(&self, what: &str, flags: &[&str], script: &str) -> String {
        let name = self.name(what);
        let first = ["run", "-d", "--network", "none", "--name", &name];
        let last = [self.tiny(), "sh", "-c", script];
        let run = self
            .podman()
            .command(&[&first, flags, &last].concat())
            .run();
        let id = run.success().line();
        self.adopt(&id);
        id
    }

    /// The tests' image, which is on its service.
    pub(crate) fn tiny(&self) -> &'static str {
        if std::ptr::eq(self.podman(), Podman::get()) {
            tiny()
        } else {
            image::NAME
        }
    }

    /// Waits until a container has written this.
    #[track_caller]
    pub(crate) fn wait_for_log(&self, name: &str, text: &str) {
        let deadline = Instant::now() + stretched(PATIENCE);
        loop {
            let logs = self.stockade(&["logs", name]).run().success();
            if logs.stdout().contains(text) {
                return;
            }
            assert!(Instant::now() < deadline, "no `{text}`\n{logs}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Writes a file below the work directory, with the directories on its way.
    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.work().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
        std::fs::write(&path, content).expect("a file");
        path
    }

    /// Sets a file's permission bits.
    pub(crate) fn mode(&self, path: &str, mode: u32) {
        let path = self.work().join(path);
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("our file");
    }

    /// A container that is not Stockade's, to be removed with the test.
    pub(crate) fn adopt(&self, id: &str) {
        self.others.lock().unwrap().push(id.to_owned());
    }

    /// An image to be removed with the test.
    pub(crate) fn image(&self, name: &str) {
        self.images.lock().unwrap().push(name.to_owned());
    }

    /// The containers of Stockade that there are, running or not, by whole id.
    pub(crate) fn containers(&self) -> Vec<String> {
        let listed = self.stockade(&["ps", "-a", "-q", "--no-trunc"]).run();
        let listed = listed.success().stdout();
        listed.lines().map(str::to_owned).collect()
    }

    /// Nothing that this test made is left on the service.
    #[track_caller]
    pub(crate) fn assert_nothing_left(&self) {
        let left = self.containers();
        assert!(left.is_empty(), "containers are left: {left:?}");
        let left = self.homes();
        assert!(left.is_empty(), "volumes are left: {left:?}");
    }

    /// The volumes that are homes of runs of this test.
    pub(crate) fn homes(&self) -> Vec<String> {
        let runs = std::fs::read_dir(self.path().join("state/stockade/runs"));
        let runs = runs.into_iter().flatten().flatten();
        let names = runs.map(|run| format!("stockade-home-{}", run.file_name().display()));
        let names: Vec<_> = names.collect();
        if names.is_empty() {
            return names;
        }
        // A thread of its own: this may be called where a runtime is at work.
        let there = move || async move {
            let client = self.podman().client().await;
            let mut found = Vec::new();
            for name in names {
                if client.volume_exists(&name).await.expect("an answer") {
                    found.push(name);
                }
            }
            found
        };
        std::thread::scope(|threads| {
            let looking = threads.spawn(|| {
                let mut runtime = tokio::runtime::Builder::new_current_thread();
                let runtime = runtime.enable_all().build().expect("a runtime");
                runtime.block_on(there())
            });
            looking.join().expect("an answer")
        })
    }
}

impl TestDir {
    fn remove(&self, how: &[&str], names: &[String]) {
        if names.is_empty() {
            return;
        }
        let mut arguments = how.to_vec();
        arguments.extend(names.iter().map(String::as_str));
        let removed = self.podman().command(&arguments).run();
        if removed.exit_code() != Some(0) {
            eprintln!("left on the service:\n{removed}");
        }
    }
}

impl Drop for TestDir {
    fn drop(&mut self) {
        let Some(podman) = self.podman else {
            return;
        };
        let listed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.containers()));
        let mut ids = listed.unwrap_or_default();
        ids.append(&mut self.others.lock().unwrap());
        self.remove(&["rm", "--force", "--ignore", "--time", "0"], &ids);
        if !ids.is_empty() {
            let left = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.homes()));
            self.remove(&["volume", "rm"], &left.unwrap_or_default());
        }
        let images = std::mem::take(&mut *self.images.lock().unwrap());
        if !images.is_empty() {
            let _no_builds = image::no_builds();
            self.remove(&["image", "rm", "--force"], &images);
        }
        if std::thread::panicking()
            && let Some(log) = &podman.log
        {
            let text = std::fs::read_to_string(log).unwrap_or_default();
            eprintln!("--- the service's log\n{text}");
        }
    }
}

//! The tiny image that the tests run: busybox and its links, built here, from no registry.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;
use std::sync::{OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use super::command::Output;
use super::dir::TestDir;

/// Held for writing by who removes images. A build that is under way has images that nobody else
/// uses yet, and Podman's look into its cache fails when an image goes meanwhile.
static BUILDS: RwLock<()> = RwLock::new(());

/// The image's name.
pub(crate) const NAME: &str = "localhost/stockade-tests:tiny";

const CONTAINERFILE: &str = "\
FROM scratch
COPY root/ /
ENV PATH=/bin
CMD [\"sh\"]
";

/// The image, built by the program under test when it is first asked for.
pub(crate) fn tiny() -> &'static str {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| make(&TestDir::new()));
    NAME
}

/// Builds it on a service.
pub(crate) fn make(dir: &TestDir) {
    let busybox = &dir.podman().busybox;
    dir.write("Containerfile", CONTAINERFILE);
    dir.write("root/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n");
    dir.write("root/etc/group", "root:x:0:\n");
    for name in ["bin", "tmp", "root", "workspace"] {
        std::fs::create_dir_all(dir.work().join("root").join(name)).expect("a directory");
    }
    dir.mode("root/tmp", 0o1777);
    let bin = dir.work().join("root/bin");
    std::fs::copy(busybox, bin.join("busybox")).expect("busybox can be copied");
    let applets = Command::new(busybox).arg("--list").output();
    let applets = applets.expect("busybox runs").stdout;
    for applet in String::from_utf8(applets).expect("names").lines() {
        if applet != "busybox" {
            symlink("busybox", bin.join(applet)).expect("a link");
        }
    }
    std::fs::set_permissions(bin.join("busybox"), PermissionsExt::from_mode(0o755)).expect("ours");
    let _ = build(dir, &["-q", "-t", NAME, "."]).success();
}

/// `stockade build ARGUMENT...`
#[track_caller]
pub(crate) fn build(dir: &TestDir, arguments: &[&str]) -> Output {
    let _building = building();
    dir.stockade(&[&["build"], arguments].concat()).run()
}

/// While this is held no test removes images.
pub(crate) fn building() -> RwLockReadGuard<'static, ()> {
    BUILDS.read().unwrap_or_else(PoisonError::into_inner)
}

/// While this is held no test builds.
pub(crate) fn no_builds() -> RwLockWriteGuard<'static, ()> {
    BUILDS.write().unwrap_or_else(PoisonError::into_inner)
}

/// A list of images, which fails while another test removes one: Podman loses its way among them,
/// whoever asks.
#[track_caller]
pub(crate) fn listed(ask: impl Fn() -> Output) -> Output {
    let mut output = ask();
    for _ in 0..50 {
        if output.exit_code() == Some(0) {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
        output = ask();
    }
    output.success()
}

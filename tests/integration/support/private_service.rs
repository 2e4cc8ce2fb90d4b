//! A rootless service of our own, on a private store: for `cargo test` without the bench.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::podman::Podman;

/// Runs the service until its own input ends, which it does when the tests end in whatever way.
/// A rootless Podman is two processes, hence the group; a third keeps its namespaces. The monitors
/// of exec sessions stay for five minutes, and would make the directories anew at their end.
const KEEPER: &str = r#"
cd "$1" || exit 1
export XDG_RUNTIME_DIR="$1/run"
store="--root $1/root --runroot $1/rr --cgroup-manager=cgroupfs --events-backend=file"
setsid podman $store system service --time=0 "unix://$1/podman.sock" </dev/null >service.log 2>&1 &
service=$!
read -r _
podman $store rm --all --force --time 0 >/dev/null 2>&1
podman $store system reset --force >/dev/null 2>&1
kill -s TERM -- "-$service"
wait "$service"
for process in /proc/[0-9]*; do
  case $(tr '\0' ' ' <"$process/cmdline" 2>/dev/null) in
    */conmon\ *" $1/root/"*) kill -s KILL "${process#/proc/}" ;;
  esac
done
pause=$(cat run/libpod/tmp/pause.pid 2>/dev/null)
case $(tr '\0' ' ' <"/proc/$pause/cmdline" 2>/dev/null) in
  'catatonit -P '* | podman*) kill -s KILL "$pause" ;;
esac
cd / && rm -rf "$1"
"#;

/// Kept for the life of the process: its standard input is the signal to end.
static RUNNING: Mutex<Option<Child>> = Mutex::new(None);

/// Starts a service and waits until it answers.
///
/// # Panics
/// There is no Podman, or it does not answer.
pub(crate) fn start() -> Podman {
    assert!(
        !rustix::process::geteuid().is_root(),
        "these tests belong to an ordinary user; as root, use `make test`"
    );
    let root = tempfile::Builder::new()
        .prefix("stockade-")
        .tempdir()
        .expect("a temporary directory")
        .keep();
    for name in ["run", "shared", "root", "rr"] {
        std::fs::create_dir(root.join(name)).expect("a new directory");
    }
    let keeper = Command::new("sh")
        .args(["-c", KEEPER, "keeper"])
        .arg(&root)
        .stdin(Stdio::piped())
        // Whoever reads our output does not wait for the clearing away.
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a shell");
    *RUNNING.lock().unwrap() = Some(keeper);
    let socket = root.join("podman.sock");
    let log = root.join("service.log");
    wait_ping(&socket, &log);
    let url = format!("unix://{}", socket.display());
    let remote = ["podman", "--remote", "--url", &url].map(Into::into);
    Podman::new(
        socket,
        root.join("shared"),
        busybox(),
        remote.into(),
        Some(log),
    )
}

/// An answer counts, not the socket's file: that is there before anybody listens.
fn wait_ping(socket: &Path, log: &Path) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !pings(socket) {
        if Instant::now() > deadline {
            let text = std::fs::read_to_string(log).unwrap_or_default();
            panic!("no Podman service answers; its log:\n{text}");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn pings(socket: &Path) -> bool {
    use std::io::{Read as _, Write as _};
    let Ok(mut stream) = std::os::unix::net::UnixStream::connect(socket) else {
        return false;
    };
    let request = b"GET /libpod/_ping HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n";
    let mut answer = String::new();
    let limit = Some(Duration::from_secs(5));
    stream.set_read_timeout(limit).is_ok()
        && stream.write_all(request).is_ok()
        && stream.read_to_string(&mut answer).is_ok()
        && answer.ends_with("OK")
}

fn busybox() -> PathBuf {
    [
        "/bin/busybox",
        "/usr/bin/busybox",
        "/usr/bin/busybox.static",
    ]
    .map(PathBuf::from)
    .into_iter()
    .find(|path| path.exists())
    .expect("a static busybox (Debian package busybox-static)")
}

//! `run -it` and `attach` on a real pseudo-terminal.

use rustix::process::Signal;

use crate::support::dir::TestDir;
use crate::support::image::tiny;
use crate::support::pty::Pty;

/// `run -it --rm --network none NAME` of a shell line, on a terminal of 30 rows and 90 columns.
fn run(dir: &TestDir, more: &[&str], script: &str) -> Pty {
    let first = ["run", "-it", "--rm", "--network", "none"];
    let last = [tiny(), "sh", "-c", script];
    let command = dir.stockade(&[&first, more, &last].concat());
    Pty::spawn(command.env("TERM", "xterm"), 30, 90)
}

/// A command on a terminal of the same size.
fn on_terminal(dir: &TestDir, arguments: &[&str]) -> Pty {
    Pty::spawn(dir.stockade(arguments).env("TERM", "xterm"), 30, 90)
}

#[test]
#[ignore = "needs podman: runs a container"]
fn a_shell_is_typed_into_and_its_exit_code_passed_on() {
    let dir = TestDir::new();
    let mut pty = run(&dir, &[], "tty; echo ready; exec sh");
    pty.expect("/dev/pts/");
    pty.expect("ready");
    pty.wait_raw();
    pty.type_keys(b"echo $((6 * 7))\r");
    pty.expect("42");
    pty.type_keys(b"exit 9\r");
    assert_eq!(pty.wait(), Some(9), "{}", pty.screen());
    pty.assert_given_back();
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: runs a container"]
fn the_size_is_right_at_once_and_after_every_change() {
    let dir = TestDir::new();
    // Podman's monitor sets it after the service has answered: with luck before the first
    // instruction, and soon in any case.
    let script = "until s=$(stty size 2>/dev/null) && [ \"$s\" ]; do sleep 0.01; done; echo $s; trap 'stty size' WINCH; echo armed; while :; do sleep 0.05; done";
    let mut pty = run(&dir, &[], script);
    pty.expect("30 90");
    pty.expect("armed");
    for (rows, columns) in [(41, 101), (20, 60)] {
        pty.resize(rows, columns);
        pty.expect(&format!("{rows} {columns}"));
    }
    // In raw mode Ctrl-C is a byte that goes in.
    pty.type_keys(b"\x03");
    assert_eq!(pty.wait(), Some(130), "{}", pty.screen());
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: runs a container"]
fn the_terminal_is_given_back_when_the_container_is_killed() {
    let dir = TestDir::new();
    let name = dir.name("killed");
    let mut pty = run(&dir, &["--name", &name], "echo ready; sleep 300");
    pty.expect("ready");
    pty.wait_raw();
    let _ = dir.stockade(&["kill", &name]).run().success();
    assert_eq!(pty.wait(), Some(137), "{}", pty.screen());
    pty.assert_given_back();
}

#[test]
#[ignore = "needs podman: runs a container"]
fn a_signal_to_the_client_gives_the_terminal_back() {
    let dir = TestDir::new();
    let mut pty = run(
        &dir,
        &[],
        "trap 'echo got-term; exit 3' TERM; echo ready; while :; do sleep 0.05; done",
    );
    pty.expect("ready");
    pty.wait_raw();
    pty.signal(Signal::TERM);
    pty.expect("got-term");
    assert_eq!(pty.wait(), Some(3), "{}", pty.screen());
    pty.assert_given_back();
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: runs a container"]
fn detaching_and_attaching_again() {
    let dir = TestDir::new();
    let name = dir.name("detached");
    let mut pty = run(&dir, &["--name", &name], "echo ready; exec cat");
    pty.expect("ready");
    pty.wait_raw();
    // A first key without the second one goes in: Ctrl-P is echoed as ^P.
    pty.type_keys(b"\x10x\r");
    pty.expect("^Px");
    pty.type_keys(b"\x10\x11");
    assert_eq!(pty.wait(), Some(0), "{}", pty.screen());
    pty.assert_given_back();
    assert_eq!(dir.containers().len(), 1, "it runs on");

    let mut again = on_terminal(&dir, &["attach", &name]);
    again.wait_raw();
    again.type_keys(b"hello\r");
    again.expect("hello\r\nhello");
    // The same keys, each in a packet of its own.
    again.type_keys(b"\x10");
    std::thread::sleep(std::time::Duration::from_millis(100));
    again.type_keys(b"\x11");
    assert_eq!(again.wait(), Some(0), "{}", again.screen());

    let mut last = on_terminal(&dir, &["attach", "--detach-keys", "ctrl-x,d", &name]);
    last.wait_raw();
    last.type_keys(b"\x18d");
    assert_eq!(last.wait(), Some(0), "{}", last.screen());

    let mut end = on_terminal(&dir, &["attach", &name]);
    end.wait_raw();
    end.type_keys(b"\x04");
    assert_eq!(end.wait(), Some(0), "{}", end.screen());
    // `--rm` was asked for when it was made, and whoever sees its end keeps the word.
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: runs a container"]
fn with_no_detach_keys_everything_goes_in() {
    let dir = TestDir::new();
    let mut pty = run(&dir, &["--detach-keys", ""], "echo ready; exec cat");
    pty.expect("ready");
    pty.wait_raw();
    pty.type_keys(b"\x10\x11a\r");
    // Ctrl-Q lets output go on and is not echoed.
    pty.expect("^P");
    pty.expect("a\r\n");
    pty.type_keys(b"\x04");
    assert_eq!(pty.wait(), Some(0), "{}", pty.screen());
    dir.assert_nothing_left();
}

#[test]
#[ignore = "needs podman: runs a container"]
fn what_a_container_may_not_do_to_a_terminal() {
    let dir = TestDir::new();
    let evil =
        r"printf 'a\033]52;c;c2VjcmV0\007b\033]0;title\007c\033P+q544e\033\\d\033[31mred\033[0m\n'";
    let mut pty = run(&dir, &[], evil);
    assert_eq!(pty.wait(), Some(0));
    pty.expect("abcd\x1b[31mred");
    let screen = pty.screen();
    for word in ["c2VjcmV0", "title", "544e"] {
        assert!(!screen.contains(word), "{screen:?}");
    }
    let mut raw = run(&dir, &["--raw-terminal"], evil);
    assert_eq!(raw.wait(), Some(0));
    raw.expect("c2VjcmV0");
}

#[test]
#[ignore = "needs podman: runs a container"]
fn a_late_answer_of_the_terminal_is_not_typed_into_the_shell() {
    let dir = TestDir::new();
    let mut pty = run(&dir, &[], "echo ready; stty raw -echo; sleep 0.5");
    pty.expect("ready");
    pty.wait_raw();
    pty.type_keys(b"\x1b[12;34R");
    assert_eq!(pty.wait(), Some(0));
    assert_eq!(pty.unread(), 0, "typed into the shell");
}

#[test]
#[ignore = "needs podman: runs a container"]
fn without_a_terminal_of_ours_the_container_has_one_all_the_same() {
    let dir = TestDir::new();
    let _ = dir
        .stockade(&["run", "-it", "--rm", "--network", "none", tiny(), "tty"])
        .run()
        .success()
        .has("/dev/pts/")
        .complains("not a TTY");
}

use super::*;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;

fn uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn base() -> (tempfile::TempDir, PathBuf) {
    let tree = tempfile::tempdir().unwrap();
    let path = tree.path().canonicalize().unwrap();
    (tree, path)
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn why(result: Result<PrivateDirectory, NotPrivate>) -> String {
    result.unwrap_err().source.to_string()
}

#[test]
fn made_once_with_0700() {
    let (_tree, base) = base();
    for _ in 0..2 {
        let directory = PrivateDirectory::open(Some(&base), uid()).unwrap();
        assert_eq!(directory.path, base.join("stockade"));
        let made = directory.path.metadata().unwrap().mode();
        assert_eq!(made & 0o7777, 0o700);
    }
}

#[test]
fn one_that_is_open_to_others_is_refused() {
    for bad in [0o755, 0o770, 0o777, 0o1777] {
        let (_tree, base) = base();
        let path = base.join("stockade");
        fs::create_dir(&path).unwrap();
        mode(&path, bad);
        assert_eq!(
            why(PrivateDirectory::open(Some(&base), uid())),
            format!("its mode is {bad:04o} in place of 0700")
        );
    }
}

#[test]
fn one_of_another_user_is_refused() {
    let (_tree, base) = base();
    fs::create_dir(base.join("stockade")).unwrap();
    mode(&base.join("stockade"), 0o700);
    let metadata = base.join("stockade").metadata().unwrap();
    let error = is_private(&metadata, uid() + 1).unwrap_err();
    assert_eq!(error.to_string(), "it belongs to another user");
}

#[test]
fn a_link_in_its_place_is_refused() {
    let (_tree, base) = base();
    fs::create_dir(base.join("theirs")).unwrap();
    mode(&base.join("theirs"), 0o700);
    symlink(base.join("theirs"), base.join("stockade")).unwrap();
    assert!(PrivateDirectory::open(Some(&base), uid()).is_err());
}

#[test]
fn a_parent_that_others_can_write_is_refused() {
    let (_tree, base) = base();
    let parent = base.join("parent");
    fs::create_dir(&parent).unwrap();
    mode(&parent, 0o777);
    assert_eq!(
        why(PrivateDirectory::open(Some(&parent), uid())),
        "others could put another in its place"
    );
    // As in /tmp.
    mode(&parent, 0o1777);
    PrivateDirectory::open(Some(&parent), uid()).unwrap();
}

#[test]
fn only_a_runtime_directory_of_the_callers_counts() {
    let (_tree, base) = base();
    assert_eq!(own(&base, uid()), Some(base.clone()));
    assert_eq!(own(&base, uid() + 1), None);
    assert_eq!(own(&base.join("missing"), uid()), None);
    assert_eq!(own(Path::new("run"), uid()), None);
    assert_eq!(own(Path::new("/tmp"), uid()), None);
    mode(&base, 0o770);
    assert_eq!(own(&base, uid()), None);
    mode(&base, 0o700);
    symlink(&base, base.join("link")).unwrap();
    assert_eq!(own(&base.join("link"), uid()), Some(base));
}

#[test]
fn paths_of_no_use_for_a_socket_give_way_to_tmp() {
    assert!(can_hold_sockets(Path::new("/run/user/1000/stockade")));
    assert!(!can_hold_sockets(Path::new("/run/with space/stockade")));
    assert!(!can_hold_sockets(Path::new("/run/50%41/stockade")));
    assert!(!can_hold_sockets(Path::new("/run/a?b#c/stockade")));
    let long = format!("/{}/stockade", "r".repeat(100));
    assert!(!can_hold_sockets(Path::new(&long)));
    let uid = uid();
    assert!(can_hold_sockets(&in_tmp(u32::MAX)));
    assert_eq!(in_tmp(uid), PathBuf::from(format!("/tmp/stockade-{uid}")));
}

#[test]
fn places_are_all_that_open_may_take() {
    // Nobody's id: nothing of theirs is there.
    let nobody = 4_000_000_001;
    assert_eq!(
        places(Some("/home/ann/run".into()), nobody),
        [
            "/home/ann/run/stockade",
            "/run/user/4000000001/stockade",
            "/tmp/stockade-4000000001"
        ]
        .map(PathBuf::from)
    );
    assert_eq!(
        places(Some("relative".into()), nobody),
        ["/run/user/4000000001/stockade", "/tmp/stockade-4000000001"].map(PathBuf::from)
    );
}

#[test]
fn tmp_is_out_of_bounds_only_where_it_is_needed() {
    assert_eq!(place(None, 7), Path::new("/tmp/stockade-7"));
    assert_eq!(
        place(Some(Path::new("/run/user/7")), 7),
        Path::new("/run/user/7/stockade")
    );
    let long = format!("/{}", "r".repeat(100));
    assert_eq!(
        place(Some(Path::new(&long)), 7),
        Path::new("/tmp/stockade-7")
    );
}

#[test]
fn one_lock_for_all() {
    let (_tree, base) = base();
    let directory = PrivateDirectory::open(Some(&base), uid()).unwrap();
    let lock = directory.try_lock("x.lock").unwrap();
    assert!(lock.is_some());
    assert!(directory.try_lock("x.lock").unwrap().is_none());
    drop(lock);
    assert!(directory.try_lock("x.lock").unwrap().is_some());
}

#[test]
fn a_name_leads_to_a_socket_in_the_directory_and_nowhere_else() {
    let (_tree, base) = base();
    let directory = PrivateDirectory::open(Some(&base), uid()).unwrap();
    assert_eq!(directory.socket("x").unwrap(), None);
    directory.point("x", "x-1").unwrap();
    // Not there yet.
    assert_eq!(directory.socket("x").unwrap(), Some(directory.file("x-1")));
    let _listener = UnixListener::bind(directory.file("x-1")).unwrap();
    assert_eq!(directory.socket("x").unwrap(), Some(directory.file("x-1")));
    directory.point("x", "x-2").unwrap();
    assert_eq!(directory.socket("x").unwrap(), Some(directory.file("x-2")));
    fs::write(directory.file("x-2"), "no socket").unwrap();
    assert!(directory.socket("x").is_err());
    for elsewhere in ["/tmp/socket", "../socket", "sub/socket"] {
        fs::remove_file(directory.file("x")).unwrap();
        symlink(elsewhere, directory.file("x")).unwrap();
        assert!(directory.socket("x").is_err(), "{elsewhere}");
    }
    fs::remove_file(directory.file("x")).unwrap();
    fs::write(directory.file("x"), "no link").unwrap();
    assert!(directory.socket("x").is_err());
}

#[test]
fn files_are_private_and_no_link_is_followed() {
    let (_tree, base) = base();
    let directory = PrivateDirectory::open(Some(&base), uid()).unwrap();
    let log = directory.empty_file("log").unwrap();
    assert_eq!(log.metadata().unwrap().mode() & 0o7777, 0o600);
    fs::write(directory.file("log"), "of the last one").unwrap();
    directory.empty_file("log").unwrap();
    assert_eq!(fs::read(directory.file("log")).unwrap(), b"");
    fs::write(base.join("victim"), "kept").unwrap();
    symlink(base.join("victim"), directory.file("linked")).unwrap();
    assert!(directory.empty_file("linked").is_err());
    assert_eq!(fs::read(base.join("victim")).unwrap(), b"kept");
}

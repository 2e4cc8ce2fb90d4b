use super::*;
use std::fs::{self, Permissions};
use std::os::unix::fs::symlink;

/// A directory tree in which we play root.
struct Tree(tempfile::TempDir);

impl Tree {
    fn new() -> Self {
        let tree = Self(tempfile::tempdir().unwrap());
        tree.directory("/", 0o755);
        tree
    }

    fn root(&self) -> PathBuf {
        self.0.path().canonicalize().unwrap()
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root().join(path.strip_prefix('/').unwrap())
    }

    fn directory(&self, path: &str, mode: u32) {
        let path = self.at(path);
        fs::create_dir_all(&path).unwrap();
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    fn program(&self, path: &str, mode: u32) {
        fs::write(self.at(path), "#!/bin/sh\n").unwrap();
        fs::set_permissions(self.at(path), Permissions::from_mode(mode)).unwrap();
    }

    fn link(&self, target: &str, path: &str) {
        symlink(target, self.at(path)).unwrap();
    }

    /// A tree with a good `/usr/bin/podman`, and `/project` as the working directory.
    fn usual() -> Self {
        let tree = Self::new();
        for path in [
            "/usr",
            "/usr/bin",
            "/project",
            "/project/bin",
            "/opt",
            "/opt/bin",
        ] {
            tree.directory(path, 0o755);
        }
        tree.program("/usr/bin/podman", 0o755);
        tree
    }

    fn find(&self, search: &str) -> String {
        let root = self.root();
        found(find(
            OsStr::new(search),
            &Trust::in_tree(&root, Some(Path::new("/project"))),
        ))
    }
}

fn found(result: Result<PathBuf, Option<Refused>>) -> String {
    match result {
        Ok(path) => path.display().to_string(),
        Err(Some(refused)) => refused.to_string(),
        Err(None) => "none".to_owned(),
    }
}

#[test]
fn the_first_that_can_be_trusted() {
    let tree = Tree::usual();
    assert_eq!(tree.find("/opt/bin:/usr/bin"), "/usr/bin/podman");
    tree.program("/opt/bin/podman", 0o755);
    assert_eq!(tree.find("/opt/bin:/usr/bin"), "/opt/bin/podman");
    assert_eq!(tree.find("/missing:/usr/bin/podman"), "none");
    assert_eq!(tree.find("/missing"), "none");
}

#[test]
fn links_are_resolved_once() {
    let tree = Tree::usual();
    tree.link("usr/bin", "/bin");
    tree.link("../../usr/bin/podman", "/opt/bin/podman");
    assert_eq!(tree.find("/bin"), "/usr/bin/podman");
    assert_eq!(tree.find("/opt/bin"), "/usr/bin/podman");
}

#[test]
fn planted_in_the_working_directory() {
    let tree = Tree::usual();
    tree.program("/project/bin/podman", 0o755);
    assert_eq!(
        tree.find("/project/bin"),
        "`/project/bin/podman` is not used: `/project` lies in the working directory"
    );
    assert_eq!(tree.find("/project/bin:/usr/bin"), "/usr/bin/podman");
    // By a detour.
    tree.link("../project/bin", "/opt/detour");
    assert_eq!(
        tree.find("/opt/detour"),
        "`/opt/detour/podman` is not used: `/project` lies in the working directory"
    );
    assert_eq!(
        tree.find("/usr/../project/bin"),
        "`/usr/../project/bin/podman` is not used: `/project` lies in the working directory"
    );
    // What lies there may lead to a good one today, and elsewhere tomorrow.
    tree.link("../usr/bin", "/project/good");
    assert_eq!(
        tree.find("/project/good"),
        "`/project/good/podman` is not used: `/project` lies in the working directory"
    );
}

#[test]
fn relative_and_empty_entries() {
    let tree = Tree::usual();
    tree.program("/project/bin/podman", 0o755);
    tree.program("/project/podman", 0o755);
    for (search, path) in [
        ("bin", "bin/podman"),
        ("./bin", "./bin/podman"),
        ("../usr/bin", "../usr/bin/podman"),
        ("", "podman"),
        (":", "podman"),
        (".", "./podman"),
    ] {
        let refused = format!("`{path}` is not used: its PATH entry is not absolute");
        assert_eq!(tree.find(search), refused, "{search}");
    }
    assert_eq!(tree.find(".:/usr/bin"), "/usr/bin/podman");
}

#[test]
fn a_directory_that_others_can_write() {
    for mode in [0o775, 0o757, 0o1777, 0o2775] {
        let tree = Tree::usual();
        tree.program("/opt/bin/podman", 0o755);
        tree.directory("/opt/bin", mode);
        assert_eq!(
            tree.find("/opt/bin"),
            "`/opt/bin/podman` is not used: `/opt/bin` can be written by others than root",
            "{mode:o}"
        );
        // Or one above it, or the root.
        tree.directory("/opt/bin", 0o755);
        assert_eq!(tree.find("/opt/bin"), "/opt/bin/podman");
        tree.directory("/opt", mode);
        assert_eq!(
            tree.find("/opt/bin"),
            "`/opt/bin/podman` is not used: `/opt` can be written by others than root"
        );
        tree.directory("/opt", 0o755);
        tree.directory("/", mode);
        assert_eq!(
            tree.find("/usr/bin"),
            "`/usr/bin/podman` is not used: `/` can be written by others than root"
        );
    }
}

#[test]
fn a_chain_of_links_through_a_directory_that_others_can_write() {
    let tree = Tree::usual();
    tree.directory("/tmp", 0o1777);
    tree.link("/usr/bin/podman", "/tmp/hop");
    tree.link("/tmp/hop", "/opt/bin/podman");
    assert_eq!(
        tree.find("/opt/bin"),
        "`/opt/bin/podman` is not used: `/tmp` can be written by others than root"
    );
    // The same by names that go up again: `/tmp/x/..` is where `x` leads.
    tree.link("../opt/bin", "/tmp/x");
    assert_eq!(
        tree.find("/tmp/x/../bin"),
        "`/tmp/x/../bin/podman` is not used: `/tmp` can be written by others than root"
    );
}

#[test]
fn a_ring_of_links_ends() {
    let tree = Tree::usual();
    tree.link("/opt/bin/ring", "/opt/bin/podman");
    tree.link("podman", "/opt/bin/ring");
    assert!(tree.find("/opt/bin").ends_with("too many links"));
}

#[test]
fn a_file_that_will_not_do() {
    let tree = Tree::usual();
    tree.program("/opt/bin/podman", 0o775);
    assert_eq!(
        tree.find("/opt/bin"),
        "`/opt/bin/podman` is not used: it can be written by others than root"
    );
    tree.program("/opt/bin/podman", 0o644);
    assert_eq!(
        tree.find("/opt/bin"),
        "`/opt/bin/podman` is not used: it is not executable"
    );
    fs::remove_file(tree.at("/opt/bin/podman")).unwrap();
    tree.directory("/opt/bin/podman", 0o755);
    assert_eq!(
        tree.find("/opt/bin"),
        "`/opt/bin/podman` is not used: it is no regular file"
    );
    assert_eq!(tree.find("/opt/bin:/usr/bin"), "/usr/bin/podman");
}

#[test]
fn what_is_not_roots() {
    let tree = Tree::usual();
    let root = tree.root();
    let trust = Trust::in_tree(&root, None).of_another();
    assert_eq!(
        found(find(OsStr::new("/usr/bin"), &trust)),
        "`/usr/bin/podman` is not used: `/` does not belong to root"
    );
}

#[test]
fn what_root_owns_is_not_enough_for_root() {
    let tree = Tree::usual();
    tree.program("/opt/bin/podman", 0o755);
    let root = tree.root();
    let find = |search: &str| {
        let trust = Trust::in_tree(&root, Some(Path::new("/project"))).within_system();
        found(find(OsStr::new(search), &trust))
    };
    assert_eq!(find("/usr/bin"), "/usr/bin/podman");
    assert_eq!(
        find("/opt/bin"),
        "`/opt/bin/podman` is not used: it lies outside of the system's directories"
    );
    // Nor does a link help that leads back in.
    tree.link("../usr/bin", "/opt/link");
    assert_eq!(
        find("/opt/link"),
        "`/opt/link/podman` is not used: `/opt/link` lies outside of the system's directories"
    );
}

#[test]
fn a_program_of_this_machine() {
    let (shell, _) = Trust::in_root(1000, None)
        .resolve(Path::new("/bin/sh"))
        .unwrap();
    assert_eq!(shell, Path::new("/bin/sh").canonicalize().unwrap());
    // And one for everybody.
    let temporary = Trust::in_root(1000, None).resolve(&std::env::temp_dir());
    assert!(temporary.is_err());
}

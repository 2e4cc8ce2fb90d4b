//! Trees as they were seen on real services: a systemd user session that delegates everything, one
//! that keeps the processor back, a machine with cgroup v1, and a service elsewhere.

use std::fs;

use super::super::limits::{LimitsAsked, parse_cpus, parse_memory, parse_memory_swap, parse_pids};
use super::*;

const ID: &str = "d31682ca9bc4eda2fd39485ddc282afde786658dfc33c2b248adc9ddb8a52329";
const USER: &str = "user.slice/user-1000.slice/user@1000.service";
const ALL: &str = "cpuset cpu io memory pids";

struct Tree(tempfile::TempDir);

impl Tree {
    /// A container of process 7, whose monitor is process 6, in this cgroup.
    fn new(cgroup: &str) -> Self {
        let tree = Self(tempfile::tempdir().unwrap());
        tree.write("proc/7/status", "Name:\tsh\nPid:\t7\nPPid:\t6\n");
        tree.write("proc/7/cgroup", &format!("1:cpu:/\n0::{cgroup}\n"));
        tree.write(
            "proc/6/cmdline",
            &format!("/usr/bin/conmon\0-c\0{ID}\0-u\0{ID}\0"),
        );
        tree.mount("/sys/fs/cgroup", "/");
        tree
    }

    fn delegated() -> Self {
        let tree = Self::new(&format!("/{USER}/user.slice/libpod-{ID}.scope/container"));
        tree.controllers(ALL, ALL);
        let scope = format!("sys/fs/cgroup/{USER}/user.slice/libpod-{ID}.scope");
        for (file, own, parent) in [
            ("memory.max", "67108864", "max"),
            ("memory.swap.max", "0", "max"),
            ("pids.max", "20", "max"),
            ("cpu.max", "50000 100000", "max 100000"),
        ] {
            tree.write(&format!("{scope}/container/{file}"), &format!("{own}\n"));
            tree.write(&format!("{scope}/{file}"), &format!("{parent}\n"));
        }
        tree
    }

    fn mount(&self, point: &str, root: &str) {
        let line = format!("41 31 0:38 {root} {point} rw,relatime - cgroup2 cgroup2 rw\n");
        self.write("proc/self/mountinfo", &line);
    }

    /// What the system has, and what the user's service and all below it have.
    fn controllers(&self, system: &str, user: &str) {
        let mut path = "sys/fs/cgroup".to_owned();
        self.write(&format!("{path}/cgroup.controllers"), system);
        for part in USER
            .split('/')
            .chain(["user.slice", &format!("libpod-{ID}.scope")])
        {
            path = format!("{path}/{part}");
            let has = if path.contains('@') { user } else { system };
            self.write(&format!("{path}/cgroup.controllers"), &format!("{has}\n"));
        }
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn remove(&self, path: &str) {
        fs::remove_file(self.0.path().join(path)).unwrap();
    }

    fn own(&self, file: &str) -> String {
        format!("sys/fs/cgroup/{USER}/user.slice/libpod-{ID}.scope/container/{file}")
    }

    fn verify(&self, id: &str) -> Vec<LimitCheck> {
        let asked = LimitsAsked {
            memory: Some(parse_memory("64m").unwrap()),
            memory_swap: Some(parse_memory_swap("64m").unwrap()),
            cpus: Some(parse_cpus("0.5").unwrap()),
            pids: Some(parse_pids("20").unwrap()),
            ..LimitsAsked::default()
        };
        let files = KernelFiles::at(&self.0.path().join("proc"), self.0.path());
        let process = ContainerProcess {
            id,
            pid: 7,
            conmon_pid: 6,
        };
        verify(&asked.resolve(ByteSize::new(1 << 33)), &process, &files)
    }

    fn enforcements(&self) -> [Enforcement; 4] {
        let checks = self.verify(ID);
        let kinds: Vec<_> = checks.iter().map(|check| check.limit).collect();
        let all = [
            LimitKind::Memory,
            LimitKind::Swap,
            LimitKind::Cpus,
            LimitKind::Pids,
        ];
        assert_eq!(kinds, all);
        assert!(checks.iter().all(|check| check.origin == Origin::Asked));
        checks
            .into_iter()
            .map(|check| check.enforcement)
            .collect::<Vec<_>>()
            .try_into()
            .unwrap()
    }
}

use Enforcement::{InForce, NotInForce, Unverifiable};

#[test]
fn delegated() {
    assert_eq!(Tree::delegated().enforcements(), [const { InForce }; 4]);
}

#[test]
fn limits_at_the_scope_count_too() {
    let tree = Tree::delegated();
    let scope = format!("sys/fs/cgroup/{USER}/user.slice/libpod-{ID}.scope");
    tree.write(&tree.own("memory.max"), "max\n");
    tree.write(&format!("{scope}/memory.max"), "67108864\n");
    tree.remove(&tree.own("pids.max"));
    tree.write(&format!("{scope}/pids.max"), "19\n");
    assert_eq!(tree.enforcements(), [const { InForce }; 4]);
}

#[test]
fn what_lies_above_the_scope_does_not_count() {
    let tree = Tree::delegated();
    tree.write(&tree.own("pids.max"), "max\n");
    tree.write(&format!("sys/fs/cgroup/{USER}/pids.max"), "5\n");
    let found = "max".to_owned();
    let absent = NotInForce(Absence::OtherValue {
        file: "pids.max",
        found,
    });
    assert_eq!(tree.enforcements()[3], absent);
}

#[test]
fn other_values() {
    let tree = Tree::delegated();
    for (file, text) in [
        ("memory.max", "67108865"),
        ("memory.swap.max", "67108864"),
        ("cpu.max", "50001 100000"),
        ("pids.max", "garbage"),
    ] {
        tree.write(&tree.own(file), text);
    }
    for (enforcement, found) in
        tree.enforcements()
            .iter()
            .zip(["67108865", "67108864", "50001 100000", "garbage"])
    {
        let NotInForce(Absence::OtherValue { found: seen, .. }) = enforcement else {
            panic!("{enforcement:?}");
        };
        assert_eq!(seen, found);
    }
    tree.write(&tree.own("cpu.max"), "25000 50000");
    assert_eq!(tree.enforcements()[2], InForce);
    for text in ["", "max 100000", "50000", "50000 0", "-1 100000"] {
        tree.write(&tree.own("cpu.max"), text);
        assert_ne!(tree.enforcements()[2], InForce, "{text:?}");
    }
}

#[test]
fn a_controller_that_is_kept_back() {
    let tree = Tree::delegated();
    tree.controllers(ALL, "memory pids");
    tree.remove(&tree.own("cpu.max"));
    tree.remove(&tree.own("cpu.max").replace("/container", ""));
    let [memory, _, cpus, _] = tree.enforcements();
    assert_eq!(memory, InForce);
    let absence = Absence::NotDelegated {
        controller: "cpu",
        cgroup: format!("/{USER}").into(),
        controllers: vec!["memory".into(), "pids".into()],
    };
    let text = format!("the cpu controller is not delegated to /{USER}");
    assert_eq!(absence.to_string(), text);
    assert_eq!(cpus, NotInForce(absence));
}

#[test]
fn no_swap_accounting() {
    let tree = Tree::delegated();
    tree.remove(&tree.own("memory.swap.max"));
    tree.remove(&tree.own("memory.swap.max").replace("/container", ""));
    let absent = NotInForce(Absence::NoFile {
        file: "memory.swap.max",
    });
    assert_eq!(tree.enforcements()[1], absent);
}

#[test]
fn no_cgroup_of_its_own() {
    let tree = Tree::new("/");
    tree.mount("/sys/fs/cgroup/unified", "/");
    tree.write("sys/fs/cgroup/unified/cgroup.controllers", "hugetlb\n");
    let absent = NotInForce(Absence::NoOwnCgroup {
        cgroup: "/".into(),
        controllers: vec!["hugetlb".into()],
    });
    assert_eq!(tree.enforcements(), [(); 4].map(|()| absent.clone()));
    // A short id, or another container's, does not make it its own.
    for cgroup in [
        format!("/libpod-{}.scope", &ID[..12]),
        format!("/libpod-{}", "0".repeat(64)),
    ] {
        let tree = Tree::new(&cgroup);
        let enforcement = &tree.enforcements()[0];
        assert!(
            matches!(enforcement, NotInForce(Absence::NoOwnCgroup { .. })),
            "{enforcement:?}"
        );
    }
}

#[test]
fn a_service_elsewhere() {
    let elsewhere = Unverifiable(Obstacle::NotOurPids);
    let changes: [(&str, &str); 4] = [
        ("proc/7/status", "PPid:\t5\n"),
        ("proc/7/status", "Name:\tPPid\n"),
        ("proc/6/cmdline", "/usr/bin/conmon\0-c\0other\0"),
        ("proc/6/cmdline", ""),
    ];
    for (path, text) in changes {
        let tree = Tree::delegated();
        tree.write(path, text);
        assert_eq!(tree.enforcements()[0], elsewhere, "{path} {text:?}");
    }
    let tree = Tree::delegated();
    assert_eq!(tree.verify(&ID[..12])[0].enforcement, elsewhere);
    fs::remove_dir_all(tree.0.path().join("proc/7")).unwrap();
    assert_eq!(tree.enforcements()[0], elsewhere);
}

#[test]
fn cgroups_that_cannot_be_seen() {
    let hidden = Unverifiable(Obstacle::CgroupNotVisible);
    let tree = Tree::delegated();
    tree.mount("/sys/fs/cgroup", "/elsewhere");
    assert_eq!(tree.enforcements()[0], hidden);
    let tree = Tree::delegated();
    tree.write("proc/self/mountinfo", "");
    assert_eq!(tree.enforcements()[0], hidden);
    let tree = Tree::delegated();
    tree.write("proc/7/cgroup", &format!("0::/../libpod-{ID}.scope\n"));
    assert!(!matches!(tree.enforcements()[0], InForce));
}

#[test]
fn a_mount_of_a_part_of_the_hierarchy() {
    let tree = Tree::delegated();
    tree.mount("/sys/fs/cgroup/user.slice", "/user.slice");
    assert_eq!(tree.enforcements(), [const { InForce }; 4]);
}

#[test]
fn cgroup_v1() {
    let tree = Tree::new("/");
    let own = format!("8:pids:/libpod_parent/libpod-{ID}\n0::/\n");
    tree.write("proc/7/cgroup", &own);
    assert_eq!(tree.enforcements()[3], Unverifiable(Obstacle::LegacyCgroup));
}

#[test]
fn lifted_limits_are_not_checked() {
    let tree = Tree::delegated();
    let asked = LimitsAsked {
        memory: Some(Bound::Unlimited),
        pids: Some(Bound::Unlimited),
        ..LimitsAsked::default()
    };
    let files = KernelFiles::at(&tree.0.path().join("proc"), tree.0.path());
    let process = ContainerProcess {
        id: ID,
        pid: 7,
        conmon_pid: 6,
    };
    assert_eq!(
        verify(&asked.resolve(ByteSize::new(1 << 33)), &process, &files),
        []
    );
}

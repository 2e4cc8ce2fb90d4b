//! Requests to plans: the guide's own commands, each loosening, each refusal.

use std::fs;
use std::path::PathBuf;

use super::super::SpecError;
use super::super::entrypoint::Entrypoint;
use super::super::env::{CallerEnv, EnvArg};
use super::super::env_file::EnvFileError;
use super::super::forbidden::ForbiddenPaths;
use super::super::host_path::Owner;
use super::super::limits::{Ulimit, parse_cpus, parse_memory, parse_pids};
use super::super::mounts::{DeviceArg, parse_tmpfs, parse_volume};
use super::super::name::{ContainerName, Label};
use super::super::network::{HostEntry, Publish};
use super::super::secret::SecretArg;
use super::super::security::{CapabilityArg, Isolation, RootFs, SecurityOpt};
use super::super::size::GIB;
use super::super::spec::{Host, Request};
use super::super::user::{Role, UserArg, UserAsked};
use super::*;

const CALLER: Owner = Owner {
    uid: 1001,
    gid: 1001,
};

struct World {
    _dir: tempfile::TempDir,
    base: PathBuf,
    env: CallerEnv,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().canonicalize().unwrap();
        fs::create_dir_all(base.join("home/ws/src")).unwrap();
        fs::create_dir_all(base.join("home/.ssh")).unwrap();
        fs::write(
            base.join("home/ws/.env.ralph"),
            "ANTHROPIC_API_KEY=hunter2\nA=file\n",
        )
        .unwrap();
        let env = [
            ("TERM", "xterm-256color"),
            ("MINE", "caller"),
            ("HTTP_PROXY", "http://u:p@x"),
        ];
        let env = env
            .map(|(name, value)| (name.into(), value.into()))
            .into_iter()
            .collect();
        Self {
            _dir: dir,
            base,
            env,
        }
    }

    fn spec(&self, request: Request) -> Result<SandboxSpec, SpecError> {
        let host = Host {
            cwd: &self.base.join("home/ws"),
            env: &self.env,
            forbidden: &ForbiddenPaths::new(&self.base.join("home")),
            untrusted: &[],
        };
        SandboxSpec::new(request, &host)
    }

    fn plan(&self, request: Request) -> Plan {
        plan(&self.spec(request).unwrap(), &service()).unwrap()
    }

    /// The redacted request as JSON, this machine's paths replaced.
    fn shown(&self, plan: &Plan) -> String {
        let json = serde_json::to_string_pretty(&plan.container.redacted()).unwrap();
        json.replace(self.base.to_str().unwrap(), "BASE")
    }
}

fn service() -> Service {
    Service {
        version: ApiVersion::new(4, 3, 1),
        owner: ServiceOwner::Rootless(CALLER),
        ram: ByteSize::new(16 * GIB),
        image_env: vec!["PATH=/opt/bin:/usr/bin".into(), "LANG=C.UTF-8".into()],
        image_user: "app".into(),
    }
}

fn request() -> Request {
    Request {
        image: "localhost/ralph-env".into(),
        ..Request::default()
    }
}

fn guide() -> Request {
    let mut request = request();
    request.command = ["python", "ralph.py", "--max-iterations", "10"]
        .map(str::to_owned)
        .into();
    request.name = Some(ContainerName::parse("ralph-test").unwrap());
    request.mounts = vec![parse_volume("./:/workspace:Z").unwrap()];
    request.env_files = vec![".env.ralph".into()];
    request.limits.memory = Some(parse_memory("2g").unwrap());
    request.limits.cpus = Some(parse_cpus("2").unwrap());
    request.terminal = Terminal::Tty;
    request.stdin = Stdin::Open;
    request.removal = Removal::ByUs;
    request.own_labels = [("io.stockade.nonce".to_owned(), "n".to_owned())].into();
    request
}

#[test]
fn the_guides_run() {
    let world = World::new();
    let plan = world.plan(guide());
    insta::assert_snapshot!("guide", world.shown(&plan));
    assert_eq!(plan.loosenings, []);
    assert_eq!(plan.warnings, []);
    assert_eq!(plan.container.env.get("ANTHROPIC_API_KEY"), Some("hunter2"));
    assert!(!format!("{plan:?}").contains("hunter2"));
    let [bind] = plan.binds.as_slice() else {
        panic!("{:?}", plan.binds)
    };
    assert_eq!(bind.path, world.base.join("home/ws"));
}

#[test]
fn nothing_asked() {
    let world = World::new();
    let plan = world.plan(request());
    insta::assert_snapshot!("nothing_asked", world.shown(&plan));
    assert_eq!(plan.loosenings, []);
}

#[test]
fn everything_asked() {
    let world = World::new();
    let mut request = guide();
    request.entrypoint = Some(Entrypoint::parse(r#"["sh","-c"]"#).unwrap());
    request.labels = vec![Label::parse("a=b").unwrap()];
    request.env = vec![
        EnvArg::parse("A=flag").unwrap(),
        EnvArg::parse("MINE").unwrap(),
    ];
    request.mounts.extend([
        parse_volume("cache:/cache").unwrap(),
        parse_volume("/scratch").unwrap(),
        parse_volume("./src:/over:O").unwrap(),
        parse_tmpfs("/tmp:size=64m").unwrap(),
    ]);
    request.devices = vec![DeviceArg::parse("/dev/fuse").unwrap()];
    request.secrets = ["tok,mode=0400", "tok,type=env,target=TOK"]
        .map(|text| SecretArg::parse(text).unwrap())
        .into();
    request.limits.pids = Some(parse_pids("0").unwrap());
    request.limits.ulimits = vec![Ulimit::parse("nofile=1024:2048").unwrap()];
    request.limits.shm_size = Some(ByteSize::new(GIB));
    request.network = NetworkMode::parse("slirp4netns:allow_host_loopback=true").unwrap();
    request.publish = vec![Publish::parse("127.0.0.1:8080:80").unwrap()];
    request.add_host = vec![HostEntry::parse("db:10.0.0.2").unwrap()];
    request.dns = vec!["1.1.1.1".parse().unwrap()];
    request.security.cap_add = vec![CapabilityArg::parse("net_raw").unwrap()];
    request.security.options = [
        "no-new-privileges=false",
        "seccomp=unconfined",
        "label=disable",
        "apparmor=unconfined",
        "unmask=/proc/acpi",
        "mask=/proc/cpuinfo",
    ]
    .map(|text| SecurityOpt::parse(text).unwrap())
    .into();
    request.security.root_fs = RootFs::ReadOnly;
    request.user = UserAsked {
        role: Role::Root,
        ..UserAsked::default()
    };
    request.log.driver = Some(super::super::log::LogDriver::K8sFile);
    request.init = Init::Command;
    request.workdir = Some(GuestPath::parse("/workspace").unwrap());
    request.stop_signal = Some(super::super::signal::Signal::parse("INT").unwrap());
    request.stop_timeout = Some(3);
    request.timeout = Some(60);
    let plan = world.plan(request);
    insta::assert_snapshot!("everything", world.shown(&plan));
    let loosenings: Vec<String> = plan.loosenings.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!("everything_loosenings", loosenings.join("\n"));
    assert_eq!(plan.container.env.get("A"), Some("flag"));
    assert_eq!(plan.container.env.get("MINE"), Some("caller"));
}

#[test]
fn home_and_path_yield_to_the_person() {
    let world = World::new();
    let mut asked = request();
    asked.env = vec![EnvArg::parse("HOME=/root").unwrap()];
    let plan = world.plan(asked);
    assert_eq!(plan.container.env.get("HOME"), Some("/root"));
    assert_eq!(
        plan.container.env.get("PATH"),
        Some("/root/.local/bin:/opt/bin:/usr/bin")
    );
    assert_eq!(plan.container.mounts, []);

    let mut asked = request();
    asked.mounts = vec![parse_volume("logins:/home").unwrap()];
    asked.env = vec![EnvArg::parse("PATH=/bin").unwrap()];
    let plan = world.plan(asked);
    assert_eq!(plan.container.env.get("HOME"), Some(HOME));
    assert_eq!(plan.container.env.get("PATH"), Some("/bin"));
    assert_eq!(plan.container.mounts, []);
}

#[test]
fn a_read_only_root_has_room_where_nobody_mounts() {
    let world = World::new();
    let mut asked = guide();
    asked.mounts = vec![
        parse_volume("./src:/var").unwrap(),
        parse_volume("./:/over:O").unwrap(),
        parse_tmpfs("/tmp").unwrap(),
    ];
    asked.security.root_fs = RootFs::ReadOnly;
    let plan = world.plan(asked);
    let mounts: Vec<_> = plan
        .container
        .mounts
        .iter()
        .map(|m| m.destination.as_str())
        .collect();
    assert_eq!(mounts, ["/var", "/tmp", "/run", HOME]);
    // A throw-away layer is not compared, but env files are masked in it.
    assert_eq!(plan.binds.len(), 1);
    assert_eq!(plan.container.mask, ["/over/.env.ralph"]);
}

#[test]
fn nothing_of_the_caller_is_passed_on() {
    let world = World::new();
    let mut asked = request();
    asked.terminal = Terminal::Tty;
    let names: Vec<String> = world
        .plan(asked)
        .container
        .env
        .names()
        .map(str::to_owned)
        .collect();
    assert_eq!(names, ["HOME", "PATH", "TERM"]);
}

#[test]
fn every_view_of_an_env_file_is_masked() {
    let world = World::new();
    let mut asked = guide();
    asked.mounts.push(parse_volume("../ws:/again").unwrap());
    asked.mounts.push(parse_volume("./src:/src").unwrap());
    let plan = world.plan(asked);
    assert_eq!(
        plan.container.mask,
        ["/again/.env.ralph", "/workspace/.env.ralph"]
    );

    fs::hard_link(
        world.base.join("home/ws/.env.ralph"),
        world.base.join("home/ws/x"),
    )
    .unwrap();
    let error = world.spec(guide()).unwrap_err();
    assert!(
        matches!(error, SpecError::EnvFile(EnvFileError::OtherNames { .. })),
        "{error}"
    );

    let mut outside = guide();
    outside.mounts = vec![parse_volume("./src:/workspace").unwrap()];
    assert!(world.plan(outside).container.mask.is_empty());
}

#[test]
fn host_paths_out_of_bounds() {
    let world = World::new();
    let mounted = |volume: &str| {
        let mut asked = request();
        asked.mounts = vec![parse_volume(volume).unwrap()];
        world.spec(asked).map(drop)
    };
    assert!(mounted(".:/workspace").is_ok());
    for volume in ["..:/workspace", "../.ssh:/x", "/:/host", "../..:/x"] {
        assert!(
            matches!(mounted(volume), Err(SpecError::Forbidden { .. })),
            "{volume}"
        );
    }
    assert!(matches!(
        mounted("./none:/x"),
        Err(SpecError::HostPath { .. })
    ));
}

#[test]
fn a_planted_link_is_no_mount_source() {
    let world = World::new();
    fs::create_dir(world.base.join("home/private")).unwrap();
    std::os::unix::fs::symlink("../private", world.base.join("home/ws/data")).unwrap();
    let mut asked = guide();
    asked.mounts.push(parse_volume("./data:/data").unwrap());
    assert!(matches!(world.spec(asked), Err(SpecError::HostPath { .. })));
}

#[test]
fn contradictions() {
    let world = World::new();
    let mut twice = guide();
    twice.mounts.push(parse_tmpfs("/workspace/").unwrap());
    assert!(matches!(
        world.spec(twice),
        Err(SpecError::DuplicateTarget { .. })
    ));
    let mut unreachable = guide();
    unreachable.network = NetworkMode::None;
    unreachable.publish = vec![Publish::parse("80").unwrap()];
    assert!(world.spec(unreachable).is_err());
    let mut planted = guide();
    fs::write(world.base.join("home/ws/seccomp.json"), "{}").unwrap();
    planted.security.options = vec![SecurityOpt::parse("seccomp=seccomp.json").unwrap()];
    assert!(matches!(
        world.spec(planted),
        Err(SpecError::UntrustedProfile { .. })
    ));
    assert!(world.spec(Request::default()).is_err());
}

#[test]
fn releases_differ() {
    let world = World::new();
    let check = |text: &str, version, owner, good: bool| {
        let mut asked = request();
        asked.network = NetworkMode::parse(text).unwrap();
        let spec = world.spec(asked).unwrap();
        let result = plan(
            &spec,
            &Service {
                version,
                owner,
                ..service()
            },
        );
        assert_eq!(result.is_ok(), good, "{text} {version:?}");
    };
    let rootless = ServiceOwner::Rootless(CALLER);
    check("pasta", ApiVersion::new(4, 3, 1), rootless, false);
    check("pasta", ApiVersion::new(5, 4, 2), rootless, true);
    check(
        "pasta",
        ApiVersion::new(5, 4, 2),
        ServiceOwner::Rootful,
        false,
    );
    check("slirp4netns", ApiVersion::new(5, 8, 6), rootless, true);
    check("slirp4netns", ApiVersion::new(6, 0, 0), rootless, false);

    let mut asked = request();
    asked.limits.ulimits = vec![Ulimit::parse("nofile=-1").unwrap()];
    let spec = world.spec(asked).unwrap();
    let error = plan(&spec, &service()).unwrap_err().to_string();
    assert_eq!(
        error,
        "an unlimited ulimit needs podman 5.5.1 or later, the service is 4.3.1"
    );
    assert!(
        plan(
            &spec,
            &Service {
                version: ApiVersion::new(5, 8, 6),
                ..service()
            }
        )
        .is_ok()
    );
}

#[test]
fn privileged_is_said() {
    let world = World::new();
    let mut asked = request();
    asked.security.isolation = Isolation::NotASandbox;
    let plan = world.plan(asked);
    assert!(plan.container.privileged);
    assert!(!plan.container.no_new_privileges);
    assert!(plan.container.cap_drop.is_empty());
    assert_eq!(plan.loosenings, [Loosening::Privileged]);
}

#[test]
fn capabilities() {
    let world = World::new();
    let sent = |add: &[&str], drop: &[&str], role| {
        let mut asked = request();
        asked.security.cap_add = add
            .iter()
            .map(|t| CapabilityArg::parse(t).unwrap())
            .collect();
        asked.security.cap_drop = drop
            .iter()
            .map(|t| CapabilityArg::parse(t).unwrap())
            .collect();
        asked.user.role = role;
        let container = world.plan(asked).container;
        (container.cap_add, container.cap_drop)
    };
    let strings = |texts: &[&str]| texts.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
    let all = strings(&["all"]);
    assert_eq!(sent(&[], &["kill"], Role::User), (vec![], all.clone()));
    assert_eq!(
        sent(&["kill"], &["all"], Role::User),
        (strings(&["CAP_KILL"]), all.clone())
    );
    assert_eq!(
        sent(&["all"], &["kill"], Role::User),
        (all.clone(), strings(&["CAP_KILL"]))
    );
    let (added, dropped) = sent(&[], &["kill"], Role::Root);
    assert_eq!((added.len(), dropped), (7, all));
}

#[test]
fn root_is_said() {
    let world = World::new();
    let mut asked = request();
    asked.user.user = Some(UserArg::parse("root").unwrap());
    let spec = world.spec(asked).unwrap();
    let rootless = plan(&spec, &service()).unwrap();
    assert_eq!(rootless.loosenings, [Loosening::ContainerRoot]);
    assert_eq!(rootless.container.userns, None);
    let rootful = plan(
        &spec,
        &Service {
            owner: ServiceOwner::Rootful,
            ..service()
        },
    )
    .unwrap();
    assert_eq!(rootful.loosenings, [Loosening::HostRoot]);
}

#[test]
fn a_socket_is_said() {
    let world = World::new();
    let path = world.base.join("agent.sock");
    let _socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let mut asked = request();
    asked.mounts = vec![parse_volume(&format!("{}:/agent.sock", path.display())).unwrap()];
    let plan = world.plan(asked);
    assert_eq!(
        plan.loosenings,
        [Loosening::HostSocket {
            path: path.to_str().unwrap().into()
        }]
    );
}

#[test]
fn a_mount_with_devices_is_said() {
    let world = World::new();
    let plan = world.plan(Request {
        mounts: vec![parse_volume("./src:/m:dev,suid").unwrap()],
        ..request()
    });
    let shown: Vec<String> = plan.loosenings.iter().map(ToString::to_string).collect();
    let wanted = ["mount option dev at /m", "mount option suid at /m"];
    assert_eq!(shown, wanted);
}

#[test]
fn ports_on_the_hosts_network_are_discarded_aloud() {
    let world = World::new();
    let mut asked = request();
    asked.network = NetworkMode::Host;
    asked.publish = vec![Publish::parse("80").unwrap()];
    let plan = world.plan(asked);
    assert_eq!(plan.container.portmappings, []);
    assert_eq!(plan.warnings, [Warning::PublishDiscarded]);
    assert_eq!(plan.loosenings, [Loosening::HostNetwork]);
}

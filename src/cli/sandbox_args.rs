//! The flags that say what a sandbox is, with podman's names, and what they mean together.

use std::path::PathBuf;

use clap::{ArgAction, Args};

use super::error::{CliError, CliResult};
use super::exit::Exit;
use crate::sandbox::entrypoint::Entrypoint;
use crate::sandbox::env::EnvArg;
use crate::sandbox::limits::{self, Bound, LimitsAsked, NanoCpus, Profile, Ulimit};
use crate::sandbox::log::{LogAsked, LogDriver, LogOpt};
use crate::sandbox::mounts::{DeviceArg, Mount, parse_mount, parse_tmpfs, parse_volume};
use crate::sandbox::name::{ContainerName, GuestPath, Label};
use crate::sandbox::network::{HostEntry, NetworkMode, Publish, parse_dns};
use crate::sandbox::secret::SecretArg;
use crate::sandbox::security::{CapabilityArg, Isolation, RootFs, SecurityAsked, SecurityOpt};
use crate::sandbox::signal::Signal;
use crate::sandbox::size::ByteSize;
use crate::sandbox::spec::{Init, PullPolicy, Removal, Stdin, Terminal};
use crate::sandbox::user::{Role, UserArg, UserAsked, UserNs};
use crate::sandbox::{Invalid, Request};

/// Flags that define a sandbox
#[derive(Debug, Clone, Args)]
pub(crate) struct SandboxArgs {
    /// Name of the container
    #[arg(long, value_name = "NAME", value_parser = ContainerName::parse)]
    pub(crate) name: Option<ContainerName>,
    /// Remove the container when it has ended
    #[arg(long)]
    pub(crate) rm: bool,
    /// Run in the background and print the container's id
    #[arg(short, long)]
    pub(crate) detach: bool,
    /// Pass standard input on
    #[arg(short, long)]
    pub(crate) interactive: bool,
    /// Give the container a terminal
    #[arg(short, long)]
    pub(crate) tty: bool,
    /// Keys that leave the container running; empty for none
    #[arg(long, value_name = "KEYS", default_value = "ctrl-p,ctrl-q")]
    pub(crate) detach_keys: super::terminal::DetachKeys,
    /// Pass signals on to the container
    #[arg(long, value_name = "BOOL", default_value = "true", num_args = 0..=1,
          require_equals = true, default_missing_value = "true", action = ArgAction::Set)]
    pub(crate) sig_proxy: bool,
    /// Let everything through to the terminal, titles and clipboard included
    #[arg(long)]
    pub(crate) raw_terminal: bool,
    /// When to fetch the image
    #[arg(long, value_name = "POLICY", default_value = "missing", value_parser = PullPolicy::parse)]
    pub(crate) pull: PullPolicy,

    /// Directory, file or volume to mount, as in ./src:/workspace:Z (can be repeated)
    #[arg(short, long, value_name = "SRC:DST[:OPTIONS]", value_parser = parse_volume, help_heading = "Files")]
    volume: Vec<Mount>,
    /// The same in words, as in type=bind,src=./src,dst=/workspace (can be repeated)
    #[arg(long, value_name = "type=TYPE,…", value_parser = parse_mount, help_heading = "Files")]
    mount: Vec<Mount>,
    /// Directory in memory (can be repeated)
    #[arg(long, value_name = "DST[:OPTIONS]", value_parser = parse_tmpfs, help_heading = "Files")]
    tmpfs: Vec<Mount>,
    /// Root file system that cannot be written to
    #[arg(long, help_heading = "Files")]
    read_only: bool,
    /// Device of the host: a loosening (can be repeated)
    #[arg(long, value_name = "DEVICE", value_parser = DeviceArg::parse, help_heading = "Files")]
    device: Vec<DeviceArg>,
    /// Working directory
    #[arg(short, long, value_name = "DIR", value_parser = GuestPath::parse_directory, help_heading = "Files")]
    workdir: Option<GuestPath>,

    /// Variable for the container; without `=`, from our environment (can be repeated)
    #[arg(short, long, value_name = "NAME[=VALUE]", help_heading = "Environment")]
    env: Vec<String>,
    /// File of variables (can be repeated)
    #[arg(long, value_name = "FILE", help_heading = "Environment")]
    env_file: Vec<PathBuf>,
    /// Secret kept by Podman (can be repeated)
    #[arg(long, value_name = "NAME[,OPTIONS]", value_parser = SecretArg::parse, help_heading = "Environment")]
    secret: Vec<SecretArg>,
    /// Label (can be repeated)
    #[arg(short, long, value_name = "NAME[=VALUE]", value_parser = Label::parse, help_heading = "Environment")]
    label: Vec<Label>,
    /// Program to run in place of the image's
    #[arg(long, value_name = "PROGRAM", value_parser = Entrypoint::parse, help_heading = "Environment")]
    entrypoint: Option<Entrypoint>,

    /// Memory and processors at once: light (1 GiB, 1), medium (2 GiB, 2) or heavy (4 GiB, 4)
    #[arg(long, value_name = "PROFILE", value_parser = Profile::parse, help_heading = "Limits")]
    profile: Option<Profile>,
    /// Memory, as in 2g (swap included, unless --memory-swap is given)
    #[arg(short, long, value_name = "SIZE", value_parser = limits::parse_memory, help_heading = "Limits")]
    memory: Option<Bound<ByteSize>>,
    /// Memory and swap together; -1 for no limit on swap
    #[arg(long, value_name = "SIZE", value_parser = limits::parse_memory_swap, allow_negative_numbers = true, help_heading = "Limits")]
    memory_swap: Option<Bound<ByteSize>>,
    /// Processors, as in 1.5
    #[arg(long, value_name = "NUMBER", value_parser = limits::parse_cpus, help_heading = "Limits")]
    cpus: Option<Bound<NanoCpus>>,
    /// Processes and threads; -1 for no limit [default: 2048]
    #[arg(long, value_name = "NUMBER", value_parser = limits::parse_pids, allow_negative_numbers = true, help_heading = "Limits")]
    pids_limit: Option<Bound<u64>>,
    /// Limit of a single process, as in nofile=1024:2048 (can be repeated)
    #[arg(long, value_name = "NAME=SOFT[:HARD]", value_parser = Ulimit::parse, help_heading = "Limits")]
    ulimit: Vec<Ulimit>,
    /// Size of /dev/shm
    #[arg(long, value_name = "SIZE", value_parser = limits::parse_shm_size, help_heading = "Limits")]
    shm_size: Option<ByteSize>,
    /// Run even if a limit that was asked for is not in force
    #[arg(long, help_heading = "Limits")]
    pub(crate) allow_unenforced_limits: bool,
    /// Seconds after which the service kills the container
    #[arg(long, value_name = "SECONDS", help_heading = "Limits")]
    timeout: Option<u32>,
    /// Seconds between asking the container to stop and killing it
    #[arg(long, value_name = "SECONDS", help_heading = "Limits")]
    stop_timeout: Option<u32>,
    /// Signal that asks the container to stop
    #[arg(long, value_name = "SIGNAL", value_parser = Signal::parse, help_heading = "Limits")]
    stop_signal: Option<Signal>,
    /// Where the log goes
    #[arg(long, value_name = "DRIVER", value_parser = LogDriver::parse, help_heading = "Limits")]
    log_driver: Option<LogDriver>,
    /// Option of the log, as in max-size=10m (can be repeated)
    #[arg(long, value_name = "NAME=VALUE", value_parser = LogOpt::parse, help_heading = "Limits")]
    log_opt: Vec<LogOpt>,

    /// What can be reached: `none`, `full`, `host` (a loosening) or a network's name
    #[arg(long, visible_alias = "net", value_name = "MODE", default_value = "full", value_parser = NetworkMode::parse, help_heading = "Network")]
    network: NetworkMode,
    /// Port that can be reached from outside (can be repeated)
    #[arg(short, long, value_name = "[[IP:]PORT:]PORT[/PROTOCOL]", value_parser = Publish::parse, help_heading = "Network")]
    publish: Vec<Publish>,
    /// Line for /etc/hosts (can be repeated)
    #[arg(long, value_name = "NAME:ADDRESS", value_parser = HostEntry::parse, help_heading = "Network")]
    add_host: Vec<HostEntry>,
    /// Name server (can be repeated)
    #[arg(long, value_name = "ADDRESS", value_parser = parse_dns, help_heading = "Network")]
    dns: Vec<std::net::IpAddr>,

    /// User in the container [default: yours]
    #[arg(short, long, value_name = "USER[:GROUP]", value_parser = UserArg::parse, help_heading = "Security")]
    user: Option<UserArg>,
    /// User namespace: keep-id, auto, nomap, host
    #[arg(long, value_name = "MODE", value_parser = UserNs::parse, help_heading = "Security")]
    userns: Option<UserNs>,
    /// Root in the container, with what a package manager needs
    #[arg(long, help_heading = "Security")]
    as_root: bool,
    /// Capability to add: a loosening (can be repeated)
    #[arg(long, value_name = "CAPABILITY", value_parser = CapabilityArg::parse, help_heading = "Security")]
    cap_add: Vec<CapabilityArg>,
    /// Capability to drop; all are dropped already (can be repeated)
    #[arg(long, value_name = "CAPABILITY", value_parser = CapabilityArg::parse, help_heading = "Security")]
    cap_drop: Vec<CapabilityArg>,
    /// Security option in podman's words (can be repeated)
    #[arg(long, value_name = "OPTION", value_parser = SecurityOpt::parse, help_heading = "Security")]
    security_opt: Vec<SecurityOpt>,
    /// No isolation at all; refused without --not-a-sandbox
    #[arg(long, help_heading = "Security")]
    privileged: bool,
    /// Says that you know what --privileged means
    #[arg(long, help_heading = "Security")]
    not_a_sandbox: bool,
    /// A small init as the first process, which reaps the others
    #[arg(long, value_name = "BOOL", default_value = "true", num_args = 0..=1,
          require_equals = true, default_missing_value = "true", action = ArgAction::Set, help_heading = "Security")]
    init: bool,
}

impl SandboxArgs {
    /// What was asked for, in the policy's terms.
    pub(crate) fn request(&self, image: &str, command: &[String]) -> CliResult<Request> {
        let isolation =
            Isolation::from_flags(self.privileged, self.not_a_sandbox).map_err(|error| {
                invalid(&error).hint("add `--not-a-sandbox` if that is what you want")
            })?;
        let env = self.env.iter().map(|text| EnvArg::parse(text));
        let env = env.collect::<Result<_, _>>().map_err(|e| invalid(&e))?;
        let mounts = [&self.volume, &self.mount, &self.tmpfs];
        Ok(Request {
            image: image.to_owned(),
            command: command.to_vec(),
            entrypoint: self.entrypoint.clone(),
            name: self.name.clone(),
            labels: self.label.clone(),
            env_files: self.env_file.clone(),
            env,
            mounts: mounts.into_iter().flatten().cloned().collect(),
            devices: self.device.clone(),
            secrets: self.secret.clone(),
            limits: LimitsAsked {
                memory: self
                    .memory
                    .or(self.profile.map(|profile| Bound::At(profile.memory()))),
                memory_swap: self.memory_swap,
                cpus: self
                    .cpus
                    .or(self.profile.map(|profile| Bound::At(profile.cpus()))),
                pids: self.pids_limit,
                ulimits: self.ulimit.clone(),
                shm_size: self.shm_size,
            },
            network: self.network.clone(),
            publish: self.publish.clone(),
            add_host: self.add_host.clone(),
            dns: self.dns.clone(),
            security: SecurityAsked {
                cap_add: self.cap_add.clone(),
                cap_drop: self.cap_drop.clone(),
                options: self.security_opt.clone(),
                isolation,
                root_fs: if self.read_only {
                    RootFs::ReadOnly
                } else {
                    RootFs::Writable
                },
            },
            user: UserAsked {
                user: self.user.clone(),
                userns: self.userns.clone(),
                role: if self.as_root { Role::Root } else { Role::User },
            },
            log: LogAsked {
                driver: self.log_driver,
                options: self.log_opt.clone(),
            },
            init: if self.init { Init::Init } else { Init::Command },
            workdir: self.workdir.clone(),
            stop_signal: self.stop_signal,
            stop_timeout: self.stop_timeout,
            timeout: self.timeout,
            pull: self.pull,
            removal: match (self.rm, self.detach) {
                (false, _) => Removal::Kept,
                (true, false) => Removal::ByUs,
                (true, true) => Removal::ByService,
            },
            terminal: if self.tty {
                Terminal::Tty
            } else {
                Terminal::None
            },
            stdin: if self.interactive {
                Stdin::Open
            } else {
                Stdin::Closed
            },
            ..Request::default()
        })
    }
}

/// A word on the command line that will not do.
pub(crate) fn invalid(error: &Invalid) -> CliError {
    CliError::from_source(Exit::Usage, error)
}

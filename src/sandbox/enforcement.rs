//! Whether limits are in force: what inspect says of them proves nothing (a service without the
//! controllers repeats them all the same), so the cgroup of the container's process is read.
//!
//! To be asked in state `initialized`, before anything of the agent runs. A limit that cannot be
//! verified counts as not in force.

use std::fmt;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::limits::{Bound, Limits, NanoCpus, Origin};
use super::proc_files::{CgroupMount, KernelFiles, read};
use super::size::ByteSize;

/// A container's process, as inspect has it.
#[derive(Clone, Copy, Debug)]
pub struct ContainerProcess<'a> {
    /// The container's full id: 64 hexadecimal digits.
    pub id: &'a str,
    /// `State.Pid`.
    pub pid: u32,
    /// `State.ConmonPid`.
    pub conmon_pid: u32,
}

impl ContainerProcess<'_> {
    /// Whether these process ids are the container's here, and not a stranger's: its parent is a
    /// monitor that was started for this very container.
    #[must_use]
    pub fn is_visible(&self, files: &KernelFiles) -> bool {
        let full = self.id.len() == 64 && self.id.bytes().all(|b| b.is_ascii_hexdigit());
        full && self.pid > 1
            && self.conmon_pid > 1
            && files
                .parent(self.pid)
                .is_ok_and(|parent| parent == Some(self.conmon_pid))
            && files
                .has_argument(self.conmon_pid, self.id)
                .unwrap_or(false)
    }
}

/// A limit, and whether it is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitCheck {
    /// Which.
    pub limit: LimitKind,
    /// Who wants it: one that a person asked for must be in force.
    pub origin: Origin,
    /// What was asked, for people: `2 GiB`, `2`, `100`.
    pub asked: String,
    /// Whether it is in force.
    pub enforcement: Enforcement,
}

impl LimitCheck {
    /// Whether the limit is known to be in force.
    #[must_use]
    pub fn is_in_force(&self) -> bool {
        self.enforcement == Enforcement::InForce
    }

    /// Whether the sandbox may not start: a person asked for the limit, and it does not hold.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.origin == Origin::Asked && !self.is_in_force()
    }
}

/// The limits that a cgroup enforces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitKind {
    /// Memory.
    Memory,
    /// Swap beyond it.
    Swap,
    /// Processor time.
    Cpus,
    /// Processes and threads.
    Pids,
}

impl LimitKind {
    /// The cgroup controller that enforces it.
    #[must_use]
    pub fn controller(self) -> &'static str {
        match self {
            Self::Memory | Self::Swap => "memory",
            Self::Cpus => "cpu",
            Self::Pids => "pids",
        }
    }

    fn file(self) -> &'static str {
        match self {
            Self::Memory => "memory.max",
            Self::Swap => "memory.swap.max",
            Self::Cpus => "cpu.max",
            Self::Pids => "pids.max",
        }
    }
}

impl fmt::Display for LimitKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Memory => "memory",
            Self::Swap => "memory-swap",
            Self::Cpus => "cpus",
            Self::Pids => "pids-limit",
        })
    }
}

/// Whether a limit is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Enforcement {
    /// The kernel enforces it, or a tighter one.
    InForce,
    /// The kernel does not.
    NotInForce(Absence),
    /// It cannot be told, which counts as not.
    Unverifiable(Obstacle),
}

/// Why a limit is not in force.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Absence {
    /// The container shares the service's cgroup.
    NoOwnCgroup {
        /// The cgroup it is in.
        cgroup: PathBuf,
        /// What could be limited there (`cgroup.controllers`).
        controllers: Vec<String>,
    },
    /// A controller is not handed down as far as the container.
    NotDelegated {
        /// The controller.
        controller: &'static str,
        /// The uppermost cgroup that does not have it; `/` if the kernel's hierarchy lacks it.
        cgroup: PathBuf,
        /// What that cgroup does have.
        controllers: Vec<String>,
    },
    /// The controller is there, and its file is not (a kernel without swap accounting).
    NoFile {
        /// The file's name.
        file: &'static str,
    },
    /// Another value is set.
    OtherValue {
        /// The file's name.
        file: &'static str,
        /// What it says.
        found: String,
    },
}

/// Why it cannot be told whether a limit is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Obstacle {
    /// The service's process ids mean nothing here: it runs elsewhere.
    NotOurPids,
    /// The container is limited by cgroup v1, whose files are not read.
    LegacyCgroup,
    /// No cgroup2 file system is mounted here, or it shows another part of the hierarchy.
    CgroupNotVisible,
    /// A file cannot be read.
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        kind: io::ErrorKind,
    },
}

impl fmt::Display for Enforcement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InForce => f.write_str("in force"),
            Self::NotInForce(absence) => absence.fmt(f),
            Self::Unverifiable(obstacle) => obstacle.fmt(f),
        }
    }
}

impl fmt::Display for Absence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoOwnCgroup { cgroup, .. } => {
                write!(
                    f,
                    "the container has no cgroup of its own, it is in {}",
                    cgroup.display()
                )
            }
            Self::NotDelegated {
                controller, cgroup, ..
            } => {
                write!(
                    f,
                    "the {controller} controller is not delegated to {}",
                    cgroup.display()
                )
            }
            Self::NoFile { file } => write!(f, "the kernel has no {file}"),
            Self::OtherValue { file, found } => write!(f, "{file} is {found}"),
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOurPids => f.write_str("the service's process ids mean nothing here"),
            Self::LegacyCgroup => f.write_str("the container is limited by cgroup v1"),
            Self::CgroupNotVisible => f.write_str("the container's cgroup cannot be seen here"),
            Self::Unreadable { file, kind } => {
                write!(f, "cannot read {}: {kind}", file.display())
            }
        }
    }
}

/// Checks every limit that is set; those that are lifted are left out.
#[must_use]
pub fn verify(
    limits: &Limits,
    process: &ContainerProcess<'_>,
    files: &KernelFiles,
) -> Vec<LimitCheck> {
    let place = Place::find(process, files);
    let check = |limit, origin, asked: String, expected| {
        let enforcement = match &place {
            Ok(place) => place.enforcement(limit, expected),
            Err(enforcement) => enforcement.clone(),
        };
        LimitCheck {
            limit,
            origin,
            asked,
            enforcement,
        }
    };
    let mut checks = Vec::new();
    if let Bound::At(memory) = limits.memory.bound {
        let expected = Expected::Most(memory.bytes());
        checks.push(check(
            LimitKind::Memory,
            limits.memory.origin,
            memory.to_string(),
            expected,
        ));
        if let Bound::At(both) = limits.memory_swap.bound {
            // cgroup v2 counts swap alone, podman's flag both together.
            let swap = ByteSize::new(both.bytes().saturating_sub(memory.bytes()));
            let expected = Expected::Most(swap.bytes());
            let origin = limits.memory_swap.origin;
            checks.push(check(LimitKind::Swap, origin, both.to_string(), expected));
        }
    }
    if let Bound::At(cpus) = limits.cpus.bound {
        let expected = Expected::Share(cpus);
        checks.push(check(
            LimitKind::Cpus,
            limits.cpus.origin,
            cpus.to_string(),
            expected,
        ));
    }
    if let Bound::At(pids) = limits.pids.bound {
        let expected = Expected::Most(pids);
        checks.push(check(
            LimitKind::Pids,
            limits.pids.origin,
            pids.to_string(),
            expected,
        ));
    }
    checks
}

/// What a control file must say.
#[derive(Clone, Copy)]
enum Expected {
    /// One number, no larger than this.
    Most(u64),
    /// `quota period`, no larger a share than this.
    Share(NanoCpus),
}

impl Expected {
    fn is_met_by(self, text: &str) -> bool {
        let number = |word: Option<&str>| word.and_then(|word| word.parse::<u64>().ok());
        let mut words = text.split_ascii_whitespace();
        match (self, number(words.next())) {
            (_, None) => false,
            (Self::Most(most), Some(found)) => found <= most,
            (Self::Share(cpus), Some(quota)) => number(words.next()).is_some_and(|period| {
                u128::from(quota) * 1_000_000_000 <= u128::from(cpus.get()) * u128::from(period)
            }),
        }
    }
}

/// The directories of the cgroups that are the container's own; none where they cannot be told.
pub(crate) fn own_cgroups(process: &ContainerProcess<'_>, files: &KernelFiles) -> Vec<PathBuf> {
    let place = Place::find(process, files);
    place.map_or_else(|_| Vec::new(), |place| place.directories().collect())
}

/// The container's own cgroup.
struct Place {
    mount: CgroupMount,
    /// The cgroup of its process.
    leaf: PathBuf,
    /// The uppermost cgroup that is the container's own: the one named after it.
    scope: PathBuf,
}

impl Place {
    fn find(process: &ContainerProcess<'_>, files: &KernelFiles) -> Result<Self, Enforcement> {
        let not_ours = || Enforcement::Unverifiable(Obstacle::NotOurPids);
        if !process.is_visible(files) {
            return Err(not_ours());
        }
        // Gone since: then the id may by now be another's.
        let text = files
            .of_process(process.pid, "cgroup")
            .map_err(|_| not_ours())?;
        let text = String::from_utf8_lossy(&text);
        let unified = text
            .lines()
            .find_map(|line| line.strip_prefix("0::"))
            .map(Path::new);
        let Some((leaf, scope)) = unified.and_then(|leaf| Some((leaf, scope(leaf, process.id)?)))
        else {
            if text.lines().any(|line| line.contains(process.id)) {
                return Err(Enforcement::Unverifiable(Obstacle::LegacyCgroup));
            }
            let Some(cgroup) = unified else {
                return Err(Enforcement::Unverifiable(Obstacle::LegacyCgroup));
            };
            let directory = files.cgroup_mount().ok().flatten();
            let directory = directory.and_then(|mount| mount.directory(cgroup));
            let controllers = directory.map(|directory| controllers(&directory));
            return Err(Enforcement::NotInForce(Absence::NoOwnCgroup {
                cgroup: cgroup.to_owned(),
                controllers: controllers.unwrap_or_default(),
            }));
        };
        let not_visible = || Enforcement::Unverifiable(Obstacle::CgroupNotVisible);
        let mount = files
            .cgroup_mount()
            .ok()
            .flatten()
            .ok_or_else(not_visible)?;
        if !mount
            .directory(leaf)
            .is_some_and(|directory| directory.is_dir())
        {
            return Err(not_visible());
        }
        Ok(Self {
            mount,
            leaf: leaf.to_owned(),
            scope,
        })
    }

    /// The process's cgroup and those above it, up to the container's own.
    fn directories(&self) -> impl Iterator<Item = PathBuf> {
        let own = |cgroup: &&Path| cgroup.starts_with(&self.scope);
        let own = self.leaf.ancestors().take_while(own);
        own.map_while(|cgroup| self.mount.directory(cgroup))
    }

    /// The limit may sit at any of them.
    fn enforcement(&self, limit: LimitKind, expected: Expected) -> Enforcement {
        let file = limit.file();
        let mut found: Option<String> = None;
        for directory in self.directories() {
            let path = directory.join(file);
            let value = match read(&path) {
                Ok(bytes) => String::from_utf8_lossy(&bytes).trim().to_owned(),
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => {
                    let kind = error.kind();
                    return Enforcement::Unverifiable(Obstacle::Unreadable { file: path, kind });
                }
            };
            if expected.is_met_by(&value) {
                return Enforcement::InForce;
            }
            // Of two that are too wide, the one that is a limit at all says more.
            if found.as_deref().is_none_or(|seen| seen.starts_with("max")) {
                found = Some(value);
            }
        }
        match found {
            Some(found) => {
                let found = found.chars().take(64).filter(|c| !c.is_control()).collect();
                Enforcement::NotInForce(Absence::OtherValue { file, found })
            }
            None => Enforcement::NotInForce(self.why_no_file(limit)),
        }
    }

    fn why_no_file(&self, limit: LimitKind) -> Absence {
        let controller = limit.controller();
        let mut from_the_top: Vec<&Path> = self.scope.ancestors().collect();
        from_the_top.reverse();
        for cgroup in from_the_top {
            let Some(directory) = self.mount.directory(cgroup) else {
                continue;
            };
            let controllers = controllers(&directory);
            if !controllers.iter().any(|known| known == controller) {
                let cgroup = cgroup.to_owned();
                return Absence::NotDelegated {
                    controller,
                    cgroup,
                    controllers,
                };
            }
        }
        Absence::NoFile { file: limit.file() }
    }
}

/// The uppermost cgroup of a path whose name has the container's full id in it.
fn scope(leaf: &Path, id: &str) -> Option<PathBuf> {
    let mut scope = PathBuf::new();
    for part in leaf.components() {
        match part {
            Component::RootDir => scope.push("/"),
            Component::Normal(name) => {
                scope.push(name);
                if name.to_str().is_some_and(|name| name.contains(id)) {
                    return Some(scope);
                }
            }
            // Outside of the cgroup namespace that we are in.
            Component::ParentDir | Component::CurDir | Component::Prefix(_) => return None,
        }
    }
    None
}

fn controllers(directory: &Path) -> Vec<String> {
    let bytes = read(&directory.join("cgroup.controllers")).unwrap_or_default();
    String::from_utf8_lossy(&bytes)
        .split_ascii_whitespace()
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
#[path = "enforcement/tests.rs"]
mod tests;

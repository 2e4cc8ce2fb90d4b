//! What a sandbox may use: asked for by the person, or a built-in default.

use super::Invalid;
use super::size::{ByteSize, GIB};
use crate::libpod::{LinuxCpu, LinuxMemory, LinuxPids, LinuxResources, Rlimit};

/// The period of a processor quota in microseconds, as podman sends it.
pub const CPU_PERIOD: u64 = 100_000;
/// Processes and threads, unless something else is asked for.
pub const DEFAULT_PIDS: u64 = 2048;

/// A value that may be lifted altogether.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound<T> {
    /// At most this.
    At(T),
    /// No limit.
    Unlimited,
}

impl<T: Copy> Bound<T> {
    /// The value, if there is a limit.
    #[must_use]
    pub fn at(self) -> Option<T> {
        match self {
            Self::At(value) => Some(value),
            Self::Unlimited => None,
        }
    }
}

/// Who wants a limit. One that a person asked for must be in force before the sandbox starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A flag, a profile or a trusted configuration.
    Asked,
    /// Built in.
    Default,
}

/// A bound and who wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit<T> {
    /// The bound.
    pub bound: Bound<T>,
    /// Who wants it.
    pub origin: Origin,
}

impl<T> Limit<T> {
    fn new(asked: Option<Bound<T>>, default: Bound<T>) -> Self {
        match asked {
            Some(bound) => Self {
                bound,
                origin: Origin::Asked,
            },
            None => Self {
                bound: default,
                origin: Origin::Default,
            },
        }
    }
}

/// A named set of limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// 1 GiB, 1 processor: simple scripts.
    Light,
    /// 2 GiB, 2 processors: a service with tests.
    Medium,
    /// 4 GiB, 4 processors: large applications.
    Heavy,
}

impl Profile {
    /// Reads a name.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        match text {
            "light" => Ok(Self::Light),
            "medium" => Ok(Self::Medium),
            "heavy" => Ok(Self::Heavy),
            _ => Err(Invalid::new(
                "profile",
                text,
                "there are light, medium and heavy",
            )),
        }
    }

    /// Its memory.
    #[must_use]
    pub fn memory(self) -> ByteSize {
        ByteSize::new(self.size() * GIB)
    }

    /// Its processors.
    #[must_use]
    pub fn cpus(self) -> NanoCpus {
        NanoCpus::new(self.size() * 1_000_000_000)
    }

    fn size(self) -> u64 {
        match self {
            Self::Light => 1,
            Self::Medium => 2,
            Self::Heavy => 4,
        }
    }
}

/// Processor time in billionths of a processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NanoCpus(u64);

impl NanoCpus {
    /// So many billionths of a processor.
    #[must_use]
    pub const fn new(billionths: u64) -> Self {
        Self(billionths)
    }

    /// Billionths of a processor.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0
    }

    /// Microseconds out of every [`CPU_PERIOD`].
    #[must_use]
    pub fn quota(self) -> i64 {
        i64::try_from(self.0 / (1_000_000_000 / CPU_PERIOD)).unwrap_or(i64::MAX)
    }
}

impl std::fmt::Display for NanoCpus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = format!("{}.{:09}", self.0 / 1_000_000_000, self.0 % 1_000_000_000);
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// Reads `--memory`; 0 is no limit, as in podman.
///
/// # Errors
/// If it is no size.
pub fn parse_memory(text: &str) -> Result<Bound<ByteSize>, Invalid> {
    let size = ByteSize::parse(text)?;
    Ok(if size.bytes() == 0 {
        Bound::Unlimited
    } else {
        Bound::At(size)
    })
}

/// Reads `--memory-swap`: memory and swap together; -1 is no limit.
///
/// # Errors
/// If it is no size.
pub fn parse_memory_swap(text: &str) -> Result<Bound<ByteSize>, Invalid> {
    if text == "-1" {
        Ok(Bound::Unlimited)
    } else {
        parse_memory(text)
    }
}

/// Reads `--shm-size`.
///
/// # Errors
/// If it is no size, or 0.
pub fn parse_shm_size(text: &str) -> Result<ByteSize, Invalid> {
    match ByteSize::parse(text)? {
        size if size.bytes() == 0 => Err(Invalid::new("size", text, "it must not be zero")),
        size => Ok(size),
    }
}

/// Reads `--cpus`: a decimal number of processors; 0 is no limit.
///
/// # Errors
/// If it is no number, or less than the kernel's smallest quota, a hundredth.
pub fn parse_cpus(text: &str) -> Result<Bound<NanoCpus>, Invalid> {
    let invalid = |why: &str| Invalid::new("number of cpus", text, why);
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() && fraction.is_empty() || !digits(whole) || !digits(fraction) {
        return Err(invalid("it is not a decimal number"));
    }
    let whole: u64 = match whole {
        "" => 0,
        whole => whole.parse().map_err(|_| invalid("it is too large"))?,
    };
    if whole > 1_000_000 {
        return Err(invalid("it is too large"));
    }
    let nano = format!("{fraction:0<9}");
    let nano: u64 = nano
        .get(..9)
        .and_then(|nano| nano.parse().ok())
        .unwrap_or(0);
    match whole * 1_000_000_000 + nano {
        0 if fraction.bytes().all(|digit| digit == b'0') => Ok(Bound::Unlimited),
        nano if nano < 10_000_000 => Err(invalid("the least is 0.01")),
        nano => Ok(Bound::At(NanoCpus(nano))),
    }
}

/// Reads `--pids-limit`; 0 and -1 are no limit.
///
/// # Errors
/// If it is no whole number, or below -1.
pub fn parse_pids(text: &str) -> Result<Bound<u64>, Invalid> {
    match text.parse::<i64>() {
        Ok(0 | -1) => Ok(Bound::Unlimited),
        Ok(pids) if pids > 0 => Ok(Bound::At(pids.unsigned_abs())),
        Ok(_) => Err(Invalid::new("pids limit", text, "it is negative")),
        Err(_) => Err(Invalid::new("pids limit", text, "it is not a whole number")),
    }
}

/// A limit of single processes: `nofile=1024:2048`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ulimit {
    name: &'static str,
    soft: Bound<u64>,
    hard: Bound<u64>,
}

const ULIMITS: [&str; 15] = [
    "as", "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile",
    "nproc", "rss", "rtprio", "rttime", "stack",
];

impl Ulimit {
    /// Reads `name=soft[:hard]`; -1 and `unlimited` are no limit.
    ///
    /// # Errors
    /// If the name is not one of the kernel's, a value is no number, or soft is above hard;
    /// podman's `host` is refused, since it takes whatever the service happens to have.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let invalid = |why: &str| Invalid::new("ulimit", text, why);
        if text == "host" {
            return Err(invalid("the host's limits are not taken over"));
        }
        let (name, values) = text
            .split_once('=')
            .ok_or_else(|| invalid("it needs a value"))?;
        let lower = name.to_ascii_lowercase();
        let lower = lower.strip_prefix("rlimit_").unwrap_or(&lower);
        let name = std::iter::once(&"sigpending")
            .chain(&ULIMITS)
            .find(|known| **known == lower)
            .ok_or_else(|| invalid("the name is not known"))?;
        let value = |text: &str| match text {
            "-1" | "unlimited" => Ok(Bound::Unlimited),
            digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits
                .parse::<i64>()
                .map(|value| Bound::At(value.unsigned_abs()))
                .map_err(|_| invalid("the value is not a number in range")),
            _ => Err(invalid("the value is not a number")),
        };
        let (soft, hard) = values.split_once(':').unwrap_or((values, values));
        let (soft, hard) = (value(soft)?, value(hard)?);
        if amount(soft) > amount(hard) {
            return Err(invalid("the soft limit is above the hard limit"));
        }
        Ok(Self { name, soft, hard })
    }

    /// Whether either limit is lifted, which services before 5.5.1 fail on.
    #[must_use]
    pub fn is_unlimited(&self) -> bool {
        self.soft == Bound::Unlimited || self.hard == Bound::Unlimited
    }

    pub(crate) fn wire(&self) -> Rlimit {
        Rlimit {
            kind: self.name.to_owned(),
            soft: amount(self.soft),
            hard: amount(self.hard),
        }
    }
}

fn amount(bound: Bound<u64>) -> u64 {
    bound.at().unwrap_or(u64::MAX)
}

/// What the person asked for; `None` where nothing was said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LimitsAsked {
    /// Memory.
    pub memory: Option<Bound<ByteSize>>,
    /// Memory and swap together.
    pub memory_swap: Option<Bound<ByteSize>>,
    /// Processors.
    pub cpus: Option<Bound<NanoCpus>>,
    /// Processes and threads.
    pub pids: Option<Bound<u64>>,
    /// Limits of single processes.
    pub ulimits: Vec<Ulimit>,
    /// Size of `/dev/shm`.
    pub shm_size: Option<ByteSize>,
}

impl LimitsAsked {
    /// Whether the limits fit each other.
    ///
    /// # Errors
    /// If swap is limited without memory, or to less than memory (podman refuses both).
    pub fn check(&self) -> Result<(), Invalid> {
        let Some(swap) = self.memory_swap else {
            return Ok(());
        };
        let given = swap
            .at()
            .map_or_else(|| "-1".to_owned(), |swap| swap.bytes().to_string());
        let invalid = |why: &str| Err(Invalid::new("memory and swap limit", &given, why));
        match (self.memory, swap) {
            (None | Some(Bound::Unlimited), Bound::At(_)) => invalid("it needs a memory limit"),
            (Some(Bound::At(memory)), Bound::At(swap)) if swap < memory => {
                invalid("it is below the memory limit")
            }
            _ => Ok(()),
        }
    }

    /// Fills in the defaults, for a machine with so much memory.
    #[must_use]
    pub fn resolve(&self, ram: ByteSize) -> Limits {
        let half = ByteSize::new((ram.bytes() / 2).min(8 * GIB));
        let memory = Limit::new(self.memory, Bound::At(half));
        Limits {
            memory,
            // Without it the service would allow as much swap again.
            memory_swap: Limit::new(self.memory_swap, memory.bound),
            cpus: Limit::new(self.cpus, Bound::Unlimited),
            pids: Limit::new(self.pids, Bound::At(DEFAULT_PIDS)),
        }
    }
}

/// Every cgroup limit, decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Memory.
    pub memory: Limit<ByteSize>,
    /// Memory and swap together.
    pub memory_swap: Limit<ByteSize>,
    /// Processors.
    pub cpus: Limit<NanoCpus>,
    /// Processes and threads.
    pub pids: Limit<u64>,
}

impl Limits {
    pub(crate) fn wire(&self) -> LinuxResources {
        let size = |bound: Bound<ByteSize>| bound.at().map_or(-1, ByteSize::wire);
        let memory = LinuxMemory {
            limit: Some(size(self.memory.bound)),
            swap: Some(size(self.memory_swap.bound)),
        };
        let pids = self
            .pids
            .bound
            .at()
            .map_or(-1, |pids| i64::try_from(pids).unwrap_or(i64::MAX));
        LinuxResources {
            memory: self.memory.bound.at().is_some().then_some(memory),
            pids: Some(LinuxPids { limit: pids }),
            cpu: (self.cpus.bound.at()).map(|cpus| LinuxCpu {
                quota: cpus.quota(),
                period: CPU_PERIOD,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::size::MIB;

    #[test]
    fn cpus() {
        for (text, nano, quota) in [
            ("2", 2_000_000_000, 200_000),
            ("1.5", 1_500_000_000, 150_000),
            (".5", 500_000_000, 50_000),
            ("0.01", 10_000_000, 1000),
            ("0.1234567899", 123_456_789, 12_345),
        ] {
            let cpus = parse_cpus(text).unwrap().at().unwrap();
            assert_eq!((cpus.get(), cpus.quota()), (nano, quota), "{text}");
        }
        assert_eq!(parse_cpus("0"), Ok(Bound::Unlimited));
        for text in [
            "",
            ".",
            "-1",
            "two",
            "1e3",
            "0.001",
            "0.0000000001",
            "NaN",
            "9999999",
            "1.-",
        ] {
            assert!(parse_cpus(text).is_err(), "{text}");
        }
        assert_eq!(parse_cpus("1.50").unwrap().at().unwrap().to_string(), "1.5");
    }

    #[test]
    fn pids() {
        assert_eq!(parse_pids("100"), Ok(Bound::At(100)));
        assert_eq!(parse_pids("0"), Ok(Bound::Unlimited));
        assert_eq!(parse_pids("-1"), Ok(Bound::Unlimited));
        for text in ["-2", "", "1k", "1.5", "99999999999999999999"] {
            assert!(parse_pids(text).is_err(), "{text}");
        }
    }

    #[test]
    fn ulimits() {
        let wire = |text: &str| Ulimit::parse(text).unwrap().wire();
        let nofile = |soft, hard| Rlimit {
            kind: "nofile".to_owned(),
            soft,
            hard,
        };
        assert_eq!(wire("nofile=1024:2048"), nofile(1024, 2048));
        assert_eq!(wire("RLIMIT_NOFILE=64"), nofile(64, 64));
        assert_eq!(wire("nofile=5:-1"), nofile(5, u64::MAX));
        for text in [
            "host",
            "nofile",
            "nofile=",
            "nofile=a",
            "nofile=2:1",
            "nofile=-1:5",
            "x=1",
        ] {
            assert!(Ulimit::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn defaults_and_their_origin() {
        let limits = LimitsAsked::default().resolve(ByteSize::new(4 * GIB));
        assert_eq!(limits.memory.bound, Bound::At(ByteSize::new(2 * GIB)));
        assert_eq!(limits.memory_swap.bound, limits.memory.bound);
        assert_eq!(limits.memory.origin, Origin::Default);
        assert_eq!(limits.pids.bound, Bound::At(2048));
        assert_eq!(limits.wire().cpu, None);
        let limits = LimitsAsked::default().resolve(ByteSize::new(64 * GIB));
        assert_eq!(limits.memory.bound, Bound::At(ByteSize::new(8 * GIB)));
    }

    #[test]
    fn memory_alone_allows_no_swap() {
        let asked = LimitsAsked {
            memory: Some(parse_memory("512m").unwrap()),
            ..Default::default()
        };
        let limits = asked.resolve(ByteSize::new(GIB));
        assert_eq!(limits.memory.origin, Origin::Asked);
        let size = i64::try_from(512 * MIB).unwrap();
        let memory = LinuxMemory {
            limit: Some(size),
            swap: Some(size),
        };
        assert_eq!(limits.wire().memory, Some(memory));
    }

    #[test]
    fn swap_needs_memory() {
        let asked = |memory: Option<&str>, swap| LimitsAsked {
            memory: memory.map(|text| parse_memory(text).unwrap()),
            memory_swap: Some(parse_memory_swap(swap).unwrap()),
            ..Default::default()
        };
        assert!(asked(None, "1g").check().is_err());
        assert!(asked(Some("0"), "1g").check().is_err());
        assert!(asked(Some("2g"), "1g").check().is_err());
        assert!(asked(Some("1g"), "1g").check().is_ok());
        assert!(asked(Some("1g"), "-1").check().is_ok());
        assert!(parse_memory_swap("-2").is_err());
    }
}

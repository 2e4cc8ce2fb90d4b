//! What a person asked for, kept with the container for its later lives: by then the flags are
//! gone, and what the service says of limits proves nothing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::limits::{Bound, Limit, Limits, LimitsAsked, NanoCpus, Origin};
use super::size::ByteSize;
use crate::libpod::Container;

/// The label. Always written, so that an image cannot speak in its place.
const LABEL: &str = "io.stockade.asked";

/// What was asked for when a container was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Asked {
    /// Memory, in bytes.
    memory: Option<u64>,
    /// Memory and swap together, in bytes.
    memory_swap: Option<u64>,
    /// Nanocpus.
    cpus: Option<u64>,
    /// Processes and threads.
    pids: Option<u64>,
    /// Whether it may run without them.
    pub unenforced: bool,
    /// Whether it goes when it has ended.
    pub remove: bool,
}

impl Asked {
    /// Keeps what has to be kept.
    #[must_use]
    pub fn new(limits: &LimitsAsked, unenforced: bool, remove: bool) -> Self {
        let bytes = |limit: Option<Bound<ByteSize>>| limit?.at().map(ByteSize::bytes);
        Self {
            memory: bytes(limits.memory),
            memory_swap: bytes(limits.memory_swap),
            cpus: limits.cpus.and_then(Bound::at).map(NanoCpus::get),
            pids: limits.pids.and_then(Bound::at),
            unenforced,
            remove,
        }
    }

    /// The same limits, for another container.
    #[must_use]
    pub fn again(&self) -> LimitsAsked {
        LimitsAsked {
            memory: self.memory.map(ByteSize::new).map(Bound::At),
            memory_swap: self.memory_swap.map(ByteSize::new).map(Bound::At),
            cpus: self.cpus.map(NanoCpus::new).map(Bound::At),
            pids: self.pids.map(Bound::At),
            ..LimitsAsked::default()
        }
    }

    /// As a label of the container.
    #[must_use]
    pub fn labels(&self) -> BTreeMap<String, String> {
        // Numbers and truth values always serialise.
        let text = serde_json::to_string(self).unwrap_or_default();
        [(LABEL.to_owned(), text)].into()
    }

    /// What was asked for a container of ours; `None` if it does not say.
    #[must_use]
    pub fn of(container: &Container) -> Option<Self> {
        serde_json::from_str(container.config.labels.get(LABEL)?).ok()
    }

    /// The limits that have to be in force.
    #[must_use]
    pub fn limits(&self) -> Limits {
        fn limit<T>(value: Option<T>) -> Limit<T> {
            Limit {
                bound: value.map_or(Bound::Unlimited, Bound::At),
                origin: Origin::Asked,
            }
        }
        Limits {
            memory: limit(self.memory.map(ByteSize::new)),
            memory_swap: limit(self.memory_swap.map(ByteSize::new)),
            cpus: limit(self.cpus.map(NanoCpus::new)),
            pids: limit(self.pids),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::limits::{parse_cpus, parse_memory};

    #[test]
    fn what_is_kept_comes_back() {
        let limits = LimitsAsked {
            memory: Some(parse_memory("1g").unwrap()),
            cpus: Some(parse_cpus("1.5").unwrap()),
            pids: Some(Bound::Unlimited),
            ..LimitsAsked::default()
        };
        let asked = Asked::new(&limits, false, true);
        let text = &asked.labels()[LABEL];
        assert_eq!(serde_json::from_str::<Asked>(text).unwrap(), asked);
        let back = asked.limits();
        assert_eq!(back.memory.bound, Bound::At(ByteSize::new(1 << 30)));
        assert_eq!(back.cpus.bound, Bound::At(NanoCpus::new(1_500_000_000)));
        assert_eq!(back.pids.bound, Bound::Unlimited);
        assert_eq!(back.memory_swap.bound, Bound::Unlimited);
    }
}

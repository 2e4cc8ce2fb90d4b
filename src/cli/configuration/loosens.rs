//! What a configuration does without anybody's trust: it may lower limits, and nothing else.

use toml::{Table, Value};

use super::words::text;
use crate::cli::night::parse_time;
use crate::sandbox::limits::{self, Bound, LimitsAsked};
use crate::sandbox::size::ByteSize;

/// Iterations of a run, unless something else is asked for.
pub(crate) const ITERATIONS: u32 = 50;

/// The keys of a configuration that need the person's trust: everything that differs from what they
/// `accepted`, but for limits that are lower than what would be without it.
pub(crate) fn loosens(table: &Table, accepted: &Table, ram: ByteSize) -> Vec<String> {
    let mut keys: Vec<String> = table
        .iter()
        .filter(|(key, value)| {
            let before = accepted.get(*key);
            before != Some(*value) && !lowers(key, value, before, ram)
        })
        .map(|(key, _)| key.clone())
        .collect();
    // What is gone may have been a limit, or a check.
    let gone = accepted.keys().filter(|key| !table.contains_key(*key));
    keys.extend(gone.cloned());
    keys.sort();
    keys
}

/// Whether a limit is no higher than without this word.
fn lowers(key: &str, value: &Value, before: Option<&Value>, ram: ByteSize) -> bool {
    let Some(value) = text(value) else {
        return false;
    };
    let before = before.and_then(text);
    let defaults = LimitsAsked::default().resolve(ram);
    match key {
        "network" => value == "none",
        "workspace" => value == "copy",
        "read-only-workspace" => value == "true",
        "max-iterations" => {
            let number = |text: &str| text.parse::<u32>().ok();
            let most = match before {
                Some(before) => number(&before),
                None => Some(ITERATIONS),
            };
            number(&value).is_some_and(|n| n > 0 && most.is_some_and(|most| n <= most))
        }
        "time" | "iteration-timeout" => {
            let value = parse_time(&value).ok();
            let most = before.map(|before| parse_time(&before).ok());
            value.is_some_and(|value| most.is_none_or(|most| most.is_some_and(|m| value <= m)))
        }
        "memory" => {
            let parse = |text: &str| limits::parse_memory(text).ok();
            within(parse, &value, before, defaults.memory.bound)
        }
        "cpus" => {
            let parse = |text: &str| limits::parse_cpus(text).ok();
            within(parse, &value, before, defaults.cpus.bound)
        }
        "pids-limit" => {
            let parse = |text: &str| limits::parse_pids(text).ok();
            within(parse, &value, before, defaults.pids.bound)
        }
        _ => false,
    }
}

/// Whether it is a bound, and no higher than the one before, or than the default.
fn within<T: Copy + PartialOrd>(
    parse: impl Fn(&str) -> Option<Bound<T>>,
    value: &str,
    before: Option<String>,
    default: Bound<T>,
) -> bool {
    let Some(Bound::At(value)) = parse(value) else {
        return false;
    };
    let most = match before {
        Some(before) => parse(&before),
        None => Some(default),
    };
    match most {
        Some(Bound::At(most)) => value <= most,
        Some(Bound::Unlimited) => true,
        None => false,
    }
}

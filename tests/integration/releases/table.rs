//! `releases.toml`: what each release answers.

use std::collections::BTreeMap;

use serde::Deserialize;
use stockade::libpod::ApiVersion;

use crate::support::podman::Podman;

/// The whole file.
#[derive(Debug, Deserialize)]
pub(crate) struct Table {
    difference: Vec<Difference>,
}

/// One difference, in the order of the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Difference {
    /// The test that shows it.
    test: String,
    /// What is asked of the service.
    #[serde(rename = "asked")]
    _asked: String,
    /// What it answers, by the first release that does. A second word is a condition: the OCI
    /// runtime, or `v1` for cgroups v1.
    answers: BTreeMap<String, String>,
    /// What Stockade makes of it.
    #[serde(rename = "stockade")]
    _stockade: String,
}

impl Table {
    /// The file.
    pub(crate) fn read() -> Self {
        toml::from_str(include_str!("../releases.toml")).expect("releases.toml is well formed")
    }

    /// The tests that it names.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.difference
            .iter()
            .map(|one| one.test.as_str())
            .collect()
    }

    /// What this service answers, as the file has it.
    #[track_caller]
    pub(crate) fn answer(&self, podman: &Podman, test: &str) -> &str {
        let one = self.difference.iter().find(|one| one.test == test);
        let one = one.unwrap_or_else(|| panic!("`{test}` is not in releases.toml"));
        let info = podman.raw("GET", "/info").send().json();
        let is = |word: &str| {
            info["host"]["ociRuntime"]["name"] == word || info["host"]["cgroupVersion"] == word
        };
        let fitting = one.answers.iter().filter_map(|(when, answer)| {
            let (release, condition) = when.split_once(' ').unwrap_or((when, ""));
            let release: ApiVersion = release.parse().expect("a release");
            let fits = podman.is_at_least(release.major, release.minor)
                && (condition.is_empty() || is(condition));
            fits.then_some((release, condition, answer))
        });
        let (_, _, answer) = fitting.max().expect("an answer from 4.3 on");
        answer
    }
}

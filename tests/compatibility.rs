//! `docs/compatibility.md`: what the tests met when they were last run on every slot, and what
//! differs between releases. It is compared with what it is made of, and says if that has changed.
//!
//! `make compatibility` runs the whole matrix and writes it; `STOCKADE_UPDATE=1 cargo test --test
//! compatibility` writes it anew with the results that it has.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "in a test, whatever cannot be read is a failure"
)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use serde::Deserialize;
use stockade::libpod::ApiVersion;

/// The suites that have a column, in order.
const SUITES: [&str; 5] = ["integration", "differential", "patchpal", "lies", "guest"];

/// A slot, as a run met it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Slot {
    /// Slot, tier, Debian suite, Podman, OCI runtime, limits.
    facts: [String; 6],
    /// How many tests passed, by suite; "–" where it is not run.
    counts: [String; 5],
}

/// What was measured.
#[derive(Debug, PartialEq, Eq)]
struct Results {
    date: String,
    slots: Vec<Slot>,
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn read(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

impl Results {
    /// As the document has them.
    fn of_document(text: &str) -> Self {
        let date = text.split_once("\nRun on ").map(|(_, rest)| &rest[..10]);
        let slots = text.lines().filter_map(|line| {
            let cells: Vec<_> = line
                .strip_prefix("| ")?
                .strip_suffix(" |")?
                .split(" | ")
                .collect();
            let (facts, counts) = cells.split_at_checked(6)?;
            let slot = Slot {
                facts: facts.to_vec().try_into().ok().map(owned)?,
                counts: counts.to_vec().try_into().ok().map(owned)?,
            };
            (!["slot", "---"].contains(&facts[0])).then_some(slot)
        });
        Self {
            date: date.unwrap_or_default().to_owned(),
            slots: slots.collect(),
        }
    }

    /// As `tests/bench/run.sh` writes them.
    fn of_run(text: &str) -> Self {
        let mut results = Self {
            date: String::new(),
            slots: Vec::new(),
        };
        for line in text.lines() {
            let cells: Vec<_> = line.split('\t').collect();
            match cells[..] {
                ["date", date] => date.clone_into(&mut results.date),
                // A release that the document does not have yet.
                ["warning", _] => {}
                [
                    slot,
                    tier,
                    debian,
                    podman,
                    runtime,
                    limits,
                    suite,
                    passed,
                    failed,
                    _,
                    _,
                ] => {
                    if tier == "-" {
                        continue;
                    }
                    assert_eq!(failed, "0", "{line}");
                    let facts = owned([slot, tier, debian, podman, runtime, limits]);
                    let column = SUITES.iter().position(|name| *name == suite);
                    let column = column.unwrap_or_else(|| panic!("no column for `{suite}`"));
                    if results.slots.last().is_none_or(|slot| slot.facts != facts) {
                        let counts = owned(["–"; 5]);
                        results.slots.push(Slot { facts, counts });
                    }
                    let slot = results.slots.last_mut().expect("one");
                    passed.clone_into(&mut slot.counts[column]);
                }
                _ => panic!("what is this: {line}"),
            }
        }
        results
    }
}

fn owned<const N: usize>(cells: [&str; N]) -> [String; N] {
    cells.map(str::to_owned)
}

/// `tests/integration/releases.toml`.
#[derive(Debug, Deserialize)]
struct Releases {
    difference: Vec<Release>,
}

#[derive(Debug, Deserialize)]
struct Release {
    asked: String,
    answers: BTreeMap<String, String>,
    stockade: String,
}

/// `tests/differential/differences.toml`: what is meant to differ from podman.
#[derive(Debug, Default, Deserialize)]
struct Meant {
    #[serde(default)]
    difference: Vec<Intended>,
}

#[derive(Debug, Deserialize)]
struct Intended {
    reason: String,
}

/// The whole document.
fn document(results: &Results) -> String {
    let mut text = String::from(
        "# Compatibility\n\n\
         Stockade works with rootless Podman 4.3 and newer. This is what its tests met when they were last run on all of\n\
         them, and what differs between releases. `make compatibility` makes this document; what is written here by hand\n\
         is lost.\n\n\
         ## Tested\n\n",
    );
    let _ = writeln!(
        text,
        "Run on {}. A slot is a Podman that the tests run against:\n",
        results.date
    );
    text.push_str(
        "- `host`: the machine's own, as an ordinary user;\n\
         - `chroot`: a Debian suite's, in namespaces of its own;\n\
         - `vm`: a Debian suite's in a small machine, with systemd and delegated cgroups v2.\n\n\
         The figures are tests that passed; none failed.\n\n",
    );
    let heading = ["slot", "tier", "Debian", "Podman", "OCI runtime", "limits"];
    let heading = [&heading[..], &SUITES].concat();
    row(&mut text, &heading);
    row(&mut text, &["---"; 11]);
    for slot in &results.slots {
        row(&mut text, &[&slot.facts[..], &slot.counts].concat());
    }
    text.push_str(
        "\n## Releases differ\n\n\
         Each line is shown on the service itself, and that Stockade's answer is the same, by a test in\n\
         `tests/integration/releases`; they are listed in `tests/integration/releases.toml`. A release is the first that\n\
         answers so, as Podman's release notes have it where it lies between those above; `v1` stands for cgroups v1.\n\n",
    );
    row(&mut text, &["asked of Podman", "its answer", "Stockade"]);
    row(&mut text, &["---"; 3]);
    let releases: Releases = toml::from_str(&read("tests/integration/releases.toml")).unwrap();
    for difference in releases.difference {
        let answers = difference.answers.iter();
        let answers: Vec<_> = answers
            .map(|(when, what)| format!("{when}: {what}"))
            .collect();
        row(
            &mut text,
            &[
                &difference.asked,
                &answers.join("<br>"),
                &difference.stockade,
            ],
        );
    }
    let meant = path("tests/differential/differences.toml");
    if meant.exists() {
        text.push_str(
            "\n## Different from podman, and meant to be\n\n\
             The same command lines are given to `podman --remote` of each release and to `stockade`; what differs stands,\n\
             with its reason and every place, in `tests/differential/differences.toml`.\n\n",
        );
        let meant: Meant = toml::from_str(&fs::read_to_string(meant).unwrap()).unwrap();
        let mut said: Vec<&str> = Vec::new();
        for difference in &meant.difference {
            if !said.contains(&difference.reason.as_str()) {
                let _ = writeln!(text, "- {}", difference.reason);
                said.push(&difference.reason);
            }
        }
    }
    text
}

fn row<T: AsRef<str>>(text: &mut String, cells: &[T]) {
    let cells: Vec<_> = cells.iter().map(AsRef::as_ref).collect();
    let _ = writeln!(text, "| {} |", cells.join(" | "));
}

/// The releases of Podman in the document.
fn releases(results: &Results) -> Vec<ApiVersion> {
    let versions = results.slots.iter().map(|slot| &slot.facts[3]);
    versions
        .map(|version| {
            version
                .parse()
                .unwrap_or_else(|()| panic!("{version} is no release"))
        })
        .collect()
}

const NAME: &str = "docs/compatibility.md";
const HOW: &str = "`make compatibility` makes docs/compatibility.md anew";

#[test]
fn the_document_is_what_it_is_made_of() {
    let update = std::env::var_os("STOCKADE_UPDATE").is_some();
    let old = if path(NAME).exists() {
        read(NAME)
    } else {
        String::new()
    };
    let results = match std::env::var("STOCKADE_TEST_RESULTS") {
        Ok(run) if update => Results::of_run(&fs::read_to_string(run).unwrap()),
        _ => Results::of_document(&old),
    };
    let new = document(&results);
    assert_eq!(
        Results::of_document(&new),
        results,
        "it cannot be read again"
    );
    if update {
        fs::write(path(NAME), new).unwrap();
    } else {
        assert!(
            old == new,
            "{NAME} is not what releases.toml and the like say; \
             `STOCKADE_UPDATE=1 cargo test --test compatibility` writes it anew"
        );
    }
}

#[test]
fn every_slot_of_the_bench_is_in_it() {
    let results = Results::of_document(&read(NAME));
    for line in read("tests/bench/slots").lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        let (slot, tier) = match words[..] {
            [slot, tier] if !slot.starts_with('#') => (slot, tier),
            _ => continue,
        };
        let known = |row: &&Slot| row.facts[0] == slot && row.facts[1] == tier;
        let row = results.slots.iter().find(known);
        let row = row.unwrap_or_else(|| panic!("{tier}/{slot} is not in {NAME}: {HOW}"));
        let suite = if tier == "vm" { SUITES.len() - 1 } else { 0 };
        let count = row.counts[suite].parse::<u32>();
        assert!(count.is_ok_and(|count| count > 0), "{row:?}: {HOW}");
    }
}

#[test]
fn the_newest_and_the_oldest_release_are_in_it() {
    let found = releases(&Results::of_document(&read(NAME)));
    let line = |version: &ApiVersion| (version.major, version.minor);
    let newest = found.iter().map(line).max().expect("a release");
    let said = line(&ApiVersion::NEWEST_TESTED);
    assert_eq!(newest, said, "{NAME}, ApiVersion::NEWEST_TESTED: {HOW}");
    let oldest = found.iter().map(line).min().expect("a release");
    assert_eq!(oldest, line(&ApiVersion::MINIMUM), "{NAME}: {HOW}");
    let readme = read("README.md");
    for version in found {
        let release = format!("{}.{}", version.major, version.minor);
        assert!(
            readme.contains(&release),
            "README.md says nothing of {release}"
        );
    }
}

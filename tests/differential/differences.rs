//! What is meant to differ: `differences.toml`, and whether it is all that does.

use serde::Deserialize;

use crate::support::podman::Podman;

/// What differs between both sides of a case.
#[derive(Debug)]
pub(crate) struct Difference {
    /// The line's number and what of it.
    pub(crate) place: String,
    /// What podman has there.
    pub(crate) podman: String,
    /// What Stockade has.
    pub(crate) stockade: String,
}

/// What is meant to differ, for one reason.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    reason: String,
    /// What podman has, what Stockade has (`…` stands for any text), and where: case, lines and
    /// what of them, as in `run::exit_codes 2,5 exit`.
    differ: Vec<Vec<String>>,
    /// The first release of Podman where it differs.
    since: Option<String>,
    /// The first release where it no longer does.
    before: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    #[serde(default)]
    difference: Vec<Listed>,
}

fn list() -> Vec<Listed> {
    let list: List = toml::from_str(include_str!("differences.toml")).expect("it is well formed");
    list.difference
}

impl Listed {
    fn is_of_this_release(&self) -> bool {
        let reached = |release: &String| {
            let (major, minor) = release.split_once('.').expect("major.minor");
            let [major, minor] = [major, minor].map(|part| part.parse().expect("a number"));
            Podman::get().is_at_least(major, minor)
        };
        self.since.as_ref().is_none_or(reached) && !self.before.as_ref().is_some_and(reached)
    }

    /// Case and place of each difference, and what both have there.
    fn each(&self) -> impl Iterator<Item = (&str, Difference)> {
        self.differ.iter().flat_map(|differ| {
            let [podman, stockade, places @ ..] = &differ[..] else {
                panic!("podman's, Stockade's and a place: {differ:?}");
            };
            assert!(!places.is_empty(), "a place: {differ:?}");
            let places = places.iter().flat_map(|places| each(places));
            places.map(move |(case, place)| {
                let [podman, stockade] = [podman, stockade].map(String::clone);
                (
                    case,
                    Difference {
                        place,
                        podman,
                        stockade,
                    },
                )
            })
        })
    }
}

/// Whether a text is as the pattern says.
fn fits(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('…') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = rest.split('…').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = text.find(part) else {
            return false;
        };
        text = &text[at + part.len()..];
    }
    text.ends_with(last)
}

/// What is found and not listed, or listed and not found, of one case.
pub(crate) fn surprises(case: &str, mut found: Vec<Difference>) -> Vec<String> {
    let mut surprises = Vec::new();
    for listed in list().iter().filter(|listed| listed.is_of_this_release()) {
        for (_, meant) in listed.each().filter(|(of, _)| *of == case) {
            let is_it = |found: &Difference| {
                found.place == meant.place
                    && fits(&meant.podman, &found.podman)
                    && fits(&meant.stockade, &found.stockade)
            };
            match found.iter().position(is_it) {
                Some(at) => drop(found.remove(at)),
                None => surprises.push(format!(
                    "{case} {}: does not differ as listed: {}\n   podman: {}\n stockade: {}",
                    meant.place,
                    listed.reason,
                    brief(&meant.podman),
                    brief(&meant.stockade)
                )),
            }
        }
    }
    surprises.extend(found.iter().map(|found| {
        format!(
            "{case} {}: differs\n   podman: {}\n stockade: {}",
            found.place,
            brief(&found.podman),
            brief(&found.stockade)
        )
    }));
    surprises
}

/// The case and each place of `case 2,5 exit`.
fn each(places: &str) -> impl Iterator<Item = (&str, String)> {
    let (case, place) = places.split_once(' ').expect("a case and a place");
    let (lines, what) = place.split_once(' ').unwrap_or((place, ""));
    let lines = lines.split(',');
    lines.map(move |line| (case, format!("{line} {what}").trim_end().to_owned()))
}

/// The beginning, on one line.
fn brief(text: &str) -> String {
    let mut brief: String = text.chars().take(1000).collect();
    if brief.len() < text.len() {
        brief.push('…');
    }
    format!("{brief:?}")
}

#[test]
fn every_listed_difference_has_its_reason_and_its_case() {
    let names = crate::cases::names();
    for listed in list() {
        let reason = listed.reason.trim();
        assert!(reason.len() > 10, "{listed:?}");
        assert!(listed.each().count() > 0, "{listed:?}");
        for (case, _) in listed.each() {
            assert!(names.contains(&case), "no case is called {case}");
        }
    }
}

#[test]
fn a_pattern_fits_the_whole_text() {
    for (pattern, text, expected) in [
        ("125", "125", true),
        ("125", "1255", false),
        ("", "x", false),
        ("…", "", true),
        ("a…c", "abc", true),
        ("a…c", "abcd", false),
        ("a…b…c", "axbxc", true),
        ("a…b…c", "acb", false),
        ("ab…ba", "aba", false),
    ] {
        assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
    }
}

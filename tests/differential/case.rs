//! A case: the same lines on both sides, and what came of them.
//!
//! In a case's script
//! - `podman …` is the program under comparison: its exit code, its standard output, what a
//!   container wrote to standard error and whether there is an error are compared. Every `run`
//!   gets a label, and `--network none` unless it names a network. Before a line, `AS=keys` compares
//!   the keys and types of the JSON on its standard output alone, `AS=table` a table without the
//!   width of its columns, `AS=nothing` none of it.
//! - `state NAME FIELD…` and `image NAME FIELD…` compare fields of what Podman's inspect says.
//! - `content IMAGE` compares all files of an image.
//! - `show COMMAND…` compares what a command of the host says, as `show cat id`.
//! - `lines FILE LINE…` writes a file, `until_logged CONTAINER TEXT` waits.
//! - `$TINY` is the image, `$A`, `$B` are names for containers and `$I`, `$J` for images. The
//!   working directory is the side's own and empty.
//!
//! At the end the containers that are left are compared.

use std::collections::BTreeMap;

use crate::differences::{self, Difference};
use crate::session::{Program, Session};
use crate::support::image::{building, no_builds, tiny};

/// Cases as tests: `name: "script"`.
macro_rules! cases {
    ($($name:ident: $script:literal)*) => {
        /// What these cases are called.
        pub(crate) const NAMES: &[&str] = &[$(concat!(module_path!(), "::", stringify!($name))),*];
        $(
            #[test]
            #[ignore = "needs podman: the same command lines by podman and by stockade"]
            fn $name() {
                crate::case::compare(concat!(module_path!(), "::", stringify!($name)), $script);
            }
        )*
    };
}
pub(crate) use cases;

/// A case as `differences.toml` names it.
pub(crate) fn short(name: &str) -> &str {
    name.strip_prefix(concat!(env!("CARGO_CRATE_NAME"), "::cases::"))
        .unwrap_or(name)
}

/// What was observed, by the number of the line and what of it: `2 exit`.
pub(crate) type Observed = BTreeMap<String, String>;

/// Runs the script on both sides and fails with everything that differs and is not meant to.
#[track_caller]
pub(crate) fn compare(name: &str, script: &str) {
    let _ = tiny();
    let removes = ["rmi", "image rm", "prune"];
    // An image that goes away disturbs every build under way, whoever removes it.
    let _alone = removes
        .iter()
        .any(|verb| script.contains(verb))
        .then(no_builds);
    let _shared = _alone.is_none().then(building);
    let podman = Session::run(Program::Podman, script);
    let stockade = Session::run(Program::Stockade, script);
    let found = found(&podman.observed, &stockade.observed);
    let surprises = differences::surprises(short(name), found);
    assert!(
        surprises.is_empty(),
        "\n{}\n--- podman\n{podman}\n--- stockade\n{stockade}",
        surprises.join("\n")
    );
}

fn found(podman: &Observed, stockade: &Observed) -> Vec<Difference> {
    let mut places: Vec<&String> = podman.keys().chain(stockade.keys()).collect();
    places.sort();
    places.dedup();
    let value = |side: &Observed, place: &String| {
        side.get(place)
            .cloned()
            .unwrap_or_else(|| "(nothing)".into())
    };
    let pairs = places.into_iter().map(|place| Difference {
        place: place.clone(),
        podman: value(podman, place),
        stockade: value(stockade, place),
    });
    pairs.filter(|pair| pair.podman != pair.stockade).collect()
}

//! Where releases of Podman answer differently: `releases.toml` says how, the tests show that it is
//! so on the service itself, and that what Stockade makes of it is the same.

use crate::support::dir::TestDir;

mod builds; // build parameters, ignore files
mod containers; // create, attach, start, kill, wait, remove
mod execs; // exec sessions
mod images; // pulls, lists, removals, secrets
mod looking; // inspect, logs, stats, events
mod networks; // what a container is connected with
mod raw; // requests that the client never sends
mod table; // releases.toml

use table::Table;

/// The service answered this where `releases.toml` has a line for this test.
#[track_caller]
fn answered(dir: &TestDir, test: &str, observed: impl std::fmt::Display) {
    let table = Table::read();
    let expected = table.answer(dir.podman(), test);
    assert_eq!(observed.to_string(), expected, "{test}");
}

#[test]
fn every_difference_has_a_test_and_every_test_a_difference() {
    let sources = [
        include_str!("releases/builds.rs"),
        include_str!("releases/containers.rs"),
        include_str!("releases/execs.rs"),
        include_str!("releases/images.rs"),
        include_str!("releases/looking.rs"),
        include_str!("releases/networks.rs"),
    ];
    let mut shown: Vec<&str> = Vec::new();
    for source in sources {
        for test in source.split("#[ignore = ").skip(1) {
            let (_, rest) = test.split_once("fn ").expect("a function");
            let (name, body) = rest.split_once('(').expect("a function");
            assert!(body.contains(&format!("\"{name}\"")), "{name}");
            shown.push(name);
        }
    }
    let table = Table::read();
    let mut told = table.names();
    shown.sort_unstable();
    told.sort_unstable();
    assert_eq!(shown, told);
}

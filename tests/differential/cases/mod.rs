//! The cases, a file a verb or a group of them. Written afresh from Podman's manual and from what
//! its own system tests look at.

use crate::case::short;

mod build; // ids, tags, what is sent, what fails
mod cp; // in, out, archives
mod exec; // and attach, start
mod images; // lists, tags, removal
mod input; // bad input, and what it does not leave
mod life; // stop, kill, wait, rm
mod listing; // ps, inspect, events, version
mod logs; // parts of it, followed
mod run; // exit codes, streams, flags

/// What all cases are called.
pub(crate) fn names() -> Vec<&'static str> {
    let all = [
        build::NAMES,
        cp::NAMES,
        exec::NAMES,
        images::NAMES,
        input::NAMES,
        life::NAMES,
        listing::NAMES,
        logs::NAMES,
        run::NAMES,
    ];
    all.into_iter().flatten().map(|name| short(name)).collect()
}

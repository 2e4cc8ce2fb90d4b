//! Stockade against a real rootless Podman. A table of contents: what is tested is in the modules.
//!
//! `tests/bench/run.sh` runs these against several releases; `cargo test -- --include-ignored` alone
//! starts a private service of the system's own Podman. A test that needs Podman is ignored by
//! default and fails where there is none: it never passes unseen.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "all of this is tests; the lints only know functions marked as such"
)]

mod support;

mod build; // `stockade build`: ids, tags, errors, the cache
mod build_network; // what RUN reaches while building
mod client_life; // the library's client: a container's life and its traps
mod client_resources; // the library's client: lists, files, secrets, volumes
mod connections; // connections that are shared, lost, answered too early
mod containers; // ps, stop, kill, rm, wait, attach, start, inspect; ours and foreign
mod cp; // `stockade cp`: where things land, and whose they are
mod endurance; // two hundred lives, and nothing has grown
mod exec; // `stockade exec`: streams, terminals, exit codes
mod faults; // the client against a service that misbehaves (scripted)
mod forgery; // labels that claim to be ours
mod image_content; // what images hold, against what podman builds
mod images; // images, rmi, tag, prune, pull
mod killed_client; // a client that is killed at each step of `run`
mod logs; // `stockade logs`: what was written, then and later
mod lost; // a service that goes away while it is needed
mod own_service; // a service of our own where none listens
mod ralph; // `stockade ralph`, and what is done with its runs: the loop's own modules
mod releases; // where releases answer differently
mod run; // `stockade run`: exit codes, streams, what is left
mod sandbox; // what a container finds itself in: user, files, network, limits
mod signals; // signals, a client that is stopped or killed, fifty at once
mod survival; // a service that is killed while it works, and started again
mod terminal; // `run -it` and `attach` on a real pseudo-terminal
mod unreachable; // sockets on which nobody answers, or not for long
mod version; // `stockade version`, and what is said without a service
mod watching; // stats, events, info

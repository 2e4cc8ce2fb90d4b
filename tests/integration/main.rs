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

mod accepted; // what becomes of a run: trusted, accepted, committed, forgotten
mod afterwards; // runs that were cut off, runs beside each other, and what is done with one that has ended
mod agent_image; // the image of an agent that says what it is installed on
mod agents; // agents that Stockade knows: how they are started, and what they mean
mod boot; // `ralph --survive-reboot`: what is called at boot
mod build; // `stockade build`: ids, tags, errors, the cache
mod build_network; // what RUN reaches while building
mod chosen; // which run and which paths are meant
mod client_life; // the library's client: a container's life and its traps
mod client_resources; // the library's client: lists, files, secrets, volumes
mod configured; // what a directory asks for, and what it may have
mod connections; // connections that are shared, lost, answered too early
mod containerfile; // `ralph` without an image: what was built from the Containerfile here
mod containers; // ps, stop, kill, rm, wait, attach, start, inspect; ours and foreign
mod copied; // `ralph --workspace copy`, and workspaces that are only read
mod cp; // `stockade cp`: where things land, and whose they are
mod endurance; // two hundred lives, and nothing has grown
mod exec; // `stockade exec`: streams, terminals, exit codes
mod faults; // the client against a service that misbehaves (scripted)
mod forgery; // labels that claim to be ours
mod homes; // the home of an agent, which lasts as long as the run
mod hostile; // a tree that is made to do harm, all the way
mod image_content; // what images hold, against what podman builds
mod images; // images, rmi, tag, prune, pull
mod in_place; // what stands in the place of a file that a run reads
mod kept; // what checkpoints hold, and what an agent may not change
mod killed_client; // a client that is killed at each step of `run`
mod logs; // `stockade logs`: what was written, then and later
mod looking; // a diff that is watched, a pager, how many checkpoints are kept
mod lost; // a service that goes away while it is needed
mod meanwhile; // checkpoints while the agent works
mod night; // `stockade ralph`: a scripted agent, again and again
mod nouns; // verbs that take a container or a run
mod output; // what is kept of what an agent says
mod own_service; // a service of our own where none listens
mod planted; // what an agent may have left in a workspace, and workspaces that nobody may have
mod prompts; // what a person is told of a prompt and a promise, and what the agent gets of it
mod releases; // where releases answer differently
mod reported; // what the report of a run says, by how it ended
mod repository; // `ralph --git`, and what an agent leaves at the top
mod run; // `stockade run`: exit codes, streams, what is left
mod sandbox; // what a container finds itself in: user, files, network, limits
mod secret_values; // the value of a secret is in no checkpoint, no check and no record
mod signals; // signals, a client that is stopped or killed, fifty at once
mod steps; // a run that asks between iterations
mod story; // a whole night, at terminals
mod submodules; // `ralph --git` with repositories inside the workspace's
mod survival; // a service that is killed while it works, and started again
mod terminal; // `run -it` and `attach` on a real pseudo-terminal
mod unreachable; // sockets on which nobody answers, or not for long
mod verified; // what a run's verdict rests on, and the way back
mod version; // `stockade version`, and what is said without a service
mod watching; // stats, events, info

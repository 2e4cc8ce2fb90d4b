//! The Ralph loop: one task, the same prompt again and again, until the work is done; and the record
//! of it that outlives this process.
//!
//! A [`Task`] says what is to be done and when it is. A [`Run`] is one attempt at it: a private
//! directory with a [`journal`] of [`Event`]s and the agent's output. [`Night`] lives one
//! iteration after another in a sandbox, each a life of the same container, and ends with a
//! [`Verdict`]. It prints nothing: who wants to see reads the run's directory.

mod agent;
mod asleep;
mod checkpoints;
mod copying;
mod decision;
mod described;
mod difference;
mod error;
mod event;
mod follow;
mod growth;
mod inside;
mod life;
mod message;
mod modules;
mod newcomer;
mod night;
mod notes;
mod pace;
mod past;
mod promise;
mod prompt;
mod readable;
mod rebooted;
mod record;
mod refused;
mod report;
mod repository;
mod retention;
mod room;
mod sections;
mod segments;
mod selection;
mod started;
mod store;
mod task;
mod theirs;
mod transcript;
mod trouble;
mod verdict;
mod verification;
mod way_back;
mod weakened;
mod withheld;

pub mod files;
pub mod journal;

pub use agent::{Agent, Delivery, Promised, Voice};
pub use checkpoints::Checkpoints;
pub use copying::{Abandoned, Copying, clear_abandoned};
pub use decision::Decision;
pub use described::Described;
pub use difference::{Difference, Lines};
pub use error::{Error, Result};
pub use event::{During, Entry, Event};
pub use follow::Follow;
pub use growth::Grown;
pub use life::{Cut, Stop};
pub use message::{Field, Message};
pub use modules::{Module, Obeyed};
pub use newcomer::Newcomer;
pub use night::{Fault, Gate, Night, prompt};
pub use notes::Note;
pub use pace::{Answer, Pace};
pub use past::Progress;
pub use promise::{Claim, Extent, LastWords, Promise, Reading};
pub use prompt::{Failure, Finding, Prompt};
pub use readable::{As, Readable, Seen, Show};
pub use record::{Image, Keep, Record, Sleep, Workspace};
pub use report::{Iteration, Report, SetAside};
pub use repository::{GitAccess, Identity, IdentityKind, Repository};
pub use retention::{Retention, ranges};
pub use room::Low;
pub use segments::{Piece, read as read_output};
pub use selection::Findings;
pub use started::this_boot;
pub use store::{Held, Named, Run, RunId, Runs};
pub use task::{Budget, Check, Task};
pub use theirs::Theirs;
pub use trouble::{Errors, Refusal, Trouble};
pub use verdict::{Grade, Verdict};
pub use verification::unchecked;
pub use way_back::{Spared, WayBack};

/// Where the prompt is found in the sandbox: a read-only mount that follows the host's directory.
pub const PROMPT_DIRECTORY: &str = "/run/stockade";
/// Where the agent's copy of a repository finds the objects that it shares: read-only. Those of its
/// submodules have a number at the end.
pub const GIT_OBJECTS: &str = "/run/stockade-objects";
/// Where that copy is, if the workspace's `.git` is a file that names the place.
pub const GIT_DIRECTORY: &str = "/run/stockade-git";
/// Where a check finds the directory that the person gave for it.
pub const CHECK_DIRECTORY: &str = "/check";
/// The prompt of the iteration that runs.
pub const PROMPT_FILE: &str = "/run/stockade/prompt.md";
/// The promise of the phase that is worked on.
const PROMISE_FILE: &str = "/run/stockade/promise";

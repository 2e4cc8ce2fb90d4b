//! How a container ended: what is said of it, and our exit code.

use super::exit::Exit;
use super::ui::Ui;
use super::units;
use crate::sandbox::Outcome;

/// As a program ends that writes into a pipe without a reader: 128 + SIGPIPE.
pub const OUTPUT_GONE: Exit = Exit::Signal(13);

/// Says what the exit code does not.
pub fn report(outcome: &Outcome, ui: &Ui) {
    if outcome.oom_killed {
        let limit = match u64::try_from(outcome.memory_limit) {
            Ok(bytes @ 1..) => format!(" (limit: {})", units::size(bytes)),
            _ => String::new(),
        };
        ui.warning(&format!(
            "out of memory: the kernel killed a process of the container{limit}; raise `--memory`"
        ));
    }
    if outcome.exit_code == -1 {
        ui.warning("the container was ended at its `--timeout`");
    }
}

/// The container's own code; 125 where there is none.
pub fn exit(outcome: &Outcome) -> Exit {
    u8::try_from(outcome.exit_code).map_or(Exit::NotRun, Exit::Container)
}

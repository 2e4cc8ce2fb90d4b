//! How a container ended: what is said of it, and our exit code.

use super::error::CliError;
use super::exit::Exit;
use super::ui::Ui;
use super::units;
use crate::sandbox::Outcome;

/// As a program ends that writes into a pipe without a reader: 128 + SIGPIPE.
pub(crate) const OUTPUT_GONE: Exit = Exit::Signal(13);

/// Says what the exit code does not.
pub(crate) fn report(outcome: &Outcome, ui: &Ui) {
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

/// Says that the container runs on; on a line of its own, since the cursor may be anywhere.
pub(crate) fn detached(name: &str, ui: &Ui) {
    ui.status(&format!(
        "\nleft running; to join it again: `stockade attach {name}`"
    ));
}

/// The container's own code; 125 where there is none.
///
/// With an init as the first process a command that does not exist is the init's failure, which
/// ends with 1: it says so last. It is given the code that podman's users expect, and said again in
/// words.
pub(crate) fn exit(outcome: &Outcome, last_words: &[u8], command: Option<&str>, ui: &Ui) -> Exit {
    let Some(exit) = not_begun(outcome, last_words) else {
        return u8::try_from(outcome.exit_code).map_or(Exit::NotRun, Exit::Container);
    };
    let what = command.map_or_else(
        || "the container's command".to_owned(),
        |command| format!("the command `{command}`"),
    );
    let why = match exit {
        Exit::NotFound => "was not found in the container",
        _ => "cannot be executed in the container",
    };
    ui.error(&CliError::new(exit, format!("{what} {why}")));
    exit
}

/// How the init says that it could not start the command, if it does.
fn not_begun(outcome: &Outcome, last_words: &[u8]) -> Option<Exit> {
    const INIT: &str = "ERROR (catatonit:";
    let text = String::from_utf8_lossy(last_words);
    let line = text.lines().last().filter(|line| {
        outcome.exit_code == 1 && line.starts_with(INIT) && line.contains("failed to exec pid1")
    })?;
    Some(if line.contains("No such file") {
        Exit::NotFound
    } else {
        Exit::NotInvoked
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_the_init_cannot_start() {
        let ended = |exit_code, words: &str| {
            let outcome = Outcome {
                exit_code,
                oom_killed: false,
                memory_limit: 0,
                started_at: String::new(),
            };
            not_begun(&outcome, words.as_bytes()).map(Exit::code)
        };
        let missing = "ERROR (catatonit:6): failed to exec pid1: No such file or directory\n";
        assert_eq!(ended(1, missing), Some(127));
        assert_eq!(
            ended(
                1,
                &missing.replace("No such file or directory", "Permission denied")
            ),
            Some(126)
        );
        assert_eq!(ended(2, missing), None);
        assert_eq!(ended(1, "No such file or directory"), None);
        assert_eq!(ended(-1, ""), None);
    }
}

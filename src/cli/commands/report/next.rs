//! The verbs to go on with.

use crate::ralph::{RunId, Verdict};

/// Commands that fit how it ended.
pub(super) fn next(id: &RunId, verdict: Option<&Verdict>) -> Vec<String> {
    let mut lines = Vec::new();
    let mut say = |text: &str, verb: &str| lines.push(format!("- {text}: `stockade {verb} {id}`"));
    if verdict.is_none() {
        say("look at it", "watch");
        say("if nobody has it in hand", "resume");
    }
    say("what changed", "diff");
    say("what the agent wrote", "logs");
    say("what happened, and when", "show");
    if verdict.is_some() {
        say("take it", "accept");
    }
    say("the workspace as it was", "rollback");
    lines
}

//! What the real programs have printed, asked to write a calculator of a model that is scripted, or is not to be had.
//! Shortened: ids, figures and repetitions are left out.

use super::*;
use crate::ralph::message::Listener;
use crate::ralph::promise::{Claim, LastWords, Reading};
use crate::ralph::trouble::Trouble;

const TAG: &str = "<promise>COMPLETE</promise>";
const PROMPT: &str = "# Task: Create a Simple Calculator\n\nCreate calculator.py.\n\nWhen complete, output exactly this line:\n\n<promise>COMPLETE</promise>\n";

/// One iteration.
struct Iteration {
    what: &'static str,
    exit_code: i32,
    out: Vec<&'static str>,
    err: Vec<&'static str>,
}

/// `== WHAT EXIT-CODE`, then lines of `out| ` and `err| `.
fn read(text: &'static str) -> Vec<Iteration> {
    let mut all: Vec<Iteration> = Vec::new();
    for line in text.lines() {
        let (kind, rest) = line.split_at_checked(5).unwrap_or((line, ""));
        if let Some(head) = line.strip_prefix("== ") {
            let (what, exit_code) = head.split_once(' ').unwrap();
            all.push(Iteration {
                what,
                exit_code: exit_code.parse().unwrap(),
                out: Vec::new(),
                err: Vec::new(),
            });
            continue;
        }
        match (kind, all.last_mut()) {
            ("out| ", Some(last)) => last.out.push(rest),
            ("err| ", Some(last)) => last.err.push(rest),
            _ => assert!(line.starts_with('#'), "{line}"),
        }
    }
    all
}

impl Iteration {
    /// What is made of it, after so many lines.
    fn heard(&self, voice: &Voice, lines: usize) -> (String, Claim, Option<Trouble>) {
        let out: String = self
            .out
            .iter()
            .take(lines)
            .map(|l| format!("{l}\n"))
            .collect();
        let mut listener = Listener::new(voice.message.clone());
        listener.hear(out.as_bytes());
        listener.finish();
        let (message, failure) = (listener.message(), listener.failure());
        let promise = Promise::parse("COMPLETE").unwrap();
        let claim = LastWords::new(&message, voice.message.extent(), PROMPT)
            .claim(Some(&promise), Reading::Strict);
        let refusal = voice.refusal(Said {
            message: &message,
            failure: &failure,
            out: &out,
            err: &self.err.join("\n"),
            exit_code: self.exit_code,
        });
        let trouble = refusal.map(|refusal| refusal.trouble);
        (message, claim, trouble)
    }
}

#[track_caller]
fn understood(agent: &str, text: &'static str, least: usize) {
    let voice = Agent::preset(agent).unwrap().voice(agent);
    let iterations = read(text);
    assert!(iterations.len() >= least, "{agent}: {}", iterations.len());
    for iteration in iterations {
        let what = format!("{agent}, {}", iteration.what);
        let (message, claim, trouble) = iteration.heard(&voice, usize::MAX);
        let wanted = match iteration
            .what
            .split_once('-')
            .map_or(iteration.what, |(kind, _)| kind)
        {
            "works" => {
                assert_eq!(claim, Claim::Complete, "{what}: {message}");
                assert!(
                    message.contains("calculator.py is written and works."),
                    "{what}: {message}"
                );
                claims_late(&voice, &iteration);
                continue;
            }
            "auth" => Trouble::Auth,
            "quota" => Trouble::Quota,
            "model" => Trouble::Model,
            "limit" => Trouble::RateLimit,
            "unreachable" => Trouble::Unreachable,
            "overloaded" => Trouble::Overloaded,
            other => panic!("what is {other}?"),
        };
        assert_eq!(claim, Claim::None, "{what}");
        assert_eq!(trouble, Some(wanted), "{what}");
    }
}

/// What a tool has printed, and the prompt, claim nothing.
#[track_caller]
fn claims_late(voice: &Voice, iteration: &Iteration) {
    let claims = |lines: &usize| iteration.heard(voice, *lines).1 == Claim::Complete;
    let first = (0..=iteration.out.len()).find(claims).unwrap();
    let before = iteration.out.iter().take(first - 1);
    let printed = ["written\\n", "echo written"];
    let tool = before
        .filter(|line| line.contains(TAG) && printed.iter().any(|printed| line.contains(printed)));
    // aider has no tools
    assert!(tool.count() > 0 || voice.agent == "aider", "{first}");
}

macro_rules! recorded {
    ($($test:ident: $agent:literal, $least:literal;)*) => {$(
        #[test]
        fn $test() {
            understood($agent, include_str!(concat!("../agents/recorded/", $agent, ".txt")), $least);
        }
    )*};
}

recorded! {
    claude_code_is_understood: "claude", 10;
    codex_is_understood: "codex", 9;
    gemini_cli_is_understood: "gemini", 10;
    opencode_is_understood: "opencode", 9;
    aider_is_understood: "aider", 9;
    goose_is_understood: "goose", 10;
    patchpal_is_understood: "patchpal", 10;
    ralph_py_is_understood: "ralph.py", 8;
}

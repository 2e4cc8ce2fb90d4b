//! What the tests of a report are about: a run that asks for little.

use std::num::NonZeroU32;
use std::time::Duration;

use super::*;
use crate::ralph::{
    Budget, Check, Claim, Image, Iteration, Promise, Refusal, Task, Trouble, Verdict, Workspace,
};
use crate::sandbox::Usage;

/// A run with a check.
pub(super) fn record() -> Record {
    Record {
        version: Record::VERSION,
        begun: "2026-11-24T10:00:00Z".into(),
        boot: None,
        name: None,
        workspace: Workspace {
            path: "/w".into(),
            device: 1,
            inode: 2,
            device_then: None,
            target: "/workspace".into(),
            read_only: false,
        },
        original: None,
        repository: None,
        keep: Default::default(),
        image: Image {
            name: "i".into(),
            id: "1".into(),
        },
        voice: Default::default(),
        output: Record::OUTPUT,
        command: vec!["agent".into()],
        network: "full".into(),
        task: Task {
            phase: None,
            promise: Promise::parse("DONE").ok(),
            reading: Default::default(),
            check: Check::Command("true".into()),
            check_directory: None,
            protect: Vec::new(),
            budget: Budget {
                iterations: NonZeroU32::new(3).unwrap(),
                time: None,
                iteration_time: Some(Duration::from_secs(600)),
                no_progress: NonZeroU32::new(2),
                check_time: Duration::from_secs(1),
                api_patience: Duration::from_secs(100),
                least_free: 0,
                most_growth: 0,
            },
        },
        pace: Default::default(),
        asked: Default::default(),
        memory: Some(512 << 20),
        notify: None,
        sleep: Default::default(),
        then: Vec::new(),
        time: None,
    }
}

/// One that has ended so, after these iterations.
pub(super) fn report(verdict: Verdict, iterations: Vec<Iteration>) -> Report {
    let mut report = Report::of(&[]);
    (report.verdict, report.iterations) = (Some(verdict), iterations);
    report
}

/// One that changed something and claimed nothing.
pub(super) fn iteration(number: u32) -> Iteration {
    Iteration {
        number,
        begun: None,
        ended: "2026-11-24T10:00:00Z".into(),
        exit_code: 1,
        took: Duration::from_secs(1),
        oom_killed: false,
        cut: None,
        claim: Claim::None,
        changed: Some(1),
        difference: None,
        left_out: 0,
        refusal: None,
        missing: None,
        waited: Duration::ZERO,
        forks_refused: false,
        check: None,
        check_timed_out: false,
        used: Usage::default(),
    }
}

pub(super) fn refusal(trouble: Trouble) -> Refusal {
    Refusal {
        trouble,
        text: "by the *agent*".into(),
    }
}

#[test]
fn an_agents_words_are_text() {
    assert_eq!(
        escaped("no *cc* [x](y)\n# z"),
        "no \\*cc\\* \\[x\\](y)\\\\n\\# z"
    );
    assert_eq!(code("a`b\x1b"), "`a'b\\u{1b}`");
}

#[test]
fn json_has_the_advice_and_the_exit_code() {
    let id = RunId::parse("20261124-100000-abcdef").unwrap();
    let record = record();
    let told = |report: &Report| {
        let told = Told {
            id: &id,
            record: &record,
            report,
            described: None,
            concerns: None,
            unchecked: None,
            advice: advice::advice(&record, report, None, ""),
            last_hash: "",
        };
        (told.json(), told.markdown())
    };
    let ended = report(Verdict::Pids, vec![iteration(1)]);
    let (json, text) = told(&ended);
    assert_eq!(json["exit"], 21, "{json}");
    let advice = json["advice"].as_array().unwrap();
    assert!(!advice.is_empty());
    for line in advice {
        let line = format!("\n- {}\n", line.as_str().unwrap());
        assert!(text.contains(&line), "{line} in\n{text}");
    }
    let (live, _) = told(&Report::of(&[]));
    assert!(live["exit"].is_null() && live["advice"] == serde_json::json!([]));
}

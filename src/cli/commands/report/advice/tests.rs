use super::super::tests::{iteration, record, refusal, report};
use super::*;
use crate::ralph::{Cut, Grade, Grown, Low};

fn told(record: &Record, report: &Report) -> String {
    advice(record, report, None, "").join("\n")
}

#[test]
fn a_limit_of_memory_is_named() {
    let said = more_memory(512 << 20);
    assert!(
        said.contains("512 MiB") && said.contains("`--memory 1024m`"),
        "{said}"
    );
    assert!(!more_memory(0).contains("--memory"));
}

#[test]
fn what_iterations_died_of_is_told_where_they_are_used_up() {
    let mut iterations: Vec<Iteration> = (1..=6).map(iteration).collect();
    iterations[0].oom_killed = true;
    iterations[1].oom_killed = true;
    iterations[1].forks_refused = true;
    iterations[2].cut = Some(Cut::IterationTime);
    for (one, trouble) in
        iterations[3..]
            .iter_mut()
            .zip([Trouble::Auth, Trouble::RateLimit, Trouble::Unreachable])
    {
        one.refusal = Some(refusal(trouble));
    }
    let causes = [
        "in 2 iterations something was killed for want of memory; its limit was 512 MiB",
        "`--memory 1024m`",
        "in 1 iteration it was refused processes",
        "`--pids-limit`",
        "cut short after 10 min 0 s: 1 iteration;",
        "`--iteration-timeout`",
        "(the key is refused): ",
        "`--env-file`",
        "(rate-limited): ",
        "(unreachable): ",
        "`host.containers.internal`",
    ];
    for verdict in [
        Verdict::Iterations,
        Verdict::CheckFailed,
        Verdict::NoProgress { iterations: 2 },
        Verdict::Time,
    ] {
        let told = told(&record(), &report(verdict.clone(), iterations.clone()));
        for part in causes {
            assert!(told.contains(part), "{verdict:?}: `{part}` in\n{told}");
        }
        assert!(!told.contains("*agent*"), "{told}");
    }
    // It has no more to say of those that died of nothing, and where the verdict says it.
    let quiet = told(&record(), &report(Verdict::Iterations, vec![iteration(1)]));
    assert_eq!(quiet.lines().count(), 1, "{quiet}");
    let stopped = told(&record(), &report(Verdict::Stopped, iterations));
    assert_eq!(stopped.lines().count(), 1, "{stopped}");
}

#[test]
fn an_api_that_is_out_of_reach_may_be_this_machines() {
    let limited = |trouble| Verdict::RateLimited {
        refusal: refusal(trouble),
    };
    let told = |trouble| told(&record(), &report(limited(trouble), vec![iteration(1)]));
    assert!(told(Trouble::Unreachable).contains("`host.containers.internal`"));
    assert!(!told(Trouble::Overloaded).contains("host.containers"));
}

#[test]
fn a_key_that_is_refused_may_be_in_quotes() {
    let told = |trouble| {
        let refusal = refusal(trouble);
        told(
            &record(),
            &report(Verdict::ApiRefused { refusal }, vec![iteration(1)]),
        )
    };
    let auth = told(Trouble::Auth);
    for part in ["`--env-file`", "quotes and spaces", "CRLF is dropped"] {
        assert!(auth.contains(part), "{auth}");
    }
    assert!(told(Trouble::Quota).contains("may ask for no more"));
    assert!(told(Trouble::Model).contains("no such model"));
}

/// What its advice cannot do without. A verdict that is new has none until it is written here.
fn key(verdict: &Verdict) -> &'static [&'static str] {
    match verdict {
        Verdict::Verified { .. } => &["could fake", "`--check-dir`"],
        Verdict::Claimed => &["`stockade check --check COMMAND`"],
        Verdict::Unchecked => &["`stockade check --check COMMAND`", "`--check COMMAND`"],
        Verdict::CheckFailed => &[
            "in iteration 2, failed the check with 7",
            "`stockade logs --check=2`",
            "`--max-iterations 6`",
        ],
        Verdict::Iterations => &["failed the check with 7", "`--max-iterations 6`"],
        Verdict::Time => &["the time is used up", "`--time`"],
        Verdict::NoProgress { .. } => &["the last 2 iterations", "`--no-progress 4`"],
        Verdict::Blocked { .. } => &["answer the agent", "prompt of another run"],
        Verdict::OutOfMemory { .. } => &["64 MiB", "`--memory 128m`"],
        Verdict::ApiRefused { .. } => &["`-e` or `--env-file`"],
        Verdict::RateLimited { .. } => &["100 s", "`--api-patience`"],
        Verdict::Pids => &["processes", "`--pids-limit`"],
        Verdict::Disk { .. } => &["make room", "`--min-free`"],
        Verdict::Grown { .. } => &["`stockade diff --stat`", "`--max-growth`"],
        Verdict::Stopped => &["another run goes on with what there is"],
        Verdict::Failed { .. } => &["`stockade show`"],
    }
}

#[test]
fn every_verdict_has_its_advice() {
    let reason = || "in *its* words".to_owned();
    let every = [
        Verdict::Verified {
            grade: Grade::Protected,
        },
        Verdict::Verified {
            grade: Grade::AgentsTests,
        },
        Verdict::Claimed,
        Verdict::Unchecked,
        Verdict::CheckFailed,
        Verdict::Iterations,
        Verdict::Time,
        Verdict::NoProgress { iterations: 2 },
        Verdict::Blocked { reason: reason() },
        Verdict::OutOfMemory { limit: 64 << 20 },
        Verdict::ApiRefused {
            refusal: refusal(Trouble::Auth),
        },
        Verdict::RateLimited {
            refusal: refusal(Trouble::RateLimit),
        },
        Verdict::Pids,
        Verdict::Disk {
            low: Low {
                path: "/in *its* words".into(),
                free: 1,
                files: None,
            },
        },
        Verdict::Grown {
            grown: Grown { bytes: 2, most: 1 },
        },
        Verdict::Stopped,
        Verdict::Failed { reason: reason() },
    ];
    let mut iterations = vec![iteration(1), iteration(2)];
    (iterations[1].claim, iterations[1].check) = (Claim::Complete, Some(7));
    for verdict in every {
        let told = told(&record(), &report(verdict.clone(), iterations.clone()));
        for part in key(&verdict) {
            assert!(told.contains(part), "{verdict:?}: `{part}` in\n{told}");
        }
        // None of it is an agent's.
        assert!(!told.contains("*its*"), "{told}");
    }
}

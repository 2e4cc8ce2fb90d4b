use super::super::tests::{iteration, record, refusal, report};
use super::*;
use crate::ralph::Cut;

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

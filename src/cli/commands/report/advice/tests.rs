use super::super::tests::{iteration, record, refusal, report};
use super::*;

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
fn an_api_that_is_out_of_reach_may_be_this_machines() {
    let limited = |trouble| Verdict::RateLimited {
        refusal: refusal(trouble),
    };
    let told = |trouble| told(&record(), &report(limited(trouble), vec![iteration(1)]));
    assert!(told(Trouble::Unreachable).contains("`host.containers.internal`"));
    assert!(!told(Trouble::Overloaded).contains("host.containers"));
}

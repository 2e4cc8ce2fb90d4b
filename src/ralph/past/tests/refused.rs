//! Iterations that came to nothing, and the first of all.

use super::*;
use crate::ralph::Agent;

/// An iteration that says of its API what is in the journal, and took so many seconds.
fn refused(number: u32, trouble: Trouble, took: u64) -> Event {
    let mut event = ended(number, "it failed", Claim::None, None, 1);
    if let Event::Ended {
        refusal, took: t, ..
    } = &mut event
    {
        *refusal = Some(refusal_of(trouble));
        *t = took * 1000;
    }
    event
}

fn refusal_of(trouble: Trouble) -> Refusal {
    Refusal {
        trouble,
        text: "no".into(),
    }
}

fn waiting(seconds: u64) -> Event {
    Event::Waiting {
        until: "2026-11-24T10:00:05Z".into(),
        time: seconds * 1000,
        why: Trouble::RateLimit,
    }
}

fn add(past: &mut Past, events: Vec<Event>) {
    for event in events {
        past.add(&entry(event));
    }
}

fn begun(number: u32) -> Event {
    Event::Iteration {
        number,
        output: 7,
        boot: None,
        awake: None,
    }
}

fn back_off(seconds: u64, most: u64) -> Step {
    Step::BackOff {
        why: Trouble::RateLimit,
        time: Duration::from_secs(seconds),
        most: Duration::from_secs(most),
    }
}

#[test]
fn an_api_that_refuses_ends_the_run() {
    for trouble in [Trouble::Auth, Trouble::Quota, Trouble::Model] {
        let mut past = past(&[Kept(0, 0)]);
        add(&mut past, vec![refused(1, trouble, 1), kept(1, 0)]);
        let refusal = refusal_of(trouble);
        assert_eq!(
            past.next(&checked(), Stop::No),
            Step::End(Verdict::ApiRefused { refusal })
        );
        assert_eq!(
            past.next(&checked(), Stop::Gently),
            Step::End(Verdict::Stopped)
        );
    }
}

#[test]
fn words_are_not_believed_of_an_iteration_that_did_something() {
    let mut past = past(&[Kept(0, 0)]);
    add(&mut past, vec![refused(1, Trouble::Auth, 1), kept(1, 2)]);
    assert_eq!(past.next(&checked(), Stop::No), Step::Iterate);
    assert_eq!(past.iterations, 1);
}

/// Some lives that did something, failed, and said this.
fn at_work(past: &mut Past, lives: &[(u32, Trouble)]) {
    for (number, trouble) in lives {
        let (number, trouble) = (*number, *trouble);
        let life = vec![begun(number), refused(number, trouble, 60), kept(number, 2)];
        add(past, life);
    }
}

#[test]
fn words_that_come_again_are_believed_all_the_same() {
    let mut record = checked();
    record.task.budget.time = None;
    record.task.budget.iterations = NonZeroU32::MAX;
    let mut past = past(&[Kept(0, 0)]);
    at_work(
        &mut past,
        &[(1, Trouble::RateLimit), (2, Trouble::RateLimit)],
    );
    assert_eq!(past.next(&record, Stop::No), back_off(5, 100));
    // They count, and what they took is not time in which their API was waited for.
    assert_eq!(past.iterations, 2);
    for (number, time) in [(3, 10), (4, 20), (5, 40)] {
        add(&mut past, vec![waiting(5)]);
        past.waited();
        assert_eq!(past.next(&record, Stop::No), Step::Iterate);
        at_work(&mut past, &[(number, Trouble::RateLimit)]);
        assert_eq!(past.next(&record, Stop::No), back_off(time, 100));
    }
    record.task.budget.iterations = NonZeroU32::new(5).unwrap();
    let used_up = Step::End(Verdict::Iterations);
    assert_eq!(past.next(&record, Stop::No), used_up);
    // One that does not fail has had its answers.
    record.task.budget.iterations = NonZeroU32::MAX;
    let well = ended(6, "done", Claim::None, None, 0);
    add(&mut past, vec![begun(6), well, kept(6, 2)]);
    at_work(&mut past, &[(7, Trouble::RateLimit)]);
    assert_eq!(past.next(&record, Stop::No), Step::Iterate);
}

#[test]
fn what_an_agent_may_have_met_at_its_work_ends_nothing_at_once() {
    let refusal = refusal_of(Trouble::Auth);
    let end = Step::End(Verdict::ApiRefused { refusal });
    let mut record = checked();
    record.task.budget.time = None;
    record.task.budget.no_progress = None;
    record.task.budget.iterations = NonZeroU32::MAX;
    let next = |record: &Record, lives: &[Trouble]| {
        let mut past = past(&[Kept(0, 0)]);
        let lives: Vec<_> = (1..).zip(lives.iter().copied()).collect();
        at_work(&mut past, &lives);
        past.next(record, Stop::No)
    };
    let back = |step| {
        matches!(
            step,
            Step::BackOff {
                why: Trouble::Auth,
                ..
            }
        )
    };
    assert!(back(next(&record, &[Trouble::Auth; 2])));
    assert!(back(next(&record, &[Trouble::Auth; 4])));
    // Nobody works on the same words for so long.
    assert_eq!(next(&record, &[Trouble::Auth; 5]), end);
    record.voice = Agent::preset("patchpal").unwrap().voice("patchpal");
    assert_eq!(next(&record, &[Trouble::Auth; 2]), end);
    let others = [Trouble::Auth, Trouble::RateLimit, Trouble::Auth];
    assert_eq!(next(&record, &others), Step::Iterate);
}

#[test]
fn an_api_with_trouble_is_given_time_and_the_iteration_does_not_count() {
    let mut record = checked();
    record.task.budget.iterations = NonZeroU32::MIN;
    record.task.budget.time = None;
    let mut past = past(&[Kept(0, 0)]);
    let mut next = |events| {
        add(&mut past, events);
        past.next(&record, Stop::No)
    };
    let again = || vec![begun(1), refused(1, Trouble::RateLimit, 0), kept(1, 0)];
    assert_eq!(next(again()), back_off(5, 100));
    let until = "2026-11-24T10:00:05Z".to_owned();
    assert_eq!(next(vec![waiting(5)]), Step::Wait(until));
    assert_eq!(next(again()), back_off(10, 95));
    let _ = next(vec![waiting(10)]);
    assert_eq!(next(again()), back_off(20, 85));
    // As a process that takes the run up sees it.
    past.waited();
    assert_eq!(past.next(&record, Stop::No), Step::Iterate);
    assert_eq!(
        (past.iterations, past.same_tree, past.same_words),
        (0, 0, 0)
    );
    add(
        &mut past,
        vec![begun(1), ended(1, "x", Claim::None, None, 1), kept(2, 1)],
    );
    let used_up = Step::End(Verdict::Iterations);
    assert_eq!(past.next(&record, Stop::No), used_up);
}

#[test]
fn time_that_is_waited_is_used_up() {
    let mut past = past(&[Kept(0, 0)]);
    let record = checked();
    add(
        &mut past,
        vec![refused(1, Trouble::RateLimit, 60), kept(1, 0)],
    );
    // 100 s are there, and 100 s of patience.
    assert_eq!(past.next(&record, Stop::No), back_off(5, 40));
    add(&mut past, vec![waiting(40)]);
    past.waited();
    assert_eq!(past.next(&record, Stop::No), Step::End(Verdict::Time));
    let mut run = record;
    run.task.budget.time = None;
    run.time = Some(Duration::from_secs(103));
    // What was waited, and the second.
    run.task.budget.api_patience = Duration::from_secs(41);
    add(
        &mut past,
        vec![begun(1), refused(1, Trouble::RateLimit, 1), kept(1, 0)],
    );
    let refusal = refusal_of(Trouble::RateLimit);
    assert_eq!(
        past.next(&run, Stop::No),
        Step::End(Verdict::RateLimited { refusal })
    );
    run.task.budget.api_patience = Duration::from_secs(1000);
    assert_eq!(past.next(&run, Stop::No), back_off(10, 2));
    run.time = Some(Duration::from_secs(101));
    assert_eq!(past.next(&run, Stop::No), Step::End(Verdict::Time));
}

#[test]
fn patience_is_for_trouble_in_a_row() {
    let mut record = checked();
    record.task.budget.time = None;
    let mut past = past(&[Kept(0, 0)]);
    // What the first of a row took was not waiting: it may have worked on what no checkpoint holds.
    for (took, most) in [(3600, 100), (99, 1)] {
        let life = vec![refused(1, Trouble::RateLimit, took), kept(1, 0)];
        add(&mut past, life);
        let next = past.next(&record, Stop::No);
        let Step::BackOff { most: left, .. } = next else {
            panic!("{next:?}");
        };
        assert_eq!(left.as_secs(), most);
    }
    let through = vec![begun(1), ended(1, "x", Claim::None, None, 0), kept(2, 1)];
    add(&mut past, through);
    add(
        &mut past,
        vec![refused(2, Trouble::RateLimit, 0), kept(3, 0)],
    );
    assert_eq!(past.next(&record, Stop::No), back_off(5, 100));
    assert_eq!(past.iterations, 1);
}

#[test]
fn the_longest_wait_is_five_minutes() {
    let mut record = checked();
    record.task.budget.time = None;
    record.task.budget.api_patience = Duration::from_secs(100_000);
    let mut past = past(&[Kept(0, 0)]);
    for _ in 0..40 {
        add(
            &mut past,
            vec![refused(1, Trouble::RateLimit, 0), kept(1, 0)],
        );
    }
    assert_eq!(past.next(&record, Stop::No), back_off(300, 100_000));
}

#[test]
fn a_command_that_is_not_there_is_not_looked_for_again() {
    let end = |number, code, changed| {
        let mut past = past(&[Kept(0, 0)]);
        let event = ended(number, "", Claim::None, None, code);
        add(&mut past, vec![event, kept(1, changed)]);
        match past.next(&checked(), Stop::No) {
            Step::End(Verdict::Failed { reason }) => reason,
            other => format!("{other:?}"),
        }
    };
    let none = "the agent's command was not found in the image (it ended with 127)";
    assert_eq!(end(1, 127, 0), none);
    assert!(end(1, 126, 0).contains("cannot be run"));
    for (number, code, changed) in [(2, 127, 0), (1, 127, 1), (1, 1, 0), (1, 0, 0)] {
        assert_eq!(end(number, code, changed), "Iterate");
    }
}

#[test]
fn a_program_without_a_file_is_not_begun_again() {
    let end = |number, changed| {
        let mut past = past(&[Kept(0, 0)]);
        let mut event = ended(number, "", Claim::None, None, 2);
        if let Event::Ended { missing, .. } = &mut event {
            *missing = Some("python: can't open file 'ralph.py'".into());
        }
        add(&mut past, vec![event, kept(1, changed)]);
        past.next(&checked(), Stop::No)
    };
    let reason = "the agent's command found no file to run: python: can't open file 'ralph.py' (it ended with 2)";
    let reason = reason.to_owned();
    assert_eq!(end(1, 0), Step::End(Verdict::Failed { reason }));
    // Once it has done something, it is the agent's own affair.
    assert_eq!((end(1, 1), end(2, 0)), (Step::Iterate, Step::Iterate));
}

fn low() -> Low {
    Low {
        path: "/w".into(),
        free: 9 << 20,
        files: None,
    }
}

#[test]
fn a_disk_that_is_nearly_full_ends_the_run() {
    let full = || Event::Disk { low: low() };
    let end = Step::End(Verdict::Disk { low: low() });
    let mut before = past(&[Kept(0, 0)]);
    add(&mut before, vec![full()]);
    assert_eq!(before.next(&checked(), Stop::No), end);
    // Whoever takes it up looks again.
    let version = "1".to_owned();
    add(&mut before, vec![Event::Resumed { version }]);
    assert_eq!(before.next(&checked(), Stop::No), Step::Iterate);
    let mut within = past(&[Kept(0, 0), Began(1)]);
    let cut = ended(1, "x", Claim::None, Some(Cut::Disk), 143);
    add(&mut within, vec![full(), cut]);
    assert_eq!(within.next(&checked(), Stop::No), Step::Checkpoint);
    within.not_kept();
    assert_eq!(within.next(&checked(), Stop::No), end);
}

#[test]
fn processes_may_run_out_once() {
    let refused = |number, claim| {
        let mut event = ended(number, "x", claim, None, 1);
        if let Event::Ended { forks_refused, .. } = &mut event {
            *forks_refused = true;
        }
        event
    };
    let after = |events: Vec<Event>| {
        let mut past = past(&[Kept(0, 0)]);
        add(&mut past, events);
        past.next(&task(Check::Missing), Stop::No)
    };
    let first = || vec![refused(1, Claim::None), kept(1, 1)];
    let second = |event| [first(), vec![event, kept(2, 1)]].concat();
    assert_eq!(after(first()), Step::Iterate);
    assert_eq!(
        after(second(refused(2, Claim::None))),
        Step::End(Verdict::Pids)
    );
    let well = ended(2, "y", Claim::None, None, 0);
    assert_eq!(after(second(well)), Step::Iterate);
    let claims = refused(2, Claim::Complete);
    assert_eq!(after(second(claims)), Step::End(Verdict::Unchecked));
}

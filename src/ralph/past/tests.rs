use std::num::NonZeroU32;

use super::*;
use crate::ralph::life::Stop;
use crate::ralph::promise::{Promise, Reading};
use crate::ralph::record::Record;
use crate::ralph::store::tests::record_of;
use crate::ralph::task::{Budget, Check, Task};
use crate::sandbox::Usage;

mod meanwhile;
mod refused;

fn task(check: Check) -> Record {
    record_of(Task {
        phase: None,
        promise: Some(Promise::parse("DONE").unwrap()),
        reading: Reading::Strict,
        check,
        check_directory: None,
        protect: Vec::new(),
        budget: Budget {
            iterations: NonZeroU32::new(3).unwrap(),
            time: Some(Duration::from_secs(100)),
            iteration_time: None,
            no_progress: NonZeroU32::new(2),
            check_time: Duration::from_secs(1),
            api_patience: Duration::from_secs(100),
            least_free: 0,
            most_growth: 0,
        },
    })
}

fn checked() -> Record {
    task(Check::Command("true".into()))
}

/// Events, as short as they can be written.
enum Then {
    Began(u32),
    Ended(u32, &'static str),
    Claimed(u32),
    Cut(u32, Cut),
    Memory(u32),
    Kept(u32, u64),
    Checked(u32, i32),
}

fn past(events: &[Then]) -> Past {
    let mut past = Past::of(&[]);
    for then in events {
        let event = match then {
            Began(number) => Event::Iteration {
                number: *number,
                output: 7,
                boot: None,
                awake: None,
            },
            Ended(number, words) => ended(*number, words, Claim::None, None, 0),
            Claimed(number) => ended(*number, "x", Claim::Complete, None, 0),
            Then::Cut(number, cut) => ended(*number, "x", Claim::Complete, Some(*cut), 0),
            Memory(number) => ended(*number, "", Claim::None, None, 137),
            Kept(number, changed) => kept(*number, *changed),
            Checked(number, exit_code) => checked_with(*number, *exit_code),
        };
        past.add(&entry(event));
    }
    past
}

fn entry(event: Event) -> Entry {
    Entry {
        line: 0,
        at: "2026-11-24T10:00:00Z".into(),
        before: String::new(),
        event,
    }
}

fn kept(number: u32, changed: u64) -> Event {
    Event::Checkpoint {
        number,
        files: 1,
        bytes: 1,
        changed,
        difference: None,
        left_out: 0,
        too_much: 0,
        took: 1,
        during: None,
    }
}

fn checked_with(number: u32, exit_code: i32) -> Event {
    Event::Checked {
        number,
        exit_code,
        timed_out: false,
        took: 1000,
        findings: Default::default(),
    }
}

fn ended(number: u32, words: &str, claim: Claim, cut: Option<Cut>, exit_code: i32) -> Event {
    Event::Ended {
        number,
        exit_code,
        oom_killed: exit_code == 137,
        memory_limit: 64,
        took: 40_000,
        output: 9,
        started: String::new(),
        cut,
        claim,
        words: words.into(),
        refusal: None,
        missing: None,
        forks_refused: false,
        used: Usage::default(),
    }
}

use Then::{Began, Checked, Claimed, Ended, Kept, Memory};

#[test]
fn a_run_begins_with_a_checkpoint_and_goes_on_with_one_after_each_iteration() {
    let task = checked();
    let next = |events: &[Then]| past(events).next(&task, Stop::No);
    assert_eq!(next(&[]), Step::Checkpoint);
    assert_eq!(next(&[Kept(0, 0)]), Step::Iterate);
    let open = Open {
        number: 1,
        output: 7,
        at: "2026-11-24T10:00:00Z".into(),
        boot: None,
        awake: None,
    };
    assert_eq!(next(&[Kept(0, 0), Began(1)]), Step::TakeUp(open));
    assert_eq!(
        next(&[Kept(0, 0), Began(1), Ended(1, "a")]),
        Step::Checkpoint
    );
    assert_eq!(
        next(&[Kept(0, 0), Began(1), Ended(1, "a"), Kept(1, 4)]),
        Step::Iterate
    );
}

#[test]
fn a_claim_is_checked_once() {
    let claimed = [Kept(0, 0), Claimed(1), Kept(1, 1)];
    assert_eq!(past(&claimed).next(&checked(), Stop::No), Step::Verify(1));
    let end = |verdict| Step::End(verdict);
    let waived = past(&claimed).next(&task(Check::Waived), Stop::No);
    assert_eq!(waived, end(Verdict::Claimed));
    let missing = past(&claimed).next(&task(Check::Missing), Stop::No);
    assert_eq!(missing, end(Verdict::Unchecked));
    let grade = Grade::Protected;
    let verified = end(Verdict::Verified { grade });
    let passed = [Kept(0, 0), Claimed(1), Kept(1, 1), Checked(1, 0)];
    assert_eq!(
        past(&passed).next(&checked(), Stop::No),
        Step::End(Verdict::Verified { grade })
    );
    // Also when somebody stops it at this moment: it is done.
    assert_eq!(past(&passed).next(&checked(), Stop::Now), verified);
    let failed = [Kept(0, 0), Claimed(1), Kept(1, 1), Checked(1, 2)];
    assert_eq!(past(&failed).next(&checked(), Stop::No), Step::Iterate);
    assert_eq!(past(&failed).check_failed, Some(1));
}

#[test]
fn what_is_used_up_ends_it() {
    let next = |events: &[Then]| past(events).next(&checked(), Stop::No);
    let three = [
        Kept(0, 0),
        Ended(1, "a"),
        Kept(1, 1),
        Ended(2, "b"),
        Kept(2, 1),
        Ended(3, "c"),
        Kept(3, 1),
    ];
    // Two iterations of forty seconds leave time, three do not: that is said first.
    assert_eq!(next(&three), Step::End(Verdict::Time));
    assert_eq!(next(&three[..5]), Step::Iterate);
    let failed = [Kept(0, 0), Claimed(3), Kept(3, 1), Checked(3, 1)];
    assert_eq!(next(&failed), Step::End(Verdict::CheckFailed));
    assert_eq!(
        next(&[Kept(0, 0), Ended(3, "c"), Kept(3, 1)]),
        Step::End(Verdict::Iterations)
    );
}

#[test]
fn where_nothing_can_change_only_words_are_no_progress() {
    let mut record = checked();
    record.workspace.read_only = true;
    record.task.budget.no_progress = NonZeroU32::new(1);
    let next = |second: &'static str| {
        let events = [
            Kept(0, 0),
            Ended(1, "a"),
            Kept(1, 0),
            Ended(2, second),
            Kept(2, 0),
        ];
        past(&events).next(&record, Stop::No)
    };
    assert_eq!(next("b"), Step::Iterate);
    assert_ne!(next("a"), Step::Iterate);
}

#[test]
fn no_progress_is_an_unchanged_tree_or_the_same_words() {
    let next = |events: &[Then]| past(events).next(&checked(), Stop::No);
    let stuck = Step::End(Verdict::NoProgress { iterations: 2 });
    assert_eq!(
        next(&[
            Kept(0, 0),
            Ended(1, "a"),
            Kept(1, 0),
            Ended(2, "b"),
            Kept(2, 0)
        ]),
        stuck
    );
    assert_eq!(
        next(&[
            Kept(0, 0),
            Ended(1, "a"),
            Kept(1, 0),
            Ended(2, "b"),
            Kept(2, 1)
        ]),
        Step::Iterate
    );
    // As many messages that are the same, and no more: the first is one of them.
    let mut short = [
        Kept(0, 0),
        Ended(1, "a"),
        Kept(1, 1),
        Ended(2, "a"),
        Kept(2, 1),
    ];
    let mut patient = checked();
    patient.task.budget.time = None;
    assert_eq!(past(&short).next(&patient, Stop::No), stuck);
    assert_eq!(past(&short[..3]).next(&patient, Stop::No), Step::Iterate);
    // One alone says the same as nothing.
    patient.task.budget.no_progress = NonZeroU32::new(1);
    assert_eq!(past(&short[..3]).next(&patient, Stop::No), Step::Iterate);
    assert_eq!(past(&short).next(&patient, Stop::No), stuck);
    patient.task.budget.no_progress = NonZeroU32::new(3);
    assert_eq!(past(&short).next(&patient, Stop::No), Step::Iterate);
    patient.task.budget.no_progress = NonZeroU32::new(2);
    short[1] = Ended(1, "");
    short[3] = Ended(2, "");
    assert_eq!(past(&short).next(&patient, Stop::No), Step::Iterate);
}

#[test]
fn an_iteration_that_was_cut_claims_nothing() {
    let next =
        |cut, stop| past(&[Kept(0, 0), Then::Cut(1, cut), Kept(1, 1)]).next(&checked(), stop);
    assert_eq!(next(Cut::IterationTime, Stop::No), Step::Iterate);
    assert_eq!(
        next(Cut::IterationTime, Stop::Gently),
        Step::End(Verdict::Stopped)
    );
    assert_eq!(next(Cut::Stopped, Stop::No), Step::End(Verdict::Stopped));
    assert_eq!(next(Cut::Time, Stop::No), Step::End(Verdict::Time));
}

#[test]
fn memory_may_run_out_once() {
    let next = |events: &[Then]| past(events).next(&checked(), Stop::No);
    let once = [Kept(0, 0), Memory(1), Kept(1, 1)];
    assert_eq!(next(&once), Step::Iterate);
    let twice = [Kept(0, 0), Memory(1), Kept(1, 1), Memory(2), Kept(2, 1)];
    assert_eq!(next(&twice), Step::End(Verdict::OutOfMemory { limit: 64 }));
    let between = [
        Kept(0, 0),
        Memory(0),
        Kept(1, 1),
        Ended(1, "a"),
        Kept(2, 1),
        Memory(2),
        Kept(3, 1),
    ];
    let mut patient = checked();
    patient.task.budget.time = None;
    assert_eq!(past(&between).next(&patient, Stop::No), Step::Iterate);
}

#[test]
fn phases_come_one_after_the_other_and_the_run_is_as_good_as_the_weakest() {
    let mut record = checked();
    let mut last = task(Check::Command("true".into())).task;
    last.budget.iterations = NonZeroU32::new(1).unwrap();
    record.then.push(last);
    let grade = Grade::AgentsTests;
    let mut past = past(&[
        Kept(0, 0),
        Ended(1, "a"),
        Kept(1, 1),
        Claimed(2),
        Kept(2, 1),
        Checked(2, 0),
    ]);
    let verified = |grade| Verdict::Verified { grade };
    let step = past.next(&record, Stop::No);
    assert_eq!(step, Step::Phase(verified(Grade::Protected)));
    past.add(&entry(Event::Phase {
        number: 2,
        verdict: verified(grade),
    }));
    // Neither the iterations, nor the time, nor the claim of the phase before count for this one.
    assert_eq!(past.next(&record, Stop::No), Step::Iterate);
    past.add(&entry(ended(3, "x", Claim::Complete, None, 0)));
    past.add(&entry(kept(3, 1)));
    assert_eq!(past.next(&record, Stop::No), Step::Verify(3));
    past.add(&entry(checked_with(3, 0)));
    let end = Step::End(verified(grade));
    assert_eq!(past.next(&record, Stop::No), end);
    // But the whole run's time does.
    record.time = Some(Duration::from_secs(100));
    assert_eq!(past.next(&record, Stop::No), end);
    past.add(&entry(checked_with(3, 1)));
    assert_eq!(
        past.next(&record, Stop::No),
        Step::End(Verdict::CheckFailed)
    );
    record.then[0].budget.iterations = NonZeroU32::new(9).unwrap();
    assert_eq!(past.next(&record, Stop::No), Step::End(Verdict::Time));
}

#[test]
fn a_note_joins_the_next_prompt_or_all() {
    let mut past = past(&[Kept(0, 0)]);
    for (id, always) in [("1", false), ("2", true)] {
        let (id, text) = (id.to_owned(), id.to_owned());
        past.add(&entry(Event::Told { id, text, always }));
    }
    assert!(past.has_heard("1") && !past.has_heard("3"));
    past.add(&entry(Event::Iteration {
        number: 1,
        output: 0,
        boot: None,
        awake: None,
    }));
    assert_eq!(past.notes(), ["1", "2"]);
    past.add(&entry(ended(1, "x", Claim::None, None, 0)));
    assert_eq!(past.notes(), ["2"]);
}

#[test]
fn a_claim_is_checked_only_while_there_is_time() {
    let task = checked();
    let claimed = [
        Kept(0, 0),
        Ended(1, "a"),
        Kept(1, 1),
        Claimed(2),
        Kept(2, 1),
    ];
    assert_eq!(past(&claimed).next(&task, Stop::No), Step::Verify(2));
    let mut hasty = task.clone();
    hasty.task.budget.time = Some(Duration::from_secs(80));
    assert_eq!(
        past(&claimed).next(&hasty, Stop::No),
        Step::End(Verdict::Time)
    );
    let mut whole = task;
    whole.time = Some(Duration::from_secs(80));
    assert_eq!(
        past(&claimed).next(&whole, Stop::No),
        Step::End(Verdict::Time)
    );
}

#[test]
fn what_was_said_when_nobody_saw_the_end_is_no_claim() {
    for why in [Cut::MachineDown, Cut::LostSight] {
        let cut = [Kept(0, 0), Then::Cut(1, why), Kept(1, 1)];
        assert_eq!(past(&cut).next(&checked(), Stop::No), Step::Iterate);
    }
}

#[test]
fn checkpoints_that_were_checked_stay_whoever_asked() {
    let mut past = past(&[
        Kept(0, 0),
        Ended(1, "a"),
        Kept(1, 1),
        Ended(2, "b"),
        Kept(2, 1),
    ]);
    past.add(&entry(Event::Checking {
        number: 2,
        checkpoint: 2,
        container: "check".into(),
    }));
    past.add(&entry(Event::CheckedAgain {
        checkpoint: 1,
        other: Some("ls".into()),
        exit_code: 1,
        cut: None,
        took: 1,
        findings: Default::default(),
    }));
    assert_eq!(past.checked_on, BTreeSet::from([1, 2]));
}

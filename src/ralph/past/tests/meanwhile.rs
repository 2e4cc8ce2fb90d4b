//! Checkpoints while the agent worked are as good as none.

use super::*;

fn during(number: u32, changed: u64, during: During) -> Event {
    match kept(number, changed) {
        Event::Checkpoint {
            files,
            bytes,
            difference,
            left_out,
            too_much,
            took,
            ..
        } => Event::Checkpoint {
            number,
            files,
            bytes,
            changed,
            difference,
            left_out,
            too_much,
            took,
            during: Some(during),
        },
        other => other,
    }
}

/// The same with one of them after each event in an iteration, and without.
fn both(events: &[Event]) -> (Past, Past) {
    let (mut with, mut without) = (Past::of(&[]), Past::of(&[]));
    for (number, event) in (100..).zip(events) {
        without.add(&entry(event.clone()));
        with.add(&entry(event.clone()));
        for (changed, how) in [(0, During::Frozen), (7, During::Unfrozen)] {
            with.add(&entry(during(number, changed, how)));
        }
    }
    (with, without)
}

#[test]
fn what_comes_next_does_not_depend_on_them() {
    let task = checked();
    let claims = |number| ended(number, "x", Claim::Complete, None, 0);
    let silent = |number| ended(number, "", Claim::None, None, 0);
    let refused = || {
        let mut event = silent(1);
        if let Event::Ended { refusal, .. } = &mut event {
            *refusal = Some(Refusal {
                trouble: Trouble::RateLimit,
                text: "429".into(),
            });
        }
        event
    };
    let begins = |number| Event::Iteration {
        number,
        output: 0,
        boot: None,
        awake: None,
    };
    let nights = [
        vec![kept(0, 0), begins(1), claims(1), kept(1, 3)],
        vec![
            kept(0, 0),
            begins(1),
            claims(1),
            kept(1, 3),
            checked_with(1, 0),
        ],
        vec![
            kept(0, 0),
            begins(1),
            silent(1),
            kept(1, 0),
            begins(2),
            silent(2),
            kept(2, 0),
        ],
        vec![kept(0, 0), begins(1), refused(), kept(1, 0)],
        vec![kept(0, 0), begins(1), refused(), kept(1, 2)],
    ];
    for night in nights {
        for end in 0..=night.len() {
            let (with, without) = both(&night[..end]);
            assert_eq!(with.next(&task, Stop::No), without.next(&task, Stop::No));
            assert_eq!(with.checkpoint, without.checkpoint);
            assert_eq!(with.checked_on, without.checked_on);
            assert_eq!(with.meanwhile.len(), end);
        }
    }
}

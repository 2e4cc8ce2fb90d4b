use std::num::NonZeroU32;
use std::os::unix::fs::MetadataExt as _;

use super::*;
use crate::ralph::event::Event;
use crate::ralph::journal::Journal;
use crate::ralph::record::{Image, Workspace};
use crate::ralph::task::{Budget, Check, Task};

/// A record of what asks for little.
pub(crate) fn record_of(task: Task) -> Record {
    Record {
        version: Record::VERSION,
        begun: "2026-11-24T10:00:00Z".into(),
        boot: None,
        name: Some("nightly".into()),
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
        task,
        pace: Default::default(),
        asked: Default::default(),
        memory: None,
        notify: None,
        sleep: Default::default(),
        then: Vec::new(),
        time: None,
    }
}

/// A run that asks for little.
pub(crate) fn run_in(state: &Path) -> Run {
    let record = record_of(Task {
        phase: None,
        promise: None,
        reading: Default::default(),
        check: Check::Missing,
        check_directory: None,
        protect: Vec::new(),
        budget: Budget {
            iterations: NonZeroU32::MIN,
            time: None,
            iteration_time: None,
            no_progress: None,
            check_time: Duration::from_secs(1),
            api_patience: Duration::from_secs(1),
            least_free: 0,
            most_growth: 0,
        },
    });
    let id = RunId::new(jiff::Timestamp::now(), [1, 2, 3]);
    let runs = Runs::open(state).unwrap();
    runs.begin(&id, &record, &["Do it.".to_owned()]).unwrap()
}

#[test]
fn a_run_is_found_by_what_a_person_remembers() {
    let dir = tempfile::tempdir().unwrap();
    let run = run_in(dir.path());
    let runs = Runs::open(dir.path()).unwrap();
    let id = run.id().as_str();
    for (word, named) in [
        (id, Named::Whole),
        ("nightly", Named::Loosely),
        (&id[..12], Named::Loosely),
        ("010203", Named::Loosely),
        ("0203", Named::Loosely),
    ] {
        assert_eq!(runs.find(word).unwrap(), (run.clone(), named), "{word:?}");
    }
    // Too short to be meant for it.
    for word in ["", "other", "..", "/", "203", "3", &id[..7]] {
        assert!(runs.find(word).is_err(), "{word:?}");
    }
    assert_eq!(runs.last().unwrap(), run);
    let workspace = &run.record().unwrap().workspace.path;
    for place in [workspace.clone(), workspace.join("src")] {
        assert_eq!(runs.last_at(&place).unwrap(), Some(run.clone()));
    }
    assert_eq!(runs.last_at(Path::new("/")).unwrap(), None);
    assert_eq!(run.record().unwrap().name.as_deref(), Some("nightly"));
    assert_eq!(run.prompts(1).unwrap(), [Prompt::new("Do it.")]);
}

#[test]
fn one_process_at_a_time_has_it_in_hand() {
    let dir = tempfile::tempdir().unwrap();
    let run = run_in(dir.path());
    let held = run.hold().unwrap();
    assert!(matches!(run.hold(), Err(Error::Busy { .. })));
    drop(held);
    assert!(!run.is_held());
}

#[test]
fn a_stop_can_be_asked_for_and_withdrawn() {
    let dir = tempfile::tempdir().unwrap();
    let run = run_in(dir.path());
    assert_eq!(run.asked_to_stop(), Stop::No);
    run.ask_to_stop(Stop::Gently).unwrap();
    run.ask_to_stop(Stop::Now).unwrap();
    assert_eq!(run.asked_to_stop(), Stop::Now);
    run.withdraw_stop().unwrap();
    assert_eq!(run.asked_to_stop(), Stop::No);
}

#[test]
fn nothing_of_it_is_for_others() {
    let dir = tempfile::tempdir().unwrap();
    let run = run_in(dir.path());
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!(mode(run.directory()), 0o700);
    assert_eq!(mode(&run.record_path()), 0o600);
    fs::set_permissions(dir.path().join("runs"), fs::Permissions::from_mode(0o755)).unwrap();
    assert!(Runs::open(dir.path()).is_err());
}

#[test]
fn runs_of_one_second_are_in_the_order_in_which_they_began() {
    let dir = tempfile::tempdir().unwrap();
    let first = run_in(dir.path());
    let record = first.record().unwrap();
    first.discard().unwrap();
    let runs = Runs::open(dir.path()).unwrap();
    let now = jiff::Timestamp::now();
    let made: Vec<RunId> = [9, 1, 5]
        .map(|random| RunId::new(now, [random, 0, 0]))
        .into();
    for (id, second) in made.iter().zip(1..) {
        let run = runs.begin(id, &record, &[]).unwrap();
        // The file system's clock may not have ticked between them.
        let file = File::options().write(true).open(run.record_path()).unwrap();
        let at = std::time::UNIX_EPOCH + Duration::from_secs(second);
        file.set_modified(at).unwrap();
    }
    let listed = runs.list().unwrap();
    let listed: Vec<&RunId> = listed.iter().map(Run::id).collect();
    assert_eq!(listed, made.iter().collect::<Vec<_>>());
}

#[test]
fn what_was_never_written_whole_goes_when_the_next_one_begins() {
    let dir = tempfile::tempdir().unwrap();
    let run = run_in(dir.path());
    let runs = Runs::open(dir.path()).unwrap();
    let half = dir.path().join("runs/20261124-100000-aabbcc");
    fs::create_dir_all(half.join("prompt")).unwrap();
    fs::create_dir(dir.path().join("runs/notes")).unwrap();
    let _turn = runs.turn().unwrap();
    assert!(!half.exists());
    assert!(dir.path().join("runs/notes").exists());
    assert!(run.record().is_ok());
}

#[test]
fn of_a_record_that_another_version_wrote_it_is_told_which() {
    let dir = tempfile::tempdir().unwrap();
    let run = run_in(dir.path());
    let path = run.directory().join("run.json");
    let whole = fs::read_to_string(&path).unwrap();
    let why = || format!("{:?}", run.record().unwrap_err());
    fs::write(&path, whole.replace("\"network\"", "\"net\"")).unwrap();
    assert!(why().contains("missing field"), "{}", why());
    assert!(!why().contains("wrote it"), "{}", why());
    let (mut journal, _) = Journal::open(&run.journal_path()).unwrap();
    let version = "0.0.7".to_owned();
    journal.append(Event::Begun { version }).unwrap();
    assert!(why().contains("stockade 0.0.7 wrote it"), "{}", why());
    fs::write(&path, whole.replace("\"version\": 1", "\"version\": 9")).unwrap();
    assert!(
        why().contains("0.0.7 wrote it") && why().contains("format 9"),
        "{}",
        why()
    );
    fs::write(&path, whole).unwrap();
    run.record().unwrap();
}

use super::*;

#[test]
fn all_that_come_with_stockade_make_sense() {
    for (name, text) in PRESETS {
        let agent = Agent::parse(text).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(agent.command.is_empty(), name == COMMAND, "{name}");
        assert!(Agent::is_name(name), "{name}");
        let is_variable = |word: &&String| {
            !word.is_empty()
                && word
                    .chars()
                    .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
        };
        let variables: Vec<_> = agent.keys.iter().chain(agent.environment.keys()).collect();
        assert!(variables.iter().all(is_variable), "{name}: {variables:?}");
        let kept = agent
            .keys
            .iter()
            .any(|key| agent.environment.contains_key(key));
        assert!(!kept, "{name}: a key is no fixed value");
        for host in &agent.hosts {
            let plain = |c: char| c.is_ascii_lowercase() || matches!(c, '.' | '-');
            assert!(
                host.contains('.') && host.chars().all(plain),
                "{name}: {host}"
            );
        }
        assert!(
            agent.install.iter().all(|line| line.starts_with("RUN ")),
            "{name}"
        );
    }
    assert_eq!(Agent::presets().count(), PRESETS.len());
    assert_eq!(Agent::preset("no-such"), None);
}

#[test]
fn a_command_is_filled_in() {
    let promise = Promise::parse("ALL DONE").unwrap();
    let more = ["--model".to_owned(), "{promise}".to_owned()];
    let patchpal = Agent::preset("patchpal").unwrap();
    assert!(patchpal.needs_promise());
    assert_eq!(
        patchpal
            .command_for(Promised::Always(&promise), &more)
            .join(" "),
        "patchpal-autopilot --prompt-file /run/stockade/prompt.md --completion-promise ALL DONE --max-iterations 1 --model {promise}"
    );
    let command = Agent::preset(COMMAND).unwrap();
    assert!(!command.needs_promise());
    assert_eq!(command.command_for(Promised::No, &more), more);
    assert_eq!(command.voice(COMMAND), Voice::default());
}

#[test]
fn what_is_promised_may_be_another_in_each_phase() {
    let [one, other] = ["ONE", "OTHER"].map(|text| Promise::parse(text).unwrap());
    let (one, other) = (Some(&one), Some(&other));
    let of = |phases: &[Option<&Promise>]| format!("{:?}", Promised::of(phases.iter().copied()));
    assert!(of(&[one, one]).contains("ONE"));
    for phases in [&[one, other][..], &[one, other, one], &[one, other, other]] {
        assert_eq!(of(phases), "ByPhase");
    }
    for phases in [
        &[][..],
        &[None],
        &[None, one],
        &[one, None],
        &[one, other, None, one],
    ] {
        assert_eq!(of(phases), "No");
    }
    // Only who needs it reads it.
    let shell = |name| Agent::preset(name).unwrap().shell(Promised::ByPhase);
    assert!(shell("patchpal").contains(PROMISE_FILE));
    assert!(!shell("claude").contains("promise"));
}

#[test]
fn what_makes_no_sense_is_refused() {
    for (text, why) in [
        ("command = []", "about"),
        (
            "about = 'x'\ncommand = ['x']\nenviroment = {}",
            "enviroment",
        ),
        (
            "about = 'x'\ncommand = ['x']\nprompt = 'file'",
            "{prompt-file}",
        ),
        (
            "about = 'x'\ncommand = ['x']\nscript = 'exec x'",
            "never comes",
        ),
        (
            "about = 'x'\ncommand = ['x={prompt-file}']",
            "{prompt-file}",
        ),
        (
            "about = 'x'\ncommand = ['x']\nprompt-flag = '-p'",
            "prompt-flag",
        ),
        (
            "about = 'x'\ncommand = ['x']\nmessage = { kind = 'whole', odd = 1 }",
            "odd",
        ),
        (
            "about = 'x'\ncommand = ['x']\nmessage = { kind = 'json', text = [] }",
            "field",
        ),
        (
            "about = 'x'\ncommand = ['x']\nmessage = { kind = 'section', begin = [''], end = ['x'] }",
            "section",
        ),
    ] {
        let error = Agent::parse(text).unwrap_err();
        assert!(error.contains(why), "{text}: {error}");
    }
    for name in ["", ".hidden", "../x", "a/b", "-x", "a b"] {
        assert!(!Agent::is_name(name), "{name}");
    }
}

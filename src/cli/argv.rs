//! What is typed, before it is read: in `run` and `exec` everything from the image or container on
//! is the container's, and no flag of ours, whatever it looks like.
//!
//! Telling clap so by `--` leaves it free to read our own flags in every form (`-eNAME=VALUE`,
//! `-m2g`) and to say what is wrong with one that it does not know.

use std::ffi::{OsStr, OsString};

use clap::{Arg, Command};

use super::exit::Exit;

/// Puts `--` before the first word that is no flag and no flag's value, where a verb takes a command
/// to run.
pub(super) fn separate(mut root: Command, mut words: Vec<OsString>) -> Vec<OsString> {
    root.build();
    let mut verb = &root;
    let mut at = 1;
    while let Some(word) = words.get(at) {
        let word = word.to_string_lossy();
        if word == "--" {
            break;
        }
        if word.len() > 1 && word.starts_with('-') {
            at += if takes_next(verb, &word) { 2 } else { 1 };
        } else if let Some(below) = verb.find_subcommand(OsStr::new(word.as_ref())) {
            verb = below;
            at += 1;
        } else {
            if verb.get_positionals().any(Arg::is_trailing_var_arg_set) {
                words.insert(at, "--".into());
            }
            break;
        }
    }
    words
}

/// A name of something that there is; the empty one is none, and means something else to a service.
pub(crate) fn named(text: &str) -> Result<String, String> {
    match text {
        "" => Err("an empty name means nothing".to_owned()),
        name => Ok(name.to_owned()),
    }
}

/// The exit code of a command line that makes no sense: for verbs that pass a container's own code
/// on it is 125, which no container should use, and 2 for all others.
pub(super) fn usage_exit(words: &[OsString]) -> Exit {
    let verb = words
        .iter()
        .skip(1)
        .map(|word| word.to_string_lossy())
        .find(|word| !word.starts_with('-') && word != "container");
    match verb.as_deref() {
        Some("run" | "exec" | "attach" | "shell" | "wait") => Exit::NotRun,
        _ => Exit::Usage,
    }
}

/// Whether the word after this flag is its value.
fn takes_next(verb: &Command, flag: &str) -> bool {
    let takes = |arg: &Arg| arg.get_action().takes_values() && !arg.is_require_equals_set();
    if let Some(long) = flag.strip_prefix("--") {
        return !long.contains('=')
            && verb.get_arguments().any(|arg| {
                arg.get_long_and_visible_aliases()
                    .is_some_and(|all| all.contains(&long))
                    && takes(arg)
            });
    }
    // A cluster: the first that takes a value takes the rest of the word, or else the next.
    let mut letters = flag.chars().skip(1);
    while let Some(letter) = letters.next() {
        let arg = verb
            .get_arguments()
            .find(|arg| arg.get_short() == Some(letter));
        match arg {
            Some(arg) if takes(arg) => return letters.next().is_none(),
            Some(_) => {}
            None => return false,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory as _, Parser as _};

    use crate::cli::args::Cli;

    #[track_caller]
    fn check(line: &str, separated: &str) {
        let words = line.split(' ').map(OsString::from).collect();
        let words: Vec<String> = separate(Cli::command(), words)
            .into_iter()
            .map(|word| word.into_string().unwrap())
            .collect();
        assert_eq!(words.join(" "), separated);
    }

    #[test]
    fn the_command_is_set_apart() {
        for (line, separated) in [
            ("stockade run bb -it", "stockade run -- bb -it"),
            (
                "stockade run -it --rm bb sh -c x",
                "stockade run -it --rm -- bb sh -c x",
            ),
            (
                "stockade run -e A=1 -eB=2 -m2g -m 2g bb",
                "stockade run -e A=1 -eB=2 -m2g -m 2g -- bb",
            ),
            ("stockade run -ite A=1 bb", "stockade run -ite A=1 -- bb"),
            (
                "stockade run --env A=1 --env=B=2 bb",
                "stockade run --env A=1 --env=B=2 -- bb",
            ),
            ("stockade run --init bb", "stockade run --init -- bb"),
            (
                "stockade --url unix:///x run -c name bb",
                "stockade --url unix:///x run -c name -- bb",
            ),
            (
                "stockade container run bb ls",
                "stockade container run -- bb ls",
            ),
            (
                "stockade exec -it -w/ box ls -l",
                "stockade exec -it -w/ -- box ls -l",
            ),
            ("stockade run --rm -- bb ls", "stockade run --rm -- bb ls"),
            ("stockade ps -a", "stockade ps -a"),
            ("stockade rm -f run", "stockade rm -f run"),
            ("stockade", "stockade"),
            ("stockade run --memory", "stockade run --memory"),
        ] {
            check(line, separated);
        }
    }

    #[test]
    fn every_word_after_the_image_is_the_commands() {
        let line = "stockade run --rm -eA=1 bb -- --rm -d --url x";
        let words = line.split(' ').map(OsString::from).collect();
        let cli = Cli::try_parse_from(separate(Cli::command(), words)).unwrap();
        let crate::cli::args::Command::Run(args) = cli.command else {
            panic!("not run")
        };
        let args = format!("{args:?}");
        assert!(
            args.contains(r#"["bb", "--", "--rm", "-d", "--url", "x"]"#),
            "{args}"
        );
    }

    #[test]
    fn an_unknown_flag_is_named_without_its_value() {
        for line in [
            "stockade run --evn=KEY=hunter2 bb",
            "stockade run -ZKEY=hunter2 bb",
            "stockade exec --evn=KEY=hunter2 box ls",
        ] {
            let words = line.split(' ').map(OsString::from).collect();
            let error = Cli::try_parse_from(separate(Cli::command(), words)).unwrap_err();
            let text = error.to_string();
            assert!(!text.contains("hunter2"), "{text}");
        }
    }
}

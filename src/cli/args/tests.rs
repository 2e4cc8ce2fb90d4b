//! The command line as a whole: it is consistent, its help keeps one style, and `docs/cli.md` is
//! that help, so that a changed flag shows in review.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use clap::{Arg, Command, CommandFactory as _, Parser as _};

use super::Cli;

/// Set to 1, this makes the test write the file in place of comparing it.
const UPDATE: &str = "STOCKADE_UPDATE";

fn command() -> Command {
    // Of every command, so that the width of the terminal does not matter.
    fn fixed(command: Command) -> Command {
        command.term_width(100).mut_subcommands(fixed)
    }
    let mut command = fixed(Cli::command().disable_help_subcommand(true));
    command.build();
    command
}

/// Every verb, verbs of nouns included, by its whole name.
fn verbs(command: &Command) -> Vec<(String, Command)> {
    let mut found = Vec::new();
    for verb in command.get_subcommands() {
        let name = verb.get_bin_name().unwrap_or_default().to_owned();
        found.push((name, verb.clone()));
        found.extend(verbs(verb));
    }
    found
}

#[test]
fn the_definitions_are_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn help_keeps_one_style() {
    let mut broken = Vec::new();
    let mut check = |place: String, help: Option<String>| {
        let help = help.unwrap_or_default();
        let first = help.lines().next().unwrap_or_default();
        if !first.starts_with(|c: char| c.is_uppercase()) {
            broken.push(format!("{place}: does not begin with a capital: {first:?}"));
        }
        if first.ends_with('.') {
            broken.push(format!("{place}: the first line ends with a full stop"));
        }
    };
    let text = |help: Option<&clap::builder::StyledStr>| help.map(ToString::to_string);
    for (name, verb) in verbs(&command()) {
        check(name.clone(), text(verb.get_about()));
        for arg in verb.get_arguments() {
            check(format!("{name}, {}", arg.get_id()), text(arg.get_help()));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn what_can_be_given_again_says_so() {
    let many = |arg: &Arg| matches!(arg.get_action(), clap::ArgAction::Append);
    for (name, verb) in verbs(&command()) {
        for arg in verb.get_arguments().filter(|arg| !arg.is_positional()) {
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            let says = help.contains("(can be repeated)");
            assert_eq!(many(arg), says, "{name}, --{}: {help}", arg.get_id());
        }
    }
}

/// The reference: the help of every verb; flags that every verb takes are said once, and a noun's
/// verb that is a plain verb is named only.
fn reference() -> String {
    let mut command = command();
    let mut text = String::from(
        "# Command line\n\nThe help of every verb, as `--help` prints it, less what every verb takes. \
         Written by a test, not by hand.\n",
    );
    section(&mut text, "stockade", &help(&mut command));
    let mut plain = BTreeMap::new();
    let mut verbs = verbs(&command);
    // What only Stockade itself calls is no reference of anybody's.
    verbs.retain(|(_, verb)| !verb.is_hide_set());
    // Plain verbs first, then those of nouns.
    verbs.sort_by_key(|(name, _)| name.matches(' ').count());
    for (name, verb) in verbs {
        let mut verb = verb.mut_args(|arg| match arg.get_id().as_str() {
            "help" => arg.hide(true),
            _ if arg.is_global_set() => arg.hide(true),
            _ => arg,
        });
        let help = help(&mut verb);
        // What follows the usage line is the same for both forms.
        let body = help.split_once("Usage: ").map_or("", |(_, rest)| rest);
        let body = body
            .split_once('\n')
            .map_or("", |(_, rest)| rest)
            .to_owned();
        match plain.get(&body) {
            Some(other) if !body.is_empty() => {
                // Writing to a String cannot fail.
                let _ = write!(text, "\n## `{name}`\n\nAs `{other}`.\n");
            }
            _ => {
                section(&mut text, &name, &help);
                plain.insert(body, name);
            }
        }
    }
    text
}

fn help(command: &mut Command) -> String {
    let help = command.render_long_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    lines.join("\n").trim_end().to_owned()
}

fn section(text: &mut String, name: &str, help: &str) {
    let _ = write!(text, "\n## `{name}`\n\n```text\n{help}\n```\n");
}

#[test]
fn of_a_flag_that_comes_twice_the_last_one_counts() {
    let parse = |line: &str| {
        let words = line.split(' ');
        Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{line}: {error}"))
    };
    let super::Command::Run(run) =
        parse("stockade run --rm --rm --name a --name=b -e A=1 -e B=2 bb").command
    else {
        panic!("not run")
    };
    let run = format!("{run:?}");
    assert!(run.contains(r#""b""#) && !run.contains(r#""a""#), "{run}");
    assert!(run.contains("A=1") && run.contains("B=2"), "{run}");
    parse("stockade container rm -f -f -t 1 -t 0 x");
}

#[test]
fn the_reference_is_the_help() {
    let text = reference();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/cli.md");
    if std::env::var_os(UPDATE).is_some_and(|value| value == "1") {
        fs::write(&file, &text).unwrap();
    }
    let found = fs::read_to_string(&file).unwrap_or_default();
    let same = found.lines().zip(text.lines()).take_while(|(a, b)| a == b);
    assert!(
        found == text,
        "docs/cli.md is not what --help says, from line {} on.\n\
         Write it with `{UPDATE}=1 cargo test --lib the_reference_is_the_help`, and look at the \
         difference with `git diff docs/cli.md`.",
        same.count() + 1
    );
}

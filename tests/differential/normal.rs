//! What two runs of the same thing say differently of necessity: ids, times, names, directories.

use crate::session::Program;
use crate::support::dir::TestDir;

/// The most lines of a complaint, a usage included.
const FEW: usize = 10;

/// The names of one side.
#[derive(Debug)]
pub(crate) struct Names {
    variables: Vec<(&'static str, String)>,
    directory: String,
}

impl Names {
    /// Names that no other side has, as long as the other side's.
    pub(crate) fn of(dir: &TestDir) -> Self {
        let image = |what: &str| format!("localhost/{}", dir.name(what));
        Self {
            variables: vec![
                ("A", dir.name("a")),
                ("B", dir.name("b")),
                ("I", image("i")),
                ("J", image("j")),
            ],
            directory: dir.work().display().to_string(),
        }
    }

    /// As variables of the script.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
    }

    /// A text without what belongs to this side alone.
    pub(crate) fn normal(&self, text: &str) -> String {
        let mut text = text.replace(&self.directory, "$DIR");
        for (name, value) in &self.variables {
            text = text.replace(value.as_str(), &format!("${name}"));
        }
        words(&text)
    }
}

/// Ids and times, wherever they stand.
fn words(text: &str) -> String {
    let mut normal = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let word: usize = rest
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, ':' | '.' | '+' | '-'))
            .map(char::len_utf8)
            .sum();
        let (word, after) = rest.split_at(if word == 0 { first.len_utf8() } else { word });
        normal.push_str(&of_word(word));
        rest = after;
    }
    normal
}

fn of_word(word: &str) -> String {
    if is_time(word) {
        return "TIME".into();
    }
    let ended = word.trim_end_matches(['.', ':', '-']);
    let (prefix, id) = ended.rsplit_once(':').unwrap_or(("", ended));
    if !is_id(id) {
        return word.into();
    }
    let colon = if prefix.is_empty() { "" } else { ":" };
    format!("{prefix}{colon}ID{}", &word[ended.len()..])
}

/// Whole, or as short as podman shows them (eleven in a build's steps).
fn is_id(word: &str) -> bool {
    matches!(word.len(), 11 | 12 | 64)
        && word
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        && word.bytes().any(|byte| byte.is_ascii_digit())
}

/// As in RFC 3339.
fn is_time(word: &str) -> bool {
    let shape = "dddd-dd-ddTdd:dd:dd";
    let fits = |(pattern, byte): (u8, u8)| match pattern {
        b'd' => byte.is_ascii_digit(),
        other => byte == other,
    };
    word.len() > shape.len() && shape.bytes().zip(word.bytes()).all(fits)
}

/// Whether a program has complained, and what of standard error is not its own: a container's.
/// The service's own complaints (`Error: …`) come to both.
pub(crate) fn own_words(program: Program, stderr: &str) -> (bool, String) {
    let (complaints, remarks): (&[&str], &[&str]) = match program {
        Program::Podman => (&["Error"], &["time=\"", "WARN"]),
        Program::Stockade => (
            &["error: ", "Error: "],
            &["warning: ", "hint: ", "running in the background; "],
        ),
    };
    let is_one = |line: &str, of: &[&str]| of.iter().any(|first| line.starts_with(first));
    let mut error = false;
    let mut rest = String::new();
    for line in stderr.split_inclusive('\n') {
        error |= is_one(line, complaints);
        // What follows a complaint belongs to it: a usage, a list of several.
        if !error && !is_one(line, remarks) {
            rest.push_str(line);
        }
    }
    (error, rest)
}

/// What is not clear about how Stockade complains: it says each thing once, in a few lines, and
/// shows nobody its insides.
pub(crate) fn unclear(stderr: &str) -> Option<&'static str> {
    let insides = ["panicked at", "stack backtrace", "RUST_BACKTRACE"];
    if insides.iter().any(|text| stderr.contains(text)) {
        return Some("a panic");
    }
    let complaints = stderr
        .lines()
        .skip_while(|line| !line.starts_with("error: "));
    let complaints: Vec<&str> = complaints.collect();
    let mut errors: Vec<_> = complaints
        .iter()
        .filter_map(|line| line.strip_prefix("error: "))
        .collect();
    let all = errors.len();
    errors.sort_unstable();
    errors.dedup();
    match () {
        () if errors.iter().any(|error| error.trim().is_empty()) => Some("an error without a word"),
        () if errors.len() < all => Some("the same error twice"),
        () if complaints.len() > FEW => Some("too much is said"),
        () => None,
    }
}

#[test]
fn clear_is_what_is_said_once_and_briefly() {
    let usage =
        "error: unknown flag\n\nUsage: stockade rm\n\nFor more information, try '--help'.\n";
    for (stderr, expected) in [
        ("", None),
        ("error: no such image\nhint: build it\n", None),
        ("error: no a\nerror: no b\n", None),
        (usage, None),
        ("error: \n", Some("an error without a word")),
        ("error: no a\nerror: no a\n", Some("the same error twice")),
        ("thread 'main' panicked at x.rs:1:1:\n", Some("a panic")),
    ] {
        assert_eq!(unclear(stderr), expected, "{stderr}");
    }
    let much = format!("error: no a\n{}", "and so on\n".repeat(FEW));
    assert_eq!(unclear(&much), Some("too much is said"));
    // What a container has said before is its own.
    assert_eq!(
        unclear(&format!("{}error: no a\n", "x\n".repeat(FEW))),
        None
    );
}

#[test]
fn ids_and_times_have_no_value() {
    let id = "0123456789abcdef".repeat(4);
    let text = format!("sha256:{id} {}, 2026-11-24T06:12:07.5+01:00 up", &id[..12]);
    assert_eq!(words(&text), "sha256:ID ID, TIME up");
    let kept = "deadbeefdeadbeef abc a.b:c x=1";
    assert_eq!(words(kept), kept);
}

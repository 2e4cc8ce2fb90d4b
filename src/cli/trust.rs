//! What to look at before an agent's work is trusted, as lines and as JSON.

use std::collections::BTreeMap;

use super::sanitize::sanitize_line;
use crate::workspace::{ChangeKind, Concern, What};

/// Of one kind, so many names are shown.
const SHOWN: usize = 12;

/// How a name changed, as a letter.
pub(crate) fn letter(kind: ChangeKind) -> char {
    match kind {
        ChangeKind::Added => 'A',
        ChangeKind::Removed => 'D',
        ChangeKind::Type => 'T',
        ChangeKind::Modified => 'M',
        ChangeKind::Mode => 'P',
    }
}

/// The same in a word.
fn word(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Added => "added",
        ChangeKind::Removed => "removed",
        ChangeKind::Type => "type",
        ChangeKind::Modified => "modified",
        ChangeKind::Mode => "mode",
    }
}

/// One line each: kind of change, what it is, and its name; the worst first, and not too many of a kind.
pub(crate) fn lines(concerns: &[Concern]) -> Vec<Vec<String>> {
    let mut by_what: BTreeMap<What, Vec<&Concern>> = BTreeMap::new();
    for concern in concerns {
        by_what.entry(concern.what).or_default().push(concern);
    }
    let mut lines = Vec::new();
    for (what, all) in by_what {
        for concern in all.iter().take(SHOWN) {
            lines.push(vec![
                concern.kind.map_or('?', letter).to_string(),
                what.says().to_owned(),
                sanitize_line(&concern.path.to_string_lossy()),
            ]);
        }
        if all.len() > SHOWN {
            let more = format!("and {} more", all.len() - SHOWN);
            lines.push(vec![" ".to_owned(), what.says().to_owned(), more]);
        }
    }
    lines
}

/// All of them, for programs.
pub(crate) fn json(concerns: &[Concern]) -> serde_json::Value {
    let one = |concern: &Concern| {
        serde_json::json!({
            "path": concern.path.to_string_lossy(),
            "what": concern.what.as_str(),
            "change": concern.kind.map(word),
        })
    };
    concerns.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn concern(path: &str, what: What) -> Concern {
        Concern {
            path: path.into(),
            what,
            kind: Some(ChangeKind::Added),
        }
    }

    #[test]
    fn the_worst_comes_first_and_nothing_is_obeyed() {
        let mut all: Vec<Concern> = (0..15)
            .map(|n| concern(&format!("x{n}"), What::Executable))
            .collect();
        all.push(concern("a\n\x1b[2J", What::Name));
        all.push(concern(".git/hooks/x", What::GitHook));
        let lines = lines(&all);
        assert_eq!(lines[0], ["A", "git hook", ".git/hooks/x"]);
        assert_eq!(lines[1][2], "a\\n\\u{1b}[2J");
        assert_eq!(lines.last().unwrap()[2], "and 3 more");
        assert_eq!(lines.len(), 2 + SHOWN + 1);
        let json = json(&all);
        assert_eq!(json[16]["what"], "git-hook");
        assert_eq!(json[16]["change"], "added");
    }
}

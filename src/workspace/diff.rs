//! The difference between two texts, line by line, as unified hunks of bytes. Whoever shows it makes
//! it harmless for a terminal.

#[cfg(test)]
mod tests;

use std::ops::Range;
use std::time::Duration;
use std::time::Instant;

use similar::Algorithm;
use similar::DiffOp;
use similar::DiffTag;

/// What is larger is not compared line by line (bytes).
const MAX_TEXT: usize = 8 << 20;

/// How much of a text is looked at to tell whether it is one, as git does.
const PROBE: usize = 8000;

/// After this, what was found so far has to do: a correct difference, but not the shortest.
const TIME: Duration = Duration::from_secs(2);

/// How two contents differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Diff {
    /// They do not.
    Same,
    /// At least one of them is no text.
    Binary,
    /// At least one of them is too large to be compared.
    Large,
    /// In these places.
    Text(Vec<Hunk>),
}

/// Lines that changed, with a few around them that did not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hunk {
    /// Of the old text: the number of the first line, from 1, and how many. Without lines, the number
    /// is that of the line before, as in a unified diff.
    pub before: (usize, usize),
    /// Of the new text.
    pub after: (usize, usize),
    /// In the order in which they are shown.
    pub lines: Vec<Line>,
}

/// A line of a hunk, with its end of line unless the text ends without one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// In both.
    Context(Vec<u8>),
    /// In the old text only.
    Removed(Vec<u8>),
    /// In the new text only.
    Added(Vec<u8>),
}

impl Hunk {
    /// As in a unified diff, after `@@ `.
    pub fn ranges(&self) -> String {
        let range = |(start, count): (usize, usize)| match count {
            1 => start.to_string(),
            _ => format!("{start},{count}"),
        };
        format!("-{} +{}", range(self.before), range(self.after))
    }
}

impl Diff {
    /// Compares two contents; `context` lines are given around each change.
    pub fn of(before: &[u8], after: &[u8], context: usize) -> Self {
        if before == after {
            return Self::Same;
        }
        if is_binary(before) || is_binary(after) {
            return Self::Binary;
        }
        if before.len() > MAX_TEXT || after.len() > MAX_TEXT {
            return Self::Large;
        }
        let before: Vec<&[u8]> = before.split_inclusive(|&byte| byte == b'\n').collect();
        let after: Vec<&[u8]> = after.split_inclusive(|&byte| byte == b'\n').collect();
        let deadline = Instant::now().checked_add(TIME);
        let operations =
            similar::capture_diff_slices_deadline(Algorithm::Myers, &before, &after, deadline);
        let groups = similar::group_diff_ops(renumbered(operations), context);
        Self::Text(
            groups
                .iter()
                .map(|group| hunk(group, &before, &after))
                .collect(),
        )
    }

    /// Lines that were added and lines that were removed.
    pub fn counts(&self) -> (usize, usize) {
        let Self::Text(hunks) = self else {
            return (0, 0);
        };
        let lines = hunks.iter().flat_map(|hunk| &hunk.lines);
        lines.fold((0, 0), |(added, removed), line| match line {
            Line::Added(_) => (added + 1, removed),
            Line::Removed(_) => (added, removed + 1),
            Line::Context(_) => (added, removed),
        })
    }

    /// All hunks as a unified diff has them, without the lines that name the files.
    pub fn unified(&self) -> Vec<u8> {
        let Self::Text(hunks) = self else {
            return Vec::new();
        };
        let mut out = Vec::new();
        for hunk in hunks {
            out.extend_from_slice(format!("@@ {} @@\n", hunk.ranges()).as_bytes());
            for line in &hunk.lines {
                let (mark, text) = match line {
                    Line::Context(text) => (b' ', text),
                    Line::Removed(text) => (b'-', text),
                    Line::Added(text) => (b'+', text),
                };
                out.push(mark);
                out.extend_from_slice(text);
                if !text.ends_with(b"\n") {
                    out.extend_from_slice(b"\n\\ No newline at end of file\n");
                }
            }
        }
        out
    }
}

/// A NUL near the start, as git decides it.
pub fn is_binary(content: &[u8]) -> bool {
    content.iter().take(PROBE).any(|&byte| byte == 0)
}

/// The same operations with the places that follow from their lengths: where lines repeat, `similar`
/// moves operations and leaves one side of their places as it was.
fn renumbered(operations: Vec<DiffOp>) -> Vec<DiffOp> {
    let (mut old_index, mut new_index) = (0, 0);
    let renumber = |operation: DiffOp| {
        let (tag, old, new) = operation.as_tag_tuple();
        let (old_len, new_len) = (old.len(), new.len());
        let renumbered = match tag {
            DiffTag::Equal => DiffOp::Equal {
                old_index,
                new_index,
                len: old_len,
            },
            DiffTag::Delete => DiffOp::Delete {
                old_index,
                old_len,
                new_index,
            },
            DiffTag::Insert => DiffOp::Insert {
                old_index,
                new_index,
                new_len,
            },
            DiffTag::Replace => DiffOp::Replace {
                old_index,
                old_len,
                new_index,
                new_len,
            },
        };
        old_index += old_len;
        new_index += new_len;
        renumbered
    };
    operations.into_iter().map(renumber).collect()
}

fn hunk(group: &[DiffOp], before: &[&[u8]], after: &[&[u8]]) -> Hunk {
    let whole = |range: fn(&DiffOp) -> Range<usize>| {
        let start = group.first().map_or(0, |operation| range(operation).start);
        let end = group.last().map_or(0, |operation| range(operation).end);
        let count = end.saturating_sub(start);
        (if count == 0 { start } else { start + 1 }, count)
    };
    let mut lines = Vec::new();
    let mut added = Vec::new();
    for operation in group {
        let (tag, old, new) = operation.as_tag_tuple();
        let texts = |all: &[&[u8]], range: Range<usize>| {
            let texts = all.get(range).unwrap_or_default().iter();
            texts.map(|text| text.to_vec()).collect::<Vec<_>>()
        };
        if tag == DiffTag::Equal {
            lines.append(&mut added);
            lines.extend(texts(before, old).into_iter().map(Line::Context));
        } else {
            // In one place, what was removed comes first.
            lines.extend(texts(before, old).into_iter().map(Line::Removed));
            added.extend(texts(after, new).into_iter().map(Line::Added));
        }
    }
    lines.append(&mut added);
    Hunk {
        before: whole(DiffOp::old_range),
        after: whole(DiffOp::new_range),
        lines,
    }
}

//! The last words of a service that failed.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use crate::cli::sanitize::sanitize_line;

/// How much of the end is read, in bytes.
const TAIL: u64 = 4096;
/// How many lines are told.
const LINES: usize = 5;

/// The last lines of a log, harmless for a terminal.
pub(super) fn last_lines(path: &Path) -> Vec<String> {
    // A log that cannot be read explains nothing; what it would explain is told anyway.
    let bytes = tail(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    let first = lines.len().saturating_sub(LINES);
    lines
        .iter()
        .skip(first)
        .map(|line| sanitize_line(line))
        .collect()
}

fn tail(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut bytes = Vec::new();
    file.take(TAIL).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(content: &[u8]) -> Vec<String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        last_lines(file.path())
    }

    #[test]
    fn the_end_and_no_more() {
        assert_eq!(of(b""), [""; 0]);
        assert_eq!(of(b"one\n\ntwo\n"), ["one", "two"]);
        assert_eq!(of(b"1\n2\n3\n4\n5\n6\n7"), ["3", "4", "5", "6", "7"]);
        assert_eq!(
            of(b"\x1b]0;title\x07\xff"),
            ["\\u{1b}]0;title\\u{7}\u{fffd}"]
        );
        let long = of(&[b'x'; 100_000]);
        assert_eq!(long, ["x".repeat(4096)]);
        assert_eq!(last_lines(Path::new("/missing")), [""; 0]);
    }
}

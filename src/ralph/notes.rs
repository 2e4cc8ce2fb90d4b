//! What the person says to a run that is at work: a file for each word, until the loop has heard it.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;

use super::error::{Error, Result};
use super::event::Event;
use super::files::{private_directory, read_bounded, write_whole};
use super::journal::Reader;
use super::store::Run;

/// The longest note, in bytes.
const MAX: usize = 64 << 10;

/// A word for the agent.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Note {
    /// In words.
    pub text: String,
    /// It joins every prompt from now on, and not only the next.
    pub always: bool,
}

/// One that waits to be heard.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) id: String,
    pub(super) note: Note,
    path: PathBuf,
}

impl Run {
    /// Leaves a word for the agent. Those that are left later are heard later.
    ///
    /// # Errors
    /// It is empty or longer than 64 KiB, as are all together that join every prompt, or cannot be written.
    pub fn tell(&self, note: &Note, now: jiff::Timestamp) -> Result<()> {
        let directory = self.notes_directory();
        let refuse = |why: &str| {
            let why = std::io::Error::new(std::io::ErrorKind::InvalidInput, why.to_owned());
            Err(Error::file("leave a note in", &directory, why))
        };
        if note.text.trim().is_empty() {
            return refuse("it says nothing");
        }
        if note.text.len() > MAX {
            return refuse("it is longer than 64 KiB");
        }
        if note.always && note.text.len() + self.standing()? > MAX {
            return refuse("with what joins every prompt already, it is longer than 64 KiB");
        }
        private_directory(&directory)?;
        let name = format!("{:039}-{}.note", now.as_nanosecond(), std::process::id());
        let path = directory.join(name);
        let text = serde_json::to_vec(note).map_err(|e| Error::file("write", &path, e.into()))?;
        write_whole(&path, &text, 0o600)
    }

    /// Bytes of what joins every prompt.
    fn standing(&self) -> Result<usize> {
        let path = self.journal_path();
        let entries = match path.exists() {
            true => Reader::open(&path)?.1,
            false => Vec::new(),
        };
        let mut heard = HashSet::new();
        let mut bytes = 0;
        for entry in entries {
            if let Event::Told { id, text, always } = entry.event {
                bytes += if always { text.len() } else { 0 };
                heard.insert(id);
            }
        }
        for waiting in self.waiting()? {
            let counts = waiting.note.always && !heard.contains(&waiting.id);
            bytes += if counts { waiting.note.text.len() } else { 0 };
        }
        Ok(bytes)
    }

    /// What was left and is still to be heard, the oldest first.
    pub(super) fn waiting(&self) -> Result<Vec<Waiting>> {
        let directory = self.notes_directory();
        let fault = |e| Error::file("read", &directory, e);
        let found = match fs::read_dir(&directory) {
            Ok(found) => found,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(fault(error)),
        };
        let mut waiting = Vec::new();
        for entry in found {
            let path = entry.map_err(fault)?.path();
            // One that is half written has another ending.
            if path.extension().is_none_or(|ending| ending != "note") {
                continue;
            }
            let id = path.file_stem().unwrap_or_default();
            let id = id.to_string_lossy().into_owned();
            let text = read_bounded(&path, 8 * MAX as u64)?;
            let note = serde_json::from_slice(&text);
            let note = note.map_err(|e| Error::damaged(&path, e.to_string()))?;
            waiting.push(Waiting { id, note, path });
        }
        waiting.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(waiting)
    }

    fn notes_directory(&self) -> PathBuf {
        self.directory().join("notes")
    }
}

impl Waiting {
    /// It was heard.
    pub(super) fn forget(&self) -> Result<()> {
        let removed = fs::remove_file(&self.path);
        removed.map_err(|e| Error::file("remove", &self.path, e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ralph::journal::Journal;
    use crate::ralph::store::tests::run_in;

    #[test]
    fn notes_are_heard_in_the_order_in_which_they_were_left() {
        let dir = tempfile::tempdir().unwrap();
        let run = run_in(dir.path());
        assert!(run.waiting().unwrap().is_empty());
        let at = |second| jiff::Timestamp::from_second(second).unwrap();
        let note = |text: &str| Note {
            text: text.to_owned(),
            always: false,
        };
        run.tell(&note("second"), at(1_000)).unwrap();
        run.tell(&note("first"), at(999)).unwrap();
        fs::write(run.notes_directory().join("half.new"), "{").unwrap();
        let waiting = run.waiting().unwrap();
        let texts = waiting.iter().map(|waiting| waiting.note.text.as_str());
        assert_eq!(texts.collect::<Vec<_>>(), ["first", "second"]);
        waiting[0].forget().unwrap();
        assert_eq!(run.waiting().unwrap().len(), 1);
        assert!(run.tell(&note(" \n"), at(1)).is_err());
        assert!(run.tell(&note(&"x".repeat(MAX + 1)), at(1)).is_err());
    }

    #[test]
    fn what_joins_every_prompt_is_bounded_together() {
        let dir = tempfile::tempdir().unwrap();
        let run = run_in(dir.path());
        let mut second = 0;
        let mut tell = |length: usize, always: bool| {
            second += 1;
            let text = "x".repeat(length);
            let at = jiff::Timestamp::from_second(second).unwrap();
            run.tell(&Note { text, always }, at)
        };
        tell(MAX / 2, true).unwrap();
        // It has been heard, though its file is still there.
        let (mut journal, _) = Journal::open(&run.journal_path()).unwrap();
        let waiting = run.waiting().unwrap();
        let Note { text, always } = waiting[0].note.clone();
        let id = waiting[0].id.clone();
        journal.append(Event::Told { id, text, always }).unwrap();
        tell(MAX / 4, true).unwrap();
        tell(MAX, false).unwrap();
        let error = tell(MAX / 4 + 1, true).unwrap_err().to_string();
        assert!(error.contains("leave a note"), "{error}");
        tell(MAX / 4, true).unwrap();
        assert!(tell(1, true).is_err());
    }
}

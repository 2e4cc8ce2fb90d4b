//! A run that goes on step by step: between iterations it asks, and the person's answer is a file.

use std::path::PathBuf;

use super::error::{Error, Result};
use super::files::{read_bounded, write_whole};
use super::store::Run;

/// The longest answer, in bytes: it may hold a prompt.
const MAX: u64 = 4 << 20;

/// How a run goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pace {
    /// By itself.
    #[default]
    Through,
    /// After each iteration it asks.
    Steps,
}

/// What the person wants next.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// The next iteration.
    GoOn,
    /// Another prompt, from now on.
    Prompt(String),
    /// A check of the last checkpoint.
    Check,
    /// The workspace as it was at this checkpoint.
    RollBack(u32),
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Answered {
    question: u64,
    answer: Answer,
}

impl Run {
    /// Answers the question that stands in this line of the journal.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn answer(&self, question: u64, answer: Answer) -> Result<()> {
        let path = self.answer_path();
        let answered = Answered { question, answer };
        let text = serde_json::to_vec(&answered);
        let text = text.map_err(|e| Error::file("write", &path, e.into()))?;
        write_whole(&path, &text, 0o600)
    }

    /// The answer to a question, if there is one by now.
    pub(super) fn answer_to(&self, question: u64) -> Result<Option<Answer>> {
        let path = self.answer_path();
        let text = match read_bounded(&path, MAX) {
            Err(error) if error.is_missing() => return Ok(None),
            text => text?,
        };
        let answered: Answered =
            serde_json::from_slice(&text).map_err(|e| Error::damaged(&path, e.to_string()))?;
        Ok((answered.question == question).then_some(answered.answer))
    }

    fn answer_path(&self) -> PathBuf {
        self.directory().join("answer.json")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ralph::store::tests::run_in;

    #[test]
    fn an_answer_counts_for_its_question_alone() {
        let dir = tempfile::tempdir().unwrap();
        let run = run_in(dir.path());
        assert_eq!(run.answer_to(7).unwrap(), None);
        run.answer(7, Answer::RollBack(2)).unwrap();
        assert_eq!(run.answer_to(7).unwrap(), Some(Answer::RollBack(2)));
        assert_eq!(run.answer_to(8).unwrap(), None);
        let prompt = Answer::Prompt("more".to_owned());
        run.answer(8, prompt.clone()).unwrap();
        assert_eq!(run.answer_to(8).unwrap(), Some(prompt));
    }
}

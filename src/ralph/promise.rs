//! The promise: the tag with which an agent claims that it has completed. A claim is all it is.

use crate::sandbox::Invalid;

/// How long a promise may be, in bytes.
const MAX: usize = 200;
/// How much of a reason for being blocked is kept, in bytes.
const REASON: usize = 1000;
/// What an agent says in place of the promise when it cannot go on.
const BLOCKED: &str = "BLOCKED:";

/// What an agent says, in a tag, when it has completed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Promise(String);

/// How strictly a promise is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reading {
    /// The exact tag, alone on a line.
    #[default]
    Strict,
    /// The tag anywhere in the agent's last words, as simple loops have it.
    Loose,
}

/// What an agent's last words claim.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Claim {
    /// Nothing.
    None,
    /// The work is done.
    Complete,
    /// It cannot be done, and why.
    Blocked(String),
}

impl Promise {
    /// Reads what `--completion-promise` was given.
    ///
    /// # Errors
    /// It is empty, long, more than a line, or would make the tag ambiguous.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let text = text.trim();
        let invalid = |reason| Err(Invalid::new("completion promise", text, reason));
        if text.is_empty() {
            return invalid("it is empty");
        }
        if text.len() > MAX {
            return invalid("it is longer than 200 bytes");
        }
        if text.contains(['<', '>']) || text.chars().any(char::is_control) {
            return invalid("it may have no `<`, `>` and no control characters: the tag is ours");
        }
        if text.starts_with(BLOCKED) {
            return invalid("`BLOCKED:` is what an agent says when it cannot go on");
        }
        Ok(Self(text.to_owned()))
    }

    /// Without the tag.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// As the agent has to say it.
    pub fn tag(&self) -> String {
        format!("<promise>{}</promise>", self.0)
    }
}

/// What of an agent's output its last words are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// All of it, and so also what its programs print: only the last line counts.
    Output,
    /// A message that is told apart: each line counts.
    Message,
}

/// What an agent has said in the end, and the prompt that it may only have repeated.
#[derive(Debug, Clone)]
pub struct LastWords<'a> {
    text: String,
    extent: Extent,
    prompt: &'a str,
}

impl<'a> LastWords<'a> {
    /// Takes them as they were printed.
    pub fn new(text: &str, extent: Extent, prompt: &'a str) -> Self {
        Self {
            text: plain(text),
            extent,
            prompt,
        }
    }

    /// What they claim, the last that they do. An echo of the prompt claims nothing: a tag that comes after the same
    /// line as it does in the prompt.
    pub fn claim(&self, promise: Option<&Promise>, reading: Reading) -> Claim {
        let tag = promise.map(Promise::tag);
        for (line, before) in self.counting() {
            if echoes(line, before, self.prompt) {
                continue;
            }
            if tag.as_deref() == Some(line) {
                return Claim::Complete;
            }
            if let Some(reason) = inside(line).and_then(|text| text.strip_prefix(BLOCKED)) {
                let reason = reason.trim();
                let mut end = REASON.min(reason.len());
                while !reason.is_char_boundary(end) {
                    end -= 1;
                }
                return Claim::Blocked(reason.get(..end).unwrap_or_default().to_owned());
            }
        }
        match tag {
            Some(tag) if reading == Reading::Loose && self.text.contains(&tag) => Claim::Complete,
            _ => Claim::None,
        }
    }

    /// Whether they would claim completion, if the tag did not come after the same line as in the prompt.
    pub fn is_echo(&self, promise: &Promise) -> bool {
        let tag = promise.tag();
        let mut lines = self.counting();
        lines.any(|(line, before)| line == tag && echoes(line, before, self.prompt))
    }

    /// The lines that may claim, the last first, and what is said before each.
    fn counting(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        let lines: Vec<&str> = said(&self.text).collect();
        let counting = match self.extent {
            Extent::Output => 1,
            Extent::Message => lines.len(),
        };
        let before = |at: usize| lines.iter().take(at).rev().find(|line| has_words(line));
        let pairs = lines.iter().enumerate().rev().take(counting);
        let pairs = pairs.map(|(at, line)| (*line, before(at).copied()));
        Vec::from_iter(pairs).into_iter()
    }
}

/// The text without what a terminal would obey: agents colour what they say, and set titles.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => match chars.next() {
                // A control sequence ends with a letter or the like.
                Some('[') => {
                    let _ = chars.find(|c| ('@'..='~').contains(c));
                }
                // A string ends with a bell, or with `ESC \`; but not later than the line.
                Some(']' | 'P' | 'X' | '^' | '_') => {
                    while let Some(c) = chars.next_if(|c| *c != '\n') {
                        if c == '\u{7}' || c == '\u{1b}' && chars.next_if_eq(&'\\').is_some() {
                            break;
                        }
                    }
                }
                Some('\n') => plain.push('\n'),
                _ => {}
            },
            '\n' | '\t' => plain.push(c),
            c if c.is_control() => {}
            c => plain.push(c),
        }
    }
    plain
}

/// The lines that say anything.
fn said(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty())
}

/// Whether it says anything in words: a fence or a rule is before many a tag.
fn has_words(line: &str) -> bool {
    line.contains(char::is_alphanumeric)
}

/// What stands in the tag, if a line is one.
fn inside(line: &str) -> Option<&str> {
    line.strip_prefix("<promise>")?.strip_suffix("</promise>")
}

/// Whether the prompt has the tag alone on a line, after the same line as the output.
fn echoes(tag: &str, before: Option<&str>, prompt: &str) -> bool {
    let mut previous = None;
    for line in said(prompt).filter(|line| has_words(line)) {
        if line == tag && previous == before {
            return true;
        }
        previous = Some(line);
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROMPT: &str = "Do it.\nThen say:\n<promise>COMPLETE</promise>\n\
        Or say:\n<promise>BLOCKED: why</promise>\n";

    fn claim_in(output: &str, extent: Extent) -> Claim {
        let promise = Promise::parse("COMPLETE").unwrap();
        LastWords::new(output, extent, PROMPT).claim(Some(&promise), Reading::Strict)
    }

    fn claim(output: &str) -> Claim {
        claim_in(output, Extent::Output)
    }

    #[test]
    fn the_tag_alone_on_the_last_line_is_a_claim() {
        assert_eq!(
            claim("All done.\n<promise>COMPLETE</promise>\n\n"),
            Claim::Complete
        );
        assert_eq!(claim("  <promise>COMPLETE</promise>  "), Claim::Complete);
    }

    #[test]
    fn nothing_else_is() {
        for output in [
            "",
            "\n \n",
            "COMPLETE",
            "<promise>INCOMPLETE</promise>",
            "I will say <promise>COMPLETE</promise>",
            "<promise>COMPLETE</promise>\nnot yet, though",
            "<promise>complete</promise>",
            "<promise> COMPLETE </promise>",
            "<promise>COMPLETE</promise><promise>COMPLETE</promise>",
        ] {
            assert_eq!(claim(output), Claim::None, "{output:?}");
        }
    }

    #[test]
    fn what_a_terminal_obeys_is_not_said() {
        for output in [
            "\u{1b}]0;title\u{7}<promise>COMPLETE</promise>\n",
            "\u{1b}]8;;x\u{1b}\\\u{1b}[1;32m<promise>COMPLETE</promise>\u{1b}[0m\r\n",
            "\u{1b}]0;unended\n<promise>COMPLETE</promise>\u{1b}",
        ] {
            assert_eq!(claim(output), Claim::Complete, "{output:?}");
        }
        for output in [
            "\u{1b}]0;\n<promise>COMPLETE</promise>\nno",
            "not <promise>COMPLETE</promise>\u{1b}[2K",
            "\u{1b}[31<promise>COMPLETE</promise>",
        ] {
            assert_eq!(claim(output), Claim::None, "{output:?}");
        }
    }

    #[test]
    fn an_echo_of_the_prompt_claims_nothing() {
        assert_eq!(
            claim("Do it.\nThen say:\n<promise>COMPLETE</promise>"),
            Claim::None
        );
        assert_eq!(
            claim("> Then say:\nThen say:\n\n<promise>COMPLETE</promise>"),
            Claim::None
        );
    }

    #[test]
    fn a_fence_is_no_line_that_an_echo_is_known_by() {
        let prompt = "Then say:\n\n```\n<promise>COMPLETE</promise>\n```\n";
        let promise = Promise::parse("COMPLETE").unwrap();
        for (text, claimed) in [
            ("```\n<promise>COMPLETE</promise>\n```", Claim::Complete),
            (
                "All is done.\n```\n<promise>COMPLETE</promise>\n```",
                Claim::Complete,
            ),
            (
                "Then say:\n```\n<promise>COMPLETE</promise>\n```",
                Claim::None,
            ),
            ("Then say:\n---\n<promise>COMPLETE</promise>", Claim::None),
        ] {
            let words = LastWords::new(text, Extent::Message, prompt);
            assert_eq!(
                words.claim(Some(&promise), Reading::Strict),
                claimed,
                "{text}"
            );
            assert_eq!(words.is_echo(&promise), claimed == Claim::None, "{text}");
        }
    }

    #[test]
    fn a_loose_reading_takes_it_anywhere() {
        let promise = Promise::parse("DONE").unwrap();
        let claim =
            |text| LastWords::new(text, Extent::Output, "").claim(Some(&promise), Reading::Loose);
        let text = "I say <promise>DONE</promise> now.\nBye.";
        assert_eq!(claim(text), Claim::Complete);
        assert_eq!(claim("DONE"), Claim::None);
    }

    #[test]
    fn an_agent_may_be_blocked() {
        let said = claim("Hm.\n<promise>BLOCKED: no compiler here</promise>");
        assert_eq!(said, Claim::Blocked("no compiler here".into()));
        let long = format!("<promise>BLOCKED:{}</promise>", "ä".repeat(900));
        let Claim::Blocked(reason) = claim(&long) else {
            panic!("not blocked")
        };
        assert_eq!(reason.len(), 1000);
        let without = LastWords::new(&long, Extent::Output, "").claim(None, Reading::Strict);
        assert_eq!(without, Claim::Blocked(reason));
        let echo = "Or say:\n<promise>BLOCKED: why</promise>";
        assert_eq!(claim(echo), Claim::None);
    }

    #[test]
    fn in_a_message_each_line_counts() {
        for (text, claimed) in [
            ("<promise>COMPLETE</promise>\nThat is all.", Claim::Complete),
            ("I say <promise>COMPLETE</promise>\nnow", Claim::None),
            (
                "Then say:\n<promise>COMPLETE</promise>\nNot yet.",
                Claim::None,
            ),
            (
                "<promise>COMPLETE</promise>\n<promise>BLOCKED: no</promise>\nSo.",
                Claim::Blocked("no".into()),
            ),
        ] {
            assert_eq!(claim_in(text, Extent::Message), claimed, "{text}");
            assert_eq!(claim(text), Claim::None, "{text}");
        }
    }

    #[test]
    fn a_promise_has_to_make_a_tag() {
        for text in ["", "  ", "a<b", "a\nb", "BLOCKED: x", &"x".repeat(201)] {
            assert!(Promise::parse(text).is_err(), "{text:?}");
        }
        assert_eq!(
            Promise::parse(" DONE ").unwrap().tag(),
            "<promise>DONE</promise>"
        );
    }
}

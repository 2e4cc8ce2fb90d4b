//! A run, seen as it goes: its journal as words, the agent's output as it comes. A viewer may come and
//! go; the run does not mind.

mod beginning;
mod words;

use std::collections::VecDeque;
use std::ops::Range;
use std::path::Path;

use bytes::Bytes;

use super::args::Global;
use super::error::{CliError, CliResult, Context as _};
use super::exit::Exit;
use super::logout;
use super::night;
use super::page::{Look, Page};
use super::signals::{Caught, Signals};
use super::steps::Keyboard;
use super::terminal::{Gone, Leave, Output, Policy};
use super::ui::Ui;
use crate::libpod::stream::{Channel, Chunk};
use crate::ralph::journal::Reader;
use crate::ralph::{
    Entry, Event, Follow, Message, Pace, Piece, Record, Run, Stop, Verdict, read_output,
};

pub(crate) use beginning::{Beginning, beginning};
pub(crate) use words::{left_out_words, words};

/// How much of the output is read at once, in bytes.
const READ: u64 = 64 << 10;
/// How much of what is shown is handed on at once, in bytes.
const PART: usize = 64 << 10;

/// What a person does with a run that is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interrupt {
    /// Ctrl-C ends the run.
    Stops,
    /// Ctrl-C ends the looking.
    Leaves,
}

/// What Ctrl-C has asked of a run, once and again.
#[derive(Debug, Default)]
pub(crate) struct Interrupts(u8);

impl Interrupts {
    /// Whether nothing was asked.
    fn none(&self) -> bool {
        self.0 == 0
    }

    /// Asks once more.
    fn again(&mut self, run: &Run, ui: &Ui) -> CliResult<()> {
        self.0 = self.0.saturating_add(1);
        if self.0 > 1 {
            return Ok(run.ask_to_stop(Stop::Now)?);
        }
        run.ask_to_stop(Stop::Gently)?;
        ui.status("stopping the agent; again to kill it");
        Ok(())
    }

    /// The exit code of a run that came to this verdict.
    pub(crate) fn exit(&self, verdict: &Verdict) -> Exit {
        match verdict {
            Verdict::Stopped if !self.none() => Exit::Signal(Caught::Interrupt.number()),
            verdict => night::exit(verdict),
        }
    }
}

/// Shows a run until it has ended, from its beginning.
pub(crate) async fn follow(
    run: &Run,
    look: Look,
    interrupt: Interrupt,
    signals: &mut Signals,
    global: &Global,
    ui: &Ui,
) -> CliResult {
    follow_from(run, 0, look, interrupt, signals, global, ui).await
}

/// The same, of its output only what comes after so many bytes.
pub(crate) async fn follow_from(
    run: &Run,
    from: u64,
    look: Look,
    interrupt: Interrupt,
    signals: &mut Signals,
    global: &Global,
    ui: &Ui,
) -> CliResult {
    let record = run.record()?;
    let mut keyboard = match record.pace {
        Pace::Steps => Keyboard::new(run, &record, global, ui),
        Pace::Through => None,
    };
    // Who is asked between iterations types lines.
    let mut leave = match record.pace {
        Pace::Steps => None,
        Pace::Through => Leave::new().doing("catch signals")?,
    };
    let mut asks = None;
    let output = Output::start(Some(Policy::Quoted)).doing("start writing output")?;
    let mut view = View {
        run,
        record: &record,
        output,
        page: Page::new(look, &record.voice.message),
        shown: from,
        ui,
    };
    let mut interrupts = Interrupts::default();
    let seen = async move {
        let mut follow = Follow::new(run)?;
        let mut reader = Reader::default();
        loop {
            // Before the journal is read, so that what it says on leaving is not missed.
            let held = run.is_held();
            for entry in reader.more(&run.journal_path())? {
                match &entry.event {
                    Event::Asks { .. } => asks = Some(entry.line),
                    Event::GoesOn { .. } => asks = None,
                    _ => {}
                }
                if let Some(verdict) = view.entry(&entry).await? {
                    view.end().await;
                    // A reader that has gone is no failure.
                    let _ = view.output.finish().await;
                    // Until the container is gone, too.
                    while run.is_held() {
                        follow.changed().await;
                    }
                    return Ok(verdict);
                }
            }
            view.output(u64::MAX).await?;
            if !held {
                view.end().await;
                view.output.written().await;
                return Err(gone(run));
            }
            let open = |keyboard: &&mut Keyboard<'_>| !keyboard.has_answered(asks);
            let (Some(keyboard), Some(question)) = (keyboard.as_mut().filter(open), asks) else {
                follow.changed().await;
                continue;
            };
            tokio::select! {
                line = keyboard.line() => {
                    // Nobody has answered, and the run waits.
                    if let Err(error @ CliError { exit: Exit::Signal(_), .. }) = line {
                        return Err(error);
                    }
                    if let Err(error) = line.and_then(|line| keyboard.act(&line, question)) {
                        ui.error(&error);
                    }
                }
                // Somebody else may have answered.
                () = follow.changed() => {}
            }
        }
    };
    tokio::pin!(seen);
    let verdict = loop {
        tokio::select! {
            seen = &mut seen => break seen?,
            () = Leave::typed(&mut leave) => {
                drop(leave);
                ui.status(&format!("the run {} goes on: `stockade watch` shows it again", run.id()));
                // Who may end it has begun it, here.
                if interrupt == Interrupt::Stops {
                    logout::warn(ui).await;
                }
                return Ok(Exit::Done);
            }
            caught = signals.next_end() => {
                // Only Ctrl-C is meant for the run: whoever ends us otherwise ends the looking.
                if interrupt == Interrupt::Leaves || caught != Caught::Interrupt {
                    return Ok(Exit::Signal(caught.number()));
                }
                interrupts.again(run, ui)?;
            }
        }
    };
    drop(leave);
    ui.own(&format!("{}: {verdict}", run.id()));
    Ok(interrupts.exit(&verdict))
}

fn gone(run: &Run) -> CliError {
    CliError::new(
        Exit::Failed,
        format!(
            "nobody has the run {} in hand, and it has not ended",
            run.id()
        ),
    )
    .hint(format!("take it up again: `stockade resume {}`", run.id()))
}

struct View<'a> {
    run: &'a Run,
    record: &'a Record,
    output: Output,
    page: Page,
    /// Bytes of output that were shown.
    shown: u64,
    ui: &'a Ui,
}

impl View<'_> {
    /// Shows an entry; a verdict is left to the caller.
    async fn entry(&mut self, entry: &Entry) -> CliResult<Option<Verdict>> {
        if let Event::Iteration { output, .. } | Event::Ended { output, .. } = &entry.event {
            self.output(*output).await?;
            self.end().await;
            self.output.written().await;
        }
        if let Event::Verdict { verdict } = &entry.event {
            return Ok(Some(verdict.clone()));
        }
        // What the machine may do is said once, where a run goes on alone.
        if let Some(text) = words(&entry.event, self.record)
            && !matches!(entry.event, Event::Awake { .. })
        {
            say(&text, &mut self.page, &self.output, self.ui).await;
        }
        Ok(None)
    }

    async fn output(&mut self, until: u64) -> CliResult<()> {
        let path = self.run.output_path();
        let (page, output) = (&mut self.page, &self.output);
        self.shown = copy(&path, page, output, self.shown..until, self.ui).await?;
        Ok(())
    }

    /// Nothing follows on what was shown last.
    async fn end(&mut self) {
        // A reader that has gone is noticed by the next output.
        let _ = write(self.page.finish(), &self.output).await;
    }
}

/// Waits until a run has ended and nobody has it in hand any more.
pub(crate) async fn until_verdict(run: &Run) -> CliResult<Verdict> {
    let mut follow = Follow::new(run)?;
    while run.is_held() {
        follow.changed().await;
    }
    night::verdict(run)?.ok_or_else(|| gone(run))
}

/// What a run's agent has written so far, after so many bytes.
pub(crate) async fn output(run: &Run, from: u64, output: &Output, ui: &Ui) -> CliResult<()> {
    let mut page = Page::new(Look::AsItIs, &Message::default());
    let path = run.output_path();
    copy(&path, &mut page, output, from..u64::MAX, ui)
        .await
        .map(drop)
}

/// Where the last lines of what a run's agent has written so far begin.
pub(crate) fn last_lines(run: &Run, count: u64) -> CliResult<u64> {
    let path = run.output_path();
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let mut at = 0;
    // Where lines begin, and one that may have nothing in it yet.
    let mut begin = VecDeque::from([0]);
    loop {
        let piece = read_output(&path, at, READ).doing("read the output")?;
        if piece.bytes.is_empty() {
            break;
        }
        if piece.at > at {
            begin.clear();
            begin.push_back(piece.at);
        }
        for (behind, byte) in (piece.at + 1..).zip(&piece.bytes) {
            if *byte == b'\n' {
                begin.push_back(behind);
                if begin.len() - 1 > count {
                    begin.pop_front();
                }
            }
        }
        at = piece.at + piece.bytes.len() as u64;
    }
    if begin.back() == Some(&at) {
        begin.pop_back();
    }
    let skipped = begin.len().saturating_sub(count);
    Ok(begin.get(skipped).copied().unwrap_or(at))
}

/// All of a file with somebody else's words.
pub(crate) async fn file(path: &Path, output: &Output, ui: &Ui) -> CliResult<()> {
    let mut page = Page::new(Look::AsItIs, &Message::default());
    copy(path, &mut page, output, 0..u64::MAX, ui)
        .await
        .map(drop)
}

/// Shows a part of the output, as far as there is any; where it ends now.
async fn copy(
    path: &Path,
    page: &mut Page,
    output: &Output,
    part: Range<u64>,
    ui: &Ui,
) -> CliResult<u64> {
    let mut shown = part.start;
    // Rewound after a loss: what was shown already comes no second time.
    while shown < part.end {
        let piece = read_output(path, shown, READ.min(part.end - shown));
        let Piece { at, bytes } = piece.doing("read the output")?;
        if bytes.is_empty() {
            break;
        }
        if at > shown {
            // A line that is torn does not go on behind what is missing.
            let _ = write(page.finish(), output).await;
            output.written().await;
            ui.own(&match shown {
                0 => format!("the first {at} bytes of the output are not kept"),
                _ => format!("{} bytes of the output are not kept", at - shown),
            });
        }
        shown = at + bytes.len() as u64;
        if write(page.feed(bytes), output).await.is_err() {
            // Whoever read it has had enough; the run goes on.
            return Ok(u64::MAX);
        }
    }
    Ok(shown)
}

/// Hands it to the writer, in parts.
async fn write(mut shown: Bytes, output: &Output) -> Result<(), Gone> {
    while !shown.is_empty() {
        let part = shown.len().min(PART);
        let chunk = Chunk {
            channel: Channel::Stdout,
            bytes: shown.split_to(part),
        };
        output.write(chunk).await?;
    }
    Ok(())
}

/// Says something of ours, on a line of its own.
async fn say(text: &str, page: &mut Page, output: &Output, ui: &Ui) {
    let end = page.pause();
    if !end.is_empty() {
        let _ = write(end, output).await;
        output.written().await;
    }
    ui.own(text);
}

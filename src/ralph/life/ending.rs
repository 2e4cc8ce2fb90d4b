//! How an iteration that is not left to end by itself is brought to its end.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::super::night::Enough;
use super::{Cut, Stop};
use crate::libpod::{self, Status, Stopped};
use crate::sandbox::Sandbox;

/// How long after a word that did not end it it is said again.
const AGAIN: Duration = Duration::from_secs(1);

/// How long the service may go on with a word that has ended it.
const PATIENCE: Duration = Duration::from_secs(30);

/// How an iteration is brought to its end.
pub(super) struct Ending<'a> {
    sandbox: &'a Sandbox,
    /// The first reason.
    pub(super) cut: Option<Cut>,
    /// The hardest word so far.
    pub(super) hardest: Stop,
    under_way: Vec<JoinHandle<Effect>>,
    /// The last word.
    word: watch::Sender<Word>,
    /// While it is paused it cannot be ended.
    pub(super) enough: Option<Enough>,
}

impl<'a> Ending<'a> {
    pub(super) fn new(sandbox: &'a Sandbox, enough: Option<Enough>) -> Self {
        Self {
            sandbox,
            cut: None,
            hardest: Stop::No,
            under_way: Vec::new(),
            word: watch::Sender::new(Word::Said(Stop::No)),
            enough,
        }
    }

    pub(super) fn begin(&mut self, why: Cut, how: Stop) {
        self.cut = self.cut.or(Some(why));
        self.hardest = self.hardest.max(how);
        self.enough.iter().for_each(Enough::say);
        let sandbox = self.sandbox.clone();
        let enough = self.enough.clone();
        self.word.send_replace(Word::Said(self.hardest));
        let mut word = self.word.subscribe();
        let task = tokio::spawn(async move {
            let mut effect = Effect::None;
            // That it has ended is seen elsewhere, and ends this; so does a harder word.
            loop {
                effect = effect.max(say(&sandbox, how, enough.as_ref()).await);
                tokio::select! {
                    () = tokio::time::sleep(AGAIN) => {}
                    _ = word.wait_for(|word| *word > Word::Said(how)) => return effect,
                }
            }
        });
        self.under_way.push(task);
    }

    /// Waits until the service has done with what it was asked: it cleans up behind what it has stopped, and would do so behind
    /// the next life.
    pub(super) async fn done(&mut self) -> Effect {
        self.word.send_replace(Word::Over);
        let done = async {
            let mut effect = Effect::None;
            for task in &mut self.under_way {
                effect = effect.max(task.await.unwrap_or(Effect::Ended));
            }
            effect
        };
        let done = tokio::time::timeout(PATIENCE, done).await;
        done.unwrap_or(Effect::Ended)
    }
}

/// What is asked of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Word {
    /// To end.
    Said(Stop),
    /// Nothing: it has ended.
    Over,
}

/// What a word has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Effect {
    /// It had ended before.
    None,
    /// It ended by it, as far as can be told.
    Ended,
}

/// Says a word to it. One that somebody has paused is let go on for it: it hears nothing else.
async fn say(sandbox: &Sandbox, how: Stop, enough: Option<&Enough>) -> Effect {
    let said = async || match how {
        Stop::Now => sandbox.signal("KILL").await.map(|()| Stopped::Now),
        _ => sandbox.stop(None).await,
    };
    let mut answer = said().await;
    if answer.as_ref().is_err_and(libpod::Error::is_wrong_state)
        && !enough.is_some_and(Enough::holds)
        && sandbox
            .status()
            .await
            .is_ok_and(|status| status == Status::Paused)
        && sandbox.unpause().await.is_ok()
    {
        answer = said().await;
    }
    match answer {
        Ok(Stopped::Before) => Effect::None,
        Err(error) if error.is_wrong_state() || error.is_not_found() => Effect::None,
        Ok(Stopped::Now) | Err(_) => Effect::Ended,
    }
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.under_way.iter().for_each(JoinHandle::abort);
    }
}

//! How far a transfer is: a line that changes on a terminal, a line now and then elsewhere.

use std::cell::Cell;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::ui::Ui;
use super::units;

/// Nothing is said of what is over sooner.
const PATIENCE: Duration = Duration::from_millis(500);
const REDRAW: Duration = Duration::from_millis(100);
/// Between two plain lines.
const PLAIN: Duration = Duration::from_secs(10);

/// Counts bytes, wherever they pass.
#[derive(Debug, Clone, Default)]
pub(crate) struct Meter(Arc<Counted>);

#[derive(Debug, Default)]
struct Counted {
    bytes: AtomicU64,
    done: AtomicBool,
}

impl Meter {
    /// So many more bytes have passed.
    pub(crate) fn add(&self, bytes: usize) {
        self.0.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// No more will pass.
    pub(crate) fn finish(&self) {
        self.0.done.store(true, Ordering::Release);
    }

    /// Bytes so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.0.bytes.load(Ordering::Relaxed)
    }

    fn is_done(&self) -> bool {
        self.0.done.load(Ordering::Acquire)
    }
}

/// Shows a meter.
#[derive(Debug)]
pub(crate) struct Progress<'a> {
    ui: &'a Ui,
    what: &'static str,
    meter: Meter,
    shown: Cell<bool>,
}

impl<'a> Progress<'a> {
    /// `what` stands before the number, as in `sending the build context`.
    pub(crate) fn new(ui: &'a Ui, what: &'static str) -> Self {
        Self {
            ui,
            what,
            meter: Meter::default(),
            shown: Cell::new(false),
        }
    }

    /// What counts.
    pub(crate) fn meter(&self) -> Meter {
        self.meter.clone()
    }

    /// Does something, and shows meanwhile how far it is.
    pub(crate) async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        let result = tokio::select! {
            // So that what is printed and the line do not mix.
            biased;
            result = work => result,
            never = self.show() => match never {},
        };
        self.clear();
        result
    }

    /// Takes the line away, before something is printed.
    pub(crate) fn clear(&self) {
        if self.shown.replace(false) {
            self.ui.live_done();
        }
    }

    async fn show(&self) -> Infallible {
        let (first, pause) = match self.ui.is_live() {
            true => (PATIENCE, REDRAW),
            false => (PLAIN, PLAIN),
        };
        let start = Instant::now();
        sleep(first).await;
        while !self.meter.is_done() {
            let text = format!("{}: {}", self.what, units::size(self.meter.bytes()));
            if self.ui.is_live() {
                self.shown.set(true);
                self.ui.live(&text);
            } else {
                let seconds = start.elapsed().as_secs();
                self.ui.status(&format!("{text} in {seconds} s"));
            }
            sleep(pause).await;
        }
        self.clear();
        std::future::pending().await
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        // On Ctrl-C, too.
        self.clear();
    }
}

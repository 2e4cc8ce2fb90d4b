//! What the kernel's files have said of an iteration, also to those who lost sight of it then.

use crate::sandbox::{LifeWatch, Usage};

/// Of one iteration so far.
#[derive(Debug, Default)]
pub(in crate::ralph) struct Evidence {
    /// Something in it was refused a process, at the limit.
    pub(in crate::ralph) forks_refused: bool,
    /// Something in it was killed for want of memory.
    pub(in crate::ralph) oom_killed: bool,
    /// What it used.
    pub(in crate::ralph) used: Usage,
}

impl Evidence {
    /// Adds what was seen, with a last look: the files may be there still.
    pub(super) fn add(&mut self, mut seen: LifeWatch) {
        seen.look();
        self.forks_refused |= seen.forks_were_refused();
        self.used = self.used.or_more(seen.usage());
        self.oom_killed |= seen.had_an_oom_kill();
    }
}

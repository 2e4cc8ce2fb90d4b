//! What the service says of its steps, watched for one thing: instructions that do not stand in the
//! Containerfile.
//!
//! No inspect shows for certain whether a base image has `ONBUILD` instructions; when the service
//! begins its stage it knows, and counts them (`STEP 1/3: FROM base`, then `STEP 2/4: …`). So a
//! context that was sent in part can still be found too small, before anything was copied from it.

/// Watches the steps of a build.
#[derive(Debug, Default)]
pub(super) struct Steps {
    /// Stage and total of the step before.
    last: Option<(String, Option<u32>)>,
}

/// Whether a stage has more steps than its Containerfile gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// As far as was said, no.
    Expected,
    /// It has: the base image brought some.
    Triggers,
}

impl Steps {
    /// Takes the next text of the build. What `RUN` writes can look like a step, and then costs a
    /// needless second build at worst.
    pub(super) fn see(&mut self, text: &str) -> Seen {
        for line in text.lines() {
            let Some(step) = step(line) else { continue };
            let (stage, number, total) = step;
            let same = self
                .last
                .as_ref()
                .is_none_or(|(last, before)| last != stage || *before == total);
            if number > 1 && !same {
                return Seen::Triggers;
            }
            self.last = Some((stage.to_owned(), total));
        }
        Seen::Expected
    }
}

/// Stage (as in `[1/2]`, or nothing), number and total of a line like `[1/2] STEP 1/3: FROM x`.
fn step(line: &str) -> Option<(&str, u32, Option<u32>)> {
    let (stage, rest) = match line.strip_prefix('[') {
        Some(rest) => {
            let (stage, rest) = rest.split_once("] ")?;
            (stage, rest)
        }
        None => ("", line),
    };
    if stage.len() > 20 {
        return None;
    }
    let (count, _) = rest.strip_prefix("STEP ")?.split_once(": ")?;
    // Steps beyond the total have none.
    let (number, total) = match count.split_once('/') {
        Some((number, total)) => (number, Some(total.parse().ok()?)),
        None => (count, None),
    };
    Some((stage, number.parse().ok()?, total))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(lines: &[&str]) -> Seen {
        let mut steps = Steps::default();
        lines
            .iter()
            .map(|line| steps.see(&format!("{line}\n")))
            .find(|seen| *seen == Seen::Triggers)
            .unwrap_or(Seen::Expected)
    }

    #[test]
    fn an_ordinary_build_has_no_triggers() {
        assert_eq!(
            seen(&[
                "STEP 1/3: FROM localhost/base",
                "Trying to pull localhost/base...",
                "STEP 2/3: ENV A=1",
                "--> fc47b25a16e",
                "STEP 3/3: COPY a /a",
                "COMMIT x",
            ]),
            Seen::Expected
        );
        assert_eq!(
            seen(&[
                "[1/2] STEP 1/3: FROM localhost/base AS one",
                "[1/2] STEP 2/3: ENV A=1",
                "[1/2] STEP 3/3: ENV A=1",
                "[2/2] STEP 1/2: FROM localhost/base",
                "[2/2] STEP 2/2: COPY --from=one /x /y",
            ]),
            Seen::Expected
        );
    }

    #[test]
    fn triggers_change_the_total() {
        // As Podman 4.3 and 5.4 say it.
        assert_eq!(
            seen(&["STEP 1/2: FROM localhost/onbuild", "STEP 2/3: COPY . /all"]),
            Seen::Triggers
        );
        assert_eq!(
            seen(&["STEP 1/1: FROM localhost/onbuild", "STEP 2/2: COPY . /all"]),
            Seen::Triggers
        );
        assert_eq!(
            seen(&[
                "[1/2] STEP 1/1: FROM localhost/base AS one",
                "[2/2] STEP 1/3: FROM localhost/onbuild",
                "[2/2] STEP 2/4: COPY . /all",
            ]),
            Seen::Triggers
        );
        assert_eq!(
            seen(&["STEP 1/1: FROM localhost/onbuild", "STEP 2: COPY . /all"]),
            Seen::Triggers
        );
    }

    #[test]
    fn what_is_no_step_is_passed_over() {
        for line in [
            "STEP",
            "STEP 1/2",
            "STEP x/2: y",
            "[1/2 STEP 1/2: x",
            "a STEP 1/2: x",
        ] {
            assert_eq!(step(line), None, "{line}");
        }
        assert_eq!(step("STEP 2/3: a: b"), Some(("", 2, Some(3))));
        assert_eq!(step("[1/2] STEP 2/3: a"), Some(("1/2", 2, Some(3))));
    }
}

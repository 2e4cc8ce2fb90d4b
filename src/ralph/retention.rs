//! Which checkpoints are kept when there are many.

use std::collections::BTreeSet;

/// How many are kept besides the first, the last and those that a check ran on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Retention {
    /// So many of the newest.
    pub count: usize,
    /// As long as they have not added more bytes than this.
    pub bytes: u64,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            count: 50,
            bytes: 10 << 30,
        }
    }
}

/// What checkpoints are worth that are chosen from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Worth {
    /// They are kept whatever room they take.
    pub needed: BTreeSet<u32>,
    /// They were taken while the agent worked: any other is kept before them.
    pub meanwhile: BTreeSet<u32>,
}

impl Retention {
    /// Chooses from checkpoints and the bytes that each has added, the oldest first.
    pub fn keep(&self, sizes: &[(u32, u64)], worth: &Worth) -> BTreeSet<u32> {
        let last = sizes.last().map(|(number, _)| *number);
        let must =
            |number: u32| number == 0 || Some(number) == last || worth.needed.contains(&number);
        let all = sizes.iter().map(|(number, _)| *number);
        let mut keep: BTreeSet<u32> = all.filter(|number| must(*number)).collect();
        let mut left = self.bytes;
        let mut others: Vec<_> = sizes.iter().rev().collect();
        others.retain(|(number, _)| !must(*number));
        others.sort_by_key(|(number, _)| worth.meanwhile.contains(number));
        for (number, size) in others.into_iter().take(self.count) {
            match left.checked_sub(*size) {
                Some(rest) => left = rest,
                None => break,
            }
            keep.insert(*number);
        }
        keep
    }
}

/// Numbers in order, in short: `0, 4–7, 9`.
pub fn ranges(numbers: &[u32]) -> String {
    let mut parts: Vec<(u32, u32)> = Vec::new();
    for &number in numbers {
        match parts.last_mut() {
            Some((_, end)) if end.checked_add(1) == Some(number) => *end = number,
            _ => parts.push((number, number)),
        }
    }
    let part = |(start, end): &(u32, u32)| match start == end {
        true => start.to_string(),
        false => format!("{start}–{end}"),
    };
    parts.iter().map(part).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(retention: &Retention, sizes: &[u64], checked: &[u32]) -> Vec<u32> {
        let sizes: Vec<(u32, u64)> = (0..).zip(sizes.iter().copied()).collect();
        let worth = Worth {
            needed: checked.iter().copied().collect(),
            meanwhile: BTreeSet::new(),
        };
        retention.keep(&sizes, &worth).into_iter().collect()
    }

    #[test]
    fn the_first_the_last_the_checked_and_the_newest_are_kept() {
        let few = Retention {
            count: 2,
            bytes: 100,
        };
        assert_eq!(kept(&few, &[], &[]), [0; 0]);
        assert_eq!(kept(&few, &[500], &[]), [0]);
        assert_eq!(kept(&few, &[500, 1, 1, 500], &[]), [0, 1, 2, 3]);
        assert_eq!(kept(&few, &[500, 1, 1, 1, 1, 500], &[]), [0, 3, 4, 5]);
        assert_eq!(
            kept(&few, &[500, 1, 500, 1, 1, 1, 1], &[2]),
            [0, 2, 4, 5, 6]
        );
        // One that does not fit ends it: there are no holes among the newest.
        assert_eq!(kept(&few, &[1, 1, 101, 1, 1], &[]), [0, 3, 4]);
        assert_eq!(kept(&few, &[1, 1, 60, 60, 1], &[9]), [0, 3, 4]);
    }

    #[test]
    fn numbers_in_short() {
        assert_eq!(ranges(&[0, 4, 5, 6, 9]), "0, 4–6, 9");
        assert_eq!(ranges(&[]), "");
    }

    /// A night of many hours takes more of them than it has iterations.
    #[test]
    fn those_taken_while_the_agent_worked_go_first() {
        let few = Retention {
            count: 3,
            bytes: 100,
        };
        let sizes: Vec<(u32, u64)> = (0..9).map(|number| (number, 1)).collect();
        let kept = |meanwhile: &[u32]| -> Vec<u32> {
            let worth = Worth {
                needed: BTreeSet::from([5]),
                meanwhile: meanwhile.iter().copied().collect(),
            };
            few.keep(&sizes, &worth).into_iter().collect()
        };
        assert_eq!(kept(&[]), [0, 4, 5, 6, 7, 8]);
        assert_eq!(kept(&[4, 6, 7]), [0, 1, 2, 3, 5, 8]);
        assert_eq!(kept(&[1, 2, 3, 4, 6]), [0, 4, 5, 6, 7, 8]);
        assert_eq!(kept(&[5, 8]), [0, 4, 5, 6, 7, 8]);
    }
}

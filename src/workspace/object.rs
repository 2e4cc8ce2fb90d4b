//! Trees and commits, as git has them.

use std::cmp::Ordering;

use crate::workspace::id::ID;
use crate::workspace::id::ObjectId;

/// Who commits: nobody in particular.
const WHO: &str = "stockade <stockade@localhost>";

/// What stands for a name in a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Directory,
    File,
    Executable,
    Link,
}

impl Type {
    fn mode(self) -> &'static [u8] {
        match self {
            Self::Directory => b"40000",
            Self::File => b"100644",
            Self::Executable => b"100755",
            Self::Link => b"120000",
        }
    }

    fn of(mode: &[u8]) -> Option<Self> {
        let all = [Self::Directory, Self::File, Self::Executable, Self::Link];
        all.into_iter().find(|kind| kind.mode() == mode)
    }
}

/// A name in a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TreeEntry<'a> {
    pub(super) name: &'a [u8],
    pub(super) kind: Type,
    pub(super) id: ObjectId,
}

impl TreeEntry<'_> {
    /// git sorts a directory as if its name ended in a slash.
    fn order(&self, other: &Self) -> Ordering {
        let both = self.name.len().min(other.name.len());
        let key = |entry: &TreeEntry<'_>| {
            let slash = (entry.kind == Type::Directory).then_some(b'/');
            entry.name.get(both).copied().or(slash)
        };
        let names = self.name.get(..both).cmp(&other.name.get(..both));
        names.then_with(|| key(self).cmp(&key(other)))
    }
}

/// Encodes a tree; sorts its entries.
pub(super) fn encode_tree(entries: &mut [TreeEntry<'_>], out: &mut Vec<u8>) {
    entries.sort_unstable_by(TreeEntry::order);
    out.clear();
    for entry in entries {
        out.extend_from_slice(entry.kind.mode());
        out.push(b' ');
        out.extend_from_slice(entry.name);
        out.push(0);
        out.extend_from_slice(entry.id.as_bytes());
    }
}

/// `None` if it is no tree, or none that is written here.
pub(super) fn parse_tree(mut bytes: &[u8]) -> Option<Vec<TreeEntry<'_>>> {
    let mut entries = Vec::new();
    while !bytes.is_empty() {
        let space = bytes.iter().position(|&byte| byte == b' ')?;
        let (mode, rest) = bytes.split_at_checked(space)?;
        let rest = rest.get(1..)?;
        let end = rest.iter().position(|&byte| byte == 0)?;
        let (name, rest) = rest.split_at_checked(end)?;
        let (id, rest) = rest.get(1..)?.split_at_checked(ID)?;
        entries.push(TreeEntry {
            name,
            kind: Type::of(mode)?,
            id: ObjectId::from_bytes(id)?,
        });
        bytes = rest;
    }
    Some(entries)
}

/// A commit, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Commit {
    pub(super) tree: ObjectId,
    pub(super) parent: Option<ObjectId>,
    pub(super) seconds: i64,
    pub(super) message: String,
}

impl Commit {
    pub(super) fn encode(&self) -> String {
        let Self {
            tree,
            seconds,
            message,
            ..
        } = self;
        let parent = self.parent.map(|id| format!("parent {id}\n"));
        let parent = parent.unwrap_or_default();
        format!(
            "tree {tree}\n{parent}author {WHO} {seconds} +0000\ncommitter {WHO} {seconds} +0000\n\n\
             {message}\n"
        )
    }

    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let text = str::from_utf8(bytes).ok()?;
        let (head, message) = text.split_once("\n\n")?;
        let field = |name: &str| {
            let mut lines = head.lines();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
        };
        let id = |text: &str| ObjectId::from_hex(text.as_bytes());
        let parent = match field("parent") {
            Some(text) => Some(id(text)?),
            None => None,
        };
        let committed = field("committer")?.strip_suffix(" +0000")?;
        let (_, seconds) = committed.rsplit_once(' ')?;
        Some(Self {
            tree: id(field("tree")?)?,
            parent,
            seconds: seconds.parse().ok()?,
            message: message.trim_end_matches('\n').to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_read_as_it_was_written() {
        for parent in [None, Some(ObjectId::new([7; ID]))] {
            let commit = Commit {
                tree: ObjectId::new([1; ID]),
                parent,
                seconds: 1_700_000_000,
                message: "checkpoint 3: iteration 3".to_owned(),
            };
            let text = commit.encode();
            assert_eq!(Commit::parse(text.as_bytes()), Some(commit));
            for end in 0..text.len() - 30 {
                // Never a panic; what is missing at the end of the message cannot be seen.
                let _ = Commit::parse(&text.as_bytes()[..end]);
            }
        }
    }

    #[test]
    fn a_tree_that_is_cut_short_is_none() {
        let entry = |name, kind| TreeEntry {
            name,
            kind,
            id: ObjectId::new([9; ID]),
        };
        let mut entries = [entry(b"a", Type::Directory), entry(b"a.b", Type::File)];
        let mut bytes = Vec::new();
        encode_tree(&mut entries, &mut bytes);
        // As git has it: `a/` comes after `a.b`.
        assert_eq!(entries.map(|entry| entry.name), [&b"a.b"[..], b"a"]);
        assert_eq!(parse_tree(&bytes).unwrap(), entries);
        let whole = bytes.len() / 2 + 2;
        for end in (1..bytes.len()).filter(|end| end.abs_diff(whole) > 2) {
            let parsed = parse_tree(&bytes[..end]);
            assert!(parsed.is_none_or(|entries| entries.len() == 1), "{end}");
        }
    }
}

//! Metadata as text, written and read, whole and damaged.

use super::*;

/// A tree with every kind of line.
fn snapshot() -> Snapshot {
    let mut root = Node::new(EntryKind::Directory);
    root.mode = 0o2755;
    root.mtime = Time {
        seconds: -5,
        nanoseconds: 999_999_999,
    };
    let mut snapshot = Snapshot::new(root);
    let mut file = Node::new(EntryKind::File);
    (file.mode, file.size, file.group) = (0o4711, u64::MAX, 3);
    file.id = ObjectId::new([0xa5; 32]);
    let mut torn = file;
    torn.torn = true;
    let left = Node::new(EntryKind::LeftOut(Reason::MountPoint));
    let names: [(&[u8], Node); 5] = [
        (b"%41 \n\x7f", left),
        (b"a b", file),
        (b"d", Node::new(EntryKind::Directory)),
        (b"e", Node::new(EntryKind::Directory)),
        (b"\xff", Node::new(EntryKind::Symlink)),
    ];
    for (name, node) in names {
        snapshot.push(name, node).unwrap();
    }
    snapshot.adopt(0, 1);
    let first = At::try_from(snapshot.len()).unwrap();
    snapshot.push(b"inside", torn).unwrap();
    snapshot.adopt(3, first);
    let first = At::try_from(snapshot.len()).unwrap();
    snapshot.adopt(4, first);
    snapshot
}

fn encoded(snapshot: &Snapshot) -> Vec<Vec<u8>> {
    let mut chunks = Vec::new();
    encode(snapshot, |chunk| {
        chunks.push(chunk.to_vec());
        Ok::<_, ()>(())
    })
    .unwrap();
    chunks
}

fn decoded(bytes: &[u8]) -> Result<Snapshot, &'static str> {
    let mut decoder = Decoder::new();
    decoder.chunk(bytes)?;
    decoder.finish()
}

#[test]
fn a_tree_is_read_as_it_was_written() {
    let snapshot = snapshot();
    let bytes = encoded(&snapshot).concat();
    assert_eq!(decoded(&bytes).as_ref(), Ok(&snapshot));
}

#[test]
fn what_is_damaged_is_refused_or_another_whole_tree() {
    let bytes = encoded(&snapshot()).concat();
    for end in 0..bytes.len() {
        assert!(decoded(&bytes[..end]).is_err(), "{end}");
    }
    for at in 0..bytes.len() {
        for wrong in [b'\n', b' ', b'0', b'9', b'/', 0, b'%', b'd'] {
            let mut damaged = bytes.clone();
            damaged[at] = wrong;
            if let Ok(other) = decoded(&damaged) {
                assert_eq!(other.len(), 7);
                assert_eq!(decoded(&encoded(&other).concat()), Ok(other));
            }
        }
    }
}

#[test]
fn numbers_that_promise_too_much_are_refused() {
    let id = "00".repeat(32);
    for text in [
        "",
        "stockade 1 0\n",
        "stockade 1 99999999999\nd 0755 0 0 1.0 0 \n",
        "stockade 1 1\nd 0755 0 0 1.0 4294967295 \n",
        "stockade 1 2\nd 0755 0 0 1.0 1 \nd 0755 0 0 1.0 4294967295 x\n",
        "stockade 1 1\nd 0755 0 0 99999999999999999999.0 0 \n",
        "stockade 1 1\nd 0755 0 0 1.1000000000 0 \n",
        "stockade 1 1\nd 755 0 0 1.0 0 \n",
        "stockade 1 1\nd 0755 0 0 1.0 0 name\n",
        "stockade 1 3\nd 0755 0 0 1.0 2 \nx special b\nx special a\n",
        "stockade 1 3\nd 0755 0 0 1.0 2 \nx special a\nx special a\n",
        "stockade 1 2\nd 0755 0 0 1.0 1 \nx special ..\n",
        "stockade 1 2\nd 0755 0 0 1.0 1 \nx special a/b\n",
        "stockade 1 2\nd 0755 0 0 1.0 1 \nx nothing a\n",
    ] {
        assert!(decoded(text.as_bytes()).is_err(), "{text}");
    }
    let good = format!("stockade 1 2\nd 0755 0 0 1.0 1 \nf 0644 0 0 1.0 5 0 {id} a\n");
    assert!(decoded(good.as_bytes()).is_ok());
}

#[test]
fn chunks_stay_the_same_where_nothing_changed() {
    let tree = |changed: bool| {
        let mut snapshot = Snapshot::new(Node::new(EntryKind::Directory));
        for number in 0..20_000 {
            let mut node = Node::new(EntryKind::File);
            node.size = u64::from(changed && number == 10_000) + 7;
            if !(changed && number == 3000) {
                snapshot
                    .push(format!("{number:06}").as_bytes(), node)
                    .unwrap();
            }
        }
        snapshot.adopt(0, 1);
        encoded(&snapshot)
    };
    let (before, after) = (tree(false), tree(true));
    let shared = after.iter().filter(|chunk| before.contains(chunk)).count();
    assert!(
        before.len() > 20 && after.len() - shared <= 6,
        "{} {shared}",
        after.len()
    );
}

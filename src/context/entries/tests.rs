use std::io::Cursor;

use proptest::prelude::*;
use tar::EntryType;

use super::*;

/// A header as GNU tar writes it, and its content.
fn raw(kind: u8, name: &[u8], size: u64, content: &[u8]) -> Vec<u8> {
    let mut header = Header::new_gnu();
    header.as_old_mut().linkflag = [kind];
    header.set_mode(0o644);
    header.set_mtime(7);
    header.set_size(size);
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.set_cksum();
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend_from_slice(content);
    bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
    bytes
}

fn entry(kind: u8, name: &str, content: &[u8]) -> Vec<u8> {
    raw(kind, name.as_bytes(), content.len() as u64, content)
}

fn pax(pairs: &[(&str, &[u8])]) -> Vec<u8> {
    let mut records = Vec::new();
    for (key, value) in pairs {
        let rest = key.len() + value.len() + 3;
        let mut length = rest + 1;
        while length != rest + length.to_string().len() {
            length = rest + length.to_string().len();
        }
        records.extend_from_slice(format!("{length} {key}=").as_bytes());
        records.extend_from_slice(value);
        records.push(b'\n');
    }
    entry(b'x', "pax", &records)
}

const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];

fn whole(parts: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = parts.concat();
    bytes.extend_from_slice(&END);
    bytes
}

type Read1 = (EntryKind, String, String, Vec<u8>);

fn read(bytes: &[u8]) -> Result<Vec<Read1>, Error> {
    read_from(Cursor::new(bytes))
}

fn read_from(reader: impl Read) -> Result<Vec<Read1>, Error> {
    let mut entries = Entries::new(reader);
    let mut found = Vec::new();
    while let Some(entry) = entries.next()? {
        let mut content = Vec::new();
        let mut buffer = [0; 100];
        while entries.left() > 0 {
            let got = entries.read(&mut buffer)?;
            content.extend_from_slice(&buffer[..got]);
        }
        let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
        found.push((entry.kind, text(&entry.path), text(&entry.target), content));
    }
    entries.drain()?;
    Ok(found)
}

#[track_caller]
fn fails(bytes: &[u8], want: &str) {
    let error = read(bytes).unwrap_err().to_string();
    assert!(error.contains(want), "{error}");
}

#[test]
fn names_come_from_header_gnu_record_or_pax() {
    let long = "d/".repeat(150) + "f";
    let mut ustar = Header::new_ustar();
    ustar.set_entry_type(EntryType::Regular);
    ustar.set_path("p/".repeat(60) + "f").unwrap();
    ustar.set_mode(0o644);
    ustar.set_size(0);
    ustar.set_mtime(0);
    ustar.set_cksum();
    let archive = whole(&[
        entry(b'0', "plain", b"content"),
        entry(b'L', "././@LongLink", format!("{long}\0").as_bytes()),
        entry(b'0', "cut", b""),
        entry(b'K', "././@LongLink", b"long/target\0"),
        entry(b'2', "link", b""),
        pax(&[
            ("path", b"new\nline"),
            ("SCHILY.xattr.security.capability", b"\x01\n\n\xff="),
            ("mtime", b"12.5"),
        ]),
        entry(b'0', "x", b"y"),
        ustar.as_bytes().to_vec(),
        entry(b'\0', "dir/", b""),
        entry(b'g', "global", b"18 comment=abcdef\n"),
        entry(b'5', "dir2", b""),
        entry(b'6', "fifo", b""),
    ]);
    let found = read(&archive).unwrap();
    let names: Vec<(EntryKind, &str, &str)> = found
        .iter()
        .map(|(kind, path, target, _)| (*kind, path.as_str(), target.as_str()))
        .collect();
    assert_eq!(
        names,
        [
            (EntryKind::File, "plain", ""),
            (EntryKind::File, long.as_str(), ""),
            (EntryKind::Symlink, "link", "long/target"),
            (EntryKind::File, "new\\nline", ""),
            (EntryKind::File, ("p/".repeat(60) + "f").as_str(), ""),
            (EntryKind::Directory, "dir/", ""),
            (EntryKind::Directory, "dir2", ""),
            (EntryKind::Special, "fifo", ""),
        ]
    );
    assert_eq!(found[0].3, b"content");
    assert_eq!(found[3].3, b"y");
}

#[test]
fn pax_says_the_size_where_a_header_cannot() {
    let archive = whole(&[
        pax(&[("size", b"600")]),
        raw(b'0', b"big", 0, &[b'a'; 600]),
        entry(b'0', "next", b"b"),
    ]);
    let found = read(&archive).unwrap();
    assert_eq!(found[0].3, vec![b'a'; 600]);
    assert_eq!(found[1].1, "next");
}

#[test]
fn only_files_have_content() {
    // Whatever the header of a link says, its next block is a header.
    let archive = whole(&[
        raw(b'1', b"link", 512, b""),
        entry(b'0', "file", b"content"),
    ]);
    assert_eq!(read(&archive).unwrap().len(), 2);
}

#[test]
fn an_archive_that_is_cut_anywhere_is_an_error() {
    let archive = whole(&[
        entry(b'0', "a", b"content"),
        pax(&[("path", b"longer")]),
        entry(b'0', "b", b"more"),
    ]);
    assert_eq!(read(&archive).unwrap().len(), 2);
    for length in 0..archive.len() {
        assert!(read(&archive[..length]).is_err(), "cut at {length}");
    }
}

#[test]
fn lengths_have_a_bound() {
    for kind in [b'L', b'K', b'x'] {
        let endless = raw(kind, b"name", 1 << 40, b"");
        let error = read_from(Cursor::new(endless).chain(io::repeat(b'a'))).unwrap_err();
        assert!(error.to_string().contains("too long"), "{error}");
    }
    let long = vec![b'a'; MAX_PATH + 1];
    fails(
        &whole(&[pax(&[("path", &long)]), entry(b'0', "x", b"")]),
        "too long",
    );
    let end = whole(&[]);
    let error = read_from(Cursor::new(end).chain(io::repeat(0))).unwrap_err();
    assert!(error.to_string().contains("follows its end"), "{error}");
}

#[test]
fn what_is_broken_or_not_supported_is_an_error() {
    fails(b"no archive at all", "ends before its end");
    fails(&[b'x'; 1024], "broken header");
    let mut half_end = entry(b'0', "a", b"");
    half_end.extend_from_slice(&[0; BLOCK]);
    half_end.extend_from_slice(&[1; BLOCK]);
    fails(&half_end, "broken end");
    fails(&whole(&[entry(b'S', "sparse", b"")]), "not supported");
    fails(&whole(&[entry(b'V', "volume", b"")]), "not supported");
    fails(
        &whole(&[
            pax(&[("GNU.sparse.major", b"1")]),
            entry(b'0', "sparse", b""),
        ]),
        "sparse",
    );
    let twice = pax(&[("path", b"a")]);
    fails(
        &whole(&[twice.clone(), twice, entry(b'0', "x", b"")]),
        "two names",
    );
    for records in [
        &b"8 path=a\n"[..],
        b"99999999999999999999999 path=a\n",
        b"0 path=a\n",
        b"11 path=abc",
        b" =\n",
        b"7 patha\n",
    ] {
        fails(
            &whole(&[entry(b'x', "pax", records), entry(b'0', "x", b"")]),
            "PAX",
        );
    }
    fails(
        &whole(&[pax(&[("size", b"-1")]), entry(b'0', "x", b"")]),
        "size",
    );
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..3000)) {
        let _ = read(&bytes);
    }

    /// A valid archive with some bytes changed: no panic, and no end where there is none.
    #[test]
    fn changed_bytes_are_read_or_refused(changes in prop::collection::vec((0usize..3584, any::<u8>()), 1..12)) {
        let mut archive = whole(&[
            pax(&[("path", b"name"), ("size", b"3")]),
            entry(b'0', "a", b"abc"),
            entry(b'1', "b", b""),
        ]);
        for (place, byte) in changes {
            let length = archive.len();
            archive[place % length] = byte;
        }
        let _ = read(&archive);
    }

    #[test]
    fn short_reads_do_not_matter(sizes in prop::collection::vec(1usize..700, 1..20)) {
        struct Short<'a>(&'a [u8], Vec<usize>, usize);
        impl Read for Short<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                self.2 += 1;
                let size = self.1[self.2 % self.1.len()].min(buffer.len()).min(self.0.len());
                buffer[..size].copy_from_slice(&self.0[..size]);
                self.0 = &self.0[size..];
                Ok(size)
            }
        }
        let archive = whole(&[pax(&[("path", b"p")]), entry(b'0', "a", &[b'z'; 1000])]);
        let found = read_from(Short(&archive, sizes, 0)).unwrap();
        prop_assert_eq!(&found[0].1, "p");
        prop_assert_eq!(found[0].3.len(), 1000);
    }
}

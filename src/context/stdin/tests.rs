use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;

use super::*;

/// A reader that gives its bytes in pieces of a given size.
struct Pieces<'a>(&'a [u8], usize);

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let now = self.1.min(buffer.len()).min(self.0.len());
        buffer[..now].copy_from_slice(&self.0[..now]);
        self.0 = &self.0[now..];
        Ok(now)
    }
}

fn tar() -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(5);
    builder
        .append_data(&mut header, "name", &b"hello"[..])
        .unwrap();
    builder.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn read(bytes: &[u8], piece: usize) -> Result<(char, Vec<u8>), String> {
    match Input::sniff(Pieces(bytes, piece)).map_err(|error| error.to_string())? {
        Input::Containerfile(file) => Ok(('c', file.bytes().to_vec())),
        Input::Archive(mut archive) => {
            let mut whole = Vec::new();
            archive
                .read_to_end(&mut whole)
                .map_err(|error| error.to_string())?;
            Ok(('a', whole))
        }
    }
}

proptest! {
    #[test]
    fn kinds_are_told_apart_however_the_bytes_come(piece in 1_usize..2000) {
        let archive = tar();
        prop_assert_eq!(read(&archive, piece), Ok(('a', archive.clone())));
        prop_assert_eq!(read(&gzip(&archive), piece), Ok(('a', archive.clone())));
        let members = [gzip(&archive[..700]), gzip(&archive[700..])].concat();
        prop_assert_eq!(read(&members, piece), Ok(('a', archive)));
        let text = b"FROM scratch\n".to_vec();
        prop_assert_eq!(read(&text, piece), Ok(('c', text.clone())));
        let packed = b"\xfd7zXZ\0and more".to_vec();
        prop_assert_eq!(read(&packed, piece), Ok(('a', packed.clone())));
    }

    #[test]
    fn never_panics(bytes in proptest::collection::vec(0_u8.., 0..1200), piece in 1_usize..600) {
        let _ = read(&bytes, piece);
    }
}

#[test]
fn what_is_neither_is_refused() {
    let error = |bytes: &[u8]| read(bytes, 100).unwrap_err();
    assert_eq!(
        error(b""),
        "standard input is no build context: it is empty"
    );
    assert!(error(&gzip(b"FROM scratch\n")).contains("no tar archive"));
    assert!(error(b"FROM\0scratch").contains("neither"));
    assert!(error(&vec![b'#'; 1024 * 1024 + 1]).contains("larger than 1048576 bytes"));
    assert!(read(&vec![b'#'; 1024 * 1024], 100_000).is_ok());
}

#[test]
fn a_cut_gzip_is_an_error_not_an_end() {
    let archive: Vec<u8> = (0..100).flat_map(|_| tar()).collect();
    let packed = gzip(&archive);
    assert!(read(&packed[..packed.len() - 9], 100).is_err());
    assert!(read(&packed[..packed.len() / 2], 100).is_err());
}

#[test]
fn a_reader_that_fails_is_an_error() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::PermissionDenied.into())
        }
    }
    assert!(Input::sniff(Broken).is_err());
}

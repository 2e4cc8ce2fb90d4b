//! JSON values one after another: build, pull, events, stats.

use std::marker::PhantomData;

use serde::de::DeserializeOwned;

use crate::libpod::error::{Error, Kind, Result};
use crate::libpod::response::ByteStream;

/// The longest single value.
const LIMIT: usize = 16 << 20;

/// Decodes consecutive JSON values, wherever the chunks are cut.
#[derive(Debug)]
pub struct JsonLines<T> {
    endpoint: String,
    buffer: Vec<u8>,
    start: usize,
    /// Bytes already tried without finding a whole value: not worth trying again until more came.
    tried: usize,
    value: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> JsonLines<T> {
    /// An empty decoder; `endpoint` goes into errors.
    pub fn new(endpoint: impl Into<String>) -> Self {
        Self {
            endpoint: endpoint.into(),
            buffer: Vec::new(),
            start: 0,
            tried: 0,
            value: PhantomData,
        }
    }

    /// Takes the next bytes from the wire.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole value, `None` when more bytes are needed.
    ///
    /// # Errors
    /// What is there is no JSON, not of the expected shape, or longer than 16 MiB.
    pub fn next_value(&mut self) -> Result<Option<T>> {
        let rest = self.buffer.get(self.start..).unwrap_or_default();
        if rest.len() == self.tried {
            return Ok(None);
        }
        let mut values = serde_json::Deserializer::from_slice(rest).into_iter::<T>();
        match values.next() {
            Some(Ok(value)) => {
                self.start += values.byte_offset();
                self.tried = 0;
                Ok(Some(value))
            }
            None => {
                self.start = self.buffer.len();
                self.tried = 0;
                Ok(None)
            }
            Some(Err(error)) if error.is_eof() => {
                if rest.len() > LIMIT {
                    return Err(Error::new(Kind::TooLong {
                        endpoint: self.endpoint.clone(),
                        limit: LIMIT,
                    }));
                }
                self.tried = rest.len();
                Ok(None)
            }
            Some(Err(error)) => Err(Error::decode(&self.endpoint, error)),
        }
    }

    /// The stream has ended.
    ///
    /// # Errors
    /// It ended inside a value.
    pub fn finish(&self) -> Result<()> {
        let rest = self.buffer.get(self.start..).unwrap_or_default();
        if rest.iter().all(u8::is_ascii_whitespace) {
            Ok(())
        } else {
            Err(Error::cut(&self.endpoint))
        }
    }

    /// The next value of an answer; `None` at its clean end.
    pub(crate) async fn next_from(&mut self, stream: &mut ByteStream) -> Result<Option<T>> {
        loop {
            if let Some(value) = self.next_value()? {
                return Ok(Some(value));
            }
            match stream.next().await? {
                Some(bytes) => self.push(&bytes),
                None => return self.finish().map(|()| None),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn decode(chunks: &[&[u8]]) -> (Vec<Value>, Result<()>) {
        let mut lines = JsonLines::new("GET /x");
        let mut values = Vec::new();
        for chunk in chunks {
            lines.push(chunk);
            while let Some(value) = lines.next_value().unwrap() {
                values.push(value);
            }
        }
        (values, lines.finish())
    }

    #[test]
    fn a_cut_value_is_an_error_and_a_missing_newline_is_not() {
        let (values, end) = decode(&[b"{\"a\":1}\n{\"b\"", b":2}"]);
        assert_eq!(values, [json!({"a":1}), json!({"b":2})]);
        end.unwrap();

        let (values, end) = decode(&[b"{\"a\":1}\n{\"b\":"]);
        assert_eq!(values.len(), 1);
        assert!(end.unwrap_err().is_disconnect());
    }

    #[test]
    fn what_is_no_json_is_an_error() {
        let mut lines = JsonLines::<Value>::new("GET /x");
        lines.push(b"<html>");
        assert!(lines.next_value().is_err());
    }

    #[test]
    fn a_value_without_an_end_is_bounded() {
        let mut lines = JsonLines::<Value>::new("GET /x");
        lines.push(b"\"");
        lines.push(&vec![b'a'; LIMIT + 1]);
        assert!(lines.next_value().is_err());
    }

    proptest! {
        #[test]
        fn cuts_do_not_matter(texts in prop::collection::vec(".{0,40}", 0..6), cuts in prop::collection::vec(0usize..400, 0..8)) {
            let want: Vec<Value> = texts.iter().map(|t| json!({"stream": t})).collect();
            let wire = want.iter().map(|v| format!("{v}\n")).collect::<String>().into_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(wire.len())).collect();
            cuts.extend([0, wire.len()]);
            cuts.sort_unstable();
            let chunks: Vec<&[u8]> = cuts.windows(2).map(|w| &wire[w[0]..w[1]]).collect();
            let (values, end) = decode(&chunks);
            prop_assert_eq!(values, want);
            prop_assert!(end.is_ok());
        }
    }
}

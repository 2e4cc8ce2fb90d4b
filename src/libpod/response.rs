//! From the head of an answer to a value: statuses, bounded bodies, streams.

use bytes::{Bytes, BytesMut};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::error::{ApiError, Error, Kind, Result};
use super::transport::{Answer, Duplex, Loan};

/// The longest answer that is held in memory: a listing or an inspect.
const LIMIT: usize = 64 << 20;
/// The longest error text that is kept.
const ERROR_LIMIT: usize = 64 << 10;

/// A successful answer (or a 304) whose body is still to be read.
#[derive(Debug)]
pub(crate) struct Response {
    endpoint: String,
    answer: Answer,
    loan: Loan,
}

impl Response {
    /// Turns a status into a result: 1xx, 2xx and 304 are answers, all else is an error.
    pub(crate) async fn check(endpoint: String, answer: Answer, loan: Loan) -> Result<Self> {
        let response = Self::new(endpoint, answer, loan);
        match response.status() {
            100..=299 | 304 => Ok(response),
            _ => Err(response.into_error().await),
        }
    }

    /// An answer of any status.
    pub(crate) fn new(endpoint: String, answer: Answer, loan: Loan) -> Self {
        Self {
            endpoint,
            answer,
            loan,
        }
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub(crate) fn status(&self) -> u16 {
        self.answer.status()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.answer.header(name)
    }

    /// The connection itself, after a 101. Bytes that came with the head are still in it.
    pub(crate) async fn upgraded(self) -> Result<Duplex> {
        self.answer.upgraded(&self.endpoint).await
    }

    /// The whole body as JSON.
    pub(crate) async fn json<T: DeserializeOwned>(self) -> Result<T> {
        let endpoint = self.endpoint.clone();
        let bytes = self.bytes(LIMIT).await?;
        serde_json::from_slice(&bytes).map_err(|source| Error::decode(&endpoint, source))
    }

    /// The whole body as a JSON list, which may be written as null.
    pub(crate) async fn list<T: DeserializeOwned>(self) -> Result<Vec<T>> {
        Ok(self.json::<Option<Vec<T>>>().await?.unwrap_or_default())
    }

    /// The whole body as text.
    pub(crate) async fn text(self) -> Result<String> {
        let bytes = self.bytes(LIMIT).await?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Reads what is left, so that the connection can serve again.
    pub(crate) async fn done(self) -> Result<()> {
        self.bytes(LIMIT).await.map(drop)
    }

    /// The body as it comes.
    pub(crate) fn stream(self) -> ByteStream {
        ByteStream {
            endpoint: self.endpoint,
            answer: self.answer,
            _loan: self.loan,
        }
    }

    async fn bytes(self, limit: usize) -> Result<Bytes> {
        let Self {
            endpoint,
            mut answer,
            loan,
        } = self;
        let mut whole = BytesMut::new();
        while let Some(chunk) = answer.next_chunk(&endpoint).await? {
            if whole.len() + chunk.len() > limit {
                return Err(Error::new(Kind::TooLong { endpoint, limit }));
            }
            whole.extend_from_slice(&chunk);
        }
        loan.give_back();
        Ok(whole.freeze())
    }

    async fn into_error(self) -> Error {
        let status = self.status();
        let endpoint = self.endpoint.clone();
        // An error whose body breaks off or is too long is still that error.
        let body = self.bytes(ERROR_LIMIT).await.unwrap_or_default();
        Error::new(Kind::Api(api_error(status, endpoint, &body)))
    }
}

/// Reads an error body: Podman's JSON where it is that, else the text itself.
fn api_error(status: u16, endpoint: String, body: &[u8]) -> ApiError {
    #[derive(Deserialize)]
    struct Model {
        #[serde(default)]
        cause: String,
        #[serde(default)]
        message: String,
    }
    // 6.1 quotes single bytes of what it could not read, in JSON that is no UTF-8 then.
    let text = String::from_utf8_lossy(body);
    // 4.3 writes two documents on one answer to a build without a Containerfile: take the first.
    let first = serde_json::Deserializer::from_str(&text)
        .into_iter::<Model>()
        .next();
    match first {
        Some(Ok(model)) => ApiError {
            status,
            cause: model.cause,
            message: model.message,
            endpoint,
        },
        _ => ApiError {
            status,
            cause: String::new(),
            message: text.trim().to_owned(),
            endpoint,
        },
    }
}

/// The body of an answer, chunk by chunk. Dropping it closes the connection.
#[derive(Debug)]
pub struct ByteStream {
    endpoint: String,
    answer: Answer,
    _loan: Loan,
}

impl ByteStream {
    /// The next bytes; `None` at the end that the service marked as such.
    ///
    /// # Errors
    /// When the connection ends before the answer does.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        self.answer.next_chunk(&self.endpoint).await
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_read_from_json_or_text() {
        let json = br#"{"cause":"no such container","message":"no container x","response":404}"#;
        let error = api_error(404, "GET /x".into(), json);
        assert_eq!(error.cause, "no such container");
        assert_eq!(error.to_string(), "no container x");

        let text = api_error(404, "GET /x".into(), b"Not Found\n");
        assert_eq!(text.to_string(), "Not Found");

        let none = api_error(500, "GET /x".into(), b"");
        assert_eq!(none.to_string(), "Podman answered 500 to GET /x");
    }

    #[test]
    fn an_error_that_quotes_half_a_letter_is_read() {
        let body = b"{\"cause\":\"unexpected character: \xff\",\"message\":\"bad \xff\"}";
        let error = api_error(400, String::new(), body);
        assert_eq!(error.cause, "unexpected character: \u{fffd}");
        assert_eq!(error.message, "bad \u{fffd}");
    }

    #[test]
    fn the_first_of_two_documents_counts() {
        let body = br#"{"cause":"a","message":"first"}{"cause":"b","message":"second"}"#;
        assert_eq!(api_error(400, String::new(), body).message, "first");
    }
}

//! A scripted service on a Unix socket: only for faults, which a real one cannot be asked for.

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use stockade::libpod::{Client, Endpoint};

/// What becomes of the connection after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// The next request may come on it.
    Keep,
    /// It is closed.
    Close,
}

/// One request, and the connection that it came on.
#[derive(Debug)]
pub(crate) struct Exchange<'a> {
    /// Method and path without the prefix, and without the query: `GET /containers/json`.
    pub(crate) what: &'a str,
    /// How many requests of that kind there were before.
    pub(crate) before: usize,
    head: &'a str,
    stream: &'a mut UnixStream,
}

impl Exchange<'_> {
    /// Writes bytes as they are.
    pub(crate) fn raw(&mut self, bytes: impl AsRef<[u8]>) {
        // The client may have had enough.
        let _ = self.stream.write_all(bytes.as_ref());
    }

    /// Answers with a status and a body of known length.
    pub(crate) fn answer(&mut self, status: u16, body: &str) -> Then {
        self.typed(status, "application/json", body)
    }

    /// The same with a content type.
    pub(crate) fn typed(&mut self, status: u16, content_type: &str, body: &str) -> Then {
        self.raw(format!(
            "HTTP/1.1 {status} Stub\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ));
        Then::Keep
    }

    /// Begins an answer that goes on in chunks.
    pub(crate) fn begin(&mut self) {
        self.raw("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
    }

    /// One chunk; an empty one is the end.
    pub(crate) fn chunk(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        self.raw(format!("{:x}\r\n", bytes.len()));
        self.raw(bytes);
        self.raw("\r\n");
    }

    /// Makes the connection a stream of bytes.
    pub(crate) fn upgrade(&mut self) {
        self.raw("HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n");
    }

    /// Reads the body of the request to its end.
    pub(crate) fn body(&mut self) -> Vec<u8> {
        let head = self.head.to_ascii_lowercase();
        let mut body = Vec::new();
        if head.contains("transfer-encoding: chunked") {
            let mut next = [0];
            while !body.ends_with(b"0\r\n\r\n") && matches!(self.stream.read(&mut next), Ok(1)) {
                body.push(next[0]);
            }
        } else if let Some(length) = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok())
        {
            body.resize(length, 0);
            self.stream.read_exact(&mut body).expect("the whole body");
        }
        body
    }

    /// Waits until the client has closed the connection; false if it does not.
    pub(crate) fn client_leaves(&mut self) -> bool {
        let limit = Some(Duration::from_secs(10));
        self.stream.set_read_timeout(limit).expect("a limit");
        let mut rest = [0; 4096];
        loop {
            match self.stream.read(&mut rest) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => return error.kind() == std::io::ErrorKind::ConnectionReset,
            }
        }
    }
}

/// The service. It answers a ping by itself, as the release 5.4.2, unless the script does.
#[derive(Debug)]
pub(crate) struct Stub {
    directory: tempfile::TempDir,
    log: Arc<Mutex<Vec<String>>>,
}

type Script = dyn Fn(&mut Exchange<'_>) -> Option<Then> + Send + Sync;

impl Stub {
    /// Starts to listen. The script answers a request, or leaves it to us with `None`.
    pub(crate) fn start(
        script: impl Fn(&mut Exchange<'_>) -> Option<Then> + Send + Sync + 'static,
    ) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let stub = Self {
            directory,
            log: Arc::default(),
        };
        let listener = UnixListener::bind(stub.socket()).expect("a socket");
        let (log, script) = (Arc::clone(&stub.log), Arc::new(script) as Arc<Script>);
        // It ends with the process; a thread that waits costs nothing.
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (log, script) = (Arc::clone(&log), Arc::clone(&script));
                thread::spawn(move || serve(stream, &log, &*script));
            }
        });
        stub
    }

    /// Where it listens.
    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("stub.sock")
    }

    /// A client that is connected to it.
    pub(crate) async fn client(&self) -> Client {
        connect(&self.socket()).await.expect("the stub answers")
    }

    /// What was asked for so far, with the connection's number: `1 GET /_ping`.
    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// How often something was asked for.
    pub(crate) fn count(&self, what: &str) -> usize {
        let log = self.log();
        log.iter().filter(|line| line.ends_with(what)).count()
    }

    /// Waits until something has been asked for.
    #[track_caller]
    pub(crate) fn wait_for(&self, what: &str) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while self.count(what) == 0 {
            assert!(Instant::now() < deadline, "no {what}: {:?}", self.log());
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// A client on a socket.
pub(crate) async fn connect(socket: &Path) -> stockade::libpod::Result<Client> {
    Client::connect(&Endpoint::unix(socket)).await
}

fn serve(mut stream: UnixStream, log: &Mutex<Vec<String>>, script: &Script) {
    let number = connection();
    while let Some(head) = read_head(&mut stream) {
        let mut words = head.split(' ');
        let (method, target) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        let path = target.split('?').next().unwrap_or("");
        let path = path.split_once("/libpod").map_or(path, |(_, path)| path);
        let what = format!("{method} {path}");
        let before = {
            let mut log = log.lock().unwrap();
            let before = log.iter().filter(|line| line.ends_with(&what)).count();
            log.push(format!("{number} {what}"));
            before
        };
        let mut exchange = Exchange {
            what: &what,
            before,
            head: &head,
            stream: &mut stream,
        };
        let then = script(&mut exchange).unwrap_or_else(|| by_itself(&mut exchange));
        if then == Then::Close {
            return;
        }
    }
}

/// Numbers connections in the order in which they spoke.
fn connection() -> usize {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

fn by_itself(exchange: &mut Exchange<'_>) -> Then {
    if exchange.what == "GET /_ping" {
        exchange.raw("HTTP/1.1 200 OK\r\nLibpod-Api-Version: 5.4.2\r\nContent-Length: 2\r\n\r\nOK");
        return Then::Keep;
    }
    exchange.body();
    exchange.answer(
        404,
        r#"{"cause":"not in the script","message":"not in the script","response":404}"#,
    )
}

fn read_head(stream: &mut UnixStream) -> Option<String> {
    let mut head = Vec::new();
    let mut next = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if !matches!(stream.read(&mut next), Ok(1)) {
            return None;
        }
        head.push(next[0]);
    }
    String::from_utf8(head).ok()
}

//! Telling the person that a run has ended: what happened is data, never part of a command.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::net::TcpStream;

use super::night;
use crate::ralph::{Record, Report, Run};

/// How long that may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Whom to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Notify {
    /// This shell command gets it on standard input.
    Command(String),
    /// It is sent there by POST: host, port, and what comes after.
    Http {
        host: String,
        port: u16,
        path: String,
    },
}

impl Notify {
    /// Reads a command or an `http://` address.
    ///
    /// # Errors
    /// It is empty, or an address that we cannot send to.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() {
            return Err("it is empty".to_owned());
        }
        if text.starts_with("https://") {
            return Err("no https yet; a command can: `curl --silent --json @- URL`".to_owned());
        }
        let Some(rest) = text.strip_prefix("http://") else {
            return Ok(Self::Command(text.to_owned()));
        };
        let uri: hyper::Uri = text.parse().map_err(|_| "it is no address".to_owned())?;
        let host = uri.host().filter(|_| !rest.contains('@'));
        let host = host.ok_or("it names no host, or a password")?.to_owned();
        let after = uri
            .authority()
            .and_then(|all| all.as_str().strip_prefix(&host));
        if after.is_some_and(|port| !port.is_empty()) && uri.port_u16().is_none() {
            return Err("its port is none".to_owned());
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        Ok(Self::Http {
            host,
            port: uri.port_u16().unwrap_or(80),
            path: path.to_owned(),
        })
    }

    /// Tells it.
    ///
    /// # Errors
    /// In words, why it could not be told.
    pub(crate) async fn tell(&self, fields: &serde_json::Value) -> Result<(), String> {
        let mut text = fields.to_string();
        text.push('\n');
        let late = || Err("it took longer than 30 s".to_owned());
        match self {
            Self::Command(command) => run(command, text, PATIENCE).await.unwrap_or_else(late),
            Self::Http { host, port, path } => {
                let told = tokio::time::timeout(PATIENCE, post(host, *port, path, text)).await;
                told.unwrap_or_else(|_| late())
            }
        }
    }
}

/// What is told of a run.
pub(crate) fn fields(run: &Run, record: &Record, report: &Report) -> serde_json::Value {
    let verdict = report.verdict.as_ref();
    serde_json::json!({
        "run": run.id().as_str(),
        "name": record.name,
        "workspace": record.workspace.path,
        "verdict": verdict,
        "summary": verdict.map(ToString::to_string),
        "exit_code": verdict.map(|verdict| night::exit(verdict).code()),
        "iterations": report.iterations.len(),
        "seconds": report.spent.as_secs(),
    })
}

/// Runs it, in a group of its own; `None` if it took too long and was killed.
async fn run(command: &str, text: String, patience: Duration) -> Option<Result<(), String>> {
    let spawned = Command::new("/bin/sh")
        .args(["-c", command])
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) => return Some(Err(error.to_string())),
    };
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let ran = tokio::task::spawn_blocking(move || {
        if let Some(mut input) = child.stdin.take() {
            // It need not read it.
            let _ = input.write_all(text.as_bytes());
        }
        child.wait()
    });
    let Ok(ran) = tokio::time::timeout(patience, ran).await else {
        // Nobody has waited for it yet, so that the number is still its own.
        let _ = group.map(|group| kill_process_group(group, Signal::KILL));
        return None;
    };
    Some(match ran {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(format!("its command ended with {status}")),
        Ok(Err(error)) => Err(error.to_string()),
        Err(error) => Err(error.to_string()),
    })
}

async fn post(host: &str, port: u16, path: &str, text: String) -> Result<(), String> {
    let words = |error: &dyn std::error::Error| error.to_string();
    // A literal IPv6 address comes in brackets.
    let address = host.trim_start_matches('[').trim_end_matches(']');
    let stream = TcpStream::connect((address, port)).await;
    let stream = stream.map_err(|e| words(&e))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|e| words(&e))?;
    tokio::spawn(connection);
    let request = Request::post(path)
        .header("host", format!("{host}:{port}"))
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(text)))
        .map_err(|e| words(&e))?;
    let answer = sender.send_request(request).await.map_err(|e| words(&e))?;
    match answer.status().is_success() {
        true => Ok(()),
        false => Err(format!("the answer is {}", answer.status())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_and_addresses_are_told_apart() {
        assert_eq!(
            Notify::parse("mail -s x me"),
            Ok(Notify::Command("mail -s x me".to_owned()))
        );
        let http = |host: &str, port, path: &str| {
            Ok(Notify::Http {
                host: host.to_owned(),
                port,
                path: path.to_owned(),
            })
        };
        assert_eq!(Notify::parse("http://h/a?b"), http("h", 80, "/a?b"));
        assert_eq!(Notify::parse("http://[::1]:81"), http("[::1]", 81, "/"));
        for text in [
            "",
            " ",
            "https://h/",
            "http://",
            "http://u:p@h/",
            "http://h:x/",
        ] {
            assert!(Notify::parse(text).is_err(), "{text}");
        }
    }

    #[tokio::test]
    async fn a_command_gets_it_on_standard_input() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("told");
        let fields = serde_json::json!({"summary": "$(touch /tmp/x); `x`"});
        let command = Notify::Command(format!("cat >'{}'", path.display()));
        command.tell(&fields).await.unwrap();
        let told = std::fs::read_to_string(&path).unwrap();
        assert_eq!(told.trim(), fields.to_string());
        assert!(
            Notify::Command("exit 3".to_owned())
                .tell(&fields)
                .await
                .is_err()
        );
    }

    #[tokio::test]
    async fn a_command_that_hangs_is_killed() {
        let begun = std::time::Instant::now();
        let short = Duration::from_millis(200);
        assert_eq!(run("sleep 600", String::new(), short).await, None);
        // Dropping the runtime waits for the thread that waits for the command.
        assert!(begun.elapsed() < Duration::from_secs(60));
    }

    #[tokio::test]
    async fn an_address_gets_it_by_post() {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let served = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut said = String::new();
            while !said.ends_with("}\n") {
                let mut bytes = [0; 512];
                let n = stream.read(&mut bytes).await.unwrap();
                assert_ne!(n, 0, "{said}");
                said.push_str(std::str::from_utf8(&bytes[..n]).unwrap());
            }
            let answer = b"HTTP/1.1 204 No Content\r\n\r\n";
            stream.write_all(answer).await.unwrap();
            said
        });
        let notify = Notify::parse(&format!("http://127.0.0.1:{port}/topic")).unwrap();
        notify.tell(&serde_json::json!({"a": 1})).await.unwrap();
        let said = served.await.unwrap();
        assert!(said.starts_with("POST /topic HTTP/1.1\r\n"), "{said}");
        assert!(said.ends_with("\r\n\r\n{\"a\":1}\n"), "{said}");
    }
}

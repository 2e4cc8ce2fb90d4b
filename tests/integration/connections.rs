//! How the client uses its connections when the service is not what it should be: a scripted one.

use std::time::{Duration, Instant};

use stockade::libpod::{BuildOptions, ContainerSpec, TarBody, TarChunk};

use crate::faults::{answering, id, said};
use crate::support::stub::{Stub, Then, connect};

#[tokio::test]
async fn nobody_and_somebody_else_on_the_socket() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing.sock");
    let error = connect(&missing).await.unwrap_err();
    assert_eq!(error.unreachable_socket(), Some(missing.as_path()));

    // The file is there, and whoever made it has gone.
    let stale = directory.path().join("stale.sock");
    drop(std::os::unix::net::UnixListener::bind(&stale).unwrap());
    let error = connect(&stale).await.unwrap_err();
    assert_eq!(error.unreachable_socket(), Some(stale.as_path()));

    let other = Stub::start(|exchange| Some(exchange.typed(200, "text/plain", "OK")));
    let error = connect(&other.socket()).await.unwrap_err();
    assert!(said(&error).contains("not Podman"), "{}", said(&error));

    for version in ["3.4.4", "0.0.0", "x", ""] {
        let old = Stub::start(move |exchange| {
            exchange.raw(format!(
                "HTTP/1.1 200 OK\r\nLibpod-Api-Version: {version}\r\nContent-Length: 2\r\n\r\nOK"
            ));
            Some(Then::Keep)
        });
        let error = connect(&old.socket()).await.unwrap_err();
        assert_eq!(
            error.is_too_old(),
            version.contains('.'),
            "{}",
            said(&error)
        );
    }
}

#[tokio::test]
async fn short_calls_share_a_connection_and_a_closed_one_is_not_used_again() {
    // The service closes after the second answer, as one that restarts does, without saying so.
    let stub = Stub::start(|exchange| {
        if exchange.what != "POST /containers/create" {
            return None;
        }
        exchange.body();
        exchange.answer(201, r#"{"Id":"abc","Warnings":null}"#);
        Some(if exchange.before == 0 {
            Then::Close
        } else {
            Then::Keep
        })
    });
    let client = stub.client().await;
    client.ping().await.unwrap();
    let spec = ContainerSpec::default();
    client.create_container(&spec).await.unwrap();
    // Whether the end of the connection was seen before the next call or not.
    tokio::time::sleep(Duration::from_millis(50)).await;
    client.create_container(&spec).await.unwrap();
    let log = stub.log();
    let connections: Vec<_> = log
        .iter()
        .map(|line| line.split(' ').next().unwrap())
        .collect();
    assert_eq!(connections[0], connections[1], "{log:?}");
    assert_eq!(connections[1], connections[2], "{log:?}");
    assert_ne!(connections[2], connections[3], "{log:?}");
    assert_eq!(log.len(), 4, "nothing was sent twice: {log:?}");
}

#[tokio::test]
async fn a_request_that_may_have_been_taken_is_not_sent_again() {
    // Takes the request and goes away without an answer.
    let stub = answering("POST /containers/create", |_| Then::Close);
    let client = stub.client().await;
    client.ping().await.unwrap();
    let error = client
        .create_container(&ContainerSpec::default())
        .await
        .unwrap_err();
    assert!(error.is_disconnect(), "{}", said(&error));
    assert_eq!(stub.count("POST /containers/create"), 1);
}

#[tokio::test]
async fn dropping_a_call_closes_its_connection() {
    let (left, leaves) = std::sync::mpsc::channel();
    let stub = Stub::start(move |exchange| {
        exchange.what.ends_with("/wait").then(|| {
            let _ = left.send(exchange.client_leaves());
            Then::Close
        })
    });
    let client = stub.client().await;
    let id = id();
    let wait = client.wait_container(&id, Duration::from_millis(10));
    let limited = tokio::time::timeout(Duration::from_millis(200), wait).await;
    limited.expect_err("it does not answer");
    // The connection's own task closes it as soon as it runs.
    let left = tokio::task::spawn_blocking(move || leaves.recv_timeout(Duration::from_secs(15)));
    assert!(left.await.unwrap().unwrap(), "the connection stayed open");
    client.ping().await.unwrap();
}

#[tokio::test]
async fn an_answer_that_comes_during_the_upload_is_heard() {
    let stub = Stub::start(|exchange| {
        (exchange.what == "POST /build").then(|| {
            exchange.answer(
                400,
                r#"{"cause":"bad","message":"too soon","response":400}"#,
            );
            // It reads no more of the context.
            std::thread::sleep(Duration::from_millis(300));
            Then::Close
        })
    });
    let client = stub.client().await;
    let (sender, body) = TarBody::channel(2);
    let upload = tokio::spawn(async move {
        loop {
            let chunk = TarChunk::Bytes(vec![0; 64 << 10].into());
            if sender.send(chunk).await.is_err() {
                return;
            }
        }
    });
    let begun = Instant::now();
    let error = client
        .build_image(&BuildOptions::default(), body)
        .await
        .unwrap_err();
    assert_eq!(error.status(), Some(400), "{}", said(&error));
    assert!(said(&error).contains("too soon"), "{}", said(&error));
    assert!(begun.elapsed() < Duration::from_secs(10));
    upload.await.expect("the upload ends");
}

#[tokio::test]
async fn a_context_that_cannot_be_read_never_ends_well() {
    let (seen, sees) = std::sync::mpsc::channel();
    let stub = Stub::start(move |exchange| {
        (exchange.what == "POST /build").then(|| {
            let _ = seen.send(exchange.body());
            Then::Close
        })
    });
    let client = stub.client().await;
    let (sender, body) = TarBody::channel(4);
    let first = TarChunk::Bytes(vec![7; 512].into());
    sender.send(first).await.expect("a channel");
    let options = BuildOptions::default();
    let reading = async {
        while stub.count("POST /build") == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let failed = TarChunk::Failed("the disk is gone".into());
        sender.send(failed).await.expect("a channel");
    };
    let (built, ()) = tokio::join!(client.build_image(&options, body), reading);
    let error = built.unwrap_err();
    let said = said(&error);
    assert!(said.contains("the disk is gone"), "{said}");
    let seen = tokio::task::spawn_blocking(move || sees.recv_timeout(Duration::from_secs(15)));
    let seen = seen.await.unwrap().unwrap();
    assert!(!seen.ends_with(b"0\r\n\r\n"), "the request was ended");
}

//! What the client makes of a service that misbehaves: a scripted one, so that no Podman is needed.

use std::time::Duration;

use stockade::libpod::stream::Framing;
use stockade::libpod::{
    AttachOptions, BuildOptions, ContainerId, ContainerSpec, Error, EventOptions, LogOptions,
    PullOptions, PullPolicy, TarBody, TarChunk,
};

use crate::support::stub::{Exchange, Stub, Then};

/// Everything that an error says, its causes included.
pub(crate) fn said(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

pub(crate) fn id() -> ContainerId {
    ContainerId::new("c".repeat(64))
}

/// A stub that answers one kind of request, each time the same.
pub(crate) fn answering(
    what: &'static str,
    answer: impl Fn(&mut Exchange<'_>) -> Then + Send + Sync + 'static,
) -> Stub {
    Stub::start(move |exchange| {
        (exchange.what == what).then(|| {
            exchange.body();
            answer(exchange)
        })
    })
}

// ---- streams that break off ---------------------------------------------------------------------

#[tokio::test]
async fn a_stream_that_ends_inside_a_frame_is_cut() {
    for cut in [3, 8, 10] {
        let stub = answering(
            "POST /containers/cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc/attach",
            move |exchange| {
                exchange.upgrade();
                exchange.raw([1, 0, 0, 0, 0, 0, 0, 5]);
                exchange.raw("first");
                exchange.raw(&[&[2, 0, 0, 0, 0, 0, 0, 5][..], b"secon"].concat()[..cut]);
                Then::Close
            },
        );
        let options = AttachOptions {
            stdin: true,
            framing: Framing::Multiplexed,
        };
        let client = stub.client().await;
        let mut attached = client.attach_container(&id(), options).await.unwrap();
        let first = attached.output.next().await.unwrap().unwrap();
        assert_eq!(&first.bytes[..], b"first");
        let error = attached.output.next().await.unwrap_err();
        assert!(error.is_disconnect(), "{}", said(&error));
    }
}

#[tokio::test]
async fn an_unknown_frame_is_an_error_and_not_output() {
    for header in [
        [9, 0, 0, 0, 0, 0, 0, 1],
        [1, 7, 0, 0, 0, 0, 0, 1],
        [1, 0, 0, 0, 255, 255, 255, 255],
    ] {
        let stub = Stub::start(move |exchange| {
            exchange.what.ends_with("/logs").then(|| {
                exchange.begin();
                exchange.chunk([1, 0, 0, 0, 0, 0, 0, 2, b'o', b'k']);
                exchange.chunk([&header[..], b"x"].concat());
                exchange.chunk("");
                Then::Close
            })
        });
        let client = stub.client().await;
        let mut log = client
            .container_logs(&id(), &LogOptions::default())
            .await
            .unwrap();
        assert_eq!(&log.next().await.unwrap().unwrap().payload[..], b"ok");
        log.next().await.unwrap_err();
    }
}

#[tokio::test]
async fn an_answer_of_200_to_an_attach_is_no_stream() {
    let stub = Stub::start(|exchange| {
        exchange.what.ends_with("/attach").then(|| {
            exchange.raw(
                "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\nhello",
            );
            Then::Close
        })
    });
    let options = AttachOptions {
        stdin: false,
        framing: Framing::Raw,
    };
    let client = stub.client().await;
    let error = client.attach_container(&id(), options).await.unwrap_err();
    assert!(said(&error).contains("101"), "{}", said(&error));
}

#[tokio::test]
async fn what_comes_with_the_head_of_a_hijack_is_not_lost() {
    let stub = Stub::start(|exchange| {
        exchange.what.ends_with("/attach").then(|| {
            exchange
                .raw("HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nearly");
            std::thread::sleep(Duration::from_millis(100));
            exchange.raw("late");
            Then::Close
        })
    });
    let options = AttachOptions {
        stdin: false,
        framing: Framing::Raw,
    };
    let client = stub.client().await;
    let mut attached = client.attach_container(&id(), options).await.unwrap();
    let mut all = Vec::new();
    while let Some(chunk) = attached.output.next().await.unwrap() {
        all.extend_from_slice(&chunk.bytes);
    }
    assert_eq!(all, b"earlylate");
}

#[tokio::test]
async fn a_build_that_ends_without_an_id_is_no_success() {
    /// How the service's answer goes on after the first step.
    type Rest = fn(&mut Exchange<'_>) -> Then;
    let endings: [(&str, Rest); 5] = [
        ("mid-JSON", |exchange| {
            exchange.chunk(r#"{"stream":"STEP 2/"#);
            exchange.chunk("");
            Then::Close
        }),
        ("mid-chunk", |exchange| {
            exchange.raw("40\r\n{\"stream\":");
            Then::Close
        }),
        ("no last chunk", |_| Then::Close),
        ("clean end", |exchange| {
            exchange.chunk("");
            Then::Close
        }),
        ("no JSON", |exchange| {
            exchange.chunk("<html>");
            exchange.chunk("");
            Then::Close
        }),
    ];
    for (name, rest) in endings {
        let stub = answering("POST /build", move |exchange| {
            exchange.begin();
            exchange.chunk("{\"stream\":\"STEP 1/2\\n\"}\n");
            rest(exchange)
        });
        let client = stub.client().await;
        let result = build(&client).await;
        assert!(result.is_err(), "{name}: {result:?}");
        assert_eq!(stub.count("POST /build"), 1, "{name}: sent twice");
    }
}

/// Builds an empty context and gives the image's id.
async fn build(client: &stockade::libpod::Client) -> stockade::libpod::Result<String> {
    let (sender, body) = TarBody::channel(2);
    sender.send(TarChunk::End).await.expect("a channel");
    let mut stream = client.build_image(&BuildOptions::default(), body).await?;
    while stream.next().await?.is_some() {}
    stream.image(client).await.map(|id| id.to_string())
}

#[tokio::test]
async fn an_id_that_names_no_image_is_no_success() {
    let stub = answering("POST /build", |exchange| {
        exchange.begin();
        exchange.chunk(format!("{{\"stream\":\"{}\\n\"}}", "a".repeat(64)));
        exchange.chunk("");
        Then::Keep
    });
    let client = stub.client().await;
    let error = build(&client).await.unwrap_err();
    assert_eq!(error.status(), Some(404), "{}", said(&error));
}

#[tokio::test]
async fn events_that_break_off_are_not_over() {
    let event = r#"{"Type":"container","Action":"died","Actor":{"ID":"x","Attributes":null}}"#;
    let stub = Stub::start(move |exchange| {
        (exchange.what == "GET /events").then(|| {
            exchange.begin();
            exchange.chunk(event);
            exchange.chunk(&event[..20]);
            Then::Close
        })
    });
    let client = stub.client().await;
    let mut events = client.events(&EventOptions::default()).await.unwrap();
    assert_eq!(events.next().await.unwrap().unwrap().action, "died");
    let error = events.next().await.unwrap_err();
    assert!(error.is_disconnect(), "{}", said(&error));
}

#[tokio::test]
async fn a_pull_that_fails_with_200_is_a_failure() {
    let stub = answering("POST /images/pull", |exchange| {
        exchange.begin();
        exchange.chunk("{\"stream\":\"Trying\\n\"}{\"error\":\"nobody there\"}");
        exchange.chunk("");
        Then::Close
    });
    let client = stub.client().await;
    let options = PullOptions {
        reference: "x".to_owned(),
        policy: PullPolicy::Always,
        platform: None,
    };
    let mut stream = client.pull_image(&options).await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap(), "Trying\n");
    let error = stream.next().await.unwrap_err();
    assert!(said(&error).contains("nobody there"), "{}", said(&error));
}

#[tokio::test]
async fn bytes_that_come_one_by_one_are_the_same_bytes() {
    let list = format!(r#"[{{"Id":"{}","Names":["é"],"State":"running"}}]"#, id());
    let stub = Stub::start(move |exchange| {
        let slowly = |exchange: &mut Exchange<'_>, bytes: &[u8]| {
            for byte in bytes {
                exchange.raw([*byte]);
                std::thread::sleep(Duration::from_micros(200));
            }
        };
        match exchange.what {
            "GET /containers/json" => {
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", list.len());
                slowly(exchange, head.as_bytes());
                slowly(exchange, list.as_bytes());
                Some(Then::Keep)
            }
            what if what.ends_with("/logs") => {
                exchange.begin();
                for byte in [
                    1, 0, 0, 0, 0, 0, 0, 3, 195, 169, 10, 2, 0, 0, 0, 0, 0, 0, 1, b'e',
                ] {
                    exchange.chunk([byte]);
                }
                exchange.chunk("");
                Some(Then::Keep)
            }
            _ => None,
        }
    });
    let client = stub.client().await;
    let listed = client
        .list_containers(true, &Default::default())
        .await
        .unwrap();
    assert_eq!(listed[0].names, ["é"]);
    let mut log = client
        .container_logs(&id(), &LogOptions::default())
        .await
        .unwrap();
    let mut lines = Vec::new();
    while let Some(line) = log.next().await.unwrap() {
        lines.push(String::from_utf8(line.payload.to_vec()).unwrap());
    }
    assert_eq!(lines, ["é\n", "e"]);
}

// ---- answers that are wrong ---------------------------------------------------------------------

#[tokio::test]
async fn errors_are_read_in_whatever_form_they_come() {
    /// The body, and what has to be said of it.
    const BODIES: [(&str, &str); 5] = [
        (
            r#"{"cause":"c","message":"out of luck","response":500}"#,
            "out of luck",
        ),
        (
            r#"{"cause":"c","message":"first"}{"cause":"d","message":"second"}"#,
            "first",
        ),
        ("plain text\n", "plain text"),
        ("", "500"),
        ("{\"message\":\"cut off", "cut off"),
    ];
    let stub = Stub::start(|exchange| {
        (exchange.what == "GET /info").then(|| exchange.answer(500, BODIES[exchange.before].0))
    });
    let client = stub.client().await;
    for (body, expected) in BODIES {
        let error = client.info().await.unwrap_err();
        assert_eq!(error.status(), Some(500), "{body}");
        assert!(said(&error).contains(expected), "{body}: {}", said(&error));
    }
}

#[tokio::test]
async fn what_is_no_answer_is_an_error_that_names_the_question() {
    let stub = Stub::start(|exchange| {
        if exchange.what != "GET /info" {
            return None;
        }
        Some(match exchange.before {
            0 => exchange.typed(200, "text/html", "<html></html>"),
            1 => exchange.answer(200, r#"{"host":"#),
            2 => exchange.answer(200, "null"),
            3 => exchange.answer(204, ""),
            4 => {
                exchange.raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}");
                Then::Close
            }
            5 => {
                exchange.raw("SSH-2.0-OpenSSH\r\n\r\n");
                Then::Close
            }
            _ => Then::Close,
        })
    });
    let client = stub.client().await;
    for n in 0..7 {
        let error = client.info().await.unwrap_err();
        assert!(said(&error).contains("GET /info"), "{n}: {}", said(&error));
    }
    // None of it has spoiled the client.
    client.ping().await.unwrap();
}

#[tokio::test]
async fn an_exit_code_that_is_none_is_an_error() {
    let stub = Stub::start(|exchange| {
        exchange
            .what
            .ends_with("/wait")
            .then(|| exchange.typed(200, "text/plain", "soon\n"))
    });
    let client = stub.client().await;
    let waited = client
        .wait_container(&id(), Duration::from_millis(10))
        .await;
    waited.unwrap_err();
}

#[tokio::test]
async fn what_we_sent_is_never_said_again() {
    let stub = answering("POST /containers/create", |exchange| {
        match exchange.before {
            0 => exchange.answer(500, r#"{"cause":"x","message":"no","response":500}"#),
            1 => exchange.answer(200, "not json"),
            _ => Then::Close,
        }
    });
    let client = stub.client().await;
    let mut spec = ContainerSpec {
        image: "x".to_owned(),
        ..ContainerSpec::default()
    };
    spec.env.insert("TOKEN", "hunter2");
    for _ in 0..3 {
        let error = client.create_container(&spec).await.unwrap_err();
        let all = format!("{} {error:?}", said(&error));
        assert!(!all.contains("hunter2"), "{all}");
    }
    assert!(!format!("{spec:?}").contains("hunter2"));
    assert_eq!(
        stub.count("POST /containers/create"),
        3,
        "one for each call"
    );
}

#[tokio::test]
async fn an_endless_answer_is_bounded() {
    let stub = Stub::start(|exchange| {
        (exchange.what == "GET /info").then(|| {
            exchange.raw("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n");
            let zeros = vec![b' '; 1 << 20];
            for _ in 0..80 {
                exchange.raw(&zeros);
            }
            Then::Close
        })
    });
    let client = stub.client().await;
    let error = client.info().await.unwrap_err();
    assert!(said(&error).contains("longer than"), "{}", said(&error));
}

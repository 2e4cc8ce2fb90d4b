use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::*;

#[test]
fn what_can_be_sent_to() {
    let read = |scheme, host: &str, port, path: &str| {
        Ok(Some(Address {
            scheme,
            host: host.to_owned(),
            port,
            path: path.to_owned(),
        }))
    };
    let (http, https) = (Scheme::Http, Scheme::Https);
    assert_eq!(Address::parse("http://h/a?b"), read(http, "h", 80, "/a?b"));
    assert_eq!(
        Address::parse("http://[::1]:81"),
        read(http, "[::1]", 81, "/")
    );
    assert_eq!(Address::parse("https://h/"), read(https, "h", 443, "/"));
    assert_eq!(
        Address::parse("https://h:8443/x"),
        read(https, "h", 8443, "/x")
    );
    for text in [
        "http://",
        "http://u:p@h/",
        "https://h:x/",
        "https://h:66000/",
    ] {
        assert!(Address::parse(text).is_err(), "{text}");
    }
    for text in ["ftp://h/", "curl http://h/", "HTTP"] {
        assert_eq!(Address::parse(text), Ok(None), "{text}");
    }
}

/// Reads a request to its end, answers it, and gives it back.
async fn serve<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) -> String {
    let mut said = String::new();
    while !said.ends_with("}\n") {
        let mut bytes = [0; 512];
        let n = stream.read(&mut bytes).await.unwrap();
        assert_ne!(n, 0, "{said}");
        said.push_str(std::str::from_utf8(&bytes[..n]).unwrap());
    }
    let answer = b"HTTP/1.1 204 No Content\r\n\r\n";
    stream.write_all(answer).await.unwrap();
    stream.flush().await.unwrap();
    said
}

fn is_the_post(said: &str) {
    assert!(said.starts_with("POST /topic HTTP/1.1\r\n"), "{said}");
    assert!(said.ends_with("\r\n\r\n{\"a\":1}\n"), "{said}");
}

#[tokio::test]
async fn it_gets_it_by_post() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let served = tokio::spawn(async move { serve(listener.accept().await.unwrap().0).await });
    let text = format!("http://127.0.0.1:{port}/topic");
    let address = Address::parse(&text).unwrap().unwrap();
    let sent = address.post("{\"a\":1}\n".to_owned(), RootCertStore::empty());
    sent.await.unwrap();
    is_the_post(&served.await.unwrap());
}

/// A server with a certificate for `localhost`, and who vouches for it.
fn certified() -> (TlsAcceptor, RootCertStore) {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(own.cert.der().clone()).unwrap();
    let key = PrivateKeyDer::Pkcs8(own.signing_key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), roots)
}

#[tokio::test]
async fn over_tls_it_is_sent_to_whom_the_certificate_names() {
    let (acceptor, roots) = certified();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let served = tokio::spawn(async move {
        let mut said = Vec::new();
        for _ in 0..3 {
            let stream = listener.accept().await.unwrap().0;
            if let Ok(stream) = acceptor.accept(stream).await {
                said.push(serve(stream).await);
            }
        }
        said
    });
    let post = async |host: &str, roots| {
        let text = format!("https://{host}:{port}/topic");
        let address = Address::parse(&text).unwrap().unwrap();
        address.post("{\"a\":1}\n".to_owned(), roots).await
    };
    post("localhost", roots.clone()).await.unwrap();
    let other_name = post("127.0.0.1", roots).await.unwrap_err();
    assert!(other_name.contains("not valid for name"), "{other_name}");
    let nobody = post("localhost", certified().1).await.unwrap_err();
    assert!(nobody.contains("invalid peer certificate"), "{nobody}");
    // Who was not the one got nothing.
    let said = served.await.unwrap();
    assert_eq!(said.len(), 1, "{said:?}");
    is_the_post(&said[0]);
}

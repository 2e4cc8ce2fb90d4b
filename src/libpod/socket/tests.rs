use super::*;

type Table = &'static [(&'static str, &'static str)];

fn endpoint(
    url: Option<&str>,
    connection: Option<&str>,
    uid: u32,
    variables: Table,
    files: Table,
) -> Result<(String, Source)> {
    let lookup = |table: Table, key: &str| {
        table
            .iter()
            .find(|(name, _)| *name == key)
            .map(|(_, value)| (*value).to_owned())
    };
    let discovery = Discovery {
        url,
        connection,
        uid,
        variable: &|name| lookup(variables, name).map(OsString::from),
        read: &|path| {
            lookup(files, path.to_str().unwrap())
                .map(String::into_bytes)
                .ok_or_else(|| io::ErrorKind::NotFound.into())
        },
    };
    discovery
        .endpoint()
        .map(|(endpoint, source)| (endpoint.socket().display().to_string(), source))
}

const CONNECTIONS: &str = r#"{"Connection":{"Default":"dev","Connections":{
    "dev":{"URI":"unix:///c/dev.sock"},"far":{"URI":"ssh://core:pw@host/run/p.sock"}}},"Farm":{}}"#;
const CONF: &str = "[engine]\nactive_service = \"a\"\nruntime = \"crun\"\n\
    [engine.service_destinations.a]\nuri = \"unix:///conf/a.sock\"\n";

#[test]
fn the_order_is_podmans() {
    let variables: Table = &[
        ("CONTAINER_CONNECTION", "dev"),
        ("CONTAINER_HOST", "unix:///env.sock"),
        ("HOME", "/h"),
        ("XDG_RUNTIME_DIR", "/run/user/7"),
    ];
    let json = ("/h/.config/containers/podman-connections.json", CONNECTIONS);
    let conf = ("/h/.config/containers/containers.conf", CONF);
    let files = Box::leak(Box::new([json, conf])) as Table;
    let ask = |url, connection, from: usize, files| {
        endpoint(url, connection, 7, &variables[from..], files).unwrap()
    };
    assert_eq!(
        ask(Some("unix:///u"), Some("dev"), 0, files),
        ("/u".into(), Source::Url)
    );
    assert_eq!(
        ask(None, Some("a"), 0, files),
        ("/conf/a.sock".into(), Source::Connection)
    );
    assert_eq!(
        ask(None, None, 0, files),
        (
            "/c/dev.sock".into(),
            Source::Variable("CONTAINER_CONNECTION")
        )
    );
    assert_eq!(
        ask(None, None, 1, files),
        ("/env.sock".into(), Source::Variable("CONTAINER_HOST"))
    );
    assert_eq!(
        ask(None, None, 2, files),
        ("/c/dev.sock".into(), Source::File(json.0.into()))
    );
    assert_eq!(
        ask(None, None, 2, &files[1..]),
        ("/conf/a.sock".into(), Source::File(conf.0.into()))
    );
    assert_eq!(
        ask(None, None, 2, &[]),
        ("/run/user/7/podman/podman.sock".into(), Source::Default)
    );
}

#[test]
fn usual_places() {
    let of = |uid| endpoint(None, None, uid, &[], &[]).unwrap().0;
    assert_eq!(of(0), "/run/podman/podman.sock");
    assert_eq!(of(1000), "/run/user/1000/podman/podman.sock");
}

#[test]
fn uris() {
    for (uri, want) in [
        ("unix:///a/b.sock", "/a/b.sock"),
        ("unix://a/b.sock", "/a/b.sock"),
        ("unix:/a/b.sock", "/a/b.sock"),
        ("unix:///a%20b.sock", "/a b.sock"),
    ] {
        assert_eq!(Endpoint::parse(uri).unwrap(), Endpoint::unix(want), "{uri}");
    }
    for uri in [
        "ssh://u:secret@h/p",
        "tcp://h:1",
        "/run/p.sock",
        "unix://",
        "x:y",
    ] {
        let error = Endpoint::parse(uri).unwrap_err();
        assert!(error.is_unusable_endpoint(), "{uri}");
        let text = error.to_string();
        assert!(!text.contains("secret"), "{text}");
        assert!(text.contains("unix://") || uri == "unix://", "{text}");
    }
}

#[test]
fn an_unknown_or_broken_configuration_is_said() {
    let variables: Table = &[("PODMAN_CONNECTIONS_CONF", "/c.json")];
    let error = endpoint(None, Some("x"), 7, variables, &[("/c.json", CONNECTIONS)]).unwrap_err();
    assert!(error.to_string().contains("known are dev, far"), "{error}");

    let error = endpoint(None, None, 7, variables, &[("/c.json", "{")]).unwrap_err();
    assert!(error.to_string().contains("/c.json"), "{error}");

    // Null maps are what podman writes when the last connection was removed.
    const EMPTY: &str = r#"{"Connection":{"Default":"","Connections":null}}"#;
    let (socket, _) = endpoint(None, None, 7, variables, &[("/c.json", EMPTY)]).unwrap();
    assert_eq!(socket, "/run/user/7/podman/podman.sock");
}

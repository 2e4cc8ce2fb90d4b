use super::*;

#[test]
fn isolation_is_always_said() {
    let json = serde_json::to_value(ContainerSpec::default()).unwrap();
    let said: Vec<&str> = json
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(
        said,
        [
            "env_host",
            "httpproxy",
            "image",
            "init",
            "no_new_privileges",
            "privileged",
            "read_only_filesystem",
            "read_write_tmpfs",
            "stdin",
            "terminal",
        ]
    );
}

#[test]
fn wire_names() {
    let spec = ContainerSpec {
        volumes: vec![NamedVolume {
            name: "cache".into(),
            dest: "/cache".into(),
            options: vec!["U".into()],
            is_anonymous: false,
        }],
        secrets: vec![SecretMount {
            source: "tok".into(),
            target: "tok".into(),
            uid: 0,
            gid: 0,
            mode: 0o400,
        }],
        networks: [("n".to_owned(), NetworkOptions {})].into(),
        ..ContainerSpec::default()
    };
    let json = serde_json::to_value(spec).unwrap();
    assert_eq!(
        json["volumes"],
        serde_json::json!([{"Name": "cache", "Dest": "/cache", "Options": ["U"]}])
    );
    assert_eq!(
        json["secrets"],
        serde_json::json!([{"Source": "tok", "Target": "tok", "UID": 0, "GID": 0, "Mode": 256}])
    );
    assert_eq!(json["Networks"], serde_json::json!({"n": {}}));
}

#[test]
fn debug_and_redacted_show_no_value() {
    let mut spec = ContainerSpec::default();
    spec.env.insert("KEY", "hunter2");
    assert!(!format!("{spec:?}").contains("hunter2"));
    assert!(format!("{spec:?}").contains("KEY"));
    let shown = serde_json::to_string(&spec.redacted()).unwrap();
    assert!(!shown.contains("hunter2"), "{shown}");
    assert!(serde_json::to_string(&spec).unwrap().contains("hunter2"));
}

//! The library's client on the real service: lists, files, secrets, volumes, events.

use std::collections::BTreeMap;

use bytes::Bytes;
use stockade::libpod::{
    ArchiveWrite, Client, ContainerFilter, ContainerId, ContainerSpec, CopyOwnership, EventOptions,
    Lookup, Namespace, TarBody, TarChunk, VolumeSpec,
};

use crate::support::dir::TestDir;
use crate::support::image::tiny;

async fn running(dir: &TestDir, client: &Client) -> ContainerId {
    let spec = ContainerSpec {
        image: tiny().to_owned(),
        command: ["sleep", "300"].map(str::to_owned).to_vec(),
        netns: Some(Namespace::new("none")),
        ..ContainerSpec::default()
    };
    let id = client.create_container(&spec).await.unwrap().id;
    dir.adopt(id.as_str());
    client.start_container(&id).await.unwrap();
    id
}

#[tokio::test]
#[ignore = "needs podman: asks for lists"]
async fn lists_without_members_are_lists() {
    let client = TestDir::new().podman().client().await;
    let filter = |name: &str, value: &str| -> ContainerFilter {
        [(name.to_owned(), vec![value.to_owned()])].into()
    };
    let nobody = filter("name", "nobody-has-this-name");
    assert!(
        client
            .list_containers(true, &nobody)
            .await
            .unwrap()
            .is_empty()
    );
    let nothing = filter("reference", "localhost/nobody/has:this");
    assert!(
        client
            .list_images(false, &nothing)
            .await
            .unwrap()
            .is_empty()
    );
    let wrong = client.list_containers(true, &filter("nonsense", "x")).await;
    assert_eq!(wrong.unwrap_err().status(), Some(500));
}

#[tokio::test]
#[ignore = "needs podman: asks for what is not there"]
async fn what_is_missing_is_not_found_on_every_release() {
    let client = TestDir::new().podman().client().await;
    let id = ContainerId::new("0".repeat(64));
    assert!(
        client
            .inspect_container("no-such")
            .await
            .unwrap_err()
            .is_not_found()
    );
    assert!(
        client
            .inspect_image("localhost/no-such")
            .await
            .unwrap_err()
            .is_not_found()
    );
    assert!(
        client
            .start_container(&id)
            .await
            .unwrap_err()
            .is_not_found()
    );
    assert!(
        client
            .inspect_volume("no-such")
            .await
            .unwrap_err()
            .is_not_found()
    );
    assert!(
        client
            .inspect_secret("no-such")
            .await
            .unwrap_err()
            .is_not_found()
    );
    assert!(!client.container_exists("no-such").await.unwrap());
    assert!(!client.image_exists("localhost/no-such").await.unwrap());
    // 4.3 answers 500 here.
    let spec = ContainerSpec {
        image: "localhost/no-such:1".to_owned(),
        ..ContainerSpec::default()
    };
    assert!(
        client
            .create_container(&spec)
            .await
            .unwrap_err()
            .is_not_found()
    );
}

/// An archive of one file.
fn archive() -> Bytes {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(5);
    header.set_mode(0o640);
    header.set_uid(7);
    header.set_gid(8);
    let added = builder.append_data(&mut header, "file", &b"hello"[..]);
    added.unwrap();
    builder.into_inner().unwrap().into()
}

/// An archive in pieces, as from a walk.
fn send(archive: Bytes) -> TarBody {
    let (sender, body) = TarBody::channel(4);
    tokio::spawn(async move {
        for piece in archive.chunks(700) {
            let bytes = Bytes::copy_from_slice(piece);
            sender.send(TarChunk::Bytes(bytes)).await.unwrap();
        }
        sender.send(TarChunk::End).await.unwrap();
    });
    body
}

#[tokio::test]
#[ignore = "needs podman: copies files"]
async fn files_go_in_and_come_out() {
    let dir = TestDir::new();
    let client = dir.podman().client().await;
    let id = running(&dir, &client).await;
    let put = async |directory, ownership| {
        let how = ArchiveWrite {
            ownership,
            overwrite: false,
            rename: BTreeMap::new(),
        };
        let written = client.write_archive(&id, directory, &how, send(archive()));
        written.await.unwrap();
    };
    put("/tmp", CopyOwnership::Archive).await;
    put("/root", CopyOwnership::Container).await;
    let owners = ["stat", "-c", "%u:%g %a", "/tmp/file", "/root/file"];
    let exec = ["exec", "--unmanaged", id.as_str()];
    let owners = dir.stockade(&[&exec[..], &owners].concat()).run();
    let _ = owners.success().says("7:8 640\n0:0 640\n");

    let found = async |path| match client.stat_in_container(&id, path).await.unwrap() {
        Lookup::Found(stat) => stat,
        other => panic!("{path}: {other:?}"),
    };
    let stat = found("/tmp/file").await;
    assert_eq!((stat.name.as_str(), stat.size), ("file", 5));
    assert!(!stat.is_dir());
    assert!(found("/tmp").await.is_dir());
    let link = found("/bin/sh").await;
    assert!(link.link_target.ends_with("/busybox"), "{link:?}");
    let nothing = client.stat_in_container(&id, "/nothing").await.unwrap();
    assert_eq!(nothing, Lookup::Missing);

    let (_, mut stream) = client.read_archive(&id, "/tmp/file").await.unwrap();
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.next().await.unwrap() {
        bytes.extend_from_slice(&chunk);
    }
    let mut archive = tar::Archive::new(&bytes[..]);
    let mut entries = archive.entries().unwrap();
    let mut entry = entries.next().unwrap().unwrap();
    assert_eq!(entry.header().mode().unwrap() & 0o777, 0o640);
    let mut content = String::new();
    std::io::Read::read_to_string(&mut entry, &mut content).unwrap();
    assert_eq!(content, "hello");
    assert!(entries.next().is_none());
}

#[tokio::test]
#[ignore = "needs podman: makes a secret"]
async fn a_secret_arrives_and_is_nowhere_else() {
    let dir = TestDir::new();
    let client = dir.podman().client().await;
    let name = dir.name("secret");
    let value = Bytes::from_static(b"hunter2\nand more");
    client.create_secret(&name, value.clone()).await.unwrap();
    let again = client.create_secret(&name, value).await.unwrap_err();
    assert!(again.to_string().contains("in use"), "{again}");
    assert!(!format!("{again:?}").contains("hunter2"));
    assert!(client.secret_exists(&name).await.unwrap());
    let described = client.inspect_secret(&name).await.unwrap();
    assert!(!format!("{described:?}").contains("hunter2"));

    let secret = format!("{name},target=token");
    let variable = format!("{name},type=env,target=TOKEN");
    let flags = [
        "run",
        "--rm",
        "--network",
        "none",
        "--secret",
        &secret,
        "--secret",
        &variable,
    ];
    let script = "cat /run/secrets/token; echo; echo \"$TOKEN\"; touch /run/secrets/token";
    let command = [tiny(), "sh", "-c", script];
    let said = dir.stockade(&[&flags[..], &command].concat()).run();
    client.remove_secret(&name).await.unwrap();
    assert!(!client.secret_exists(&name).await.unwrap());
    let both = "hunter2\nand more\nhunter2\nand more\n";
    let _ = said.says(both).does_not_complain("hunter2");
    for length in [0, 512_000] {
        let wrong = client.create_secret(&name, vec![b'x'; length].into()).await;
        wrong.unwrap_err();
    }
}

#[tokio::test]
#[ignore = "needs podman: makes a volume"]
async fn a_volume_outlives_its_containers() {
    let dir = TestDir::new();
    let client = dir.podman().client().await;
    let name = dir.name("volume");
    let spec = VolumeSpec {
        name: name.clone(),
        labels: [("purpose".to_owned(), "test".to_owned())].into(),
        ..VolumeSpec::default()
    };
    client.create_volume(&spec).await.unwrap();
    let found = client.inspect_volume(&name).await.unwrap();
    assert_eq!(found.labels, spec.labels);
    let volume = format!("{name}:/data:U");
    let run = |script: &str| {
        let flags = ["run", "--rm", "--network", "none", "-v", &volume, tiny()];
        dir.stockade(&[&flags[..], &["sh", "-c", script]].concat())
            .run()
    };
    let _ = run("echo kept > /data/file").success();
    let said = run("cat /data/file");
    assert!(
        client.volume_exists(&name).await.unwrap(),
        "--rm takes no named volume"
    );
    client.remove_volume(&name).await.unwrap();
    assert!(!client.volume_exists(&name).await.unwrap());
    let _ = said.success().says("kept\n");
}

#[tokio::test]
#[ignore = "needs podman: asks for events"]
async fn a_filter_of_events_that_is_none_is_an_error() {
    let client = TestDir::new().podman().client().await;
    let options = EventOptions {
        filters: [("nonsense".to_owned(), vec!["x".to_owned()])].into(),
        ..EventOptions::default()
    };
    // 4.3 answers 200 and puts the error into the stream.
    match client.events(&options).await {
        Err(error) => assert_eq!(error.status(), Some(500)),
        Ok(mut events) => {
            events.next().await.unwrap_err();
        }
    }
}

//! Images and secrets.

use bytes::Bytes;
use serde_json::json;

use super::answered;
use super::raw::encoded;
use crate::support::dir::TestDir;
use crate::support::image::tiny;

#[test]
#[ignore = "needs podman: asks for an image that is nowhere"]
fn a_failed_fetch_is_one_whatever_the_status() {
    let dir = TestDir::new();
    // Port 1 of the loopback: nobody listens there.
    let name = "127.0.0.1:1/no/such:1";
    let path = "/images/pull?reference=127.0.0.1:1/no/such:1";
    let answer = dir.podman().raw("POST", path).send();
    assert!(answer.text().contains("no/such"), "{}", answer.text());
    answered(
        &dir,
        "a_failed_fetch_is_one_whatever_the_status",
        answer.status,
    );
    let _ = dir.stockade(&["pull", name]).run().code(1).complains(name);
}

#[test]
#[ignore = "needs podman: removes an image that is not there"]
fn a_missing_image_can_be_ignored() {
    let dir = TestDir::new();
    let name = "localhost/no-such-image:1";
    let path = format!("/images/{}?ignore=true", encoded(name));
    let status = dir.podman().raw("DELETE", &path).status();
    answered(&dir, "a_missing_image_can_be_ignored", status);
    let _ = dir.stockade(&["rmi", "--ignore", name]).run().success();
    let _ = dir.stockade(&["rmi", name]).run().code(1).complains(name);
}

#[test]
#[ignore = "needs podman: lists images"]
fn one_of_several_names_is_enough() {
    let dir = TestDir::new();
    let filters = json!({"reference": [tiny(), "localhost/no-such-image"]}).to_string();
    let path = format!("/images/json?filters={}", encoded(&filters));
    let listed = dir.podman().raw("GET", &path).send().json();
    let observed = match listed.as_array().map_or(0, Vec::len) {
        0 => "each of them",
        _ => "one of them",
    };
    answered(&dir, "one_of_several_names_is_enough", observed);
    let filter = ["--filter", "reference=localhost/no-such-image"];
    let images = ["images", "--format", "json", tiny()];
    let images = dir.stockade(&[&images[..], &filter].concat()).run();
    let images = images.success().json();
    assert_eq!(images.as_array().map(Vec::len), Some(1), "{images}");
    assert_eq!(images[0]["Names"][0], tiny());
}

#[tokio::test]
#[ignore = "needs podman: makes a secret"]
async fn a_secret_is_found_without_its_route() {
    let dir = TestDir::new();
    let client = dir.podman().client().await;
    let name = dir.name("secret");
    let value = Bytes::from_static(b"value");
    client.create_secret(&name, value).await.unwrap();
    let route = dir.podman().raw("GET", &format!("/secrets/{name}/exists"));
    let status = route.status();
    let found = client.secret_exists(&name).await.unwrap();
    client.remove_secret(&name).await.unwrap();
    answered(&dir, "a_secret_is_found_without_its_route", status);
    assert!(found);
    assert!(!client.secret_exists(&name).await.unwrap());
}

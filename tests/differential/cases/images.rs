//! `images`, `rmi`, `tag`, `image prune`, `pull`.

use crate::case::cases;

cases! {
    tag_and_remove: r#"
        lines Containerfile "FROM $TINY" "LABEL side=$A"
        podman build -q -t $I .
        podman image tag $I $J:two $J:three
        image $J:two RepoTags
        podman images -q $J
        podman images -q --no-trunc $J
        AS=keys podman images -n --format json $J
        podman rmi $J:two
        podman image exists $J:two
        podman image rm $J:three no-such-image
        podman rmi $I
        podman image exists $I
        podman rmi $I
        podman rmi --ignore $I
        podman rmi -f $I
    "#

    an_image_in_use: r#"
        lines Containerfile "FROM $TINY" "LABEL side=$A"
        podman build -q -t $I .
        podman run --name $A $I true
        podman rmi $I
        podman image exists $I
        podman rmi -f $I
        podman image exists $I
        state $A State.Status
    "#

    images_listed: r#"
        podman images -q localhost/no-such-image
        AS=table podman images localhost/no-such-image
        podman images --format json localhost/no-such-image
        podman images -q --filter reference=$TINY
        podman images -q --filter dangling=nonsense
        podman images --filter nonsense
        podman images --no-such-flag
        AS=table podman images $TINY
        AS=table podman images -n $TINY
    "#

    what_cannot_be: r#"
        podman image tag no-such-image $I
        podman image tag $TINY 'Not A Name'
        podman image tag $TINY
        podman rmi
        podman rmi 'Not A Name'
        podman rmi --no-such-flag $TINY
        podman pull
        podman pull 'Not A Name'
        podman pull localhost:1/no/such:image
    "#

    prune: r#"
        lines Containerfile "FROM $TINY" "LABEL side=$A"
        podman build -q --label one=$A .
        podman image prune -f --filter label=one=$A
        podman image prune -f --filter nonsense=x
    "#
}

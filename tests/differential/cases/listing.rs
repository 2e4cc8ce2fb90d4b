//! What lists and describes: `ps`, `inspect`, `events`, `version`, `info`.

use crate::case::cases;

cases! {
    ps: r#"
        podman run -d --init --name $A --label which=a $TINY sleep 300
        podman run --name $B $TINY sh -c 'exit 4'
        AS=table podman ps --filter name=$A
        AS=table podman ps -a --filter name=$B
        podman ps -q --filter name=$A
        podman ps -aq --filter name=$B
        podman ps -a -q --no-trunc --filter name=$B
        podman ps -q --filter name=$B
        podman ps -q --filter name=$A --filter name=$B
        podman ps -aq --filter label=which=a --filter name=$A
        podman ps -aq --filter status=exited --filter name=$A
        podman ps -aq --filter status=exited --filter name=$B
        podman ps -aq --filter exited=4 --filter name=$B
        podman ps -aq --filter id=no-such-id
        podman ps -aq --filter ancestor=$TINY --filter name=$A
    "#

    ps_as_json: r#"
        podman run --name $A --label which=a $TINY sh -c 'exit 4'
        AS=keys podman ps -a --filter name=$A --format json
        podman ps -a --filter name=no-such-name --format json
        AS=table podman ps -a --filter name=no-such-name
    "#

    ps_of_nonsense: r#"
        podman ps --filter nonsense
        podman ps --filter nonsense=x
        podman ps --filter status=nonsense
        podman ps --no-such-flag
        podman ps argument
        podman ps -n many
    "#

    inspect_a_container: r#"
        podman run --name $A --label which=a $TINY sh -c 'exit 4'
        AS=keys podman inspect $A
        AS=keys podman container inspect $A
        AS=keys podman inspect --type container $A
        podman inspect no-such-thing
        AS=keys podman inspect $A no-such-thing
        podman inspect
        podman inspect --type nonsense $A
        podman inspect --type image $A
    "#

    inspect_an_image: r#"
        AS=keys podman inspect $TINY
        AS=keys podman image inspect $TINY
        AS=keys podman inspect --type image $TINY
        podman image inspect no-such-image
    "#

    exists: r#"
        podman run --name $A $TINY true
        podman container exists $A
        podman container exists no-such-container
        podman image exists $TINY
        podman image exists no-such-image
        podman container exists
    "#

    events: r#"
        podman run --name $A $TINY true
        podman rm $A
        AS=keys podman events --stream=false --filter container=$A --format json
        podman events --stream=false --since 2001-01-01 --until 2001-01-02
        podman events --stream=false --since nonsense
        podman events --stream=false --filter nonsense
        podman events --no-such-flag
    "#

    version_and_info: r#"
        AS=nothing podman --version
        AS=nothing podman version
        AS=nothing podman version --format json
        AS=nothing podman info --format json
        podman version argument
        podman info argument
        podman no-such-verb
        podman --no-such-flag
        AS=nothing podman run --help
        AS=nothing podman --help
        AS=nothing podman
    "#
}

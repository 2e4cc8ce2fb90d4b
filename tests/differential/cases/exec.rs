//! `exec` and `attach`.

use crate::case::cases;

cases! {
    exit_codes: r#"
        podman run -d --init --name $A $TINY sleep 300
        podman exec $A true
        podman exec $A sh -c 'exit 7'
        podman exec $A sh -c 'exit 255'
        podman exec $A /no/such/program
        podman exec $A /etc/passwd
        podman exec $A sh -c 'kill -9 $$'
        podman exec $A sh -c 'echo out; echo err >&2; exit 2'
    "#

    surroundings: r#"
        podman run -d --init --name $A -e BASE=1 -w /tmp $TINY sleep 300
        podman exec $A pwd
        podman exec -w /etc $A pwd
        podman exec --workdir /no/such $A pwd
        export GIVEN=yes
        podman exec -e ONE=1 -e GIVEN -e BASE=2 $A sh -c 'echo $BASE $ONE $GIVEN'
        lines file FILED=1
        podman exec --env-file file $A sh -c 'echo $BASE $FILED'
        podman exec --env-file missing $A true
        podman exec --user 5:6 $A sh -c 'id -u; id -g'
        podman exec --user no-such-user $A id
    "#

    input: r#"
        podman run -d --init --name $A $TINY sleep 300
        printf 'in\nput' | podman exec -i $A cat
        printf 'unread' | podman exec $A cat
        head -c 1000000 /dev/zero | podman exec -i $A md5sum
        podman exec $A sh -c 'seq 1 30000; seq 1 30000 >&2'
        printf 'x' | podman exec -i $A sh -c 'cat; exit 4'
    "#

    in_the_background: r#"
        podman run -d --init --name $A $TINY sleep 300
        podman exec -d $A sh -c 'echo made > /tmp/made'
        podman exec $A sh -c 'until [ -s /tmp/made ]; do sleep 0.05; done; cat /tmp/made'
    "#

    what_cannot_be: r#"
        podman exec no-such-container true
        podman run --name $A $TINY true
        podman exec $A true
        podman exec
        podman exec $A
        podman exec --no-such-flag $A true
        podman exec -e '' $A true
    "#

    attach: r#"
        podman run -d --name $A $TINY sh -c 'until [ -e /tmp/go ]; do sleep 0.05; done; echo out; echo err >&2; exit 3'
        podman attach $A & sleep 2
        "${reference[@]}" exec $A touch /tmp/go
        wait $!
        podman attach $A
        podman attach no-such-container
        podman attach
        podman attach $A $B
    "#

    attach_with_input: r#"
        podman run -d -i --name $A $TINY sh -c 'read x; echo "got $x"; exit 5'
        echo line | podman attach $A
        podman run -d -i --name $B $TINY sh -c 'until [ -e /tmp/go ]; do sleep 0.05; done; echo done; exit 6'
        echo line | podman attach --no-stdin $B & sleep 2
        "${reference[@]}" exec $B touch /tmp/go
        wait $!
        show "${reference[@]}" wait $A $B
    "#

    start_and_attach: r#"
        podman run --name $A $TINY sh -c 'echo out; echo err >&2; exit 3'
        podman start -a $A
        podman start $A
        podman wait $A
        podman start no-such-container
        podman start
    "#
}

//! `logs`.

use crate::case::cases;

cases! {
    what_was_written: r#"
        podman run --name $A $TINY sh -c 'echo one; sleep 0.2; echo two >&2; sleep 0.2; echo three'
        podman logs $A
        podman logs --tail 1 $A
        podman logs --tail 0 $A
        podman logs --tail 100 $A
        podman logs --tail -1 $A
        podman logs -n 2 $A
        podman logs --tail many $A
        podman logs -t $A
    "#

    a_last_line_without_an_end: r#"
        podman run --name $A $TINY sh -c 'echo one; echo two; printf three'
        podman logs $A
        podman logs --tail 1 $A
        podman logs --tail 2 $A
    "#

    from_and_to: r#"
        podman run --name $A $TINY sh -c 'echo one; sleep 2; echo two'
        middle=$("${reference[@]}" logs -t $A | tail -1 | cut -d' ' -f1)
        # a second before the last line
        middle=$(date -u -d "$middle 1 second ago" +%Y-%m-%dT%H:%M:%SZ)
        podman logs --since "$middle" $A
        podman logs --until "$middle" $A
        podman logs --since 10m $A
        podman logs --since 2100-01-01T00:00:00Z $A
        podman logs --until 2001-01-01T00:00:00Z $A
        podman logs --since 1000000000 $A
        podman logs --since nonsense $A
    "#

    followed: r#"
        podman run -d --name $A $TINY sh -c 'echo one; sleep 0.5; echo two; sleep 0.5; echo three; exit 4'
        podman logs -f $A
        podman logs -f $A
        podman logs -f --tail 1 $A
    "#

    several_containers: r#"
        podman run --name $A $TINY echo of-a
        podman run --name $B $TINY echo of-b
        podman logs $A $B
        podman logs -n $A $B
        podman logs no-such-container
        podman logs
        podman logs --no-such-flag $A
    "#

    two_lives: r#"
        podman run --name $A $TINY sh -c 'echo life >> /tmp/lives; wc -l < /tmp/lives'
        podman start -a $A
        podman logs $A
        podman logs --tail 1 $A
    "#
}

//! What ends containers: `stop`, `kill`, `wait`, `rm`, and `pause`.

use crate::case::cases;

cases! {
    stop: r#"
        podman run -d --name $A $TINY sh -c 'trap "echo bye; exit 5" TERM; echo ready; while :; do sleep 0.05; done'
        until_logged $A ready
        podman stop $A
        state $A State.Status State.ExitCode State.Running
        podman stop $A
        podman logs $A
        podman stop no-such-container
        podman stop --ignore no-such-container
        podman stop
        podman stop -t soon $A
    "#

    stop_kills_in_the_end: r#"
        podman run -d --name $A $TINY sh -c 'trap "" TERM; echo ready; while :; do sleep 0.05; done'
        until_logged $A ready
        podman stop -t 1 $A
        state $A State.Status State.ExitCode State.OOMKilled
        podman run -d --name $B --stop-timeout 0 --stop-signal USR1 $TINY sleep 300
        state $B Config.StopTimeout
        podman stop $B
        state $B State.Status State.ExitCode
    "#

    stop_several: r#"
        podman run -d --init --name $A $TINY sleep 300
        podman run -d --init --name $B $TINY sleep 300
        podman stop -t 0 $A no-such-container $B
        state $A State.Status
        state $B State.Status
    "#

    kill: r#"
        podman run -d --name $A $TINY sh -c 'trap "echo usr1" USR1; echo ready; while :; do sleep 0.05; done'
        until_logged $A ready
        podman kill -s USR1 $A
        until_logged $A usr1
        podman kill --signal SIGUSR1 $A
        podman kill -s NONSENSE $A
        podman kill -s 99 $A
        state $A State.Status
        podman kill $A
        podman wait $A
        state $A State.Status State.ExitCode
        podman kill $A
        podman kill no-such-container
        podman kill
    "#

    wait: r#"
        podman run -d --name $A $TINY sh -c 'exit 3'
        podman run -d --name $B $TINY sh -c 'sleep 0.3; exit 0'
        podman wait $A
        podman wait $A $B
        podman wait no-such-container
        podman wait
        podman wait --no-such-flag $A
    "#

    rm: r#"
        podman run --name $A $TINY true
        podman rm $A
        state $A State.Status
        podman rm $A
        podman rm -f $A
        podman rm --ignore $A
        podman run -d --init --name $A $TINY sleep 300
        podman rm $A
        state $A State.Status
        podman run --name $B $TINY true
        podman rm no-such-container $B
        podman rm -f -t 0 $A
        podman rm
        podman rm --no-such-flag $A
    "#

    rm_with_volumes: r#"
        podman run --name $A -v /anonymous $TINY sh -c 'echo x > /anonymous/x'
        state $A Mounts.0.Type Mounts.0.Destination Mounts.0.RW
        podman rm -v $A
    "#

    by_id_and_by_a_part_of_it: r#"
        id=$(podman run -d --init --name $A $TINY sleep 300)
        podman stop -t 0 $id
        podman start ${id:0:12}
        podman exec ${id:0:20} echo found
        podman kill ${id:0:12}
        podman wait $id
        podman rm $id
    "#
}

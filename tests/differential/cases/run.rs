//! `run`.

use crate::case::cases;

cases! {
    exit_codes_are_the_containers_own: "
        podman run --rm $TINY true
        podman run --rm $TINY sh -c 'exit 1'
        podman run --rm $TINY sh -c 'exit 125'
        podman run --rm $TINY sh -c 'exit 255'
        podman run --rm $TINY sh -c 'kill -9 $$'
        podman run --rm --init $TINY sh -c 'kill -9 $$'
    "

    what_cannot_be_invoked: "
        podman run --rm $TINY /no/such/program
        podman run --rm $TINY /etc/passwd
        podman run --rm $TINY /tmp
        podman run --name $A $TINY no-such-program
    "

    streams_stay_apart: "
        podman run --rm $TINY sh -c 'echo out; echo err >&2; printf tail'
        printf 'in\\nput' | podman run --rm -i $TINY cat
        printf 'unread' | podman run --rm $TINY cat
        printf 'lines\\n' | podman run --rm -i $TINY wc -c
    "

    much_output_of_both_streams: "
        podman run --rm $TINY sh -c 'seq 1 50000; seq 1 50000 >&2; exit 3'
        head -c 1000000 /dev/zero | podman run --rm -i $TINY md5sum
    "

    variables: "
        podman run --rm -e ONE=1 -e TWO='2 3' -e EMPTY= --env THREE=a=b $TINY sh -c 'env | sort | grep -v -e ^HOME -e ^PATH'
        export GIVEN=yes PREFIX_A=a PREFIX_B=b
        podman run --rm -e GIVEN -e NOT_SET $TINY sh -c 'env | sort | grep -v -e ^HOME -e ^PATH'
        podman run --rm -e 'PREFIX_*' $TINY sh -c 'env | sort | grep -v -e ^HOME -e ^PATH'
    "

    a_file_of_variables: "
        printf '# comment\\nA=1\\n\\nB = spaced\\nGIVEN\\nQ=\"quoted\"\\nE=\\nX=#no\\n  L=left\\n' > file
        printf 'A=second\\n' > other
        export GIVEN=yes
        podman run --rm --env-file file $TINY sh -c 'env | sort | grep -v -e ^HOME -e ^PATH'
        podman run --rm --env-file file --env-file other -e B=flag $TINY sh -c 'env | sort | grep -v -e ^HOME -e ^PATH'
        podman run --rm --env-file missing $TINY sh -c 'env | sort | grep -v -e ^HOME -e ^PATH'
        printf '=x\\n' > bad
        podman run --rm --env-file bad $TINY sh -c 'env | sort | grep -v -e ^HOME -e ^PATH'
    "

    working_directory: "
        podman run --rm -w /tmp $TINY pwd
        podman run --rm $TINY pwd
        podman run --rm -w /made/for/it $TINY pwd
        podman run --rm -w relative $TINY pwd
        podman run --rm -w /etc/passwd $TINY pwd
    "

    entrypoint: "
        podman run --rm --entrypoint echo $TINY a b
        podman run --rm --entrypoint '[\"echo\", \"x y\"]' $TINY a
        podman run --rm --entrypoint '' $TINY echo c
        podman run --rm --entrypoint echo $TINY
        podman run --rm --entrypoint /no/such $TINY a
    "

    user: "
        podman run --rm --user 0 $TINY id -u
        podman run --rm --user 123:456 $TINY id
        podman run --rm --user root $TINY id -un
        podman run --rm --user nobody-known $TINY id
        podman run --rm --user 123:no-group $TINY id
    "

    a_name_in_use: "
        podman run --name $A $TINY true
        podman run --name $A $TINY true
        podman run --rm --name $A $TINY true
        state $A State.Status State.ExitCode Config.Cmd
        podman run --name 'not/a/name' $TINY true
        podman run --name '' $TINY true
    "

    removed_or_kept: "
        podman run --rm --name $A $TINY false
        podman run --name $B $TINY false
        state $A State.Status
        state $B State.Status State.ExitCode State.OOMKilled State.Error Config.Image ImageName
    "

    id_file: "
        podman run --cidfile id --name $A $TINY true
        show cat id
        podman run --cidfile id --rm $TINY true
        podman run --cidfile no/such/dir/id --rm $TINY true
        podman run --rm --cidfile gone $TINY true
        show ls gone
    "

    a_missing_image: "
        podman run --pull=never localhost/no-such-image true
        podman run --pull never --name $A localhost/no-such-image true
        podman run --pull=sometimes $TINY true
        podman run --pull=never 'Not A Name' true
        podman run ''
    "

    labels: "
        podman run --name $A --label one=1 -l two -l three= --label 'four=a b=c' $TINY true
        state $A Config.Labels.one Config.Labels.two Config.Labels.three Config.Labels.four
        podman run --rm --label =x $TINY true
        podman run --rm --label '' $TINY true
    "

    read_only: "
        podman run --rm --read-only $TINY sh -c 'echo x > /x || echo refused; echo y > /tmp/y && cat /tmp/y'
        podman run --rm --read-only --tmpfs /mnt $TINY sh -c 'echo x > /mnt/x; cat /mnt/x'
        podman run --rm --tmpfs /data:size=1m,mode=1777 $TINY sh -c 'stat -c %a /data; df -k /data | tail -1 | tr -s \" \" | cut -d\" \" -f2'
    "
}

//! `cp`.

use crate::case::cases;

cases! {
    a_file_into_a_container: r#"
        podman run -d --init --name $A $TINY sleep 300
        lines file content; chmod 640 file
        podman cp file $A:/tmp/new
        podman cp file $A:/tmp
        podman cp file $A:/tmp/
        podman cp ./file $A:tmp/relative
        podman cp file $A:/no/such/dir/
        podman cp file $A:/no/such/file
        podman cp missing $A:/tmp
        podman cp file no-such-container:/tmp
        podman exec $A sh -c 'cd /tmp; for f in *; do stat -c "%n %a %s" $f; cat $f; done'
        lines other replaced
        podman cp other $A:/tmp/new
        podman exec $A cat /tmp/new
    "#

    a_directory_into_a_container: r#"
        podman run -d --init --name $A $TINY sleep 300
        mkdir -p dir/sub; lines dir/one 1; lines dir/sub/two 2; ln -s one dir/link; mkdir empty
        podman cp dir $A:/tmp
        podman cp dir $A:/tmp/named
        podman cp dir/. $A:/tmp/named
        podman cp dir/. $A:/tmp/inside
        podman cp dir/ $A:/tmp/slash
        podman cp empty $A:/tmp/
        podman cp dir $A:/etc/passwd
        podman exec $A sh -c 'cd /tmp; find . | sort; readlink dir/link'
    "#

    out_of_a_container: r#"
        podman run -d --init --name $A $TINY sh -c 'mkdir -p /tmp/d/sub; cd /tmp/d; echo 1 > one; echo 2 > sub/two; ln -s one link; chmod 600 one; echo ready; exec sleep 300'
        until_logged $A ready
        podman cp $A:/tmp/d/one .
        podman cp $A:/tmp/d/one renamed
        podman cp $A:/tmp/d dir
        podman cp $A:/tmp/d dir
        podman cp $A:/tmp/d/. into
        podman cp $A:tmp/d/link through
        podman cp $A:/no/such .
        podman cp $A:/tmp/d/one no/such/dir/
        podman cp $A:/tmp/d/one no/such/file
        show find . -printf '%P %y %m %l\n'
        lines file x
        podman cp $A:/tmp/d file
        show cat file renamed
    "#

    archives_on_standard_streams: r#"
        podman run -d --init --name $A $TINY sleep 300
        mkdir dir; lines dir/one 1; lines dir/two 2
        tar -c dir | podman cp - $A:/tmp
        podman exec $A sh -c 'find /tmp | sort; cat /tmp/dir/two'
        AS=nothing podman cp $A:/tmp/dir - | tar -t | sort > listed
        show cat listed
        AS=nothing podman cp $A:/tmp/dir/one - | tar -xO > extracted
        show cat extracted
        echo 'no archive' | podman cp - $A:/tmp
        tar -c dir | podman cp - $A:/tmp/no/such
        podman cp - -
    "#

    owners: r#"
        podman run -d --init --name $A $TINY sleep 300
        podman exec $A sh -c 'mkdir /tmp/own; chmod 777 /tmp/own'
        lines file x
        podman cp file $A:/tmp/own/as-it-is
        podman cp -a=false file $A:/tmp/own/kept
        podman exec $A sh -c 'stat -c "%n %a" /tmp/own/*'
    "#

    files_and_directories_in_each_others_place: r#"
        podman run -d --init --name $A $TINY sh -c 'mkdir -p /tmp/dir /tmp/x; echo 1 > /tmp/dir/kept; echo ready; exec sleep 300'
        until_logged $A ready
        mkdir x; lines x/in 1; lines file 1; lines dir 1
        podman cp dir $A:/tmp
        podman cp --overwrite dir $A:/tmp
        podman cp x $A:/tmp/dir
        podman exec $A sh -c 'cd /tmp; find . | sort'
    "#

    names_that_mislead: r#"
        podman run -d --init --name $A $TINY sleep 300
        lines './with:colon' 1; lines 'with space' 2; lines '-dash' 3; lines 'gl*b' 4
        podman cp './with:colon' $A:/tmp
        podman cp 'with space' $A:/tmp
        podman cp -- -dash $A:/tmp
        podman cp 'gl*b' $A:/tmp
        podman cp $A:'/tmp/gl*b' back
        podman cp $A:'/tmp/*' back
        podman exec $A sh -c 'ls -a /tmp'
        podman cp file
        podman cp
        podman cp with:colon other
        podman cp 'with space' back
    "#
}

//! Bad input of each kind to `run`, and what is left of it: nothing.

use crate::case::cases;

cases! {
    flags_and_arguments: r#"
        podman run
        podman run --rm
        podman run --no-such-flag $TINY true
        podman run --name
        podman run -x $TINY true
        podman run --rm=perhaps $TINY true
        podman run --memory 1g
    "#

    sizes: r#"
        podman run --rm --memory many $TINY true
        podman run --rm --memory -5 $TINY true
        podman run --rm --memory 1x $TINY true
        podman run --rm --shm-size many $TINY true
        podman run --rm --cpus many $TINY true
        podman run --rm --cpus -1 $TINY true
        podman run --rm --pids-limit many $TINY true
        podman run --rm --timeout soon $TINY true
        podman run --rm --stop-timeout soon $TINY true
    "#

    ulimits: r#"
        podman run --rm --ulimit nofile=100:200 $TINY sh -c 'ulimit -n; ulimit -Hn'
        podman run --rm --ulimit nofile=100 $TINY sh -c 'ulimit -n; ulimit -Hn'
        podman run --rm --ulimit nofile $TINY true
        podman run --rm --ulimit nonsense=1:2 $TINY true
        podman run --rm --ulimit nofile=200:100 $TINY true
    "#

    ports: r#"
        podman run --rm -p nonsense $TINY true
        podman run --rm -p 99999:80 $TINY true
        podman run --rm -p 80:80:80:80 $TINY true
        podman run --rm -p 8080:0 $TINY true
        podman run --rm -p 1.2.3:80:80 $TINY true
        podman run --rm -p 80/sctpx $TINY true
    "#

    volumes: r#"
        mkdir dir other; lines dir/file 1
        podman run --rm -v $PWD/dir:/m $TINY sh -c 'cat /m/file; ls -A /m'
        podman run --rm -v $PWD/dir:/m:ro $TINY sh -c 'echo x > /m/x || echo refused'
        podman run --rm -v ./dir:/m $TINY cat /m/file
        podman run --rm --mount type=bind,src=$PWD/dir,dst=/m,ro $TINY sh -c 'cat /m/file; echo x > /m/x || echo refused'
        podman run --rm --mount type=tmpfs,dst=/m $TINY sh -c 'echo x > /m/x; cat /m/x'
        podman run --rm -v $PWD/missing:/m $TINY true
        podman run --rm -v $PWD/dir:relative $TINY true
        podman run --rm -v $PWD/dir:/m:nonsense $TINY true
        podman run --rm -v $PWD/dir:/m -v $PWD/dir:/m $TINY true
        podman run --rm -v '' $TINY true
        podman run --rm -v :/m $TINY true
        podman run --rm -v $PWD/other:/ $TINY true
        podman run --rm -v a:b:c:d $TINY true
        podman run --rm --mount type=nonsense,dst=/m $TINY true
        podman run --rm --mount type=bind,src=$PWD/dir $TINY true
        podman run --rm --tmpfs relative $TINY true
        podman run --rm --tmpfs /m:nonsense $TINY true
        show ls dir
    "#

    named_volumes: r#"
        podman run --rm -v $A-volume:/m $TINY sh -c 'echo kept > /m/x'
        podman run --rm -v $A-volume:/m:ro $TINY cat /m/x
        podman run --rm --mount type=volume,src=$A-volume,dst=/m $TINY cat /m/x
        show "${reference[@]}" volume rm $A-volume
    "#

    hosts_and_names: r#"
        podman run --rm --add-host one:10.0.0.1 --add-host two:10.0.0.2 $TINY grep -F 10.0.0 /etc/hosts
        podman run --rm --add-host nonsense $TINY true
        podman run --rm --add-host one:nonsense $TINY true
        podman run --rm --dns nonsense $TINY true
        podman run --rm --network no-such-network $TINY true
    "#

    everything_else: r#"
        podman run --rm -e '' $TINY true
        podman run --rm -e =x $TINY true
        podman run --rm --user '' $TINY true
        podman run --rm --user a:b:c $TINY true
        podman run --rm --security-opt nonsense $TINY true
        podman run --rm --cap-add NONSENSE $TINY true
        podman run --rm --userns nonsense $TINY true
        podman run --rm --device /dev/no-such $TINY true
        podman run --rm --secret no-such-secret $TINY true
        podman run --rm --stop-signal NONSENSE $TINY true
        podman run --rm --log-driver nonsense $TINY true
        podman run --rm --detach-keys nonsense-keys $TINY true
        podman run --rm --rm $TINY true
        podman run -d --name $A --no-such-flag $TINY true
    "#

    options_that_work: r#"
        podman run --rm --init $TINY sh -c 'cat /proc/1/comm'
        podman run --rm --timeout 1 $TINY sleep 60
        podman run --rm --stop-signal USR1 --stop-timeout 3 --shm-size 8m $TINY df -k /dev/shm
        podman run --rm -t $TINY sh -c 'tty; echo x'
        podman run --rm -d --name $A $TINY true
        podman run --rm --cap-add NET_RAW $TINY sh -c 'exit 0'
        podman run --rm --log-driver none $TINY echo said
        podman run --rm --detach-keys '' $TINY echo said
    "#

    what_differs_by_default: r#"
        podman run --name $A --init $TINY true
        state $A HostConfig.CapDrop HostConfig.CapAdd EffectiveCaps HostConfig.PidsLimit HostConfig.Privileged HostConfig.ReadonlyRootfs HostConfig.SecurityOpt HostConfig.UsernsMode HostConfig.Init HostConfig.NetworkMode HostConfig.RestartPolicy.Name HostConfig.AutoRemove Config.User Config.WorkingDir Config.Env Config.Tty Config.OpenStdin Config.StopSignal Config.Umask Config.CreateCommand HostConfig.LogConfig.Type HostConfig.ShmSize HostConfig.IpcMode HostConfig.PidMode HostConfig.UTSMode HostConfig.Binds HostConfig.Tmpfs
    "#
}

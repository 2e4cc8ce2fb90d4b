//! `build`. Each side's Containerfile has a label of its own, so that neither finds the other's
//! layers.

use crate::case::cases;

cases! {
    steps_tags_and_the_id: r#"
        lines Containerfile "FROM $TINY" "LABEL side=$A" 'COPY data /data/' 'RUN echo said; sleep 0.2; echo complained >&2'
        mkdir data; lines data/file one; ln -s file data/link; chmod 640 data/file
        podman build -t $I -t $J:two .
        image $I Config.Labels.side Config.Cmd Config.Env Architecture Os
        image $J:two RepoTags
        content $I
        podman build -t $I .
    "#

    quiet_and_the_id_file: r#"
        lines Containerfile "FROM $TINY" "LABEL side=$A" 'RUN echo noise'
        podman build -q -t $I --iidfile id .
        show cat id
        podman build -q -t $I --no-cache --layers=false .
        podman build --iidfile no/such/dir/id -q .
    "#

    arguments: r#"
        lines Containerfile "FROM $TINY" "LABEL side=$A" 'ARG ONE=default' 'ARG TWO' 'RUN echo "[$ONE][$TWO]" > /args'
        export TWO=given
        podman build -q -t $I .
        podman build -q -t $I --build-arg ONE=1 --build-arg TWO .
        content $I
        podman build -q -t $I --build-arg UNUSED=1 --build-arg ONE= .
        content $I
        lines args 'ONE=file' '# comment' 'TWO=also'
        podman build -q -t $I --build-arg-file args .
        podman build -q -t $I --build-arg =bad .
    "#

    targets: r#"
        lines Containerfile "FROM $TINY AS first" "LABEL side=$A" 'RUN echo 1 > /first' 'FROM first AS second' 'RUN echo 2 > /second' 'FROM first' 'RUN echo 3 > /third'
        podman build --target first -t $I .
        podman build --target second -t $I .
        content $I
        podman build --target none -t $J .
        image $J Id
    "#

    labels: r#"
        lines Containerfile "FROM $TINY" "LABEL side=$A one=file"
        podman build -q -t $I --label one=flag --label two=2 --label three .
        image $I Config.Labels.one Config.Labels.two Config.Labels.three
    "#

    ignore_files: r#"
        lines Containerfile "FROM $TINY" "LABEL side=$A" 'COPY . /all/'
        mkdir -p sub/deep; for f in a.log keep.log sub/a.log sub/b sub/deep/c .hidden; do lines $f $f; done
        lines .dockerignore '*.log' '!keep.log' 'sub/deep' '# comment'
        podman build -q -t $I .
        content $I
        lines .containerignore 'sub'
        podman build -q -t $I .
        content $I
        lines other '**' '!**/b'
        podman build -q -t $I --ignorefile other .
        content $I
        lines .containerignore '*'
        podman build -q -t $J .
        content $J
    "#

    a_containerfile_elsewhere: r#"
        mkdir -p context out; lines context/data one
        lines out/Other "FROM $TINY" "LABEL side=$A" 'COPY data /data'
        podman build -q -t $I -f out/Other context
        content $I
        podman build -q -t $J -f - context < out/Other
        content $J
        cd context
        podman build -q -f ../out/Other
        podman build -q -f no-such-file .
    "#

    a_context_from_stdin: r#"
        lines Containerfile "FROM $TINY" "LABEL side=$A" 'COPY data /data'; lines data one
        tar -c Containerfile data > ../context.tar
        lines ../alone "FROM $TINY" "LABEL side=$A" 'RUN echo alone > /made'
        rm *
        podman build -q -t $I - < ../context.tar
        content $I
        podman build -q -t $J - < ../alone
        image $J Id
    "#

    the_default_names: r#"
        lines Dockerfile "FROM $TINY" "LABEL side=$A" 'RUN echo docker > /which'
        podman build -q -t $I .
        content $I
        lines Containerfile "FROM $TINY" "LABEL side=$A" 'RUN echo container > /which'
        podman build -q -t $I .
        content $I
        podman build -q -t $J $PWD
        cd ..
        podman build -q -t $J work
    "#

    what_fails_leaves_no_image: r#"
        lines Containerfile "FROM $TINY" "LABEL side=$A" 'RUN echo before; exit 3'
        podman build -t $I --iidfile id .
        image $I Id
        show ls id
        lines Containerfile "FROM $TINY" "LABEL side=$A" 'COPY absent /'
        podman build -t $I .
        lines Containerfile "FROM $TINY" 'NONSENSE x'
        podman build -t $I .
        lines Containerfile 'RUN true'
        podman build -t $I .
        lines Containerfile 'FROM localhost/no-such-base'
        podman build --pull=never -t $I .
        : > Containerfile
        podman build -t $I .
        image $I Id
    "#

    what_there_is_not: r#"
        podman build -t $I .
        podman build -t $I no-such-directory
        lines file x
        podman build -t $I file
        podman build -t $I -f Other .
        podman build -t 'Not A Tag' .
    "#

    bad_tags: r#"
        lines Containerfile "FROM $TINY" "LABEL side=$A"
        podman build -q -t 'Upper Case' .
        podman build -q -t UPPER .
        podman build -q -t "$I:bad tag" .
        podman build -q -t '' .
        podman build -q -t $I: .
    "#

    one_layer: r#"
        lines Containerfile "FROM $TINY" "LABEL side=$A" 'RUN echo a > /a' 'RUN echo b > /b'
        podman build -q --squash -t $I .
        content $I
        podman build -q --squash-all -t $J .
        content $J
    "#

    formats_and_what_an_image_says: r#"
        lines Containerfile "FROM $TINY" "LABEL side=$A" 'ENV X=1 Y="2 3"' 'WORKDIR /w' 'USER 5:6' 'EXPOSE 80' 'VOLUME /v' 'ENTRYPOINT ["/bin/echo","hi"]' 'CMD a b' 'STOPSIGNAL USR1'
        podman build -q -t $I .
        image $I Config ManifestType
        podman build -q --format docker -t $J .
        image $J Config ManifestType
    "#
}

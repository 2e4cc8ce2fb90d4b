use super::*;
use crate::context::containerfile::needs as read_needs;

fn plain(_: &str) -> Base {
    Base::Plain(vec!["HOME=/root".to_owned(), "dir=from-base".to_owned()])
}

fn of(text: &str, args: &[(&str, &str)]) -> Needs {
    let args = args
        .iter()
        .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
        .collect();
    read_needs(&Containerfile::from_bytes(text.into()), &args, plain)
}

/// The sources, for a build of these instructions after a `FROM`.
#[track_caller]
fn only(text: &str, sources: &[&str]) {
    only_with(text, &[], sources);
}

#[track_caller]
fn only_with(text: &str, args: &[(&str, &str)], sources: &[&str]) {
    let sources = sources
        .iter()
        .map(|source| Source::parse(source).unwrap())
        .collect();
    assert_eq!(
        of(&format!("FROM base\n{text}"), args),
        Needs::Only(sources),
        "{text}"
    );
}

#[track_caller]
fn everything(text: &str, why: &str) {
    match of(&format!("FROM base\n{text}"), &[]) {
        Needs::Everything { reason, .. } => assert_eq!(reason.to_string(), why, "{text}"),
        Needs::Only(sources) => panic!("{text}: only {sources:?}"),
    }
}

#[test]
fn copies_name_their_sources() {
    only("RUN true\nCMD [\"x\"]\n", &[]);
    only("COPY a /dest", &["a"]);
    only("copy ./a/ b* /dest/", &["a", "b*"]);
    only("  \tCopy\ta\t/dest \r\n", &["a"]);
    only(
        "COPY [\"with space\", \"b\", \"/dest\"]",
        &["with space", "b"],
    );
    only(
        "ADD a.tar https://example.org/x.tar http://example.org /dest",
        &["a.tar"],
    );
    only(
        "ADD --checksum=sha256:00 --keep-git-dir=true a /dest",
        &["a"],
    );
    only(
        "COPY --chown=1:1 --chmod=0755 --link --parents --exclude=*.md a /dest",
        &["a"],
    );
    only("COPY . .", &["."]);
    only("COPY \"a\" 'b' /dest", &["a", "b"]);
    only("COPY a /dest-$unknown", &["a"]);
}

#[test]
fn other_stages_and_images_need_nothing_here() {
    only("COPY --from=build /out /out", &[]);
    only("COPY --from=$unknown /out /out", &[]);
    only("COPY --chown=1 --from=0 /a /b /c\nCOPY d /d", &["d"]);
    only(
        "RUN --mount=type=bind,from=build,source=/x,target=/y true",
        &[],
    );
}

#[test]
fn lines_are_joined_as_the_service_joins_them() {
    only(
        "COPY a \\\n  b \\  \n# comment\n\n  # more\n /dest\nCOPY c /",
        &["a", "b", "c"],
    );
    only("COPY a\\\nb /dest", &["ab"]);
    only("\n\n# comment \\\nCOPY a /dest", &["a"]);
    everything("COPY a \\", "line 2: source or destination is missing");
}

#[test]
fn mounts_name_their_sources() {
    only("RUN --mount=type=bind,source=a/b,target=/x make", &["a/b"]);
    only(
        "RUN --network=none --mount=src=a,dst=/x --mount=type=bind,source=.,dst=/y make",
        &["a", "."],
    );
    only(
        "RUN --mount=type=secret,id=key --mount=type=cache,target=/c true",
        &[],
    );
    only(
        "RUN --mount=type=ssh --mount=type=tmpfs,target=/t true --mount=ignored",
        &[],
    );
    everything(
        "RUN --mount=type=bind,target=/x make",
        "line 2: bind mount without a source",
    );
    everything(
        "RUN --mount=target=/x make",
        "line 2: bind mount without a source",
    );
    everything(
        "RUN --mount=source=$x,target=/x make",
        "line 2: bind mount with a variable",
    );
    everything(
        "RUN --mount=type=new,target=/x make",
        "line 2: unknown type of mount",
    );
    everything(
        "RUN --mount=\"source=a\",target=/x make",
        "line 2: flag that is not understood",
    );
    everything("RUN --device=x make", "line 2: unknown flag");
}

#[test]
fn variables_are_resolved_if_they_are_certain() {
    only(
        "ARG d=src\nCOPY $d/x ${d}/y \"$d\"/z /dest",
        &["src/x", "src/y", "src/z"],
    );
    only(
        "ENV d=src e=$d\nENV f=$d-2\nCOPY $d $f /dest",
        &["src", "src-2"],
    );
    only("ENV d src dir\nCOPY [\"$d\", \"/dest\"]", &["src dir"]);
    only("ENV d=\"src dir\"\nCOPY $d /dest", &["src dir"]);
    only("COPY ${dir} /dest", &["from-base"]);
    only("ARG dir=mine\nCOPY $dir /dest", &["from-base"]);
    only("ARG d=\nCOPY ${d:-x} ${d:+y}z /dest", &["x", "z"]);
    only("ARG d=a\nCOPY ${d:-x} ${d:+y}z /dest", &["a", "yz"]);
    only("COPY 'a$b' /dest", &["a$b"]);
    only_with("ARG d=src\nCOPY $d /dest", &[("d", "given")], &["given"]);
    only_with("ARG d\nCOPY $d /dest", &[("d", "given")], &["given"]);
    only_with(
        "ENV d=src\nARG d\nCOPY $d /dest",
        &[("d", "given")],
        &["src"],
    );
}

#[test]
fn variables_that_are_not_certain_mean_everything() {
    const WHY: &str = "source with an unresolved variable, an escape or a quote";
    for text in [
        "COPY $unknown /dest",
        "ARG d\nCOPY $d /dest",
        "ARG TARGETARCH\nCOPY $TARGETARCH /dest",
        "ARG TARGETARCH=amd64\nCOPY $TARGETARCH /dest",
        "ENV d=$unknown\nCOPY $d /dest",
        "ARG d=a\\b\nCOPY $d /dest",
        "ENV a\\b=c d=e\nCOPY $d /dest",
        "ARG d=a\nCOPY ${d#a} /dest",
        "ARG d=a\nCOPY ${d:?x} /dest",
        "ARG d=a\nCOPY ${d:-$e} /dest",
        "ARG d=a\nCOPY ${d /dest",
        "COPY $ /dest",
        "COPY $1 /dest",
        "COPY a\\ b /dest",
        "COPY \"a b\" /dest",
        "COPY [\"a\\\\b\", \"/dest\"]",
    ] {
        let line = 2 + text.matches('\n').count();
        everything(text, &format!("line {line}: {WHY}"));
    }
    let text = "FROM base\nCOPY $d /dest";
    assert!(
        matches!(of(text, &[("d", "given")]), Needs::Everything { .. }),
        "not declared"
    );
}

#[test]
fn stages_have_variables_of_their_own() {
    let text = "ARG v=head\nFROM base AS One\nARG v\nENV e=one\nCOPY $v-1 /\n\
                FROM one\nARG v=own\nCOPY $v $e /\nFROM scratch\nENV e=three\nCOPY $e /\n";
    let sources = ["head-1", "own", "one", "three"].map(|source| Source::parse(source).unwrap());
    assert_eq!(of(text, &[]), Needs::Only(sources.to_vec()));
    let text = "FROM base AS one\nARG v=one\nFROM one\nCOPY $v /";
    assert!(matches!(of(text, &[]), Needs::Everything { .. }));
    let text = "ARG tag=1\nFROM base:$tag\nCOPY a /";
    assert!(matches!(of(text, &[]), Needs::Only(_)));
    let text = "FROM base:$tag\nCOPY a /";
    assert!(matches!(of(text, &[]), Needs::Everything { .. }));
}

#[test]
fn what_is_not_understood_means_everything() {
    everything("RUN <<EOF\nCOPY a /\nEOF", "line 2: here-document");
    everything("COPY <<x y /dest\nx\n", "line 2: here-document");
    everything("RUN cat \\\n  <<x", "line 2: here-document");
    everything("ONBUILD COPY . /app", "line 2: ONBUILD");
    everything("INCLUDE other", "line 2: unknown instruction");
    everything("COPY --new=x a /dest", "line 2: unknown flag");
    everything("ADD --from=x a /dest", "line 2: unknown flag");
    everything("COPY --from= a /dest", "line 2: unknown flag");
    everything(
        "COPY --chown=\"a b\" c /dest",
        "line 2: flag that is not understood",
    );
    everything("COPY a", "line 2: source or destination is missing");
    everything("COPY [\"a\" \"/dest\"]", "line 2: list that is no JSON");
    everything("COPY [ab] /dest", "line 2: list that is no JSON");
    everything("COPY a[ /dest", "line 2: `[` without `]`");
    everything(
        "COPY a/**/b /dest",
        "line 2: `**` is read differently by different releases",
    );
    everything(
        "RUN a \\\\\nCOPY x /",
        "line 2: line that ends in two escape characters",
    );
    let bytes = b"FROM base\nRUN caf\xe9\n".to_vec();
    let needs = needs(&Containerfile::from_bytes(bytes), &BTreeMap::new(), plain);
    assert!(matches!(needs, Needs::Everything { .. }));
    assert!(
        matches!(of("COPY a /", &[]), Needs::Everything { .. }),
        "no FROM"
    );
}

#[test]
fn the_escape_character_can_be_another() {
    let text = "# syntax=docker/dockerfile:1\n# escape=`\nFROM base\nCOPY a `\n b /dest\n";
    let sources = ["a", "b"].map(|source| Source::parse(source).unwrap());
    assert_eq!(of(text, &[]), Needs::Only(sources.to_vec()));
    // Only at the head.
    let text = "FROM base\n# escape=`\nCOPY a \\\n b /dest\n";
    assert_eq!(of(text, &[]), Needs::Only(sources.to_vec()));
    for text in ["#escape=x\nFROM base", "#escape=`\nFROM base\nCOPY a`b /"] {
        assert!(matches!(of(text, &[]), Needs::Everything { .. }), "{text}");
    }
}

#[test]
fn sources_are_named_even_if_everything_is_sent() {
    let Needs::Everything { sources, .. } = of("FROM base\nCOPY a /\nRUN <<EOF\nEOF\n", &[]) else {
        panic!("only a part");
    };
    assert_eq!(sources, [Source::parse("a").unwrap()]);
}

#[test]
fn base_images_decide_too() {
    let file = Containerfile::from_bytes(b"FROM base\nCOPY a /\n".to_vec());
    for (base, whole) in [
        (Base::Unknown, true),
        (Base::Triggers, true),
        (Base::Plain(vec![]), false),
    ] {
        let found = needs(&file, &BTreeMap::new(), |image| {
            assert_eq!(image, "base");
            base.clone()
        });
        assert_eq!(matches!(found, Needs::Everything { .. }), whole);
    }
    let file = Containerfile::from_bytes(b"FROM scratch AS a\nFROM a\nCOPY a /\n".to_vec());
    let found = needs(&file, &BTreeMap::new(), |image| panic!("asked for {image}"));
    assert!(matches!(found, Needs::Only(_)));
}

#[test]
fn a_preprocessed_file_is_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("Containerfile.in");
    std::fs::write(&path, "FROM base\n").unwrap();
    let directory = crate::context::Directory::open(dir.path()).unwrap();
    let file = directory.containerfile(&path).unwrap();
    assert!(matches!(
        needs(&file, &BTreeMap::new(), plain),
        Needs::Everything { .. }
    ));
    assert_eq!(images(&file, &BTreeMap::new()), None);
}

#[test]
fn images_are_what_the_build_reads() {
    let found = |text: &str| {
        images(&Containerfile::from_bytes(text.into()), &BTreeMap::new())
            .map(|images| images.join(" "))
    };
    let text = "ARG v=1\nFROM a:$v AS build\nFROM --platform=linux/arm64 b\nFROM build\n\
                COPY --from=build /x /\nCOPY --from=0 /x /\nCOPY --from=c:1 /x /\n\
                RUN --mount=from=d,target=/d true\nCOPY --from=b /x /\nFROM scratch\n";
    assert_eq!(found(text).as_deref(), Some("a:1 b c:1 d"));
    assert_eq!(found("FROM a\nCOPY $x /\n").as_deref(), Some("a"));
    assert_eq!(found("FROM a\nCOPY --from=$x /x /\n"), None);
    assert_eq!(found("FROM $x\n"), None);
    assert_eq!(found("FROM a\nRUN <<EOF\nEOF\n"), None);
    assert_eq!(found("FROM a\nNEW b\n"), None);
}

proptest::proptest! {
    #[test]
    fn never_panics(text in "(?s).{0,200}") {
        of(&text, &[]);
    }

    #[test]
    fn never_panics_on_what_looks_real(
        lines in proptest::collection::vec(
            r#"(FROM|ARG|ENV|COPY|ADD|RUN|# escape=)( (--(from|mount)=|[a$\{\}:"'\\`\[\],=*/ ]|x=y|as){0,6})?[\\`]?"#,
            0..8,
        ),
    ) {
        of(&lines.join("\n"), &[("a", "b")]);
    }
}

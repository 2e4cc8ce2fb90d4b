use std::fs;
use std::os::unix::fs::symlink;

use proptest::prelude::*;

use super::*;

fn parsed(text: &str) -> Parsed {
    parse(Path::new(".env.ralph"), text.as_bytes(), Trust::Persons).unwrap()
}

fn values(text: &str) -> Vec<(String, String)> {
    let values = parsed(text).0.into_iter().filter_map(|arg| match arg {
        EnvArg::Set(name, value) => Some((name.as_str().to_owned(), value.expose().to_owned())),
        _ => None,
    });
    values.collect()
}

fn kinds(text: &str) -> Vec<(usize, Suspicion)> {
    parsed(text)
        .1
        .into_iter()
        .map(|warning| (warning.line, warning.kind))
        .collect()
}

#[test]
fn the_guides_file() {
    let text = "# Anthropic API key (get from https://console.anthropic.com/)\n\
        ANTHROPIC_API_KEY=your-api-key-here\n\n\
        # Or use OpenAI instead\n# OPENAI_API_KEY=your-openai-key-here\n\
        PATCHPAL_MODEL=anthropic/claude-sonnet-4-5\nPATCHPAL_REQUIRE_PERMISSION=false\n";
    assert_eq!(values(text).len(), 3);
    assert_eq!(kinds(text), [(2, Suspicion::Placeholder)]);
}

#[test]
fn podmans_format() {
    let value = |text: &str| values(text).pop().unwrap().1;
    assert_eq!(value("A=\"b c\""), "\"b c\"");
    assert_eq!(value("A= b "), " b ");
    assert_eq!(value("A=b # no comment"), "b # no comment");
    assert_eq!(value("  A=b=c"), "b=c");
    assert_eq!(values("A =b"), [("A ".to_owned(), "b".to_owned())]);
    let (args, _) = parsed("A\nB*\n");
    assert!(matches!(
        args.as_slice(),
        [EnvArg::Import(_), EnvArg::ImportPrefix(_)]
    ));
}

#[test]
fn mistakes() {
    assert_eq!(kinds("A='b'"), [(1, Suspicion::Quotes)]);
    assert_eq!(
        kinds("\nA = b"),
        [
            (2, Suspicion::SpaceBeforeEquals),
            (2, Suspicion::SpaceAfterEquals)
        ]
    );
    assert_eq!(kinds("\u{feff}A=b"), [(1, Suspicion::ByteOrderMark)]);
    assert_eq!(values("\u{feff}A=b"), [("A".to_owned(), "b".to_owned())]);
    assert_eq!(kinds("A=b\r\nC=d\r\n"), [(1, Suspicion::CarriageReturn)]);
    assert_eq!(values("A=b\r\n"), [("A".to_owned(), "b".to_owned())]);
    for value in [
        "your-api-key-here",
        "your-openai-key-here",
        "changeme",
        "xxx",
        "XXXXXXXX",
        "sk-xxxxxxxx",
        "sk-...",
        "your_api_key",
        "<your key>",
    ] {
        assert_eq!(
            kinds(&format!("A={value}")),
            [(1, Suspicion::Placeholder)],
            "{value}"
        );
    }
    assert_eq!(
        kinds("A='changeme'"),
        [(1, Suspicion::Quotes), (1, Suspicion::Placeholder)]
    );
    for value in [
        "dummy-key",
        "x",
        "sk-ant-api03-abc",
        "it's",
        "false",
        "",
        ".",
    ] {
        assert_eq!(kinds(&format!("A={value}")), [], "{value}");
    }
}

#[test]
fn nothing_said_about_a_value_repeats_it() {
    for text in ["A = 'hunter2'", "=hunter2", "hunter2\0=x", "A=hunter2\0"] {
        match parse(Path::new("f"), text.as_bytes(), Trust::Persons) {
            Ok((args, warnings)) => {
                let said = warnings
                    .iter()
                    .map(|w| format!("{w} {w:?}"))
                    .collect::<String>();
                assert!(!format!("{said}{args:?}").contains("hunter2"), "{said}");
            }
            Err(error) => {
                let said = format!(
                    "{error} {error:?} {}",
                    std::error::Error::source(&error).unwrap()
                );
                assert!(!said.contains("hunter2"), "{said}");
            }
        }
    }
}

#[test]
fn bounds() {
    let long = format!("A={}", "b".repeat(MAX_LINE));
    assert!(matches!(
        parse(Path::new("f"), long.as_bytes(), Trust::Persons),
        Err(EnvFileError::Line { .. })
    ));
    assert!(parse(Path::new("f"), b"A=\xff", Trust::Persons).is_err());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("big");
    fs::write(&path, vec![b'#'; 1024 * 1024 + 1]).unwrap();
    let read = |path: &Path| read_env_file(path, Path::new("/"), []);
    assert!(matches!(read(&path), Err(EnvFileError::TooLarge { .. })));
    assert!(matches!(
        read(dir.path()),
        Err(EnvFileError::NotRegular { .. })
    ));
    assert!(matches!(
        read(&dir.path().join("none")),
        Err(EnvFileError::Path { .. })
    ));
}

#[test]
fn a_link_below_the_workspace_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let base = dir.path().canonicalize().unwrap();
    let ws = base.join("ws");
    fs::create_dir(&ws).unwrap();
    fs::write(base.join("passwords"), "A=b").unwrap();
    fs::write(ws.join(".env"), "A=b").unwrap();
    symlink("../passwords", ws.join("planted")).unwrap();
    symlink("ws/.env", base.join("mine")).unwrap();
    let read = |name: &str| read_env_file(Path::new(name), &base, [ws.as_path()]);
    assert!(matches!(read("ws/planted"), Err(EnvFileError::Path { .. })));
    let file = read("mine").unwrap();
    assert_eq!(file.path.unwrap().path(), ws.join(".env"));
}

#[test]
fn a_file_in_the_workspace_takes_nothing_of_the_callers() {
    let dir = tempfile::tempdir().unwrap();
    let base = dir.path().canonicalize().unwrap();
    let read = |text: &str, roots: &[&Path]| {
        fs::write(base.join(".env"), text).unwrap();
        read_env_file(&base.join(".env"), &base, roots.iter().copied())
    };
    assert!(read("A=1\n", &[&base]).is_ok());
    for text in ["AWS_KEY\n", "*\n", "AWS_*\n"] {
        assert_eq!(read(text, &[]).unwrap().args.len(), 1);
        let error = read(&format!("# a\n{text}"), &[&base]).unwrap_err();
        assert!(
            matches!(error, EnvFileError::UntrustedImport { line: 2, .. }),
            "{error}"
        );
        assert!(!error.to_string().contains("AWS"), "{error}");
    }
}

proptest! {
    #[test]
    fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(Path::new("f"), &bytes, Trust::Persons);
    }
}

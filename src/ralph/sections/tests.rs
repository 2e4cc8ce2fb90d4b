use std::path::Path;

use super::*;

fn mended(name: &str, base: Option<&str>, agents: &str) -> Mended {
    mend(
        Path::new("sub").join(name).as_path(),
        base.map(str::as_bytes),
        agents.as_bytes(),
    )
}

#[track_caller]
fn replaced(name: &str, base: Option<&str>, agents: &str) -> (String, Vec<&'static str>) {
    match mended(name, base, agents) {
        Mended::Replaced(bytes, keys) => (String::from_utf8(bytes).unwrap(), keys),
        other => panic!("{other:?}"),
    }
}

const PYPROJECT: &str =
    "[project]\nname = 'a'\ndependencies = []\n[tool.pytest.ini_options]\nminversion = '8'\n";

#[test]
fn what_does_not_steer_is_work() {
    let agents = PYPROJECT.replace("[]", "['new']");
    let same = mended("pyproject.toml", Some(PYPROJECT), &agents);
    assert_eq!(same, Mended::Same);
    let base = r#"{"name": "a", "scripts": {"test": "jest"}}"#;
    let agents = r#"{"scripts": {"test": "jest"}, "dependencies": {"b": "1"}}"#;
    assert_eq!(mended("package.json", Some(base), agents), Mended::Same);
    assert_eq!(
        mended("Cargo.toml", None, "[package]\nname = 'a'\n"),
        Mended::Same
    );
    assert_eq!(
        mended("setup.cfg", Some("[metadata]\nname = a\n"), ""),
        Mended::Same
    );
}

#[test]
fn what_steers_is_put_back_in_the_agents_file() {
    let agents =
        PYPROJECT.replace("[]", "['new']") + "addopts = '--collect-only'\n[tool.\"poe\"]\nx = 1\n";
    let (text, keys) = replaced("pyproject.toml", Some(PYPROJECT), &agents);
    assert_eq!(keys, ["tool.poe", "tool.pytest"]);
    assert!(
        text.contains("new") && text.contains("minversion"),
        "{text}"
    );
    assert!(!text.contains("addopts") && !text.contains("poe"), "{text}");
    // Removed, or something else in its place.
    for agents in ["[project]\nname = 'a'\n", "tool = 'none'\n"] {
        let (text, keys) = replaced("pyproject.toml", Some(PYPROJECT), agents);
        assert_eq!(keys, ["tool.pytest"]);
        assert!(text.contains("minversion"), "{text}");
    }
    let (text, keys) = replaced("pyproject.toml", None, PYPROJECT);
    assert_eq!(keys, ["tool.pytest"]);
    assert!(
        text.contains("project") && !text.contains("minversion"),
        "{text}"
    );
    let base = r#"{"scripts": {"test": "jest"}}"#;
    let agents = r#"{"scripts": {"test": "true"}, "jest": {}, "main": "x.js"}"#;
    let (text, keys) = replaced("package.json", Some(base), agents);
    assert_eq!(keys, ["jest", "scripts"]);
    let found: serde_json::Value = serde_json::from_str(&text).unwrap();
    let want = serde_json::json!({"scripts": {"test": "jest"}, "main": "x.js"});
    assert_eq!(found, want);
}

#[test]
fn parts_of_a_list_are_known_by_their_names() {
    let base = "[package]\nname = 'a'\n[[bin]]\nname = 'one'\ntest = true\n[[bin]]\nname = 'two'\n";
    let agents = "[package]\nname = 'a'\nautotests = false\n[[bin]]\nname = 'two'\ntest = false\n\
                  [[bin]]\nname = 'one'\ntest = true\n[[bin]]\nname = 'new'\n[lib]\ntest = false\n";
    let (text, keys) = replaced("Cargo.toml", Some(base), agents);
    assert_eq!(keys, ["bin.*.test", "lib.test", "package.autotests"]);
    assert!(!text.contains("false") && text.contains("new"), "{text}");
    assert!(text.contains("test = true"), "{text}");
}

#[test]
fn sections_of_lines_are_put_back() {
    let base =
        "[metadata]\nname = a\n[tool:pytest]\ntestpaths =\n  tests\n[coverage:run]\nbranch = 1\n";
    let agents = "[tool:pytest]\ntestpaths =\n  none\n[metadata]\nname = b\n  [coverage:x]\nz = 1\n[aliases]\ntest = x\n";
    let (text, keys) = replaced("setup.cfg", Some(base), agents);
    assert_eq!(keys, ["aliases", "coverage:*", "tool:pytest"]);
    assert_eq!(
        text,
        "[metadata]\nname = b\n[tool:pytest]\ntestpaths =\n  tests\n[coverage:run]\nbranch = 1\n"
    );
}

#[test]
fn what_cannot_be_read_is_not_mended() {
    for (name, base, agents) in [
        ("pyproject.toml", Some(PYPROJECT), "[tool"),
        ("pyproject.toml", Some("[tool"), PYPROJECT),
        ("package.json", None, "[]"),
        ("package.json", None, "{"),
        ("other.toml", None, ""),
    ] {
        assert_eq!(
            mended(name, base, agents),
            Mended::Unclear,
            "{name}: {agents}"
        );
    }
    let broken = mend(Path::new("setup.cfg"), None, b"\xff");
    assert_eq!(broken, Mended::Unclear);
    let deep = "[".repeat(100_000);
    assert_eq!(mended("package.json", None, &deep), Mended::Unclear);
    assert_eq!(
        mended("pyproject.toml", None, &format!("a = {deep}")),
        Mended::Unclear
    );
}

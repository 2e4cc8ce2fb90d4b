use super::*;

fn mended(name: &str, base: &str, agents: &str) -> Mended {
    let path = Path::new("sub").join(name);
    let base = (!base.is_empty()).then_some(base.as_bytes());
    mend(&path, base, agents.as_bytes())
}

/// What it is then, what was put back, and whether the agent may have decided something.
#[track_caller]
fn replaced(name: &str, base: &str, agents: &str) -> (String, Vec<&'static str>, bool) {
    let mended = mended(name, base, agents);
    let (bytes, back) = mended.content.expect("something is put back");
    (String::from_utf8(bytes).unwrap(), back, mended.decides)
}

const WORK: Mended = Mended {
    content: None,
    decides: false,
};

const PYPROJECT: &str =
    "[project]\nname = 'a'\ndependencies = []\n[tool.pytest.ini_options]\nminversion = '8'\n";
const CARGO: &str =
    "[package]\nname = 'a'\nversion = '1'\n[[test]]\nname = 't'\n[dependencies]\nb = '1'\n";
const NPM: &str = "{\"name\": \"a\", \"scripts\": {\"test\": \"jest\"}, \"exports\": {\"import\": \"./a\", \"default\": \"./b\"}}";

#[test]
fn what_does_not_steer_is_work() {
    let agents = PYPROJECT.replace("[]", "['new>=2; python_version < \"3.9\"']\nversion = '2'");
    assert_eq!(mended("pyproject.toml", PYPROJECT, &agents), WORK);
    let agents = CARGO.replace("b = '1'", "c = { version = '1', features = ['x'] }");
    assert_eq!(mended("Cargo.toml", CARGO, &agents), WORK);
    let agents = NPM.replace(
        "\"name\"",
        "\"devDependencies\": {\"b\": \"^1.0\"}, \"name\"",
    );
    assert_eq!(mended("package.json", NPM, &agents), WORK);
    let agents = "[metadata]\r\nname = a\r\n";
    assert_eq!(mended("setup.cfg", "", agents), WORK);
}

#[test]
fn what_steered_is_put_back() {
    let agents = PYPROJECT.replace("[]", "['new']") + "addopts = '--collect-only'\n";
    let (text, back, decides) = replaced("pyproject.toml", PYPROJECT, &agents);
    assert_eq!((back, decides), (vec!["tool.pytest"], false));
    assert!(
        text.contains("new") && text.contains("minversion"),
        "{text}"
    );
    assert!(!text.contains("addopts"), "{text}");
    // Removed, or something else in its place.
    for (agents, decided) in [
        ("[project]\nname = 'a'\ndependencies = []\n", false),
        ("tool = 'none'\n", true),
        (
            "project = { name = 'a', dependencies = [] }\ntool.pytest = 1\n",
            false,
        ),
    ] {
        let (text, back, decides) = replaced("pyproject.toml", PYPROJECT, agents);
        assert_eq!((back, decides), (vec!["tool.pytest"], decided), "{agents}");
        assert!(text.contains("minversion"), "{text}");
    }
    let agents = CARGO.replace("name = 't'", "name = 't'\nharness = false");
    let (text, back, decides) = replaced("Cargo.toml", CARGO, &agents);
    assert_eq!((back, decides), (vec!["test"], false));
    assert!(!text.contains("harness"), "{text}");
    let agents = NPM.replace("jest", "true");
    let (text, back, decides) = replaced("package.json", NPM, &agents);
    assert_eq!((back, decides), (vec!["scripts"], false));
    // The order is as it was: it counts in some of it.
    assert!(text.find("\"import\"") < text.find("\"default\""), "{text}");
    assert!(text.contains("\"jest\""), "{text}");
    let base = "[tool:pytest]\ntestpaths =\n  tests\n[coverage:run]\nbranch = 1\n";
    let agents = "[metadata]\nname = b\n[tool:pytest]\ntestpaths =\n  none\n[coverage:run]\nbranch = 1\n[coverage:x]\nz = 1\n";
    let (text, back, decides) = replaced("setup.cfg", base, agents);
    assert_eq!((back, decides), (vec!["coverage:*", "tool:*"], false));
    assert_eq!(text, format!("[metadata]\nname = b\n{base}"));
}

#[test]
fn what_is_new_and_steers_or_is_not_known_is_told() {
    for (name, base, agents) in [
        // From nothing on it is the agent's own.
        ("package.json", "", NPM),
        ("pyproject.toml", "", PYPROJECT),
        (
            "pyproject.toml",
            "[project]\nname = 'a'\n",
            "[project]\nname = 'a'\n[tool.pytest]\nx = 1\n",
        ),
        (
            "pyproject.toml",
            "",
            "[project.scripts]\npytest = 'evil:main'\n",
        ),
        (
            "pyproject.toml",
            "",
            "[project]\ndependencies = ['pytest @ file:///evil']\n",
        ),
        (
            "pyproject.toml",
            "",
            "[tool.poetry.dependencies]\npytest = { path = 'evil' }\n",
        ),
        ("pyproject.toml", "[a]\n[tool]\n", "[tool]\n"),
        (
            "Cargo.toml",
            CARGO,
            "[project]\nname = 'a'\nautotests = false\n[[test]]\nname = 't'\n",
        ),
        ("Cargo.toml", "", "[package]\nautotests = false\n"),
        ("Cargo.toml", "", "[lib]\npath = 'evil.rs'\n"),
        ("Cargo.toml", "", "[[bin]]\nname = 'a'\ntest = false\n"),
        ("Cargo.toml", "", "[workspace]\nmembers = []\n"),
        (
            "Cargo.toml",
            "",
            "[dependencies]\nassert = { package = 'evil', version = '1' }\n",
        ),
        ("package.json", "", "{\"imports\": {}}"),
        (
            "package.json",
            "",
            "{\"devDependencies\": {\"jest\": \"file:evil\"}}",
        ),
        (
            "package.json",
            "{\"devDependencies\": {}}",
            "{\"devDependencies\": []}",
        ),
        ("setup.cfg", "", "[DEFAULT]\nexclude_lines = .\n"),
        ("setup.cfg", "", "[mypy]\nignore_errors = 1\n"),
        ("setup.cfg", "", "x = 1\n"),
    ] {
        let found = mended(name, base, agents);
        assert_eq!(found, Mended::UNCLEAR, "{name}: {agents}");
    }
}

#[test]
fn what_cannot_be_read_or_is_read_otherwise_by_others_is_told() {
    let deep = "[".repeat(100_000);
    for (name, base, agents) in [
        ("pyproject.toml", PYPROJECT, "[tool"),
        ("pyproject.toml", "[tool", PYPROJECT),
        ("pyproject.toml", "", &format!("a = {deep}")),
        ("package.json", "", "[]"),
        ("package.json", "", "{"),
        (
            "package.json",
            "",
            "{\"version\": \"1\", \"version\": \"2\"}",
        ),
        ("package.json", "", &deep),
        (
            "setup.cfg",
            "",
            "[metadata]\nname = x\r[tool:pytest]\raddopts = -q\r",
        ),
        ("setup.cfg", "", "[metadata]\nname = x\u{c}[tool:pytest]\n"),
        ("setup.cfg", "", "[metadata]\nname = x\u{85}[tool:pytest]\n"),
        (
            "setup.cfg",
            "",
            "[metadata]\nname = x\u{2028}[tool:pytest]\n",
        ),
        ("setup.cfg", "", "[metadata]\nname = x\n [tool:pytest]\n"),
        ("setup.cfg", "", "[metadata] ]\n"),
        ("setup.cfg", "", "[metadata] # x\n"),
        ("other.toml", "", ""),
    ] {
        let found = mended(name, base, agents);
        assert_eq!(found, Mended::UNCLEAR, "{name}: {agents:.80}");
    }
    let broken = mend(Path::new("setup.cfg"), None, b"\xff");
    assert_eq!(broken, Mended::UNCLEAR);
}

//! Files of which a part steers a check and the rest is work: what was there of that part stays the person's. What is
//! neither known to steer nor known not to is told. Pure.

mod json;
mod lines;
mod tables;

use std::ffi::OsStr;
use std::path::Path;

/// What is longer stays as the agent left it, and is told, in bytes.
pub(super) const MAX: u64 = 1 << 20;

/// How such a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Toml,
    Json,
    /// Sections of lines.
    Ini,
}

/// What of a file is what, by keys with points between them. In sections of lines a key that ends in `*` stands for all that
/// begin so.
#[derive(Debug)]
struct Parts {
    name: &'static str,
    form: Form,
    /// It decides what a check does: what was there is put back.
    steers: &'static [&'static str],
    /// It decides nothing.
    tells: &'static [&'static str],
    /// What the work needs: it decides nothing, as long as it comes from nowhere else than others' does.
    needs: &'static [&'static str],
}

const FILES: &[Parts] = &[
    Parts {
        name: "pyproject.toml",
        form: Form::Toml,
        steers: &[
            "build-system",
            "project.entry-points",
            "tool.black",
            "tool.coverage",
            "tool.hatch",
            "tool.isort",
            "tool.mypy",
            "tool.nox",
            "tool.pdm.scripts",
            "tool.pixi",
            "tool.poe",
            "tool.poetry.plugins",
            "tool.pylint",
            "tool.pyright",
            "tool.pytest",
            "tool.ruff",
            "tool.taskipy",
            "tool.tox",
        ],
        tells: &[
            "project.authors",
            "project.classifiers",
            "project.description",
            "project.keywords",
            "project.license",
            "project.license-files",
            "project.maintainers",
            "project.readme",
            "project.urls",
            "project.version",
            "tool.poetry.authors",
            "tool.poetry.description",
            "tool.poetry.version",
        ],
        needs: &[
            "dependency-groups",
            "project.dependencies",
            "project.optional-dependencies",
            "tool.poetry.dependencies",
            "tool.poetry.group",
        ],
    },
    Parts {
        name: "Cargo.toml",
        form: Form::Toml,
        steers: &[
            "bench",
            "lib.doctest",
            "lib.harness",
            "lib.path",
            "lib.test",
            "lints",
            "package.autobenches",
            "package.autotests",
            "package.build",
            "patch",
            "profile",
            "test",
            "workspace.default-members",
            "workspace.exclude",
            "workspace.lints",
        ],
        tells: &[
            "package.authors",
            "package.categories",
            "package.description",
            "package.documentation",
            "package.homepage",
            "package.keywords",
            "package.license",
            "package.publish",
            "package.readme",
            "package.repository",
            "package.version",
        ],
        needs: &[
            "build-dependencies",
            "dependencies",
            "dev-dependencies",
            "workspace.dependencies",
        ],
    },
    Parts {
        name: "package.json",
        form: Form::Json,
        steers: &[
            "ava",
            "babel",
            "c8",
            "eslintConfig",
            "jest",
            "mocha",
            "nyc",
            "scripts",
            "tap",
            "vitest",
        ],
        tells: &[
            "author",
            "bugs",
            "contributors",
            "description",
            "funding",
            "homepage",
            "keywords",
            "license",
            "private",
            "repository",
            "version",
        ],
        needs: &[
            "dependencies",
            "devDependencies",
            "optionalDependencies",
            "peerDependencies",
        ],
    },
    Parts {
        name: "setup.cfg",
        form: Form::Ini,
        steers: &[
            "aliases",
            "coverage:*",
            "flake8",
            "isort",
            "mypy*",
            "nosetests",
            "options.entry_points",
            "pylint*",
            "pytest",
            "test",
            "tool:*",
            "tox:*",
        ],
        tells: &["metadata"],
        needs: &[],
    },
];

/// What becomes of such a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mended {
    /// What stands in its place, and which parts were put back in it; `None` where it is the agent's.
    pub(super) content: Option<(Vec<u8>, Vec<&'static str>)>,
    /// The agent may have decided something by what is left of its changes, or it cannot be told.
    pub(super) decides: bool,
}

impl Mended {
    /// It stays as it is, and is told.
    pub(super) const UNCLEAR: Self = Self {
        content: None,
        decides: true,
    };

    fn new(content: Option<String>, back: Vec<&'static str>, decides: bool) -> Self {
        match content {
            _ if back.is_empty() => Self {
                content: None,
                decides,
            },
            Some(text) => Self {
                content: Some((text.into_bytes(), back)),
                decides,
            },
            None => Self::UNCLEAR,
        }
    }
}

/// Whether a file is one of these.
pub(super) fn is_known(path: &Path) -> bool {
    of(path).is_some()
}

fn of(path: &Path) -> Option<&'static Parts> {
    let name = path.file_name();
    FILES
        .iter()
        .find(|parts| name == Some(OsStr::new(parts.name)))
}

/// The agent's file, with what steered as it was; `base` is the whole file as it was, if there was one.
pub(super) fn mend(path: &Path, base: Option<&[u8]>, agents: &[u8]) -> Mended {
    let read = || {
        let parts = of(path)?;
        let base = std::str::from_utf8(base.unwrap_or_default()).ok()?;
        let agents = std::str::from_utf8(agents).ok()?;
        match parts.form {
            Form::Toml => tables::mend(parts, base, agents),
            Form::Json => json::mend(parts, base, agents),
            Form::Ini => lines::mend(parts, base, agents),
        }
    };
    read().unwrap_or(Mended::UNCLEAR)
}

/// Whether what is needed is got from where everything is: by a name and a version, not from a place of the agent's.
fn is_plain(text: &str) -> bool {
    !text.contains(['/', ':', '@', '\\'])
}

#[cfg(test)]
mod tests;

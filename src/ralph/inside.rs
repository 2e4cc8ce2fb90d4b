//! Tests inside files of source, which no name tells: what of a file is the agent's is then the test, too.

use std::path::Path;

use super::weakened::{has, lines};

/// A file that is longer is not read, nor more than so much together, in bytes: such a one may hold tests.
pub(super) const MAX: u64 = 1 << 20;
pub(super) const TOGETHER: u64 = 32 << 20;

/// How files end that may hold some.
const SOURCES: &[&str] = &[
    "c", "cc", "clj", "cljc", "cljs", "cpp", "cs", "cts", "cxx", "d", "dart", "erl", "ex", "exs",
    "fs", "go", "groovy", "h", "hh", "hpp", "hs", "java", "jl", "js", "jsx", "kt", "kts", "lua",
    "m", "mjs", "ml", "mm", "mts", "nim", "php", "pl", "pm", "py", "rb", "rkt", "rs", "scala",
    "sh", "svelte", "swift", "ts", "tsx", "v", "vb", "vue", "zig",
];
/// What a line has that begins a test, or a part that holds them.
const TESTS: &[&str] = &[
    // Rust
    "#[test]",
    "#[cfg(test)]",
    "#[cfg(all(test",
    "::test]",
    "::test(",
    "#[test_case",
    "#[rstest",
    "proptest!",
    "quickcheck!",
    // Python
    "def test_",
    "unittest.TestCase",
    "(TestCase)",
    // Java and its like, Swift
    "@Test",
    "@ParameterizedTest",
    "@RepeatedTest",
    "extends TestCase",
    "XCTestCase",
    // .NET
    "[Fact",
    "[Theory",
    "[Test",
    "<Test",
    "<Fact",
    // JavaScript
    "import.meta.vitest",
    "node:test",
    "bun:test",
    "@jest/globals",
    "describe(",
    // C and C++
    "TEST(",
    "TEST_F(",
    "TEST_P(",
    "TEST_CASE(",
    "BOOST_AUTO_TEST_CASE",
    "START_TEST(",
    // Others
    "Minitest::Test",
    "Test::Unit",
    "Test::More",
    "RSpec.describe",
    "use ExUnit.Case",
    "PHPUnit",
    "let%test",
    "let%expect_test",
    "(deftest",
    "@testset",
    "unittest {",
    "hspec",
    "eunit.hrl",
    "module+ test",
    "test \"",
];

/// Whether its name is one of a file of source.
pub(super) fn is_source(path: &Path) -> bool {
    let end = path.extension().and_then(|end| end.to_str());
    end.is_some_and(|end| SOURCES.contains(&end))
}

/// Whether there are tests in it.
pub(super) fn holds(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    count(&text) > 0
}

/// Lines that begin a test.
pub(super) fn count(text: &str) -> usize {
    // Most files have none of these words anywhere, which is seen sooner.
    let words: Vec<_> = TESTS.iter().filter(|word| text.contains(**word)).collect();
    if words.is_empty() {
        return 0;
    }
    let begins = |line: &&str| words.iter().any(|word| has(line, word));
    lines(text).filter(begins).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_known_by_how_they_begin() {
        for text in [
            "fn a() {}\n#[cfg(test)]\nmod tests {}\n",
            "    #[tokio::test]\n    async fn a() {}\n",
            "class A:\n    def test_a(self): pass\n",
            "  @Test public void a() {}\n",
            "    [Fact]\n",
            "if (import.meta.vitest) {}\n",
            "TEST(A, b) {}\n",
            "test \"a\" {}\n",
        ] {
            assert!(holds(text.as_bytes()), "{text}");
        }
        for text in [
            "",
            "// #[test] is not here\nfn main() {}\n",
            "#[cfg(unix)]\nfn test() {}\n",
            "if (word.test(line)) latest(x)\n",
            "\u{0}\u{1}binary",
        ] {
            assert!(!holds(text.as_bytes()), "{text}");
        }
        assert!(is_source(Path::new("src/a.rs")) && !is_source(Path::new("README.md")));
    }
}

use std::path::Path;

use super::*;
use crate::ralph::Agent;

fn page(agent: &str) -> Page {
    Page::new(Look::Readable, &Agent::preset(agent).unwrap().message)
}

fn shown(agent: &str, output: &str) -> String {
    let mut page = page(agent);
    let shown = [page.feed(output.into()), page.finish()].concat();
    String::from_utf8(shown).unwrap()
}

#[test]
fn what_comes_out_of_json_is_harmless_as_well() {
    let text = r#"{"type":"text","part":{"text":"a\u001b]52;c;eA==\u0007b\u001b[31mred\u001b[0m\r\u009b2Jc\u202e"}}"#;
    assert_eq!(shown("opencode", text), "abred\\rc\\u{202e}\n");
    let tool = r#"{"type":"tool_use","part":{"tool":"ba\u001b[2Jsh\u0000","state":{"input":{"command":"a\nb"}}}}"#;
    assert_eq!(shown("opencode", tool), "· tool_use: bash a b\n");
    let line = "\u{1b}[31mred\u{1b}[0m\tno JSON\u{1b}]0;title\n";
    assert_eq!(shown("opencode", line), "red\\tno JSON\n");
}

#[test]
fn other_words_stand_on_lines_of_their_own() {
    let piece =
        |text| format!("{{\"type\":\"message\",\"role\":\"assistant\",\"content\":\"{text}\"}}\n");
    let mut page = page("gemini");
    let mut seen = page.feed(piece("one, ").into()).to_vec();
    seen.extend(page.feed(piece("two").into()));
    seen.extend(page.pause());
    seen.extend(page.pause());
    seen.extend(page.feed(piece(", three").into()));
    seen.extend(page.finish());
    seen.extend(page.finish());
    assert_eq!(String::from_utf8(seen).unwrap(), "one, two\n, three\n");
}

#[test]
fn what_is_to_be_seen_as_it_is_is_left_alone() {
    let bytes = b"{\"type\":\"text\"}\n\x1b[31m\xff".to_vec();
    let opencode = Agent::preset("opencode").unwrap();
    // Who writes no JSON is readable.
    for mut page in [page("aider"), Page::new(Look::AsItIs, &opencode.message)] {
        assert_eq!(page.feed(bytes.clone()), bytes);
        assert!(page.finish().is_empty());
    }
}

/// What a person sees of what the real programs have printed; `STOCKADE_UPDATE` writes it anew.
#[test]
fn what_agents_have_printed_is_readable() {
    let agents = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ralph/agents");
    for agent in ["claude", "codex", "gemini", "opencode", "goose"] {
        let file = format!("{agent}.txt");
        let recorded = std::fs::read_to_string(agents.join("recorded").join(&file)).unwrap();
        let mut seen = String::new();
        for iteration in recorded.split("\n== ").skip(1) {
            let (what, printed) = iteration.split_once('\n').unwrap();
            let written: String = printed
                .lines()
                .filter_map(|line| line.get(5..))
                .map(|line| format!("{line}\n"))
                .collect();
            seen += &format!("== {what}\n{}", shown(agent, &written));
        }
        let path = agents.join("seen").join(&file);
        if std::env::var_os("STOCKADE_UPDATE").is_some() {
            std::fs::write(&path, &seen).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(kept, seen, "{agent}");
    }
}

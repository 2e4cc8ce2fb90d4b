use super::*;

const RULE: &str =
    "================================================================================";

fn section() -> Message {
    Message::Section {
        begin: vec![RULE.into(), "📝 Agent Response:".into(), RULE.into()],
        end: vec![RULE.into(), "💰 Cumulative Cost".into()],
        or: Vec::new(),
    }
}

/// What is heard, whatever the pieces that it comes in.
#[track_caller]
fn heard(how: &Message, output: &[u8]) -> (String, String) {
    let mut all = Vec::new();
    for size in [1, 7, 80, usize::MAX] {
        let mut listener = Listener::new(how.clone());
        for piece in output.chunks(size) {
            listener.hear(piece);
        }
        listener.finish();
        all.push((listener.message(), listener.failure()));
    }
    all.dedup();
    assert_eq!(all.len(), 1, "it depends on the pieces: {all:?}");
    all.remove(0)
}

fn said(how: &Message, output: &str) -> String {
    heard(how, output.as_bytes()).0
}

fn response(text: &str) -> String {
    format!(
        "\n{RULE}\n📝 Agent Response:\n{RULE}\n{text}\n{RULE}\n\n💰 Cumulative Cost (after iteration 1):\n   Total LLM calls: 3\n"
    )
}

#[test]
fn a_section_is_found_among_everything_else() {
    let start = format!("{RULE}\n🔄 Autopilot Iteration 1/1\n{RULE}\n\nI write it.\n");
    let end = format!("\n{RULE}\n⚠️  MAX ITERATIONS REACHED (1)\n{RULE}\n");
    let output = format!("{start}{}{end}", response("It works.\n\nDONE"));
    assert_eq!(said(&section(), &output), "It works.\n\nDONE\n");
    let two = format!("{}{}", response("first"), response("second"));
    assert_eq!(said(&section(), &two), "second\n");
}

#[test]
fn a_section_may_end_in_several_ways() {
    let mut how = section();
    if let Message::Section { or, .. } = &mut how {
        *or = vec![
            vec![RULE.into(), RULE.into()],
            vec![RULE.into(), "⚠️".into()],
        ];
    }
    let begin = format!("\n{RULE}\n📝 Agent Response:\n{RULE}\nIt works.\n\nDONE\n{RULE}\n\n");
    for end in [
        "💰 Cumulative Cost\n",
        "⚠️  No promise\n",
        &format!("\n{RULE}\n✅ DETECTED\n{RULE}\n\nfound\n"),
    ] {
        let output = format!("{begin}{end}");
        assert_eq!(said(&how, &output), "It works.\n\nDONE\n", "{end}");
    }
    assert_eq!(said(&how, &format!("{begin}more\n")), "");
}

#[test]
fn a_rule_in_a_response_does_not_end_it() {
    let text = format!("A table:\n{RULE}\n a | b\n{RULE}\nDONE");
    assert_eq!(said(&section(), &response(&text)), format!("{text}\n"));
}

#[test]
fn a_section_that_is_not_closed_counts_for_nothing() {
    let open = format!("\n{RULE}\n📝 Agent Response:\n{RULE}\nDONE\n");
    assert_eq!(said(&section(), &open), "");
    assert_eq!(said(&section(), &format!("{open}{RULE}\n")), "");
    // Nor does one before it: what is meant to be last is not known.
    let before = format!("{}{open}", response("DONE"));
    assert_eq!(said(&section(), &before), "");
    // A marker alone is none.
    assert_eq!(said(&section(), "📝 Agent Response:\nDONE\n"), "");
    assert_eq!(
        said(&section(), &format!("{open}{}", response("other"))),
        "other\n"
    );
}

#[test]
fn output_without_an_end_is_bounded() {
    let flood = vec![b'x'; 3 * LINE];
    let mut output = format!("\n{RULE}\n📝 Agent Response:\n{RULE}\n").into_bytes();
    output.extend(&flood);
    output.extend(format!("\nDONE\n{RULE}\n💰 Cumulative Cost\n").as_bytes());
    let mut listener = Listener::new(section());
    for piece in output.chunks(10_000) {
        listener.hear(piece);
        assert!(listener.line.len() <= LINE && listener.section.body.bytes.len() <= MAX);
    }
    assert_eq!(listener.message().trim(), "DONE");
    let lines = "y\n".repeat(MAX);
    assert!(said(&section(), &response(&lines)).len() <= MAX);
    let mut listener = Listener::new(claude());
    listener.hear(&flood);
    listener.hear(b"\n{\"type\":\"result\",\"is_error\":false,\"result\":\"DONE\"}\n");
    assert_eq!(listener.message(), "DONE");
}

fn field(when: &[(&str, &str)], field: &str) -> Field {
    let when = when.iter().map(|(path, is)| ((*path).into(), (*is).into()));
    Field {
        when: when.collect(),
        field: field.into(),
    }
}

fn claude() -> Message {
    Message::Json {
        text: vec![field(
            &[("type", "result"), ("is_error", "false")],
            "result",
        )],
        show: Vec::new(),
        comes: Comes::Whole,
        failure: vec![field(&[("type", "result"), ("is_error", "true")], "result")],
    }
}

#[test]
fn a_field_of_the_last_line_that_fits() {
    let output = r#"{"type":"system","subtype":"init"}
not json {"type":"result","is_error":false,"result":"no"}
["type"]
{"type":"assistant","result":"no"}
{"type":"result","is_error":false,"result":"first"}
{"type":"result","is_error":false,"result":"It \"works\".\nDONE"}
{"type":"result","is_error":false,"result":["no"]}
{"type":"result","is_error":false"#;
    let (message, failure) = heard(&claude(), output.as_bytes());
    assert_eq!(message, "It \"works\".\nDONE");
    assert_eq!(failure, "");
}

#[test]
fn a_failure_that_it_went_on_after_is_none() {
    let codex = Message::Json {
        text: vec![field(
            &[("type", "item.completed"), ("item.type", "agent_message")],
            "item.text",
        )],
        show: Vec::new(),
        comes: Comes::Whole,
        failure: vec![
            field(&[("type", "turn.failed")], "error.message"),
            field(&[("type", "error")], "message"),
        ],
    };
    let again = r#"{"type":"error","message":"Reconnecting... 1/5"}"#;
    let text = r#"{"type":"item.completed","item":{"type":"agent_message","text":"DONE"}}"#;
    let failed = r#"{"type":"turn.failed","error":{"message":"unexpected status 401"}}"#;
    let both = |output: String| heard(&codex, output.as_bytes());
    let pair = |message: &str, failure: &str| (message.to_owned(), failure.to_owned());
    assert_eq!(both(format!("{again}\n{text}\n")), pair("DONE", ""));
    assert_eq!(
        both(format!("{again}\n{failed}\n")),
        pair("", "unexpected status 401")
    );
    assert_eq!(
        both(format!("{text}\n{failed}")),
        pair("DONE", "unexpected status 401")
    );
}

#[test]
fn lines_of_the_program_are_left_out() {
    let aider = Message::Without {
        lines: vec!["Tokens: ".into(), "Applied edit to ".into()],
    };
    let output = "It works.\nDONE\nTokens: 2.4k sent, 300 received.\nApplied edit to hello.py\n";
    assert_eq!(said(&aider, output), "It works.\nDONE\n");
}

#[test]
fn all_of_it_may_be_the_message() {
    assert_eq!(said(&Message::default(), "one\ntwo"), "one\ntwo");
    let tag = "DONE";
    let output = format!("not {tag}{}", "\n".repeat(MAX - tag.len()));
    assert_eq!(said(&Message::default(), &output).trim(), "");
}

#[test]
fn pieces_belong_together_while_nothing_comes_between() {
    let goose = Message::Json {
        text: vec![
            field(
                &[("role", "assistant"), ("content.0.type", "text")],
                "content.0.text",
            ),
            field(
                &[("role", "assistant"), ("content.1.type", "text")],
                "content.1.text",
            ),
        ],
        show: Vec::new(),
        comes: Comes::InPieces,
        failure: vec![
            field(&[("content.0.type", "error")], "content.0.kind"),
            field(&[("content.0.type", "error")], "content.0.message"),
        ],
    };
    let piece = |text: &str| {
        format!(
            "{{\"role\":\"assistant\",\"content\":[{{\"type\":\"text\",\"text\":\"{text}\"}}]}}\n"
        )
    };
    let tool = "{\"role\":\"user\",\"content\":[{\"type\":\"toolResponse\",\"text\":\"DONE\"}]}\n";
    let thought = "{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\"},{\"type\":\"text\",\"text\":\"DONE\"}]}\n";
    let error = "{\"role\":\"assistant\",\"content\":[{\"type\":\"error\",\"kind\":\"authentication\",\"message\":\"401\"}]}\n";
    let both = |parts: &[&str]| heard(&goose, parts.concat().as_bytes());
    let pair = |message: &str, failure: &str| (message.to_owned(), failure.to_owned());
    let (first, second) = (piece("DO"), piece("NE"));
    assert_eq!(both(&[&first, &second]), pair("DONE", ""));
    assert_eq!(both(&[&first, tool, &second]), pair("NE", ""));
    assert_eq!(both(&[&first, "\n", &second]), pair("NE", ""));
    assert_eq!(both(&[&first, tool]), pair("DO", ""));
    assert_eq!(both(&[&first, tool, thought]), pair("DONE", ""));
    assert_eq!(both(&[&first, error]), pair("DO", "authentication\n401"));
    let endless = piece("x").repeat(MAX + 1);
    assert!(said(&goose, &endless).len() <= MAX);
}

#[test]
fn what_comes_after_the_last_line_of_the_program_is_no_message() {
    let aider = Message::Before {
        lines: vec!["Tokens: ".into()],
    };
    let end = "Tokens: 2.4k sent, 300 received.\n";
    assert_eq!(
        said(
            &aider,
            &format!("It works.\nDONE\n{end}\nhello.py\nApplied edit to hello.py\n")
        ),
        "It works.\nDONE\n"
    );
    assert_eq!(
        said(&aider, &format!("first\n{end}second\n{end}")),
        "second\n"
    );
    assert_eq!(said(&aider, "DONE\n"), "");
    assert_eq!(said(&aider, &format!("DONE\n{end}other\n{end}")), "other\n");
}

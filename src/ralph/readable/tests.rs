use super::*;
use crate::ralph::Agent;

fn json(rules: &str) -> Readable {
    let text = format!(
        "about = 'x'\ncommand = ['x']\n[message]\nkind = 'json'\ntext = [{{ when = {{ type = 'says' }}, field = 'text' }}]\n{rules}"
    );
    Readable::of(&Agent::parse(&text).unwrap().message).unwrap()
}

fn line(text: &str) -> Seen {
    Seen::Line(text.to_owned())
}

fn text(text: &str) -> Seen {
    Seen::Text(text.to_owned())
}

#[test]
fn without_rules_the_message_is_shown_and_the_rest_is_cut() {
    let mut readable = json("failure = [{ when = { type = 'fails' }, field = 'why' }]");
    let output = "no JSON\n{\"type\":\"says\",\"text\":\"one\\ntwo\\n\"}\n{\"type\":\"fails\",\"why\":\"so\"}\n{\"type\":\"odd\"}\n12\n\n{\"torn";
    assert_eq!(
        readable.feed(output.as_bytes()),
        [
            line("no JSON"),
            text("one\ntwo\n"),
            line("· so"),
            line("· {\"type\":\"odd\"}"),
            line("12"),
            line("")
        ]
    );
    assert_eq!(readable.finish(), [line("{\"torn")]);
    assert_eq!(readable.finish(), []);
}

#[test]
fn however_it_is_cut_it_reads_the_same() {
    let output = "{\"type\":\"says\",\"text\":\"ä\"}\r\nplain é\n{\"type\":\"x\",\"é\":1}";
    let whole = |size: usize| {
        let mut readable = json("");
        let mut seen: Vec<Seen> = output
            .as_bytes()
            .chunks(size)
            .flat_map(|chunk| readable.feed(chunk))
            .collect();
        seen.extend(readable.finish());
        seen
    };
    let expected = [
        text("ä\n"),
        line("plain é"),
        line("· {\"type\":\"x\",\"é\":1}"),
    ];
    for size in [1, 2, 3, 7, 1000] {
        assert_eq!(whole(size), expected, "{size}");
    }
}

#[test]
fn pieces_go_on_until_something_else_comes() {
    let mut readable = json("comes = 'in-pieces'");
    let says = |text: &str| format!("{{\"type\":\"says\",\"text\":\"{text}\"}}\n");
    let output = [
        &says("a "),
        &says(""),
        &says("\\n\\n"),
        &says("b"),
        "x\n",
        &says("c"),
    ]
    .concat();
    let more = |text: &str| Seen::More(text.to_owned());
    assert_eq!(
        readable.feed(output.as_bytes()),
        [
            text("a "),
            more(""),
            more("\n\n"),
            more("b"),
            line("x"),
            text("c")
        ]
    );
    // An iteration has ended: the next one says something new.
    assert_eq!(readable.finish(), []);
    assert_eq!(readable.feed(says("d").as_bytes()), [text("d")]);
}

#[test]
fn each_part_is_shown_and_none_is_long() {
    let rules = "show = [\n\
        { when = { 'in.*.type' = 'say' }, as = 'text', fields = ['in.*.text'] },\n\
        { when = { 'in.*.type' = 'do' }, fields = ['in.*.type', 'in.*.what', 'in.*.none', 'type'] },\n\
        { fields = ['type'] },\n]";
    let mut readable = json(rules);
    let long = "w ".repeat(300);
    let output = format!(
        r#"{{"type":"t","in":[{{"type":"say","text":"hi"}},{{"type":"do","what":{{"b":["x  y",2],"a":null,"type":"z"}}}},{{"type":"odd"}},{{"type":"do","what":"{long}"}}]}}"#
    );
    let seen = readable.feed(format!("{output}\n").as_bytes());
    let shortened = format!("· do: {}…", "w ".repeat(49) + "w");
    let shortened = shortened + " t";
    assert_eq!(
        seen,
        [text("hi\n"), line("· do: x y 2 t"), line(&shortened)]
    );
    let only = format!(r#"{{"type":"{long}"}}"#);
    let seen = readable.feed(format!("{only}\n").as_bytes());
    assert_eq!(seen, [line(&format!("· {}…", "w ".repeat(78) + "w"))]);
    let many = format!(r#"{{"type":"t","in":[{}0]}}"#, "0,".repeat(99));
    assert_eq!(
        readable.feed(format!("{many}\n").as_bytes()),
        [line("· t"), line("· … and 36 more")]
    );
}

#[test]
fn a_line_without_an_end_takes_no_memory() {
    let mut readable = json("");
    let chunk = vec![b'x'; 64 << 10];
    for _ in 0..(LINE >> 16) * 3 {
        assert_eq!(readable.feed(&chunk), []);
        assert!(readable.line.capacity() <= 2 * LINE);
    }
    assert!(readable.line.capacity() <= 2 * BEGINNING);
    let expected = format!("{}…", "x".repeat(SHORT - 1));
    assert_eq!(readable.finish(), [line(&expected)]);
    // What stands at its end is not read as a line.
    let _ = readable.feed(&vec![b' '; LINE + 1]);
    let seen = readable.feed(b"{\"type\":\"says\",\"text\":\"x\"}\nnext\n");
    assert_eq!(seen, [line("…"), line("next")]);
}

#[test]
fn what_is_hostile_is_no_more_than_a_line() {
    let mut readable = json("show = [{ fields = ['a', 'b.*.c.*'] }]");
    for hostile in [
        "[".repeat(100_000),
        format!("{{\"a\":{}", "{\"a\":".repeat(100_000)),
        format!("{{\"a\":[{}0]}}", "0,".repeat(100_000)),
        format!("{{\"a\":\"{}\"}}", "é".repeat(100_000)),
        format!("{{\"b\":[{}0]}}", "[],".repeat(100_000)),
    ] {
        let seen = readable.feed(format!("{hostile}\n").as_bytes());
        assert!(!seen.is_empty());
        for one in seen {
            let Seen::Line(line) = one else {
                panic!("{one:?}")
            };
            assert!(line.chars().count() <= SHORT, "{line}");
        }
    }
}

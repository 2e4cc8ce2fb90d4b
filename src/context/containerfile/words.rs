//! Words: splitting at white space, flags, quotes and variables.

/// `None` where something is not understood.
pub(super) type Known<T> = Option<T>;

/// The flags at the start (`--name` or `--name=value`, the dashes removed), and what follows them.
pub(super) fn flags(rest: &str, escape: char) -> Known<(Vec<(&str, &str)>, &str)> {
    let mut flags = Vec::new();
    let mut rest = rest.trim_start();
    while let Some(flag) = rest.strip_prefix("--") {
        let (flag, after) = flag.split_once(char::is_whitespace).unwrap_or((flag, ""));
        if flag.is_empty() || flag.contains(['"', '\'', '\\', escape]) {
            return None;
        }
        flags.push(flag.split_once('=').unwrap_or((flag, "")));
        rest = after.trim_start();
    }
    Some((flags, rest))
}

/// The arguments of `COPY` and `ADD`: a JSON list, or words between white space. Quotes do not hold
/// words together here.
pub(super) fn list(rest: &str) -> Known<Vec<String>> {
    if rest.starts_with('[') {
        return serde_json::from_str(rest).ok();
    }
    Some(
        rest.split([' ', '\t', '\x0b', '\x0c', '\r'])
            .filter(|w| !w.is_empty())
            .map(String::from)
            .collect(),
    )
}

/// The words of `ARG` and `ENV`, with their quotes, which do hold words together.
pub(super) fn quoted(rest: &str, escape: char) -> Known<Vec<&str>> {
    let mut words = Vec::new();
    let mut start = None;
    let mut quote = None;
    for (at, unit) in rest.char_indices() {
        if unit == escape || unit == '\\' {
            return None;
        }
        match quote {
            Some(open) if open == unit => quote = None,
            Some(_) => {}
            None if unit.is_whitespace() => {
                words.extend(start.take().and_then(|from| rest.get(from..at)));
                continue;
            }
            None if unit == '"' || unit == '\'' => quote = Some(unit),
            None => {}
        }
        start.get_or_insert(at);
    }
    words.extend(start.and_then(|from| rest.get(from..)));
    quote.is_none().then_some(words)
}

/// A word with its quotes removed and its variables replaced.
pub(super) fn expand(word: &str, value: &dyn Fn(&str) -> Known<String>) -> Known<String> {
    let mut out = String::new();
    let mut rest = word;
    let mut quoted = false;
    while let Some(unit) = rest.chars().next() {
        rest = rest.get(unit.len_utf8()..)?;
        match unit {
            '\\' => return None,
            '"' => quoted = !quoted,
            '\'' if !quoted => {
                let (text, after) = rest.split_once('\'')?;
                out.push_str(text);
                rest = after;
            }
            '$' => {
                let (text, after) = variable(rest, value)?;
                out.push_str(&text);
                rest = after;
            }
            _ => out.push(unit),
        }
    }
    (!quoted).then_some(out)
}

/// What stands after a `$`: `name`, `{name}`, `{name:-word}` or `{name:+word}`.
fn variable<'a>(rest: &'a str, value: &dyn Fn(&str) -> Known<String>) -> Known<(String, &'a str)> {
    let Some(braced) = rest.strip_prefix('{') else {
        let (name, after) = name(rest)?;
        return Some((value(name)?, after));
    };
    let (name, after) = name(braced)?;
    if let Some(after) = after.strip_prefix('}') {
        return Some((value(name)?, after));
    }
    let (word, after) = after.split_once('}')?;
    if word.contains(['$', '{', '"', '\'', '\\']) {
        return None;
    }
    let value = value(name)?;
    let text = match (word.strip_prefix(":-"), word.strip_prefix(":+")) {
        (Some(default), _) if value.is_empty() => default.to_owned(),
        (Some(_), _) => value,
        (_, Some(instead)) if !value.is_empty() => instead.to_owned(),
        (_, Some(_)) => value,
        _ => return None,
    };
    Some((text, after))
}

fn name(rest: &str) -> Known<(&str, &str)> {
    let end = rest.find(|unit: char| !unit.is_ascii_alphanumeric() && unit != '_');
    let (name, after) = rest.split_at(end.unwrap_or(rest.len()));
    // `$1` and the like are special.
    let named = name.starts_with(|unit: char| !unit.is_ascii_digit());
    named.then_some((name, after))
}

//! Sections of lines, as `setup.cfg` has them.

use super::{Mended, Parts};

/// Sections with their heads, what is before the first one without a name; `None` where not all who read it agree on them.
fn sections(text: &str) -> Option<Vec<(&str, String)>> {
    // Some take these for the end of a line.
    let odd =
        |c: char| c.is_control() && !matches!(c, '\n' | '\t') || "\u{2028}\u{2029}".contains(c);
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut all = vec![("", String::new())];
    for line in text.split_inclusive('\n') {
        let plain = line.trim_end_matches('\n');
        let plain = plain.strip_suffix('\r').unwrap_or(plain);
        if plain.contains(odd) {
            return None;
        }
        if plain.trim_start().starts_with('[') {
            let name = plain.strip_prefix('[')?.trim_end().strip_suffix(']')?;
            if name.contains(['[', ']']) || name.trim() != name {
                return None;
            }
            all.push((name, String::new()));
        }
        if let Some((_, lines)) = all.last_mut() {
            lines.push_str(plain);
            lines.push('\n');
        }
    }
    Some(all)
}

fn fits(key: &str, name: &str) -> bool {
    match key.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == key,
    }
}

pub(super) fn mend(parts: &Parts, base: &str, agents: &str) -> Option<Mended> {
    let (base, agents) = (sections(base)?, sections(agents)?);
    let of = |all: &[(&str, String)], key: &str| -> String {
        let those = all.iter().filter(|(name, _)| fits(key, name));
        those.map(|(_, lines)| lines.as_str()).collect()
    };
    let steers = parts.steers.iter().copied();
    let back = steers.filter(|key| {
        let was = of(&base, key);
        !was.is_empty() && was != of(&agents, key)
    });
    let back: Vec<_> = back.collect();
    let is_back = |name: &str| back.iter().any(|key| fits(key, name));
    let names = base.iter().chain(&agents).map(|(name, _)| *name);
    let mut left = names.filter(|name| !is_back(name) && !parts.tells.contains(name));
    // Of a name that is there twice, too.
    let text = |all: &[(&str, String)], name: &str| -> String {
        let those = all.iter().filter(|(found, _)| *found == name);
        those.map(|(_, lines)| lines.as_str()).collect()
    };
    let decides = left.any(|name| text(&base, name).trim() != text(&agents, name).trim());
    let kept = agents.iter().filter(|(name, _)| !is_back(name));
    let put = base.iter().filter(|(name, _)| is_back(name));
    let whole = kept.chain(put).map(|(_, lines)| lines.as_str()).collect();
    Some(Mended::new(Some(whole), back, decides))
}

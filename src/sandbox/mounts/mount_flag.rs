//! `--mount type=bind|volume|tmpfs,…`, with podman's keys and their other names.

use super::super::Invalid;
use super::super::name::{GuestPath, check_name};
use super::options::{MountOptions, OptionsOf};
use super::volume::{Mount, MountSource};

/// Reads a comma-separated list of keys. A field that contains a comma stands in double quotes.
///
/// # Errors
/// If the type is missing or another (`image`, `devpts`, …), a key is unknown, or a value will not
/// do. `volume-opt` is refused: by it a volume could be any host directory.
pub fn parse_mount(text: &str) -> Result<Mount, Invalid> {
    let invalid = |why: String| Invalid::new("mount", text, why);
    let fields = fields(text).ok_or_else(|| invalid("a quote is not closed".to_owned()))?;
    let (mut kind, mut source, mut target) = (None, None, None);
    let mut options: Vec<String> = Vec::new();
    for field in &fields {
        let (key, value) = match field.split_once('=') {
            Some((key, value)) => (key, Some(value)),
            None => (field.as_str(), None),
        };
        let needed = || {
            value
                .filter(|value| !value.is_empty())
                .ok_or_else(|| invalid(format!("{key:?} needs a value")))
        };
        let truth = || match value {
            None | Some("true" | "1") => Ok(true),
            Some("false" | "0") => Ok(false),
            Some(_) => Err(invalid(format!("{key:?} is neither true nor false"))),
        };
        let once = |slot: &mut Option<String>| match slot.replace(needed()?.to_owned()) {
            None => Ok(()),
            Some(_) => Err(invalid(format!("{key:?} is given twice"))),
        };
        match key {
            "type" => once(&mut kind)?,
            "source" | "src" => once(&mut source)?,
            "target" | "dst" | "destination" => once(&mut target)?,
            "ro" | "readonly" => options.push(if truth()? { "ro" } else { "rw" }.to_owned()),
            "rw" => options.push(if truth()? { "rw" } else { "ro" }.to_owned()),
            "U" | "chown" if truth()? => options.push("U".to_owned()),
            "U" | "chown" => {}
            "bind-nonrecursive" => {
                options.push(if truth()? { "bind" } else { "rbind" }.to_owned());
            }
            "bind-propagation" => options.push(needed()?.to_owned()),
            "relabel" => options.push(match needed()? {
                "shared" => "z".to_owned(),
                "private" => "Z".to_owned(),
                _ => {
                    return Err(invalid(
                        "\"relabel\" is neither shared nor private".to_owned(),
                    ));
                }
            }),
            "tmpfs-size" => options.push(format!("size={}", needed()?)),
            "tmpfs-mode" => options.push(format!("mode={}", needed()?)),
            // Ignored by podman too.
            "consistency" => {}
            "z" | "Z" | "exec" | "noexec" | "suid" | "nosuid" | "dev" | "nodev" | "tmpcopyup"
            | "notmpcopyup"
                if value.is_none() =>
            {
                options.push(key.to_owned());
            }
            _ => return Err(invalid(format!("key {key:?} is not known"))),
        }
    }
    let target = target.ok_or_else(|| invalid("it has no target".to_owned()))?;
    let target = GuestPath::parse(&target)?;
    let (source, of) = match (kind.as_deref(), source) {
        (Some("bind"), Some(path)) => (MountSource::Host(path.into()), OptionsOf::Host),
        (Some("bind"), None) => return Err(invalid("it has no source".to_owned())),
        (Some("volume"), None) => (MountSource::Anonymous, OptionsOf::Host),
        (Some("volume"), Some(name)) => {
            check_name("volume name", &name)?;
            (MountSource::Volume(name), OptionsOf::Host)
        }
        (Some("tmpfs"), None) => (MountSource::Tmpfs, OptionsOf::Tmpfs),
        (Some("tmpfs"), Some(_)) => return Err(invalid("a tmpfs has no source".to_owned())),
        (Some(other), _) => return Err(invalid(format!("type {other:?} is not supported"))),
        (None, _) => return Err(invalid("it has no type".to_owned())),
    };
    let words = options.iter().map(String::as_str);
    let options = MountOptions::parse("mount", text, of, words)?;
    Ok(Mount {
        source,
        target,
        options,
    })
}

/// One line of comma-separated values (RFC 4180). `None` if a quote is not closed.
fn fields(text: &str) -> Option<Vec<String>> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let field = fields.last_mut()?;
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' if quoted => quoted = false,
            '"' if field.is_empty() => quoted = true,
            ',' if !quoted => fields.push(String::new()),
            c => field.push(c),
        }
    }
    (!quoted).then_some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(text: &str, source: &MountSource, target: &str, options: &[&str]) {
        let mount = parse_mount(text).unwrap();
        assert_eq!(&mount.source, source, "{text}");
        assert_eq!(mount.target.as_str(), target, "{text}");
        assert_eq!(mount.options.words(), options, "{text}");
    }

    #[test]
    fn forms() {
        let host = |path: &str| MountSource::Host(path.into());
        check(
            "type=bind,source=/a,destination=/b,ro",
            &host("/a"),
            "/b",
            &["ro"],
        );
        check(
            "type=bind,src=./a,dst=/b,readonly=false",
            &host("./a"),
            "/b",
            &["rw"],
        );
        check(
            "type=bind,src=/a,target=/b,relabel=private,U=true",
            &host("/a"),
            "/b",
            &["Z", "U"],
        );
        check("type=bind,\"src=/a,b\",target=/c", &host("/a,b"), "/c", &[]);
        check(
            "type=volume,src=v,dst=/b",
            &MountSource::Volume("v".into()),
            "/b",
            &[],
        );
        check("type=volume,dst=/b", &MountSource::Anonymous, "/b", &[]);
        check(
            "type=tmpfs,dst=/b,tmpfs-size=64m,tmpfs-mode=1777,notmpcopyup",
            &MountSource::Tmpfs,
            "/b",
            &["size=64m", "mode=1777", "notmpcopyup"],
        );
    }

    #[test]
    fn refused() {
        for text in [
            "",
            "type=bind",
            "type=bind,src=/a",
            "type=bind,dst=/b",
            "src=/a,dst=/b",
            "type=image,src=a,dst=/b",
            "type=tmpfs,src=/a,dst=/b",
            "type=tmpfs,dst=/b,relabel=shared",
            "type=bind,src=/a,dst=/b,tmpfs-size=1m",
            "type=bind,src=/a,src=/c,dst=/b",
            "type=bind,src=/a,dst=/b,ro,rw",
            "type=bind,src=/a,dst=/b,ro=maybe",
            "type=bind,src=/a,dst=/b,nope",
            "type=bind,src=,dst=/b",
            "type=volume,src=v,dst=/b,volume-opt=device=/",
            "type=bind,\"src=/a,dst=/b",
        ] {
            assert!(parse_mount(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "[a-z=,\"/:]{0,60}") {
            let _ = parse_mount(&text);
        }
    }
}

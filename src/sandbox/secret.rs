//! `--secret`: a podman secret as a file or a variable. The value never passes through us.

use super::Invalid;
use super::env::VarName;

/// How a secret reaches the sandbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretUse {
    /// As a file, below `/run/secrets` unless the target is absolute.
    Mount {
        /// File name or absolute path.
        target: String,
        /// Owner inside.
        uid: u32,
        /// Group inside.
        gid: u32,
        /// Mode.
        mode: u32,
    },
    /// As a variable.
    Env {
        /// The variable.
        target: VarName,
    },
}

/// A secret of the service, and how it is handed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretArg {
    /// The secret's name.
    pub name: String,
    /// How it is handed in.
    pub usage: SecretUse,
}

impl SecretArg {
    /// Reads `name[,type=mount|env][,target=T][,uid=N][,gid=N][,mode=OCTAL]`.
    ///
    /// # Errors
    /// If an option is unknown, malformed, or meant for the other type.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let invalid = |why: &str| Invalid::new("secret", text, why);
        let mut words = text.split(',');
        let name = words.next().unwrap_or_default();
        if name.is_empty() || name.len() > 253 || name.contains(['=', '/', '\0']) {
            return Err(invalid("the name will not do"));
        }
        let (mut env, mut target, mut owner) = (false, None, [None; 3]);
        for word in words {
            let (key, value) = word
                .split_once('=')
                .ok_or_else(|| invalid("an option has no value"))?;
            let number = |base: u32| {
                u32::from_str_radix(value, base).map_err(|_| invalid("an option is not a number"))
            };
            match key {
                "type" if value == "mount" => env = false,
                "type" if value == "env" => env = true,
                "type" => return Err(invalid("the type is neither mount nor env")),
                "target" if value.is_empty() => return Err(invalid("the target is empty")),
                "target" => target = Some(value.to_owned()),
                "uid" => owner[0] = Some(number(10)?),
                "gid" => owner[1] = Some(number(10)?),
                "mode" => match number(8)? {
                    mode @ 0..=0o777 => owner[2] = Some(mode),
                    _ => return Err(invalid("the mode has more than permissions")),
                },
                _ => return Err(invalid("an option is not known")),
            }
        }
        let target = target.unwrap_or_else(|| name.to_owned());
        let usage = if env {
            if owner != [None; 3] {
                return Err(invalid("a variable has no uid, gid or mode"));
            }
            SecretUse::Env {
                target: VarName::parse(&target)?,
            }
        } else {
            if target.split('/').any(|part| part == "..") || target.contains('\0') {
                return Err(invalid("the target will not do"));
            }
            let [uid, gid, mode] = owner;
            SecretUse::Mount {
                target,
                uid: uid.unwrap_or(0),
                gid: gid.unwrap_or(0),
                mode: mode.unwrap_or(0o444),
            }
        };
        Ok(Self {
            name: name.to_owned(),
            usage,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let usage = |text| SecretArg::parse(text).unwrap().usage;
        let mount = |target: &str, uid, gid, mode| SecretUse::Mount {
            target: target.to_owned(),
            uid,
            gid,
            mode,
        };
        assert_eq!(usage("tok"), mount("tok", 0, 0, 0o444));
        assert_eq!(
            usage("tok,target=/k,uid=1,gid=2,mode=0400"),
            mount("/k", 1, 2, 0o400)
        );
        let env = SecretUse::Env {
            target: VarName::parse("API_KEY").unwrap(),
        };
        assert_eq!(usage("tok,type=env,target=API_KEY"), env);
        for text in [
            "",
            "a/b",
            "a,type=x",
            "a,mode=999",
            "a,mode=4755",
            "a,uid=-1",
            "a,uid",
            "a,x=1",
            "a,type=env,uid=1",
            "a,target=../x",
            "a,target=",
        ] {
            assert!(SecretArg::parse(text).is_err(), "{text}");
        }
    }
}

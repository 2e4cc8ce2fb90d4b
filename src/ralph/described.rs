//! What a run's sandbox was made from, as it was sent: names of variables and secrets, never a value.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::Result;
use super::files::{read_bounded, write_whole};
use super::segments::read_end;
use super::store::Run;
use crate::sandbox::Loosening;

/// So much of an output is its end, in bytes.
const LAST_WORDS: u64 = 16 << 10;
/// The longest that is read, in bytes.
const MAX: u64 = 4 << 20;

/// What was asked of the service, and what of it opens what is closed by default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Described {
    create: Value,
    loosenings: Vec<Loosening>,
}

impl Run {
    /// Keeps what its sandbox is made from.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn describe(&self, text: &str) -> Result<()> {
        write_whole(&self.sandbox_path(), text.as_bytes(), 0o600)
    }

    /// What its sandbox was made from; `None` of a run from before that was kept.
    pub fn described(&self) -> Option<Described> {
        let text = read_bounded(&self.sandbox_path(), MAX).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// The end of what its agent has written; nothing if that cannot be read.
    pub fn last_words(&self) -> String {
        let end = read_end(&self.output_path(), LAST_WORDS).unwrap_or_default();
        String::from_utf8_lossy(&end).into_owned()
    }

    fn sandbox_path(&self) -> PathBuf {
        self.directory().join("sandbox.json")
    }
}

impl Described {
    /// What opens what is closed by default.
    pub fn loosenings(&self) -> impl Iterator<Item = String> {
        self.loosenings.iter().map(ToString::to_string)
    }

    /// What is mounted, in podman's words: `SOURCE:TARGET:OPTIONS`.
    pub fn mounts(&self) -> Vec<String> {
        let mut mounts = Vec::new();
        for (list, source, target) in [
            ("mounts", "source", "destination"),
            ("volumes", "Name", "Dest"),
            ("overlay_volumes", "source", "destination"),
        ] {
            for mount in self.list(list) {
                let word = |key: &str| mount.get(key).and_then(Value::as_str).unwrap_or_default();
                let options = mount.get("options").or(mount.get("Options"));
                let options: Vec<&str> = options.map(words).unwrap_or_default();
                let mut text = format!("{}:{}", word(source), word(target));
                if !options.is_empty() {
                    text.push_str(&format!(":{}", options.join(",")));
                }
                mounts.push(text);
            }
        }
        mounts
    }

    /// Whether what is at this name in a workspace can be written otherwise than through the workspace's own mount, on
    /// which something else lies there.
    pub fn writes_beside(&self, workspace: &Path, name: &str) -> bool {
        let place = workspace.join(name);
        let is_writable = |mount: &&Value| {
            let options = mount.get("options").map(words).unwrap_or_default();
            !options.contains(&"ro")
        };
        let writable = self.list("mounts").iter().filter(is_writable);
        let sources = writable.filter_map(|mount| mount.get("source")?.as_str().map(Path::new));
        let (own, others): (Vec<_>, Vec<_>) = sources.partition(|source| *source == workspace);
        own.len() > 1
            || others
                .iter()
                .any(|source| place.starts_with(source) || source.starts_with(&place))
    }

    /// The names of the variables that it has beside the image's own.
    pub fn variables(&self) -> Vec<String> {
        let env = self.create.get("env").and_then(Value::as_object);
        env.map(|env| env.keys().cloned().collect())
            .unwrap_or_default()
    }

    /// The names of its secrets.
    pub fn secrets(&self) -> Vec<String> {
        let files = self.list("secrets").iter();
        let files = files.filter_map(|secret| secret.get("Source")?.as_str());
        let env = self.create.get("secret_env").and_then(Value::as_object);
        let env = env.into_iter().flat_map(|env| env.values());
        let mut names: Vec<String> = files
            .chain(env.filter_map(Value::as_str))
            .map(str::to_owned)
            .collect();
        names.sort();
        names.dedup();
        names
    }

    fn list(&self, name: &str) -> &[Value] {
        let list = self.create.get(name).and_then(Value::as_array);
        list.map(Vec::as_slice).unwrap_or_default()
    }
}

fn words(list: &Value) -> Vec<&str> {
    let list = list.as_array().into_iter().flatten();
    list.filter_map(Value::as_str).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::libpod::{ContainerSpec, Mount, NamedVolume, SecretMount};

    #[test]
    fn names_are_told_and_no_values() {
        let mut spec = ContainerSpec::default();
        spec.env.insert("KEY", "sk-secret");
        spec.secret_env.insert("TOKEN".into(), "vault".into());
        spec.secrets.push(SecretMount {
            source: "file".into(),
            target: "f".into(),
            uid: 0,
            gid: 0,
            mode: 0o400,
        });
        spec.mounts.push(Mount {
            destination: "/data".into(),
            kind: "bind".into(),
            source: "/srv".into(),
            options: vec!["ro".into(), "nosuid".into()],
        });
        spec.volumes.push(NamedVolume {
            name: "cache".into(),
            dest: "/cache".into(),
            options: Vec::new(),
            is_anonymous: false,
        });
        let name = "CAP_NET_RAW".to_owned();
        let text = serde_json::json!({
            "create": spec.redacted(),
            "loosenings": [Loosening::Capability { name }, Loosening::NoInit],
        });
        let text = text.to_string();
        assert!(!text.contains("sk-secret"));
        let described: Described = serde_json::from_str(&text).unwrap();
        let opened: Vec<_> = described.loosenings().collect();
        assert_eq!(opened, ["capability CAP_NET_RAW", "no init"]);
        assert_eq!(described.mounts(), ["/srv:/data:ro,nosuid", "cache:/cache"]);
        assert_eq!(described.variables(), ["KEY"]);
        assert_eq!(described.secrets(), ["file", "vault"]);
    }

    #[test]
    fn a_second_way_to_a_name_in_the_workspace_is_seen() {
        let writes = |mounts: &[(&str, &str)]| {
            let mounts: Vec<_> = mounts
                .iter()
                .map(|(source, options)| serde_json::json!({"source": source, "options": options.split(',').collect::<Vec<_>>()}))
                .collect();
            let described = Described {
                create: serde_json::json!({ "mounts": mounts }),
                loosenings: Vec::new(),
            };
            described.writes_beside(Path::new("/w/me/tree"), ".git")
        };
        let own = ("/w/me/tree", "rw,nosuid");
        assert!(!writes(&[own]));
        assert!(!writes(&[
            own,
            ("/w/me/other", "rw"),
            ("/w/me/tree/.github", "rw")
        ]));
        assert!(!writes(&[own, ("/w/me", "ro"), ("/w/me/tree/.git", "ro")]));
        for other in [
            "/w/me/tree",
            "/w/me",
            "/",
            "/w/me/tree/.git",
            "/w/me/tree/.git/hooks",
        ] {
            assert!(writes(&[own, (other, "rw")]), "{other}");
        }
    }
}

//! What an agent could not reach, or not open, by the words that it ended with.

/// Names of this machine, and of the sandbox itself.
const HERE: [&str; 4] = [
    "host.containers.internal",
    "host.docker.internal",
    "localhost",
    "127.0.0.1",
];
/// What programs say of a service that they do not reach, in small letters.
const AWAY: [&str; 10] = [
    "refused",
    "unreachable",
    "bad address",
    "could not resolve",
    "name or service not known",
    "name resolution",
    "failed to connect",
    "cannot connect",
    "unable to connect",
    "connection error",
];

/// What programs say of what they may not open, in small letters.
const DENIED: [&str; 2] = ["permission denied", "eacces"];

/// slirp4netns is in Podman before 6 alone, pasta in 4.4 and later.
const LOOPBACK: &str = "a service that listens on this machine's 127.0.0.1 alone is out of reach: have it listen on 0.0.0.0, \
    or say `--network slirp4netns:allow_host_loopback=true` (Podman before 6), by which it is at 10.0.2.2, or \
    `--network pasta:-T,PORT` (Podman 4.4 and later), by which it is at the sandbox's own 127.0.0.1";

/// How a service on this machine is reached, if that may have been the trouble.
pub(super) fn unreached(network: &str, words: &str) -> Option<String> {
    let is_away = |line: &&str| AWAY.iter().any(|word| line.contains(word));
    let mut lines = words.lines().filter(is_away);
    let here = lines.find_map(|line| HERE.iter().find(|name| line.contains(**name)))?;
    let how = match (network, here.starts_with("host.")) {
        ("none", _) => {
            "with `--network none` nothing outside is reached; with `--network full` this machine is \
             `host.containers.internal`"
        }
        (_, false) => {
            "in a sandbox that is the sandbox itself: this machine is `host.containers.internal`"
        }
        (_, true) => LOOPBACK,
    };
    Some(format!(
        "at the end the agent could not reach `{here}`: {how}"
    ))
}

/// What may keep an agent from its files, if it was denied one.
pub(super) fn denied(workspace: &str, mounts: &[String], words: &str) -> Option<String> {
    // Of a machine that one logs in to it is said, too.
    let lines = words.lines().filter(|line| !line.contains("(publickey"));
    let mut denials = lines.filter(|line| DENIED.iter().any(|word| line.contains(word)));
    denials.next()?;
    let found = mounts.iter().find_map(|mount| {
        let mut parts = mount.rsplit(':');
        let (last, before) = (parts.next()?, parts.next()?);
        let options = match (last == workspace, before == workspace) {
            (true, _) => "",
            (_, true) => last,
            _ => return None,
        };
        Some(
            options
                .split(',')
                .any(|word| word.eq_ignore_ascii_case("z")),
        )
    });
    let why = match found {
        Some(false) => format!(
            "a workspace that is mounted without `:Z` is closed to it where SELinux is in force: \
             `-v DIRECTORY:{workspace}:Z`, or leave `-v` away"
        ),
        _ => "in the workspace it may do what you may yourself, which `ls -l` shows; elsewhere what the image lets a user do"
            .to_owned(),
    };
    Some(format!("at the end the agent was denied access: {why}"))
}

/// How a model that this machine serves is reached. Few agents say where they looked for theirs.
pub(super) fn model_here(network: &str) -> Vec<String> {
    let here = "a model that this machine serves is at `host.containers.internal` in the sandbox, not at `localhost`: say so in \
        the variable that the agent has for its API's address (`OPENAI_API_BASE`, `ANTHROPIC_BASE_URL`, …)";
    let network = match network {
        "none" => {
            "this run had `--network none`, which reaches nothing, no model either: `--network full`; then, "
        }
        _ => "`--network none` reaches nothing; with others ",
    };
    vec![here.to_owned(), format!("{network}{LOOPBACK}")]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_called_says_how_to_reach_it() {
        let at = |network, words: &str| unreached(network, words).unwrap_or_default();
        let host = "curl: (7) failed to connect to host.containers.internal port 11434: connection refused";
        assert!(at("full", host).contains("allow_host_loopback"));
        // As the guide has it, and others.
        for words in [
            "cannot connect to http://localhost:8000",
            "unable to connect to http://localhost:8000",
            "connection error: http://localhost:8000",
        ] {
            assert!(
                at("full", words).contains("is the sandbox itself"),
                "{words}"
            );
        }
        assert!(at("none", host).contains("`--network full`"));
        let local = "x\ndial tcp 127.0.0.1:11434: connect: connection refused\ny";
        assert!(at("full", local).contains("is the sandbox itself"));
        for words in [
            "",
            "connection refused by api.example.com",
            "listening on localhost:80",
        ] {
            assert_eq!(unreached("full", words), None, "{words}");
        }
    }

    #[test]
    fn who_was_denied_a_file_is_told_of_the_label_that_is_missing() {
        let words = "sh: can't create /workspace/a: permission denied\n";
        let told = |mount: &str| denied("/workspace", &[mount.to_owned()], words).unwrap();
        for (mount, is_missing) in [
            ("/home/ann/z:/workspace", true),
            ("/home/ann/z:/workspace:ro,rbind", true),
            ("/home/ann/z:/workspace:Z", false),
            ("/home/ann/z:/workspace:ro,z", false),
            ("/srv:/srv", false),
            ("/home/ann/m:/workspace/modules:ro", false),
        ] {
            assert_eq!(told(mount).contains(":Z`"), is_missing, "{mount}");
        }
        for words in [
            "all is well",
            "git@example.com: permission denied (publickey).",
        ] {
            assert_eq!(denied("/workspace", &[], words), None, "{words}");
        }
    }

    #[test]
    fn a_model_of_this_machine_is_told_of_by_agents_that_name_no_host() {
        let told = |network| model_here(network).join("\n");
        for network in ["full", "none"] {
            for part in [
                "`host.containers.internal`",
                "not at `localhost`",
                "`OPENAI_API_BASE`, `ANTHROPIC_BASE_URL`",
                "`--network none`",
                "`--network slirp4netns:allow_host_loopback=true` (Podman before 6)",
                "`--network pasta:-T,PORT` (Podman 4.4 and later)",
            ] {
                assert!(told(network).contains(part), "{network}: {part}");
            }
        }
        assert!(told("none").contains("this run had `--network none`"));
    }
}

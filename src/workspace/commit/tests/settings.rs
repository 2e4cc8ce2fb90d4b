//! Whom a commit is by, and what settings include, as real `git` has it.

use std::io::Error as Failed;

use super::*;
use crate::workspace::commit::personal;

/// Reads a file with what it includes.
fn read(file: &Path, repository: &Path, home: &Path) -> GitConfig {
    let text = fs::read(file).unwrap_or_default();
    let from = file.parent().unwrap();
    let config = GitConfig::parse(&text).unwrap();
    let whole = config.with_included(&mut |include| -> Result<_, Failed> {
        let counts = include.counts(repository, from, Some(home)).unwrap();
        let file = include.file(from, Some(home));
        Ok(counts.then(|| read(&file, repository, home)))
    });
    whole.unwrap()
}

#[test]
fn what_settings_include_is_what_git_reads() {
    let scene = Scene::new();
    let home = scene.path("").canonicalize().unwrap();
    scene.write("Job/[a]/x/.keep", "");
    let place = home.join("Job/[a]/x");
    git(&scene, &["init", "-q", place.to_str().unwrap()]);
    let absolute = home.display();
    let conditions = [
        "gitdir:~/Job/".to_owned(),
        "gitdir:~/job/".to_owned(),
        "gitdir/i:~/job/".to_owned(),
        "gitdir:Job/".to_owned(),
        "gitdir:x/".to_owned(),
        "gitdir:x".to_owned(),
        "gitdir:x/.git".to_owned(),
        "gitdir:./".to_owned(),
        "gitdir:./Job/**".to_owned(),
        "gitdir:/".to_owned(),
        "gitdir:/elsewhere/".to_owned(),
        format!("gitdir:{absolute}/"),
        format!("gitdir:{absolute}/Job/\\\\[a\\\\]/*/.git"),
        format!("gitdir:{absolute}/Job/[a]/"),
        "gitdir:**/Job/**".to_owned(),
        "future:x".to_owned(),
    ];
    scene.write("deep", "[user]\nemail = deep@x\n");
    scene.write("more", "[user]\nname = More\n[include]\npath = deep\n");
    for condition in conditions {
        let text = format!(
            "[user]\nname = First\nemail = first@x\n[includeIf \"{condition}\"]\npath = ~/more\n"
        );
        scene.write("config", &text);
        let config = read(&home.join("config"), &place.join(".git"), &home);
        let output = Command::new("git")
            .current_dir(&place)
            .args(["var", "GIT_AUTHOR_IDENT"])
            .env_clear()
            .env("HOME", &home)
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("GIT_CONFIG_GLOBAL", home.join("config"))
            .env("GIT_CONFIG_SYSTEM", "/dev/null")
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        let ours = personal::signature(&config, "author").unwrap();
        assert!(
            said.starts_with(&format!("{ours} ")),
            "{condition}: {ours}: {said}"
        );
    }
}

#[test]
fn author_and_committer_are_whom_git_names() {
    let parse = |text: &str| GitConfig::parse(text.as_bytes()).unwrap();
    let mut scene = scene(&[]);
    git(&scene, &["config", "user.name", "Here"]);
    git(&scene, &["config", "committer.email", "here@x"]);
    let base = scene.take();
    scene.write("a0", "changed");
    let at = scene.take();
    let personal = Personal {
        config: parse(
            "[user]\nname = Me\nemail = me@x\n[author]\nemail = author@x\n[commit]\ngpgSign\n",
        ),
        environment: parse("[author]\nname = Env\n"),
        ..Personal::default()
    };
    let now = (&at, Writer::AgentToo);
    let prepared = scene.repository.prepare_commit(&base, now, &[], &personal);
    let prepared = prepared.unwrap();
    assert!(prepared.is_to_be_signed());
    let words = Words {
        message: "x",
        personal: &personal,
        seconds: SECONDS,
    };
    let done = scene.repository.commit(&scene.root(), &prepared, &words);
    done.unwrap();
    let shown = git(&scene, &["show", "-s", "--format=%an <%ae>, %cn <%ce>"]);
    assert_eq!(shown, "Env <author@x>, Here <here@x>\n");
}

//! `stockade show`

use clap::Args;

use crate::cli::argv::named;
use crate::cli::error::{CliResult, Context as _};
use crate::cli::exit::Exit;
use crate::cli::night;
use crate::cli::pager::{self, PagerArgs};
use crate::cli::ui::Ui;
use crate::cli::view::words;
use crate::ralph::journal::Reader;
use crate::ralph::{Described, GitAccess, Record, Repository, Run};

/// Show what happened in a run
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// As JSON: what was asked for, and every event
    #[arg(long, value_name = "FORMAT", value_parser = ["json"])]
    format: Option<String>,
    /// Run: its id, the end of it, or its name [default: the last one here]
    #[arg(value_parser = named)]
    run: Option<String>,
    #[command(flatten)]
    pager: PagerArgs,
}

/// What the agent has of the repository.
fn git(run: &Run, record: &Record) -> String {
    match &record.repository {
        None => "rw".to_owned(),
        Some(Repository { git: None, .. }) => "none: there was no `.git`".to_owned(),
        Some(repository) if repository.access == GitAccess::Shadow => format!(
            "shadow: the agent's own copy, with its commits, is {}; all in it is the agent's, so run no git there",
            run.git_directory().display()
        ),
        Some(repository) => repository.access.to_string(),
    }
}

/// What the agent works on.
fn workspace(record: &Record) -> String {
    let path = record.original().path.display();
    let access = match record.workspace.read_only {
        true => ", only to be read",
        false => "",
    };
    match &record.original {
        None => format!("{path}{access}"),
        Some(_) => format!(
            "{path}{access}; the agent works on a copy, {}",
            record.workspace.path.display()
        ),
    }
}

/// What its sandbox has beside the image: that it has nothing is said, too.
fn opened(described: &Described) -> Vec<String> {
    let all = |names: Vec<String>| match names.is_empty() {
        true => "none".to_owned(),
        false => names.join(", "),
    };
    let mut lines = vec![
        format!("loosened   {}", all(described.loosenings().collect())),
        format!("variables  {}", all(described.variables())),
        format!("secrets    {}", all(described.secrets())),
    ];
    let mounts = described.mounts().into_iter();
    lines.extend(mounts.map(|mount| format!("mount      {mount}")));
    lines
}

/// Runs the verb.
pub(crate) fn run(args: &ShowArgs, ui: &Ui) -> CliResult {
    pager::paged(args.pager, ui, |ui| written(args, ui))
}

fn written(args: &ShowArgs, ui: &Ui) -> CliResult {
    let run = night::find(args.run.as_deref())?;
    let record = run.record()?;
    let (reader, entries) = Reader::open(&run.journal_path())?;
    if args.format.is_some() {
        let whole = serde_json::json!({
            "run": run.id().as_str(),
            "asked": record,
            "sandbox": run.described(),
            "events": entries,
            "last_hash": reader.last_hash(),
        });
        let text = serde_json::to_string_pretty(&whole).doing("describe the run")?;
        ui.line(&text).doing("write")?;
        return Ok(Exit::Done);
    }
    let promises: Vec<&str> = (0..record.phases())
        .map(|phase| match &record.task(phase).promise {
            Some(promise) => promise.text(),
            None => "none",
        })
        .collect();
    let described = run.described();
    let mut lines = vec![
        format!("run        {}", run.id()),
        format!("workspace  {}", workspace(&record)),
        format!("image      {} ({})", record.image.name, record.image.id),
        format!("agent      {}", record.command.join(" ")),
        format!("network    {}", record.network),
        format!("git        {}", git(&run, &record)),
        format!("promise    {}", promises.join(", ")),
        format!("kept in    {}", run.directory().display()),
    ];
    lines.extend(described.iter().flat_map(opened));
    lines.push(String::new());
    for entry in &entries {
        if let Some(words) = words(&entry.event, &record) {
            let time = entry.at.get(..19).unwrap_or(&entry.at);
            lines.push(format!("{time}Z  {words}"));
        }
    }
    lines.push(String::new());
    lines.push(format!(
        "journal    {} lines, the last has hash {}",
        entries.len(),
        reader.last_hash()
    ));
    for line in lines {
        ui.line(&crate::cli::sanitize::sanitize_line(&line))
            .doing("write")?;
    }
    Ok(Exit::Done)
}

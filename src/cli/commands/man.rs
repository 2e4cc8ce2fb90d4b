//! `stockade man`

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, Command, CommandFactory as _};
use clap_mangen::Man;

use crate::cli::args::Cli;
use crate::cli::error::{CliResult, Context as _};
use crate::cli::exit::Exit;
use crate::cli::ui::Ui;

/// Print the manual page, or write the pages of all verbs into a directory
#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Directory for the pages, made if it is missing [default: print the main page]
    #[arg(value_name = "DIR")]
    directory: Option<PathBuf>,
}

/// Runs the verb. Asks no service.
pub(crate) fn run(args: &ManArgs, ui: &Ui) -> CliResult {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let Some(directory) = &args.directory else {
        let (_, page) = page(command).doing("make the manual page")?;
        ui.data(&String::from_utf8_lossy(&page)).doing("write")?;
        return Ok(Exit::Done);
    };
    let mut pages = Vec::new();
    collect(command, &mut pages).doing("make the manual pages")?;
    fs::create_dir_all(directory).doing(format!("make the directory `{}`", directory.display()))?;
    for (name, page) in &pages {
        let path = directory.join(name);
        replace(&path, page).doing(format!("write `{}`", path.display()))?;
        ui.line(&path.display().to_string()).doing("write")?;
    }
    Ok(Exit::Done)
}

/// A file name and what belongs in it.
fn page(command: Command) -> io::Result<(String, Vec<u8>)> {
    let man = Man::new(command).manual("Stockade");
    let mut page = Vec::new();
    man.render(&mut page)?;
    Ok((man.get_filename(), page))
}

fn collect(command: Command, pages: &mut Vec<(String, Vec<u8>)>) -> io::Result<()> {
    let verbs: Vec<Command> = command.get_subcommands().cloned().collect();
    pages.push(page(command)?);
    verbs.into_iter().try_for_each(|verb| collect(verb, pages))
}

/// Writes a whole file or none: readers see the old one or the new one.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let new = PathBuf::from(name);
    let mut file = OpenOptions::new().write(true).create_new(true).open(&new)?;
    let written = file
        .write_all(bytes)
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        // What failed is said, not that half of it is still there.
        let _ = fs::remove_file(&new);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_replaces_the_old_one_or_nothing_does() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.1");
        replace(&path, b"old").unwrap();
        replace(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        let taken = directory.path().join("b.1");
        fs::create_dir_all(taken.join("below")).unwrap();
        replace(&taken, b"new").unwrap_err();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
    }

    #[test]
    fn every_verb_has_a_page() {
        let mut command = Cli::command().disable_help_subcommand(true);
        command.build();
        let mut pages = Vec::new();
        collect(command, &mut pages).unwrap();
        let names: Vec<&str> = pages.iter().map(|(name, _)| name.as_str()).collect();
        for name in ["stockade.1", "stockade-run.1", "stockade-image-prune.1"] {
            assert!(names.contains(&name), "{name} is not in {names:?}");
        }
    }
}

//! Takes a checkpoint of a directory, or goes back to one: the library's part alone, to measure.
//!
//! ```sh
//! checkpoints take REPOSITORY DIRECTORY
//! checkpoints rollback REPOSITORY DIRECTORY NUMBER
//! ```

use std::error::Error;
use std::io::Write as _;
use std::path::Path;

use stockade::workspace::Missing;
use stockade::workspace::Policy;
use stockade::workspace::Repository;
use stockade::workspace::Root;
use stockade::workspace::Series;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let series = Series::new("example")?;
    match arguments[..] {
        ["take", repository, directory] => {
            let mut repository = Repository::open(Path::new(repository))?;
            let root = Root::open(Path::new(directory))?;
            let taken = repository.take(&root, &series, "by hand", &Policy::default())?;
            let (number, id) = (taken.checkpoint.number(), taken.checkpoint.id());
            writeln!(
                std::io::stdout(),
                "{number} {id}: {} files, {} read",
                taken.files,
                taken.read
            )?;
        }
        ["rollback", repository, directory, number] => {
            let mut repository = Repository::open(Path::new(repository))?;
            let root = Root::open(Path::new(directory))?;
            let to = repository.checkpoint(&series, number.parse()?)?;
            let now = repository.take(&root, &series, "before going back", &Policy::default())?;
            let result =
                repository.rollback(&root, &now.with_tree(), &to, &[], &[], Missing::Lost)?;
            writeln!(
                std::io::stdout(),
                "{} restored, {} removed",
                result.restored,
                result.removed
            )?;
            for failed in &result.failed {
                writeln!(std::io::stdout(), "{:?}: {}", failed.path, failed.error)?;
            }
        }
        _ => return Err("take REPOSITORY DIRECTORY | rollback REPOSITORY DIRECTORY NUMBER".into()),
    }
    Ok(())
}

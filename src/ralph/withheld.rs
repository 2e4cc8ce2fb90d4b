//! What no checkpoint may hold that is taken while the agent works: what the quarantine would move away before one that is
//! taken afterwards.

use std::path::Path;

use super::modules::{Module, Obeyed};
use super::repository::{GitAccess, Identity, IdentityKind, Repository};
use crate::workspace::git::TopKind;
use crate::workspace::{Unless, Withheld};

/// By what was there when the run began.
pub(super) fn withheld(repository: Option<&Repository>) -> Withheld {
    let mut withheld = Withheld::default();
    let Some(repository) = repository else {
        return withheld;
    };
    let kind = |identity: Identity| match identity.kind {
        IdentityKind::Directory => TopKind::Directory,
        IdentityKind::File => TopKind::File,
        IdentityKind::Other => TopKind::Other,
    };
    let git = match (repository.access, repository.git) {
        (GitAccess::Rw, git) => Unless::IsA(git.map_or(TopKind::Directory, kind)),
        (_, Some(git)) => Unless::Is((git.device, git.inode), kind(git)),
        (_, None) => Unless::Never,
    };
    withheld.at(Path::new(".git"), git);
    if !repository.configured {
        withheld.at(Path::new("stockade.toml"), Unless::Never);
    }
    if !repository.bare {
        withheld.never_bare();
    }
    for module in &repository.modules {
        // No submodule was behind a link in the beginning.
        let above = module.path.ancestors();
        for path in above.filter(|path| *path != Path::new("")) {
            withheld.at(path, Unless::IsNoLink);
        }
    }
    for module in &repository.modules {
        withheld.at(&module.path.join(".git"), unless(module));
    }
    withheld
}

fn unless(module: &Module) -> Unless {
    match &module.git {
        None => Unless::Never,
        Some(Obeyed::File { text, .. }) => Unless::Holds(text.clone()),
        Some(Obeyed::Directory { device, inode }) => {
            Unless::Is((*device, *inode), TopKind::Directory)
        }
    }
}

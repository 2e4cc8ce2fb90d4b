//! What an agent made as another user of its sandbox belongs, outside, to one of the person's subordinate ids: they
//! cannot change it. A container of the run's image gives it back to them: in it all those ids are users that its
//! root, who is the person, may take files from.

mod search;

use std::ffi::CStr;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use super::connect::Service;
use super::error::{CliError, CliResult, Context as _};
use super::exit::Exit;
use super::launch::{self, Launch, Unenforced};
use super::sandbox_args::invalid;
use super::sanitize::sanitize_line;
use super::signals::Signals;
use super::turn::Turn;
use super::ui::Ui;
use crate::libpod::Image;
use crate::ralph::{GitAccess, Night, Obeyed, Record, Run, Theirs, Workspace};
use crate::sandbox::entrypoint::Entrypoint;
use crate::sandbox::env::EnvArg;
use crate::sandbox::mounts::{Access, MountSource, OwnMount, parse_volume};
use crate::sandbox::name::GuestPath;
use crate::sandbox::network::NetworkMode;
use crate::sandbox::proc_files::KernelFiles;
use crate::sandbox::security::CapabilityArg;
use crate::sandbox::user::{ServiceOwner, UserArg, UserNs};
use crate::sandbox::{Request, Sandbox};
use crate::workspace::Root;
use crate::workspace::git::{TopKind, Way};

use search::{Round, Search};

/// What it takes to give files of others away.
const CAPABILITIES: [&str; 3] = ["CHOWN", "DAC_OVERRIDE", "FOWNER"];
const TARGET: &str = "/workspace";
/// More containers than this are started for none.
const MOST_ROUNDS: usize = 50;
const GIT: &CStr = c".git";
const CLEAN: [&str; 3] = [
    "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
    "LD_PRELOAD=",
    "LD_LIBRARY_PATH=",
];

/// Whether something on the way to this path belongs to somebody else, as far as no link leads elsewhere.
pub(crate) fn is_foreign(root: &Path, path: &Path) -> bool {
    let own = rustix::process::geteuid().as_raw();
    let mut at = root.to_owned();
    for component in path.components() {
        let Component::Normal(name) = component else {
            return false;
        };
        at.push(name);
        match at.symlink_metadata() {
            Ok(found) if found.uid() != own => return true,
            Ok(found) if found.is_dir() => {}
            _ => return false,
        }
    }
    false
}

/// Makes what the run made or took over in its workspace the person's own, but for their `.git`, what is mounted below,
/// and what was others' before it. What would be obeyed as soon as it is the person's is moved away at once: git does
/// not obey what is somebody else's.
///
/// # Errors
/// As [`reclaim`].
pub(crate) async fn reclaim_clear(
    workspace: &Path,
    (run, night): (&Run, &mut Night),
    record: &Record,
    service: &Service,
    ui: &Ui,
) -> CliResult<()> {
    // What was the person's before is not the run's.
    let mut foreign = night.obeyed();
    foreign.retain(|path| is_foreign(workspace, path));
    let theirs = match record.original {
        Some(_) => None,
        None => Some(Theirs::of(&run.checkpoints(record)?)?),
    };
    let clear = || Ok(night.clear_of(&foreign)?);
    given(workspace, (run, clear), record, theirs, service, ui).await
}

/// Makes all that lies in a copy of a run's the person's own.
///
/// # Errors
/// The service is another one than the person's own, or the container could not do it. With the exit code of a signal,
/// if one came.
pub(crate) async fn reclaim(
    copy: &Path,
    run: &Run,
    record: &Record,
    service: &Service,
    ui: &Ui,
) -> CliResult<()> {
    given(copy, (run, || Ok(())), record, None, service, ui).await
}

/// All of it, or what was not theirs.
async fn given(
    workspace: &Path,
    (run, then): (&Run, impl FnOnce() -> CliResult<()>),
    record: &Record,
    theirs: Option<Theirs>,
    service: &Service,
    ui: &Ui,
) -> CliResult<()> {
    if service.owner == ServiceOwner::Rootful {
        return Err(CliError::new(
            Exit::Failed,
            "this service is not your own: to it your subordinate ids are nobody's",
        ));
    }
    let mut giver = Giver {
        workspace,
        record,
        service,
        ui,
        image: service.client.inspect_image(&record.image.id).await?,
        signals: Signals::catch().doing("catch signals")?,
        hidden: Hidden::of(workspace, run, record)?,
        used: Vec::new(),
    };
    ui.status("files of other users of the sandbox: a container makes them yours");
    let done = match theirs {
        None => {
            let all = Round {
                paths: vec![String::new()],
                whole: true,
            };
            giver.give(&all).await
        }
        Some(theirs) => giver.give_but_for(&theirs).await,
    };
    // Before anything else, and also if only some of it was given.
    let cleared = then();
    for (sandbox, _) in &giver.used {
        sandbox.remove().await?;
    }
    cleared?;
    done.map_err(|error| explained(error, workspace))
}

/// Gives files by containers, one for each round.
struct Giver<'a> {
    workspace: &'a Path,
    record: &'a Record,
    service: &'a Service,
    ui: &'a Ui,
    image: Image,
    signals: Signals,
    hidden: Hidden,
    /// They are removed when all is done.
    used: Vec<(Sandbox, Launch)>,
}

impl Giver<'_> {
    async fn give_but_for(&mut self, theirs: &Theirs) -> CliResult<()> {
        let mut search = Search::new(self.workspace, theirs, self.hidden.below());
        let mut failed = None;
        for _ in 0..MOST_ROUNDS {
            let found = search.next();
            let Some(round) = found.doing("look for files of other users")? else {
                let unsaid = search.unsaid.first().map(|path| {
                    let path = sanitize_line(&path.to_string_lossy());
                    CliError::new(
                        Exit::Failed,
                        format!("no container can be told of `{path}`"),
                    )
                });
                return failed.or(unsaid).map_or(Ok(()), Err);
            };
            match self.give(&round).await {
                Err(error) if matches!(error.exit, Exit::Signal(_)) => return Err(error),
                // The next round may be of what has nothing to do with it.
                Err(error) => failed = Some(error),
                Ok(()) => {}
            }
        }
        Err(CliError::new(Exit::Failed, "there are too many of them"))
    }

    async fn give(&mut self, round: &Round) -> CliResult<()> {
        let (service, ui) = (self.service, self.ui);
        let mut request = request(self.workspace, &self.record.image.id, round)?;
        request.limits = self.record.asked.again();
        self.hidden.hide(&mut request);
        // The person's image does one thing here: no limit has to keep it from another.
        let unenforced = Unenforced::Allow;
        let launch = Launch::new(request, &self.image, service, unenforced, &[])?;
        let turn = Turn::wait(&service.endpoint, &launch.plan.container).await;
        let (sandbox, _) = Sandbox::create(&service.client, &launch.plan.container).await?;
        drop(turn);
        let noted = launch.note(sandbox.id());
        let work = async {
            noted?;
            live(&sandbox, &launch, unenforced, ui).await
        };
        let done = tokio::select! {
            done = work => done,
            caught = self.signals.next_end() => Err(CliError::new(Exit::Signal(caught.number()), "interrupted")),
        };
        self.used.push((sandbox, launch));
        match done? {
            0 => Ok(()),
            code => Err(CliError::new(
                Exit::Failed,
                format!("`chown` in a container of the run's image ended with {code}"),
            )),
        }
    }
}

/// What is mounted below is left out, which the kernel does not let a service do that has found it there.
fn explained(error: CliError, workspace: &Path) -> CliError {
    match KernelFiles::default().mounted_below(workspace) {
        Ok(Some(point)) if !matches!(error.exit, Exit::Signal(_)) => {
            let point = sanitize_line(&point.to_string_lossy());
            error.under(format!(
                "`{point}` is mounted in the workspace, and may be in the way: unmount it, and do it again"
            ))
        }
        _ => error,
    }
}

/// Nothing runs before it is known whose it makes the files.
async fn live(
    sandbox: &Sandbox,
    launch: &Launch,
    unenforced: Unenforced,
    ui: &Ui,
) -> CliResult<i32> {
    sandbox.prepare().await?;
    launch::verify(sandbox, &launch.plan, unenforced, ui).await?;
    if sandbox.root_is_caller(&KernelFiles::default()).await? == Some(false) {
        let text = "the service made a container whose root is somebody else than you";
        return Err(CliError::new(Exit::Failed, text));
    }
    let watch = sandbox.watch();
    sandbox.start().await?;
    Ok(sandbox.outcome(watch).await?.exit_code)
}

/// Repositories of the person's below the workspace, with what is mounted over each.
struct Hidden(Vec<(PathBuf, GuestPath)>);

impl Hidden {
    /// Those that the agent could not change. One that has taken the place of such a one is not the person's.
    fn of(workspace: &Path, run: &Run, record: &Record) -> CliResult<Self> {
        let mut hidden = Self(Vec::new());
        let Some(repository) = &record.repository else {
            return Ok(hidden);
        };
        if repository.access == GitAccess::Rw {
            return Ok(hidden);
        }
        let failed = |e| CliError::from_source(Exit::Failed, &e);
        let root = Root::open(workspace).map_err(failed)?;
        let is_original = |original: &Workspace| original.path == workspace;
        let is_original = record.original.as_ref().is_some_and(is_original);
        let top = root.top(GIT).map_err(failed)?;
        if let Some(top) = top.filter(|top| is_original || repository.git == Some((*top).into())) {
            hidden.add(run, Path::new(""), top.kind)?;
        }
        for module in &repository.modules {
            if let Some(Obeyed::Directory { device, inode }) = module.git
                && let Ok(Way::Whole(below)) = root.way(&module.path)
                && let Ok(Some(top)) = below.root.top(GIT)
                && top.id == (device, inode)
            {
                hidden.add(run, &module.path, top.kind)?;
            }
        }
        Ok(hidden)
    }

    fn add(&mut self, run: &Run, above: &Path, kind: TopKind) -> CliResult<()> {
        let cover = run.directory().join(format!("cover-{}", self.0.len()));
        let made = match kind {
            TopKind::Directory => fs::create_dir(&cover),
            TopKind::File => File::create(&cover).map(|_| ()),
            TopKind::Other => return Ok(()),
        };
        match made {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(error).doing("make what hides your repository");
            }
            _ => {}
        }
        let target = Path::new(TARGET).join(above).join(".git");
        let target = GuestPath::parse(&target.to_string_lossy()).map_err(|e| invalid(&e))?;
        self.0.push((cover, target));
        Ok(())
    }

    /// Where they are, from the workspace.
    fn below(&self) -> Vec<PathBuf> {
        let paths = self.0.iter().map(|(_, target)| Path::new(target.as_str()));
        paths
            .filter_map(|path| path.strip_prefix(TARGET).ok())
            .map(Path::to_owned)
            .collect()
    }

    fn hide(&self, request: &mut Request) {
        let mounts = self.0.iter().map(|(source, target)| OwnMount {
            source: source.clone(),
            target: target.clone(),
            access: Access::Write,
        });
        request.own_mounts.extend(mounts);
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        for (cover, _) in &self.0 {
            // It is empty, or goes with the run.
            let _ = fs::remove_dir(cover).or_else(|_| fs::remove_file(cover));
        }
    }
}

fn request(workspace: &Path, image: &str, round: &Round) -> CliResult<Request> {
    let flags = if round.whole { "-hR" } else { "-h" };
    let mut words = [flags, "0:0"].map(str::to_owned).to_vec();
    // Each begins with a slash, so that none is a flag.
    words.extend(round.paths.iter().map(|path| match path.as_str() {
        "" => TARGET.to_owned(),
        path => format!("{TARGET}/{path}"),
    }));
    let mut request = Request {
        image: image.to_owned(),
        entrypoint: Some(Entrypoint::parse("chown").map_err(|e| invalid(&e))?),
        command: words,
        network: NetworkMode::None,
        ..Request::default()
    };
    // The caller is its root, whatever the service's own settings say.
    request.user.user = Some(UserArg::parse("0").map_err(|e| invalid(&e))?);
    request.user.userns = Some(UserNs::Host);
    // Nothing from the workspace is run, whatever the image's variables say.
    for variable in CLEAN {
        let variable = EnvArg::parse(variable).map_err(|e| invalid(&e))?;
        request.env.push(variable);
    }
    for name in CAPABILITIES {
        let capability = CapabilityArg::parse(name).map_err(|e| invalid(&e))?;
        request.security.cap_add.push(capability);
    }
    // Without what is mounted below.
    let mut mount = parse_volume(&format!(".:{TARGET}:Z,bind")).map_err(|e| invalid(&e))?;
    mount.source = MountSource::Host(workspace.to_owned());
    request.mounts.push(mount);
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_mounted_below_is_reached() {
        let round = Round {
            paths: vec![String::new(), "-a".to_owned()],
            whole: true,
        };
        let request = request(Path::new("/somewhere"), "image", &round).unwrap();
        assert_eq!(request.command, ["-hR", "0:0", TARGET, "/workspace/-a"]);
        let [mount] = request.mounts.as_slice() else {
            panic!("{:?}", request.mounts)
        };
        assert!(mount.options.has("bind") && !mount.options.has("rbind"));
    }
}

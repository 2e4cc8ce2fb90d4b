//! The repository on disk: a bare one of git's SHA-256 format that nobody else writes.

use std::collections::BTreeSet;
use std::fs::File;
use std::fs::Metadata;
use std::fs::OpenOptions;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::UNIX_EPOCH;

use rustix::fs::FlockOperation;
use rustix::io::Errno;

use crate::workspace::error::Error;
use crate::workspace::error::Result;
use crate::workspace::files;
use crate::workspace::id::ID;
use crate::workspace::id::Kind;
use crate::workspace::id::ObjectId;
use crate::workspace::id::checksum;
use crate::workspace::pack::Object;
use crate::workspace::pack::Pack;
use crate::workspace::pack::PackWriter;
use crate::workspace::prune::TEMPORARY_SHALLOW;
use crate::workspace::series::Series;

/// Nothing is ever collected or packed anew by `git` (`preciousObjects`, `gc.auto`), and what an
/// agent wrote is no reason for `git fsck` to complain. Trees may be as deep as the walker goes.
const CONFIG: &str = "[core]
\trepositoryformatversion = 1
\tfilemode = true
\tbare = true
\tmaxTreeDepth = 8192
[extensions]
\tobjectFormat = sha256
\tpreciousObjects = true
[gc]
\tauto = 0
[fsck]
\thasDotgit = ignore
\tgitmodulesBlob = ignore
\tgitmodulesLarge = ignore
\tgitmodulesMissing = ignore
\tgitmodulesName = ignore
\tgitmodulesParse = ignore
\tgitmodulesPath = ignore
\tgitmodulesSymlink = ignore
\tgitmodulesUpdate = ignore
\tgitmodulesUrl = ignore
";

const LOCK: &str = "stockade.lock";
const TEMPORARY_REF: &str = "stockade-ref.tmp";
const REFS: &str = "refs/checkpoints";

/// How often the packs are looked for anew when one vanishes.
const LOOKS: usize = 20;

/// How long somebody else may write, and how often that is looked at: whoever only opens the repository
/// has the lock for a moment. Who is patient looks less often then.
const GLANCE: Duration = Duration::from_millis(5);
const GLANCES: u32 = 100;
const LOOK: Duration = Duration::from_millis(100);

/// How long it is waited for somebody else who writes.
#[derive(Debug, Clone, Default)]
pub enum Patience {
    /// A moment.
    #[default]
    Short,
    /// As long as it takes, and a moment once this is true.
    Until(Arc<AtomicBool>),
}

/// More numbers than this are not listed.
const MAX_REFS: usize = 1 << 20;

/// An open repository.
pub(super) struct Store {
    path: PathBuf,
    /// The largest one first: most look-ups end there.
    packs: Vec<Pack>,
    /// Somebody wants it to end.
    stop: Arc<AtomicBool>,
    patience: Patience,
    key: [u8; ID],
}

/// Held while the repository is written; dropped, it is free again.
pub(super) struct Lock {
    file: File,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing is not enough while a child that was just forked has the file open too.
        let _ = rustix::fs::flock(&self.file, FlockOperation::Unlock);
    }
}

impl Store {
    /// Opens a repository, or makes one. Clears what a killed writer left, if nobody writes.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let mut store = Self {
            path: path.to_owned(),
            packs: Vec::new(),
            stop: Arc::default(),
            patience: Patience::default(),
            key: [0; ID],
        };
        files::directory(path)?;
        let found = path.symlink_metadata().map_err(Error::file("read", path))?;
        if !found.is_dir() {
            return Err(Error::unsafe_at(path, "not a directory"));
        }
        if found.uid() != rustix::process::geteuid().as_raw() {
            return Err(Error::unsafe_at(path, "belongs to somebody else"));
        }
        if found.mode() & 0o077 != 0 {
            return Err(Error::unsafe_at(path, "open to others than its owner"));
        }
        let made = |store: &Self| files::read(&store.path.join("config"), 64 * 1024);
        store.key = key(&found);
        match store.try_lock()? {
            Some(_lock) if made(&store)?.is_none() => store.make()?,
            Some(_lock) => store.sweep()?,
            None if made(&store)?.is_none() => return Err(Error::busy(path)),
            None => {}
        }
        let config = made(&store)?.unwrap_or_default();
        if !String::from_utf8_lossy(&config).contains("objectFormat = sha256") {
            let what = path.join("config").display().to_string();
            return Err(Error::damaged(what, "not a repository of SHA-256"));
        }
        store.load()?;
        Ok(store)
    }

    /// Always the same, and nothing that anybody knows who does not see the repository.
    pub(super) fn key(&self) -> &[u8] {
        &self.key
    }

    fn make(&self) -> Result<()> {
        for name in [
            "objects",
            "objects/info",
            "objects/pack",
            "refs",
            "refs/heads",
            REFS,
        ] {
            files::directory(&self.path.join(name))?;
        }
        let temporary = self.path.join(TEMPORARY_REF);
        files::replace(
            &self.path.join("HEAD"),
            &temporary,
            b"ref: refs/heads/main\n",
        )?;
        // With it, the repository is complete.
        files::replace(&self.path.join("config"), &temporary, CONFIG.as_bytes())?;
        files::sync(&self.path)
    }

    fn sweep(&self) -> Result<()> {
        for name in [TEMPORARY_REF, TEMPORARY_SHALLOW] {
            files::remove(&self.path.join(name))?;
        }
        let packs = self.packs_directory();
        PackWriter::sweep(&packs)?;
        for name in names(&packs)? {
            let pack = packs.join(&name);
            // Its index would have come next, and then a ref.
            if name.ends_with(".pack") && !pack.with_extension("idx").exists() {
                files::remove(&pack)?;
            }
        }
        Ok(())
    }

    /// The repository for this process alone, as far as writing goes.
    pub(super) fn lock(&mut self) -> Result<Lock> {
        let mut glances = 0;
        let lock = loop {
            if let Some(lock) = self.try_lock()? {
                break lock;
            }
            self.go_on()?;
            let is_patient = match &self.patience {
                Patience::Short => false,
                Patience::Until(enough) => !enough.load(Ordering::Relaxed),
            };
            match glances {
                GLANCES if is_patient => std::thread::sleep(LOOK),
                GLANCES => return Err(Error::busy(&self.path)),
                _ => {
                    std::thread::sleep(GLANCE);
                    glances += 1;
                }
            }
        };
        self.sweep()?;
        self.load()?;
        Ok(lock)
    }

    fn try_lock(&self) -> Result<Option<Lock>> {
        let path = self.path.join(LOCK);
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(Error::file("create", &path))?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Lock { file })),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(errno) => Err(Error::file("lock", &path)(errno)),
        }
    }

    pub(super) fn stop_by(&mut self, stop: Arc<AtomicBool>) {
        self.stop = stop;
    }

    pub(super) fn wait_for_others(&mut self, patience: Patience) {
        self.patience = patience;
    }

    /// An error as soon as somebody wants it to end.
    pub(super) fn go_on(&self) -> Result<()> {
        match self.stop.load(Ordering::Relaxed) {
            true => Err(Error::interrupted()),
            false => Ok(()),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn packs_directory(&self) -> PathBuf {
        self.path.join("objects/pack")
    }

    pub(super) fn packs(&self) -> &[Pack] {
        &self.packs
    }

    /// The checksums of all packs.
    pub(super) fn sums(&self) -> Vec<ObjectId> {
        self.packs.iter().map(Pack::sum).collect()
    }

    /// Opens packs that came since, and forgets those that are gone.
    ///
    /// Whoever drops checkpoints moves objects on to other packs meanwhile.
    pub(super) fn load(&mut self) -> Result<()> {
        for _ in 0..LOOKS {
            match self.look() {
                Err(error) if error.is_not_found() => {}
                other => return other,
            }
        }
        self.look()
    }

    fn look(&mut self) -> Result<()> {
        let directory = self.packs_directory();
        let names = names(&directory)?;
        let here = |pack: &Pack| {
            let name = pack.path().file_name().and_then(|name| name.to_str());
            names.iter().any(|other| Some(other.as_str()) == name)
        };
        self.packs.retain(here);
        for name in names.iter().filter(|name| name.ends_with(".idx")) {
            let path = directory.join(name);
            let pack = path.with_extension("pack");
            if self.packs.iter().all(|known| known.path() != pack) {
                self.packs.push(Pack::open(&path)?);
            }
        }
        self.packs.sort_by_key(|pack| std::cmp::Reverse(pack.len()));
        Ok(())
    }

    /// Adds a pack that was just written.
    pub(super) fn add_pack(&mut self, index: &Path) -> Result<()> {
        self.packs.push(Pack::open(index)?);
        self.packs.sort_by_key(|pack| std::cmp::Reverse(pack.len()));
        Ok(())
    }

    pub(super) fn contains(&self, id: &ObjectId) -> bool {
        self.packs.iter().any(|pack| pack.find(id).is_some())
    }

    /// Starts to read an object, which has to be of that kind.
    pub(super) fn object(&self, id: ObjectId, kind: Kind) -> Result<Object<'_>> {
        let found = self
            .packs
            .iter()
            .find_map(|pack| pack.find(&id).map(|offset| (pack, offset)));
        let (pack, offset) = found.ok_or_else(|| Error::missing(id))?;
        let object = pack.object(id, offset)?;
        if object.kind() != kind {
            return Err(Error::damaged(format!("object {id}"), "of another kind"));
        }
        Ok(object)
    }

    pub(super) fn read(&self, id: ObjectId, kind: Kind, limit: u64) -> Result<Vec<u8>> {
        self.object(id, kind)?.read_all(limit)
    }

    /// The commits of a series by number.
    pub(super) fn refs(&self, series: &Series) -> Result<Vec<(u32, ObjectId)>> {
        let directory = self.path.join(REFS).join(series.as_str());
        let mut refs = Vec::new();
        for name in names(&directory)? {
            let path = directory.join(&name);
            let damaged = |why| Error::damaged(path.display().to_string(), why);
            let number = name.parse().map_err(|_| damaged("its name is no number"))?;
            let Some(content) = files::read(&path, 1024)? else {
                continue;
            };
            let id = content.strip_suffix(b"\n").and_then(ObjectId::from_hex);
            refs.push((number, id.ok_or_else(|| damaged("it holds no id"))?));
            if refs.len() > MAX_REFS {
                return Err(Error::limit("the number of checkpoints", MAX_REFS as u64));
            }
        }
        refs.sort_unstable();
        Ok(refs)
    }

    /// The names of all series.
    pub(super) fn series(&self) -> Result<Vec<Series>> {
        let names = names(&self.path.join(REFS))?;
        names.iter().map(|name| Series::new(name)).collect()
    }

    /// Forgets checkpoints, and a series without any.
    pub(super) fn remove_refs(&self, series: &Series, numbers: &BTreeSet<u32>) -> Result<()> {
        let directory = self.path.join(REFS).join(series.as_str());
        for number in numbers {
            files::remove(&directory.join(number.to_string()))?;
        }
        match std::fs::remove_dir(&directory) {
            Ok(()) => files::sync(&self.path.join(REFS)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(_) => files::sync(&directory),
        }
    }

    /// Makes a checkpoint known; with this it is there.
    pub(super) fn write_ref(&self, series: &Series, number: u32, id: ObjectId) -> Result<()> {
        let directory = self.path.join(REFS).join(series.as_str());
        files::directory(&directory)?;
        let temporary = self.path.join(TEMPORARY_REF);
        let content = format!("{id}\n");
        files::replace(
            &directory.join(number.to_string()),
            &temporary,
            content.as_bytes(),
        )?;
        files::sync(&directory)?;
        files::sync(&self.path.join(REFS))
    }
}

/// The names in a directory of ours; none if it is not there.
/// Of a directory that is out of an agent's sight, and the moment it was made.
fn key(found: &Metadata) -> [u8; ID] {
    let made = found.created().ok();
    let made = made.and_then(|made| made.duration_since(UNIX_EPOCH).ok());
    let made = made.unwrap_or_default().as_nanos().to_be_bytes();
    let (device, inode) = (found.dev().to_be_bytes(), found.ino().to_be_bytes());
    checksum(&[device.as_slice(), &inode, &made].concat())
}

fn names(directory: &Path) -> Result<Vec<String>> {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::file("read", directory)(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(Error::file("read", directory))?;
        // What is not ours is not read.
        if let Ok(name) = entry.file_name().into_string() {
            names.push(name);
        }
    }
    Ok(names)
}

//! The home of a run's agent: a volume that outlasts the lives of its container, and goes with it. Programs, logins and
//! caches that the agent puts there are there in its next life, and are not memory of it.

use std::collections::BTreeMap;

use super::plan::HOME;
use crate::libpod::{Client, Container, ContainerSpec, NamedVolume, Result, Volume, VolumeSpec};

const PREFIX: &str = "stockade-home-";
/// Only who makes volumes can write it: no image can, and nothing in a sandbox.
const LABEL: &str = "io.stockade.home";

/// A volume's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home(String);

impl Home {
    /// That of a run, by the run's identifier.
    pub fn of_run(id: &str) -> Self {
        Self(format!("{PREFIX}{id}"))
    }

    /// That of a container which is about to be made; [`Self::make`] has to be called before.
    pub fn asked(spec: &ContainerSpec) -> Option<Self> {
        let at_home = |volume: &&NamedVolume| volume.dest == HOME;
        let volume = spec.volumes.iter().find(at_home)?;
        Self::named(&volume.name)
    }

    /// That of a container which is there.
    pub fn of(container: &Container) -> Option<Self> {
        let mut mounts = container.mounts.iter();
        let mount = mounts.find(|mount| mount.kind == "volume" && mount.destination == HOME)?;
        Self::named(&mount.name)
    }

    /// Those that are there, by the label alone.
    ///
    /// # Errors
    /// As [`Client::list_volumes`].
    pub async fn all(client: &Client) -> Result<Vec<(Self, Volume)>> {
        let filters = BTreeMap::from([("label".to_owned(), vec![LABEL.to_owned()])]);
        let volumes = client.list_volumes(&filters).await?;
        let homes = volumes.into_iter();
        let homes = homes.filter_map(|volume| Some((Self::named(&volume.name)?, volume)));
        Ok(homes.collect())
    }

    /// The volume's name.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// The identifier of the run that it is made for.
    pub fn run(&self) -> &str {
        self.0.strip_prefix(PREFIX).unwrap_or_default()
    }

    fn named(name: &str) -> Option<Self> {
        name.starts_with(PREFIX).then(|| Self(name.to_owned()))
    }

    /// How it is mounted. What the image has there is not copied into it: it would keep its owner, who is not the user.
    /// Programs may be started from there.
    pub(super) fn mount(&self) -> NamedVolume {
        NamedVolume {
            name: self.0.clone(),
            dest: HOME.to_owned(),
            options: ["rw", "nosuid", "nodev", "exec", "U", "nocopy"]
                .map(str::to_owned)
                .to_vec(),
            is_anonymous: false,
        }
    }

    /// Makes the volume, with the labels by which we know it again when nobody removes it with its container.
    ///
    /// # Errors
    /// As [`Client::create_volume`]; there is one of this name.
    pub async fn make(&self, client: &Client, mut labels: BTreeMap<String, String>) -> Result<()> {
        labels.insert(LABEL.to_owned(), self.0.clone());
        // 4.3 gives a volume the owner that the image's directory has, in spite of `U`; one that has an owner keeps it
        // until then. The owner is one in the service's own user namespace.
        let options = [("o".to_owned(), "uid=0,gid=0".to_owned())];
        let spec = VolumeSpec {
            name: self.0.clone(),
            labels,
            options: BTreeMap::from(options),
        };
        client.create_volume(&spec).await.map(drop)
    }

    /// Removes the volume, if it is there and was made by [`Self::make`].
    ///
    /// # Errors
    /// A container uses it still.
    pub async fn remove(&self, client: &Client) -> Result<()> {
        let volume = match client.inspect_volume(&self.0).await {
            Ok(volume) => volume,
            Err(error) if error.is_not_found() => return Ok(()),
            Err(error) => return Err(error),
        };
        if volume.labels.get(LABEL) != Some(&self.0) {
            return Ok(());
        }
        match client.remove_volume(&self.0).await {
            Err(error) if error.is_not_found() => Ok(()),
            removed => removed,
        }
    }
}

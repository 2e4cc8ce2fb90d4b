//! A prepared container, looked at before its first instruction: is it what was asked for?

use std::path::{Path, PathBuf};

use super::asked::Asked;
use super::enforcement::{ContainerProcess, LimitCheck, own_cgroups, verify};
use super::forbidden::{Forbidden, ForbiddenPath, ForbiddenPaths};
use super::host_path::HostPath;
use super::lifecycle::Sandbox;
use super::name::GuestPath;
use super::plan::{BindSource, Plan};
use super::proc_files::KernelFiles;
use super::read_back::{Inspected, InspectedBind, Mismatch, compare};
use crate::libpod::{Container, Result};

/// What was found.
#[derive(Debug, Clone)]
pub struct Verification {
    /// Every limit, and whether it is in force.
    pub limits: Vec<LimitCheck>,
    /// Where the container is less closed than it was asked to be: it must not start.
    pub mismatches: Vec<Mismatch>,
    /// Env files in the workspace that can be read in the container after all.
    pub unmasked: Vec<GuestPath>,
    /// Mounts whose source was replaced after it had been checked.
    pub replaced: Vec<BindSource>,
    /// Mounts that come too near to where this service keeps its containers.
    pub forbidden: Vec<ForbiddenPath>,
    /// The directories of its cgroups; none where they cannot be told.
    pub cgroups: Vec<PathBuf>,
}

impl Sandbox {
    /// Compares the container with its plan. To be asked when it is prepared (after attach) and
    /// before it is started.
    ///
    /// What is mounted can only be compared where the service's processes can be seen; that the
    /// path still leads to what was checked, everywhere.
    ///
    /// # Errors
    /// The service does not describe the container.
    pub async fn verify(&self, plan: &Plan, files: &KernelFiles) -> Result<Verification> {
        let container = self.inspect().await?;
        let state = &container.state;
        let process = ContainerProcess {
            id: container.id.as_str(),
            pid: state.pid,
            conmon_pid: state.conmon_pid,
        };
        let visible = process.is_visible(files);
        let unmasked = if visible {
            // What cannot be looked at counts as open.
            (files.unmasked(state.pid, &plan.masks)).unwrap_or_else(|_| plan.masks.clone())
        } else {
            Vec::new()
        };
        let other = |bind: &&BindSource| {
            unchanged(&bind.path, bind.target.as_str()).as_ref() != Some(*bind)
        };
        let replaced = |bind: &&BindSource| {
            other(bind) || visible && matches!(files.is_mounted(state.pid, bind), Ok(false))
        };
        // What is mounted with a throw-away layer is the layer.
        let sources = plan.binds.iter().chain(&plan.layers);
        let forbidden = sources.filter_map(|bind| near_storage(&container, bind));
        let replaced = (plan.binds.iter().filter(replaced)).chain(plan.layers.iter().filter(other));
        Ok(Verification {
            limits: verify(&plan.limits, &process, files),
            mismatches: compare(plan, &inspected(&container)),
            unmasked,
            replaced: replaced.cloned().collect(),
            forbidden: forbidden.collect(),
            cgroups: own_cgroups(&process, files),
        })
    }
}

impl Sandbox {
    /// Whether user 0 in a prepared container is the caller, and its group one of theirs; `None` where the service's
    /// processes cannot be seen.
    ///
    /// # Errors
    /// The service does not describe the container.
    pub async fn root_is_caller(&self, files: &KernelFiles) -> Result<Option<bool>> {
        let container = self.inspect().await?;
        let process = ContainerProcess {
            id: container.id.as_str(),
            pid: container.state.pid,
            conmon_pid: container.state.conmon_pid,
        };
        let us = rustix::process::geteuid().as_raw();
        let own = rustix::process::getegid();
        let others = rustix::process::getgroups().unwrap_or_default();
        let groups: Vec<u32> = others
            .into_iter()
            .chain([own])
            .map(|g| g.as_raw())
            .collect();
        let root = files.root_outside(container.state.pid);
        let is_caller =
            matches!(root, Ok(Some((user, group))) if user == us && groups.contains(&group));
        Ok(process.is_visible(files).then_some(is_caller))
    }
}

/// What was found of a container that is prepared for another life.
#[derive(Debug, Clone)]
pub struct Reverification {
    /// Bind mounts whose source is no longer the host file that it was.
    pub changed: Vec<PathBuf>,
    /// Every limit that was asked for when it was made, and whether it is in force now.
    pub limits: Vec<LimitCheck>,
    /// What was asked for; `None` for a container that does not say, as those of others.
    pub asked: Option<Asked>,
    /// The directories of its cgroups; none where they cannot be told.
    pub cgroups: Vec<PathBuf>,
}

impl Sandbox {
    /// Looks at a container that was made earlier. To be asked when it is prepared, and before it
    /// is started again.
    ///
    /// A mount has changed if on the way to its source a symbolic link has appeared, or another
    /// file was mounted than is there now: the service follows links anew at each start, and an
    /// agent may have made some meanwhile. A source below a throw-away layer (`:O`) is not looked
    /// at.
    ///
    /// # Errors
    /// The service does not describe the container.
    pub async fn verify_again(&self, files: &KernelFiles) -> Result<Reverification> {
        let container = self.inspect().await?;
        let (state, id) = (&container.state, container.id.as_str());
        let process = ContainerProcess {
            id,
            pid: state.pid,
            conmon_pid: state.conmon_pid,
        };
        let visible = process.is_visible(files);
        let layers = format!("/overlay-containers/{id}/");
        let binds = container.mounts.iter().filter(|mount| mount.kind == "bind");
        let changed = binds
            .filter(|mount| !mount.source.contains(&layers))
            .filter(|mount| {
                let Some(bind) = unchanged(Path::new(&mount.source), &mount.destination) else {
                    return true;
                };
                visible && matches!(files.is_mounted(state.pid, &bind), Ok(false))
            });
        let changed = changed.map(|mount| mount.source.clone().into()).collect();
        let asked = Asked::of(&container);
        let limits = asked.map(|asked| verify(&asked.limits(), &process, files));
        Ok(Reverification {
            changed,
            limits: limits.unwrap_or_default(),
            asked,
            cgroups: own_cgroups(&process, files),
        })
    }
}

/// The source as it is now; `None` if there is nothing, or a link on the way to it: when the
/// container was made there was none.
fn unchanged(source: &Path, target: &str) -> Option<BindSource> {
    let real = HostPath::resolve(source, Path::new("/")).ok()?;
    let same = real.check_links([Path::new("/")]).is_ok() && real.path() == source;
    same.then_some(BindSource {
        path: source.to_owned(),
        target: GuestPath::parse(target).ok()?,
        identity: real.identity(),
    })
}

/// A source that is, holds or lies in the service's store, which is told by where it keeps this
/// container: `STORE/overlay-containers/ID/userdata`.
fn near_storage(container: &Container, bind: &BindSource) -> Option<ForbiddenPath> {
    let store = Path::new(&container.static_dir).ancestors().nth(3)?;
    let source = HostPath::resolve(&bind.path, Path::new("/")).ok()?;
    let paths = ForbiddenPaths::none().with(Forbidden::PodmanStorage, store);
    paths.check(&source).err()
}

fn inspected(container: &Container) -> Inspected {
    let host = container.host_config.clone();
    Inspected {
        privileged: host.privileged,
        cap_add: host.cap_add,
        bounding_caps: container.bounding_caps.clone(),
        effective_caps: container.effective_caps.clone(),
        security_opt: host.security_opt,
        readonly_rootfs: host.readonly_rootfs,
        network_mode: host.network_mode,
        userns_mode: host.userns_mode,
        pid_mode: host.pid_mode,
        ipc_mode: host.ipc_mode,
        uts_mode: host.uts_mode,
        cgroup_mode: host.cgroup_mode,
        user: container.config.user.clone(),
        binds: container
            .mounts
            .iter()
            .filter(|mount| mount.kind == "bind")
            .map(|mount| InspectedBind {
                source: mount.source.clone(),
                destination: mount.destination.clone(),
                writable: mount.writable,
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_link_on_the_way_is_a_change() {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().canonicalize().unwrap();
        fs::create_dir_all(base.join("ws/sub/deep")).unwrap();
        let source = base.join("ws/sub/deep");
        assert!(unchanged(&source, "/workspace").is_some());
        fs::rename(base.join("ws/sub"), base.join("ws/moved")).unwrap();
        assert!(unchanged(&source, "/workspace").is_none());
        symlink("moved", base.join("ws/sub")).unwrap();
        assert!(unchanged(&source, "/workspace").is_none());
    }
}

//! A prepared container, looked at before its first instruction: is it what was asked for?

use super::enforcement::{ContainerProcess, LimitCheck, verify};
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
}

impl Sandbox {
    /// Compares the container with its plan. To be asked when it is prepared (after attach) and
    /// before it is started.
    ///
    /// Mounts are only compared where the service's processes can be seen; elsewhere the paths are
    /// another machine's.
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
            files.unmasked(state.pid, &plan.masks).unwrap_or_default()
        } else {
            Vec::new()
        };
        let replaced =
            |bind: &&BindSource| visible && matches!(files.is_mounted(state.pid, bind), Ok(false));
        Ok(Verification {
            limits: verify(&plan.limits, &process, files),
            mismatches: compare(plan, &inspected(&container)),
            unmasked,
            replaced: plan.binds.iter().filter(replaced).cloned().collect(),
        })
    }
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

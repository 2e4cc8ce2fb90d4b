//! What the service says it made, against what was asked: a service that is too old drops fields it
//! does not know in silence. Pure; limits are not compared, since inspect repeats even those that
//! nothing enforces.

use std::fmt;

use super::plan::Plan;
use crate::libpod::ContainerSpec;

/// What inspect says, as plain values (`GET /libpod/containers/{id}/json`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inspected {
    /// `HostConfig.Privileged`.
    pub privileged: bool,
    /// `HostConfig.CapAdd`.
    pub cap_add: Vec<String>,
    /// `BoundingCaps`; null is empty.
    pub bounding_caps: Vec<String>,
    /// `EffectiveCaps`; null is empty.
    pub effective_caps: Vec<String>,
    /// `HostConfig.SecurityOpt`.
    pub security_opt: Vec<String>,
    /// `HostConfig.ReadonlyRootfs`.
    pub readonly_rootfs: bool,
    /// `HostConfig.NetworkMode`.
    pub network_mode: String,
    /// `HostConfig.UsernsMode`; empty where there is no user namespace of its own.
    pub userns_mode: String,
    /// `HostConfig.PidMode`.
    pub pid_mode: String,
    /// `HostConfig.IpcMode`.
    pub ipc_mode: String,
    /// `HostConfig.UTSMode`.
    pub uts_mode: String,
    /// `HostConfig.CgroupMode`.
    pub cgroup_mode: String,
    /// `Config.User`.
    pub user: String,
    /// `Mounts`, the bind mounts among them: source, destination, whether it can be written.
    pub binds: Vec<InspectedBind>,
}

/// A bind mount, as inspect has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InspectedBind {
    /// `Source`.
    pub source: String,
    /// `Destination`.
    pub destination: String,
    /// `RW`.
    pub writable: bool,
}

/// A difference that matters: the container must not be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Inspect's name for it.
    pub field: &'static str,
    /// What was asked for.
    pub asked: String,
    /// What is there.
    pub found: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: asked for {}, found {}",
            self.field, self.asked, self.found
        )
    }
}

/// Every difference between what was asked and what is there. An empty list means that the
/// container is at least as closed as it was asked to be.
#[must_use]
pub fn compare(plan: &Plan, found: &Inspected) -> Vec<Mismatch> {
    let asked = &plan.container;
    let mut mismatches = Vec::new();
    let mut differ = |field, asked: &str, found: &str| {
        mismatches.push(Mismatch {
            field,
            asked: asked.to_owned(),
            found: found.to_owned(),
        });
    };
    let word = |yes: bool| if yes { "true" } else { "false" };
    if found.privileged != asked.privileged {
        differ("Privileged", word(asked.privileged), word(found.privileged));
    }
    if found.readonly_rootfs != asked.read_only_filesystem {
        differ(
            "ReadonlyRootfs",
            word(asked.read_only_filesystem),
            word(found.readonly_rootfs),
        );
    }
    if !asked.privileged && asked.cap_drop.iter().any(|cap| cap == "all") {
        // Null is what every release answers for "none".
        for (field, caps) in [
            ("BoundingCaps", &found.bounding_caps),
            ("EffectiveCaps", &found.effective_caps),
        ] {
            let more = |cap: &&String| !asked.cap_add.iter().any(|added| same_cap(added, cap));
            let more: Vec<&str> = caps.iter().filter(more).map(String::as_str).collect();
            if !more.is_empty() {
                differ(
                    field,
                    &list(asked.cap_add.iter().map(String::as_str)),
                    &list(more),
                );
            }
        }
    }
    let has = |option: &str| found.security_opt.iter().any(|given| given == option);
    if asked.no_new_privileges && !has("no-new-privileges") && !has("no-new-privileges:true") {
        differ(
            "SecurityOpt",
            "no-new-privileges",
            &list(found.security_opt.iter().map(String::as_str)),
        );
    }
    if asked.seccomp_profile_path.is_none() && has("seccomp=unconfined") {
        differ(
            "SecurityOpt",
            "the default seccomp profile",
            "seccomp=unconfined",
        );
    }
    let network = asked.netns.as_ref().map(|ns| ns.nsmode.as_str());
    let found_network = found.network_mode.split(':').next().unwrap_or_default();
    match network {
        Some("none") if found_network != "none" => differ("NetworkMode", "none", found_network),
        Some("host") => {}
        _ if matches!(found_network, "host" | "ns" | "container") => {
            differ(
                "NetworkMode",
                network.unwrap_or("the service's default"),
                found_network,
            );
        }
        _ => {}
    }
    let modes = [
        ("PidMode", &found.pid_mode),
        ("IpcMode", &found.ipc_mode),
        ("UTSMode", &found.uts_mode),
        ("CgroupMode", &found.cgroup_mode),
    ];
    for (field, mode) in modes {
        // A network of the host's own brings the host's name with it.
        let hosts = field == "UTSMode" && network == Some("host");
        if mode == "host" && !hosts {
            differ(field, "private", mode);
        }
    }
    let userns = asked.userns.as_ref().map(|ns| ns.nsmode.as_str());
    if matches!(userns, Some("keep-id" | "no-map"))
        && matches!(found.userns_mode.as_str(), "" | "host")
    {
        differ("UsernsMode", userns.unwrap_or_default(), &found.userns_mode);
    }
    if let Some(user) = asked.user.as_deref().filter(|user| *user != found.user) {
        differ("User", user, &found.user);
    }
    for (asked, found) in binds(asked, &found.binds) {
        differ("Mounts", &asked, &found);
    }
    mismatches
}

/// Every bind mount asked for is there with its source, read-only where asked, and no other is.
fn binds(asked: &ContainerSpec, found: &[InspectedBind]) -> Vec<(String, String)> {
    let shown = |source: &str, target: &str, writable: bool| {
        format!("{source}:{target}:{}", if writable { "rw" } else { "ro" })
    };
    let mut wrong = Vec::new();
    let mounts = || asked.mounts.iter().filter(|mount| mount.kind == "bind");
    for mount in mounts() {
        let writable = !mount.options.iter().any(|option| option == "ro");
        let want = shown(&mount.source, &mount.destination, writable);
        match found
            .iter()
            .find(|bind| bind.destination == mount.destination)
        {
            None => wrong.push((want, "nothing".to_owned())),
            Some(bind) if bind.source != mount.source || bind.writable && !writable => {
                wrong.push((want, shown(&bind.source, &bind.destination, bind.writable)));
            }
            Some(_) => {}
        }
    }
    // A throw-away layer is a bind mount of podman's own directory.
    let layers = || asked.overlay_volumes.iter().map(|layer| &layer.destination);
    for bind in found {
        let wanted = mounts().map(|mount| &mount.destination).chain(layers());
        if !wanted.into_iter().any(|target| *target == bind.destination) {
            let found = shown(&bind.source, &bind.destination, bind.writable);
            wrong.push(("nothing".to_owned(), found));
        }
    }
    wrong
}

fn same_cap(one: &str, other: &str) -> bool {
    let bare = |cap: &str| {
        let upper = cap.to_ascii_uppercase();
        upper
            .strip_prefix("CAP_")
            .map_or(upper.clone(), str::to_owned)
    };
    bare(one) == bare(other)
}

fn list<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<&str> = words.into_iter().collect();
    if words.is_empty() {
        "none".to_owned()
    } else {
        words.join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::libpod::{Mount, Namespace, OverlayVolume};
    use crate::sandbox::limits::LimitsAsked;
    use crate::sandbox::size::ByteSize;
    use crate::sandbox::spec::{PullPolicy, Removal};

    fn asked() -> Plan {
        Plan {
            container: ContainerSpec {
                cap_drop: vec!["all".into()],
                no_new_privileges: true,
                userns: Some(Namespace::new("keep-id")),
                user: Some("1001:1001".into()),
                mounts: vec![Mount {
                    destination: "/workspace".into(),
                    kind: "bind".into(),
                    source: "/home/ann/ws".into(),
                    options: vec!["rw".into()],
                }],
                ..ContainerSpec::default()
            },
            limits: LimitsAsked::default().resolve(ByteSize::new(1 << 33)),
            loosenings: vec![],
            warnings: vec![],
            binds: vec![],
            layers: vec![],
            masks: vec![],
            pull: PullPolicy::Missing,
            removal: Removal::ByUs,
        }
    }

    /// As podman 4.3.1 answers, rootless.
    fn found() -> Inspected {
        Inspected {
            security_opt: vec!["no-new-privileges".into()],
            network_mode: "slirp4netns".into(),
            userns_mode: "private".into(),
            pid_mode: "private".into(),
            ipc_mode: "shareable".into(),
            uts_mode: "private".into(),
            cgroup_mode: "private".into(),
            user: "1001:1001".into(),
            binds: vec![InspectedBind {
                source: "/home/ann/ws".into(),
                destination: "/workspace".into(),
                writable: true,
            }],
            ..Inspected::default()
        }
    }

    #[test]
    fn as_asked() {
        assert_eq!(compare(&asked(), &found()), []);
    }

    #[test]
    fn each_difference_is_found() {
        type Change = fn(&mut Inspected);
        let changes: [(&str, Change); 14] = [
            ("Privileged", |found| found.privileged = true),
            ("BoundingCaps", |found| {
                found.bounding_caps = vec!["CAP_CHOWN".into()];
            }),
            ("EffectiveCaps", |found| {
                found.effective_caps = vec!["CAP_CHOWN".into()];
            }),
            ("SecurityOpt", |found| found.security_opt.clear()),
            ("SecurityOpt", |found| {
                found.security_opt.push("seccomp=unconfined".into());
            }),
            ("NetworkMode", |found| found.network_mode = "host".into()),
            ("UsernsMode", |found| found.userns_mode.clear()),
            ("PidMode", |found| found.pid_mode = "host".into()),
            ("IpcMode", |found| found.ipc_mode = "host".into()),
            ("UTSMode", |found| found.uts_mode = "host".into()),
            ("CgroupMode", |found| found.cgroup_mode = "host".into()),
            ("User", |found| found.user = "0".into()),
            ("Mounts", |found| found.binds[0].source = "/home/ann".into()),
            ("Mounts", |found| found.binds.clear()),
        ];
        for (field, change) in changes {
            let mut found = found();
            change(&mut found);
            let fields: Vec<_> = compare(&asked(), &found).iter().map(|m| m.field).collect();
            assert_eq!(fields, [field]);
        }
    }

    #[test]
    fn closed_is_closed() {
        let mut plan = asked();
        plan.container.netns = Some(Namespace::new("none"));
        plan.container.read_only_filesystem = true;
        plan.container.mounts[0].options = vec!["ro".into()];
        let fields: Vec<_> = compare(&plan, &found()).iter().map(|m| m.field).collect();
        assert_eq!(fields, ["ReadonlyRootfs", "NetworkMode", "Mounts"]);
    }

    #[test]
    fn a_mount_that_nobody_asked_for() {
        let mut plan = asked();
        let target = plan.container.mounts.pop().unwrap().destination;
        assert_eq!(compare(&plan, &found())[0].asked, "nothing");
        let overlay = OverlayVolume {
            destination: target,
            source: "/x".into(),
            options: vec![],
        };
        plan.container.overlay_volumes.push(overlay);
        assert_eq!(compare(&plan, &found()), []);
    }

    #[test]
    fn added_capabilities_are_expected() {
        let mut plan = asked();
        plan.container.cap_add = vec!["CAP_KILL".into()];
        let mut found = found();
        found.bounding_caps = vec!["CAP_KILL".into()];
        assert_eq!(compare(&plan, &found), []);
        found.bounding_caps.push("CAP_SYS_ADMIN".into());
        let mismatches = compare(&plan, &found);
        assert_eq!(
            mismatches[0].to_string(),
            "BoundingCaps: asked for CAP_KILL, found CAP_SYS_ADMIN"
        );
    }
}

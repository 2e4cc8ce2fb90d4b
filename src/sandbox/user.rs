//! Who the agent is inside, and who that is outside.
//!
//! One decision, three outcomes, unless `--userns` decides otherwise:
//!
//! | service | user | is sent |
//! |---|---|---|
//! | rootless | not 0 | `keep-id`: the caller's ids mean the same inside |
//! | rootless | 0 | no user namespace: container root *is* the caller |
//! | rootful | any | the workspace's owner, or what `--user` says |
//!
//! Under `keep-id` the agent has the caller's ids even if the image names a user, as with podman:
//! what it writes in the workspace then belongs to the caller.

use super::Invalid;
use super::host_path::Owner;
use crate::libpod::{AutoUserNsOpts, IdMappings, Namespace};

/// `--user`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserArg(String);

impl UserArg {
    /// Reads `USER[:GROUP]`, each a name or a number.
    ///
    /// # Errors
    /// If a part is empty or has characters that no name has.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let allowed =
            |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '$' | '@');
        let (user, group) = text.split_once(':').unwrap_or((text, "0"));
        for part in [user, group] {
            if part.is_empty() || !part.chars().all(allowed) {
                return Err(Invalid::new("user", text, "it is not USER[:GROUP]"));
            }
        }
        Ok(Self(text.to_owned()))
    }

    /// As given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is user 0.
    #[must_use]
    pub fn is_root(&self) -> bool {
        is_root(&self.0)
    }
}

/// Whether `USER[:GROUP]` is user 0; an image that says nothing means it.
fn is_root(user: &str) -> bool {
    let user = user.split(':').next().unwrap_or_default();
    user.is_empty() || user == "root" || user.parse() == Ok(0_u32)
}

/// `--userns`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserNs {
    /// The caller is this user inside; by default the same ids.
    KeepId {
        /// User inside.
        uid: Option<u32>,
        /// Group inside.
        gid: Option<u32>,
    },
    /// Ids that nobody else has, chosen by the service.
    Auto {
        /// How many.
        size: Option<u32>,
    },
    /// The caller has no id inside (rootless only).
    NoMap,
    /// The service's own.
    Host,
}

impl UserNs {
    /// Reads `keep-id[:uid=N,gid=N]`, `auto[:size=N]`, `nomap` or `host`.
    ///
    /// # Errors
    /// If it is none of these.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let invalid = |why: &str| Invalid::new("user namespace", text, why);
        let (mode, options) = text.split_once(':').unwrap_or((text, ""));
        let (mut uid, mut gid, mut size) = (None, None, None);
        for option in options.split(',').filter(|option| !option.is_empty()) {
            let (key, value) = option.split_once('=').unwrap_or((option, ""));
            let number = value
                .parse()
                .map_err(|_| invalid("an option is not a number"))?;
            match (mode, key) {
                ("keep-id", "uid") => uid = Some(number),
                ("keep-id", "gid") => gid = Some(number),
                ("auto", "size") => size = Some(number),
                _ => return Err(invalid("an option is not known")),
            }
        }
        match mode {
            "keep-id" => Ok(Self::KeepId { uid, gid }),
            "auto" => Ok(Self::Auto { size }),
            "nomap" | "no-map" if options.is_empty() => Ok(Self::NoMap),
            "host" if options.is_empty() => Ok(Self::Host),
            _ => Err(invalid("it is not known")),
        }
    }
}

/// Whether `--as-root` was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Role {
    /// No: an ordinary user, without capabilities.
    #[default]
    User,
    /// Yes: user 0 with the capabilities that a package manager needs.
    Root,
}

/// What was asked of the user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserAsked {
    /// `--user`.
    pub user: Option<UserArg>,
    /// `--userns`.
    pub userns: Option<UserNs>,
    /// `--as-root`.
    pub role: Role,
}

impl UserAsked {
    /// Whether the parts fit each other.
    ///
    /// # Errors
    /// If `--as-root` comes with a user that is not 0.
    pub fn check(&self) -> Result<(), Invalid> {
        match (&self.user, self.role) {
            (Some(user), Role::Root) if !user.is_root() => Err(Invalid::new(
                "user",
                user.as_str(),
                "with --as-root it is 0",
            )),
            _ => Ok(()),
        }
    }
}

/// Whose service it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceOwner {
    /// An ordinary user, with these ids.
    Rootless(Owner),
    /// The host's root.
    Rootful,
}

/// Who the agent is, on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mapping {
    pub(crate) user: Option<String>,
    pub(crate) userns: Option<Namespace>,
    pub(crate) idmappings: Option<IdMappings>,
    pub(crate) root: RootInside,
}

/// What user 0 inside would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RootInside {
    /// The agent is not user 0.
    NotRoot,
    /// The agent is user 0 of a user namespace.
    OfNamespace,
    /// The agent is the host's root.
    OfHost,
}

pub(crate) fn decide(
    asked: &UserAsked,
    service: ServiceOwner,
    workspace: Option<Owner>,
    image_user: &str,
) -> Mapping {
    let user = match (&asked.user, asked.role) {
        (Some(user), _) => Some(user.as_str().to_owned()),
        (None, Role::Root) => Some("0:0".to_owned()),
        (None, Role::User) => None,
    };
    let wants_root = user.as_deref().is_some_and(is_root);
    let userns = match (&asked.userns, service) {
        (Some(userns), _) => userns.clone(),
        (None, ServiceOwner::Rootless(_)) if !wants_root => UserNs::KeepId {
            uid: None,
            gid: None,
        },
        (None, ServiceOwner::Rootless(_) | ServiceOwner::Rootful) => UserNs::Host,
    };
    let ids = |owner: Owner| format!("{}:{}", owner.uid, owner.gid);
    // Whom the image would be run as is only left to it where no id of ours has a meaning.
    let user = user.or_else(|| match (&userns, service) {
        (
            UserNs::KeepId {
                uid: None,
                gid: None,
            },
            ServiceOwner::Rootless(caller),
        ) => Some(ids(caller)),
        (UserNs::Host, ServiceOwner::Rootful) => workspace.map(ids),
        _ => None,
    });
    let (wire, idmappings) = match &userns {
        UserNs::KeepId { uid, gid } => {
            let values = [("uid", uid), ("gid", gid)];
            let values = values
                .iter()
                .filter_map(|(key, id)| id.map(|id| format!("{key}={id}")));
            let value = values.collect::<Vec<_>>().join(",");
            let value = (!value.is_empty()).then_some(value);
            (
                Some(Namespace {
                    nsmode: "keep-id".to_owned(),
                    value,
                }),
                None,
            )
        }
        UserNs::Auto { size } => {
            let opts = AutoUserNsOpts {
                size: size.unwrap_or(0),
            };
            let mappings = IdMappings {
                auto_user_ns: true,
                auto_user_ns_opts: opts,
            };
            (Some(Namespace::new("auto")), Some(mappings))
        }
        UserNs::NoMap => (Some(Namespace::new("no-map")), None),
        UserNs::Host => (asked.userns.is_some().then(|| Namespace::new("host")), None),
    };
    let is_root = match &user {
        Some(user) => is_root(user),
        None => !matches!(userns, UserNs::KeepId { .. }) && is_root(image_user),
    };
    let root = match (is_root, service, &userns) {
        (false, _, _) => RootInside::NotRoot,
        (true, ServiceOwner::Rootful, UserNs::Host | UserNs::KeepId { .. }) => RootInside::OfHost,
        (true, _, _) => RootInside::OfNamespace,
    };
    Mapping {
        user,
        userns: wire,
        idmappings,
        root,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALLER: Owner = Owner {
        uid: 1001,
        gid: 1002,
    };
    const ROOTLESS: ServiceOwner = ServiceOwner::Rootless(CALLER);

    fn asked(user: Option<&str>, userns: Option<&str>, role: Role) -> UserAsked {
        UserAsked {
            user: user.map(|text| UserArg::parse(text).unwrap()),
            userns: userns.map(|text| UserNs::parse(text).unwrap()),
            role,
        }
    }

    #[track_caller]
    fn check(
        asked: &UserAsked,
        service: ServiceOwner,
        user: Option<&str>,
        userns: Option<(&str, Option<&str>)>,
        root: RootInside,
    ) {
        let mapping = decide(asked, service, Some(Owner { uid: 7, gid: 8 }), "app");
        assert_eq!(mapping.user.as_deref(), user);
        let seen = mapping
            .userns
            .as_ref()
            .map(|ns| (ns.nsmode.as_str(), ns.value.as_deref()));
        assert_eq!(seen, userns);
        assert_eq!(mapping.root, root);
    }

    #[test]
    fn three_outcomes() {
        use RootInside::{NotRoot, OfHost, OfNamespace};
        let keep = Some(("keep-id", None));
        let plain = asked(None, None, Role::User);
        check(&plain, ROOTLESS, Some("1001:1002"), keep, NotRoot);
        check(&plain, ServiceOwner::Rootful, Some("7:8"), None, NotRoot);
        check(
            &asked(Some("app"), None, Role::User),
            ROOTLESS,
            Some("app"),
            keep,
            NotRoot,
        );
        for root in ["0", "root", "00", "0:5"] {
            check(
                &asked(Some(root), None, Role::User),
                ROOTLESS,
                Some(root),
                None,
                OfNamespace,
            );
        }
        let as_root = asked(None, None, Role::Root);
        check(&as_root, ROOTLESS, Some("0:0"), None, OfNamespace);
        check(&as_root, ServiceOwner::Rootful, Some("0:0"), None, OfHost);
        let rootful = decide(
            &plain,
            ServiceOwner::Rootful,
            Some(Owner { uid: 0, gid: 0 }),
            "",
        );
        assert_eq!(rootful.root, OfHost);
    }

    #[test]
    fn asked_namespaces() {
        use RootInside::NotRoot;
        let ns = |text| asked(None, Some(text), Role::User);
        let keep = Some(("keep-id", Some("uid=5,gid=6")));
        check(&ns("keep-id:uid=5,gid=6"), ROOTLESS, None, keep, NotRoot);
        check(&ns("auto"), ROOTLESS, None, Some(("auto", None)), NotRoot);
        check(
            &ns("nomap"),
            ROOTLESS,
            None,
            Some(("no-map", None)),
            NotRoot,
        );
        check(&ns("host"), ROOTLESS, None, Some(("host", None)), NotRoot);
        let auto = decide(&ns("auto:size=5"), ROOTLESS, None, "")
            .idmappings
            .unwrap();
        assert!(auto.auto_user_ns);
        assert_eq!(auto.auto_user_ns_opts.size, 5);
        for text in [
            "",
            "x",
            "keep-id:size=1",
            "keep-id:uid",
            "host:x=1",
            "auto:uid=1",
            "container:x",
        ] {
            assert!(UserNs::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn users() {
        assert!(UserArg::parse("root").unwrap().is_root());
        assert!(!UserArg::parse("rooter").unwrap().is_root());
        for text in ["", ":", "a:", ":b", "a b", "a:b:c", "a\n"] {
            assert!(UserArg::parse(text).is_err(), "{text:?}");
        }
        assert!(asked(Some("5"), None, Role::Root).check().is_err());
        assert!(asked(Some("0"), None, Role::Root).check().is_ok());
    }
}

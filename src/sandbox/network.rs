//! What the sandbox reaches, and who reaches it.

use std::fmt;
use std::net::IpAddr;

use super::Invalid;
use super::name::check_name;
use crate::libpod::PortMapping;

/// How the sandbox is connected.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum NetworkMode {
    /// Loopback only.
    None,
    /// The service's default: a network of its own, never the host's namespace.
    #[default]
    Full,
    /// The host's own namespace: a loosening.
    Host,
    /// slirp4netns with options; 4.3 to 5.x.
    Slirp4netns(Vec<String>),
    /// pasta with options; 4.4 and later.
    Pasta(Vec<String>),
    /// The service's default bridge.
    Bridge,
    /// A network by name.
    Named(String),
}

impl fmt::Display for NetworkMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Full => "full",
            Self::Host => "host",
            Self::Slirp4netns(_) => "slirp4netns",
            Self::Pasta(_) => "pasta",
            Self::Bridge => "bridge",
            Self::Named(name) => name,
        })
    }
}

impl NetworkMode {
    /// Reads `none`, `full`, `host`, podman's `private`, `bridge`, `slirp4netns[:OPTIONS]`,
    /// `pasta[:OPTIONS]`, or a network's name.
    ///
    /// # Errors
    /// If it is no name, or joins another namespace (`container:`, `ns:`, `pod:`).
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let (word, options) = text.split_once(':').unwrap_or((text, ""));
        let options: Vec<String> = options
            .split(',')
            .filter(|option| !option.is_empty())
            .map(str::to_owned)
            .collect();
        match word {
            "slirp4netns" => Ok(Self::Slirp4netns(options)),
            "pasta" => Ok(Self::Pasta(options)),
            "container" | "ns" | "pod" => Err(Invalid::new(
                "network",
                text,
                "a sandbox joins no other's namespace",
            )),
            _ => match text {
                "none" => Ok(Self::None),
                "full" | "private" | "default" => Ok(Self::Full),
                "host" => Ok(Self::Host),
                "bridge" => Ok(Self::Bridge),
                name => {
                    check_name("network", name)?;
                    Ok(Self::Named(name.to_owned()))
                }
            },
        }
    }
}

/// A published port or range of ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish {
    /// The host's address; `None` for all.
    pub address: Option<IpAddr>,
    /// The first port on the host; `None` lets the service choose.
    pub host: Option<u16>,
    /// The first port inside.
    pub guest: u16,
    /// How many ports.
    pub count: u16,
    /// `tcp`, `udp` or `sctp`.
    pub protocol: &'static str,
}

impl Publish {
    /// Reads `[[ADDRESS:][HOST]:]GUEST[/PROTOCOL]`; both ports may be ranges of one length.
    ///
    /// # Errors
    /// If a part is malformed, or the ranges differ in length.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let invalid = |why: &str| Invalid::new("published port", text, why);
        let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        let protocol = ["tcp", "udp", "sctp"]
            .into_iter()
            .find(|known| *known == protocol.to_ascii_lowercase())
            .ok_or_else(|| invalid("the protocol is not known"))?;
        let (front, guest) = match ports.rsplit_once(':') {
            Some((front, guest)) => (Some(front), guest),
            None => (None, ports),
        };
        let (address, host) = match front {
            None => (None, ""),
            Some(front) => match front.rsplit_once(':') {
                Some((address, host)) => (Some(address), host),
                None => (None, front),
            },
        };
        let address = match address {
            None | Some("") => None,
            Some(address) => {
                let bare = address
                    .strip_prefix('[')
                    .and_then(|rest| rest.strip_suffix(']'));
                let address = bare.unwrap_or(address).parse();
                Some(address.map_err(|_| invalid("the host's address is not an IP address"))?)
            }
        };
        let range = |ports| range(ports).ok_or_else(|| invalid("a port is not 1 to 65535"));
        let (guest, count) = range(guest)?;
        let host = match host {
            "" => None,
            "0" => None,
            host => match range(host)? {
                (first, length) if length == count => Some(first),
                _ => return Err(invalid("the ranges differ in length")),
            },
        };
        Ok(Self {
            address,
            host,
            guest,
            count,
            protocol,
        })
    }

    /// As podman writes it: `127.0.0.1:8080:80/tcp`, a range by its first ports.
    pub(crate) fn shown(&self) -> String {
        let address = match self.address {
            Some(IpAddr::V6(address)) => format!("[{address}]"),
            Some(IpAddr::V4(address)) => address.to_string(),
            None => "0.0.0.0".to_owned(),
        };
        let host = self.host.map(|host| host.to_string()).unwrap_or_default();
        let more = if self.count > 1 {
            format!(" and {} more", self.count - 1)
        } else {
            String::new()
        };
        format!("{address}:{host}:{}/{}{more}", self.guest, self.protocol)
    }

    pub(crate) fn wire(&self) -> PortMapping {
        PortMapping {
            host_ip: self
                .address
                .map(|address| address.to_string())
                .unwrap_or_default(),
            container_port: self.guest,
            host_port: self.host.unwrap_or(0),
            range: self.count,
            protocol: self.protocol.to_owned(),
        }
    }
}

/// The first port and how many.
fn range(text: &str) -> Option<(u16, u16)> {
    let port = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| text.parse().ok())
            .flatten()
    };
    let (first, last) = match text.split_once('-') {
        Some((first, last)) => (port(first)?, port(last)?),
        None => (port(text)?, port(text)?),
    };
    if first == 0 || last < first {
        return None;
    }
    Some((first, (last - first).checked_add(1)?))
}

/// An extra line for `/etc/hosts`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostEntry {
    name: String,
    address: String,
}

impl HostEntry {
    /// Reads `NAME:ADDRESS`; the address may be podman's word `host-gateway`.
    ///
    /// # Errors
    /// If there is no name, or the address is none.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let invalid = |why: &str| Invalid::new("host entry", text, why);
        let (name, address) = text
            .split_once(':')
            .ok_or_else(|| invalid("it has no address"))?;
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
        if name.is_empty() || !name.chars().all(allowed) {
            return Err(invalid("the name will not do"));
        }
        let bare = address
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        let address = match bare.unwrap_or(address) {
            "host-gateway" => "host-gateway".to_owned(),
            address => match address.parse::<IpAddr>() {
                Ok(address) => address.to_string(),
                Err(_) => return Err(invalid("the address is not an IP address")),
            },
        };
        Ok(Self {
            name: name.to_owned(),
            address,
        })
    }

    pub(crate) fn wire(&self) -> String {
        format!("{}:{}", self.name, self.address)
    }
}

/// Reads `--dns`.
///
/// # Errors
/// If it is not an IP address.
pub fn parse_dns(text: &str) -> Result<IpAddr, Invalid> {
    text.parse()
        .map_err(|_| Invalid::new("DNS server", text, "it is not an IP address"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes() {
        assert_eq!(NetworkMode::parse("none"), Ok(NetworkMode::None));
        assert_eq!(NetworkMode::parse("private"), Ok(NetworkMode::Full));
        assert_eq!(
            NetworkMode::parse("my-net"),
            Ok(NetworkMode::Named("my-net".into()))
        );
        assert_eq!(
            NetworkMode::parse("slirp4netns:mtu=1500,cidr=10.0.3.0/24"),
            Ok(NetworkMode::Slirp4netns(vec![
                "mtu=1500".into(),
                "cidr=10.0.3.0/24".into()
            ]))
        );
        for text in [
            "",
            "container:x",
            "ns:/proc/1/ns/net",
            "pod:x",
            "a b",
            "none:x",
            "host:x",
        ] {
            assert!(NetworkMode::parse(text).is_err(), "{text}");
        }
    }

    #[track_caller]
    fn published(text: &str, address: &str, host: u16, guest: u16, count: u16, protocol: &str) {
        let wire = Publish::parse(text).unwrap().wire();
        let seen = (
            wire.host_ip,
            wire.host_port,
            wire.container_port,
            wire.range,
            wire.protocol,
        );
        assert_eq!(
            seen,
            (address.to_owned(), host, guest, count, protocol.to_owned()),
            "{text}"
        );
    }

    #[test]
    fn publish() {
        published("80", "", 0, 80, 1, "tcp");
        published("8080:80", "", 8080, 80, 1, "tcp");
        published("127.0.0.1:8080:80/udp", "127.0.0.1", 8080, 80, 1, "udp");
        published("127.0.0.1::80", "127.0.0.1", 0, 80, 1, "tcp");
        published("[::1]:8080:80", "::1", 8080, 80, 1, "tcp");
        published("8000-8010:9000-9010", "", 8000, 9000, 11, "tcp");
        for text in [
            "", ":", "a", "80/icmp", "0", "65536", "8080:0", "1-2:1-3", "3-2:3-2", "x:1:1", "+1:1",
            "1:+1", "80-", "-80",
        ] {
            assert!(Publish::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn hosts_and_dns() {
        assert_eq!(
            HostEntry::parse("db:10.0.0.2").unwrap().wire(),
            "db:10.0.0.2"
        );
        assert_eq!(HostEntry::parse("six:::1").unwrap().wire(), "six:::1");
        assert_eq!(
            HostEntry::parse("h:host-gateway").unwrap().wire(),
            "h:host-gateway"
        );
        for text in [
            "",
            "db",
            ":1.1.1.1",
            "a b:1.1.1.1",
            "db:nope",
            "a\n:1.1.1.1",
        ] {
            assert!(HostEntry::parse(text).is_err(), "{text}");
        }
        assert!(parse_dns("1.1.1.1").is_ok());
        assert!(parse_dns("none").is_err());
    }
}

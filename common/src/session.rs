//! What a consent may allow in a session.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

words! {
    /// A way into a device. What is not named is refused.
    pub enum Door {
        /// An interactive terminal.
        Shell = "shell",
        /// One command at a time: `ssh NE command`, `scp -O`, `rsync`.
        Exec = "exec",
        /// SFTP that can't write by any operation.
        SftpRead = "sftp-read",
        SftpWrite = "sftp-write",
        /// `ssh -L` and `-D`, to the addresses that the consent names: `forward:HOST:PORT`.
        Forward = "forward",
    }
}

words! {
    /// Whom a consent lets in.
    pub enum Grade {
        /// One engineer's key.
        EndToEnd = "end-to-end",
        /// Any engineer of the roster from a level on, under a standing statement; each entry needs that engineer's own request.
        Role = "role",
        /// The centre's gateway, on behalf of one engineer, for this consent: the centre could act in this session.
        Gateway = "gateway",
    }
}

/// Where a forward may lead: a host as the device resolves it, and a port. Written `10.0.0.5:443`, `[2001:db8::5]:443`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    pub host: String,
    pub port: u16,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadTarget {
    #[error("`{}` is not a place that a forward can lead to: expected HOST:PORT, like 10.0.0.5:443", crate::printable::escape(.0))]
    Form(String),
    #[error("`{0}` leads to the device's own SSH: a forward never goes there")]
    OwnSsh(String),
}

/// An address of the device itself, whatever the device is.
pub fn is_loopback(host: &str) -> bool {
    match host.parse::<IpAddr>() {
        Ok(ip) => {
            let ip = ip.to_canonical();
            ip.is_loopback() || ip.is_unspecified()
        }
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

impl FromStr for Target {
    type Err = BadTarget;
    fn from_str(text: &str) -> Result<Self, BadTarget> {
        let form = || BadTarget::Form(text.chars().take(64).collect());
        let (host, port) = text.rsplit_once(':').ok_or_else(form)?;
        let port: u16 = port.parse().ok().filter(|port| *port != 0 && !text.ends_with(&format!(":0{port}"))).ok_or_else(form)?;
        let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(v6) => v6.parse::<std::net::Ipv6Addr>().map_err(|_| form())?.to_string(),
            None => host.to_ascii_lowercase(),
        };
        let name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        let named = !host.is_empty() && host.len() <= 253 && !host.starts_with('-') && host.chars().all(name);
        if !named && host.parse::<std::net::Ipv6Addr>().is_err() {
            return Err(form());
        }
        if port == 22 && is_loopback(&host) {
            return Err(BadTarget::OwnSsh(text.to_owned()));
        }
        Ok(Self { host, port })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

/// A set of doors, written `shell,exec,sftp-read,forward:10.0.0.5:443`; never empty.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Doors {
    doors: BTreeSet<Door>,
    /// Where forwards may lead; [`Door::Forward`] is among the doors when there is one.
    targets: BTreeSet<Target>,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadDoors {
    #[error("no door is named: expected a list like `shell,exec,sftp-read`")]
    Empty,
    #[error("`forward` needs a place: expected forward:HOST:PORT")]
    NoTarget,
    #[error("at most {MAX_TARGETS} forwards can be named")]
    TooMany,
    #[error(transparent)]
    Target(#[from] BadTarget),
    #[error(transparent)]
    Unknown(#[from] crate::error::UnknownWord),
}

const MAX_TARGETS: usize = 16;

impl Doors {
    pub fn has(&self, door: Door) -> bool {
        self.doors.contains(&door)
    }

    pub fn targets(&self) -> &BTreeSet<Target> {
        &self.targets
    }

    pub fn is_within(&self, other: &Self) -> bool {
        self.doors.is_subset(&other.doors) && self.targets.is_subset(&other.targets)
    }

    /// What both allow; `None` when that is nothing.
    pub fn both(&self, other: &Self) -> Option<Self> {
        let targets: BTreeSet<_> = self.targets.intersection(&other.targets).cloned().collect();
        let common = self.doors.intersection(&other.doors).copied();
        let doors: BTreeSet<_> = common.filter(|door| *door != Door::Forward || !targets.is_empty()).collect();
        (!doors.is_empty()).then_some(Self { doors, targets })
    }

    /// Doors without forwards.
    pub fn new(doors: impl IntoIterator<Item = Door>) -> Result<Self, BadDoors> {
        Self::with_forwards(doors, [])
    }

    pub fn with_forwards(doors: impl IntoIterator<Item = Door>, targets: impl IntoIterator<Item = Target>) -> Result<Self, BadDoors> {
        let (mut doors, targets): (BTreeSet<_>, BTreeSet<_>) = (doors.into_iter().collect(), targets.into_iter().collect());
        if doors.contains(&Door::Forward) && targets.is_empty() {
            return Err(BadDoors::NoTarget);
        }
        if targets.len() > MAX_TARGETS {
            return Err(BadDoors::TooMany);
        }
        if !targets.is_empty() {
            doors.insert(Door::Forward);
        }
        if doors.is_empty() { Err(BadDoors::Empty) } else { Ok(Self { doors, targets }) }
    }
}

impl fmt::Display for Doors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = self.doors.iter().filter(|door| **door != Door::Forward).map(ToString::to_string);
        let forwards = self.targets.iter().map(|target| format!("{}:{target}", Door::Forward));
        f.pad(&plain.chain(forwards).collect::<Vec<_>>().join(","))
    }
}

impl FromStr for Doors {
    type Err = BadDoors;
    fn from_str(text: &str) -> Result<Self, BadDoors> {
        let (mut doors, mut targets) = (Vec::new(), Vec::new());
        for word in text.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            match word.strip_prefix("forward:") {
                Some(target) => targets.push(target.parse()?),
                None => doors.push(word.parse()?),
            }
        }
        Self::with_forwards(doors, targets)
    }
}

crate::travels_as_text!(Doors);
crate::described_as_text!(Doors, examples([serde_json::Value::from("shell,exec,sftp-read")]));

words! {
    /// Why a session ended.
    pub enum EndReason {
        /// The engineer's client closed it.
        Client = "client",
        Revoked = "revoked",
        FaultClosed = "fault_closed",
        TimeUp = "time_up",
        Killed = "killed",
        LinkLost = "link_lost",
        /// The support centre was stopped, and said so.
        CentreStopped = "centre_stopped",
        AgentStopped = "agent_stopped",
        RecorderFailed = "recorder_failed",
        /// The recording reached its largest size.
        Quota = "quota",
        /// Everything of the customer, or of the device, was stopped.
        Stopped = "stopped",
        Error = "error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doors_are_a_set_and_never_empty() {
        let doors: Doors = "shell, exec".parse().unwrap();
        assert_eq!(doors.to_string(), "shell,exec");
        assert!(doors.has(Door::Shell) && !doors.has(Door::SftpRead));
        assert!("shell".parse::<Doors>().unwrap().is_within(&doors));
        assert_eq!("".parse::<Doors>(), Err(BadDoors::Empty));
        assert!("telnet".parse::<Doors>().unwrap_err().to_string().contains("sftp-read"));
    }

    #[test]
    fn forwards_name_their_places_and_never_the_devices_own_ssh() {
        let doors: Doors = "exec,forward:DB.local:5432,forward:[2001:db8::5]:443".parse().unwrap();
        assert_eq!(doors.to_string(), "exec,forward:[2001:db8::5]:443,forward:db.local:5432");
        assert_eq!(doors.to_string().parse(), Ok(doors.clone()));
        assert!(doors.has(Door::Forward));
        let fewer: Doors = "exec,forward:db.local:5432".parse().unwrap();
        assert!(fewer.is_within(&doors) && !doors.is_within(&fewer));
        assert!(!"forward:db.local:5433".parse::<Doors>().unwrap().is_within(&doors));
        assert_eq!(doors.both(&"shell,forward:db.local:5432".parse().unwrap()).unwrap().to_string(), "forward:db.local:5432");
        assert_eq!(doors.both(&"shell,forward:db.local:1".parse().unwrap()), None);
        assert_eq!("forward".parse::<Doors>(), Err(BadDoors::NoTarget));
        for own in ["127.0.0.1:22", "127.9.9.9:22", "localhost:22", "[::1]:22", "0.0.0.0:22", "[::ffff:127.0.0.1]:22", "LOCALHOST:22"] {
            assert!(matches!(own.parse::<Target>(), Err(BadTarget::OwnSsh(_))), "{own}");
        }
        for wrong in ["", "x", ":1", "x:0", "x:99999", "x:022", "a b:1", "-x:1", "::1:22x", "x\n:1", "[x]:1"] {
            assert!(matches!(wrong.parse::<Target>(), Err(BadTarget::Form(_))), "{wrong:?}");
        }
    }
}

//! What a consent may allow in a session.

use std::collections::BTreeSet;
use std::fmt;
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
    }
}

words! {
    /// Whom a consent lets in. Only `end-to-end` exists so far: one engineer's key, which the centre does not hold.
    pub enum Grade {
        EndToEnd = "end-to-end",
    }
}

/// A set of doors, written `shell,exec,sftp-read`; never empty.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Doors(BTreeSet<Door>);

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadDoors {
    #[error("no door is named: expected a list like `shell,exec,sftp-read`")]
    Empty,
    #[error(transparent)]
    Unknown(#[from] crate::error::UnknownWord),
}

impl Doors {
    pub fn has(&self, door: Door) -> bool {
        self.0.contains(&door)
    }

    pub fn is_within(&self, other: &Self) -> bool {
        self.0.is_subset(&other.0)
    }

    pub fn new(doors: impl IntoIterator<Item = Door>) -> Result<Self, BadDoors> {
        let doors: BTreeSet<_> = doors.into_iter().collect();
        if doors.is_empty() { Err(BadDoors::Empty) } else { Ok(Self(doors)) }
    }
}

impl fmt::Display for Doors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0.iter().map(|door| door.as_str()).collect::<Vec<_>>().join(","))
    }
}

impl FromStr for Doors {
    type Err = BadDoors;
    fn from_str(text: &str) -> Result<Self, BadDoors> {
        let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
        Self::new(words.map(Door::from_str).collect::<Result<Vec<_>, _>>()?)
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
        AgentStopped = "agent_stopped",
        RecorderFailed = "recorder_failed",
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
}

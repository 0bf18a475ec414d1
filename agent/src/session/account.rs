//! The Unix account that a session runs as: the account is the sandbox.
//!
//! Accounts are read from `/etc/passwd` and `/etc/group`; equipment keeps its accounts there. An account that only a
//! directory service knows is not found, and the refusal says where it was looked for.
//!
//! A session with the agent's own uid is in no sandbox: it can read the host key and write the lists of who may enter. It is
//! refused unless the profile says `unsafe_self = true`, and is called what it is wherever the account is shown.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::process::{geteuid, getuid};
use serde::{Deserialize, Serialize};

/// `user = "@self"`: the agent's own account, for an agent that is not root.
pub const OWN_ACCOUNT: &str = "@self";

/// How that account is called in recordings and on screens.
const NOT_SEPARATED: &str = "@self (not separated from the agent)";

#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    #[error("there is no Unix account `{0}` in /etc/passwd on this device")]
    Unknown(String),
    #[error("reading {path}: {source}")]
    Read { path: &'static str, source: io::Error },
    #[error("`@self` is refused, because the agent runs as root: the profile must name an unprivileged account")]
    SelfIsRoot,
    #[error("the agent does not run as root, so it can only use its own account (`user = \"@self\"`), not `{0}`")]
    NotRoot(String),
    #[error(
        "`{0}` is the agent's own account: a session could read the device's keys and change who may enter. Name an \
         unprivileged account and run the agent as root, or, if you accept that, write `unsafe_self = true` into the profile"
    )]
    NotSeparated(String),
    #[error("the account `{0}` is root: a session never runs as root")]
    IsRoot(String),
}

/// An account profile of the local configuration.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    pub user: String,
    /// Accepts that sessions run as the agent itself.
    pub unsafe_self: bool,
    pub shell: Option<PathBuf>,
    pub home: Option<PathBuf>,
    pub env: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
    /// Supplementary groups, the primary one among them.
    pub groups: Vec<u32>,
    pub home: PathBuf,
    pub shell: PathBuf,
}

impl Account {
    pub fn of(profile: &Profile) -> Result<Self, AccountError> {
        let read = |path: &'static str| fs::read_to_string(path).map_err(|source| AccountError::Read { path, source });
        let (own, root) = (getuid().as_raw(), geteuid().is_root());
        let passwd = read("/etc/passwd")?;
        let mut account = if profile.user == OWN_ACCOUNT {
            if root {
                return Err(AccountError::SelfIsRoot);
            }
            find(&passwd, |_, uid| uid == own).ok_or_else(|| AccountError::Unknown(format!("uid {own}")))?
        } else {
            find(&passwd, |name, _| name == profile.user).ok_or_else(|| AccountError::Unknown(profile.user.clone()))?
        };
        if account.uid == 0 {
            return Err(AccountError::IsRoot(account.name));
        }
        if !root && account.uid != own {
            return Err(AccountError::NotRoot(account.name));
        }
        if account.is_own() && !profile.unsafe_self {
            return Err(AccountError::NotSeparated(profile.user.clone()));
        }
        account.groups = groups(&read("/etc/group")?, &account.name, account.gid);
        if let Some(shell) = &profile.shell {
            account.shell.clone_from(shell);
        }
        if let Some(home) = &profile.home {
            account.home.clone_from(home);
        }
        Ok(account)
    }

    /// The agent's own account: the session is not separated from the agent.
    pub fn is_own(&self) -> bool {
        self.uid == getuid().as_raw()
    }

    /// Where sessions begin, and where the system lets the account begin, if that is another place.
    pub fn homes(&self) -> Vec<PathBuf> {
        let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let systems = find(&passwd, |_, uid| uid == self.uid).map(|account| account.home).filter(|home| *home != self.home);
        std::iter::once(self.home.clone()).chain(systems).collect()
    }

    /// For people.
    pub fn shown(&self) -> &str {
        if self.is_own() { NOT_SEPARATED } else { &self.name }
    }
}

/// The first line of a passwd file that fits, without its groups.
fn find(passwd: &str, fits: impl Fn(&str, u32) -> bool) -> Option<Account> {
    passwd.lines().find_map(|line| {
        let fields: Vec<_> = line.split(':').collect();
        let [name, _, uid, gid, _, home, shell] = fields[..] else { return None };
        let (uid, gid) = (uid.parse().ok()?, gid.parse().ok()?);
        let shell = if shell.is_empty() { Path::new("/bin/sh") } else { Path::new(shell) };
        fits(name, uid).then(|| Account {
            name: name.to_owned(),
            uid,
            gid,
            groups: Vec::new(),
            home: PathBuf::from(home),
            shell: shell.to_owned(),
        })
    })
}

fn groups(group: &str, user: &str, primary: u32) -> Vec<u32> {
    let member = |line: &str| {
        let fields: Vec<_> = line.split(':').collect();
        let [_, _, gid, members] = fields[..] else { return None };
        members.split(',').any(|member| member == user).then(|| gid.parse().ok()).flatten()
    };
    let mut groups: Vec<u32> = std::iter::once(primary).chain(group.lines().filter_map(member)).collect();
    groups.sort_unstable();
    groups.dedup();
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\nbroken\nview:x:1001:1001:Viewer,,,:/home/view:\n";

    #[test]
    fn an_account_is_found_with_its_groups() {
        let account = find(PASSWD, |name, _| name == "view").unwrap();
        assert_eq!((account.uid, account.shell.to_str()), (1001, Some("/bin/sh")));
        assert_eq!(find(PASSWD, |name, _| name == "nobody"), None);
        assert_eq!(groups("adm:x:4:syslog,view\nview:x:1001:\nviewers:x:7:reviewer\n", "view", 1001), [4, 1001]);
    }

    #[test]
    fn a_session_never_runs_as_root() {
        let profile = |user: &str| Profile { user: user.into(), unsafe_self: true, ..Profile::default() };
        assert!(matches!(Account::of(&profile("root")), Err(AccountError::IsRoot(_))));
        assert!(matches!(Account::of(&profile("no-such-user")), Err(AccountError::Unknown(_))));
        let own = Account::of(&profile(OWN_ACCOUNT));
        if geteuid().is_root() {
            assert!(matches!(own, Err(AccountError::SelfIsRoot)));
        } else {
            assert_eq!(own.unwrap().uid, getuid().as_raw());
        }
    }

    #[test]
    fn the_agents_own_account_is_taken_only_when_the_owner_says_so_and_is_called_what_it_is() {
        let own = Account { uid: getuid().as_raw(), ..find(PASSWD, |name, _| name == "view").unwrap() };
        assert_eq!(own.shown(), "@self (not separated from the agent)");
        let other = Account { uid: getuid().as_raw() + 1, ..own };
        assert_eq!(other.shown(), "view");
        if !geteuid().is_root() {
            let refused = Account::of(&Profile { user: OWN_ACCOUNT.into(), ..Profile::default() });
            assert!(matches!(refused, Err(AccountError::NotSeparated(_))), "{refused:?}");
        }
    }
}

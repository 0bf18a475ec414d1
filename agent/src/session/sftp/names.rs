//! Names of accounts and groups, and homes, from `/etc/passwd` and `/etc/group`, as everywhere in the agent: equipment keeps them there.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

#[derive(Default)]
pub struct Accounts {
    users: HashMap<u32, String>,
    groups: HashMap<u32, String>,
    homes: HashMap<String, PathBuf>,
}

impl Accounts {
    /// A file that can't be read names nobody: listings show numbers then.
    pub fn read() -> Self {
        let text = |path| fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
        Self::of(&text("/etc/passwd"), &text("/etc/group"))
    }

    fn of(passwd: &str, group: &str) -> Self {
        let mut accounts = Self::default();
        for line in passwd.lines() {
            let fields: Vec<_> = line.split(':').collect();
            let [name, _, uid, _, _, home, _] = fields[..] else { continue };
            let Ok(uid) = uid.parse() else { continue };
            // The first line counts, as for the system.
            accounts.users.entry(uid).or_insert_with(|| name.to_owned());
            accounts.homes.entry(name.to_owned()).or_insert_with(|| PathBuf::from(home));
        }
        for line in group.lines() {
            let mut fields = line.split(':');
            let (Some(name), Some(Ok(gid))) = (fields.next(), fields.nth(1).map(str::parse)) else { continue };
            accounts.groups.entry(gid).or_insert_with(|| name.to_owned());
        }
        accounts
    }

    pub fn user(&self, uid: u32) -> Option<&str> {
        self.users.get(&uid).map(String::as_str)
    }

    pub fn group(&self, gid: u32) -> Option<&str> {
        self.groups.get(&gid).map(String::as_str)
    }

    pub fn home(&self, name: &str) -> Option<&Path> {
        self.homes.get(name).map(PathBuf::as_path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_counts_and_a_broken_one_does_not() {
        let accounts = Accounts::of("root:x:0:0::/root:/bin/sh\nbroken\ntoor:x:0:0::/other:/bin/sh\nx:x:y:0::/:/\n", "adm:x:4:a,b\nbad\n");
        assert_eq!((accounts.user(0), accounts.user(1), accounts.group(4), accounts.group(0)), (Some("root"), None, Some("adm"), None));
        assert_eq!((accounts.home("toor"), accounts.home("x")), (Some(Path::new("/other")), None));
    }
}

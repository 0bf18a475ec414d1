//! Account profiles: each is a Unix account of its own, with an environment that the client can't shape.

use std::os::unix::fs::MetadataExt;

use lineman_agent::session::account::{Account, Profile};

use super::device::{Device, Setup, text};

#[test]
fn view_and_operate_are_two_accounts() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can become another account");
        return;
    }
    for accounts in [vec![("view", "nobody"), ("operate", "games")], vec![("operate", "games"), ("view", "nobody")]] {
        let (profile, user) = accounts[0];
        let device = Device::set_up("exec,sftp-write", Setup { accounts, ..Setup::usual() });
        let account = Account::of(&Profile { user: user.into(), ..Profile::default() }).unwrap();
        assert_eq!(device.uid(), account.uid);
        let options = ["-o", "SetEnv=LC_NAME=zh_CN.UTF-8 LANG=C EVIL=1 PATH=/evil LD_PRELOAD=/evil.so LC_bad=1 BASH_ENV=/evil"];
        let output = device.ssh(&[&options[..], &["id -un; id -u; env"]].concat()).output().unwrap();
        let said = text(&output.stdout);
        let lines: Vec<_> = said.lines().collect();
        assert_eq!(lines[..2], [user, account.uid.to_string().as_str()], "{profile}: {}", text(&output.stderr));
        assert!(lines.contains(&"LC_NAME=zh_CN.UTF-8") && lines.contains(&"LANG=C"), "{said}");
        assert!(lines.contains(&format!("USER={user}").as_str()) && lines.contains(&format!("HOME={}", device.home().display()).as_str()));
        assert!(!["evil", "EVIL", "LC_bad", "LD_PRELOAD"].iter().any(|word| said.contains(word)), "{said}");
        let known = ["PATH", "HOME", "SHELL", "USER", "LOGNAME", "LANG", "LC_NAME", "LINEMAN_SESSION", "PWD", "SHLVL", "_"];
        assert!(lines[2..].iter().all(|line| known.contains(&line.split('=').next().unwrap())), "{said}");

        let here = tempfile::tempdir().unwrap();
        std::fs::write(here.path().join("patch"), "x").unwrap();
        let sftp = device.sftp(&format!("put {}/patch\n", here.path().display()));
        assert!(sftp.status.success(), "{}", text(&sftp.stderr));
        let put = std::fs::metadata(device.home().join("patch")).unwrap();
        assert_eq!((put.uid(), put.gid()), (account.uid, account.gid), "SFTP runs as the account");
        let shadow = device.sftp("get /etc/shadow /dev/null\n");
        assert!(!shadow.status.success(), "what the account can't read stays closed");
        assert!(device.recordings().iter().all(|recording| recording.bind.account == user));
    }
}

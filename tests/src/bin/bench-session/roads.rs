//! The four roads to one shell on this host, each with the commands that a person would type: straight to sshd, through a second sshd
//! with ProxyJump, through Lineman's gateway with `-J`, and with `lineman ssh`.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use lineman_tests::{Demo, run};
use serde_json::json;

use crate::sshd::Sshd;

pub const KEX: &str = "curve25519-sha256";
const NE: &str = "ne-1.jw.ne";
const ENGINEER: &str = "engineer-a";
/// Everything that is measured goes through one of these.
const DOORS: &str = "shell,exec,sftp-read,sftp-write";
/// Longer than any run.
const TIME: &str = "4h";

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Road {
    Direct,
    ProxyJump,
    LinemanJump,
    LinemanSsh,
}

impl Road {
    pub const ALL: [Self; 4] = [Self::Direct, Self::ProxyJump, Self::LinemanJump, Self::LinemanSsh];

    pub const fn title(self) -> &'static str {
        match self {
            Self::Direct => "direct sshd",
            Self::ProxyJump => "ProxyJump",
            Self::LinemanJump => "Lineman by -J",
            Self::LinemanSsh => "lineman ssh",
        }
    }

    /// In the names of metrics.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::ProxyJump => "proxyjump",
            Self::LinemanJump => "lineman_j",
            Self::LinemanSsh => "lineman_ssh",
        }
    }
}

pub struct Roads {
    demo: Demo,
    fault: String,
    target: Sshd,
    jump: Sshd,
    cipher: String,
    /// For `ssh -F`: the two sshd, the gateway with -J, and devices as `lineman ssh-config` leads to them.
    configs: [PathBuf; 3],
    /// Files that are carried to and fro; in memory, so that no disk is measured. Dropped last: the roads' files are in it.
    scratch: tempfile::TempDir,
}

impl Roads {
    pub fn build(cipher: &str) -> anyhow::Result<Self> {
        let ciphers = run(Command::new("ssh").args(["-Q", "cipher"]).stdin(Stdio::null())).ok().stdout;
        ensure!(ciphers.lines().any(|known| known == cipher), "ssh knows no cipher `{cipher}`, but {}", ciphers.trim().replace('\n', ", "));
        let memory = Path::new("/dev/shm");
        let place = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let scratch = tempfile::Builder::new().prefix("lineman-bench-").tempdir_in(place)?;
        // Sessions on the element run as another account than sshd's.
        set_permissions(scratch.path(), Permissions::from_mode(0o711))?;
        std::fs::create_dir(scratch.path().join("files"))?;
        set_permissions(scratch.path().join("files"), Permissions::from_mode(0o777))?;
        let demo = Demo::up(1);
        let key = demo.of_person(ENGINEER, "key");
        let target = Sshd::start(scratch.path(), "target", &key, cipher)?;
        let jump = Sshd::start(scratch.path(), "jump", &key, cipher)?;
        let filed = json!({"equipment": NE, "title": "bench of sessions", "impact": "none"});
        let fault = demo.http(Some("noc-jw")).post("/api/v1/faults", &filed).ok()["number"].as_str().context("a number")?.to_owned();
        let configs = ["openssh", "gateway", "line"].map(|name| scratch.path().join(name));
        let roads = Self { demo, fault, target, jump, cipher: cipher.to_owned(), configs, scratch };
        roads.write_configs(&key)?;
        roads.consent();
        Ok(roads)
    }

    fn write_configs(&self, key: &str) -> anyhow::Result<()> {
        let known = self.scratch.path().join("known_hosts");
        std::fs::write(&known, [self.target.known.as_str(), &self.jump.known].concat())?;
        let user = run(Command::new("id").arg("-un").stdin(Stdio::null())).ok().stdout;
        let openssh = format!(
            "Host direct jumped\n    Port {}\nHost jump\n    Port {}\nHost jumped\n    ProxyJump jump\nHost *\n    HostName 127.0.0.1\n    \
             User {}\n    IdentityFile {key}\n    IdentitiesOnly yes\n    UserKnownHostsFile {}\n    GlobalKnownHostsFile /dev/null\n    \
             StrictHostKeyChecking yes\n    UpdateHostKeys no\n    CheckHostIP no\n    PreferredAuthentications publickey\n",
            self.target.port,
            self.jump.port,
            user.trim(),
            known.display()
        );
        let by = |words: &[&str]| self.demo.person(ENGINEER).args(words).output().ok().stdout;
        let texts = [openssh, by(&["ssh-config", "--jump"]), by(&["ssh-config"])];
        for (file, text) in self.configs.iter().zip(texts) {
            // OpenSSH takes the first word that it finds on a matter.
            std::fs::write(file, format!("Host *\n    KexAlgorithms {KEX}\n    Ciphers {}\n{text}", self.cipher))?;
        }
        Ok(())
    }

    /// One more that is live; answers its id.
    pub fn consent(&self) -> String {
        self.demo.consented(&self.fault, DOORS, TIME)
    }

    pub fn revoke(&self, consent: &str) {
        self.demo.http(Some("noc-jw")).post(&format!("/api/v1/consents/{consent}/revocation"), &json!({"reason": "bench"})).ok();
    }

    fn config(&self, road: Road) -> &Path {
        let [openssh, gateway, line] = &self.configs;
        match road {
            Road::Direct | Road::ProxyJump => openssh,
            Road::LinemanJump => gateway,
            Road::LinemanSsh => line,
        }
    }

    const fn host(road: Road) -> &'static str {
        match road {
            Road::Direct => "direct",
            Road::ProxyJump => "jumped",
            Road::LinemanJump | Road::LinemanSsh => NE,
        }
    }

    /// In the same environment on every road, with no key agent to ask.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        for (variable, value) in self.demo.person(ENGINEER).command().get_envs() {
            match value {
                Some(value) => command.env(variable, value),
                None => command.env_remove(variable),
            };
        }
        command.env_remove("SSH_AUTH_SOCK").stdin(Stdio::null());
        command
    }

    pub fn ssh(&self, road: Road, options: &[&str], words: &[&str]) -> Command {
        let host = Self::host(road);
        let mut command = match road {
            Road::Direct | Road::ProxyJump | Road::LinemanJump => {
                let mut command = self.command("ssh");
                command.arg("-F").arg(self.config(road)).args(options).arg(host);
                command
            }
            Road::LinemanSsh => {
                let mut command = self.command(&lineman_tests::bin("lineman").display().to_string());
                let [kex, cipher] = [format!("KexAlgorithms={KEX}"), format!("Ciphers={}", self.cipher)];
                command.args(["ssh", host, "--", "-o", &kex, "-o", &cipher]).args(options);
                command
            }
        };
        command.args(words);
        command
    }

    /// It reads its commands from its input. `lineman ssh` has no form for it: `lineman ssh-config` makes sftp take the same road.
    pub fn sftp(&self, road: Road) -> Command {
        let mut command = self.command("sftp");
        command.arg("-q").arg("-F").arg(self.config(road)).args(["-b", "-", Self::host(road)]);
        command
    }

    /// A file that both ends may read and write.
    pub fn file(&self, name: &str) -> PathBuf {
        self.scratch.path().join("files").join(name)
    }

    /// For a control socket.
    pub fn socket(&self, road: Road) -> PathBuf {
        self.scratch.path().join(road.key())
    }

    /// The processes on the far side, that all the work is done in or below.
    pub fn servers(&self, road: Road) -> Vec<u32> {
        match road {
            Road::Direct => vec![self.target.pid()],
            Road::ProxyJump => vec![self.target.pid(), self.jump.pid()],
            Road::LinemanJump | Road::LinemanSsh => vec![self.agent(), self.server()],
        }
    }

    /// All that must not be taken for somebody's orphan.
    pub fn daemons(&self) -> [u32; 4] {
        [self.target.pid(), self.jump.pid(), self.agent(), self.server()]
    }

    pub fn agent(&self) -> u32 {
        self.demo.pid_of("ne-1")
    }

    pub fn server(&self) -> u32 {
        self.demo.pid_of("server")
    }

    /// What was agreed on each hop, from the client's own words: `curve25519-sha256 aes128-gcm@openssh.com`.
    pub fn negotiated(&self, road: Road) -> anyhow::Result<Vec<String>> {
        let output = run(&mut self.ssh(road, &["-v"], &["true"]));
        ensure!(output.code == Some(0), "{}: no way in:\n{}", road.title(), output.stderr);
        let said = |what: &str| -> Vec<&str> {
            let lines = output.stderr.lines().filter_map(|line| line.split_once(what).map(|(_, value)| value));
            lines.filter_map(|value| value.split_ascii_whitespace().next()).collect()
        };
        let (kex, down, up) = (said("kex: algorithm: "), said("kex: server->client cipher: "), said("kex: client->server cipher: "));
        ensure!(!kex.is_empty() && kex.len() == down.len() && kex.len() == up.len(), "ssh -v does not tell: {}", output.stderr);
        let hop = |(at, kex): (usize, &&str)| {
            if down[at] == up[at] { format!("{kex} {}", up[at]) } else { format!("{kex} {} up, {} down", up[at], down[at]) }
        };
        Ok(kex.iter().enumerate().map(hop).collect())
    }
}

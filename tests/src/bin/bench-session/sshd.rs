//! OpenSSH's server, started for the bench alone: own configuration, own keys, loopback, an unprivileged port.

use std::io::Read;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use lineman_tests::run;

use crate::stop::{self, Running};

/// Where distributions keep it. It re-executes itself, and so must be called by its whole path.
const PLACES: &[&str] = &["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/local/bin/sshd"];

const PATIENCE: Duration = Duration::from_secs(20);

pub struct Sshd {
    pub port: u16,
    /// A line for known_hosts.
    pub known: String,
    process: Running,
}

impl Sshd {
    /// Lets in whoever has `key`, as the account that the bench runs under.
    pub fn start(dir: &Path, name: &str, key: &str, cipher: &str) -> anyhow::Result<Self> {
        let program = PLACES.iter().map(Path::new).find(|place| place.is_file());
        let program = program.context("there is no sshd to compare with: apt-get install openssh-server")?;
        let dir = dir.join(name);
        std::fs::create_dir_all(&dir)?;
        if rustix::process::geteuid().is_root() {
            // Its privilege separation asks for this directory; the system's own start would make it.
            std::fs::create_dir_all("/run/sshd")?;
        }
        let host_key = host_key(&dir)?;
        std::fs::copy(format!("{key}.pub"), dir.join("authorized_keys")).context("the engineer's public key")?;
        // Free a moment ago; should somebody take it first, sshd fails, and that is said.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let config = dir.join("sshd_config");
        std::fs::write(&config, config_text(&dir, port, cipher))?;
        let log = std::fs::File::create(dir.join("log"))?;
        let mut command = Command::new(program);
        command.arg("-D").arg("-e").arg("-f").arg(&config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let mut process = Running::start(&mut command)?;
        let begun = Instant::now();
        while !answers(port) {
            let said = || std::fs::read_to_string(dir.join("log")).unwrap_or_default();
            if let Some(status) = process.0.try_wait()? {
                bail!("sshd ended with {status}: {}", said());
            }
            ensure!(begun.elapsed() < PATIENCE, "sshd does not answer: {}", said());
            stop::check()?;
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(Self { port, known: format!("[127.0.0.1]:{port} {host_key}\n"), process })
    }

    pub fn pid(&self) -> u32 {
        self.process.0.id()
    }
}

fn answers(port: u16) -> bool {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port));
    stream.is_ok_and(|mut stream| stream.set_read_timeout(Some(PATIENCE)).is_ok() && stream.read_exact(&mut [0; 4]).is_ok())
}

fn host_key(dir: &Path) -> anyhow::Result<String> {
    let file: PathBuf = dir.join("host_key");
    run(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", "bench", "-f"]).arg(&file)).ok();
    let text = std::fs::read_to_string(dir.join("host_key.pub"))?;
    Ok(text.split_ascii_whitespace().take(2).collect::<Vec<_>>().join(" "))
}

fn config_text(dir: &Path, port: u16, cipher: &str) -> String {
    let dir = dir.display();
    format!(
        // A login's own start-up files would be measured too: with this HOME there are none, and bash that is not the first of its kind
        // reads none for a command.
        "SetEnv HOME={dir} SHLVL=1\nPermitUserRC no\nListenAddress 127.0.0.1\nPort {port}\nHostKey {dir}/host_key\nPidFile none\n\
         AuthorizedKeysFile {dir}/authorized_keys\n\
         StrictModes no\nUsePAM no\nUseDNS no\nPermitRootLogin prohibit-password\nPasswordAuthentication no\n\
         KbdInteractiveAuthentication no\nAuthenticationMethods publickey\nPrintMotd no\nPrintLastLog no\nX11Forwarding no\n\
         MaxStartups 1000\nMaxSessions 1000\nSubsystem sftp internal-sftp\nKexAlgorithms {}\nCiphers {cipher}\n",
        crate::roads::KEX
    )
}

//! The device's side of `make bench-session`: the agent next to a real `sshd` on loopback, same cipher, same key exchange, in turns.
//!
//! Run it by name, built for release: `cargo test --release -p lineman-agent --test ssh -- --ignored --nocapture speed`. `ROUNDS` and `MIB`
//! say how often and how much.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};

use super::device::Device;

const SSHD: &str = "/usr/sbin/sshd";
const ALIKE: [&str; 4] = ["-o", "Ciphers=aes128-gcm@openssh.com", "-o", "KexAlgorithms=curve25519-sha256"];

fn number(name: &str, usual: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// A stock `sshd` of its own.
struct Sshd {
    dir: tempfile::TempDir,
    process: Child,
    port: u16,
}

impl Sshd {
    fn start() -> Option<Self> {
        if !rustix::process::geteuid().is_root() || !Path::new(SSHD).exists() {
            eprintln!("skipped: this needs root and {SSHD}");
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).display().to_string();
        for name in ["host", "engineer"] {
            let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f", &path(name)]).status().unwrap();
            assert!(made.success());
        }
        std::fs::rename(path("engineer.pub"), path("keys")).unwrap();
        std::fs::create_dir_all("/run/sshd").unwrap();
        // A port that was free a moment ago.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = format!(
            "ListenAddress 127.0.0.1:{port}\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nStrictModes no\nPermitRootLogin yes\n\
             UsePAM no\nPrintMotd no\nPrintLastLog no\n",
            path("host"),
            path("keys")
        );
        std::fs::write(path("config"), config).unwrap();
        let process = Command::new(SSHD).args(["-D", "-f", &path("config")]).stderr(Stdio::null()).spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "no sshd");
            std::thread::sleep(Duration::from_millis(10));
        }
        Some(Self { dir, process, port })
    }

    fn ssh_arguments(&self) -> Vec<String> {
        let key = self.dir.path().join("engineer").display().to_string();
        let mut arguments: Vec<String> = ["-F", "none", "-i", &key, "-l", "root", "-p", &self.port.to_string()].map(Into::into).into();
        for option in ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "IdentitiesOnly=yes", "BatchMode=yes", "LogLevel=ERROR"]
        {
            arguments.extend(["-o".to_owned(), option.to_owned()]);
        }
        arguments.push("127.0.0.1".into());
        arguments
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// One side of the comparison.
struct Side {
    name: &'static str,
    arguments: Vec<String>,
    /// Whose time counts, and whether its children's does.
    pid: u32,
    children: bool,
    first_ms: Vec<f64>,
    down: Vec<f64>,
    up: Vec<f64>,
    down_cpu: Vec<f64>,
    up_cpu: Vec<f64>,
    echo_ms: Vec<f64>,
}

impl Side {
    fn new(name: &'static str, arguments: Vec<String>, pid: u32, children: bool) -> Self {
        let none = Vec::new;
        Self {
            name,
            arguments,
            pid,
            children,
            first_ms: none(),
            down: none(),
            up: none(),
            down_cpu: none(),
            up_cpu: none(),
            echo_ms: none(),
        }
    }

    fn ssh(&self, command: &str) -> Command {
        let mut ssh = Command::new("ssh");
        ssh.args(ALIKE).args(&self.arguments).arg(command).stdin(Stdio::null()).stdout(Stdio::null());
        ssh
    }

    /// Seconds of processor time so far.
    fn cpu(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap();
        let fields: Vec<f64> = stat.rsplit_once(") ").unwrap().1.split(' ').map(|field| field.trim().parse().unwrap_or(0.0)).collect();
        let ticks: f64 = if self.children { fields[13..15].iter().sum() } else { fields[11..13].iter().sum() };
        ticks / 100.0
    }

    fn first_output(&mut self) {
        let started = Instant::now();
        let mut ssh = self.ssh("echo here").stdout(Stdio::piped()).spawn().unwrap();
        let mut byte = [0];
        ssh.stdout.take().unwrap().read_exact(&mut byte).unwrap();
        self.first_ms.push(started.elapsed().as_secs_f64() * 1000.0);
        assert!(ssh.wait().unwrap().success());
    }

    fn bulk(&mut self, mib: usize, up: bool) {
        // What it takes to connect is no part of it.
        let cpu = self.cpu();
        let started = Instant::now();
        let ok = if up {
            let mut ssh = self.ssh("cat >/dev/null").stdin(Stdio::piped()).spawn().unwrap();
            let mut stdin = ssh.stdin.take().unwrap();
            let block = vec![0; 1 << 20];
            for _ in 0..mib {
                stdin.write_all(&block).unwrap();
            }
            drop(stdin);
            ssh.wait().unwrap().success()
        } else {
            self.ssh(&format!("head -c {mib}M /dev/zero")).status().unwrap().success()
        };
        assert!(ok);
        let (speed, cost) = (mib as f64 / started.elapsed().as_secs_f64(), (self.cpu() - cpu) * 1024.0 / mib as f64);
        let (speeds, costs) = if up { (&mut self.up, &mut self.up_cpu) } else { (&mut self.down, &mut self.down_cpu) };
        speeds.push(speed);
        costs.push(cost);
    }

    fn echo(&mut self, keys: usize) {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let slave = ioctl_tiocgptpeer(&master, flags).unwrap();
        let mut command = Command::new("setsid");
        command.args(["--ctty", "--wait", "ssh", "-tt"]).args(ALIKE).args(&self.arguments).arg("echo ready; exec cat");
        command.stdin(slave.try_clone().unwrap()).stdout(slave.try_clone().unwrap()).stderr(slave);
        let mut ssh = command.spawn().unwrap();
        // With it goes our side of the terminal: its end would never show.
        drop(command);
        let mut master = File::from(master);
        let mut buffer = [0; 1024];
        let mut seen = Vec::new();
        while !seen.windows(7).any(|part| part == b"ready\r\n") {
            let n = master.read(&mut buffer).unwrap();
            seen.extend_from_slice(&buffer[..n]);
        }
        for n in 0..keys {
            std::thread::sleep(Duration::from_millis(3));
            let started = Instant::now();
            let end = n % 60 == 59;
            master.write_all(if end { b"\n" } else { b"x" }).unwrap();
            // A line comes back twice: as it was typed, and from `cat`.
            let mut left = if end { 2 + 59 + 2 } else { 1 };
            while left > 0 {
                let read = master.read(&mut buffer).unwrap();
                left -= read.min(left);
            }
            if !end {
                self.echo_ms.push(started.elapsed().as_secs_f64() * 1000.0);
            }
        }
        master.write_all(b"\x03").unwrap();
        while master.read(&mut buffer).is_ok_and(|n| n > 0) {}
        ssh.wait().unwrap();
    }
}

fn at(numbers: &[f64], part: f64) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
    let index = (last as f64 * part).round() as usize;
    sorted.get(index).copied().unwrap_or_default()
}

#[test]
#[ignore = "a measurement: it decides nothing"]
fn speed_next_to_sshd() {
    let Some(sshd) = Sshd::start() else { return };
    let device = Device::start("shell,exec");
    let (rounds, mib) = (number("ROUNDS", 10), number("MIB", 1024));
    let mut sides = [
        Side::new("sshd", sshd.ssh_arguments(), sshd.process.id(), true),
        Side::new("lineman", device.ssh_arguments(), std::process::id(), false),
    ];
    for round in 0..rounds {
        for n in 0..2 {
            let side = &mut sides[(round + n) % 2];
            side.first_output();
            side.first_output();
            if round % 2 == 0 {
                side.bulk(mib, false);
                side.bulk(mib, true);
            }
            side.echo(number("KEYS", 240));
        }
    }
    println!(
        "{:10} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "", "first ms", "down", "cpu s/GiB", "up", "cpu s/GiB", "echo p50", "echo p99"
    );
    for side in &sides {
        let Side { name, first_ms, down, down_cpu, up, up_cpu, echo_ms, .. } = side;
        println!(
            "{name:10} {:9.1} {:9.0} {:9.2} {:9.0} {:9.2} {:9.2} {:9.2}",
            at(first_ms, 0.5),
            at(down, 0.5),
            at(down_cpu, 0.5),
            at(up, 0.5),
            at(up_cpu, 0.5),
            at(echo_ms, 0.5),
            at(echo_ms, 0.99)
        );
    }
    drop(device);
}

//! Stock `sftp` through the agent and through a stock `sshd`, in turns on one machine: a measurement, not a test. By hand:
//!
//! `TMPDIR=/dev/shm cargo test --release -p lineman-agent --test ssh -- --ignored --nocapture sftp_measure`
//!
//! `MEASURE_MIB` (1024), `MEASURE_FILES` (10000), `MEASURE_ROUNDS` (3) and `MEASURE_CIPHER` (aes256-gcm@openssh.com) say what is measured,
//! `MEASURE_PROGRAM` with which agent as session child.

use std::fs::{self, File};
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::device::Device;

fn setting(name: &str, otherwise: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| otherwise.to_owned())
}

fn number(name: &str, otherwise: usize) -> usize {
    setting(name, &otherwise.to_string()).parse().unwrap()
}

fn cipher() -> String {
    format!("Ciphers={}", setting("MEASURE_CIPHER", "aes256-gcm@openssh.com"))
}

/// With a session child of one's choice: a build may be replaced while it is measured.
fn device() -> Device {
    Device::start_as("sftp-read,sftp-write", setting("MEASURE_PROGRAM", env!("CARGO_BIN_EXE_lineman-agent")).into())
}

/// The machine's own `sshd`, for its own user, on loopback.
struct Sshd {
    dir: tempfile::TempDir,
    port: u16,
    process: Child,
}

impl Sshd {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        for name in ["host", "user"] {
            let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f", &at(name)]).status().unwrap();
            assert!(made.success());
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        fs::write(at("known_hosts"), format!("[127.0.0.1]:{port} {}", fs::read_to_string(at("host.pub")).unwrap())).unwrap();
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\nPidFile none\n\
             PermitRootLogin yes\nSubsystem sftp /usr/lib/openssh/sftp-server\n",
            at("host"),
            at("user.pub"),
        );
        fs::write(at("config"), config).unwrap();
        // Where Debian's own service would make it.
        let _ = fs::create_dir("/run/sshd");
        let process = Command::new("/usr/sbin/sshd").args(["-D", "-e", "-f", &at("config")]).stderr(Stdio::null()).spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "sshd does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { dir, port, process }
    }

    fn sftp(&self) -> Command {
        let at = |name: &str| self.dir.path().join(name).to_str().unwrap().to_owned();
        let mut command = Command::new("sftp");
        command.args(["-F", "none", "-i", &at("user"), "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-o", "BatchMode=yes"]);
        command.args(["-o", &format!("UserKnownHostsFile={}", at("known_hosts")), "-P", &self.port.to_string()]);
        command
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// Seconds of one batch, login and all.
fn timed(mut sftp: Command, user: &str, batch: &str) -> f64 {
    sftp.args(["-q", "-o", &cipher(), "-b", "-", &format!("{user}@127.0.0.1")]);
    let started = Instant::now();
    let mut process = sftp.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    process.stdin.take().unwrap().write_all(batch.as_bytes()).unwrap();
    assert!(process.wait().unwrap().success(), "{batch}");
    started.elapsed().as_secs_f64()
}

fn print(what: &str, unit: &str, ours: &[f64], direct: &[f64]) {
    let best = |values: &[f64]| values.iter().copied().fold(f64::NAN, f64::max);
    let all = |values: &[f64]| values.iter().map(|value| format!("{value:.0}")).collect::<Vec<_>>().join(" ");
    eprintln!("{what:<8} {unit:<8} lineman {:<24} sshd {:<24} best/best {:.2}", all(ours), all(direct), best(ours) / best(direct));
}

#[test]
#[ignore = "a measurement of minutes; it tells something in a release build only"]
fn sftp_measure_bulk() {
    let (device, sshd, here) = (device(), Sshd::start(), tempfile::tempdir().unwrap());
    let (mib, local) = (number("MEASURE_MIB", 1024), here.path().join("file"));
    let mut file = File::create(&local).unwrap();
    let block: Vec<u8> = (0..1024 * 1024u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    (0..mib).for_each(|_| file.write_all(&block).unwrap());
    let remote = device.home().join("file");
    let put = format!("put {} {}\n", local.display(), remote.display());
    let back = here.path().join("back");
    let get = format!("get {} {}\n", remote.display(), back.display());
    let speed = |seconds: f64| mib as f64 / seconds;
    let mut results = [const { Vec::new() }; 4];
    for _ in 0..number("MEASURE_ROUNDS", 3) {
        for (n, batch) in [&put, &get].into_iter().enumerate() {
            results[n].push(speed(timed(device.client("sftp"), "x", batch)));
            fs::remove_file(if n == 0 { &remote } else { &back }).unwrap();
            results[2 + n].push(speed(timed(sshd.sftp(), "root", batch)));
            if n == 0 {
                fs::set_permissions(&remote, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
            }
        }
        for path in [&remote, &back] {
            fs::remove_file(path).unwrap();
        }
    }
    print("put", "MiB/s", &results[0], &results[2]);
    print("get", "MiB/s", &results[1], &results[3]);
}

fn clear(path: &Path) {
    fs::remove_dir_all(path).unwrap();
}

#[test]
#[ignore = "a measurement of minutes; it tells something in a release build only"]
fn sftp_measure_small_files() {
    let (device, sshd, here) = (device(), Sshd::start(), tempfile::tempdir().unwrap());
    let (local, remote, back) = (here.path().join("tree"), device.home().join("tree"), here.path().join("back"));
    let files = number("MEASURE_FILES", 10_000);
    for n in 0..files {
        let dir = local.join((n / 100).to_string());
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join(n.to_string()), n.to_string().repeat(100)).unwrap();
    }
    let put = format!("put -r {} {}\n", local.display(), device.home().display());
    let get = format!("get -r {} {}\n", remote.display(), back.display());
    let speed = |seconds: f64| files as f64 / seconds;
    let mut results = [const { Vec::new() }; 4];
    for _ in 0..number("MEASURE_ROUNDS", 3) {
        for (at, sftp, user) in [(0, device.client("sftp"), "x"), (2, sshd.sftp(), "root")] {
            results[at].push(speed(timed(sftp, user, &put)));
            let sftp = if at == 0 { device.client("sftp") } else { sshd.sftp() };
            results[at + 1].push(speed(timed(sftp, user, &get)));
            clear(&remote);
            clear(&back);
        }
    }
    print("put -r", "files/s", &results[0], &results[2]);
    print("get -r", "files/s", &results[1], &results[3]);
}

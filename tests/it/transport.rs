//! How real agents reach a real server: over IPv6, beside IPv4 on the same port, and through a real HTTP proxy.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use lineman_tests::{Demo, Http, Process, bin, eventually, run};
use serde_json::Value;

/// A server of its own, and what a technician has in his pocket.
struct Roof {
    root: tempfile::TempDir,
    _server: Process,
    /// Kept, so that the server can go on writing.
    _stdout: BufReader<ChildStdout>,
    base: String,
    token: String,
}

impl Roof {
    fn new(listen: &str, name: &str) -> Self {
        let root = tempfile::tempdir().expect("a folder");
        let at = |file: &str| root.path().join(file);
        for key in ["root", "tech"] {
            run(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(at(key))).ok();
        }
        let public = |key: &str| {
            let text = std::fs::read_to_string(at(&format!("{key}.pub"))).expect("a public key");
            text.split(' ').take(2).collect::<Vec<_>>().join(" ")
        };
        let vendor_root = format!("vendor-root namespaces=\"roster@lineman,anchors@lineman\" {}\n", public("root"));
        let now = jiff::Timestamp::now();
        let expiry = now + jiff::SignedDuration::from_hours(240);
        let head = format!("# lineman-list: signers JW\n# counter: 1\n# issued: {now}\n# expiry: {expiry}\n");
        let signers = format!("{head}tech-jw namespaces=\"consent@lineman,device@lineman\" {}\n", public("tech"));
        std::fs::write(at("vendor-root"), vendor_root).expect("a file");
        std::fs::write(at("signers"), signers).expect("a file");
        let mut init = Command::new(bin("lineman-server"));
        init.arg("init").arg("--dir").arg(at("server")).arg("--vendor-root").arg(at("vendor-root"));
        run(init.args(["--name", name, "--name", "127.0.0.1", "--listen", listen, "--jump", "[::1]:0"])).ok();
        let mut serve = Command::new(bin("lineman-server"));
        serve.arg("run").arg("--config").arg(at("server/server.toml")).env("LINEMAN_LOG", "warn").stdin(Stdio::null());
        let mut server = Process::spawn(serve.stdout(Stdio::piped()));
        let mut stdout = BufReader::new(server.0.stdout.take().expect("a pipe"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("a line");
        let ready: Value = serde_json::from_str(line.trim_start_matches("ready ")).expect("JSON");
        let base = ready["server"].as_str().expect("an address").to_owned();
        let token = std::fs::read_to_string(at("server/admin-token")).expect("a token").trim().to_owned();
        let roof = Self { root, _server: server, _stdout: stdout, base, token };
        roof.lineman(&["admin", "tier", "set", "gold", "--accept", "15m", "--respond", "30m"]);
        roof.lineman(&["admin", "customer", "add", "--code", "JW", "--name", "Carrier", "--tier", "gold"]);
        roof.lineman(&["admin", "site", "add", "--customer", "JW", "--name", "Jinan 2", "--zone", "Asia/Shanghai"]);
        roof
    }

    fn at(&self, file: &str) -> PathBuf {
        self.root.path().join(file)
    }

    /// As the administrator.
    fn lineman(&self, args: &[&str]) -> String {
        let mut command = Command::new(bin("lineman"));
        command.args(args).stdin(Stdio::null()).env("HOME", self.root.path()).env("LINEMAN_SERVER", &self.base);
        command.env("LINEMAN_CA", self.at("server/ca.pem")).env("LINEMAN_TOKEN", &self.token);
        run(&mut command).ok().stdout
    }

    /// A new device, enrolled; `address` stands in its token in place of the server's.
    fn enrol(&self, handle: &str, address: Option<&str>, args: &[&str]) -> PathBuf {
        let add = ["equipment", "add", "--customer", "JW", "--handle", handle, "--site", "Jinan 2", "--product", "OLT", "--model", "C320"];
        self.lineman(&[&add[..], &["--serial", handle]].concat());
        let (state, file) = (self.at(handle), self.at(&format!("{handle}.token")));
        self.lineman(&["equipment", "token", &format!("{handle}.jw.ne"), "--write", &file.display().to_string()]);
        let token = std::fs::read_to_string(&file).expect("a token");
        let own = self.base.trim_start_matches("https://");
        assert!(token.contains(&format!("/{own}/")), "{token}");
        std::fs::write(&file, token.replace(own, address.unwrap_or(own))).expect("a file");
        let mut enrol = Command::new(bin("lineman-agent"));
        enrol.args(["enrol", "--vouched-by", "tech-jw", "--token-file"]).arg(&file).arg("--state").arg(&state);
        enrol.arg("--signers").arg(self.at("signers")).arg("--vendor-root").arg(self.at("vendor-root")).args(args);
        run(enrol.stdin(Stdio::null())).ok();
        state
    }

    fn until(&self, handle: &str, presence: &str) {
        let http = Http::new(&self.base, &self.at("server/ca.pem"), Some(self.token.clone()));
        eventually(&format!("{handle} is {presence}"), || {
            let device = http.get(&format!("/api/v1/equipment/{handle}.jw.ne")).ok();
            if device["presence"] == presence { Ok(()) } else { Err(device["presence"].to_string()) }
        });
    }
}

fn agent(state: &Path) -> Process {
    Process::spawn(Command::new(bin("lineman-agent")).args(["run", "--log-level", "warn", "--state"]).arg(state).stdin(Stdio::null()))
}

/// A check of `doctor` that is well, and what it says.
fn doctor(state: &Path, check: &str) -> String {
    let output = run(Command::new(bin("lineman-agent")).args(["doctor", "--json", "--state"]).arg(state));
    let findings: Vec<Value> = serde_json::from_str(&output.stdout).expect("JSON");
    let finding = findings.iter().find(|finding| finding["check"] == check).unwrap_or_else(|| panic!("no `{check}` in {output:?}"));
    assert_eq!(finding["ok"], true, "{finding}");
    finding["text"].as_str().expect("text").to_owned()
}

/// tinyproxy, asking for a password; killed when dropped.
struct Proxy {
    child: Child,
    address: SocketAddr,
    _dir: tempfile::TempDir,
}

impl Proxy {
    fn start(at: Option<SocketAddr>) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let config = dir.path().join("tinyproxy.conf");
        let (child, address) = eventually("tinyproxy (Debian package `tinyproxy`) listens", || {
            let free = || TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
            let address = at.unwrap_or_else(free);
            let text = format!("Port {}\nListen {}\nTimeout 600\nBasicAuth ne-17 right\n", address.port(), address.ip());
            std::fs::write(&config, text).expect("a file");
            let mut command = Command::new("tinyproxy");
            command.arg("-d").arg("-c").arg(&config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            let mut child = command.spawn().expect("tinyproxy");
            loop {
                if let Some(status) = child.try_wait().expect("its state") {
                    return Err(format!("it ended: {status}"));
                }
                if TcpStream::connect(address).is_ok() {
                    return Ok((child, address));
                }
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
        });
        Self { child, address, _dir: dir }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn password(dir: &Path) -> String {
    let file = dir.join("proxy-password");
    std::fs::write(&file, "right\n").expect("a file");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("permissions");
    file.display().to_string()
}

pub fn devices_enrol_and_link_over_ipv6_beside_ipv4_and_through_a_proxy() {
    let roof = Roof::new("[::]:0", "::1");
    let port = roof.base.rsplit(':').next().expect("a port").to_owned();
    assert_eq!(roof.base, format!("https://[::1]:{port}"));
    let six = roof.enrol("ne-6", None, &[]);
    let four = roof.enrol("ne-4", Some(&format!("127.0.0.1:{port}")), &[]);
    let proxy = Proxy::start(None);
    let (url, file) = (format!("http://{}", proxy.address), password(roof.root.path()));
    let through = roof.enrol("ne-17", None, &["--proxy", &url, "--proxy-user", "ne-17", "--proxy-password-file", &file]);
    let _agents = [&six, &four, &through].map(|state| agent(state));
    for handle in ["ne-6", "ne-4", "ne-17"] {
        roof.until(handle, "online");
    }
    assert_eq!(doctor(&six, "way"), format!("straight to [::1]:{port}"));
    assert!(doctor(&six, "session leg").contains("in the clear, as SSH"));
    assert_eq!(doctor(&through, "way"), format!("through the proxy {url} as ne-17 (password in {file}) to [::1]:{port}"));
    assert!(doctor(&through, "session leg").contains("inside TLS"));
    assert!(doctor(&through, "clock").contains("off the centre's"));
    let at = proxy.address;
    drop(proxy);
    roof.until("ne-17", "offline");
    let _proxy = Proxy::start(Some(at));
    roof.until("ne-17", "online");
}

pub fn a_session_goes_through_a_proxy_inside_tls() {
    let proxy = Proxy::start(None);
    let dir = tempfile::tempdir().expect("a folder");
    let file = password(dir.path());
    let link = format!("[link]\nproxy = \"http://{}\"\nproxy_user = \"ne-17\"\nproxy_password_file = {file:?}\n", proxy.address);
    let demo = Demo::up_with(1, &[("ne-1", &link)]);
    let fault = demo.broken("ne-1", "ne-1.jw.ne", "link");
    demo.consented(&fault, "shell,exec", "1h");
    let count = demo.ssh(&["ne-1.jw.ne", "head -c 3000000 /dev/zero | wc -c"]).ok();
    assert_eq!(count.stdout.trim(), "3000000");
    let bytes = demo.ssh(&["ne-1.jw.ne", "head -c 3000000 /dev/zero"]).ok();
    assert_eq!(bytes.stdout.len(), 3_000_000);
}

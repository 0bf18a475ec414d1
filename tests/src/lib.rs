//! The testkit: a real demo (server, agents, people, keys) in a folder of its own, and the clients that people use on it.
//!
//! Nothing here knows the inside of a program: tests start the built binaries, speak HTTP, run `lineman`, `ssh`, `ssh-keygen`.

#![forbid(unsafe_code)]
#![expect(clippy::expect_used, reason = "a testkit fails loudly, where the test stands")]
#![expect(clippy::return_self_not_must_use, reason = "a check may be the last word")]

pub mod bench;
mod centre;
mod clients;
mod device;
mod http;
mod net;
mod process;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

pub use centre::HostileCentre;
pub use clients::Inside;
pub use device::HostileDevice;
pub use http::{Http, Reply};
pub use net::{CENTRE, Net, Placed, inside};
pub use process::{Output, Process, bin, process_with_file, run, run_with_input};

/// How long a condition may take to come true. Generous: it decides, it doesn't measure.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `condition` gives something; fails with what it saw last.
pub fn eventually<T>(what: &str, mut condition: impl FnMut() -> Result<T, String>) -> T {
    let begun = Instant::now();
    loop {
        match condition() {
            Ok(value) => return value,
            Err(seen) if begun.elapsed() > PATIENCE => panic!("{what}: not within {} s; last seen: {seen}", PATIENCE.as_secs()),
            Err(_) => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

/// A loopback address that no other demo has. A server that is killed and started again finds its port free, whatever else runs on this
/// machine: connections start from 127.0.0.1.
fn own_address() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let own = std::process::id().wrapping_mul(64).wrapping_add(COUNT.fetch_add(1, Ordering::Relaxed));
    let [_, a, b, c] = own.to_be_bytes();
    // 127.0.0.0/16 is what everybody uses, and 255 may be a broadcast's.
    std::net::Ipv4Addr::new(127, a.max(1), b, c.min(254)).to_string()
}

/// A running demo; ended, with all its processes and files, when dropped.
pub struct Demo {
    /// Keeps the folder: the demo's files, and a home of its own for `lineman`.
    root: tempfile::TempDir,
    /// What `lineman demo up --json` printed.
    pub facts: Value,
}

impl Demo {
    pub fn up(agents: u32) -> Self {
        Self::up_with(agents, &[])
    }

    /// With TOML laid over some elements' agent.toml.
    pub fn up_with(agents: u32, with: &[(&str, &str)]) -> Self {
        Self::up_as("lineman-it-", &own_address(), agents, with)
    }

    /// In the centre of a network (see [`inside`]). Its agents begin there; [`Net::place`] moves them to their sites.
    pub fn up_on_net(agents: u32, with: &[(&str, &str)]) -> Self {
        Self::up_as(&format!("{}{}-", net::FOLDER, std::process::id()), CENTRE, agents, with)
    }

    fn up_as(folder: &str, listen: &str, agents: u32, with: &[(&str, &str)]) -> Self {
        let root = tempfile::Builder::new().prefix(folder).tempdir().expect("a temporary folder");
        // Sessions run as another account, which must be able to walk to its element.
        std::fs::set_permissions(root.path(), std::os::unix::fs::PermissionsExt::from_mode(0o711)).expect("permissions");
        let mut demo = Self { root, facts: Value::Null };
        let agents = agents.to_string();
        let dir = demo.dir().display().to_string();
        let up =
            ["demo", "up", "--dir", &dir, "--detach", "--json", "--listen", listen, "--port", "0", "--jump-port", "0", "--agents", &agents];
        let with = with.iter().map(|(handle, toml)| {
            let file = demo.scratch("with").join(handle);
            std::fs::write(&file, toml).expect("a file");
            format!("--with={handle}={}", file.display())
        });
        let with: Vec<_> = with.collect();
        let up = demo.lineman().args(up).args(with).command();
        demo.facts = run(&mut net::as_caller(&up)).json();
        demo
    }

    /// The process that the demo started under this name is asked to end, and has ended when this returns.
    pub fn stop(&self, name: &str) {
        net::end(self.pid_of(name));
    }

    /// The server again, after its end; on the same address, with the same files.
    pub fn start_server(&self) -> Process {
        let said = self.scratch("server").join("said");
        let start = || {
            let mut command = Command::new(bin("lineman-server"));
            command.arg("run").arg("--config").arg(self.dir().join("server/server.toml"));
            let log = std::fs::File::options().create(true).append(true).open(self.scratch("server").join("log")).expect("a log");
            let out = std::fs::File::create(&said).expect("a file");
            Process::spawn(command.stdin(Stdio::null()).stdout(out).stderr(log))
        };
        let mut server = start();
        eventually("the server answers", || {
            if let Ok(Some(status)) = server.0.try_wait() {
                server = start();
                return Err(format!("it ended: {status}"));
            }
            // Its own word: the address may still be answered by the one before, which is just dying.
            let text = std::fs::read_to_string(&said).map_err(|e| e.to_string())?;
            if text.contains("ready ") { Ok(()) } else { Err(format!("it said: {text}")) }
        });
        server
    }

    pub fn dir(&self) -> PathBuf {
        self.root.path().join("demo")
    }

    /// A folder for a test's own files.
    pub fn scratch(&self, name: &str) -> PathBuf {
        let path = self.root.path().join("scratch").join(name);
        std::fs::create_dir_all(&path).expect("a folder");
        path
    }

    /// `lineman` with a home of its own.
    fn lineman(&self) -> Person<'_> {
        Person { demo: self, name: None, args: Vec::new(), stdin: None }
    }

    /// `lineman` as one of the demo's people.
    pub fn person(&self, name: &str) -> Person<'_> {
        Person { name: Some(name.to_owned()), ..self.lineman() }
    }

    fn fact(&self, name: &str) -> &str {
        self.facts[name].as_str().unwrap_or_else(|| panic!("demo up --json has no `{name}`: {}", self.facts))
    }

    pub fn server(&self) -> &str {
        self.fact("server")
    }

    pub fn consent_key(&self) -> &str {
        self.fact("consent_key")
    }

    pub fn engineer_key(&self) -> &str {
        self.fact("engineer_key")
    }

    /// A field of one of the people in `demo up --json`: `token`, `key`, `trust`.
    pub fn of_person(&self, name: &str, field: &str) -> String {
        let people = self.facts["people"].as_array().expect("people");
        let person = people.iter().find(|person| person["name"] == name).unwrap_or_else(|| panic!("no person {name}"));
        person[field].as_str().unwrap_or_else(|| panic!("{name} has no {field}")).to_owned()
    }

    /// HTTP as one of the people, or as nobody.
    pub fn http(&self, person: Option<&str>) -> Http {
        Http::new(self.server(), Path::new(self.fact("ca")), person.map(|name| self.of_person(name, "token")))
    }

    /// The simulated element's folder.
    pub fn element(&self, handle: &str) -> PathBuf {
        self.dir().join("elements").join(handle)
    }

    /// The agent's state folder.
    pub fn agent(&self, handle: &str) -> PathBuf {
        self.dir().join("agents").join(handle)
    }

    pub fn do_break(&self, handle: &str, what: &str) {
        self.lineman().args(["demo", "break", handle, what, "--dir", &self.dir().display().to_string()]).output().ok();
    }

    pub fn repair(&self, handle: &str, what: &str) {
        self.lineman().args(["demo", "repair", handle, what, "--dir", &self.dir().display().to_string()]).output().ok();
    }

    /// The process that the demo started under this name (`server`, `ne-1`).
    pub fn pid_of(&self, name: &str) -> u32 {
        let text = std::fs::read_to_string(self.dir().join("pids.json")).expect("pids.json");
        let pids: Value = serde_json::from_str(&text).expect("JSON");
        let entry = pids.as_array().expect("a list").iter().find(|entry| entry["name"] == name).cloned();
        u32::try_from(entry.expect("a known name")["pid"].as_u64().expect("a pid")).expect("a pid")
    }

    /// As a power cut would.
    pub fn kill(&self, name: &str) {
        let pid = i32::try_from(self.pid_of(name)).ok().and_then(rustix::process::Pid::from_raw).expect("a pid");
        // Gone already is what was wanted.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        // Its port answers until the last of its threads is gone.
        let proc = std::path::PathBuf::from(format!("/proc/{}", pid.as_raw_pid()));
        eventually("it is gone", || {
            let threads = std::fs::read_dir(proc.join("task")).map_or(0, Iterator::count);
            let dead = std::fs::read_to_string(proc.join("stat")).map_or(true, |stat| stat.contains(") Z "));
            if dead && threads <= 1 { Ok(()) } else { Err(format!("{threads} threads")) }
        });
    }

    /// An open fault on this equipment, when there is one.
    pub fn open_fault(&self, equipment: &str) -> Result<Value, String> {
        let faults = self.http(Some("engineer-a")).get(&format!("/api/v1/faults?equipment={equipment}")).ok();
        faults["items"].as_array().and_then(|faults| faults.first().cloned()).ok_or_else(|| faults.to_string())
    }

    /// Breaks an element and waits for its fault; answers the number.
    pub fn broken(&self, handle: &str, equipment: &str, what: &str) -> String {
        self.do_break(handle, what);
        let fault = eventually("a fault opens", || self.open_fault(equipment));
        fault["number"].as_str().expect("a number").to_owned()
    }

    /// The engineer asks, the approver signs, the device confirms; answers the consent's id.
    pub fn consented(&self, fault: &str, doors: &str, duration: &str) -> String {
        let id = self.requested(fault, doors, duration);
        let approver = approver_of(fault);
        self.person(&approver).args(["consent", "approve", &id, "--key", &self.of_person(&approver, "key")]).output().ok();
        id
    }

    /// The engineer asks; answers the consent's id.
    pub fn requested(&self, fault: &str, doors: &str, duration: &str) -> String {
        let request = ["consent", "request", fault, "--doors", doors, "--for", duration, "-o", "json"];
        let view = self.person("engineer-a").args(request).output().json();
        let view = view.as_array().and_then(|list| list.first()).cloned().unwrap_or(view);
        view["id"].as_str().unwrap_or_else(|| panic!("no id in {view}")).to_owned()
    }

    /// A file for `ssh -F`, made by `lineman ssh-config`.
    pub fn ssh_config(&self) -> PathBuf {
        self.ssh_config_of("engineer-a")
    }

    pub fn ssh_config_of(&self, person: &str) -> PathBuf {
        // A file of its own each time: tests run side by side, and `ssh` must not read one that is being written.
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let file = self.scratch("ssh").join(format!("{person}-{}", COUNT.fetch_add(1, Ordering::Relaxed)));
        let text = self.person(person).args(["ssh-config"]).output().ok().stdout;
        std::fs::write(&file, text).expect("a file");
        file
    }

    /// Stock `ssh` with that file.
    pub fn ssh(&self, args: &[&str]) -> Output {
        run(Command::new("ssh").arg("-F").arg(self.ssh_config()).args(args).stdin(Stdio::null()))
    }
}

/// The approver of the customer whose fault this is: `F-JW-1` -> `approver-jw`.
pub fn approver_of(fault: &str) -> String {
    let customer = fault.split('-').nth(1).unwrap_or_else(|| panic!("{fault} is not a fault's number"));
    format!("approver-{}", customer.to_ascii_lowercase())
}

impl Drop for Demo {
    fn drop(&mut self) {
        if self.facts.is_null() {
            return;
        }
        let down = ["demo", "down", "--dir", &self.dir().display().to_string()];
        let output = self.lineman().args(down).output();
        assert!(output.code == Some(0) || std::thread::panicking(), "demo down failed: {output:?}");
    }
}

/// One run of `lineman`.
pub struct Person<'a> {
    demo: &'a Demo,
    name: Option<String>,
    args: Vec<String>,
    stdin: Option<String>,
}

impl Person<'_> {
    #[must_use]
    pub fn args<I: AsRef<str>>(mut self, args: impl IntoIterator<Item = I>) -> Self {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    #[must_use]
    pub fn stdin(mut self, text: &str) -> Self {
        self.stdin = Some(text.to_owned());
        self
    }

    /// The command, ready to start.
    pub fn command(&self) -> Command {
        let home = self.demo.root.path().join("home");
        let mut command = Command::new(bin("lineman"));
        command.args(&self.args).stdin(Stdio::null());
        for variable in ["LINEMAN_SERVER", "LINEMAN_CA", "LINEMAN_TOKEN", "LINEMAN_KEY", "LINEMAN_TRUST", "LINEMAN_CONTEXT"] {
            command.env_remove(variable);
        }
        for (variable, folder) in [("XDG_CONFIG_HOME", "config"), ("XDG_STATE_HOME", "state"), ("XDG_CACHE_HOME", "cache")] {
            command.env(variable, home.join(folder));
        }
        command.env("HOME", &home);
        if let Some(name) = &self.name {
            command.env("LINEMAN_CONTEXT", format!("demo-{name}"));
        }
        command
    }

    pub fn output(self) -> Output {
        match &self.stdin {
            None => run(&mut self.command()),
            Some(text) => process::run_with_input(&mut self.command(), text),
        }
    }
}

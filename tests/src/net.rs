//! Networks to cut: a centre, a router in the middle, and sites behind it, each in a network namespace.
//!
//! A test that needs one runs itself again in a network namespace of its own ([`inside`]); where it then is, is the centre. Router
//! and sites are namespaces too. Nothing of this has a name outside: a namespace is kept open by a process that ends when the test lets
//! go of its standard input, and the kernel removes a namespace with its last process. So the host's own network is never touched, and
//! nothing stays, however a test ends.
//!
//! ```text
//!   centre 10.77.0.1 ---- 10.77.0.254 router 10.77.N.254 ---- 10.77.N.2 site N
//! ```
//!
//! Root makes namespaces as it is; others make them in a user namespace where the system allows that, and the programs under test then
//! run as themselves again ([`as_caller`]). Needs `ip` of iproute2; all else is util-linux.

use std::collections::BTreeSet;
use std::env;
use std::ffi::OsStr;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::{Demo, Process, bin, run};

/// Tells a test that it is in a namespace, and as whom its programs run: `self`, or `UID:GID`.
const INSIDE: &str = "LINEMAN_TESTS_NET";
/// Folders of demos in namespaces are known by it, and by the process that made them.
pub(crate) const FOLDER: &str = "lineman-it-net-";
/// How long an agent may take to end its sessions.
const GRACE: Duration = Duration::from_secs(15);

/// Where the server is.
pub const CENTRE: &str = "10.77.0.1";

/// Everything that a test does in here, tried once where it does no harm.
const PROBE: &str = "ip link set lo up && ip link add probe type veth peer name eborp && ip rule add priority 10 iif probe blackhole \
                     && echo 1 > /proc/sys/net/ipv4/ip_forward";

/// Runs `body` in a network namespace of its own. `name` is the test's name, by which the test binary finds it again.
///
/// Where no namespaces can be made, that is said on stderr, and the test counts as passed.
pub fn inside(name: &str, body: impl FnOnce()) {
    if env::var_os(INSIDE).is_some() {
        ip(&mut Command::new("ip"), "link set lo up");
        return body();
    }
    let way = match way_in() {
        Ok(way) => way,
        Err(why) => return eprintln!("SKIPPED {name}: network namespaces can't be made here: {why}"),
    };
    sweep();
    let own = env::current_exe().expect("the test's own path");
    let mut command = Command::new("unshare");
    command.args(way.flags).arg("--").arg(own).args(["--exact", name, "--test-threads", "1"]).env(INSIDE, way.as_whom);
    // What it measures and why it fails, it says on stderr.
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status().expect("unshare");
    assert!(status.success(), "{name}, in its namespace: {status}");
}

struct Way {
    flags: &'static [&'static str],
    as_whom: String,
}

fn way_in() -> Result<Way, String> {
    let (uid, gid) = (rustix::process::getuid(), rustix::process::getgid());
    let way = if uid.is_root() {
        Way { flags: &["--net"], as_whom: "self".into() }
    } else {
        Way { flags: &["--map-root-user", "--net"], as_whom: format!("{}:{}", uid.as_raw(), gid.as_raw()) }
    };
    let mut probe = Command::new("unshare");
    match probe.args(way.flags).args(["--", "sh", "-c", PROBE]).output() {
        Ok(output) if output.status.success() => Ok(way),
        Ok(output) => Err(format!("`unshare {}`: {}", way.flags.join(" "), String::from_utf8_lossy(&output.stderr).trim())),
        Err(error) => Err(format!("unshare: {error}")),
    }
}

/// A program of ours that would behave differently as root of a user namespace, as whom the test was started.
pub(crate) fn as_caller(command: &Command) -> Command {
    let whom = env::var(INSIDE).unwrap_or_default();
    let mut wrapped = match whom.split_once(':') {
        None => Command::new(command.get_program()),
        Some((uid, gid)) => {
            let mut unshare = Command::new("unshare");
            unshare.args(["--user", &format!("--map-user={uid}"), &format!("--map-group={gid}"), "--"]).arg(command.get_program());
            unshare
        }
    };
    wrapped.args(command.get_args()).stdin(Stdio::null());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => wrapped.env(name, value),
            None => wrapped.env_remove(name),
        };
    }
    wrapped
}

/// Ends the demos of tests that were killed. Their namespaces live as long as these.
fn sweep() {
    let folders = std::fs::read_dir(env::temp_dir()).into_iter().flatten().flatten();
    for folder in folders.map(|entry| entry.path()) {
        let name = folder.file_name().and_then(OsStr::to_str).unwrap_or_default();
        let pid = name.strip_prefix(FOLDER).and_then(|rest| rest.split('-').next()).and_then(|pid| pid.parse::<u32>().ok());
        if pid.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            eprintln!("{} was left by a test that is gone; ending it", folder.display());
            run(Command::new(bin("lineman")).args(["demo", "down", "--dir"]).arg(folder.join("demo")));
            // Another one's folder stays, and does no harm.
            let _ = std::fs::remove_dir_all(&folder);
        }
    }
}

fn ip(command: &mut Command, args: &str) {
    run(command.args(args.split(' '))).ok();
}

/// A network namespace.
struct Namespace(Process);

impl Namespace {
    fn new() -> Self {
        let mut command = Command::new("unshare");
        command.args(["--net", "--", "sh", "-c", "echo; exec cat"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut holder = Process::spawn(&mut command);
        // It is in there when it says something.
        holder.0.stdout.as_mut().expect("a pipe").read_exact(&mut [0]).expect("a namespace");
        let namespace = Self(holder);
        namespace.ip("link set lo up");
        namespace
    }

    fn pid(&self) -> u32 {
        self.0.0.id()
    }

    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{}/ns/net", self.pid())).arg("--").arg(program);
        command
    }

    fn ip(&self, args: &str) {
        ip(&mut self.command("ip"), args);
    }
}

/// The whole network.
pub struct Net {
    router: Namespace,
    sites: Vec<Namespace>,
    /// What the router has forgotten: rules that drop one connection.
    forgotten: Mutex<BTreeSet<String>>,
}

impl Net {
    /// With sites 1 to `count`.
    pub fn new(count: u8) -> Self {
        let router = Namespace::new();
        let here = |args: &str| ip(&mut Command::new("ip"), args);
        here(&format!("link add wan type veth peer name centre netns {}", router.pid()));
        here(&format!("address add {CENTRE}/24 dev wan"));
        here("link set wan up");
        // Its own address stays when a killed test takes the router away: what is left of it here must be able to end.
        here(&format!("address add {CENTRE}/32 dev lo"));
        here("route add 10.77.0.0/16 via 10.77.0.254");
        router.ip("address add 10.77.0.254/24 dev centre");
        router.ip("link set centre up");
        run(router.command("sh").args(["-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"])).ok();
        let sites = (1..=count).map(|site| join(&router, site)).collect();
        Self { router, sites, forgotten: Mutex::default() }
    }

    fn at(&self, site: u8) -> &Namespace {
        &self.sites[usize::from(site) - 1]
    }

    /// A program that is at the site.
    pub fn command(&self, site: u8, program: impl AsRef<OsStr>) -> Command {
        self.at(site).command(program)
    }

    /// From now on the router drops what comes from the site and what goes there. Nobody is told: no RST, no ICMP.
    pub fn cut(&self, site: u8) {
        self.router.ip(&format!("rule add priority {site} iif site{site} blackhole"));
        self.router.ip(&format!("rule add priority {site} to 10.77.{site}.0/24 blackhole"));
    }

    pub fn restore(&self, site: u8) {
        for _ in 0..2 {
            self.router.ip(&format!("rule delete priority {site}"));
        }
    }

    /// The site's own interface goes down: programs there are told that there is no way out.
    pub fn unplug(&self, site: u8) {
        self.at(site).ip("link set wan down");
    }

    pub fn plug(&self, site: u8) {
        let namespace = self.at(site);
        namespace.ip("link set wan up");
        // It went with the interface.
        namespace.ip(&format!("route add default via 10.77.{site}.254"));
    }

    /// The site has another address, as after a new lease; what it had open keeps the old one, and reaches nobody.
    pub fn renumber(&self, site: u8) {
        let namespace = self.at(site);
        namespace.ip("address flush dev wan scope global");
        namespace.ip(&format!("address add 10.77.{site}.77/24 dev wan"));
        namespace.ip(&format!("route add default via 10.77.{site}.254"));
    }

    /// The router forgets every connection that the site has now, as a NAT does with those that were idle: what belongs to them is
    /// dropped from here on; new ones pass. Says how many it had known until now.
    pub fn forget(&self, site: u8) -> usize {
        self.forget_those(site, |_| true)
    }

    /// As [`Self::forget`], but only what was idle for so long. To be called again and again, as a NAT looks at its table.
    pub fn forget_idle(&self, site: u8, idle: Duration) -> usize {
        self.forget_those(site, |line| last_packet(line) > idle)
    }

    fn forget_those(&self, site: u8, which: impl Fn(&str) -> bool) -> usize {
        let out = run(self.at(site).command("ss").args(["-tinOH", "state", "established"])).ok().stdout;
        let connections = out.lines().filter(|line| which(line)).filter_map(Connection::of_ss);
        connections.filter(|connection| self.drop_connection(connection)).count()
    }

    /// False when it was dropped before.
    fn drop_connection(&self, connection: &Connection) -> bool {
        let Connection { near, near_port, far, far_port } = connection;
        let rule = format!("from {near} to {far} ipproto tcp sport {near_port} dport {far_port} blackhole");
        if !self.forgotten.lock().unwrap_or_else(PoisonError::into_inner).insert(rule.clone()) {
            return false;
        }
        self.router.ip(&format!("rule add priority 1000 {rule}"));
        self.router.ip(&format!("rule add priority 1000 from {far} to {near} ipproto tcp sport {far_port} dport {near_port} blackhole"));
        true
    }

    /// Takes the agents of these elements out of the centre's namespace and starts them at their sites.
    pub fn place(&self, demo: &Demo, agents: &[(String, u8)]) -> Placed {
        let pids: Vec<_> = agents.iter().map(|(handle, _)| demo.pid_of(handle)).collect();
        for pid in &pids {
            signal(*pid, Signal::TERM);
        }
        for pid in pids {
            end(pid);
        }
        Placed(agents.iter().map(|(handle, site)| self.start(demo, handle, *site)).collect())
    }

    fn start(&self, demo: &Demo, handle: &str, site: u8) -> Child {
        let log = demo.scratch("agents").join(handle);
        let open = || std::fs::File::options().create(true).append(true).open(&log).expect("a log");
        // It ends with the test, even when that is killed.
        let mut agent = Command::new("setpriv");
        agent.args(["--pdeathsig", "TERM", "--"]).arg(bin("lineman-agent")).arg("run").arg("--state").arg(demo.agent(handle));
        let agent = as_caller(&agent);
        let mut command = self.at(site).command(agent.get_program());
        command.args(agent.get_args()).stdin(Stdio::null()).stdout(open()).stderr(open()).spawn().expect("an agent")
    }
}

fn join(router: &Namespace, site: u8) -> Namespace {
    let namespace = Namespace::new();
    router.ip(&format!("link add site{site} type veth peer name wan netns {}", namespace.pid()));
    router.ip(&format!("address add 10.77.{site}.254/24 dev site{site}"));
    router.ip(&format!("link set site{site} up"));
    namespace.ip(&format!("address add 10.77.{site}.2/24 dev wan"));
    namespace.ip("link set wan up");
    namespace.ip(&format!("route add default via 10.77.{site}.254"));
    namespace
}

struct Connection {
    near: String,
    near_port: String,
    far: String,
    far_port: String,
}

impl Connection {
    /// From a line of `ss -tinOH state established`: two queue lengths, then the two ends.
    fn of_ss(line: &str) -> Option<Self> {
        let mut ends = line.split_whitespace().skip(2).filter_map(|end| end.rsplit_once(':'));
        let ((near, near_port), (far, far_port)) = (ends.next()?, ends.next()?);
        let [near, near_port, far, far_port] = [near, near_port, far, far_port].map(str::to_owned);
        (far == CENTRE).then_some(Self { near, near_port, far, far_port })
    }
}

/// How long ago anything went over the connection of this line of `ss -ti`.
fn last_packet(line: &str) -> Duration {
    let ages = ["lastsnd:", "lastrcv:", "lastack:"].map(|name| {
        let word = line.split_whitespace().find_map(|word| word.strip_prefix(name));
        // What is zero is not shown.
        word.and_then(|ms| ms.parse().ok()).unwrap_or(0)
    });
    Duration::from_millis(ages.into_iter().min().unwrap_or(0))
}

/// Agents at their sites; stopped when dropped.
pub struct Placed(Vec<Child>);

impl Drop for Placed {
    fn drop(&mut self) {
        for agent in &self.0 {
            signal(agent.id(), Signal::TERM);
        }
        let begun = Instant::now();
        while begun.elapsed() < GRACE && self.0.iter_mut().any(|agent| matches!(agent.try_wait(), Ok(None))) {
            std::thread::sleep(Duration::from_millis(50));
        }
        for agent in &mut self.0 {
            let _ = agent.kill();
            let _ = agent.wait();
        }
    }
}

/// Asks a process that is not our child to end, and waits until it has.
pub(crate) fn end(pid: u32) {
    signal(pid, Signal::TERM);
    crate::eventually(&format!("process {pid} ends"), || {
        // One that has ended and waits for its parent is gone for us.
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        if stat.is_empty() || stat.contains(") Z ") { Ok(()) } else { Err(stat) }
    });
}

fn signal(pid: u32, signal: Signal) {
    // Gone already is what was wanted.
    let _ = i32::try_from(pid).ok().and_then(Pid::from_raw).map(|pid| kill_process(pid, signal));
}

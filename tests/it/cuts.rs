//! The link is cut while stock `ssh` is in use: what was under way goes on where it stopped, and only a pause shows.
//!
//! What arrives is compared with what the device wrote: everything, in order, nothing twice. See [`lineman_tests::inside`] for the
//! network; the engineer's `ssh` is in its centre, beside the server, unless a test says otherwise.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use lineman_tests::{Demo, Net, Placed, bin, eventually, inside, run};
use serde_json::{Value, json};

const SECOND: Duration = Duration::from_secs(1);
/// Both sides have noticed a dead peer by then, with something on top for a busy machine.
const NOTICED: Duration = Duration::from_secs(75);
/// A cut of so long is noticed while it lasts.
const LONG: Duration = Duration::from_secs(20);
/// Longer than any cut that a session survives, and what is under way then.
const SOON: Duration = Duration::from_secs(150);

/// A shell at work: says something five times a second until there is a file `stop`, then answers each line; `last` ends it with status 7.
/// What it says, it also writes down.
const WORK: &str = "stty -echo; PS1=; say() { echo \"$1\"; echo \"$1\" >> logs/wrote; }; i=0; say work-$((40+2)); \
                    while [ ! -e logs/stop ]; do i=$((i+1)); say \"tick $i\"; sleep 0.2; done; \
                    while read -r line; do say \"heard $line\"; [ \"$line\" = last ] && exit 7 2>/dev/null; done\n";

/// Its first word; the line that was typed, and that the terminal shows, has it otherwise.
const BEGUN: &str = "work-42";

fn name_of(demo: &Demo, handle: &str) -> String {
    let devices = demo.facts["devices"].as_array().expect("devices");
    let device = devices.iter().find(|device| device["handle"] == handle).unwrap_or_else(|| panic!("no {handle}"));
    device["name"].as_str().expect("a name").to_owned()
}

fn until<T>(patience: Duration, what: &str, mut condition: impl FnMut() -> Result<T, String>) -> T {
    let begun = Instant::now();
    loop {
        match condition() {
            Ok(value) => return value,
            Err(seen) if begun.elapsed() > patience => panic!("{what}: not within {} s; last seen: {seen}", patience.as_secs()),
            Err(_) => thread::sleep(Duration::from_millis(50)),
        }
    }
}

/// For people; nothing is judged by it.
fn measured(what: &str, time: Duration) {
    eprintln!("measured: {what}: {:.1} s", time.as_secs_f64());
}

/// What a pipe brings, as it comes.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<u8>>>);

impl Heard {
    fn from(mut pipe: impl Read + Send + 'static) -> (Self, JoinHandle<()>) {
        let heard = Self::default();
        let also = heard.clone();
        let reading = thread::spawn(move || {
            let mut buffer = vec![0; 64 * 1024];
            while let Ok(n @ 1..) = pipe.read(&mut buffer) {
                also.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&buffer[..n]);
            }
        });
        (heard, reading)
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

/// Stock `ssh` with pipes; killed when dropped.
struct Ssh {
    child: Child,
    stdin: Option<ChildStdin>,
    out: Heard,
    err: Heard,
    readers: Vec<JoinHandle<()>>,
}

impl Ssh {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("ssh");
        let (out, reading_out) = Heard::from(child.stdout.take().expect("a pipe"));
        let (err, reading_err) = Heard::from(child.stderr.take().expect("a pipe"));
        Self { stdin: child.stdin.take(), child, out, err, readers: vec![reading_out, reading_err] }
    }

    fn say(&mut self, text: &str) {
        let stdin = self.stdin.as_mut().expect("an open pipe");
        stdin.write_all(text.as_bytes()).and_then(|()| stdin.flush()).unwrap_or_else(|e| panic!("ssh takes no input: {e}: {self:?}"));
    }

    fn still_runs(&mut self) {
        let status = self.child.try_wait().expect("its state");
        assert!(status.is_none(), "ssh has ended ({status:?}): {self:?}");
    }

    /// The exit code.
    fn ended(&mut self) -> Option<i32> {
        drop(self.stdin.take());
        let status = until(SOON, "ssh ends", || {
            let status = self.child.try_wait().map_err(|e| e.to_string())?;
            status.ok_or_else(|| self.err.text())
        });
        self.readers.drain(..).for_each(|reader| reader.join().expect("a reader"));
        status.code()
    }
}

impl std::fmt::Debug for Ssh {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (out, err) = (self.out.text(), self.err.text());
        let tail = out.char_indices().rev().nth(200).map_or(0, |(at, _)| at);
        write!(f, "stderr {err:?}, end of stdout {:?}", &out[tail..])
    }
}

impl Drop for Ssh {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One element with its fault and its consent, at the site of the same number.
struct Element<'a> {
    demo: &'a Demo,
    site: u8,
    name: String,
    fault: String,
    config: PathBuf,
}

impl<'a> Element<'a> {
    fn opened(demo: &'a Demo, site: u8) -> Self {
        let name = name_of(demo, &format!("ne-{site}"));
        let noc = if name.ends_with(".jw.ne") { "noc-jw" } else { "noc-yw" };
        let filed = json!({"equipment": name, "title": "test of cuts", "impact": "partial"});
        let filed = demo.http(Some(noc)).post("/api/v1/faults", &filed).ok();
        let fault = filed["number"].as_str().expect("a number").to_owned();
        demo.person("engineer-a").args(["fault", "accept", &fault]).output().ok();
        demo.consented(&fault, "shell,exec,sftp-read", "4h");
        Self { demo, site, name, fault, config: demo.ssh_config() }
    }

    fn handle(&self) -> String {
        format!("ne-{}", self.site)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.demo.element(&self.handle()).join("logs").join(name)
    }

    fn ssh(&self, args: &[&str]) -> Command {
        self.ssh_by(Command::new("ssh"), args)
    }

    fn ssh_by(&self, mut ssh: Command, args: &[&str]) -> Command {
        ssh.arg("-F").arg(&self.config).args(args);
        ssh
    }

    /// A shell that has begun its [`WORK`].
    fn shell(&self) -> Shell<'_> {
        self.shell_by(Command::new("ssh"))
    }

    fn shell_by(&self, ssh: Command) -> Shell<'_> {
        for file in ["wrote", "stop"] {
            // Of the shell before.
            let _ = fs::remove_file(self.file(file));
        }
        let mut ssh = Ssh::start(&mut self.ssh_by(ssh, &["-tt", &self.name]));
        ssh.say(WORK);
        let shell = Shell { element: self, ssh };
        shell.ticks_on(10);
        shell
    }

    fn presence(&self) -> String {
        let equipment = self.demo.http(Some("engineer-a")).get(&format!("/api/v1/equipment/{}", self.name)).ok();
        equipment["presence"].as_str().expect("a presence").to_owned()
    }

    fn becomes(&self, presence: &str, patience: Duration) {
        until(patience, &format!("{} is {presence}", self.name), || {
            let now = self.presence();
            if now == presence { Ok(()) } else { Err(now) }
        });
    }

    /// Until the agent itself says that its link is up, or is not.
    fn agent_is_connected(&self, wanted: bool, patience: Duration) {
        until(patience, &format!("the agent of {} says connected: {wanted}", self.name), || {
            let mut status = Command::new(bin("lineman-agent"));
            let status = run(status.args(["status", "--json", "--state"]).arg(self.demo.agent(&self.handle())));
            if status.code != Some(0) {
                return Err(status.stderr);
            }
            let status = status.json();
            if status["link"]["connected"] == wanted { Ok(()) } else { Err(status.to_string()) }
        });
    }

    fn session(&self, state: &str) -> Value {
        eventually(&format!("a session is {state}"), || {
            let path = format!("/api/v1/sessions?fault={}&state={state}", self.fault);
            let sessions = self.demo.http(Some("engineer-a")).get(&path).ok();
            sessions["items"].as_array().and_then(|sessions| sessions.first().cloned()).ok_or_else(|| sessions.to_string())
        })
    }

    fn live_session(&self) -> String {
        self.session("live")["id"].as_str().expect("an id").to_owned()
    }

    /// It has ended, and its recording is here, whole and signed.
    fn ended(&self, id: &str) -> Ended {
        let session = until(SOON, "the session's end is known, its recording whole", || {
            let session = self.demo.http(Some("engineer-a")).get(&format!("/api/v1/sessions/{id}")).ok();
            let whole = session["state"] == "ended" && session["chunks"] == session["chunks_stored"];
            if whole { Ok(session) } else { Err(session.to_string()) }
        });
        let proof = self.demo.person("engineer-a").args(["session", "verify", id]).output().ok().says("good").stdout;
        let shown = self.demo.person("engineer-a").args(["session", "export", id, "--format", "txt"]).output().ok().stdout;
        Ended { reason: session["end_reason"].as_str().expect("a reason").to_owned(), shown, proof }
    }
}

/// A session that is over.
struct Ended {
    reason: String,
    /// What the terminal showed.
    shown: String,
    /// What `lineman session verify` says, with the device's own remarks.
    proof: String,
}

struct Shell<'a> {
    element: &'a Element<'a>,
    ssh: Ssh,
}

impl Shell<'_> {
    /// What the work has said so far; the last line only when it is whole.
    fn lines(&self) -> Vec<String> {
        let text = self.ssh.out.text();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let begun = whole.find(BEGUN).map_or("", |begin| &whole[begin..]);
        let lines = begun.lines().map(|line| line.trim_end_matches('\r'));
        // What the device itself says to the terminal stands between empty lines.
        lines.filter(|line| !line.is_empty() && !line.starts_with("*** lineman: ")).map(str::to_owned).collect()
    }

    /// Until it has said so much more.
    fn ticks_on(&self, more: usize) {
        let before = self.lines().len();
        until(SOON, "the shell goes on", || {
            let now = self.lines().len();
            if now >= before + more { Ok(()) } else { Err(format!("{now} lines, {before} before: {:?}", self.ssh)) }
        });
    }

    fn wrote(&self) -> Vec<String> {
        let text = fs::read_to_string(self.element.file("wrote")).expect("what the shell wrote down");
        text.lines().map(str::to_owned).collect()
    }

    /// Takes input, ends with the status that it was told to end with, and has brought every line once and in order.
    fn finishes(mut self, also_heard: &[&str]) {
        fs::write(self.element.file("stop"), "").expect("a file");
        self.ssh.say("after\nlast\n");
        let heard = ["after", "last"].iter().chain(also_heard).map(|line| format!("heard {line}")).collect::<Vec<_>>();
        let code = self.ssh.ended();
        let (came, wrote) = (self.lines(), self.wrote());
        if came != wrote {
            let at = came.iter().zip(&wrote).take_while(|(a, b)| a == b).count();
            panic!(
                "{}: {} lines came, {} were written; from line {at} on {:?} came instead of {:?}",
                self.element.name,
                came.len(),
                wrote.len(),
                &came[at..came.len().min(at + 5)],
                &wrote[at..wrote.len().min(at + 5)]
            );
        }
        for line in &heard {
            assert_eq!(came.iter().filter(|came| *came == line).count(), 1, "{line}: {came:?}");
        }
        assert_eq!(code, Some(7), "{:?}", self.ssh);
    }
}

/// A cut for so long, and what the shell does meanwhile.
fn shell_through(net: &Net, element: &Element<'_>, cut: Duration) {
    let mut shell = element.shell();
    net.cut(element.site);
    thread::sleep(SECOND);
    let stopped_at = shell.lines().len();
    // Typed while nothing goes through.
    shell.ssh.say("blind\n");
    thread::sleep(cut.saturating_sub(SECOND));
    assert_eq!(shell.lines().len(), stopped_at, "{}: something came through the cut", element.name);
    shell.ssh.still_runs();
    let back = Instant::now();
    net.restore(element.site);
    shell.ticks_on(1);
    measured(&format!("cut of {} s: from the link's return to the next output", cut.as_secs()), back.elapsed());
    shell.ticks_on(10);
    let id = element.live_session();
    shell.finishes(&["blind"]);
    let ended = element.ended(&id);
    assert_eq!(ended.reason, "client");
    // Who looks at the recording sees what happened; a short cut may have gone unnoticed.
    let told = ended.proof.contains("the connection to the centre is back after");
    assert!(told || cut < LONG, "nothing in the recording says that there was a cut: {}", ended.proof);
}

/// The long one, with what the centre and the device say of it meanwhile.
fn long_cut(net: &Net, element: &Element<'_>) {
    thread::scope(|scope| {
        let shell = scope.spawn(|| shell_through(net, element, Duration::from_secs(90)));
        // It begins with ten lines, so the cut is a few seconds away.
        until(SOON, "the shell is at work", || element.file("wrote").exists().then_some(()).ok_or_else(|| "not yet".into()));
        let cut = Instant::now();
        element.becomes("offline", NOTICED);
        measured("from the cut until the centre calls the device offline, at most", cut.elapsed());
        let shown = element.demo.person("engineer-a").args(["equipment", "show", &element.name]).output().ok();
        shown.says("offline");
        element.agent_is_connected(false, NOTICED);
        measured("from the cut until both have noticed, at most", cut.elapsed());
        // The session is not over: it is only out of reach.
        element.live_session();
        shell.join().unwrap_or_else(|panic| resume_unwind(panic));
        element.becomes("online", Duration::from_secs(30));
        element.agent_is_connected(true, Duration::from_secs(30));
    });
}

/// How long until the device is there again, after a cut that both sides have noticed.
fn comes_back(net: &Net, element: &Element<'_>) {
    net.cut(element.site);
    element.becomes("offline", NOTICED);
    element.agent_is_connected(false, NOTICED);
    let back = Instant::now();
    net.restore(element.site);
    element.becomes("online", Duration::from_secs(30));
    measured("from the link's return until the device is online", back.elapsed());
    // Nobody was in, and whoever comes now gets in.
    let mut shell = element.shell();
    shell.ssh.still_runs();
    shell.finishes(&[]);
}

const BULK_BYTES: usize = 64 << 20;

/// Every eight bytes are another number, so that what is missing, doubled or moved shows.
fn blob(bytes: usize) -> Vec<u8> {
    (0..bytes as u64 / 8).flat_map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()).collect()
}

fn size(path: &PathBuf) -> u64 {
    fs::metadata(path).map_or(0, |meta| meta.len())
}

fn same(came: &PathBuf, sent: &[u8]) {
    let came = fs::read(came).expect("what came");
    let at = came.iter().zip(sent).take_while(|(a, b)| a == b).count();
    assert!(at == sent.len() && came.len() == sent.len(), "{} bytes came of {}; the first wrong one is {at}", came.len(), sent.len());
}

/// Cut in the middle, when so much has come.
fn cut_at(net: &Net, element: &Element<'_>, child: &mut Child, file: &PathBuf, bytes: u64, cut: Duration) {
    until(SOON, "the transfer is under way", || if size(file) >= bytes { Ok(()) } else { Err(format!("{} bytes", size(file))) });
    net.cut(element.site);
    thread::sleep(cut);
    assert!(child.try_wait().expect("its state").is_none(), "it ended before the link came back, with {} bytes", size(file));
    let (at_return, back) = (size(file), Instant::now());
    net.restore(element.site);
    until(SOON, "more comes", || if size(file) > at_return { Ok(()) } else { Err(format!("{at_return} bytes")) });
    measured(&format!("transfer cut for {} s: from the link's return to the next bytes", cut.as_secs()), back.elapsed());
}

fn finished(child: &mut Child, came: &PathBuf, err: &PathBuf) {
    let status = until(SOON, "the transfer ends", || {
        child.try_wait().map_err(|e| e.to_string())?.ok_or_else(|| format!("{} bytes came", size(came)))
    });
    assert!(status.success(), "{status}: {}", fs::read_to_string(err).unwrap_or_default());
}

/// 64 MiB to the device and 64 MiB from it, at the same time, through a cut of 5 s.
fn bulk(net: &Net, element: &Element<'_>) {
    let dir = element.demo.scratch("bulk");
    let [sent, came, err_up, err_down] = ["sent", "came", "err-up", "err-down"].map(|name| dir.join(name));
    let (blob, got) = (blob(BULK_BYTES), element.file("got"));
    fs::write(&sent, &blob).expect("a file");
    fs::write(element.file("blob"), &blob).expect("a file");
    let create = |path: &PathBuf| Stdio::from(File::create(path).expect("a file"));
    let start = |command: &str, input: Stdio, output: Stdio, err: &PathBuf| {
        let mut ssh = element.ssh(&[&element.name, command]);
        lineman_tests::Process(ssh.stdin(input).stdout(output).stderr(create(err)).spawn().expect("ssh"))
    };
    let mut up = start("cat > logs/got", File::open(&sent).expect("a file").into(), Stdio::null(), &err_up);
    let mut down = start("cat logs/blob", Stdio::null(), create(&came), &err_down);
    until(SOON, "something goes up", || if size(&got) > 0 { Ok(()) } else { Err("nothing".to_owned()) });
    cut_at(net, element, &mut down.0, &came, 4 << 20, 5 * SECOND);
    finished(&mut down.0, &came, &err_down);
    finished(&mut up.0, &got, &err_up);
    same(&came, &blob);
    same(&got, &blob);
}

/// A file fetched with stock `sftp` through a cut of 30 s.
fn sftp(net: &Net, element: &Element<'_>) {
    let dir = element.demo.scratch("sftp");
    let [came, err, batch] = ["came", "err", "batch"].map(|name| dir.join(name));
    let blob = blob(BULK_BYTES / 4);
    fs::write(element.file("blob"), &blob).expect("a file");
    fs::write(&batch, format!("get logs/blob {}\n", came.display())).expect("a file");
    // At most 4 MiB/s, so that there is a middle to cut in.
    let mut sftp = Command::new("sftp");
    sftp.arg("-F").arg(&element.config).args(["-l", "32768", "-b"]).arg(&batch).arg(&element.name);
    let err_file = File::create(&err).expect("a file");
    let mut sftp = lineman_tests::Process(sftp.stdin(Stdio::null()).stdout(Stdio::null()).stderr(err_file).spawn().expect("sftp"));
    cut_at(net, element, &mut sftp.0, &came, 4 << 20, 30 * SECOND);
    finished(&mut sftp.0, &came, &err);
    same(&came, &blob);
}

/// Its neighbours are cut; here nothing pauses.
fn unharmed(element: &Element<'_>, how_long: Duration) {
    let shell = element.shell();
    let (begun, mut longest) = (Instant::now(), Duration::ZERO);
    while begun.elapsed() < how_long {
        let before = Instant::now();
        shell.ticks_on(5);
        longest = longest.max(before.elapsed());
    }
    measured("a device that is not cut: the longest time for five lines that are said in one second", longest);
    shell.finishes(&[]);
}

/// The interface goes down and comes back; then the device has another address; then a NAT forgets what it had open.
fn troubles(net: &Net, element: &Element<'_>) {
    type Trouble = fn(&Net, u8);
    let troubles: [(&str, Trouble); 3] = [
        ("interface down for 10 s", |net, site| {
            net.unplug(site);
            thread::sleep(10 * SECOND);
            net.plug(site);
        }),
        ("another address after a cut of 3 s", |net, site| {
            net.cut(site);
            thread::sleep(3 * SECOND);
            net.renumber(site);
            net.restore(site);
        }),
        ("a NAT that forgot", |net, site| {
            let forgotten = net.forget(site);
            assert!(forgotten >= 2, "a link and a leg, or more: {forgotten}");
        }),
    ];
    let mut shell = element.shell();
    for (what, trouble) in troubles {
        trouble(net, element.site);
        let back = Instant::now();
        // What was in flight may still arrive; ten lines take two seconds at least.
        shell.ticks_on(10);
        measured(&format!("{what}: until ten more lines came"), back.elapsed());
        shell.ssh.still_runs();
    }
    shell.finishes(&[]);
}

/// Not the device, but the engineer is cut off, in the middle of the work.
fn engineer_cut(net: &Net, element: &Element<'_>, site: u8) {
    let mut shell = element.shell_by(net.command(site, "ssh"));
    net.cut(site);
    shell.ssh.say("blind\n");
    thread::sleep(20 * SECOND);
    shell.ssh.still_runs();
    let back = Instant::now();
    net.restore(site);
    shell.ticks_on(10);
    measured("the engineer's own link was cut for 20 s: until ten more lines came", back.elapsed());
    shell.finishes(&["blind"]);
}

/// Elements 1 to `count`, each with its agent at the site of its number, all online.
fn placed<'a>(net: &Net, demo: &'a Demo, count: u8) -> (Vec<Element<'a>>, Placed) {
    let elements: Vec<_> = (1..=count).map(|site| Element::opened(demo, site)).collect();
    let agents = net.place(demo, &elements.iter().map(|element| (element.handle(), element.site)).collect::<Vec<_>>());
    for element in &elements {
        element.agent_is_connected(true, SOON);
    }
    (elements, agents)
}

/// All at the same time, each at a site of its own: together they take as long as the longest cut.
pub fn what_is_under_way_goes_on_after_a_cut() {
    inside("cuts::what_is_under_way_goes_on_after_a_cut", || {
        const ENGINEER: u8 = 10;
        let (net, demo) = (Net::new(ENGINEER), Demo::up_on_net(9, &[]));
        let (elements, _agents) = placed(&net, &demo, 9);
        let at = |site: usize| &elements[site - 1];
        let seconds = Duration::from_secs;
        let stories: Vec<Story<'_>> = vec![
            ("a shell through 5 s", Box::new(|| shell_through(&net, at(1), seconds(5)))),
            ("a shell through 30 s", Box::new(|| shell_through(&net, at(2), seconds(30)))),
            ("a shell through 90 s", Box::new(|| long_cut(&net, at(3)))),
            ("64 MiB both ways through 5 s", Box::new(|| bulk(&net, at(4)))),
            ("sftp through 30 s", Box::new(|| sftp(&net, at(5)))),
            ("the neighbour of those that are cut", Box::new(|| unharmed(at(6), seconds(60)))),
            ("interface, address, NAT", Box::new(|| troubles(&net, at(7)))),
            ("nobody inside", Box::new(|| comes_back(&net, at(8)))),
            ("the engineer is cut", Box::new(|| engineer_cut(&net, at(9), ENGINEER))),
        ];
        together(stories);
    });
}

type Story<'a> = (&'a str, Box<dyn FnOnce() + Send + 'a>);

/// Runs them side by side, and fails with the names of all that failed.
fn together(stories: Vec<Story<'_>>) {
    let failed: Vec<_> = thread::scope(|scope| {
        let running: Vec<_> =
            stories.into_iter().map(|(what, story)| (what, scope.spawn(move || catch_unwind(AssertUnwindSafe(story)).is_err()))).collect();
        running.into_iter().filter_map(|(what, story)| story.join().unwrap_or(true).then_some(what)).collect()
    });
    assert!(failed.is_empty(), "failed, as said above: {}", failed.join("; "));
}

/// Longer than the grace: it is over on both sides, each says so, and the recording is whole. Two minutes of waiting, so for `make soak`.
pub fn a_cut_longer_than_the_grace_ends_the_session() {
    if std::env::var_os("SOAK").is_none() {
        return;
    }
    inside("cuts::a_cut_longer_than_the_grace_ends_the_session", || {
        let (net, demo) = (Net::new(1), Demo::up_on_net(1, &[]));
        let (elements, _agents) = placed(&net, &demo, 1);
        let element = &elements[0];
        let mut shell = element.shell();
        let id = element.live_session();
        net.cut(1);
        let cut = Instant::now();
        // The engineer's side, while the device is still away.
        let code = shell.ssh.ended();
        measured("over the grace: from the cut until ssh ended", cut.elapsed());
        assert_eq!(code, Some(255), "{:?}", shell.ssh);
        let words = shell.ssh.err.text();
        // SSH runs between engineer and device: with the device out of reach nobody can say more in it.
        assert!(words.contains(&format!("Connection to {} closed by remote host", element.name)), "ssh says so: {words:?}");
        // The device's side: the work has ended there, too, with nobody to tell it.
        until(SOON, "the shell on the device has ended", || {
            let before = shell.wrote().len();
            thread::sleep(SECOND);
            if shell.wrote().len() == before { Ok(()) } else { Err("it goes on".to_owned()) }
        });
        net.restore(1);
        is_whole(element, &shell, &id, "link_lost");
        // The consent lives on, and so does the device.
        element.shell().finishes(&[]);
    });
}

/// The server is stopped, and then killed, with somebody inside: both sides end it, with words; the recording is whole.
pub fn a_server_that_restarts_ends_sessions_and_says_so() {
    let demo = Demo::up(1);
    let element = Element::opened(&demo, 1);

    let mut shell = element.shell();
    let id = element.live_session();
    demo.stop("server");
    let code = shell.ssh.ended();
    let said = shell.ssh.out.text() + &shell.ssh.err.text();
    assert!(
        code.is_some_and(|code| code > 0) && said.contains("the support centre stop"),
        "why it ended is said ({code:?}): {:?}",
        shell.ssh
    );
    let mut server = demo.start_server();
    is_whole(&element, &shell, &id, "centre_stopped");
    element.shell().finishes(&[]);

    let mut shell = element.shell();
    let id = element.live_session();
    server.kill9();
    assert_eq!(shell.ssh.ended(), Some(255), "{:?}", shell.ssh);
    let _server = demo.start_server();
    is_whole(&element, &shell, &id, "link_lost");
    element.shell().finishes(&[]);
}

/// Everything that the engineer saw was recorded, and more: what the device wrote.
fn is_whole(element: &Element<'_>, shell: &Shell<'_>, id: &str, why: &str) {
    let Ended { reason, shown, .. } = element.ended(id);
    assert_eq!(reason, why);
    let (came, wrote) = (shell.lines(), shell.wrote());
    assert!(wrote.starts_with(&came), "{came:?}\n{wrote:?}");
    let missing = wrote.iter().find(|line| !shown.contains(*line));
    assert!(missing.is_none(), "{missing:?} was written, and is not in the recording");
}

/// `SOAK_IDLE_S`, or ten minutes.
fn idle_time() -> Duration {
    Duration::from_secs(std::env::var("SOAK_IDLE_S").ok().and_then(|text| text.parse().ok()).unwrap_or(600))
}

/// A long run, for `make soak`: random cuts while bytes and keystrokes go both ways; and sessions that are idle behind a NAT that forgets
/// after a minute.
pub fn many_cuts_and_long_idleness() {
    if std::env::var_os("SOAK").is_none() {
        return;
    }
    inside("cuts::many_cuts_and_long_idleness", || {
        const ENGINEER: u8 = 5;
        let (net, demo) = (Net::new(ENGINEER), Demo::up_on_net(4, &[]));
        let (elements, _agents) = placed(&net, &demo, 4);
        let at = |site: usize| &elements[site - 1];
        let stories: Vec<Story<'_>> = vec![
            ("many cuts under bulk", Box::new(|| many_cuts(&net, at(1), streaming))),
            ("many cuts under typing", Box::new(|| many_cuts(&net, at(2), typing))),
            ("a device behind a NAT", Box::new(|| idle(&net, 3, at(3).shell()))),
            ("an engineer behind a NAT", Box::new(|| idle(&net, ENGINEER, at(4).shell_by(net.command(ENGINEER, "ssh"))))),
        ];
        together(stories);
    });
}

/// Twenty cuts of 1 to 20 s, with up to as much between them, while the work goes on.
fn many_cuts(net: &Net, element: &Element<'_>, work: fn(&Element<'_>, &AtomicBool)) {
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let working = scope.spawn(|| work(element, &over));
        // xorshift64, from a seed that is told.
        let seed = u64::from(std::process::id()) << 8 | u64::from(element.site);
        eprintln!("cuts of {}: seed {seed}", element.name);
        let mut random = seed;
        let mut next = || {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            Duration::from_millis(1000 + random % 19_000)
        };
        for _ in 0..20 {
            thread::sleep(next());
            if working.is_finished() {
                break;
            }
            net.cut(element.site);
            thread::sleep(next());
            net.restore(element.site);
        }
        over.store(true, Ordering::Relaxed);
        working.join().unwrap_or_else(|panic| resume_unwind(panic));
    });
}

/// Blocks of 1 MiB that are under way: SSH takes input as fast as it comes, and a command that answers more slowly than it is fed
/// would fill what waits for it.
const AHEAD: u64 = 8;

/// Bytes to the device and back, each known by its place.
fn streaming(element: &Element<'_>, over: &AtomicBool) {
    let mut cat = element.ssh(&[&element.name, "cat"]);
    let cat = cat.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().expect("ssh");
    let mut cat = lineman_tests::Process(cat);
    let (mut to, mut from) = (cat.0.stdin.take().expect("a pipe"), cat.0.stdout.take().expect("a pipe"));
    let block = blob(1 << 20);
    let arrived = AtomicU64::new(0);
    thread::scope(|scope| {
        let sending = scope.spawn(|| {
            let mut blocks = 0u64;
            while !over.load(Ordering::Relaxed) {
                if blocks >= arrived.load(Ordering::Relaxed) + AHEAD {
                    thread::sleep(Duration::from_millis(1));
                    continue;
                }
                to.write_all(&blocks.to_le_bytes()).and_then(|()| to.write_all(&block)).expect("ssh takes it");
                blocks += 1;
            }
            drop(to);
            blocks
        });
        let (mut came, mut number, mut bytes) = (0u64, [0; 8], vec![0; block.len()]);
        while from.read_exact(&mut number).is_ok() {
            from.read_exact(&mut bytes).expect("a whole block");
            assert_eq!(u64::from_le_bytes(number), came, "blocks in their order");
            assert!(bytes == block, "block {came} came changed");
            came += 1;
            arrived.store(came, Ordering::Relaxed);
        }
        assert_eq!(came, sending.join().expect("a sender"), "blocks came back");
        eprintln!("measured: {came} MiB went to {} and came back", element.name);
    });
    let status = cat.0.wait().expect("its end");
    assert!(status.success(), "{status}");
}

/// A line, its answer, the next line.
fn typing(element: &Element<'_>, over: &AtomicBool) {
    let mut shell = element.shell();
    fs::write(element.file("stop"), "").expect("a file");
    let (mut count, mut longest) = (0, Duration::ZERO);
    while !over.load(Ordering::Relaxed) {
        count += 1;
        let (line, begun) = (format!("line {count}"), Instant::now());
        shell.ssh.say(&format!("{line}\n"));
        until(SOON, &format!("{line} is answered"), || {
            shell.lines().last().filter(|last| **last == format!("heard {line}")).map(drop).ok_or_else(|| format!("{:?}", shell.ssh))
        });
        longest = longest.max(begun.elapsed());
        thread::sleep(SECOND / 10);
    }
    measured(&format!("{count} lines were typed and answered; the longest wait for an answer"), longest);
    shell.finishes(&[]);
}

/// Nobody says anything for long, behind a NAT at `site` that forgets what was silent for a minute. Then the work goes on.
fn idle(net: &Net, site: u8, mut shell: Shell<'_>) {
    // From here on it waits for input.
    fs::write(shell.element.file("stop"), "").expect("a file");
    let (begun, mut forgotten) = (Instant::now(), 0);
    while begun.elapsed() < idle_time() {
        thread::sleep(5 * SECOND);
        forgotten += net.forget_idle(site, 60 * SECOND);
        shell.ssh.still_runs();
    }
    eprintln!("measured: {} s idle, site {site}: {forgotten} connections were forgotten", begun.elapsed().as_secs());
    shell.finishes(&[]);
}

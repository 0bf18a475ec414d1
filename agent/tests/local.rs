//! The administrator at a running agent: the built program, its control socket, its files, with no centre to be reached.

#![expect(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "a test fails where it stands")]

use std::io::Write;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{Timestamp, ToSpan};
use lineman_agent::consents::clock::SystemClock;
use lineman_agent::consents::{Consents, Pinned, Policy};
use lineman_agent::identity::{self, Identity};
use lineman_agent::journal::{self, Entry};
use lineman_agent::session::child::SESSION_VARIABLE;
use lineman_agent::spool::Spool;
use lineman_common::id::ConsentId;
use lineman_common::link::{LocalConsent, Report, Stream};
use lineman_common::session::Grade;
use lineman_common::statement::{LocalAct, LocalStatement, Namespace, Receipt, Request, Signed, device, sha256_hex, sig};
use ssh_key::{Algorithm, LineEnding, PrivateKey};

const BINARY: &str = env!("CARGO_BIN_EXE_lineman-agent");

fn key() -> PrivateKey {
    PrivateKey::random(&mut ssh_key::rand_core::UnwrapErr(ssh_key::getrandom::SysRng), Algorithm::Ed25519).unwrap()
}

fn line(principal: &str, namespace: &str, key: &PrivateKey) -> String {
    format!("{principal} namespaces=\"{namespace}\" {}\n", device::openssh(key.public_key()))
}

fn list(kind: &str, counter: u64, lines: &str) -> String {
    let now = Timestamp::now();
    format!("# lineman-list: {kind}\n# counter: {counter}\n# issued: {now}\n# expiry: {}\n{lines}", now + (24 * 30).hours())
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// An enrolled device whose agent runs.
struct Machine {
    dir: tempfile::TempDir,
    engineer: PrivateKey,
    chief: PrivateKey,
    host: PrivateKey,
    request: Request,
    agent: Option<Child>,
}

impl Machine {
    fn start() -> Self {
        Self::start_with("")
    }

    /// With more in its local file. A verified request waits.
    fn start_with(config: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (root, engineer, approver, chief, host) = (key(), key(), key(), key(), key());
        let link = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        let certificate = rcgen::CertificateParams::new(vec!["ne-1.jw.ne".into()]).unwrap().self_signed(&link).unwrap().pem();
        let signers =
            list("signers JW", 1, &(line("approver-jw", "consent@lineman", &approver) + &line("chief", "signers@lineman", &chief)));
        for (name, content) in [
            (identity::DEVICE, "ne-1.jw.ne\n".to_owned()),
            (identity::HOST_KEY, host.to_openssh(LineEnding::LF).unwrap().to_string()),
            (identity::LINK_KEY, link.serialize_pem()),
            (identity::LINK_CERTIFICATE, certificate.clone()),
            (identity::CA, certificate),
            (identity::SERVER, "127.0.0.1:1\n".to_owned()),
            (identity::SIGNERS, signers),
            (identity::VENDOR_ROOT, line("vendor-root", "roster@lineman", &root)),
            ("agent.toml", format!("[account.view]\nuser = \"nobody\"\n{config}")),
        ] {
            std::fs::write(dir.path().join(name), content).unwrap();
        }
        let request = prepare(dir.path(), &root, &engineer);
        let mut machine = Self { dir, engineer, chief, host, request, agent: None };
        machine.run_agent();
        machine
    }

    fn run_agent(&mut self) {
        let mut agent = Command::new(BINARY);
        agent.args(["run", "--log-level", "warn", "--state"]).arg(self.dir.path()).stdin(Stdio::null());
        self.agent = Some(agent.spawn().unwrap());
        let deadline = Instant::now() + Duration::from_secs(30);
        while !self.ask(&["status"]).status.success() {
            assert!(Instant::now() < deadline, "the agent does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn kill_dash_nine(&mut self) {
        let mut agent = self.agent.take().unwrap();
        agent.kill().unwrap();
        agent.wait().unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command.args(arguments).arg("--state").arg(self.dir.path()).stdin(Stdio::null());
        command
    }

    fn ask(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// What it printed.
    fn done(&self, arguments: &[&str]) -> String {
        let output = self.ask(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        text(&output.stdout).to_owned()
    }

    fn refused(&self, arguments: &[&str], expected: &str) {
        let output = self.ask(arguments);
        let error = text(&output.stderr);
        assert!(!output.status.success() && error.contains(expected), "{arguments:?}: {error}\nshould say\n{expected}");
    }

    fn id(&self) -> String {
        self.request.id.to_string()
    }

    /// What the journal says was done here, each verified under the device's key.
    fn local_acts(&self) -> Vec<LocalStatement> {
        let device = "ne-1.jw.ne".parse().unwrap();
        let acts = journal::read(self.dir.path()).unwrap().into_iter().filter_map(|line| match line.entry {
            Entry::Local { signed } => Some(LocalStatement::verify(&signed, &device, self.host.public_key()).unwrap()),
            _ => None,
        });
        acts.collect()
    }

    /// What the centre would be told. The agent must not run.
    fn reports(&self) -> Vec<Report> {
        let mut spool = Spool::open(&self.dir.path().join("spool"), 64 << 20).unwrap();
        let events = spool.read_from(Stream::Events, 0, usize::MAX).unwrap();
        events.into_iter().map(|(_, body)| serde_json::from_slice(&body).unwrap()).collect()
    }

    fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// A signature by stock `ssh-keygen`.
    fn sign(&self, file: &Path, key: &PrivateKey) -> PathBuf {
        let key_file = self.write("chief-key", &key.to_openssh(LineEnding::LF).unwrap());
        std::fs::set_permissions(&key_file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let signature = file.with_extension("sig");
        let _ = std::fs::remove_file(&signature);
        let made = Command::new("ssh-keygen").args(["-q", "-Y", "sign", "-n", "signers@lineman", "-f"]).arg(&key_file).arg(file).output();
        assert!(made.unwrap().status.success());
        let made = PathBuf::from(format!("{}.sig", file.display()));
        if made != signature {
            std::fs::rename(made, &signature).unwrap();
        }
        signature
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if self.agent.is_some() {
            self.kill_dash_nine();
        }
    }
}

/// What the centre brought before it went away: a roster and a request.
fn prepare(dir: &Path, root: &PrivateKey, engineer: &PrivateKey) -> Request {
    let identity = Identity::load(dir).unwrap();
    let policy = Policy {
        grades: vec![Grade::EndToEnd],
        approvals: 1,
        signers_approvals: 1,
        max_duration_s: 14_400,
        challenge_ttl_s: 14_400,
        max_standing_days: 35,
        browser_keys: false,
        accounts: vec!["view".into()],
    };
    let consents = Consents::open(dir, Pinned::of(&identity), policy, Arc::new(SystemClock::new())).unwrap();
    let roster = list("roster", 1, &line("engineer-a,level-2", "request@lineman", engineer));
    consents.take_roster(&Signed::sign(root, Namespace::Roster, roster).unwrap()).unwrap();
    let id = ConsentId::new();
    let request = Request {
        id,
        fault: "F-JW-1".parse().unwrap(),
        device: identity.device.clone(),
        host_key: identity.host_key_fingerprint,
        grade: Grade::EndToEnd,
        engineer: "engineer-a".parse().unwrap(),
        engineer_key: sig::fingerprint(engineer.public_key()).to_string(),
        doors: "shell,exec".parse().unwrap(),
        account: "view".into(),
        duration_s: 3600,
        challenge: consents.challenge(id).unwrap().0,
        reason: "fan stopped".into(),
        issued: Timestamp::now(),
    };
    consents.take_request(&Signed::sign(engineer, Namespace::Request, request.write().unwrap()).unwrap()).unwrap();
    request
}

#[test]
fn break_glass_lets_the_shown_request_in_and_leaves_its_traces_everywhere() {
    let sink = UdpSocket::bind("127.0.0.1:0").unwrap();
    sink.set_nonblocking(true).unwrap();
    let mut machine = Machine::start_with(&format!("[sink]\nsyslog = \"udp://{}\"\n", sink.local_addr().unwrap()));
    let id = machine.id();
    let shown = machine.done(&["consent", "pending"]);
    assert!(shown.contains(&id) && shown.contains("engineer-a") && shown.contains("fan stopped"), "{shown}");
    machine.refused(&["consent", "approve", &id], "this is asked on a terminal");
    machine.refused(&["consent", "approve", &id, "--yes", "--doors", "shell,sftp-write"], "an approval may only narrow");
    machine.refused(&["consent", "approve", &id, "--yes", "--for", "2h"], "an approval may only narrow");
    machine.refused(&["consent", "approve", &ConsentId::new().to_string(), "--yes"], "no request");
    assert!(machine.local_acts().is_empty(), "nothing was done");

    machine.done(&["consent", "approve", &id, "--yes", "--doors", "exec", "--for", "30m"]);
    let mut datagram = vec![0; 65536];
    let told = std::iter::from_fn(|| sink.recv(&mut datagram).ok().map(|n| text(&datagram[..n]).to_owned())).collect::<String>();
    assert!(told.contains("approve-consent") && told.contains(&id), "the sink has it when the command returns: {told}");
    let live = machine.done(&["consent", "list"]);
    assert!(live.contains(&id) && live.contains("on-this-device") && live.contains("\texec\t"), "{live}");

    let acts = machine.local_acts();
    assert_eq!((acts.len(), acts[0].act, &acts[0].subject), (1, LocalAct::ApproveConsent, &id));
    let sha256 = sha256_hex(machine.request.write().unwrap());
    assert_eq!(acts[0].detail, format!("request-sha256 {sha256}; doors exec; duration-s 1800"));
    assert!(acts[0].by.contains("(uid ") && acts[0].by.contains("process "), "{}", acts[0].by);
    let entries: Vec<_> = journal::read(machine.dir.path()).unwrap().into_iter().map(|line| line.entry).collect();
    let local = entries.iter().position(|entry| matches!(entry, Entry::Local { .. })).unwrap();
    let lives = entries.iter().position(|entry| matches!(entry, Entry::ConsentLive { .. })).unwrap();
    assert!(local < lives, "said before it was done");

    machine.kill_dash_nine();
    let told = machine.reports().into_iter().find_map(|report| match report {
        Report::Local { signed, live } => Some((signed, live)),
        _ => None,
    });
    let (signed, live) = told.unwrap();
    assert_eq!(LocalStatement::read_unverified(&signed).unwrap().act, LocalAct::ApproveConsent);
    assert!(matches!(live, Some(LocalConsent { consent, .. }) if consent == machine.request.id));
    machine.run_agent();
    assert!(machine.done(&["consent", "list"]).contains(&id), "it lives on after a kill -9");
    machine.done(&["consent", "end", &id, "--reason", "work is done"]);
    assert_eq!(machine.done(&["consent", "list"]), "");
    let last = machine.local_acts().pop().unwrap();
    assert_eq!((last.act, last.detail.as_str()), (LocalAct::EndConsent, "work is done"));
    machine.refused(&["consent", "approve", &id, "--yes"], "no request");
}

#[test]
fn a_person_on_a_terminal_is_asked_and_only_yes_is_yes() {
    let machine = Machine::start();
    let id = machine.id();
    let answer = |word: &str| {
        let command = format!("{BINARY} consent approve {id} --state {}", machine.dir.path().display());
        let mut script = Command::new("script");
        script.args(["-qec", &command, "/dev/null"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut script = script.spawn().unwrap();
        script.stdin.take().unwrap().write_all(format!("{word}\n").as_bytes()).unwrap();
        let output = script.wait_with_output().unwrap();
        (output.status.success(), text(&output.stdout).to_owned())
    };
    let (done, shown) = answer("y");
    assert!(!done && shown.contains("nothing was done"), "{shown}");
    for signed in machine.request.write().unwrap().lines() {
        assert!(shown.contains(signed), "the terminal shows what was signed: {signed}\n{shown}");
    }
    assert_eq!(machine.done(&["consent", "list"]), "");
    let (done, shown) = answer("yes");
    assert!(done && shown.contains("is live until"), "{shown}");
    let by = machine.local_acts().pop().unwrap().by;
    assert!(by.contains(" on /dev/pts/"), "{by}");
}

#[test]
fn nothing_is_asked_from_inside_a_session() {
    let machine = Machine::start();
    let signers = machine.write("new-signers", &list("signers JW", 2, &line("approver-x", "consent@lineman", &key())));
    let id = machine.id();
    for arguments in [
        &["consent", "approve", &id, "--yes"][..],
        &["consent", "pending"],
        &["consent", "end", &id],
        &["kill", "ses_0192f0c1d2e37abc8def0123456789ab"],
        &["stop", "--reason", "x"],
        &["resume"],
        &["clock", "reset"],
        &["signers", "set", signers.to_str().unwrap(), "--yes"],
        &["status"],
    ] {
        let output = machine.command(arguments).env(SESSION_VARIABLE, "ses_0192f0c1d2e37abc8def0123456789ab").output().unwrap();
        let error = text(&output.stderr);
        assert!(!output.status.success() && error.contains("refused from inside a session"), "{arguments:?}: {error}");
    }
    assert!(machine.local_acts().is_empty());
    assert_eq!(machine.done(&["consent", "list"]), "");
}

#[test]
fn a_stop_on_the_device_holds_over_a_kill_and_says_who_and_why() {
    let mut machine = Machine::start();
    let id = machine.id();
    machine.refused(&["stop", "--reason", " "], "say why");
    machine.refused(&["resume"], "nothing stops ne-1.jw.ne");
    machine.done(&["stop", "--reason", "smoke in rack 4"]);
    machine.kill_dash_nine();
    machine.run_agent();
    let status = machine.done(&["status"]);
    assert!(status.contains("STOPPED") && status.contains("on the device itself by") && status.contains("smoke in rack 4"), "{status}");
    machine.refused(&["consent", "approve", &id, "--yes"], "no request");
    machine.done(&["resume"]);
    assert!(!machine.done(&["status"]).contains("STOPPED"));
    machine.refused(&["consent", "approve", &id, "--yes"], "no request");
    let acts: Vec<_> = machine.local_acts().iter().map(|act| (act.act, act.detail.clone())).collect();
    assert_eq!(acts, [(LocalAct::Stop, "smoke in rack 4".to_owned()), (LocalAct::Resume, "-".to_owned())]);
    machine.kill_dash_nine();
    let receipts = machine.reports().into_iter().filter_map(|report| match report {
        Report::Receipt { signed } => Some(Receipt::verify(&signed, &machine.request.device, machine.host.public_key()).unwrap()),
        _ => None,
    });
    let stopped: Vec<_> = receipts.map(|receipt| receipt.stopped).collect();
    assert_eq!((stopped.len(), stopped[1].as_str()), (2, "no"));
    assert!(stopped[0].contains("on the device") && stopped[0].ends_with(": smoke in rack 4"), "{}", stopped[0]);
}

fn set<'a>(file: &'a Path, signature: &'a Path) -> [&'a str; 5] {
    ["signers", "set", file.to_str().unwrap(), "--sig", signature.to_str().unwrap()]
}

#[test]
fn signer_lists_change_by_their_own_signature_and_break_glass_is_seen() {
    let mut machine = Machine::start();
    let chief = line("chief", "signers@lineman", &machine.chief);
    let file = |name: &str, counter: u64| {
        machine.write(name, &list("signers JW", counter, &(line("approver-x", "consent@lineman", &key()) + &chief)))
    };
    let (second, third, fourth) = (file("second", 2), file("third", 3), file("fourth", 4));
    let (signature, stranger) = (machine.sign(&third, &machine.chief), machine.sign(&second, &machine.engineer));
    machine.refused(&set(&second, &stranger), "which is not listed");
    machine.refused(&set(&second, &signature), "does not match its text");
    assert!(machine.done(&set(&third, &signature)).contains("signer list number 3 is in force"));
    assert!(machine.local_acts().is_empty(), "an ordinary change is no act of the administrator");
    let shown = machine.done(&["signers", "show"]);
    assert!(shown.contains("number 3") && shown.contains("approver-x\tconsent@lineman\tSHA256:"), "{shown}");
    let signature = machine.sign(&second, &machine.chief);
    machine.refused(&set(&second, &signature), "number 2 is older than number 3");

    machine.refused(&["signers", "set", fourth.to_str().unwrap()], "this is asked on a terminal");
    machine.refused(&["signers", "set", second.to_str().unwrap(), "--yes"], "number 2 is older than number 3");
    machine.done(&["signers", "set", fourth.to_str().unwrap(), "--yes"]);
    let acts = machine.local_acts();
    let sha256 = sha256_hex(std::fs::read(&fourth).unwrap());
    assert_eq!((acts.len(), acts[0].act, &acts[0].subject), (1, LocalAct::SetSigners, &sha256));
    machine.kill_dash_nine();
    assert_eq!(std::fs::read(machine.dir.path().join(identity::SIGNERS)).unwrap(), std::fs::read(&fourth).unwrap());
    let receipts: Vec<_> = machine.reports().into_iter().filter(|report| matches!(report, Report::Receipt { .. })).collect();
    assert_eq!(receipts.len(), 2, "one for each change");
    machine.run_agent();
    assert!(machine.done(&["status"]).contains("signers         4, valid until"));
}

#[test]
fn a_sink_that_is_down_is_named_and_does_not_make_break_glass_impossible() {
    let machine = Machine::start_with("[sink]\nwebhook = \"http://127.0.0.1:1/journal\"\n");
    let output = machine.ask(&["consent", "approve", &machine.id(), "--yes"]);
    let warning = text(&output.stderr);
    assert!(output.status.success() && warning.contains("warning: the carrier's sink has not got this yet"), "{warning}");
    assert!(machine.done(&["consent", "list"]).contains(&machine.id()));
}

#[test]
fn without_a_journal_nobody_is_let_in_and_everything_can_still_be_stopped() {
    let machine = Machine::start();
    let lock = machine.dir.path().join("journal.lock");
    let _ = std::fs::remove_file(&lock);
    std::fs::create_dir(&lock).unwrap();
    machine.refused(&["consent", "approve", &machine.id(), "--yes"], "the journal can't be written");
    machine.refused(&["clock", "reset"], "the journal can't be written");
    assert_eq!(machine.done(&["consent", "list"]), "");
    let output = machine.ask(&["stop", "--reason", "the disk is broken"]);
    let warning = text(&output.stderr);
    assert!(output.status.success() && warning.contains("warning: this was done, and is not written down"), "{warning}");
    assert!(machine.done(&["status"]).contains("STOPPED"));
    machine.refused(&["resume"], "the journal can't be written");
}

#[test]
fn a_disk_that_hangs_delays_no_end() {
    let machine = Machine::start();
    let lock = std::fs::OpenOptions::new().write(true).create(true).truncate(false).open(machine.dir.path().join("journal.lock")).unwrap();
    // As a disk that does not answer: whoever writes the journal waits.
    lock.lock().unwrap();
    let stop = machine.command(&["stop", "--reason", "smoke in rack 4"]).stderr(Stdio::null()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while !std::fs::read_to_string(machine.dir.path().join("consents")).unwrap().contains("smoke in rack 4") {
        assert!(Instant::now() < deadline, "the stop waits for the journal");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(machine.local_acts().is_empty(), "not written down yet");
    lock.unlock().unwrap();
    stop.wait_with_output().unwrap();
    let acts: Vec<_> = machine.local_acts().iter().map(|act| act.act).collect();
    assert_eq!(acts, [LocalAct::Stop]);
}

#[test]
fn a_name_that_the_device_never_heard_is_ended_for_good_too() {
    let machine = Machine::start();
    let standing = ConsentId::new().to_string();
    let output = machine.ask(&["consent", "end", &standing, "--reason", "taken back"]);
    let warning = text(&output.stderr);
    assert!(output.status.success() && warning.contains(&format!("no standing statement {standing} lets anybody in")), "{warning}");
    let revoked = std::fs::read_to_string(machine.dir.path().join("revoked")).unwrap();
    assert!(revoked.contains(&standing), "{revoked}");
    let act = machine.local_acts().pop().unwrap();
    assert_eq!((act.act, act.subject, act.detail.as_str()), (LocalAct::EndConsent, standing, "taken back"));
    machine.done(&["consent", "end", &machine.id()]);
    machine.refused(&["consent", "approve", &machine.id(), "--yes"], "no request");
}

#[test]
fn doctor_shows_how_long_the_lists_count_and_who_stopped_the_device() {
    let machine = Machine::start();
    let found = |name: &str| {
        let output = machine.ask(&["doctor", "--json"]);
        let findings: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
        let finding = findings.into_iter().find(|finding| finding["check"] == name)?;
        Some((finding["ok"].as_bool().unwrap(), finding["text"].as_str().unwrap().to_owned()))
    };
    let (ok, list) = found("signer list").unwrap();
    assert!(ok && list.starts_with("number 1, valid until "), "{list}");
    let (ok, roster) = found("roster").unwrap();
    assert!(ok && roster.starts_with("number 1, valid until "), "{roster}");
    assert_eq!(found("stopped"), None);
    machine.done(&["stop", "--reason", "smoke"]);
    let (ok, stopped) = found("stopped").unwrap();
    assert!(!ok && stopped.contains("smoke"), "{stopped}");
    let soon = Timestamp::now() + 72.hours();
    let old = std::fs::read_to_string(machine.dir.path().join(identity::SIGNERS)).unwrap();
    let expiry = old.lines().find(|line| line.starts_with("# expiry")).unwrap();
    machine.write(identity::SIGNERS, &old.replace(expiry, &format!("# expiry: {soon}")));
    let (ok, list) = found("signer list").unwrap();
    assert!(!ok && list.contains("renew it"), "{list}");
}

#[test]
fn a_clock_reset_and_a_kill_are_written_down_too() {
    let machine = Machine::start();
    machine.done(&["clock", "reset"]);
    machine.refused(&["kill", "ses_0192f0c1d2e37abc8def0123456789ab"], "there is no live session");
    let acts: Vec<_> = machine.local_acts().iter().map(|act| act.act).collect();
    assert_eq!(acts, [LocalAct::ResetClock]);
}

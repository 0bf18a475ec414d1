//! A device with one live consent, serving SSH on a loopback socket.

pub mod fido;

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::{Timestamp, ToSpan};
use lineman_agent::agent::{Agent, LinkState};
use lineman_agent::checks::{Checks, Roots};
use lineman_agent::config::Settings;
use lineman_agent::consents::clock::{Clock, Moment, SystemClock};
use lineman_agent::consents::{Consents, Pinned, Policy};
use lineman_agent::dial::Dialer;
use lineman_agent::identity::Identity;
use lineman_agent::log::LogLevelHandle;
use lineman_agent::outbox::Outbox;
use lineman_agent::session::account::{Account, OWN_ACCOUNT, Profile};
use lineman_agent::session::chain::Studio;
use lineman_agent::session::contain::Containment;
use lineman_agent::session::limits::Limits;
use lineman_agent::session::registry::{SessionInfo, Sessions};
use lineman_agent::session::{Host, Local, serve};
use lineman_agent::sink::Sink;
use lineman_agent::spool::Spool;
use lineman_agent::watch::Nudges;
use lineman_common::id::ConsentId;
use lineman_common::link::{Report, SessionEnded, Stream};
use lineman_common::recording::{Recording, SftpOperation, What, verify};
use lineman_common::session::Grade;
use lineman_common::statement::standing::{Devices, ForFault};
use lineman_common::statement::{CarrierSigners, Consent, Namespace, Request, Signed, SignerList, Standing, device, sha256_hex, sig};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use ssh_key::public::KeyData;
use ssh_key::{Algorithm, LineEnding, PrivateKey, PublicKey};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The machine's clocks, some seconds ahead.
struct Ahead {
    machine: SystemClock,
    by: Mutex<Duration>,
}

impl Clock for Ahead {
    fn now(&self) -> Moment {
        let (now, by) = (self.machine.now(), *self.by.lock().unwrap());
        Moment { wall: now.wall + by, boot_s: now.boot_s + by.as_secs_f64(), ..now }
    }
}

/// What a device is like.
pub struct Setup {
    /// Session child.
    pub program: PathBuf,
    pub grade: Grade,
    /// What the roster and the request say of the engineer's key.
    pub engineer: PrivateKey,
    /// Its public half, where that is another kind of key.
    pub engineer_public: Option<PublicKey>,
    pub limits: Limits,
    pub spool_bytes: u64,
    /// Of sessions' processes.
    pub containment: Arc<Containment>,
    /// Account profiles and their Unix accounts; the consent is for the first.
    pub accounts: Vec<(&'static str, &'static str)>,
    /// Where the agent keeps its state; a directory of its own, if there is none.
    pub inside: Option<PathBuf>,
}

impl Setup {
    pub fn usual() -> Self {
        let user = if rustix::process::geteuid().is_root() { "nobody" } else { OWN_ACCOUNT };
        Self {
            program: PathBuf::from(env!("CARGO_BIN_EXE_lineman-agent")),
            grade: Grade::EndToEnd,
            engineer: key(),
            engineer_public: None,
            // Nobody acknowledges here: a flood on a terminal is all kept, and must not fill the spool on a slow machine.
            limits: Limits { input: false, unacknowledged: None, max_session_bytes: 1 << 30, backlog_bytes: 1 << 30 },
            spool_bytes: 4 << 30,
            containment: Containment::find(),
            accounts: vec![("view", user)],
            inside: None,
        }
    }
}

pub struct Device {
    dir: tempfile::TempDir,
    home: tempfile::TempDir,
    port: u16,
    profile: Profile,
    outbox: Arc<Outbox>,
    host_key: PrivateKey,
    clock: Arc<Ahead>,
    root: PrivateKey,
    chief: PrivateKey,
    /// What the carrier signed: a consent, or for grade `role` a standing statement.
    pub paper: Signed,
    pub agent: Arc<Agent>,
    pub host: Arc<Host>,
    pub consent: ConsentId,
    served: Arc<AtomicUsize>,
    taken: Arc<AtomicUsize>,
    /// Chunks that the centre has.
    stored: Mutex<Vec<Vec<u8>>>,
}

pub fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

pub fn key() -> PrivateKey {
    PrivateKey::random(&mut ssh_key::rand_core::UnwrapErr(ssh_key::getrandom::SysRng), Algorithm::Ed25519).unwrap()
}

fn list(kind: &str, lines: &str) -> String {
    let now = Timestamp::now();
    let expiry = now + (24 * 20).hours();
    format!("# lineman-list: {kind}\n# counter: 1\n# issued: {now}\n# expiry: {expiry}\n{lines}\n")
}

fn line(principal: &str, namespace: &str, key: &PrivateKey) -> String {
    format!("{principal} namespaces=\"{namespace}\" {}", device::openssh(key.public_key()))
}

/// For any engineer of level 2, for an hour at a time.
fn standing(doors: &str) -> Standing {
    Standing {
        id: ConsentId::new(),
        customer: "JW".parse().unwrap(),
        devices: Devices::All,
        fault: ForFault::Any,
        level: 2,
        doors: doors.parse().unwrap(),
        account: "view".into(),
        duration_s: 3600,
        roster: 1,
        approver: "approver-jw".parse().unwrap(),
        issued: Timestamp::now(),
        valid_before: Timestamp::now() + 24.hours(),
    }
}

impl Device {
    /// With a consent for these doors.
    pub fn start(doors: &str) -> Self {
        Self::start_as(doors, PathBuf::from(env!("CARGO_BIN_EXE_lineman-agent")))
    }

    /// With a program of the test's choice as session child.
    pub fn start_as(doors: &str, program: PathBuf) -> Self {
        Self::set_up(doors, Setup { program, ..Setup::usual() })
    }

    pub fn set_up(doors: &str, setup: Setup) -> Self {
        let inside = setup.inside.as_ref().map(tempfile::tempdir_in);
        let dir = inside.unwrap_or_else(tempfile::tempdir).unwrap();
        let home = tempfile::tempdir().unwrap();
        std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        let (root, approver, chief, engineer, gateway, host_key) = (key(), key(), key(), setup.engineer, key(), key());
        let engineer_public = setup.engineer_public.unwrap_or_else(|| engineer.public_key().clone());
        write_key(&dir.path().join("gateway"), &gateway);
        write_key(&dir.path().join("engineer"), &engineer);

        let name: lineman_common::name::NeName = "ne-1.jw.ne".parse().unwrap();
        let approvers = line("approver-jw", "consent@lineman,standing@lineman", &approver);
        let signers = list("signers JW", &format!("{approvers}\n{}", line("chief-jw", "signers@lineman", &chief)));
        let (link_key, link_certificate) = link_key();
        let identity = Arc::new(Identity {
            dir: dir.path().to_owned(),
            signers: CarrierSigners::parse(&signers, &name.customer).unwrap(),
            vendor_root: SignerList::parse("vendor root", &line("vendor-root", "roster@lineman", &root)).unwrap(),
            server: "127.0.0.1:1".parse().unwrap(),
            ca: Vec::new(),
            link_certificate,
            link_key,
            host_key_fingerprint: sig::fingerprint(host_key.public_key()).to_string(),
            host_key: host_key.clone(),
            device: name.clone(),
        });
        let policy = Policy {
            grades: vec![setup.grade],
            approvals: 1,
            signers_approvals: 1,
            max_duration_s: 3600,
            challenge_ttl_s: 3600,
            max_standing_days: 35,
            browser_keys: false,
            accounts: setup.accounts.iter().map(|(profile, _)| (*profile).to_owned()).collect(),
        };
        let clock = Arc::new(Ahead { machine: SystemClock::new(), by: Mutex::default() });
        let pinned = Pinned { enrolled: Some(Timestamp::now()), ..Pinned::of(&identity) };
        let consents = Consents::open(dir.path(), pinned, policy, Arc::clone(&clock) as Arc<dyn Clock>).unwrap();
        let engineers = format!("engineer-a,level-2 namespaces=\"request@lineman\" {}", device::openssh(&engineer_public));
        let roster = list("roster", &format!("{engineers}\n{}", line("gateway-a", "gateway@lineman", &gateway)));
        consents.take_roster(&Signed::sign(&root, Namespace::Roster, roster).unwrap()).unwrap();
        let id = ConsentId::new();
        let request = Request {
            id,
            fault: "F-JW-1".parse().unwrap(),
            device: name,
            host_key: identity.host_key_fingerprint.clone(),
            grade: setup.grade,
            engineer: "engineer-a".parse().unwrap(),
            engineer_key: sig::fingerprint(&engineer_public).to_string(),
            doors: doors.parse().unwrap(),
            account: setup.accounts[0].0.into(),
            duration_s: 3600,
            challenge: consents.challenge(id).unwrap().0,
            reason: "test".into(),
            issued: Timestamp::now(),
        };
        let request_text = request.write().unwrap();
        let consent = Consent {
            id,
            request_sha256: sha256_hex(&request_text),
            approver: "approver-jw".parse().unwrap(),
            doors: request.doors.clone(),
            duration_s: 3600,
            roster: 1,
            issued: Timestamp::now(),
        };
        let request = match &engineer_public.key_data() {
            KeyData::SkEd25519(_) | KeyData::SkEcdsaSha2NistP256(_) => fido::signed(&engineer, &engineer_public, request_text),
            _ => Signed::sign(&engineer, Namespace::Request, request_text).unwrap(),
        };
        let paper = match setup.grade {
            Grade::EndToEnd | Grade::Gateway => Signed::sign(&approver, Namespace::Consent, consent.write().unwrap()),
            Grade::Role => Signed::sign(&approver, Namespace::Standing, standing(doors).write().unwrap()),
        };
        let paper = paper.unwrap();
        consents.admit(&request, std::slice::from_ref(&paper)).unwrap();

        let outbox = Outbox::new(Spool::open(&dir.path().join("spool"), setup.spool_bytes).unwrap());
        let profile = |user: &str| {
            let (shell, home) = (Some("/bin/bash".into()), Some(home.path().to_owned()));
            Profile { user: user.into(), unsafe_self: true, shell, home, env: BTreeMap::new() }
        };
        let profiles: BTreeMap<_, _> = setup.accounts.iter().map(|(name, user)| ((*name).to_owned(), profile(user))).collect();
        let profile = profile(setup.accounts[0].1);
        let (consents, sessions) = (Arc::new(consents), Arc::new(Sessions::default()));
        let host = Host::new(
            setup.program,
            Arc::clone(&identity),
            Local { profiles, limits: setup.limits },
            Arc::clone(&consents),
            Arc::clone(&sessions),
            Studio::open(dir.path(), Arc::clone(&outbox), host_key.clone()).unwrap(),
            setup.containment,
        );
        let settings = Settings::find(None, dir.path()).unwrap();
        let sink = Sink::open(&settings.sink, dir.path(), Arc::clone(host.studio().witness()), identity.device.clone()).unwrap();
        let agent = Arc::new(Agent {
            runner: Checks::open(settings.checks.clone(), Roots::default(), dir.path()).unwrap().runner(),
            nudges: Nudges::new(settings.interval),
            link: Mutex::new(LinkState { connected: false, since: Timestamp::now(), problem: None }),
            legs: TaskTracker::new(),
            stop: CancellationToken::new(),
            boot_id: "boot".into(),
            outbox: Arc::clone(&outbox),
            log_level: LogLevelHandle::none(),
            host: Arc::clone(&host),
            sink: Arc::new(sink),
            dialer: Dialer::new(&identity, &settings.link).unwrap(),
            settings,
            identity,
            consents,
            sessions,
        });
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let known = format!("[127.0.0.1]:{port} {}\n", device::openssh(host_key.public_key()));
        std::fs::write(dir.path().join("known_hosts"), known).unwrap();
        let (served, taken) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let server = (Arc::clone(&agent), Arc::clone(&served), Arc::clone(&taken));
        std::thread::spawn(move || serve_on(listener, &server.0, &server.1, &server.2));
        Self {
            dir,
            home,
            port,
            profile,
            outbox,
            host_key,
            clock,
            root,
            chief,
            paper,
            agent,
            host,
            consent: id,
            served,
            taken,
            stored: Mutex::default(),
        }
    }

    /// Lets time pass until the consent has this much left.
    pub fn pass_until_left(&self, left: Duration) {
        let now = self.host.consents.remaining(self.consent).unwrap();
        *self.clock.by.lock().unwrap() += now.checked_sub(left).unwrap();
        self.agent.nudges.consents.notify_one();
    }

    /// The vendor's next roster, without this engineer.
    pub fn roster_without_engineer(&self) -> Signed {
        let roster = list("roster", &line("engineer-b,level-2", "request@lineman", &key()));
        Signed::sign(&self.root, Namespace::Roster, roster.replace("# counter: 1", "# counter: 2")).unwrap()
    }

    /// The carrier's next signer list, without this approver.
    pub fn signers_without_approver(&self) -> Vec<Signed> {
        let lines = format!("{}\n{}", line("approver-x", "consent@lineman", &key()), line("chief-jw", "signers@lineman", &self.chief));
        let next = list("signers JW", &lines).replace("# counter: 1", "# counter: 2");
        vec![Signed::sign(&self.chief, Namespace::Signers, next).unwrap()]
    }

    /// Where the agent keeps its state.
    pub fn state(&self) -> &Path {
        self.dir.path()
    }

    pub fn home(&self) -> &Path {
        self.home.path()
    }

    pub fn uid(&self) -> u32 {
        Account::of(&self.profile).unwrap().uid
    }

    /// As `id -G` prints them: the primary one first.
    pub fn groups(&self) -> String {
        let account = Account::of(&self.profile).unwrap();
        let others = account.groups.iter().filter(|gid| **gid != account.gid);
        std::iter::once(&account.gid).chain(others).map(ToString::to_string).collect::<Vec<_>>().join(" ")
    }

    /// A key that no consent names.
    pub fn stranger(&self) -> PathBuf {
        let path = self.dir.path().join("stranger");
        write_key(&path, &key());
        path
    }

    fn options(&self, key: &Path) -> Vec<String> {
        let known = self.dir.path().join("known_hosts");
        let mut options: Vec<String> = ["-F", "none", "-i", key.to_str().unwrap()].map(Into::into).to_vec();
        for option in [
            format!("UserKnownHostsFile={}", known.display()),
            "StrictHostKeyChecking=yes".into(),
            "IdentitiesOnly=yes".into(),
            "IdentityAgent=none".into(),
            "BatchMode=yes".into(),
            "LogLevel=INFO".into(),
            format!("Port={}", self.port),
        ] {
            options.extend(["-o".to_owned(), option]);
        }
        options
    }

    pub fn ssh_arguments(&self) -> Vec<String> {
        let mut arguments = self.options(&self.dir.path().join("engineer"));
        arguments.extend(["-l", "x", "127.0.0.1"].map(Into::into));
        arguments
    }

    /// `scp` or `sftp`.
    pub fn client(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.args(self.options(&self.dir.path().join("engineer"))).stdin(Stdio::null());
        command
    }

    pub fn ssh(&self, arguments: &[&str]) -> Command {
        self.ssh_with(&self.dir.path().join("engineer"), arguments)
    }

    /// Options come before the host, a command after it; the first that doesn't begin with a dash or follow one begins the command.
    pub fn ssh_with(&self, key: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new("ssh");
        let takes_value = ["-o", "-S", "-W", "-R", "-L", "-O", "-D", "-l", "-i"];
        let mut split = 0;
        while split < arguments.len() && arguments[split].starts_with('-') {
            split += if takes_value.contains(&arguments[split]) { 2 } else { 1 };
        }
        // The first word on an option counts: a test's own.
        command.args(&arguments[..split]).args(self.options(key)).args(["-l", "x", "127.0.0.1"]).args(&arguments[split..]);
        command.stdin(Stdio::null());
        command
    }

    pub fn sftp(&self, batch: &str) -> Output {
        let file = self.dir.path().join("batch");
        std::fs::write(&file, batch).unwrap();
        let mut sftp = Command::new("sftp");
        sftp.args(self.options(&self.dir.path().join("engineer"))).args(["-b", file.to_str().unwrap(), "x@127.0.0.1"]);
        sftp.output().unwrap()
    }

    /// Waits until every connection that was taken has ended.
    fn settled(&self) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while self.served.load(Ordering::SeqCst) < self.taken.load(Ordering::SeqCst) {
            assert!(Instant::now() < deadline, "a session does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The centre stores all chunks that there are, and says so.
    pub fn acknowledge(&self) {
        let mut stored = self.stored.lock().unwrap();
        let mut spool = self.outbox.spool();
        let chunks = spool.read_from(Stream::Recording, 0, usize::MAX).unwrap();
        if let Some((newest, _)) = chunks.last() {
            let newest = *newest;
            stored.extend(chunks.into_iter().map(|(_, line)| line));
            spool.ack(Stream::Recording, newest).unwrap();
        }
    }

    /// What recordings take in the spool.
    pub fn spooled_bytes(&self) -> u64 {
        self.outbox.spool().bytes_of(Stream::Recording)
    }

    /// The one session that is live.
    pub fn session(&self) -> SessionInfo {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            if let [session] = &self.host.sessions.list()[..] {
                return session.clone();
            }
            assert!(Instant::now() < deadline, "there is no session, or more than one");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// All recordings, verified.
    pub fn recordings(&self) -> Vec<Recording> {
        self.settled();
        let mut chunks = self.stored.lock().unwrap().clone();
        chunks.extend(self.outbox.spool().read_from(Stream::Recording, 0, usize::MAX).unwrap().into_iter().map(|(_, line)| line));
        let mut files: BTreeMap<String, String> = BTreeMap::new();
        for line in chunks {
            let line = String::from_utf8(line).unwrap();
            let chunk: Signed = serde_json::from_str(&line).unwrap();
            let header: serde_json::Value = serde_json::from_str(chunk.text.lines().next().unwrap()).unwrap();
            let file = files.entry(header["session"].to_string()).or_default();
            *file += &(line + "\n");
        }
        files.values().map(|file| verify(file, self.host_key.public_key()).unwrap()).collect()
    }

    pub fn recorded(&self) -> usize {
        self.recordings().len()
    }

    /// The only recording, verified.
    pub fn recording(&self) -> Recording {
        let mut recordings = self.recordings();
        assert_eq!(recordings.len(), 1);
        recordings.remove(0)
    }

    /// What the recordings say beside bytes.
    pub fn notes(&self) -> Vec<String> {
        let events = self.recordings().into_iter().flat_map(|recording| recording.events);
        events.filter_map(|event| if let What::Note(note) = event.what { Some(note) } else { None }).collect()
    }

    pub fn sftp_operations(&self) -> Vec<SftpOperation> {
        let events = self.recordings().into_iter().flat_map(|recording| recording.events);
        let sftp = events.filter_map(|event| match event.what {
            What::Sftp(operation) => Some(operation),
            _ => None,
        });
        sftp.collect()
    }

    /// What was told about the last session's end.
    pub fn ended(&self) -> SessionEnded {
        self.all_ended().pop().unwrap()
    }

    /// What was told about the sessions' ends.
    pub fn all_ended(&self) -> Vec<SessionEnded> {
        self.settled();
        let events = self.outbox.spool().read_from(Stream::Events, 0, usize::MAX).unwrap();
        let ended = events.iter().filter_map(|(_, body)| match serde_json::from_slice(body).unwrap() {
            Report::SessionEnded(ended) => Some(ended),
            _ => None,
        });
        ended.collect()
    }
}

fn write_key(path: &Path, key: &PrivateKey) {
    std::fs::write(path, key.to_openssh(LineEnding::LF).unwrap().as_bytes()).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

fn link_key() -> (PrivateKeyDer<'static>, Vec<CertificateDer<'static>>) {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["ne-1.jw.ne".into()]).unwrap().self_signed(&key).unwrap();
    (PrivateKeyDer::try_from(key.serialize_der()).unwrap(), vec![certificate.der().clone()])
}

/// The agent's runtime: one thread.
fn serve_on(listener: TcpListener, agent: &Arc<Agent>, served: &Arc<AtomicUsize>, taken: &Arc<AtomicUsize>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        listener.set_nonblocking(true).unwrap();
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let mut visits = JoinSet::new();
        visits.spawn(Arc::clone(agent).keep_time());
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            taken.fetch_add(1, Ordering::SeqCst);
            let (host, served) = (Arc::clone(&agent.host), Arc::clone(served));
            visits.spawn(async move {
                serve(host, stream, std::future::pending()).await;
                served.fetch_add(1, Ordering::SeqCst);
            });
        }
    });
}

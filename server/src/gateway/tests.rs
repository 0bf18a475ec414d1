//! Grade `gateway`, with the stock `ssh` of this machine on one side and a device that speaks SSH, honestly or not, on the other.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::FutureExt;
use lineman_common::id::ConsentId;
use lineman_common::leg::Offer;
use lineman_common::link::{Answer, Order, Outcome};
use lineman_common::session::Grade;
use lineman_common::statement::device::openssh;
use russh::server::{Auth, ChannelOpenHandle, Config, Handler, Msg, Session, VerifiedPublicKey, run_stream};
use russh::{Channel, ChannelId, ChannelMsg, Disconnect, Limits, Pty, Sig};
use ssh_key::{LineEnding, PrivateKey};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::*;
use crate::agents::Links;
use crate::consents::tests::{live_consent, report_fault};
use crate::customers;
use crate::store::{Store, StoreError};
use crate::trust::testing::{World, fingerprint, key};

/// What the device does that an honest one would not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    Honest,
    /// Shows another host key.
    OtherKey,
    /// Says no to the gateway's key.
    NoEntry,
    /// Says no on the link.
    NoLeg,
    /// Opens channels towards the gateway, and prints what came of it.
    Opens,
    /// Puts the engineer out when the command runs.
    PutsOut,
    /// Never speaks SSH.
    Garbage,
    /// Says its version, and nothing more.
    Mute,
    /// As little as that, once the engineer is inside.
    FallsSilent,
    /// Opens channels without end.
    OpensAll,
    /// Changes keys all the time.
    Rekeys,
    /// A banner of 200 KiB.
    LongBanner,
    /// Starts no shell.
    NoShell,
}

/// The whole of it: a store, the gateway on a port, and one device on its link.
pub struct Bench {
    pub world: Arc<World>,
    pub store: Store,
    dir: tempfile::TempDir,
    port: u16,
    pub consent: ConsentId,
    pub tasks: TaskTracker,
    pub stop: CancellationToken,
    pub jump: Jump,
    /// Output of the device's shells, as far as the gateway took it.
    pub printed: Arc<AtomicU64>,
    /// Connections that the device has.
    pub connections: Arc<AtomicU64>,
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Bench {
    pub async fn new(grade: Grade, manner: Manner) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("x.db"), crate::LISTENERS).unwrap();
        let found = store.write(move |tx| -> Result<_, StoreError> {
            let world = World::found(tx, "JW");
            let fault = report_fault(tx, &world);
            let consent = live_consent(tx, &world, &fault, grade);
            Ok((world, consent))
        });
        let (world, consent) = found.await.unwrap();
        let (world, tasks, stop) = (Arc::new(world), TaskTracker::new(), CancellationToken::new());
        let (links, legs) = (Links::default(), Legs::new(stop.clone(), tasks.clone()));
        let leg_address = listen_for_legs(&tasks, &stop, legs.clone()).await;
        let (printed, connections) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
        let counted = (Arc::clone(&printed), Arc::clone(&connections));
        let acting = Device { world: Arc::clone(&world), manner, leg_address, tasks: tasks.clone(), printed, connections };
        tasks.spawn(device(acting, links.clone(), stop.clone()));
        let (printed, connections) = counted;
        let jump = Jump {
            unknown: Arc::new(Semaphore::new(MOST_UNKNOWN)),
            store: store.clone(),
            links: links.clone(),
            parking: Parking::default(),
            legs,
            vendor_root: Arc::new(world.vendor_root.clone()),
            client_key: Arc::new(world.gateway_key.clone()),
            stop: stop.clone(),
            tasks: tasks.clone(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let own = key();
        tasks.spawn(serve(jump.clone(), own.clone(), listener));
        write(&dir.path().join("id"), &world.engineer_key);
        std::fs::write(dir.path().join("known"), format!("[127.0.0.1]:{port} {}\n", openssh(own.public_key()))).unwrap();
        while links.count() == 0 {
            tokio::task::yield_now().await;
        }
        Self { world, store, dir, port, consent, tasks, stop, jump, printed, connections }
    }

    fn ssh(&self, options: &[&str], user: &str, command: &[&str]) -> Command {
        let file = |name: &str| self.dir.path().join(name).display().to_string();
        let mut ssh = Command::new("ssh");
        ssh.args(["-F", "none", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none"]);
        ssh.args(["-o", "StrictHostKeyChecking=yes", "-o", &format!("UserKnownHostsFile={}", file("known")), "-i", &file("id")]);
        ssh.args(["-p", &self.port.to_string()]).args(options).arg(format!("{user}@127.0.0.1")).args(command);
        ssh.stdin(Stdio::null()).kill_on_drop(true);
        ssh
    }

    /// The device has no connection any more.
    pub async fn is_left_alone(&self) {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
        while self.connections.load(Ordering::Relaxed) > 0 {
            assert!(tokio::time::Instant::now() < deadline, "the device is still connected");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn run(&self, command: &[&str]) -> Said {
        said(self.ssh(&[], "ne-1.jw.ne", command)).await
    }
}

#[derive(Debug)]
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

/// Runs to the end, which has to come.
async fn said(mut command: Command) -> Said {
    let Output { status, stdout, stderr } = tokio::time::timeout(Duration::from_secs(60), command.output()).await.unwrap().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Said { code: status.code(), out: text(stdout), err: text(stderr) }
}

fn write(path: &Path, key: &PrivateKey) {
    std::fs::write(path, key.to_openssh(LineEnding::LF).unwrap()).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

async fn listen_for_legs(tasks: &TaskTracker, stop: &CancellationToken, legs: Legs) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (tasks, stop) = (tasks.clone(), stop.clone());
    tasks.clone().spawn(async move {
        loop {
            let accepted = tokio::select! { () = stop.cancelled() => return, accepted = listener.accept() => accepted };
            let (stream, _) = accepted.unwrap();
            let legs = legs.clone();
            tasks.spawn(async move {
                let platform = Platform { legs, lines: Lines::new(TaskTracker::new()) };
                platform.arrived(stream).await;
            });
        }
    });
    address
}

#[derive(Clone)]
struct Device {
    world: Arc<World>,
    manner: Manner,
    leg_address: SocketAddr,
    tasks: TaskTracker,
    printed: Arc<AtomicU64>,
    connections: Arc<AtomicU64>,
}

/// A connection that is there until it is dropped.
struct Counted(Arc<AtomicU64>);

impl Counted {
    fn new(connections: &Arc<AtomicU64>) -> Self {
        connections.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(connections))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The agent: answers on the link, and dials.
async fn device(device: Device, links: Links, stop: CancellationToken) {
    let mut link = links.register(device.world.device.id);
    loop {
        let ask = tokio::select! { () = stop.cancelled() => return, ask = link.asks.recv() => ask.unwrap() };
        let Order::Open { key, leg, consent } = ask.order else { panic!("{:?}", ask.order) };
        assert_eq!(key, fingerprint(&device.world.gateway_key), "the device is asked for the gateway's key");
        let outcome = match (device.manner, consent) {
            (Manner::NoLeg, _) => Outcome::Refused { reason: "the consent's time is up".into() },
            (_, Some(consent)) => {
                let device = device.clone();
                device.tasks.clone().spawn(async move { device.dial(&leg, consent).await });
                Outcome::Done { answer: Answer::Ok }
            }
            (_, None) => Outcome::Refused { reason: "no consent is named".into() },
        };
        let _ = ask.reply.send(outcome);
    }
}

impl Device {
    async fn dial(self, offer: &Offer, consent: ConsentId) {
        let mut wire = TcpStream::connect(self.leg_address).await.unwrap();
        wire.write_all(offer.greeting(1, 0).as_bytes()).await.unwrap();
        let arrived = offer.read_reply(1, &first_line(&mut wire).await.unwrap()).unwrap();
        let (mut ours, mut carrier, _) = leg::leg();
        self.tasks.spawn(async move { carrier.over(wire, arrived).await });
        let _counted = Counted::new(&self.connections);
        if self.manner == Manner::Mute {
            ours.write_all(b"SSH-2.0-mute\r\n").await.unwrap();
            let _ = ours.read_to_end(&mut Vec::new()).await;
            return;
        }
        if self.manner == Manner::Garbage {
            ours.write_all(&b"HTTP/1.1 200 OK\r\n".repeat(100)).await.unwrap();
            let _ = ours.read_to_end(&mut Vec::new()).await;
            return;
        }
        let host = if self.manner == Manner::OtherKey { key() } else { self.world.host.clone() };
        let config = Config {
            keys: vec![host],
            auth_rejection_time: Duration::ZERO,
            window_size: 1024 * 1024,
            maximum_packet_size: 32768,
            inactivity_timeout: None,
            limits: if self.manner == Manner::Rekeys { Limits::new(1, 1 << 30, Duration::from_secs(3600)) } else { Limits::default() },
            ..Config::default()
        };
        let shell = Shell { device: self, consent, channels: HashMap::new() };
        if let Ok(running) = run_stream(Arc::new(config), ours, shell).await {
            let _ = running.await;
        }
    }
}

/// The device's SSH server: commands are real processes, and the shell is an echo that knows its terminal.
struct Shell {
    device: Device,
    consent: ConsentId,
    channels: HashMap<ChannelId, Channel<Msg>>,
}

impl Handler for Shell {
    type Error = russh::Error;

    async fn authentication_banner(&mut self) -> Result<Option<String>, Self::Error> {
        if self.device.manner == Manner::LongBanner {
            return Ok(Some("\x1b[2J".repeat(50 * 1024)));
        }
        Ok((self.device.manner == Manner::NoEntry).then(|| "the gateway is\x1b[2J not let in\r\n".to_owned()))
    }

    async fn auth_publickey(&mut self, user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        assert_eq!(user, self.consent.to_string(), "the user name is the consent's id");
        let own = key.public_key.key_data() == self.device.world.gateway_key.public_key().key_data();
        Ok(if own && !matches!(self.device.manner, Manner::NoEntry | Manner::LongBanner) { Auth::Accept } else { Auth::reject() })
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.channels.insert(channel.id(), channel);
        reply.accept().await;
        Ok(())
    }

    async fn env_request(&mut self, channel: ChannelId, _name: &str, _value: &str, session: &mut Session) -> Result<(), Self::Error> {
        session.channel_success(channel)
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        _term: &str,
        _cols: u32,
        _rows: u32,
        _width: u32,
        _height: u32,
        _modes: &[(Pty, u32)],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_success(channel)
    }

    async fn shell_request(&mut self, id: ChannelId, session: &mut Session) -> Result<(), Self::Error> {
        if self.device.manner == Manner::NoShell {
            return session.channel_failure(id);
        }
        let channel = self.channels.remove(&id).unwrap();
        let (handle, printed) = (session.handle(), Arc::clone(&self.device.printed));
        if self.device.manner == Manner::OpensAll {
            self.device.tasks.spawn(opens_all(handle));
        } else {
            self.device.tasks.spawn(shell(channel, handle, self.device.manner, printed));
        }
        session.channel_success(id)
    }

    async fn subsystem_request(&mut self, id: ChannelId, name: &str, session: &mut Session) -> Result<(), Self::Error> {
        assert_eq!(name, "sftp", "others are refused on the way");
        self.exec_request(id, b"cat", session).await
    }

    async fn exec_request(&mut self, id: ChannelId, command: &[u8], session: &mut Session) -> Result<(), Self::Error> {
        let channel = self.channels.remove(&id).unwrap();
        let (command, handle) = (String::from_utf8(command.to_vec()).unwrap(), session.handle());
        match (self.device.manner, command.as_str()) {
            (_, "refuse-this") => return session.channel_failure(id),
            (Manner::Opens, _) => drop(self.device.tasks.spawn(opens(channel, handle))),
            (Manner::PutsOut, _) => drop(self.device.tasks.spawn(async move {
                channel.data_bytes(&b"last words\n"[..]).await.unwrap();
                let why = "the consent was revoked by noc-jw\x1b[2J".to_owned();
                handle.disconnect(Disconnect::ByApplication, why, "en".into()).await.unwrap();
            })),
            (_, "signal") => drop(self.device.tasks.spawn(async move {
                let name = Sig::Custom("x\u{1b}[2J".into());
                handle.exit_signal_request(id, name, false, "evil\u{1b}[2J words".into(), "en".into()).await.unwrap();
                handle.close(id).await.unwrap();
            })),
            _ => drop(self.device.tasks.spawn(command_of(channel, handle, command))),
        }
        session.channel_success(id)
    }
}

/// A real process, to its end.
#[expect(clippy::wildcard_enum_match_arm, reason = "a test's device")]
async fn command_of(channel: Channel<Msg>, handle: russh::server::Handle, command: String) {
    let id = channel.id();
    let (mut from, to) = channel.split();
    let mut env = HashMap::new();
    let mut shell = Command::new("sh");
    shell.args(["-c", &command]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    // What was asked before the start still waits in the channel.
    let mut child = loop {
        match from.wait().await.unwrap() {
            ChannelMsg::SetEnv { variable_name, variable_value, .. } => drop(env.insert(variable_name, variable_value)),
            ChannelMsg::Exec { .. } | ChannelMsg::RequestSubsystem { .. } => break shell.envs(env).spawn().unwrap(),
            _ => {}
        }
    };
    let (mut stdin, mut stdout, mut stderr) = (child.stdin.take(), child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let input = async {
        while let Some(message) = from.wait().await {
            match message {
                ChannelMsg::Data { data } => {
                    if let Some(stdin) = &mut stdin {
                        let _ = stdin.write_all(&data).await;
                    }
                }
                ChannelMsg::Eof => drop(stdin.take()),
                ChannelMsg::Close => return,
                _ => {}
            }
        }
    };
    let output = async {
        let mut buffer = vec![0; 32 * 1024];
        loop {
            let read = stdout.read(&mut buffer).await.unwrap();
            if read == 0 || to.data_bytes(buffer[..read].to_vec()).await.is_err() {
                return;
            }
        }
    };
    let errors = async {
        let mut text = Vec::new();
        stderr.read_to_end(&mut text).await.unwrap();
        let _ = to.extended_data_bytes(1, text).await;
    };
    let work = async { tokio::join!(output, errors) };
    tokio::select! {
        _ = work => {}
        () = input => return,
    }
    let status = child.wait().await.unwrap().code().unwrap();
    let _ = handle.eof(id).await;
    if command.contains("# late") {
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let _ = handle.exit_status_request(id, u32::try_from(status).unwrap()).await;
    let _ = handle.close(id).await;
}

/// Says its terminal, then each line back; `exit` ends it with 3, `kill` with a signal, `goodbye` the whole connection. `print N` prints so
/// many lines, and `print` without end.
#[expect(clippy::wildcard_enum_match_arm, reason = "a test's device")]
async fn shell(mut channel: Channel<Msg>, handle: russh::server::Handle, manner: Manner, printed: Arc<AtomicU64>) {
    let id = channel.id();
    let mut typed = String::new();
    while let Some(message) = channel.wait().await {
        match message {
            ChannelMsg::RequestPty { term, col_width, row_height, .. } => {
                channel.data_bytes(format!("terminal {term} {col_width}x{row_height}\r\n").into_bytes()).await.unwrap();
            }
            ChannelMsg::WindowChange { col_width, row_height, .. } => {
                channel.data_bytes(format!("now {col_width}x{row_height}\r\n").into_bytes()).await.unwrap();
            }
            ChannelMsg::Data { data } => {
                typed += std::str::from_utf8(&data).unwrap();
                if manner == Manner::FallsSilent {
                    // Not even the loop that reads goes on: it waits for this channel.
                    std::future::pending::<()>().await;
                }
                if channel.data_bytes(data.to_vec()).await.is_err() {
                    return;
                }
                if typed.contains("exit") {
                    break;
                }
                if typed.contains("kill\r") {
                    let words = "evil\u{1b}[2J words".repeat(5_000);
                    let _ = handle.exit_signal_request(id, Sig::Custom("x\u{1b}".repeat(10_000)), false, words.clone(), words).await;
                    let _ = handle.close(id).await;
                    return;
                }
                if typed.contains("goodbye\r") {
                    let why = format!("the consent was revoked by noc-jw\x1b[2J{}", "x".repeat(100_000));
                    let _ = handle.disconnect(Disconnect::ByApplication, why, "en".into()).await;
                    return;
                }
                if let Some((_, count)) = typed.clone().rsplit_once("print ").filter(|_| typed.ends_with('\r')) {
                    typed.clear();
                    for n in 0..count.trim().parse::<u64>().unwrap_or(u64::MAX) {
                        let line = format!("{n:0>1022}\r\n");
                        if channel.data_bytes(line.into_bytes()).await.is_err() {
                            return;
                        }
                        printed.fetch_add(1024, Ordering::Relaxed);
                        // What nobody takes in stops the whole connection, its end included.
                        while let Some(message) = channel.wait().now_or_never() {
                            if matches!(message, None | Some(ChannelMsg::Close)) {
                                return;
                            }
                        }
                    }
                    let _ = channel.data_bytes(&b"done\r\n"[..]).await;
                }
            }
            ChannelMsg::Close => return,
            _ => {}
        }
    }
    let _ = handle.exit_status_request(id, 3).await;
    let _ = handle.close(id).await;
}

async fn opens_all(handle: russh::server::Handle) {
    while matches!(handle.channel_open_session().await, Err(russh::Error::ChannelOpenFailure(_))) {}
}

/// Tries every kind of channel towards the gateway.
async fn opens(channel: Channel<Msg>, handle: russh::server::Handle) {
    let id = channel.id();
    let tried = [
        ("forwarded-tcpip", handle.channel_open_forwarded_tcpip("127.0.0.1", 80, "127.0.0.1", 1).await.is_ok()),
        ("forwarded-streamlocal", handle.channel_open_forwarded_streamlocal("/tmp/x").await.is_ok()),
        ("session", handle.channel_open_session().await.is_ok()),
        ("direct-tcpip", handle.channel_open_direct_tcpip("127.0.0.1", 22, "127.0.0.1", 1).await.is_ok()),
        ("direct-streamlocal", handle.channel_open_direct_streamlocal("/run/x").await.is_ok()),
        ("x11", handle.channel_open_x11("127.0.0.1", 1).await.is_ok()),
        ("agent", handle.channel_open_agent().await.is_ok()),
    ];
    let opened: Vec<_> = tried.iter().filter(|(_, opened)| *opened).map(|(kind, _)| *kind).collect();
    channel.data_bytes(format!("opened: {opened:?}\n").into_bytes()).await.unwrap();
    let _ = handle.exit_status_request(id, 0).await;
    let _ = handle.close(id).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stock_ssh_without_a_jump_runs_commands_on_the_device() {
    let bench = Bench::new(Grade::Gateway, Manner::Honest).await;
    for code in [0, 7, 255] {
        let said = bench.run(&[&format!("echo out; echo err >&2; exit {code}")]).await;
        assert_eq!((said.code, said.out.as_str()), (Some(code), "out\n"), "{said:?}");
        assert!(said.err.contains("err"), "{said:?}");
    }
    let mut ssh = bench.ssh(&["-o", "SetEnv=LC_TEST=风扇"], "ne-1.jw.ne", &["cat; echo $LC_TEST"]);
    let mut ssh = ssh.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = ssh.stdin.take().unwrap();
    stdin.write_all(b"input\n").await.unwrap();
    drop(stdin);
    let out = ssh.wait_with_output().await.unwrap().stdout;
    assert_eq!(String::from_utf8(out).unwrap(), "input\n风扇\n", "the end of input goes through");
    let refused = bench.run(&["refuse-this"]).await;
    assert!(refused.code == Some(255) && refused.err.contains("the device refused to start this"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn terminals_and_subsystems_go_through() {
    let bench = Bench::new(Grade::Gateway, Manner::Honest).await;
    let mut ssh = bench.ssh(&["-tt"], "ne-1.jw.ne", &[]);
    let mut ssh = ssh.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    ssh.stdin.take().unwrap().write_all(b"hello exit\n").await.unwrap();
    let output = ssh.wait_with_output().await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("terminal ") && text.contains("hello exit"), "{text}");
    assert_eq!(output.status.code(), Some(3));
    let mut sftp = bench.ssh(&["-s"], "ne-1.jw.ne", &["sftp"]);
    let mut sftp = sftp.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    sftp.stdin.take().unwrap().write_all(b"packets").await.unwrap();
    assert_eq!(sftp.wait_with_output().await.unwrap().stdout, b"packets");
    let other = said(bench.ssh(&["-s"], "ne-1.jw.ne", &["netconf"])).await;
    assert!(other.code == Some(255) && other.err.contains("subsystem request failed"), "{other:?}");
}

/// More than all buffers hold, both ways at once, through a device that is no faster than this.
#[tokio::test(flavor = "multi_thread")]
async fn many_bytes_go_both_ways_at_once() {
    let bench = Bench::new(Grade::Gateway, Manner::Honest).await;
    let bytes: Vec<u8> = (0..24 * 1024 * 1024_u32).map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect();
    let mut ssh = bench.ssh(&[], "ne-1.jw.ne", &["cat"]);
    let mut ssh = ssh.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut stdin, mut stdout) = (ssh.stdin.take().unwrap(), ssh.stdout.take().unwrap());
    let send = async {
        stdin.write_all(&bytes).await.unwrap();
        drop(stdin);
    };
    let mut back = Vec::new();
    let both = async { tokio::join!(send, stdout.read_to_end(&mut back)) };
    tokio::time::timeout(Duration::from_secs(120), both).await.expect("it goes on").1.unwrap();
    assert!(back == bytes, "{} of {} bytes came back as they were", back.len(), bytes.len());
    assert!(ssh.wait().await.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_consent_of_this_grade_nobody_passes() {
    // A consent of grade end-to-end is live for the same engineer: it is not for the gateway to use.
    let bench = Bench::new(Grade::EndToEnd, Manner::Honest).await;
    let refused = bench.run(&["id"]).await;
    assert_eq!(refused.code, Some(255));
    assert!(refused.err.contains("no consent of grade gateway is live for engineer-a on ne-1.jw.ne"), "{refused:?}");
    let unknown = said(bench.ssh(&[], "ne-9.jw.ne", &["id"])).await;
    assert!(unknown.err.contains("no such equipment"), "{unknown:?}");
    let plain = said(bench.ssh(&[], "engineer-a", &["id"])).await;
    assert!(plain.err.contains("this is a gateway and has no shell"), "{plain:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_that_signs_in_must_be_the_one_of_the_request() {
    let bench = Bench::new(Grade::Gateway, Manner::Honest).await;
    // The engineer has a newer key in the roster; the consent names the old one.
    let (world, newer) = (Arc::clone(&bench.world), key());
    write(&bench.dir.path().join("id"), &newer);
    let publish = move |tx: &mut crate::store::Tx<'_>| -> Result<(), StoreError> {
        let line = |principals: &str, namespace: &str, key: &PrivateKey| {
            format!("{principals} namespaces=\"{namespace}\" {}\n", openssh(key.public_key()))
        };
        let text = World::head(tx, "roster", 2)
            + &line("engineer-a,level-2", "request@lineman", &newer)
            + &line("gateway", "gateway@lineman", &world.gateway_key);
        let signed = lineman_common::statement::Signed::sign(&world.root, lineman_common::statement::Namespace::Roster, text).unwrap();
        crate::trust::publish_roster(tx, &World::admin(), &signed, &world.vendor_root).unwrap();
        Ok(())
    };
    bench.store.write(publish).await.unwrap();
    let refused = bench.run(&["id"]).await;
    assert!(refused.err.contains(&format!("the consent {} names your key", bench.consent)), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_roster_without_the_gateways_key_says_so() {
    let bench = Bench::new(Grade::Gateway, Manner::Honest).await;
    let world = Arc::clone(&bench.world);
    let publish = move |tx: &mut crate::store::Tx<'_>| -> Result<(), StoreError> {
        let listed = format!("engineer-a,level-2 namespaces=\"request@lineman\" {}\n", openssh(world.engineer_key.public_key()));
        let text = World::head(tx, "roster", 2) + &listed;
        let signed = lineman_common::statement::Signed::sign(&world.root, lineman_common::statement::Namespace::Roster, text).unwrap();
        crate::trust::publish_roster(tx, &World::admin(), &signed, &world.vendor_root).unwrap();
        Ok(())
    };
    bench.store.write(publish).await.unwrap();
    let refused = bench.run(&["id"]).await;
    let own = fingerprint(&bench.world.gateway_key);
    assert!(refused.err.contains(&format!("does not list this gateway's key {own}")), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_keeps_everybody_out_of_the_gateway() {
    let bench = Bench::new(Grade::Gateway, Manner::Honest).await;
    let world = Arc::clone(&bench.world);
    let stop = move |tx: &mut crate::store::Tx<'_>| customers::stop(tx, &world.noc(), &world.code, &"a leaked key".into());
    bench.store.write(stop).await.unwrap();
    let refused = bench.run(&["id"]).await;
    assert!(refused.err.contains("noc-a stopped everything of JW at") && refused.err.contains("a leaked key"), "{refused:?}");
    let jump = said(bench.ssh(&["-W", "ne-1.jw.ne:22"], "engineer-a", &[])).await;
    assert!(jump.err.contains("noc-a stopped everything of JW at"), "also with -J: {jump:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn forwards_stay_outside() {
    let bench = Bench::new(Grade::Gateway, Manner::Honest).await;
    for place in ["ne-1.jw.ne:22", "127.0.0.1:80"] {
        let refused = said(bench.ssh(&["-W", place], "ne-1.jw.ne", &[])).await;
        assert!(refused.err.contains("there are no forwards"), "{refused:?}");
    }
    let forward = said(bench.ssh(&["-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:9"], "ne-1.jw.ne", &["true"])).await;
    assert!(forward.code == Some(255) && forward.err.contains("remote port forwarding failed"), "{forward:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_shows_another_key_is_not_entered() {
    let bench = Bench::new(Grade::Gateway, Manner::OtherKey).await;
    let refused = bench.run(&["id"]).await;
    assert!(refused.err.contains("ne-1.jw.ne shows the host key SHA256:"), "{refused:?}");
    assert!(refused.err.contains("which its statement does not name"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_devices_own_reason_reaches_the_engineer() {
    let bench = Bench::new(Grade::Gateway, Manner::NoLeg).await;
    let refused = bench.run(&["id"]).await;
    assert!(refused.err.contains("ne-1.jw.ne refuses: the consent's time is up"), "{refused:?}");
    let bench = Bench::new(Grade::Gateway, Manner::NoEntry).await;
    let refused = bench.run(&["id"]).await;
    let wanted = format!("does not take this gateway's key for the consent {}: the gateway is", bench.consent);
    assert!(refused.err.contains(&wanted) && refused.err.contains("[2J not let in") && !refused.err.contains('\u{1b}'), "{refused:?}");
    let bench = Bench::new(Grade::Gateway, Manner::Garbage).await;
    let refused = bench.run(&["id"]).await;
    assert!(refused.err.contains("speaks no SSH that this gateway understands"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_device_opens_nothing_and_writes_no_words_of_its_own() {
    let bench = Bench::new(Grade::Gateway, Manner::Opens).await;
    let said = bench.run(&["x"]).await;
    assert_eq!((said.code, said.out.as_str()), (Some(0), "opened: []\n"), "{said:?}");
    let bench = Bench::new(Grade::Gateway, Manner::Honest).await;
    let signal = bench.run(&["signal"]).await;
    assert!(signal.code == Some(255) && !signal.err.contains('\u{1b}') && !signal.err.contains("evil"), "{signal:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_put_out_reads_why_after_the_last_words() {
    let bench = Bench::new(Grade::Gateway, Manner::PutsOut).await;
    let said = bench.run(&["x"]).await;
    assert_eq!((said.code, said.out.as_str()), (Some(255), "last words\n"), "{said:?}");
    assert!(said.err.contains("lineman: the consent was revoked by noc-jw") && !said.err.contains('\u{1b}'), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_to_the_device_serves_all_channels_and_ends_with_the_engineer() {
    let bench = Bench::new(Grade::Gateway, Manner::Honest).await;
    let control = bench.dir.path().join("control").display().to_string();
    let shared = ["-o", &format!("ControlPath={control}")];
    let mut master = bench.ssh(&["-o", &format!("ControlPath={control}"), "-M"], "ne-1.jw.ne", &["cat"]);
    let mut master = master.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = master.stdin.take().unwrap();
    input.write_all(b"up\n").await.unwrap();
    let mut up = [0; 3];
    master.stdout.as_mut().unwrap().read_exact(&mut up).await.unwrap();
    let runs = (0..12).map(|n| said(bench.ssh(&shared, "ne-1.jw.ne", &["sh", "-c", &format!("'echo {n}; exit {n} # late'")])));
    for (n, said) in futures_util::future::join_all(runs).await.into_iter().enumerate() {
        assert_eq!((said.code, said.out.as_str()), (Some(i32::try_from(n).unwrap()), format!("{n}\n").as_str()), "{said:?}");
    }
    // The device and everything in between end with the engineer: nothing is left running but the listeners.
    master.kill().await.unwrap();
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    // The gateway's own loop, the legs' listener, the device's link.
    while bench.tasks.len() > 3 {
        assert!(tokio::time::Instant::now() < deadline, "{} tasks are left", bench.tasks.len());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_stops_in_the_handshake_keeps_nothing_here() {
    let bench = Bench::new(Grade::Gateway, Manner::Mute).await;
    let refused = bench.run(&["id"]).await;
    assert!(refused.err.contains("ne-1.jw.ne did not finish the handshake in"), "{refused:?}");
    bench.is_left_alone().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_changes_keys_all_the_time_is_left() {
    let bench = Bench::new(Grade::Gateway, Manner::Rekeys).await;
    let left = bench.run(&["while :; do echo x; done"]).await;
    assert!(left.code == Some(255) && left.err.contains("changes its keys all the time"), "{}", left.err);
    bench.is_left_alone().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_opens_channel_after_channel_is_left() {
    let bench = Bench::new(Grade::Gateway, Manner::OpensAll).await;
    let left = said(bench.ssh(&["-tt"], "ne-1.jw.ne", &[])).await;
    assert!(left.code == Some(255) && (left.out + &left.err).contains("opens one channel after the other"), "{}", left.err);
    bench.is_left_alone().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_long_banner_little_is_shown() {
    let bench = Bench::new(Grade::Gateway, Manner::LongBanner).await;
    let refused = bench.run(&["id"]).await;
    assert!(refused.err.contains("does not take this gateway's key") && refused.err.len() < 5000, "{} bytes", refused.err.len());
    assert!(!refused.err.contains('\u{1b}'));
}

/// Neither reads nor answers when the engineer goes: it is cut off, and nothing here waits for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_falls_silent_is_cut_off_when_the_engineer_goes() {
    let bench = Bench::new(Grade::Gateway, Manner::FallsSilent).await;
    let device = bench.world.device.name.clone();
    let proof = Proof::Token(Some(bench.consent));
    let visitor = Visitor { jump: bench.jump.clone(), device: device.clone(), engineer: "engineer-a".into(), proof };
    let inside = visitor.enter().await.unwrap();
    let channel = inside.channel(&device).await.unwrap();
    channel.request_pty(false, "vt100", 80, 24, 0, 0, &[]).await.unwrap();
    channel.request_shell(false).await.unwrap();
    let flood = async { while channel.data_bytes(vec![b'x'; 32 * 1024]).await.is_ok() {} };
    tokio::time::timeout(Duration::from_secs(2), flood).await.expect_err("it takes no more");
    let ended = inside.ended().clone();
    drop(channel);
    inside.leave("the engineer has left").await;
    tokio::time::timeout(Duration::from_secs(30), ended.cancelled()).await.expect("the connection is over");
}

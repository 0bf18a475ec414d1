//! One channel of a session: a shell, a command or SFTP, from its start to its exit status.
//!
//! Each channel is one task, so that a slow one keeps only itself waiting. Output waits for this channel's window before it
//! enters SSH's common queue; input is taken off SSH at once and waits here, up to [`QUEUE_BYTES`].
//!
//! The order at the end is data, EOF, exit status, close: rsync and Ansible hang otherwise.

use std::collections::VecDeque;
use std::os::unix::process::ExitStatusExt;
use std::pin::Pin;
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use lineman_common::recording::{Flow, SftpOperation, What};
use russh::server::{Handle, Msg};
use russh::{Channel, ChannelId, ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Sig};
use rustix::process::{Pid, Signal};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::Child as Process;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::account::Account;
use super::ask::{self, Ask};
use super::child::{ChildOrders, FAILED};
use super::pty::{Master, Size};
use super::recorder::{EXEC_BYTES, FlowTape, PIECE_BYTES, Recorder, RecorderFailed};
use super::spawn::{Child, Reader, Writer, signal, spawn};
use super::{Scope, registry, sftp};

/// Input that waits for a command that doesn't read it. Then the connection waits: SSH gives no way to stop one channel.
const QUEUE_BYTES: usize = 16 * 1024 * 1024;
const BUFFER_BYTES: usize = PIECE_BYTES;
/// A terminal whose shell has exited may be held open by something in the background: it ends when nothing came for this long.
const TERMINAL_IDLE: Duration = Duration::from_millis(100);
/// Between hanging up and killing.
const HANGUP_GRACE: Duration = Duration::from_millis(300);
/// A last word to a client that may not be reading.
const LAST_WORD: Duration = Duration::from_millis(200);
/// For an SFTP child that lost its client to tell what was still open.
const LAST_OPERATIONS: Duration = Duration::from_secs(1);
/// One line of the SFTP child, which keeps its paths far below that; a longer one is recorded in pieces.
const MAX_LINE_BYTES: u64 = 64 * 1024;

/// The way to the client.
struct Line {
    id: ChannelId,
    to: ChannelWriteHalf<Msg>,
    handle: Handle,
    recorder: Arc<Recorder>,
    /// Nothing is sent any more: nobody reads it.
    gone: CancellationToken,
}

impl Line {
    async fn send(&self, flow: Flow, bytes: &[u8]) -> Result<(), russh::Error> {
        tokio::select! {
            biased;
            () = self.gone.cancelled() => Err(russh::Error::Disconnect),
            sent = self.put(flow, bytes) => sent,
        }
    }

    async fn put(&self, flow: Flow, bytes: &[u8]) -> Result<(), russh::Error> {
        match flow {
            Flow::Stderr => self.to.extended_data_bytes(1, bytes.to_vec()).await?,
            Flow::Output | Flow::Input => self.to.data_bytes(bytes.to_vec()).await?,
        }
        self.recorder.sent(bytes.len());
        Ok(())
    }

    /// Tells the end in the order that clients rely on. The client being gone is no error here.
    async fn finish(&self, exit: &Exit) {
        let _ = self.handle.eof(self.id).await;
        let _ = match exit {
            Exit::Status(status) => self.handle.exit_status_request(self.id, *status).await,
            Exit::Signal(name) => {
                let name = Sig::Custom(name.clone());
                self.handle.exit_signal_request(self.id, name, false, String::new(), String::new()).await
            }
        };
        let _ = self.handle.close(self.id).await;
    }
}

enum Exit {
    Status(u32),
    Signal(String),
}

impl Exit {
    fn of(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Status(u32::try_from(code).unwrap_or(u32::from(FAILED))),
            (None, Some(number)) => Self::Signal(signal_name(number)),
            (None, None) => Self::Status(u32::from(FAILED)),
        }
    }

    fn event(&self) -> What {
        match self {
            Self::Status(status) => What::Exit { status: Some(*status), signal: None },
            Self::Signal(name) => What::Exit { status: None, signal: Some(name.clone()) },
        }
    }
}

/// A channel's whole life.
pub async fn run(scope: Arc<Scope>, number: u32, channel: Channel<Msg>, handle: Handle) -> Result<(), RecorderFailed> {
    let id = channel.id();
    let (mut from, to) = channel.split();
    let Some(ask) = ask::read(&mut from).await else { return Ok(()) };
    let recorder = &scope.recorder;
    let line = Line { id, to, handle, recorder: Arc::clone(recorder), gone: CancellationToken::new() };
    recorder.channel_opened();
    recorder.event(number, What::Open(ask.opened(&scope.live.doors))).await?;
    if let Some(remark) = ask.remark() {
        recorder.event(number, What::Note(remark)).await?;
    }
    if let Some(command) = ask.command() {
        recorder.command(&command);
    }
    let exit = match start(&scope, &ask).await {
        Ok(child) => converse(&scope, number, &line, &ask, child, &mut from).await?,
        Err(reason) => {
            recorder.event(number, What::Note(reason.clone())).await?;
            let end = if ask.terminal.is_some() { "\r\n" } else { "\n" };
            let text = format!("lineman: {reason}{end}");
            let _ = timeout(LAST_WORD, line.send(Flow::Stderr, text.as_bytes())).await;
            Exit::Status(u32::from(FAILED))
        }
    };
    recorder.event(number, exit.event()).await?;
    line.finish(&exit).await;
    Ok(())
}

/// Starts the child, or says why not.
async fn start(scope: &Scope, ask: &Ask) -> Result<Child, String> {
    if scope.host.consents.remaining(scope.live.id).is_none_or(|left| left.is_zero()) {
        return Err("the consent has ended".to_owned());
    }
    if let Some(refusal) = ask.refusal(&scope.live.doors) {
        return Err(refusal);
    }
    let profile = scope.host.profiles.get(&scope.live.account);
    let profile = profile.ok_or_else(|| format!("the account profile `{}` is gone from this device", scope.live.account))?;
    let account = Account::of(profile).map_err(|e| e.to_string())?;
    let mut env = ask.env.clone();
    env.extend(profile.env.clone());
    let terminal = ask.terminal.as_ref().filter(|_| ask.start != ask::Start::Sftp);
    let orders = ChildOrders {
        session: scope.id,
        account,
        env,
        terminal: terminal.map(|terminal| terminal.term.clone()),
        job: ask.job(&scope.live.doors),
    };
    spawn(&scope.host.program, &orders, terminal).await.map_err(|e| {
        tracing::error!(error = %e, session.id = %scope.id, "a session child can't be started");
        e.to_string()
    })
}

/// A running child and its client.
struct Conversation<'a> {
    scope: &'a Scope,
    number: u32,
    line: &'a Line,
    group: Option<Pid>,
    terminal: Option<Master>,
    feed: Feed,
    /// Terminals' input is not recorded: it holds passwords, and what matters is echoed.
    input: Option<FlowTape>,
    /// All output has been passed on.
    drained: bool,
}

/// How a conversation came to its end.
enum Over {
    /// The child has exited, and its output has been passed on.
    Exited(std::io::Result<ExitStatus>),
    /// The client left.
    Left,
    /// The session must end; why, for the client.
    PutOut(String),
}

/// Talks with a child until it has exited, or must.
async fn converse(
    scope: &Scope,
    number: u32,
    line: &Line,
    ask: &Ask,
    child: Child,
    from: &mut ChannelReadHalf,
) -> Result<Exit, RecorderFailed> {
    let sftp = ask.start == ask::Start::Sftp;
    let limit = ask.terminal.is_none().then_some(EXEC_BYTES);
    let tape = |flow| scope.recorder.flow(number, flow, limit);
    let (mut output, mut errors) = (tape(Flow::Output), tape(Flow::Stderr));
    let input = (ask.terminal.is_none() && !sftp).then(|| tape(Flow::Input));
    let (mut process, group, stdin, stdout, stderr, terminal) = child.into_parts();
    let feed = Feed { stdin, queue: VecDeque::new(), bytes: 0, ended: false };
    let mut conversation = Conversation { scope, number, line, group, terminal, feed, input, drained: false };
    let idle = AtomicU64::new(0);
    let over = {
        let outputs = async {
            let out = pump(stdout, Flow::Output, (!sftp).then_some(&mut output), line, &idle);
            match stderr {
                None => out.await,
                Some(stderr) if sftp => tokio::try_join!(out, operations(stderr, line, number)).map(drop),
                Some(stderr) => tokio::try_join!(out, pump(stderr, Flow::Stderr, Some(&mut errors), line, &idle)).map(drop),
            }
        };
        tokio::pin!(outputs);
        match conversation.hold(&mut process, outputs.as_mut(), &idle, from).await {
            Ok(over) => conversation.part(over, outputs, sftp).await,
            failed @ Err(_) => failed,
        }
    };
    let exit = match over {
        Ok(Over::Exited(status)) => status.map_or(Exit::Status(u32::from(FAILED)), Exit::of),
        Ok(Over::Left | Over::PutOut(_)) => {
            // Dropping its end of the terminal hangs up as well.
            drop((conversation.feed.stdin.take(), conversation.terminal.take()));
            hang_up(&mut process, group).await;
            Exit::Signal("HUP".into())
        }
        Err(failed) => {
            // Nothing may go on unrecorded.
            signal(group, Signal::KILL);
            let _ = process.kill().await;
            return Err(failed);
        }
    };
    output.finish().await?;
    errors.finish().await?;
    if let Some(mut input) = conversation.input.take() {
        input.finish().await?;
    }
    Ok(exit)
}

impl Conversation<'_> {
    /// Until the child has exited, or must.
    async fn hold(
        &mut self,
        process: &mut Process,
        mut outputs: Pin<&mut impl Future<Output = Result<(), RecorderFailed>>>,
        idle: &AtomicU64,
        from: &mut ChannelReadHalf,
    ) -> Result<Over, RecorderFailed> {
        let mut stop = self.scope.stop.clone();
        let mut notes = self.scope.notes.clone();
        notes.mark_unchanged();
        let failed = self.scope.recorder.failed().clone();
        let mut status = None;
        loop {
            if self.drained
                && let Some(status) = status.take()
            {
                return Ok(Over::Exited(status));
            }
            // Without `biased`: neither a flood of output nor one of input may keep the other, or Ctrl-C, waiting.
            tokio::select! {
                done = &mut outputs, if !self.drained => { self.drained = true; done?; }
                exited = process.wait(), if status.is_none() => status = Some(exited),
                () = quiet(idle), if status.is_some() && self.terminal.is_some() => self.drained = true,
                message = from.wait(), if self.feed.bytes < QUEUE_BYTES => {
                    if !self.hear(message).await? {
                        return Ok(Over::Left);
                    }
                }
                () = self.feed.write(), if self.feed.has_work() && !failed.is_cancelled() => {}
                Ok(()) = notes.changed(), if self.terminal.is_some() => {
                    let note = notes.borrow_and_update().clone().unwrap_or_default();
                    self.scope.recorder.event(self.number, What::Note(note.clone())).await?;
                    let _ = timeout(LAST_WORD, self.line.send(Flow::Output, format!("\r\n*** {note}\r\n").as_bytes())).await;
                }
                () = failed.cancelled() => return Err(RecorderFailed),
                ending = registry::ending(&mut stop) => return Ok(Over::PutOut(ending.text)),
            }
        }
    }

    /// What is left to say to both sides. An SFTP child is told that its client is gone, and gets a moment to tell what was
    /// still open: a transfer must not go unrecorded because nobody closed the file.
    async fn part(
        &mut self,
        over: Over,
        outputs: Pin<&mut impl Future<Output = Result<(), RecorderFailed>>>,
        sftp: bool,
    ) -> Result<Over, RecorderFailed> {
        if sftp {
            self.feed.stdin = None;
            self.line.gone.cancel();
        }
        let last_word = async {
            if let Over::PutOut(text) = &over {
                self.last_word(text).await;
            }
        };
        let last_operations =
            async { if sftp && !self.drained { timeout(LAST_OPERATIONS, outputs).await.unwrap_or(Ok(())) } else { Ok(()) } };
        let ((), told) = tokio::join!(last_word, last_operations);
        told.map(|()| over)
    }

    /// Takes one message from the client; `false` when it has left.
    async fn hear(&mut self, message: Option<ChannelMsg>) -> Result<bool, RecorderFailed> {
        match message {
            Some(ChannelMsg::Data { data }) => {
                self.scope.recorder.received(data.len());
                if let Some(tape) = &mut self.input {
                    tape.record(&data).await?;
                }
                self.feed.push(data.to_vec());
            }
            // A terminal has no end of input: the shell goes on, as with any SSH server.
            Some(ChannelMsg::Eof) => self.feed.ended = self.terminal.is_none(),
            Some(ChannelMsg::WindowChange { col_width, row_height, .. }) => {
                self.resize(Size { cols: col_width, rows: row_height }).await?;
            }
            Some(ChannelMsg::Signal { signal: name }) => {
                if let Some(known) = signal_of(&name) {
                    signal(self.group, known);
                }
            }
            Some(ChannelMsg::Close) | None => return Ok(false),
            // Requests after the start; the handler has answered them.
            Some(_) => {}
        }
        Ok(true)
    }

    async fn resize(&self, size: Size) -> Result<(), RecorderFailed> {
        let Some(terminal) = &self.terminal else { return Ok(()) };
        if let Err(error) = terminal.resize(size) {
            tracing::debug!(%error, session.id = %self.scope.id, "a terminal can't be resized");
        }
        self.scope.recorder.event(self.number, What::Resize { cols: size.cols, rows: size.rows }).await
    }

    async fn last_word(&self, text: &str) {
        let (flow, text) = if self.terminal.is_some() {
            (Flow::Output, format!("\r\n*** lineman: {text}: the session ends\r\n"))
        } else {
            (Flow::Stderr, format!("lineman: {text}: the session ends\n"))
        };
        let _ = timeout(LAST_WORD, self.line.put(flow, text.as_bytes())).await;
    }
}

/// What the client sent, on its way to the child.
struct Feed {
    stdin: Option<Writer>,
    queue: VecDeque<Vec<u8>>,
    bytes: usize,
    ended: bool,
}

impl Feed {
    fn push(&mut self, data: Vec<u8>) {
        // A child that closed its input is not asked again.
        if self.stdin.is_some() {
            self.bytes += data.len();
            self.queue.push_back(data);
        }
    }

    fn has_work(&self) -> bool {
        self.stdin.is_some() && (self.ended || !self.queue.is_empty())
    }

    /// One step: writes some, or closes. Dropping it in the middle loses nothing: a write either happened or didn't.
    async fn write(&mut self) {
        let Some(stdin) = &mut self.stdin else { return };
        let Some(front) = self.queue.front_mut() else {
            self.stdin = None;
            return;
        };
        if let Ok(n) = stdin.write(front).await {
            self.bytes -= n;
            if n == front.len() {
                self.queue.pop_front();
            } else {
                front.drain(..n);
            }
        } else {
            self.stdin = None;
            self.queue.clear();
            self.bytes = 0;
        }
    }
}

/// From the child to the recorder and the client. `idle` counts how often it waited for the child.
async fn pump(mut from: Reader, flow: Flow, mut tape: Option<&mut FlowTape>, line: &Line, idle: &AtomicU64) -> Result<(), RecorderFailed> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        // Even while it waits, odd while it works.
        idle.fetch_and(!1, Ordering::Relaxed);
        let n = match from.read(&mut buffer).await {
            Ok(0) | Err(_) => return Ok(()),
            Ok(n) => n,
        };
        idle.fetch_add(3, Ordering::Relaxed);
        if let Some(tape) = &mut tape {
            tape.record(&buffer[..n]).await?;
        }
        if line.send(flow, &buffer[..n]).await.is_err() {
            return Ok(());
        }
    }
}

/// Until the pump of a terminal has waited for a while without getting anything.
async fn quiet(idle: &AtomicU64) {
    loop {
        let before = idle.load(Ordering::Relaxed);
        sleep(TERMINAL_IDLE).await;
        if before.is_multiple_of(2) && idle.load(Ordering::Relaxed) == before {
            return;
        }
    }
}

/// What the SFTP child did, line by line, into the recording. What it says otherwise is for the person.
async fn operations(from: Reader, line: &Line, number: u32) -> Result<(), RecorderFailed> {
    let mut from = BufReader::new(from);
    let mut told = false;
    loop {
        let mut bytes = Vec::new();
        match (&mut from).take(MAX_LINE_BYTES).read_until(b'\n', &mut bytes).await {
            Ok(0) | Err(_) => return Ok(()),
            Ok(_) => {}
        }
        let Ok(operation) = serde_json::from_slice::<SftpOperation>(&bytes) else {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            line.recorder.event(number, What::Note(text.trim_end().to_owned())).await?;
            let _ = line.send(Flow::Stderr, &bytes).await;
            continue;
        };
        if matches!(operation.op.as_str(), "open-read" | "open-write" | "read" | "write") {
            line.recorder.file(&operation.path);
        }
        // Clients show a refusal as a bare "Permission denied"; the reason goes beside it, once.
        let reason = operation.result.strip_prefix(sftp::REFUSED).filter(|_| !told).map(|reason| format!("lineman: {reason}\n"));
        line.recorder.event(number, What::Sftp(operation)).await?;
        if let Some(reason) = reason {
            told = true;
            let _ = line.send(Flow::Stderr, reason.as_bytes()).await;
        }
    }
}

/// As when a modem line drops: SIGHUP, and what does not heed it is killed.
async fn hang_up(process: &mut Process, group: Option<Pid>) {
    signal(group, Signal::HUP);
    signal(group, Signal::CONT);
    let _ = timeout(HANGUP_GRACE, process.wait()).await;
    signal(group, Signal::KILL);
    let _ = process.wait().await;
}

const SIGNALS: [(&str, Signal); 13] = [
    ("ABRT", Signal::ABORT),
    ("ALRM", Signal::ALARM),
    ("FPE", Signal::FPE),
    ("HUP", Signal::HUP),
    ("ILL", Signal::ILL),
    ("INT", Signal::INT),
    ("KILL", Signal::KILL),
    ("PIPE", Signal::PIPE),
    ("QUIT", Signal::QUIT),
    ("SEGV", Signal::SEGV),
    ("TERM", Signal::TERM),
    ("USR1", Signal::USR1),
    ("USR2", Signal::USR2),
];

/// RFC 4254's name; others are named in its way for local names.
fn signal_name(number: i32) -> String {
    let known = SIGNALS.iter().find(|(_, signal)| signal.as_raw() == number).map(|(name, _)| (*name).to_owned());
    known.unwrap_or_else(|| format!("{number}@lineman"))
}

fn signal_of(name: &Sig) -> Option<Signal> {
    let name = match name {
        Sig::ABRT => "ABRT",
        Sig::ALRM => "ALRM",
        Sig::FPE => "FPE",
        Sig::HUP => "HUP",
        Sig::ILL => "ILL",
        Sig::INT => "INT",
        Sig::KILL => "KILL",
        Sig::PIPE => "PIPE",
        Sig::QUIT => "QUIT",
        Sig::SEGV => "SEGV",
        Sig::TERM => "TERM",
        Sig::USR1 => "USR1",
        Sig::Custom(name) => name,
    };
    SIGNALS.iter().find(|(known, _)| *known == name).map(|(_, signal)| *signal)
}

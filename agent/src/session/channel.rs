//! One channel of a session: a shell, a command or SFTP, from its start to its exit status.
//!
//! Each channel is one task, so that a slow one keeps only itself waiting. Output waits for this channel's window before it
//! enters SSH's common queue; input is taken off SSH at once and waits in [`super::feed`].
//!
//! The order at the end is data, EOF, exit status, close: rsync and Ansible hang otherwise.

use std::os::unix::process::ExitStatusExt;
use std::pin::Pin;
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use lineman_common::leg::SILENCE;
use lineman_common::recording::{Flow, SftpOperation, What};
use lineman_common::session::EndReason;
use russh::server::{Handle, Msg};
use russh::{Channel, ChannelId, ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Sig};
use rustix::process::{Pid, Signal};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::Child as Process;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::account::Account;
use super::ask::{self, Ask};
use super::child::{ChildOrders, FAILED};
use super::feed::{Answers, Feed, Room, Sink};
use super::pty::{Master, Size, TerminalRequest};
use super::recorder::{EXEC_BYTES, FlowTape, READ_BYTES, Recorder, RecorderFailed};
use super::signals::{signal_name, signal_of};
use super::spawn::{Child, Reader, SpawnError, Waiting, on_terminal, signal};
use super::{Reach, Scope, registry, sftp};

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

/// Input that waits is told of after this long: by then a cut of the network is known as one.
const TELL_HELD_AFTER: Duration = SILENCE.saturating_sub(Duration::from_secs(5));

/// A command that runs for so long is told what a terminal is told.
const LONG: Duration = Duration::from_secs(10);

/// Whether input waits for the centre, and whether that was said.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Held {
    No,
    Since(Instant),
    Told,
}

/// The way to the client.
pub struct Line {
    pub id: ChannelId,
    pub to: ChannelWriteHalf<Msg>,
    pub handle: Handle,
    pub recorder: Arc<Recorder>,
    pub answers: Arc<Answers>,
    /// Nothing is sent any more: nobody reads it.
    pub gone: CancellationToken,
}

impl Line {
    pub async fn send(&self, flow: Flow, bytes: impl Into<Bytes>) -> Result<(), russh::Error> {
        tokio::select! {
            biased;
            () = self.gone.cancelled() => Err(russh::Error::Disconnect),
            sent = self.put(flow, bytes.into()) => sent,
        }
    }

    async fn put(&self, flow: Flow, bytes: Bytes) -> Result<(), russh::Error> {
        let length = bytes.len();
        let _waits = self.answers.waits();
        match flow {
            Flow::Stderr => self.to.extended_data_bytes(1, bytes).await?,
            Flow::Output | Flow::Input => self.to.data_bytes(bytes).await?,
        }
        self.recorder.sent(length).await;
        Ok(())
    }

    /// A line for the person, if the client takes it.
    async fn say(&self, ask: &Ask, text: &str) {
        let end = if ask.terminal.is_some() { "\r\n" } else { "\n" };
        let _ = timeout(LAST_WORD, self.send(Flow::Stderr, format!("lineman: {text}{end}").into_bytes())).await;
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
    let line = Line { id, to, handle, recorder: Arc::clone(recorder), answers: Arc::clone(&scope.answers), gone: CancellationToken::new() };
    recorder.channel_opened();
    recorder.event(number, What::Open(ask.opened(&scope.live.doors))).await?;
    if let Some(remark) = ask.remark() {
        recorder.event(number, What::Note(remark)).await?;
    }
    if let Some(command) = ask.command() {
        recorder.command(&command);
    }
    // SSH has no words for some refusals: they are said on the next channel that can show them.
    for refusal in scope.unsaid().into_iter().chain(ask.refusals()) {
        recorder.event(number, What::Note(refusal.clone())).await?;
        line.say(&ask, &refusal).await;
    }
    if ask.start != ask::Start::Sftp && recorder.pace().watch().borrow().input_held {
        line.say(&ask, "this waits until the centre has the recording of what was done so far; it goes on by itself").await;
    }
    let mut stop = scope.stop.clone();
    let started = tokio::select! {
        started = start(&scope, &ask) => started,
        ending = registry::ending(&mut stop) => Err(ending.text),
    };
    let exit = match started {
        Ok(child) => converse(&scope, number, &line, &ask, child, &mut from).await?,
        Err(reason) => {
            recorder.event(number, What::Note(reason.clone())).await?;
            line.say(&ask, &reason).await;
            Exit::Status(u32::from(FAILED))
        }
    };
    recorder.event(number, exit.event()).await?;
    line.finish(&exit).await;
    if ask.terminal.is_none() {
        scope.spare.want();
    }
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
    // A command is input, too.
    scope.input_open().await;
    let profile = scope.host.profiles.get(&scope.live.account);
    let profile = profile.ok_or_else(|| format!("the account profile `{}` is gone from this device", scope.live.account))?;
    let account = Account::of(profile).map_err(|e| e.to_string())?;
    let mut env = ask.env.clone();
    env.extend(profile.env.clone());
    let terminal = ask.terminal.as_ref().filter(|_| ask.start != ask::Start::Sftp);
    let orders = ChildOrders { account, env, terminal: terminal.map(|terminal| terminal.term.clone()), job: ask.job(&scope.live.doors) };
    start_child(scope, terminal, &orders).await.map_err(|e| {
        tracing::error!(error = %e, session.id = %scope.id, "a session child can't be started");
        e.to_string()
    })
}

async fn start_child(scope: &Scope, terminal: Option<&TerminalRequest>, orders: &ChildOrders) -> Result<Child, SpawnError> {
    let (program, berth, containment) = (&scope.host.program, scope.berth(), &scope.host.containment);
    if let Some(terminal) = terminal {
        return on_terminal(program, &berth, terminal, orders, containment).await;
    }
    let child = match scope.spare.take() {
        Some(spare) => spare,
        None => Waiting::start(program, &berth, None, containment).await?,
    };
    child.obey(orders, None).await
}

/// A running child and its client.
struct Conversation<'a> {
    scope: &'a Scope,
    number: u32,
    line: &'a Line,
    group: Option<Pid>,
    terminal: Option<Master>,
    feed: Feed,
    /// A terminal's input is recorded only where the carrier wants it, and only what the terminal echoes: the rest holds passwords.
    input: Option<FlowTape>,
    /// All output has been passed on.
    drained: bool,
    sftp: bool,
    since: Instant,
    /// The person was told that input waits.
    held: Held,
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
    let recorded = if ask.terminal.is_some() { scope.recorder.pace().limits().input } else { !sftp };
    let input = recorded.then(|| tape(Flow::Input));
    let Child { mut process, group, stdin, stdout, stderr, terminal, entry: _entry } = child;
    let feed = Feed::new(terminal.clone().map(Sink::Terminal).or_else(|| stdin.map(Sink::Bytes)), Arc::clone(&scope.host.input));
    let since = Instant::now();
    let mut conversation = Conversation { scope, number, line, group, terminal, feed, input, drained: false, sftp, since, held: Held::No };
    let _counted = sftp.then(|| scope.sftp_begins());
    let idle = AtomicU64::new(1);
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
            conversation.feed.close();
            drop(conversation.terminal.take());
            hang_up(&mut process, group).await;
            Exit::Signal("HUP".into())
        }
        Err(failed) => {
            // Nothing may go on unrecorded.
            signal(group, Signal::KILL);
            let _ = process.kill().await;
            conversation.last_word(&registry::Ending::new(EndReason::RecorderFailed).text).await;
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
        let mut pace = self.scope.recorder.pace().watch();
        let failed = self.scope.recorder.failed().clone();
        let mut reach = self.scope.reach.clone();
        let budget = Arc::clone(&self.scope.host.input);
        let mut status = None;
        loop {
            // A child that was killed with its session did not just exit.
            if let Some(ending) = stop.borrow().clone() {
                return Ok(Over::PutOut(ending.text));
            }
            if self.drained
                && let Some(status) = status.take()
            {
                return Ok(Over::Exited(status));
            }
            let held = pace.borrow_and_update().input_held;
            let (told, room) = (self.held_is_told_at(held, *reach.borrow_and_update()), self.feed.room());
            let due = async move {
                match told {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            // Without `biased`: neither a flood of output nor one of input may keep the other, or Ctrl-C, waiting.
            tokio::select! {
                done = &mut outputs, if !self.drained => { self.drained = true; done?; }
                exited = process.wait(), if status.is_none() => status = Some(exited),
                () = quiet(idle), if status.is_some() && self.terminal.is_some() => self.drained = true,
                message = next(room, &self.scope.answers, from) => {
                    if !self.hear(message, held).await? {
                        return Ok(Over::Left);
                    }
                }
                () = budget.room(), if self.feed.waits_for_others() => {}
                echoed = self.feed.write(), if self.feed.has_work(held) && !failed.is_cancelled() => self.typed(&echoed).await?,
                Ok(()) = pace.changed() => {}
                Ok(()) = reach.changed() => {}
                () = due => self.tell_held().await,
                () = sleep_until(self.since + LONG), if !self.is_told() && !self.sftp => {}
                Ok(()) = notes.changed(), if self.is_told() => {
                    let note = notes.borrow_and_update().clone().unwrap_or_default();
                    self.scope.recorder.event(self.number, What::Note(note.clone())).await?;
                    self.remark(&note).await;
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
            self.feed.close();
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
    async fn hear(&mut self, message: Option<ChannelMsg>, held: bool) -> Result<bool, RecorderFailed> {
        match message {
            Some(ChannelMsg::Data { data }) => {
                // Of what goes into a terminal it is known only there whether it may be told.
                if self.terminal.is_none() {
                    self.scope.recorder.received(data.len());
                    if let Some(tape) = &mut self.input {
                        tape.record(&data).await?;
                    }
                }
                if held { self.feed.push_held(data) } else { self.feed.push(data) }
            }
            Some(ChannelMsg::Eof) => {
                // A terminal has no end of input: the shell goes on, as with any SSH server.
                if self.terminal.is_none() {
                    self.feed.end();
                }
            }
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

    /// A terminal has taken this, and echoed it.
    async fn typed(&mut self, echoed: &Bytes) -> Result<(), RecorderFailed> {
        if echoed.is_empty() {
            return Ok(());
        }
        self.scope.recorder.received(echoed.len());
        match &mut self.input {
            Some(tape) => tape.record(echoed).await,
            None => Ok(()),
        }
    }

    /// Is there somebody who reads what the session has to say? Not behind SFTP, nor behind a short command.
    fn is_told(&self) -> bool {
        self.terminal.is_some() || (!self.sftp && self.since.elapsed() >= LONG)
    }

    async fn remark(&self, text: &str) {
        let (flow, text) =
            if self.terminal.is_some() { (Flow::Output, format!("\r\n*** {text}\r\n")) } else { (Flow::Stderr, format!("{text}\n")) };
        let _ = timeout(LAST_WORD, self.line.send(flow, text.into_bytes())).await;
    }

    /// When a person at a terminal is to be told that input waits: once, and not over a cut, which is a pause that ends by itself.
    fn held_is_told_at(&mut self, held: bool, reach: Reach) -> Option<Instant> {
        if !held {
            self.held = Held::No;
        } else if self.held == Held::No {
            self.held = Held::Since(Instant::now());
        }
        match (self.held, reach) {
            (Held::Since(since), Reach::Up(back)) if self.terminal.is_some() => Some(since.max(back) + TELL_HELD_AFTER),
            (Held::No | Held::Since(_) | Held::Told, Reach::Up(_) | Reach::Cut) => None,
        }
    }

    async fn tell_held(&mut self) {
        self.held = Held::Told;
        self.remark("lineman: your input waits until the centre has the recording of what was done so far; it goes on by itself").await;
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
        let _ = timeout(LAST_WORD, self.line.put(flow, text.into_bytes().into())).await;
    }
}

/// The client's next message, as soon as it may be read. Dropping this in the middle loses none.
pub async fn next(room: Room, answers: &Answers, from: &mut ChannelReadHalf) -> Option<ChannelMsg> {
    room.readable(answers).await;
    from.wait().await
}

/// From the child to the recorder and the client. `idle` counts how often it waited for the child.
async fn pump(mut from: Reader, flow: Flow, mut tape: Option<&mut FlowTape>, line: &Line, idle: &AtomicU64) -> Result<(), RecorderFailed> {
    let mut buffer = Vec::new();
    loop {
        if tape.as_ref().is_some_and(|tape| tape.keeps_bytes()) {
            line.recorder.pace().output_open().await;
        }
        // Even while it waits for the child, odd while it works or must not go on.
        idle.fetch_and(!1, Ordering::Relaxed);
        buffer.reserve(READ_BYTES);
        if !from.read_buf(&mut buffer).await.is_ok_and(|n| n > 0) {
            return Ok(());
        }
        idle.fetch_add(3, Ordering::Relaxed);
        let bytes = Bytes::from(taken(&mut buffer));
        if let Some(tape) = &mut tape {
            tape.record(&bytes).await?;
        }
        if line.send(flow, bytes).await.is_err() {
            return Ok(());
        }
    }
}

/// What was read. A little doesn't keep a long buffer for as long as it waits for SSH.
pub fn taken(buffer: &mut Vec<u8>) -> Vec<u8> {
    if buffer.len() > READ_BYTES / 4 {
        return std::mem::take(buffer);
    }
    let little = buffer.clone();
    buffer.clear();
    little
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
        line.recorder.pace().output_open().await;
        let mut bytes = Vec::new();
        match (&mut from).take(MAX_LINE_BYTES).read_until(b'\n', &mut bytes).await {
            Ok(0) | Err(_) => return Ok(()),
            Ok(_) => {}
        }
        let Ok(operation) = serde_json::from_slice::<SftpOperation>(&bytes) else {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            line.recorder.event(number, What::Note(text.trim_end().to_owned())).await?;
            let _ = line.send(Flow::Stderr, bytes).await;
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
            let _ = line.send(Flow::Stderr, reason.into_bytes()).await;
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

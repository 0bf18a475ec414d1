//! One channel of a gateway session: what the engineer's client asks and sends goes to the device's channel, and back.
//!
//! Neither end is believed: only what belongs to a terminal, a command or SFTP is passed on, and how much waits is bounded. What waits
//! is held here and not in the SSH connections: one whose channel is full stops altogether, in both directions, and with it the word
//! from the other side that there is room again.
//!
//! What is never passed on is dropped, or cut out of its message, before it waits; what waits is weighed with all that it holds.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use russh::{Channel, ChannelId, ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Pty, Sig, client, server};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::timeout;

/// What waits for one reader, at most. Then the connection waits, as SSH knows no other way.
const CHANNEL_KIB: usize = 16 * 1024;
/// The same for all channels of a connection, in one direction.
const CONNECTION_KIB: usize = 64 * 1024;
/// Messages that wait for one reader, however small.
const CHANNEL_MESSAGES: usize = 4096;
/// When a reader takes nothing for this long while so much waits, the channel ends: both ends may be waiting for each other.
const STALLED: Duration = Duration::from_secs(600);
/// A client with a control socket closes its channel as soon as it has heard EOF, and russh then says nothing more on it: EOF waits so
/// long for the exit status that follows it.
const EXIT_FOLLOWS: Duration = Duration::from_secs(2);
/// The only subsystem that devices have.
pub const SFTP: &str = "sftp";
const MOST_VARIABLES: usize = 32;
/// A variable with its name.
const LONGEST_VARIABLE: usize = 4096;
/// A terminal's name; the longest that terminfo knows are far shorter.
const LONGEST_TERM: usize = 256;
/// What a terminal is called whose own name is too long.
const PLAIN_TERM: &str = "dumb";
const LONGEST_SIGNAL: usize = 16;
/// SSH's code for standard error.
const STDERR: u32 = 1;

/// Room for what waits on one engineer's connection.
#[derive(Clone)]
pub struct Room {
    up: Arc<Semaphore>,
    down: Arc<Semaphore>,
}

impl Default for Room {
    fn default() -> Self {
        Self { up: Arc::new(Semaphore::new(CONNECTION_KIB)), down: Arc::new(Semaphore::new(CONNECTION_KIB)) }
    }
}

/// A message that waits, with the room that it takes.
type Waiting = (ChannelMsg, OwnedSemaphorePermit, OwnedSemaphorePermit);

/// Why the connection to the device ended, once it has.
pub type Why = Arc<OnceLock<String>>;

/// Runs until one of the two channels has closed.
pub async fn run(engineer: Channel<server::Msg>, device: Channel<client::Msg>, handle: server::Handle, room: &Room, why: &Why) {
    let id = engineer.id();
    let (from_engineer, to_engineer) = engineer.split();
    let (from_device, to_device) = device.split();
    let (up, mut up_waiting) = mpsc::channel(CHANNEL_MESSAGES);
    let (down, mut down_waiting) = mpsc::channel(CHANNEL_MESSAGES);
    let upward = async {
        if to_the_device(&mut up_waiting, &to_device).await.is_none() {
            // Its channel is gone, or was: what it still said is on its way to the engineer.
            std::future::pending::<()>().await;
        }
    };
    let line = Line { id, to: &to_engineer, handle: &handle, why };
    let taking = async {
        take_in(from_device, Queue::new(down, &room.down), from_the_device).await;
        // What waits still goes to the engineer.
        std::future::pending::<()>().await;
    };
    let mut asked = Asked::default();
    tokio::select! {
        () = take_in(from_engineer, Queue::new(up, &room.up), |message| asked.keep(message)) => {}
        () = upward => {}
        () = taking => {}
        () = line.to_the_engineer(&mut down_waiting) => {}
    }
    let _ = to_device.close().await;
    let _ = handle.close(id).await;
}

/// Takes messages off a connection, so that it goes on, until its channel closes.
async fn take_in(mut from: ChannelReadHalf, queue: Queue, mut keep: impl FnMut(ChannelMsg) -> Option<ChannelMsg>) {
    while let Some(message) = from.wait().await {
        let closes = matches!(message, ChannelMsg::Close);
        if let Some(message) = keep(message)
            && timeout(STALLED, queue.put(message)).await.ok().flatten().is_none()
        {
            return;
        }
        if closes {
            return;
        }
    }
}

/// Where messages wait for one reader.
struct Queue {
    to: mpsc::Sender<Waiting>,
    channel: Arc<Semaphore>,
    connection: Arc<Semaphore>,
}

impl Queue {
    fn new(to: mpsc::Sender<Waiting>, connection: &Arc<Semaphore>) -> Self {
        Self { to, channel: Arc::new(Semaphore::new(CHANNEL_KIB)), connection: Arc::clone(connection) }
    }

    /// Waits until there is room. `None` when nobody reads any more.
    async fn put(&self, message: ChannelMsg) -> Option<()> {
        let kib = weight_kib(&message);
        let own = Arc::clone(&self.channel).acquire_many_owned(kib).await.ok()?;
        let shared = Arc::clone(&self.connection).acquire_many_owned(kib).await.ok()?;
        self.to.send((message, own, shared)).await.ok()
    }
}

/// What a message takes, never more than there is: such a message waits until it is alone.
fn weight_kib(message: &ChannelMsg) -> u32 {
    let kib = (held_bytes(message) / 1024).saturating_add(1).min(CHANNEL_KIB);
    u32::try_from(kib).unwrap_or(u32::MAX)
}

/// The length of all that has no fixed length in a message.
fn held_bytes(message: &ChannelMsg) -> usize {
    match message {
        ChannelMsg::Data { data } | ChannelMsg::ExtendedData { data, .. } => data.len(),
        ChannelMsg::Exec { command, .. } => command.capacity(),
        ChannelMsg::RequestPty { term, terminal_modes, .. } => {
            term.capacity().saturating_add(terminal_modes.capacity().saturating_mul(size_of::<(Pty, u32)>()))
        }
        ChannelMsg::SetEnv { variable_name, variable_value, .. } => variable_name.capacity().saturating_add(variable_value.capacity()),
        ChannelMsg::RequestSubsystem { name, .. } => name.capacity(),
        ChannelMsg::RequestX11 { x11_authentication_protocol, x11_authentication_cookie, .. } => {
            x11_authentication_protocol.capacity().saturating_add(x11_authentication_cookie.capacity())
        }
        ChannelMsg::Signal { signal } => signal_bytes(signal),
        ChannelMsg::ExitSignal { signal_name, error_message, lang_tag, .. } => {
            signal_bytes(signal_name).saturating_add(error_message.capacity()).saturating_add(lang_tag.capacity())
        }
        ChannelMsg::Open { .. }
        | ChannelMsg::Eof
        | ChannelMsg::Close
        | ChannelMsg::RequestShell { .. }
        | ChannelMsg::WindowChange { .. }
        | ChannelMsg::AgentForward { .. }
        | ChannelMsg::XonXoff { .. }
        | ChannelMsg::ExitStatus { .. }
        | ChannelMsg::WindowAdjusted { .. }
        | ChannelMsg::Success
        | ChannelMsg::Failure
        | ChannelMsg::OpenFailure(_) => 0,
        // The library may learn new ones. None is kept, and if one were, it would count as all the room there is.
        _ => usize::MAX,
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "only one has a length")]
fn signal_bytes(signal: &Sig) -> usize {
    match signal {
        Sig::Custom(name) => name.capacity(),
        _ => 0,
    }
}

/// Whether a signal is one of SSH's, or has at least a name like one.
fn is_plain(signal: &Sig) -> bool {
    !matches!(signal, Sig::Custom(name) if name.len() > LONGEST_SIGNAL || !name.bytes().all(|b| b.is_ascii_alphanumeric()))
}

/// What the engineer has asked so far on this channel.
#[derive(Default)]
struct Asked {
    started: bool,
    variables: usize,
}

impl Asked {
    /// What of the engineer's message goes on to the device.
    #[expect(clippy::wildcard_enum_match_arm, reason = "whatever is not named here does not pass")]
    fn keep(&mut self, message: ChannelMsg) -> Option<ChannelMsg> {
        let first = !self.started;
        match message {
            ChannelMsg::Data { .. } | ChannelMsg::Eof | ChannelMsg::WindowChange { .. } => Some(message),
            ChannelMsg::Signal { ref signal } => is_plain(signal).then_some(message),
            ChannelMsg::RequestPty { want_reply, term, col_width, row_height, pix_width, pix_height, terminal_modes } if first => {
                let term = if term.len() > LONGEST_TERM { PLAIN_TERM.to_owned() } else { term };
                Some(ChannelMsg::RequestPty { want_reply, term, col_width, row_height, pix_width, pix_height, terminal_modes })
            }
            ChannelMsg::SetEnv { ref variable_name, ref variable_value, .. } if first && self.variables < MOST_VARIABLES => {
                self.variables += 1;
                (variable_name.len().saturating_add(variable_value.len()) <= LONGEST_VARIABLE).then_some(message)
            }
            ChannelMsg::RequestShell { .. } | ChannelMsg::Exec { .. } if first => Some(self.start(message)),
            ChannelMsg::RequestSubsystem { ref name, .. } if first && name == SFTP => Some(self.start(message)),
            // Refused already, when it was asked: agents, X11, other subsystems, a second start.
            _ => None,
        }
    }

    fn start(&mut self, message: ChannelMsg) -> ChannelMsg {
        self.started = true;
        message
    }
}

/// What of the device's message goes on to the engineer.
#[expect(clippy::wildcard_enum_match_arm, reason = "whatever is not named here does not pass")]
pub fn from_the_device(message: ChannelMsg) -> Option<ChannelMsg> {
    match message {
        ChannelMsg::Data { .. }
        | ChannelMsg::ExtendedData { ext: STDERR, .. }
        | ChannelMsg::Eof
        | ChannelMsg::ExitStatus { .. }
        | ChannelMsg::Failure
        | ChannelMsg::Close => Some(message),
        // The signal's name only: what else a device may write there is shown by clients as it is.
        ChannelMsg::ExitSignal { signal_name, core_dumped, .. } => {
            let signal_name = if is_plain(&signal_name) { signal_name } else { Sig::Custom("UNKNOWN".to_owned()) };
            Some(ChannelMsg::ExitSignal { signal_name, core_dumped, error_message: String::new(), lang_tag: String::new() })
        }
        _ => None,
    }
}

/// Says to the device what the engineer asked, of that what was kept. `None` when the device's channel takes no more.
#[expect(clippy::wildcard_enum_match_arm, reason = "whatever is not named here was not kept")]
async fn to_the_device(waiting: &mut mpsc::Receiver<Waiting>, device: &ChannelWriteHalf<client::Msg>) -> Option<()> {
    while let Some((message, ..)) = waiting.recv().await {
        let sent = match message {
            ChannelMsg::Data { data } => device.data_bytes(data).await,
            ChannelMsg::Eof => device.eof().await,
            ChannelMsg::WindowChange { col_width, row_height, pix_width, pix_height } => {
                device.window_change(col_width, row_height, pix_width, pix_height).await
            }
            ChannelMsg::Signal { signal } => device.signal(signal).await,
            ChannelMsg::RequestPty { term, col_width, row_height, pix_width, pix_height, terminal_modes, .. } => {
                device.request_pty(false, &term, col_width, row_height, pix_width, pix_height, &terminal_modes).await
            }
            ChannelMsg::SetEnv { variable_name, variable_value, .. } => device.set_env(false, variable_name, variable_value).await,
            ChannelMsg::RequestShell { .. } => device.request_shell(true).await,
            ChannelMsg::Exec { command, .. } => device.exec(true, command).await,
            ChannelMsg::RequestSubsystem { name, .. } => device.request_subsystem(true, name).await,
            _ => continue,
        };
        sent.ok()?;
    }
    Some(())
}

/// What was taken before its turn, or else what comes.
async fn next(held: &mut Option<Waiting>, waiting: &mut mpsc::Receiver<Waiting>) -> Option<Waiting> {
    match held.take() {
        Some(held) => Some(held),
        None => waiting.recv().await,
    }
}

/// The way to the engineer.
struct Line<'a> {
    id: ChannelId,
    to: &'a ChannelWriteHalf<server::Msg>,
    handle: &'a server::Handle,
    why: &'a Why,
}

impl Line<'_> {
    /// What the device says, until its channel closes. The order (data, EOF, exit status, close) is kept as it came.
    #[expect(clippy::wildcard_enum_match_arm, reason = "whatever is not named here was not kept")]
    async fn to_the_engineer(&self, waiting: &mut mpsc::Receiver<Waiting>) {
        let mut held = None;
        while let Some((message, ..)) = next(&mut held, waiting).await {
            if matches!(message, ChannelMsg::Eof) {
                held = timeout(EXIT_FOLLOWS, waiting.recv()).await.ok().flatten();
            }
            let sent = match message {
                ChannelMsg::Data { data } => self.to.data_bytes(data).await.is_ok(),
                ChannelMsg::ExtendedData { data, ext: STDERR } => self.to.extended_data_bytes(STDERR, data).await.is_ok(),
                ChannelMsg::Eof => self.handle.eof(self.id).await.is_ok(),
                ChannelMsg::ExitStatus { exit_status } => self.handle.exit_status_request(self.id, exit_status).await.is_ok(),
                ChannelMsg::ExitSignal { signal_name, core_dumped, .. } => self.exit_signal(signal_name, core_dumped).await,
                ChannelMsg::Failure => self.refused().await,
                ChannelMsg::Close => return,
                _ => true,
            };
            if !sent {
                return;
            }
        }
        // It did not close: the whole connection has ended.
        if let Some(why) = self.why.get() {
            let _ = self.to.extended_data_bytes(STDERR, format!("lineman: {why}\r\n").into_bytes()).await;
        }
    }

    async fn exit_signal(&self, name: Sig, core_dumped: bool) -> bool {
        self.handle.exit_signal_request(self.id, name, core_dumped, String::new(), String::new()).await.is_ok()
    }

    /// The device did not start what was asked, and has no channel of its own to say so.
    async fn refused(&self) -> bool {
        let _ = self.to.extended_data_bytes(STDERR, &b"lineman: the device refused to start this\r\n"[..]).await;
        let _ = self.handle.exit_status_request(self.id, 255).await;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MUCH: usize = 256 * 1024;

    fn much() -> String {
        "x".repeat(MUCH)
    }

    fn exit_signal(signal_name: Sig, error_message: String, lang_tag: String) -> ChannelMsg {
        ChannelMsg::ExitSignal { signal_name, core_dumped: true, error_message, lang_tag }
    }

    fn variable(variable_name: String, variable_value: String) -> ChannelMsg {
        ChannelMsg::SetEnv { want_reply: false, variable_name, variable_value }
    }

    fn pty(term: String, terminal_modes: Vec<(Pty, u32)>) -> ChannelMsg {
        let (col_width, row_height, pix_width, pix_height) = (80, 24, 0, 0);
        ChannelMsg::RequestPty { want_reply: true, term, col_width, row_height, pix_width, pix_height, terminal_modes }
    }

    #[test]
    fn a_message_weighs_all_that_it_holds() {
        let least = u32::try_from(MUCH / 1024).unwrap();
        let data = || much().into_bytes();
        let (fixed, none) = (Sig::TERM, String::new);
        let messages = [
            ChannelMsg::Data { data: data().into() },
            ChannelMsg::ExtendedData { data: data().into(), ext: STDERR },
            ChannelMsg::Exec { want_reply: true, command: data() },
            exit_signal(fixed.clone(), much(), none()),
            exit_signal(fixed, none(), much()),
            exit_signal(Sig::Custom(much()), none(), none()),
            ChannelMsg::Signal { signal: Sig::Custom(much()) },
            variable(much(), none()),
            variable(none(), much()),
            pty(much(), Vec::new()),
            pty(none(), vec![(Pty::VINTR, 3); MUCH / size_of::<(Pty, u32)>()]),
            ChannelMsg::RequestSubsystem { want_reply: true, name: much() },
            ChannelMsg::RequestX11 {
                want_reply: true,
                single_connection: false,
                x11_authentication_protocol: none(),
                x11_authentication_cookie: much(),
                x11_screen_number: 0,
            },
        ];
        for message in messages {
            let kib = weight_kib(&message);
            assert!(kib > least && kib <= least + 1, "{kib} KiB: {}", &format!("{message:?}")[..40]);
        }
        assert_eq!(weight_kib(&ChannelMsg::Eof), 1);
    }

    #[test]
    fn what_a_device_says_with_a_signal_never_waits() {
        for name in [Sig::Custom(much()), Sig::Custom("\u{1b}[2J".to_owned())] {
            let kept = from_the_device(exit_signal(name, much(), much())).unwrap();
            assert_eq!(weight_kib(&kept), 1);
            let ChannelMsg::ExitSignal { signal_name: Sig::Custom(name), core_dumped: true, error_message, lang_tag } = kept else {
                panic!()
            };
            assert_eq!((name.as_str(), error_message.as_str(), lang_tag.as_str()), ("UNKNOWN", "", ""));
        }
        assert!(matches!(
            from_the_device(exit_signal(Sig::KILL, much(), much())),
            Some(ChannelMsg::ExitSignal { signal_name: Sig::KILL, .. })
        ));
        assert!(from_the_device(ChannelMsg::ExtendedData { data: much().into(), ext: 7 }).is_none());
        assert!(from_the_device(variable(much(), much())).is_none());
        assert!(from_the_device(ChannelMsg::Success).is_none());
    }

    #[test]
    fn what_an_engineer_asks_too_long_or_too_late_never_waits() {
        let mut asked = Asked::default();
        assert!(asked.keep(variable(much(), "C".into())).is_none());
        assert!(asked.keep(variable("LANG".into(), much())).is_none());
        assert!(asked.keep(variable("LANG".into(), "C".into())).is_some());
        assert!(asked.keep(ChannelMsg::Signal { signal: Sig::Custom(much()) }).is_none());
        let Some(ChannelMsg::RequestPty { term, .. }) = asked.keep(pty(much(), Vec::new())) else { panic!() };
        assert_eq!(term, PLAIN_TERM);
        assert!(asked.keep(ChannelMsg::RequestSubsystem { want_reply: true, name: much() }).is_none());
        let others = (0..MOST_VARIABLES).filter(|n| asked.keep(variable(format!("V{n}"), "v".into())).is_some());
        assert_eq!(others.count(), MOST_VARIABLES - 3);
        assert!(asked.keep(ChannelMsg::RequestShell { want_reply: true }).is_some());
        assert!(asked.keep(ChannelMsg::Exec { want_reply: true, command: much().into() }).is_none());
        assert!(asked.keep(pty("xterm".into(), Vec::new())).is_none());
    }

    /// As many messages as a channel takes before its reader has to read.
    #[tokio::test]
    async fn a_channel_holds_no_more_than_its_room() {
        let (to, mut waiting) = mpsc::channel(CHANNEL_MESSAGES);
        let queue = Queue::new(to, &Room::default().down);
        let mut held = 0;
        loop {
            let message = exit_signal(Sig::TERM, much(), much());
            let bytes = held_bytes(&message);
            // Room or none: it is known at once.
            let mut put = std::pin::pin!(queue.put(message));
            if futures_util::poll!(&mut put).is_pending() {
                break;
            }
            held += bytes;
            assert!(held <= CHANNEL_KIB * 1024, "{held} bytes wait");
        }
        assert!(held > CHANNEL_KIB * 1024 / 2, "only {held} bytes fit");
        drop(waiting.recv().await.unwrap());
        queue.put(exit_signal(Sig::TERM, much(), much())).await.unwrap();
    }
}

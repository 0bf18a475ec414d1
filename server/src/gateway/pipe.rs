//! One channel of a gateway session: what the engineer's client asks and sends goes to the device's channel, and back.
//!
//! Neither end is believed: only what belongs to a terminal, a command or SFTP is passed on, and how much waits is bounded. What waits
//! is held here and not in the SSH connections: one whose channel is full stops altogether, in both directions, and with it the word
//! from the other side that there is room again.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use russh::{Channel, ChannelId, ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Sig, client, server};
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
/// The only subsystem that devices have.
pub const SFTP: &str = "sftp";
const MOST_VARIABLES: usize = 32;
const LONGEST_VALUE: usize = 4096;
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
        take_in(from_device, down, Arc::clone(&room.down)).await;
        // What waits still goes to the engineer.
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = take_in(from_engineer, up, Arc::clone(&room.up)) => {}
        () = upward => {}
        () = taking => {}
        () = line.to_the_engineer(&mut down_waiting) => {}
    }
    let _ = to_device.close().await;
    let _ = handle.close(id).await;
}

/// Takes messages off a connection, so that it goes on, until its channel closes.
async fn take_in(mut from: ChannelReadHalf, to: mpsc::Sender<Waiting>, connection: Arc<Semaphore>) {
    let channel = Arc::new(Semaphore::new(CHANNEL_KIB));
    while let Some(message) = from.wait().await {
        let closes = matches!(message, ChannelMsg::Close);
        let kib = weight_kib(&message);
        let room = async {
            let own = Arc::clone(&channel).acquire_many_owned(kib).await.ok()?;
            let shared = Arc::clone(&connection).acquire_many_owned(kib).await.ok()?;
            to.send((message, own, shared)).await.ok()
        };
        if timeout(STALLED, room).await.ok().flatten().is_none() || closes {
            return;
        }
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "only these have a length that matters")]
fn weight_kib(message: &ChannelMsg) -> u32 {
    let bytes = match message {
        ChannelMsg::Data { data } | ChannelMsg::ExtendedData { data, .. } => data.len(),
        ChannelMsg::Exec { command, .. } => command.len(),
        _ => 0,
    };
    u32::try_from(bytes / 1024 + 1).unwrap_or(u32::MAX)
}

/// What the engineer asks and sends. `None` when the device's channel takes no more.
#[expect(clippy::wildcard_enum_match_arm, reason = "whatever is not named here does not pass")]
async fn to_the_device(waiting: &mut mpsc::Receiver<Waiting>, device: &ChannelWriteHalf<client::Msg>) -> Option<()> {
    let (mut started, mut variables) = (false, 0);
    while let Some((message, ..)) = waiting.recv().await {
        let first = !started;
        let sent = match message {
            ChannelMsg::Data { data } => device.data_bytes(data).await,
            ChannelMsg::Eof => device.eof().await,
            ChannelMsg::WindowChange { col_width, row_height, pix_width, pix_height } => {
                device.window_change(col_width, row_height, pix_width, pix_height).await
            }
            ChannelMsg::Signal { signal } => device.signal(signal).await,
            ChannelMsg::RequestPty { term, col_width, row_height, pix_width, pix_height, terminal_modes, .. } if first => {
                device.request_pty(false, &term, col_width, row_height, pix_width, pix_height, &terminal_modes).await
            }
            ChannelMsg::SetEnv { variable_name, variable_value, .. } if first && variables < MOST_VARIABLES => {
                variables += 1;
                if variable_value.len() > LONGEST_VALUE {
                    continue;
                }
                device.set_env(false, variable_name, variable_value).await
            }
            ChannelMsg::RequestShell { .. } if first => {
                started = true;
                device.request_shell(true).await
            }
            ChannelMsg::Exec { command, .. } if first => {
                started = true;
                device.exec(true, command).await
            }
            ChannelMsg::RequestSubsystem { name, .. } if first && name == SFTP => {
                started = true;
                device.request_subsystem(true, name).await
            }
            // Refused already, when it was asked: agents, X11, other subsystems, a second start.
            _ => continue,
        };
        sent.ok()?;
    }
    Some(())
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
    #[expect(clippy::wildcard_enum_match_arm, reason = "whatever is not named here does not pass")]
    async fn to_the_engineer(&self, waiting: &mut mpsc::Receiver<Waiting>) {
        while let Some((message, ..)) = waiting.recv().await {
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

    /// The signal's name only: what else a device may write there is shown by clients as it is.
    async fn exit_signal(&self, name: Sig, core_dumped: bool) -> bool {
        let plain = |name: &String| name.len() <= 16 && name.bytes().all(|b| b.is_ascii_alphanumeric());
        let strange = matches!(&name, Sig::Custom(name) if !plain(name));
        let name = if strange { Sig::Custom("UNKNOWN".to_owned()) } else { name };
        self.handle.exit_signal_request(self.id, name, core_dumped, String::new(), String::new()).await.is_ok()
    }

    /// The device did not start what was asked, and has no channel of its own to say so.
    async fn refused(&self) -> bool {
        let _ = self.to.extended_data_bytes(STDERR, &b"lineman: the device refused to start this\r\n"[..]).await;
        let _ = self.handle.exit_status_request(self.id, 255).await;
        false
    }
}

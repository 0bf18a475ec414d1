//! A terminal on a device for a browser: opened by HTTP, used over a WebSocket.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Printable;
use crate::id::{ConsentId, TerminalId};
use crate::name::{NeName, PersonName};

/// The WebSocket's subprotocol.
pub const TERMINAL_PROTOCOL: &str = "lineman-terminal.1";
/// Before the ticket, where the client names its subprotocols.
pub const TERMINAL_TICKET: &str = "ticket.";
/// The server sends so much more than the client has acknowledged, and then waits.
pub const TERMINAL_WINDOW_BYTES: u64 = 128 * 1024;

words! {
    pub enum TerminalState {
        /// The device was asked.
        Opening = "opening",
        Live = "live",
        /// Over. It is kept for a moment, for those who come back to read how it ended.
        Ended = "ended",
    }
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTerminal {
    pub device: NeName,
    /// Which consent of grade `gateway` is meant; without it, the newest that is live and has the door `shell`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consent: Option<ConsentId>,
    /// 2 to 1000.
    pub cols: u16,
    /// 2 to 1000.
    pub rows: u16,
    /// What the client's terminal is called in terminfo; `xterm-256color` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Terminal {
    pub id: TerminalId,
    pub state: TerminalState,
    pub device: NeName,
    pub engineer: PersonName,
    /// Known once the terminal is live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consent: Option<ConsentId>,
    pub cols: u16,
    pub rows: u16,
    pub created_at: Timestamp,
    /// How many bytes the device has sent.
    pub offset: u64,
    /// Is a WebSocket at the other end?
    pub attached: bool,
    /// Why it is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Printable>,
}

/// Opens the terminal's WebSocket, once.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TerminalTicket {
    pub ticket: String,
    /// It is good for so long. A newer one takes its place.
    pub ticket_lives_s: u32,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct OpenedTerminal {
    #[serde(flatten)]
    pub terminal: Terminal,
    #[serde(flatten)]
    pub ticket: TerminalTicket,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TerminalSize {
    pub cols: u16,
    pub rows: u16,
}

/// What a client says on the WebSocket, as text. Binary messages are what is typed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TerminalRequest {
    Resize(TerminalSize),
    /// The terminal's bytes up to this offset have been shown.
    Ack(u64),
}

/// What the server says on the WebSocket, as text. Binary messages are the terminal's bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TerminalEvent {
    /// Of the next byte, counted from the terminal's first. Comes first, unless there is a gap.
    Offset(u64),
    Gap(TerminalGap),
    /// The shell is over.
    Exit(TerminalExit),
    /// Another connection has taken the terminal over; this one closes.
    Taken(TerminalReason),
    /// The terminal is over; nothing follows.
    End(TerminalReason),
}

/// What the client lacks is not kept any more. It resets its terminal, shows `screen`, and goes on at `offset`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TerminalGap {
    pub missing_bytes: u64,
    /// Of the next byte.
    pub offset: u64,
    pub cols: u16,
    pub rows: u16,
    /// Escape sequences that draw what was shown at that offset on an empty terminal of this size.
    pub screen: String,
}

/// By its status or by a signal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TerminalExit {
    Status(u32),
    /// Its name without `SIG`.
    Signal(String),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TerminalReason {
    pub reason: Printable,
}

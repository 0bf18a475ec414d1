//! One terminal: what its two tasks, the one towards the device (`life`) and the one towards the browser (`stream`), know of each other.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use lineman_common::Printable;
use lineman_common::api::{self, TERMINAL_WINDOW_BYTES, TerminalEvent, TerminalExit, TerminalSize, TerminalState};
use lineman_common::id::{ConsentId, PersonId, TerminalId};
use lineman_common::name::PersonName;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::output::Output;
use super::{Error, MOST_SIZE, SMALLEST_SIZE, TICKET_LIFE};
use crate::equipment::Known;
use crate::web::Pass;

/// Of the output, so much is taken from the device before the browser has got it. With what the browser has got and not yet
/// acknowledged it is less than what is kept: nothing is lost by a cut.
const READ_AHEAD_BYTES: u64 = 64 * 1024;
/// A message to the browser.
const MOST_PIECE_BYTES: u64 = 16 * 1024;
/// A message to the device, and how many wait; then the browser waits.
const MOST_INPUT_BYTES: usize = 32 * 1024;
const INPUT_QUEUE: usize = 16;

/// What goes to the device.
pub enum ToDevice {
    Bytes(Vec<u8>),
    Resize(TerminalSize),
}

pub struct Terminal {
    pub id: TerminalId,
    pub person: PersonId,
    pub engineer: PersonName,
    pub device: Known,
    created_at: Timestamp,
    state: Mutex<State>,
    /// Told of every change of the state.
    changed: watch::Sender<()>,
    to_device: mpsc::Sender<ToDevice>,
    /// Cancelled to end it; why is in the state.
    pub hangup: CancellationToken,
    /// Cancelled when it is forgotten.
    pub gone: CancellationToken,
}

struct State {
    phase: Phase,
    consent: Option<ConsentId>,
    size: TerminalSize,
    output: Output,
    exit: Option<TerminalExit>,
    /// Why it was hung up from this side.
    hangup: Option<String>,
    attached: Option<Attached>,
    /// Attachments so far.
    attachments: u64,
    alone_since: Instant,
    ticket: Option<Ticket>,
}

enum Phase {
    Opening,
    Live,
    Ended(String),
}

/// The one WebSocket that counts.
struct Attached {
    number: u64,
    /// Sent up to this offset.
    sent: u64,
    acknowledged: u64,
    taken: CancellationToken,
}

struct Ticket {
    secret: String,
    made: Instant,
    /// What it was asked for with.
    pass: Pass,
}

/// A WebSocket's place at the terminal, until it is dropped.
pub struct Seat<'a> {
    terminal: &'a Terminal,
    pub number: u64,
    has_begun: bool,
    knows_exit: bool,
    /// Cancelled when another one has taken the terminal over.
    pub taken: CancellationToken,
}

/// What a WebSocket has to do next.
pub enum Next {
    Say(TerminalEvent),
    Send(Vec<u8>),
    /// The terminal is over, and all was said.
    Over(String),
    Wait,
}

impl Terminal {
    /// With the receiver of what is for the device.
    pub fn new(person: PersonId, engineer: PersonName, device: Known, size: TerminalSize) -> (Self, mpsc::Receiver<ToDevice>) {
        let (to_device, from_browser) = mpsc::channel(INPUT_QUEUE);
        let state = State {
            phase: Phase::Opening,
            consent: None,
            size,
            output: Output::new(size),
            exit: None,
            hangup: None,
            attached: None,
            attachments: 0,
            alone_since: Instant::now(),
            ticket: None,
        };
        let terminal = Self {
            id: TerminalId::new(),
            person,
            engineer,
            device,
            created_at: Timestamp::now(),
            state: Mutex::new(state),
            changed: watch::Sender::new(()),
            to_device,
            hangup: CancellationToken::new(),
            gone: CancellationToken::new(),
        };
        (terminal, from_browser)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.lock());
        self.changed.send_replace(());
        result
    }

    pub fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    pub fn view(&self) -> api::Terminal {
        let state = self.lock();
        let (phase, reason) = match &state.phase {
            Phase::Opening => (TerminalState::Opening, None),
            Phase::Live => (TerminalState::Live, None),
            Phase::Ended(reason) => (TerminalState::Ended, Some(Printable::new(reason))),
        };
        api::Terminal {
            id: self.id,
            state: phase,
            device: self.device.name.clone(),
            engineer: self.engineer.clone(),
            consent: state.consent,
            cols: state.size.cols,
            rows: state.size.rows,
            created_at: self.created_at,
            offset: state.output.end(),
            attached: state.attached.is_some(),
            reason,
        }
    }

    pub fn size(&self) -> TerminalSize {
        self.lock().size
    }

    pub fn is_over(&self) -> bool {
        matches!(self.lock().phase, Phase::Ended(_))
    }

    /// Why it is over, if it is.
    pub fn end_reason(&self) -> Option<String> {
        match &self.lock().phase {
            Phase::Ended(reason) => Some(reason.clone()),
            Phase::Opening | Phase::Live => None,
        }
    }

    // ---- Of the device's side.

    pub fn entered(&self, consent: ConsentId) {
        self.change(|state| (state.phase, state.consent) = (Phase::Live, Some(consent)));
    }

    pub fn printed(&self, bytes: &[u8]) {
        self.change(|state| state.output.push(bytes));
    }

    pub fn exited(&self, exit: TerminalExit) {
        self.change(|state| state.exit = Some(exit));
    }

    /// It is over. The first reason counts.
    pub fn end(&self, reason: &str) {
        self.change(|state| {
            if !matches!(state.phase, Phase::Ended(_)) {
                state.phase = Phase::Ended(reason.to_owned());
            }
        });
    }

    /// Whether there is room for more of the device's output. With nobody there the oldest makes room.
    pub fn has_room(&self) -> bool {
        let state = self.lock();
        state.attached.as_ref().is_none_or(|attached| state.output.end().saturating_sub(attached.sent) < READ_AHEAD_BYTES)
    }

    /// When it will have been alone for so long.
    pub fn alone_until(&self, grace: Duration) -> Option<Instant> {
        let state = self.lock();
        if state.attached.is_some() { None } else { state.alone_since.checked_add(grace) }
    }

    // ---- Of the engineer's side.

    pub fn hang_up(&self, reason: String) {
        self.lock().hangup.get_or_insert(reason);
        self.hangup.cancel();
    }

    /// Why it was hung up.
    pub fn hangup_reason(&self) -> String {
        self.lock().hangup.clone().unwrap_or_default()
    }

    /// A new ticket; the one before is good for nothing any more.
    pub fn new_ticket(&self, pass: Pass) -> String {
        let secret = format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple());
        self.lock().ticket = Some(Ticket { secret: secret.clone(), made: Instant::now(), pass });
        secret
    }

    /// Takes the ticket, if it is the one; answers what it was asked for with.
    pub fn redeem(&self, secret: &str) -> Option<Pass> {
        let fits = |ticket: &mut Ticket| ticket.secret == secret && ticket.made.elapsed() < TICKET_LIFE;
        self.lock().ticket.take_if(fits).map(|ticket| ticket.pass)
    }

    /// Whether a client can have come so far.
    pub fn check_offset(&self, from: u64) -> Result<(), Error> {
        let end = self.lock().output.end();
        if from <= end { Ok(()) } else { Err(Error::NotYet { from, end }) }
    }

    /// The newest WebSocket counts; one before it is told so.
    pub fn attach(&self, from: u64) -> Seat<'_> {
        let taken = CancellationToken::new();
        let number = self.change(|state| {
            state.attachments += 1;
            let number = state.attachments;
            let from = from.min(state.output.end());
            let attached = Attached { number, sent: from, acknowledged: from, taken: taken.clone() };
            if let Some(before) = state.attached.replace(attached) {
                before.taken.cancel();
            }
            number
        });
        Seat { terminal: self, number, has_begun: false, knows_exit: false, taken }
    }

    /// What the WebSocket of that number has shown.
    pub fn acknowledge(&self, number: u64, offset: u64) {
        self.change(|state| {
            if let Some(attached) = state.attached.as_mut().filter(|attached| attached.number == number) {
                attached.acknowledged = attached.acknowledged.max(offset.min(attached.sent));
            }
        });
    }

    /// What was typed; waits until the device takes it.
    pub async fn typed(&self, bytes: &[u8]) {
        for piece in bytes.chunks(MOST_INPUT_BYTES) {
            // Nobody takes it any more: it is over, which the client is about to hear.
            let _ = self.to_device.send(ToDevice::Bytes(piece.to_vec())).await;
        }
    }

    pub async fn resize(&self, size: TerminalSize) -> Result<(), Error> {
        check_size(size)?;
        if self.size() != size {
            self.change(|state| {
                state.size = size;
                state.output.resize(size);
            });
            let _ = self.to_device.send(ToDevice::Resize(size)).await;
        }
        Ok(())
    }
}

pub fn check_size(size: TerminalSize) -> Result<(), Error> {
    let fits = |length: u16| (SMALLEST_SIZE..=MOST_SIZE).contains(&length);
    if fits(size.cols) && fits(size.rows) { Ok(()) } else { Err(Error::BadSize(size)) }
}

impl Seat<'_> {
    pub fn next(&mut self) -> Next {
        let next = self.step(&mut self.terminal.lock());
        // There is room for more of the device's output.
        if matches!(next, Next::Send(_)) {
            self.terminal.changed.send_replace(());
        }
        next
    }

    fn step(&mut self, state: &mut State) -> Next {
        let Some(attached) = state.attached.as_mut().filter(|attached| attached.number == self.number) else { return Next::Wait };
        if let Some(gap) = state.output.gap(attached.sent) {
            (attached.sent, attached.acknowledged) = (gap.offset, gap.offset);
            self.has_begun = true;
            return Next::Say(TerminalEvent::Gap(gap));
        }
        if !self.has_begun {
            self.has_begun = true;
            return Next::Say(TerminalEvent::Offset(attached.sent));
        }
        let unsent = state.output.end().saturating_sub(attached.sent);
        if unsent > 0 {
            let room = (attached.acknowledged + TERMINAL_WINDOW_BYTES).saturating_sub(attached.sent).min(MOST_PIECE_BYTES);
            let bytes = state.output.read(attached.sent, usize::try_from(room).unwrap_or(0)).unwrap_or_default();
            attached.sent += bytes.len() as u64;
            return if bytes.is_empty() { Next::Wait } else { Next::Send(bytes) };
        }
        match (&state.exit, &state.phase) {
            (Some(exit), _) if !self.knows_exit => {
                self.knows_exit = true;
                Next::Say(TerminalEvent::Exit(exit.clone()))
            }
            (_, Phase::Ended(reason)) => Next::Over(reason.clone()),
            (_, Phase::Opening | Phase::Live) => Next::Wait,
        }
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.terminal.change(|state| {
            if state.attached.as_ref().is_some_and(|attached| attached.number == self.number) {
                state.attached = None;
                state.alone_since = Instant::now();
            }
        });
    }
}

//! The web terminal's door: a shell on a device for a browser, over a WebSocket, under a consent of grade `gateway`.
//!
//! The terminal lives here, in the server: its SSH connection to the device (`life`) goes on when the browser's connection is cut, for a
//! grace time, and the browser comes back to the same one and gets what it has missed (`output`). One WebSocket counts at a time
//! (`stream`); a newer one takes over.
//!
//! **Who may.** The same rules as for `ssh -p 2222 ne-1.jw.ne@centre`, with one difference. There the engineer proves the SSH key that the
//! request names. Here an API token proves the person only; the key signed the request, the carrier signed for it and for this gateway by
//! the grade's name, and the device checks both. So whoever steals an engineer's token can use a consent of grade `gateway` of that
//! engineer while it is live, and can't get one. Asked again each time a browser connects: the request must hold under the roster of that
//! moment.
//!
//! **Browsers.** They can't put a token on a WebSocket, so each connection takes a ticket that was asked for with the token: it is good once
//! and for a moment, for this terminal, and travels as a subprotocol, because addresses are what logs are made of. Pages of other sites
//! are refused by their `Origin` besides. A connection lasts no longer than the token counts that its ticket was asked for with; the
//! terminal itself then waits its grace time for somebody who signs in again, as after any cut.

pub mod http;
mod life;
mod output;
mod stream;
mod terminal;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::ws::WebSocket;
use lineman_common::api::{self, NewTerminal, TerminalSize, TerminalTicket};
use lineman_common::error::ErrorCode;
use lineman_common::id::{PersonId, TerminalId};
use tokio::sync::oneshot;

use crate::equipment::Known;
use crate::gateway::{Jump, Proof, Visitor};
use crate::web::{Actor, ApiError, Pass};
use life::Life;
use terminal::{Terminal, check_size};

/// Alive at one time: of one engineer, on one device, and altogether. Each has its own connection to its device, and some 300 KiB here.
const MOST_OF_ENGINEER: usize = 16;
const MOST_OF_DEVICE: usize = 8;
const MOST: usize = 256;
/// Columns or rows.
const SMALLEST_SIZE: u16 = 2;
const MOST_SIZE: u16 = 1000;
const USUAL_TERM: &str = "xterm-256color";
const LONGEST_TERM: usize = 64;
/// For a browser to connect after it was given a ticket.
const TICKET_LIFE: Duration = Duration::from_secs(30);

/// How long the terminals wait for browsers.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// A terminal lives so long with nobody connected, and is told of so long after its end.
    pub grace: Duration,
    pub ping_every: Duration,
    /// A browser that says nothing for so long, or takes nothing, is gone.
    pub silence: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { grace: Duration::from_secs(120), ping_every: Duration::from_secs(20), silence: Duration::from_secs(50) }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no such terminal")]
    NotFound,
    #[error("the terminal is over: {0}")]
    Over(String),
    /// Nothing allows it.
    #[error("{0}")]
    NotAllowed(String),
    /// The device's doing, in words.
    #[error("{0}")]
    Device(String),
    #[error("the support centre stops")]
    Stopping,
    #[error("{whose} {most} terminals already: close one first")]
    TooMany { whose: String, most: usize },
    #[error("a terminal has {SMALLEST_SIZE} to {MOST_SIZE} columns and rows, not {} x {}", .0.cols, .0.rows)]
    BadSize(TerminalSize),
    #[error("`term` is a name of terminfo: 1 to {LONGEST_TERM} letters, digits, `.`, `_`, `+` and `-`")]
    BadTerm,
    #[error("the terminal has not printed so much: {from} of {end} bytes")]
    NotYet { from: u64, end: u64 },
    #[error("the ticket is wrong, used or too old: ask for a new one (POST .../tickets)")]
    BadTicket,
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        let code = match &error {
            Error::NotFound => return Self::not_found("terminal"),
            Error::Over(_) | Error::TooMany { .. } => ErrorCode::Conflict,
            Error::NotAllowed(_) => ErrorCode::Forbidden,
            Error::Device(_) => ErrorCode::AgentRefused,
            Error::Stopping => ErrorCode::Unavailable,
            Error::BadSize(_) | Error::BadTerm | Error::NotYet { .. } => ErrorCode::Invalid,
            Error::BadTicket => ErrorCode::Unauthenticated,
        };
        Self::new(code, error.to_string())
    }
}

/// All terminals; clones share them.
#[derive(Clone)]
pub struct Terminals {
    jump: Jump,
    patience: Patience,
    all: Arc<Mutex<HashMap<TerminalId, Arc<Terminal>>>>,
}

impl Terminals {
    pub fn new(jump: Jump, patience: Patience) -> Self {
        Self { jump, patience, all: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TerminalId, Arc<Terminal>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One of this person's; what is another's does not exist.
    fn find(&self, person: PersonId, id: TerminalId) -> Result<Arc<Terminal>, Error> {
        self.lock().get(&id).filter(|terminal| terminal.person == person).cloned().ok_or(Error::NotFound)
    }

    /// A person's, oldest first.
    pub fn list(&self, person: PersonId) -> Vec<api::Terminal> {
        let mut own: Vec<_> = self.lock().values().filter(|terminal| terminal.person == person).map(|terminal| terminal.view()).collect();
        own.sort_by_key(|terminal| terminal.id);
        own
    }

    /// Opens a shell on the device; answers when the device has agreed.
    pub async fn open(&self, actor: &Actor, pass: Pass, device: Known, new: NewTerminal) -> Result<api::OpenedTerminal, Error> {
        let size = TerminalSize { cols: new.cols, rows: new.rows };
        check_size(size)?;
        let term = checked_term(new.term)?;
        let visitor = self.visitor(actor, &device, Proof::Token(new.consent));
        let consent = visitor.check().await.map_err(Error::NotAllowed)?;
        let visitor = Visitor { proof: Proof::Token(Some(consent)), ..visitor };
        let (terminal, from_browser) = Terminal::new(actor.id, actor.name.clone(), device, size);
        let terminal = Arc::new(terminal);
        self.admit(&terminal)?;
        let (opened, opening) = oneshot::channel();
        let (terminals, life) = (self.clone(), Life { terminal: Arc::clone(&terminal), visitor, term, patience: self.patience });
        // On its own: whether the one who asked waits for the answer or not.
        self.jump.tasks.spawn(async move {
            let id = life.terminal.id;
            let _forgotten = Forgotten(terminals, id);
            life.run(from_browser, opened).await;
        });
        opening.await.unwrap_or(Err(Error::Stopping))?;
        Ok(api::OpenedTerminal { ticket: ticket_of(&terminal, pass), terminal: terminal.view() })
    }

    fn visitor(&self, actor: &Actor, device: &Known, proof: Proof) -> Visitor {
        Visitor { jump: self.jump.clone(), device: device.name.clone(), engineer: actor.name.to_string(), proof }
    }

    /// A place for one more, if there is one.
    fn admit(&self, terminal: &Arc<Terminal>) -> Result<(), Error> {
        let mut all = self.lock();
        let count = |is_one: &dyn Fn(&Terminal) -> bool| all.values().filter(|other| !other.is_over() && is_one(other)).count();
        let limits = [
            (count(&|other| other.person == terminal.person), MOST_OF_ENGINEER, format!("{} has", terminal.engineer)),
            (count(&|other| other.device.id == terminal.device.id), MOST_OF_DEVICE, format!("{} has", terminal.device.name)),
            (count(&|_| true), MOST, "the support centre has".to_owned()),
        ];
        if let Some((_, most, whose)) = limits.into_iter().find(|(count, most, _)| count >= most) {
            return Err(Error::TooMany { whose, most });
        }
        // Those that are over and were not looked at again make room, the oldest first.
        let mut over: Vec<_> = all.values().filter(|other| other.person == terminal.person && other.is_over()).cloned().collect();
        over.sort_by_key(|terminal| terminal.id);
        let excess = (over.len() + 1).saturating_sub(MOST_OF_ENGINEER);
        for old in over.into_iter().take(excess) {
            all.remove(&old.id);
            old.gone.cancel();
        }
        all.insert(terminal.id, Arc::clone(terminal));
        Ok(())
    }

    /// What the next WebSocket needs; whether the engineer still may is asked again.
    pub async fn ticket(&self, actor: &Actor, pass: Pass, id: TerminalId) -> Result<TerminalTicket, Error> {
        let terminal = self.find(actor.id, id)?;
        if !terminal.is_over() {
            let visitor = self.visitor(actor, &terminal.device, Proof::Token(terminal.view().consent));
            if let Err(why) = visitor.check().await {
                terminal.hang_up(why.clone());
                return Err(Error::NotAllowed(why));
            }
        }
        Ok(ticket_of(&terminal, pass))
    }

    /// The terminal for which this ticket was made, and with what it was asked for. It is used up.
    fn redeem(&self, id: TerminalId, ticket: &str) -> Result<(Arc<Terminal>, Pass), Error> {
        let terminal = self.lock().get(&id).cloned().ok_or(Error::BadTicket)?;
        let pass = terminal.redeem(ticket).ok_or(Error::BadTicket)?;
        Ok((terminal, pass))
    }

    /// A WebSocket, until it is left.
    async fn serve(self, terminal: Arc<Terminal>, pass: Pass, socket: WebSocket, from: u64) {
        let (tasks, stop) = (self.jump.tasks.clone(), self.jump.stop.clone());
        // On the tracker, so that a shutdown waits for the goodbye.
        let signed_out = pass.ended(self.jump.store.clone());
        let _ = tasks.spawn(async move { stream::run(&terminal, socket, from, &self.patience, signed_out, &stop).await }).await;
    }

    /// Ends it. One that is over already is forgotten.
    pub fn close(&self, actor: &Actor, id: TerminalId) -> Result<(), Error> {
        let terminal = self.find(actor.id, id)?;
        if terminal.is_over() {
            terminal.gone.cancel();
        }
        terminal.hang_up(format!("{} closed it", actor.name));
        Ok(())
    }
}

/// Takes a terminal off the list when its task has ended, however it did.
struct Forgotten(Terminals, TerminalId);

impl Drop for Forgotten {
    fn drop(&mut self) {
        if let Some(terminal) = self.0.lock().remove(&self.1) {
            terminal.gone.cancel();
        }
    }
}

fn ticket_of(terminal: &Terminal, pass: Pass) -> TerminalTicket {
    let ticket_lives_s = u32::try_from(TICKET_LIFE.as_secs()).unwrap_or(u32::MAX);
    TerminalTicket { ticket: terminal.new_ticket(pass), ticket_lives_s }
}

fn checked_term(term: Option<String>) -> Result<String, Error> {
    let term = term.unwrap_or_else(|| USUAL_TERM.to_owned());
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'+' | b'-');
    if (1..=LONGEST_TERM).contains(&term.len()) && term.bytes().all(plain) { Ok(term) } else { Err(Error::BadTerm) }
}

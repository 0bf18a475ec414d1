//! The desk in a terminal: keys in, pictures out.

use std::io::Write;
use std::time::Duration;

use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste, Event, EventStream, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use crossterm::{cursor, execute};
use futures_util::{FutureExt, StreamExt};
use jiff::Timestamp;
use lineman_common::api::{ConsentState, ConsentView};
use lineman_common::id::ConsentId;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use super::draw::{Scene, bytes, draw};
use super::live::{Snapshot, follow};
use super::model::{Act, Key, Mode, Model};
use crate::commands::App;
use crate::consents::Narrow;
use crate::consents::desk::{Desk, Draft};
use crate::consents::findings::Weight;
use crate::exit::{Exit, Failure, Outcome};

/// Times that are shown as "left" move on.
const TICK: Duration = Duration::from_secs(1);
/// How long the device's word is waited for after an approval.
const DEVICE_ANSWERS: Duration = Duration::from_secs(15);

/// The terminal in full-screen mode; put back when dropped, also on the way out of an error.
struct Terminal;

impl Terminal {
    fn take() -> Result<Self, Failure> {
        let failed = |e: std::io::Error| Failure::failed(format!("can't use the terminal: {e}"));
        enable_raw_mode().map_err(failed)?;
        let terminal = Self;
        execute!(std::io::stdout(), EnterAlternateScreen, EnableBracketedPaste, cursor::Hide).map_err(failed)?;
        Ok(terminal)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = execute!(std::io::stdout(), cursor::Show, DisableBracketedPaste, LeaveAlternateScreen);
        let _ = disable_raw_mode();
    }
}

/// What has to be taken away while another program asks on the terminal.
struct Held {
    events: EventStream,
    _terminal: Terminal,
}

impl Held {
    fn take() -> Result<Self, Failure> {
        Ok(Self { _terminal: Terminal::take()?, events: EventStream::new() })
    }
}

struct Screen<'a> {
    app: &'a App,
    desk: &'a Desk,
    model: Model,
    held: Option<Held>,
    ended: Signal,
    bell: bool,
}

pub async fn run(app: &App, desk: Desk, bell: bool) -> Outcome {
    let (tell, told) = watch::channel(Snapshot::default());
    let ended = signal(SignalKind::terminate()).map_err(|e| Failure::failed(format!("can't hear signals: {e}")))?;
    let mut screen = Screen { app, desk: &desk, model: Model::new(), held: Some(Held::take()?), ended, bell };
    tokio::select! {
        failure = follow(&desk.client, &tell) => Err(failure),
        outcome = screen.work(told) => outcome,
    }
}

/// What the screen woke up for.
enum Woken {
    Key(Key),
    Paste(String),
    Snapshot,
    Other,
    Ended,
}

impl Screen<'_> {
    async fn work(&mut self, mut told: watch::Receiver<Snapshot>) -> Outcome {
        loop {
            self.draw()?;
            let act = match self.wake(&mut told).await? {
                Woken::Key(key) => self.model.key(key, page()),
                Woken::Paste(text) => {
                    self.model.paste(&text);
                    Act::Nothing
                }
                Woken::Snapshot => {
                    let new = self.model.update(told.borrow_and_update().clone());
                    if new && self.bell {
                        write(b"\x07")?;
                    }
                    Act::Nothing
                }
                Woken::Other => Act::Nothing,
                Woken::Ended => return Ok(Exit::Done),
            };
            match act {
                Act::Nothing => {}
                Act::Quit => return Ok(Exit::Done),
                Act::Open(id) => self.open(id).await?,
                Act::Narrow(draft, narrow) => self.narrow(*draft, &narrow),
                Act::Sign(draft) => self.approve(*draft).await?,
                Act::Refuse(id, reason) => self.refuse(id, &reason).await?,
            }
        }
    }

    async fn wake(&mut self, told: &mut watch::Receiver<Snapshot>) -> Result<Woken, Failure> {
        let Some(held) = &mut self.held else { return Ok(Woken::Other) };
        tokio::select! {
            event = held.events.next() => match event {
                Some(Ok(event)) => Ok(woken(event)),
                Some(Err(error)) => Err(Failure::failed(format!("can't read the terminal: {error}"))),
                None => Ok(Woken::Ended),
            },
            changed = told.changed() => Ok(if changed.is_ok() { Woken::Snapshot } else { Woken::Ended }),
            _ = self.ended.recv() => Ok(Woken::Ended),
            () = tokio::time::sleep(TICK) => Ok(Woken::Other),
        }
    }

    fn draw(&mut self) -> Result<(), Failure> {
        let (columns, rows) = size();
        let out = &self.app.out;
        let moment = |time| out.moment(time);
        let scene =
            Scene { columns, rows, who: &self.desk.person.name, server: self.desk.client.host(), now: Timestamp::now(), moment: &moment };
        let lines = draw(&mut self.model, &scene);
        write(bytes(&lines, out.colour).as_bytes())
    }

    /// Does something that takes a while, with the screen standing still. Esc gives it up; every other key that is pressed meanwhile is
    /// dropped, so that nothing is answered by a key that was meant for another screen.
    async fn busy<T>(&mut self, what: &str, work: impl Future<Output = Result<T, Failure>>) -> Result<Option<Result<T, Failure>>, Failure> {
        self.model.busy = Some(format!("{what} ... (Esc gives up)"));
        self.draw()?;
        tokio::pin!(work);
        let result = loop {
            let Some(held) = &mut self.held else { break None };
            tokio::select! {
                result = &mut work => break Some(result),
                event = held.events.next() => match event.and_then(Result::ok).map(woken) {
                    Some(Woken::Key(Key::Escape | Key::Interrupt)) | None => break None,
                    Some(Woken::Key(_) | Woken::Paste(_) | Woken::Snapshot | Woken::Other | Woken::Ended) => {}
                },
            }
        };
        if let Some(held) = &mut self.held {
            while held.events.next().now_or_never().is_some_and(|event| event.is_some()) {}
        }
        self.model.busy = None;
        Ok(result)
    }

    async fn open(&mut self, id: ConsentId) -> Result<(), Failure> {
        let desk = self.desk;
        let (text, nothing) = (id.to_string(), Narrow::default());
        match self.busy("checking the request", desk.draft(&text, &nothing)).await? {
            Some(Ok(draft)) => self.model.open(draft),
            Some(Err(failure)) => {
                let mut why = vec![failure.what];
                why.extend(failure.hint);
                self.model.mode = Mode::Broken(id, why.iter().map(|why| lineman_common::printable::escape(why)).collect());
            }
            None => {}
        }
        Ok(())
    }

    fn narrow(&mut self, draft: Draft, narrow: &Narrow) {
        match self.desk.narrow(&draft, narrow) {
            Ok(draft) => self.model.open(draft),
            Err(failure) => {
                self.model.open(draft);
                self.model.message = Some((Weight::Warn, failure.what));
            }
        }
    }

    /// Signs what is on the screen, hands it in, and waits a little for the device's word.
    async fn approve(&mut self, draft: Draft) -> Result<(), Failure> {
        let id = draft.view.id;
        let signed = match self.sign(&draft)? {
            Ok(signed) => signed,
            Err(failure) => {
                self.model.message = Some((Weight::Bad, failure.what));
                return Ok(());
            }
        };
        let desk = self.desk;
        let (client, text) = (&desk.client, id.to_string());
        match self.busy("handing it in", async { Ok(client.approve(&text, signed).await?) }).await? {
            Some(Ok(view)) => {
                self.model.mode = Mode::List;
                self.model.answered.insert(id, "approved");
                let view = self
                    .busy("approved; waiting for the device to verify it", answered(desk, view.clone()))
                    .await?
                    .and_then(Result::ok)
                    .unwrap_or(view);
                self.model.message = Some(outcome(&view, &|time| self.app.out.moment(time)));
            }
            Some(Err(failure)) => self.model.message = Some((Weight::Bad, failure.what)),
            None => self.model.message = Some((Weight::Warn, "given up; it may have arrived: the list shows it".into())),
        }
        Ok(())
    }

    /// A key in an agent or on a token may have its own questions: the terminal is theirs meanwhile.
    fn sign(&mut self, draft: &Draft) -> Result<Result<lineman_common::statement::Signed, Failure>, Failure> {
        if !self.desk.signer.needs_terminal() {
            return Ok(self.desk.sign(draft));
        }
        self.held = None;
        eprintln!("signing with {}", self.desk.signer.path.display());
        let signed = self.desk.sign(draft);
        self.held = Some(Held::take()?);
        Ok(signed)
    }

    async fn refuse(&mut self, id: ConsentId, reason: &str) -> Result<(), Failure> {
        let desk = self.desk;
        let text = id.to_string();
        match self.busy("refusing", desk.refuse(&text, reason)).await? {
            Some(Ok(view)) => {
                self.model.answered.insert(id, "refused");
                self.model.message = Some((Weight::Good, format!("refused: {} on {}", view.engineer, view.device)));
            }
            Some(Err(failure)) => self.model.message = Some((Weight::Bad, failure.what)),
            None => {}
        }
        Ok(())
    }
}

/// What became of an approval, once the device has spoken or its time to speak is over.
pub async fn answered(desk: &Desk, view: ConsentView) -> Result<ConsentView, Failure> {
    super::super::consent::wait_for(&desk.client, view, &[ConsentState::Approved], DEVICE_ANSWERS, |_| ()).await
}

fn outcome(view: &ConsentView, moment: &dyn Fn(Timestamp) -> String) -> (Weight, String) {
    let ConsentView { device, engineer, .. } = view;
    match view.state {
        ConsentState::Live => {
            let until = view.live_until.map(|until| format!(" until {}", moment(until))).unwrap_or_default();
            (Weight::Good, format!("live{until}: {device} verified it, {engineer} can get in"))
        }
        ConsentState::Approved => (Weight::Note, format!("approved; {device} has not confirmed it yet")),
        ConsentState::Requested => {
            (Weight::Note, format!("{} of {} approved: another person has to approve it too", view.consents.len(), view.approvals_needed))
        }
        ConsentState::RefusedByDevice => {
            let why = view.device_says.as_ref().map(ToString::to_string).unwrap_or_default();
            (Weight::Bad, format!("{device} refused it: {why}"))
        }
        ConsentState::Challenged | ConsentState::Refused | ConsentState::Lapsed | ConsentState::Ended => {
            (Weight::Warn, format!("it is {} now", view.state))
        }
    }
}

fn size() -> (usize, usize) {
    let (columns, rows) = crossterm::terminal::size().unwrap_or((80, 24));
    (usize::from(columns).max(20), usize::from(rows).max(6))
}

/// How far a page key goes: what fits, less a line that stays in sight.
fn page() -> usize {
    size().1.saturating_sub(5).max(1)
}

fn write(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(|e| Failure::failed(format!("can't write to the terminal: {e}")))
}

fn woken(event: Event) -> Woken {
    match event {
        Event::Key(event) if event.kind != KeyEventKind::Release => key(event).map_or(Woken::Other, Woken::Key),
        Event::Paste(text) => Woken::Paste(text),
        Event::Key(_) | Event::Resize(..) | Event::FocusGained | Event::FocusLost | Event::Mouse(_) => Woken::Other,
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "a foreign enum of every key there is; the rest does nothing")]
fn key(event: KeyEvent) -> Option<Key> {
    let control = event.modifiers.contains(KeyModifiers::CONTROL);
    Some(match event.code {
        KeyCode::Char('c') if control => Key::Interrupt,
        KeyCode::Char('u') if control => Key::Clear,
        KeyCode::Char(c) if !control && !event.modifiers.contains(KeyModifiers::ALT) => Key::Char(c),
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Escape,
        KeyCode::Tab => Key::Tab,
        KeyCode::Backspace => Key::Backspace,
        _ => return None,
    })
}

//! What the terminal shows, and what a key does: without a terminal, so that tests can press keys.
//!
//! Three rules keep a hurried person safe. A request is selected by its id, so a new one on top moves nothing under the finger. Only a
//! draft that is on the screen can be signed, and only after its whole text was. And what was signed or refused here is not offered again.

use std::collections::{BTreeMap, BTreeSet};

use lineman_common::api::ConsentView;
use lineman_common::id::ConsentId;
use lineman_common::session::{Door, Doors, Target};

use super::live::Snapshot;
use crate::consents::Narrow;
use crate::consents::desk::{Draft, typed};
use crate::consents::findings::Weight;
use crate::output::{duration_s, span};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    Up,
    Down,
    PageUp,
    PageDown,
    Enter,
    Escape,
    Tab,
    Backspace,
    /// Ctrl-U.
    Clear,
    /// Ctrl-C.
    Interrupt,
    Char(char),
}

/// What the caller has to do.
#[derive(Debug)]
pub enum Act {
    Nothing,
    Quit,
    /// Check a request, and show what would be signed.
    Open(ConsentId),
    /// Sign exactly this.
    Sign(Box<Draft>),
    /// Write the consent anew, narrower.
    Narrow(Box<Draft>, Narrow),
    Refuse(ConsentId, String),
}

#[derive(Debug, Default)]
pub enum Mode {
    #[default]
    List,
    Statement(Box<Statement>),
    Narrowing(Box<Narrowing>),
    Refusing(Refusing),
    /// It can't be approved, and why not.
    Broken(ConsentId, Vec<String>),
    Help(Box<Mode>),
}

#[derive(Debug)]
pub struct Statement {
    pub draft: Draft,
    pub scroll: usize,
    /// The signed text and every warning were on the screen.
    pub seen: bool,
}

/// One way in that was asked for.
#[derive(Clone, Debug)]
pub struct Choice {
    pub door: Door,
    pub target: Option<Target>,
    pub on: bool,
}

#[derive(Debug)]
pub struct Narrowing {
    pub draft: Draft,
    pub choices: Vec<Choice>,
    /// As typed.
    pub time: String,
    /// Below the choices is the time.
    pub at: usize,
}

#[derive(Debug)]
pub struct Refusing {
    pub request: ConsentId,
    pub device: String,
    pub reason: String,
}

pub struct Model {
    pub snapshot: Snapshot,
    pub mode: Mode,
    pub selected: Option<ConsentId>,
    /// What happened last.
    pub message: Option<(Weight, String)>,
    pub busy: Option<String>,
    /// What was answered here, and how.
    pub answered: BTreeMap<ConsentId, &'static str>,
    known: BTreeSet<ConsentId>,
}

/// Longest reason that is taken; the centre takes 2,000 characters.
const LONGEST_INPUT: usize = 500;

impl Model {
    pub fn new() -> Self {
        Self {
            snapshot: Snapshot::default(),
            mode: Mode::List,
            selected: None,
            message: None,
            busy: None,
            answered: BTreeMap::new(),
            known: BTreeSet::new(),
        }
    }

    /// Takes a new picture in; says whether there is a request that was never seen before.
    pub fn update(&mut self, snapshot: Snapshot) -> bool {
        let new = snapshot.requests.iter().filter(|request| self.known.insert(request.id)).count() > 0;
        // The line that is gone leaves the one that takes its place selected.
        let before = self.index();
        self.snapshot = snapshot;
        if self.index().is_none() {
            let last = self.snapshot.requests.len().saturating_sub(1);
            self.selected = self.snapshot.requests.get(before.unwrap_or(0).min(last)).map(|request| request.id);
        }
        new
    }

    pub fn index(&self) -> Option<usize> {
        self.snapshot.requests.iter().position(|request| Some(request.id) == self.selected)
    }

    fn current(&self) -> Option<&ConsentView> {
        self.index().and_then(|index| self.snapshot.requests.get(index))
    }

    pub fn open(&mut self, draft: Draft) {
        self.message = None;
        self.mode = Mode::Statement(Box::new(Statement { draft, scroll: 0, seen: false }));
    }

    /// Moves the choice by some lines.
    fn step(&mut self, by: isize) {
        let last = self.snapshot.requests.len().saturating_sub(1);
        let index = self.index().unwrap_or(0).saturating_add_signed(by).min(last);
        self.selected = self.snapshot.requests.get(index).map(|request| request.id);
    }

    /// What a key does. `page` is how many lines fit.
    pub fn key(&mut self, key: Key, page: usize) -> Act {
        if key == Key::Interrupt {
            return Act::Quit;
        }
        match std::mem::take(&mut self.mode) {
            Mode::List => self.in_list(key),
            Mode::Statement(statement) => self.in_statement(*statement, key, page),
            Mode::Narrowing(narrowing) => self.in_narrowing(*narrowing, key),
            Mode::Refusing(refusing) => self.in_refusing(refusing, key),
            Mode::Broken(id, why) => self.in_broken(id, why, key),
            Mode::Help(before) => {
                self.mode = *before;
                Act::Nothing
            }
        }
    }

    fn in_broken(&mut self, id: ConsentId, why: Vec<String>, key: Key) -> Act {
        match key {
            Key::Char('r') => self.refuse(id),
            Key::Char('q') => return Act::Quit,
            Key::Escape | Key::Enter | Key::Backspace => {}
            Key::Up | Key::Down | Key::PageUp | Key::PageDown | Key::Tab | Key::Clear | Key::Interrupt | Key::Char(_) => {
                self.mode = Mode::Broken(id, why);
            }
        }
        Act::Nothing
    }

    fn in_list(&mut self, key: Key) -> Act {
        self.message = None;
        match key {
            Key::Up | Key::Char('k') => self.step(-1),
            Key::Down | Key::Char('j') => self.step(1),
            Key::PageUp => self.step(-8),
            Key::PageDown => self.step(8),
            Key::Enter | Key::Char('a' | 'n' | ' ') => return self.choose(),
            Key::Char('r') => {
                if let Some(id) = self.current().map(|request| request.id) {
                    self.refuse(id);
                }
            }
            Key::Char('?' | 'h') => self.mode = Mode::Help(Box::new(Mode::List)),
            Key::Char('q') => return Act::Quit,
            Key::Escape | Key::Tab | Key::Backspace | Key::Clear | Key::Interrupt | Key::Char(_) => {}
        }
        Act::Nothing
    }

    /// Nothing is signed from the list: every way leads over the statement.
    fn choose(&mut self) -> Act {
        let Some(id) = self.current().map(|request| request.id) else { return Act::Nothing };
        match self.answered.get(&id) {
            Some(how) => {
                self.message = Some((Weight::Note, format!("you {how} it already")));
                Act::Nothing
            }
            None => Act::Open(id),
        }
    }

    fn refuse(&mut self, id: ConsentId) {
        let device = self.snapshot.requests.iter().find(|request| request.id == id).map(|request| request.device.to_string());
        match self.answered.get(&id) {
            Some(how) => self.message = Some((Weight::Note, format!("you {how} it already"))),
            None => {
                self.mode = Mode::Refusing(Refusing { request: id, device: device.unwrap_or_default(), reason: String::new() });
            }
        }
    }

    fn in_statement(&mut self, mut statement: Statement, key: Key, page: usize) -> Act {
        self.message = None;
        match key {
            Key::Char('a') if statement.seen => {
                let draft = statement.draft.clone();
                self.mode = Mode::Statement(Box::new(statement));
                return Act::Sign(Box::new(draft));
            }
            Key::Char('a') => self.message = Some((Weight::Warn, "there is more below: look at all of it first (Space)".into())),
            Key::Char('n') => {
                self.mode = Mode::Narrowing(Box::new(Narrowing::new(statement.draft)));
                return Act::Nothing;
            }
            Key::Char('r') => {
                self.refuse(statement.draft.view.id);
                return Act::Nothing;
            }
            Key::Char('q') | Key::Escape | Key::Backspace => return Act::Nothing,
            Key::Char('?' | 'h') => {
                self.mode = Mode::Help(Box::new(Mode::Statement(Box::new(statement))));
                return Act::Nothing;
            }
            Key::Up | Key::Char('k') => statement.scroll = statement.scroll.saturating_sub(1),
            Key::Down | Key::Char('j') => statement.scroll += 1,
            Key::PageUp => statement.scroll = statement.scroll.saturating_sub(page),
            Key::PageDown | Key::Char(' ') => statement.scroll += page,
            Key::Enter | Key::Tab | Key::Clear | Key::Interrupt | Key::Char(_) => {}
        }
        self.mode = Mode::Statement(Box::new(statement));
        Act::Nothing
    }

    fn in_narrowing(&mut self, mut narrowing: Narrowing, key: Key) -> Act {
        self.message = None;
        let last = narrowing.choices.len();
        match key {
            Key::Escape => {
                self.open(narrowing.draft);
                return Act::Nothing;
            }
            Key::Enter => match narrowing.chosen() {
                Ok(narrow) => return Act::Narrow(Box::new(narrowing.draft), narrow),
                Err(why) => self.message = Some((Weight::Warn, why)),
            },
            Key::Up => narrowing.at = narrowing.at.saturating_sub(1),
            Key::Down | Key::Tab => narrowing.at = if narrowing.at >= last { 0 } else { narrowing.at + 1 },
            Key::Char(c) if narrowing.at == last => push(&mut narrowing.time, c),
            Key::Char(' ' | 'x') => {
                if let Some(choice) = narrowing.choices.get_mut(narrowing.at) {
                    choice.on = !choice.on;
                }
            }
            Key::Backspace if narrowing.at == last => drop(narrowing.time.pop()),
            Key::Clear if narrowing.at == last => narrowing.time.clear(),
            Key::Backspace | Key::Clear | Key::PageUp | Key::PageDown | Key::Interrupt | Key::Char(_) => {}
        }
        self.mode = Mode::Narrowing(Box::new(narrowing));
        Act::Nothing
    }

    fn in_refusing(&mut self, mut refusing: Refusing, key: Key) -> Act {
        self.message = None;
        match key {
            Key::Escape => return Act::Nothing,
            Key::Enter if refusing.reason.trim().is_empty() => {
                self.message = Some((Weight::Warn, "say why: the engineer reads it".into()));
            }
            Key::Enter => return Act::Refuse(refusing.request, refusing.reason.trim().to_owned()),
            Key::Backspace => drop(refusing.reason.pop()),
            Key::Clear => refusing.reason.clear(),
            Key::Char(c) => push(&mut refusing.reason, c),
            Key::Up | Key::Down | Key::PageUp | Key::PageDown | Key::Tab | Key::Interrupt => {}
        }
        self.mode = Mode::Refusing(refusing);
        Act::Nothing
    }

    /// Text that was pasted: its line ends press nothing.
    pub fn paste(&mut self, text: &str) {
        let input = match &mut self.mode {
            Mode::Refusing(refusing) => &mut refusing.reason,
            Mode::Narrowing(narrowing) if narrowing.at == narrowing.choices.len() => &mut narrowing.time,
            Mode::List | Mode::Statement(_) | Mode::Narrowing(_) | Mode::Broken(..) | Mode::Help(_) => return,
        };
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).for_each(|c| push(input, c));
    }
}

fn push(input: &mut String, c: char) {
    if input.chars().count() < LONGEST_INPUT && !c.is_control() {
        input.push(c);
    }
}

impl Narrowing {
    fn new(draft: Draft) -> Self {
        let (asked, now) = (&draft.checked.request.doors, &draft.doors);
        let plain = Door::ALL.iter().filter(|door| **door != Door::Forward && asked.has(**door));
        let plain = plain.map(|door| Choice { door: *door, target: None, on: now.has(*door) });
        let forwards = asked.targets().iter();
        let forwards =
            forwards.map(|target| Choice { door: Door::Forward, target: Some(target.clone()), on: now.targets().contains(target) });
        let time = typed(draft.duration_s);
        Self { choices: plain.chain(forwards).collect(), time, at: 0, draft }
    }

    /// What was chosen, if it is something.
    fn chosen(&self) -> Result<Narrow, String> {
        let on = || self.choices.iter().filter(|choice| choice.on);
        let doors = on().filter(|choice| choice.target.is_none()).map(|choice| choice.door);
        let doors = Doors::with_forwards(doors, on().filter_map(|choice| choice.target.clone())).map_err(|e| e.to_string())?;
        let asked = self.draft.checked.request.duration_s;
        let duration_s = duration_s(&self.time).map_err(|e| e.to_string())?;
        if duration_s > asked {
            return Err(format!("{} was asked for: a consent may only narrow that", span(u64::from(asked))));
        }
        Ok(Narrow { doors: Some(doors), duration_s: Some(duration_s) })
    }
}

//! Playing where somebody can press keys: pausing, stepping, seeking.
//!
//! Time here is the recording's own. To go back, the picture is taken up at the last keyframe before the place and fed from there;
//! a channel without a terminal, which has none, is fed from its beginning.

use std::time::{Duration, Instant};

use crossterm::event::{Event as Pressed, KeyCode, KeyEventKind, KeyModifiers, poll, read};
use lineman_common::recording::screen::{Frame, keyframes};
use lineman_common::recording::{Event, Recording};

use crate::commands::session::moment;
use crate::commands::session::window::{Picture, Stage, draw, last_lines, say};
use crate::exit::{Exit, Failure, Outcome};

const JUMP_S: f64 = 5.0;
/// The clock in our own line moves on even when nothing happens.
const REFRESH: Duration = Duration::from_millis(250);
/// Events closer together than this are one picture.
const FRAME: Duration = Duration::from_millis(33);

pub struct Player<'a> {
    recording: &'a Recording,
    /// The channel's events.
    events: Vec<&'a Event>,
    /// For each keyframe: how many of these events it covers.
    frames: Vec<(usize, Frame)>,
    picture: Picture,
    /// How many events the picture has.
    fed: usize,
    now: f64,
    speed: f64,
    idle_limit: Option<Duration>,
    paused: bool,
}

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Wish {
    Leave(Exit),
    Pause,
    Step,
    Seek(f64),
    Faster,
    Slower,
}

#[expect(clippy::wildcard_enum_match_arm, reason = "a keyboard has more keys than this")]
fn wish(pressed: &Pressed) -> Option<Wish> {
    let Pressed::Key(key) = pressed else { return None };
    if key.kind == KeyEventKind::Release {
        return None;
    }
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Char('c') if control => Some(Wish::Leave(Exit::Interrupted)),
        KeyCode::Char('q') | KeyCode::Esc => Some(Wish::Leave(Exit::Done)),
        KeyCode::Char(' ') => Some(Wish::Pause),
        KeyCode::Char('.') => Some(Wish::Step),
        KeyCode::Char('+') => Some(Wish::Faster),
        KeyCode::Char('-') => Some(Wish::Slower),
        KeyCode::Left => Some(Wish::Seek(-JUMP_S)),
        KeyCode::Right => Some(Wish::Seek(JUMP_S)),
        KeyCode::Home => Some(Wish::Seek(f64::NEG_INFINITY)),
        _ => None,
    }
}

impl<'a> Player<'a> {
    pub fn new(recording: &'a Recording, channel: u32, speed: f64, idle_limit: Option<Duration>) -> Self {
        let events: Vec<_> = recording.events.iter().filter(|event| event.channel == channel).collect();
        let terminal = recording.channels().any(|(number, opened)| number == channel && opened.terminal.is_some());
        let frames = if terminal { frames_of(recording, channel) } else { Vec::new() };
        Self { recording, events, frames, picture: Picture::default(), fed: 0, now: 0.0, speed, idle_limit, paused: false }
    }

    pub fn play(&mut self, from: f64) -> Outcome {
        self.seek(from);
        let stage = Stage::enter(&format!("{} {}", self.recording.bind.device, self.recording.session))?;
        let exit = self.run();
        drop(stage);
        // The last picture stays, as with any command that printed something.
        say(&last_lines(&self.picture, Stage::size().0))?;
        exit
    }

    fn run(&mut self) -> Outcome {
        loop {
            self.feed();
            say(&draw(&self.picture, &self.line(), Stage::size()))?;
            if self.fed == self.events.len() && !self.paused {
                return Ok(Exit::Done);
            }
            if let Some(wish) = self.wait()?
                && let Some(exit) = self.obey(wish)
            {
                return Ok(exit);
            }
        }
    }

    /// Waits for what comes next: an event, a key, or the clock.
    fn wait(&mut self) -> Result<Option<Wish>, Failure> {
        let failed = |e: std::io::Error| Failure::failed(format!("can't read the keyboard: {e}"));
        let next = self.events.get(self.fed).map_or(self.now, |event| event.seconds);
        if let Some(limit) = self.idle_limit {
            self.now = self.now.max(next - limit.as_secs_f64());
        }
        let left = Duration::try_from_secs_f64(((next - self.now) / self.speed).max(0.0)).unwrap_or(REFRESH);
        let longest = if self.paused { REFRESH } else { left.clamp(FRAME, REFRESH) };
        let begun = Instant::now();
        let pressed = poll(longest).map_err(failed)?.then(read).transpose().map_err(failed)?;
        if !self.paused {
            self.now += begun.elapsed().as_secs_f64() * self.speed;
        }
        Ok(pressed.as_ref().and_then(wish))
    }

    fn obey(&mut self, wish: Wish) -> Option<Exit> {
        match wish {
            Wish::Leave(exit) => return Some(exit),
            Wish::Pause => self.paused = !self.paused,
            Wish::Step => self.now = self.events.get(self.fed).map_or(self.now, |event| event.seconds),
            Wish::Seek(by) => self.seek(self.now + by),
            Wish::Faster => self.speed = (self.speed * 2.0).min(1000.0),
            Wish::Slower => self.speed = (self.speed / 2.0).max(0.01),
        }
        None
    }

    /// Feeds the picture up to now.
    fn feed(&mut self) {
        while let Some(event) = self.events.get(self.fed).filter(|event| event.seconds <= self.now) {
            self.picture.feed(event);
            self.fed += 1;
        }
    }

    fn seek(&mut self, to: f64) {
        // What the device wrote as times may be nonsense.
        self.now = to.min(self.length()).max(0.0);
        let covered = self.events.partition_point(|event| event.seconds <= self.now);
        let frame = self.frames.iter().rev().find(|(events, _)| *events <= covered);
        let nearer = frame.is_some_and(|(events, _)| *events > self.fed);
        if covered < self.fed || nearer {
            self.picture = Picture::default();
            self.fed = 0;
            if let (Some((events, frame)), Some(first)) = (frame, self.events.first()) {
                self.picture.feed(first);
                self.picture.restore(first, frame.cols, frame.rows, &frame.screen);
                self.fed = *events;
            }
        }
        self.feed();
    }

    fn length(&self) -> f64 {
        self.events.last().map_or(0.0, |event| event.seconds)
    }

    fn line(&self) -> String {
        let Recording { bind, .. } = self.recording;
        let state = if self.paused { "paused" } else { "playing" };
        format!(
            " {}@{}  {} of {}  {state} x{}  space pauses, <- -> 5 s, + - speed, q leaves",
            bind.engineer,
            bind.device,
            moment::shown(self.now),
            moment::shown(self.length()),
            self.speed,
        )
    }
}

/// Each keyframe with the number of the channel's events before it.
fn frames_of(recording: &Recording, channel: u32) -> Vec<(usize, Frame)> {
    let mut covered = 0;
    let mut at = 0;
    let mut frames = Vec::new();
    for frame in keyframes(recording, channel) {
        let before = frame.chunks.checked_sub(2).and_then(|chunk| recording.chunk_ends.get(usize::try_from(chunk).ok()?)).copied();
        let end = before.unwrap_or(0) + frame.events as usize;
        covered += recording.events.get(at..end).map_or(0, |events| events.iter().filter(|event| event.channel == channel).count());
        at = end;
        frames.push((covered, frame));
    }
    frames
}

#[cfg(test)]
mod tests {
    use super::*;
    use lineman_common::recording::{Bind, Flow, Opened, Terminal, What};
    use lineman_common::session::{Door, Grade};

    fn recording(terminal: bool, seconds: u32) -> Recording {
        let size = Terminal { term: "xterm".into(), cols: 20, rows: 4 };
        let opened = Opened { door: Door::Shell, command: None, terminal: terminal.then_some(size), target: None };
        let mut events = vec![Event { seconds: 0.0, channel: 0, what: What::Open(opened) }];
        for second in 1..=seconds {
            // Another channel in between, which must not be counted.
            events.push(Event { seconds: f64::from(second), channel: 1, what: What::Note("x".into()) });
            events.push(Event { seconds: f64::from(second), channel: 0, what: What::Bytes(Flow::Output, format!("{second}\r\n").into()) });
        }
        let chunk_ends = (1..=events.len()).filter(|end| end % 7 == 0 || *end == events.len()).collect::<Vec<_>>();
        Recording {
            session: lineman_common::id::SessionId::new(),
            bind: Bind {
                device: "ne-1.jw.ne".parse().unwrap(),
                consent: lineman_common::id::ConsentId::new(),
                grade: Grade::EndToEnd,
                request_sha256: String::new(),
                consents_sha256: Vec::new(),
                engineer: "engineer-a".parse().unwrap(),
                engineer_key: String::new(),
                host_key: String::new(),
                account: "view".into(),
                started: jiff::Timestamp::now(),
            },
            events,
            chunks: chunk_ends.len() as u64,
            chunk_ends,
            end: None,
            head_sha256: String::new(),
        }
    }

    fn screen(player: &Player<'_>) -> String {
        last_lines(&player.picture, 20).replace("\x1b[0m", "")
    }

    #[test]
    fn seeking_shows_what_playing_shows() {
        for terminal in [true, false] {
            let recording = recording(terminal, 60);
            let mut player = Player::new(&recording, 0, 1.0, None);
            assert_eq!(!player.frames.is_empty(), terminal);
            for place in [0.0, 3.0, 33.0, 34.5, 12.0, 59.0, 60.0, 1.0, 45.0, 1e9, -1.0] {
                player.seek(place);
                let place = place.clamp(0.0, 60.0);
                let mut straight = Player::new(&recording, 0, 1.0, None);
                straight.now = place;
                straight.feed();
                assert_eq!((screen(&player), player.fed), (screen(&straight), straight.fed), "{place}, terminal: {terminal}");
            }
        }
    }

    #[test]
    fn keys_do_what_they_say() {
        let recording = recording(true, 20);
        let mut player = Player::new(&recording, 0, 1.0, None);
        let press = |player: &mut Player<'_>, code| {
            let pressed = Pressed::Key(crossterm::event::KeyEvent::new(code, KeyModifiers::NONE));
            wish(&pressed).and_then(|wish| player.obey(wish))
        };
        assert_eq!(press(&mut player, KeyCode::Right), None);
        assert_eq!((player.now, screen(&player).as_str()), (5.0, "3\n4\n5\n"));
        press(&mut player, KeyCode::Left);
        assert_eq!((player.now, player.fed), (0.0, 1));
        press(&mut player, KeyCode::Char('.'));
        assert_eq!(player.now.to_bits(), 1f64.to_bits());
        press(&mut player, KeyCode::Char(' '));
        assert!(player.paused);
        press(&mut player, KeyCode::Char('+'));
        assert_eq!(player.speed.to_bits(), 2f64.to_bits());
        assert_eq!(press(&mut player, KeyCode::Char('q')), Some(Exit::Done));
    }
}

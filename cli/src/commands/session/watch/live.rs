//! Watching on a terminal: the device's screen, a line of our own below, and three keys.

use std::pin::pin;
use std::time::Duration;

use crossterm::event::{Event as Pressed, EventStream, KeyCode, KeyEventKind, KeyModifiers};
use futures_util::{StreamExt, stream};
use lineman_common::api::{Reason, Session};
use tokio::time::Instant;

use super::super::window::{Stage, draw, last_lines, say};
use super::channels::Channels;
use super::follow::{Feed, News};
use super::{Watched, farewell, lines};
use crate::client::Client;
use crate::commands::App;
use crate::exit::{Exit, Failure, Outcome};

/// What comes within this time is one picture.
const FRAME: Duration = Duration::from_millis(40);
/// Keys wait for the answer, so it must not take long.
const KILL_PATIENCE: Duration = Duration::from_secs(10);
/// A reason is a line.
const MOST_REASON_CHARS: usize = 200;

/// What the keys mean now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Mode {
    #[default]
    Watching,
    /// The reason for ending the session is being typed.
    Reason(String),
    /// It was typed; are you sure?
    Confirm(String),
}

/// What a key asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Wish {
    Nothing,
    Redraw,
    Leave(Exit),
    Kill(String),
}

impl Mode {
    fn press(&mut self, pressed: &Pressed) -> Wish {
        if let Pressed::Resize(..) = pressed {
            return Wish::Redraw;
        }
        let Pressed::Key(key) = pressed else { return Wish::Nothing };
        if key.kind == KeyEventKind::Release {
            return Wish::Nothing;
        }
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        if control && key.code == KeyCode::Char('c') {
            return Wish::Leave(Exit::Interrupted);
        }
        let now = std::mem::take(self);
        let (next, wish) = match (now, key.code) {
            (Self::Watching, KeyCode::Char('q')) => (Self::Watching, Wish::Leave(Exit::Done)),
            (Self::Watching, KeyCode::Char('k')) => (Self::Reason(String::new()), Wish::Redraw),
            (Self::Reason(reason), KeyCode::Enter) if !reason.trim().is_empty() => (Self::Confirm(reason), Wish::Redraw),
            (Self::Reason(mut reason), KeyCode::Backspace) => {
                reason.pop();
                (Self::Reason(reason), Wish::Redraw)
            }
            (Self::Reason(mut reason), KeyCode::Char(c)) if !control && reason.chars().count() < MOST_REASON_CHARS => {
                reason.push(c);
                (Self::Reason(reason), Wish::Redraw)
            }
            (Self::Confirm(reason), KeyCode::Char('y' | 'Y')) => (Self::Watching, Wish::Kill(reason.trim().to_owned())),
            (Self::Reason(_) | Self::Confirm(_), KeyCode::Esc) | (Self::Confirm(_), KeyCode::Char(_)) => (Self::Watching, Wish::Redraw),
            (mode, _) => (mode, Wish::Nothing),
        };
        *self = next;
        wish
    }
}

/// How a watch ended.
enum Over {
    Left(Exit),
    Ended(Box<Session>),
}

struct Live<'a> {
    client: &'a Client,
    watched: &'a Watched,
    channels: Channels,
    mode: Mode,
    chunks: u64,
    /// The chunks that were there when the watch began: until these are in, nothing is drawn.
    before: u64,
    /// The connection, or what somebody should know.
    remark: String,
}

pub async fn run(app: &App, client: &Client, watched: Watched, mut feed: Feed, only: Option<u32>) -> Outcome {
    let Session { engineer, device, .. } = &watched.session;
    let stage = Stage::enter(&format!("{engineer} on {device} (read only)"))?;
    let mut live = Live {
        client,
        watched: &watched,
        channels: Channels::new(only),
        mode: Mode::default(),
        chunks: 0,
        before: watched.session.chunks_stored,
        remark: String::new(),
    };
    let over = live.watch(&mut feed).await;
    drop(stage);
    say(&last_lines(live.channels.picture(), Stage::size().0))?;
    match over? {
        Over::Left(exit) => {
            app.say(format!("{} goes on; {} chunks, {}", watched.session.id, feed.follower.chunks(), watched.verified()));
            Ok(exit)
        }
        Over::Ended(session) => {
            farewell(app, &watched, &feed.follower, &session);
            lines::complete(&feed)
        }
    }
}

impl Live<'_> {
    async fn watch(&mut self, feed: &mut Feed) -> Result<Over, Failure> {
        let news = stream::unfold(feed, |feed| async move { Some((feed.next().await, feed)) });
        let mut news = pin!(news);
        let mut keys = EventStream::new();
        let mut draw_at = Some(Instant::now());
        loop {
            let due = draw_at.unwrap_or_else(|| Instant::now() + Duration::from_secs(3600));
            tokio::select! {
                news = news.next() => match news.transpose()? {
                    Some(News::Events { number, events }) => self.take(number, &events),
                    Some(News::Lost(why)) => self.remark = format!("{why}; trying again"),
                    Some(News::Ended(session)) => return Ok(Over::Ended(session)),
                    None => return Ok(Over::Left(Exit::Done)),
                },
                pressed = keys.next() => match pressed {
                    Some(Ok(pressed)) => match self.mode.press(&pressed) {
                        Wish::Nothing => continue,
                        Wish::Redraw => {}
                        Wish::Leave(exit) => return Ok(Over::Left(exit)),
                        Wish::Kill(reason) => self.kill(reason).await,
                    },
                    // The terminal is gone: nobody watches any more.
                    Some(Err(_)) | None => return Ok(Over::Left(Exit::Interrupted)),
                },
                () = tokio::time::sleep_until(due) => {
                    draw_at = None;
                    self.draw()?;
                    continue;
                }
            }
            draw_at = draw_at.or_else(|| Some(Instant::now() + FRAME));
        }
    }

    fn take(&mut self, number: u64, events: &[lineman_common::recording::Event]) {
        for event in events {
            self.channels.feed(event);
        }
        self.chunks = number + 1;
        self.remark.clear();
    }

    /// The stream then tells of the end, as the device does.
    async fn kill(&mut self, reason: String) {
        let id = self.watched.session.id.to_string();
        let reason = Reason { reason: reason.into() };
        self.remark = match tokio::time::timeout(KILL_PATIENCE, self.client.kill(&id, &reason)).await {
            Ok(Ok(_)) => "asked the device to end it".to_owned(),
            Ok(Err(error)) => format!("NOT ended: {error}"),
            Err(_) => "the centre did not answer; on the device: lineman-agent kill".to_owned(),
        };
    }

    fn draw(&self) -> Result<(), Failure> {
        if self.chunks < self.before {
            let line = format!(" {} of {} chunks verified", self.chunks, self.before);
            return say(&draw(&super::super::window::Picture::default(), &line, Stage::size()));
        }
        say(&draw(self.channels.picture(), &self.line(), Stage::size()))
    }

    fn line(&self) -> String {
        let Session { engineer, device, .. } = &self.watched.session;
        match &self.mode {
            Mode::Reason(reason) => format!(" why should the session of {engineer} end? {reason}_   (Enter goes on, Esc goes back)"),
            Mode::Confirm(reason) => format!(" end the session of {engineer} on {device}: {reason}? y ends it, any other key does not"),
            Mode::Watching if !self.remark.is_empty() => format!(" {engineer}@{device}  read only  q leaves  {}", self.remark),
            // What has to be seen first: on a narrow terminal the rest is cut.
            Mode::Watching => format!(
                " {engineer}@{device}  read only  {} chunks {}  q leaves  k ends it  {}",
                self.chunks,
                self.watched.verified(),
                self.channels.shown(),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossterm::event::KeyEvent;

    fn press(mode: &mut Mode, code: KeyCode) -> Wish {
        mode.press(&Pressed::Key(KeyEvent::new(code, KeyModifiers::NONE)))
    }

    fn type_in(mode: &mut Mode, text: &str) {
        for c in text.chars() {
            press(mode, KeyCode::Char(c));
        }
    }

    #[test]
    fn a_session_is_ended_after_a_reason_and_a_yes_and_not_before() {
        let mut mode = Mode::default();
        type_in(&mut mode, "k wrong device?");
        press(&mut mode, KeyCode::Backspace);
        assert_eq!(mode, Mode::Reason(" wrong device".into()));
        assert_eq!(press(&mut mode, KeyCode::Enter), Wish::Redraw);
        assert_eq!(press(&mut mode, KeyCode::Char('y')), Wish::Kill("wrong device".into()));
        assert_eq!(mode, Mode::Watching);
    }

    #[test]
    fn everything_else_ends_nothing() {
        for (typed, code) in
            [("k", KeyCode::Enter), ("k  ", KeyCode::Enter), ("kx", KeyCode::Esc), ("y", KeyCode::Enter), ("kq", KeyCode::Esc)]
        {
            let mut mode = Mode::default();
            type_in(&mut mode, typed);
            press(&mut mode, code);
            assert!(!matches!(mode, Mode::Confirm(_)), "{typed:?}");
        }
        let mut mode = Mode::Confirm("reason".into());
        assert_eq!((press(&mut mode, KeyCode::Char('n')), mode), (Wish::Redraw, Mode::Watching));
        let mut mode = Mode::Confirm("reason".into());
        assert_eq!((press(&mut mode, KeyCode::Enter), &mode), (Wish::Nothing, &Mode::Confirm("reason".into())));
    }

    #[test]
    fn one_can_always_leave() {
        for mut mode in [Mode::Watching, Mode::Reason("r".into()), Mode::Confirm("r".into())] {
            let pressed = Pressed::Key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL));
            assert_eq!(mode.press(&pressed), Wish::Leave(Exit::Interrupted));
        }
        assert_eq!(press(&mut Mode::default(), KeyCode::Char('q')), Wish::Leave(Exit::Done));
    }
}

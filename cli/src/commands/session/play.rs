//! `lineman session play`: a recording at the speed it happened.

mod player;

use std::io::IsTerminal;
use std::time::Duration;

use clap::Args;
use lineman_common::recording::screen::Screen as Picture;
use lineman_common::recording::{Event, Flow, Recording, What};

use self::player::Player;
use super::moment;
use super::screen::Screen;
use super::source::{channel, readable, source};
use crate::commands::App;
use crate::exit::{Exit, Outcome};
use crate::output::write_out;

/// Play a recording on this terminal
///
/// Space pauses; the arrows left and right go 5 seconds back and on; `.` steps; + and - change the speed; q ends. In a pipe it is
/// written at once, unless a speed is given. What the device printed can't reach beyond the screen: clipboard, title and terminal
/// queries are left out.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman session play ses_0123456789abcdef0123456789abcdef
  lineman session play ses_0123456789abcdef0123456789abcdef --at 3m12s
  lineman session play ses_0123456789abcdef0123456789abcdef --speed 4 --idle-limit 1s
  lineman session play session.tar --channel 1")]
pub struct Play {
    /// A session's id, a bundle, or a file with a raw recording
    #[arg(value_name = "ID|FILE")]
    session: String,
    /// Begin here: 3m12s, or +03:12 as grep shows it
    #[arg(long, value_name = "PLACE", value_parser = moment::parse, allow_hyphen_values = false)]
    at: Option<f64>,
    /// How many times faster [default: 1, in a pipe at once]
    #[arg(long, value_parser = speed)]
    speed: Option<f64>,
    /// Cut pauses that are longer
    #[arg(long, value_name = "DURATION", value_parser = super::super::consent::duration_arg)]
    idle_limit: Option<u32>,
    /// Which channel [default: the first terminal, else the first command]
    #[arg(long, value_name = "N")]
    channel: Option<u32>,
}

fn speed(text: &str) -> Result<f64, String> {
    text.parse::<f64>().ok().filter(|speed| (0.01..=1000.0).contains(speed)).ok_or_else(|| "expected a number from 0.01 to 1000".to_owned())
}

impl Play {
    pub async fn run(self, app: &App) -> Outcome {
        let recording = readable(&source(app, &self.session).await?.text)?;
        let number = channel(&recording, self.channel)?;
        let others = recording.channels().count() - 1;
        if others > 0 {
            app.say(format!("channel {number}; there are {others} more: --channel N"));
        }
        let idle_limit = self.idle_limit.map(|limit| Duration::from_secs(u64::from(limit)));
        let from = self.at.unwrap_or(0.0);
        let terminal = std::io::stdout().is_terminal();
        let exit = if terminal && std::io::stdin().is_terminal() {
            Player::new(&recording, number, self.speed.unwrap_or(1.0), idle_limit).play(from)
        } else {
            pour(&recording, number, self.speed.or(terminal.then_some(1.0)), idle_limit, from)
        };
        if recording.end.is_none() {
            app.say(format!("the recording has no end record: it is truncated after chunk {}", recording.chunks.saturating_sub(1)));
        }
        exit
    }
}

/// Where nobody can press a key: everything in its order, with or without the pauses.
fn pour(recording: &Recording, number: u32, speed: Option<f64>, idle_limit: Option<Duration>, from: f64) -> Outcome {
    let bare = recording.channels().any(|(channel, opened)| channel == number && opened.terminal.is_none());
    let mut screen = Screen::default();
    let mut before = from;
    if !bare && from > 0.0 {
        write_out(&screen.pass(&picture_at(recording, number, from)))?;
    }
    for event in recording.events.iter().filter(|event| event.channel == number && event.seconds >= from) {
        let Some(text) = shown(event, bare) else { continue };
        let pause = idle_limit.map_or(f64::INFINITY, |limit| limit.as_secs_f64()).min(event.seconds - before);
        before = event.seconds;
        if let Some(speed) = speed {
            std::thread::sleep(Duration::try_from_secs_f64(pause / speed).unwrap_or_default());
        }
        write_out(&screen.pass(&text))?;
    }
    if std::io::stdout().is_terminal() {
        write_out(&screen.restore())?;
    }
    Ok(Exit::Done)
}

/// What the terminal showed at a moment.
fn picture_at(recording: &Recording, number: u32, at: f64) -> String {
    let mut picture = Picture::new(80, 24);
    for event in recording.events.iter().filter(|event| event.channel == number && event.seconds < at) {
        picture.feed(event);
    }
    picture.formatted()
}

/// What of an event appears on the screen.
fn shown(event: &Event, bare: bool) -> Option<String> {
    let lines = |text: &str| text.replace("\r\n", "\n").replace('\n', "\r\n");
    match &event.what {
        What::Bytes(Flow::Output | Flow::Stderr, bytes) => {
            let text = String::from_utf8_lossy(bytes);
            Some(if bare { lines(&text) } else { text.into_owned() })
        }
        What::Open(opened) => opened.command.as_ref().map(|command| format!("$ {}\r\n", lineman_common::printable::escape(command))),
        What::Sftp(op) => Some(lineman_common::printable::escape(&format!("sftp {} {} {}", op.op, op.path, op.result)) + "\r\n"),
        What::Note(note) => Some(format!("\r\n[{}]\r\n", lineman_common::printable::escape(note))),
        What::Truncated(_) => Some("\r\n[from here on only counted]\r\n".to_owned()),
        What::Bytes(Flow::Input, _) | What::Resize { .. } | What::Total { .. } | What::Exit { .. } | What::Other(..) => None,
    }
}

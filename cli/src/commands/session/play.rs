//! `lineman session play`: a recording at the speed it happened.

use std::fs::File;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use clap::Args;
use lineman_common::recording::{Event, Flow, Recording, What};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::screen::Screen;
use super::{channel, readable, source};
use crate::commands::App;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::write_out;
use crate::prompt::{CTRL_C, Raw};

/// Play a recording on this terminal: space pauses, `.` steps, + and - change the speed, q ends
///
/// In a pipe it is written at once, unless a speed is given. What the device printed can't reach beyond the screen: clipboard,
/// title and terminal queries are left out.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman session play ses_0123456789abcdef0123456789abcdef
  lineman session play ses_0123456789abcdef0123456789abcdef --speed 4 --idle-limit 1s
  lineman session play session.rec --channel 1")]
pub struct Play {
    /// A session's id, or a file with a raw recording
    #[arg(value_name = "ID|FILE")]
    session: String,
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
        let terminal = std::io::stdout().is_terminal();
        // Keys are read from the terminal itself; without one there is nobody to press them.
        let keys = (terminal && std::io::stdin().is_terminal()).then(|| File::open("/dev/tty").and_then(Raw::new).ok()).flatten();
        let mut player = Player {
            speed: self.speed.or(terminal.then_some(1.0)),
            idle_limit: self.idle_limit.map(|limit| Duration::from_secs(u64::from(limit))),
            keys,
            screen: Screen::default(),
        };
        let exit = player.play(&recording, number);
        if terminal {
            write_out(&player.screen.restore())?;
        }
        drop(player);
        if recording.end.is_none() {
            app.say(format!("the recording has no end record: it is truncated after chunk {}", recording.chunks.saturating_sub(1)));
        }
        exit
    }
}

struct Player {
    /// `None` = don't wait at all.
    speed: Option<f64>,
    idle_limit: Option<Duration>,
    keys: Option<Raw>,
    screen: Screen,
}

/// What the person wants after a wait.
enum Go {
    On,
    Stop(Exit),
}

impl Player {
    fn play(&mut self, recording: &Recording, number: u32) -> Outcome {
        let bare = recording.channels().any(|(channel, opened)| channel == number && opened.terminal.is_none());
        let mut before = 0.0;
        for event in recording.events.iter().filter(|event| event.channel == number) {
            let Some(text) = shown(event, bare) else { continue };
            let pause = Duration::try_from_secs_f64((event.seconds - before).max(0.0)).unwrap_or_default();
            before = event.seconds;
            if let Go::Stop(exit) = self.wait(pause)? {
                return Ok(exit);
            }
            write_out(&self.screen.pass(&text))?;
        }
        Ok(Exit::Done)
    }

    /// Waits as long as the recording says, minding the keys.
    fn wait(&mut self, pause: Duration) -> Result<Go, Failure> {
        let mut left = self.idle_limit.map_or(pause, |limit| pause.min(limit));
        let mut paused = false;
        loop {
            let Some(speed) = self.speed else { return Ok(Go::On) };
            if left.is_zero() && !paused {
                return Ok(Go::On);
            }
            let scaled = left.div_f64(speed);
            let Some(keys) = &mut self.keys else {
                std::thread::sleep(scaled);
                return Ok(Go::On);
            };
            let begun = Instant::now();
            let ready =
                wait_for_key(keys, (!paused).then_some(scaled)).map_err(|e| Failure::failed(format!("can't read the keyboard: {e}")))?;
            if !paused {
                left = left.saturating_sub(begun.elapsed().mul_f64(speed));
            }
            if !ready {
                return Ok(Go::On);
            }
            match keys.key().ok().flatten() {
                Some(b'q') | None => return Ok(Go::Stop(Exit::Done)),
                Some(CTRL_C) => return Ok(Go::Stop(Exit::Interrupted)),
                Some(b' ') => paused = !paused,
                Some(b'.') => return Ok(Go::On),
                Some(b'+') => self.speed = Some((speed * 2.0).min(1000.0)),
                Some(b'-') => self.speed = Some((speed / 2.0).max(0.01)),
                Some(_) => {}
            }
        }
    }
}

/// Is a key pressed within this time? `None` waits for ever.
fn wait_for_key(keys: &Raw, limit: Option<Duration>) -> std::io::Result<bool> {
    let timeout = limit.map(Timespec::try_from).transpose().map_err(std::io::Error::other)?;
    let mut fds = [PollFd::new(&keys.tty, PollFlags::IN)];
    match poll(&mut fds, timeout.as_ref()) {
        Ok(ready) => Ok(ready > 0),
        // A window that changes its size interrupts the wait; the rest of the pause is short enough to skip.
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
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

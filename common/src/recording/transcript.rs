//! Transcripts: what a session said, as lines of text, for reading and searching.
//!
//! A terminal's output goes through a [`Printer`]. A command is a line of its own, `$ COMMAND`; so is every SFTP operation and where
//! a forward leads. What was sent into a command is there too, each line after `< `: `ssh NE bash` with a script is a list of commands.
//! What was typed into a terminal is not: the terminal shows it, unless it is a password.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::printer::boundary;
pub use super::printer::{MOST_LINE_BYTES, Printer};
use super::{Event, Flow, Opened, Recording, SftpOperation, What};
use crate::printable::escape;

/// Channels that are kept in the middle of a line. One more, and the line of the one that was silent for longest is ended.
const MOST_CHANNELS: usize = 64;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    pub channel: u32,
    /// When the line ended, since the session's start.
    pub seconds: f64,
    pub text: String,
}

/// The whole transcript of a recording.
pub fn of(recording: &Recording) -> Vec<Line> {
    let mut transcript = Transcript::default();
    let mut lines: Vec<Line> = recording.events.iter().flat_map(|event| transcript.feed(event)).collect();
    lines.extend(transcript.rest());
    lines
}

/// Makes a transcript of events as they come; can be kept and taken up again between any two.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Transcript {
    channels: BTreeMap<u32, Channel>,
    /// The newest event's time.
    seconds: f64,
    /// Counts events, to know which channel was silent for longest.
    fed: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Channel {
    terminal: bool,
    output: Printer,
    errors: Printer,
    input: Printer,
    fed: u64,
}

impl Transcript {
    pub fn feed(&mut self, event: &Event) -> Vec<Line> {
        self.seconds = if event.seconds.is_finite() { event.seconds.clamp(0.0, 1e9) } else { 0.0 };
        let lines = match &event.what {
            What::Open(opened) => self.open(event.channel, opened),
            What::Bytes(flow, bytes) => self.print(event.channel, *flow, bytes),
            What::Resize { cols, .. } => {
                self.channel(event.channel).output.set_width(*cols);
                Vec::new()
            }
            What::Sftp(operation) => vec![sftp(operation)],
            What::Exit { .. } => self.channels.remove(&event.channel).map(Channel::rest).unwrap_or_default(),
            What::Truncated(_) | What::Total { .. } | What::Note(_) | What::Other(..) => Vec::new(),
        };
        let mut finished = self.crowded();
        finished.extend(self.lines(event.channel, lines));
        finished
    }

    /// The lines that nothing has ended, when nothing more comes.
    pub fn rest(&mut self) -> Vec<Line> {
        let channels = std::mem::take(&mut self.channels);
        channels.into_iter().flat_map(|(number, channel)| self.lines(number, channel.rest())).collect()
    }

    /// What is longer than a line may be becomes several.
    fn lines(&self, channel: u32, texts: Vec<String>) -> Vec<Line> {
        let seconds = self.seconds;
        texts.iter().flat_map(|text| pieces(text)).map(|text| Line { channel, seconds, text }).collect()
    }

    fn channel(&mut self, number: u32) -> &mut Channel {
        self.fed += 1;
        let channel = self.channels.entry(number).or_default();
        channel.fed = self.fed;
        channel
    }

    fn open(&mut self, number: u32, opened: &Opened) -> Vec<String> {
        let channel = self.channel(number);
        if let Some(terminal) = &opened.terminal {
            channel.terminal = true;
            channel.output.set_width(terminal.cols);
        }
        let command = opened.command.iter().flat_map(|command| command.lines()).map(|line| format!("$ {}", escape(line)));
        let target = opened.target.iter().map(|target| format!("forward to {}", escape(target)));
        command.chain(target).collect()
    }

    fn print(&mut self, number: u32, flow: Flow, bytes: &[u8]) -> Vec<String> {
        let channel = self.channel(number);
        match flow {
            Flow::Output => channel.output.print(bytes),
            // A terminal has one screen.
            Flow::Stderr if channel.terminal => channel.output.print(bytes),
            Flow::Stderr => channel.errors.print(bytes),
            Flow::Input if channel.terminal => Vec::new(),
            Flow::Input => channel.input.print(bytes).iter().map(|line| sent(line)).collect(),
        }
    }

    /// Ends the line of the channel that was silent for longest, when there are too many.
    fn crowded(&mut self) -> Vec<Line> {
        if self.channels.len() <= MOST_CHANNELS {
            return Vec::new();
        }
        let silent = self.channels.iter().min_by_key(|(_, channel)| channel.fed).map(|(number, _)| *number);
        let Some((number, channel)) = silent.and_then(|number| Some((number, self.channels.remove(&number)?))) else { return Vec::new() };
        self.lines(number, channel.rest())
    }
}

impl Channel {
    fn rest(mut self) -> Vec<String> {
        let sent = self.input.rest().iter().map(|line| sent(line)).collect();
        [sent, self.output.rest(), self.errors.rest()].concat()
    }
}

fn sent(line: &str) -> String {
    format!("< {line}")
}

fn sftp(operation: &SftpOperation) -> String {
    let mut line = format!("sftp {} {}", escape(&operation.op), escape(&operation.path));
    if let Some(to) = &operation.to {
        line.push_str(&format!(" -> {}", escape(to)));
    }
    if let Some(bytes) = operation.bytes {
        line.push_str(&format!(" ({bytes} bytes)"));
    }
    line.push_str(": ");
    line.push_str(&escape(&operation.result));
    line
}

/// A line that is too long, as several.
fn pieces(mut line: &str) -> Vec<String> {
    let mut pieces = Vec::new();
    while line.len() > MOST_LINE_BYTES {
        let (piece, rest) = line.split_at(boundary(line, MOST_LINE_BYTES));
        pieces.push(piece.to_owned());
        line = rest;
    }
    pieces.push(line.to_owned());
    pieces
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::recording::Terminal;
    use crate::session::Door;

    fn event(seconds: f64, channel: u32, what: What) -> Event {
        Event { seconds, channel, what }
    }

    fn command(command: &str) -> What {
        What::Open(Opened { door: Door::Exec, command: Some(command.into()), terminal: None, target: None })
    }

    fn bytes(flow: Flow, text: &str) -> What {
        What::Bytes(flow, text.into())
    }

    fn transcript(events: &[Event]) -> Vec<String> {
        let mut transcript = Transcript::default();
        let mut lines: Vec<Line> = events.iter().flat_map(|event| transcript.feed(event)).collect();
        lines.extend(transcript.rest());
        lines.into_iter().map(|line| format!("{}:{} {}", line.channel, line.seconds, line.text)).collect()
    }

    #[test]
    fn commands_files_forwards_and_what_was_sent_are_lines() {
        let operation = SftpOperation {
            op: "rename".into(),
            path: "/etc/\x1b[2Jx".into(),
            to: Some("/tmp/y".into()),
            bytes: None,
            sha256: None,
            result: "ok".into(),
        };
        let forward = Opened { door: Door::Forward, command: None, terminal: None, target: Some("10.0.0.5:443".into()) };
        let events = [
            event(0.5, 0, command("bash\nsecond")),
            event(1.0, 0, bytes(Flow::Input, "show ala")),
            event(1.5, 0, bytes(Flow::Output, "风\nno ")),
            event(1.5, 0, bytes(Flow::Stderr, "bash: show: not found\n")),
            event(2.0, 0, bytes(Flow::Input, "rms\n")),
            event(2.5, 0, What::Exit { status: Some(0), signal: None }),
            event(3.0, 1, What::Sftp(operation)),
            event(4.0, 2, What::Open(forward)),
        ];
        let expected = [
            "0:0.5 $ bash",
            "0:0.5 $ second",
            "0:1.5 风",
            "0:1.5 bash: show: not found",
            "0:2 < show alarms",
            "0:2.5 no",
            "1:3 sftp rename /etc/\\u{1b}[2Jx -> /tmp/y: ok",
            "2:4 forward to 10.0.0.5:443",
        ];
        assert_eq!(transcript(&events), expected);
    }

    #[test]
    fn a_terminals_input_is_not_in_it() {
        let terminal = Terminal { term: "xterm".into(), cols: 80, rows: 24 };
        let opened = Opened { door: Door::Shell, command: None, terminal: Some(terminal), target: None };
        let events = [
            event(0.0, 0, What::Open(opened)),
            event(1.0, 0, bytes(Flow::Input, "typed\n")),
            event(2.0, 0, bytes(Flow::Output, "shown\r\n")),
        ];
        assert_eq!(transcript(&events), ["0:2 shown"]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        /// Many channels, kept and taken up again at every event: the same lines, and no more state than the bound.
        #[test]
        fn state_is_bounded_and_can_be_kept(channels in proptest::collection::vec((0u32..200, "[a-z\r\n]{0,6}"), 0..300)) {
            let events: Vec<Event> = channels.iter().map(|(channel, text)| event(1.0, *channel, bytes(Flow::Output, text))).collect();
            let mut kept = Transcript::default();
            let mut lines = Vec::new();
            for event in &events {
                lines.extend(kept.feed(event));
                kept = serde_json::from_str(&serde_json::to_string(&kept).unwrap()).unwrap();
                prop_assert!(kept.channels.len() <= MOST_CHANNELS);
            }
            lines.extend(kept.rest());
            let lines: Vec<_> = lines.into_iter().map(|line| format!("{}:{} {}", line.channel, line.seconds, line.text)).collect();
            prop_assert_eq!(lines, transcript(&events));
        }
    }
}

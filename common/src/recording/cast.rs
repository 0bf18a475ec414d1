//! asciicast files: what players read. <https://docs.asciinema.org/manual/asciicast/v3/>
//!
//! Version 2 has the time since the beginning in each event, version 3 the time since the event before, and an event for the exit.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::event::round6;
use super::utf8::Joiner;
use super::{Event, Flow, Opened, Recording, What};

/// The largest time that a device is believed: an interval can be computed from any two.
const MOST_SECONDS: f64 = 1e9;

impl Recording {
    /// One channel as an asciicast v2 file.
    pub fn asciicast_v2(&self, channel: u32) -> String {
        let shape = Shape::of(self.opened(channel));
        let header = json!({
            "version": 2, "width": shape.cols, "height": shape.rows, "timestamp": self.bind.started.as_second(),
            "title": self.title(), "env": {"TERM": shape.term},
        });
        let mut file = header.to_string() + "\n";
        for shown in self.shown(channel, &shape) {
            if shown.code != "x" {
                file.push_str(&json!([round6(shown.seconds), shown.code, shown.data]).to_string());
                file.push('\n');
            }
        }
        file
    }

    /// One channel as an asciicast v3 file.
    pub fn asciicast_v3(&self, channel: u32) -> String {
        let shape = Shape::of(self.opened(channel));
        let mut header = json!({
            "version": 3, "term": {"cols": shape.cols, "rows": shape.rows, "type": shape.term},
            "timestamp": self.bind.started.as_second(), "title": self.title(),
        });
        if let Some(command) = self.opened(channel).and_then(|opened| opened.command.as_ref()) {
            header["command"] = json!(command);
        }
        let mut file = header.to_string() + "\n";
        // Counted in microseconds, so that the roundings of many intervals don't add up.
        let mut before_us = 0u64;
        for shown in self.shown(channel, &shape) {
            let at_us = micros(shown.seconds).max(before_us);
            let interval = (at_us - before_us) as f64 / 1e6;
            before_us = at_us;
            file.push_str(&json!([interval, shown.code, shown.data]).to_string());
            file.push('\n');
        }
        file
    }

    pub(super) fn opened(&self, channel: u32) -> Option<&Opened> {
        self.channels().find(|(number, _)| *number == channel).map(|(_, opened)| opened)
    }

    fn title(&self) -> String {
        format!("{} {}", self.bind.device, self.session)
    }

    fn shown(&self, channel: u32, shape: &Shape) -> Vec<Shown> {
        let mut joiners = BTreeMap::new();
        let events = self.events.iter().filter(|event| event.channel == channel);
        let mut shown: Vec<Shown> = events.filter_map(|event| Shown::of(event, shape, &mut joiners)).collect();
        let last = shown.last().map_or(0.0, |shown| shown.seconds);
        for (flow, mut joiner) in joiners {
            shown.extend(joiner.rest().map(|rest| Shown { seconds: last, code: code(flow), data: json!(rest) }));
        }
        shown
    }
}

/// What the first line says of the terminal.
struct Shape {
    cols: u32,
    rows: u32,
    term: String,
    /// A command's output has bare line feeds; a player needs carriage returns too.
    bare: bool,
}

impl Shape {
    fn of(opened: Option<&Opened>) -> Self {
        match opened.and_then(|opened| opened.terminal.as_ref()) {
            Some(terminal) => {
                // A client without a terminal of its own says 0.
                let known = |size: u32, usual: u32| if size == 0 { usual } else { size };
                Self { cols: known(terminal.cols, 80), rows: known(terminal.rows, 24), term: terminal.term.clone(), bare: false }
            }
            None => Self { cols: 80, rows: 24, term: "xterm-256color".into(), bare: true },
        }
    }
}

/// An event as a player takes it.
struct Shown {
    seconds: f64,
    code: &'static str,
    data: Value,
}

impl Shown {
    fn of(event: &Event, shape: &Shape, joiners: &mut BTreeMap<Flow, Joiner>) -> Option<Self> {
        let (code, data) = match &event.what {
            What::Bytes(flow, bytes) => {
                let text = joiners.entry(*flow).or_default().text(bytes);
                (code(*flow), if shape.bare && *flow != Flow::Input { text.replace("\r\n", "\n").replace('\n', "\r\n") } else { text })
            }
            What::Resize { cols, rows } => ("r", format!("{cols}x{rows}")),
            What::Sftp(op) => ("o", format!("sftp {} {} {}\r\n", op.op, op.path, op.result)),
            What::Exit { status, signal } => ("x", exit_status(*status, signal.as_deref()).to_string()),
            What::Open(_) | What::Truncated(_) | What::Total { .. } | What::Note(_) | What::Other(..) => return None,
        };
        (!data.is_empty()).then(|| Self { seconds: event.seconds, code, data: json!(data) })
    }
}

const fn code(flow: Flow) -> &'static str {
    match flow {
        Flow::Output | Flow::Stderr => "o",
        Flow::Input => "i",
    }
}

fn micros(seconds: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to what fits")]
    let micros = (seconds.clamp(0.0, MOST_SECONDS) * 1e6).round() as u64;
    micros
}

/// As a shell tells it: a signal is 128 and its number.
fn exit_status(status: Option<u32>, signal: Option<&str>) -> u32 {
    let number = match signal {
        Some("HUP") => 1,
        Some("INT") => 2,
        Some("QUIT") => 3,
        Some("ILL") => 4,
        Some("ABRT") => 6,
        Some("FPE") => 8,
        Some("KILL") => 9,
        Some("USR1") => 10,
        Some("SEGV") => 11,
        Some("USR2") => 12,
        Some("PIPE") => 13,
        Some("ALRM") => 14,
        Some("TERM") => 15,
        Some(_) => 127,
        None => return status.unwrap_or(255),
    };
    128 + number
}

#[cfg(test)]
mod tests;

//! What a channel asks for, and whether the consent allows it.

use std::collections::BTreeMap;

use lineman_common::recording::{Opened, Terminal};
use lineman_common::session::{Door, Doors};
use lineman_common::statement::sha256_hex;
use russh::{ChannelMsg, ChannelReadHalf};

use super::child::Job;
use super::pty::{Size, TerminalRequest};

/// The one subsystem.
pub const SFTP: &str = "sftp";
/// Environment variables that a client may set: how it writes, never what is run.
const MAX_VARIABLES: usize = 32;
const MAX_VALUE_BYTES: usize = 256;

/// A command line is recorded up to here.
const RECORDED_BYTES: usize = 64 * 1024;

const NO_MOSH: &str = "mosh is refused: its UDP does not reach this device, and nothing of it would be in the recording. Use ssh: its session \
                       survives a cut of the link by itself";

/// What a mosh client starts on the other side, however it writes that.
fn is_mosh(line: &[u8]) -> bool {
    let first = line.split(u8::is_ascii_whitespace).find(|word| !word.is_empty()).unwrap_or_default();
    let name = first.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    name.iter().filter(|byte| !matches!(byte, b'\'' | b'"')).eq(b"mosh-server")
}

/// Of a command, up to the end of a character.
fn recorded_bytes(command: &str) -> usize {
    if command.len() <= RECORDED_BYTES {
        return command.len();
    }
    (0..=RECORDED_BYTES).rev().find(|at| command.is_char_boundary(*at)).unwrap_or(0)
}

pub fn variable_allowed(name: &str) -> bool {
    name == "LANG" || (name.starts_with("LC_") && name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'))
}

/// Everything a channel said up to its start.
pub struct Ask {
    pub start: Start,
    pub terminal: Option<TerminalRequest>,
    pub env: BTreeMap<String, String>,
    /// What it asked for besides, and never gets.
    pub refused: Vec<&'static str>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    Shell,
    Command(Vec<u8>),
    Sftp,
}

/// Reads a channel up to its start; `None` when it closed before.
#[expect(clippy::wildcard_enum_match_arm, reason = "the enum is not ours and open; what isn't known here starts nothing")]
pub async fn read(channel: &mut ChannelReadHalf) -> Option<Ask> {
    let (mut terminal, mut env, mut refused) = (None::<TerminalRequest>, BTreeMap::new(), Vec::new());
    loop {
        let start = match channel.wait().await? {
            ChannelMsg::RequestPty { term, col_width, row_height, terminal_modes, .. } => {
                let term = if plain(&term) { term } else { "dumb".to_owned() };
                let size = Size { cols: col_width, rows: row_height };
                terminal = Some(TerminalRequest { term, size, modes: terminal_modes });
                continue;
            }
            ChannelMsg::WindowChange { col_width, row_height, .. } => {
                if let Some(terminal) = &mut terminal {
                    terminal.size = Size { cols: col_width, rows: row_height };
                }
                continue;
            }
            ChannelMsg::SetEnv { variable_name, variable_value, .. } => {
                let fits = env.len() < MAX_VARIABLES && variable_value.len() <= MAX_VALUE_BYTES && !variable_value.contains('\0');
                if variable_allowed(&variable_name) && fits {
                    env.insert(variable_name, variable_value);
                }
                continue;
            }
            ChannelMsg::AgentForward { .. } => {
                refuse(&mut refused, "forwarding of your SSH agent is refused: a consent opens no way from the device to your keys");
                continue;
            }
            ChannelMsg::RequestX11 { .. } => {
                refuse(&mut refused, "X11 forwarding is refused: a consent opens no way from the device to your screen");
                continue;
            }
            ChannelMsg::RequestShell { .. } => Start::Shell,
            ChannelMsg::Exec { command, .. } => Start::Command(command),
            ChannelMsg::RequestSubsystem { name, .. } if name == SFTP => Start::Sftp,
            ChannelMsg::Close => return None,
            // Data before the start, and requests that the handler has refused already.
            _ => continue,
        };
        return Some(Ask { start, terminal, env, refused });
    }
}

/// Once, however often it is asked for.
fn refuse(refused: &mut Vec<&'static str>, text: &'static str) {
    if !refused.contains(&text) {
        refused.push(text);
    }
}

fn plain(term: &str) -> bool {
    term.len() <= 64 && term.bytes().all(|b| b.is_ascii_graphic())
}

impl Ask {
    /// The door that this asks for. For SFTP the widest that the consent names.
    pub fn door(&self, doors: &Doors) -> Door {
        match self.start {
            Start::Shell => Door::Shell,
            Start::Command(_) => Door::Exec,
            Start::Sftp if doors.has(Door::SftpWrite) => Door::SftpWrite,
            Start::Sftp => Door::SftpRead,
        }
    }

    pub fn job(&self, doors: &Doors) -> Job {
        match &self.start {
            Start::Shell => Job::Shell,
            Start::Command(line) => Job::Command(line.clone()),
            Start::Sftp => Job::Sftp { write: doors.has(Door::SftpWrite) },
        }
    }

    /// What it asked for besides and doesn't get, in words.
    pub fn refusals(&self) -> impl Iterator<Item = String> {
        self.refused.iter().map(|text| (*text).to_owned())
    }

    pub fn command(&self) -> Option<String> {
        match &self.start {
            Start::Command(line) => Some(String::from_utf8_lossy(line).into_owned()),
            Start::Shell | Start::Sftp => None,
        }
    }

    /// For the recording, with a bounded part of the command.
    pub fn opened(&self, doors: &Doors) -> Opened {
        let terminal = |t: &TerminalRequest| Terminal { term: t.term.clone(), cols: t.size.cols, rows: t.size.rows };
        let command = self.command().map(|command| command[..recorded_bytes(&command)].to_owned());
        Opened { door: self.door(doors), command, terminal: self.terminal.as_ref().map(terminal), target: None }
    }

    /// What the recording says of a command that it doesn't hold as it came.
    pub fn remark(&self) -> Option<String> {
        let Start::Command(line) = &self.start else { return None };
        let whole = std::str::from_utf8(line).is_ok_and(|text| text.len() == recorded_bytes(text));
        let (bytes, sha256) = (line.len(), sha256_hex(line));
        (!whole)
            .then(|| format!("the command has {bytes} bytes, SHA-256 {sha256}; what is not text in it, and all after 64 KiB, is not shown"))
    }

    /// Why it is not done, for the person who reads it in `ssh`.
    pub fn refusal(&self, doors: &Doors) -> Option<String> {
        let door = self.door(doors);
        let (what, line) = match &self.start {
            Start::Shell => ("an interactive shell", &b""[..]),
            Start::Command(line) => ("commands", &line[..]),
            Start::Sftp => ("SFTP", &b""[..]),
        };
        if !doors.has(door) {
            return Some(format!("the consent does not allow {what}: it has no door `{door}`, only {doors}"));
        }
        is_mosh(line).then(|| NO_MOSH.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(line: &[u8]) -> Ask {
        Ask { start: Start::Command(line.to_vec()), terminal: None, env: BTreeMap::new(), refused: Vec::new() }
    }

    #[test]
    fn mosh_is_told_where_to_go_and_a_word_of_it_is_a_word() {
        let doors = Doors::new([Door::Exec]).unwrap();
        for line in ["mosh-server new -s", " mosh-server 'new'", "/usr/bin/mosh-server", "'mosh-server' new"] {
            assert_eq!(ask(line.as_bytes()).refusal(&doors).as_deref(), Some(NO_MOSH), "{line}");
        }
        for line in ["echo mosh-server", "mosh-server-status", "", "/"] {
            assert_eq!(ask(line.as_bytes()).refusal(&doors), None, "{line}");
        }
    }

    #[test]
    fn a_long_command_is_recorded_in_part_and_hashed_whole() {
        let doors = Doors::new([Door::Exec]).unwrap();
        let line = "风".repeat(100_000);
        let opened = ask(line.as_bytes()).opened(&doors).command.unwrap();
        assert!(opened.len() <= RECORDED_BYTES && opened.len() > RECORDED_BYTES - 3 && line.starts_with(&opened));
        let remark = ask(line.as_bytes()).remark().unwrap();
        assert!(remark.contains("300000 bytes") && remark.contains(&sha256_hex(&line)), "{remark}");
        assert_eq!(ask(b"ne show").remark(), None);
        assert!(ask(b"\xff").remark().unwrap().contains(&sha256_hex(b"\xff")), "what is not text is not shown as it is");
    }
}

//! Asking the person at the terminal. Nothing is asked when there is none: the caller says which flag or variable to use.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, IsTerminal, Read, Write};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::context::Secret;
use crate::exit::{Exit, Failure};

/// The terminal with echo, line editing and signals switched off; put back when dropped, also on the way out of an error.
/// Signals are off because a Ctrl-C would otherwise end the program and leave the terminal without echo.
pub struct Raw {
    pub tty: File,
    before: Termios,
}

impl Raw {
    pub fn new(tty: File) -> std::io::Result<Self> {
        let before = tcgetattr(&tty)?;
        let mut raw = before.clone();
        raw.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        tcsetattr(&tty, OptionalActions::Flush, &raw)?;
        Ok(Self { tty, before })
    }

    /// Reads one key; `None` at the end of input.
    pub fn key(&mut self) -> std::io::Result<Option<u8>> {
        let mut byte = [0];
        Ok((self.tty.read(&mut byte)? == 1).then_some(byte[0]))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = tcsetattr(&self.tty, OptionalActions::Now, &self.before);
    }
}

pub const CTRL_C: u8 = 3;
const CTRL_D: u8 = 4;
const BACKSPACE: [u8; 2] = [8, 127];

/// Asks for a secret on the terminal, without showing it. `instead` is what to do where there is no terminal.
pub fn secret(what: &str, instead: &str) -> Result<Secret, Failure> {
    let no_terminal = || Failure::usage(format!("{what} is needed, and there is no terminal to ask on")).hint(instead);
    let mut tty = OpenOptions::new().read(true).write(true).open("/dev/tty").map_err(|_| no_terminal())?;
    write!(tty, "{what}: ").map_err(|_| no_terminal())?;
    let mut raw = Raw::new(tty).map_err(|_| no_terminal())?;
    let line = silent_line(&mut raw);
    let _ = raw.tty.write_all(b"\n");
    let line = line.map_err(|e| Failure::failed(format!("can't read {what}: {e}")))?;
    let bytes = line.ok_or_else(|| Failure::new(Exit::Interrupted, "interrupted"))?;
    String::from_utf8(bytes).map(Secret::new).map_err(|_| Failure::failed(format!("{what} is not UTF-8 text")))
}

/// `None` = Ctrl-C.
fn silent_line(raw: &mut Raw) -> std::io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    loop {
        match raw.key()? {
            Some(CTRL_C) => return Ok(None),
            None | Some(b'\n' | b'\r' | CTRL_D) => return Ok(Some(line)),
            Some(key) if BACKSPACE.contains(&key) => {
                // One character, not one byte.
                while line.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
            }
            Some(key) => line.push(key),
        }
    }
}

/// The first line of stdin, for `--password-stdin`.
pub fn secret_from_stdin() -> Result<Secret, Failure> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(|e| Failure::failed(format!("can't read stdin: {e}")))?;
    let line = line.trim_end_matches(['\n', '\r']);
    if line.is_empty() { Err(Failure::usage("stdin holds no secret: expected it as the first line")) } else { Ok(Secret::new(line)) }
}

pub fn is_interactive() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks before something that can't be undone. Without a terminal only `--yes` lets it pass.
pub fn confirm(question: &str, yes: bool) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !is_interactive() {
        return Err(Failure::usage(format!("{question}: not done, because nobody can be asked")).hint("add --yes"));
    }
    let mut stderr = std::io::stderr();
    let _ = write!(stderr, "{question}? [y/N] ");
    let _ = stderr.flush();
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(|e| Failure::failed(format!("can't read the answer: {e}")))?;
    if matches!(line.trim(), "y" | "Y" | "yes") { Ok(()) } else { Err(Failure::new(Exit::Failed, "not done")) }
}

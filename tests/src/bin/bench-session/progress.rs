//! How far it is, on stderr: one line that changes on a terminal, a line for each kind of measurement in a file.

use std::io::{IsTerminal, Write};

pub struct Progress {
    what: String,
    of: u32,
    live: bool,
}

impl Progress {
    pub fn new(what: impl Into<String>, of: u32) -> Self {
        let progress = Self { what: what.into(), of, live: std::io::stderr().is_terminal() };
        if !progress.live {
            eprintln!("{}: {of}", progress.what);
        }
        progress
    }

    /// So many are done, and this comes next.
    pub fn at(&self, done: u32, next: &str) {
        if self.live {
            let mut stderr = std::io::stderr().lock();
            // The cursor goes home and the old line away: what fails next is written there.
            let _ = write!(stderr, "\r\x1b[K{}: {done}/{} {next}\r", self.what, self.of);
            let _ = stderr.flush();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.live {
            eprint!("\r\x1b[K");
        }
    }
}

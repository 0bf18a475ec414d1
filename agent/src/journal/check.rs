//! Does the journal hold together? What was removed or changed since it was written shows here.

use std::io;
use std::path::Path;

use serde::Serialize;

use super::{OLDER, Position, Written, head, number, texts, written};
use lineman_common::recording::FIRST_PREV;

/// Somebody who remembers a line: the head beside the file, or a sink that was sent it.
#[derive(Clone, Debug)]
pub struct Witness {
    pub name: String,
    pub position: Position,
}

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Checked {
    pub entries: u64,
    /// Numbers of the first and last entry that are there; 0 for none.
    pub first: u64,
    pub last: u64,
    /// What is wrong; empty when all is well.
    pub problems: Vec<String>,
    /// What is not wrong, but to be known: lines that a power cut tore.
    pub notes: Vec<String>,
}

/// Recomputes the chain, and asks the witnesses.
pub fn check(state: &Path, witnesses: &[Witness]) -> io::Result<Checked> {
    let own = head(state)?.map(|position| Witness { name: "journal.head".into(), position });
    let witnesses: Vec<_> = own.iter().chain(witnesses).collect();
    let mut checked = Checked::default();
    let mut before: Option<Position> = None;
    for raw in texts(state)? {
        let raw = raw?;
        let Some(line) = written(&raw) else {
            checked.unreadable(&raw, before.as_ref());
            continue;
        };
        checked.follows(&line, before.as_ref());
        let position = Position::of(&line);
        let denied = witnesses.iter().filter(|witness| witness.position.n == position.n && witness.position != position);
        checked.problems.extend(denied.map(|witness| format!("entry {}: {} remembers another one", position.n, witness.name)));
        before = Some(position);
    }
    checked.last = before.map_or(0, |position| position.n);
    let cut = witnesses.iter().filter(|witness| witness.position.n > checked.last);
    let cut = cut.map(|witness| format!("it ends with entry {}, but {} remembers {}", checked.last, witness.name, witness.position.n));
    checked.problems.extend(cut.collect::<Vec<_>>());
    Ok(checked)
}

impl Checked {
    fn unreadable(&mut self, raw: &[u8], before: Option<&Position>) {
        let after = before.map_or(0, |position| position.n);
        let numbered = number(raw).map_or_else(String::new, |n| format!(", it was to be entry {n}"));
        self.notes.push(format!("a line after entry {after} can't be read{numbered}: a power cut tore it, or somebody did"));
    }

    fn follows(&mut self, written: &Written, before: Option<&Position>) {
        let line = &written.line;
        self.entries += 1;
        let Some(before) = before else {
            self.first = line.n;
            if line.n > 1 {
                self.problems.push(format!(
                    "it begins with entry {}: entries 1 to {} are not here. Look for the `{OLDER}` that was moved away from this directory; \
                     if nobody has it, they were removed",
                    line.n,
                    line.n - 1
                ));
            } else if line.prev != FIRST_PREV {
                self.problems.push("entry 1 says that it follows another one".into());
            }
            return;
        };
        if line.n != before.n + 1 {
            self.problems
                .push(format!("entry {} follows entry {}: those between were removed, or the order was changed", line.n, before.n));
        } else if line.prev != before.sha256 {
            self.problems.push(format!("entry {} does not follow from entry {}: that one was changed", line.n, before.n));
        }
    }
}

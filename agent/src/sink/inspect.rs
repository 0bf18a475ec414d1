//! `lineman-agent journal`: the journal for people, and the question whether it is still what was written and sent.

use std::io::Write;
use std::path::Path;

use anyhow::Context;

use super::witnesses;
use crate::journal::{Checked, Line, check, read};

/// Prints the journal's lines.
pub fn show(state: &Path, json: bool, out: &mut impl Write) -> anyhow::Result<()> {
    let lines = read(state).with_context(|| format!("reading the journal in {}", state.display()))?;
    if json {
        serde_json::to_writer(&mut *out, &lines)?;
        return Ok(writeln!(out)?);
    }
    for Line { n, at, entry, .. } in &lines {
        writeln!(out, "{n}\t{at}\t{}\t{}", entry.kind(), entry.text())?;
    }
    Ok(())
}

/// Prints what a check finds; `true` when nothing is wrong.
pub fn examine(state: &Path, json: bool, out: &mut impl Write) -> anyhow::Result<bool> {
    let reading = || format!("reading the journal in {}", state.display());
    let checked = check(state, &witnesses(state).with_context(reading)?).with_context(reading)?;
    if json {
        serde_json::to_writer(&mut *out, &checked)?;
        writeln!(out)?;
        return Ok(checked.problems.is_empty());
    }
    let Checked { entries, first, last, problems, notes } = checked;
    match (entries, problems.is_empty()) {
        (0, true) => writeln!(out, "the journal is empty")?,
        (_, true) => writeln!(out, "ok    {entries} entries, {first} to {last}: each follows from the one before")?,
        (_, false) => writeln!(out, "WRONG {entries} entries, {first} to {last}")?,
    }
    let lines = problems.iter().map(|problem| ("wrong", problem)).chain(notes.iter().map(|note| ("note", note)));
    for (word, text) in lines {
        writeln!(out, "{word:<6}{text}")?;
    }
    Ok(problems.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{Entry, Journal, List};

    fn text(work: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        work(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn it_shows_and_checks() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(text(|out| assert!(examine(dir.path(), false, out).unwrap())), "the journal is empty\n");
        let journal = Journal::open(dir.path()).unwrap();
        for counter in 1..=2 {
            journal.write(&Entry::List { list: List::Roster, counter, sha256: "s".into() }).unwrap();
        }
        let shown = text(|out| show(dir.path(), false, out).unwrap());
        assert!(shown.lines().nth(1).unwrap().ends_with("\tlist\troster 2 counts from now on: s"), "{shown}");
        let json: serde_json::Value = serde_json::from_str(&text(|out| show(dir.path(), true, out).unwrap())).unwrap();
        assert_eq!((json[1]["n"].as_u64(), json[1]["kind"].as_str()), (Some(2), Some("list")));
        let fine = text(|out| assert!(examine(dir.path(), false, out).unwrap()));
        assert_eq!(fine, "ok    2 entries, 1 to 2: each follows from the one before\n");

        let path = dir.path().join("journal.log");
        let changed = std::fs::read_to_string(&path).unwrap().replacen("\"counter\":1", "\"counter\":7", 1);
        std::fs::write(&path, changed).unwrap();
        let wrong = text(|out| assert!(!examine(dir.path(), false, out).unwrap()));
        assert_eq!(wrong, "WRONG 2 entries, 1 to 2\nwrong entry 2 does not follow from entry 1: that one was changed\n");
        let json: serde_json::Value = serde_json::from_str(&text(|out| assert!(!examine(dir.path(), true, out).unwrap()))).unwrap();
        assert_eq!(json["problems"].as_array().unwrap().len(), 1);
    }
}

//! Mail, handed to the system's own mail program: `sendmail -t`, without a shell. Delivered means that it took the mail.

use std::process::Stdio;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use lineman_common::name::NeName;
use lineman_common::printable::escape;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use super::SendError;
use super::config::Mail;
use crate::journal::{Position, Written};

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const MAX_COMPLAINT_BYTES: u64 = 400;
/// Quoted-printable lines are this long at most.
const MAX_LINE_CHARS: usize = 76;

pub async fn send(to: &Mail, device: &NeName, entries: &[Written]) -> Result<(), SendError> {
    let program = |source| SendError::Io { what: "running the mail program", source };
    let mut child = Command::new(&to.sendmail)
        .args(["-t", "-i", "-f", &to.from])
        .env_clear()
        .env("PATH", PATH)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(program)?;
    let (stdin, stderr) = (child.stdin.take(), child.stderr.take());
    let text = message(to, device, entries, Timestamp::now());
    let write = async {
        let Some(mut stdin) = stdin else { return Ok(()) };
        stdin.write_all(text.as_bytes()).await?;
        stdin.shutdown().await
    };
    let complaint = async {
        let mut bytes = Vec::new();
        if let Some(stderr) = stderr {
            let _ = stderr.take(MAX_COMPLAINT_BYTES).read_to_end(&mut bytes).await;
        }
        escape(String::from_utf8_lossy(&bytes).trim())
    };
    let (written, complaint, ended) = tokio::join!(write, complaint, child.wait());
    let status = ended.map_err(program)?;
    if !status.success() {
        let said = if complaint.is_empty() { String::new() } else { format!(": {complaint}") };
        return Err(SendError::Answer(format!("{} ended with {status}{said}", to.sendmail.display())));
    }
    written.map_err(program)
}

/// One mail for these entries: what happened, in words, and the lines themselves.
fn message(to: &Mail, device: &NeName, entries: &[Written], now: Timestamp) -> String {
    let numbers = match entries {
        [one] => format!("{} (entry {})", one.line.entry.kind(), one.line.n),
        [first, .., last] => format!("{} entries, {} to {}", entries.len(), first.line.n, last.line.n),
        [] => "no entry".to_owned(),
    };
    let (Mail { to, from, .. }, date) = (to, jiff::fmt::rfc2822::to_string(&now.to_zoned(TimeZone::UTC)).unwrap_or_default());
    // The same entries make the same id: a mail that is sent twice can be seen to be one.
    let id = entries.last().map(|last| Position::of(last).sha256).unwrap_or_default();
    let said = entries.iter().map(|entry| format!("{}  {}  {}\n", entry.line.n, entry.line.at, entry.line.entry.text()));
    let lines = entries.iter().map(|entry| format!("{}\n", entry.text));
    let body = format!(
        "The journal of {device} says:\n\n{}\nThe same, as it stands there:\n\n{}",
        said.collect::<String>(),
        lines.collect::<String>()
    );
    format!(
        "From: {from}\nTo: {to}\nSubject: [lineman] {device}: {numbers}\nDate: {date}\nMessage-ID: <{id}@{device}>\n\
         Auto-Submitted: auto-generated\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\
         Content-Transfer-Encoding: quoted-printable\n\n{}",
        quoted_printable(&body)
    )
}

/// RFC 2045: every line short and ASCII, whatever is in it.
fn quoted_printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for line in text.split_inclusive('\n') {
        let mut length = 0;
        for byte in line.trim_end_matches('\n').bytes() {
            let plain = matches!(byte, b' '..=b'~') && byte != b'=';
            let width = if plain { 1 } else { 3 };
            if length + width >= MAX_LINE_CHARS {
                out.push_str("=\n");
                length = 0;
            }
            length += width;
            // A dot at the start of a line ends a mail for some programs, and a blank at its end gets lost.
            match byte {
                b'.' if length == 1 => out.push_str("=2E"),
                byte if plain => out.push(char::from(byte)),
                byte => out.push_str(&format!("={byte:02X}")),
            }
        }
        if line.ends_with('\n') {
            if out.ends_with(' ') {
                out.pop();
                out.push_str("=20");
            }
            out.push('\n');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_is_short_ascii_lines() {
        let text = format!("风扇 = 1 \n.\n{}\nend", "x".repeat(200));
        let quoted = quoted_printable(&text);
        assert!(quoted.is_ascii() && quoted.lines().all(|line| line.len() <= MAX_LINE_CHARS), "{quoted}");
        assert!(quoted.contains("=3D 1=20\n=2E\n"), "{quoted}");
        let joined = quoted.replace("=\n", "");
        let (mut bytes, mut rest) = (Vec::new(), joined.as_bytes());
        while let Some((first, tail)) = rest.split_first() {
            let (byte, tail) = match first {
                b'=' => (u8::from_str_radix(std::str::from_utf8(&tail[..2]).unwrap(), 16).unwrap(), &tail[2..]),
                byte => (*byte, tail),
            };
            bytes.push(byte);
            rest = tail;
        }
        assert_eq!(String::from_utf8(bytes).unwrap(), text);
    }
}

//! One step: chunks in, lines and keyframes out. Nothing here waits for anything.

use lineman_common::recording::transcript::Line;
use lineman_common::recording::{Broken, Chain, Event, Piece, What};

use super::screens::{Cameras, packed};
use super::{Digest, END_RECORD, Gain, MOST_KEYFRAME_BYTES, MOST_LINE_BYTES, MOST_LINES, MOST_SCREEN_BYTES, Shot};

/// Terminals of one session whose screens are kept.
const MOST_TERMINALS: usize = 8;
/// Of lines in one step.
const MOST_GAIN_BYTES: usize = 256 * 1024;
const FULL: &str = "(the transcript ends here: it would be too long)";

/// Reads the chunks that come next, as far as they follow one from the other.
pub fn read(mut digest: Digest, mut cameras: Cameras, page: &[(u64, String)]) -> (Digest, Cameras, Gain) {
    let mut gain = Gain::default();
    for (number, line) in page {
        let piece = match Piece::read(line, *number, None).and_then(|piece| follow(&mut digest, &piece).map(|()| piece)) {
            Ok(piece) => piece,
            Err(broken) => {
                digest.finished = Some(broken.to_string());
                end(&mut digest, &mut gain);
                break;
            }
        };
        for (events, event) in (1u32..).zip(&piece.events) {
            film(&mut digest, &mut cameras, &mut gain, event, events);
            let lines = if digest.state.is_full { Vec::new() } else { digest.state.transcript.feed(event) };
            keep(&mut digest, &mut gain, lines);
        }
        if let Some(reason) = piece.header.end {
            digest.finished = Some(format!("{END_RECORD}{reason}"));
            end(&mut digest, &mut gain);
        }
        // A little output can make long lines: what comes after is for the next step.
        if digest.finished.is_some() || gain.lines.iter().map(|line| line.text.len()).sum::<usize>() > MOST_GAIN_BYTES {
            break;
        }
    }
    (digest, cameras, gain)
}

fn follow(digest: &mut Digest, piece: &Piece) -> Result<(), Broken> {
    let chain = if digest.chunks == 0 {
        Chain::begin(piece)?
    } else {
        let head_sha256 = digest.head_sha256.clone();
        let mut chain = Chain { session: piece.header.session, chunks: digest.chunks, head_sha256, end: None };
        chain.follow(piece)?;
        chain
    };
    (digest.chunks, digest.head_sha256) = (chain.chunks, chain.head_sha256);
    Ok(())
}

/// Nothing more comes: the lines that nothing has ended are lines now.
fn end(digest: &mut Digest, gain: &mut Gain) {
    let lines = if digest.state.is_full { Vec::new() } else { digest.state.transcript.rest() };
    keep(digest, gain, lines);
    digest.state = super::State { is_full: digest.state.is_full, ..super::State::default() };
}

/// Blank lines are nothing to search, and the same line again and again (`yes`) is one.
fn keep(digest: &mut Digest, gain: &mut Gain, lines: Vec<Line>) {
    for line in lines {
        let again = gain.lines.iter().rev().find(|kept| kept.channel == line.channel).is_some_and(|kept| kept.text == line.text);
        if line.text.trim().is_empty() || again || digest.state.is_full {
            continue;
        }
        digest.lines += 1;
        digest.line_bytes += line.text.len() as u64;
        let is_full = digest.lines >= MOST_LINES || digest.line_bytes >= MOST_LINE_BYTES;
        if is_full {
            digest.state.is_full = true;
            digest.state.transcript = lineman_common::recording::transcript::Transcript::default();
        }
        gain.lines.push(if is_full { Line { text: FULL.into(), ..line } } else { line });
    }
}

fn film(digest: &mut Digest, cameras: &mut Cameras, gain: &mut Gain, event: &Event, events: u32) {
    let chunk = digest.chunks - 1;
    match &event.what {
        What::Open(opened) if opened.terminal.is_some() && digest.state.terminals.len() < MOST_TERMINALS => {
            digest.state.terminals.insert(event.channel, chunk);
            cameras.begin(event.channel);
        }
        What::Exit { .. } => {
            digest.state.terminals.remove(&event.channel);
            cameras.end(event.channel);
        }
        What::Open(_)
        | What::Bytes(..)
        | What::Resize { .. }
        | What::Sftp(_)
        | What::Truncated(_)
        | What::Total { .. }
        | What::Note(_)
        | What::Other(..) => {}
    }
    let Some(frame) = cameras.feed(event, digest.chunks, events) else { return };
    let screen = packed(&frame.screen);
    digest.keyframe_bytes += screen.len() as u64;
    if digest.keyframe_bytes <= MOST_KEYFRAME_BYTES && frame.screen.len() <= MOST_SCREEN_BYTES {
        digest.state.terminals.insert(event.channel, chunk);
        gain.frames.push(Shot { channel: event.channel, frame, screen });
    }
}

//! What a device prints, as transcript and as screen. However it is cut into pieces, it says the same lines; no line is too long or holds
//! what a terminal would act on; the screen keeps its size.
#![no_main]

use std::sync::Once;

use libfuzzer_sys::fuzz_target;
use lineman_common::recording::screen::{MOST_COLS, MOST_ROWS, Screen};
use lineman_common::recording::transcript::{MOST_LINE_BYTES, Printer, Transcript};
use lineman_common::recording::{Event, Flow, Opened, Terminal, What};
use lineman_common::session::Door;

/// The screen's crate may panic; the screen survives that. Every other panic counts.
fn only_ours() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let abort = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !panic.location().is_some_and(|at| at.file().contains("vt100")) {
                abort(panic);
            }
        }));
    });
}

fuzz_target!(|data: &[u8]| {
    only_ours();
    // The width, where it is cut, what the terminal is resized to; then what is printed.
    let Some(([width, cut, cols, rows], bytes)) = data.split_first_chunk::<4>() else { return };
    let cut = usize::from(*cut).min(bytes.len());
    let mut whole = Printer::wide(u32::from(*width));
    let mut pieces = whole.clone();
    let mut lines = whole.print(bytes);
    lines.extend(whole.rest());
    let mut cut_lines = pieces.print(&bytes[..cut]);
    cut_lines.extend(pieces.print(&bytes[cut..]));
    cut_lines.extend(pieces.rest());
    assert_eq!(lines, cut_lines, "however it is cut");
    for line in &lines {
        assert!(line.len() <= MOST_LINE_BYTES && !line.chars().any(char::is_control), "{line:?}");
    }

    let event = |what| Event { seconds: 1.0, channel: 0, what };
    let terminal = Terminal { term: "xterm".into(), cols: u32::from(*width) * 4, rows: u32::from(*rows) };
    let opened = Opened { door: Door::Shell, command: None, terminal: Some(terminal), target: None };
    let events = [
        event(What::Open(opened)),
        event(What::Bytes(Flow::Output, bytes[..cut].to_vec())),
        event(What::Resize { cols: u32::from(*cols) * 3, rows: u32::from(*rows) }),
        event(What::Bytes(Flow::Output, bytes[cut..].to_vec())),
    ];
    let (mut screen, mut transcript) = (Screen::new(80, 24), Transcript::default());
    for event in &events {
        screen.feed(event);
        let (cols, rows) = screen.size();
        assert!((1..=MOST_COLS).contains(&cols) && (1..=MOST_ROWS).contains(&rows));
        transcript.feed(event);
    }
    transcript.rest();
    let drawn = screen.formatted();
    let mut again = Screen::new(u32::from(screen.size().0), u32::from(screen.size().1));
    again.feed(&event(What::Bytes(Flow::Output, drawn.into_bytes())));
    assert_eq!(again.size(), screen.size());
});

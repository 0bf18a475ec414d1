use proptest::prelude::*;

use super::*;
use crate::recording::Terminal;
use crate::session::Door;

fn bytes(text: &[u8]) -> Event {
    Event { seconds: 0.0, channel: 0, what: What::Bytes(Flow::Output, text.to_vec()) }
}

fn resize(cols: u32, rows: u32) -> Event {
    Event { seconds: 0.0, channel: 0, what: What::Resize { cols, rows } }
}

fn shown(text: &str) -> String {
    let mut screen = Screen::new(20, 5);
    screen.feed(&bytes(text.as_bytes()));
    screen.text()
}

#[test]
fn it_shows_what_a_terminal_shows() {
    assert_eq!(shown("one\r\ntwo\x1b[1;1HO"), "One\ntwo");
    assert_eq!(shown("main\x1b[?1049h\x1b[Hvim\x1b[?1049l"), "main");
    assert_eq!(shown("\x1b]0;title\x07x\x1b[31my"), "xy");
    assert_eq!(shown("温度 42"), "温度 42");
    let mut screen = Screen::new(80, 24);
    screen.feed(&Event {
        seconds: 0.0,
        channel: 0,
        what: What::Open(Opened { door: Door::Exec, command: Some("x".into()), terminal: None, target: None }),
    });
    screen.feed(&bytes("a\nb\n".as_bytes()));
    assert_eq!(screen.text(), "a\nb", "a command's line feeds begin lines");
}

#[test]
fn what_is_drawn_again_is_the_same() {
    let mut screen = Screen::new(30, 6);
    screen.feed(&bytes("\x1b[1;31mred\x1b[0m plain 风扇\r\n\x1b[4;10Hhere\x1b[2;3H".as_bytes()));
    let mut copy = Screen::new(30, 6);
    copy.feed(&bytes(screen.formatted().as_bytes()));
    assert_eq!((copy.text(), copy.formatted()), (screen.text(), screen.formatted()));
}

#[test]
fn sizes_are_clamped() {
    for (cols, rows, expected) in [(0, 0, (80, 24)), (1, 1, (2, 2)), (u32::MAX, 1 << 20, (500, 200)), (132, 43, (132, 43))] {
        let mut screen = Screen::new(cols, rows);
        assert_eq!(screen.size(), expected);
        screen.feed(&resize(80, 24));
        screen.feed(&resize(cols, rows));
        assert_eq!(screen.size(), expected);
    }
}

/// A screen that becomes narrower cuts a wide character: what is there later still shows, on both screens.
#[test]
fn a_cut_wide_character_does_no_harm() {
    let mut screen = Screen::new(10, 4);
    screen.feed(&bytes("abcd风\r\nkept\x1b[?1049h\x1b[Habcd扇\x1b[2;1Halso".as_bytes()));
    screen.feed(&resize(5, 4));
    screen.feed(&bytes("\x1b[1;1H\x1b[4C\x1b[Kx".as_bytes()));
    assert_eq!(screen.text(), "abcdx\nalso");
    screen.feed(&bytes("\x1b[?1049l\x1b[1;5Hy\x1b[3;1H".as_bytes()));
    assert_eq!(screen.text(), "abcdy\nkept");
}

/// Each of these took the terminal seconds, and a chunk holds 8000 of them.
#[test]
fn counts_are_no_larger_than_the_screen() {
    let mut screen = Screen::new(500, 200);
    for sequence in ["\x1b[65535L", "\x1b[65535T", "\x1b[65535@", "\x1b[65535M", "\x1b[99999999999S"] {
        let mut safe = String::new();
        let mut tokens = Tokens::default();
        sequence.chars().for_each(|c| tokens.take(c, |token| write(&mut safe, token, false, 500)));
        assert!(numbers(&safe[2..safe.len() - 1]).all(|number| number <= 500), "{safe:?}");
        screen.feed(&bytes(sequence.as_bytes()));
    }
}

#[test]
fn keyframes_come_with_time_and_with_output() {
    let mut camera = Camera::new(80, 24);
    let terminal = Terminal { term: "xterm".into(), cols: 40, rows: 10 };
    let opened = Opened { door: Door::Shell, command: None, terminal: Some(terminal), target: None };
    let at = |seconds: f64, what: What| Event { seconds, channel: 0, what };
    let text = |text: &str| What::Bytes(Flow::Output, text.into());
    assert_eq!(camera.feed(&at(0.0, What::Open(opened)), 1, 1), None);
    assert_eq!(camera.feed(&at(1.0, text("$ ")), 1, 2), None);
    let frame = camera.feed(&at(11.0, text("id\r\n")), 2, 1).unwrap();
    assert_eq!((frame.seconds, frame.chunks, frame.events, frame.cols, frame.rows), (11.0, 2, 1, 40, 10));
    assert_eq!(camera.feed(&at(60.0, What::Note("silence".into())), 3, 1), None, "nothing changed");
    let flood = camera.feed(&at(60.5, text(&"x".repeat(70_000))), 4, 1);
    assert!(flood.is_some());
    let resumed = Camera::resume(&frame);
    assert!(resumed.screen().text().starts_with("$ id"));
}

fn output() -> impl Strategy<Value = Event> {
    prop_oneof![
        (0u32..30, 0u32..12).prop_map(|(cols, rows)| resize(cols, rows)),
        "[a-z风扇e\u{301}\u{1f600} ]{1,40}".prop_map(|text| bytes(text.as_bytes())),
        "(\x1b\\[\\??[0-9]{0,3}(;[0-9]{0,3}){0,2}[@A-MPSTXdfhlmr]|\x1b[78McDE]|[\r\n\t\x08\x0b\x0c]){1,12}"
            .prop_map(|text| bytes(text.as_bytes())),
        "\x1b\\[\\?(6|7|47|1047|1049|25)[hl]".prop_map(|text| bytes(text.as_bytes())),
        proptest::collection::vec(any::<u8>(), 0..12).prop_map(|raw| bytes(&raw)),
    ]
}

proptest! {
    #[test]
    fn whatever_comes_the_screen_stands(events in proptest::collection::vec(output(), 0..40)) {
        let mut camera = Camera::new(10, 4);
        for event in &events {
            camera.feed(event, 1, 1);
            let (cols, rows) = camera.screen().size();
            prop_assert!(cols <= MOST_COLS && rows <= MOST_ROWS);
        }
        let drawn = camera.screen().formatted();
        prop_assert!(drawn.len() < 40 * 500 * 200);
    }
}

use std::io::Write;
use std::process::{Command, Stdio};

use super::*;
use crate::id::{ConsentId, SessionId};
use crate::recording::{Bind, Terminal};
use crate::session::{Door, Grade};

fn recording(opened: Opened, events: Vec<(f64, What)>) -> Recording {
    let bind = Bind {
        device: "ne-1.jw.ne".parse().unwrap(),
        consent: ConsentId::new(),
        request_sha256: "r".into(),
        grade: Grade::EndToEnd,
        consents_sha256: vec!["c".into()],
        engineer: "engineer-a".parse().unwrap(),
        engineer_key: "k".into(),
        host_key: "h".into(),
        account: "nobody".into(),
        started: "2026-11-22T00:00:00Z".parse().unwrap(),
    };
    let mut recording = Recording::begun(SessionId::new(), bind);
    recording.events.push(Event { seconds: 0.0, channel: 0, what: What::Open(opened) });
    recording.events.extend(events.into_iter().map(|(seconds, what)| Event { seconds, channel: 0, what }));
    recording
}

fn terminal() -> Opened {
    let terminal = Terminal { term: "vt220".into(), cols: 100, rows: 30 };
    Opened { door: Door::Shell, command: None, terminal: Some(terminal), target: None }
}

fn session() -> Recording {
    let fan = "风扇".as_bytes();
    let events = vec![
        (0.25, What::Bytes(Flow::Output, b"$ ".to_vec())),
        (1.0, What::Bytes(Flow::Output, fan[..4].to_vec())),
        (1.5, What::Bytes(Flow::Output, [&fan[4..], b"\xff\r\n"].concat())),
        (1.25, What::Bytes(Flow::Output, b"late".to_vec())),
        (2.0, What::Resize { cols: 120, rows: 40 }),
        (2.5, What::Exit { status: None, signal: Some("KILL".into()) }),
        (3.0, What::Bytes(Flow::Output, vec![0xe9])),
    ];
    recording(terminal(), events)
}

/// The header, and the events.
fn read(file: &str) -> (Value, Vec<Value>) {
    let mut lines = file.lines().map(|line| serde_json::from_str(line).unwrap());
    (lines.next().unwrap(), lines.collect())
}

#[test]
fn version_2_has_times_and_whole_characters() {
    let (header, events) = read(&session().asciicast_v2(0));
    assert_eq!((&header["version"], &header["width"], &header["height"]), (&json!(2), &json!(100), &json!(30)));
    assert_eq!(header["env"]["TERM"], "vt220");
    let expected = [
        json!([0.25, "o", "$ "]),
        json!([1.0, "o", "风"]),
        json!([1.5, "o", "扇\u{fffd}\r\n"]),
        json!([1.25, "o", "late"]),
        json!([2.0, "r", "120x40"]),
        json!([2.5, "o", "\u{fffd}"]),
    ];
    assert_eq!(events, expected);
}

#[test]
fn version_3_has_intervals_and_the_exit() {
    let (header, events) = read(&session().asciicast_v3(0));
    assert_eq!(header["version"], 3);
    assert_eq!(header["term"], json!({"cols": 100, "rows": 30, "type": "vt220"}));
    assert_eq!(header["timestamp"], 1_795_305_600);
    let expected = [
        json!([0.25, "o", "$ "]),
        json!([0.75, "o", "风"]),
        json!([0.5, "o", "扇\u{fffd}\r\n"]),
        json!([0.0, "o", "late"]),
        json!([0.5, "r", "120x40"]),
        json!([0.5, "x", "137"]),
        json!([0.0, "o", "\u{fffd}"]),
    ];
    assert_eq!(events, expected);
}

#[test]
fn a_commands_output_is_shown_as_a_terminal_would() {
    let opened = Opened { door: Door::Exec, command: Some("uptime".into()), terminal: None, target: None };
    let events = vec![
        (0.5, What::Bytes(Flow::Output, b"a\nb\r\n".to_vec())),
        (0.5, What::Bytes(Flow::Stderr, b"c\n".to_vec())),
        (1.0, What::Exit { status: Some(7), signal: None }),
    ];
    let (header, events) = read(&recording(opened, events).asciicast_v3(0));
    assert_eq!((&header["command"], &header["term"]["cols"]), (&json!("uptime"), &json!(80)));
    assert_eq!(events, [json!([0.5, "o", "a\r\nb\r\n"]), json!([0.0, "o", "c\r\n"]), json!([0.5, "x", "7"])]);
}

/// `ssh -tt` in a script has no terminal to measure.
#[test]
fn an_unknown_size_is_the_usual_one() {
    let opened = Opened { terminal: Some(Terminal { term: "dumb".into(), cols: 0, rows: 0 }), ..terminal() };
    let (header, _) = read(&recording(opened, Vec::new()).asciicast_v3(0));
    assert_eq!(header["term"], json!({"cols": 80, "rows": 24, "type": "dumb"}));
}

/// Times that no clock has: neither a panic nor an interval that is not a number.
#[test]
fn impossible_times_are_bounded() {
    let events = [1e308, -5.0, 1e300].map(|seconds| (seconds, What::Bytes(Flow::Output, b"x".to_vec())));
    let (_, events) = read(&recording(terminal(), events.to_vec()).asciicast_v3(0));
    assert_eq!(events, [json!([1e9, "o", "x"]), json!([0.0, "o", "x"]), json!([0.0, "o", "x"])]);
}

/// With the player itself, where it is installed.
#[test]
fn asciinema_plays_it() {
    let Ok(version) = Command::new("asciinema").arg("--version").output() else {
        eprintln!("asciinema is not installed: not tried");
        return;
    };
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    let reads_v3 =
        version.split(' ').nth(1).and_then(|number| number.split('.').next()?.parse::<u32>().ok()).is_some_and(|major| major >= 3);
    let session = session();
    for (file, is_read) in [(session.asciicast_v2(0), true), (session.asciicast_v3(0), reads_v3)] {
        if is_read {
            let args = ["play", "--speed", "100", "-"];
            let mut player = Command::new("asciinema").args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
            player.stdin.take().unwrap().write_all(file.as_bytes()).unwrap();
            let output = player.wait_with_output().unwrap();
            assert_eq!(String::from_utf8_lossy(&output.stdout), "$ 风扇\u{fffd}\r\nlate\u{fffd}");
        }
    }
}

//! Watching: every chunk verified before it shows, whoever comes late, whatever breaks.

use std::fmt::Write;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lineman_common::api::SessionState;
use lineman_common::recording::{Event, Flow, Opened, Terminal as Shape, What};
use lineman_common::session::{Door, EndReason};

use super::live::Live;
use super::pty::Terminal;
use super::recorded::Story;
use super::server::{Answer, Server, json as answer};
use super::testing::World;
use super::{at, ends, run, stderr, stdout};

/// Chunks as frames of the stream.
pub fn frames(lines: &[String], from: usize) -> String {
    lines.iter().enumerate().skip(from).fold(": hello\n\n".to_owned(), |mut text, (number, line)| {
        let _ = write!(text, "event: chunk\nid: {number}\ndata: {line}\n\n");
        text
    })
}

pub fn end_frame(story: &Story) -> String {
    let session = lineman_common::api::Session { state: SessionState::Ended, end_reason: story.end, ..story.shown(story.chunks) };
    format!("event: end\ndata: {}\n\n", serde_json::to_string(&session).unwrap())
}

/// A centre whose stream is `stream`, which gets how often it was asked, and from which chunk on.
fn centre(story: &Story, stream: impl Fn(usize, usize) -> String + Send + Sync + 'static) -> Server {
    let (world, view, session, shown) = (story.world.clone(), story.view(), story.session, story.shown(story.chunks));
    let asked_before = AtomicUsize::new(0);
    Server::start(move |route, asked| {
        if route == format!("GET /api/v1/sessions/{session}/watch") {
            let from = asked.query.strip_prefix("from=").unwrap().parse().unwrap();
            let text = stream(asked_before.fetch_add(1, Ordering::Relaxed), from);
            return Answer(axum::http::StatusCode::OK, "text/event-stream; charset=utf-8", text);
        }
        if route == format!("GET /api/v1/sessions/{session}") {
            return answer(&shown);
        }
        if route == "GET /api/v1/trust/JW" {
            return answer(world.bundle());
        }
        if route == format!("GET /api/v1/consents/{}", world.id) {
            return answer(&view);
        }
        Answer(axum::http::StatusCode::NOT_FOUND, "text/plain", route.to_owned())
    })
}

fn engineer(server: &Server, story: &Story) -> Command {
    let mut command = at(server, story.world.home());
    command.env("LINEMAN_TRUST", story.world.vendor_trust());
    command
}

fn story(chunks: u64) -> Story {
    Story { state: SessionState::Live, ..Story::new(&Arc::new(World::new()), chunks) }
}

#[test]
fn in_a_pipe_it_is_the_transcript_across_a_cut_connection() {
    let story = story(5);
    let (lines, end, id) = (story.lines(), end_frame(&story), story.session.to_string());
    // Cut off in the middle of the third chunk.
    let server = centre(&story, move |time, from| match time {
        0 => {
            let all = frames(&lines[..3], from);
            all[..all.len() - 40].to_owned()
        }
        _ => frames(&lines, from) + &end,
    });
    let output = run(&mut engineer(&server, &story), &["session", "watch", &id]);
    ends(&output, 0);
    assert_eq!(
        stdout(&output),
        "+00:00  #0 $ ne show fan\n+00:00  #0 风扇 0\n+00:01  #0 风扇 1\n+00:02  #0 风扇 2\n+00:03  #0 风扇 3\n+00:04  #0 风扇 4\n"
    );
    let said = stderr(&output);
    assert!(said.contains("tech-jw vouches for ne-1.jw.ne") && said.contains("ended: client; 5 chunks, verified"), "{said}");
    let asked: Vec<_> = server.asked().into_iter().filter(|asked| asked.path.ends_with("/watch")).collect();
    assert_eq!(asked.iter().map(|asked| asked.query.as_str()).collect::<Vec<_>>(), ["from=0", "from=2"]);
    assert_eq!(asked[1].header("last-event-id"), "1");
}

#[test]
fn as_json_it_is_every_event() {
    let story = story(2);
    let (lines, end, id) = (story.lines(), end_frame(&story), story.session.to_string());
    let server = centre(&story, move |_, from| frames(&lines, from) + &end);
    let output = run(&mut engineer(&server, &story), &["session", "watch", &id, "-o", "json"]);
    ends(&output, 0);
    let values: Vec<serde_json::Value> = stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(values.len(), 4);
    assert_eq!((&values[0]["code"], &values[0]["data"]["command"]), (&"open".into(), &"ne show fan".into()));
    assert_eq!(values[2]["chunk"], 1);
    assert_eq!((&values[2]["code"], &values[2]["verified"], &values[2]["seconds"]), (&"o".into(), &true.into(), &1.0.into()));
    assert_eq!(values[3], serde_json::json!({"end": "client", "chunks": 2, "verified": true}));
}

#[test]
fn what_does_not_hold_is_named_and_not_shown() {
    let changed = |change: &dyn Fn(&mut Vec<String>, &Story), named: &str| {
        let story = story(4);
        let (mut lines, end, id) = (story.lines(), end_frame(&story), story.session.to_string());
        change(&mut lines, &story);
        let server = centre(&story, move |_, from| frames(&lines, from) + &end);
        let output = run(&mut engineer(&server, &story), &["session", "watch", &id]);
        ends(&output, 8);
        assert!(stderr(&output).contains(named), "{}", stderr(&output));
        stdout(&output)
    };
    let shown = changed(&|lines, _| lines[2] = lines[2].replace("风扇 2", "风扇 9"), "chunk 2");
    assert!(shown.contains("风扇 1") && !shown.contains("风扇 9"), "{shown}");
    changed(&|lines, _| drop(lines.remove(2)), "chunk 2: it says it is number 3");
    changed(&|lines, _| lines.swap(1, 2), "chunk 1");
    changed(&|lines, _| drop(lines.pop()), "without an end record");
    changed(&|lines, _| lines.clear(), "there is no chunk at all");
    // Another session of the same device; and the right session, signed by another device.
    let shown = changed(&|lines, story| *lines = Story::new(&story.world, 4).lines(), "it is the recording of");
    assert_eq!(shown, "");
    let forged = |lines: &mut Vec<String>, story: &Story| {
        let events: Vec<_> = (0..4).map(Story::events).collect();
        let chunks = story.chunks_of(&super::testing::key(), &story.bind(), &events);
        *lines = chunks.iter().map(|chunk| serde_json::to_string(chunk).unwrap()).collect();
    };
    assert_eq!(changed(&forged, "chunk 0"), "");
}

#[test]
fn a_machine_that_believes_nobody_says_so() {
    let story = story(2);
    let (lines, end, id) = (story.lines(), end_frame(&story), story.session.to_string());
    let server = centre(&story, move |_, from| frames(&lines, from) + &end);
    let home = tempfile::tempdir().unwrap();
    let output = run(&mut at(&server, home.path()), &["session", "watch", &id]);
    ends(&output, 1);
    assert!(stderr(&output).contains("vendor root"), "{}", stderr(&output));
    let output = run(&mut at(&server, home.path()), &["session", "watch", &id, "--unverified"]);
    ends(&output, 0);
    assert!(stderr(&output).contains("NOT VERIFIED"), "{}", stderr(&output));
}

/// A shell on a terminal of 40 x 10: chunk 0 opens it, the others print.
fn shell(number: u64) -> Vec<Event> {
    let event = |what| Event { seconds: 0.5, channel: 0, what };
    let shape = Shape { term: "xterm".into(), cols: 40, rows: 10 };
    match number {
        0 => vec![event(What::Open(Opened { door: Door::Shell, command: None, terminal: Some(shape), target: None }))],
        1 => vec![event(What::Bytes(Flow::Output, "scrolled away\r\n\x1b[2J\x1b[H\x1b[31mfan 2\x1b[0m stopped\x1b]0;owned\x07".into()))],
        2 => vec![event(What::Bytes(Flow::Output, "\r\nreset fan-2\r\n".into()))],
        _ => vec![event(What::Exit { status: Some(0), signal: None })],
    }
}

#[test]
fn on_a_terminal_latecomers_see_the_screen_as_it_is_and_can_end_the_session() {
    let story = Story { end: Some(EndReason::Killed), chunks: 2, ..story(4) };
    let events: Vec<_> = (0..4).map(shell).collect();
    let lines: Vec<String> =
        story.chunks_of(&story.world.host_key, &story.bind(), &events).iter().map(|chunk| serde_json::to_string(chunk).unwrap()).collect();
    let live = Live::start(&story);
    live.send(&frames(&lines[..2], 0));
    let mut command = super::lineman(story.world.home());
    command.env("LINEMAN_SERVER", &live.url).env("LINEMAN_TOKEN", "token-1").env("LINEMAN_TRUST", story.world.vendor_trust());
    let mut terminal = Terminal::start(&mut command, &["session", "watch", &story.session.to_string()], (100, 16));
    drop(command);
    terminal.shows("fan 2 stopped");
    assert!(!terminal.screen().contains("scrolled away"));
    terminal.shows("engineer-a@ne-1.jw.ne  read only  2 chunks verified  q leaves  k ends it  channel 0 (shell)");
    assert!(terminal.raw().contains("\x1b]2;engineer-a on ne-1.jw.ne (read only)\x07"), "no title");
    assert!(!terminal.raw().contains("owned"), "the device changed the title");
    // What comes, comes.
    live.send(&frames(&lines[..3], 2));
    terminal.shows("reset fan-2");
    terminal.shows("3 chunks");
    // A reason, a doubt, and a yes.
    terminal.press("kwrong fan");
    terminal.shows("why should the session of engineer-a end? wrong fan_");
    terminal.press("\x1b");
    terminal.until("back", |screen| screen.contains("k ends it"));
    assert_eq!(live.killed(), None);
    terminal.press("kwrong fan\r");
    terminal.shows("end the session of engineer-a on ne-1.jw.ne: wrong fan?");
    terminal.press("y");
    terminal.shows("asked the device to end it");
    assert_eq!(live.killed().as_deref(), Some("wrong fan"));
    live.send(&(frames(&lines, 3) + &end_frame(&story)));
    assert_eq!(terminal.ends(), Some(0));
    // What was seen last stays on the screen, and the end is said.
    terminal.shows("ended: killed; 4 chunks, verified");
    terminal.shows("reset fan-2");
}

#[test]
fn leaving_ends_the_watch_and_not_the_session() {
    let story = Story { chunks: 1, ..story(1) };
    let live = Live::start(&Story { end: None, ..Story::new(&story.world, 1) });
    for (key, code) in [("q", 0), ("\x03", 130)] {
        let story = &live.story;
        live.send(&frames(&story.lines(), 0));
        let mut command = super::lineman(story.world.home());
        command.env("LINEMAN_SERVER", &live.url).env("LINEMAN_TOKEN", "token-1").env("LINEMAN_TRUST", story.world.vendor_trust());
        let mut terminal = Terminal::start(&mut command, &["session", "watch", &story.session.to_string()], (100, 16));
        terminal.shows("read only");
        terminal.press(key);
        assert_eq!(terminal.ends(), Some(code));
        assert_eq!(live.killed(), None);
    }
}

use std::sync::Arc;

use lineman_common::api::{GrepHit, List, Listing, RecordingState, Session, SessionRow};
use lineman_common::link::SessionSummary;
use lineman_common::recording::{Event, Flow, Opened, Terminal as Shape, What};
use lineman_common::session::{Door, Grade};

use super::pty::Terminal;
use super::recorded::Story;
use super::server::{Server, json as answer};
use super::testing::World;
use super::{at, ends, lineman, run, stderr, stdout};

#[test]
fn a_recording_is_proven_online_and_offline() {
    let world = Arc::new(World::new());
    let story = Story::new(&world, 4);
    let server = story.centre();
    let id = story.session.to_string();
    let vendor = || {
        let mut command = at(&server, world.home());
        command.env("LINEMAN_TRUST", world.vendor_trust());
        command
    };
    let output = run(&mut vendor(), &["session", "verify", &id]);
    ends(&output, 0);
    assert!(stdout(&output).contains("believed because\ttech-jw vouches for ne-1.jw.ne"), "{}", stdout(&output));

    let file = world.path("session.rec");
    let file = file.to_str().unwrap();
    ends(&run(&mut vendor(), &["session", "export", &id, "--format", "raw", "-o", file]), 0);
    let offline = |args: &[&str]| {
        run(lineman(world.home()).env("LINEMAN_TRUST", world.carrier_trust()), &[&["session", "verify", file], args].concat())
    };
    ends(&offline(&[]), 0);

    let public = world.path("host.pub");
    std::fs::write(&public, lineman_common::statement::device::openssh(world.host_key.public_key())).unwrap();
    ends(&offline(&["--host-key", public.to_str().unwrap()]), 0);
    std::fs::write(&public, lineman_common::statement::device::openssh(world.gateway.public_key())).unwrap();
    ends(&offline(&["--host-key", public.to_str().unwrap()]), 8);

    // One byte changed, a chunk dropped, the end missing: each is named.
    let whole = std::fs::read_to_string(file).unwrap();
    let lines: Vec<_> = whole.lines().collect();
    std::fs::write(file, whole.replace("风扇 2", "风扇 9")).unwrap();
    let output = offline(&[]);
    ends(&output, 8);
    assert!(stderr(&output).contains("chunk 2"), "{}", stderr(&output));
    std::fs::write(file, [&lines[..1], &lines[2..]].concat().join("\n")).unwrap();
    let output = offline(&[]);
    ends(&output, 8);
    assert!(stderr(&output).contains("chunk 1"), "{}", stderr(&output));
    std::fs::write(file, lines[..3].join("\n")).unwrap();
    let output = offline(&[]);
    ends(&output, 8);
    assert!(stdout(&output).contains("truncated after chunk 2"), "{}", stdout(&output));
    assert!(stderr(&output).contains("without an end record"), "{}", stderr(&output));
}

#[test]
fn a_recording_is_bound_to_its_session() {
    let world = Arc::new(World::new());
    let story = Story::new(&world, 2);
    // The centre shows another session's recording.
    let server = story.centre_with(Story::new(&world, 2).lines());
    let id = story.session.to_string();
    let output = run(at(&server, world.home()).env("LINEMAN_TRUST", world.vendor_trust()), &["session", "verify", &id]);
    ends(&output, 8);
    assert!(stderr(&output).contains("it is the recording of"), "{}", stderr(&output));
}

#[test]
fn a_recording_is_exported_and_played() {
    let world = Arc::new(World::new());
    let story = Story::new(&world, 3);
    let server = story.centre();
    let id = story.session.to_string();
    let output = run(&mut at(&server, world.home()), &["session", "export", &id]);
    ends(&output, 0);
    let text = stdout(&output);
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines[0]["version"].as_i64(), lines.len()), (Some(2), 4));
    let output = run(&mut at(&server, world.home()), &["session", "export", &id, "--format", "txt"]);
    assert_eq!(stdout(&output), "+00:00  $ ne show fan\n+00:00  风扇 0\n+00:01  风扇 1\n+00:02  风扇 2\n");
    let output = run(&mut at(&server, world.home()), &["session", "export", &id, "--format", "cast3"]);
    let first: serde_json::Value = serde_json::from_str(stdout(&output).lines().next().unwrap()).unwrap();
    assert_eq!(first["version"], 3);

    // In a pipe it plays at once, and what would reach beyond the screen is left out.
    let output = run(&mut at(&server, world.home()), &["session", "play", &id]);
    ends(&output, 0);
    assert_eq!(stdout(&output), "$ ne show fan\r\n风扇 0\r\n风扇 1\r\n风扇 2\r\n");
    let output = run(&mut at(&server, world.home()), &["session", "play", &id, "--channel", "5"]);
    ends(&output, 3);
    assert!(stderr(&output).contains("0 (exec)"), "{}", stderr(&output));
}

#[test]
fn a_place_in_a_recording_is_sought() {
    let world = Arc::new(World::new());
    let story = Story::new(&world, 4);
    let server = story.centre();
    let id = story.session.to_string();
    for place in ["2s", "+00:02", "0:02"] {
        let output = run(&mut at(&server, world.home()), &["session", "play", &id, "--at", place]);
        ends(&output, 0);
        assert_eq!(stdout(&output), "风扇 2\r\n风扇 3\r\n", "{place}");
    }
    let output = run(&mut at(&server, world.home()), &["session", "play", &id, "--at", "soon"]);
    ends(&output, 2);
    assert!(stderr(&output).contains("expected 3m12s, or +03:12"), "{}", stderr(&output));
}

/// A shell that prints the seconds it has been open: 0 to 59, on a terminal of 20 x 4.
fn counting_shell(story: &Story) -> Vec<String> {
    let shape = Shape { term: "xterm".into(), cols: 20, rows: 4 };
    let opened = Opened { door: Door::Shell, command: None, terminal: Some(shape), target: None };
    let mut events = vec![vec![Event { seconds: 0.0, channel: 0, what: What::Open(opened) }]];
    events.extend((0..60).map(|second: u32| {
        let line = format!("second {second}\r\n");
        vec![Event { seconds: f64::from(second), channel: 0, what: What::Bytes(Flow::Output, line.into_bytes()) }]
    }));
    let chunks = story.chunks_of(&story.world.host_key, &story.bind(), &events);
    chunks.iter().map(|chunk| serde_json::to_string(chunk).unwrap()).collect()
}

#[test]
fn on_a_terminal_keys_pause_and_seek() {
    let world = Arc::new(World::new());
    let story = Story::new(&world, 3);
    let server = story.centre_with(counting_shell(&story));
    let mut command = at(&server, world.home());
    let args = ["session", "play", &story.session.to_string(), "--at", "30s", "--speed", "0.01"];
    let mut terminal = Terminal::start(&mut command, &args, (100, 10));
    drop(command);
    terminal.shows("second 30\n");
    terminal.shows("engineer-a@ne-1.jw.ne  +00:30 of +00:59  playing x0.01");
    terminal.press(" ");
    terminal.shows("paused");
    terminal.press("\x1b[C");
    terminal.shows("second 35\n");
    terminal.press("\x1b[D\x1b[D");
    terminal.until("back to 25", |screen| screen.contains("second 25\n") && !screen.contains("second 26"));
    terminal.press(".");
    terminal.shows("second 26\n");
    terminal.press("q");
    assert_eq!(terminal.ends(), Some(0));
    terminal.shows("second 26");
}

#[test]
fn a_screen_is_shown_as_it_was_in_a_pipe_too() {
    let world = Arc::new(World::new());
    let story = Story::new(&world, 3);
    let server = story.centre_with(counting_shell(&story));
    let output = run(&mut at(&server, world.home()), &["session", "play", &story.session.to_string(), "--at", "30s"]);
    ends(&output, 0);
    let text = stdout(&output);
    assert!(text.contains("second 29") && !text.contains("second 20"), "{text}");
    assert!(text.ends_with("second 59\r\n"), "{text}");
}

fn hit(story: &Story, seconds: f64, line: &str) -> GrepHit {
    GrepHit {
        session: story.session,
        fault: story.world.fault.clone(),
        device: story.world.device.clone(),
        engineer: "engineer-a".parse().unwrap(),
        channel: 3,
        seconds,
        at: story.started,
        line: line.into(),
    }
}

#[test]
fn recordings_are_searched() {
    let world = Arc::new(World::new());
    let story = Story::new(&world, 1);
    let hits = vec![hit(&story, 194.5, "Fan 2 stopped\x1b[2J"), hit(&story, 3700.0, "fan 2 runs")];
    let server = Server::start(move |route, _| match route {
        "GET /api/v1/sessions/grep" => answer(List::from(hits.clone())),
        other => panic!("{other} was asked"),
    });
    let args = ["session", "grep", "fan 2", "--customer", "JW", "--fault", "F-JW-1", "--engineer", "engineer-a", "--limit", "5"];
    let output = run(&mut at(&server, world.home()), &args);
    ends(&output, 0);
    let text = stdout(&output);
    assert!(text.starts_with("session\tat\tengineer\tdevice\tfault\tchannel\tplace\tline\n"), "{text}");
    assert!(text.contains("\t3\t+03:14\tFan 2 stopped\\u{1b}[2J\n") && text.contains("\t+1:01:40\tfan 2 runs\n"), "{text}");
    let next = format!("lineman session play {} --channel 3 --at 3m12s", story.session);
    assert!(stderr(&output).contains(&next), "{}", stderr(&output));
    assert_eq!(server.asked()[0].query, "q=fan+2&customer=JW&fault=F-JW-1&engineer=engineer-a&limit=5");
    // For people, with the match marked.
    let mut command = at(&server, world.home());
    let output = run(command.env("CLICOLOR_FORCE", "1"), &["session", "grep", "fan 2", "-o", "table"]);
    assert!(stdout(&output).contains("engineer-a@ne-1.jw.ne  +03:14  \x1b[1;31mFan 2\x1b[0m stopped\\u{1b}[2J\n"), "{}", stdout(&output));
    let output = run(&mut at(&server, world.home()), &["session", "grep", "fan 2", "-o", "json"]);
    let found: Vec<GrepHit> = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!((found.len(), found[0].seconds), (2, 194.5));
}

#[test]
fn nothing_found_is_an_exit_code() {
    let world = World::new();
    let server = Server::start(|_, _| answer(List::<GrepHit>::from(Vec::new())));
    let output = run(&mut at(&server, world.home()), &["session", "grep", "nothing"]);
    ends(&output, 3);
    assert!(stderr(&output).contains("no recording that you may see holds `nothing`"), "{}", stderr(&output));
    ends(&run(&mut at(&server, world.home()), &["session", "grep", " "]), 2);
    assert_eq!(server.asked().len(), 1, "an empty text was sent");
}

#[test]
fn a_session_shows_who_let_it_in_and_what_it_left_behind() {
    let world = Arc::new(World::new());
    let mut story = Story::of_grade(&world, Grade::Gateway);
    story.consents = vec![story.consent("approver-jw", &world.approver, "exec")];
    story.local = Some(story.local());
    let (session, view, shown) = (story.session, story.view(), story.shown(3));
    let summary = SessionSummary {
        channels: 2,
        commands: vec!["ne show fan".into()],
        forwards: vec!["10.0.0.5:443".into()],
        leftovers: vec!["process 71 (sleep)".into(), "crontab of nobody changed".into()],
        ..SessionSummary::default()
    };
    let shown = Session { summary: Some(summary), ..shown };
    let server = Server::start(move |route, _| match route {
        route if route == format!("GET /api/v1/sessions/{session}") => answer(&shown),
        "GET /api/v1/sessions" => answer(Listing { items: vec![row(shown.clone())], ..Listing::empty(jiff::Timestamp::now()) }),
        _ => answer(&view),
    });
    let output = run(&mut at(&server, world.home()), &["session", "show", &session.to_string()]);
    ends(&output, 0);
    let text = stdout(&output);
    for line in [
        "grade\tgateway (the support centre could act in it)\n",
        "forwards\t10.0.0.5:443\n",
        "left behind\tprocess 71 (sleep); crontab of nobody changed\n",
        "consent\tapprover-jw\t",
        "local\troot (pid 7, /dev/pts/1)\t",
    ] {
        assert!(text.contains(line), "{line:?} is not in {text}");
    }
    let output = run(&mut at(&server, world.home()), &["session", "show", &session.to_string(), "-o", "json"]);
    let value: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!((&value["way_in"]["grade"], &value["way_in"]["signed"][1]["kind"]), (&"gateway".into(), &"local".into()));
    assert_eq!(value["summary"]["leftovers"][0], "process 71 (sleep)");
    ends(&run(&mut at(&server, world.home()), &["session", "list", "--live"]), 0);
    assert_eq!(server.asked().last().unwrap().query, "state=live&limit=201");
}

fn row(session: Session) -> SessionRow {
    SessionRow {
        session,
        grade: Some(Grade::Gateway),
        title: "fan-2 stopped".into(),
        site: "JW-1".into(),
        product: "Router".into(),
        model: "D-RTR".into(),
        live_until: None,
        watchers: Vec::new(),
        recording: RecordingState::Arriving,
    }
}

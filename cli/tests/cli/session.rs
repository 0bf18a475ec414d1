use std::sync::Arc;

use jiff::Timestamp;
use lineman_common::api::{RecordingReply, Session, SessionState};
use lineman_common::id::SessionId;
use lineman_common::recording::{Bind, ChunkHeader, Event, FIRST_PREV, Flow, Opened, What, body};
use lineman_common::session::{Door, EndReason, Grade};
use lineman_common::statement::{Namespace, Signed, sha256_hex, sig};

use super::server::{Answer, Server, json as answer};
use super::testing::World;
use super::{at, ends, lineman, run, stderr, stdout};

/// A recording of `count` chunks, each with a line of output; the last has the end record.
fn recording(world: &World, session: SessionId, count: u64) -> Vec<String> {
    let started = Timestamp::now();
    let bind = Bind {
        device: world.device.clone(),
        consent: world.id,
        request_sha256: sha256_hex("request"),
        grade: Grade::EndToEnd,
        consents_sha256: vec![sha256_hex("consent")],
        engineer: "engineer-a".parse().unwrap(),
        engineer_key: sig::fingerprint(world.engineer.public_key()).to_string(),
        host_key: sig::fingerprint(world.host_key.public_key()).to_string(),
        account: "nobody".into(),
        started,
    };
    let mut prev = FIRST_PREV.to_owned();
    let chunks = (0..count).map(|chunk| {
        let header = ChunkHeader {
            version: 1,
            session,
            chunk,
            prev: prev.clone(),
            at: started,
            bind: (chunk == 0).then(|| bind.clone()),
            end: (chunk + 1 == count).then_some(EndReason::Client),
        };
        let open = Event {
            seconds: 0.0,
            channel: 0,
            what: What::Open(Opened { door: Door::Exec, command: Some("ne show fan".into()), terminal: None, target: None }),
        };
        let output = format!("风扇 {chunk}\x1b]52;c;ZXZpbA==\x07\n");
        #[expect(clippy::cast_precision_loss, reason = "a few chunks")]
        let printed = Event { seconds: chunk as f64, channel: 0, what: What::Bytes(Flow::Output, output.into_bytes()) };
        let events: Vec<_> = if chunk == 0 { vec![open.to_line(), printed.to_line()] } else { vec![printed.to_line()] };
        let text = body(&header, &events);
        prev = sha256_hex(&text);
        serde_json::to_string(&Signed::sign(&world.host_key, Namespace::Recording, text).unwrap()).unwrap()
    });
    chunks.collect()
}

fn centre(world: &Arc<World>, id: SessionId, lines: &[String]) -> Server {
    let (world, recording) = (world.clone(), lines.join("\n") + "\n");
    Server::start(move |route, _| {
        if route == format!("GET /api/v1/sessions/{id}/recording") {
            let session = Session {
                id,
                state: SessionState::Ended,
                consent: world.id,
                fault: world.fault.clone(),
                device: world.device.clone(),
                engineer: "engineer-a".parse().unwrap(),
                account: "nobody".into(),
                started_at: Timestamp::now(),
                first_byte_at: None,
                ended_at: None,
                end_reason: None,
                chunks_stored: 4,
                chunks: None,
                summary: None,
            };
            let statement = world.statement_for(world.host_key.public_key());
            return answer(RecordingReply { session, recording: recording.clone(), device_statement: statement });
        }
        if route == "GET /api/v1/trust/JW" {
            return answer(world.bundle());
        }
        if route == format!("GET /api/v1/consents/{}", world.id) {
            let paper = |text: &str| Signed { text: text.into(), signature: String::new() };
            let mut view = world.view(paper("request"));
            view.consents = vec![paper("consent")];
            return answer(view);
        }
        Answer(axum::http::StatusCode::NOT_FOUND, "text/plain", route.to_owned())
    })
}

#[test]
fn a_recording_is_proven_online_and_offline() {
    let world = Arc::new(World::new());
    let session = SessionId::new();
    let server = centre(&world, session, &recording(&world, session, 4));
    let id = session.to_string();
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
    let server = centre(&world, SessionId::new(), &[]);
    let id = SessionId::new();
    drop(server);
    // The centre shows another session's recording.
    let server = centre(&world, id, &recording(&world, SessionId::new(), 2));
    let output = run(at(&server, world.home()).env("LINEMAN_TRUST", world.vendor_trust()), &["session", "verify", &id.to_string()]);
    ends(&output, 8);
    assert!(stderr(&output).contains("it is the recording of"), "{}", stderr(&output));
}

#[test]
fn a_recording_is_exported_and_played() {
    let world = Arc::new(World::new());
    let session = SessionId::new();
    let server = centre(&world, session, &recording(&world, session, 3));
    let id = session.to_string();
    let output = run(&mut at(&server, world.home()), &["session", "export", &id]);
    ends(&output, 0);
    let text = stdout(&output);
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines[0]["version"].as_i64(), lines.len()), (Some(2), 4));
    let output = run(&mut at(&server, world.home()), &["session", "export", &id, "--format", "txt"]);
    assert!(stdout(&output).starts_with("$ ne show fan\n风扇 0"), "{}", stdout(&output));

    // In a pipe it plays at once, and what would reach beyond the screen is left out.
    let output = run(&mut at(&server, world.home()), &["session", "play", &id]);
    ends(&output, 0);
    assert_eq!(stdout(&output), "$ ne show fan\r\n风扇 0\r\n风扇 1\r\n风扇 2\r\n");
    let output = run(&mut at(&server, world.home()), &["session", "play", &id, "--channel", "5"]);
    ends(&output, 3);
    assert!(stderr(&output).contains("0 (exec)"), "{}", stderr(&output));
}

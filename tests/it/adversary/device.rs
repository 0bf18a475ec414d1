//! A hostile device: it holds its own keys and link, and says on it what it likes.

use lineman_common::alarm::AlarmReport;
use lineman_common::id::SessionId;
use lineman_common::link::{Report, SessionEnded, SessionOpened, SessionSummary};
use lineman_common::recording::{Bind, ChunkHeader, FIRST_PREV, body};
use lineman_common::session::{EndReason, Grade};
use lineman_common::statement::{LocalAct, LocalStatement, Namespace, Signed, sig};
use lineman_tests::{Demo, HostileDevice, eventually};
use serde_json::json;

use super::{PLAIN, fault, key, terms, view};

/// The hostile one is carrier YW's; what it attacks is carrier JW's.
const HOSTILE: (&str, &str) = ("ne-3", "ne-3.yw.ne");

fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// What it reports counts under its own name only: not a session, not a consent's end, not a chunk of anybody else's.
pub fn it_speaks_for_itself_only() {
    let demo = Demo::up(4);
    let number = fault(&demo, PLAIN);
    let consent = demo.consented(&number, "exec", "1h");
    demo.ssh(&[PLAIN, "echo honest"]).ok();
    let session = eventually("the honest session is whole", || {
        let session = demo.http(Some("noc-jw")).get(&format!("/api/v1/sessions?fault={number}")).ok()["items"][0].clone();
        if session["state"] == "ended" && session["chunks"] == session["chunks_stored"] { Ok(session) } else { Err(session.to_string()) }
    });
    let (jw, id) = (demo.http(Some("noc-jw")), session["id"].as_str().expect("an id").to_owned());
    let recording = || jw.get(&format!("/api/v1/sessions/{id}/recording")).ok()["recording"].clone();
    let before = recording();
    let request = terms(&super::signed(&view(&demo, &consent)["request"]));

    let device = HostileDevice::take_over(&demo, HOSTILE.0);
    let host_key = key(demo.agent(HOSTILE.0).join("host_key"));
    let foreign: SessionId = id.parse().expect("an id");
    let new = SessionId::new();
    let opened = SessionOpened {
        at: now(),
        session: new,
        consent: request.id,
        engineer: request.engineer.clone(),
        engineer_key: request.engineer_key.clone(),
        account: "root".into(),
    };
    let ended = |session| SessionEnded {
        at: now(),
        session,
        reason: EndReason::Client,
        chunks: 1,
        head_sha256: "0".repeat(64),
        summary: SessionSummary::default(),
    };
    let local = LocalStatement {
        device: PLAIN.parse().expect("a name"),
        act: LocalAct::ApproveConsent,
        subject: consent.clone(),
        by: "root".into(),
        detail: "-".into(),
        at: now(),
    };
    let local = Signed::sign(&host_key, Namespace::Local, local.write().expect("a statement")).expect("a signature");
    for report in [
        Report::SessionOpened(opened),
        Report::SessionFirstByte { at: now(), session: foreign },
        Report::SessionEnded(ended(foreign)),
        Report::SessionEnded(ended(new)),
        Report::ConsentEnded { at: now(), consent: request.id, reason: EndReason::Revoked },
        Report::Local { signed: local.clone(), live: Some(lineman_common::link::LocalConsent { consent: request.id, until: now() }) },
        Report::Receipt { signed: local },
    ] {
        device.report(&report);
    }
    let bind = Bind {
        device: PLAIN.parse().expect("a name"),
        consent: request.id,
        grade: Grade::EndToEnd,
        request_sha256: "r".into(),
        consents_sha256: vec!["c".into()],
        engineer: request.engineer.clone(),
        engineer_key: request.engineer_key.clone(),
        host_key: sig::fingerprint(host_key.public_key()).to_string(),
        account: "root".into(),
        started: now(),
    };
    let header = ChunkHeader { version: 1, session: foreign, chunk: 0, prev: FIRST_PREV.into(), at: now(), bind: Some(bind), end: None };
    let chunk = Signed::sign(&host_key, Namespace::Recording, body(&header, &[])).expect("a signature");
    device.chunk(&serde_json::to_string(&chunk).expect("JSON"));
    device.acknowledged();

    assert_eq!(recording(), before, "the other's recording is as it was");
    let view = view(&demo, &consent);
    assert_eq!(view["state"], "live", "the other's consent is as it was: {view}");
    jw.get(&format!("/api/v1/sessions/{new}")).problem(404, "not_found");
    demo.ssh(&[PLAIN, "echo still"]).ok().says("still");
    demo.person("engineer-a").args(["session", "verify", &id]).output().ok().says("good");
}

/// What can't be read, or is too much, ends its own link; everybody else's goes on.
pub fn nonsense_ends_its_own_link_and_nothing_else() {
    let demo = Demo::up(4);
    for nonsense in [
        "{}".to_owned(),
        "[1,2,3]".to_owned(),
        "\u{0}".repeat(100),
        format!("{{\"report\":{{\"stream\":\"events\",\"seq\":1,\"body\":{}1{}}}}}", "[".repeat(20_000), "]".repeat(20_000)),
        "x".repeat(2_000_000),
    ] {
        let device = HostileDevice::take_over(&demo, HOSTILE.0);
        device.say(&nonsense);
        device.closed();
    }
    // Texts that would draw on a screen arrive as what they are.
    let device = HostileDevice::take_over(&demo, HOSTILE.0);
    let alarm: AlarmReport = serde_json::from_value(json!({
        "alarm_type": "evil", "qualifier": "q", "severity": "major", "event_type": "equipment", "probable_cause": "fan_failure",
        "state": "raised", "text": "\u{1b}]0;owned\u{7}\u{202e}gnp", "at": now(),
    }))
    .unwrap_or_else(|e| panic!("an alarm report: {e}"));
    device.report(&Report::Alarm(alarm));
    device.acknowledged();
    let shown = demo.person("noc-yw").args(["alarm", "list"]).output().ok();
    assert!(!shown.stdout.contains('\u{1b}') && !shown.stdout.contains('\u{202e}'), "{shown:?}");
    demo.http(Some("noc-jw")).get("/api/v1/faults").ok();
}

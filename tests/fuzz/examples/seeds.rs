//! Writes `seeds/`: small real inputs, one or a few of each kind. `cargo run --example seeds` in this directory; the result is kept in
//! the repository, and is the same each time.

use std::fs;
use std::path::Path;

use lineman_common::leg;
use lineman_common::link::{Answer, DevicePolicy, FromAgent, Hello, Order, Outcome, RecordingFrame, Report, Stream, ToAgent};
use lineman_common::recording::{Bind, ChunkHeader, Event, FIRST_PREV, Flow, Opened, Terminal, What, body};
use lineman_common::session::{Door, EndReason, Grade};
use lineman_common::statement::{
    Consent, DeviceStatement, LocalAct, LocalStatement, Namespace, Receipt, Request, Standing, sha256_hex, sig,
};
use lineman_fuzz::{at, key, line, now, roster_text, signed, signers_text, unarmoured};
use ssh_key::certificate::{Builder, CertType};
use ssh_key::public::KeyData;
use ssh_key::{LineEnding, SshSig};

const CONSENT: &str = "0192f0c1d2e37abc8def0123456789ab";

fn main() {
    statements();
    lists();
    link();
    recording();
    replay();
    leg_lines();
    sftp();
    signatures();
}

fn put(target: &str, name: &str, bytes: impl AsRef<[u8]>) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
    fs::create_dir_all(&directory).expect("a directory");
    fs::write(directory.join(name), bytes).expect("a seed");
}

fn consent_id() -> lineman_common::id::ConsentId {
    let prefix = lineman_common::id::ConsentId::new().to_string();
    let prefix = prefix.split('_').next().expect("a prefix");
    format!("{prefix}_{CONSENT}").parse().expect("an id")
}

fn session_id() -> lineman_common::id::SessionId {
    format!("ses_{CONSENT}").parse().expect("an id")
}

fn request(grade: Grade) -> Request {
    Request {
        id: consent_id(),
        fault: "F-JW-42".parse().expect("a fault"),
        device: "ne-1.jw.ne".parse().expect("a name"),
        host_key: sig::fingerprint(key(6).public_key()).to_string(),
        grade,
        engineer: "engineer-a".parse().expect("a name"),
        engineer_key: sig::fingerprint(key(2).public_key()).to_string(),
        doors: "shell,sftp-read,forward:10.0.0.5:443,forward:[2001:db8::5]:22".parse().expect("doors"),
        account: "view".into(),
        duration_s: 3600,
        challenge: "c".repeat(32),
        reason: "fan 2 stopped / 风扇停转".into(),
        issued: now(),
    }
}

fn standing() -> Standing {
    Standing {
        id: consent_id(),
        customer: "JW".parse().expect("a code"),
        devices: "ne-1.jw.ne,ne-2.jw.ne".parse().expect("names"),
        fault: "any".parse().expect("any"),
        level: 2,
        doors: "shell,exec,sftp-read,forward:10.0.0.5:443,forward:[2001:db8::5]:22".parse().expect("doors"),
        account: "view".into(),
        duration_s: 3600,
        roster: 7,
        approver: "noc-jw".parse().expect("a name"),
        issued: at("2026-11-21T00:00:00Z"),
        valid_before: at("2026-12-21T00:00:00Z"),
    }
}

fn statements() {
    let asked = request(Grade::EndToEnd).write().expect("a request");
    let consent = Consent {
        id: consent_id(),
        request_sha256: sha256_hex(&asked),
        approver: "noc-jw".parse().expect("a name"),
        doors: "shell".parse().expect("doors"),
        duration_s: 1800,
        roster: 7,
        issued: now(),
    };
    let receipt = Receipt {
        device: "ne-1.jw.ne".parse().expect("a name"),
        signers: 5,
        signers_sha256: sha256_hex("s"),
        signers_expiry: at("2027-11-01T00:00:00Z"),
        vendor_root_sha256: sha256_hex("v"),
        roster: 7,
        grades: "end-to-end,role".into(),
        approvals: 2,
        stopped: "no".into(),
        at: now(),
    };
    let local = LocalStatement {
        device: "ne-1.jw.ne".parse().expect("a name"),
        act: LocalAct::ApproveConsent,
        subject: consent_id().to_string(),
        by: "root (pid 7, /dev/tty1)".into(),
        detail: format!("request-sha256 {}; doors shell; duration-s 3600", sha256_hex(&asked)),
        at: now(),
    };
    let device = DeviceStatement {
        device: "ne-1.jw.ne".parse().expect("a name"),
        host_key: key(6).public_key().clone(),
        link_key_sha256: sha256_hex("l"),
        signers_sha256: sha256_hex("s"),
        vendor_root_sha256: sha256_hex("v"),
        counter: 1,
        vouched_by: "tech-jw".parse().expect("a name"),
        issued: now(),
        valid_before: at("2027-11-22T00:00:00Z"),
    };
    put("statements", "request", &asked);
    put("statements", "request-role", request(Grade::Role).write().expect("a request"));
    put("statements", "consent", consent.write().expect("a consent"));
    put("statements", "standing", standing().write().expect("a standing statement"));
    let all = Standing { devices: "all".parse().expect("all"), fault: "F-JW-42".parse().expect("a fault"), ..standing() };
    put("statements", "standing-all", all.write().expect("a standing statement"));
    put("statements", "receipt", receipt.write().expect("a receipt"));
    put("statements", "local", local.write().expect("a local statement"));
    put("statements", "device", device.write().expect("a device statement"));
}

fn lists() {
    put("lists", "roster", roster_text());
    put("lists", "signers", signers_text(6));
    let anchors = roster_text().replace("lineman-list: roster", "lineman-list: anchors JW").replace("request@lineman", "device@lineman");
    put("lists", "anchors", anchors);
    put("lists", "bare", format!("vendor-root namespaces=\"roster@lineman,anchors@lineman\" {}\n", line(1)));
}

fn link() {
    let hello = Hello {
        protocol: 1,
        software: "lineman-agent 0.1.0".into(),
        epoch: "spl_0192f0c1d2e37abc8def0123456789ab".parse().expect("an id"),
        boot_id: "b".into(),
        capabilities: vec!["x".into()],
        roster: 7,
    };
    let json = |value: &dyn erased::Json| value.json();
    put("link", "hello", json(&FromAgent::Hello(hello)));
    let grades = vec![Grade::EndToEnd, Grade::Role];
    let policy = DevicePolicy { grades, approvals: 2, accounts: vec!["view".into()], max_duration_s: 14400, browser_keys: true };
    let answer = Answer::Challenge { challenge: "c".repeat(32), lapses_at: now(), policy };
    put("link", "answer", json(&FromAgent::Answer { order: 3, outcome: Outcome::Done { answer } }));
    put("link", "refused", json(&FromAgent::Answer { order: 3, outcome: Outcome::Refused { reason: "no".into() } }));
    let receipt = Report::Receipt { signed: signed(6, Namespace::Receipt, "lineman-receipt: 1\n") };
    put("link", "receipt", json(&receipt));
    let body = serde_json::value::RawValue::from_string(receipt.json()).expect("JSON");
    put("link", "report", json(&FromAgent::Report { stream: Stream::Events, seq: 7, body }));
    let ended = Report::ConsentEnded { at: now(), consent: consent_id(), reason: EndReason::Stopped };
    put("link", "ended", json(&ended));
    let health = r#"{"kind":"health","at":"2026-11-22T08:00:00Z","metrics":{"cpu.usage_ratio":0.25}}"#;
    put("link", "health", health);
    let role = request(Grade::Role).write().expect("a request");
    let consents = vec![signed(3, Namespace::Standing, &standing().write().expect("a statement"))];
    let order = Order::Consent { request: signed(2, Namespace::Request, &role), consents };
    put("link", "consent", json(&ToAgent::Order { id: 9, order }));
    let open = Order::Open { key: "SHA256:k".into(), ticket: "t".into(), consent: Some(consent_id()) };
    put("link", "open", json(&ToAgent::Order { id: 9, order: open }));
    put("link", "stop", json(&ToAgent::Order { id: 9, order: Order::Stop { by: "noc-jw".into(), reason: "all".into() } }));
    put("link", "welcome", json(&ToAgent::Welcome { protocol: 1, stored: [(Stream::Events, 7)].into() }));
    put("link", "goodbye", json(&ToAgent::Goodbye { reason: "later".into(), retry_after_s: 5 }));
    put("link", "frame", RecordingFrame { seq: 258, line: b"{}" }.encode());
    put("link", "token", format!("lmt1/[::1]:7443/{}/{}", "a".repeat(64), "s".repeat(40)));
}

/// A value that can be written as JSON, whatever it is.
mod erased {
    pub trait Json {
        fn json(&self) -> String;
    }

    impl<T: serde::Serialize> Json for T {
        fn json(&self) -> String {
            serde_json::to_string(self).expect("JSON")
        }
    }
}

use erased::Json;

fn bodies() -> Vec<String> {
    let bind = Bind {
        device: "ne-1.jw.ne".parse().expect("a name"),
        consent: consent_id(),
        grade: Grade::EndToEnd,
        request_sha256: sha256_hex("r"),
        consents_sha256: vec![sha256_hex("c")],
        engineer: "engineer-a".parse().expect("a name"),
        engineer_key: "SHA256:k".into(),
        host_key: line(6),
        account: "nobody".into(),
        started: now(),
    };
    let terminal = Terminal { term: "xterm".into(), cols: 80, rows: 24 };
    let opened = Opened { door: Door::Shell, command: None, terminal: Some(terminal), target: None };
    let exec = Opened { door: Door::Exec, command: Some("ne show".into()), terminal: None, target: None };
    let events = [
        vec![What::Open(opened), What::Bytes(Flow::Output, "$ 风扇\r\n".into()), What::Resize { cols: 100, rows: 30 }],
        vec![What::Open(exec), What::Bytes(Flow::Stderr, vec![0xff, 0]), What::Truncated(Flow::Output), What::Note("1 minute left".into())],
        vec![
            What::Total { flow: Flow::Output, bytes: 1 << 20, sha256: sha256_hex("t") },
            What::Exit { status: Some(7), signal: None },
            What::Other("future".into(), serde_json::json!({"a": 1})),
        ],
    ];
    let (mut prev, mut out) = (FIRST_PREV.to_owned(), Vec::new());
    for (chunk, events) in (0u64..).zip(events) {
        let end = (chunk == 2).then_some(EndReason::Client);
        let bind = (chunk == 0).then(|| bind.clone());
        let header = ChunkHeader { version: 1, session: session_id(), chunk, prev, at: now(), bind, end };
        let lines: Vec<_> = events.into_iter().map(|what| Event { seconds: 1.25, channel: 0, what }.to_line()).collect();
        let text = body(&header, &lines);
        prev = sha256_hex(&text);
        out.push(text);
    }
    out
}

fn recording() {
    let bodies = bodies();
    let lines: Vec<_> = bodies.iter().map(|body| signed(6, Namespace::Recording, body).json()).collect();
    put("recording", "file", lines.join("\n"));
    put("recording", "bodies", bodies.join("\0"));
    put("recording", "events", bodies.iter().flat_map(|body| body.lines().skip(1)).collect::<Vec<_>>().join("\n"));
}

fn replay() {
    for (name, text) in [
        ("shell", "$ ls -l\r\ntotal 0\r\n$ \x1b[1;31mfan 2\x1b[0m stopped \x07\r\n"),
        ("edit", "abc\x08\x08X\x1b[C\x1b[K\x1b[1@y\x1b[P\ttab\rstart\r\n"),
        ("screen", "\x1b[?1049h\x1b[2J\x1b[H\x1b[5;10H状态\x1b[1L\x1b[2M\x1b[3;4r\x1b[?25l\x1b[?1049l"),
        ("title", "\x1b]0;title\x07\x1bP1;2|x\x1b\\text\x1b(0lqk\x1b(B\n"),
        ("wide", "风扇停转风扇停转风扇停转e\u{301}🙂\r\n"),
    ] {
        put("replay", name, [&[20, 5, 8, 24], text.as_bytes()].concat());
    }
}

fn leg_lines() {
    let offer = leg::Offer { id: "leg_018f2a7e5cb07d3c9b1f4e2d6a8c0e13".parse().unwrap(), secret: leg::Secret::new([5; 32]) };
    put("leg", "greeting", offer.greeting(1, 4711).trim_end());
    put("leg", "ok", offer.reply(1, 4711).trim_end());
    put("leg", "no", leg::refusal("no such leg").trim_end());
    put("leg", "line", leg::line_greeting("0123456789abcdef").trim_end());
    for (name, header) in [("data", leg::Header::Data(65536)), ("ack", leg::Header::Ack), ("fin", leg::Header::Fin)] {
        put("leg", name, header.encode());
    }
}

fn sftp() {
    let field = |bytes: &[u8]| [&u32::try_from(bytes.len()).expect("short").to_be_bytes()[..], bytes].concat();
    let packet = |kind: u8, fields: &[Vec<u8>]| [&[kind, 0, 0, 0, 7][..], &fields.concat()].concat();
    let (path, handle, number) = (field("/var/log/风扇".as_bytes()), field(b"h1"), 4096u64.to_be_bytes().to_vec());
    let attributes = [&0x8000_000f_u32.to_be_bytes()[..], &[0; 8], &[0; 20], &1u32.to_be_bytes(), &field(b"a"), &field(b"b")].concat();
    put("sftp", "init", [1, 0, 0, 0, 3]);
    put("sftp", "open", packet(3, &[path.clone(), vec![0, 0, 0, 0x1a], attributes.clone()]));
    put("sftp", "read", packet(5, &[handle.clone(), number.clone(), vec![0, 0, 128, 0]]));
    put("sftp", "write", packet(6, &[handle.clone(), number, field(b"data")]));
    put("sftp", "setstat", packet(9, &[path.clone(), attributes]));
    put("sftp", "rename", packet(18, &[path.clone(), path.clone()]));
    put("sftp", "symlink", packet(20, &[path.clone(), path.clone()]));
    put("sftp", "posix-rename", packet(200, &[field(b"posix-rename@openssh.com"), path.clone(), path]));
    put("sftp", "fsync", packet(200, &[field(b"fsync@openssh.com"), handle]));
    put("sftp", "limits", packet(200, &[field(b"limits@openssh.com")]));
}

fn signatures() {
    let text = "lineman-consent: 1\n";
    let plain = signed(3, Namespace::Consent, text);
    put("sshsig", "plain", &plain.signature);
    put("sshsig", "blob", unarmoured(&plain.signature));
    put("sshsig", "page", unarmoured(&signed(3, Namespace::ConsentBrowser, text).signature));
    put("sshsig", "recording", unarmoured(&signed(6, Namespace::Recording, text).signature));
    let mut builder = Builder::new([7; 16], key(2).public_key().clone(), 1_700_000_000, 1_900_000_000).expect("a certificate");
    builder.serial(1).and_then(|b| b.key_id("id")).and_then(|b| b.cert_type(CertType::User)).expect("a certificate");
    builder.valid_principal("noc-ca").expect("a certificate");
    let certificate = builder.sign(&key(8)).expect("a certificate");
    let signature = SshSig::from_pem(signed(2, Namespace::Consent, text).signature).expect("a signature");
    let shown = KeyData::Certificate(Box::new(certificate));
    let certified = SshSig::new(shown, "consent@lineman", signature.hash_alg(), signature.signature().clone()).expect("a signature");
    put("sshsig", "certified", unarmoured(&certified.to_pem(LineEnding::LF).expect("armour")));
}

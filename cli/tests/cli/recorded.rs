//! Recorded sessions with all their papers, and a centre that shows them.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::{Timestamp, ToSpan};
use lineman_common::api::{ConsentView, RecordingReply, Session, SessionState};
use lineman_common::id::SessionId;
use lineman_common::recording::{Bind, ChunkHeader, Event, FIRST_PREV, Flow, Opened, What, body};
use lineman_common::session::{Door, Doors, EndReason, Grade};
use lineman_common::statement::device::openssh;
use lineman_common::statement::{
    Consent, DeviceStatement, KeyClass, LocalAct, LocalStatement, Namespace, Request, Signed, Standing, sha256_hex, sig, standing,
};
use ssh_key::PrivateKey;

use super::server::{Answer, Server, json as answer};
use super::testing::World;

/// A session in which everything is as it should be; tests change what they like before they build it.
pub struct Story {
    pub world: Arc<World>,
    pub session: SessionId,
    pub grade: Grade,
    pub request: Signed,
    pub consents: Vec<Signed>,
    pub local: Option<Signed>,
    pub roster: Signed,
    pub statement: Signed,
    pub started: Timestamp,
    pub chunks: u64,
    pub state: SessionState,
    /// The device says that the end came like this; `None`: it is not over.
    pub end: Option<EndReason>,
    pub second_approver: PrivateKey,
}

fn now() -> Timestamp {
    Timestamp::from_second(Timestamp::now().as_second()).unwrap()
}

impl Story {
    pub fn new(world: &Arc<World>, chunks: u64) -> Self {
        let mut story = Self {
            world: world.clone(),
            session: SessionId::new(),
            grade: Grade::EndToEnd,
            request: Signed { text: String::new(), signature: String::new() },
            consents: Vec::new(),
            local: None,
            roster: world.roster(7),
            statement: world.statement_for(world.host_key.public_key()),
            started: now(),
            chunks,
            state: SessionState::Ended,
            end: Some(EndReason::Client),
            second_approver: super::testing::key(),
        };
        story.request = story.request_for(Grade::EndToEnd, "shell,exec");
        story.consents = vec![story.consent("approver-jw", &world.approver, "exec")];
        story
    }

    /// Of another grade, without papers yet.
    pub fn of_grade(world: &Arc<World>, grade: Grade) -> Self {
        let mut story = Self::new(world, 3);
        (story.grade, story.consents) = (grade, Vec::new());
        story.request = story.request_for(grade, "shell,exec");
        story
    }

    pub fn request_for(&self, grade: Grade, doors: &str) -> Signed {
        let World { id, fault, device, host_key, engineer, .. } = &*self.world;
        let request = Request {
            id: *id,
            fault: fault.clone(),
            device: device.clone(),
            host_key: sig::fingerprint(host_key.public_key()).to_string(),
            grade,
            engineer: "engineer-a".parse().unwrap(),
            engineer_key: sig::fingerprint(engineer.public_key()).to_string(),
            doors: doors.parse().unwrap(),
            account: "view".into(),
            duration_s: 7200,
            challenge: "c".repeat(43),
            reason: "fan 2 \\ \"stopped\"".into(),
            issued: now() - 10.minutes(),
        };
        Signed::sign(engineer, Namespace::Request, request.write().unwrap()).unwrap()
    }

    pub fn consent(&self, approver: &str, key: &PrivateKey, doors: &str) -> Signed {
        self.consent_of(KeyClass::Own, approver, key, doors)
    }

    pub fn consent_of(&self, class: KeyClass, approver: &str, key: &PrivateKey, doors: &str) -> Signed {
        let consent = Consent {
            id: self.world.id,
            request_sha256: sha256_hex(&self.request.text),
            approver: approver.parse().unwrap(),
            doors: doors.parse::<Doors>().unwrap(),
            duration_s: 1800,
            roster: 7,
            issued: now() - 5.minutes(),
        };
        Signed::sign(key, class.namespace(), consent.write().unwrap()).unwrap()
    }

    pub fn standing(&self, change: impl FnOnce(&mut Standing)) -> Signed {
        let mut standing = Standing {
            id: lineman_common::id::ConsentId::new(),
            customer: self.world.customer.clone(),
            devices: standing::Devices::All,
            fault: standing::ForFault::Any,
            level: 2,
            doors: "shell,exec,sftp-read".parse().unwrap(),
            account: "view".into(),
            duration_s: 7200,
            roster: 6,
            approver: "approver-jw".parse().unwrap(),
            issued: now() - 24.hours(),
            valid_before: now() + 24.hours(),
        };
        change(&mut standing);
        Signed::sign(&self.world.approver, Namespace::Standing, standing.write().unwrap()).unwrap()
    }

    pub fn local(&self) -> Signed {
        let local = LocalStatement {
            device: self.world.device.clone(),
            act: LocalAct::ApproveConsent,
            subject: self.world.id.to_string(),
            by: "root (pid 7, /dev/pts/1)".into(),
            detail: format!("request-sha256 {}; doors shell; duration-s 600", sha256_hex(&self.request.text)),
            at: now() - 1.minutes(),
        };
        Signed::sign(&self.world.host_key, Namespace::Local, local.write().unwrap()).unwrap()
    }

    /// Another device of the same carrier, vouched for by the same technician.
    pub fn other_device(&self, host_key: &PrivateKey) -> Signed {
        let mut statement = DeviceStatement::read_unverified(&self.statement.text).unwrap();
        statement.device = "ne-2.jw.ne".parse().unwrap();
        statement.host_key = host_key.public_key().clone();
        Signed::sign(&self.world.technician, Namespace::Device, statement.write().unwrap()).unwrap()
    }

    pub fn bind(&self) -> Bind {
        Bind {
            device: self.world.device.clone(),
            consent: self.world.id,
            request_sha256: sha256_hex(&self.request.text),
            grade: self.grade,
            consents_sha256: self.consents.iter().chain(&self.local).map(|signed| sha256_hex(&signed.text)).collect(),
            engineer: "engineer-a".parse().unwrap(),
            // Keys as the agent writes them; through the gateway it is the gateway that comes.
            engineer_key: openssh(if self.grade == Grade::Gateway { &self.world.gateway } else { &self.world.engineer }.public_key()),
            host_key: openssh(self.world.host_key.public_key()),
            account: "nobody".into(),
            started: self.started,
        }
    }

    /// What happens in chunk `number`: a command that prints a line a second, with what is hard to quote.
    #[expect(clippy::cast_precision_loss, reason = "a few chunks")]
    pub fn events(number: u64) -> Vec<Event> {
        let opened = Opened { door: Door::Exec, command: Some("ne show fan".into()), terminal: None, target: None };
        let open = Event { seconds: 0.0, channel: 0, what: What::Open(opened) };
        let output = format!("风扇 {number}\x1b]52;c;ZXZpbA==\x07\n");
        let printed = Event { seconds: number as f64, channel: 0, what: What::Bytes(Flow::Output, output.into_bytes()) };
        if number == 0 { vec![open, printed] } else { vec![printed] }
    }

    /// The chunks, signed by `key`, with these events.
    pub fn chunks_of(&self, key: &PrivateKey, bind: &Bind, events: &[Vec<Event>]) -> Vec<Signed> {
        let mut prev = FIRST_PREV.to_owned();
        let count = events.len() as u64;
        let chunk = |(number, events): (u64, &Vec<Event>)| {
            let header = ChunkHeader {
                version: 1,
                session: self.session,
                chunk: number,
                prev: prev.clone(),
                at: self.started,
                bind: (number == 0).then(|| bind.clone()),
                end: self.end.filter(|_| number + 1 == count),
            };
            let text = body(&header, &events.iter().map(Event::to_line).collect::<Vec<_>>());
            prev = sha256_hex(&text);
            Signed::sign(key, Namespace::Recording, text).unwrap()
        };
        (0..).zip(events).map(chunk).collect()
    }

    pub fn signed_chunks(&self) -> Vec<Signed> {
        let events: Vec<_> = (0..self.chunks).map(Self::events).collect();
        self.chunks_of(&self.world.host_key, &self.bind(), &events)
    }

    /// The recording's lines.
    pub fn lines(&self) -> Vec<String> {
        self.signed_chunks().iter().map(|chunk| serde_json::to_string(chunk).unwrap()).collect()
    }

    pub fn view(&self) -> ConsentView {
        ConsentView {
            grade: Some(self.grade),
            doors: Some("exec".parse().unwrap()),
            consents: self.consents.clone(),
            local: self.local.clone(),
            roster: Some(self.roster.clone()),
            device_statement: Some(self.statement.clone()),
            ..self.world.view(self.request.clone())
        }
    }

    pub fn shown(&self, stored: u64) -> Session {
        let ended = self.state == SessionState::Ended;
        Session {
            id: self.session,
            state: self.state,
            consent: self.world.id,
            fault: self.world.fault.clone(),
            device: self.world.device.clone(),
            engineer: "engineer-a".parse().unwrap(),
            account: "nobody".into(),
            started_at: self.started,
            first_byte_at: None,
            ended_at: ended.then_some(self.started + 60.seconds()),
            end_reason: self.end.filter(|_| ended),
            chunks_stored: stored,
            chunks: None,
            summary: None,
        }
    }

    /// The carrier's list with everyone who signs in these stories, in the carrier's own hands.
    pub fn signers_file(&self) -> PathBuf {
        let World { approver, technician, gateway, .. } = &*self.world;
        let line =
            |name: &str, namespaces: &str, key: &PrivateKey| format!("{name} namespaces=\"{namespaces}\" {}\n", openssh(key.public_key()));
        let text =
            format!("# lineman-list: signers JW\n# counter: 2\n# issued: {}\n# expiry: {}\n", now() - 48.hours(), now() + 48.hours())
                + &line("approver-jw", "consent@lineman,standing@lineman", approver)
                + &line("approver-b", "consent@lineman,standing@lineman", &self.second_approver)
                + &line("noc-jw", "consent-browser@lineman", gateway)
                + &line("tech-jw", "device@lineman", technician);
        let path = self.world.path("own-signers");
        std::fs::write(&path, text).unwrap();
        path
    }

    pub fn vendor_root_file(&self) -> PathBuf {
        self.world.vendor_trust().join("vendor-root")
    }

    /// A centre that shows this session.
    pub fn centre(&self) -> Server {
        self.centre_with(self.lines())
    }

    pub fn centre_with(&self, lines: Vec<String>) -> Server {
        let (session, device_statement) = (self.shown(lines.len() as u64), self.statement.clone());
        // In pages of two chunks.
        let page = move |from: usize| {
            let end = lines.len().min(from + 2);
            let next = (end < lines.len()).then_some(end as u64);
            let recording = lines[from..end].iter().map(|line| line.clone() + "\n").collect();
            RecordingReply { session: session.clone(), recording, next, device_statement: device_statement.clone() }
        };
        let (world, view, session) = (self.world.clone(), self.view(), self.session);
        Server::start(move |route, asked| {
            if route == format!("GET /api/v1/sessions/{session}/recording") {
                let from = asked.query.split('&').find_map(|pair| pair.strip_prefix("from=")?.parse().ok());
                return answer(page(from.unwrap_or(0)));
            }
            if route == format!("GET /api/v1/sessions/{session}") {
                return answer(page(0).session);
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
}

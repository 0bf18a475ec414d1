//! Sessions with recordings, for the tests of this room.

use lineman_common::api::NewFault;
use lineman_common::fault::Impact;
use lineman_common::id::{ConsentId, FaultId, SessionId};
use lineman_common::link::SessionOpened;
use lineman_common::recording::{Bind, ChunkHeader, Event, FIRST_PREV, Flow, Opened, Terminal, What, body};
use lineman_common::session::{Door, EndReason, Grade};
use lineman_common::statement::{Namespace, Signed, sha256_hex};
use ssh_key::PrivateKey;

use super::digest;
use crate::equipment::{self, Known};
use crate::faults;
use crate::store::testing::TestStore;
use crate::store::{Store, Tx};
use crate::trust::testing::{actor, key, place};
use crate::web::Scope;

/// A session that a device has opened.
#[derive(Clone, Debug)]
pub struct Inside {
    pub id: SessionId,
    pub device: Known,
    pub fault: FaultId,
}

/// A session of `engineer-a` on this device; the customer is there, with its device.
fn open(tx: &mut Tx<'_>, device: &Known) -> Inside {
    let noc = actor("noc-a", lineman_common::people::Role::Noc, Some((device.customer, device.name.customer.as_str())));
    let new = NewFault {
        customer: None,
        equipment: Some(device.name.clone()),
        title: "x".into(),
        description: "".into(),
        impact: Impact::Partial,
        started_at: None,
        kind: lineman_common::fault::FaultKind::Fault,
        customer_reference: None,
    };
    let fault = faults::report(tx, &noc, new).unwrap();
    let (id, consent) = (SessionId::new(), ConsentId::new());
    let sql =
        "INSERT INTO consent(id, customer, equipment, fault, engineer, state, lapses_at) VALUES (?1, ?2, ?3, ?4, 'engineer-a', 'live', 0)";
    let row = [consent.to_string(), device.customer.to_string(), device.id.to_string(), fault.id.to_string()];
    tx.sql().execute(sql, row).unwrap();
    let opened = SessionOpened {
        at: tx.now(),
        session: id,
        consent,
        engineer: "engineer-a".parse().unwrap(),
        engineer_key: "k".into(),
        account: "view".into(),
    };
    super::opened(tx, device, &opened).unwrap();
    Inside { id, device: device.clone(), fault: fault.id }
}

/// The customer and device of that name, made when they are not there yet.
fn device(tx: &mut Tx<'_>, name: &str) -> Known {
    let reference: equipment::Reference = name.parse().unwrap();
    equipment::find(tx, &Scope::All, &reference).unwrap_or_else(|_| {
        let code = name.split('.').nth(1).unwrap().to_uppercase();
        place(tx, &code).1
    })
}

/// A centre in memory.
pub struct Centre {
    pub store: TestStore,
}

impl Centre {
    pub fn new() -> Self {
        Self { store: TestStore::new() }
    }

    pub fn session(&mut self, name: &str) -> Inside {
        self.store.write(|tx| {
            let device = device(tx, name);
            open(tx, &device)
        })
    }

    /// Puts lines into the session's transcript.
    pub fn said(&mut self, session: &Inside, lines: &[&str]) {
        self.store.write(|tx| digest::tests::said(tx, session, lines));
    }
}

/// A centre with its threads, in a folder.
pub struct Running {
    pub store: Store,
    _dir: tempfile::TempDir,
}

impl Running {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { store: Store::open(&dir.path().join("x.db"), crate::LISTENERS).unwrap(), _dir: dir }
    }

    pub async fn session(&self, name: &'static str) -> Inside {
        self.store
            .write(move |tx| {
                let device = device(tx, name);
                Ok::<_, crate::store::StoreError>(open(tx, &device))
            })
            .await
            .unwrap()
    }

    pub async fn stores(&self, session: &Inside, lines: Vec<String>) {
        for line in lines {
            let device = session.device.clone();
            self.store.write(move |tx| super::store_chunk(tx, &device, line.as_bytes())).await.unwrap();
        }
    }
}

/// A device's recorder: makes chunks that follow one from the other.
pub struct Recorder {
    session: SessionId,
    key: PrivateKey,
    chunk: u64,
    prev: String,
}

impl Recorder {
    pub fn new(session: SessionId) -> Self {
        Self { session, key: key(), chunk: 0, prev: FIRST_PREV.into() }
    }

    pub fn chunk(&mut self, events: &[Event], end: Option<EndReason>) -> String {
        let at = "2026-11-22T00:00:00Z".parse().unwrap();
        let bind = (self.chunk == 0).then(|| Bind {
            device: "ne-1.jw.ne".parse().unwrap(),
            consent: ConsentId::new(),
            grade: Grade::EndToEnd,
            request_sha256: "r".into(),
            consents_sha256: vec!["c".into()],
            engineer: "engineer-a".parse().unwrap(),
            engineer_key: "k".into(),
            host_key: "h".into(),
            account: "view".into(),
            started: at,
        });
        let header = ChunkHeader { version: 1, session: self.session, chunk: self.chunk, prev: self.prev.clone(), at, bind, end };
        let lines: Vec<String> = events.iter().map(Event::to_line).collect();
        let text = body(&header, &lines);
        self.chunk += 1;
        self.prev = sha256_hex(&text);
        serde_json::to_string(&Signed::sign(&self.key, Namespace::Recording, text).unwrap()).unwrap()
    }
}

pub fn shell(cols: u32, rows: u32) -> What {
    let terminal = Terminal { term: "xterm".into(), cols, rows };
    What::Open(Opened { door: Door::Shell, command: None, terminal: Some(terminal), target: None })
}

pub fn output(text: &str) -> What {
    What::Bytes(Flow::Output, text.into())
}

pub fn at(seconds: f64, channel: u32, what: What) -> Event {
    Event { seconds, channel, what }
}

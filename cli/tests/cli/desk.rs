//! A whole centre for tests of those who allow: it passes papers on, plays the device's part, and tells what changes.

use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use lineman_common::api::{ConsentState, ConsentView, Customer, List, SignersView, StandingState, StandingView, Stopped};
use lineman_common::error::ErrorCode;
use lineman_common::id::{ConsentId, CustomerId, PersonId};
use lineman_common::session::{Doors, Grade};
use lineman_common::statement::{Consent, Request, Signed, Standing};
use serde_json::json;

use super::consents::{Ask, now, sign_request};
use super::server::{Answer, Asked, Server, json as answer, problem, stream};
use super::testing::World;

/// What the centre knows; tests change it and say so with [`Server::tell`].
pub struct Centre {
    pub world: World,
    pub consents: Mutex<Vec<ConsentView>>,
    pub signers: Mutex<Option<SignersView>>,
    pub standings: Mutex<Vec<StandingView>>,
    pub stopped: Mutex<Option<Stopped>>,
    /// Who is signed in.
    pub person: &'static str,
}

impl Centre {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            world: World::new(),
            consents: Mutex::default(),
            signers: Mutex::default(),
            standings: Mutex::default(),
            stopped: Mutex::default(),
            person: "approver-jw",
        })
    }

    pub fn start(self: &Arc<Self>) -> Server {
        let centre = self.clone();
        Server::start(move |route, asked| centre.answer(route, asked))
    }

    /// An engineer asks: signed, over this device's challenge.
    pub fn ask(&self, doors: &str, grade: Grade, reason: &str, approvals: u8) -> ConsentId {
        let world = &self.world;
        let id = ConsentId::new();
        let challenge = lineman_common::api::ChallengeReply { id, ..world.challenge() };
        let trust = lineman::trust::Trust::open(&world.vendor_trust(), None, None).unwrap();
        let believed = trust.bundle(&world.bundle(), &world.customer, &world.env(), now()).unwrap();
        let signer = lineman::keys::Signer::open(Some(&world.engineer_key_file()), &world.env()).unwrap();
        let ask = Ask {
            engineer: "engineer-a".parse().unwrap(),
            grade,
            doors: doors.parse().unwrap(),
            account: "view".into(),
            duration_s: 7200,
            reason: reason.into(),
        };
        let signed = sign_request(&challenge, &believed, &signer, &ask, now()).unwrap();
        let view = ConsentView {
            id,
            grade: Some(grade),
            doors: Some(ask.doors),
            reason: Some(reason.into()),
            approvals_needed: approvals,
            ..world.view(signed)
        };
        self.consents.lock().unwrap().push(view);
        id
    }

    pub fn consent(&self, id: ConsentId) -> ConsentView {
        self.consents.lock().unwrap().iter().find(|view| view.id == id).unwrap().clone()
    }

    fn answer(&self, route: &str, asked: &Asked) -> Answer {
        let parts: Vec<&str> = route.split('/').collect();
        match (parts.first().copied().unwrap_or_default(), &parts[1..]) {
            ("GET ", ["api", "v1", "whoami"]) => answer(json!({
                "id": PersonId::new(), "name": self.person, "role": "approver", "customer": "JW", "created_at": Timestamp::now()
            })),
            ("GET ", ["api", "v1", "events"]) => stream(),
            ("GET ", ["api", "v1", "trust", "JW"]) => answer(self.world.bundle()),
            ("GET ", ["api", "v1", "trust", "signers", "JW"]) => match &*self.signers.lock().unwrap() {
                Some(view) => answer(view),
                None => problem(ErrorCode::NotFound, "no such route"),
            },
            ("GET ", ["api", "v1", "customers"]) => answer(List::from(vec![self.customer()])),
            ("POST ", ["api", "v1", "customers", "JW", "stop"]) => {
                let reason = asked.body["reason"].as_str().unwrap().into();
                *self.stopped.lock().unwrap() = Some(Stopped { at: now(), by: self.person.parse().unwrap(), reason });
                answer(self.customer())
            }
            ("POST ", ["api", "v1", "customers", "JW", "resume"]) => {
                *self.stopped.lock().unwrap() = None;
                answer(self.customer())
            }
            ("PUT ", ["api", "v1", "trust", "signers", "JW"]) => answer(json!(null)),
            ("POST ", ["api", "v1", "standing"]) => self.standing(asked),
            ("GET ", ["api", "v1", "standing"]) => answer(List::from(self.standings.lock().unwrap().clone())),
            ("GET ", ["api", "v1", "consents"]) => {
                let requested = |view: &&ConsentView| view.state == ConsentState::Requested;
                // As the server does: lists carry no papers.
                let lists = |view: &ConsentView| ConsentView { request: None, roster: None, device_statement: None, ..view.clone() };
                answer(List::from(self.consents.lock().unwrap().iter().filter(requested).map(lists).collect::<Vec<_>>()))
            }
            ("GET ", ["api", "v1", "consents", id]) => self.with(id, |view| answer(view)),
            ("POST ", ["api", "v1", "consents", id, "refusal"]) => self.with(id, |view| {
                view.state = ConsentState::Refused;
                view.refusal = Some(asked.body["reason"].as_str().unwrap().into());
                answer(view)
            }),
            ("POST ", ["api", "v1", "consents", id, "approval"]) => self.with(id, |view| self.approve(view, asked)),
            _ => problem(ErrorCode::NotFound, route),
        }
    }

    pub fn customer(&self) -> Customer {
        Customer {
            id: CustomerId::new(),
            code: "JW".parse().unwrap(),
            name: "甲网".into(),
            tier: "gold".into(),
            stopped: self.stopped.lock().unwrap().clone(),
            created_at: now(),
        }
    }

    fn with(&self, id: &str, act: impl FnOnce(&mut ConsentView) -> Answer) -> Answer {
        let mut consents = self.consents.lock().unwrap();
        let found = consents.iter_mut().find(|view| view.id.to_string() == id);
        found.map_or_else(|| problem(ErrorCode::NotFound, "no such consent"), act)
    }

    /// Believes what the device would believe: the signature, under the carrier's own list.
    fn approve(&self, view: &mut ConsentView, asked: &Asked) -> Answer {
        let signed: Signed = serde_json::from_value(asked.body["consent"].clone()).unwrap();
        let request = view.request.clone().unwrap();
        let list = lineman_common::statement::CarrierSigners::parse(&self.world.pinned_signers(), &self.world.customer).unwrap();
        let known = Request::read_unverified(&request).unwrap();
        let consent = match Consent::verify(&signed, &known, &request.text, &list, now()) {
            Ok((consent, _)) => consent,
            Err(refused) => return problem(ErrorCode::StatementRefused, &refused.to_string()),
        };
        view.consents.push(signed);
        if view.consents.len() >= usize::from(view.approvals_needed) {
            view.state = ConsentState::Live;
            view.live_until = Some(now());
        }
        let doors: Doors = consent.doors;
        view.doors = Some(doors);
        view.decided_by = Some(consent.approver);
        answer(&*view)
    }

    fn standing(&self, asked: &Asked) -> Answer {
        let statements: Vec<Signed> = serde_json::from_value(asked.body["statements"].clone()).unwrap();
        let list = lineman_common::statement::CarrierSigners::parse(&self.world.pinned_signers(), &self.world.customer).unwrap();
        let read: Vec<_> = statements.iter().map(|signed| Standing::verify(signed, &list, now()).unwrap()).collect();
        let Standing { id, customer, devices, fault, level, doors, account, duration_s, issued, valid_before, .. } = read[0].clone();
        let view = StandingView {
            id,
            state: StandingState::Standing,
            customer,
            devices,
            fault,
            level,
            doors,
            account,
            duration_s,
            approvers: read.iter().map(|standing| standing.approver.clone()).collect(),
            issued,
            valid_before,
            revoked_at: None,
            statements,
        };
        self.standings.lock().unwrap().push(view.clone());
        answer(view)
    }
}

//! The life of a consent at the centre: grades, several approvals, the device's policy, stops, what was approved on the device.

use jiff::{Timestamp, ToSpan};
use lineman_common::Printable;
use lineman_common::api::{ChallengeReply, Fault, NewFault};
use lineman_common::fault::Impact;
use lineman_common::link::{Answer, DevicePolicy, LocalConsent, Outcome};
use lineman_common::session::Grade;
use lineman_common::statement::{
    CarrierSigners, Consent, DeviceStatement, KeyClass, LocalAct, LocalStatement, Namespace, Request, Roster, SignerList, sha256_hex,
};
use ssh_key::PrivateKey;

use super::*;
use crate::store::testing::TestStore;
use crate::trust::testing::{World, fingerprint, key, place};

/// A customer with a fault, and everybody who has to do with its consents.
pub struct Desk {
    pub store: TestStore,
    pub world: World,
    pub fault: Fault,
}

pub fn policy(grades: &[Grade], approvals: u8) -> DevicePolicy {
    DevicePolicy {
        grades: grades.to_vec(),
        approvals,
        accounts: vec!["view".into(), "operate".into()],
        max_duration_s: 7200,
        browser_keys: false,
    }
}

pub fn report_fault(tx: &mut Tx<'_>, world: &World) -> Fault {
    let new = NewFault {
        equipment: Some(world.device.name.clone()),
        customer: None,
        title: "PON port 3 down".into(),
        description: Printable::default(),
        impact: Impact::Partial,
        started_at: None,
        kind: lineman_common::fault::FaultKind::Fault,
        customer_reference: None,
    };
    faults::report(tx, &world.noc(), new).unwrap()
}

/// What the device would answer.
pub fn challenge_of(world: &World, fault: &Fault, policy: DevicePolicy, lapses_at: Timestamp, statement: Signed) -> ChallengeReply {
    ChallengeReply {
        id: ConsentId::new(),
        fault: fault.number.clone(),
        device: world.device.name.clone(),
        challenge: "a".repeat(64),
        lapses_at,
        policy,
        device_statement: statement,
    }
}

pub fn request_of(world: &World, challenge: &ChallengeReply, grade: Grade, doors: &str) -> Request {
    Request {
        id: challenge.id,
        fault: challenge.fault.clone(),
        device: challenge.device.clone(),
        host_key: fingerprint(&world.host),
        grade,
        engineer: "engineer-a".parse().unwrap(),
        engineer_key: fingerprint(&world.engineer_key),
        doors: doors.parse().unwrap(),
        account: "view".into(),
        duration_s: 3600,
        challenge: challenge.challenge.clone(),
        reason: "port 3 is dark".into(),
        issued: challenge.lapses_at - 4.hours(),
    }
}

impl Desk {
    pub fn new() -> Self {
        let mut store = TestStore::new();
        let (world, fault) = store.write(|tx| {
            let world = World::found(tx, "JW");
            let fault = report_fault(tx, &world);
            (world, fault)
        });
        let mut desk = Self { store, world, fault };
        desk.forget_orders();
        desk
    }

    pub fn challenge(&mut self, policy: DevicePolicy) -> ChallengeReply {
        let (world, fault) = (&self.world, &self.fault);
        self.store.write(|tx| {
            let (statement, _) = trust::device_statement(tx, world.device.id).unwrap();
            let reply = challenge_of(world, fault, policy, tx.now() + 4.hours(), statement);
            ask::note_challenge(tx, &World::engineer(), &world.device, &reply).unwrap();
            reply
        })
    }

    fn sign(&self, request: &Request) -> Signed {
        Signed::sign(&self.world.engineer_key, Namespace::Request, request.write().unwrap()).unwrap()
    }

    pub fn file(&mut self, request: &Request) -> Result<ConsentView, Error> {
        let signed = self.sign(request);
        let root = self.world.vendor_root.clone();
        self.store.write(|tx| ask::file(tx, &World::engineer(), &signed, &root))
    }

    /// A request that waits for its answer.
    pub fn requested(&mut self, grade: Grade, approvals: u8) -> Request {
        let challenge = self.challenge(policy(&[Grade::EndToEnd, Grade::Role, Grade::Gateway], approvals));
        let request = request_of(&self.world, &challenge, grade, "shell,exec");
        self.file(&request).unwrap();
        request
    }

    pub fn consent(&self, request: &Request, by: usize, doors: &str, duration_s: u32) -> Consent {
        Consent {
            id: request.id,
            request_sha256: sha256_hex(request.write().unwrap()),
            approver: ["approver-a", "approver-b"][by].parse().unwrap(),
            doors: doors.parse().unwrap(),
            duration_s,
            roster: 1,
            issued: self.store.now,
        }
    }

    pub fn approve_with(&mut self, key: &PrivateKey, consent: &Consent) -> Result<ConsentView, Error> {
        self.approve_by(KeyClass::Own, key, consent)
    }

    fn approve_by(&mut self, class: KeyClass, key: &PrivateKey, consent: &Consent) -> Result<ConsentView, Error> {
        let signed = Signed::sign(key, class.namespace(), consent.write().unwrap()).unwrap();
        let noc = self.world.noc();
        self.store.write(|tx| approve(tx, &noc, consent.id, &signed))
    }

    fn approve(&mut self, request: &Request, by: usize, doors: &str, duration_s: u32) -> Result<ConsentView, Error> {
        let consent = self.consent(request, by, doors, duration_s);
        let key = self.world.approvers[by].clone();
        self.approve_with(&key, &consent)
    }

    fn live(&mut self, request: &Request) {
        let (signed, until) = (self.sign(request), self.store.now + 1.hour());
        let outcome = Outcome::Done { answer: Answer::ConsentLive { until } };
        let device = self.world.device.clone();
        self.store.write(|tx| device_answered(tx, &device, &signed, &outcome)).unwrap();
    }

    pub fn view(&self, id: ConsentId) -> ConsentView {
        self.store.read(|db| get(db, &Scope::All, id)).unwrap()
    }

    pub fn orders(&self) -> Vec<Order> {
        let waiting = self.store.read(|db| agents::waiting(db, self.world.device.id)).unwrap();
        waiting.into_iter().map(|(_, order)| order).collect()
    }

    pub fn forget_orders(&mut self) {
        let device = self.world.device.id;
        self.store.write(|tx| {
            for (id, _) in agents::waiting(tx, device).unwrap() {
                agents::answered(tx, device, id).unwrap();
            }
        });
    }

    /// What the fault's timeline says of consents.
    pub fn told(&self) -> Vec<(String, String)> {
        let events = self.store.read(|db| events::of_fault(db, &Scope::All, self.fault.id)).unwrap();
        let of_consents = events.into_iter().filter(|event| event.kind.starts_with("consent.") || event.kind.starts_with("standing."));
        of_consents.map(|event| (event.kind, event.text.raw().to_owned())).collect()
    }

    fn kinds(&self) -> Vec<String> {
        self.told().into_iter().map(|(kind, _)| kind).collect()
    }

    fn stop(&mut self) {
        let world = &self.world;
        self.store.write(|tx| customers::stop(tx, &world.noc(), &world.code, &"a leaked key".into())).unwrap();
    }
}

#[test]
fn one_signature_is_enough_where_the_device_wants_one() {
    let mut desk = Desk::new();
    let request = desk.requested(Grade::EndToEnd, 1);
    let view = desk.approve(&request, 0, "exec", 600).unwrap();
    assert_eq!((view.state, view.approvals_needed, view.consents.len()), (ConsentState::Approved, 1, 1));
    assert_eq!((view.grade, view.doors.unwrap().to_string(), view.duration_s), (Some(Grade::EndToEnd), "exec".to_owned(), Some(600)));
    let orders = desk.orders();
    assert!(matches!(&orders[..], [Order::Consent { consents, .. }] if *consents == view.consents), "{orders:?}");
    desk.live(&request);
    assert_eq!(desk.view(request.id).state, ConsentState::Live);
    assert_eq!(desk.kinds(), ["consent.requested", "consent.approved", "consent.live"]);
    assert!(!desk.told()[1].1.contains("of 1"), "{:?}", desk.told());
}

#[test]
fn two_people_with_two_keys_approve_what_both_allow() {
    let mut desk = Desk::new();
    let request = desk.requested(Grade::EndToEnd, 2);
    let first = desk.approve(&request, 0, "shell,exec", 600).unwrap();
    assert_eq!((first.state, first.consents.len(), first.approvals_needed), (ConsentState::Requested, 1, 2));
    assert_eq!((first.decided_at, first.decided_by), (None, None));
    assert!(desk.orders().is_empty(), "the device is told when all are there");
    // The same person again, and the same key under another name.
    let again = desk.approve(&request, 0, "exec", 300).unwrap_err();
    assert_eq!(again.to_string(), "approver-a has signed this already: the device wants as many different people");
    let borrowed = desk.consent(&request, 1, "exec", 300);
    let key = desk.world.approvers[0].clone();
    let borrowed = desk.approve_with(&key, &borrowed).unwrap_err();
    assert!(matches!(&borrowed, Error::SameKey(used) if *used == fingerprint(&key)), "{borrowed}");
    assert_eq!(desk.view(request.id).consents.len(), 1);
    let second = desk.approve(&request, 1, "exec", 1800).unwrap();
    assert_eq!((second.state, second.consents.len()), (ConsentState::Approved, 2));
    assert_eq!((second.doors.unwrap().to_string(), second.duration_s), ("exec".to_owned(), Some(600)), "what both allow");
    let orders = desk.orders();
    assert!(matches!(&orders[..], [Order::Consent { consents, .. }] if *consents == second.consents), "{orders:?}");
    let told = desk.told();
    assert_eq!(told[1], ("consent.partly_approved".into(), "approver-a approved shell,exec for 600 s (1 of 2)".into()));
    assert_eq!(told[2], ("consent.approved".into(), "approver-b approved exec for 1800 s (2 of 2); together: exec for 600 s".into()));
}

#[test]
fn a_key_of_a_page_is_taken_where_the_device_said_so_and_named_as_one_everywhere() {
    let mut desk = Desk::new();
    let refused = desk.requested(Grade::EndToEnd, 1);
    assert!(!desk.view(refused.id).browser_keys);
    let (page, consent) = (key(), desk.consent(&refused, 0, "exec", 600));
    let error = desk.approve_by(KeyClass::Page, &page, &consent).unwrap_err().to_string();
    assert!(error.starts_with("ne-1.jw.ne takes no consent that was signed in a page served by the vendor"), "{error}");
    assert!(error.contains("`lineman approver` on your own machine") && error.contains("`browser_keys = true`"), "{error}");
    let view = desk.view(refused.id);
    assert_eq!((view.state, view.approvals.len()), (ConsentState::Requested, 0), "the request is as good as it was");

    let challenge = desk.challenge(DevicePolicy { browser_keys: true, ..policy(&[Grade::EndToEnd], 2) });
    let request = request_of(&desk.world, &challenge, Grade::EndToEnd, "shell,exec");
    assert!(desk.file(&request).unwrap().browser_keys);
    desk.forget_orders();
    let consent = desk.consent(&request, 0, "exec", 600);
    let first = desk.approve_by(KeyClass::Page, &page, &consent).unwrap();
    assert_eq!(first.approvals[0].to_string(), "approver-a (approved in a page served by the vendor)");
    // One key is one person, in whatever class it signs.
    let borrowed = desk.consent(&request, 1, "exec", 600);
    assert!(matches!(desk.approve_by(KeyClass::Own, &page, &borrowed).unwrap_err(), Error::SameKey(_)));
    let second = desk.approve(&request, 1, "exec", 600).unwrap();
    let classes: Vec<_> = second.approvals.iter().map(|given| (given.approver.as_str(), given.key)).collect();
    assert_eq!(classes, [("approver-a", KeyClass::Page), ("approver-b", KeyClass::Own)]);
    assert_eq!(second.state, ConsentState::Approved);
    assert!(matches!(&desk.orders()[..], [Order::Consent { consents, .. }] if *consents == second.consents), "the device decides");
    let told = desk.told();
    let page = "approver-a approved exec for 600 s (1 of 2); approved in a page served by the vendor";
    assert!(told.contains(&("consent.partly_approved".into(), page.into())), "{told:?}");
    assert!(told.iter().all(|(kind, text)| kind != "consent.approved" || !text.contains("page")), "the second was not: {told:?}");
}

#[test]
fn approvals_without_a_common_door_are_refused_and_leave_nothing_behind() {
    let mut desk = Desk::new();
    let request = desk.requested(Grade::EndToEnd, 2);
    desk.approve(&request, 0, "shell", 600).unwrap();
    let error = desk.approve(&request, 1, "exec", 600).unwrap_err();
    assert!(error.to_string().contains("no door in common: this one allows exec, the others shell"), "{error}");
    let view = desk.view(request.id);
    assert_eq!((view.state, view.consents.len()), (ConsentState::Requested, 1));
    desk.approve(&request, 1, "shell,exec", 600).unwrap();
    assert_eq!(desk.view(request.id).doors.unwrap().to_string(), "shell");
}

#[test]
fn a_request_beyond_the_devices_policy_reads_what_would_be_right() {
    let mut desk = Desk::new();
    let challenge = desk.challenge(policy(&[Grade::EndToEnd], 1));
    let good = request_of(&desk.world, &challenge, Grade::EndToEnd, "shell");
    let words = |desk: &mut Desk, request: Request| desk.file(&request).unwrap_err().to_string();
    let grade = words(&mut desk, Request { grade: Grade::Gateway, ..good.clone() });
    assert_eq!(grade, "ne-1.jw.ne does not take grade gateway: its owner's local policy takes end-to-end; ask for that");
    let account = words(&mut desk, Request { account: "root".into(), ..good.clone() });
    assert_eq!(account, "ne-1.jw.ne has no account profile `root`: ask for view or operate");
    for duration_s in [0, 7201] {
        let long = words(&mut desk, Request { duration_s, ..good.clone() });
        assert!(long.contains("ask for 1 to 7200 s"), "{long}");
    }
    assert_eq!(desk.view(challenge.id).state, ConsentState::Challenged, "the same challenge is good for a better request");
    desk.file(&good).unwrap();
}

#[test]
fn a_stop_ends_everything_and_nothing_new_is_taken() {
    let mut desk = Desk::new();
    let all = policy(&[Grade::EndToEnd, Grade::Role, Grade::Gateway], 1);
    let challenged = desk.challenge(all.clone());
    let requested = desk.requested(Grade::EndToEnd, 1);
    let [approved, live] = [0, 1].map(|_| desk.requested(Grade::EndToEnd, 1));
    for request in [&approved, &live] {
        desk.approve(request, 0, "exec", 600).unwrap();
    }
    desk.live(&live);
    desk.forget_orders();
    desk.stop();
    for id in [challenged.id, requested.id, approved.id, live.id] {
        let view = desk.view(id);
        assert_eq!((view.state, view.end_reason), (ConsentState::Ended, Some(EndReason::Stopped)), "{id}");
    }
    let orders = desk.orders();
    assert!(matches!(orders[0], Order::Stop { .. }), "{orders:?}");
    let ended: Vec<_> = orders.iter().filter(|order| matches!(order, Order::EndConsent { reason: EndReason::Stopped, .. })).collect();
    assert_eq!(ended.len(), 2, "also if the stop is taken back before the device hears of it: {orders:?}");
    // The clock of the customer's answer does not run on.
    assert_eq!(desk.kinds().iter().filter(|kind| *kind == "consent.lapsed").count(), 1);
    let says = |error: Error| {
        let text = error.to_string();
        assert!(text.contains("noc-a stopped everything of JW at 2026-11-22T00:00:00Z: a leaked key"), "{text}");
    };
    let reply = desk.store.read(|db| {
        let (statement, _) = trust::device_statement(db, desk.world.device.id).unwrap();
        challenge_of(&desk.world, &desk.fault, all, db.now() + 4.hours(), statement)
    });
    let device = desk.world.device.clone();
    says(desk.store.write(|tx| ask::note_challenge(tx, &World::engineer(), &device, &reply)).unwrap_err());
    // And stays ended when the stop is over.
    let world = &desk.world;
    desk.store.write(|tx| customers::resume(tx, &world.noc(), &world.code, &"gone".into())).unwrap();
    assert_eq!(desk.view(live.id).state, ConsentState::Ended);
    desk.requested(Grade::EndToEnd, 1);
}

#[test]
fn a_request_and_an_approval_that_come_after_the_stop_are_refused() {
    let mut desk = Desk::new();
    let challenge = desk.challenge(policy(&[Grade::EndToEnd], 1));
    let waiting = desk.requested(Grade::EndToEnd, 1);
    // Only the switch, as if the ends had not been carried out yet.
    let customer = desk.world.customer.to_string();
    desk.store.write(|tx| {
        let sql = "UPDATE customer SET stopped_at = 0, stopped_by = 'noc-a', stopped_reason = 'x' WHERE id = ?1";
        assert_eq!(tx.sql().execute(sql, [customer]).unwrap(), 1);
    });
    let request = request_of(&desk.world, &challenge, Grade::EndToEnd, "shell");
    let error = desk.file(&request).unwrap_err();
    assert!(matches!(error, Error::Customers(customers::Error::Halted(_))), "{error}");
    let error = desk.approve(&waiting, 0, "exec", 600).unwrap_err();
    assert!(matches!(error, Error::Customers(customers::Error::Halted(_))), "{error}");
}

fn local_statement(desk: &Desk, id: ConsentId) -> Signed {
    let statement = LocalStatement {
        device: desk.world.device.name.clone(),
        act: LocalAct::ApproveConsent,
        subject: id.to_string(),
        by: "root (pid 42, /dev/tty1)".into(),
        detail: "request-sha256 00; doors exec; duration-s 600".into(),
        at: desk.store.now,
    };
    Signed::sign(&desk.world.host, Namespace::Local, statement.write().unwrap()).unwrap()
}

#[test]
fn what_was_approved_on_the_device_is_live_and_says_so() {
    let mut desk = Desk::new();
    let request = desk.requested(Grade::EndToEnd, 2);
    let signed = local_statement(&desk, request.id);
    let until = desk.store.now + 10.minutes();
    let live = LocalConsent { consent: request.id, until };
    let device = desk.world.device.clone();
    desk.store.write(|tx| local(tx, &device, &signed, Some(&live))).unwrap();
    let view = desk.view(request.id);
    assert_eq!((view.state, view.live_until, view.local.as_ref()), (ConsentState::Live, Some(until), Some(&signed)));
    assert!(view.consents.is_empty());
    let page = desk.store.read(|db| evidence(db, &Scope::All, request.id)).unwrap();
    assert!(page.device_statement.is_some() && page.roster.is_some(), "proves the key that signed");
    let told = desk.told();
    assert!(told.iter().any(|(kind, text)| kind == "consent.approved" && text.contains("without a signer of the carrier")), "{told:?}");
    let log = desk.store.read(|db| events::after(db, &Scope::Customer(desk.world.customer), 0, 1000)).unwrap();
    let act = log.iter().find(|event| event.kind == "equipment.local_act").expect("on the customer's log");
    assert!(act.text.raw().contains("root (pid 42, /dev/tty1) did: approve-consent"), "{}", act.text);
    LocalStatement::verify(&signed, &desk.world.device.name, desk.world.host.public_key()).unwrap();
}

#[test]
fn a_local_act_counts_for_its_own_device_only() {
    let mut desk = Desk::new();
    let request = desk.requested(Grade::EndToEnd, 1);
    let (_, other) = desk.store.write(|tx| place(tx, "YW"));
    let until = desk.store.now + 10.minutes();
    let mut says = |device: &equipment::Known, signed: &Signed, consent| {
        let live = LocalConsent { consent, until };
        desk.store.write(|tx| local(tx, device, signed, Some(&live))).unwrap();
        desk.view(request.id).state
    };
    let world_device = says(&other, &Signed { text: "x".into(), signature: "y".into() }, request.id);
    assert_eq!(world_device, ConsentState::Requested, "garbage");
    let of_other = LocalStatement {
        device: other.name.clone(),
        act: LocalAct::ApproveConsent,
        subject: request.id.to_string(),
        by: "root".into(),
        detail: "x".into(),
        at: until,
    };
    let of_other = Signed::sign(&key(), Namespace::Local, of_other.write().unwrap()).unwrap();
    assert_eq!(says(&other, &of_other, request.id), ConsentState::Requested, "another device's word");
    let kill = LocalStatement {
        device: desk.world.device.name.clone(),
        act: LocalAct::KillSession,
        subject: request.id.to_string(),
        by: "root".into(),
        detail: "x".into(),
        at: until,
    };
    let kill = Signed::sign(&desk.world.host, Namespace::Local, kill.write().unwrap()).unwrap();
    let own = desk.world.device.clone();
    let mut says = |signed: &Signed, consent| {
        let live = LocalConsent { consent, until };
        desk.store.write(|tx| local(tx, &own, signed, Some(&live))).unwrap();
        desk.view(request.id).state
    };
    assert_eq!(says(&kill, request.id), ConsentState::Requested, "another act");
    let unknown = ConsentId::new();
    let statement = local_statement(&desk, unknown);
    let live = LocalConsent { consent: unknown, until };
    let own = desk.world.device.clone();
    desk.store.write(|tx| local(tx, &own, &statement, Some(&live))).unwrap();
}

#[test]
fn a_local_approval_of_what_has_ended_meanwhile_ends_too() {
    let mut desk = Desk::new();
    let stopped = desk.requested(Grade::EndToEnd, 1);
    let until = desk.store.now + 10.minutes();
    let device = desk.world.device.clone();
    let approve_there = |desk: &mut Desk, id| {
        let signed = local_statement(desk, id);
        desk.store.write(|tx| local(tx, &device, &signed, Some(&LocalConsent { consent: id, until }))).unwrap();
    };
    desk.stop();
    desk.forget_orders();
    approve_there(&mut desk, stopped.id);
    assert_eq!(desk.view(stopped.id).state, ConsentState::Ended);
    assert!(matches!(&desk.orders()[..], [Order::EndConsent { consent, .. }] if *consent == stopped.id), "{:?}", desk.orders());
    let world = &desk.world;
    desk.store.write(|tx| customers::resume(tx, &world.noc(), &world.code, &"gone".into())).unwrap();
    let late = desk.requested(Grade::EndToEnd, 1);
    let (noc, number) = (desk.world.noc(), desk.fault.number.clone());
    desk.store.write(|tx| faults::cancel(tx, &noc, &faults::Reference::Number(number), &"a mistake".into())).unwrap();
    assert_eq!(desk.view(late.id).state, ConsentState::Lapsed);
    desk.forget_orders();
    approve_there(&mut desk, late.id);
    let view = desk.view(late.id);
    assert_eq!((view.state, view.end_reason), (ConsentState::Ended, Some(EndReason::FaultClosed)));
    assert!(view.local.is_some());
    assert!(matches!(&desk.orders()[..], [Order::EndConsent { .. }]), "{:?}", desk.orders());
}

#[test]
fn a_decision_stays_verifiable_when_lists_and_devices_change() {
    let mut desk = Desk::new();
    let request = desk.requested(Grade::EndToEnd, 1);
    desk.approve(&request, 0, "exec", 600).unwrap();
    let waiting = desk.requested(Grade::EndToEnd, 1);
    let (host, at) = (key(), desk.store.now);
    let world = &desk.world;
    desk.store.write(|tx| {
        world.publish_roster(tx, 2);
        world.enrol(tx, &host);
        world.vouch(tx, &host, 2);
    });
    let list = desk.store.write(|tx| world.signers(tx, 1, &[&world.approvers[0]]))[0].text.clone();
    let evidence = |id| desk.store.read(|db| evidence(db, &Scope::All, id)).unwrap();
    // With nothing but the page, the vendor root and the carrier's own lists.
    let page = evidence(request.id);
    let roster = Roster::verify(page.roster.as_ref().unwrap(), &world.vendor_root, at).unwrap();
    assert_eq!(roster.head.counter, 1, "the roster of the decision");
    let signed = page.request.as_ref().unwrap();
    let asked = Request::verify(signed, &roster, at).unwrap();
    let signers = CarrierSigners::parse(&list, &world.code).unwrap();
    Consent::verify(&page.consents[0], &asked, &signed.text, &signers, at).unwrap();
    let technician = format!("technician-a namespaces=\"device@lineman\" {}\n", world.technician.public_key().to_openssh().unwrap());
    let anchors = SignerList::parse("anchors", &technician).unwrap();
    let device = DeviceStatement::verify(page.device_statement.as_ref().unwrap(), &anchors, at).unwrap();
    assert_eq!(device.host_key_fingerprint(), asked.host_key, "the device as it was");
    // Who is still to decide sees what counts now.
    let open = evidence(waiting.id);
    assert_eq!(Roster::verify(open.roster.as_ref().unwrap(), &world.vendor_root, at).unwrap().head.counter, 2);
    let statement = DeviceStatement::verify(open.device_statement.as_ref().unwrap(), &anchors, at).unwrap();
    assert_eq!(statement.host_key_fingerprint(), fingerprint(&host));
}

#[test]
fn a_page_is_shown_also_when_the_device_enrolled_anew_and_nobody_vouched_yet() {
    let mut desk = Desk::new();
    let (open, decided) = (desk.requested(Grade::EndToEnd, 1), desk.requested(Grade::EndToEnd, 1));
    desk.approve(&decided, 0, "exec", 600).unwrap();
    let (world, host) = (&desk.world, key());
    desk.store.write(|tx| world.enrol(tx, &host));
    let page = |id| desk.store.read(|db| evidence(db, &Scope::All, id)).unwrap();
    assert!(page(open.id).device_statement.is_none() && page(open.id).roster.is_some());
    assert!(page(decided.id).device_statement.is_some());
}

/// A live consent of this grade for everything, in any store.
pub fn live_consent(tx: &mut Tx<'_>, world: &World, fault: &Fault, grade: Grade) -> ConsentId {
    let (statement, _) = trust::device_statement(tx, world.device.id).unwrap();
    let all = policy(&[Grade::EndToEnd, Grade::Gateway], 1);
    let challenge = challenge_of(world, fault, all, tx.now() + 4.hours(), statement);
    ask::note_challenge(tx, &World::engineer(), &world.device, &challenge).unwrap();
    let request = request_of(world, &challenge, grade, "shell,exec,sftp-read");
    let text = request.write().unwrap();
    let consent = Consent {
        id: request.id,
        request_sha256: sha256_hex(&text),
        approver: "approver-a".parse().unwrap(),
        doors: request.doors.clone(),
        duration_s: 3600,
        roster: 1,
        issued: tx.now(),
    };
    let signed = Signed::sign(&world.engineer_key, Namespace::Request, text).unwrap();
    ask::file(tx, &World::engineer(), &signed, &world.vendor_root).unwrap();
    let approval = Signed::sign(&world.approvers[0], Namespace::Consent, consent.write().unwrap()).unwrap();
    approve(tx, &world.noc(), request.id, &approval).unwrap();
    let live = Outcome::Done { answer: Answer::ConsentLive { until: tx.now() + 1.hour() } };
    device_answered(tx, &world.device, &signed, &live).unwrap();
    request.id
}

/// A device's link, and what the centre's store holds, with the request asked for through both.
async fn ask_a_device(outcome: Option<Outcome>) -> (Result<ConsentView, Error>, ConsentState) {
    let dir = tempfile::tempdir().unwrap();
    let store = crate::store::Store::open(&dir.path().join("x.db"), crate::LISTENERS).unwrap();
    let (world, challenge) = store
        .write(|tx| -> Result<_, StoreError> {
            let world = World::found(tx, "JW");
            let fault = report_fault(tx, &world);
            let (statement, _) = trust::device_statement(tx, world.device.id).unwrap();
            let reply = challenge_of(&world, &fault, policy(&[Grade::EndToEnd], 1), tx.now() + 4.hours(), statement);
            ask::note_challenge(tx, &World::engineer(), &world.device, &reply).unwrap();
            Ok((world, reply))
        })
        .await
        .unwrap();
    let links = agents::Links::default();
    let text = request_of(&world, &challenge, Grade::EndToEnd, "shell").write().unwrap();
    let signed = Signed::sign(&world.engineer_key, Namespace::Request, text).unwrap();
    let asking = request(&store, &links, &world.vendor_root, World::engineer(), signed.clone());
    let answer = match outcome {
        None => asking.await,
        Some(outcome) => {
            let mut link = links.register(world.device.id);
            let device = async {
                let asked = link.asks.recv().await.unwrap();
                assert!(matches!(&asked.order, Order::Request { request } if *request == signed), "{:?}", asked.order);
                asked.reply.send(outcome).unwrap();
            };
            tokio::join!(asking, device).0
        }
    };
    let state = store.read(move |db| get(db, &Scope::All, challenge.id)).await.unwrap().state;
    (answer, state)
}

#[tokio::test]
async fn the_device_looks_at_a_request_before_anybody_is_asked() {
    let (answer, state) = ask_a_device(Some(Outcome::Refused { reason: "the roster \u{1b}[2J is too old".into() })).await;
    let error = answer.unwrap_err();
    assert!(matches!(&error, Error::Ask(AskError::Refused(_))), "{error}");
    assert_eq!(error.to_string(), "ne-1.jw.ne refuses the request: the roster \\u{1b}[2J is too old");
    assert_eq!(state, ConsentState::Challenged);
    let (answer, state) = ask_a_device(Some(Outcome::Done { answer: Answer::Ok })).await;
    assert_eq!((answer.unwrap().state, state), (ConsentState::Requested, ConsentState::Requested));
    let (answer, state) = ask_a_device(None).await;
    assert_eq!((answer.unwrap().state, state), (ConsentState::Requested, ConsentState::Requested), "offline: it goes on");
}

#[test]
fn what_was_stored_before_grades_and_several_approvals_is_still_there() {
    let (customer, device, fault) = (CustomerId::new(), EquipmentId::new(), FaultId::new());
    let (asked, allowed) = (ConsentId::new(), ConsentId::new());
    let signed = r#"'{"text":"a\nb","signature":"s"}'"#;
    let store = TestStore::upgraded(
        2,
        &format!(
            r"INSERT INTO tier VALUES ('gold', '{{}}');
            INSERT INTO customer VALUES ('{customer}', 'JW', 'JW Telecom', 'gold', 1, 0);
            INSERT INTO site VALUES ('sit', '{customer}', 'North', 'UTC', NULL, NULL, '');
            INSERT INTO equipment VALUES ('{device}', '{customer}', 'ne-1', 'sit', NULL, '', '', '', '', 0);
            INSERT INTO fault(id, customer, serial, title, description, severity, impact, status, reported_by, reported_at, updated_at)
                VALUES ('{fault}', '{customer}', 1, 'x', '', 'major', 'none', 'accepted', 'noc-a', 0, 0);
            INSERT INTO trust_list VALUES ('roster', 7, {signed}, 0);
            INSERT INTO consent(id, customer, equipment, fault, engineer, state, lapses_at)
                VALUES ('{asked}', '{customer}', '{device}', '{fault}', 'engineer-a', 'challenged', 0);
            INSERT INTO consent(id, customer, equipment, fault, engineer, state, lapses_at, decided_at, decided_by, request, consent)
                VALUES ('{allowed}', '{customer}', '{device}', '{fault}', 'engineer-a', 'live', 0, 5, 'approver-a', {signed}, {signed});"
        ),
    );
    let consent = Signed { text: "a\nb".into(), signature: "s".into() };
    let view = store.read(|db| get(db, &Scope::All, allowed)).unwrap();
    assert_eq!((view.consents, view.approvals_needed, view.grade), (vec![consent.clone()], 1, Some(Grade::EndToEnd)));
    let view = store.read(|db| get(db, &Scope::All, asked)).unwrap();
    assert!(view.consents.is_empty() && view.grade.is_none());
    assert_eq!(store.read(|db| trust::roster_of(db, 7)).unwrap(), Some(consent));
    assert!(store.read(|db| customers::halted(db, customer)).unwrap().is_none());
}

//! Standing statements: granted, answering requests, taken back.

use jiff::ToSpan;
use lineman_common::api::ConsentState;
use lineman_common::session::Grade;
use lineman_common::statement::standing::{Devices, ForFault};
use ssh_key::PrivateKey;

use super::*;
use crate::consents::tests::{Desk, policy, request_of};
use crate::trust::testing::{World, actor, key, place};

fn terms_of(desk: &Desk) -> Standing {
    Standing {
        id: ConsentId::new(),
        customer: desk.world.code.clone(),
        devices: Devices::All,
        fault: ForFault::Any,
        level: 2,
        doors: "shell,exec".parse().unwrap(),
        account: "view".into(),
        duration_s: 3600,
        roster: 1,
        approver: "approver-a".parse().unwrap(),
        issued: desk.store.now,
        valid_before: desk.store.now + (24 * 30).hours(),
    }
}

fn sign(key: &PrivateKey, standing: &Standing) -> Signed {
    Signed::sign(key, Namespace::Standing, standing.write().unwrap()).unwrap()
}

fn signed_by_both(desk: &Desk, standing: &Standing) -> Vec<Signed> {
    let [a, b] = &desk.world.approvers;
    let other = Standing { approver: "approver-b".parse().unwrap(), roster: 2, ..standing.clone() };
    vec![sign(a, standing), sign(b, &other)]
}

fn grant_it(desk: &mut Desk, signed: &[Signed]) -> Result<StandingView, Error> {
    let noc = desk.world.noc();
    desk.store.write(|tx| grant(tx, &noc, signed))
}

fn granted(desk: &mut Desk, standing: &Standing) -> StandingView {
    let signed = sign(&desk.world.approvers[0], standing);
    grant_it(desk, &[signed]).unwrap()
}

/// A request of grade `role`, over a fresh challenge.
fn ask_by_role(desk: &mut Desk, doors: &str, approvals: u8) -> Result<lineman_common::api::ConsentView, Error> {
    let challenge = desk.challenge(policy(&[Grade::EndToEnd, Grade::Role], approvals));
    let request = request_of(&desk.world, &challenge, Grade::Role, doors);
    desk.file(&request)
}

#[test]
fn a_request_of_grade_role_is_answered_at_once() {
    let mut desk = Desk::new();
    let terms = terms_of(&desk);
    let view = granted(&mut desk, &terms);
    assert_eq!((view.state, view.approvers[0].as_str(), view.level), (StandingState::Standing, "approver-a", 2));
    let consent = ask_by_role(&mut desk, "exec", 1).unwrap();
    assert_eq!((consent.state, consent.grade), (ConsentState::Approved, Some(Grade::Role)));
    assert_eq!((consent.consents.as_slice(), consent.decided_by.unwrap().as_str()), (&view.statements[..], "approver-a"));
    let orders = desk.orders();
    assert!(matches!(&orders[..], [Order::Consent { consents, .. }] if *consents == view.statements), "{orders:?}");
    let told = desk.told();
    assert_eq!((told[0].0.as_str(), told[1].0.as_str()), ("consent.requested", "consent.approved"));
    assert!(told[0].1.contains("(grade role)") && told[1].1.contains(&terms.id.to_string()), "{told:?}");
}

#[test]
fn what_no_standing_statement_covers_reads_why_and_what_would_be_right() {
    let mut desk = Desk::new();
    let none = ask_by_role(&mut desk, "exec", 1).unwrap_err().to_string();
    assert!(none.contains("(there is none): ask for grade end-to-end, or the carrier grants it with `lineman standing grant`"), "{none}");
    let terms = terms_of(&desk);
    granted(&mut desk, &terms);
    let wider = ask_by_role(&mut desk, "sftp-read", 1).unwrap_err().to_string();
    assert!(wider.contains("opens shell,exec, not sftp-read"), "{wider}");
    let alone = ask_by_role(&mut desk, "exec", 2).unwrap_err().to_string();
    assert!(alone.contains("1 of 2 people signed it"), "{alone}");
    let higher = Standing { id: ConsentId::new(), level: 3, ..terms.clone() };
    let mut desk = Desk::new();
    granted(&mut desk, &higher);
    let level = ask_by_role(&mut desk, "exec", 1).unwrap_err().to_string();
    assert!(level.contains("wants level 3 or more; engineer-a has level 2"), "{level}");
    // Signed by two, it is enough for a device that wants two.
    let terms = terms_of(&desk);
    let both = signed_by_both(&desk, &terms);
    assert_eq!(grant_it(&mut desk, &both).unwrap().approvers.len(), 2);
    assert_eq!(ask_by_role(&mut desk, "exec", 2).unwrap().consents, both);
    // And over, it covers nothing.
    desk.store.now += (24 * 29).hours();
    let challenge = desk.challenge(policy(&[Grade::Role], 2));
    desk.store.now = terms.valid_before;
    let request = request_of(&desk.world, &challenge, Grade::Role, "exec");
    assert!(desk.file(&request).is_err());
    assert_eq!(desk.store.read(|db| get(db, &Scope::All, terms.id)).unwrap().state, StandingState::Over);
}

#[test]
fn what_can_be_checked_is_checked_when_it_is_granted() {
    let mut desk = Desk::new();
    let terms = terms_of(&desk);
    let a = desk.world.approvers[0].clone();
    let refused = |desk: &mut Desk, signed: &[Signed]| grant_it(desk, signed).unwrap_err().to_string();
    assert!(refused(&mut desk, &[]).contains("nobody signed"));
    let purpose = Signed::sign(&a, Namespace::Consent, terms.write().unwrap()).unwrap();
    assert!(refused(&mut desk, &[purpose]).contains("not for `standing@lineman`"));
    let changed = Signed { text: sign(&a, &terms).text.replace("level: 2", "level: 1"), ..sign(&a, &terms) };
    assert!(refused(&mut desk, &[changed]).contains("does not match its text"));
    let over = sign(&a, &Standing { valid_before: desk.store.now, ..terms.clone() });
    assert!(refused(&mut desk, &[over]).contains("ended at"));
    let foreign = sign(&a, &Standing { customer: "YW".parse().unwrap(), ..terms.clone() });
    assert!(refused(&mut desk, &[foreign]).contains("is of YW, and you act for JW"));
    let unknown = Devices::Named(["ne-9.jw.ne".parse().unwrap()].into());
    let unknown = sign(&a, &Standing { devices: unknown, ..terms.clone() });
    assert!(refused(&mut desk, &[unknown]).contains("JW has no equipment ne-9.jw.ne"));
    let no_fault = sign(&a, &Standing { fault: ForFault::Only("F-JW-99".parse().unwrap()), ..terms.clone() });
    assert_eq!(refused(&mut desk, &[no_fault]), "no such fault");
    let twice = [sign(&a, &terms), sign(&desk.world.approvers[1], &terms)];
    assert!(refused(&mut desk, &twice).contains("approver-a has signed this already"));
    let other = Standing { approver: "approver-b".parse().unwrap(), ..terms.clone() };
    assert!(refused(&mut desk, &[sign(&a, &terms), sign(&a, &other)]).contains("wants different keys"));
    let wider = Standing { doors: "shell,exec,sftp-read".parse().unwrap(), ..other };
    let mixed = [sign(&a, &terms), sign(&desk.world.approvers[1], &wider)];
    assert!(refused(&mut desk, &mixed).contains("approver-b signed other terms than approver-a"));
    granted(&mut desk, &terms);
    assert!(refused(&mut desk, &[sign(&a, &terms)]).contains("exists already"));
}

#[test]
fn revoked_it_ends_what_rests_on_it_and_every_device_it_covers_is_told() {
    let mut desk = Desk::new();
    let (gone, stays) = (terms_of(&desk), Standing { doors: "sftp-read".parse().unwrap(), ..terms_of(&desk) });
    granted(&mut desk, &stays);
    let other = ask_by_role(&mut desk, "sftp-read", 1).unwrap();
    let view = granted(&mut desk, &gone);
    let consent = ask_by_role(&mut desk, "exec", 1).unwrap();
    desk.forget_orders();
    let noc = desk.world.noc();
    let revoked = desk.store.write(|tx| revoke(tx, &noc, gone.id, &"no longer needed".into())).unwrap();
    assert_eq!((revoked.state, revoked.revoked_at), (StandingState::Revoked, Some(desk.store.now)));
    assert_eq!(desk.view(consent.id).state, ConsentState::Ended);
    assert_eq!(desk.view(other.id).state, ConsentState::Approved, "rests on another");
    let orders = desk.orders();
    assert!(
        matches!(&orders[..], [Order::EndStanding { standing, reason: EndReason::Revoked }, Order::EndConsent { consent: ended, .. }]
            if *standing == view.statements[0] && *ended == consent.id),
        "{orders:?}"
    );
    let again = desk.store.write(|tx| revoke(tx, &noc, gone.id, &"x".into())).unwrap_err();
    assert!(again.to_string().contains("was revoked already"), "{again}");
    assert!(ask_by_role(&mut desk, "exec", 1).is_err(), "it answers nothing any more");
    // A device that enrols anew has forgotten it.
    desk.forget_orders();
    let (world, host) = (&desk.world, key());
    desk.store.write(|tx| world.enrol(tx, &host));
    assert!(matches!(&desk.orders()[..], [Order::EndStanding { .. }]), "{:?}", desk.orders());
    let log = desk.store.read(|db| events::after(db, &Scope::Customer(desk.world.customer), 0, 1000)).unwrap();
    let kinds: Vec<_> = log.iter().map(|event| event.kind.as_str()).filter(|kind| kind.starts_with("standing.")).collect();
    assert_eq!(kinds, ["standing.granted", "standing.granted", "standing.revoked"]);
}

#[test]
fn bound_to_a_fault_it_ends_with_it() {
    let mut desk = Desk::new();
    let number = desk.fault.number.clone();
    let terms = Standing { fault: ForFault::Only(number.clone()), ..terms_of(&desk) };
    granted(&mut desk, &terms);
    assert!(desk.told().iter().any(|(kind, _)| kind == "standing.granted"), "on the fault's timeline: {:?}", desk.told());
    let consent = ask_by_role(&mut desk, "exec", 1).unwrap();
    desk.forget_orders();
    let noc = desk.world.noc();
    desk.store.write(|tx| faults::cancel(tx, &noc, &FaultReference::Number(number), &"a mistake".into())).unwrap();
    let view = desk.store.read(|db| get(db, &Scope::All, terms.id)).unwrap();
    assert_eq!(view.state, StandingState::Revoked);
    let ended = desk.view(consent.id);
    assert_eq!((ended.state, ended.end_reason), (ConsentState::Ended, Some(EndReason::FaultClosed)));
    let orders = desk.orders();
    assert!(orders.iter().any(|order| matches!(order, Order::EndStanding { reason: EndReason::FaultClosed, .. })), "{orders:?}");
}

#[test]
fn a_statement_of_named_devices_concerns_these_only() {
    let mut desk = Desk::new();
    let name = desk.world.device.name.clone();
    let terms = Standing { devices: Devices::Named([name].into()), ..terms_of(&desk) };
    granted(&mut desk, &terms);
    let noc = desk.world.noc();
    desk.store.write(|tx| revoke(tx, &noc, terms.id, &"x".into())).unwrap();
    assert!(matches!(&desk.orders()[..], [Order::EndStanding { .. }]), "{:?}", desk.orders());
    assert!(covers(&Devices::All, &"ne-2.jw.ne".parse().unwrap()));
    assert!(!covers(&terms.devices, &"ne-2.jw.ne".parse().unwrap()));
}

#[test]
fn strangers_find_none() {
    let mut desk = Desk::new();
    let terms = terms_of(&desk);
    granted(&mut desk, &terms);
    let (yw, _) = desk.store.write(|tx| place(tx, "YW"));
    let stranger = actor("noc-yw", lineman_common::people::Role::Noc, Some((yw, "YW")));
    let scope = stranger.scope();
    assert!(matches!(desk.store.read(|db| get(db, &scope, terms.id)), Err(Error::NoStanding)));
    assert!(desk.store.read(|db| list(db, &scope, Some("JW"), None)).unwrap().is_empty());
    assert!(matches!(desk.store.write(|tx| revoke(tx, &stranger, terms.id, &"x".into())), Err(Error::NoStanding)));
    assert_eq!(desk.store.read(|db| list(db, &Scope::All, Some("JW"), None)).unwrap().len(), 1);
    let engineer = World::engineer();
    assert_eq!(desk.store.read(|db| list(db, &engineer.scope(), None, Some(desk.fault.id))).unwrap().len(), 0, "it is bound to no fault");
}

#[test]
fn an_end_is_repeated_only_while_it_matters() {
    let mut desk = Desk::new();
    let signed = sign(&desk.world.approvers[0], &terms_of(&desk));
    assert!(desk.store.read(|db| could_be_believed(db, &signed)));
    desk.store.now += (24 * 31).hours();
    assert!(!desk.store.read(|db| could_be_believed(db, &signed)));
}

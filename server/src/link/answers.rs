//! What agents answer to the orders of their outbox: into the rooms, and out of the outbox when nothing is left to be done.

use lineman_common::Printable;
use lineman_common::link::{Order, Outcome};

use crate::agents;
use crate::consents::{self, standing};
use crate::equipment::Known;
use crate::sessions;
use crate::store::{Db, Tx};
use crate::trust::signers;
use crate::web::ApiError;

/// Takes an answer in. An order that must happen and was refused stays, and is sent again on the next link.
pub fn take(tx: &mut Tx<'_>, device: &Known, id: u64, outcome: &Outcome) -> Result<(), ApiError> {
    let order = agents::waiting_order(tx, device.id, id)?;
    match &order {
        Some(Order::Consent { request, .. }) => consents::device_answered(tx, device, request, outcome)?,
        Some(Order::Signers { signed }) => signers::device_answered(tx, device, signed, outcome)?,
        _ => {}
    }
    if let (Some(order), Outcome::Refused { reason }) = (&order, outcome)
        && must_happen(tx, order)?
    {
        let reason = Printable::from(reason.as_str());
        tracing::warn!(agent.id = %device.name, %reason, "the device could not end what it was told to end");
        return Ok(());
    }
    Ok(agents::answered(tx, device.id, id)?)
}

/// An end that a device could not carry out is not done. (A resume that it refuses is: it was stopped there, and stays so.)
fn must_happen(db: &Db<'_>, order: &Order) -> Result<bool, ApiError> {
    Ok(match order {
        Order::EndConsent { .. } | Order::Stop { .. } => true,
        Order::EndStanding { standing, .. } => standing::could_be_believed(db, standing),
        Order::KillSession { session, .. } => sessions::is_live(db, *session)?,
        Order::ReportNow
        | Order::SetInterval { .. }
        | Order::RunCheck { .. }
        | Order::LogLevel { .. }
        | Order::Roster { .. }
        | Order::Challenge { .. }
        | Order::Request { .. }
        | Order::Consent { .. }
        | Order::Signers { .. }
        | Order::Resume { .. }
        | Order::Open { .. }
        | Order::Park { .. } => false,
    })
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan;
    use lineman_common::id::ConsentId;
    use lineman_common::session::EndReason;
    use lineman_common::statement::standing::{Devices, ForFault};
    use lineman_common::statement::{Namespace, Signed, Standing};

    use super::*;
    use crate::consents::tests::Desk;
    use crate::web::Scope;

    fn refused() -> Outcome {
        Outcome::Refused { reason: "the disk is full".into() }
    }

    /// Puts an order into the outbox, has the device refuse it, and says whether it still waits.
    fn stays(desk: &mut Desk, order: &Order) -> bool {
        let device = desk.world.device.clone();
        desk.forget_orders();
        desk.store.write(|tx| {
            agents::order(tx, device.id, order).unwrap();
            let (id, _) = agents::waiting(tx, device.id).unwrap().remove(0);
            take(tx, &device, id, &refused()).unwrap();
        });
        !desk.orders().is_empty()
    }

    fn standing(desk: &Desk) -> Signed {
        let standing = Standing {
            id: ConsentId::new(),
            customer: desk.world.code.clone(),
            devices: Devices::All,
            fault: ForFault::Any,
            level: 1,
            doors: "exec".parse().unwrap(),
            account: "view".into(),
            duration_s: 60,
            roster: 1,
            approver: "approver-a".parse().unwrap(),
            issued: desk.store.now,
            valid_before: desk.store.now + 1.hour(),
        };
        Signed::sign(&desk.world.approvers[0], Namespace::Standing, standing.write().unwrap()).unwrap()
    }

    #[test]
    fn an_end_that_was_refused_is_not_done() {
        let mut desk = Desk::new();
        let stop = Order::Stop { by: "noc-a".into(), reason: "x".into() };
        let end_consent = Order::EndConsent { consent: ConsentId::new(), reason: EndReason::Revoked };
        let end_standing = Order::EndStanding { standing: standing(&desk), reason: EndReason::Revoked };
        for order in [&stop, &end_consent, &end_standing] {
            assert!(stays(&mut desk, order), "{order:?}");
        }
        assert!(!stays(&mut desk, &Order::Resume { by: "noc-a".into() }), "it was stopped there");
        desk.store.now += 2.hours();
        assert!(!stays(&mut desk, &end_standing), "nobody would believe it any more");
    }

    #[test]
    fn a_refused_signer_list_is_an_answer_to_keep() {
        let mut desk = Desk::new();
        let world = &desk.world;
        let signed = desk.store.write(|tx| {
            let signed = world.signers(tx, 2, &[&world.approvers[0]]);
            signers::publish(tx, &world.noc(), &world.code, &signed).unwrap();
            signed
        });
        assert!(!stays(&mut desk, &Order::Signers { signed }));
        let view = desk.store.read(|db| signers::view(db, &Scope::All, &desk.world.code)).unwrap();
        assert_eq!(view.devices[0].refusal.as_ref().unwrap().raw(), "the disk is full");
    }
}

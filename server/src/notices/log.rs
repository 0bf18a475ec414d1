//! The delivery log: what went where, every attempt, and sending again.

use jiff::Timestamp;
use lineman_common::api::{NoticePage, NoticeTarget, NoticeView, Replay, Replayed};
use lineman_common::id::{CustomerId, FaultId, NoticeId, PersonId, TargetId};
use lineman_common::notice::Delivery;
use lineman_common::people::Role;
use serde_json::json;

use super::targets::KEEPERS;
use super::{Error, outbox, sql};
use crate::events::{self, Kind, New};
use crate::store::{Db, StoreError, Tx};
use crate::web::Actor;

/// Attempts shown of one notice.
const MOST_ATTEMPTS: u32 = 100;
/// Sent again at a time.
const MOST_REPLAYED: u32 = 1000;

/// Whose notices somebody may see: one's own, those of the customer's shared targets for its keepers, all for the administrator.
pub struct Viewer {
    pub all: bool,
    pub person: PersonId,
    pub customer: Option<CustomerId>,
}

impl Viewer {
    pub fn of(actor: &Actor) -> Self {
        let keeps = KEEPERS.contains(&actor.role);
        Self {
            all: actor.role == Role::Admin,
            person: actor.id,
            customer: actor.customer.as_ref().filter(|_| keeps).map(|(customer, _)| *customer),
        }
    }

    /// The shared targets of a customer alone.
    pub fn of_shared(customer: CustomerId) -> Self {
        Self { all: false, person: PersonId::new(), customer: Some(customer) }
    }
}

/// What a list is narrowed to.
#[derive(Clone, Debug, Default)]
pub struct Query {
    pub target: Option<TargetId>,
    pub fault: Option<FaultId>,
    pub state: Option<Delivery>,
    pub after: Option<NoticeId>,
    pub limit: u32,
}

pub fn list(db: &Db<'_>, actor: &Actor, query: &Query) -> Result<Vec<NoticeView>, StoreError> {
    sql::notices(db, &Viewer::of(actor), query)
}

pub fn get(db: &Db<'_>, actor: &Actor, id: NoticeId) -> Result<NoticePage, Error> {
    let viewer = Viewer::of(actor);
    let notice = sql::find_notice(db, &viewer, id)?.ok_or(Error::NoNotice)?;
    Ok(NoticePage { notice, log: sql::attempts(db, &viewer, id, MOST_ATTEMPTS)? })
}

pub fn target(db: &Db<'_>, actor: &Actor, id: TargetId) -> Result<NoticeTarget, Error> {
    sql::find_target(db, &Viewer::of(actor), id)?.ok_or(Error::NoTarget)
}

pub fn targets(db: &Db<'_>, actor: &Actor, after: Option<TargetId>, limit: u32) -> Result<Vec<NoticeTarget>, StoreError> {
    sql::targets(db, &Viewer::of(actor), after, limit)
}

/// Sends one notice again: the same text, under the same id.
pub fn replay(tx: &mut Tx<'_>, actor: &Actor, id: NoticeId) -> Result<NoticePage, Error> {
    let page = get(tx, actor, id)?;
    target(tx, actor, page.notice.target_id)?;
    if page.notice.state == Delivery::Waiting {
        return Err(Error::Waits);
    }
    outbox::replay(tx, id)?;
    told(tx, actor, format!("{actor} sends a notice to {} again", page.notice.target), page.notice.target_id, 1)?;
    get(tx, actor, id)
}

/// Sends again what went to one target in a time, the oldest first.
pub fn replay_all(tx: &mut Tx<'_>, actor: &Actor, wanted: &Replay) -> Result<Replayed, Error> {
    let target = target(tx, actor, wanted.target)?;
    let to: Timestamp = wanted.to.unwrap_or_else(|| tx.now());
    if to <= wanted.from {
        return Err(Error::BadTime);
    }
    let ids = sql::in_time(tx, target.id, wanted.from, to, MOST_REPLAYED)?;
    for id in &ids {
        outbox::replay(tx, *id)?;
    }
    let notices = u32::try_from(ids.len()).unwrap_or(u32::MAX);
    told(tx, actor, format!("{actor} sends {notices} notices to {} again", target.address), target.id, notices)?;
    Ok(Replayed { notices })
}

fn told(tx: &mut Tx<'_>, actor: &Actor, text: String, target: lineman_common::id::TargetId, notices: u32) -> Result<(), Error> {
    let event = New::of(Kind::NoticesReplayed, actor, text).data(json!({"target": target, "notices": notices}));
    events::append(tx, New { customer: actor.customer.as_ref().map(|(customer, _)| *customer), ..event })?;
    Ok(())
}

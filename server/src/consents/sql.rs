use jiff::Timestamp;
use lineman_common::Printable;
use lineman_common::api::{ApprovedBy, ChallengeReply, ConsentState, ConsentView};
use lineman_common::id::{ConsentId, CustomerId, EquipmentId, FaultId};
use lineman_common::link::DevicePolicy;
use lineman_common::name::{FaultNumber, NeName, PersonName};
use lineman_common::session::{Doors, EndReason};
use lineman_common::statement::{KeyClass, Request, Signed};
use rusqlite::{OptionalExtension, Row, params};

use crate::equipment::Known;
use crate::store::value::{At, Json, Text};
use crate::store::{Db, StoreError};
use crate::web::Scope;

pub const VIEW: &str = "SELECT n.id, n.state, c.code, f.serial, ec.code, e.handle, n.engineer, n.doors, n.account, n.duration_s, n.reason,
    n.requested_at, n.lapses_at, n.decided_at, n.decided_by, n.refusal, n.live_until, n.device_says, n.ended_at, n.end_reason, n.request,
    (SELECT json_group_array(json(a.signed) ORDER BY a.at, a.rowid) FROM consent_approval a WHERE a.consent = n.id),
    n.grade, n.approvals_needed, n.local, COALESCE(json_extract(n.policy, '$.browser_keys'), 0),
    (SELECT json_group_array(a.approver ORDER BY a.at, a.rowid) FROM consent_approval a WHERE a.consent = n.id)
    FROM consent n JOIN fault f ON f.id = n.fault JOIN customer c ON c.id = n.customer
    JOIN equipment e ON e.id = n.equipment JOIN customer ec ON ec.id = e.customer";

pub fn view(row: &Row<'_>) -> rusqlite::Result<ConsentView> {
    let text = |index| -> rusqlite::Result<Option<Printable>> { Ok(row.get::<_, Option<String>>(index)?.map(Printable::new)) };
    let at = |index| -> rusqlite::Result<Option<Timestamp>> { Ok(row.get::<_, Option<At>>(index)?.map(|at| at.0)) };
    let consents: Vec<Signed> = row.get::<_, Json<_>>(21)?.0;
    let approvers: Vec<PersonName> = row.get::<_, Json<_>>(26)?.0;
    Ok(ConsentView {
        id: row.get::<_, Text<_>>(0)?.0,
        state: row.get::<_, Text<_>>(1)?.0,
        fault: FaultNumber { customer: row.get::<_, Text<_>>(2)?.0, serial: row.get(3)? },
        device: NeName { customer: row.get::<_, Text<_>>(4)?.0, handle: row.get::<_, Text<_>>(5)?.0 },
        grade: row.get::<_, Option<Text<_>>>(22)?.map(|t| t.0),
        engineer: row.get::<_, Text<_>>(6)?.0,
        doors: row.get::<_, Option<Text<_>>>(7)?.map(|t| t.0),
        account: row.get(8)?,
        duration_s: row.get(9)?,
        reason: text(10)?,
        requested_at: at(11)?,
        lapses_at: row.get::<_, At>(12)?.0,
        decided_at: at(13)?,
        decided_by: row.get::<_, Option<Text<_>>>(14)?.map(|t| t.0),
        refusal: text(15)?,
        live_until: at(16)?,
        device_says: text(17)?,
        ended_at: at(18)?,
        end_reason: row.get::<_, Option<Text<_>>>(19)?.map(|t| t.0),
        request: row.get::<_, Option<Json<_>>>(20)?.map(|j| j.0),
        approvals_needed: row.get(23)?,
        browser_keys: row.get(25)?,
        approvals: approvers.into_iter().zip(&consents).map(approved_by).collect(),
        consents,
        local: row.get::<_, Option<Json<_>>>(24)?.map(|j| j.0),
        roster: None,
        device_statement: None,
    })
}

/// The class is in the signature, which was read when it came.
fn approved_by((approver, signed): (PersonName, &Signed)) -> ApprovedBy {
    ApprovedBy { approver, key: KeyClass::claimed(signed).unwrap_or(KeyClass::Own) }
}

pub fn insert(db: &Db<'_>, device: &Known, fault: FaultId, engineer: &str, challenge: &ChallengeReply) -> Result<(), StoreError> {
    let sql = "INSERT INTO consent(id, customer, equipment, fault, engineer, state, lapses_at, policy, approvals_needed)
               VALUES (?1, ?2, ?3, ?4, ?5, 'challenged', ?6, ?7, ?8)";
    db.sql().prepare_cached(sql)?.execute(params![
        Text(challenge.id),
        Text(device.customer),
        Text(device.id),
        Text(fault),
        engineer,
        At(challenge.lapses_at),
        Json(&challenge.policy),
        challenge.policy.approvals
    ])?;
    Ok(())
}

/// What the device said that it takes, when it issued the challenge.
pub fn policy(db: &Db<'_>, id: ConsentId) -> Result<Option<DevicePolicy>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT policy FROM consent WHERE id = ?1")?;
    Ok(statement.query_row([Text(id)], |row| Ok(row.get::<_, Option<Json<_>>>(0)?.map(|j| j.0)))?)
}

pub fn get(db: &Db<'_>, scope: &Scope, id: ConsentId) -> Result<Option<ConsentView>, StoreError> {
    let mut statement = db.sql().prepare_cached(&format!("{VIEW} WHERE n.id = ?1 AND (?2 IS NULL OR n.customer = ?2)"))?;
    Ok(statement.query_row(params![Text(id), scope.customer()], view).optional()?)
}

pub fn device_of(db: &Db<'_>, id: ConsentId) -> Result<EquipmentId, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT equipment FROM consent WHERE id = ?1")?;
    Ok(statement.query_row([Text(id)], |row| Ok(row.get::<_, Text<_>>(0)?.0))?)
}

pub fn customer_of(db: &Db<'_>, id: ConsentId) -> Result<CustomerId, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT customer FROM consent WHERE id = ?1")?;
    Ok(statement.query_row([Text(id)], |row| Ok(row.get::<_, Text<_>>(0)?.0))?)
}

pub fn fault_of(db: &Db<'_>, id: ConsentId) -> Result<Option<FaultId>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT fault FROM consent WHERE id = ?1")?;
    Ok(statement.query_row([Text(id)], |row| Ok(row.get::<_, Text<_>>(0)?.0)).optional()?)
}

pub fn open_of_fault(db: &Db<'_>, fault: FaultId) -> Result<Vec<(ConsentId, ConsentState)>, StoreError> {
    states(db, "fault = ?1 AND state IN ('challenged', 'requested', 'approved', 'live')", Text(fault))
}

pub fn open_of_customer(db: &Db<'_>, customer: CustomerId) -> Result<Vec<(ConsentId, ConsentState)>, StoreError> {
    states(db, "customer = ?1 AND state IN ('challenged', 'requested', 'approved', 'live')", Text(customer))
}

/// What a standing statement let in, and has not ended.
pub fn resting_on(db: &Db<'_>, standing: ConsentId) -> Result<Vec<ConsentId>, StoreError> {
    let found = states(db, "standing = ?1 AND state IN ('approved', 'live')", Text(standing))?;
    Ok(found.into_iter().map(|(id, _)| id).collect())
}

pub fn live_through_gateway(db: &Db<'_>, device: EquipmentId, engineer: &str) -> Result<Vec<(ConsentId, Signed)>, StoreError> {
    live(db, device, engineer, "grade = 'gateway'")
}

pub fn live_for_own_key(db: &Db<'_>, device: EquipmentId, engineer: &str) -> Result<Vec<(ConsentId, Signed)>, StoreError> {
    live(db, device, engineer, "grade <> 'gateway'")
}

pub fn devices_with_live(db: &Db<'_>) -> Result<Vec<EquipmentId>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT DISTINCT equipment FROM consent WHERE state = 'live'")?;
    let rows = statement.query_map([], |row| Ok(row.get::<_, Text<_>>(0)?.0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn live(db: &Db<'_>, device: EquipmentId, engineer: &str, grade: &str) -> Result<Vec<(ConsentId, Signed)>, StoreError> {
    let sql = format!(
        "SELECT id, request FROM consent WHERE equipment = ?1 AND engineer = ?2 AND {grade} AND state = 'live' ORDER BY id DESC LIMIT 32"
    );
    let mut statement = db.sql().prepare_cached(&sql)?;
    let rows =
        statement.query_map(params![Text(device), engineer], |row| Ok((row.get::<_, Text<_>>(0)?.0, row.get::<_, Json<_>>(1)?.0)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub fn lapsed(db: &Db<'_>) -> Result<Vec<(ConsentId, ConsentState)>, StoreError> {
    states(db, "state IN ('challenged', 'requested') AND lapses_at <= ?1", At(db.now()))
}

fn states(db: &Db<'_>, condition: &str, value: impl rusqlite::ToSql) -> Result<Vec<(ConsentId, ConsentState)>, StoreError> {
    let mut statement = db.sql().prepare_cached(&format!("SELECT id, state FROM consent WHERE {condition}"))?;
    let rows = statement.query_map([value], |row| Ok((row.get::<_, Text<_>>(0)?.0, row.get::<_, Text<_>>(1)?.0)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub fn set_requested(db: &Db<'_>, request: &Request, signed: &Signed) -> Result<(), StoreError> {
    let sql =
        "UPDATE consent SET state = 'requested', requested_at = ?2, doors = ?3, account = ?4, duration_s = ?5, reason = ?6, request = ?7,
         grade = ?8 WHERE id = ?1";
    db.sql().prepare_cached(sql)?.execute(params![
        Text(request.id),
        At(db.now()),
        Text(&request.doors),
        request.account,
        request.duration_s,
        request.reason,
        Json(signed),
        Text(request.grade)
    ])?;
    Ok(())
}

/// The request's terms as it was taken in.
pub fn requested(db: &Db<'_>, id: ConsentId) -> Result<Request, super::Error> {
    let mut statement = db.sql().prepare_cached("SELECT request FROM consent WHERE id = ?1").map_err(StoreError::from)?;
    let signed: Json<Signed> = statement.query_row([Text(id)], |row| row.get(0)).map_err(StoreError::from)?;
    Ok(Request::read_unverified(&signed.0)?)
}

/// One signature of the carrier.
pub struct GivenApproval {
    pub approver: PersonName,
    /// Fingerprint, of approvals that were given since it is noted.
    pub key: Option<String>,
    pub signed: Signed,
}

pub fn approvals(db: &Db<'_>, id: ConsentId) -> Result<Vec<GivenApproval>, StoreError> {
    let sql = "SELECT approver, key, signed FROM consent_approval WHERE consent = ?1 ORDER BY at, rowid";
    let mut statement = db.sql().prepare_cached(sql)?;
    let rows = statement.query_map([Text(id)], |row| {
        Ok(GivenApproval { approver: row.get::<_, Text<_>>(0)?.0, key: row.get(1)?, signed: row.get::<_, Json<_>>(2)?.0 })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub fn insert_approval(db: &Db<'_>, id: ConsentId, approver: &PersonName, key: &str, signed: &Signed) -> Result<(), StoreError> {
    let sql = "INSERT INTO consent_approval(consent, approver, key, signed, at) VALUES (?1, ?2, ?3, ?4, ?5)";
    db.sql().prepare_cached(sql)?.execute(params![Text(id), Text(approver), key, Json(signed), At(db.now())])?;
    Ok(())
}

/// What is left of the request's terms after an approval that is not the last.
pub fn narrow(db: &Db<'_>, id: ConsentId, doors: &Doors, duration_s: u32) -> Result<(), StoreError> {
    let sql = "UPDATE consent SET doors = ?2, duration_s = ?3 WHERE id = ?1";
    db.sql().prepare_cached(sql)?.execute(params![Text(id), Text(doors), duration_s])?;
    Ok(())
}

pub fn set_approved(
    db: &Db<'_>,
    id: ConsentId,
    by: &PersonName,
    doors: &Doors,
    duration_s: u32,
    standing: Option<ConsentId>,
) -> Result<(), StoreError> {
    let sql = "UPDATE consent SET state = 'approved', decided_at = ?2, decided_by = ?3, doors = ?4, duration_s = ?5, standing = ?6
               WHERE id = ?1";
    db.sql().prepare_cached(sql)?.execute(params![Text(id), At(db.now()), Text(by), Text(doors), duration_s, standing.map(Text)])?;
    Ok(())
}

/// The number of the roster, and the device statement, that counted when it was decided.
pub fn set_decided(db: &Db<'_>, id: ConsentId, roster: Option<u64>, device: Option<&Signed>) -> Result<(), StoreError> {
    let roster = roster.map(|counter| i64::try_from(counter).unwrap_or(i64::MAX));
    let sql = "UPDATE consent SET decided_roster = ?2, decided_device = ?3 WHERE id = ?1";
    db.sql().prepare_cached(sql)?.execute(params![Text(id), roster, device.map(Json)])?;
    Ok(())
}

pub fn decided(db: &Db<'_>, id: ConsentId) -> Result<(Option<u64>, Option<Signed>), StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT decided_roster, decided_device FROM consent WHERE id = ?1")?;
    Ok(statement.query_row([Text(id)], |row| {
        Ok((row.get::<_, Option<i64>>(0)?.map(i64::unsigned_abs), row.get::<_, Option<Json<_>>>(1)?.map(|j| j.0)))
    })?)
}

/// The device's own word for an approval that was given there.
pub fn set_local(db: &Db<'_>, id: ConsentId, signed: &Signed) -> Result<(), StoreError> {
    db.sql().prepare_cached("UPDATE consent SET local = ?2 WHERE id = ?1")?.execute(params![Text(id), Json(signed)])?;
    Ok(())
}

pub fn set_refused(db: &Db<'_>, id: ConsentId, by: &str, reason: &str) -> Result<(), StoreError> {
    let sql = "UPDATE consent SET state = 'refused', decided_at = ?2, decided_by = ?3, refusal = ?4 WHERE id = ?1";
    db.sql().prepare_cached(sql)?.execute(params![Text(id), At(db.now()), by, reason])?;
    Ok(())
}

pub fn set_live(db: &Db<'_>, id: ConsentId, until: Timestamp) -> Result<(), StoreError> {
    db.sql()
        .prepare_cached("UPDATE consent SET state = 'live', live_until = ?2, ended_at = NULL WHERE id = ?1")?
        .execute(params![Text(id), At(until)])?;
    Ok(())
}

pub fn set_refused_by_device(db: &Db<'_>, id: ConsentId, reason: &str) -> Result<(), StoreError> {
    let sql = "UPDATE consent SET state = 'refused_by_device', device_says = ?2, ended_at = ?3 WHERE id = ?1";
    db.sql().prepare_cached(sql)?.execute(params![Text(id), reason, At(db.now())])?;
    Ok(())
}

pub fn set_terms(db: &Db<'_>, id: ConsentId, doors: &Doors, duration_s: u32) -> Result<(), StoreError> {
    let sql = "UPDATE consent SET doors = ?2, duration_s = ?3 WHERE id = ?1";
    db.sql().prepare_cached(sql)?.execute(params![Text(id), Text(doors), duration_s])?;
    Ok(())
}

/// Why it was taken back, for the engineer.
pub fn set_reason(db: &Db<'_>, id: ConsentId, reason: &str) -> Result<(), StoreError> {
    db.sql().prepare_cached("UPDATE consent SET refusal = ?2 WHERE id = ?1")?.execute(params![Text(id), reason])?;
    Ok(())
}

pub fn set_ended(db: &Db<'_>, id: ConsentId, reason: EndReason) -> Result<(), StoreError> {
    let sql = "UPDATE consent SET state = 'ended', ended_at = ?2, end_reason = ?3 WHERE id = ?1";
    db.sql().prepare_cached(sql)?.execute(params![Text(id), At(db.now()), Text(reason)])?;
    Ok(())
}

pub fn set_lapsed(db: &Db<'_>, id: ConsentId) -> Result<(), StoreError> {
    db.sql()
        .prepare_cached("UPDATE consent SET state = 'lapsed', ended_at = ?2 WHERE id = ?1")?
        .execute(params![Text(id), At(db.now())])?;
    Ok(())
}

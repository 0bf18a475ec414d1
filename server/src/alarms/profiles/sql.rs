use lineman_common::api::{AlarmProfile, NewAlarmProfile};
use lineman_common::id::{CustomerId, ProfileId};
use rusqlite::{OptionalExtension, Row, params};

use super::Override;
use crate::store::value::{At, Text};
use crate::store::{Db, StoreError};
use crate::web::Scope;

const VIEW: &str = "SELECT p.id, c.code, p.product, p.alarm_type, p.qualifier, p.severity, p.why, p.by, p.created_at
    FROM alarm_profile p LEFT JOIN customer c ON c.id = p.customer";

fn profile(row: &Row<'_>) -> rusqlite::Result<AlarmProfile> {
    Ok(AlarmProfile {
        id: row.get::<_, Text<_>>(0)?.0,
        customer: row.get::<_, Option<Text<_>>>(1)?.map(|code| code.0),
        product: row.get::<_, Option<String>>(2)?.map(Into::into),
        alarm_type: row.get::<_, String>(3)?.into(),
        qualifier: row.get::<_, Option<String>>(4)?.map(Into::into),
        severity: row.get::<_, Text<_>>(5)?.0,
        why: row.get::<_, String>(6)?.into(),
        by: row.get(7)?,
        created_at: row.get::<_, At>(8)?.0,
    })
}

/// A customer's people see their own.
pub fn list(db: &Db<'_>, scope: &Scope) -> Result<Vec<AlarmProfile>, StoreError> {
    let mut statement = db.sql().prepare_cached(&format!("{VIEW} WHERE ?1 IS NULL OR p.customer = ?1 ORDER BY p.id"))?;
    Ok(statement.query_map([scope.customer()], profile)?.collect::<Result<_, _>>()?)
}

pub fn get(db: &Db<'_>, id: ProfileId) -> Result<Option<AlarmProfile>, StoreError> {
    Ok(db.sql().prepare_cached(&format!("{VIEW} WHERE p.id = ?1"))?.query_row([Text(id)], profile).optional()?)
}

/// The newest first.
pub fn overrides(db: &Db<'_>) -> Result<Vec<Override>, StoreError> {
    let mut statement =
        db.sql().prepare_cached("SELECT customer, product, alarm_type, qualifier, severity FROM alarm_profile ORDER BY id DESC")?;
    let rows = statement.query_map([], |row| {
        Ok(Override {
            customer: row.get::<_, Option<Text<_>>>(0)?.map(|id| id.0),
            product: row.get(1)?,
            alarm_type: row.get(2)?,
            qualifier: row.get(3)?,
            severity: row.get::<_, Text<_>>(4)?.0,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub fn insert(db: &Db<'_>, id: ProfileId, customer: Option<CustomerId>, new: &NewAlarmProfile, by: &str) -> Result<(), StoreError> {
    let mut statement = db.sql().prepare_cached("INSERT INTO alarm_profile VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")?;
    statement.execute(params![
        Text(id),
        customer.map(Text),
        new.product,
        new.alarm_type,
        new.qualifier,
        new.severity.as_str(),
        new.why.raw(),
        by,
        At(db.now())
    ])?;
    Ok(())
}

pub fn delete(db: &Db<'_>, id: ProfileId) -> Result<(), StoreError> {
    db.sql().prepare_cached("DELETE FROM alarm_profile WHERE id = ?1")?.execute([Text(id)])?;
    Ok(())
}

use jiff::Timestamp;
use lineman_common::api::NewShelf;
use lineman_common::id::{CustomerId, EquipmentId, ShelfId};
use lineman_common::name::CustomerCode;
use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};

use crate::store::value::{At, Json, Text};
use crate::store::{Db, StoreError};
use crate::web::Scope;

/// A shelf as it lies in the database.
#[derive(Serialize, Deserialize)]
pub struct Body {
    pub equipment_id: Option<EquipmentId>,
    pub shelf: NewShelf,
}

pub struct Kept {
    pub id: ShelfId,
    pub customer: CustomerId,
    pub code: CustomerCode,
    pub body: Body,
    pub by: String,
    pub created_at: Timestamp,
}

pub fn list(db: &Db<'_>, customer: Option<CustomerId>) -> Result<Vec<Kept>, StoreError> {
    let mut statement = db.sql().prepare_cached(
        "SELECT s.id, s.customer, c.code, s.body, s.by, s.created_at FROM alarm_shelf s JOIN customer c ON c.id = s.customer
         WHERE ?1 IS NULL OR s.customer = ?1 ORDER BY c.code, s.place, s.id",
    )?;
    let rows = statement.query_map([customer.map(Text)], |row| {
        Ok(Kept {
            id: row.get::<_, Text<_>>(0)?.0,
            customer: row.get::<_, Text<_>>(1)?.0,
            code: row.get::<_, Text<_>>(2)?.0,
            body: row.get::<_, Json<_>>(3)?.0,
            by: row.get(4)?,
            created_at: row.get::<_, At>(5)?.0,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub fn customer_of(db: &Db<'_>, scope: &Scope, id: ShelfId) -> Result<Option<CustomerId>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT customer FROM alarm_shelf WHERE id = ?1 AND (?2 IS NULL OR customer = ?2)")?;
    let found = statement.query_row(params![Text(id), scope.customer()], |row| row.get::<_, Text<_>>(0));
    Ok(found.optional()?.map(|text| text.0))
}

pub fn insert(
    db: &Db<'_>,
    id: ShelfId,
    customer: CustomerId,
    equipment: Option<EquipmentId>,
    new: &NewShelf,
    by: &str,
) -> Result<(), StoreError> {
    let body = Body { equipment_id: equipment, shelf: new.clone() };
    let mut statement = db.sql().prepare_cached("INSERT INTO alarm_shelf VALUES (?1, ?2, 0, ?3, ?4, ?5, ?6)")?;
    statement.execute(params![Text(id), Text(customer), Json(body), new.until.map(At), At(db.now()), by])?;
    Ok(())
}

pub fn set_order(db: &Db<'_>, order: &[ShelfId]) -> Result<(), StoreError> {
    for (place, id) in (1i64..).zip(order) {
        db.sql().prepare_cached("UPDATE alarm_shelf SET place = ?2 WHERE id = ?1")?.execute(params![Text(*id), place])?;
    }
    Ok(())
}

pub fn delete(db: &Db<'_>, id: ShelfId) -> Result<(), StoreError> {
    db.sql().prepare_cached("DELETE FROM alarm_shelf WHERE id = ?1")?.execute([Text(id)])?;
    Ok(())
}

pub fn has_expired(db: &Db<'_>) -> Result<bool, StoreError> {
    Ok(db.sql().prepare_cached("SELECT 1 FROM alarm_shelf WHERE until <= ?1 LIMIT 1")?.exists([At(db.now())])?)
}

pub fn expired(db: &Db<'_>) -> Result<Vec<(ShelfId, CustomerId)>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT id, customer FROM alarm_shelf WHERE until <= ?1 ORDER BY until")?;
    let rows = statement.query_map([At(db.now())], |row| Ok((row.get::<_, Text<_>>(0)?.0, row.get::<_, Text<_>>(1)?.0)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

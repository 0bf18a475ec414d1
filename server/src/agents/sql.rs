use std::collections::BTreeMap;

use jiff::Timestamp;
use lineman_common::id::{EquipmentId, SpoolEpoch};
use lineman_common::link::{Hello, Order, Stream};
use rusqlite::{OptionalExtension, params};

use crate::store::value::{At, Json, Text};
use crate::store::{Db, StoreError};

/// Says whether the agent was online before.
pub fn put_online(db: &Db<'_>, device: EquipmentId, hello: &Hello) -> Result<bool, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT online FROM agent WHERE equipment = ?1")?;
    let was_online: Option<bool> = statement.query_row([Text(device)], |row| row.get(0)).optional()?;
    let sql = "INSERT INTO agent(equipment, epoch, software, boot_id, online, last_seen_at) VALUES (?1, ?2, ?3, ?4, 1, ?5)
               ON CONFLICT(equipment) DO UPDATE SET epoch = excluded.epoch, software = excluded.software, boot_id = excluded.boot_id,
               online = 1, last_seen_at = excluded.last_seen_at, silent_at = NULL";
    db.sql().prepare_cached(sql)?.execute(params![Text(device), Text(hello.epoch), hello.software, hello.boot_id, At(db.now())])?;
    Ok(was_online == Some(true))
}

pub fn put_offline(db: &Db<'_>, device: EquipmentId) -> Result<bool, StoreError> {
    let sql = "UPDATE agent SET online = 0, last_seen_at = ?2 WHERE equipment = ?1 AND online";
    Ok(db.sql().prepare_cached(sql)?.execute(params![Text(device), At(db.now())])? == 1)
}

pub fn all_offline(db: &Db<'_>) -> Result<(), StoreError> {
    db.sql().execute("UPDATE agent SET online = 0", [])?;
    Ok(())
}

/// Agents that have been away since before then and whose silence was not told, the longest away first, with when they were last seen.
pub fn away(db: &Db<'_>, before: Timestamp, most: u32) -> Result<Vec<(EquipmentId, Timestamp)>, StoreError> {
    let sql = "SELECT equipment, last_seen_at FROM agent WHERE online = 0 AND silent_at IS NULL AND last_seen_at < ?1 ORDER BY last_seen_at LIMIT ?2";
    let mut statement = db.sql().prepare_cached(sql)?;
    let rows = statement.query_map(params![At(before), most], |row| Ok((row.get::<_, Text<_>>(0)?.0, row.get::<_, At>(1)?.0)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub fn silence_told(db: &Db<'_>, device: EquipmentId) -> Result<(), StoreError> {
    db.sql().prepare_cached("UPDATE agent SET silent_at = ?2 WHERE equipment = ?1")?.execute(params![Text(device), At(db.now())])?;
    Ok(())
}

pub fn last_seen(db: &Db<'_>, device: EquipmentId) -> Result<Option<Timestamp>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT last_seen_at FROM agent WHERE equipment = ?1")?;
    let seen: Option<Option<At>> = statement.query_row([Text(device)], |row| row.get(0)).optional()?;
    Ok(seen.flatten().map(|at| at.0))
}

pub fn seen(db: &Db<'_>, device: EquipmentId) -> Result<(), StoreError> {
    db.sql().prepare_cached("UPDATE agent SET last_seen_at = ?2 WHERE equipment = ?1")?.execute(params![Text(device), At(db.now())])?;
    Ok(())
}

pub fn stored(db: &Db<'_>, device: EquipmentId, epoch: SpoolEpoch) -> Result<BTreeMap<Stream, u64>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT stream, stored FROM agent_stream WHERE equipment = ?1 AND epoch = ?2")?;
    let rows = statement
        .query_map(params![Text(device), Text(epoch)], |row| Ok((row.get::<_, Text<_>>(0)?.0, row.get::<_, i64>(1)?.unsigned_abs())))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub fn advance(db: &Db<'_>, device: EquipmentId, epoch: SpoolEpoch, stream: Stream, seq: u64) -> Result<bool, StoreError> {
    let sql = "INSERT INTO agent_stream VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT(equipment, epoch, stream) DO UPDATE SET stored = excluded.stored WHERE excluded.stored > stored";
    let seq = i64::try_from(seq).unwrap_or(i64::MAX);
    Ok(db.sql().prepare_cached(sql)?.execute(params![Text(device), Text(epoch), Text(stream), seq])? == 1)
}

pub fn insert_order(db: &Db<'_>, device: EquipmentId, order: &Order) -> Result<(), StoreError> {
    let sql = "INSERT INTO agent_order(equipment, body, created_at) VALUES (?1, ?2, ?3)";
    db.sql().prepare_cached(sql)?.execute(params![Text(device), Json(order), At(db.now())])?;
    Ok(())
}

/// Forgets waiting orders of one kind.
pub fn drop_orders(db: &Db<'_>, device: EquipmentId, kind: &str) -> Result<(), StoreError> {
    let sql = "DELETE FROM agent_order WHERE equipment = ?1 AND json_extract(body, '$.order') = ?2";
    db.sql().prepare_cached(sql)?.execute(params![Text(device), kind])?;
    Ok(())
}

/// The same order for every enrolled device, instead of older ones of its kind that still wait.
pub fn order_for_all(db: &Db<'_>, order: &Order) -> Result<Vec<EquipmentId>, StoreError> {
    db.sql()
        .prepare_cached("DELETE FROM agent_order WHERE json_extract(body, '$.order') = json_extract(?1, '$.order')")?
        .execute([Json(order)])?;
    db.sql()
        .prepare_cached("INSERT INTO agent_order(equipment, body, created_at) SELECT equipment, ?1, ?2 FROM device")?
        .execute(params![Json(order), At(db.now())])?;
    let mut statement = db.sql().prepare_cached("SELECT equipment FROM device")?;
    Ok(statement.query_map([], |row| Ok(row.get::<_, Text<_>>(0)?.0))?.collect::<Result<_, _>>()?)
}

pub fn waiting(db: &Db<'_>, device: EquipmentId) -> Result<Vec<(u64, Order)>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT id, body FROM agent_order WHERE equipment = ?1 ORDER BY id")?;
    let rows = statement.query_map([Text(device)], |row| Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get::<_, Json<_>>(1)?.0)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub fn delete_order(db: &Db<'_>, device: EquipmentId, id: u64) -> Result<(), StoreError> {
    let id = i64::try_from(id).unwrap_or(i64::MAX);
    db.sql().prepare_cached("DELETE FROM agent_order WHERE id = ?1 AND equipment = ?2")?.execute(params![id, Text(device)])?;
    Ok(())
}

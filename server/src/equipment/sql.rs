use lineman_common::Printable;
use lineman_common::api::{Equipment, NewEquipment, Presence};
use lineman_common::id::{CustomerId, EquipmentId, SiteId};
use lineman_common::name::NeName;
use rusqlite::{OptionalExtension, Row, params};

use super::{Known, Reference};
use crate::store::value::{At, Text};
use crate::store::{Db, StoreError};
use crate::web::Scope;

/// One row a piece of equipment, with the counts that lists show beside it. (The one query of this room that looks at tables
/// of rooms above: a list of 1,000 would otherwise be 4,000 questions.)
pub const COLUMNS: &str = "e.id, c.code, e.handle, s.name, e.product, e.model, e.serial, e.software, p.handle,
    a.online, a.last_seen_at, a.software, d.equipment IS NOT NULL, d.statement IS NOT NULL,
    (SELECT count(*) FROM alarm m WHERE m.equipment = e.id AND m.state = 'raised'),
    (SELECT count(*) FROM fault f WHERE f.equipment = e.id AND f.status NOT IN ('closed', 'rejected', 'cancelled', 'duplicate'))";
pub const FROM: &str = "FROM equipment e JOIN customer c ON c.id = e.customer JOIN site s ON s.id = e.site
    LEFT JOIN equipment p ON p.id = e.parent LEFT JOIN agent a ON a.equipment = e.id LEFT JOIN device d ON d.equipment = e.id";

fn text(row: &Row<'_>, index: usize) -> rusqlite::Result<Printable> {
    Ok(Printable::new(row.get::<_, String>(index)?))
}

pub fn equipment(row: &Row<'_>) -> rusqlite::Result<Equipment> {
    let Text(customer) = row.get(1)?;
    let name = NeName { customer, handle: row.get::<_, Text<_>>(2)?.0 };
    let enrolled: bool = row.get(12)?;
    Ok(Equipment {
        id: row.get::<_, Text<_>>(0)?.0,
        site: text(row, 3)?,
        product: text(row, 4)?,
        model: text(row, 5)?,
        serial: text(row, 6)?,
        software: text(row, 7)?,
        parent: row.get::<_, Option<Text<_>>>(8)?.map(|Text(handle)| NeName { customer: name.customer.clone(), handle }),
        name,
        presence: match (enrolled, row.get::<_, Option<bool>>(9)?) {
            (_, Some(true)) => Presence::Online,
            (true, _) => Presence::Offline,
            (false, _) => Presence::Never,
        },
        last_seen_at: row.get::<_, Option<At>>(10)?.map(|at| at.0),
        agent: row.get::<_, Option<String>>(11)?.map(Printable::new),
        vouched: row.get(13)?,
        active_alarms: row.get(14)?,
        open_faults: row.get(15)?,
    })
}

pub fn insert(
    db: &Db<'_>,
    id: EquipmentId,
    customer: CustomerId,
    parent: Option<EquipmentId>,
    new: &NewEquipment,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO equipment(id, customer, handle, site, parent, product, model, serial, software, created_at)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    db.sql().prepare_cached(sql)?.execute(params![
        Text(id),
        Text(customer),
        Text(&new.handle),
        Text(new.site),
        parent.map(Text),
        new.product.raw(),
        new.model.raw(),
        new.serial.raw(),
        new.software.raw(),
        At(db.now())
    ])?;
    Ok(())
}

pub fn has_site(db: &Db<'_>, customer: CustomerId, site: SiteId) -> Result<bool, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT 1 FROM site WHERE id = ?1 AND customer = ?2")?;
    Ok(statement.exists(params![Text(site), Text(customer)])?)
}

pub fn known(db: &Db<'_>, scope: &Scope, reference: &Reference) -> Result<Option<Known>, StoreError> {
    let (id, code, handle) = match reference {
        Reference::Id(id) => (Some(id.to_string()), None, None),
        Reference::Name(name) => (None, Some(name.customer.to_string()), Some(name.handle.to_string())),
    };
    let mut statement = db.sql().prepare_cached(
        "SELECT e.id, e.customer, c.code, e.handle, e.product, e.model FROM equipment e JOIN customer c ON c.id = e.customer
         WHERE (e.id = ?1 OR (c.code = ?2 AND e.handle = ?3)) AND (?4 IS NULL OR e.customer = ?4)",
    )?;
    let found = statement.query_row(params![id, code, handle, scope.customer()], |row| {
        Ok(Known {
            id: row.get::<_, Text<_>>(0)?.0,
            customer: row.get::<_, Text<_>>(1)?.0,
            name: NeName { customer: row.get::<_, Text<_>>(2)?.0, handle: row.get::<_, Text<_>>(3)?.0 },
            product: row.get(4)?,
            model: row.get(5)?,
        })
    });
    Ok(found.optional()?)
}

pub fn get(db: &Db<'_>, id: EquipmentId) -> Result<Option<Equipment>, StoreError> {
    Ok(db.sql().prepare_cached(&format!("SELECT {COLUMNS} {FROM} WHERE e.id = ?1"))?.query_row([Text(id)], equipment).optional()?)
}

pub fn list(db: &Db<'_>, scope: &Scope, customer: Option<&str>, after: Option<&str>, limit: u32) -> Result<Vec<Equipment>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} {FROM} WHERE (?1 IS NULL OR e.customer = ?1) AND (?2 IS NULL OR c.code = ?2) AND (?3 IS NULL OR c.code || '/' || e.handle > ?3)
         ORDER BY c.code || '/' || e.handle LIMIT ?4"
    );
    let mut statement = db.sql().prepare_cached(&sql)?;
    Ok(statement.query_map(params![scope.customer(), customer, after, limit], equipment)?.collect::<Result<_, _>>()?)
}

use lineman_common::Printable;
use lineman_common::alarm::Relation;
use lineman_common::api::{Topology, TopologyBelow, TopologyEdge};
use lineman_common::id::EquipmentId;
use lineman_common::name::NeName;
use rusqlite::params;

use super::Up;
use crate::equipment::Known;
use crate::store::value::Text;
use crate::store::{Db, StoreError};

pub fn above(db: &Db<'_>, child: EquipmentId) -> Result<Vec<Up>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT parent, relation, via FROM equipment_edge WHERE child = ?1")?;
    let rows = statement.query_map([Text(child)], |row| {
        Ok(Up {
            parent: row.get::<_, Text<_>>(0)?.0,
            relation: row.get::<_, Text<_>>(1)?.0,
            via: row.get::<_, Option<String>>(2)?.unwrap_or_default(),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub fn below(db: &Db<'_>, parent: EquipmentId) -> Result<Vec<(EquipmentId, Relation)>, StoreError> {
    let mut statement = db.sql().prepare_cached("SELECT child, relation FROM equipment_edge WHERE parent = ?1")?;
    let rows = statement.query_map([Text(parent)], |row| Ok((row.get::<_, Text<_>>(0)?.0, row.get::<_, Text<_>>(1)?.0)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub fn topology(db: &Db<'_>, child: EquipmentId) -> Result<Topology, StoreError> {
    let mut statement = db.sql().prepare_cached(
        "SELECT x.relation, p.handle, x.via FROM equipment_edge x JOIN equipment p ON p.id = x.parent WHERE x.child = ?1 ORDER BY p.handle",
    )?;
    let mut topology = Topology::default();
    let mut rows = statement.query([Text(child)])?;
    while let Some(row) = rows.next()? {
        let via = row.get::<_, Option<String>>(2)?.map(Printable::new);
        let edge = TopologyEdge { on: row.get::<_, Text<_>>(1)?.0, via };
        match row.get::<_, Text<Relation>>(0)?.0 {
            Relation::Link => topology.link = Some(edge),
            Relation::Power => topology.power.push(edge),
            Relation::Contains => topology.within = Some(edge),
        }
    }
    Ok(topology)
}

pub fn view_below(db: &Db<'_>, parent: &Known) -> Result<Vec<TopologyBelow>, StoreError> {
    let mut statement = db.sql().prepare_cached(
        "SELECT c.handle, x.relation, x.via FROM equipment_edge x JOIN equipment c ON c.id = x.child WHERE x.parent = ?1
         ORDER BY x.relation, c.handle LIMIT 10000",
    )?;
    let rows = statement.query_map([Text(parent.id)], |row| {
        Ok(TopologyBelow {
            equipment: NeName { customer: parent.name.customer.clone(), handle: row.get::<_, Text<_>>(0)?.0 },
            relation: row.get::<_, Text<_>>(1)?.0,
            via: row.get::<_, Option<String>>(2)?.map(Printable::new),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub fn replace(db: &Db<'_>, child: EquipmentId, edges: &[(Relation, EquipmentId, Option<String>)]) -> Result<(), StoreError> {
    db.sql().prepare_cached("DELETE FROM equipment_relation WHERE child = ?1")?.execute([Text(child)])?;
    db.sql().prepare_cached("UPDATE equipment SET parent = NULL, via = NULL WHERE id = ?1")?.execute([Text(child)])?;
    for (relation, parent, via) in edges {
        if *relation == Relation::Link {
            let mut statement = db.sql().prepare_cached("UPDATE equipment SET parent = ?2, via = ?3 WHERE id = ?1")?;
            statement.execute(params![Text(child), Text(*parent), via])?;
        } else {
            let mut statement = db.sql().prepare_cached("INSERT OR REPLACE INTO equipment_relation VALUES (?1, ?2, ?3, ?4)")?;
            statement.execute(params![Text(child), Text(*relation), Text(*parent), via])?;
        }
    }
    Ok(())
}

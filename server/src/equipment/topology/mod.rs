//! How equipment hangs together: what it is reached through, what feeds it, what it is a part of.
//!
//! Three relations, each without circles and within one customer. A relation may say on which part of the other equipment it ends
//! (`shelf-1/card-2/port-3`), so that a dead port explains what hangs on that port and nothing else.

pub mod http;
mod sql;

use std::collections::{HashMap, HashSet, VecDeque};

use lineman_common::alarm::Relation;
use lineman_common::api::{Topology, TopologyEdge, TopologyView};
use lineman_common::id::EquipmentId;
use lineman_common::name::NeName;
use serde_json::json;

use super::{Error, Known, Reference, find};
use crate::events::{self, Kind, New};
use crate::store::{Db, StoreError, Tx};
use crate::web::{Actor, Scope};

/// Deeper trees are not followed: no network has them, and a walk must end.
const DEEPEST: usize = 32;
/// Power feeds that one piece of equipment may have.
const MOST_FEEDS: usize = 16;
const LONGEST_VIA: usize = 200;

/// One step up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Up {
    pub parent: EquipmentId,
    pub relation: Relation,
    /// The part of the parent.
    pub via: String,
}

/// Equipment above another, and the part of it that the way leads over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Above {
    pub equipment: EquipmentId,
    pub via: String,
}

/// Remembers the steps that it has looked up: many questions about one neighbourhood.
#[derive(Default)]
pub struct Climber {
    steps: HashMap<EquipmentId, Vec<Up>>,
}

impl Climber {
    fn up(&mut self, db: &Db<'_>, from: EquipmentId) -> Result<&[Up], StoreError> {
        if let std::collections::hash_map::Entry::Vacant(e) = self.steps.entry(from) {
            e.insert(sql::above(db, from)?);
        }
        Ok(self.steps.get(&from).map(Vec::as_slice).unwrap_or_default())
    }

    /// Everything that `from` hangs on by this relation, nearest first. What is a part of something shares its fate, so parts are
    /// climbed out of on the way, whatever the relation.
    pub fn above(&mut self, db: &Db<'_>, from: EquipmentId, relation: Relation) -> Result<Vec<Above>, StoreError> {
        let (mut found, mut seen, mut next) = (Vec::new(), HashSet::from([from]), VecDeque::from([(from, 0)]));
        while let Some((at, depth)) = next.pop_front() {
            if depth == DEEPEST {
                continue;
            }
            for up in self.up(db, at)? {
                if (up.relation == relation || up.relation == Relation::Contains) && seen.insert(up.parent) {
                    found.push(Above { equipment: up.parent, via: up.via.clone() });
                    next.push_back((up.parent, depth + 1));
                }
            }
        }
        Ok(found)
    }

    /// Is `equipment` one of these, or does it hang on one of them in any way?
    pub fn is_below(&mut self, db: &Db<'_>, equipment: EquipmentId, tops: &HashSet<EquipmentId>) -> Result<bool, StoreError> {
        let (mut seen, mut next) = (HashSet::from([equipment]), VecDeque::from([equipment]));
        while let Some(at) = next.pop_front() {
            if tops.contains(&at) {
                return Ok(true);
            }
            next.extend(self.up(db, at)?.iter().map(|up| up.parent).filter(|parent| seen.insert(*parent)));
        }
        Ok(false)
    }
}

/// The equipment itself and everything that hangs on it by these relations, nearest first.
pub fn below(db: &Db<'_>, top: EquipmentId, relations: &[Relation]) -> Result<Vec<EquipmentId>, StoreError> {
    let (mut found, mut seen, mut at) = (vec![top], HashSet::from([top]), 0);
    while let Some(equipment) = found.get(at).copied() {
        at += 1;
        let under = sql::below(db, equipment)?;
        found.extend(under.into_iter().filter(|(child, by)| relations.contains(by) && seen.insert(*child)).map(|(child, _)| child));
    }
    Ok(found)
}

/// What a piece of equipment hangs on directly, by any relation.
pub fn parents(db: &Db<'_>, equipment: EquipmentId) -> Result<Vec<EquipmentId>, StoreError> {
    Ok(sql::above(db, equipment)?.into_iter().map(|up| up.parent).collect())
}

/// How a piece of equipment hangs on others.
pub fn get(db: &Db<'_>, scope: &Scope, reference: &Reference) -> Result<TopologyView, Error> {
    let known = find(db, scope, reference)?;
    Ok(TopologyView { above: sql::topology(db, known.id)?, below: sql::view_below(db, &known)?, equipment: known.name })
}

/// Says anew how a piece of equipment hangs on others.
pub fn set(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference, topology: &Topology) -> Result<TopologyView, Error> {
    let known = find(tx, &actor.scope(), reference)?;
    if topology.power.len() > MOST_FEEDS {
        return Err(Error::TooManyFeeds(MOST_FEEDS));
    }
    let edge = |tx: &Tx<'_>, relation, edge: &TopologyEdge| -> Result<_, Error> {
        let parent = checked(tx, &known, relation, edge)?;
        Ok((relation, parent, edge.via.as_ref().map(|via| via.raw().to_owned())))
    };
    let mut edges = Vec::new();
    for (relation, wanted) in [(Relation::Link, &topology.link), (Relation::Contains, &topology.within)] {
        edges.extend(wanted.iter().map(|wanted| edge(tx, relation, wanted)).collect::<Result<Vec<_>, _>>()?);
    }
    for wanted in &topology.power {
        edges.push(edge(tx, Relation::Power, wanted)?);
    }
    sql::replace(tx, known.id, &edges)?;
    let event = New::of(Kind::TopologySet, actor, format!("{} hangs on other equipment than before", known.name)).data(json!(topology));
    events::append(tx, event.customer(known.customer).equipment(known.id))?;
    get(tx, &Scope::All, &Reference::Id(known.id))
}

fn checked(tx: &Tx<'_>, known: &Known, relation: Relation, edge: &TopologyEdge) -> Result<EquipmentId, Error> {
    if edge.via.as_ref().is_some_and(|via| via.raw().chars().count() > LONGEST_VIA) {
        return Err(Error::TooLong("via"));
    }
    let name = NeName { customer: known.name.customer.clone(), handle: edge.on.clone() };
    let parent = find(tx, &Scope::Customer(known.customer), &Reference::Name(name));
    let parent = parent.map_err(|error| if matches!(error, Error::NotFound) { Error::NoParent(edge.on.clone()) } else { error })?;
    if below(tx, known.id, &[relation])?.contains(&parent.id) {
        return Err(Error::Circle { relation, equipment: known.name.clone(), on: parent.name });
    }
    Ok(parent.id)
}

#[cfg(test)]
mod tests;

//! What follows from what equipment said (ADR 16).
//!
//! A report writes facts and one line of news; here the news are taken up in their order, in one transaction each run, a moment later:
//! which shelf, which window, which root cause, and what goes into the log. An alarm that may need a fault is put on the list of those
//! that are due, some seconds ahead: a correlation hold, so that a cause which comes after its effects still explains them.
//!
//! One path leads here. Whatever changes what would be concluded (a new root, a shelf that goes, a window that ends) puts the alarms it
//! concerns into the news as well, to be looked at; so a root with ten thousand alarms below it is worked off in runs of bounded length.

mod sql;

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use lineman_common::Printable;
use lineman_common::alarm::{AGENT_SILENT, EventType, ProbableCause, Relation, ResourceState, Severity, is_within};
use lineman_common::api::{Alarm, AlarmBatch, BatchEntry, RuleBody};
use lineman_common::id::{AlarmId, CustomerId, EquipmentId, FaultId, ShelfId, WindowId};
use serde_json::json;

use super::rules::Suppress;
use super::shelves::{self, Criteria};
use super::{Error, FAULT_FROM, has_companions, rules, windows};
use crate::equipment::topology::{self, Climber};
use crate::events::{self, Kind, New};
use crate::store::{Db, StoreError, Tx};

/// News of one run: some tens of milliseconds of the writer.
const RUN: u32 = 1000;
/// So long an alarm waits for its cause before it opens a fault, when no rule says otherwise.
const HOLD: SignedDuration = SignedDuration::from_secs(3);
/// With more changes of one customer than this in one run, the log tells them together.
const MOST_SINGLE: usize = 16;
/// Changes that one entry of the log tells of.
const BATCH: usize = 500;
/// A chain of causes ends.
const LONGEST_CHAIN: usize = 32;

lineman_common::words! {
    /// What there is to conclude from.
    pub enum News {
        Raised = "raised",
        Changed = "changed",
        Cleared = "cleared",
        /// Its root cause is gone.
        Freed = "freed",
        /// Something that concerns it changed.
        Look = "look",
    }
}

/// One line of news.
pub struct Line {
    pub alarm: i64,
    pub kind: News,
    pub severity: Severity,
    pub at: Timestamp,
}

/// What is concluded from.
pub struct Picture {
    pub place: i64,
    pub customer: CustomerId,
    pub equipment: EquipmentId,
    pub alarm_type: String,
    pub qualifier: String,
    pub state: ResourceState,
    pub severity: Severity,
    pub event_type: EventType,
    pub cause: ProbableCause,
    pub is_root: bool,
    pub flapping: bool,
    pub fault: Option<FaultId>,
    pub marks: Marks,
}

/// What is concluded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    pub shelf: Option<ShelfId>,
    pub maintenance: Option<WindowId>,
    /// The root's place, and the rule.
    pub suppressed: Option<(i64, String)>,
}

/// A raised alarm that explains others.
#[derive(Clone)]
pub struct Root {
    pub alarm: i64,
    pub rule: String,
    pub qualifier: String,
}

/// What the alarms of one run share.
#[derive(Default)]
struct Around {
    rules: Vec<Suppress>,
    climber: Climber,
    roots: HashMap<EquipmentId, Vec<Root>>,
    shelves: HashMap<CustomerId, Vec<Criteria>>,
    windows: HashMap<CustomerId, Vec<(WindowId, HashSet<EquipmentId>)>>,
    bare: HashMap<EquipmentId, bool>,
}

/// Is there anything to do?
pub fn has_work(db: &Db<'_>) -> Result<bool, StoreError> {
    Ok(sql::has_news(db)? || sql::has_due(db)? || windows::has_work(db)? || shelves::has_expired(db)? || rules::has_quiet(db)?)
}

/// Draws the conclusions from the oldest news. True when there are more.
pub fn run(tx: &mut Tx<'_>) -> Result<bool, Error> {
    windows::turn(tx)?;
    shelves::expire(tx)?;
    rules::calm(tx)?;
    let news = sql::take(tx, RUN)?;
    let mut around = Around { rules: rules::suppressing(tx)?, ..Around::default() };
    // Of one alarm the newest state counts, and it was freed if it was freed at any time in between.
    let mut kinds: BTreeMap<i64, (News, bool)> = BTreeMap::new();
    for line in &news {
        let entry = kinds.entry(line.alarm).or_insert((line.kind, false));
        entry.0 = if line.kind == News::Look { entry.0 } else { line.kind };
        entry.1 |= line.kind == News::Freed;
    }
    for (alarm, (_, freed)) in kinds {
        if let Some(picture) = sql::picture(tx, alarm)? {
            conclude(tx, &mut around, &picture, freed)?;
        }
    }
    tell(tx, &news)?;
    Ok(news.len() == RUN as usize || sql::has_news(tx)?)
}

fn conclude(tx: &mut Tx<'_>, around: &mut Around, picture: &Picture, freed: bool) -> Result<(), Error> {
    let raised = picture.state == ResourceState::Raised;
    settle_roots(tx, around, picture)?;
    let marks = Marks {
        shelf: around.shelf(tx, picture)?,
        maintenance: if raised { around.window(tx, picture)? } else { None },
        suppressed: if raised { around.root(tx, picture)? } else { None },
    };
    if marks != picture.marks {
        sql::set_marks(tx, picture.place, &marks)?;
    }
    let due = if raised && is_eligible(picture.flapping, &marks) {
        around.hold(picture, freed).map(|hold| tx.now() + hold)
    } else {
        (!raised && picture.fault.is_some() && !picture.flapping).then(|| tx.now())
    };
    due.map_or(Ok(()), |due| Ok(sql::put_due(tx, picture.place, due, freed)?))
}

/// May an alarm be seen as something to work on?
fn is_eligible(flapping: bool, marks: &Marks) -> bool {
    !flapping && marks.shelf.is_none() && marks.maintenance.is_none() && marks.suppressed.is_none()
}

/// Begins or ends to explain others. A root that flaps stays one until it is quiet: what is below it would flap with it.
fn settle_roots(tx: &mut Tx<'_>, around: &mut Around, picture: &Picture) -> Result<(), Error> {
    let holds = (picture.state == ResourceState::Raised || (picture.flapping && picture.is_root)) && picture.severity >= FAULT_FROM;
    let mut relations = Vec::new();
    let mut wanted = Vec::new();
    if holds {
        for rule in &around.rules {
            if rule.cause.fits(&picture.alarm_type, picture.cause, picture.event_type) {
                wanted.push(rule.name.clone());
                relations.push(rule.relation);
            }
        }
    }
    // Most alarms are on equipment that nothing hangs on: those explain nothing, and cost nothing.
    let inner = relations.contains(&Relation::Contains) && !picture.qualifier.is_empty();
    if !wanted.is_empty() && !inner && around.is_bare(tx, picture.equipment)? {
        wanted.clear();
    }
    if wanted.is_empty() && !picture.is_root {
        return Ok(());
    }
    let before = sql::root_rules(tx, picture.place)?;
    if before == wanted {
        return Ok(());
    }
    around.roots.remove(&picture.equipment);
    sql::set_roots(tx, picture, &wanted)?;
    if before.iter().any(|rule| !wanted.contains(rule)) {
        super::sql::look_at_suppressed(tx, picture.place)?;
    }
    if wanted.iter().any(|rule| !before.contains(rule)) {
        relations.push(Relation::Contains);
        for equipment in topology::below(tx, picture.equipment, &relations)? {
            if equipment != picture.equipment || inner {
                super::sql::look_at_equipment(tx, equipment)?;
            }
        }
    }
    Ok(())
}

impl Around {
    fn is_bare(&mut self, db: &Db<'_>, equipment: EquipmentId) -> Result<bool, StoreError> {
        if let Some(bare) = self.bare.get(&equipment) {
            return Ok(*bare);
        }
        let bare = sql::is_bare(db, equipment)?;
        self.bare.insert(equipment, bare);
        Ok(bare)
    }

    fn shelf(&mut self, db: &Db<'_>, picture: &Picture) -> Result<Option<ShelfId>, StoreError> {
        if let std::collections::hash_map::Entry::Vacant(e) = self.shelves.entry(picture.customer) {
            e.insert(shelves::of_customer(db, picture.customer)?);
        }
        let Some(shelves) = self.shelves.get(&picture.customer) else { return Ok(None) };
        for shelf in shelves.iter().filter(|shelf| shelf.fits(picture)) {
            let there = match shelf.equipment {
                Some(top) => self.climber.is_below(db, picture.equipment, &HashSet::from([top]))?,
                None => true,
            };
            if there {
                return Ok(Some(shelf.id));
            }
        }
        Ok(None)
    }

    fn window(&mut self, db: &Db<'_>, picture: &Picture) -> Result<Option<WindowId>, StoreError> {
        if let std::collections::hash_map::Entry::Vacant(e) = self.windows.entry(picture.customer) {
            e.insert(windows::active(db, picture.customer)?);
        }
        for (window, tops) in self.windows.get(&picture.customer).into_iter().flatten() {
            if self.climber.is_below(db, picture.equipment, tops)? {
                return Ok(Some(*window));
            }
        }
        Ok(None)
    }

    /// The farthest root cause that explains the alarm, and is not itself explained by it.
    fn root(&mut self, db: &Db<'_>, picture: &Picture) -> Result<Option<(i64, String)>, StoreError> {
        let mut best: Option<(usize, i64, String)> = None;
        for at in 0..self.rules.len() {
            let rule = &self.rules[at];
            if !rule.effect.fits(&picture.alarm_type, picture.cause, picture.event_type) {
                continue;
            }
            let (relation, name) = (rule.relation, rule.name.clone());
            let mut above = self.climber.above(db, picture.equipment, relation)?;
            if relation == Relation::Contains {
                above.insert(0, topology::Above { equipment: picture.equipment, via: picture.qualifier.clone() });
            }
            for (distance, step) in above.into_iter().enumerate() {
                for root in self.roots_on(db, step.equipment)? {
                    let own = step.equipment == picture.equipment;
                    let on_the_way = if own {
                        !root.qualifier.is_empty() && root.qualifier != picture.qualifier && is_within(&step.via, &root.qualifier)
                    } else {
                        step.via.is_empty() || is_within(&step.via, &root.qualifier)
                    };
                    let farther = best.as_ref().is_none_or(|(best, _, _)| distance >= *best);
                    if root.rule == name && on_the_way && farther && !explains(db, picture.place, root.alarm)? {
                        best = Some((distance, root.alarm, root.rule));
                    }
                }
            }
        }
        Ok(best.map(|(_, alarm, rule)| (alarm, rule)))
    }

    fn roots_on(&mut self, db: &Db<'_>, equipment: EquipmentId) -> Result<Vec<Root>, StoreError> {
        if let std::collections::hash_map::Entry::Vacant(e) = self.roots.entry(equipment) {
            e.insert(sql::roots_on(db, equipment)?);
        }
        Ok(self.roots.get(&equipment).cloned().unwrap_or_default())
    }

    /// How long the alarm waits before it is looked at for faults; `None` when no fault is ever made of it.
    fn hold(&self, picture: &Picture, freed: bool) -> Option<SignedDuration> {
        if picture.severity < FAULT_FROM && !has_companions(picture.cause) {
            return None;
        }
        let fitting = self.rules.iter().filter(|rule| rule.effect.fits(&picture.alarm_type, picture.cause, picture.event_type));
        let seconds = fitting.map(|rule| if freed { rule.recovery_s.max(rule.hold_s) } else { rule.hold_s });
        Some(seconds.max().map_or(HOLD, |seconds| SignedDuration::from_secs(seconds.into())).max(HOLD))
    }
}

/// Does the chain of causes of the alarm at `root` lead to the one at `place`?
fn explains(db: &Db<'_>, place: i64, root: i64) -> Result<bool, StoreError> {
    let mut at = Some(root);
    for _ in 0..LONGEST_CHAIN {
        match at {
            None => return Ok(false),
            Some(here) if here == place => return Ok(true),
            Some(here) => at = super::sql::root_of(db, here)?,
        }
    }
    Ok(true)
}

/// The end of an alarm's chain of causes.
pub fn last_root(db: &Db<'_>, place: i64) -> Result<Option<i64>, StoreError> {
    let mut last = super::sql::root_of(db, place)?;
    for _ in 0..LONGEST_CHAIN {
        match last.map(|here| super::sql::root_of(db, here)).transpose()?.flatten() {
            Some(next) => last = Some(next),
            None => break,
        }
    }
    Ok(last)
}

// ---- The log --------------------------------------------------------------------------------------------------------

/// Every change goes into the log: one by one while they are few, together when there are many.
fn tell(tx: &mut Tx<'_>, news: &[Line]) -> Result<(), Error> {
    let mut by_customer: BTreeMap<CustomerId, Vec<(&Line, Told)>> = BTreeMap::new();
    for line in news {
        let Some(kind) = kind_of(line.kind) else { continue };
        if let Some((customer, equipment, id)) = sql::names(tx, line.alarm)? {
            by_customer.entry(customer).or_default().push((line, Told { kind, equipment, id }));
        }
    }
    for (customer, changes) in by_customer {
        if changes.len() <= MOST_SINGLE {
            for (line, told) in &changes {
                tell_one(tx, customer, line, told)?;
            }
        } else {
            for part in changes.chunks(BATCH) {
                tell_many(tx, customer, part)?;
            }
        }
    }
    Ok(())
}

struct Told {
    kind: Kind,
    equipment: EquipmentId,
    id: AlarmId,
}

const fn kind_of(news: News) -> Option<Kind> {
    match news {
        News::Raised => Some(Kind::AlarmRaised),
        News::Changed => Some(Kind::AlarmChanged),
        News::Cleared => Some(Kind::AlarmCleared),
        News::Freed | News::Look => None,
    }
}

fn tell_one(tx: &mut Tx<'_>, customer: CustomerId, line: &Line, told: &Told) -> Result<(), Error> {
    let Some(alarm) = super::sql::at_place(tx, line.alarm)? else { return Ok(()) };
    let data = json!({
        "alarm": told.id, "type": alarm.alarm_type, "qualifier": alarm.qualifier, "severity": line.severity, "value": alarm.value,
        "suppressed_by": alarm.marks.suppressed_by, "shelf": alarm.marks.shelf, "maintenance": alarm.marks.maintenance,
        "flapping": alarm.marks.flapping,
    });
    let actor = if alarm.alarm_type.raw() == AGENT_SILENT { "system".to_owned() } else { format!("agent:{}", alarm.equipment) };
    let event = New::of(told.kind, actor, alarm.text.raw()).customer(customer).equipment(told.equipment);
    events::append(tx, event.at(line.at).data(data))?;
    Ok(())
}

fn tell_many(tx: &mut Tx<'_>, customer: CustomerId, part: &[(&Line, Told)]) -> Result<(), Error> {
    let mut batch = AlarmBatch::default();
    for (line, told) in part {
        *batch.counts.entry(line.kind.to_string()).or_default() += 1;
        batch.alarms.push(BatchEntry { alarm: told.id, kind: line.kind.to_string(), severity: line.severity, at: line.at });
    }
    let text = batch.counts.iter().map(|(kind, count)| format!("{count} {kind}")).collect::<Vec<_>>().join(", ");
    let event = New::of(Kind::AlarmBatch, "system", format!("alarms: {text}")).customer(customer);
    events::append(tx, event.data(json!(batch)))?;
    Ok(())
}

// ---- Due for faults -------------------------------------------------------------------------------------------------

/// An alarm that is to be looked at for faults.
pub struct Due {
    pub alarm: Alarm,
    pub customer: CustomerId,
    pub equipment: EquipmentId,
    pub fault: Option<FaultId>,
    /// It is raised, and nothing stands in the way of working on it.
    pub eligible: bool,
}

/// Takes the alarms that are due, the longest waiting first, so many at most. Only as far as the news have been concluded from: what came
/// before them may hold their cause.
pub fn take_due(tx: &mut Tx<'_>, most: u32) -> Result<Vec<Due>, Error> {
    let until = sql::oldest_news(tx)?.map_or(tx.now(), |oldest| oldest.min(tx.now()));
    let mut due = Vec::new();
    for place in sql::take_due(tx, until, most)? {
        let (Some(alarm), Some(picture)) = (super::sql::at_place(tx, place)?, sql::picture(tx, place)?) else { continue };
        let eligible = picture.state == ResourceState::Raised && is_eligible(picture.flapping, &picture.marks);
        due.push(Due { alarm, customer: picture.customer, equipment: picture.equipment, fault: picture.fault, eligible });
    }
    Ok(due)
}

/// Patterns that a rule's text shows with; the pieces that people write.
pub fn checked_body(body: &RuleBody) -> Result<(), Error> {
    let patterns = match body {
        RuleBody::Suppress { cause, effect, hold_s, recovery_s, .. } => {
            super::between("hold_s", *hold_s, 0, 300)?;
            super::between("recovery_s", *recovery_s, 0, 3600)?;
            vec![cause, effect]
        }
        RuleBody::Flapping { alarms, raises, window_s, quiet_s } => {
            super::between("raises", *raises, 2, 1000)?;
            super::between("window_s", *window_s, 1, 86_400)?;
            super::between("quiet_s", *quiet_s, 1, 86_400)?;
            vec![alarms]
        }
    };
    for pattern in patterns.into_iter().flat_map(|pattern| &pattern.types) {
        super::checked_pattern("types", &Printable::from(pattern.as_str()))?;
    }
    Ok(())
}

//! What a rule would have done: the rings are read back as times during which alarms were raised, and the rule is held against them.
//!
//! The rings remember the last 32 changes of each alarm, and topology is taken as it is now: the answer is an estimate, and it errs to
//! the small side.

mod sql;

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use lineman_common::alarm::{Relation, ResourceState, is_within};
use lineman_common::api::{AlarmPattern, DryRun, DryRunReply, DryRunRoot, RuleBody};
use lineman_common::id::{EquipmentId, FaultId};

use super::super::settle::checked_body;
use super::super::{Error, FAULT_FROM, between};
use crate::equipment::topology::{Above, Climber};
use crate::store::Db;
use crate::web::Scope;

/// Changes that are looked at, the newest; a reader thread's few seconds.
const MOST_CHANGES: u32 = 300_000;
const MOST_ROOTS: usize = 20;

/// A time during which an alarm was raised.
struct Span {
    from: Timestamp,
    to: Timestamp,
}

struct History {
    alarm: sql::Subject,
    spans: Vec<Span>,
}

pub fn run(db: &Db<'_>, scope: &Scope, ask: &DryRun) -> Result<DryRunReply, Error> {
    between("days", ask.days, 1, 90)?;
    checked_body(&ask.rule)?;
    let since = db.now() - SignedDuration::from_hours(i64::from(ask.days) * 24);
    let changes = sql::changes(db, scope, since, MOST_CHANGES)?;
    let cut_short = changes.len() == MOST_CHANGES as usize;
    let histories = histories(db, changes)?;
    let raises = histories.iter().map(|history| history.spans.len() as u64).sum();
    let reply = match &ask.rule {
        RuleBody::Suppress { relation, cause, effect, hold_s, .. } => suppress(db, &histories, *relation, (cause, effect), *hold_s)?,
        RuleBody::Flapping { alarms, raises, window_s, .. } => flap(&histories, alarms, *raises, *window_s),
    };
    Ok(DryRunReply { since: Some(since), raises, cut_short, ..reply })
}

fn histories(db: &Db<'_>, changes: Vec<sql::Change>) -> Result<Vec<History>, Error> {
    let mut by_alarm: BTreeMap<i64, Vec<Span>> = BTreeMap::new();
    for change in changes {
        let spans = by_alarm.entry(change.alarm).or_default();
        let open = spans.last_mut().filter(|span| span.to == Timestamp::MAX);
        match (change.state, open) {
            (ResourceState::Raised, None) => spans.push(Span { from: change.at, to: Timestamp::MAX }),
            (ResourceState::Cleared, Some(span)) => span.to = change.at,
            (ResourceState::Raised, Some(_)) | (ResourceState::Cleared, None) => {}
        }
    }
    let mut histories = Vec::with_capacity(by_alarm.len());
    for (place, spans) in by_alarm {
        if let Some(alarm) = sql::subject(db, place)? {
            histories.push(History { alarm, spans });
        }
    }
    Ok(histories)
}

fn suppress(
    db: &Db<'_>,
    histories: &[History],
    relation: Relation,
    (cause, effect): (&AlarmPattern, &AlarmPattern),
    hold_s: u32,
) -> Result<DryRunReply, Error> {
    let fits = |pattern: &AlarmPattern, alarm: &sql::Subject| pattern.fits(&alarm.alarm_type, alarm.cause, alarm.event_type);
    let mut causes: HashMap<EquipmentId, Vec<&History>> = HashMap::new();
    for history in histories.iter().filter(|history| history.alarm.severity >= FAULT_FROM && fits(cause, &history.alarm)) {
        causes.entry(history.alarm.equipment).or_default().push(history);
    }
    let (mut climber, hold) = (Climber::default(), SignedDuration::from_secs(hold_s.into()));
    let (mut suppressed, mut roots, mut kept): (HashMap<i64, u64>, HashMap<i64, u64>, HashSet<FaultId>) = Default::default();
    for history in histories {
        let mut spared = 0;
        if fits(effect, &history.alarm) {
            let mut above = climber.above(db, history.alarm.equipment, relation)?;
            if relation == Relation::Contains {
                above.push(Above { equipment: history.alarm.equipment, via: history.alarm.qualifier.clone() });
            }
            for span in &history.spans {
                if let Some(root) = explained(history, span, &above, &causes, hold) {
                    *roots.entry(root).or_default() += 1;
                    spared += 1;
                }
            }
        }
        if spared > 0 {
            suppressed.insert(history.alarm.place, spared);
        }
        if usize::try_from(spared).is_ok_and(|spared| spared < history.spans.len()) {
            kept.extend(history.alarm.fault);
        }
    }
    let faults: HashSet<FaultId> = histories
        .iter()
        .filter(|history| suppressed.contains_key(&history.alarm.place))
        .filter_map(|history| history.alarm.fault)
        .collect();
    Ok(DryRunReply {
        suppressed: suppressed.values().sum(),
        alarms: suppressed.len() as u64,
        faults_fewer: faults.difference(&kept).count() as u64,
        roots: named(histories, roots),
        ..DryRunReply::default()
    })
}

/// The cause that was raised when this was, or within the hold after.
fn explained(
    history: &History,
    span: &Span,
    above: &[Above],
    causes: &HashMap<EquipmentId, Vec<&History>>,
    hold: SignedDuration,
) -> Option<i64> {
    for step in above {
        for root in causes.get(&step.equipment).into_iter().flatten() {
            let own = root.alarm.equipment == history.alarm.equipment;
            let apart = root.alarm.place != history.alarm.place
                && !(own && (root.alarm.qualifier.is_empty() || root.alarm.qualifier == history.alarm.qualifier));
            let on_the_way = step.via.is_empty() || is_within(&step.via, &root.alarm.qualifier);
            let meets = |there: &Span| there.from <= span.from + hold && span.from <= there.to;
            if apart && on_the_way && root.spans.iter().any(meets) {
                return Some(root.alarm.place);
            }
        }
    }
    None
}

fn named(histories: &[History], roots: HashMap<i64, u64>) -> Vec<DryRunRoot> {
    let by_place: HashMap<i64, &History> = histories.iter().map(|history| (history.alarm.place, history)).collect();
    let mut roots: Vec<_> = roots.into_iter().collect();
    roots.sort_by_key(|(place, count)| (std::cmp::Reverse(*count), *place));
    let root = |(place, suppressed): (i64, u64)| {
        let alarm = &by_place.get(&place)?.alarm;
        Some(DryRunRoot { alarm: alarm.id, equipment: alarm.name.clone(), text: alarm.text.clone(), suppressed })
    };
    roots.into_iter().take(MOST_ROOTS).filter_map(root).collect()
}

fn flap(histories: &[History], alarms: &AlarmPattern, raises: u32, window_s: u32) -> DryRunReply {
    let (window, mut flapping, mut suppressed) = (SignedDuration::from_secs(window_s.into()), 0, 0);
    for history in histories.iter().filter(|history| alarms.fits(&history.alarm.alarm_type, history.alarm.cause, history.alarm.event_type))
    {
        let (mut from, mut count, mut spared) = (None::<Timestamp>, 0u32, 0u64);
        for span in &history.spans {
            (from, count) = match from {
                Some(begun) if span.from.duration_since(begun) <= window => (from, count + 1),
                Some(_) | None => (Some(span.from), 1),
            };
            spared += u64::from(count >= raises);
        }
        flapping += u64::from(spared > 0);
        suppressed += spared;
    }
    DryRunReply { suppressed, alarms: flapping, ..DryRunReply::default() }
}

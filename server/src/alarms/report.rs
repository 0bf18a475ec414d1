//! What equipment says, taken into the list.
//!
//! Only facts are written here, with a handful of statements for each report: the entry, its ring of changes, and a line of news.
//! What follows from them (shelves, windows, root causes, faults, the log) is drawn by [`super::settle`] right after.

use jiff::{SignedDuration, Timestamp};
use lineman_common::alarm::{AGENT_SILENT, AlarmKey, AlarmReport, OperatorState, ResourceState, TimeMark};
use lineman_common::api::AlarmChange;
use lineman_common::id::AlarmId;

use super::profiles::{self, Profiles};
use super::rules::{self, Flapping};
use super::settle::News;
use super::{Error, sql};
use crate::equipment::Known;
use crate::store::{StoreError, Tx};

/// Texts from devices are cut here: enough for people, too little for an attack.
const LONGEST_TEXT: usize = 500;
/// An alarm's type and qualifier are names.
const LONGEST_KEY: usize = 128;
/// Entries that one device may have in the list. A shelf with ten thousand ports is a device; more than this is a mistake or an attack.
const MOST_LISTED: u32 = 20_000;
/// Clocks differ; a time further ahead than this is wrong.
const AHEAD: SignedDuration = SignedDuration::from_mins(5);
/// Spools hold days. What is older comes from a clock that was never set.
const YEAR: SignedDuration = SignedDuration::from_hours(366 * 24);
/// Status changes that an alarm's ring holds.
pub const RING: u32 = 32;

/// Takes reports of one device; what it looks up for the first serves the others.
pub struct Intake<'a> {
    device: &'a Known,
    profiles: Option<Profiles>,
    flapping: Option<Vec<Flapping>>,
    told_full: bool,
}

impl<'a> Intake<'a> {
    pub fn of(device: &'a Known) -> Self {
        Self { device, profiles: None, flapping: None, told_full: false }
    }

    /// What equipment says about one of its alarms. Said twice, it changes nothing the second time; said late, it finds its place in
    /// the ring and does not overwrite a newer state.
    pub fn take(&mut self, tx: &mut Tx<'_>, report: &AlarmReport) -> Result<(), Error> {
        if report.key.alarm_type == AGENT_SILENT {
            // The centre's own word: a device can't say of itself that it is silent.
            return Ok(());
        }
        let (at, mark) = judged(report.at, tx.now());
        self.take_at(tx, report, at, mark)
    }

    /// The same with a time that needs no judging.
    pub fn take_at(&mut self, tx: &mut Tx<'_>, report: &AlarmReport, at: Timestamp, mark: Option<TimeMark>) -> Result<(), Error> {
        let report = cut(report);
        let severity = self.severity_of(tx, &report)?;
        let change = Change { report: &report, severity, at, mark };
        let Some(known) = sql::by_key(tx, self.device.id, &report.key)? else { return self.first(tx, &change) };
        if at < known.heard_at {
            return Ok(late(tx, &known, &change)?);
        }
        let news = match report.state {
            ResourceState::Raised if known.state == ResourceState::Cleared => News::Raised,
            ResourceState::Raised if known.severity != severity => News::Changed,
            ResourceState::Cleared if known.state == ResourceState::Raised => News::Cleared,
            ResourceState::Raised | ResourceState::Cleared if at > known.heard_at => return Ok(sql::hear_again(tx, known.place, at)?),
            ResourceState::Raised | ResourceState::Cleared => return Ok(()),
        };
        let mut next = Next { raised: news == News::Raised, ..Next::of(&known) };
        if next.raised {
            self.count_raise(tx, &known, &change, &mut next)?;
        }
        sql::change(tx, &known, &change, &next)?;
        if next.unmark {
            sql::add_operator(tx, known.place, OperatorState::None, "system", "raised anew")?;
        }
        sql::put_ring(tx, known.place, known.changes, &change)?;
        sql::add_news(tx, known.place, news, severity, at)?;
        Ok(())
    }

    /// The first that is heard of an alarm. One that has cleared is entered too: its raise may come late.
    fn first(&mut self, tx: &mut Tx<'_>, change: &Change<'_>) -> Result<(), Error> {
        if !sql::count_entry(tx, self.device.id, MOST_LISTED)? {
            if !self.told_full {
                tracing::warn!(agent.id = %self.device.name, "the device has more alarms than any device has; further ones are not listed");
                self.told_full = true;
            }
            return Ok(());
        }
        let place = sql::insert(tx, AlarmId::new(), self.device, change)?;
        sql::put_ring(tx, place, 0, change)?;
        if change.report.state == ResourceState::Raised {
            sql::add_news(tx, place, News::Raised, change.severity, change.at)?;
        }
        Ok(())
    }

    /// Counts how often it was raised lately; too often, and it flaps. What flaps keeps the operator's mark: it says nothing new.
    fn count_raise(&mut self, tx: &Tx<'_>, known: &sql::Entry, change: &Change<'_>, next: &mut Next) -> Result<(), Error> {
        if self.flapping.is_none() {
            self.flapping = Some(rules::flapping(tx)?);
        }
        let rules = self.flapping.as_deref().unwrap_or_default();
        let report = change.report;
        let rule = rules.iter().find(|rule| rule.alarms.fits(&report.key.alarm_type, report.probable_cause, report.event_type));
        if let Some(rule) = rule {
            let within =
                known.flap_count > 0 && change.at.duration_since(known.flap_from) <= SignedDuration::from_secs(rule.window_s.into());
            (next.flap_from, next.flap_count) = if within { (known.flap_from, known.flap_count + 1) } else { (change.at, 1) };
            next.flapping = known.flapping || next.flap_count >= rule.raises;
        }
        next.unmark = known.operator_state != OperatorState::None && !next.flapping;
        Ok(())
    }

    fn severity_of(&mut self, tx: &Tx<'_>, report: &AlarmReport) -> Result<lineman_common::alarm::Severity, StoreError> {
        if self.profiles.is_none() {
            self.profiles = Some(profiles::of(tx, self.device.customer, &self.device.product)?);
        }
        Ok(self.profiles.as_ref().and_then(|profiles| profiles.severity(&report.key)).unwrap_or(report.severity))
    }

    /// The whole list of what is raised: anything else that was raised when it was made has cleared.
    pub fn resynchronise(&mut self, tx: &mut Tx<'_>, at: Timestamp, active: &[AlarmReport]) -> Result<(), Error> {
        let (listed_at, _) = judged(at, tx.now());
        let keys: std::collections::HashSet<_> = active.iter().map(|report| cut(report).key).collect();
        for (known, report) in sql::raised_on(tx, self.device.id)? {
            if !keys.contains(&report.key) && known.heard_at <= listed_at && report.key.alarm_type != AGENT_SILENT {
                self.take_at(tx, &AlarmReport { state: ResourceState::Cleared, ..report }, listed_at, Some(TimeMark::Assumed))?;
            }
        }
        for report in active {
            let (at, mark) = judged(report.at, tx.now());
            let known = sql::by_key(tx, self.device.id, &cut(report).key)?;
            // The list is newer than a clearing before it, whatever its entries say of their own times.
            let outlived =
                known.filter(|known| known.state == ResourceState::Cleared && at < known.heard_at && known.heard_at <= listed_at);
            match outlived {
                Some(_) => self.take_at(tx, report, listed_at, Some(TimeMark::Assumed))?,
                None if report.key.alarm_type == AGENT_SILENT => {}
                None => self.take_at(tx, report, at, mark)?,
            }
        }
        Ok(())
    }
}

/// One status change that is about to be written.
pub struct Change<'a> {
    pub report: &'a AlarmReport,
    /// The one that counts.
    pub severity: lineman_common::alarm::Severity,
    pub at: Timestamp,
    pub mark: Option<TimeMark>,
}

/// What else of the entry changes.
pub struct Next {
    pub raised: bool,
    pub unmark: bool,
    pub flapping: bool,
    pub flap_from: Timestamp,
    pub flap_count: u32,
}

impl Next {
    fn of(known: &sql::Entry) -> Self {
        Self { raised: false, unmark: false, flapping: known.flapping, flap_from: known.flap_from, flap_count: known.flap_count }
    }
}

/// A time as it can be used, and what it is worth.
fn judged(at: Timestamp, now: Timestamp) -> (Timestamp, Option<TimeMark>) {
    if at.duration_since(now) > AHEAD {
        (now, Some(TimeMark::Future))
    } else if now.duration_since(at) > YEAR {
        (at, Some(TimeMark::Old))
    } else {
        (at, None)
    }
}

fn cut(report: &AlarmReport) -> AlarmReport {
    let cut = |text: &str, most: usize| -> String { text.chars().take(most).collect() };
    AlarmReport {
        key: AlarmKey { alarm_type: cut(&report.key.alarm_type, LONGEST_KEY), qualifier: cut(&report.key.qualifier, LONGEST_KEY) },
        text: cut(&report.text, LONGEST_TEXT),
        value: report.value.as_deref().map(|value| cut(value, LONGEST_KEY)),
        threshold: report.threshold.as_deref().map(|threshold| cut(threshold, LONGEST_KEY)),
        ..*report
    }
}

/// Older than what is known: it goes into the ring at its place, once, if the ring reaches back so far.
fn late(tx: &Tx<'_>, known: &sql::Entry, change: &Change<'_>) -> Result<(), StoreError> {
    let mut ring = sql::ring(tx, known.place)?;
    let heard = |there: &AlarmChange| (there.at, there.state, there.severity) == (change.at, change.report.state, change.severity);
    let place = ring.partition_point(|there| there.at <= change.at);
    if ring.iter().any(heard) || (place == 0 && ring.len() >= RING as usize) {
        return Ok(());
    }
    let new = AlarmChange {
        at: change.at,
        received_at: tx.now(),
        state: change.report.state,
        severity: change.severity,
        text: change.report.text.as_str().into(),
        mark: change.mark,
    };
    ring.insert(place, new);
    let surplus = ring.len().saturating_sub(RING as usize);
    sql::write_ring(tx, known.place, &ring[surplus..])
}

//! The board: every open fault with its clocks, in memory, kept by following the log.
//!
//! Clocks are counted again when something happens to their fault or to its device's link, and once a minute where a calendar opens and
//! shuts. Between two counts a running clock simply runs: its deadline is known. So a look at a wall costs a walk over the open faults,
//! however many are closed, and however long their logs are.

use std::collections::{BTreeSet, HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use lineman_common::Printable;
use lineman_common::alarm::Severity;
use lineman_common::api::{Clock, ClockName, Site, WallAgents, WallDuty, WallPause, WallProduct};
use lineman_common::fault::FaultStatus;
use lineman_common::id::{EquipmentId, FaultId, SiteId};
use lineman_common::name::{CustomerCode, FaultNumber, NeName, PersonName};

use super::{Error, sql};
use crate::events::{self, Kind};
use crate::faults::clocks::{self, Calendars};
use crate::store::{Db, StoreError};
use crate::web::Scope;
use crate::{customers, offices};

/// Faults that are counted in one read.
const AT_ONCE: usize = 500;
/// Events that are followed in one read.
const FOLLOWED: u32 = 5000;
/// So often clocks under a calendar are counted anew, and the surroundings looked at.
const SWEEP: SignedDuration = SignedDuration::from_secs(60);
const LOOK_AROUND: SignedDuration = SignedDuration::from_secs(15);
/// After a change of a link the surroundings are looked at sooner.
const LOOK_SOON: SignedDuration = SignedDuration::from_secs(1);
/// Clocks under a calendar that are counted in one sweep of a second.
const SWEPT: usize = 200;
/// Nobody has looked at a wall for so long: the board rests.
const PATIENCE: SignedDuration = SignedDuration::from_mins(5);

/// What the fault's row says.
#[derive(Clone, Debug)]
pub struct Head {
    pub number: FaultNumber,
    pub title: Printable,
    pub severity: Severity,
    pub status: FaultStatus,
    pub device: Option<EquipmentId>,
    pub equipment: Option<NeName>,
    pub site: Option<SiteId>,
    pub owner: Option<PersonName>,
}

/// A clock that has begun, has a target, and has not ended.
#[derive(Clone, Debug)]
pub struct Ticking {
    pub name: ClockName,
    pub target_s: u32,
    elapsed_s: u64,
    counted_at: Timestamp,
    breached: bool,
    pub deadline_at: Option<Timestamp>,
    /// Why it stands still, and since when.
    pub paused: Option<(WallPause, Timestamp)>,
}

impl Ticking {
    fn of(clock: &Clock, counted_at: Timestamp) -> Option<Self> {
        let last = clock.intervals.last().filter(|last| last.to.is_none())?;
        Some(Self {
            name: clock.name.parse().ok()?,
            target_s: clock.target_s?,
            elapsed_s: clock.elapsed_s,
            counted_at,
            breached: clock.breached,
            deadline_at: clock.deadline_at,
            paused: (!last.counted).then(|| (pause(&last.why), last.from)),
        })
    }

    pub fn elapsed_s(&self, now: Timestamp) -> u64 {
        let since = if self.paused.is_some() { 0 } else { now.duration_since(self.counted_at).as_secs() };
        self.elapsed_s + u64::try_from(since).unwrap_or(0)
    }

    pub fn is_breached(&self, now: Timestamp) -> bool {
        self.breached || (self.paused.is_none() && self.deadline_at.is_some_and(|deadline| deadline <= now))
    }

    /// Below zero when it is over its target.
    pub fn left_s(&self, now: Timestamp) -> i64 {
        i64::from(self.target_s) - i64::try_from(self.elapsed_s(now)).unwrap_or(i64::MAX)
    }

    /// The smaller, the more urgent: over its target, by how much; running, by its deadline; standing still, by what is left.
    pub fn urgency(&self, now: Timestamp) -> (u8, i64) {
        match (self.is_breached(now), self.deadline_at) {
            (true, _) => (0, self.left_s(now)),
            (false, Some(deadline)) => (1, deadline.duration_since(now).as_secs()),
            (false, None) => (2, self.left_s(now)),
        }
    }
}

/// The words of the clocks' own explanation.
fn pause(why: &str) -> WallPause {
    match why {
        "consent wait" => WallPause::Consent,
        "waits for the customer" => WallPause::Customer,
        "waits for access" => WallPause::Access,
        "link lost" => WallPause::Link,
        _ => WallPause::Calendar,
    }
}

pub struct Open {
    pub head: Head,
    pub clocks: Vec<Ticking>,
    counted_at: Timestamp,
    has_calendar: bool,
}

/// What changes seldom, or may be some seconds old.
#[derive(Default)]
pub struct Around {
    pub at: Option<Timestamp>,
    pub health: Vec<(CustomerCode, WallProduct)>,
    pub agents: HashMap<CustomerCode, WallAgents>,
    pub duty: Vec<WallDuty>,
    pub sites: Vec<Site>,
}

#[derive(Default)]
pub struct Board {
    /// What of the log it has followed.
    seq: Option<u64>,
    pub faults: HashMap<FaultId, Open>,
    pub around: Around,
    /// To be counted.
    stale: BTreeSet<FaultId>,
    /// Only what the row says may be another.
    renamed: BTreeSet<FaultId>,
    links_moved: bool,
    swept_at: Option<Timestamp>,
    wanted_at: Option<Timestamp>,
}

impl Board {
    /// Somebody looks.
    pub fn is_wanted(&mut self, now: Timestamp) {
        self.wanted_at = Some(now);
    }

    pub fn seq(&self) -> u64 {
        self.seq.unwrap_or(0)
    }

    /// Somebody looked not long ago, so the next look must be quick.
    pub fn has_work(&self, now: Timestamp) -> bool {
        self.wanted_at.is_some_and(|at| now.duration_since(at) < PATIENCE)
    }

    /// Does a part of what is to be done; true when that was all.
    pub fn catch_up(&mut self, db: &Db<'_>) -> Result<bool, StoreError> {
        let followed = if let Some(seq) = self.seq {
            self.follow(db, seq)?
        } else {
            self.seq = Some(events::newest(db, &Scope::All)?);
            self.stale.extend(sql::open_faults(db)?);
            true
        };
        // After a rest everything under a calendar is old.
        if self.swept_at.is_some_and(|at| db.now().duration_since(at) > SWEEP + SWEEP) {
            self.stale.extend(self.under_calendars(db.now()));
            self.swept_at = Some(db.now());
        }
        self.count_stale(db)?;
        if self.around.at.is_none_or(|at| db.now().duration_since(at) > PATIENCE) {
            self.look_around(db)?;
        }
        Ok(followed && self.stale.is_empty() && self.renamed.is_empty())
    }

    fn follow(&mut self, db: &Db<'_>, seq: u64) -> Result<bool, StoreError> {
        let news = events::since(db, seq, FOLLOWED)?;
        let mut moved: HashSet<EquipmentId> = HashSet::new();
        for news in &news {
            if matches!(news.kind, Kind::AgentOnline | Kind::AgentOffline) {
                moved.extend(news.equipment);
            } else if let Some(fault) = news.fault {
                // Thousands of alarms may join one fault, and move no clock of it.
                let into = if news.kind == Kind::FaultAlarmAttached { &mut self.renamed } else { &mut self.stale };
                into.insert(fault);
            }
        }
        if !moved.is_empty() {
            self.links_moved = true;
            let on = self.faults.iter().filter(|(_, open)| open.head.device.is_some_and(|device| moved.contains(&device)));
            self.stale.extend(on.map(|(id, _)| *id));
        }
        self.seq = news.last().map(|last| last.seq).or(self.seq);
        Ok(news.len() < FOLLOWED as usize)
    }

    fn count_stale(&mut self, db: &Db<'_>) -> Result<(), StoreError> {
        let mut calendars = Calendars::default();
        for _ in 0..AT_ONCE {
            let Some(id) = self.stale.pop_first() else { break };
            self.renamed.remove(&id);
            match sql::open_fault(db, id)? {
                Some(head) => drop(self.faults.insert(id, count(db, &mut calendars, id, head)?)),
                None => drop(self.faults.remove(&id)),
            }
        }
        for _ in 0..AT_ONCE {
            let Some(id) = self.renamed.pop_first() else { break };
            if let (Some(open), Some(head)) = (self.faults.get_mut(&id), sql::open_fault(db, id)?) {
                open.head = head;
            }
        }
        Ok(())
    }

    fn under_calendars(&self, now: Timestamp) -> Vec<FaultId> {
        let is_old = |open: &Open| open.has_calendar && now.duration_since(open.counted_at) >= SWEEP;
        let mut old: Vec<_> = self.faults.iter().filter(|(_, open)| is_old(open)).map(|(id, open)| (open.counted_at, *id)).collect();
        old.sort();
        old.into_iter().map(|(_, id)| id).collect()
    }

    /// The job's part, between two looks.
    pub fn refresh(&mut self, db: &Db<'_>) -> Result<(), Error> {
        let now = db.now();
        let mut old = self.under_calendars(now);
        old.truncate(SWEPT);
        self.stale.extend(old);
        self.count_stale(db)?;
        self.swept_at = Some(now);
        let age = self.around.at.map(|at| now.duration_since(at));
        if age.is_none_or(|age| age >= LOOK_AROUND || (self.links_moved && age >= LOOK_SOON)) {
            self.look_around(db)?;
        }
        Ok(())
    }

    /// The surroundings: devices, sites, who is on duty.
    pub fn look_around(&mut self, db: &Db<'_>) -> Result<(), StoreError> {
        let mut duty = Vec::new();
        for office in offices::list(db, &Scope::All)? {
            let on_duty = offices::on_duty(db, &office.name, db.now())?;
            if !on_duty.is_empty() {
                duty.push(WallDuty { office: office.name, on_duty });
            }
        }
        let sites = customers::sites(db, &Scope::All)?;
        self.around = Around { at: Some(db.now()), health: sql::health(db)?, agents: sql::agents(db)?, duty, sites };
        self.links_moved = false;
        Ok(())
    }
}

fn count(db: &Db<'_>, calendars: &mut Calendars, id: FaultId, head: Head) -> Result<Open, StoreError> {
    let log = events::stored_of_fault(db, id)?;
    let was_approved = log.iter().any(|event| event.kind == Kind::ConsentApproved);
    let presence = match head.device.filter(|_| was_approved) {
        Some(device) => events::presence_of(db, device)?,
        None => Vec::new(),
    };
    let counted = clocks::clocks_at(db, calendars, id, &log, &presence, db.now())?;
    let has_calendar = counted.iter().any(|clock| !matches!(clock.coverage.as_str(), "" | "24x7"));
    let clocks = counted.iter().filter_map(|clock| Ticking::of(clock, db.now())).collect();
    Ok(Open { head, clocks, counted_at: db.now(), has_calendar })
}

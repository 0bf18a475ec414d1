//! The clocks K1 to K7.
//!
//! A clock is a list of running intervals, never a stored deadline. It is computed from the fault's own log each time somebody
//! asks, so it can be explained and can't drift: running time minus pauses, intersected with the coverage calendar. What is
//! counted is decided by the server's own record of time (`recorded_at`), except where the device is the only witness
//! (the first byte of a session).
//!
//! | clock | from | to | paused by |
//! |---|---|---|---|
//! | K1 accept | reported | accepted | calendar |
//! | K2 respond | reported | first human reply | calendar |
//! | K3 consent wait | consent asked | approved, refused or lapsed | - |
//! | K4 session | max(consent approved, accepted) | first byte of the first channel | link lost > 60 s |
//! | K5 diagnosis | consent approved | cause and plan recorded | link lost > 60 s |
//! | K6 restore | reported | restored | pending(customer, access), K3 running, calendar |
//! | K7 resolve | reported | resolved | pending(customer, access), calendar |
//!
//! A request that is not a fault has K1, K2, K3 and K7, with targets of its own.
//!
//! What holds for a fault (targets, calendar, zone: [`terms`]) is in its log too, each with the moment from which it counts: what was
//! counted before stays as it was counted. [`watch`] says in the log when a clock has used 50, 75, 90 and 100 % of its target; a
//! breach that was said stays one, whatever comes later.

mod count;
pub mod left;
mod sql;
mod story;
mod terms;
#[cfg(test)]
mod tests;
mod watch;

use jiff::Timestamp;
use lineman_common::alarm::Severity;
use lineman_common::api::{Clock, Fault};
use lineman_common::fault::FaultKind;
use lineman_common::id::{CustomerId, EquipmentId, FaultId};

use self::count::{Counted, Judge, Rule};
use self::story::{Pause, Span, Story};
use self::terms::{Held, Subject};
use super::Error;
use crate::customers::calendars::coverage::Coverage;
use crate::events::{self, Appended};
use crate::store::{Db, StoreError};

pub use terms::Calendars;
#[cfg(test)]
pub use watch::look as look_for_tests;
pub use watch::{hear, run};

/// The promise: from consent to the first byte, and to the diagnosis.
const PROMISE_S: u32 = 30 * 60;

/// What a fault that is reported now is judged by; it goes into the report's event, as `terms`.
pub fn terms_at_report(
    db: &Db<'_>,
    customer: CustomerId,
    device: Option<EquipmentId>,
    severity: Severity,
    kind: FaultKind,
) -> Result<serde_json::Value, StoreError> {
    let (terms, _) = terms::current(db, Subject { customer, device, severity, kind })?;
    Ok(serde_json::json!(terms))
}

/// The fault's clocks at this moment, explained.
pub fn clocks_of(db: &Db<'_>, fault: &Fault) -> Result<Vec<Clock>, Error> {
    let subject = sql::subject(db, fault.id)?.ok_or(Error::NotFound)?;
    Ok(Sheet::read(db, fault.id, subject)?.clocks(db.now()))
}

/// Clocks of a fault that run or are held.
pub fn left_of(db: &Db<'_>, fault: FaultId) -> Result<left::Left, Error> {
    let subject = sql::subject(db, fault)?.ok_or(Error::NotFound)?;
    Ok(left::Left::of(&Sheet::read(db, fault, subject)?.clocks(db.now())))
}

/// The clocks as they were at a moment, from the log up to then: for those who count many faults and have the logs at hand.
/// `presence` is the device's connects and disconnects up to then.
pub fn clocks_at(
    db: &Db<'_>,
    calendars: &mut Calendars,
    fault: FaultId,
    log: &[Appended],
    presence: &[(Timestamp, bool)],
    at: Timestamp,
) -> Result<Vec<Clock>, StoreError> {
    let mut story = Story::read(log);
    if story.terms.is_empty()
        && let Some(subject) = sql::subject(db, fault)?
    {
        story.terms.push((Timestamp::MIN, terms::current(db, subject)?.0));
    }
    let held = calendars.hold(db, &story.terms)?;
    Ok(Sheet::new(story, held, presence).clocks(at))
}

/// All that a fault's clocks are computed from.
struct Sheet {
    story: Story,
    held: Vec<Held>,
    lost: Vec<Pause>,
    always: Coverage,
}

impl Sheet {
    fn read(db: &Db<'_>, fault: FaultId, subject: Subject) -> Result<Self, StoreError> {
        let story = Story::read(&events::stored_of_fault(db, fault)?);
        let presence = match subject.device.filter(|_| story.approved.is_some()) {
            Some(device) => events::presence_of(db, device)?,
            None => Vec::new(),
        };
        let mut calendars = Calendars::default();
        let held = if story.terms.is_empty() {
            // Reported under an earlier server, and not looked at since.
            calendars.hold(db, &[(Timestamp::MIN, terms::current(db, subject)?.0)])?
        } else {
            calendars.hold(db, &story.terms)?
        };
        Ok(Self::new(story, held, &presence))
    }

    /// `presence` is the device's connects and disconnects by the server's record.
    fn new(story: Story, held: Vec<Held>, presence: &[(Timestamp, bool)]) -> Self {
        Self { story, held, lost: story::link_lost(presence), always: Coverage::always() }
    }

    fn clocks(&self, now: Timestamp) -> Vec<Clock> {
        self.with_counted(now, |counted| counted.iter().map(|clock| clock.show(&self.story.said)).collect())
    }

    /// Counts all clocks, and hands them on.
    fn with_counted<T>(&self, now: Timestamp, look: impl FnOnce(&[Counted<'_>]) -> T) -> T {
        let story = &self.story;
        // As exact as what is stored, and never before it.
        let now = story.now(Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now));
        let consent_wait = story.consent_wait(now);
        let during_consent = consent_wait.iter().map(|span| Pause { span: *span, why: "consent wait" });
        let with_consent: Vec<_> = story.waiting().iter().copied().chain(during_consent).collect();
        let rules = self.rules(consent_wait, &with_consent);
        let counted: Vec<_> = rules.into_iter().map(|rule| Counted::new(rule, story.over_at(), now)).collect();
        look(&counted)
    }

    /// The table.
    fn rules<'a>(&'a self, consent_wait: Vec<Span>, with_consent: &'a [Pause]) -> Vec<Rule<'a>> {
        let (story, held) = (&self.story, self.held.as_slice());
        let always = |target_s| Judge::Always { coverage: &self.always, target_s };
        let session = story.run_once(story.session_due_from(), story.first_byte);
        let diagnosis = story.run_once(story.approved, story.diagnosed);
        let rule = |name, what, runs, pauses, judge| Rule { name, what, runs, is_cut: false, pauses, judge };
        let once = |name, what, (runs, is_cut)| Rule { is_cut, ..rule(name, what, runs, self.lost.as_slice(), always(Some(PROMISE_S))) };
        let (accept, respond) = (story.run(story.reported, story.accepted), story.run(story.reported, story.replied));
        let mut rules = vec![
            rule("K1", "accept", accept, &[], Judge::Terms { held, target: |targets| targets.accept_s }),
            rule("K2", "respond", respond, &[], Judge::Terms { held, target: |targets| targets.respond_s }),
            rule("K3", "consent_wait", consent_wait, &[], always(None)),
        ];
        if story.kind == FaultKind::Fault {
            let restore = Judge::Terms { held, target: |targets| targets.restore_s };
            rules.extend([
                once("K4", "session", session),
                once("K5", "diagnosis", diagnosis),
                rule("K6", "restore", story.to_restored.clone(), with_consent, restore),
            ]);
        }
        let resolve = Judge::Terms { held, target: |targets| targets.resolve_s };
        rules.push(rule("K7", "resolve", story.to_resolved.clone(), story.waiting(), resolve));
        rules
    }
}

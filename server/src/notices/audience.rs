//! Who hears of what: by what a person has to do with the event first, by what the person chose after that.
//!
//! The owner of a fault hears of what others do with it, the people on duty of what comes to them, a customer's NOC of what happens to its
//! faults. Nobody is told of what they did themselves, and nothing internal ever goes to a customer's people, whatever was chosen.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use lineman_common::alarm::Severity;
use lineman_common::api::{DutyRank, Fault, NoticePreferences, OfficeName, QuietHours};
use lineman_common::id::TargetId;
use lineman_common::name::PersonName;
use lineman_common::notice::{ChannelKind, Language, Topic};
use lineman_common::people::Role;

use super::outbox::When;
use super::sql;
use crate::duty;
use crate::events::{Appended, Kind};
use crate::offices;
use crate::people;
use crate::store::{Db, StoreError};
use crate::web::Scope;

/// What happens, by what it is about.
const TOLD: &[(&str, Topic)] = &[
    ("fault.reported", Topic::Reported),
    ("fault.routed", Topic::Routed),
    ("fault.assigned", Topic::Assigned),
    ("fault.escalated", Topic::Escalated),
    ("fault.note", Topic::Reply),
    ("fault.accepted", Topic::Status),
    ("fault.pending", Topic::Status),
    ("fault.resumed", Topic::Status),
    ("fault.diagnosed", Topic::Status),
    ("fault.proposes_restored", Topic::Status),
    ("fault.restored", Topic::Status),
    ("fault.resolved", Topic::Status),
    ("fault.closed", Topic::Status),
    ("fault.reopened", Topic::Status),
    ("fault.rejected", Topic::Status),
    ("fault.cancelled", Topic::Status),
    ("fault.duplicate", Topic::Status),
    ("fault.merged", Topic::Status),
    ("clock.warned", Topic::Clock),
    ("clock.breached", Topic::Clock),
    ("consent.requested", Topic::Consent),
    ("consent.live", Topic::Consent),
    ("consent.approved", Topic::Consent),
    ("consent.refused", Topic::Consent),
    ("customer.stopped", Topic::Stop),
    ("customer.resumed", Topic::Stop),
    ("equipment.local_act", Topic::LocalAct),
    ("problem.opened", Topic::Problem),
    ("problem.resolved", Topic::Problem),
];

/// What a customer's people may hear of at all.
pub const FOR_CARRIERS: &[Topic] =
    &[Topic::Reported, Topic::Reply, Topic::Status, Topic::Clock, Topic::Consent, Topic::Stop, Topic::LocalAct, Topic::Alarm];
/// What a customer's shared targets hear of, unless the customer says otherwise.
pub const AT_FIRST: &[Topic] = &[Topic::Consent, Topic::Stop, Topic::LocalAct];

pub fn words_for_carriers() -> String {
    FOR_CARRIERS.iter().map(|topic| topic.as_str()).collect::<Vec<_>>().join(", ")
}

/// What an event is about, if anybody is told of such.
pub fn topic_of(event: &Appended) -> Option<Topic> {
    let (_, topic) = TOLD.iter().find(|(kind, _)| *kind == event.kind.as_str())?;
    Some(if *topic == Topic::Reply && event.internal { Topic::Note } else { *topic })
}

/// Somebody who may be told, at one of their targets.
pub struct Recipient {
    pub target: TargetId,
    pub channel: ChannelKind,
    pub of: Of,
}

pub enum Of {
    /// A customer's people together.
    Customer,
    Person(PersonName, Box<NoticePreferences>),
}

impl Recipient {
    pub fn language(&self) -> Language {
        match &self.of {
            Of::Customer => Language::English,
            Of::Person(_, preferences) => preferences.language,
        }
    }

    fn is(&self, name: &str) -> bool {
        matches!(&self.of, Of::Person(own, _) if own.as_str() == name)
    }
}

/// What a person has to do with it.
enum Who {
    /// One of the support centre's people.
    Named(PersonName),
    /// All of the support centre's people of this role.
    Centre(Role),
    /// All of the customer's people of this role.
    Carrier(Role),
}

/// Everybody who may be told of an event, once each.
pub fn of_event(db: &Db<'_>, event: &Appended, topic: Topic, fault: Option<&Fault>) -> Result<Vec<Recipient>, StoreError> {
    let mut found = BTreeMap::new();
    for who in concerned(db, event, topic, fault)? {
        collect(db, event.customer, &who, event.internal, &mut found)?;
    }
    if let Some(customer) = event.customer.filter(|_| !event.internal && FOR_CARRIERS.contains(&topic)) {
        let topics = sql::topics(db, customer)?;
        if topics.as_deref().unwrap_or(AT_FIRST).contains(&topic) {
            found.extend(sql::of_customer(db, customer)?.into_iter().map(|recipient| (recipient.target, recipient)));
        }
    }
    Ok(found.into_values().filter(|recipient| !recipient.is(&event.actor)).collect())
}

fn collect(
    db: &Db<'_>,
    customer: Option<lineman_common::id::CustomerId>,
    who: &Who,
    internal: bool,
    found: &mut BTreeMap<TargetId, Recipient>,
) -> Result<(), StoreError> {
    let recipients = match who {
        Who::Named(name) => sql::of_person(db, name)?,
        Who::Centre(role) => sql::of_role(db, *role, None)?,
        Who::Carrier(role) if !internal && customer.is_some() => sql::of_role(db, *role, customer)?,
        Who::Carrier(_) => Vec::new(),
    };
    found.extend(recipients.into_iter().map(|recipient| (recipient.target, recipient)));
    Ok(())
}

fn concerned(db: &Db<'_>, event: &Appended, topic: Topic, fault: Option<&Fault>) -> Result<Vec<Who>, StoreError> {
    let named = |key: &str| event.data[key].as_str().and_then(|name| name.parse().ok()).map(Who::Named);
    let office = |key: &str| event.data[key].as_str().and_then(|name| name.parse::<OfficeName>().ok());
    let noc = || Who::Carrier(Role::Noc);
    let owner = fault.and_then(|fault| fault.owner.clone()).map(Who::Named);
    let place = || fault.map(|fault| duty::office_of(db, fault.id)).transpose().map(Option::flatten);
    let has_it = |owner: Option<Who>| match owner {
        Some(owner) => Ok(vec![owner]),
        None => on_duty(db, place()?.as_ref()),
    };
    Ok(match topic {
        // Where there are offices, those on duty hear of it when it reaches theirs.
        Topic::Reported if place()?.is_some() => vec![noc()],
        Topic::Reported => vec![noc(), Who::Centre(Role::DutyManager)],
        Topic::Routed => on_duty(db, office("office").as_ref())?,
        Topic::Escalated => owner.into_iter().chain(on_duty(db, office("to").as_ref())?).collect(),
        Topic::Alarm => on_duty(db, place()?.as_ref())?,
        Topic::Assigned => named("to").into_iter().chain(named("from")).collect(),
        Topic::Reply | Topic::Status => has_it(owner)?.into_iter().chain([noc()]).collect(),
        Topic::Note | Topic::Clock => has_it(owner)?,
        Topic::Consent if matches!(event.kind, Kind::ConsentApproved | Kind::ConsentRefused) => has_it(owner)?,
        Topic::Consent | Topic::LocalAct => vec![Who::Carrier(Role::Approver), noc()],
        Topic::Stop => vec![Who::Carrier(Role::Approver), noc(), Who::Centre(Role::DutyManager)],
        Topic::Problem => owner.into_iter().chain([Who::Centre(Role::DutyManager)]).collect(),
    })
}

/// Whoever is on duty there now; the duty managers where nobody is, or where it is nobody's.
fn on_duty(db: &Db<'_>, office: Option<&OfficeName>) -> Result<Vec<Who>, StoreError> {
    let Some(office) = office else { return Ok(vec![Who::Centre(Role::DutyManager)]) };
    let found = offices::on_duty(db, office, db.now())?;
    Ok(if found.is_empty() { vec![Who::Centre(Role::DutyManager)] } else { found.into_iter().map(|one| Who::Named(one.person)).collect() })
}

/// The people of a rung, and those of every rung below it: the owner and whoever is first on duty; then all who are on duty there and the
/// office's duty managers; then the same of each office above; at last all duty managers and administrators.
pub fn of_rung(db: &Db<'_>, fault: Option<&Fault>, rung: u32) -> Result<Vec<Recipient>, StoreError> {
    let office = fault.map(|fault| duty::office_of(db, fault.id)).transpose()?.flatten();
    let ladder = ladder(db, office.as_ref())?;
    let (within, above) = (usize::try_from(rung).unwrap_or(usize::MAX), Who::Centre(Role::DutyManager));
    let mut people: Vec<Who> = fault.and_then(|fault| fault.owner.clone()).map(Who::Named).into_iter().collect();
    let is_over = within >= ladder.len();
    people.extend(ladder.into_iter().take(within.saturating_add(1)).flatten());
    if is_over {
        people.extend([above, Who::Centre(Role::Admin)]);
    }
    let mut found = BTreeMap::new();
    for who in &people {
        collect(db, None, who, true, &mut found)?;
    }
    Ok(found.into_values().collect())
}

/// From the office up. Without one, the duty managers are on duty.
fn ladder(db: &Db<'_>, office: Option<&OfficeName>) -> Result<Vec<Vec<Who>>, StoreError> {
    let Some(first) = office else { return Ok(vec![vec![Who::Centre(Role::DutyManager)]]) };
    let offices = offices::list(db, &Scope::All)?;
    let managers: BTreeSet<PersonName> =
        people::list(db, &Scope::All)?.into_iter().filter(|person| person.role == Role::DutyManager).map(|person| person.name).collect();
    let (mut rungs, mut next) = (Vec::new(), Some(first.clone()));
    while let Some(office) = next.take().and_then(|name| offices.iter().find(|office| office.name == name)) {
        let on_duty = offices::on_duty(db, &office.name, db.now())?;
        if rungs.is_empty() {
            let first = on_duty.iter().filter(|one| one.rank == DutyRank::Primary);
            rungs.push(first.map(|one| Who::Named(one.person.clone())).collect());
        }
        let leads = office.members.iter().filter(|member| managers.contains(*member)).cloned();
        rungs.push(on_duty.into_iter().map(|one| one.person).chain(leads).map(Who::Named).collect());
        next.clone_from(&office.parent);
    }
    // Where nobody is first on duty, the first to be told are those of the next rung.
    rungs.retain(|rung: &Vec<Who>| !rung.is_empty());
    Ok(rungs)
}

/// When somebody is told of this here, if at all.
pub fn when(recipient: &Recipient, topic: Option<Topic>, severity: Severity, now: Timestamp) -> Option<When> {
    match &recipient.of {
        Of::Customer => Some(When::Now),
        Of::Person(_, preferences) => chosen(preferences, topic, severity, recipient.channel, now),
    }
}

/// What one person's choices say. What is critical passes the quiet hours.
pub fn chosen(
    preferences: &NoticePreferences,
    topic: Option<Topic>,
    severity: Severity,
    channel: ChannelKind,
    now: Timestamp,
) -> Option<When> {
    let choice = preferences.topics.iter().find(|choice| Some(choice.topic) == topic);
    let least = choice.and_then(|choice| choice.least).unwrap_or(preferences.least);
    let channels = choice.and_then(|choice| choice.channels.as_ref());
    if severity < least || channels.is_some_and(|channels| !channels.contains(&channel)) {
        return None;
    }
    let until =
        preferences.quiet.as_ref().filter(|_| severity < Severity::Critical).and_then(|quiet| quiet_until(quiet, &preferences.zone, now));
    Some(until.map_or(When::Now, When::After))
}

/// The end of quiet hours, if they are now. By the clock on the wall: where it skips or repeats an hour, the hours are as long as it says.
fn quiet_until(quiet: &QuietHours, zone: &str, now: Timestamp) -> Option<Timestamp> {
    let (from, to) = hours(quiet)?;
    let local = now.to_zoned(TimeZone::get(zone).ok()?);
    let time = local.time();
    let is_quiet = if from < to { from <= time && time < to } else { time >= from || time < to };
    if !is_quiet {
        return None;
    }
    let day = if time < to { local.date() } else { local.date().checked_add(1.day()).ok()? };
    Some(day.to_datetime(to).to_zoned(local.time_zone().clone()).ok()?.timestamp())
}

/// Both ends, if they are times and not the same.
pub fn hours(quiet: &QuietHours) -> Option<(Time, Time)> {
    let time = |text: &str| Time::strptime("%H:%M", text).ok().filter(|_| text.len() == 5);
    time(&quiet.from).zip(time(&quiet.to)).filter(|(from, to)| from != to)
}

#[cfg(test)]
mod tests {
    use lineman_common::api::TopicChoice;

    use super::*;

    fn preferences(json: &str) -> NoticePreferences {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn every_kind_that_is_told_exists() {
        let unknown: Vec<_> = TOLD.iter().filter(|(kind, _)| kind.parse::<Kind>().is_err()).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    }

    /// (preferences, topic, severity, channel, the hour in UTC) and when it is told.
    #[test]
    fn choices_decide() {
        use ChannelKind::{Mail, Webhook};
        use Severity::{Critical, Major, Minor, Warning};
        let quiet = r#"{"zone": "Asia/Shanghai", "quiet": {"from": "22:00", "to": "07:00"}}"#;
        let noon = r#"{"quiet": {"from": "12:00", "to": "13:30"}}"#;
        let least = r#"{"least": "major", "topics": [{"topic": "reply", "least": "indeterminate"}]}"#;
        let few = r#"{"topics": [{"topic": "clock", "channels": []}, {"topic": "reply", "channels": ["mail"]}]}"#;
        let at = |hour: &str| -> Timestamp { format!("2026-11-22T{hour}Z").parse().unwrap() };
        let after = |text: &str| Some(When::After(text.parse().unwrap()));
        let now = Some(When::Now);
        for (json, topic, severity, channel, hour, told) in [
            ("{}", Topic::Clock, Warning, Webhook, "03:00:00", now),
            // 22:00 in Shanghai is 14:00 UTC; the end is 07:00 there, 23:00 UTC.
            (quiet, Topic::Reply, Major, Mail, "13:59:59", now),
            (quiet, Topic::Reply, Major, Mail, "14:00:00", after("2026-11-22T23:00:00Z")),
            (quiet, Topic::Reply, Major, Mail, "22:59:59", after("2026-11-22T23:00:00Z")),
            (quiet, Topic::Reply, Major, Mail, "23:00:00", now),
            (quiet, Topic::Reply, Critical, Mail, "15:00:00", now),
            (noon, Topic::Reply, Major, Mail, "12:00:00", after("2026-11-22T13:30:00Z")),
            (noon, Topic::Reply, Major, Mail, "13:30:00", now),
            (least, Topic::Status, Minor, Mail, "03:00:00", None),
            (least, Topic::Status, Major, Mail, "03:00:00", now),
            (least, Topic::Reply, Warning, Mail, "03:00:00", now),
            (few, Topic::Clock, Critical, Mail, "03:00:00", None),
            (few, Topic::Reply, Major, Webhook, "03:00:00", None),
            (few, Topic::Reply, Major, Mail, "03:00:00", now),
        ] {
            assert_eq!(
                chosen(&preferences(json), Some(topic), severity, channel, at(hour)),
                told,
                "{json} {topic} {severity} {channel} {hour}"
            );
        }
    }

    /// Where clocks go forward at 02:00, quiet hours to 02:30 end at 03:30 by the new time; where they go back, at the first 02:30.
    #[test]
    fn quiet_hours_end_on_days_when_clocks_change() {
        let berlin = |now: &str| {
            let quiet = QuietHours { from: "23:00".into(), to: "02:30".into() };
            quiet_until(&quiet, "Europe/Berlin", now.parse().unwrap()).map(|at| at.to_string())
        };
        assert_eq!(berlin("2026-03-28T23:30:00Z").as_deref(), Some("2026-03-29T01:30:00Z"));
        assert_eq!(berlin("2026-10-24T22:30:00Z").as_deref(), Some("2026-10-25T00:30:00Z"));
        assert_eq!(berlin("2026-10-24T20:59:59Z"), None);
    }

    #[test]
    fn unknown_choices_are_refused() {
        assert!(serde_json::from_str::<TopicChoice>(r#"{"topic": "gossip"}"#).is_err());
        assert!(serde_json::from_str::<NoticePreferences>(r#"{"quite": null}"#).is_err());
        for (from, to) in [("24:00", "07:00"), ("7:00", "22:00"), ("07:00", "07:00"), ("", "07:00")] {
            assert!(hours(&QuietHours { from: from.into(), to: to.into() }).is_none(), "{from} {to}");
        }
    }
}

//! Notices: people are told, where they are, of what concerns them.
//!
//! Each person and each customer names **targets**, e-mail addresses and webhooks. What is told ([`hear`]) goes into a durable queue inside
//! the change that caused it, one row for each target ([`outbox`]), and a background job ([`run`]) delivers it: again and again with growing
//! pauses, for a day. A crash between delivery and its record delivers twice, never not at all; both carry the same id. Who hears of what
//! follows from what they have to do with it, and from their own choices ([`audience`]). A storm becomes a digest. What is critical is
//! told again until somebody takes it on ([`repeats`]).
//!
//! A notice brings words and a link, **never the power to sign**: no token, nothing that opens or approves anything. Every word that
//! came from outside is escaped before it goes into a notice. What is internal never goes to a customer's people.

mod about;
mod audience;
mod channels;
mod courier;
pub mod http;
mod letter;
mod log;
mod outbox;
mod repeats;
mod sql;
mod targets;
#[cfg(test)]
mod tests;

use lineman_common::api::{ConsentState, Fault};
use lineman_common::id::{ConsentId, CustomerId};
use lineman_common::name::{CustomerCode, FaultNumber};
use lineman_common::notice::Topic;
use lineman_common::session::Grade;

use self::about::About;
use self::audience::Recipient;
use crate::alarms;
use crate::consents;
use crate::customers;
use crate::events::{self, Appended, Kind, ListenerError};
use crate::faults::{self, Reference};
use crate::store::{Db, StoreError, Tx};
use crate::web::{ApiError, Scope};

pub use courier::{Courier, run};

/// Kinds of notices that are no event's.
const TEST: &str = "notice.test";
const DIGEST: &str = "notice.digest";
const REPEAT: &str = "fault.not_accepted";
const ALARM_WAITS: &str = "alarm.not_acknowledged";

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no such customer")]
    NoCustomer,
    #[error("no such person")]
    NoPerson,
    #[error("no such target")]
    NoTarget,
    #[error("no such notice")]
    NoNotice,
    #[error("{} is not a webhook that can be used: {why}", lineman_common::printable::escape(.url))]
    BadWebhook { url: String, why: &'static str },
    #[error("{} is not an e-mail address", lineman_common::printable::escape(.0))]
    BadMail(String),
    #[error("{} is no time zone: expected an IANA name, like Asia/Shanghai", lineman_common::printable::escape(.0))]
    BadZone(String),
    #[error("quiet hours need two different times of the form HH:MM, like 22:00 and 07:00")]
    BadHours,
    #[error("`{0}` is chosen twice")]
    Twice(Topic),
    #[error("`{topic}` is told to the support centre's people only; a customer hears of: {}", audience::words_for_carriers())]
    NotForCarriers { topic: Topic },
    #[error("{0} {1} at most")]
    TooMany(usize, &'static str),
    #[error("{0} is told already")]
    ToldThere(String),
    #[error("this support centre sends no e-mail: its server.toml has no [mail]")]
    NoMail,
    #[error("nobody is named: set webhooks or e-mail addresses first")]
    Nobody,
    #[error("a test was sent a moment ago: wait {} s", targets::TEST_PAUSE.as_secs())]
    TooSoon,
    #[error("{0} has no secret: only webhooks are signed")]
    NoSecret(String),
    #[error("it waits to be delivered already")]
    Waits,
    #[error("the end of the time must come after its beginning")]
    BadTime,
    #[error("a reason is needed, of 1 to 2000 characters")]
    NoWhy,
    #[error("{0} is not told again: it is not critical, somebody has it, or somebody said so before")]
    NotRepeated(FaultNumber),
    #[error(transparent)]
    Alarms(#[from] alarms::Error),
    #[error(transparent)]
    Faults(#[from] faults::Error),
    #[error(transparent)]
    Consents(#[from] consents::Error),
    #[error(transparent)]
    Events(#[from] events::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match error {
            Error::NoCustomer => Self::not_found("customer"),
            Error::NoPerson => Self::not_found("person"),
            Error::NoTarget => Self::not_found("target"),
            Error::NoNotice => Self::not_found("notice"),
            Error::BadWebhook { .. }
            | Error::BadMail(_)
            | Error::BadZone(_)
            | Error::BadHours
            | Error::Twice(_)
            | Error::NotForCarriers { .. }
            | Error::TooMany(..)
            | Error::NoMail
            | Error::Nobody
            | Error::NoSecret(_)
            | Error::BadTime
            | Error::NoWhy => Self::invalid(error.to_string()),
            Error::TooSoon | Error::ToldThere(_) | Error::Waits | Error::NotRepeated(_) => Self::conflict(error.to_string()),
            Error::Alarms(error) => error.into(),
            Error::Faults(error) => error.into(),
            Error::Consents(error) => error.into(),
            Error::Events(error) => error.into(),
            Error::Store(error) => error.into(),
        }
    }
}

/// Hears of what people should know, and of what must not wait too long.
pub fn hear(tx: &mut Tx<'_>, event: &Appended) -> Result<(), ListenerError> {
    let topic = audience::topic_of(event);
    if topic.is_none() && !repeats::concerns(event.kind) || !sql::has_targets(tx)? {
        return Ok(());
    }
    let fault = event.fault.map(|id| faults::get(tx, &Scope::All, &Reference::Id(id))).transpose()?;
    repeats::hear(tx, event, fault.as_ref())?;
    let Some(topic) = topic else { return Ok(()) };
    let recipients = audience::of_event(tx, event, topic, fault.as_ref())?;
    if recipients.is_empty() {
        return Ok(());
    }
    if let Some(about) = about(tx, event, topic, fault.as_ref())? {
        tell(tx, &about, recipients)?;
    }
    Ok(())
}

/// Puts one notice into the queue for each of these, in their language, when they want it.
fn tell(tx: &mut Tx<'_>, about: &About, recipients: Vec<Recipient>) -> Result<(), StoreError> {
    for recipient in recipients {
        if let Some(when) = audience::when(&recipient, about.topic, about.severity, tx.now()) {
            let about = About { language: recipient.language(), ..about.clone() };
            outbox::put(tx, recipient.target, &about, when)?;
        }
    }
    Ok(())
}

fn about(db: &Db<'_>, event: &Appended, topic: Topic, fault: Option<&Fault>) -> Result<Option<About>, Error> {
    if matches!(event.kind, Kind::ConsentRequested | Kind::ConsentLive) {
        let (Some(fault), Some(id)) = (fault, event.data["consent"].as_str().and_then(|id| id.parse::<ConsentId>().ok())) else {
            return Ok(None);
        };
        let consent = consents::get(db, &Scope::All, id)?;
        // A consent of the usual grade that became live was signed by the people who would read this.
        let known = event.kind == Kind::ConsentLive && consent.grade != Some(Grade::Gateway);
        let about = About::consent(event, fault.customer.clone(), &consent).of_fault(fault).on(topic, fault.severity);
        return Ok((!known).then_some(about));
    }
    Ok(Some(match fault {
        Some(fault) => About::step(event, fault).on(topic, fault.severity),
        None => About::event(event, code_of(db, event.customer)?).on(topic, severity_of(topic)),
    }))
}

/// Of what is no fault's.
const fn severity_of(topic: Topic) -> lineman_common::alarm::Severity {
    use lineman_common::alarm::Severity;
    match topic {
        Topic::Stop => Severity::Critical,
        Topic::Reported
        | Topic::Routed
        | Topic::Assigned
        | Topic::Escalated
        | Topic::Reply
        | Topic::Note
        | Topic::Status
        | Topic::Clock
        | Topic::Consent
        | Topic::LocalAct
        | Topic::Alarm
        | Topic::Problem => Severity::Major,
    }
}

fn code_of(db: &Db<'_>, customer: Option<CustomerId>) -> Result<Option<CustomerCode>, StoreError> {
    let Some(customer) = customer else { return Ok(None) };
    Ok(customers::list(db, &Scope::Customer(customer))?.pop().map(|customer| customer.code))
}

/// Is there still a reason to tell?
fn still_matters(db: &Db<'_>, about: &About) -> Result<bool, Error> {
    match about.consent.filter(|_| about.kind == Kind::ConsentRequested.as_str()) {
        Some(consent) => Ok(consents::get(db, &Scope::All, consent)?.state == ConsentState::Requested),
        None => Ok(true),
    }
}

//! What a notice says: a subject, facts, somebody's words, and the command and the page that lead to more.
//!
//! It is written down when the event happens and never again, so that a retry and a replay say the same under the same id. Only the words
//! around it are put in the reader's language ([`super::letter`]).

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use lineman_common::alarm::Severity;
use lineman_common::api::{Alarm, ConsentView, Fault};
use lineman_common::id::{ConsentId, FaultId};
use lineman_common::name::{CustomerCode, FaultNumber, PersonName};
use lineman_common::notice::{Language, Topic};
use lineman_common::printable::escape;
use lineman_common::statement::KeyClass;
use serde::{Deserialize, Serialize};

use super::{ALARM_WAITS, DIGEST, REPEAT, TEST};
use crate::events::{Appended, Kind};

/// A subject is a line that mail programs show whole.
const MOST_SUBJECT_CHARS: usize = 150;
/// Of one fact, or of somebody's words: the rest is where the link leads.
const MOST_TEXT_CHARS: usize = 4000;
/// A digest names so many, the worst first.
const MOST_NAMED: usize = 10;

/// As it is kept in the queue. All of it is escaped: nothing in it that a terminal or a mail program acts on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct About {
    pub kind: String,
    pub at: Timestamp,
    #[serde(default)]
    pub customer: Option<CustomerCode>,
    pub subject: String,
    /// Names and values, in the order to show.
    pub facts: Vec<(String, String)>,
    /// What somebody wrote, line by line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consent: Option<ConsentId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<AboutFault>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<Topic>,
    #[serde(default = "major")]
    pub severity: Severity,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    #[serde(default = "english")]
    pub language: Language,
}

/// What ties the notices of one fault together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AboutFault {
    pub id: FaultId,
    pub number: FaultNumber,
    pub title: String,
}

/// Many notices in one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Digest {
    pub count: u32,
    pub first_at: Option<Timestamp>,
    pub last_at: Option<Timestamp>,
    pub severities: BTreeMap<Severity, u32>,
    pub kinds: BTreeMap<String, u32>,
    /// The worst first, and of those the earliest.
    pub worst: Vec<Named>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Named {
    pub severity: Severity,
    pub at: Timestamp,
    pub fault: Option<FaultNumber>,
    pub subject: String,
}

const fn major() -> Severity {
    Severity::Major
}

const fn english() -> Language {
    Language::English
}

impl About {
    fn new(kind: &str, at: Timestamp, customer: Option<CustomerCode>, subject: &str, facts: Vec<(&str, String)>) -> Self {
        let facts = facts.into_iter().map(|(name, value)| (name.to_owned(), cut(&escape(&value), MOST_TEXT_CHARS))).collect();
        Self {
            kind: kind.to_owned(),
            at,
            customer,
            subject: cut(&escape(subject), MOST_SUBJECT_CHARS),
            facts,
            words: Vec::new(),
            consent: None,
            fault: None,
            topic: None,
            severity: Severity::Major,
            digest: None,
            language: Language::English,
        }
    }

    pub fn on(self, topic: Topic, severity: Severity) -> Self {
        Self { topic: Some(topic), severity, ..self }
    }

    pub fn of_fault(self, fault: &Fault) -> Self {
        let title = cut(&fault.title.to_string(), MOST_SUBJECT_CHARS);
        Self { fault: Some(AboutFault { id: fault.id, number: fault.number.clone(), title }), severity: fault.severity, ..self }
    }

    /// A request that waits, or a consent that lets the gateway in.
    pub fn consent(event: &Appended, customer: CustomerCode, consent: &ConsentView) -> Self {
        let text = |value: Option<String>| value.unwrap_or_else(|| "-".into());
        let asks = event.kind == Kind::ConsentRequested;
        let subject = if asks {
            format!("{} asks to enter {} ({})", consent.engineer, consent.device, consent.fault)
        } else {
            format!("the gateway may enter {} for {} ({})", consent.device, consent.engineer, consent.fault)
        };
        let length = consent.duration_s.map(|seconds| format!("{:#}", SignedDuration::from_secs(seconds.into())));
        let mut facts = vec![
            ("who", consent.engineer.to_string()),
            ("device", consent.device.to_string()),
            ("fault", consent.fault.to_string()),
            ("doors", text(consent.doors.as_ref().map(ToString::to_string))),
            ("account", text(consent.account.clone())),
            ("for", text(length)),
            ("grade", text(consent.grade.map(|grade| grade.to_string()))),
            ("reason", text(consent.reason.as_ref().map(|reason| reason.raw().to_owned()))),
        ];
        if asks {
            facts.push(("answer before", consent.lapses_at.to_string()));
        } else {
            facts.push(("until", text(consent.live_until.map(|at| at.to_string()))));
            let in_page = consent.approvals.iter().filter(|given| given.key == KeyClass::Page);
            let in_page: Vec<_> = in_page.map(|given| given.approver.as_str()).collect();
            facts.extend(KeyClass::Page.remark().filter(|_| !in_page.is_empty()).map(|remark| (remark, in_page.join(", "))));
        }
        if asks && consent.approvals_needed > 1 {
            facts.push(("signatures needed", consent.approvals_needed.to_string()));
        }
        Self { consent: Some(consent.id), ..Self::new(event.kind.as_str(), event.occurred_at, Some(customer), &subject, facts) }
    }

    /// A step of a fault. A reply's words are shown line by line; anything else is one line of the log.
    pub fn step(event: &Appended, fault: &Fault) -> Self {
        let subject = format!("{}: {}", fault.number, first_line(&event.text));
        let mut facts = vec![("fault", fault.number.to_string()), ("title", fault.title.raw().to_owned())];
        facts.extend(fault.equipment.as_ref().map(|device| ("device", device.to_string())));
        facts.push(("severity", fault.severity.to_string()));
        facts.push(("status", fault.status.to_string()));
        facts.extend(fault.owner.as_ref().map(|owner| ("owner", owner.to_string())));
        facts.push(("who", event.actor.clone()));
        facts.push(("when", event.occurred_at.to_string()));
        let about = Self::new(event.kind.as_str(), event.occurred_at, Some(fault.customer.clone()), &subject, facts).of_fault(fault);
        let text = cut(&event.text, MOST_TEXT_CHARS);
        Self { words: text.lines().map(escape).collect(), ..about }
    }

    /// Something else that happened, in the log's own words.
    pub fn event(event: &Appended, customer: Option<CustomerCode>) -> Self {
        let facts = vec![("what", event.text.clone()), ("who", event.actor.clone()), ("when", event.occurred_at.to_string())];
        Self::new(event.kind.as_str(), event.occurred_at, customer, &event.text, facts)
    }

    /// A critical fault that nobody has taken on.
    pub fn repeat(fault: &Fault, now: Timestamp, rung: u32) -> Self {
        let subject = format!("{}: nobody has accepted it yet: {}", fault.number, fault.title);
        let facts = vec![
            ("fault", fault.number.to_string()),
            ("title", fault.title.raw().to_owned()),
            ("severity", fault.severity.to_string()),
            ("reported", fault.reported_at.to_string()),
            ("told", (rung + 1).to_string()),
        ];
        Self::new(REPEAT, now, Some(fault.customer.clone()), &subject, facts).of_fault(fault).on(Topic::Reported, fault.severity)
    }

    /// A critical alarm that nobody has acknowledged.
    pub fn alarm(alarm: &Alarm, now: Timestamp, rung: u32) -> Self {
        let subject = format!("{}: nobody has acknowledged: {}", alarm.equipment, alarm.text);
        let facts = vec![
            ("alarm", alarm.id.to_string()),
            ("device", alarm.equipment.to_string()),
            ("what", alarm.text.raw().to_owned()),
            ("severity", alarm.severity.to_string()),
            ("raised", alarm.raised_at.to_string()),
            ("told", (rung + 1).to_string()),
        ];
        let customer = Some(alarm.equipment.customer.clone());
        Self::new(ALARM_WAITS, now, customer, &subject, facts).on(Topic::Alarm, alarm.severity)
    }

    pub fn test(at: Timestamp, customer: Option<CustomerCode>, by: &PersonName) -> Self {
        let facts = vec![("who", by.to_string()), ("when", at.to_string())];
        Self::new(TEST, at, customer, "a test: notices arrive here", facts)
    }

    /// An empty digest for the target that these are for.
    pub fn digest(first: &Self) -> Self {
        let about = Self::new(DIGEST, first.at, first.customer.clone(), "many notices", Vec::new());
        Self { digest: Some(Digest::default()), language: first.language, severity: first.severity, ..about }
    }

    /// Tells of one more. Of different customers' it names none.
    pub fn fold(&mut self, one: &Self) {
        let digest = self.digest.get_or_insert_default();
        digest.count += 1;
        digest.first_at = Some(digest.first_at.map_or(one.at, |at| at.min(one.at)));
        digest.last_at = Some(digest.last_at.map_or(one.at, |at| at.max(one.at)));
        *digest.severities.entry(one.severity).or_default() += 1;
        *digest.kinds.entry(one.kind.clone()).or_default() += 1;
        let fault = one.fault.as_ref().map(|fault| fault.number.clone());
        digest.worst.push(Named { severity: one.severity, at: one.at, fault, subject: one.subject.clone() });
        digest.worst.sort_by_key(|named| (std::cmp::Reverse(named.severity), named.at));
        digest.worst.truncate(MOST_NAMED);
        self.severity = self.severity.max(one.severity);
        self.customer = self.customer.take().filter(|customer| one.customer.as_ref() == Some(customer));
        self.at = one.at.max(self.at);
        let worst = digest.severities.iter().rev().map(|(severity, count)| format!("{count} {severity}")).collect::<Vec<_>>().join(", ");
        self.subject = format!("{} notices: {worst}", digest.count);
    }

    pub fn is_digest(&self) -> bool {
        self.digest.is_some()
    }

    /// What answers it, on the reader's own machine.
    pub fn command(&self) -> Option<String> {
        let asks = self.kind == Kind::ConsentRequested.as_str();
        let verb = if asks { "approve" } else { "show" };
        let consent = self.consent.map(|consent| format!("lineman consent {verb} {consent}"));
        let fault = || self.fault.as_ref().map(|fault| format!("lineman fault show {}", fault.number));
        let many = || self.is_digest().then(|| "lineman notices log".to_owned());
        consent.or_else(fault).or_else(many)
    }

    /// The page of the console. Opening it takes an account of its own.
    pub fn link(&self, centre: &str) -> Option<String> {
        let consent = self.consent.map(|consent| format!("https://{centre}/consents/{consent}"));
        let fault = || self.fault.as_ref().map(|fault| format!("https://{centre}/faults/{}", fault.number));
        let many = || self.is_digest().then(|| format!("https://{centre}/notices"));
        consent.or_else(fault).or_else(many)
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most { text.to_owned() } else { text.chars().take(most).chain(['…']).collect() }
}

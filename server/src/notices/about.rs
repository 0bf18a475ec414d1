//! What a notice says: a subject, facts, and for a request the command and the page to answer it.

use jiff::{SignedDuration, Timestamp};
use lineman_common::api::ConsentView;
use lineman_common::id::ConsentId;
use lineman_common::name::{CustomerCode, PersonName};
use lineman_common::printable::escape;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::TEST;
use crate::events::{Appended, Kind};

/// A subject is a line that mail programs show whole.
const MOST_SUBJECT_CHARS: usize = 150;

/// As it is kept in the queue. All of it is escaped: one line each, and nothing in it that a terminal or a mail program acts on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct About {
    pub kind: String,
    pub at: Timestamp,
    pub customer: CustomerCode,
    pub subject: String,
    /// Names and values, in the order to show.
    pub facts: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consent: Option<ConsentId>,
}

impl About {
    fn new(kind: &str, at: Timestamp, customer: CustomerCode, subject: &str, facts: Vec<(&str, String)>) -> Self {
        let facts = facts.into_iter().map(|(name, value)| (name.to_owned(), escape(&value))).collect();
        Self { kind: kind.to_owned(), at, customer, subject: subject_of(subject), facts, consent: None }
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
        }
        if asks && consent.approvals_needed > 1 {
            facts.push(("signatures needed", consent.approvals_needed.to_string()));
        }
        Self { consent: Some(consent.id), ..Self::new(event.kind.as_str(), event.occurred_at, customer, &subject, facts) }
    }

    /// Something else that happened, in the log's own words.
    pub fn event(event: &Appended, customer: CustomerCode) -> Self {
        let facts = vec![("what", event.text.clone()), ("who", event.actor.clone()), ("when", event.occurred_at.to_string())];
        Self::new(event.kind.as_str(), event.occurred_at, customer, &event.text, facts)
    }

    pub fn test(at: Timestamp, customer: CustomerCode, by: &PersonName) -> Self {
        let facts = vec![("who", by.to_string()), ("when", at.to_string())];
        Self::new(TEST, at, customer, "a test: notices arrive here", facts)
    }

    /// What answers it, on the reader's own machine.
    fn command(&self) -> Option<String> {
        let asks = self.kind == Kind::ConsentRequested.as_str();
        let verb = if asks { "approve" } else { "show" };
        self.consent.map(|consent| format!("lineman consent {verb} {consent}"))
    }

    /// The page of the console. Opening it takes an account of its own.
    fn link(&self, centre: &str) -> Option<String> {
        self.consent.map(|consent| format!("https://{centre}/consents/{consent}"))
    }

    /// The text of a mail; `centre` is the server's name and port.
    pub fn text(&self, centre: &str) -> String {
        let widest = self.facts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        let mut text = format!("{}\n\n", self.subject);
        for (name, value) in &self.facts {
            text.push_str(&format!("{:<1$}  {value}\n", format!("{name}:"), widest + 1));
        }
        if let (Some(command), Some(link)) = (self.command(), self.link(centre)) {
            text.push_str(&format!("\nOn your own machine:\n  {command}\nOr look at it:\n  {link}\n"));
        }
        text.push_str("\nThis message opens and approves nothing: only a signature made with your own key does.\n");
        text
    }

    /// What a webhook gets.
    pub fn json(&self, id: i64, centre: &str) -> Value {
        let facts: serde_json::Map<String, Value> = self.facts.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        json!({
            "lineman-notice": 1, "id": id, "kind": self.kind, "at": self.at, "customer": self.customer, "subject": self.subject,
            "text": self.text(centre), "facts": facts, "consent": self.consent, "command": self.command(), "link": self.link(centre),
        })
    }
}

fn subject_of(text: &str) -> String {
    let text = escape(text);
    if text.chars().count() <= MOST_SUBJECT_CHARS { text } else { text.chars().take(MOST_SUBJECT_CHARS).chain(['…']).collect() }
}

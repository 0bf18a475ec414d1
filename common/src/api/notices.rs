use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Printable;
use crate::alarm::Severity;
use crate::id::{NoticeId, TargetId};
use crate::name::{CustomerCode, FaultNumber, PersonName};
use crate::notice::{ChannelKind, Delivery, Language, Topic};

/// Where a customer's people are told together. A notice brings a link, never the power to sign.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NoticeSettings {
    /// URLs that get a POST with JSON.
    #[serde(default)]
    pub webhooks: Vec<String>,
    /// E-mail addresses.
    #[serde(default)]
    pub mail: Vec<String>,
    /// What is told there; as before when absent, and at first `consent`, `stop` and `local_act`.
    #[serde(default)]
    pub topics: Option<Vec<Topic>>,
}

/// `GET /api/v1/customers/{code}/notices`: the settings, and the newest notices.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct NoticesView {
    pub settings: NoticeSettings,
    /// Newest first, 50 at most.
    pub recent: Vec<NoticeView>,
    /// Of the webhooks that were named just now, shown this once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<NoticeSecret>,
}

/// One notice for one target.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct NoticeView {
    /// The same through every retry and replay: what receivers know a repetition by.
    pub id: NoticeId,
    pub at: Timestamp,
    /// The webhook's URL without its query, or the e-mail address.
    pub target: String,
    pub target_id: TargetId,
    /// What it is about, like `consent.requested`.
    pub kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<Topic>,
    pub severity: Severity,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<FaultNumber>,
    pub subject: Printable,
    pub state: Delivery,
    pub attempts: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered_at: Option<Timestamp>,
    /// Why the last attempt failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Printable>,
    /// The digest that tells of it instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folded_into: Option<NoticeId>,
    /// How many a digest tells of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tells_of: Option<u32>,
}

/// `GET /api/v1/notices/{notice}`: a notice with every attempt to deliver it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct NoticePage {
    #[serde(flatten)]
    pub notice: NoticeView,
    /// Oldest first, the newest 100.
    pub log: Vec<NoticeAttempt>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct NoticeAttempt {
    pub at: Timestamp,
    pub latency_ms: u32,
    /// Of HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Printable>,
    /// How the answer begins. What a machine of a private network says is for the administrator only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excerpt: Option<Printable>,
}

/// A place where notices arrive: of one person, or of a customer's people together.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct NoticeTarget {
    pub id: TargetId,
    pub channel: ChannelKind,
    /// The webhook's URL without its query, or the e-mail address.
    pub address: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<PersonName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerCode>,
    pub created_at: Timestamp,
    pub created_by: String,
    /// Ids of the keys that sign now: two while a secret is being changed.
    pub keys: Vec<String>,
    pub waiting: u32,
    /// Failed attempts since the last that worked.
    pub failures: u32,
    /// Nothing is sent there before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused_until: Option<Timestamp>,
}

/// `POST /api/v1/notices/targets`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewNoticeTarget {
    pub channel: ChannelKind,
    /// A URL, or an e-mail address.
    pub address: String,
    /// Somebody else's: for the administrator.
    #[serde(default)]
    pub person: Option<PersonName>,
}

/// The reply to a new target, and to a change of its secret.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AddedTarget {
    pub target: NoticeTarget,
    /// Of a webhook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<NoticeSecret>,
}

/// What a webhook's deliveries are signed with; shown once.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct NoticeSecret {
    pub target: TargetId,
    /// The webhook's URL without its query.
    pub address: String,
    /// As it stands in the signature header.
    pub key: String,
    pub secret: String,
    /// Until then the secret before signs too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old_until: Option<Timestamp>,
}

/// How one person wants to be told. Without any: everything that concerns them, at any hour, in English.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NoticePreferences {
    pub language: Language,
    /// IANA zone of the quiet hours, like `Asia/Shanghai`.
    pub zone: String,
    /// When nothing but what is critical is sent; the rest waits for their end.
    pub quiet: Option<QuietHours>,
    /// Nothing below is told.
    pub least: Severity,
    /// For topics that are to be told otherwise.
    pub topics: Vec<TopicChoice>,
}

impl Default for NoticePreferences {
    fn default() -> Self {
        Self { language: Language::English, zone: "UTC".into(), quiet: None, least: Severity::Indeterminate, topics: Vec::new() }
    }
}

/// From one wall-clock time to another; past midnight when the end is before the beginning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QuietHours {
    /// `HH:MM`.
    pub from: String,
    /// `HH:MM`.
    pub to: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TopicChoice {
    pub topic: Topic,
    /// Where it is told; nowhere when empty, everywhere when absent.
    #[serde(default)]
    pub channels: Option<Vec<ChannelKind>>,
    /// Nothing below is told; as everywhere when absent.
    #[serde(default)]
    pub least: Option<Severity>,
}

/// `POST /api/v1/notices/replay`: sends again what went to one target in a time.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Replay {
    pub target: TargetId,
    pub from: Timestamp,
    /// Now when absent.
    #[serde(default)]
    pub to: Option<Timestamp>,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Replayed {
    /// So many wait now; 1000 at a time at most.
    pub notices: u32,
}

/// `POST /api/v1/faults/{fault}/notices/acknowledgement`: seen, so that it need not be repeated.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RepeatAcknowledgement {
    /// Why nobody has to be called.
    #[serde(default)]
    pub why: Printable,
}

/// A fault that is told again and again until somebody takes it on.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct NoticeRepeat {
    /// The fault's id.
    pub subject: String,
    pub since: Timestamp,
    pub told_at: Timestamp,
    /// How often it was told again; each time more people hear of it.
    pub rung: u32,
    /// Who said that nobody has to be called any more, when, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged_by: Option<PersonName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<Printable>,
}

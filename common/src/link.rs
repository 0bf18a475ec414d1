//! The agent link: what agent and server say over one WebSocket (subprotocol and ALPN `lineman/1`).
//!
//! Three streams go up, each with its own sequence; the server acknowledges a sequence number only when it and all before
//! it are stored durably, and the agent keeps them until then. A report is known by (agent, spool epoch, stream, sequence),
//! so sending it again changes nothing. Orders come down ahead of everything else.
//!
//! Events and health travel as JSON text frames; recording chunks as binary frames ([`RecordingFrame`]).

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::alarm::AlarmReport;
use crate::health::HealthReport;
use crate::id::{ConsentId, SessionId, SpoolEpoch};
use crate::leg;
use crate::name::PersonName;
use crate::session::{EndReason, Grade};
use crate::statement::Signed;

/// ALPN protocol of the link, and its version.
pub const ALPN: &[u8] = b"lineman/1";
pub const PROTOCOL: u32 = 1;

/// Largest frame either side takes.
pub const MAX_FRAME_BYTES: usize = 1024 * 1024;

/// A peer that has said nothing for this long is lost. Each side pings every third of it.
pub const SILENCE_S: u64 = 45;

words! {
    /// The three streams, most urgent first.
    pub enum Stream {
        Events = "events",
        Recording = "recording",
        Health = "health",
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FromAgent {
    /// Always first.
    Hello(Hello),
    Report {
        stream: Stream,
        seq: u64,
        /// A [`Report`], passed on as the text that the spool holds.
        body: Box<RawValue>,
    },
    Answer {
        order: u64,
        outcome: Outcome,
    },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Hello {
    pub protocol: u32,
    /// Name and version, like `lineman-agent 0.1.0`.
    pub software: String,
    pub epoch: SpoolEpoch,
    /// The kernel's boot id.
    pub boot_id: String,
    /// What this agent can do beyond the protocol's first version; unknown names are ignored.
    #[serde(default)]
    pub capabilities: Vec<String>,
    /// The roster that the agent holds, 0 for none.
    #[serde(default)]
    pub roster: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToAgent {
    /// Answers `Hello`: the last sequence stored of each stream in this epoch.
    Welcome {
        protocol: u32,
        stored: BTreeMap<Stream, u64>,
    },
    /// Everything of `stream` up to `seq` is stored durably.
    Ack {
        stream: Stream,
        seq: u64,
    },
    Order {
        id: u64,
        order: Order,
    },
    /// The server closes the link; try again after this many seconds.
    Goodbye {
        reason: String,
        retry_after_s: u64,
    },
}

/// What the equipment has to say.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Report {
    Health(HealthReport),
    Alarm(AlarmReport),
    /// All alarms that are raised now; whatever else the server holds as raised has cleared. Sent when a spool begins.
    ActiveAlarms {
        at: Timestamp,
        alarms: Vec<AlarmReport>,
    },
    /// The spool was full: this many of the stream's oldest reports were dropped.
    Dropped {
        at: Timestamp,
        stream: Stream,
        count: u64,
    },
    ConsentEnded {
        at: Timestamp,
        consent: ConsentId,
        reason: EndReason,
    },
    SessionOpened(SessionOpened),
    /// The first byte went to the engineer on the session's first channel: what clock K4 waits for.
    SessionFirstByte {
        at: Timestamp,
        session: SessionId,
    },
    SessionEnded(SessionEnded),
    /// What the device holds and obeys ([`crate::statement::Receipt`]): on every new link, and whenever it changed.
    Receipt {
        signed: Signed,
    },
    /// The device's administrator did something there ([`crate::statement::LocalStatement`]).
    Local {
        signed: Signed,
        /// The act made this consent live, until then.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        live: Option<LocalConsent>,
    },
}

/// A consent that was approved on the device.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LocalConsent {
    pub consent: ConsentId,
    pub until: Timestamp,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SessionOpened {
    pub at: Timestamp,
    pub session: SessionId,
    pub consent: ConsentId,
    pub engineer: PersonName,
    pub engineer_key: String,
    /// The Unix account that the session runs as.
    pub account: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SessionEnded {
    pub at: Timestamp,
    pub session: SessionId,
    pub reason: EndReason,
    /// Chunks in the recording, and the hash of the last one: the head of the chain.
    pub chunks: u64,
    pub head_sha256: String,
    /// Commands, files and bytes, for the fault's timeline.
    pub summary: SessionSummary,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct SessionSummary {
    pub channels: u32,
    /// Commands run through `exec`, the first 32.
    pub commands: Vec<String>,
    /// Files read or written through SFTP, the first 32.
    pub files: Vec<String>,
    /// Places that forwards led to.
    #[serde(default)]
    pub forwards: Vec<String>,
    /// What the session left behind on the device: processes, changed crontabs, authorized_keys and the like.
    #[serde(default)]
    pub leftovers: Vec<String>,
    /// Bytes sent to the engineer.
    pub output_bytes: u64,
    /// Bytes received from the engineer.
    pub input_bytes: u64,
}

/// The closed list of what the centre may ask of a device. Everything that lets somebody in carries statements that the
/// device checks against the keys pinned at its enrolment; nothing here can change those keys, the local policy, or
/// what a check runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "snake_case")]
pub enum Order {
    /// Measure and report now.
    ReportNow,
    /// Change the reporting interval, inside the bounds of the local file.
    SetInterval {
        seconds: u32,
    },
    /// Run a check that the local file defines, by its name.
    RunCheck {
        name: String,
    },
    LogLevel {
        level: LogLevel,
    },
    /// A newer roster, signed by the vendor root.
    Roster {
        signed: Signed,
    },
    /// Issue a challenge for a request.
    Challenge {
        consent: ConsentId,
    },
    /// A signed request, to be checked and kept: a mistake shows before anybody is asked, and the device's administrator can see it.
    Request {
        request: Signed,
    },
    /// What lets somebody in: a request with the carrier's answers. For the grades `end-to-end` and `gateway` these are consents, one
    /// for each approval that the local policy wants; for `role` they are standing statements.
    Consent {
        request: Signed,
        consents: Vec<Signed>,
    },
    EndConsent {
        consent: ConsentId,
        reason: EndReason,
    },
    /// A standing statement ends before its time, and every consent that rests on it.
    EndStanding {
        standing: Signed,
        reason: EndReason,
    },
    /// The carrier's new signer list: the same text with as many signatures as the local policy wants.
    Signers {
        signed: Vec<Signed>,
    },
    /// Ends every session and consent, and takes none until `Resume`.
    Stop {
        by: String,
        reason: String,
    },
    /// Takes a `Stop` of the centre back; what it ended stays ended, and a stop made on the device stays.
    Resume {
        by: String,
    },
    /// May the holder of this key enter? If so, SSH begins on this leg, which is dialled if it is not there yet.
    Open {
        key: String,
        leg: leg::Offer,
        /// Which consent, for grade `gateway`: there the key is the centre's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        consent: Option<ConsentId>,
    },
    /// Dial a leg and keep it, so that whoever enters next need not wait for it. Only while a consent is live.
    Park {
        leg: leg::Offer,
    },
    KillSession {
        session: SessionId,
        by: String,
    },
}

words! {
    pub enum LogLevel {
        Error = "error",
        Warn = "warn",
        Info = "info",
        Debug = "debug",
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    Done {
        answer: Answer,
    },
    /// The reason, for the person who asked.
    Refused {
        reason: String,
    },
}

/// What the owner's local file says about consents, so that a request which would be refused is not made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct DevicePolicy {
    pub grades: Vec<Grade>,
    /// How many of the carrier's people must sign a consent.
    pub approvals: u8,
    /// Account profiles.
    pub accounts: Vec<String>,
    pub max_duration_s: u32,
    /// Whether a consent may be signed in a page that the vendor's centre serves. Older agents don't say, and take none.
    #[serde(default)]
    pub browser_keys: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    Ok,
    Challenge {
        challenge: String,
        lapses_at: Timestamp,
        policy: DevicePolicy,
    },
    /// The consent is live until then, by the device's clock.
    ConsentLive {
        until: Timestamp,
    },
    Check {
        status: CheckStatus,
        output: String,
    },
}

words! {
    /// Results in the order of the Nagios plugin convention's exit codes 0 to 3.
    pub enum CheckStatus {
        Ok = "ok",
        Warning = "warning",
        Critical = "critical",
        Unknown = "unknown",
    }
}

/// A recording chunk on the link: eight bytes of sequence, big-endian, then the chunk's line.
pub struct RecordingFrame<'a> {
    pub seq: u64,
    pub line: &'a [u8],
}

impl<'a> RecordingFrame<'a> {
    pub fn encode(&self) -> Vec<u8> {
        [&self.seq.to_be_bytes(), self.line].concat()
    }

    pub fn decode(bytes: &'a [u8]) -> Option<Self> {
        let (seq, line) = bytes.split_first_chunk::<8>()?;
        Some(Self { seq: u64::from_be_bytes(*seq), line })
    }
}

/// What an agent sends to enrol, once, over HTTPS: `POST /agent/v1/enrol`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct EnrolRequest {
    /// The one-time secret of the enrolment token.
    pub secret: String,
    /// PKCS#10 request for the link certificate, PEM.
    pub csr: String,
    /// The SSH host key, in OpenSSH's format.
    pub host_key: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct EnrolReply {
    #[cfg_attr(feature = "api", schema(value_type = String))]
    pub device: crate::name::NeName,
    /// The link certificate, PEM.
    pub certificate: String,
    /// The authority that the agent trusts from now on, PEM.
    pub ca: String,
}

/// An enrolment token: where the centre is, by which key it is known, and a secret that works once.
///
/// Written `lmt1/HOST:PORT/SPKI/SECRET`, where SPKI is the SHA-256 of the centre's CA key: the device does not trust the
/// centre blindly, nor the centre the device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnrolmentToken {
    pub address: String,
    pub ca_spki_sha256: String,
    pub secret: String,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("this is not an enrolment token: expected `lmt1/HOST:PORT/HASH/SECRET`, as `lineman equipment token` prints it")]
pub struct BadToken;

impl std::fmt::Display for EnrolmentToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "lmt1/{}/{}/{}", self.address, self.ca_spki_sha256, self.secret)
    }
}

impl std::str::FromStr for EnrolmentToken {
    type Err = BadToken;
    fn from_str(text: &str) -> Result<Self, BadToken> {
        let parts: Vec<_> = text.trim().split('/').collect();
        let ["lmt1", address, spki, secret] = parts[..] else { return Err(BadToken) };
        let is_hex = |text: &str| text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
        if !address.contains(':') || !is_hex(spki) || secret.len() < 32 || !secret.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(BadToken);
        }
        Ok(Self { address: address.to_owned(), ca_spki_sha256: spki.to_owned(), secret: secret.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back_and_garbage_does_not() {
        let token = EnrolmentToken { address: "[::1]:7443".into(), ca_spki_sha256: "a".repeat(64), secret: "s".repeat(40) };
        assert_eq!(token.to_string().parse(), Ok(token));
        for text in ["", "lmt1/a/b/c", "lmt2/h:1/aa/bb"] {
            assert_eq!(text.parse::<EnrolmentToken>(), Err(BadToken), "{text:?}");
        }
    }

    #[test]
    fn a_report_keeps_its_body_as_it_is() {
        let body = r#"{"kind":"dropped","at":"2026-11-22T00:00:00Z","stream":"health","count":3}"#;
        let frame = FromAgent::Report { stream: Stream::Events, seq: 7, body: RawValue::from_string(body.to_owned()).unwrap() };
        let text = serde_json::to_string(&frame).unwrap();
        let FromAgent::Report { seq: 7, body: back, .. } = serde_json::from_str(&text).unwrap() else { panic!("{text}") };
        assert_eq!(back.get(), body);
        assert!(matches!(serde_json::from_str(back.get()).unwrap(), Report::Dropped { count: 3, .. }));
    }
}

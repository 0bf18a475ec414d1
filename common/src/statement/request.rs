//! A request for a session, signed by the engineer.

use jiff::Timestamp;

use super::Refused;
use super::lines::{self, LineError, value};
use super::list::Roster;
use super::sig::{self, Namespace, Signed};
use crate::id::ConsentId;
use crate::name::{FaultNumber, NeName, PersonName};
use crate::session::{Doors, Grade};

const KEYS: [&str; 14] = [
    "lineman-request",
    "id",
    "fault",
    "device",
    "host-key",
    "grade",
    "engineer",
    "engineer-key",
    "doors",
    "account",
    "duration-s",
    "challenge",
    "reason",
    "issued",
];

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub id: ConsentId,
    pub fault: FaultNumber,
    pub device: NeName,
    /// Fingerprint of the device's SSH host key.
    pub host_key: String,
    pub grade: Grade,
    pub engineer: PersonName,
    /// Fingerprint of the engineer's key, which is also the key that signs.
    pub engineer_key: String,
    pub doors: Doors,
    /// An account profile of the device's local configuration.
    pub account: String,
    pub duration_s: u32,
    /// Issued by the device for this request.
    pub challenge: String,
    pub reason: String,
    pub issued: Timestamp,
}

impl Request {
    pub fn write(&self) -> Result<String, LineError> {
        let Self { id, fault, device, host_key, grade, engineer, engineer_key, doors, account, duration_s, challenge, reason, issued } =
            self;
        let values = [
            "1".to_owned(),
            id.to_string(),
            fault.to_string(),
            device.to_string(),
            host_key.clone(),
            grade.to_string(),
            engineer.to_string(),
            engineer_key.clone(),
            doors.to_string(),
            account.clone(),
            duration_s.to_string(),
            challenge.clone(),
            reason.clone(),
            issued.to_string(),
        ];
        let mut values = values.into_iter();
        lines::write(KEYS.map(|key| (key, values.next().unwrap_or_default())))
    }

    fn read(text: &str) -> Result<Self, LineError> {
        let [_, id, fault, device, host_key, grade, engineer, engineer_key, doors, account, duration, challenge, reason, issued] =
            lines::read(text.as_bytes(), KEYS)?;
        let read = Self {
            id: value(&id, &KEYS, "id")?,
            fault: value(&fault, &KEYS, "fault")?,
            device: value(&device, &KEYS, "device")?,
            host_key,
            grade: value(&grade, &KEYS, "grade")?,
            engineer: value(&engineer, &KEYS, "engineer")?,
            engineer_key,
            doors: value(&doors, &KEYS, "doors")?,
            account,
            duration_s: value(&duration, &KEYS, "duration-s")?,
            challenge,
            reason,
            issued: value(&issued, &KEYS, "issued")?,
        };
        lines::check_form(text, &read.write()?)?;
        Ok(read)
    }

    /// Reads a request without believing it.
    pub fn read_unverified(signed: &Signed) -> Result<Self, Refused> {
        Self::read(&signed.text).map_err(|source| Refused::Unreadable { what: "request", source })
    }

    /// Reads a request and checks that the engineer it names, by the roster, signed it.
    pub fn verify(signed: &Signed, roster: &Roster, at: Timestamp) -> Result<Self, Refused> {
        let request = Self::read_unverified(signed)?;
        // A level is a principal of many lines: a request in its name would hide who made it.
        if super::list::is_level(request.engineer.as_str()) {
            return Err(Refused::Mismatch(format!(
                "`{}` is a level of the roster, not a person: a request is signed by one engineer",
                request.engineer
            )));
        }
        let key = roster.list().verify("request", signed, request.engineer.as_str(), Namespace::Request, at)?;
        if sig::fingerprint(&key).to_string() != request.engineer_key {
            return Err(Refused::Mismatch(format!(
                "the request names the engineer key {}, but another key signed it",
                request.engineer_key
            )));
        }
        Ok(request)
    }
}

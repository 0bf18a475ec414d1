//! A standing statement: whom a carrier lets in without being asked each time, signed by the carrier.
//!
//! It opens nothing by itself. An engineer still signs a request of grade `role` over a fresh challenge of the device, and the
//! device checks that request against this statement: the customer, the device, the fault, the level that the roster gives
//! the engineer, the doors, the account, the time.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

use super::lines::{self, LineError, value};
use super::list::Roster;
use super::sig::{Namespace, Signed};
use super::signers::CarrierSigners;
use super::{Refused, Request};
use crate::id::ConsentId;
use crate::name::{BadName, CustomerCode, FaultNumber, NeName, PersonName};
use crate::session::{Doors, Grade};

const KEYS: [&str; 13] = [
    "lineman-standing",
    "id",
    "customer",
    "devices",
    "fault",
    "level",
    "doors",
    "account",
    "duration-s",
    "roster",
    "approver",
    "issued",
    "valid-before",
];

/// `all`, or names separated by commas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Devices {
    All,
    Named(BTreeSet<NeName>),
}

/// `any`, or a fault's number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ForFault {
    Any,
    Only(FaultNumber),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Also what a revocation names.
    pub id: ConsentId,
    pub customer: CustomerCode,
    pub devices: Devices,
    pub fault: ForFault,
    /// The lowest level of the roster that it lets in.
    pub level: u8,
    pub doors: Doors,
    pub account: String,
    /// Of each entry, at most.
    pub duration_s: u32,
    /// Counter of the roster that the approver had.
    pub roster: u64,
    pub approver: PersonName,
    pub issued: Timestamp,
    pub valid_before: Timestamp,
}

impl Standing {
    pub fn write(&self) -> Result<String, LineError> {
        let Self { id, customer, devices, fault, level, doors, account, duration_s, roster, approver, issued, valid_before } = self;
        let values = [
            "1".to_owned(),
            id.to_string(),
            customer.to_string(),
            devices.to_string(),
            fault.to_string(),
            level.to_string(),
            doors.to_string(),
            account.clone(),
            duration_s.to_string(),
            roster.to_string(),
            approver.to_string(),
            issued.to_string(),
            valid_before.to_string(),
        ];
        let mut values = values.into_iter();
        lines::write(KEYS.map(|key| (key, values.next().unwrap_or_default())))
    }

    fn read(text: &str) -> Result<Self, LineError> {
        let [_, id, customer, devices, fault, level, doors, account, duration, roster, approver, issued, valid_before] =
            lines::read(text.as_bytes(), KEYS)?;
        let read = Self {
            id: value(&id, &KEYS, "id")?,
            customer: value(&customer, &KEYS, "customer")?,
            devices: value(&devices, &KEYS, "devices")?,
            fault: value(&fault, &KEYS, "fault")?,
            level: value(&level, &KEYS, "level")?,
            doors: value(&doors, &KEYS, "doors")?,
            account,
            duration_s: value(&duration, &KEYS, "duration-s")?,
            roster: value(&roster, &KEYS, "roster")?,
            approver: value(&approver, &KEYS, "approver")?,
            issued: value(&issued, &KEYS, "issued")?,
            valid_before: value(&valid_before, &KEYS, "valid-before")?,
        };
        lines::check_form(text, &read.write()?)?;
        Ok(read)
    }

    /// Reads a standing statement without believing it.
    pub fn read_unverified(signed: &Signed) -> Result<Self, Refused> {
        Self::read(&signed.text).map_err(|source| Refused::Unreadable { what: "standing statement", source })
    }

    /// Checks that one of the carrier's signers signed it, and that its time has not passed.
    pub fn verify(signed: &Signed, signers: &CarrierSigners, at: Timestamp) -> Result<Self, Refused> {
        let standing = Self::read_unverified(signed)?;
        signers.list().verify("standing statement", signed, standing.approver.as_str(), Namespace::Standing, at)?;
        if at >= standing.valid_before {
            return Err(Refused::Mismatch(format!("the standing statement ended at {}", standing.valid_before)));
        }
        Ok(standing)
    }

    /// Does it cover this request, by an engineer of whom this roster speaks?
    pub fn check_covers(&self, request: &Request, roster: &Roster) -> Result<(), Refused> {
        let level = roster.level(request.engineer.as_str());
        let devices = match &self.devices {
            Devices::All => request.device.customer == self.customer,
            Devices::Named(names) => names.contains(&request.device) && request.device.customer == self.customer,
        };
        let fault = match &self.fault {
            ForFault::Any => request.fault.customer == self.customer,
            ForFault::Only(fault) => *fault == request.fault,
        };
        let have = level.map_or_else(|| "no level".to_owned(), |level| format!("level {level}"));
        let checks = [
            (request.grade == Grade::Role, "the request is not of grade role".to_owned()),
            (devices, format!("the standing statement is not for {}, but for {}", request.device, self.devices)),
            (fault, format!("the standing statement is not for {}, but for {}", request.fault, self.fault)),
            (
                level.is_some_and(|level| level >= self.level),
                format!("the standing statement wants level {} or more; {} has {have} in the roster", self.level, request.engineer),
            ),
            (request.doors.is_within(&self.doors), format!("the standing statement opens {}, not {}", self.doors, request.doors)),
            (request.account == self.account, "the standing statement is for another account".to_owned()),
            (
                (1..=self.duration_s).contains(&request.duration_s),
                format!("the standing statement gives {} s at most, not {}", self.duration_s, request.duration_s),
            ),
        ];
        match checks.into_iter().find(|(holds, _)| !holds) {
            Some((_, why)) => Err(Refused::Mismatch(why)),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Devices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.pad("all"),
            Self::Named(names) => f.pad(&names.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")),
        }
    }
}

impl FromStr for Devices {
    type Err = BadName;
    fn from_str(text: &str) -> Result<Self, BadName> {
        if text == "all" {
            return Ok(Self::All);
        }
        text.split(',').map(|name| name.trim().parse()).collect::<Result<_, _>>().map(Self::Named)
    }
}

impl fmt::Display for ForFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.pad("any"),
            Self::Only(fault) => fault.fmt(f),
        }
    }
}

impl FromStr for ForFault {
    type Err = <FaultNumber as FromStr>::Err;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "any" { Ok(Self::Any) } else { text.parse().map(Self::Only) }
    }
}

crate::travels_as_text!(Devices);
crate::described_as_text!(Devices, examples([serde_json::Value::from("ne-1.jw.ne,ne-2.jw.ne")]));
crate::travels_as_text!(ForFault);
crate::described_as_text!(ForFault, examples([serde_json::Value::from("F-JW-42")]));

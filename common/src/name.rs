//! The names people type: customer codes, equipment handles, network element names, fault numbers.

use std::fmt;
use std::str::FromStr;

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadName {
    #[error("a customer code is 2 to 8 capital letters or digits, starting with a letter, like `JW`")]
    CustomerCode,
    #[error("a handle is 1 to 31 characters of a-z, 0-9 and `-`, starting with a letter or digit, like `ne-17`")]
    Handle,
    #[error("a network element is named HANDLE.CUSTOMER.ne, like `ne-17.jw.ne`")]
    NeName,
    #[error("a fault number looks like `F-JW-42`")]
    FaultNumber,
    #[error("a problem's number looks like `P-7`")]
    ProblemNumber,
    #[error("a case number looks like `C-0042`")]
    CaseNumber,
    #[error("a person's name is 2 to 32 characters of a-z, 0-9 and `-`, starting with a letter, like `engineer-a`")]
    PersonName,
}

fn check(ok: bool, error: BadName) -> Result<(), BadName> {
    if ok { Ok(()) } else { Err(error) }
}

fn dashed(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.len())
        && !text.starts_with('-')
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

checked_text!(
    /// A carrier's short code; fault numbers and network element names carry it.
    CustomerCode, BadName,
    |text| check(
        (2..=8).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_uppercase())
            && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()),
        BadName::CustomerCode),
    "JW"
);

checked_text!(
    /// Equipment's name, unique per customer. Lower case, because OpenSSH lower-cases host names.
    Handle, BadName, |text| check(dashed(text, 31), BadName::Handle), "ne-17"
);

checked_text!(
    /// A person's login name; also the principal in the roster or the carrier's signer list.
    PersonName, BadName,
    |text| check(dashed(text, 32) && text.len() >= 2 && text.starts_with(|c: char| c.is_ascii_lowercase()), BadName::PersonName),
    "engineer-a"
);

/// Equipment as `ssh` addresses it: `ne-17.jw.ne`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NeName {
    pub customer: CustomerCode,
    pub handle: Handle,
}

impl fmt::Display for NeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}.{}.ne", self.handle, self.customer.as_str().to_ascii_lowercase()))
    }
}

impl FromStr for NeName {
    type Err = BadName;
    fn from_str(text: &str) -> Result<Self, BadName> {
        let mut parts = text.split('.');
        let (Some(handle), Some(code), Some("ne"), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return Err(BadName::NeName);
        };
        if code.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(BadName::NeName);
        }
        Ok(Self {
            customer: code.to_ascii_uppercase().parse().map_err(|_| BadName::NeName)?,
            handle: handle.parse().map_err(|_| BadName::NeName)?,
        })
    }
}

/// `F-JW-42`: counted per customer, so that customers can't count each other's faults.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FaultNumber {
    pub customer: CustomerCode,
    pub serial: u32,
}

impl fmt::Display for FaultNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("F-{}-{}", self.customer, self.serial))
    }
}

impl FromStr for FaultNumber {
    type Err = BadName;
    fn from_str(text: &str) -> Result<Self, BadName> {
        let (code, serial) = text.strip_prefix("F-").and_then(|rest| rest.split_once('-')).ok_or(BadName::FaultNumber)?;
        Ok(Self { customer: code.parse().map_err(|_| BadName::FaultNumber)?, serial: serial_number(serial).ok_or(BadName::FaultNumber)? })
    }
}

/// `C-0042`: one counter for the vendor's library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CaseNumber(pub u32);

impl fmt::Display for CaseNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("C-{:04}", self.0))
    }
}

impl FromStr for CaseNumber {
    type Err = BadName;
    fn from_str(text: &str) -> Result<Self, BadName> {
        text.strip_prefix("C-").and_then(serial_number).map(Self).ok_or(BadName::CaseNumber)
    }
}

/// `P-7`: one counter for the support centre, whose people alone see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProblemNumber(pub u32);

impl fmt::Display for ProblemNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("P-{}", self.0))
    }
}

impl FromStr for ProblemNumber {
    type Err = BadName;
    fn from_str(text: &str) -> Result<Self, BadName> {
        text.strip_prefix("P-").and_then(serial_number).map(Self).ok_or(BadName::ProblemNumber)
    }
}

fn serial_number(text: &str) -> Option<u32> {
    (text.len() <= 9 && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

macro_rules! as_text {
    ($($name:ident $example:literal),+) => {$(
        $crate::travels_as_text!($name);
        $crate::described_as_text!($name, examples([serde_json::Value::from($example)]));
    )+};
}
as_text!(NeName "ne-17.jw.ne", FaultNumber "F-JW-42", CaseNumber "C-0042", ProblemNumber "P-7");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        assert_eq!("ne-17.jw.ne".parse::<NeName>().unwrap().to_string(), "ne-17.jw.ne");
        assert_eq!("F-JW-42".parse::<FaultNumber>().unwrap().to_string(), "F-JW-42");
        assert_eq!("C-42".parse::<CaseNumber>().unwrap().to_string(), "C-0042");
    }

    #[test]
    fn hostile_names_are_refused() {
        for text in ["", "-oProxyCommand=x", "ne 1", "NE-1", "ne-1\n", "ne-1;id", &"a".repeat(32)] {
            assert_eq!(text.parse::<Handle>(), Err(BadName::Handle), "{text:?}");
        }
        for text in ["ne-1", "ne-1.jw", "ne-1.JW.ne", "a.b.c.ne", "ne-1.jw.ne.", ".jw.ne"] {
            assert!(text.parse::<NeName>().is_err(), "{text:?}");
        }
        for text in ["F-JW-", "F-JW-x", "F-jw-1", "JW-1", "F-JW--1", "F-JW-+1", "F-JW-9999999999"] {
            assert!(text.parse::<FaultNumber>().is_err(), "{text:?}");
        }
    }
}

//! A consent, signed by the carrier over one exact request.

use jiff::Timestamp;

use super::lines::{self, LineError, value};
use super::sig::{Namespace, Signed};
use super::signers::CarrierSigners;
use super::{Refused, Request, sha256_hex};
use crate::id::ConsentId;
use crate::name::PersonName;
use crate::session::Doors;

const KEYS: [&str; 8] = ["lineman-consent", "id", "request-sha256", "approver", "doors", "duration-s", "roster", "issued"];

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consent {
    pub id: ConsentId,
    /// Hash of the request's exact bytes.
    pub request_sha256: String,
    pub approver: PersonName,
    /// The request's doors, or fewer.
    pub doors: Doors,
    /// The request's duration, or less.
    pub duration_s: u32,
    /// Counter of the roster that the approver checked the engineer against.
    pub roster: u64,
    pub issued: Timestamp,
}

impl Consent {
    pub fn write(&self) -> Result<String, LineError> {
        let Self { id, request_sha256, approver, doors, duration_s, roster, issued } = self;
        let values = [
            "1".to_owned(),
            id.to_string(),
            request_sha256.clone(),
            approver.to_string(),
            doors.to_string(),
            duration_s.to_string(),
            roster.to_string(),
            issued.to_string(),
        ];
        let mut values = values.into_iter();
        lines::write(KEYS.map(|key| (key, values.next().unwrap_or_default())))
    }

    fn read(text: &str) -> Result<Self, LineError> {
        let [_, id, request_sha256, approver, doors, duration, roster, issued] = lines::read(text.as_bytes(), KEYS)?;
        let read = Self {
            id: value(&id, &KEYS, "id")?,
            request_sha256,
            approver: value(&approver, &KEYS, "approver")?,
            doors: value(&doors, &KEYS, "doors")?,
            duration_s: value(&duration, &KEYS, "duration-s")?,
            roster: value(&roster, &KEYS, "roster")?,
            issued: value(&issued, &KEYS, "issued")?,
        };
        lines::check_form(text, &read.write()?)?;
        Ok(read)
    }

    /// Reads a consent without believing it: for showing, and for the centre, which does not hold the carrier's signers.
    pub fn read_unverified(signed: &Signed) -> Result<Self, Refused> {
        Self::read(&signed.text).map_err(|source| Refused::Unreadable { what: "consent", source })
    }

    /// Checks that one of the carrier's signers signed this consent, for exactly this request, widening nothing.
    pub fn verify(
        signed: &Signed,
        request: &Request,
        request_text: &str,
        signers: &CarrierSigners,
        at: Timestamp,
    ) -> Result<Self, Refused> {
        let consent = Self::read_unverified(signed)?;
        signers.list().verify("consent", signed, consent.approver.as_str(), Namespace::Consent, at)?;
        consent.check_fits(request, request_text)?;
        Ok(consent)
    }

    /// The rules between a consent and its request, signatures apart.
    pub fn check_fits(&self, request: &Request, request_text: &str) -> Result<(), Refused> {
        let mismatch = |text: &str| Err(Refused::Mismatch(text.to_owned()));
        if self.request_sha256 != sha256_hex(request_text) || self.id != request.id {
            return mismatch("the consent is for another request");
        }
        if !self.doors.is_within(&request.doors) {
            return mismatch("the consent names doors that were not requested");
        }
        if self.duration_s > request.duration_s || self.duration_s == 0 {
            return mismatch("the consent lasts longer than was requested, or no time at all");
        }
        Ok(())
    }
}

//! A consent, signed by the carrier over one exact request.

use jiff::Timestamp;

use super::lines::{self, LineError, value};
use super::sig::{Namespace, Signatory, Signed};
use super::signers::CarrierSigners;
use super::{Refused, Request, sha256_hex};
use crate::id::ConsentId;
use crate::name::PersonName;
use crate::session::Doors;

words! {
    /// Where the key is that signs a consent. Each class is a purpose of its own: a key that is listed for one signs nothing for the other.
    pub enum KeyClass {
        /// With the approver: a file, an agent, a token of their own machine, which checks the request against the carrier's own files.
        Own = "own",
        /// In a browser page that the vendor's centre serves: the centre writes what the page shows, and what it signs.
        Page = "page",
    }
}

impl KeyClass {
    pub const fn namespace(self) -> Namespace {
        match self {
            Self::Own => Namespace::Consent,
            Self::Page => Namespace::ConsentBrowser,
        }
    }

    /// The class that a consent's signature claims. Whatever is of no class is held to be an own key's, and refused as that.
    pub fn claimed(signed: &Signed) -> Result<Self, Refused> {
        let page = signed.claims("consent")? == Namespace::ConsentBrowser.as_str();
        Ok(if page { Self::Page } else { Self::Own })
    }

    /// How every screen says that a page was where it was approved; nothing for what needs no word.
    pub const fn remark(self) -> Option<&'static str> {
        match self {
            Self::Own => None,
            Self::Page => Some("approved in a page served by the vendor"),
        }
    }

    /// An approver, with the remark.
    pub fn named(self, approver: &PersonName) -> String {
        self.remarked(approver.as_str())
    }

    /// What is said of an approval, with the remark.
    pub fn remarked(self, text: &str) -> String {
        match self.remark() {
            Some(remark) => format!("{text} ({remark})"),
            None => text.to_owned(),
        }
    }
}

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

    /// Who signed a consent, with a key of which class; whether anybody lists that key is not asked.
    pub fn signatory(signed: &Signed) -> Result<(Signatory, KeyClass), Refused> {
        let class = KeyClass::claimed(signed)?;
        Ok((signed.signatory("consent", class.namespace())?, class))
    }

    /// Checks that one of the carrier's signers signed this consent, for exactly this request, widening nothing, with a key that the
    /// list names for the class that it is of. Whether that class counts, the device's owner says.
    pub fn verify(
        signed: &Signed,
        request: &Request,
        request_text: &str,
        signers: &CarrierSigners,
        at: Timestamp,
    ) -> Result<(Self, KeyClass), Refused> {
        let consent = Self::read_unverified(signed)?;
        let class = KeyClass::claimed(signed)?;
        signers.list().verify("consent", signed, consent.approver.as_str(), class.namespace(), at)?;
        consent.check_fits(request, request_text)?;
        Ok((consent, class))
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

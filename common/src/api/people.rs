use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Printable;
use crate::id::PersonId;
use crate::name::{CustomerCode, PersonName};
use crate::people::Role;

/// `POST /api/v1/login`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Login {
    pub name: String,
    pub password: String,
    /// The six digits of the second factor, or a recovery code; asked for with the error `second_factor`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// What an authenticator needs; shown once.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SecondFactorSecret {
    /// Base32, to be typed.
    pub secret: String,
    /// `otpauth://totp/...`, to be shown as a QR code.
    pub uri: String,
}

/// The six digits, or a recovery code.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecondFactorCode {
    pub code: String,
}

/// Each lets its owner in once when the device is lost; shown once.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RecoveryCodes {
    pub codes: Vec<String>,
}

/// A bearer token: shown once, stored as a hash.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TokenReply {
    pub token: String,
    pub expires_at: Timestamp,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Person {
    pub id: PersonId,
    pub name: PersonName,
    pub role: Role,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerCode>,
    pub created_at: Timestamp,
    /// Free tags, like a product line or `optics`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skills: Vec<String>,
    /// 1 to 3; absent counts as 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<u8>,
    /// E-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<Disabled>,
    /// Signs in with a one-time code beside the password.
    #[serde(default)]
    pub second_factor: bool,
}

/// Since when, by whom and why somebody has no tokens, can't sign in and takes no faults.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Disabled {
    pub at: Timestamp,
    pub by: PersonName,
    pub reason: Printable,
}

/// `PUT /api/v1/people/{name}/profile`: takes the place of what was set before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    #[serde(default)]
    pub skills: Vec<String>,
    #[serde(default)]
    pub level: Option<u8>,
    #[serde(default)]
    pub mail: Option<String>,
}

/// `PUT /api/v1/people/{name}/password`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPassword {
    /// The old one, when it is one's own that is changed.
    #[serde(default)]
    pub old: Option<String>,
    /// At least 12 characters.
    pub new: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPerson {
    pub name: PersonName,
    pub role: Role,
    /// Needed for carrier roles, not allowed for the support centre's.
    #[serde(default)]
    pub customer: Option<CustomerCode>,
    /// At least 12 characters. Without one, the person can sign in by token only.
    #[serde(default)]
    pub password: Option<String>,
}

/// `POST /api/v1/people/{name}/tokens`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewApiToken {
    /// What it is for, to recognise it later.
    pub label: String,
    #[serde(default = "thirty")]
    pub days: u32,
}

const fn thirty() -> u32 {
    30
}

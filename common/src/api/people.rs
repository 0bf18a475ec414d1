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
    /// Has a password, and may sign in with it.
    #[serde(default)]
    pub password: bool,
    /// Signed in through the identity provider before: its groups decide on the role.
    #[serde(default)]
    pub oidc: bool,
}

/// How one can sign in here. `GET /api/v1/sign-in/ways`; asks for no sign-in.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SignInWays {
    /// The identity provider's name, where there is one: `GET /api/v1/sign-in/oidc` leads to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oidc: Option<String>,
    /// Nobody can sign in as an admin yet: the server has printed a one-time code for the first one.
    pub setup: bool,
    /// What this server is called.
    pub server: String,
    pub version: String,
    /// Everything in this server is made up.
    pub demo: bool,
    pub now: Timestamp,
}

/// `POST /api/v1/setup`: makes the first admin who can sign in, and signs them in.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    /// What the server printed when it started. It counts once, and until the server ends.
    pub code: String,
    /// A new name, or that of an admin who has no password.
    pub name: PersonName,
    /// At least 12 characters.
    pub password: String,
}

/// `POST /api/v1/people/{name}/sign-in-links`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSignInLink {
    /// How long it counts: 1 to 60, 15 when it isn't said. In a demo as long as one likes.
    #[serde(default)]
    pub minutes: Option<u32>,
    /// In a demo only: it may be opened more than once.
    #[serde(default)]
    pub reusable: bool,
}

/// Signs its bearer in; shown once.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SignInLink {
    pub url: String,
    pub code: String,
    pub expires_at: Timestamp,
}

/// `POST /api/v1/sign-in/code`: with the code of a link.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignInCode {
    pub code: String,
    /// The six digits of the second factor, or a recovery code, of who has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second: Option<String>,
}

/// `PUT /api/v1/people/{name}/role`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRole {
    pub role: Role,
    pub reason: Printable,
}

/// A sign-in or an API token of somebody. The token itself is shown once, when it is made.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ApiToken {
    pub id: String,
    /// `sign-in`, or what it was said to be for.
    pub label: String,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    /// The one that this request carries.
    pub current: bool,
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

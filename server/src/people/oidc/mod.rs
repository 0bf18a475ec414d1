//! Signing in with the organisation's accounts: OpenID Connect, authorization code with PKCE (S256).
//!
//! The provider says who somebody is and in which groups; the configuration says what that makes them here, anew on each sign-in. Who is in
//! no group any more has no sign-in and no tokens, and is never deleted; a local password of theirs counts no longer either, until an admin
//! sets them another one. Those whom the provider has never named it can't refuse: their passwords go on working, for the day on which the
//! provider is away. The second factor is the provider's concern here: ours belongs to local passwords.
//!
//! What fails is told to the browser as a word of a closed set, which the sign-in page says in its reader's language; the log has the rest,
//! with a reference that both show. Text from outside never reaches the page.

pub mod config;
pub mod http;
pub mod pending;
mod provider;
#[cfg(test)]
mod tests;
pub mod token;

use data_encoding::BASE64URL_NOPAD;
use jiff::Timestamp;
use lineman_common::api::{NewPerson, Person, TokenReply};
use lineman_common::name::{CustomerCode, PersonName};
use lineman_common::people::Role;
use lineman_common::statement::sha256_hex;
use reqwest::Url;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Error, known, sql, tell};
use crate::events::{Kind, New};
use crate::store::{StoreError, Tx};
use crate::web::Scope;
use config::{Mapping, OidcSettings};
use pending::{Pending, Seal};
use provider::{Claims, Provider};
use token::BadToken;

/// Who acts when the mapping changes somebody.
const ACTOR: &str = "oidc";
const MOST_GROUPS: usize = 5000;

#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("the provider can't be reached: {0}")]
    Unreachable(String),
    #[error("the provider's answer can't be used: {0}")]
    Answer(String),
    #[error("the provider said no: {}", lineman_common::printable::escape(.0))]
    Refused(String),
    #[error("this sign-in does not count any more: {0}")]
    Stale(&'static str),
    #[error("the ID token is refused: {0}")]
    Token(BadToken),
    #[error("the provider's clock is {ahead_s} s ahead of this server's")]
    Clock { ahead_s: i64 },
    #[error("no group of theirs gives a role here; {who} is in {groups:?}")]
    NoRole { who: String, groups: Vec<String> },
    #[error("{} makes no name here", lineman_common::printable::escape(.0))]
    BadName(String),
    #[error("{0} is somebody else's name here")]
    NameTaken(PersonName),
    #[error("{who} belongs to another customer than {customer:?}, for good")]
    OtherCustomer { who: PersonName, customer: Option<CustomerCode> },
    #[error("the customer {0} of the mapping doesn't exist")]
    NoCustomer(CustomerCode),
    #[error("{0} is disabled")]
    Disabled(PersonName),
    #[error("there are no random numbers")]
    Random,
    #[error(transparent)]
    People(Error),
}

impl Failure {
    /// For the sign-in page.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "provider_unreachable",
            Self::Answer(_) => "provider_answer",
            Self::Refused(_) => "refused",
            Self::Stale(_) => "stale",
            Self::Token(_) => "token",
            Self::Clock { .. } => "clock",
            Self::NoRole { .. } => "no_role",
            Self::BadName(_) => "bad_name",
            Self::NameTaken(_) => "name_taken",
            Self::OtherCustomer { .. } => "other_customer",
            Self::NoCustomer(_) => "no_customer",
            Self::Disabled(_) => "disabled",
            Self::Random | Self::People(_) => "internal",
        }
    }
}

impl From<ring::error::Unspecified> for Failure {
    fn from(_: ring::error::Unspecified) -> Self {
        Self::Random
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::People(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::People(error.into())
    }
}

pub struct Oidc {
    provider: Provider,
    seal: Seal,
}

/// A browser that is sent to the provider.
pub struct Begun {
    pub address: Url,
    pub cookie: String,
}

/// What the provider sent the browser back with.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct Back {
    state: String,
    code: Option<String>,
    error: Option<String>,
    iss: Option<String>,
}

impl Oidc {
    pub fn new(settings: OidcSettings) -> anyhow::Result<Self> {
        Ok(Self { provider: Provider::new(settings)?, seal: Seal::new().map_err(|_| anyhow::anyhow!("no random numbers"))? })
    }

    pub fn settings(&self) -> &OidcSettings {
        &self.provider.settings
    }

    pub async fn begin(&self, redirect_uri: String, next: String, now: Timestamp) -> Result<Begun, Failure> {
        let discovery = self.provider.discovery().await?;
        let pending = self.seal.begin(redirect_uri, next, now)?;
        let challenge = BASE64URL_NOPAD.encode(&Sha256::digest(pending.verifier.as_bytes()));
        let mut address = discovery.authorization_endpoint;
        address.query_pairs_mut().extend_pairs([
            ("response_type", "code"),
            ("client_id", &self.settings().client_id),
            ("redirect_uri", &pending.redirect_uri),
            ("scope", &self.settings().scopes),
            ("state", &pending.state),
            ("nonce", &pending.nonce),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        Ok(Begun { address, cookie: self.seal.cookie(&pending)? })
    }

    /// Takes back who was sent out, with this browser's cookie; answers who they are.
    pub async fn finish(&self, headers: &axum::http::HeaderMap, back: Back, now: Timestamp) -> Result<(Identity, Pending), Failure> {
        let pending = self.seal.take(headers, &back.state, now)?;
        let wants_issuer = self.provider.discovery().await?.authorization_response_iss_parameter_supported;
        if back.iss.as_ref().map_or(wants_issuer, |iss| *iss != self.settings().issuer) {
            return Err(Failure::Token(BadToken::Claim("iss")));
        }
        if let Some(error) = back.error {
            return Err(Failure::Refused(error));
        }
        let code = back.code.ok_or(Failure::Stale("it came back without a code"))?;
        let claims = self.provider.exchange(&code, &pending.verifier, &pending.nonce, &pending.redirect_uri).await?;
        Ok((Identity::of(&claims, self.settings())?, pending))
    }
}

/// Somebody, as the provider knows them, and what the mapping makes of them.
#[derive(Clone, Debug)]
pub struct Identity {
    issuer: String,
    subject: String,
    /// As the provider writes it.
    username: String,
    mail: Option<String>,
    groups: Vec<String>,
    mapped: Option<Mapping>,
    adopt: bool,
    /// For the log: the provider's name.
    by: String,
}

impl Identity {
    fn of(claims: &Claims, settings: &OidcSettings) -> Result<Self, Failure> {
        let text = |name: &str| claims.get(name).and_then(Value::as_str).map(str::to_owned);
        let subject = text("sub").ok_or(Failure::Token(BadToken::Claim("sub")))?;
        let username = text(&settings.username_claim)
            .ok_or_else(|| Failure::Answer(format!("it doesn't tell `{}` of a person: see `username_claim`", settings.username_claim)))?;
        let groups: Vec<String> = match claims.get(&settings.groups_claim) {
            Some(Value::String(one)) => vec![one.clone()],
            Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).take(MOST_GROUPS).map(str::to_owned).collect(),
            _ => Vec::new(),
        };
        let mapped = settings.mapping.iter().find(|mapping| groups.contains(&mapping.group)).cloned();
        let is_verified = claims.get("email_verified").is_none_or(|verified| *verified != Value::Bool(false));
        Ok(Self {
            issuer: settings.issuer.clone(),
            subject,
            username,
            mail: text("email").filter(|_| is_verified),
            groups,
            mapped,
            adopt: settings.adopt,
            by: settings.name.clone(),
        })
    }

    /// A name as they are here: in small letters, of an address the part before the `@`, and `-` for what separates.
    fn name(&self) -> Result<PersonName, Failure> {
        let local = self.username.split('@').next().unwrap_or_default().to_lowercase();
        let dashed: String = local.chars().map(|c| if matches!(c, '.' | '_' | ' ') { '-' } else { c }).collect();
        dashed.parse().map_err(|_| Failure::BadName(self.username.clone()))
    }
}

/// Lets somebody in: makes or changes the person as the mapping says. The outer result is the store's, the inner one ours: that somebody
/// is refused is written down too.
pub fn admit(tx: &mut Tx<'_>, identity: &Identity) -> Result<Result<TokenReply, Failure>, Failure> {
    let person = match sql::person_of_identity(tx, &identity.issuer, &identity.subject)? {
        Some(name) => Some(known(tx, &name)?),
        None => None,
    };
    let is_first = person.is_none();
    let Some(mapping) = &identity.mapped else {
        if let Some(person) = &person {
            refuse(tx, person, "is in no group that gives a role any more")?;
        }
        let groups = identity.groups.iter().take(50).map(|group| lineman_common::printable::escape(group)).collect();
        return Ok(Err(Failure::NoRole { who: lineman_common::printable::escape(&identity.username), groups }));
    };
    let person = match person {
        Some(person) => person,
        None => match newcomer(tx, identity, mapping)? {
            Ok(person) => person,
            Err(failure) => return Ok(Err(failure)),
        },
    };
    if person.disabled.is_some() {
        return Ok(Err(Failure::Disabled(person.name)));
    }
    if person.customer != mapping.customer {
        // Of somebody who only has the name, the provider says nothing.
        if !is_first {
            refuse(tx, &person, "is in a group of another customer now")?;
        }
        return Ok(Err(Failure::OtherCustomer { who: person.name, customer: mapping.customer.clone() }));
    }
    if person.role != mapping.role {
        change_role(tx, &person, mapping)?;
    }
    sql::put_identity(tx, &identity.issuer, &identity.subject, person.id)?;
    let by = lineman_common::printable::escape(&identity.by);
    if is_first {
        let text = format!("{} signs in with {by} from now on, as {}", person.name, lineman_common::printable::escape(&identity.username));
        let data = json!({"person": person.name, "issuer": identity.issuer, "subject": identity.subject});
        tell(tx, &person, New::of(Kind::PersonChanged, ACTOR, text).data(data))?;
    }
    // An address that was chosen here stays.
    if let (None, Some(mail)) = (&person.mail, identity.mail.as_deref().filter(|mail| mail.parse::<lettre::Address>().is_ok())) {
        sql::set_mail(tx, person.id, mail)?;
        let text = format!("{}: the e-mail address that {by} tells", person.name);
        tell(tx, &person, New::of(Kind::PersonChanged, ACTOR, text).data(json!({"person": person.name, "mail": mail})))?;
    }
    let actor = sql::by_name(tx, &person.name)?.ok_or(Error::NoPerson)?;
    Ok(Ok(super::issue_sign_in(tx, &actor, &format!("with {by}"))?))
}

/// Somebody whom the provider names for the first time.
fn newcomer(tx: &mut Tx<'_>, identity: &Identity, mapping: &Mapping) -> Result<Result<Person, Failure>, Failure> {
    let name = match identity.name() {
        Ok(name) => name,
        Err(failure) => return Ok(Err(failure)),
    };
    if let Some(person) = sql::get(tx, &Scope::All, &name)? {
        // The very name, and nobody whose password is there for the day on which the provider is away.
        let is_same =
            identity.adopt && identity.username == name.as_str() && person.role != Role::Admin && !sql::has_identity(tx, person.id)?;
        return Ok(if is_same { Ok(person) } else { Err(Failure::NameTaken(name)) });
    }
    let new = NewPerson { name, role: mapping.role, customer: mapping.customer.clone(), password: None };
    match super::add(tx, ACTOR, new, None) {
        Ok(person) => Ok(Ok(person)),
        Err(Error::NoCustomer(code)) => Ok(Err(Failure::NoCustomer(code))),
        Err(error) => Err(error.into()),
    }
}

fn change_role(tx: &mut Tx<'_>, person: &Person, mapping: &Mapping) -> Result<(), Error> {
    sql::set_role(tx, person.id, mapping.role)?;
    let text = format!("{} is {} now, was {}: by the group {}", person.name, mapping.role, person.role, mapping.group);
    tell(tx, person, New::of(Kind::RoleChanged, ACTOR, text).data(json!({"person": person.name, "role": mapping.role})))
}

/// The provider lets somebody in no more: what was signed in is out, and nothing else signs them in.
fn refuse(tx: &mut Tx<'_>, person: &Person, why: &str) -> Result<(), Error> {
    let tokens = sql::delete_tokens(tx, person.id, None)?;
    sql::delete_links(tx, person.id)?;
    if sql::refuse_identity(tx, person.id)? || tokens > 0 {
        let text = format!("{} {why}: {tokens} tokens ended", person.name);
        tell(tx, person, New::of(Kind::IdentityRefused, ACTOR, text).data(json!({"person": person.name})))?;
    }
    Ok(())
}

/// A short word that the page and the log share.
pub fn reference() -> String {
    sha256_hex(uuid::Uuid::new_v4().to_string()).chars().take(10).collect()
}

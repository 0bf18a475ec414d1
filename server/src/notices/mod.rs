//! Notices: a carrier's people are told, where they are, that something waits for them or was done over their heads.
//!
//! Each customer names webhooks and e-mail addresses. What they hear of ([`hear`]) goes into a durable queue inside the change that
//! caused it, one row for each target, and a background job ([`run`]) delivers it: again and again with growing pauses, for a day. A
//! crash between delivery and its record delivers twice, never not at all.
//!
//! A notice brings words and a link, **never the power to sign**: no token, nothing that opens or approves anything. Every word that
//! came from outside is escaped before it goes into a notice.

mod about;
mod courier;
pub mod http;
mod sql;
#[cfg(test)]
mod tests;

use jiff::SignedDuration;
use lineman_common::api::{ConsentState, Customer, NoticeSettings, NoticesView};
use lineman_common::id::{ConsentId, CustomerId};
use lineman_common::name::CustomerCode;
use lineman_common::people::Role;
use lineman_common::session::{Grade, is_loopback};
use reqwest::Url;
use serde_json::json;

use self::about::About;
use crate::consents;
use crate::customers;
use crate::events::{self, Appended, Kind, ListenerError, New};
use crate::store::{Db, StoreError, Tx};
use crate::web::{Actor, ApiError, Scope};

pub use courier::{Courier, run};

const MOST_WEBHOOKS: usize = 5;
const MOST_MAIL: usize = 10;
const MOST_TARGET_CHARS: usize = 1000;
/// Of one customer; what comes then is not queued.
const MOST_WAITING: u32 = 500;
/// Between two tests.
const TEST_PAUSE: SignedDuration = SignedDuration::from_secs(10);
/// Delivered and given up notices are kept for so long.
const KEPT: SignedDuration = SignedDuration::from_hours(24 * 30);
/// Shown of the newest.
const RECENT: u32 = 50;
const TEST: &str = "notice.test";

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("no such customer")]
    NoCustomer,
    #[error("{} is not a webhook that can be used: {why}", lineman_common::printable::escape(.url))]
    BadWebhook { url: String, why: &'static str },
    #[error("{} is not an e-mail address", lineman_common::printable::escape(.0))]
    BadMail(String),
    #[error("{0} {1} at most")]
    TooMany(usize, &'static str),
    #[error("this support centre sends no e-mail: its server.toml has no [mail]")]
    NoMail,
    #[error("nobody is named: set webhooks or e-mail addresses first")]
    Nobody,
    #[error("a test was sent a moment ago: wait {} s", TEST_PAUSE.as_secs())]
    TooSoon,
    #[error(transparent)]
    Consents(#[from] consents::Error),
    #[error(transparent)]
    Events(#[from] events::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        match error {
            Error::NoCustomer => Self::not_found("customer"),
            Error::BadWebhook { .. } | Error::BadMail(_) | Error::TooMany(..) | Error::NoMail | Error::Nobody => {
                Self::invalid(error.to_string())
            }
            Error::TooSoon => Self::conflict(error.to_string()),
            Error::Consents(error) => error.into(),
            Error::Events(error) => error.into(),
            Error::Store(error) => error.into(),
        }
    }
}

// ---- What is told ---------------------------------------------------------------------------------------------------

/// Hears of what a carrier's people should know at once.
pub fn hear(tx: &mut Tx<'_>, event: &Appended) -> Result<(), ListenerError> {
    let told = matches!(event.kind, Kind::ConsentRequested | Kind::ConsentLive | Kind::CustomerStopped | Kind::LocalAct);
    let Some(customer) = event.customer.filter(|_| told) else { return Ok(()) };
    let settings = sql::settings(tx, customer)?;
    if settings.webhooks.is_empty() && settings.mail.is_empty() {
        return Ok(());
    }
    if let Some(about) = about(tx, customer, event)? {
        enqueue(tx, customer, &settings, &about)?;
    }
    Ok(())
}

fn about(db: &Db<'_>, customer: CustomerId, event: &Appended) -> Result<Option<About>, Error> {
    let Some(code) = customers::list(db, &Scope::Customer(customer))?.pop().map(|customer| customer.code) else { return Ok(None) };
    let consent: Option<ConsentId> = event.data["consent"].as_str().and_then(|id| id.parse().ok());
    if event.kind == Kind::ConsentRequested || event.kind == Kind::ConsentLive {
        let Some(consent) = consent.map(|id| consents::get(db, &Scope::All, id)).transpose()? else { return Ok(None) };
        // A consent of the usual grade that became live was signed by the people who would read this.
        let known = event.kind == Kind::ConsentLive && consent.grade != Some(Grade::Gateway);
        return Ok((!known).then(|| About::consent(event, code, &consent)));
    }
    Ok(Some(About::event(event, code)))
}

fn enqueue(tx: &mut Tx<'_>, customer: CustomerId, settings: &NoticeSettings, about: &About) -> Result<(), StoreError> {
    let waiting = sql::count_waiting(tx, customer)?;
    let targets: Vec<&String> = settings.webhooks.iter().chain(&settings.mail).collect();
    if waiting + u32::try_from(targets.len()).unwrap_or(u32::MAX) > MOST_WAITING {
        tracing::warn!(customer = %about.customer, kind = about.kind, "too many notices wait already: this one is not sent");
        return Ok(());
    }
    for target in targets {
        sql::insert(tx, customer, target, about)?;
    }
    Ok(())
}

/// Is there still a reason to tell?
fn still_matters(db: &Db<'_>, about: &About) -> Result<bool, Error> {
    match about.consent.filter(|_| about.kind == Kind::ConsentRequested.as_str()) {
        Some(consent) => Ok(consents::get(db, &Scope::All, consent)?.state == ConsentState::Requested),
        None => Ok(true),
    }
}

// ---- Settings -------------------------------------------------------------------------------------------------------

/// Who may see and set them: targets may be secrets of the customer.
pub const KEEPERS: &[Role] = &[Role::Noc, Role::Approver, Role::Admin];

fn find(db: &Db<'_>, actor: &Actor, code: &CustomerCode) -> Result<Customer, Error> {
    customers::find(db, &actor.scope(), code)?.ok_or(Error::NoCustomer)
}

pub fn get(db: &Db<'_>, actor: &Actor, code: &CustomerCode) -> Result<NoticesView, Error> {
    let customer = find(db, actor, code)?;
    Ok(NoticesView { settings: sql::settings(db, customer.id)?, recent: sql::recent(db, customer.id, RECENT)? })
}

/// Says who is told. Notices that wait for somebody who is not named any more are not sent.
pub fn set(tx: &mut Tx<'_>, actor: &Actor, code: &CustomerCode, settings: NoticeSettings, has_mail: bool) -> Result<NoticesView, Error> {
    let customer = find(tx, actor, code)?;
    let before = sql::settings(tx, customer.id)?;
    let settings = checked(actor, settings, &before, has_mail)?;
    sql::put_settings(tx, customer.id, &settings)?;
    let named: Vec<&String> = settings.webhooks.iter().chain(&settings.mail).collect();
    for gone in before.webhooks.iter().chain(&before.mail).filter(|target| !named.contains(target)) {
        sql::forget(tx, customer.id, gone)?;
    }
    let targets: Vec<String> = named.into_iter().map(|target| shown(target)).collect();
    let text =
        format!("{actor} set who is told of {code}'s requests: {}", if targets.is_empty() { "nobody".into() } else { targets.join(", ") });
    events::append(tx, New::of(Kind::NoticesSet, actor, text).customer(customer.id).data(json!({"targets": targets})))?;
    get(tx, actor, code)
}

/// Sends a notice to everybody who is named.
pub fn test(tx: &mut Tx<'_>, actor: &Actor, code: &CustomerCode) -> Result<NoticesView, Error> {
    let customer = find(tx, actor, code)?;
    let settings = sql::settings(tx, customer.id)?;
    if settings.webhooks.is_empty() && settings.mail.is_empty() {
        return Err(Error::Nobody);
    }
    if sql::newest(tx, customer.id, TEST)?.is_some_and(|at| tx.now() < at + TEST_PAUSE) {
        return Err(Error::TooSoon);
    }
    enqueue(tx, customer.id, &settings, &About::test(tx.now(), code.clone(), &actor.name))?;
    get(tx, actor, code)
}

fn checked(actor: &Actor, mut settings: NoticeSettings, before: &NoticeSettings, has_mail: bool) -> Result<NoticeSettings, Error> {
    for list in [&mut settings.webhooks, &mut settings.mail] {
        let mut seen = std::collections::BTreeSet::new();
        list.retain(|target| seen.insert(target.clone()));
    }
    if settings.webhooks.len() > MOST_WEBHOOKS {
        return Err(Error::TooMany(MOST_WEBHOOKS, "webhooks"));
    }
    if settings.mail.len() > MOST_MAIL {
        return Err(Error::TooMany(MOST_MAIL, "e-mail addresses"));
    }
    if !settings.mail.is_empty() && !has_mail {
        return Err(Error::NoMail);
    }
    for url in settings.webhooks.iter().filter(|url| !before.webhooks.contains(url)) {
        check_webhook(actor, url).map_err(|why| Error::BadWebhook { url: url.clone(), why })?;
    }
    let is_address = |mail: &String| mail.chars().count() <= MOST_TARGET_CHARS && mail.parse::<lettre::Address>().is_ok();
    match settings.mail.iter().find(|mail| !is_address(mail)) {
        Some(bad) => Err(Error::BadMail(bad.clone())),
        None => Ok(settings),
    }
}

/// In the clear only to the support centre's own machine, and there only where its administrator wants it: a customer must not make
/// the centre talk to services that trust it.
fn check_webhook(actor: &Actor, url: &str) -> Result<(), &'static str> {
    if url.chars().count() > MOST_TARGET_CHARS || url.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err("it is too long, or has spaces");
    }
    let url = Url::parse(url).map_err(|_| "it is no URL, like https://chat.example.net/hook")?;
    let host = url.host_str().ok_or("it names no host")?.trim_matches(['[', ']']);
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it holds a name or password");
    }
    let is_local = is_loopback(host);
    if is_local && actor.role != Role::Admin {
        return Err("it leads to the support centre's own machine: only its administrator may set that");
    }
    match url.scheme() {
        "https" => Ok(()),
        "http" if is_local => Ok(()),
        _ => Err("it must be https"),
    }
}

/// A target without what may be a secret.
fn shown(target: &str) -> String {
    lineman_common::printable::escape(target.split(['?', '#']).next().unwrap_or_default())
}

//! Where notices arrive, what signs them, and how each person wants to be told.

use std::fmt;

use jiff::SignedDuration;
use jiff::tz::TimeZone;
use lineman_common::api::{
    AddedTarget, Customer, NewNoticeTarget, NoticePreferences, NoticeSecret, NoticeSettings, NoticeTarget, NoticesView, Person,
};
use lineman_common::id::{CustomerId, PersonId, TargetId};
use lineman_common::name::{CustomerCode, PersonName};
use lineman_common::notice::{ChannelKind, Topic};
use lineman_common::people::Role;
use lineman_common::session::is_loopback;
use reqwest::Url;
use serde_json::json;

use super::about::About;
use super::log::{Query, Viewer};
use super::outbox::When;
use super::{Error, TEST, audience, log, outbox, sql};
use crate::customers;
use crate::events::{self, Kind, New};
use crate::people;
use crate::store::{Db, StoreError, Tx};
use crate::web::{Actor, Scope};

const MOST_WEBHOOKS: usize = 5;
const MOST_MAIL: usize = 10;
const MOST_TARGET_CHARS: usize = 1000;
/// Between two tests of one target.
pub const TEST_PAUSE: SignedDuration = SignedDuration::from_secs(10);
/// Both secrets sign for so long when one is changed.
const ROTATION: SignedDuration = SignedDuration::from_hours(24);
/// Shown of the newest.
const RECENT: u32 = 50;

/// Whose a target is.
#[derive(Clone, Copy, Debug)]
pub enum Owner {
    Customer(CustomerId),
    Person(PersonId),
}

impl Owner {
    pub fn columns(self) -> (Option<String>, Option<String>) {
        match self {
            Self::Customer(id) => (Some(id.to_string()), None),
            Self::Person(id) => (None, Some(id.to_string())),
        }
    }
}

/// What signs deliveries: the id goes with them, the secret doesn't.
#[derive(Clone, Debug)]
pub struct Key {
    pub id: String,
    pub secret: Secret,
}

#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    pub fn of(text: String) -> Self {
        Self(text)
    }

    /// For the signature, the database, and the one reply that hands it over.
    pub fn shown(&self) -> &str {
        &self.0
    }
}

/// Secrets are in no log.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Key {
    /// 244 random bits, under a name of 32.
    fn new() -> Self {
        let random = || uuid::Uuid::new_v4().simple().to_string();
        Self { id: format!("k_{}", &random()[..8]), secret: Secret(format!("whs_{}{}", random(), random())) }
    }

    fn handed(&self, target: TargetId, address: &str, old_until: Option<jiff::Timestamp>) -> NoticeSecret {
        NoticeSecret { target, address: shown(address), key: self.id.clone(), secret: self.secret.0.clone(), old_until }
    }
}

// ---- A customer's shared targets ------------------------------------------------------------------------------------

/// Who may see and set them: targets may be secrets of the customer.
pub const KEEPERS: &[Role] = &[Role::Noc, Role::Approver, Role::Admin];

fn find_customer(db: &Db<'_>, actor: &Actor, code: &CustomerCode) -> Result<Customer, Error> {
    customers::find(db, &actor.scope(), code)?.ok_or(Error::NoCustomer)
}

fn settings(db: &Db<'_>, customer: CustomerId) -> Result<NoticeSettings, StoreError> {
    let mut settings =
        NoticeSettings { topics: Some(sql::topics(db, customer)?.unwrap_or(audience::AT_FIRST.to_vec())), ..Default::default() };
    for (_, channel, address) in sql::addresses(db, Owner::Customer(customer))? {
        match channel {
            ChannelKind::Mail => settings.mail.push(address),
            ChannelKind::Webhook => settings.webhooks.push(address),
        }
    }
    Ok(settings)
}

pub fn get(db: &Db<'_>, actor: &Actor, code: &CustomerCode) -> Result<NoticesView, Error> {
    let customer = find_customer(db, actor, code)?;
    let shared = Viewer::of_shared(customer.id);
    let recent = sql::notices(db, &shared, &Query { limit: RECENT, ..Query::default() })?;
    Ok(NoticesView { settings: settings(db, customer.id)?, recent, secrets: Vec::new() })
}

/// Says who is told. Notices that wait for somebody who is not named any more are not sent.
pub fn set(tx: &mut Tx<'_>, actor: &Actor, code: &CustomerCode, wanted: NoticeSettings, has_mail: bool) -> Result<NoticesView, Error> {
    let customer = find_customer(tx, actor, code)?;
    let owner = Owner::Customer(customer.id);
    let before = sql::addresses(tx, owner)?;
    let wanted = checked(actor, wanted, &before, has_mail)?;
    let list = |channel, addresses: &[String]| addresses.iter().map(move |a| (channel, a.clone())).collect::<Vec<_>>();
    let named = [list(ChannelKind::Webhook, &wanted.webhooks), list(ChannelKind::Mail, &wanted.mail)].concat();
    for (id, channel, address) in &before {
        if !named.contains(&(*channel, address.clone())) {
            sql::remove_target(tx, *id)?;
        }
    }
    let mut secrets = Vec::new();
    for (channel, address) in &named {
        if !before.iter().any(|(_, known, at)| known == channel && at == address) {
            secrets.extend(insert(tx, actor, owner, *channel, address)?.1);
        }
    }
    if let Some(topics) = &wanted.topics {
        sql::put_topics(tx, customer.id, topics)?;
    }
    let targets: Vec<String> = named.iter().map(|(_, address)| shown(address)).collect();
    let text =
        format!("{actor} set who is told of {code}'s requests: {}", if targets.is_empty() { "nobody".into() } else { targets.join(", ") });
    let data = json!({"targets": targets, "topics": wanted.topics});
    events::append(tx, New::of(Kind::NoticesSet, actor, text).customer(customer.id).data(data))?;
    Ok(NoticesView { secrets, ..get(tx, actor, code)? })
}

/// Sends a notice to everybody who is named.
pub fn test(tx: &mut Tx<'_>, actor: &Actor, code: &CustomerCode) -> Result<NoticesView, Error> {
    let customer = find_customer(tx, actor, code)?;
    let targets = sql::addresses(tx, Owner::Customer(customer.id))?;
    if targets.is_empty() {
        return Err(Error::Nobody);
    }
    for (target, ..) in targets {
        put_test(tx, actor, target, Some(code.clone()))?;
    }
    get(tx, actor, code)
}

fn put_test(tx: &mut Tx<'_>, actor: &Actor, target: TargetId, customer: Option<CustomerCode>) -> Result<(), Error> {
    if sql::newest(tx, target, TEST)?.is_some_and(|at| tx.now() < at + TEST_PAUSE) {
        return Err(Error::TooSoon);
    }
    Ok(outbox::put(tx, target, &About::test(tx.now(), customer, &actor.name), When::Now)?)
}

// ---- Anybody's targets ----------------------------------------------------------------------------------------------

/// Somebody's own target; the administrator may add one for somebody else.
pub fn add(tx: &mut Tx<'_>, actor: &Actor, new: &NewNoticeTarget, has_mail: bool) -> Result<AddedTarget, Error> {
    let person = person_of(tx, actor, new.person.as_ref())?;
    let owner = Owner::Person(person.id);
    let before = sql::addresses(tx, owner)?;
    let same: Vec<_> = before.iter().filter(|(_, channel, _)| *channel == new.channel).collect();
    if same.iter().any(|(_, _, address)| *address == new.address) {
        return Err(Error::ToldThere(shown(&new.address)));
    }
    let most = match new.channel {
        ChannelKind::Mail => MOST_MAIL,
        ChannelKind::Webhook => MOST_WEBHOOKS,
    };
    if same.len() >= most {
        return Err(Error::TooMany(most, word(new.channel)));
    }
    check(actor, new.channel, &new.address, has_mail)?;
    let (id, secret) = insert(tx, actor, owner, new.channel, &new.address)?;
    tell(tx, actor, &person, format!("{actor} added a {} for the notices of {}: {}", new.channel, person.name, shown(&new.address)))?;
    Ok(AddedTarget { target: log::target(tx, actor, id)?, secret })
}

fn insert(
    tx: &mut Tx<'_>,
    actor: &Actor,
    owner: Owner,
    channel: ChannelKind,
    address: &str,
) -> Result<(TargetId, Option<NoticeSecret>), StoreError> {
    let id = TargetId::new();
    let key = (channel == ChannelKind::Webhook).then(Key::new);
    sql::insert_target(tx, &sql::NewTarget { id, owner, channel, address, by: &actor.name, key: key.as_ref() })?;
    Ok((id, key.map(|key| key.handed(id, address, None))))
}

pub fn remove(tx: &mut Tx<'_>, actor: &Actor, id: TargetId) -> Result<NoticeTarget, Error> {
    let target = log::target(tx, actor, id)?;
    sql::remove_target(tx, id)?;
    tell_of(tx, actor, &target, format!("{actor} took {} away: nobody is told there any more", target.address))?;
    Ok(target)
}

/// A new secret; the one before signs too, for a day.
pub fn rotate(tx: &mut Tx<'_>, actor: &Actor, id: TargetId) -> Result<AddedTarget, Error> {
    let target = log::target(tx, actor, id)?;
    if target.channel != ChannelKind::Webhook {
        return Err(Error::NoSecret(target.address));
    }
    let (key, until) = (Key::new(), tx.now() + ROTATION);
    sql::rotate(tx, id, &key, until)?;
    tell_of(tx, actor, &target, format!("{actor} changed the secret of the webhook {}", target.address))?;
    Ok(AddedTarget { secret: Some(key.handed(id, &target.address, Some(until))), target: log::target(tx, actor, id)? })
}

/// Sends a test to one target.
pub fn try_out(tx: &mut Tx<'_>, actor: &Actor, id: TargetId) -> Result<NoticeTarget, Error> {
    let target = log::target(tx, actor, id)?;
    put_test(tx, actor, id, target.customer.clone())?;
    log::target(tx, actor, id)
}

fn person_of(db: &Db<'_>, actor: &Actor, name: Option<&PersonName>) -> Result<Person, Error> {
    let name = name.unwrap_or(&actor.name);
    if *name != actor.name && actor.role != Role::Admin {
        return Err(Error::NoPerson);
    }
    people::find(db, &Scope::All, name)?.ok_or(Error::NoPerson)
}

fn customer_of(db: &Db<'_>, person: &Person) -> Result<Option<CustomerId>, Error> {
    let Some(code) = &person.customer else { return Ok(None) };
    Ok(customers::find(db, &Scope::All, code)?.map(|customer| customer.id))
}

fn tell(tx: &mut Tx<'_>, actor: &Actor, person: &Person, text: String) -> Result<(), Error> {
    let customer = customer_of(tx, person)?;
    let event = New::of(Kind::NoticesSet, actor, text).data(json!({"person": person.name}));
    events::append(tx, New { customer, ..event })?;
    Ok(())
}

fn tell_of(tx: &mut Tx<'_>, actor: &Actor, target: &NoticeTarget, text: String) -> Result<(), Error> {
    let customer = match (&target.customer, &target.person) {
        (Some(code), _) => customers::find(tx, &Scope::All, code)?.map(|customer| customer.id),
        (None, Some(name)) => people::find(tx, &Scope::All, name)?.map(|person| customer_of(tx, &person)).transpose()?.flatten(),
        (None, None) => None,
    };
    let event = New::of(Kind::NoticesSet, actor, text).data(json!({"target": target.id}));
    events::append(tx, New { customer, ..event })?;
    Ok(())
}

// ---- Preferences ----------------------------------------------------------------------------------------------------

pub fn preferences(db: &Db<'_>, actor: &Actor, name: Option<&PersonName>) -> Result<NoticePreferences, Error> {
    let person = person_of(db, actor, name)?;
    Ok(sql::preferences(db, person.id)?.unwrap_or_default())
}

pub fn prefer(tx: &mut Tx<'_>, actor: &Actor, name: Option<&PersonName>, wanted: NoticePreferences) -> Result<NoticePreferences, Error> {
    let person = person_of(tx, actor, name)?;
    if TimeZone::get(&wanted.zone).is_err() {
        return Err(Error::BadZone(wanted.zone));
    }
    if wanted.quiet.as_ref().is_some_and(|quiet| audience::hours(quiet).is_none()) {
        return Err(Error::BadHours);
    }
    let mut topics: Vec<Topic> = wanted.topics.iter().map(|choice| choice.topic).collect();
    topics.sort();
    if let Some(twice) = topics.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(Error::Twice(twice[0]));
    }
    sql::put_preferences(tx, person.id, &wanted)?;
    tell(tx, actor, &person, format!("{actor} set how {} is told", person.name))?;
    Ok(wanted)
}

// ---- Checks ---------------------------------------------------------------------------------------------------------

type Known = (TargetId, ChannelKind, String);

fn checked(actor: &Actor, mut settings: NoticeSettings, before: &[Known], has_mail: bool) -> Result<NoticeSettings, Error> {
    for list in [&mut settings.webhooks, &mut settings.mail] {
        let mut seen = std::collections::BTreeSet::new();
        list.retain(|target| seen.insert(target.clone()));
    }
    if settings.webhooks.len() > MOST_WEBHOOKS {
        return Err(Error::TooMany(MOST_WEBHOOKS, word(ChannelKind::Webhook)));
    }
    if settings.mail.len() > MOST_MAIL {
        return Err(Error::TooMany(MOST_MAIL, word(ChannelKind::Mail)));
    }
    if let Some(topic) = settings.topics.iter().flatten().copied().find(|topic| !audience::FOR_CARRIERS.contains(topic)) {
        return Err(Error::NotForCarriers { topic });
    }
    let is_new = |url: &&String| !before.iter().any(|(_, _, known)| known == *url);
    settings.webhooks.iter().filter(is_new).try_for_each(|url| check(actor, ChannelKind::Webhook, url, has_mail))?;
    settings.mail.iter().try_for_each(|mail| check(actor, ChannelKind::Mail, mail, has_mail))?;
    Ok(settings)
}

const fn word(channel: ChannelKind) -> &'static str {
    match channel {
        ChannelKind::Mail => "e-mail addresses",
        ChannelKind::Webhook => "webhooks",
    }
}

fn check(actor: &Actor, channel: ChannelKind, address: &str, has_mail: bool) -> Result<(), Error> {
    match channel {
        ChannelKind::Webhook => check_webhook(actor, address).map_err(|why| Error::BadWebhook { url: address.to_owned(), why }),
        ChannelKind::Mail if !has_mail => Err(Error::NoMail),
        ChannelKind::Mail if address.chars().count() <= MOST_TARGET_CHARS && address.parse::<lettre::Address>().is_ok() => Ok(()),
        ChannelKind::Mail => Err(Error::BadMail(address.to_owned())),
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
pub fn shown(target: &str) -> String {
    lineman_common::printable::escape(target.split(['?', '#']).next().unwrap_or_default())
}

//! Delivery: what waits in the queue goes out, a few at a time, until it has arrived or a day has passed.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::about::About;
use super::{Error, sql, still_matters};
use crate::config::{Mail, MailTls};
use crate::store::{Db, Store, Tx};

/// Deliveries at a time.
const AT_ONCE: usize = 8;
/// Of one delivery.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often the queue is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Between the first two attempts; doubled each time.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_secs(10);
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_hours(1);
const GIVEN_UP_AFTER: SignedDuration = SignedDuration::from_hours(24);
/// Done notices are tidied away this often.
const TIDY_EVERY: Duration = Duration::from_secs(3600);

/// Brings notices to their targets.
pub struct Courier {
    http: reqwest::Client,
    mail: Option<Postman>,
    /// Name and port of this server, for links.
    centre: String,
}

struct Postman {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: lettre::message::Mailbox,
}

/// A notice that is due.
#[derive(Clone, Debug)]
pub struct Due {
    pub id: i64,
    pub target: String,
    pub about: About,
}

impl Courier {
    pub fn new(mail: Option<&Mail>, centre: String) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .user_agent(concat!("lineman-server/", env!("CARGO_PKG_VERSION")))
            .timeout(PATIENCE)
            .redirect(reqwest::redirect::Policy::none())
            .pool_max_idle_per_host(0)
            .no_proxy()
            .build()?;
        Ok(Self { http, mail: mail.map(Postman::new).transpose()?, centre })
    }

    /// Tries once; says why it did not work.
    async fn deliver(&self, due: &Due) -> Result<(), String> {
        if due.target.contains("://") { self.post(due).await } else { self.mail(due).await }
    }

    async fn post(&self, due: &Due) -> Result<(), String> {
        let reply = self.http.post(&due.target).json(&due.about.json(due.id, &self.centre)).send().await;
        // The URL may hold a secret: it is not in the words.
        let reply = reply.map_err(|error| causes(&error.without_url()))?;
        let status = reply.status();
        if status.is_success() { Ok(()) } else { Err(format!("the webhook answered {status}")) }
    }

    async fn mail(&self, due: &Due) -> Result<(), String> {
        let postman = self.mail.as_ref().ok_or("this support centre sends no e-mail any more")?;
        let message = postman.message(due, &self.centre)?;
        match tokio::time::timeout(PATIENCE, postman.transport.send(message)).await {
            Ok(sent) => sent.map(drop).map_err(|error| causes(&error)),
            Err(_) => Err("the mail relay did not answer in time".into()),
        }
    }
}

impl Postman {
    fn new(mail: &Mail) -> anyhow::Result<Self> {
        let tls = match mail.tls {
            MailTls::None => Tls::None,
            MailTls::Starttls => Tls::Required(TlsParameters::new(mail.host.clone())?),
            MailTls::Tls => Tls::Wrapper(TlsParameters::new(mail.host.clone())?),
        };
        let transport =
            AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&mail.host).port(mail.port).tls(tls).timeout(Some(PATIENCE));
        Ok(Self { transport: transport.build(), from: mail.from.parse()? })
    }

    fn message(&self, due: &Due, centre: &str) -> Result<Message, String> {
        let to: lettre::Address = due.target.parse().map_err(|error| format!("the address can't be used: {error}"))?;
        let message = Message::builder()
            .from(self.from.clone())
            .to(to.into())
            .subject(format!("[Lineman {}] {}", due.about.customer, due.about.subject))
            .date(due.about.at.into())
            .message_id(Some(format!("<notice-{}.{}@{}>", due.id, due.about.at.as_second(), self.from.email.domain())))
            .header(ContentType::TEXT_PLAIN)
            .header(Automatic)
            .body(due.about.text(centre));
        message.map_err(|error| error.to_string())
    }
}

/// Nobody's holiday notice answers this (RFC 3834).
#[derive(Clone)]
struct Automatic;

impl lettre::message::header::Header for Automatic {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// The whole chain of causes in one line.
fn causes(error: &dyn std::error::Error) -> String {
    let (mut text, mut next) = (error.to_string(), error.source());
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text.chars().take(500).collect()
}

/// How long to wait after so many attempts.
pub fn pause(attempts: u32) -> SignedDuration {
    FIRST_PAUSE.checked_mul(1 << attempts.saturating_sub(1).min(16)).unwrap_or(LONGEST_PAUSE).min(LONGEST_PAUSE)
}

/// The job: delivers what is due, and tidies up.
pub async fn run(store: Store, courier: Courier, stop: CancellationToken) {
    let courier = Arc::new(courier);
    let (mut look, mut tidy) = (tokio::time::interval(LOOK_EVERY), tokio::time::interval(TIDY_EVERY));
    let mut under_way: JoinSet<(i64, Result<(), String>)> = JoinSet::new();
    let mut ids = BTreeSet::new();
    loop {
        let done = tokio::select! {
            () = stop.cancelled() => return,
            Some(joined) = under_way.join_next() => finish(&store, &mut ids, joined).await,
            _ = look.tick(), if ids.len() < AT_ONCE => begin(&store, &courier, &mut under_way, &mut ids).await,
            _ = tidy.tick() => store.write(|tx| sql::tidy(tx).map_err(Error::from)).await,
        };
        if let Err(error) = done {
            tracing::error!(%error, "notices could not be delivered");
        }
    }
}

async fn begin(
    store: &Store,
    courier: &Arc<Courier>,
    under_way: &mut JoinSet<(i64, Result<(), String>)>,
    ids: &mut BTreeSet<i64>,
) -> Result<(), Error> {
    let known = ids.clone();
    let read = move |db: &Db<'_>| -> Result<_, Error> {
        let due = sql::due(db, u32::try_from(AT_ONCE + known.len()).unwrap_or(u32::MAX))?;
        let due = due.into_iter().filter(|due| !known.contains(&due.id)).take(AT_ONCE - known.len());
        due.map(|due| Ok((still_matters(db, &due.about)?, due))).collect::<Result<Vec<_>, Error>>()
    };
    for (matters, due) in store.read(read).await? {
        if !matters {
            store.write(move |tx| sql::give_up(tx, due.id, "it was answered before this arrived").map_err(Error::from)).await?;
            continue;
        }
        ids.insert(due.id);
        let courier = Arc::clone(courier);
        under_way.spawn(async move { (due.id, courier.deliver(&due).await) });
    }
    Ok(())
}

async fn finish(
    store: &Store,
    ids: &mut BTreeSet<i64>,
    joined: Result<(i64, Result<(), String>), tokio::task::JoinError>,
) -> Result<(), Error> {
    let Ok((id, outcome)) = joined else {
        // Whose it was is not known: what is not recorded as done is due again.
        ids.clear();
        return Ok(());
    };
    store.write(move |tx| record(tx, id, outcome)).await?;
    ids.remove(&id);
    Ok(())
}

fn record(tx: &mut Tx<'_>, id: i64, outcome: Result<(), String>) -> Result<(), Error> {
    let Err(problem) = outcome else { return Ok(sql::delivered(tx, id)?) };
    let Some((attempts, created_at)) = sql::attempted(tx, id, &problem)? else { return Ok(()) };
    let next = tx.now() + pause(attempts);
    if next > created_at + GIVEN_UP_AFTER {
        tracing::warn!(notice = id, problem, "a notice did not arrive for a day: it is given up");
        return Ok(sql::give_up(tx, id, &problem)?);
    }
    Ok(sql::again(tx, id, next)?)
}

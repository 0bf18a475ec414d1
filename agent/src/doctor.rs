//! `lineman-agent doctor`: what stands between this device and the centre, one line each, red or green.

use std::path::Path;
use std::time::Duration;

use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use hyper::header::HOST;
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use lineman_common::id::LegId;
use lineman_common::leg::{LegError, MAX_GREETING_BYTES, Offer, Secret};
use lineman_common::statement::DeviceStatement;
use rustix::fs::statvfs;
use rustls::pki_types::CertificateDer;
use serde::Serialize;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::config::Settings;
use crate::control::{self, Question, Reply, Status};
use crate::dial::race::{self, Unacknowledged};
use crate::dial::{Dialer, Hop, Way};
use crate::identity::{Identity, STATEMENT};
use crate::session::account::Account;
use crate::{durable, https, tls};

const PATIENCE: Duration = Duration::from_secs(10);
/// More than that between the clocks, and certificates, challenges and lists are judged wrongly.
const MAX_SKEW_S: i64 = 120;
/// Days before an expiry at which it turns red.
const EXPIRY_NOTICE_DAYS: i64 = 14;
/// The same for the roster, which lives five weeks at most.
const ROSTER_NOTICE_DAYS: i64 = 5;
/// Least room on the disk beside the spool.
const LEAST_FREE_BYTES: u64 = 64 * 1024 * 1024;

#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    pub check: &'static str,
    pub ok: bool,
    pub text: String,
}

struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, check: &'static str, result: Result<String, String>) -> bool {
        let ok = result.is_ok();
        self.0.push(Finding { check, ok, text: result.unwrap_or_else(|problem| problem) });
        ok
    }
}

/// Checks all there is to check; a check that rests on a failed one is left out.
pub async fn examine(state: &Path, config: Option<&Path>) -> Vec<Finding> {
    let mut findings = Findings(Vec::new());
    let settings = Settings::find(config, state);
    findings.add("configuration", settings.as_ref().map(accounts).map_err(ToString::to_string).and_then(|accounts| accounts));
    match Identity::load(state) {
        Ok(identity) => {
            findings.add("identity", Ok(format!("{}, host key {}", identity.device, identity.host_key_fingerprint)));
            findings.add("device statement", statement(state));
            findings.add("signer list", signers(&identity));
            findings.add("link certificate", identity.link_certificate.first().ok_or_else(|| "none".to_owned()).and_then(certificate));
            // Without a sound configuration nobody knows which way to go.
            if let Ok(settings) = &settings {
                network(&identity, settings, &mut findings).await;
            }
        }
        Err(error) => {
            findings.add("identity", Err(error.to_string()));
        }
    }
    findings.add("disk", disk(state));
    agent(state, &mut findings).await;
    findings.0
}

fn accounts(settings: &Settings) -> Result<String, String> {
    let shown = |(name, profile)| match Account::of(profile) {
        Ok(account) => Ok(format!("{name} ({})", account.shown())),
        Err(error) => Err(format!("[account.{name}]: {error}")),
    };
    let names = settings.profiles.iter().map(shown).collect::<Result<Vec<_>, _>>()?;
    if names.is_empty() {
        return Err("there is no [account.NAME] profile: no session is possible".into());
    }
    Ok(format!("account profiles: {}", names.join(", ")))
}

fn expiry(at: Timestamp) -> Result<String, String> {
    let days = at.duration_since(Timestamp::now()).as_hours() / 24;
    if days < EXPIRY_NOTICE_DAYS { Err(format!("it ends at {at}, in {days} days: renew it")) } else { Ok(format!("valid until {at}")) }
}

fn statement(state: &Path) -> Result<String, String> {
    let text = durable::read(&state.join(STATEMENT)).map_err(|e| e.to_string())?.ok_or("there is none")?;
    let statement = DeviceStatement::read_unverified(&text).map_err(|e| e.to_string())?;
    expiry(statement.valid_before)
}

/// Without a list that counts nobody can approve anything.
fn signers(identity: &Identity) -> Result<String, String> {
    let head = identity.signers.list().head.as_ref().ok_or("it has no head")?;
    expiry(head.expiry).map(|text| format!("number {}, {text}", head.counter)).map_err(|text| format!("number {}: {text}", head.counter))
}

/// Rosters are replaced every few weeks; one that is not is withheld, or forgotten.
fn roster(status: &Status) -> Result<String, String> {
    let until = status.roster_expiry.ok_or("none has come from the centre: nobody can be let in")?;
    let (number, left) = (status.roster, until.duration_since(Timestamp::now()).as_hours());
    if left < 24 * ROSTER_NOTICE_DAYS {
        return Err(format!("number {number} is valid until {until}, and no newer one has come: ask the vendor"));
    }
    Ok(format!("number {number}, valid until {until}"))
}

fn certificate(der: &CertificateDer<'_>) -> Result<String, String> {
    let (_, certificate) = x509_parser::parse_x509_certificate(der).map_err(|e| e.to_string())?;
    expiry(Timestamp::from_second(certificate.validity().not_after.timestamp()).map_err(|e| e.to_string())?)
}

/// Each hop on the way to the centre.
async fn network(identity: &Identity, settings: &Settings, findings: &mut Findings) {
    let dialer = match Dialer::new(identity, &settings.link) {
        Ok(dialer) => dialer,
        Err(error) => {
            findings.add("way", Err(error.to_string()));
            return;
        }
    };
    let way = &dialer.way;
    findings.add("way", Ok(way.to_string()));
    let (hop, first) = way.first_hop();
    let (first, addresses) = (first.to_string(), way.addresses().await.map_err(|error| error.to_string()));
    let shown = |ip: &[std::net::SocketAddr]| ip.iter().map(|address| address.ip().to_string()).collect::<Vec<_>>().join(", ");
    if !findings.add("name", addresses.as_ref().map(|all| format!("{first} is {}", shown(all))).map_err(Clone::clone)) {
        return;
    }
    if !findings.add("connection", reached(&addresses.unwrap_or_default(), hop).await) {
        return;
    }
    let link = dialer.link().await.map_err(|error| error.to_string());
    if !findings.add("link TLS", link.map(|_| "the centre's certificate is under the pinned authority".to_owned())) {
        return;
    }
    findings.add("session leg", leg(&dialer).await);
    let skew = timeout(PATIENCE, skew(identity, way)).await.unwrap_or_else(|_| Err("no answer in time".into()));
    findings.add("clock", skew);
}

/// Each address of the first hop for itself: with one that answers the way is open, and the others cost time.
async fn reached(addresses: &[std::net::SocketAddr], hop: Hop) -> Result<String, String> {
    let mut tries = JoinSet::new();
    for address in addresses.iter().copied() {
        let began = Instant::now();
        let attempt = race::attempt(address, Unacknowledged(PATIENCE), began + race::PATIENCE);
        tries.spawn(async move { attempt.await.map(|_| format!("{address} takes connections ({} ms)", began.elapsed().as_millis())) });
    }
    let (mut open, mut shut) = (Vec::new(), Vec::new());
    for ended in tries.join_all().await {
        match ended {
            Ok(text) => open.push(text),
            Err(miss) => shut.push(miss.to_string()),
        }
    }
    let (open, shut) = (open.join("; "), shut.join("; "));
    match (open.is_empty(), shut.is_empty()) {
        (false, true) => Ok(open),
        (false, false) => Ok(format!("{open}; not all of {hop}'s addresses do: {shut}")),
        (true, _) => Err(format!("{shut}: is the port open outbound?")),
    }
}

/// Dials a leg that nobody waits for: a centre that says so has heard every word.
async fn leg(dialer: &Dialer) -> Result<String, String> {
    let mut wire = dialer.leg().await.map_err(|error| error.to_string())?;
    let form = if dialer.legs_in_tls() { "inside TLS" } else { "in the clear, as SSH (link.leg_tls = true puts them inside TLS)" };
    let answer = timeout(PATIENCE, refusal(&mut wire)).await.map_err(|_| "no answer in time".to_owned())?;
    answer.map(|()| format!("legs travel {form}, and the centre hears them")).map_err(|why| {
        let hint = if dialer.legs_in_tls() { "" } else { "; where only TLS is let through, set link.leg_tls = true" };
        format!("legs travel {form}, and don't come through: {why}{hint}")
    })
}

async fn refusal(wire: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> Result<(), String> {
    let offer = Offer { id: LegId::new(), secret: Secret::new([0; 32]) };
    let mut line = Vec::new();
    let talk = async {
        wire.write_all(offer.greeting(1, 0).as_bytes()).await?;
        wire.flush().await?;
        while line.last() != Some(&b'\n') && line.len() < MAX_GREETING_BYTES {
            line.push(wire.read_u8().await?);
        }
        Ok::<_, std::io::Error>(())
    };
    talk.await.map_err(|error| error.to_string())?;
    match offer.read_reply(1, String::from_utf8_lossy(&line).trim_end()) {
        Err(LegError::Refused(_)) => Ok(()),
        Ok(_) => Err("somebody takes a leg that nobody waits for".into()),
        Err(error) => Err(error.to_string()),
    }
}

/// Compares with the `Date` of the centre's answer.
async fn skew(identity: &Identity, way: &Way) -> Result<String, String> {
    let config = tls::link_config(identity, b"http/1.1").map_err(|e| e.to_string())?;
    let stream = way.tls(config).await.map_err(|e| e.to_string())?;
    let request = Request::get("/healthz").header(HOST, identity.server.to_string()).body(Full::new(Bytes::new()));
    let reply = https::send(stream, request.map_err(|e| e.to_string())?).await.map_err(|e| e.to_string())?;
    let date = reply.date.ok_or("the centre tells no time")?;
    let theirs = rfc2822::parse(&date).map_err(|e| e.to_string())?.timestamp();
    let skew = Timestamp::now().duration_since(theirs).as_secs();
    if skew.abs() > MAX_SKEW_S {
        return Err(format!("this clock is {skew} s off the centre's: set it (for example with NTP)"));
    }
    Ok(format!("{skew} s off the centre's"))
}

fn disk(state: &Path) -> Result<String, String> {
    let stat = statvfs(state).map_err(|e| format!("{}: {e}", state.display()))?;
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    let text = format!("{} MiB free under {}", free / (1024 * 1024), state.display());
    if free < LEAST_FREE_BYTES { Err(text) } else { Ok(text) }
}

/// What the running agent says of itself.
async fn agent(state: &Path, findings: &mut Findings) {
    let status = match control::ask(state, &Question::Status).await {
        Ok(Reply::Status(status)) => status,
        Ok(_) => return,
        Err(error) => {
            findings.add("agent", Err(error.to_string()));
            return;
        }
    };
    findings.add("agent", Ok(format!("{} runs", status.software)));
    findings.add("roster", roster(&status));
    findings.add("sink", crate::sink::finding(&status.sinks));
    if let Some(stopped) = &status.stopped {
        findings.add("stopped", Err(format!("this device {stopped}: `lineman-agent resume` takes a stop of its own back")));
    }
    let problem = status.link.problem.unwrap_or_else(|| "it is not connected yet".into());
    let link = if status.link.connected { Ok(format!("up since {}", status.link.since)) } else { Err(problem) };
    findings.add("link", link);
    let (used, most) = (status.spool_bytes / 1024, status.spool_max_bytes / 1024);
    let text = format!("{used} of {most} KiB used");
    findings.add("spool", if status.spool_bytes > status.spool_max_bytes / 10 * 8 { Err(text) } else { Ok(text) });
}

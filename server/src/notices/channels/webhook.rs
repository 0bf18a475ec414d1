//! Webhooks: a signed POST with JSON.
//!
//! The address is looked at twice: when it is set, by its form; and at every attempt, by what its name resolves to at that moment. The
//! connection goes to the very address that was looked at, so a name that leads to a public machine once and to the centre's own network
//! the next time gains nothing.

use std::time::Duration;

use jiff::Timestamp;
use lineman_common::notice;
use reqwest::{Response, Url};

use super::addresses::{Guide, is_public};
use super::{Answer, Channel, Due, Sending, causes};
use crate::config::Networks;

/// Of one delivery.
const PATIENCE: Duration = Duration::from_secs(10);
/// Kept of an answer.
const MOST_EXCERPT_BYTES: usize = 512;

pub struct Hooks {
    http: reqwest::Client,
    guide: Guide,
}

impl Hooks {
    pub fn new(networks: Networks) -> anyhow::Result<Self> {
        let guide = Guide::new(networks);
        let http = reqwest::Client::builder()
            .user_agent(concat!("lineman-server/", env!("CARGO_PKG_VERSION")))
            .timeout(PATIENCE)
            .redirect(reqwest::redirect::Policy::none())
            .pool_max_idle_per_host(0)
            .no_proxy()
            .dns_resolver(std::sync::Arc::new(guide.clone()))
            .build()?;
        Ok(Self { http, guide })
    }

    async fn post(&self, due: &Due, centre: &str) -> Answer {
        let url = match Url::parse(&due.destination.address) {
            Ok(url) => url,
            Err(error) => return Answer::failed(format!("the address can't be used: {error}")),
        };
        if let Err(problem) = self.guide.check(&url) {
            return Answer::failed(problem.to_string());
        }
        let body = due.about.json(due.id, centre).to_string().into_bytes();
        let now = Timestamp::now().as_second();
        let sign = |key: &super::Key| Some(format!("{}={}", key.id, notice::signature(key.secret.shown(), now, &body)?));
        let signatures = due.destination.keys.iter().filter_map(sign).collect::<Vec<_>>().join(" ");
        let request = self
            .http
            .post(url)
            .header("content-type", "application/json")
            .header(notice::DELIVERY, due.id.to_string())
            .header(notice::TIMESTAMP, now)
            .header(notice::SIGNATURE, signatures)
            .body(body);
        match request.send().await {
            Ok(reply) => answer(reply).await,
            // The URL may hold a secret: it is not in the words.
            Err(error) => Answer::failed(causes(&error.without_url())),
        }
    }
}

impl Channel for Hooks {
    fn send<'a>(&'a self, due: &'a Due, centre: &'a str) -> Sending<'a> {
        Box::pin(self.post(due, centre))
    }
}

async fn answer(mut reply: Response) -> Answer {
    let status = reply.status();
    let is_public = reply.remote_addr().is_some_and(|address| is_public(address.ip()));
    let mut said = Vec::new();
    while said.len() < MOST_EXCERPT_BYTES {
        match reply.chunk().await {
            Ok(Some(chunk)) => said.extend(chunk.iter().take(MOST_EXCERPT_BYTES - said.len())),
            Ok(None) | Err(_) => break,
        }
    }
    let excerpt = lineman_common::printable::escape(&String::from_utf8_lossy(&said));
    let problem = (!status.is_success()).then(|| format!("the webhook answered {status}"));
    Answer { problem, status: Some(status.as_u16()), excerpt: (!excerpt.is_empty()).then_some(excerpt), is_public }
}

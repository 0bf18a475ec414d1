//! The ways to a target: one file each, behind one small trait. Whoever adds a way adds a file, a word of [`ChannelKind`], and an arm below.

mod addresses;
mod mail;
mod webhook;

use std::pin::Pin;

use lineman_common::id::NoticeId;
use lineman_common::notice::ChannelKind;

use super::about::About;
use super::targets::Key;
use crate::config::{Mail, Networks};

use mail::Postman;
use webhook::Hooks;

/// A notice that is to be delivered now.
#[derive(Clone, Debug)]
pub struct Due {
    pub id: NoticeId,
    pub destination: Destination,
    pub about: About,
}

#[derive(Clone, Debug)]
pub struct Destination {
    pub channel: ChannelKind,
    pub address: String,
    /// What signs: one key, or two while the secret is being changed.
    pub keys: Vec<Key>,
}

/// How an attempt went.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub result: Result<(), String>,
    pub latency_ms: u32,
    /// Of HTTP.
    pub status: Option<u16>,
    /// How the answer begins, escaped.
    pub excerpt: Option<String>,
    /// It came from an address that anybody can reach.
    pub is_public: bool,
}

/// What one attempt brings: whether it was taken, and what is worth keeping of the answer.
#[derive(Debug, Default)]
pub struct Answer {
    pub problem: Option<String>,
    pub status: Option<u16>,
    pub excerpt: Option<String>,
    pub is_public: bool,
}

impl Answer {
    fn failed(problem: impl Into<String>) -> Self {
        Self { problem: Some(problem.into()), ..Self::default() }
    }
}

pub type Sending<'a> = Pin<Box<dyn Future<Output = Answer> + Send + 'a>>;

/// One attempt at one target.
pub trait Channel: Send + Sync {
    /// `centre` is this server's name and port, for links.
    fn send<'a>(&'a self, due: &'a Due, centre: &'a str) -> Sending<'a>;
}

/// All the ways.
pub struct Channels {
    mail: Option<Postman>,
    hooks: Hooks,
    centre: String,
}

impl Channels {
    pub fn new(mail: Option<&Mail>, networks: Networks, centre: String) -> anyhow::Result<Self> {
        Ok(Self { mail: mail.map(Postman::new).transpose()?, hooks: Hooks::new(networks)?, centre })
    }

    /// Tries once.
    pub async fn deliver(&self, due: &Due) -> Outcome {
        let begun = std::time::Instant::now();
        let channel: Option<&dyn Channel> = match due.destination.channel {
            ChannelKind::Mail => self.mail.as_ref().map(|mail| mail as &dyn Channel),
            ChannelKind::Webhook => Some(&self.hooks),
        };
        let answer = match channel {
            Some(channel) => channel.send(due, &self.centre).await,
            None => Answer::failed("this support centre sends no e-mail any more"),
        };
        Outcome {
            result: answer.problem.map_or(Ok(()), Err),
            latency_ms: u32::try_from(begun.elapsed().as_millis()).unwrap_or(u32::MAX),
            status: answer.status,
            excerpt: answer.excerpt,
            is_public: answer.is_public,
        }
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
    lineman_common::printable::escape(&text).chars().take(500).collect()
}

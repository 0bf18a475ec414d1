//! E-mail, handed to the relay of `server.toml`.
//!
//! All mails of one fault refer to one message that was never sent, named after the fault's id: so programs that go by references
//! (RFC 5322) show them as one conversation from the first mail on, whichever of them a reader got. A mail's own id is the notice's, so
//! that a repetition is known as one. Headers are written by the library, which encodes whatever is not plain text; what comes from
//! outside was escaped before.

use std::time::Duration;

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};

use super::{Answer, Channel, Due, Sending, causes};
use crate::config::{Mail, MailTls};

/// Of one delivery.
const PATIENCE: Duration = Duration::from_secs(10);

pub struct Postman {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: lettre::message::Mailbox,
}

impl Postman {
    pub fn new(mail: &Mail) -> anyhow::Result<Self> {
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
        let to: lettre::Address = due.destination.address.parse().map_err(|error| format!("the address can't be used: {error}"))?;
        let domain = self.from.email.domain();
        let about = &due.about;
        let of = about.customer.as_ref().map_or_else(|| "all".to_owned(), |customer| customer.to_string().to_lowercase());
        let mut message = Message::builder()
            .from(self.from.clone())
            .to(to.into())
            .subject(about.subject_line())
            .date(about.at.into())
            .message_id(Some(format!("<{}@{domain}>", due.id)))
            .header(ContentType::TEXT_PLAIN)
            .header(ListId(format!("Lineman notices <{of}.lineman.{domain}>")))
            .header(Automatic);
        if let Some(fault) = &about.fault {
            let conversation = format!("<{}@{domain}>", fault.id);
            message = message.in_reply_to(conversation.clone()).references(conversation);
        }
        message.body(about.text(centre)).map_err(|error| error.to_string())
    }

    async fn post(&self, due: &Due, centre: &str) -> Answer {
        let message = match self.message(due, centre) {
            Ok(message) => message,
            Err(problem) => return Answer::failed(problem),
        };
        match tokio::time::timeout(PATIENCE, self.transport.send(message)).await {
            Ok(Ok(reply)) => {
                let said = reply.message().collect::<Vec<_>>().join(" ");
                let excerpt = lineman_common::printable::escape(&said).chars().take(200).collect();
                Answer { excerpt: Some(excerpt), is_public: true, ..Answer::default() }
            }
            Ok(Err(error)) => Answer::failed(causes(&error)),
            Err(_) => Answer::failed("the mail relay did not answer in time"),
        }
    }
}

impl Channel for Postman {
    fn send<'a>(&'a self, due: &'a Due, centre: &'a str) -> Sending<'a> {
        Box::pin(self.post(due, centre))
    }
}

type NotRead = Box<dyn std::error::Error + Send + Sync>;

/// Nobody's holiday notice answers this (RFC 3834).
#[derive(Clone)]
struct Automatic;

impl lettre::message::header::Header for Automatic {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, NotRead> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// What mail programs sort by (RFC 2919): one list for each customer.
#[derive(Clone)]
struct ListId(String);

impl lettre::message::header::Header for ListId {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("List-Id")
    }

    fn parse(text: &str) -> Result<Self, NotRead> {
        Ok(Self(text.to_owned()))
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), self.0.clone())
    }
}

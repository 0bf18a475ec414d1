//! How one person wants to be told.

use std::str::FromStr;

use clap::Args;
use lineman_common::alarm::Severity;
use lineman_common::api::{NoticePreferences, QuietHours, TopicChoice};
use lineman_common::name::PersonName;
use lineman_common::notice::{ChannelKind, Language, Topic};

use crate::client::Client;
use crate::commands::{App, word};
use crate::exit::Failure;
use crate::output::{Cell, Sheet, Table, text};

/// Show how you are told
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  lineman notices preferences\n  lineman notices preferences --person engineer-a")]
pub struct Preferences {
    /// Somebody else's (admin)
    #[arg(long, value_name = "NAME")]
    person: Option<PersonName>,
}

/// Set how you are told; what is not named stays as it is
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman notices prefer --language zh --zone Asia/Shanghai --quiet-hours 22:00-07:00
  lineman notices prefer --topic clock=none --topic status=mail:major
  lineman notices prefer --reset")]
pub struct Prefer {
    /// Somebody else's (admin)
    #[arg(long, value_name = "NAME")]
    person: Option<PersonName>,
    #[arg(long, value_parser = word::<Language>(Language::WORDS))]
    language: Option<Language>,
    /// IANA zone of the quiet hours
    #[arg(long, value_name = "ZONE")]
    zone: Option<String>,
    /// Hours when only what is critical is sent, like 22:00-07:00, or `none`
    #[arg(long, value_name = "HH:MM-HH:MM")]
    quiet_hours: Option<Quiet>,
    /// Nothing below this severity
    #[arg(long, value_parser = word::<Severity>(Severity::WORDS))]
    least: Option<Severity>,
    /// One topic otherwise: TOPIC=CHANNELS[:SEVERITY], channels being `all`, `none`, or some of mail,webhook; may be given several times
    #[arg(long, value_name = "CHOICE")]
    topic: Vec<Choice>,
    /// Begin from what is told without any preferences
    #[arg(long)]
    reset: bool,
}

#[derive(Clone, Debug)]
struct Quiet(Option<QuietHours>);

impl FromStr for Quiet {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "none" {
            return Ok(Self(None));
        }
        let (from, to) = text.split_once('-').ok_or("expected hours like 22:00-07:00, or `none`")?;
        Ok(Self(Some(QuietHours { from: from.to_owned(), to: to.to_owned() })))
    }
}

#[derive(Clone, Debug)]
struct Choice(TopicChoice);

impl FromStr for Choice {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (topic, rest) = text.split_once('=').ok_or("expected TOPIC=CHANNELS[:SEVERITY], like clock=none or status=mail:major")?;
        let (channels, least) = rest.split_once(':').map_or((rest, None), |(channels, least)| (channels, Some(least)));
        let least = least.map(str::parse::<Severity>).transpose().map_err(|error| error.to_string())?;
        let channels = match channels {
            "all" => None,
            "none" => Some(Vec::new()),
            some => Some(some.split(',').map(str::parse::<ChannelKind>).collect::<Result<_, _>>().map_err(|error| error.to_string())?),
        };
        Ok(Self(TopicChoice { topic: topic.parse::<Topic>().map_err(|error| error.to_string())?, channels, least }))
    }
}

impl Preferences {
    pub async fn run(self, app: &App, client: &Client) -> Result<(), Failure> {
        app.out.sheet(&client.notice_preferences(self.person.as_ref().map(PersonName::as_str)).await?, sheet)
    }
}

impl Prefer {
    pub async fn run(self, app: &App, client: &Client) -> Result<(), Failure> {
        let person = self.person.clone();
        let person = person.as_ref().map(PersonName::as_str);
        let before = if self.reset { NoticePreferences::default() } else { client.notice_preferences(person).await? };
        app.out.sheet(&client.put_notice_preferences(person, &self.over(before)).await?, sheet)
    }

    fn over(self, before: NoticePreferences) -> NoticePreferences {
        let named: Vec<TopicChoice> = self.topic.into_iter().map(|choice| choice.0).collect();
        let kept = before.topics.into_iter().filter(|kept| !named.iter().any(|choice| choice.topic == kept.topic)).collect::<Vec<_>>();
        NoticePreferences {
            language: self.language.unwrap_or(before.language),
            zone: self.zone.unwrap_or(before.zone),
            quiet: self.quiet_hours.map_or(before.quiet, |quiet| quiet.0),
            least: self.least.unwrap_or(before.least),
            topics: [kept, named].concat(),
        }
    }
}

fn sheet(preferences: &NoticePreferences) -> Sheet {
    let quiet = preferences.quiet.as_ref().map(|quiet| format!("{}-{}", quiet.from, quiet.to));
    let fields = vec![
        ("language", text(preferences.language)),
        ("zone", text(&preferences.zone)),
        ("quiet hours", Cell::option(quiet)),
        ("least severity", text(preferences.least)),
    ];
    let channels = |choice: &TopicChoice| match choice.channels.as_deref() {
        None => "all".to_owned(),
        Some([]) => "none".to_owned(),
        Some(some) => some.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
    };
    let rows = preferences.topics.iter().map(|choice| [text(choice.topic), text(channels(choice)), Cell::option(choice.least)]);
    Sheet { fields, parts: vec![("told otherwise", Table::new(["topic", "channels", "least severity"], rows))] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_are_read_and_laid_over_what_was_there() {
        let choice = |text: &str| text.parse::<Choice>().map(|choice| choice.0);
        assert_eq!(choice("clock=none").unwrap(), TopicChoice { topic: Topic::Clock, channels: Some(Vec::new()), least: None });
        let mail = TopicChoice { topic: Topic::Status, channels: Some(vec![ChannelKind::Mail]), least: Some(Severity::Major) };
        assert_eq!(choice("status=mail:major").unwrap(), mail);
        for wrong in ["clock", "gossip=all", "clock=pigeon", "clock=all:loud"] {
            assert!(choice(wrong).is_err(), "{wrong}");
        }
        assert!("22:00".parse::<Quiet>().is_err());
        let prefer = Prefer {
            person: None,
            language: None,
            zone: None,
            quiet_hours: Some("none".parse().unwrap()),
            least: None,
            topic: vec!["status=mail:major".parse().unwrap()],
            reset: false,
        };
        let before = NoticePreferences {
            zone: "Asia/Shanghai".into(),
            quiet: Some(QuietHours { from: "22:00".into(), to: "07:00".into() }),
            topics: vec![choice("clock=none").unwrap(), choice("status=none").unwrap()],
            ..NoticePreferences::default()
        };
        let after = prefer.over(before);
        assert_eq!((after.zone.as_str(), after.quiet), ("Asia/Shanghai", None));
        assert_eq!(after.topics, [choice("clock=none").unwrap(), mail]);
    }
}

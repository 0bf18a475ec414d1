//! `lineman person`: skills and levels, who may not work here any more, passwords.

use clap::{Args, Subcommand};
use lineman_common::api::{NewPassword, Person, Profile, Reason};
use lineman_common::name::PersonName;

use super::App;
use crate::client::Page;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Cell, Sheet, text};
use crate::prompt;

/// People: skills and levels, disable and enable, passwords
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  lineman person show engineer-a
  lineman person set engineer-a --skill olt --skill optics --level 2
  lineman person disable engineer-a --reason 'left the company'")]
pub enum Command {
    /// Show one person
    #[command(after_help = "Examples:\n  lineman person show engineer-a")]
    Show {
        name: PersonName,
    },
    Set(Set),
    /// Disable: all tokens end, no sign-in, no duty, no new faults; open faults are listed for hand-over
    #[command(after_help = "Examples:\n  lineman person disable engineer-a --reason 'left the company' --yes")]
    Disable {
        name: PersonName,
        #[arg(long)]
        reason: String,
        /// Don't ask
        #[arg(short, long)]
        yes: bool,
    },
    /// Enable again; old tokens stay ended
    #[command(after_help = "Examples:\n  lineman person enable engineer-a --reason 'back from leave'")]
    Enable {
        name: PersonName,
        #[arg(long)]
        reason: String,
    },
    Password(Password),
}

/// Set what somebody can do; what is left out stays
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman person set engineer-a --skill olt --skill optics --level 2
  lineman person set engineer-a --no-skills --mail engineer-a@support.example")]
pub struct Set {
    name: PersonName,
    /// A tag, like a product line; may be given several times, and takes the place of those before
    #[arg(long, value_name = "TAG")]
    skill: Vec<String>,
    /// No skills
    #[arg(long, conflicts_with = "skill")]
    no_skills: bool,
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=3))]
    level: Option<u8>,
    /// E-mail address
    #[arg(long, value_name = "ADDRESS")]
    mail: Option<String>,
}

/// Change your own password, or (admin) set another's; their other tokens end
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman person password engineer-a
  lineman person password engineer-b --password-stdin < password-file")]
pub struct Password {
    name: PersonName,
    /// Read the old password, when it is your own, and the new one from stdin, a line each
    #[arg(long)]
    password_stdin: bool,
}

impl Command {
    pub async fn run(self, app: &App) -> Outcome {
        let client = app.client()?;
        match self {
            Self::Show { name } => app.out.sheet(&client.person(name.as_str()).await?, sheet)?,
            Self::Set(Set { name, skill, no_skills, level, mail }) => {
                let before = client.person(name.as_str()).await?;
                let profile = Profile {
                    skills: if skill.is_empty() && !no_skills { before.skills } else { skill },
                    level: level.or(before.level),
                    mail: mail.or(before.mail),
                };
                app.out.sheet(&client.put_profile(name.as_str(), &profile).await?, sheet)?;
            }
            Self::Disable { name, reason, yes } => {
                prompt::confirm(&format!("disable {name} on {}: all their tokens end now", client.server()), yes)?;
                app.out.sheet(&client.disable_person(name.as_str(), &Reason { reason: reason.into() }).await?, sheet)?;
                let page = Page { limit: Some(1), ..Page::default() };
                if !client.duty_faults(None, Some(name.to_string()), &page).await?.items.is_empty() {
                    app.say(format!("{name} still owns open faults: lineman duty faults --owner {name}, then lineman fault assign"));
                }
            }
            Self::Enable { name, reason } => {
                app.out.sheet(&client.enable_person(name.as_str(), &Reason { reason: reason.into() }).await?, sheet)?;
            }
            Self::Password(password) => password.run(app).await?,
        }
        Ok(Exit::Done)
    }
}

impl Password {
    async fn run(self, app: &App) -> Result<(), Failure> {
        let client = app.client()?;
        let own = client.whoami().await?.name == self.name;
        let (old, new) = if self.password_stdin {
            let old = if own { Some(prompt::secret_from_stdin()?.expose().to_owned()) } else { None };
            (old, prompt::secret_from_stdin()?.expose().to_owned())
        } else {
            let instead = "use --password-stdin";
            let old = if own { Some(prompt::secret("old password", instead)?.expose().to_owned()) } else { None };
            let (new, again) = (prompt::secret("new password", instead)?, prompt::secret("again", instead)?);
            if new != again {
                return Err(Failure::usage("the two passwords differ"));
            }
            (old, new.expose().to_owned())
        };
        client.put_password(self.name.as_str(), &NewPassword { old, new }).await?;
        app.say(format!("the password of {} is changed; their other tokens have ended", self.name));
        Ok(())
    }
}

fn sheet(person: &Person) -> Sheet {
    let disabled = person.disabled.as_ref();
    let skills: Vec<_> = person.skills.iter().map(|skill| lineman_common::printable::escape(skill)).collect();
    Sheet {
        fields: vec![
            ("name", text(&person.name)),
            ("role", text(person.role)),
            ("customer", Cell::option(person.customer.as_ref())),
            ("level", Cell::option(person.level)),
            ("skills", text(skills.join(", "))),
            ("mail", Cell::option(person.mail.as_ref().map(|mail| lineman_common::printable::escape(mail)))),
            ("since", person.created_at.into()),
            ("disabled at", Cell::Time(disabled.map(|disabled| disabled.at))),
            ("disabled by", Cell::option(disabled.map(|disabled| &disabled.by))),
            ("because", Cell::option(disabled.map(|disabled| &disabled.reason))),
            ("id", text(person.id)),
        ],
        parts: Vec::new(),
    }
}

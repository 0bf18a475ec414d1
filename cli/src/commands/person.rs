//! `lineman person`: skills and levels, roles, who may not work here any more, passwords, links that sign in, tokens.

use clap::{Args, Subcommand};
use lineman_common::api::{ApiToken, NewPassword, NewRole, NewSignInLink, Person, Profile, Reason, SecondFactorCode};
use lineman_common::name::PersonName;
use lineman_common::people::Role;

use super::App;
use crate::client::{Client, Page};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Cell, Sheet, Table, text};
use crate::prompt;

/// People: skills and levels, roles, disable and enable, passwords, links that sign in, tokens
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  lineman person show engineer-a
  lineman person set engineer-a --skill olt --skill optics --level 2
  lineman person second-factor
  lineman person disable engineer-a --reason 'left the company'")]
pub enum Command {
    /// Show one person
    #[command(after_help = "Examples:\n  lineman person show engineer-a")]
    Show {
        name: PersonName,
    },
    Set(Set),
    /// Sign in with a one-time code beside the password from now on
    #[command(after_help = "Examples:\n  lineman person second-factor")]
    SecondFactor,
    /// Give your second factor up, with a code of it; or take another's away (admin), with a reason
    #[command(after_help = "Examples:
  lineman person no-second-factor --code 123456
  lineman person no-second-factor engineer-a --reason 'lost the phone'")]
    NoSecondFactor {
        #[arg(requires = "reason", required_unless_present = "code")]
        name: Option<PersonName>,
        #[arg(long)]
        reason: Option<String>,
        /// Six digits, or a recovery code
        #[arg(long, conflicts_with = "name")]
        code: Option<String>,
    },
    /// End every sign-in and every API token: your own, or (admin) anyone's
    #[command(after_help = "Examples:\n  lineman person sign-out engineer-a --yes")]
    SignOut {
        name: PersonName,
        /// Don't ask
        #[arg(short, long)]
        yes: bool,
    },
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
    /// Give somebody another role (admin); who belongs to a customer stays there
    #[command(after_help = "Examples:\n  lineman person role engineer-a duty_manager --reason 'leads the shift now'")]
    Role {
        name: PersonName,
        role: Role,
        #[arg(long)]
        reason: String,
    },
    /// Make a link that signs somebody in to the console, once (admin): for a first sign-in, or after a lost password
    #[command(
        after_help = "Examples:\n  lineman person sign-in-link engineer-a\n  lineman person sign-in-link engineer-a --minutes 60 -o json"
    )]
    SignInLink {
        name: PersonName,
        /// How long it counts
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..=60))]
        minutes: Option<u32>,
    },
    /// List what somebody is signed in with: yourself, or (admin) anyone
    #[command(after_help = "Examples:\n  lineman person tokens engineer-a")]
    Tokens {
        name: PersonName,
    },
    /// End one of somebody's sign-ins or API tokens, named as in `tokens`
    #[command(after_help = "Examples:\n  lineman person end-token engineer-a 0123456789abcdef --yes")]
    EndToken {
        name: PersonName,
        /// As `tokens` names it; not the token itself
        id: String,
        /// Don't ask
        #[arg(short, long)]
        yes: bool,
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
            Self::SecondFactor => second_factor(app, &client).await?,
            Self::NoSecondFactor { name: Some(name), reason, .. } => {
                let reason = Reason { reason: reason.unwrap_or_default().into() };
                app.out.sheet(&client.take_second_factor_away(name.as_str(), &reason).await?, sheet)?;
            }
            Self::NoSecondFactor { name: None, code, .. } => {
                client.give_up_second_factor(&SecondFactorCode { code: code.unwrap_or_default() }).await?;
                app.say("the password alone signs you in from now on");
            }
            Self::SignOut { name, yes } => {
                prompt::confirm(&format!("sign {name} out everywhere on {}: all their tokens end now", client.server()), yes)?;
                client.sign_out_everywhere(name.as_str()).await?;
            }
            Self::Role { name, role, reason } => {
                let new = NewRole { role, reason: reason.into() };
                app.out.sheet(&client.put_role(name.as_str(), &new).await?, sheet)?;
            }
            Self::SignInLink { name, minutes } => {
                let link = client.sign_in_link(name.as_str(), &NewSignInLink { minutes, reusable: false }).await?;
                app.out.sheet(&link, |link| Sheet {
                    fields: vec![("link", text(&link.url)), ("until", link.expires_at.into())],
                    parts: Vec::new(),
                })?;
            }
            Self::Tokens { name } => {
                let tokens = client.tokens(name.as_str()).await?;
                app.out.list(&tokens.items, token_table)?;
            }
            Self::EndToken { name, id, yes } => {
                prompt::confirm(&format!("end the token {id} of {name} on {}", client.server()), yes)?;
                client.end_token(name.as_str(), &id).await?;
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

/// The secret goes into an authenticator, which shows that it has it; the recovery codes are the answer.
async fn second_factor(app: &App, client: &Client) -> Result<(), Failure> {
    if !prompt::is_interactive() {
        return Err(Failure::usage("there is no terminal to ask for a code on"));
    }
    let secret = client.begin_second_factor().await?;
    app.say(format!("put this into your authenticator: {}\nor type its secret there: {}", secret.uri, secret.secret));
    let code = prompt::secret("the code that it shows now", "run it on a terminal")?.expose().to_owned();
    let codes = client.confirm_second_factor(&SecondFactorCode { code }).await?;
    app.say("each of these lets you in once when the device is lost; they are not shown again:");
    app.out.list(&codes.codes, |codes| Table::new(["recovery code"], codes.iter().map(|code| [text(code)])))
}

fn token_table(tokens: &[ApiToken]) -> Table {
    let row = |token: &ApiToken| {
        let label = lineman_common::printable::escape(&token.label);
        let current = if token.current { "this one" } else { "" };
        [text(&token.id), text(label), token.created_at.into(), token.expires_at.into(), text(current)]
    };
    Table::new(["id", "for", "since", "until", ""], tokens.iter().map(row))
}

fn sheet(person: &Person) -> Sheet {
    let disabled = person.disabled.as_ref();
    let skills: Vec<_> = person.skills.iter().map(|skill| lineman_common::printable::escape(skill)).collect();
    Sheet {
        fields: vec![
            ("name", text(&person.name)),
            ("role", text(person.role)),
            ("customer", Cell::option(person.customer.as_ref())),
            ("password", text(if person.password { "yes" } else { "no" })),
            ("second factor", text(if person.second_factor { "yes" } else { "no" })),
            ("identity provider", text(if person.oidc { "yes" } else { "no" })),
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

//! `lineman admin`: customers, sites, tiers, people, and the lists that the vendor's root signs.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use jiff::Timestamp;
use lineman_common::api::{ChainCheck, Customer, NewApiToken, NewCustomer, NewPerson, NewSite, Site, Tier};
use lineman_common::name::{CustomerCode, PersonName};
use lineman_common::people::Role;
use lineman_common::statement::{Namespace, Signed, SignerList, sig};

use super::sign_in::people_table;
use super::{App, word};
use crate::context::{Secret, write_private};
use crate::exit::{Exit, Failure, Outcome};
use crate::keys::Signer;
use crate::output::{Cell, Sheet, Table, Tone, duration_s, text, write_out};
use crate::prompt;

/// Administration: customers, sites, tiers, people, trust
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  lineman admin customer add --code JW --name '甲网' --tier gold
  lineman admin person add --name engineer-a --role engineer
  lineman admin roster publish roster --key vendor-root-key")]
pub enum Command {
    #[command(subcommand)]
    Tier(TierCommand),
    #[command(subcommand)]
    Customer(CustomerCommand),
    #[command(subcommand)]
    Site(SiteCommand),
    #[command(subcommand)]
    Person(PersonCommand),
    #[command(subcommand)]
    Token(TokenCommand),
    #[command(subcommand)]
    Roster(RosterCommand),
    #[command(subcommand)]
    Anchors(AnchorsCommand),
    #[command(subcommand)]
    Audit(AuditCommand),
}

/// Service tiers: the targets of the clocks
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:\n  lineman admin tier list")]
pub enum TierCommand {
    /// List the tiers
    #[command(after_help = "Examples:\n  lineman admin tier list -o json")]
    List,
    Set(TierSet),
}

/// Set a tier's targets; what is left out has no target
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  lineman admin tier set gold --accept 15m --respond 30m --restore 4h,8h,24h --resolve 1d,3d,10d")]
pub struct TierSet {
    name: String,
    /// K1
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    accept: Option<u32>,
    /// K2
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    respond: Option<u32>,
    /// K6 for critical, major, minor; `-` is no target
    #[arg(long, value_name = "C,M,m", value_parser = three)]
    restore: Option<[Option<u32>; 3]>,
    /// K7 for critical, major, minor; `-` is no target
    #[arg(long, value_name = "C,M,m", value_parser = three)]
    resolve: Option<[Option<u32>; 3]>,
}

/// Customers
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:\n  lineman admin customer list")]
pub enum CustomerCommand {
    /// List customers
    #[command(after_help = "Examples:\n  lineman admin customer list")]
    List,
    /// Add a customer
    #[command(after_help = "Examples:\n  lineman admin customer add --code JW --name '甲网' --tier gold")]
    Add {
        /// 2 to 8 capital letters or digits; part of fault numbers and device names
        #[arg(long)]
        code: CustomerCode,
        #[arg(long)]
        name: String,
        #[arg(long)]
        tier: String,
    },
}

/// Sites
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:\n  lineman admin site list")]
pub enum SiteCommand {
    /// List sites
    #[command(after_help = "Examples:\n  lineman admin site list")]
    List,
    /// Add a site
    #[command(
        after_help = "Examples:\n  lineman admin site add --customer JW --name 'Jinan 2' --zone Asia/Shanghai --latitude 36.65 --longitude 117.12"
    )]
    Add {
        #[arg(long, value_name = "CODE")]
        customer: CustomerCode,
        #[arg(long)]
        name: String,
        /// IANA time zone
        #[arg(long)]
        zone: String,
        #[arg(long, value_name = "DEGREES", allow_negative_numbers = true)]
        latitude: Option<f64>,
        #[arg(long, value_name = "DEGREES", allow_negative_numbers = true)]
        longitude: Option<f64>,
        /// How to get in
        #[arg(long, default_value = "")]
        access_notes: String,
    },
}

/// People
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:\n  lineman admin person list")]
pub enum PersonCommand {
    /// List people
    #[command(after_help = "Examples:\n  lineman admin person list")]
    List,
    /// Add a person; without a password they sign in by token only
    #[command(after_help = "Examples:
  lineman admin person add --name engineer-a --role engineer
  lineman admin person add --name noc-c --role noc --customer JW --password-stdin < password-file")]
    Add {
        #[arg(long)]
        name: PersonName,
        #[arg(long, value_parser = word::<Role>(Role::WORDS))]
        role: Role,
        /// For carriers' people
        #[arg(long, value_name = "CODE")]
        customer: Option<CustomerCode>,
        /// Read a password (12 characters or more) from stdin
        #[arg(long, conflicts_with = "ask_password")]
        password_stdin: bool,
        /// Ask for a password
        #[arg(long)]
        ask_password: bool,
    },
}

/// API tokens
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:\n  lineman admin token new engineer-a --label laptop --write token")]
pub enum TokenCommand {
    /// Make an API token for a person; it is shown once
    #[command(after_help = "Examples:
  lineman admin token new engineer-a --label laptop --write token
  lineman admin token new collector --label 'nightly export' --days 90 > token")]
    New {
        person: String,
        /// What it is for
        #[arg(long)]
        label: String,
        #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
        days: u32,
        /// Write it to this file, readable by you only, instead of stdout
        #[arg(long, value_name = "FILE")]
        write: Option<PathBuf>,
    },
}

/// The vendor's roster of engineers and gateways
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:\n  lineman admin roster show")]
pub enum RosterCommand {
    /// Show the published roster
    #[command(after_help = "Examples:\n  lineman admin roster show")]
    Show,
    /// Publish a roster, signed by the vendor root
    #[command(after_help = "Examples:
  lineman admin roster publish roster --key vendor-root-key
  ssh-keygen -Y sign -n roster@lineman -f vendor-root-key roster && lineman admin roster publish roster")]
    Publish {
        /// The list; its signature is in FILE.sig, unless --key signs it now
        file: PathBuf,
        /// The vendor root's private key
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
    },
}

/// A customer's anchors: who may vouch for its devices
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:\n  lineman admin anchors publish JW anchors-jw --key vendor-root-key")]
pub enum AnchorsCommand {
    /// Show a customer's published anchors
    #[command(after_help = "Examples:\n  lineman admin anchors show JW")]
    Show { customer: CustomerCode },
    /// Publish a customer's anchors, signed by the vendor root
    #[command(after_help = "Examples:\n  lineman admin anchors publish JW anchors-jw --key vendor-root-key")]
    Publish {
        customer: CustomerCode,
        /// The list; its signature is in FILE.sig, unless --key signs it now
        file: PathBuf,
        /// The vendor root's private key
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
    },
}

/// The event log's hash chain
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:\n  lineman admin audit chain")]
pub enum AuditCommand {
    /// Check that no stored event was changed or removed; exit code 8 when one was
    #[command(after_help = "Examples:\n  lineman admin audit chain\n  lineman admin audit chain --customer JW")]
    Chain {
        #[arg(long, value_name = "CODE")]
        customer: Option<CustomerCode>,
    },
}

fn duration(text: &str) -> Result<u32, String> {
    duration_s(text).map_err(|e| e.to_string())
}

fn three(text: &str) -> Result<[Option<u32>; 3], String> {
    let parts = text.split(',').map(|part| if part == "-" { Ok(None) } else { duration(part).map(Some) });
    let parts = parts.collect::<Result<Vec<_>, _>>()?;
    parts.try_into().map_err(|_| "expected three durations, like 4h,8h,24h".to_owned())
}

impl Command {
    pub async fn run(self, app: &App) -> Outcome {
        let client = app.client()?;
        match self {
            Self::Tier(TierCommand::List) => {
                let tiers = client.tiers().await?.items;
                app.out.list(&tiers, |tiers| tiers_table(tiers))?;
            }
            Self::Tier(TierCommand::Set(set)) => {
                let TierSet { name, accept, respond, restore, resolve } = set;
                // What this command doesn't name stays as it is.
                let known = client.tiers().await?.items.into_iter().find(|tier| tier.name == name).unwrap_or_default();
                let tier = Tier {
                    calendar: known.calendar,
                    kinds: known.kinds,
                    name,
                    accept_s: accept,
                    respond_s: respond,
                    restore_s: restore.unwrap_or_default(),
                    resolve_s: resolve.unwrap_or_default(),
                };
                let tier = client.put_tier(&tier).await?;
                app.out.row(&tier, |tiers| tiers_table(tiers.iter().copied()))?;
            }
            Self::Customer(CustomerCommand::List) => {
                let customers = client.customers().await?.items;
                app.out.list(&customers, |customers| customers_table(customers))?;
            }
            Self::Customer(CustomerCommand::Add { code, name, tier }) => {
                let customer = client.new_customer(&NewCustomer { code, name: name.into(), tier }).await?;
                app.out.row(&customer, |customers| customers_table(customers.iter().copied()))?;
            }
            Self::Site(SiteCommand::List) => {
                let sites = client.sites().await?.items;
                app.out.list(&sites, |sites| sites_table(sites))?;
            }
            Self::Site(SiteCommand::Add { customer, name, zone, latitude, longitude, access_notes }) => {
                let new = NewSite {
                    customer,
                    name: name.into(),
                    zone,
                    latitude_deg: latitude,
                    longitude_deg: longitude,
                    access_notes: access_notes.into(),
                };
                let site = client.new_site(&new).await?;
                app.out.row(&site, |sites| sites_table(sites.iter().copied()))?;
            }
            Self::Person(PersonCommand::List) => {
                let people = client.people().await?.items;
                app.out.list(&people, |people| people_table(&people.iter().collect::<Vec<_>>()))?;
            }
            Self::Person(PersonCommand::Add { name, role, customer, password_stdin, ask_password }) => {
                let password = password(app, password_stdin, ask_password)?;
                let new = NewPerson { name, role, customer, password: password.map(|password| password.expose().to_owned()) };
                let person = client.new_person(&new).await?;
                app.out.row(&person, people_table)?;
            }
            Self::Token(TokenCommand::New { person, label, days, write }) => {
                let reply = client.new_token(&person, &NewApiToken { label, days }).await?;
                app.say(format!("a token for {person}, valid until {}; it is not shown again", app.out.moment(reply.expires_at)));
                match write {
                    Some(path) => write_private(&path, format!("{}\n", reply.token).as_bytes())
                        .map_err(|e| Failure::failed(format!("can't write {}: {e}", path.display())))?,
                    None if app.out.is_json() => app.out.sheet(&reply, |_| Sheet::default())?,
                    None => write_out(&format!("{}\n", lineman_common::printable::escape(&reply.token)))?,
                }
            }
            Self::Roster(RosterCommand::Show) => show_list(app, "roster", &client.roster().await?)?,
            Self::Roster(RosterCommand::Publish { file, key }) => {
                let signed = signed_list(app, &file, key.as_deref(), "roster", "roster", Namespace::Roster)?;
                let gateways = SignerList::parse("roster", &signed.text)?.keys_for(Namespace::Gateway).count();
                client.put_roster(&signed).await?;
                app.say("the roster is published");
                if gateways == 0 {
                    app.say("WARNING: it lists no gateway key (namespaces=\"gateway@lineman\"): engineers' ssh will not know the centre, and nobody gets in");
                }
            }
            Self::Anchors(AnchorsCommand::Show { customer }) => {
                let anchors = client.trust(customer.as_str()).await?.anchors;
                let anchors = anchors.ok_or_else(|| Failure::new(Exit::NotFound, format!("no anchors of {customer} are published")))?;
                show_list(app, "anchors", &anchors)?;
            }
            Self::Anchors(AnchorsCommand::Publish { customer, file, key }) => {
                let signed = signed_list(app, &file, key.as_deref(), "anchors", &format!("anchors {customer}"), Namespace::Anchors)?;
                client.put_anchors(customer.as_str(), &signed).await?;
                app.say(format!("the anchors of {customer} are published"));
            }
            Self::Audit(AuditCommand::Chain { customer }) => {
                let chains = client.audit_chain(customer.as_ref().map(CustomerCode::as_str)).await?.items;
                app.out.list(&chains, chains_table)?;
                if chains.iter().any(|chain| chain.broken_at.is_some()) {
                    app.say("the log was changed: see `broken at`");
                    return Ok(Exit::CheckFailed);
                }
            }
        }
        Ok(Exit::Done)
    }
}

fn password(app: &App, from_stdin: bool, ask: bool) -> Result<Option<Secret>, Failure> {
    if from_stdin {
        return prompt::secret_from_stdin().map(Some);
    }
    if let Some(password) = app.env.get("LINEMAN_PASSWORD").filter(|_| ask) {
        return Ok(Some(Secret::new(password)));
    }
    if !ask {
        return Ok(None);
    }
    let instead = "use --password-stdin or LINEMAN_PASSWORD";
    let (first, second) = (prompt::secret("new password", instead)?, prompt::secret("again", instead)?);
    if first == second { Ok(Some(first)) } else { Err(Failure::usage("the two passwords differ")) }
}

/// Reads a list and its signature, or signs it now. A list that nobody could use is not published.
fn signed_list(
    app: &App,
    file: &Path,
    key: Option<&Path>,
    name: &'static str,
    kind: &str,
    namespace: Namespace,
) -> Result<Signed, Failure> {
    let read = |path: &Path| std::fs::read_to_string(path).map_err(|e| Failure::failed(format!("can't read {}: {e}", path.display())));
    let text = read(file)?;
    let list = SignerList::parse(name, &text)?;
    match &list.head {
        Some(head) if head.kind == kind => {}
        Some(head) => return Err(Failure::usage(format!("{} is a list `{}`, not `{kind}`", file.display(), head.kind))),
        None => {
            return Err(Failure::usage(format!("{} has no head", file.display()))
                .hint(format!("its first lines must be `# lineman-list: {kind}`, `# counter: N`, `# issued: TIME`, `# expiry: TIME`")));
        }
    }
    list.check_expiry(Timestamp::now())?;
    let signed = if let Some(key) = key {
        Signer::open(Some(key), &app.env)?.sign(namespace, text)?
    } else {
        let mut signature = file.as_os_str().to_owned();
        signature.push(".sig");
        let signature = read(Path::new(&signature)).map_err(|failure| {
            failure.hint(format!("sign it: ssh-keygen -Y sign -n {namespace} -f KEY {}, or add --key KEY", file.display()))
        })?;
        Signed { text, signature }
    };
    signed.signing_key(name, namespace)?;
    Ok(signed)
}

/// A list as it is published; who signed it is shown, not judged.
fn show_list(app: &App, name: &'static str, signed: &Signed) -> Result<(), Failure> {
    let list = SignerList::parse(name, &signed.text)?;
    if let Some(head) = &list.head {
        app.say(format!(
            "{}, number {}, issued {}, expires {}",
            head.kind,
            head.counter,
            app.out.moment(head.issued),
            app.out.moment(head.expiry)
        ));
    }
    if app.out.is_json() {
        return app.out.sheet(signed, |_| Sheet::default());
    }
    let rows = list.lines.iter().map(|line| {
        [
            text(line.principals.join(",")),
            text(line.namespaces.join(",")),
            text(sig::fingerprint(&line.key)),
            Cell::Time(line.valid_after),
            Cell::Time(line.valid_before),
        ]
    });
    let table = app.out.table(&Table::new(["who", "may sign", "key", "valid after", "valid before"], rows));
    write_out(&table)
}

fn tiers_table<'a>(tiers: impl IntoIterator<Item = &'a Tier>) -> Table {
    let three = |targets: &[Option<u32>; 3]| {
        let words = targets.map(|target| target.map_or_else(|| "-".to_owned(), |target| crate::output::span(u64::from(target))));
        text(words.join(" / "))
    };
    let row = |tier: &'a Tier| {
        [
            text(&tier.name),
            Cell::Seconds(tier.accept_s.map(u64::from)),
            Cell::Seconds(tier.respond_s.map(u64::from)),
            three(&tier.restore_s),
            three(&tier.resolve_s),
        ]
    };
    let head = ["tier", "accept (K1)", "respond (K2)", "restore (K6) critical / major / minor", "resolve (K7)"];
    Table::new(head, tiers.into_iter().map(row))
}

pub fn customers_table<'a>(customers: impl IntoIterator<Item = &'a Customer>) -> Table {
    let row = |customer: &'a Customer| {
        let stopped = customer.stopped.as_ref().map_or_else(
            || text(""),
            |stopped| Cell::toned(format!("by {} since {}: {}", stopped.by, stopped.at.strftime("%F %TZ"), stopped.reason), Tone::Bad),
        );
        [text(&customer.code), text(&customer.name), text(&customer.tier), customer.created_at.into(), stopped, text(customer.id)]
    };
    Table::new(["code", "name", "tier", "customer since", "stopped", "id"], customers.into_iter().map(row))
}

fn sites_table<'a>(sites: impl IntoIterator<Item = &'a Site>) -> Table {
    let row = |site: &'a Site| [text(&site.customer), text(&site.name), text(&site.zone), text(&site.access_notes), text(site.id)];
    Table::new(["customer", "site", "zone", "access", "id"], sites.into_iter().map(row))
}

fn chains_table(chains: &[ChainCheck]) -> Table {
    let row = |chain: &ChainCheck| {
        let broken = chain.broken_at.map_or_else(|| text(""), |seq| Cell::toned(seq, Tone::Bad));
        let customer = chain.customer.as_ref().map_or_else(|| "(centre)".to_owned(), ToString::to_string);
        [text(customer), text(chain.events), broken, text(&chain.head)]
    };
    Table::new(["customer", "events", "broken at", "head"], chains.iter().map(row))
}

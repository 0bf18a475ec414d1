//! `lineman equipment`: what stands at the carriers' sites, and who vouches for it.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use jiff::{SignedDuration, Timestamp};
use lineman_common::api::{Equipment, EquipmentSort, NewEquipment, Presence, Site, ViewList};
use lineman_common::health::HealthReport;
use lineman_common::id::SiteId;
use lineman_common::name::{CustomerCode, Handle, NeName};
use lineman_common::statement::{DeviceStatement, Namespace, device::openssh, sha256_hex};

use super::view::Asked;
use super::{App, Limit, word};
use crate::client::Client;
use crate::consents::{now, principal, sign_for};
use crate::context::write_private;
use crate::exit::{Exit, Failure, Outcome};
use crate::keys::Signer;
use crate::output::{Cell, Sheet, Table, Tone, duration_s, text, write_out};
use crate::prompt;
use crate::trust::Trust;

/// Equipment: list it, see its health, enrol it, vouch for it
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  lineman equipment list
  lineman equipment health ne-1.jw.ne
  lineman equipment token ne-1.jw.ne --write token")]
pub enum Command {
    /// List equipment
    #[command(
        after_help = "Examples:\n  lineman equipment list\n  lineman equipment list --customer JW -o csv\n  lineman equipment list --query 'online:no worst:critical' --sort worst"
    )]
    List {
        #[arg(long, value_name = "CODE")]
        customer: Option<CustomerCode>,
        #[command(flatten)]
        asked: Asked,
        /// In which order: by name unless told otherwise
        #[arg(long, value_parser = word::<EquipmentSort>(EquipmentSort::WORDS))]
        sort: Option<EquipmentSort>,
        #[command(flatten)]
        limit: Limit,
    },
    /// Show one piece of equipment
    #[command(after_help = "Examples:\n  lineman equipment show ne-1.jw.ne")]
    Show {
        #[arg(value_name = "NE")]
        equipment: String,
    },
    Health(Health),
    Add(Add),
    Token(Token),
    /// Show the host key that a device enrolled with, and the statement that vouches for it
    #[command(after_help = "Examples:\n  lineman equipment identity ne-1.jw.ne")]
    Identity {
        #[arg(value_name = "NE")]
        equipment: String,
    },
    Vouch(Vouch),
    #[command(subcommand)]
    Topology(super::topology::Command),
}

/// Show what the agent measured
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman equipment health ne-1.jw.ne
  lineman equipment health ne-1.jw.ne --metric sensor. --since 2h -o csv > fans.csv
  lineman equipment health ne-1.jw.ne --now")]
pub struct Health {
    #[arg(value_name = "NE")]
    equipment: String,
    /// Only metrics that begin like this
    #[arg(long, value_name = "PREFIX", default_value = "")]
    metric: String,
    /// All reports of this long, instead of the newest one
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    since: Option<u32>,
    /// Have the agent measure first
    #[arg(long)]
    now: bool,
}

/// Register equipment, before its agent enrols
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman equipment add --customer JW --handle ne-1 --site 'Jinan 2' --product OLT --model C320 --serial 219900012345")]
pub struct Add {
    #[arg(long, value_name = "CODE")]
    customer: CustomerCode,
    /// Its name, unique for the customer: a-z, 0-9 and `-`
    #[arg(long)]
    handle: Handle,
    /// The site's id or name
    #[arg(long)]
    site: String,
    #[arg(long)]
    product: String,
    #[arg(long)]
    model: String,
    #[arg(long)]
    serial: String,
    /// Version of its software
    #[arg(long, default_value = "")]
    software: String,
    /// Handle of the equipment that it is part of
    #[arg(long, value_name = "HANDLE")]
    parent: Option<Handle>,
}

/// Make a one-time enrolment token for a device's agent
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman equipment token ne-1.jw.ne --write token
  lineman equipment token ne-1.jw.ne | ssh device lineman-agent enrol --token-file - ...")]
pub struct Token {
    #[arg(value_name = "NE")]
    equipment: String,
    /// Write it to this file, readable by you only, instead of stdout
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

/// Vouch for a device with the carrier's technician key, and publish the statement
///
/// The statement is the text that `lineman-agent enrol` wrote on the device. It is signed only if it pins your own signers and
/// vendor root, and if the centre knows the device by the same host key.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman equipment vouch ne-1.jw.ne --statement device-statement --key ~/.ssh/technician
  lineman equipment vouch ne-1.jw.ne --statement device-statement --key technician --signers signers --vendor-root vendor-root --yes")]
pub struct Vouch {
    #[arg(value_name = "NE")]
    equipment: NeName,
    /// The unsigned statement that the agent wrote
    #[arg(long, value_name = "FILE")]
    statement: PathBuf,
    /// The key that is in your signers file for device@lineman
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Your signers file [default: `signers` in the trust directory]
    #[arg(long, value_name = "FILE")]
    signers: Option<PathBuf>,
    /// Your vendor root [default: `vendor-root` in the trust directory]
    #[arg(long, value_name = "FILE")]
    vendor_root: Option<PathBuf>,
    /// Don't ask
    #[arg(short, long)]
    yes: bool,
}

fn duration(text: &str) -> Result<u32, String> {
    duration_s(text).map_err(|e| e.to_string())
}

impl Command {
    pub async fn run(self, app: &App) -> Outcome {
        match self {
            Self::List { customer, asked, sort, limit } => {
                let client = &app.client()?;
                let parts: &Vec<_> = &customer.map(|customer| ("customer", customer.to_string())).into_iter().collect();
                let ask = &asked.read(client, ViewList::Equipment, sort.map(|sort| sort.to_string())).await?;
                let equipment = limit.read(app, |page| async move { client.equipment_rows(parts, ask, &page).await }).await?;
                app.out.list(&equipment, |equipment| equipment_table(equipment.iter().map(|row| &row.equipment)))?;
            }
            Self::Show { equipment } => {
                let equipment = app.client()?.equipment_show(&equipment).await?;
                app.out.sheet(&equipment, sheet)?;
            }
            Self::Health(health) => health.run(app).await?,
            Self::Add(add) => add.run(app).await?,
            Self::Token(token) => token.run(app).await?,
            Self::Identity { equipment } => {
                let identity = app.client()?.identity(&equipment).await?;
                app.out.sheet(&identity, |identity| Sheet {
                    fields: vec![
                        ("device", text(&identity.device)),
                        ("host key", text(&identity.host_key)),
                        ("fingerprint", Cell::option(fingerprint(&identity.host_key))),
                        ("vouched", text(if identity.statement.is_some() { "yes" } else { "no" })),
                    ],
                    parts: Vec::new(),
                })?;
            }
            Self::Vouch(vouch) => vouch.run(app).await?,
            Self::Topology(topology) => topology.run(app).await?,
        }
        Ok(Exit::Done)
    }
}

fn fingerprint(key: &str) -> Option<String> {
    let key = ssh_key::PublicKey::from_openssh(key).ok()?;
    Some(lineman_common::statement::sig::fingerprint(&key).to_string())
}

pub fn equipment_table<'a>(equipment: impl IntoIterator<Item = &'a Equipment>) -> Table {
    let row = |equipment: &'a Equipment| {
        let alarms = if equipment.active_alarms > 0 { Cell::toned(equipment.active_alarms, Tone::Bad) } else { text(0) };
        [
            text(&equipment.name),
            presence(equipment.presence),
            alarms,
            text(equipment.open_faults),
            text(&equipment.site),
            text(&equipment.product),
            text(&equipment.model),
            if equipment.vouched { text("yes") } else { Cell::toned("no", Tone::Warn) },
            Cell::Time(equipment.last_seen_at),
        ]
    };
    let head = ["name", "agent", "alarms", "faults", "site", "product", "model", "vouched", "last seen"];
    Table::new(head, equipment.into_iter().map(row))
}

fn presence(presence: Presence) -> Cell {
    let tone = match presence {
        Presence::Online => Tone::Good,
        Presence::Offline => Tone::Bad,
        Presence::Never => Tone::Dim,
    };
    Cell::toned(presence, tone)
}

fn sheet(equipment: &Equipment) -> Sheet {
    let fields = vec![
        ("name", text(&equipment.name)),
        ("site", text(&equipment.site)),
        ("product", text(&equipment.product)),
        ("model", text(&equipment.model)),
        ("serial", text(&equipment.serial)),
        ("software", text(&equipment.software)),
        ("parent", Cell::option(equipment.parent.as_ref())),
        ("agent", presence(equipment.presence)),
        ("agent version", Cell::option(equipment.agent.as_ref())),
        ("last seen", Cell::Time(equipment.last_seen_at)),
        ("vouched", text(if equipment.vouched { "yes" } else { "no" })),
        ("active alarms", text(equipment.active_alarms)),
        ("open faults", text(equipment.open_faults)),
        ("id", text(equipment.id)),
    ];
    Sheet { fields, parts: Vec::new() }
}

impl Health {
    async fn run(self, app: &App) -> Result<(), Failure> {
        let client = app.client()?;
        if self.now {
            client.report_now(&self.equipment).await?;
        }
        let from = self.since.map(|since| Timestamp::now() - SignedDuration::from_secs(i64::from(since)));
        let limit = if from.is_some() { None } else { Some(1) };
        let mut history = client.health(&self.equipment, from, None, limit).await?;
        for report in &mut history.reports {
            report.metrics.retain(|metric, _| metric.starts_with(&self.metric));
        }
        if history.reports.iter().all(|report| report.metrics.is_empty()) {
            app.say(format!("{} has reported nothing{}", history.device, if self.metric.is_empty() { "" } else { " by that name" }));
        }
        app.out.list(&history.reports, health_table)
    }
}

/// One value a line: a form that any program can filter and plot.
fn health_table(reports: &[HealthReport]) -> Table {
    let rows = reports
        .iter()
        .flat_map(|report| report.metrics.iter().map(|(metric, value)| [report.at.into(), text(metric), Cell::Number(*value)]));
    Table::new(["at", "metric", "value"], rows)
}

impl Add {
    async fn run(self, app: &App) -> Result<(), Failure> {
        let client = app.client()?;
        let new = NewEquipment {
            site: site(&client, &self.customer, &self.site).await?,
            customer: self.customer,
            handle: self.handle,
            product: self.product.into(),
            model: self.model.into(),
            serial: self.serial.into(),
            software: self.software.into(),
            parent: self.parent,
        };
        let equipment = client.new_equipment(&new).await?;
        app.out.row(&equipment, |equipment| equipment_table(equipment.iter().copied()))?;
        app.say(format!("next: lineman equipment token {}", equipment.name));
        Ok(())
    }
}

/// A site by its id or its name.
async fn site(client: &Client, customer: &CustomerCode, asked: &str) -> Result<SiteId, Failure> {
    if let Ok(id) = asked.parse() {
        return Ok(id);
    }
    let sites: Vec<Site> = client.sites().await?.items.into_iter().filter(|site| site.customer == *customer).collect();
    let mut found = sites.iter().filter(|site| site.name.raw() == asked);
    match (found.next(), found.next()) {
        (Some(site), None) => Ok(site.id),
        (Some(_), Some(_)) => Err(Failure::new(Exit::Conflict, format!("{customer} has several sites `{asked}`"))
            .hint("give the site's id: lineman admin site list")),
        (None, _) => {
            let known = sites.iter().map(|site| format!("`{}`", site.name)).collect::<Vec<_>>().join(", ");
            let known = if known.is_empty() { "it has none: lineman admin site add".to_owned() } else { format!("it has {known}") };
            Err(Failure::new(Exit::NotFound, format!("{customer} has no site `{asked}`")).hint(known))
        }
    }
}

impl Token {
    async fn run(self, app: &App) -> Result<(), Failure> {
        let reply = app.client()?.enrolment_token(&self.equipment).await?;
        app.say(format!("it works once, until {}", app.out.moment(reply.expires_at)));
        match self.write {
            Some(path) => {
                let line = format!("{}\n", reply.token);
                write_private(&path, line.as_bytes()).map_err(|e| Failure::failed(format!("can't write {}: {e}", path.display())))?;
                app.say(format!("next, on the device: lineman-agent enrol --token-file {}", path.display()));
                Ok(())
            }
            None if app.out.is_json() => app.out.sheet(&reply, |_| Sheet::default()),
            None => write_out(&format!("{}\n", lineman_common::printable::escape(&reply.token))),
        }
    }
}

impl Vouch {
    async fn run(self, app: &App) -> Result<(), Failure> {
        let settings = app.settings()?;
        let client = Client::new(&settings.connect()?)?;
        let key = settings.key(self.key.as_deref());
        let trust = Trust::open(&settings.trust(key.as_deref()), self.vendor_root.as_deref(), self.signers.as_deref())?;
        let signer = Signer::open(key.as_deref(), &app.env)?;
        let text = std::fs::read_to_string(&self.statement).map_err(|e| {
            Failure::failed(format!("can't read {}: {e}", self.statement.display())).hint("`lineman-agent enrol` writes it and says where")
        })?;
        let statement = DeviceStatement::read_unverified(&text)?;
        let at = now();
        let signers = trust.signers(&self.equipment.customer)?;
        let name = principal(&signers, &signer, Namespace::Device, Some(&statement.vouched_by), at)?;
        let enrolled = client.identity(&self.equipment.to_string()).await?;
        let own = (sha256_hex(trust.signers_text()?), sha256_hex(trust.vendor_root_text()));
        let checks = [
            (statement.device == self.equipment, format!("the statement is about {}", statement.device)),
            (
                statement.vouched_by == name,
                format!("the statement is to be signed by {}, but this is the key of {name}", statement.vouched_by),
            ),
            (statement.signers_sha256 == own.0, "the device pins another signers file than yours".to_owned()),
            (statement.vendor_root_sha256 == own.1, "the device pins another vendor root than yours".to_owned()),
            (
                same_key(&enrolled.host_key, &statement),
                "the centre knows the device by another host key: one of them is not the device".to_owned(),
            ),
            (statement.valid_before > at, format!("the statement ended at {}", statement.valid_before)),
        ];
        if let Some((_, why)) = checks.into_iter().find(|(holds, _)| !holds) {
            return Err(Failure::new(Exit::CheckFailed, why).hint("nothing was signed"));
        }
        app.say(format!("{} has {}", statement.device, statement.host_key_fingerprint()));
        app.say("compare it with what the device itself shows (lineman-agent status). you sign:");
        app.say(lineman_common::Printable::from(text.as_str()).block());
        if prompt::is_interactive() {
            prompt::confirm("sign this statement", self.yes)?;
        } else if !self.yes && self.key.is_none() {
            return Err(Failure::usage("not signed: without a terminal, the key must be named").hint("add --key FILE (or --yes)"));
        }
        let signed = sign_for(&signers, &signer, &name, Namespace::Device, text, at)?;
        client.put_statement(&self.equipment.to_string(), &signed).await?;
        app.say(format!("{} is vouched for until {}", statement.device, app.out.moment(statement.valid_before)));
        Ok(())
    }
}

fn same_key(enrolled: &str, statement: &DeviceStatement) -> bool {
    ssh_key::PublicKey::from_openssh(enrolled).is_ok_and(|key| openssh(&key) == openssh(&statement.host_key))
}

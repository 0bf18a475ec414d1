//! `lineman office`: the support centre's tree, and which of its offices a fault goes to.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use lineman_common::alarm::Severity;
use lineman_common::api::{
    ClockName, DutyHours, EscalationStep, Office, OfficeKind, OfficeName, Route, RouteQuestion, RoutingRule, RoutingRules,
};
use lineman_common::calendar::Weekday;
use lineman_common::id::SiteId;
use lineman_common::name::{CustomerCode, NeName, PersonName};

use super::{App, word};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{Cell, Sheet, Table, text};
use crate::prompt;

/// Offices: the support tree, what each covers, and where a fault would go
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  lineman office list
  lineman office add hq --kind hq --zone UTC
  lineman office add hotline-east --kind local --parent hq --zone Asia/Shanghai --customer JW --member engineer-a
  lineman office route ne-1.jw.ne")]
pub enum Command {
    /// List the offices
    #[command(after_help = "Examples:\n  lineman office list")]
    List,
    /// Show one office
    #[command(after_help = "Examples:\n  lineman office show hotline-east")]
    Show {
        office: OfficeName,
    },
    Add(Add),
    Set(Set),
    /// Delete an office that nothing speaks of
    #[command(after_help = "Examples:\n  lineman office delete hotline-east --yes")]
    Delete {
        office: OfficeName,
        /// Don't ask
        #[arg(short, long)]
        yes: bool,
    },
    /// Show the routing list: the first row that fits decides
    #[command(after_help = "Examples:\n  lineman office rules -o json > rules.json")]
    Rules,
    /// Set the whole routing list from a JSON file, as `office rules -o json` prints it
    #[command(after_help = "Examples:\n  lineman office set-rules rules.json")]
    SetRules {
        file: PathBuf,
    },
    Route(WhereTo),
}

/// Add an office; the first is the hq
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman office add hq --kind hq --zone UTC
  lineman office add olt --kind subcentre --parent hq --zone Asia/Shanghai --product OLT
  lineman office add hotline-east --kind local --parent olt --zone Asia/Shanghai --region Asia --staffed 'mon-fri 08:00-20:00'")]
pub struct Add {
    office: OfficeName,
    #[arg(long, value_parser = word::<OfficeKind>(OfficeKind::WORDS))]
    kind: OfficeKind,
    /// IANA time zone of its shifts
    #[arg(long)]
    zone: String,
    #[command(flatten)]
    fields: Fields,
}

/// Change an office; a list that is given takes the place of the one before
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman office set hotline-east --member engineer-a --member engineer-b
  lineman office set hotline-east --escalate K1@50/2 --escalate K1@75 --escalate K6@90=hq")]
pub struct Set {
    office: OfficeName,
    #[arg(long, value_parser = word::<OfficeKind>(OfficeKind::WORDS))]
    kind: Option<OfficeKind>,
    /// IANA time zone of its shifts
    #[arg(long)]
    zone: Option<String>,
    #[command(flatten)]
    fields: Fields,
}

#[derive(Debug, Args)]
pub struct Fields {
    /// What people call it
    #[arg(long)]
    title: Option<String>,
    /// The office above
    #[arg(long, value_name = "OFFICE")]
    parent: Option<OfficeName>,
    /// A customer that it covers; may be given several times
    #[arg(long, value_name = "CODE")]
    customer: Vec<CustomerCode>,
    /// A site that it covers
    #[arg(long, value_name = "ID")]
    site: Vec<SiteId>,
    /// A time zone of sites that it covers, or the first part of one
    #[arg(long, value_name = "ZONE")]
    region: Vec<String>,
    /// A product line that it knows
    #[arg(long)]
    product: Vec<String>,
    /// Somebody who works there
    #[arg(long, value_name = "PERSON")]
    member: Vec<PersonName>,
    /// Hours in which somebody should be on duty, like `mon-fri 08:00-20:00`
    #[arg(long, value_name = "HOURS", value_parser = hours)]
    staffed: Vec<DutyHours>,
    /// When a fault goes up: CLOCK@PERCENT, with =OFFICE or /LEVEL; `none` for never
    #[arg(long, value_name = "STEP", value_parser = Step::from_str)]
    escalate: Vec<Step>,
}

/// Ask where a fault of a device, or of a customer, would go now; nothing is changed
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman office route ne-1.jw.ne
  lineman office route --customer JW --severity critical --at 2026-12-25T03:00:00Z")]
pub struct WhereTo {
    #[arg(value_name = "NE", required_unless_present = "customer")]
    equipment: Option<NeName>,
    #[arg(long, value_name = "CODE", conflicts_with = "equipment")]
    customer: Option<CustomerCode>,
    #[arg(long, value_parser = word::<Severity>(Severity::WORDS))]
    severity: Option<Severity>,
    /// Another moment than now
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
}

/// One `--escalate`; none of them is the word `none`.
#[derive(Clone, Debug)]
pub struct Step(Option<EscalationStep>);

impl FromStr for Step {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self(None));
        }
        let (text, to) = match text.split_once('=') {
            Some((rest, to)) => (rest, Some(to.parse::<OfficeName>().map_err(|e| e.to_string())?)),
            None => (text, None),
        };
        let (text, level) = match text.split_once('/') {
            Some((rest, level)) => (rest, Some(level.parse::<u8>().map_err(|_| "a level is 1, 2 or 3".to_owned())?)),
            None => (text, None),
        };
        let (clock, percent) = text.split_once('@').ok_or("expected CLOCK@PERCENT, like K1@75")?;
        let clock: ClockName = clock.parse().map_err(|e: lineman_common::error::UnknownWord| e.to_string())?;
        let percent = percent.parse().map_err(|_| "the percent are 50, 75, 90 or 100".to_owned())?;
        Ok(Self(Some(EscalationStep { clock, percent, to, level })))
    }
}

/// `mon-fri 08:00-20:00`, `sat,sun 10:00-16:00`, or the hours alone for every day.
pub fn hours(text: &str) -> Result<DutyHours, String> {
    let (days, times) = text.trim().rsplit_once(' ').map_or((Vec::new(), text.trim()), |(days, times)| (vec![days], times));
    let days = days.into_iter().map(days_of).collect::<Result<Vec<_>, _>>()?.concat();
    let (from, to) = times.split_once('-').ok_or("expected hours like 08:00-20:00")?;
    let time = |text: &str| text.parse().map_err(|e: lineman_common::api::BadOfficeText| e.to_string());
    Ok(DutyHours { days, from: time(from)?, to: time(to)? })
}

/// `mon-fri`, or `mon,wed,fri`.
pub fn days_of(text: &str) -> Result<Vec<Weekday>, String> {
    let day = |text: &str| text.trim().parse::<Weekday>().map_err(|e| e.to_string());
    let part = |part: &str| match part.split_once('-') {
        Some((first, last)) => {
            let (first, last) = (day(first)?, day(last)?);
            let from_first = Weekday::ALL.iter().copied().cycle().skip_while(|one| *one != first);
            let mut days: Vec<_> = from_first.take(7).collect();
            days.truncate(days.iter().position(|one| *one == last).unwrap_or(6) + 1);
            Ok(days)
        }
        None => Ok(vec![day(part)?]),
    };
    Ok(text.split(',').map(part).collect::<Result<Vec<_>, String>>()?.concat())
}

impl Fields {
    fn lay_over(self, office: &mut Office) {
        fn over<T>(list: &mut Vec<T>, given: Vec<T>) {
            if !given.is_empty() {
                *list = given;
            }
        }
        let Self { title, parent, customer, site, region, product, member, staffed, escalate } = self;
        if let Some(title) = title {
            office.title = title.into();
        }
        office.parent = parent.or_else(|| office.parent.take());
        over(&mut office.customers, customer);
        over(&mut office.sites, site);
        over(&mut office.regions, region);
        over(&mut office.products, product);
        over(&mut office.members, member);
        over(&mut office.staffed, staffed);
        if !escalate.is_empty() {
            office.escalation = Some(escalate.into_iter().filter_map(|step| step.0).collect());
        }
    }
}

impl Command {
    pub async fn run(self, app: &App) -> Outcome {
        let client = app.client()?;
        match self {
            Self::List => {
                let offices = client.offices().await?.items;
                app.out.list(&offices, |offices| offices_table(offices))?;
            }
            Self::Show { office } => app.out.sheet(&client.office(office.as_str()).await?, sheet)?,
            Self::Add(Add { office, kind, zone, fields }) => {
                let mut office = Office {
                    name: office,
                    title: "".into(),
                    kind,
                    parent: None,
                    zone,
                    customers: Vec::new(),
                    sites: Vec::new(),
                    regions: Vec::new(),
                    products: Vec::new(),
                    members: Vec::new(),
                    staffed: Vec::new(),
                    escalation: None,
                };
                fields.lay_over(&mut office);
                app.out.sheet(&client.new_office(&office).await?, sheet)?;
            }
            Self::Set(Set { office, kind, zone, fields }) => {
                let mut office = client.office(office.as_str()).await?;
                office.kind = kind.unwrap_or(office.kind);
                office.zone = zone.unwrap_or(office.zone);
                fields.lay_over(&mut office);
                app.out.sheet(&client.put_office(&office).await?, sheet)?;
            }
            Self::Delete { office, yes } => {
                prompt::confirm(&format!("delete the office {office} on {}", client.server()), yes)?;
                client.delete_office(office.as_str()).await?;
                app.say(format!("{office} is deleted"));
            }
            Self::Rules => show_rules(app, &client.routing_rules().await?.items)?,
            Self::SetRules { file } => show_rules(app, &client.put_routing_rules(&read_rules(&file)?).await?.items)?,
            Self::Route(WhereTo { equipment, customer, severity, at }) => {
                let route = client.route(&RouteQuestion { equipment, customer, severity, at }).await?;
                app.out.sheet(&route, route_sheet)?;
            }
        }
        Ok(Exit::Done)
    }
}

fn read_rules(file: &Path) -> Result<RoutingRules, Failure> {
    let wrong = |e: &dyn std::fmt::Display| Failure::usage(format!("{}: {e}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|e| wrong(&e))?;
    Ok(RoutingRules { rules: serde_json::from_str(&text).map_err(|e| wrong(&e))? })
}

fn joined<T: ToString>(list: &[T]) -> Cell {
    text(list.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
}

fn texts(list: &[String]) -> Cell {
    text(list.iter().map(|one| lineman_common::printable::escape(one)).collect::<Vec<_>>().join(", "))
}

fn offices_table<'a>(offices: impl IntoIterator<Item = &'a Office>) -> Table {
    let row = |office: &'a Office| {
        [
            text(&office.name),
            text(office.kind),
            Cell::option(office.parent.as_ref()),
            text(&office.zone),
            joined(&office.members),
            text(&office.title),
        ]
    };
    Table::new(["name", "kind", "parent", "zone", "members", "title"], offices.into_iter().map(row))
}

fn words_of(hours: &DutyHours) -> String {
    let days: Vec<_> = hours.days.iter().map(|day| day.as_str()).collect();
    let days = if days.is_empty() { "every day".to_owned() } else { days.join(",") };
    format!("{days} {}-{}", hours.from, hours.to)
}

fn sheet(office: &Office) -> Sheet {
    let step = |step: &EscalationStep| {
        let to = step.to.as_ref().map(|to| format!("={to}")).unwrap_or_default();
        let level = step.level.map(|level| format!("/{level}")).unwrap_or_default();
        format!("{}@{}{level}{to}", step.clock, step.percent)
    };
    let escalation = match &office.escalation {
        None => "75 and 100 % of K1, K2, K4, K5, K6 to the office above".to_owned(),
        Some(steps) if steps.is_empty() => "none".to_owned(),
        Some(steps) => steps.iter().map(step).collect::<Vec<_>>().join(", "),
    };
    let staffed = office.staffed.iter().map(words_of).collect::<Vec<_>>();
    Sheet {
        fields: vec![
            ("name", text(&office.name)),
            ("title", text(&office.title)),
            ("kind", text(office.kind)),
            ("parent", Cell::option(office.parent.as_ref())),
            ("zone", text(&office.zone)),
            ("customers", joined(&office.customers)),
            ("sites", joined(&office.sites)),
            ("regions", texts(&office.regions)),
            ("products", texts(&office.products)),
            ("members", joined(&office.members)),
            ("staffed", if staffed.is_empty() { text("always") } else { text(staffed.join("; ")) }),
            ("escalation", text(escalation)),
        ],
        parts: Vec::new(),
    }
}

fn show_rules(app: &App, rules: &[RoutingRule]) -> Result<(), Failure> {
    app.out.list(rules, |rules| {
        let row = |(place, rule): (u32, &RoutingRule)| {
            [
                text(place),
                text(&rule.name),
                joined(&rule.customers),
                texts(&rule.regions),
                texts(&rule.products),
                Cell::option(rule.severity),
                text(&rule.office),
                texts(&rule.skills),
                Cell::option(rule.level),
            ]
        };
        Table::new(
            ["place", "name", "customers", "regions", "products", "severity", "office", "skills", "level"],
            (1..).zip(rules).map(row),
        )
    })
}

fn route_sheet(route: &Route) -> Sheet {
    let fields = vec![
        ("office", text(&route.office)),
        ("person", Cell::option(route.person.as_ref())),
        ("skills", texts(&route.skills)),
        ("level", text(route.level)),
    ];
    Sheet { fields, parts: vec![("why", Table::new(["step"], route.why.iter().map(|step| [text(&step.en)])))] }
}

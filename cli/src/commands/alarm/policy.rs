//! Shelves, profiles and maintenance windows.

use clap::{Args, Subcommand};
use jiff::{SignedDuration, Timestamp};
use lineman_common::alarm::{Severity, WindowState};
use lineman_common::api::{AlarmProfile, MaintenanceWindow, NewAlarmProfile, NewMaintenanceWindow, NewShelf, Shelf, ShelfOrder};
use lineman_common::id::ShelfId;
use lineman_common::name::{CustomerCode, NeName};

use super::Because;
use crate::client::{AlarmFilter, Client};
use crate::commands::fault::severity;
use crate::commands::{App, Limit, word};
use crate::exit::Failure;
use crate::output::{Cell, Table, Tone, duration_s, text};

pub fn duration(text: &str) -> Result<u32, String> {
    duration_s(text).map_err(|e| e.to_string())
}

fn from_now(seconds: u32) -> Timestamp {
    Timestamp::now() + SignedDuration::from_secs(i64::from(seconds))
}

// ---- Shelves --------------------------------------------------------------------------------------------------------

/// Put alarms away: they are followed, and open no faults
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman alarm shelve --equipment ne-1.jw.ne --type 'door.*' --for 2h --why 'painters are in'
  lineman alarm shelve --customer JW --type battery.low --up-to minor --why 'new batteries are ordered'")]
pub struct Shelve {
    /// Whose alarms [default: your own, or the equipment's]
    #[arg(long, value_name = "CODE")]
    customer: Option<CustomerCode>,
    /// On this equipment, or on anything that hangs on it
    #[arg(long, value_name = "NE")]
    equipment: Option<NeName>,
    /// Alarm type; `*` stands for anything; may be given several times
    #[arg(long = "type", value_name = "PATTERN")]
    types: Vec<String>,
    /// The part of the equipment; `*` stands for anything
    #[arg(long, value_name = "PATTERN")]
    qualifier: Option<String>,
    /// Only up to this severity
    #[arg(long, value_name = "SEVERITY", value_parser = word::<Severity>(Severity::WORDS))]
    up_to: Option<Severity>,
    /// The shelf goes by itself after this
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    lasts: Option<u32>,
    /// Its place among the shelves, from 1 [default: the last]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    place: Option<u32>,
    #[command(flatten)]
    because: Because,
}

impl Shelve {
    pub async fn run(self, app: &App, client: &Client) -> Result<(), Failure> {
        let new = NewShelf {
            customer: self.customer,
            equipment: self.equipment,
            types: self.types,
            qualifier: self.qualifier,
            up_to: self.up_to,
            until: self.lasts.map(from_now),
            place: self.place,
            why: self.because.why.into(),
        };
        let shelf = client.new_shelf(&new).await?;
        app.out.row(&shelf, |shelves| shelves_table(shelves.iter().copied()))
    }
}

/// Take a shelf away: what lay on it comes back
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  lineman alarm unshelve shf_0123456789abcdef0123456789abcdef --why 'painters have gone'")]
pub struct Remove {
    #[arg(value_name = "SHELF")]
    id: String,
    #[command(flatten)]
    because: Because,
}

impl Remove {
    pub async fn shelf(self, app: &App, client: &Client) -> Result<(), Failure> {
        client.remove_shelf(&self.id, &self.because.body()).await?;
        app.say(format!("{} is taken away", lineman_common::printable::escape(&self.id)));
        Ok(())
    }
}

/// The shelves and their order: the first that fits takes an alarm
#[derive(Debug, Subcommand)]
#[command(
    after_help = "Examples:\n  lineman alarm shelves list\n  lineman alarm shelves order shf_0123456789abcdef0123456789abcdef --why x"
)]
pub enum Shelves {
    /// List the shelves in their order
    #[command(after_help = "Examples:\n  lineman alarm shelves list --customer JW")]
    List {
        #[arg(long, value_name = "CODE")]
        customer: Option<CustomerCode>,
    },
    /// Put all shelves of a customer into a new order
    #[command(
        after_help = "Examples:\n  lineman alarm shelves order shf_0123456789abcdef0123456789abcdef shf_1123456789abcdef0123456789abcdef --why 'doors first'"
    )]
    Order {
        #[arg(required = true, value_name = "SHELF")]
        shelves: Vec<ShelfId>,
        #[command(flatten)]
        because: Because,
    },
}

impl Shelves {
    pub async fn run(self, app: &App, client: &Client) -> Result<(), Failure> {
        let shelves = match self {
            Self::List { customer } => client.shelves(customer.as_ref().map(CustomerCode::as_str)).await?,
            Self::Order { shelves, because } => client.order_shelves(&ShelfOrder { shelves, why: because.why.into() }).await?,
        };
        app.out.list(&shelves.items, |shelves| shelves_table(shelves))
    }
}

fn shelves_table<'a>(shelves: impl IntoIterator<Item = &'a Shelf>) -> Table {
    let row = |shelf: &'a Shelf| {
        [
            text(&shelf.customer),
            text(shelf.place),
            Cell::option(shelf.equipment.as_ref()),
            text(shelf.types.join(" ")),
            Cell::option(shelf.qualifier.as_ref()),
            Cell::option(shelf.up_to),
            Cell::Time(shelf.until),
            text(shelf.alarms),
            text(&shelf.by),
            text(&shelf.why),
            text(shelf.id),
        ]
    };
    let head = ["customer", "place", "equipment", "types", "qualifier", "up to", "until", "alarms", "by", "why", "id"];
    Table::new(head, shelves.into_iter().map(row))
}

// ---- Profiles -------------------------------------------------------------------------------------------------------

/// Alarm profiles: another severity for alarms of a type
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  lineman alarm profile list
  lineman alarm profile set 'battery.*' --severity critical --customer JW --why 'no generator there'")]
pub enum Profile {
    /// List the profiles
    #[command(after_help = "Examples:\n  lineman alarm profile list")]
    List,
    Set(SetProfile),
    /// Take a profile away
    #[command(after_help = "Examples:\n  lineman alarm profile remove prf_0123456789abcdef0123456789abcdef --why 'there is one'")]
    Remove {
        #[arg(value_name = "PROFILE")]
        id: String,
        #[command(flatten)]
        because: Because,
    },
}

/// Have alarms of a type count with another severity
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman alarm profile set 'battery.*' --severity critical --customer JW --why 'no generator there'
  lineman alarm profile set fan.speed --product OLT --severity minor --why 'three fans, one is enough'")]
pub struct SetProfile {
    /// Alarm type; `*` stands for anything
    #[arg(value_name = "PATTERN")]
    alarm_type: String,
    #[arg(long, value_parser = word::<Severity>(Severity::WORDS))]
    severity: Severity,
    #[arg(long, value_name = "CODE")]
    customer: Option<CustomerCode>,
    /// A product line, as equipment names it
    #[arg(long)]
    product: Option<String>,
    /// The part of the equipment; `*` stands for anything
    #[arg(long, value_name = "PATTERN")]
    qualifier: Option<String>,
    #[command(flatten)]
    because: Because,
}

impl Profile {
    pub async fn run(self, app: &App, client: &Client) -> Result<(), Failure> {
        match self {
            Self::List => app.out.list(&client.profiles().await?.items, |profiles| profiles_table(profiles)),
            Self::Set(set) => {
                let new = NewAlarmProfile {
                    customer: set.customer,
                    product: set.product,
                    alarm_type: set.alarm_type,
                    qualifier: set.qualifier,
                    severity: set.severity,
                    why: set.because.why.into(),
                };
                app.out.row(&client.new_profile(&new).await?, |profiles| profiles_table(profiles.iter().copied()))
            }
            Self::Remove { id, because } => {
                client.remove_profile(&id, &because.body()).await?;
                app.say(format!("{} is taken away", lineman_common::printable::escape(&id)));
                Ok(())
            }
        }
    }
}

fn profiles_table<'a>(profiles: impl IntoIterator<Item = &'a AlarmProfile>) -> Table {
    let row = |profile: &'a AlarmProfile| {
        [
            text(&profile.alarm_type),
            Cell::option(profile.qualifier.as_ref()),
            severity(profile.severity),
            Cell::option(profile.customer.as_ref()),
            Cell::option(profile.product.as_ref()),
            text(&profile.by),
            text(&profile.why),
            text(profile.id),
        ]
    };
    Table::new(["alarm", "qualifier", "severity", "customer", "product", "by", "why", "id"], profiles.into_iter().map(row))
}

// ---- Windows --------------------------------------------------------------------------------------------------------

/// Maintenance windows: planned work, during which alarms open no faults
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  lineman alarm window list
  lineman alarm window plan ne-1.jw.ne --at 2026-12-01T22:00:00Z --for 4h --why 'new software'
  lineman alarm window end win_0123456789abcdef0123456789abcdef --why 'done early'")]
pub enum Window {
    /// List the windows, the newest first
    #[command(after_help = "Examples:\n  lineman alarm window list --state active")]
    List {
        #[arg(long, value_parser = word::<WindowState>(WindowState::WORDS))]
        state: Option<WindowState>,
        #[arg(long, value_name = "CODE")]
        customer: Option<CustomerCode>,
        #[command(flatten)]
        limit: Limit,
    },
    /// Show one window
    #[command(after_help = "Examples:\n  lineman alarm window show win_0123456789abcdef0123456789abcdef")]
    Show {
        #[arg(value_name = "WINDOW")]
        id: String,
    },
    Plan(Plan),
    /// End a window now, or take back one that has not begun
    #[command(after_help = "Examples:\n  lineman alarm window end win_0123456789abcdef0123456789abcdef --why 'done early'")]
    End {
        #[arg(value_name = "WINDOW")]
        id: String,
        #[command(flatten)]
        because: Because,
    },
}

/// Plan work on equipment; what hangs on it is covered too
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman alarm window plan ne-1.jw.ne --for 2h --why 'new software'
  lineman alarm window plan ne-1.jw.ne ne-2.jw.ne --at 2026-12-01T22:00:00Z --for 4h --why 'new batteries'")]
pub struct Plan {
    #[arg(required = true, value_name = "NE")]
    equipment: Vec<NeName>,
    /// When it begins, like 2026-12-01T22:00:00Z [default: now]
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    lasts: u32,
    #[command(flatten)]
    because: Because,
}

impl Window {
    pub async fn run(self, app: &App, client: &Client) -> Result<(), Failure> {
        let window = match self {
            Self::List { state, customer, limit } => {
                let texts = [("state", state.map(|state| state.to_string())), ("customer", customer.map(|code| code.to_string()))];
                let filter: AlarmFilter = texts.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
                let filter = &filter;
                let windows = limit.read(app, |page| async move { client.windows(filter, &page).await }).await?;
                return app.out.list(&windows, |windows| windows_table(windows));
            }
            Self::Show { id } => client.window(&id).await?,
            Self::Plan(plan) => {
                let starts_at = plan.at.unwrap_or_else(Timestamp::now);
                let ends_at = starts_at + SignedDuration::from_secs(i64::from(plan.lasts));
                let new = NewMaintenanceWindow { equipment: plan.equipment, starts_at, ends_at, why: plan.because.why.into() };
                client.new_window(&new).await?
            }
            Self::End { id, because } => client.end_window(&id, &because.body()).await?,
        };
        app.out.row(&window, |windows| windows_table(windows.iter().copied()))
    }
}

fn windows_table<'a>(windows: impl IntoIterator<Item = &'a MaintenanceWindow>) -> Table {
    let row = |window: &'a MaintenanceWindow| {
        let state = match window.state {
            WindowState::Active => Cell::toned(window.state, Tone::Warn),
            WindowState::Planned => text(window.state),
            WindowState::Ended | WindowState::Cancelled => Cell::toned(window.state, Tone::Dim),
        };
        [
            state,
            window.starts_at.into(),
            window.ends_at.into(),
            text(window.equipment.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")),
            text(&window.by),
            text(&window.why),
            Cell::option(window.ended_why.as_ref()),
            text(window.id),
        ]
    };
    Table::new(["state", "starts", "ends", "equipment", "by", "why", "ended", "id"], windows.into_iter().map(row))
}

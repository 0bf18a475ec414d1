//! `lineman alarm`: what the equipment says, and what operators do with it.

mod policy;
mod rule;
mod show;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use lineman_common::Printable;
use lineman_common::alarm::{OperatorState, Severity};
use lineman_common::api::{Acknowledgement, Alarm, AlarmAction, ViewList, Why};
use lineman_common::name::{CustomerCode, NeName};

use super::fault::{resource_state, severity};
use super::view::Asked;
use super::{App, Limit, word};
use crate::client::{AlarmFilter, Client};
use crate::exit::{Exit, Outcome};
use crate::output::{Cell, Table, Tone, text};
use crate::prompt;

/// Alarms: list, acknowledge, shelve them; plan maintenance; say what explains what
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  lineman alarm list --severity critical,major
  lineman alarm ack alm_0123456789abcdef0123456789abcdef --why 'known, fan is ordered'
  lineman alarm shelve --equipment ne-1.jw.ne --type 'door.*' --for 2h --why 'painters are in'
  lineman alarm window plan ne-1.jw.ne --for 2h --why 'new software'")]
pub enum Command {
    List(Box<List>),
    /// Show one alarm, with its last 32 changes
    #[command(after_help = "Examples:\n  lineman alarm show alm_0123456789abcdef0123456789abcdef")]
    Show {
        alarm: String,
    },
    /// Say that it was seen, and why it can wait
    #[command(after_help = "Examples:\n  lineman alarm ack alm_0123456789abcdef0123456789abcdef --why 'known'")]
    Ack(Mark),
    /// Say that nothing is left to do about it
    #[command(after_help = "Examples:\n  lineman alarm close alm_0123456789abcdef0123456789abcdef --why 'spliced'")]
    Close(Mark),
    /// Take the mark of an operator off
    #[command(after_help = "Examples:\n  lineman alarm unmark alm_0123456789abcdef0123456789abcdef --why 'it was another one'")]
    Unmark(Mark),
    /// Count alarms by severity, operator state and shelving
    #[command(after_help = "Examples:\n  lineman alarm summary")]
    Summary,
    Shelve(policy::Shelve),
    Unshelve(policy::Remove),
    #[command(subcommand)]
    Shelves(policy::Shelves),
    /// Delete cleared and closed alarms, with their history; those of open faults stay
    #[command(after_help = "Examples:
  lineman alarm purge --older-than 90d --why 'yearly cleaning' --dry-run
  lineman alarm purge --older-than 90d --why 'yearly cleaning' --yes")]
    Purge(Act),
    /// Keep only the newest change of cleared and closed alarms
    #[command(after_help = "Examples:\n  lineman alarm compress --customer JW --older-than 30d --why 'room' --yes")]
    Compress(Act),
    #[command(subcommand)]
    Profile(policy::Profile),
    #[command(subcommand)]
    Window(policy::Window),
    #[command(subcommand)]
    Rule(rule::Command),
}

/// Who acts says why
#[derive(Debug, Args)]
pub struct Because {
    /// Why; everybody who looks at it later reads this
    #[arg(long, value_name = "TEXT", alias = "note")]
    pub why: String,
}

impl Because {
    pub fn body(self) -> Why {
        Why { why: self.why.into() }
    }
}

#[derive(Debug, Args)]
pub struct Mark {
    alarm: String,
    #[command(flatten)]
    because: Because,
}

/// List alarms; raised ones unless told otherwise
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman alarm list
  lineman alarm list --state all --under ne-1.jw.ne
  lineman alarm list --severity critical --operator none --shelved no --suppressed no
  lineman alarm list --root alm_0123456789abcdef0123456789abcdef
  lineman alarm list --query 'sev:critical site:成都 -ack:acknowledged'
  lineman alarm list -o csv > alarms.csv")]
pub struct List {
    #[command(flatten)]
    asked: Asked,
    /// Raised ones when neither this nor the query says
    #[arg(long, value_parser = ["raised", "cleared", "all"])]
    state: Option<String>,
    /// Only these, separated by commas
    #[arg(long, value_name = "SEVERITY", value_delimiter = ',', value_parser = word::<Severity>(Severity::WORDS))]
    severity: Vec<Severity>,
    /// Only with this mark of an operator
    #[arg(long, value_name = "STATE", value_parser = word::<OperatorState>(OperatorState::WORDS))]
    operator: Option<OperatorState>,
    /// On a shelf, or not
    #[arg(long, value_parser = YES_NO)]
    shelved: Option<String>,
    /// Explained by a root cause, or not
    #[arg(long, value_parser = YES_NO)]
    suppressed: Option<String>,
    #[arg(long, value_parser = YES_NO)]
    flapping: Option<String>,
    /// Covered by a maintenance window, or not
    #[arg(long, value_parser = YES_NO)]
    maintenance: Option<String>,
    #[arg(long, value_name = "NE")]
    equipment: Option<NeName>,
    /// The equipment and everything that hangs on it
    #[arg(long, value_name = "NE")]
    under: Option<NeName>,
    #[arg(long, value_name = "CODE")]
    customer: Option<CustomerCode>,
    #[arg(long)]
    fault: Option<String>,
    /// What this alarm explains
    #[arg(long, value_name = "ALARM")]
    root: Option<String>,
    /// What text, type or qualifier contain
    #[arg(long)]
    text: Option<String>,
    #[command(flatten)]
    limit: Limit,
}

const YES_NO: [&str; 2] = ["yes", "no"];

/// Which alarms are purged or compressed
#[derive(Debug, Args)]
pub struct Act {
    #[arg(long, value_name = "CODE")]
    customer: Option<CustomerCode>,
    /// This equipment and everything that hangs on it
    #[arg(long, value_name = "NE")]
    equipment: Option<NeName>,
    #[arg(long, value_parser = word::<Severity>(Severity::WORDS))]
    severity: Option<Severity>,
    #[arg(long, value_name = "STATE", value_parser = word::<OperatorState>(OperatorState::WORDS))]
    operator: Option<OperatorState>,
    /// Changed longer ago than this
    #[arg(long, value_name = "DURATION", value_parser = policy::duration)]
    older_than: Option<u32>,
    /// Only say how many it would be
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    because: Because,
    /// Don't ask
    #[arg(short, long)]
    yes: bool,
}

impl Command {
    pub async fn run(self, app: &App) -> Outcome {
        let client = app.client()?;
        match self {
            Self::List(list) => list.run(app, &client).await?,
            Self::Show { alarm } => app.out.sheet(&client.alarm(&alarm).await?, show::sheet)?,
            Self::Ack(mark) => {
                let note = Acknowledgement { note: mark.because.why.into() };
                row(app, &client.acknowledge(&mark.alarm, &note).await?)?;
            }
            Self::Close(mark) => row(app, &client.close_alarm(&mark.alarm, &mark.because.body()).await?)?,
            Self::Unmark(mark) => row(app, &client.unmark_alarm(&mark.alarm, &mark.because.body()).await?)?,
            Self::Summary => app.out.sheet(&client.alarm_summary().await?, show::summary)?,
            Self::Shelve(shelve) => shelve.run(app, &client).await?,
            Self::Unshelve(remove) => remove.shelf(app, &client).await?,
            Self::Shelves(shelves) => shelves.run(app, &client).await?,
            Self::Purge(act) => act.run(app, &client, true).await?,
            Self::Compress(act) => act.run(app, &client, false).await?,
            Self::Profile(profile) => profile.run(app, &client).await?,
            Self::Window(window) => window.run(app, &client).await?,
            Self::Rule(rule) => rule.run(app, &client).await?,
        }
        Ok(Exit::Done)
    }
}

fn row(app: &App, alarm: &Alarm) -> Result<(), crate::exit::Failure> {
    app.out.row(alarm, |alarms| alarms_table(alarms.iter().copied()))
}

impl List {
    async fn run(self, app: &App, client: &Client) -> Result<(), crate::exit::Failure> {
        let ask = self.asked.read(client, ViewList::Alarms, None).await?;
        let says = ask.q.as_deref().is_some_and(|q| ["state:", "status:", "状态:", "状态："].iter().any(|key| q.contains(key)));
        let state = self.state.unwrap_or_else(|| if says { "all".to_owned() } else { "raised".to_owned() });
        let yes_no = |word: Option<String>| word.map(|word| (word == "yes").to_string());
        let severities = self.severity.iter().map(|severity| severity.as_str()).collect::<Vec<_>>().join(",");
        let texts = [
            ("state", Some(state).filter(|state| state != "all")),
            ("severity", Some(severities).filter(|severities| !severities.is_empty())),
            ("operator_state", self.operator.map(|state| state.to_string())),
            ("shelved", yes_no(self.shelved)),
            ("suppressed", yes_no(self.suppressed)),
            ("flapping", yes_no(self.flapping)),
            ("maintenance", yes_no(self.maintenance)),
            ("equipment", self.equipment.map(|ne| ne.to_string())),
            ("under", self.under.map(|ne| ne.to_string())),
            ("customer", self.customer.map(|code| code.to_string())),
            ("fault", self.fault),
            ("root", self.root),
            ("text", self.text),
        ];
        let mut filter: AlarmFilter = texts.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
        filter.extend(ask.parts());
        let filter = &filter;
        let alarms = self.limit.read(app, |page| async move { client.alarms(filter, &page).await }).await?;
        app.out.list(&alarms, |alarms| alarms_table(alarms))
    }
}

impl Act {
    async fn run(self, app: &App, client: &Client, purge: bool) -> Result<(), crate::exit::Failure> {
        let before = self.older_than.map(|seconds| Timestamp::now() - jiff::SignedDuration::from_secs(i64::from(seconds)));
        let action = AlarmAction {
            customer: self.customer,
            equipment: self.equipment,
            severity: self.severity,
            operator_state: self.operator,
            before,
            dry_run: true,
            why: Printable::from(self.because.why),
        };
        let send =
            async |action: &AlarmAction| if purge { client.purge_alarms(action).await } else { client.compress_alarms(action).await };
        let mut reply = send(&action).await?;
        let word = if purge { "purge" } else { "compress" };
        if !self.dry_run {
            prompt::confirm(&format!("{word} {} alarms, which can't be undone", reply.alarms), self.yes)?;
            reply = send(&AlarmAction { dry_run: false, ..action }).await?;
        }
        app.out.row(&reply, |replies| Table::new(["alarms"], replies.iter().map(|reply| [text(reply.alarms)])))
    }
}

pub fn alarms_table<'a>(alarms: impl IntoIterator<Item = &'a Alarm>) -> Table {
    let row = |alarm: &'a Alarm| {
        [
            text(&alarm.equipment),
            resource_state(alarm.state),
            severity(alarm.severity),
            text(name(alarm)),
            Cell::option(alarm.value.as_ref()),
            alarm.raised_at.into(),
            Cell::option(alarm.fault.as_ref()),
            operator(alarm),
            text(marks(alarm)),
            text(&alarm.text),
            text(alarm.id),
        ]
    };
    let head = ["equipment", "state", "severity", "alarm", "value", "raised", "fault", "operator", "marks", "text", "id"];
    Table::new(head, alarms.into_iter().map(row))
}

fn name(alarm: &Alarm) -> String {
    if alarm.qualifier.is_empty() { alarm.alarm_type.to_string() } else { format!("{}/{}", alarm.alarm_type, alarm.qualifier) }
}

/// Why nobody is asked to work on it.
fn marks(alarm: &Alarm) -> String {
    let marks = &alarm.marks;
    let words = [
        (marks.suppressed_by.is_some(), "suppressed"),
        (marks.shelf.is_some(), "shelved"),
        (marks.maintenance.is_some(), "maintenance"),
        (marks.flapping, "flapping"),
    ];
    words.into_iter().filter(|(is, _)| *is).map(|(_, word)| word).collect::<Vec<_>>().join(",")
}

fn operator(alarm: &Alarm) -> Cell {
    match alarm.operator_state {
        OperatorState::None => text(""),
        OperatorState::Acknowledged | OperatorState::Closed => {
            let by = alarm.operator.as_deref().unwrap_or_default();
            Cell::toned(format!("{} {by}", alarm.operator_state).trim_end(), Tone::Dim)
        }
    }
}

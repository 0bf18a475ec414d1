//! `lineman fault`: what people work on, from the report to the case that it leaves behind.

mod activity;
mod allow;
mod attachment;
mod clock;
mod edit;
mod evidence;
mod filing;
mod link;
mod show;
mod watch;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use lineman_common::Printable;
use lineman_common::alarm::Severity;
use lineman_common::api::{
    Assign, Close, Diagnosis, Duplicate, Fault, FaultRow, FaultSort, Merge, NewFault, Note, Pend, Reason, Resolution, Restore, ViewList,
};
use lineman_common::fault::{Channel, FaultKind, FaultStatus, Impact, PendingReason};
use lineman_common::name::{CustomerCode, FaultNumber, NeName, PersonName, ProblemNumber};

use super::view::Asked;
use super::{App, Limit, word};
use crate::client::{Client, ClientError, FaultFilter};
use crate::exit::{Exit, Failure, Outcome};

pub use edit::say_both;
use filing::Filed;
pub use show::{faults_table, hits_table, resource_state, severity};

/// Faults: file, accept, work on, close them
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  lineman fault list --watch
  lineman fault show F-JW-1
  lineman fault accept F-JW-1")]
pub enum Command {
    List(List),
    Show(Show),
    #[command(visible_alias = "file")]
    New(Box<New>),
    /// Become the first responsible person
    #[command(after_help = "Examples:\n  lineman fault accept F-JW-1")]
    Accept {
        fault: String,
    },
    /// Hand over to another person
    #[command(after_help = "Examples:
  lineman fault assign F-JW-1 --to engineer-b
  lineman fault assign F-JW-1 --to engineer-b --why 'my shift ends' --open 'fan tray arrives at 14:00'")]
    Assign {
        fault: String,
        #[arg(long, value_name = "NAME")]
        to: PersonName,
        /// Why it is handed over
        #[arg(long, value_name = "TEXT", default_value = "")]
        why: String,
        /// What is open, for the one who takes over
        #[arg(long, value_name = "TEXT", default_value = "")]
        open: String,
    },
    Edit(edit::Edit),
    /// Write to the fault's timeline; the customer sees it unless it is --internal
    #[command(after_help = "Examples:
  lineman fault note F-JW-1 'Fan tray arrives at 14:00'
  lineman fault note F-JW-1 --internal - < transcript.txt")]
    Note {
        fault: String,
        /// The text; `-` reads it from stdin
        text: String,
        /// Only for the support centre's people
        #[arg(long)]
        internal: bool,
    },
    /// Say that the fault waits, and for what
    #[command(after_help = "Examples:\n  lineman fault pending F-JW-1 --reason parts --note 'fan tray ordered'")]
    Pending {
        fault: String,
        #[arg(long, value_parser = word::<PendingReason>(PendingReason::WORDS))]
        reason: PendingReason,
        #[arg(long, default_value = "")]
        note: String,
    },
    /// Go on after waiting
    #[command(after_help = "Examples:\n  lineman fault resume F-JW-1")]
    Resume {
        fault: String,
    },
    /// Record cause and plan; stops the diagnosis clock (K5)
    #[command(after_help = "Examples:\n  lineman fault diagnose F-JW-1 --cause 'fan 2 stopped' --plan 'reset it, then watch for an hour'")]
    Diagnose {
        fault: String,
        #[arg(long)]
        cause: String,
        #[arg(long)]
        plan: String,
    },
    /// Say that service is restored
    #[command(after_help = "Examples:
  lineman fault restore F-JW-1
  lineman fault restore F-JW-1 --waiver 'sensor is known to be wrong; traffic flows'")]
    Restore {
        fault: String,
        /// Why service is restored although an alarm is still raised
        #[arg(long, value_name = "TEXT")]
        waiver: Option<String>,
    },
    /// Say how it was solved
    #[command(after_help = "Examples:\n  lineman fault resolve F-JW-1 --channel remote --note 'fan 2 reset, speed is normal'")]
    Resolve {
        fault: String,
        #[arg(long, value_parser = word::<Channel>(Channel::WORDS))]
        channel: Channel,
        /// The final cause, if it is not the diagnosed one
        #[arg(long)]
        cause: Option<String>,
        /// What was done [default: the recorded plan]
        #[arg(long)]
        note: Option<String>,
    },
    /// Close it; live consents and sessions for it end
    #[command(after_help = "Examples:
  lineman fault close F-JW-1
  lineman fault close F-JW-1 --publish-case")]
    Close {
        fault: String,
        /// Draft a case from it, for review
        #[arg(long)]
        publish_case: bool,
    },
    /// Take it up again under its number
    #[command(after_help = "Examples:\n  lineman fault reopen F-JW-1 --reason 'fan 2 stopped again'")]
    Reopen(WithReason),
    /// Say that it is no fault
    #[command(after_help = "Examples:\n  lineman fault reject F-JW-1 --reason 'planned work'")]
    Reject(WithReason),
    /// Withdraw it
    #[command(after_help = "Examples:\n  lineman fault cancel F-JW-1 --reason 'filed by mistake'")]
    Cancel(WithReason),
    /// Say that it is the same as another
    #[command(after_help = "Examples:\n  lineman fault duplicate F-JW-2 --of F-JW-1")]
    Duplicate {
        fault: String,
        #[arg(long, value_name = "FAULT")]
        of: FaultNumber,
    },
    /// Merge others into a fault: they become its duplicates, and their alarms move there
    #[command(after_help = "Examples:\n  lineman fault merge F-JW-1 F-JW-2 F-JW-3 --reason 'one fibre was cut'")]
    Merge {
        /// The one that goes on
        into: String,
        #[arg(required = true, value_name = "FAULT")]
        faults: Vec<FaultNumber>,
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Take a merge back: the fault goes on where it stood
    #[command(after_help = "Examples:\n  lineman fault unmerge F-JW-2 --reason 'another fibre'")]
    Unmerge(WithReason),
    #[command(subcommand)]
    Link(link::Command),
    #[command(subcommand)]
    Activity(activity::Command),
    /// Attach a file, of 20 MiB at most; the customer sees it unless it is --internal
    #[command(after_help = "Examples:
  lineman fault attach F-JW-1 fan.jpg
  lineman fault attach F-JW-1 board.log --name 'board 3.log' --internal")]
    Attach(attachment::Attach),
    #[command(subcommand)]
    Attachment(attachment::Command),
    /// Show who looks at it or types in it just now
    #[command(after_help = "Examples:\n  lineman fault presence F-JW-1")]
    Presence {
        fault: String,
    },
    /// Show or set after how long resolved faults close by themselves
    #[command(after_help = "Examples:
  lineman fault closing
  lineman fault closing --days 14
  lineman fault closing --tier gold --never")]
    Closing(edit::ClosingArgs),
    /// Explain its clocks K1 to K7: every interval, and what paused it; exit code 8 when one is breached
    #[command(after_help = "Examples:
  lineman fault clock F-JW-1
  lineman fault clock F-JW-1 -o json")]
    Clock {
        fault: String,
    },
    /// List what happened
    #[command(after_help = "Examples:\n  lineman fault timeline F-JW-1")]
    Timeline {
        fault: String,
    },
}

/// List faults; open ones unless told otherwise
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman fault list
  lineman fault list --watch
  lineman fault list --mine
  lineman fault list --query 'sev:critical,major due:<10m 板卡' --sort left
  lineman fault list --view 'Waiting for consent'
  lineman fault list --status all --text 'fan' --since 2026-11-01T00:00:00Z
  lineman fault list --status all --customer JW -o csv > faults.csv")]
pub struct List {
    #[command(flatten)]
    asked: Asked,
    /// In which order: the newest first unless told otherwise
    #[arg(long, value_parser = word::<FaultSort>(FaultSort::WORDS))]
    sort: Option<FaultSort>,
    /// `open`, `all`, or one status; open ones when neither this nor the query says
    #[arg(long, value_parser = status())]
    status: Option<String>,
    #[arg(long, value_name = "CODE")]
    customer: Option<CustomerCode>,
    #[arg(long, value_name = "NE")]
    equipment: Option<NeName>,
    /// Whose it is
    #[arg(long, value_name = "NAME", conflicts_with = "mine")]
    owner: Option<PersonName>,
    /// Yours
    #[arg(long)]
    mine: bool,
    #[arg(long, value_parser = word::<FaultKind>(FaultKind::WORDS))]
    kind: Option<FaultKind>,
    #[arg(long, value_parser = word::<Severity>(Severity::WORDS))]
    severity: Option<Severity>,
    /// Somewhere in title, description, number or the customer's reference
    #[arg(long)]
    text: Option<String>,
    /// The customer's own ticket number
    #[arg(long, value_name = "TICKET")]
    reference: Option<String>,
    /// Reported then or later
    #[arg(long, value_name = "TIME")]
    since: Option<Timestamp>,
    /// Attached to this problem
    #[arg(long, value_name = "PROBLEM")]
    problem: Option<ProblemNumber>,
    /// Keep showing the list as it changes; in a pipe, print every fault that changes
    #[arg(short, long)]
    watch: bool,
    #[command(flatten)]
    limit: Limit,
}

fn status() -> clap::builder::PossibleValuesParser {
    ["open", "all"].into_iter().chain(FaultStatus::WORDS.iter().copied()).collect::<Vec<_>>().into()
}

/// Show a fault with its evidence: alarms, clocks, health before and after, similar cases, timeline
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman fault show F-JW-1
  lineman fault show F-JW-1 -o json")]
pub struct Show {
    fault: String,
    /// Leave the equipment's health out
    #[arg(long)]
    no_health: bool,
}

/// File a fault; similar cases and open faults are shown first, and in a terminal one key cites one
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman fault new --equipment ne-1.jw.ne --title 'fan 2 is loud' --impact none
  lineman fault new --customer JW --title '板卡3 温度高' --impact partial --started 2026-11-22T08:00:00Z
  lineman fault new --equipment ne-1.jw.ne --title 'fan 2 is loud' --impact none --allow shell,exec --level 2 --for 2h --key ~/.ssh/consent")]
pub struct New {
    /// The equipment it is about
    #[arg(long, value_name = "NE", required_unless_present = "customer")]
    equipment: Option<NeName>,
    /// The customer, when no equipment is known
    #[arg(long, value_name = "CODE")]
    customer: Option<CustomerCode>,
    /// The symptom, in a line
    #[arg(long)]
    title: String,
    #[arg(long, default_value = "")]
    description: String,
    /// What it does to the service
    #[arg(long, value_parser = word::<Impact>(Impact::WORDS))]
    impact: Impact,
    /// When it began, if not just now
    #[arg(long, value_name = "TIME")]
    started: Option<Timestamp>,
    /// What is asked for
    #[arg(long, default_value = "fault", value_parser = word::<FaultKind>(FaultKind::WORDS))]
    kind: FaultKind,
    /// The customer's own ticket number
    #[arg(long, value_name = "TICKET")]
    reference: Option<String>,
    #[command(flatten)]
    allow: allow::Allow,
}

#[derive(Debug, Args)]
pub struct WithReason {
    fault: String,
    #[arg(long)]
    reason: String,
}

impl Command {
    pub async fn run(self, app: &App) -> Outcome {
        let client = app.client()?;
        match self {
            Self::List(list) => list.run(app, &client).await,
            Self::Show(show) => show.run(app, &client).await,
            Self::New(new) => new.run(app, &client).await,
            Self::Accept { fault } => done(app, client.accept(&fault).await),
            Self::Assign { fault, to, why, open } => {
                done(app, client.assign(&fault, &Assign { to, why: why.into(), open: open.into() }).await)
            }
            Self::Edit(edit) => edit.run(app, &client).await,
            Self::Merge { into, faults, reason } => done(app, client.merge(&into, &Merge { faults, reason: reason.into() }).await),
            Self::Unmerge(WithReason { fault, reason }) => done(app, client.unmerge(&fault, &Reason { reason: reason.into() }).await),
            Self::Link(command) => command.run(app, &client).await,
            Self::Activity(command) => command.run(app, &client).await,
            Self::Attach(attach) => attach.run(app, &client).await,
            Self::Attachment(command) => command.run(app, &client).await,
            Self::Presence { fault } => {
                let present = client.present(&fault).await?.items;
                app.out.list(&present, show::present_table)?;
                Ok(Exit::Done)
            }
            Self::Closing(closing) => closing.run(app, &client).await,
            Self::Note { fault, text, internal } => {
                let note = Note { text: text_or_stdin(text)?.into(), internal };
                done(app, client.note(&fault, &note).await)
            }
            Self::Pending { fault, reason, note } => done(app, client.pend(&fault, &Pend { reason, note: note.into() }).await),
            Self::Resume { fault } => done(app, client.resume(&fault).await),
            Self::Diagnose { fault, cause, plan } => {
                done(app, client.diagnose(&fault, &Diagnosis { cause: cause.into(), plan: plan.into() }).await)
            }
            Self::Restore { fault, waiver } => done(app, client.restore(&fault, &Restore { waiver: waiver.map(Printable::from) }).await),
            Self::Resolve { fault, channel, cause, note } => {
                let note = match note {
                    Some(note) => note.into(),
                    None => planned(app, &client, &fault).await?,
                };
                done(app, client.resolve(&fault, &Resolution { channel, cause: cause.map(Printable::from), note }).await)
            }
            Self::Close { fault, publish_case } => close(app, &client, &fault, publish_case).await,
            Self::Reopen(WithReason { fault, reason }) => done(app, client.reopen(&fault, &Reason { reason: reason.into() }).await),
            Self::Reject(WithReason { fault, reason }) => done(app, client.reject(&fault, &Reason { reason: reason.into() }).await),
            Self::Cancel(WithReason { fault, reason }) => done(app, client.cancel(&fault, &Reason { reason: reason.into() }).await),
            Self::Duplicate { fault, of } => done(app, client.duplicate(&fault, &Duplicate { of }).await),
            Self::Clock { fault } => clock::run(app, &client, &fault).await,
            Self::Timeline { fault } => {
                let events = client.timeline(&fault).await?.items;
                app.out.list(&events, show::timeline_table)?;
                Ok(Exit::Done)
            }
        }
    }
}

/// What was taken, and should be looked at all the same.
fn say_warnings(app: &App, fault: &Fault) {
    for warning in &fault.warnings {
        app.say(format!("look: {warning}"));
    }
}

/// The end of every step: the fault as it is now.
fn done(app: &App, fault: Result<Fault, ClientError>) -> Outcome {
    let fault = fault?;
    app.out.row(&fault, |faults| show::faults_table(faults.iter().copied(), Timestamp::now()))?;
    Ok(Exit::Done)
}

/// What was done, when nobody says otherwise: what the diagnosis planned.
async fn planned(app: &App, client: &Client, fault: &str) -> Result<Printable, Failure> {
    let fault = client.fault(fault).await?.fault;
    let plan = fault.plan.filter(|plan| !plan.is_empty());
    let plan = plan
        .ok_or_else(|| Failure::usage(format!("{} has no plan to resolve it by", fault.number)).hint("say what was done: --note TEXT"))?;
    app.say(format!("resolved as planned: {plan}"));
    Ok(plan)
}

async fn close(app: &App, client: &Client, fault: &str, publish_case: bool) -> Outcome {
    let closed = client.close(fault, &Close { publish_case }).await?;
    app.out.row(&closed, |closed| show::faults_table(closed.iter().map(|closed| &closed.fault), Timestamp::now()))?;
    if let Some(case) = closed.case {
        app.say(format!(
            "case {case} was drafted from it. next, by a reviewer: lineman case show {case}, then lineman case publish {case}"
        ));
    }
    Ok(Exit::Done)
}

/// `-` stands for stdin, for texts that are longer than a line.
pub fn text_or_stdin(text: String) -> Result<String, Failure> {
    if text != "-" {
        return Ok(text);
    }
    std::io::read_to_string(std::io::stdin()).map_err(|e| Failure::failed(format!("can't read the text from stdin: {e}")))
}

impl List {
    fn filter(&self) -> FaultFilter {
        let owner = self.owner.as_ref().map(ToString::to_string);
        FaultFilter {
            status: self.status.clone(),
            customer: self.customer.as_ref().map(ToString::to_string),
            equipment: self.equipment.as_ref().map(ToString::to_string),
            owner: owner.or(self.mine.then(|| "me".to_owned())),
            kind: self.kind.map(|kind| kind.to_string()),
            severity: self.severity.map(|severity| severity.to_string()),
            text: self.text.clone(),
            customer_reference: self.reference.clone(),
            since: self.since,
            problem: self.problem.map(|problem| problem.to_string()),
        }
    }

    async fn rows(&self, app: &App, client: &Client) -> Result<Vec<FaultRow>, Failure> {
        let ask = self.asked.read(client, ViewList::Faults, self.sort.map(|sort| sort.to_string())).await?;
        let (filter, ask) = (&self.filter(), &ask);
        self.limit.read(app, |page| async move { client.fault_rows(filter, ask, &page).await }).await
    }

    async fn read(&self, app: &App, client: &Client) -> Result<Vec<Fault>, Failure> {
        Ok(self.rows(app, client).await?.into_iter().map(|row| row.fault).collect())
    }

    async fn run(self, app: &App, client: &Client) -> Outcome {
        if self.watch {
            return watch::run(&self, app, client).await;
        }
        let faults = self.rows(app, client).await?;
        app.out.list(&faults, |faults| show::faults_table(faults.iter().map(|row| &row.fault), Timestamp::now()))?;
        Ok(Exit::Done)
    }
}

impl Show {
    async fn run(self, app: &App, client: &Client) -> Outcome {
        let page = client.fault(&self.fault).await?;
        let health = match &page.fault.equipment {
            Some(ne) if !self.no_health => match evidence::read(client, ne, &page).await {
                Ok(changes) => changes,
                Err(error) => {
                    app.say(format!("the health of {ne} can't be shown: {error}"));
                    Vec::new()
                }
            },
            _ => Vec::new(),
        };
        app.out.sheet(&page, |page| show::page_sheet(page, &health))?;
        if page.fault.proposes_restored {
            app.say(format!("all its alarms have cleared. next: lineman fault restore {}", page.fault.number));
        }
        Ok(Exit::Done)
    }
}

impl New {
    async fn run(self, app: &App, client: &Client) -> Outcome {
        let new = NewFault {
            equipment: self.equipment,
            customer: self.customer,
            title: self.title.into(),
            description: self.description.into(),
            impact: self.impact,
            started_at: self.started,
            kind: self.kind,
            customer_reference: self.reference.map(Printable::from),
        };
        let fault = match filing::file(app, client, &new, !self.allow.yes).await? {
            Filed::Fault(fault) => fault,
            Filed::Solved(case) => {
                app.say(format!("{case} solved it: no fault was filed"));
                return Ok(Exit::Done);
            }
            Filed::Joined(fault) => {
                app.say(format!("your text is on {} now: no fault was filed", fault.number));
                app.out.row(&*fault, |faults| show::faults_table(faults.iter().copied(), Timestamp::now()))?;
                return Ok(Exit::Done);
            }
        };
        say_warnings(app, &fault);
        app.out.row(&*fault, |faults| show::faults_table(faults.iter().copied(), Timestamp::now()))?;
        self.allow.run(app, client, &fault).await?;
        Ok(Exit::Done)
    }
}

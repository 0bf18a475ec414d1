//! `lineman duty`: who is on duty, what lies on whom, who is inside what, and which office a fault is with.

use clap::{Args, Subcommand};
use jiff::Timestamp;
use lineman_common::api::{ClockAtRisk, DutyFault, DutyNow, Escalate, FaultDuty, Inside, OfficeName, OpenFaults, Workload};
use lineman_common::name::{NeName, PersonName};

use super::shift::duty_words;
use super::{App, Limit};
use crate::exit::{Exit, Outcome};
use crate::output::{Cell, Sheet, Table, Tone, text};

/// Duty: who is there, what lies on whom, who is inside what, now
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  lineman duty now
  lineman duty workload
  lineman duty inside
  lineman duty escalate F-JW-42 --reason 'needs an expert for OLTs'")]
pub enum Command {
    /// Who is on duty in each office, until when, and what is wrong with that
    #[command(after_help = "Examples:\n  lineman duty now\n  lineman duty now --at 2026-12-25T03:00:00Z")]
    Now {
        /// Another moment than now
        #[arg(long, value_name = "TIME")]
        at: Option<Timestamp>,
    },
    /// Open faults, clocks at risk and sessions of each office and each person
    #[command(after_help = "Examples:\n  lineman duty workload\n  lineman duty workload -o json")]
    Workload,
    /// Who is inside what, now
    #[command(after_help = "Examples:\n  lineman duty inside\n  lineman duty inside --equipment ne-1.jw.ne")]
    Inside {
        #[arg(long, value_name = "NE")]
        equipment: Option<NeName>,
        #[arg(long, value_name = "PERSON")]
        engineer: Option<PersonName>,
        #[command(flatten)]
        limit: Limit,
    },
    /// Open faults with the offices that they are with
    #[command(after_help = "Examples:\n  lineman duty faults --office hotline-east\n  lineman duty faults --owner engineer-a")]
    Faults {
        #[arg(long)]
        office: Option<OfficeName>,
        #[arg(long, value_name = "PERSON")]
        owner: Option<PersonName>,
        #[command(flatten)]
        limit: Limit,
    },
    /// Which office a fault is with, who is proposed, and how it came there
    #[command(after_help = "Examples:\n  lineman duty show F-JW-42")]
    Show { fault: String },
    /// Send a fault up, with a reason: to the office above, another one, or a higher level
    #[command(after_help = "Examples:
  lineman duty escalate F-JW-42 --reason 'needs an expert for OLTs'
  lineman duty escalate F-JW-42 --to hq --reason 'the customer asks for a manager'")]
    Escalate(Move),
    /// Send a fault back down, with a reason: to the office that it came from, or another
    #[command(after_help = "Examples:\n  lineman duty de-escalate F-JW-42 --reason 'cause is known, the rest is local'")]
    DeEscalate(Move),
}

#[derive(Debug, Args)]
pub struct Move {
    fault: String,
    #[arg(long)]
    reason: String,
    #[arg(long, value_name = "OFFICE")]
    to: Option<OfficeName>,
    /// The least level of the person who is proposed
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=3))]
    level: Option<u8>,
}

impl Move {
    fn split(self) -> (String, Escalate) {
        (self.fault, Escalate { reason: self.reason.into(), to: self.to, level: self.level })
    }
}

impl Command {
    pub async fn run(self, app: &App) -> Outcome {
        let client = app.client()?;
        match self {
            Self::Now { at } => {
                let now = client.duty_now(at).await?.items;
                app.out.list(&now, now_table)?;
                for office in &now {
                    for warning in &office.warnings {
                        app.say(format!("{}: {warning}", office.office));
                    }
                }
            }
            Self::Workload => app.out.sheet(&client.workload().await?, workload_sheet)?,
            Self::Inside { equipment, engineer, limit } => {
                let (equipment, engineer) = (equipment.map(|ne| ne.to_string()), engineer.map(|name| name.to_string()));
                let (client, equipment, engineer) = (&client, &equipment, &engineer);
                let read = |page| async move { client.inside(equipment.clone(), engineer.clone(), &page).await };
                let inside = limit.read(app, read).await?;
                app.out.list(&inside, inside_table)?;
            }
            Self::Faults { office, owner, limit } => {
                let (office, owner) = (office.map(|name| name.to_string()), owner.map(|name| name.to_string()));
                let (client, office, owner) = (&client, &office, &owner);
                let read = |page| async move { client.duty_faults(office.clone(), owner.clone(), &page).await };
                let faults = limit.read(app, read).await?;
                app.out.list(&faults, |faults| faults_table(faults))?;
            }
            Self::Show { fault } => app.out.sheet(&client.fault_duty(&fault).await?, duty_sheet)?,
            Self::Escalate(up) => {
                let (fault, ask) = up.split();
                app.out.sheet(&client.escalate(&fault, &ask).await?, duty_sheet)?;
            }
            Self::DeEscalate(down) => {
                let (fault, ask) = down.split();
                app.out.sheet(&client.deescalate(&fault, &ask).await?, duty_sheet)?;
            }
        }
        Ok(Exit::Done)
    }
}

fn now_table(now: &[DutyNow]) -> Table {
    let row = |office: &DutyNow| {
        let nobody = office.on_duty.is_empty();
        [
            text(&office.office),
            text(office.kind),
            if nobody { Cell::toned("nobody", Tone::Warn) } else { text(duty_words(&office.on_duty)) },
            Cell::Time(office.until),
            if office.warnings.is_empty() { text(0) } else { Cell::toned(office.warnings.len(), Tone::Warn) },
        ]
    };
    Table::new(["office", "kind", "on duty", "until", "warnings"], now.iter().map(row))
}

fn counts(faults: &OpenFaults) -> [Cell; 6] {
    [
        text(faults.total),
        if faults.critical > 0 { Cell::toned(faults.critical, Tone::Bad) } else { text(0) },
        text(faults.major),
        text(faults.minor),
        text(faults.lower),
        Cell::Time(faults.oldest_at),
    ]
}

fn risks(clocks: &[ClockAtRisk]) -> Cell {
    let clocks: Vec<_> = clocks.iter().map(|clock| format!("{} {}", clock.fault, clock.clock)).collect();
    if clocks.is_empty() { text("") } else { Cell::toned(clocks.join(", "), Tone::Warn) }
}

fn workload_sheet(load: &Workload) -> Sheet {
    let offices = load.offices.iter().map(|one| {
        let [total, critical, major, minor, lower, oldest] = counts(&one.faults);
        let on_duty = one.on_duty.iter().map(PersonName::as_str).collect::<Vec<_>>().join(", ");
        let risks = risks(&one.clocks_at_risk);
        [text(&one.office), total, critical, major, minor, lower, oldest, text(one.sessions_now), risks, text(on_duty)]
    });
    let people = load.people.iter().map(|one| {
        let [total, critical, major, minor, lower, oldest] = counts(&one.faults);
        let on_duty = one.on_duty.iter().map(OfficeName::as_str).collect::<Vec<_>>().join(", ");
        let on_duty = if one.disabled { Cell::toned("disabled", Tone::Bad) } else { text(on_duty) };
        let risks = risks(&one.clocks_at_risk);
        [text(&one.person), total, critical, major, minor, lower, oldest, text(one.proposed), text(one.sessions_now), risks, on_duty]
    });
    let head = ["office", "open", "critical", "major", "minor", "lower", "oldest", "sessions", "clocks at risk", "on duty"];
    let of_people =
        ["person", "open", "critical", "major", "minor", "lower", "oldest", "proposed", "sessions", "clocks at risk", "on duty"];
    Sheet {
        fields: vec![("with no office", text(load.with_no_office.total))],
        parts: vec![("offices", Table::new(head, offices)), ("people", Table::new(of_people, people))],
    }
}

fn inside_table(inside: &[Inside]) -> Table {
    let row = |one: &Inside| {
        [
            text(&one.engineer),
            text(&one.device),
            text(&one.account),
            text(&one.fault),
            one.since.into(),
            match one.left_s {
                Some(left) if left < 300 => Cell::toned(crate::output::span(left), Tone::Warn),
                left => Cell::Seconds(left),
            },
            Cell::option(one.grade),
            text(one.terminals.len()),
            text(one.consent),
            text(one.session),
        ]
    };
    Table::new(["engineer", "device", "as", "fault", "since", "left", "grade", "terminals", "consent", "id"], inside.iter().map(row))
}

fn faults_table<'a>(faults: impl IntoIterator<Item = &'a DutyFault>) -> Table {
    let row = |one: &'a DutyFault| {
        let fault = &one.fault;
        [
            text(&fault.number),
            text(fault.severity),
            text(fault.status),
            Cell::option(fault.owner.as_ref()),
            Cell::option(one.office.as_ref()),
            Cell::option(one.proposed.as_ref()),
            text(&fault.title),
        ]
    };
    Table::new(["fault", "severity", "status", "owner", "office", "proposed", "title"], faults.into_iter().map(row))
}

fn duty_sheet(duty: &FaultDuty) -> Sheet {
    let steps = duty.steps.iter().map(|step| [step.recorded_at.into(), text(&step.kind), text(&step.actor), text(&step.text)]);
    Sheet {
        fields: vec![
            ("fault", text(&duty.fault.number)),
            ("office", text(&duty.office)),
            ("proposed", Cell::option(duty.proposed.as_ref())),
            ("owner", Cell::option(duty.fault.owner.as_ref())),
            ("level", text(duty.level)),
            ("since", duty.since.into()),
            ("why", text(&duty.why)),
        ],
        parts: vec![("steps", Table::new(["at", "what", "by", "text"], steps))],
    }
}

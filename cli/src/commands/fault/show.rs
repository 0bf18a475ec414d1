//! Faults as rows and pages.

use jiff::Timestamp;
use lineman_common::alarm::{ResourceState, Severity};
use lineman_common::api::{CaseHit, CaseState, Event, Fault, FaultPage, Present};
use lineman_common::fault::FaultStatus;

use super::{activity, attachment, clock, evidence, link};
use crate::commands::{App, alarm};
use crate::output::{Cell, Format, Out, Sheet, Table, Tone, text};

pub fn severity(severity: Severity) -> Cell {
    let tone = match severity {
        Severity::Critical => Tone::Bad,
        Severity::Major => Tone::Warn,
        Severity::Minor | Severity::Warning => Tone::Plain,
        Severity::Indeterminate => Tone::Dim,
    };
    Cell::toned(severity, tone)
}

fn status(fault: &Fault) -> Cell {
    let (mut words, tone) = match fault.status {
        FaultStatus::Reported => (fault.status.to_string(), Tone::Bad),
        FaultStatus::Accepted | FaultStatus::InProgress => (fault.status.to_string(), Tone::Warn),
        FaultStatus::Restored | FaultStatus::Resolved => (fault.status.to_string(), Tone::Good),
        FaultStatus::Pending => (format!("pending({})", fault.pending_reason.map_or("", |reason| reason.as_str())), Tone::Plain),
        FaultStatus::Duplicate => {
            (format!("duplicate({})", fault.duplicate_of.as_ref().map(ToString::to_string).unwrap_or_default()), Tone::Dim)
        }
        FaultStatus::Closed | FaultStatus::Rejected | FaultStatus::Cancelled => (fault.status.to_string(), Tone::Dim),
    };
    if fault.proposes_restored && !fault.status.is_over() {
        words.push_str(" (restored?)");
    }
    Cell::toned(words, tone)
}

pub fn faults_table<'a>(faults: impl IntoIterator<Item = &'a Fault>, now: Timestamp) -> Table {
    let row = |fault: &'a Fault| {
        let age = now.duration_since(fault.reported_at).as_secs();
        [
            text(&fault.number),
            status(fault),
            severity(fault.severity),
            Cell::option(fault.equipment.as_ref()),
            Cell::option(fault.owner.as_ref()),
            Cell::Seconds(u64::try_from(age).ok()),
            fault.reported_at.into(),
            text(&fault.title),
        ]
    };
    Table::new(["number", "status", "severity", "equipment", "owner", "age", "reported", "title"], faults.into_iter().map(row))
}

pub fn page_sheet(page: &FaultPage, health: &[evidence::Change]) -> Sheet {
    let fault = &page.fault;
    let resolution = fault.resolution.as_ref();
    let fields = vec![
        ("number", text(&fault.number)),
        ("title", text(&fault.title)),
        ("description", text(&fault.description)),
        ("status", status(fault)),
        ("severity", severity(fault.severity)),
        ("impact", text(fault.impact)),
        ("customer", text(&fault.customer)),
        ("equipment", Cell::option(fault.equipment.as_ref())),
        ("owner", Cell::option(fault.owner.as_ref())),
        ("reported by", text(&fault.reported_by)),
        ("reported at", fault.reported_at.into()),
        ("updated at", fault.updated_at.into()),
        ("cause", Cell::option(fault.cause.as_ref())),
        ("plan", Cell::option(fault.plan.as_ref())),
        ("resolved by", Cell::option(resolution.map(|resolution| resolution.channel))),
        ("final cause", Cell::option(resolution.and_then(|resolution| resolution.cause.as_ref()))),
        ("resolution", Cell::option(resolution.map(|resolution| &resolution.note))),
        ("kind", text(fault.kind)),
        ("customer's reference", Cell::option(fault.customer_reference.as_ref())),
        ("problem", Cell::option(fault.problem)),
        ("merged into it", text(page.around.merged.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))),
        ("closes by itself at", Cell::Time(page.around.closes_at)),
        ("version", text(fault.version)),
        ("id", text(fault.id)),
    ];
    let parts = vec![
        ("alarms", alarm::alarms_table(&page.alarms)),
        ("health, 15 minutes before and since", evidence::table(health)),
        ("clocks", clock::clocks_table(&page.clocks)),
        ("meanwhile", activity::activities_table(&page.around.activities)),
        ("links", link::links_table(&page.around.links)),
        ("attachments", attachment::attachments_table(&page.around.attachments)),
        ("similar cases", hits_table(&page.similar)),
        ("timeline", timeline_table(&page.timeline)),
    ];
    Sheet { fields, parts }
}

pub fn present_table(present: &[Present]) -> Table {
    Table::new(["who", "does", "seen"], present.iter().map(|present| [text(&present.who), text(present.doing), present.seen_at.into()]))
}

pub fn timeline_table(events: &[Event]) -> Table {
    let row = |event: &Event| {
        // An entry that came in more than a minute after the fact says so.
        let late = event.recorded_at.duration_since(event.occurred_at).as_secs();
        let late = u64::try_from(late).ok().filter(|late| *late > 60);
        [event.occurred_at.into(), text(&event.kind), text(&event.actor), text(&event.text), Cell::Seconds(late)]
    };
    Table::new(["at", "what", "who", "text", "recorded late by"], events.iter().map(row))
}

pub fn hits_table(hits: &[CaseHit]) -> Table {
    let row = |hit: &CaseHit| {
        let state = if hit.state == CaseState::Validated { text("") } else { Cell::toned(hit.state, Tone::Dim) };
        let why: Vec<_> = hit.why.iter().map(ToString::to_string).collect();
        [text(hit.number), Cell::Number(hit.score), text(hit.solved), text(&hit.title), text(why.join(", ")), state]
    };
    Table::new(["case", "score", "solved", "title", "why", "state"], hits.iter().map(row))
}

/// Cases as talk, beside the data of a command that is about something else.
pub fn say_hits(app: &App, title: &str, hits: &[CaseHit]) {
    if !hits.is_empty() && !app.out.is_json() {
        let talk = Out { format: Format::Table, colour: app.out.colour && app.out.is_terminal(), ..app.out.clone() };
        app.say(format!("{title}\n{}", talk.table(&hits_table(hits)).trim_end()));
    }
}

pub fn resource_state(state: ResourceState) -> Cell {
    Cell::toned(state, if state == ResourceState::Raised { Tone::Bad } else { Tone::Good })
}

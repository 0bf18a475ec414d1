//! How one alarm is shown, and the counts of all.

use lineman_common::alarm::ResourceState;
use lineman_common::api::{AlarmPage, AlarmSummary};

use super::{name, operator};
use crate::commands::fault::{resource_state, severity};
use crate::output::{Cell, Sheet, Table, text};

pub fn sheet(page: &AlarmPage) -> Sheet {
    let alarm = &page.alarm;
    let marks = &alarm.marks;
    let fields = vec![
        ("alarm", text(name(alarm))),
        ("equipment", text(&alarm.equipment)),
        ("state", resource_state(alarm.state)),
        ("severity", severity(alarm.severity)),
        ("equipment said", Cell::option(marks.reported_severity)),
        ("text", text(&alarm.text)),
        ("value", Cell::option(alarm.value.as_ref())),
        ("threshold", Cell::option(alarm.threshold.as_ref())),
        ("event type", text(alarm.event_type)),
        ("probable cause", text(alarm.probable_cause)),
        ("raised at", alarm.raised_at.into()),
        ("changed at", alarm.changed_at.into()),
        ("received at", alarm.received_at.into()),
        ("cleared at", Cell::Time(alarm.cleared_at)),
        ("its time", Cell::option(marks.mark)),
        ("raised times", text(alarm.count)),
        ("flapping", text(if marks.flapping { "yes" } else { "" })),
        ("suppressed by", Cell::option(marks.suppressed_by)),
        ("by the rule", Cell::option(marks.suppressed_rule.as_ref())),
        ("root cause", Cell::option(page.root)),
        ("explains", Cell::option((page.suppresses > 0).then(|| format!("{} alarms", page.suppresses)))),
        ("shelf", Cell::option(marks.shelf)),
        ("maintenance", Cell::option(marks.maintenance)),
        ("operator", operator(alarm)),
        ("operator's note", Cell::option(alarm.operator_note.as_ref())),
        ("fault", Cell::option(alarm.fault.as_ref())),
        ("id", text(alarm.id)),
    ];
    let changes = page.changes.iter().map(|change| {
        let (at, received) = (change.at.into(), change.received_at.into());
        [at, received, resource_state(change.state), severity(change.severity), Cell::option(change.mark), text(&change.text)]
    });
    let changes = Table::new(["at", "received", "state", "severity", "its time", "text"], changes);
    let said = page.operator_changes.iter().map(|change| [change.at.into(), text(change.state), text(&change.by), text(&change.why)]);
    let said = Table::new(["at", "operator state", "by", "why"], said);
    Sheet { fields, parts: vec![("changes", changes), ("operators", said)] }
}

pub fn summary(summary: &AlarmSummary) -> Sheet {
    let fields = vec![("raised", text(summary.raised)), ("cleared", text(summary.cleared)), ("shelved", text(summary.shelved))];
    let mut rows: Vec<_> = summary.rows.iter().collect();
    rows.sort_by_key(|row| (row.state, std::cmp::Reverse(row.severity), row.operator_state, row.shelved));
    let rows = rows.into_iter().map(|row| {
        let state: ResourceState = row.state;
        let shelved = text(if row.shelved { "shelved" } else { "" });
        [resource_state(state), severity(row.severity), text(row.operator_state), shelved, text(row.alarms)]
    });
    Sheet { fields, parts: vec![("by kind", Table::new(["state", "severity", "operator", "shelved", "alarms"], rows))] }
}

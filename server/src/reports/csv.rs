//! CSV (RFC 4180) that a spreadsheet shows and never runs.

use std::fmt::Display;

use lineman_common::api::{CountedFault, FiguresReport, ReportBy};

use super::definitions;
use crate::events::EventView;

/// One value. What a spreadsheet takes for a formula begins with one of a few characters: such a text gets an apostrophe in front.
/// Texts of names and codes only go through here; numbers are written as they are.
fn text(value: impl Display) -> String {
    let value = value.to_string();
    let runs = value.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let guarded = if runs { format!("'{value}") } else { value };
    let quoted = guarded.contains([',', '"', '\n', '\r', ';']) || guarded.starts_with(' ') || guarded.ends_with(' ');
    if quoted { format!("\"{}\"", guarded.replace('"', "\"\"")) } else { guarded }
}

fn option(value: Option<impl Display>) -> String {
    value.map(text).unwrap_or_default()
}

fn number(value: Option<f64>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

fn line(out: &mut String, cells: impl IntoIterator<Item = String>) {
    out.push_str(&cells.into_iter().collect::<Vec<_>>().join(","));
    out.push_str("\r\n");
}

/// One line for each figure of each row.
pub fn of_report(report: &FiguresReport) -> String {
    let definitions = definitions();
    let mut out = String::new();
    let tail = ["from", "until", "figure", "value", "unit", "numerator", "denominator", "undecided", "as_of"];
    line(&mut out, report.by.iter().map(|by: &ReportBy| by.to_string()).chain(tail.map(str::to_owned)));
    for row in &report.rows {
        for value in &row.figures {
            let unit = definitions.iter().find(|definition| definition.figure == value.figure).map(|definition| definition.unit);
            let cells = [
                row.from.to_string(),
                row.until.to_string(),
                value.figure.to_string(),
                number(value.value),
                option(unit),
                value.numerator.to_string(),
                value.denominator.to_string(),
                value.undecided.to_string(),
                report.as_of.to_string(),
            ];
            line(&mut out, row.group.iter().map(|group| option(group.as_ref())).chain(cells));
        }
    }
    out
}

pub fn of_counted(list: &[CountedFault]) -> String {
    let mut out = "fault,customer,equipment,reported_at,what,seconds,counted,id\r\n".to_owned();
    for counted in list {
        let cells = [
            text(&counted.fault),
            text(&counted.customer),
            option(counted.equipment.as_ref()),
            counted.reported_at.to_string(),
            option(counted.what.as_ref()),
            number(counted.seconds),
            counted.counted.to_string(),
            text(counted.id),
        ];
        line(&mut out, cells);
    }
    out
}

/// The particulars as JSON.
pub fn of_events(events: &[EventView]) -> String {
    let mut out = "seq,kind,fault,equipment,actor,occurred_at,recorded_at,text,data\r\n".to_owned();
    for event in events {
        let cells = [
            event.seq.to_string(),
            text(&event.kind),
            option(event.fault.as_ref()),
            option(event.equipment.as_ref()),
            text(&event.actor),
            event.occurred_at.to_string(),
            event.recorded_at.to_string(),
            text(event.text.raw()),
            text(&event.data),
        ];
        line(&mut out, cells);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula() {
        for evil in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"] {
            let cell = text(evil);
            assert!(cell.trim_start_matches('"').starts_with('\''), "{cell}");
        }
        assert_eq!(text("=HYPERLINK(\"http://x\",\"y\")"), "\"'=HYPERLINK(\"\"http://x\"\",\"\"y\"\")\"");
        assert_eq!(text("a, b"), "\"a, b\"");
        assert_eq!(text("板卡"), "板卡");
    }
}

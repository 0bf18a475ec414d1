//! What an import would change and what an export wrote, for people.

use lineman_common::api::{CaseBody, CaseItem, FieldChange, ImportPlan, ImportVerdict, Language, PlannedCase};

use super::super::super::App;
use super::folder::{Missing, Written, Wrote};
use super::parts::{Import, Whole};
use crate::exit::Failure;
use crate::output::{Cell, Table, Tone, text, write_out};

const fn tone(verdict: ImportVerdict) -> Tone {
    match verdict {
        ImportVerdict::New | ImportVerdict::Changed => Tone::Good,
        ImportVerdict::Same => Tone::Dim,
        ImportVerdict::Behind | ImportVerdict::Archived => Tone::Warn,
        ImportVerdict::Conflict | ImportVerdict::Refused => Tone::Bad,
    }
}

/// Everything but what stays as it is, then both texts of each conflict.
pub fn planned(app: &App, plan: &ImportPlan, parts: &Import, missing: &[Missing]) -> Result<(), Failure> {
    app.out.row(plan, |plans| plans.first().map(|plan| table(plan)).unwrap_or_default())?;
    if !app.out.is_json() {
        let conflicts = plan.cases.iter().filter(|case| case.verdict == ImportVerdict::Conflict);
        for case in conflicts {
            write_out(&both(case, parts.item(&case.place)))?;
        }
    }
    for gone in missing {
        app.say(format!("missing here: {} ({}); archive it with --prune", gone.number, gone.file.display()));
    }
    let count = |verdict: ImportVerdict| plan.cases.iter().filter(|case| case.verdict == verdict).count();
    let told = ImportVerdict::ALL.iter().map(|verdict| (verdict, count(*verdict))).filter(|(_, count)| *count > 0);
    let told: Vec<_> = told.map(|(verdict, count)| format!("{count} {verdict}")).collect();
    app.say(if told.is_empty() { "there are no cases".to_owned() } else { told.join(", ") });
    if plan.writes() > 0 {
        app.say(format!("plan {}", plan.plan));
    }
    Ok(())
}

fn table(plan: &ImportPlan) -> Table {
    let shown = plan.cases.iter().filter(|case| case.verdict != ImportVerdict::Same);
    let row = |case: &PlannedCase| {
        let why = case.reason.iter().map(|reason| reason.raw().to_owned());
        let changes = case.changes.iter().map(change);
        let says: Vec<_> = why.chain(changes).chain(case.warnings.iter().cloned()).collect();
        [
            text(&case.place),
            Cell::toned(case.verdict, tone(case.verdict)),
            Cell::option(case.number),
            Cell::option(case.state),
            text(case.title.raw()),
            text(says.join("; ")),
        ]
    };
    Table::new(["place", "what", "case", "state", "title", "why"], shown.map(row))
}

fn change(change: &FieldChange) -> String {
    format!("{}: {}", change.field, change.summary.raw())
}

/// The fields that differ, as they are on both sides.
fn both(case: &PlannedCase, here: Option<&CaseItem>) -> String {
    let Some(there) = case.library.as_deref() else { return String::new() };
    let number = case.number.map(|number| number.to_string()).unwrap_or_default();
    let mut out = format!("\n{number}: both texts\n");
    let [there, here] = [fields(there), here.map(|item| fields(&item.body)).unwrap_or_default()];
    let names: Vec<_> = there.iter().chain(&here).map(|(name, _)| name.clone()).collect();
    let mut told: Vec<String> = Vec::new();
    let of = |side: &[(String, String)], name: &str| {
        side.iter().find(|(known, _)| known == name).map(|(_, text)| text.clone()).unwrap_or_default()
    };
    for name in names {
        let (there, here) = (of(&there, &name), of(&here, &name));
        if there == here || told.contains(&name) {
            continue;
        }
        out.push_str(&format!("{name}\n  in the library, version {}:\n{}", case.version.unwrap_or_default(), indented(&there)));
        out.push_str(&format!("  in {}:\n{}", lineman_common::printable::escape(&case.place), indented(&here)));
        told.push(name);
    }
    out
}

fn indented(text: &str) -> String {
    let block = lineman_common::Printable::from(text).block();
    block.lines().fold(String::new(), |text, line| text + "    " + line + "\n")
}

/// What a case says, field by field.
fn fields(body: &CaseBody) -> Vec<(String, String)> {
    let mut fields = Vec::new();
    for language in [Language::Zh, Language::En] {
        let Some(text) = body.text(language) else { continue };
        for field in lineman_common::api::CaseField::ALL {
            fields.push((format!("{language}.{field}"), text.field(*field).raw().to_owned()));
        }
    }
    let lines = |list: Vec<String>| list.join("\n");
    fields.push(("codes".into(), lines(body.codes.iter().map(|code| code.raw().to_owned()).collect())));
    let piece = |about: &lineman_common::api::CaseEquipment| format!("{about} {}", about.versions).trim().to_owned();
    fields.push(("equipment".into(), lines(body.equipment.iter().map(piece).collect())));
    fields.push(("probable_cause".into(), body.cause.map(|cause| cause.to_string()).unwrap_or_default()));
    fields.push(("audience".into(), body.audience.to_string()));
    fields
}

const fn wrote(what: Wrote) -> (&'static str, Tone) {
    match what {
        Wrote::New => ("new", Tone::Good),
        Wrote::Updated => ("updated", Tone::Good),
        Wrote::Same => ("same", Tone::Dim),
        Wrote::Edited => ("edited", Tone::Warn),
        Wrote::Deleted => ("deleted", Tone::Warn),
        Wrote::Removed => ("removed", Tone::Warn),
        Wrote::Conflict => ("conflict", Tone::Bad),
    }
}

pub fn exported(app: &App, written: &[Written]) -> Result<(), Failure> {
    let shown: Vec<_> = written.iter().filter(|file| file.what != Wrote::Same).cloned().collect();
    app.out.list(&shown, |files| {
        let row = |file: &Written| {
            let (word, tone) = wrote(file.what);
            [text(file.number), Cell::toned(word, tone), text(file.file.display()), text(file.why)]
        };
        Table::new(["case", "what", "file", "why"], files.iter().map(row))
    })?;
    app.say(format!(
        "{} cases, {} files changed",
        written.len(),
        shown.iter().filter(|file| matches!(file.what, Wrote::New | Wrote::Updated | Wrote::Removed)).count()
    ));
    Ok(())
}

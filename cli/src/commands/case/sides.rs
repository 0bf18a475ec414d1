//! How texts of cases are shown beside each other: two languages, two versions; and the tables that go with them.

use lineman_common::Printable;
use lineman_common::api::{
    Case, CaseBody, CaseDiff, CaseField, CaseHealth, CaseLink, CaseVersion, DiffOp, Feedback, FieldDiff, FigureUnit, HealthDefinition,
    Language, LinkVerdict, ToTranslate,
};
use lineman_common::printable::escape;
use unicode_width::UnicodeWidthChar;

use crate::output::{Cell, Out, Sheet, Table, Tone, span, text};

const REMOVED: &str = "\x1b[31m";
const ADDED: &str = "\x1b[32m";
const END: &str = "\x1b[0m";

/// A line for each field, both languages in it.
pub fn side_table(case: &Case) -> Table {
    let row = |field: &CaseField| {
        let [zh, en] = [Language::Zh, Language::En].map(|language| said(&case.body, language, *field));
        [text(field), text(zh), text(en), text(marks(case, *field))]
    };
    Table::new(["field", "zh", "en", "to translate"], CaseField::ALL.iter().map(row))
}

fn said(body: &CaseBody, language: Language, field: CaseField) -> &str {
    body.text(language).map_or("", |text| text.field(field).raw())
}

fn marks(case: &Case, field: CaseField) -> String {
    let mark = |mark: &ToTranslate| format!("{} {} (since version {})", mark.language, mark.why, mark.since_version);
    case.to_translate.iter().filter(|mark| mark.field == field).map(mark).collect::<Vec<_>>().join(", ")
}

/// Two columns of text, for a terminal of this width.
pub fn side_text(case: &Case, width: usize) -> String {
    let column = width.saturating_sub(3).max(20) / 2;
    let mut shown = format!("{} version {}: zh | en\n", case.number, case.version);
    for field in CaseField::ALL {
        let sides = [Language::Zh, Language::En].map(|language| wrapped(said(&case.body, language, *field), column));
        if sides.iter().all(Vec::is_empty) {
            continue;
        }
        let mark = marks(case, *field);
        let mark = if mark.is_empty() { mark } else { format!("  <- {mark}") };
        shown.push_str(&format!("\n{field}{mark}\n"));
        for line in 0..sides[0].len().max(sides[1].len()) {
            let [left, right] = [&sides[0], &sides[1]].map(|side| side.get(line).map_or("", String::as_str));
            let gap = " ".repeat(column - columns(left));
            shown.push_str(format!("{left}{gap} | {right}").trim_end());
            shown.push('\n');
        }
    }
    shown
}

fn columns(text: &str) -> usize {
    text.chars().filter_map(UnicodeWidthChar::width).sum()
}

/// Lines of at most so many columns: broken between words where there are some, anywhere in Chinese.
fn wrapped(text: &str, most: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for line in Printable::new(text).block().lines() {
        let (mut out, mut used, mut blank) = (String::new(), 0, None);
        for c in line.chars() {
            let width = c.width().unwrap_or(0);
            if used + width > most {
                let rest = match blank {
                    Some(at) if c != ' ' => out.split_off(at),
                    Some(_) | None => String::new(),
                };
                lines.push(out.trim_end().to_owned());
                rest.trim_start().clone_into(&mut out);
                (used, blank) = (columns(&out), None);
                if c == ' ' {
                    continue;
                }
            }
            out.push(c);
            used += width;
            if c == ' ' || width > 1 {
                blank = Some(out.len());
            }
        }
        lines.push(out.trim_end().to_owned());
    }
    lines
}

/// What changed, marked by colour, or by `[-removed-]` and `{+added+}` where there is none.
pub fn diff_text(diff: &CaseDiff, colour: bool) -> String {
    let head = |version: &CaseVersion| format!("version {} by {}", version.version, version.editor);
    let mut shown = format!("{}: {} -> {}\n", diff.number, head(&diff.from), head(&diff.to));
    if diff.fields.is_empty() {
        shown.push_str("\nnothing changed\n");
    }
    for field in &diff.fields {
        shown.push_str(&format!("\n{}\n", name(field)));
        for piece in &field.pieces {
            // With its line breaks, also the last one.
            let text = piece.text.raw().split('\n').map(escape).collect::<Vec<_>>().join("\n");
            shown.push_str(&match (piece.op, colour) {
                (DiffOp::Same, _) => text,
                (DiffOp::Removed, true) => format!("{REMOVED}{text}{END}"),
                (DiffOp::Added, true) => format!("{ADDED}{text}{END}"),
                (DiffOp::Removed, false) => format!("[-{text}-]"),
                (DiffOp::Added, false) => format!("{{+{text}+}}"),
            });
        }
        if !shown.ends_with('\n') {
            shown.push('\n');
        }
    }
    shown
}

fn name(field: &FieldDiff) -> String {
    field.language.map_or_else(|| field.field.clone(), |language| format!("{} ({language})", field.field))
}

pub fn diff_table(diff: &CaseDiff) -> Table {
    let rows = diff.fields.iter().flat_map(|field| {
        field.pieces.iter().map(|piece| [text(&field.field), Cell::option(field.language), text(piece.op), text(piece.text.raw())])
    });
    Table::new(["field", "language", "op", "text"], rows)
}

pub fn version_sheet(version: &CaseVersion) -> Sheet {
    let mut fields = vec![
        ("version", text(version.version)),
        ("by", text(&version.editor)),
        ("at", version.at.into()),
        ("restores", Cell::option(version.restores)),
        ("note", text(&version.note)),
    ];
    if let Some(body) = &version.body {
        fields.extend(super::body_fields(body));
    }
    Sheet { fields, parts: Vec::new() }
}

pub fn links_table(items: &[CaseLink]) -> Table {
    let row = |link: &CaseLink| {
        let tone = match link.verdict {
            LinkVerdict::Solved | LinkVerdict::Helped => Tone::Good,
            LinkVerdict::Wrong => Tone::Bad,
        };
        [
            text(&link.fault),
            Cell::toned(link.verdict, tone),
            text(&link.person),
            link.at.into(),
            Cell::option(link.of.as_ref()),
            Cell::option(link.reason.as_ref()),
            text(&link.title),
        ]
    };
    Table::new(["fault", "verdict", "by", "at", "said of", "reason", "title"], items.iter().map(row))
}

pub fn feedback_table<'a>(items: impl IntoIterator<Item = &'a Feedback>) -> Table {
    let row = |said: &Feedback| {
        [
            text(said.version),
            if said.helpful { Cell::toned("yes", Tone::Good) } else { Cell::toned("no", Tone::Bad) },
            text(&said.person),
            Cell::option(said.customer.as_ref()),
            said.at.into(),
            text(&said.comment),
        ]
    };
    Table::new(["version", "helped", "by", "customer", "at", "comment"], items.into_iter().map(row))
}

pub fn health_table<'a>(items: impl IntoIterator<Item = &'a CaseHealth>) -> Table {
    let rows = items.into_iter().flat_map(|health| {
        health.rows.iter().flat_map(|row| {
            row.figures.iter().zip(&health.definitions).map(|(value, definition)| {
                let shown = value.value.map(|value| in_unit(value, definition.unit));
                [Cell::option(row.group.as_ref()), text(value.figure), Cell::option(shown), text(value.behind), text(&definition.name.en)]
            })
        })
    });
    Table::new(["group", "figure", "value", "behind", "what"], rows)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a duration in seconds, never negative")]
fn in_unit(value: f64, unit: FigureUnit) -> String {
    match unit {
        FigureUnit::Ratio => format!("{:.1} %", value * 100.0),
        FigureUnit::Seconds => span(value as u64),
        FigureUnit::Count | FigureUnit::PerMillion | FigureUnit::Sigma => format!("{}", (value * 100.0).round() / 100.0),
    }
}

pub fn definitions_table(items: &[HealthDefinition]) -> Table {
    let row = |definition: &HealthDefinition| {
        [
            text(definition.figure),
            text(&definition.name.en),
            text(&definition.name.zh),
            text(&definition.formula),
            text(&definition.counts.en),
            text(&definition.source),
        ]
    };
    Table::new(["figure", "name", "zh", "formula", "counts", "source"], items.iter().map(row))
}

/// Where there is no terminal, a line for each field.
pub fn side_by_side(out: &Out, case: &Case) -> String {
    match out.width {
        Some(width) if out.format == crate::output::Format::Table => side_text(case, width),
        Some(_) | None => out.table(&side_table(case)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lineman_common::api::DiffPiece;

    #[test]
    fn lines_are_broken_between_words_and_anywhere_in_chinese() {
        assert_eq!(wrapped("the fan tray stops at night", 10), ["the fan", "tray stops", "at night"]);
        assert_eq!(wrapped("风扇停转导致高温", 6), ["风扇停", "转导致", "高温"]);
        assert_eq!(wrapped("one\ntwo", 10), ["one", "two"]);
        assert_eq!(wrapped("unbreakable", 5), ["unbre", "akabl", "e"]);
        assert!(wrapped("", 5).is_empty());
    }

    #[test]
    fn a_diff_shows_what_went_and_what_came() {
        let piece = |op, text: &str| DiffPiece { op, text: text.into() };
        let version = |version| CaseVersion {
            version,
            editor: "engineer-a".parse().unwrap(),
            at: jiff::Timestamp::UNIX_EPOCH,
            note: Printable::default(),
            restores: None,
            body: None,
        };
        let pieces = vec![piece(DiffOp::Same, "the fan "), piece(DiffOp::Removed, "stops"), piece(DiffOp::Added, "hums\x1b")];
        let field = FieldDiff { field: "symptom".into(), language: Some(Language::En), pieces };
        let diff = CaseDiff { number: "C-0042".parse().unwrap(), from: version(1), to: version(2), fields: vec![field] };
        let plain = diff_text(&diff, false);
        assert!(
            plain.starts_with("C-0042: version 1 by engineer-a -> version 2 by engineer-a\n\nsymptom (en)\nthe fan [-stops-]{+hums"),
            "{plain}"
        );
        assert!(!plain.contains('\x1b'), "what is in the text does not act");
        assert!(diff_text(&diff, true).contains("\x1b[31mstops\x1b[0m"));
    }
}

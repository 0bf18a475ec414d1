//! `lineman case draft`: what was taken out of a draft, and what shall be shown after all.

use std::str::FromStr;

use clap::Args;
use lineman_common::api::{CaseField, DraftChange, DraftPiece, DraftReview, Language, MaskRule, PutBack, TakeOut};

use crate::client::Client;
use crate::commands::{App, word};
use crate::exit::{Exit, Outcome};
use crate::output::{Cell, Table, Tone, text};

/// Show what was taken out of a draft, beside what the fault says; put back, or take out more
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  lineman case draft C-0042
  lineman case draft C-0042 --put-back en.symptom.0
  lineman case draft C-0042 --take-out 'Room 4' --take-out 'Li Lei' --rule person")]
pub struct Draft {
    case: String,
    /// Show this span again: the `span` of the list
    #[arg(long, value_name = "SPAN")]
    put_back: Vec<Place>,
    /// Take this text out wherever it stands
    #[arg(long, value_name = "TEXT")]
    take_out: Vec<String>,
    /// What the texts are that are taken out
    #[arg(long, requires = "take_out", value_parser = word::<MaskRule>(MaskRule::WORDS))]
    rule: Option<MaskRule>,
}

/// `en.symptom.0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    language: Language,
    field: CaseField,
    span: u32,
}

impl FromStr for Place {
    type Err = String;
    fn from_str(place: &str) -> Result<Self, String> {
        let mut parts = place.split('.');
        let mut next = || parts.next().unwrap_or_default();
        let read = (next().parse(), next().parse(), next().parse());
        match (read, parts.next()) {
            ((Ok(language), Ok(field), Ok(span)), None) => Ok(Self { language, field, span }),
            _ => Err("expected a span like en.symptom.0".into()),
        }
    }
}

impl Draft {
    pub async fn run(self, app: &App, client: &Client) -> Outcome {
        let put_back =
            self.put_back.iter().map(|Place { language, field, span }| PutBack { language: *language, field: *field, span: *span });
        let take_out = self.take_out.iter().map(|text| TakeOut { text: text.as_str().into(), rule: self.rule });
        let change = DraftChange { put_back: put_back.collect(), take_out: take_out.collect() };
        let review = if change == DraftChange::default() {
            client.draft_review(&self.case).await?
        } else {
            client.change_draft(&self.case, &change).await?
        };
        app.out.row(&review, |reviews| table(reviews[0]))?;
        for field in review.fields.iter().filter(|field| field.edited) {
            app.say(format!("the {} {} was edited since: its masking can't be changed here", field.language, field.field));
        }
        Ok(Exit::Done)
    }
}

/// One line for each span, with what stands around it.
fn table(review: &DraftReview) -> Table {
    let mut rows = Vec::new();
    for field in &review.fields {
        for (at, piece) in field.pieces.iter().enumerate() {
            let (Some(span), Some(rule)) = (piece.span, piece.rule) else { continue };
            let before = at.checked_sub(1).and_then(|at| field.pieces.get(at)).map(|piece| around(piece, true)).unwrap_or_default();
            let after = field.pieces.get(at + 1).map(|piece| around(piece, false)).unwrap_or_default();
            let shown = match &piece.shown {
                Some(shown) => Cell::toned(shown, Tone::Good),
                None => Cell::toned("put back", Tone::Warn),
            };
            rows.push([
                text(format!("{}.{}.{span}", field.language, field.field)),
                text(rule),
                text(format!("{before}»{}«{after}", piece.was)),
                shown,
            ]);
        }
    }
    Table::new(["span", "rule", "was", "shown"], rows)
}

/// A few characters, so that a reader knows the place.
fn around(piece: &DraftPiece, before: bool) -> String {
    const MOST: usize = 16;
    let chars: Vec<char> = piece.was.to_string().chars().collect();
    if before { chars[chars.len().saturating_sub(MOST)..].iter().collect() } else { chars.iter().take(MOST).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_named_by_language_field_and_number() {
        assert_eq!("zh.steps.12".parse(), Ok(Place { language: Language::Zh, field: CaseField::Steps, span: 12 }));
        for wrong in ["", "en.steps", "fr.steps.1", "en.steps.x", "en.steps.1.2"] {
            assert!(wrong.parse::<Place>().is_err(), "{wrong}");
        }
    }
}

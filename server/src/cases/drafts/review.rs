//! The masking of a draft, for review: what the fault says beside what the case says, and a way to put a span back or take more out.
//!
//! The raw side lies beside the case, not in it, only until the case is published or archived (a trigger sees to it), and shows only to
//! those who may see the fault. A change makes a new version of the case by the reviewer, so that nobody publishes what they alone
//! have unmasked.

use lineman_common::Printable;
use lineman_common::api::{
    Case, CaseBody, CaseField, CaseText, DraftChange, DraftField, DraftPiece, DraftReview, Language, MaskRule, PutBack, TakeOut,
};
use lineman_common::id::FaultId;
use serde::{Deserialize, Serialize};

use super::super::{self as cases, Reference};
use super::body::Raw;
use super::{Error, mask, sql};
use crate::faults::{self, Reference as FaultReference};
use crate::store::{Db, Tx};
use crate::web::{Actor, Scope};

/// Words that are taken out in one go.
const MOST_CHANGES: usize = 200;

/// A text of a draft with what was found in it.
#[derive(Clone, Debug)]
pub struct Passage {
    pub language: Language,
    pub field: CaseField,
    pub fault: FaultId,
    pub raw: String,
    pub spans: Vec<StoredSpan>,
}

/// By its place in the list it is known for ever: new ones come at the end.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct StoredSpan {
    #[serde(flatten)]
    pub span: mask::Span,
    /// A reviewer has put it back.
    #[serde(default)]
    pub put_back: bool,
}

impl Passage {
    pub fn of(raw: Raw, fault: FaultId) -> Self {
        let spans = raw.spans.into_iter().map(|span| StoredSpan { span, put_back: false }).collect();
        Self { language: raw.language, field: raw.field, fault, raw: raw.text, spans }
    }

    /// As the case says it.
    fn shown(&self) -> String {
        let mut spans: Vec<_> = self.spans.iter().filter(|stored| !stored.put_back).map(|stored| stored.span).collect();
        spans.sort_by_key(|span| span.start);
        mask::render(&self.raw, &spans)
    }

    fn is_edited(&self, case: &Case) -> bool {
        text(&case.body, self.language, self.field).is_none_or(|text| text.raw() != self.shown())
    }

    fn pieces(&self) -> Vec<DraftPiece> {
        let mut order: Vec<usize> = (0..self.spans.len()).collect();
        order.sort_by_key(|index| self.spans[*index].span.start);
        let plain = |was: &str| DraftPiece { was: Printable::new(was), shown: None, span: None, rule: None };
        let (mut pieces, mut from) = (Vec::new(), 0);
        for index in order {
            let StoredSpan { span, put_back } = self.spans[index];
            if span.start > from {
                pieces.push(plain(&self.raw[from..span.start]));
            }
            pieces.push(DraftPiece {
                shown: (!put_back).then(|| span.rule.shown().to_owned()),
                span: u32::try_from(index).ok(),
                rule: Some(span.rule),
                ..plain(&self.raw[span.start..span.end])
            });
            from = span.end;
        }
        if from < self.raw.len() {
            pieces.push(plain(&self.raw[from..]));
        }
        pieces
    }

    /// Takes every place of a text out; answers how many there are.
    fn take_out(&mut self, wanted: &str, rule: MaskRule) -> usize {
        let places = mask::places(&self.raw, wanted, rule);
        for place in &places {
            // What lies within it is taken out again, and new spans fill what no span covers.
            let mut from = place.start;
            let mut inner: Vec<usize> = (0..self.spans.len())
                .filter(|at| self.spans[*at].span.start < place.end && self.spans[*at].span.end > place.start)
                .collect();
            inner.sort_by_key(|at| self.spans[*at].span.start);
            for at in inner {
                let known = &mut self.spans[at];
                known.put_back = false;
                let (start, end) = (known.span.start, known.span.end);
                if start > from {
                    self.spans.push(StoredSpan { span: mask::Span { start: from, end: start, rule }, put_back: false });
                }
                from = from.max(end);
            }
            if from < place.end {
                self.spans.push(StoredSpan { span: mask::Span { start: from, end: place.end, rule }, put_back: false });
            }
        }
        places.len()
    }
}

fn text(body: &CaseBody, language: Language, field: CaseField) -> Option<&Printable> {
    let text = match language {
        Language::Zh => body.zh.as_ref(),
        Language::En => body.en.as_ref(),
    }?;
    Some(match field {
        CaseField::Title => &text.title,
        CaseField::Symptom => &text.symptom,
        CaseField::Cause => &text.cause,
        CaseField::Steps => &text.steps,
        CaseField::Resolution => &text.resolution,
    })
}

fn set(body: &mut CaseBody, language: Language, field: CaseField, shown: String) {
    let text = match language {
        Language::Zh => &mut body.zh,
        Language::En => &mut body.en,
    };
    let text = text.get_or_insert_with(CaseText::default);
    *(match field {
        CaseField::Title => &mut text.title,
        CaseField::Symptom => &mut text.symptom,
        CaseField::Cause => &mut text.cause,
        CaseField::Steps => &mut text.steps,
        CaseField::Resolution => &mut text.resolution,
    }) = Printable::new(shown);
}

/// The draft's texts, for those who may see the case and its fault.
fn read(db: &Db<'_>, scope: &Scope, reference: &Reference) -> Result<(Case, Vec<Passage>), Error> {
    let case = cases::get(db, scope, reference)?;
    let fields = sql::fields(db, case.number)?;
    let fault = fields.first().ok_or(Error::NoReview)?.fault;
    faults::get(db, scope, &FaultReference::Id(fault))?;
    Ok((case, fields))
}

pub fn get(db: &Db<'_>, scope: &Scope, reference: &Reference) -> Result<DraftReview, Error> {
    let (case, fields) = read(db, scope, reference)?;
    let fault = case.source_fault.clone().ok_or(Error::NoReview)?;
    let shown = |field: &Passage| DraftField {
        language: field.language,
        field: field.field,
        edited: field.is_edited(&case),
        pieces: field.pieces(),
    };
    Ok(DraftReview {
        case: case.number,
        fault,
        version: case.version,
        fields: fields.iter().map(shown).collect(),
        decisions: sql::decisions(db, case.number)?,
    })
}

/// Puts spans back and takes words out: all of it, or nothing.
pub fn change(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference, change: &DraftChange) -> Result<DraftReview, Error> {
    let wanted = change.put_back.len() + change.take_out.len();
    if wanted == 0 || wanted > MOST_CHANGES {
        return Err(Error::HowManyChanges(MOST_CHANGES));
    }
    let (case, mut fields) = read(tx, &actor.scope(), reference)?;
    let mut body = case.body.clone();
    let edited: Vec<bool> = fields.iter().map(|field| field.is_edited(&case)).collect();
    let mut touched = Vec::new();
    for PutBack { language, field, span } in &change.put_back {
        let at = fields.iter().position(|known| known.language == *language && known.field == *field);
        let at = at.ok_or(Error::NoSpan { language: *language, field: *field, span: *span })?;
        let no_span = Error::NoSpan { language: *language, field: *field, span: *span };
        must_be_as_drafted(&fields[at], edited[at])?;
        let stored = usize::try_from(*span).ok().and_then(|span| fields[at].spans.get_mut(span)).ok_or(no_span)?;
        stored.put_back = true;
        let rule = stored.span.rule;
        sql::insert_decision(tx, case.number, (*language, *field), true, rule, &actor.name)?;
        touched.push(at);
    }
    for TakeOut { text, rule } in &change.take_out {
        let rule = rule.unwrap_or(MaskRule::Reviewer);
        let mut places = 0;
        for (at, field) in fields.iter_mut().enumerate() {
            let found = field.take_out(text.raw(), rule);
            if found > 0 {
                must_be_as_drafted(field, edited[at])?;
                sql::insert_decision(tx, case.number, (field.language, field.field), false, rule, &actor.name)?;
                touched.push(at);
            }
            places += found;
        }
        if places == 0 {
            return Err(Error::NothingToTakeOut);
        }
    }
    for field in touched.iter().map(|at| &fields[*at]) {
        set(&mut body, field.language, field.field, field.shown());
        sql::put(tx, case.number, field)?;
    }
    if body != case.body {
        cases::life::states::edit(tx, actor, reference, &body)?;
    }
    get(tx, &actor.scope(), reference)
}

fn must_be_as_drafted(field: &Passage, is_edited: bool) -> Result<(), Error> {
    if is_edited { Err(Error::Edited { language: field.language, field: field.field }) } else { Ok(()) }
}

//! Where a case says what was asked.
//!
//! Fields are read by the token function that the index is made with, so what is marked is what matched: other spellings of a code,
//! other forms of a word, synonyms. Neighbouring bigrams become the words that they were cut from. Offsets are of the stored text.

use std::collections::HashSet;

use lineman_common::Printable;
use lineman_common::api::{CaseBody, CaseField, Highlight, Language};

use super::fields::TEXT_FIELDS;
use crate::search::synonyms::{Found, Synonyms};
use crate::search::tokens::{self, Beginnings, Kind, Reader, Sink};

/// Characters of a field that are read.
const LONGEST: usize = 2_000;
/// A field that is longer is shown by its best piece.
const SNIPPET: usize = 160;
/// Characters before the first match in a piece.
const BEFORE: usize = 24;

/// What is looked for.
pub struct Marker<'a> {
    /// Terms of the question.
    terms: &'a HashSet<String>,
    table: &'a Synonyms,
    /// Phrases of the table that the question uses.
    phrases: Vec<&'a Found>,
    /// How phrases begin that mean what one of these means.
    firsts: HashSet<&'a str>,
    /// Which words may be terms or begin such a phrase.
    beginnings: Beginnings,
    reader: Reader,
}

/// What was found in a case.
#[derive(Default)]
pub struct Marked {
    pub highlights: Vec<Highlight>,
    /// Terms of the question that the case has.
    pub seen: HashSet<String>,
    /// Phrases of the case that mean what a phrase of the question means: its place in [`Marker::phrases`], and the phrase.
    pub phrases: Vec<(usize, String)>,
}

impl<'a> Marker<'a> {
    pub fn new(terms: &'a HashSet<String>, table: &'a Synonyms, phrases: Vec<&'a Found>) -> Self {
        let firsts: HashSet<&str> = phrases.iter().flat_map(|found| table.firsts(found)).collect();
        let beginnings = Beginnings::of(terms.iter().map(String::as_str).chain(firsts.iter().copied()));
        Self { terms, table, phrases, firsts, beginnings, reader: Reader::default() }
    }

    pub fn mark(&mut self, body: &CaseBody) -> Marked {
        let mut marked = self.pass(body, false);
        // Lone characters are marked where nothing better is.
        if marked.highlights.is_empty() {
            marked = self.pass(body, true);
        }
        marked
    }

    fn pass(&mut self, body: &CaseBody, characters: bool) -> Marked {
        let mut marked = Marked::default();
        for (language, text) in [(Language::Zh, &body.zh), (Language::En, &body.en)] {
            let Some(text) = text else { continue };
            for field in TEXT_FIELDS {
                let spans = self.field(text.field(field).raw(), characters, &mut marked);
                marked.highlights.extend(highlight(language, field, text.field(field), &spans));
            }
        }
        marked
    }

    /// What matched in a field, in characters of the field.
    fn field(&mut self, text: &str, characters: bool, marked: &mut Marked) -> Vec<(usize, usize)> {
        let text = text.char_indices().nth(LONGEST).and_then(|(end, _)| text.get(..end)).unwrap_or(text);
        if text.is_empty() {
            return Vec::new();
        }
        let mut matches = Matches {
            terms: self.terms,
            firsts: &self.firsts,
            beginnings: &self.beginnings,
            characters,
            seen: &mut marked.seen,
            spans: Vec::new(),
            may_have_phrase: false,
        };
        self.reader.read(text, &mut matches);
        let Matches { mut spans, may_have_phrase, .. } = matches;
        if may_have_phrase {
            self.phrases_in(text, &mut spans, marked);
        }
        if spans.is_empty() {
            return spans;
        }
        tokens::origins(text)
            .map(|origins| spans.into_iter().filter_map(|span| original(&origins, span)).collect())
            .map_or_else(Vec::new, merge)
    }

    /// Phrases of the table that mean what a phrase of the question means.
    fn phrases_in(&self, text: &str, spans: &mut Vec<(usize, usize)>, marked: &mut Marked) {
        for found in self.table.find(&tokens::analyse(text)) {
            if let Some(which) = self.phrases.iter().position(|asked| self.table.is_same_group(asked, &found)) {
                spans.push((found.start, found.end));
                let phrase = self.table.text(&found);
                if !marked.phrases.iter().any(|(known, text)| *known == which && text == phrase) {
                    marked.phrases.push((which, phrase.to_owned()));
                }
            }
        }
    }
}

/// Takes the tokens of a field that are terms of the question.
struct Matches<'a> {
    terms: &'a HashSet<String>,
    firsts: &'a HashSet<&'a str>,
    beginnings: &'a Beginnings,
    characters: bool,
    seen: &'a mut HashSet<String>,
    spans: Vec<(usize, usize)>,
    may_have_phrase: bool,
}

impl Sink for Matches<'_> {
    fn take(&mut self, text: &str, kind: Kind, start: usize, end: usize) {
        if kind == Kind::Unigram && !self.characters {
            // A character inside a word is marked when it was asked alone, which a question of one character does.
            return;
        }
        self.may_have_phrase |= kind != Kind::Unigram && self.firsts.contains(text);
        if self.terms.contains(text) {
            self.spans.push((start, end));
            if !self.seen.contains(text) {
                self.seen.insert(text.to_owned());
            }
        }
    }

    fn wants(&self, word: &str) -> bool {
        self.beginnings.may_be(word)
    }
}

/// From the shown text to the text itself.
fn original(origins: &[usize], (start, end): (usize, usize)) -> Option<(usize, usize)> {
    let (from, last) = (*origins.get(start)?, *origins.get(end.checked_sub(1)?)?);
    let to = origins.get(end..)?.iter().find(|at| **at > last)?;
    Some((from, *to))
}

/// Overlapping and touching spans become one.
fn merge(mut spans: Vec<(usize, usize)>) -> Vec<(usize, usize)> {
    spans.sort_unstable();
    let mut merged: Vec<(usize, usize)> = Vec::new();
    for (start, end) in spans {
        match merged.last_mut() {
            Some(last) if start <= last.1 => last.1 = last.1.max(end),
            _ => merged.push((start, end)),
        }
    }
    merged
}

fn highlight(language: Language, field: CaseField, text: &Printable, spans: &[(usize, usize)]) -> Option<Highlight> {
    if spans.is_empty() {
        return None;
    }
    let characters: Vec<char> = text.raw().chars().collect();
    let (from, to) = window(&characters, spans);
    let inside = spans.iter().filter(|(start, end)| *start >= from && *end <= to);
    let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    Some(Highlight {
        language,
        field,
        text: characters.get(from..to)?.iter().collect::<String>().into(),
        start: place(from),
        spans: inside.map(|(start, end)| [place(start - from), place(end - from)]).collect(),
    })
}

/// The piece of a long text with most of what matched, begun at a word where one begins nearby.
fn window(text: &[char], spans: &[(usize, usize)]) -> (usize, usize) {
    if text.len() <= SNIPPET {
        return (0, text.len());
    }
    let held = |from: usize| -> usize {
        spans.iter().filter(|(start, end)| *start >= from && *end <= from + SNIPPET).map(|(start, end)| end - start).sum()
    };
    let starts = spans.iter().map(|(start, _)| start.saturating_sub(BEFORE));
    // Of equals, the first.
    let best = starts.rev().max_by_key(|start| held(*start)).unwrap_or(0).min(text.len() - SNIPPET);
    let first = spans.iter().map(|(start, _)| *start).find(|start| *start >= best).unwrap_or(best);
    let is_break = |c: &char| c.is_whitespace() || "。，；：！？,;".contains(*c);
    let gap = text.get(best..first).unwrap_or_default();
    let skipped = if best == 0 { 0 } else { gap.iter().position(is_break).map_or(0, |at| at + 1) };
    let from = best + skipped;
    (from, (from + SNIPPET).min(text.len()))
}

#[cfg(test)]
mod tests {
    use lineman_common::api::CaseText;
    use proptest::prelude::*;

    use super::*;

    fn marked(question: &str, title: &str, steps: &str) -> Vec<Highlight> {
        let typed = tokens::analyse(question);
        let terms = typed.tokens.iter().map(|token| token.text.clone()).collect();
        let table = Synonyms::of_the_field();
        let found = table.find(&typed);
        let mut marker = Marker::new(&terms, table, found.iter().collect());
        let text = CaseText { title: title.into(), steps: steps.into(), ..CaseText::default() };
        marker.mark(&CaseBody { zh: Some(text), ..CaseBody::default() }).highlights
    }

    /// The text with what is marked in brackets.
    fn shown(highlight: &Highlight) -> String {
        let mut text: Vec<String> = highlight.text.raw().chars().map(String::from).collect();
        for [start, end] in &highlight.spans {
            text[*start as usize].insert(0, '[');
            text[*end as usize - 1].push(']');
        }
        text.concat()
    }

    fn title(question: &str, title: &str) -> String {
        marked(question, title, "").first().map(shown).unwrap_or_default()
    }

    #[test]
    fn words_are_marked_whole() {
        assert_eq!(title("风扇停转", "二号风扇停转导致温度过高"), "二号[风扇停转]导致温度过高");
        assert_eq!(title("板卡温度", "板卡3温度告警"), "[板卡]3[温度]告警");
        assert_eq!(title("overheated boards", "The board is overheating"), "The [board] is [overheating]");
        assert_eq!(title("風扇", "风扇"), "[风扇]");
        assert_eq!(title("扇", "二号风扇"), "二号风[扇]");
        assert_eq!(title("光模块", "Optical module ages"), "[Optical module] ages");
    }

    #[test]
    fn offsets_are_of_the_stored_text() {
        assert_eq!(title("alm25621", "见ＡＬＭ－２５６２１！"), "见[ＡＬＭ－２５６２１]！");
        assert_eq!(title("fan", "x\u{200b}e\u{301} fan\u{200b} 😀fan"), "x\u{200b}e\u{301} [fan\u{200b}] 😀[fan]");
        assert_eq!(title("kg", "10 ㎏"), "10 [㎏]");
    }

    #[test]
    fn markup_is_text() {
        assert_eq!(title("fan", "<b>fan</b> \u{1b}[2J"), "<b>[fan]</b> \u{1b}[2J");
    }

    #[test]
    fn a_long_field_is_shown_by_its_best_piece() {
        let steps = format!("{}。先拔出光模块，再清洁光模块和尾纤。{}", "检查电源。".repeat(60), "重启单板。".repeat(60));
        let highlights = marked("清洁光模块", "别的", &steps);
        assert_eq!(highlights[0].field, CaseField::Steps);
        let text = shown(&highlights[0]);
        assert!(text.starts_with("检查电源。") && text.contains("[清洁光模块]"), "{text}");
        assert!(highlights[0].text.raw().chars().count() <= SNIPPET);
        let from = highlights[0].start as usize;
        let piece: String = steps.chars().skip(from).take(highlights[0].text.raw().chars().count()).collect();
        assert_eq!(piece, highlights[0].text.raw());
    }

    proptest! {
        #[test]
        fn spans_always_fit(question in r"[a-z风扇停①㎏ ]{0,12}", text in r"(\PC|[风扇停转a-z①㎏e\u{301}\u{200b} ]){0,200}") {
            for highlight in marked(&question, &text, &text) {
                let length = u32::try_from(highlight.text.raw().chars().count()).unwrap();
                let mut last = 0;
                for [start, end] in highlight.spans {
                    prop_assert!(start >= last && start < end && end <= length);
                    last = end;
                }
            }
        }
    }
}

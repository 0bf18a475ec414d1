//! Takes out of a text what must not leave its customer: secrets, addresses, serial numbers, names.
//!
//! A fault's text was written for one customer; a case is read by everybody. What is taken out leaves a word in brackets
//! that says what was there, so that the text still reads and a reviewer sees where something went. When in doubt it is taken out:
//! a reviewer can put a word back, nobody can take a published password back.
//!
//! Everything is looked for in the text as it reads ([`fold`]): in any case, in full or half width, with whatever invisible characters in
//! between. Rules run from what is surest to what is guessed, and what one has taken the next leaves alone.

mod fold;
mod known;
mod labels;
mod numbers;
mod people;
mod vocabulary;
mod words;

#[cfg(test)]
mod tests;

use lineman_common::api::MaskRule;
use serde::{Deserialize, Serialize};

use fold::Folded;
pub use known::Known;

/// Where something was found in a text, in bytes, and what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    pub start: usize,
    pub end: usize,
    pub rule: MaskRule,
}

/// The text with everything taken out.
pub fn mask(text: &str, known: &Known) -> String {
    render(text, &spans(text, known))
}

/// What is to be taken out, in order, none over another.
pub fn spans(text: &str, known: &Known) -> Vec<Span> {
    let folded = Folded::of(text);
    let mut found = Found { folded: &folded, taken: vec![None; folded.len()] };
    blocks(&mut found);
    url_credentials(&mut found);
    labels::find(&mut found);
    numbers::find(&mut found, known);
    people::beside_phones(&mut found);
    words::find(&mut found, known);
    known.find(&mut found);
    found.spans(text)
}

/// Every place where one text stands in another, as it reads.
pub fn places(text: &str, wanted: &str, rule: MaskRule) -> Vec<Span> {
    let (folded, wanted) = (Folded::of(text), Folded::of(wanted.trim()));
    let mut found = Found { folded: &folded, taken: vec![None; folded.len()] };
    if !wanted.is_empty() {
        let mut at = 0;
        while at + wanted.len() <= folded.len() {
            if folded.lower[at..].starts_with(&wanted.lower) {
                found.take(at, at + wanted.len(), rule);
                at += wanted.len();
            } else {
                at += 1;
            }
        }
    }
    found.spans(text)
}

/// The text with the spans' words instead of what was there.
pub fn render(text: &str, spans: &[Span]) -> String {
    let (mut out, mut from) = (String::with_capacity(text.len()), 0);
    for span in spans {
        out.push_str(&text[from..span.start]);
        out.push_str(span.rule.shown());
        from = span.end;
    }
    out + &text[from..]
}

/// What the rules have taken so far, by place in the folded text.
struct Found<'a> {
    folded: &'a Folded,
    /// The rule, and which find it was: neighbours of one rule stay two words.
    taken: Vec<Option<(MaskRule, usize)>>,
}

impl Found<'_> {
    /// Takes what no rule before has taken.
    fn take(&mut self, start: usize, end: usize, rule: MaskRule) {
        for taken in self.taken[start..end].iter_mut().filter(|taken| taken.is_none()) {
            *taken = Some((rule, start));
        }
    }

    fn is_free(&self, start: usize, end: usize) -> bool {
        self.taken[start..end].iter().all(Option::is_none)
    }

    fn spans(&self, text: &str) -> Vec<Span> {
        let mut spans: Vec<Span> = Vec::new();
        let mut last = None;
        for (at, taken) in self.taken.iter().enumerate() {
            let (start, end) = (self.folded.starts[at], self.folded.end_of(at, text));
            match (taken, spans.last_mut()) {
                (None, _) => {}
                // One character of the text may read as several; it belongs to what took its first.
                (Some(_), Some(span)) if start < span.end => {}
                // What can't be seen in between goes with it.
                (Some(of), Some(span)) if last == Some(*of) => span.end = end,
                (Some((rule, _)), _) => spans.push(Span { start, end, rule: *rule }),
            }
            last = *taken;
        }
        spans
    }
}

/// PEM: from BEGIN to END, or to where the text was cut. Certificates only when they are whole: the word alone says nothing.
fn blocks(found: &mut Found<'_>) {
    const BEGIN: &str = "-----begin ";
    const END: &str = "-----end ";
    let folded = found.folded;
    let (mut from, mut may_end) = (0, true);
    while let Some(begin) = folded.find(BEGIN, from) {
        let after = begin + BEGIN.len();
        let Some(head_end) = folded.find("-----", after) else { break };
        let is_key = folded.find_before("private key", after, head_end).is_some();
        // Where one block has no end, none behind it has.
        let end = may_end.then(|| folded.find(END, head_end)).flatten();
        let end = end.and_then(|at| folded.find("-----", at + END.len())).map(|at| at + 5);
        may_end = end.is_some();
        from = match (is_key, end) {
            (true, end) => {
                let end = end.unwrap_or(folded.len());
                found.take(begin, end, MaskRule::PrivateKey);
                end
            }
            (false, Some(end)) => {
                found.take(begin, end, MaskRule::Certificate);
                end
            }
            (false, None) => head_end,
        };
    }
}

/// `https://user:password@host`.
fn url_credentials(found: &mut Found<'_>) {
    let folded = found.folded;
    let mut from = 0;
    while let Some(at) = folded.find("://", from) {
        let start = at + 3;
        let length = folded.lower[start..].iter().position(|c| *c == '/' || c.is_whitespace()).unwrap_or(folded.len() - start);
        let name_end = folded.lower[start..start + length].iter().rposition(|c| *c == '@');
        if let Some(name_end) = name_end.filter(|end| *end > 0) {
            found.take(start, start + name_end, MaskRule::UrlCredentials);
        }
        from = start;
    }
}

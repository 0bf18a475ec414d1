//! The one token function of the case library: what is indexed and what is asked go through the same code.
//!
//! Words of the field decide what a token is, so no stock analyser fits:
//!
//! - Text is folded first: NFKC (full width, ligatures, circled digits), invisible characters out, lower case,
//!   traditional to simplified Chinese. `ＡＬＭ－２５６２１` and `alm-25621` are the same text after that.
//! - Scripts without spaces give **bigrams**: 风扇故障 -> 风扇, 扇故, 故障. A word in the middle of a sentence is found without
//!   a dictionary that would never know the field's words. Every character is a token too: 换卡 and 更换板卡 share no bigram, and
//!   the same problem in other words mostly shares characters.
//! - A change between such a script and Latin always splits: 板卡temp告警 is 板卡, temp, 告警.
//! - An **identifier** (`ALM-25621`, `ZXR10 8902E`, `42-315`) is a token as a whole, a token without its joints
//!   (`alm25621`), and a token by its number when that is long enough to mean something. Never by its bare prefix:
//!   `ALM` would find every alarm there is. With a short number (`fan-2`, `slot-3`) the word is what is meant and the
//!   number only says which one, so the word is kept.
//! - English words are stemmed (Porter 2).
//!
//! A joint inside an identifier (`-`, `_`, `/`, `.`, `:`, `#`) becomes [`JOINT`], a private-use character: all spellings of a
//! joint are equal, and the token holds no ASCII punctuation, which an index could take for a separator.

mod fold;
mod run;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use rust_stemmers::{Algorithm, Stemmer};

pub use fold::origins;
use run::{Part, Run};

use super::term::{Term, Terms};

/// Stands for any joint inside an identifier.
pub const JOINT: char = '\u{e001}';

/// Begins the token of a whole code.
const EXACT: char = '\u{e002}';

/// Longer tokens are cut here, in the index and in the question alike: what follows tells nothing more.
const LONGEST: usize = 64;
/// Runs with more parts are paths and addresses, not names: only their parts are tokens.
const MOST_PARTS: usize = 12;
/// A number of fewer digits says which fan, not which alarm.
const SHORTEST_NUMBER: usize = 3;
/// Words whose stems are kept at a time.
const MOST_STEMS: usize = 100_000;

static ENGLISH: LazyLock<Stemmer> = LazyLock::new(|| Stemmer::create(Algorithm::English));

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Two neighbours of a script without spaces.
    Bigram,
    /// A run of one character.
    Single,
    /// A character of a longer run.
    Unigram,
    /// A stemmed word.
    Word,
    /// A number that stands alone.
    Number,
    /// An identifier as written, joints equal.
    Whole,
    /// An identifier without its joints, also one that is written with a space: `ALM 25621`.
    Joined,
    /// The number inside an identifier.
    Part,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub text: String,
    pub kind: Kind,
    /// Where it stands, in characters of the shown text.
    pub start: usize,
    pub end: usize,
}

/// A text and its tokens, in the order of the text.
#[derive(Clone, Debug, Default)]
pub struct Analysis {
    /// The text after NFKC, still with its capitals and its script: what is shown as a match.
    shown: Vec<char>,
    /// The same length, folded for comparison.
    folded: Vec<char>,
    pub tokens: Vec<Token>,
}

impl Analysis {
    /// The text between two offsets, for people.
    pub fn surface(&self, start: usize, end: usize) -> String {
        self.shown.get(start..end).unwrap_or_default().iter().collect()
    }

    /// The text between two offsets, as it is compared.
    pub fn folded(&self, start: usize, end: usize) -> String {
        self.folded.get(start..end).unwrap_or_default().iter().collect()
    }

    /// Does the text end here, without so much as a space behind it?
    pub fn ends_at(&self, at: usize) -> bool {
        self.shown.len() == at
    }
}

/// Takes the tokens of a text, in their order.
pub trait Sink {
    /// `start` and `end` are characters of the shown text.
    fn take(&mut self, text: &str, kind: Kind, start: usize, end: usize);

    /// Could the stem of this word be of any use? Of one that can't, no stem is made.
    fn wants(&self, _word: &str) -> bool {
        true
    }
}

struct Collector(Vec<Token>);

impl Sink for Collector {
    fn take(&mut self, text: &str, kind: Kind, start: usize, end: usize) {
        self.0.push(Token { text: text.to_owned(), kind, start, end });
    }
}

/// Tells most words from those that have one of some stems, by their first two letters: stemming leaves them as they are.
#[derive(Clone, Debug, Default)]
pub struct Beginnings([u32; 26]);

impl Beginnings {
    pub fn of<'a>(stems: impl IntoIterator<Item = &'a str>) -> Self {
        let mut own = Self::default();
        for stem in stems {
            let mut letters = stem.bytes().map(letter);
            match (letters.next().flatten(), letters.next()) {
                (Some(first), Some(Some(second))) => own.add(first, 1 << second),
                // Of one letter, or with one that is not Latin behind it.
                (Some(first), _) => own.add(first, u32::MAX),
                (None, _) => {}
            }
        }
        own
    }

    fn add(&mut self, first: usize, seconds: u32) {
        if let Some(known) = self.0.get_mut(first) {
            *known |= seconds;
        }
    }

    /// What is not Latin, and what is stemmed to something else, may be anything.
    pub fn may_be(&self, word: &str) -> bool {
        let mut letters = word.bytes().map(letter);
        let (Some(first), Some(Some(second))) = (letters.next().flatten(), letters.next()) else { return true };
        let known = self.0.get(first).copied().unwrap_or_default();
        known >> second & 1 == 1 || matches!(word, "dying" | "lying" | "tying")
    }
}

fn letter(byte: u8) -> Option<usize> {
    byte.is_ascii_lowercase().then(|| usize::from(byte - b'a'))
}

pub fn analyse(text: &str) -> Analysis {
    let (mut reader, mut collector) = (Reader::default(), Collector(Vec::with_capacity(text.len() / 2)));
    reader.read(text, &mut collector);
    Analysis { shown: reader.shown, folded: reader.folded, tokens: collector.0 }
}

/// Reads texts, one after the other, in the same memory, and knows the stems of words that it has seen.
#[derive(Debug, Default)]
pub struct Reader {
    shown: Vec<char>,
    folded: Vec<char>,
    run: Run,
    /// The run before.
    before: Run,
    words: Words,
}

/// What is made of words.
#[derive(Debug, Default)]
struct Words {
    stems: Terms<Term>,
    /// A token in the making.
    text: String,
}

impl Reader {
    pub fn read(&mut self, text: &str, sink: &mut impl Sink) {
        fold::shown(text, &mut self.shown);
        fold::folded(&self.shown, &mut self.folded);
        let Self { folded, run, before, words, .. } = self;
        let mut has_before = false;
        let mut at = 0;
        while let Some(c) = folded.get(at) {
            match class(*c) {
                Class::Spaceless => at = spaceless(folded, at, &mut words.text, sink),
                Class::Letter | Class::Digit => {
                    run.read(folded, at);
                    at = run.end();
                    let leads = has_before && run.digits() && before.may_lead() && is_narrow(folded, before.end(), run.start());
                    words.run(run, leads.then_some(&*before), sink);
                    std::mem::swap(run, before);
                    has_before = true;
                }
                Class::Joint | Class::Other => at += 1,
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Han, kana, hangul: written without spaces, or with spaces that say little.
    Spaceless,
    Letter,
    Digit,
    Joint,
    Other,
}

fn class(c: char) -> Class {
    match c {
        '0'..='9' => Class::Digit,
        'a'..='z' => Class::Letter,
        '-' | '_' | '/' | '.' | ':' | '#' => Class::Joint,
        c if c.is_ascii() => Class::Other,
        '\u{3005}'
        | '\u{3007}'
        | '\u{3041}'..='\u{3096}'
        | '\u{30a1}'..='\u{30fc}'
        | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{3ffff}' => Class::Spaceless,
        c if c.is_alphanumeric() => Class::Letter,
        _ => Class::Other,
    }
}

/// A run of a script without spaces; returns its end.
fn spaceless(folded: &[char], start: usize, text: &mut String, sink: &mut impl Sink) -> usize {
    let rest = folded.get(start..).unwrap_or_default();
    let run = rest.get(..rest.iter().take_while(|c| class(**c) == Class::Spaceless).count()).unwrap_or_default();
    for (at, pair) in (start..).zip(run.windows(2)) {
        text.clear();
        text.extend(pair);
        sink.take(text, Kind::Bigram, at, at + 2);
    }
    let kind = if run.len() == 1 { Kind::Single } else { Kind::Unigram };
    for (at, c) in (start..).zip(run) {
        sink.take(c.encode_utf8(&mut [0; 4]), kind, at, at + 1);
    }
    start + run.len()
}

/// Only a space, or a loose joint, between two runs.
fn is_narrow(folded: &[char], from: usize, to: usize) -> bool {
    let gap = folded.get(from..to).unwrap_or_default();
    (1..=3).contains(&gap.len()) && gap.iter().all(|c| matches!(c, ' ' | '-' | '_' | '#' | ':'))
}

impl Words {
    /// `before` is the run that leads this one.
    fn run(&mut self, run: &Run, before: Option<&Run>, sink: &mut impl Sink) {
        let (start, end) = (run.start(), run.end());
        if let Some(before) = before.filter(|_| run.parts.len() <= 3) {
            self.text.clear();
            before.join("", &mut self.text);
            run.join("", &mut self.text);
            if self.text.chars().count() <= LONGEST {
                sink.take(&self.text, Kind::Joined, before.start(), end);
            }
        }
        if run.parts.len() > 1 && run.parts.len() <= MOST_PARTS {
            self.text.clear();
            run.join(JOINT.encode_utf8(&mut [0; 4]), &mut self.text);
            sink.take(&self.text, Kind::Whole, start, end);
            self.text.clear();
            run.join("", &mut self.text);
            if run.digits() && !run.is_decimal() {
                sink.take(&self.text, Kind::Joined, start, end);
            } else if !run.digits() && run.joints == ['-'] {
                // `line-card` and `linecard` are one word to those who type them.
                let text = std::mem::take(&mut self.text);
                self.word(&text, start, end, sink);
                self.text = text;
            }
        }
        for (at, part) in run.parts.iter().enumerate() {
            let number_follows = run.parts.get(at + 1).is_some_and(|next| run.leading_digits(next) >= SHORTEST_NUMBER);
            let text = run.text(part);
            match (part.letters, part.digits) {
                (true, true) => self.mixed(text, part, sink),
                (true, false) if !number_follows => self.word(text, part.start, part.end, sink),
                (false, _) if run.parts.len() == 1 => sink.take(text, Kind::Number, start, end),
                (false, _) if run.letters() && text.len() >= SHORTEST_NUMBER => sink.take(text, Kind::Part, part.start, part.end),
                _ => {}
            }
        }
    }

    /// Letters and digits without a joint: `ALM25621`, `8902E`, `fan2`.
    fn mixed(&mut self, text: &str, part: &Part, sink: &mut impl Sink) {
        sink.take(text, Kind::Whole, part.start, part.end);
        let mut at = part.start;
        for number in text.split(|c: char| !c.is_ascii_digit()) {
            if number.len() >= SHORTEST_NUMBER && number.len() < text.len() {
                sink.take(number, Kind::Part, at, at + number.len());
            }
            at += number.len() + 1;
        }
        let word = text.trim_end_matches(|c: char| c.is_ascii_digit());
        if text.len() == word.len() + 1 && word.chars().count() >= 3 && !word.chars().any(|c| c.is_ascii_digit()) {
            self.word(word, part.start, part.end - 1, sink);
        }
    }

    fn word(&mut self, word: &str, start: usize, end: usize, sink: &mut impl Sink) {
        if !sink.wants(word) {
            return;
        }
        let key = Term::new(word);
        if let Some(stem) = self.stems.get(&key) {
            sink.take(stem.as_str(), Kind::Word, start, end);
            return;
        }
        let stem = ENGLISH.stem(word);
        sink.take(&stem, Kind::Word, start, end);
        if self.stems.len() >= MOST_STEMS {
            self.stems.clear();
        }
        self.stems.insert(key, Term::new(&stem));
    }
}

/// A whole code as one token that nothing else makes: for codes that are also words, like `LOS`.
pub fn exact(code: &str) -> String {
    std::iter::once(EXACT).chain(letters(code).chars().take(LONGEST - 1)).collect()
}

/// A text without its spaces and marks, folded: what two spellings of one thing share.
pub fn letters(text: &str) -> String {
    let (mut shown, mut folded) = (Vec::new(), Vec::new());
    fold::shown(text, &mut shown);
    fold::folded(&shown, &mut folded);
    folded.into_iter().filter(|c| matches!(class(*c), Class::Letter | Class::Digit | Class::Spaceless)).collect()
}

/// Words, and pairs of characters, that carry grammar or the manners of a question, not its meaning. The index keeps them; a question that
/// has anything else leaves them out, since in a library of mostly Chinese cases the English ones would be rare, and so look meaningful.
/// What denies is not among them: 没有光 and 有光 are two faults.
pub fn is_function_word(word: &str) -> bool {
    const WORDS: &[&str] = &[
        "a", "about", "after", "all", "also", "am", "an", "and", "any", "are", "as", "at", "be", "been", "but", "by", "can", "could",
        "did", "do", "does", "for", "from", "had", "has", "have", "how", "i", "if", "in", "into", "is", "it", "its", "may", "me", "my",
        "no", "of", "on", "or", "our", "please", "should", "so", "some", "than", "that", "the", "their", "them", "then", "there", "these",
        "they", "this", "to", "very", "was", "we", "were", "what", "when", "where", "which", "while", "who", "why", "will", "with",
        "would", "you", "your", "一下", "一个", "为什", "为何", "为啥", "么办", "么样", "什么", "他们", "他的", "你们", "你的", "可以",
        "咨询", "哪个", "如何", "怎么", "怎样", "我们", "我是", "我的", "是不", "是什", "是否", "请教", "请问", "还是", "这个", "那个",
    ];
    WORDS.binary_search(&word).is_ok()
}

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

use std::sync::LazyLock;

use lineman_common::printable::is_invisible;
use rust_stemmers::{Algorithm, Stemmer};
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::canonical_combining_class;

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

/// Where each character of [`analyse`]'s shown text stands in the text itself, in characters, and one more for the end: NFKC makes
/// one character of two and two of one. Nothing where a character can't be placed by itself.
pub fn origins(text: &str) -> Option<Vec<usize>> {
    let original: Vec<char> = text.chars().collect();
    let (mut origins, mut shown, mut at) = (Vec::with_capacity(original.len() + 1), Vec::with_capacity(original.len()), 0);
    while let Some(first) = original.get(at) {
        let marks = original[at + 1..].iter().take_while(|c| canonical_combining_class(**c) != 0).count();
        let end = at + 1 + marks;
        if marks == 0 && first.is_ascii() {
            shown.push(*first);
        } else {
            shown.extend(original[at..end].iter().copied().nfkc().filter(|c| is_shown(*c)));
        }
        origins.resize(shown.len(), at);
        at = end;
    }
    origins.push(at);
    let is_whole = shown == self::shown(text);
    is_whole.then_some(origins)
}

/// After NFKC, which changes nothing of ASCII.
fn shown(text: &str) -> Vec<char> {
    if text.is_ascii() { text.chars().collect() } else { text.nfkc().filter(|c| is_shown(*c)).collect() }
}

fn is_shown(c: char) -> bool {
    !is_invisible(c) && !is_combining(c)
}

pub fn analyse(text: &str) -> Analysis {
    let shown = shown(text);
    let mut analysis = Analysis { folded: fold(&shown), shown, tokens: Vec::new() };
    let mut at = 0;
    let mut before: Option<Run> = None;
    while at < analysis.folded.len() {
        match class(analysis.folded[at]) {
            Class::Spaceless => at = analysis.spaceless(at),
            Class::Letter | Class::Digit => {
                let run = Run::read(&analysis.folded, at);
                at = run.end();
                analysis.run(&run, before.as_ref());
                before = Some(run);
            }
            Class::Joint | Class::Other => at += 1,
        }
    }
    analysis
}

/// One character for one, so that offsets hold in both.
fn fold(shown: &[char]) -> Vec<char> {
    let lower: String = shown.iter().map(|c| dash(c.to_lowercase().next().unwrap_or(*c))).collect();
    if lower.is_ascii() {
        return lower.chars().collect();
    }
    let folded: Vec<char> = fast2s::convert(&lower).chars().collect();
    // The conversion maps character to character; should it ever not, comparing unconverted text is the safe answer.
    if folded.len() == shown.len() { folded } else { lower.chars().collect() }
}

const fn dash(c: char) -> char {
    match c {
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        '\u{2019}' => '\'',
        c => c,
    }
}

const fn is_combining(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{fe00}'..='\u{fe0f}')
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

/// Letters and digits with single joints between them: one word, one number or one identifier.
struct Run {
    parts: Vec<Part>,
    /// The joint after each part but the last.
    joints: Vec<char>,
}

struct Part {
    start: usize,
    end: usize,
    /// Folded, apostrophes dropped.
    text: String,
    letters: bool,
    digits: bool,
}

impl Run {
    fn read(folded: &[char], start: usize) -> Self {
        let class_at = |at: usize| folded.get(at).map_or(Class::Other, |c| class(*c));
        let is_part = |at: usize| matches!(class_at(at), Class::Letter | Class::Digit);
        let (mut parts, mut joints) = (Vec::new(), Vec::new());
        let mut at = start;
        loop {
            let from = at;
            while is_part(at) || (folded.get(at) == Some(&'\'') && at > from && class_at(at + 1) == Class::Letter) {
                at += 1;
            }
            parts.push(Part::new(folded, from, at));
            if class_at(at) == Class::Joint && is_part(at + 1) {
                joints.push(folded[at]);
                at += 1;
            } else {
                return Self { parts, joints };
            }
        }
    }

    fn start(&self) -> usize {
        self.parts.first().map_or(0, |part| part.start)
    }

    fn end(&self) -> usize {
        self.parts.last().map_or(0, |part| part.end)
    }

    fn letters(&self) -> bool {
        self.parts.iter().any(|part| part.letters)
    }

    fn digits(&self) -> bool {
        self.parts.iter().any(|part| part.digits)
    }

    fn joined(&self, joint: &str) -> String {
        let texts: Vec<_> = self.parts.iter().map(|part| part.text.as_str()).collect();
        texts.join(joint).chars().take(LONGEST).collect()
    }

    /// `3.14`, `10:30`, `2.53.1`: without its points it would be another number.
    fn is_decimal(&self) -> bool {
        !self.letters() && self.joints.iter().any(|joint| matches!(joint, '.' | ':'))
    }

    /// May it be the first half of an identifier that is written with a space, like `ALM 25621`, `ZXR10 8902E`?
    fn may_lead(&self) -> bool {
        match self.parts.as_slice() {
            [one] if !one.digits => (2..=8).contains(&one.text.chars().count()) && !is_function_word(&one.text),
            [one] => one.letters,
            _ => false,
        }
    }
}

impl Part {
    fn new(folded: &[char], start: usize, end: usize) -> Self {
        let mut text: String = folded[start..end].iter().collect();
        if text.contains('\'') {
            text = text.strip_suffix("'s").unwrap_or(&text).replace('\'', "");
        }
        let text: String = text.chars().take(LONGEST).collect();
        let letters = text.chars().any(|c| !c.is_ascii_digit());
        let digits = text.chars().any(|c| c.is_ascii_digit());
        Self { start, end, text, letters, digits }
    }

    fn leading_digits(&self) -> usize {
        self.text.chars().take_while(char::is_ascii_digit).count()
    }
}

impl Analysis {
    fn push(&mut self, text: impl Into<String>, kind: Kind, start: usize, end: usize) {
        self.tokens.push(Token { text: text.into(), kind, start, end });
    }

    /// A run of a script without spaces; returns its end.
    fn spaceless(&mut self, start: usize) -> usize {
        let length = self.folded[start..].iter().take_while(|c| class(**c) == Class::Spaceless).count();
        let end = start + length;
        for at in start..end - 1 {
            let pair: String = self.folded[at..at + 2].iter().collect();
            self.push(pair, Kind::Bigram, at, at + 2);
        }
        let kind = if length == 1 { Kind::Single } else { Kind::Unigram };
        for at in start..end {
            self.push(self.folded[at], kind, at, at + 1);
        }
        end
    }

    fn run(&mut self, run: &Run, before: Option<&Run>) {
        if let Some(before) = before.filter(|before| run.digits() && before.may_lead() && self.is_narrow(before.end(), run.start())) {
            let joined = format!("{}{}", before.joined(""), run.joined(""));
            if joined.chars().count() <= LONGEST && run.parts.len() <= 3 {
                self.push(joined, Kind::Joined, before.start(), run.end());
            }
        }
        let (start, end) = (run.start(), run.end());
        if run.parts.len() > 1 && run.parts.len() <= MOST_PARTS {
            let joint = JOINT.to_string();
            self.push(run.joined(&joint), Kind::Whole, start, end);
            if run.digits() && !run.is_decimal() {
                self.push(run.joined(""), Kind::Joined, start, end);
            } else if !run.digits() && run.joints == ['-'] {
                // `line-card` and `linecard` are one word to those who type them.
                self.push(stem(&run.joined("")), Kind::Word, start, end);
            }
        }
        for (at, part) in run.parts.iter().enumerate() {
            let number_follows = run.parts.get(at + 1).is_some_and(|next| next.leading_digits() >= SHORTEST_NUMBER);
            match (part.letters, part.digits) {
                (true, true) => self.mixed(part),
                (true, false) if !number_follows => self.push(stem(&part.text), Kind::Word, part.start, part.end),
                (false, _) if run.parts.len() == 1 => self.push(part.text.as_str(), Kind::Number, start, end),
                (false, _) if run.letters() && part.text.len() >= SHORTEST_NUMBER => {
                    self.push(part.text.as_str(), Kind::Part, part.start, part.end);
                }
                _ => {}
            }
        }
    }

    /// Letters and digits without a joint: `ALM25621`, `8902E`, `fan2`.
    fn mixed(&mut self, part: &Part) {
        self.push(part.text.as_str(), Kind::Whole, part.start, part.end);
        let mut at = part.start;
        let digits = part.text.split(|c: char| !c.is_ascii_digit());
        for number in digits {
            if number.len() >= SHORTEST_NUMBER && number.len() < part.text.len() {
                self.push(number, Kind::Part, at, at + number.len());
            }
            at += number.len() + 1;
        }
        let word = part.text.trim_end_matches(|c: char| c.is_ascii_digit());
        if part.text.len() == word.len() + 1 && word.chars().count() >= 3 && !word.chars().any(|c| c.is_ascii_digit()) {
            self.push(stem(word), Kind::Word, part.start, part.end - 1);
        }
    }

    /// Only a space, or a loose joint, between two runs.
    fn is_narrow(&self, from: usize, to: usize) -> bool {
        let gap = self.folded.get(from..to).unwrap_or_default();
        (1..=3).contains(&gap.len()) && gap.iter().all(|c| matches!(c, ' ' | '-' | '_' | '#' | ':'))
    }
}

/// A whole code as one token that nothing else makes: for codes that are also words, like `LOS`.
pub fn exact(code: &str) -> String {
    std::iter::once(EXACT).chain(letters(code).chars().take(LONGEST - 1)).collect()
}

/// A text without its spaces and marks, folded: what two spellings of one thing share.
pub fn letters(text: &str) -> String {
    fold(&shown(text)).into_iter().filter(|c| matches!(class(*c), Class::Letter | Class::Digit | Class::Spaceless)).collect()
}

pub fn stem(word: &str) -> String {
    ENGLISH.stem(word).into_owned()
}

/// Words that carry grammar, not meaning. The index keeps them; a question that has anything else leaves them out, since
/// in a library of mostly Chinese cases they would be rare, and so look meaningful.
pub fn is_function_word(word: &str) -> bool {
    const WORDS: &[&str] = &[
        "a", "about", "after", "all", "also", "am", "an", "and", "any", "are", "as", "at", "be", "been", "but", "by", "can", "could",
        "did", "do", "does", "for", "from", "had", "has", "have", "how", "i", "if", "in", "into", "is", "it", "its", "may", "me", "my",
        "no", "of", "on", "or", "our", "please", "should", "so", "some", "than", "that", "the", "their", "them", "then", "there", "these",
        "they", "this", "to", "very", "was", "we", "were", "what", "when", "where", "which", "while", "who", "why", "will", "with",
        "would", "you", "your",
    ];
    WORDS.binary_search(&word).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts(text: &str) -> Vec<String> {
        analyse(text).tokens.into_iter().map(|token| token.text.replace(JOINT, "~")).collect()
    }

    /// Does a question find a text by a token that is more than a lone short number?
    fn finds(question: &str, text: &str) -> bool {
        let index = texts(text);
        let asked = analyse(question).tokens.into_iter().filter(|token| token.kind != Kind::Unigram);
        asked
            .filter(|token| token.kind != Kind::Number || token.text.len() >= SHORTEST_NUMBER)
            .any(|token| index.contains(&token.text.replace(JOINT, "~")))
    }

    #[test]
    fn han_gives_bigrams_and_finds_words_in_the_middle_of_a_sentence() {
        assert_eq!(texts("风扇故障"), ["风扇", "扇故", "故障", "风", "扇", "故", "障"]);
        assert!(finds("光功率", "今天上午发现接收光功率过低，已上报"));
        assert!(finds("扇", "二号风扇停转") && finds("扇", "风扇") && finds("风", "风扇"));
        assert!(!finds("风扇", "风险扇区"));
    }

    #[test]
    fn a_change_of_script_always_splits() {
        assert_eq!(texts("板卡temp告警"), ["板卡", "板", "卡", "temp", "告警", "告", "警"]);
        assert_eq!(texts("板卡3温度"), ["板卡", "板", "卡", "3", "温度", "温", "度"]);
        assert!(finds("OLT", "机房OLT设备掉线"));
    }

    #[test]
    fn width_case_script_and_invisible_characters_make_no_difference() {
        assert_eq!(texts("ＡＬＭ－２５６２１"), texts("alm-25621"));
        assert_eq!(texts("Fan\u{200b}-\u{ad}2"), texts("fan-2"));
        assert_eq!(texts("光模塊誤碼過高，鏈路中斷，風扇停轉"), texts("光模块误码过高，链路中断，风扇停转"));
        assert_eq!(texts("板卡：温度①"), texts("板卡 温度1"));
        assert_eq!(texts("cafe\u{301}"), texts("caf\u{e9}"));
    }

    #[test]
    fn a_code_is_found_in_every_spelling() {
        let spellings =
            ["ALM-25621", "alm-25621", "ALM25621", "ALM_25621", "ALM 25621", "ALM:25621", "ALM–25621", "ALM - 25621", "ALM#25621"];
        for written in spellings {
            assert!(texts(written).contains(&"alm25621".to_owned()), "{written}");
            assert!(finds("25621", &format!("出现{written}告警")), "{written} by its number");
        }
        for written in ["ZXR10 8902E", "ZXR10-8902E", "ZXR108902E", "zxr10_8902e"] {
            assert!(texts(written).contains(&"zxr108902e".to_owned()), "{written}");
            assert!(written == "ZXR108902E" || finds("8902E", written), "{written} by its second half");
        }
        assert_eq!(texts("42-315"), ["42~315", "42315"]);
        assert_eq!(texts("42/315")[0], "42~315");
    }

    #[test]
    fn a_bare_prefix_is_never_a_token_but_a_named_unit_is() {
        for code in ["ALM-25621", "ALM25621", "ALM_25621"] {
            assert!(!texts(code).contains(&"alm".to_owned()), "{code}");
        }
        assert!(!texts("ZXR10").contains(&"zxr".to_owned()));
        for unit in ["fan-2", "fan2", "FAN_2", "fan/2"] {
            assert!(finds("fan", unit), "{unit}");
            assert!(finds("fan 2", unit), "{unit}");
        }
    }

    #[test]
    fn dotted_names_are_whole_and_by_word() {
        assert_eq!(texts("fan.speed"), ["fan~speed", "fan", "speed"]);
        assert_eq!(texts("rx_power"), ["rx~power", "rx", "power"]);
        assert!(finds("linecard", "the line-card reboots") && finds("card", "the line-card reboots"));
        assert_eq!(texts("2.53.1"), ["2~53~1"], "a version without its points would be another number");
    }

    #[test]
    fn english_is_stemmed() {
        assert_eq!(texts("overheating"), texts("overheated"));
        assert_eq!(texts("failures"), texts("failure"));
        assert_eq!(texts("the device's"), texts("the devices"));
        assert_eq!(texts("doesn't"), texts("doesn’t"));
    }

    #[test]
    fn offsets_give_back_what_was_typed() {
        let analysis = analyse("请看 ALM-25621 告警");
        let whole = analysis.tokens.iter().find(|token| token.kind == Kind::Whole).unwrap();
        assert_eq!(analysis.surface(whole.start, whole.end), "ALM-25621");
    }

    #[test]
    fn origins_lead_back_to_the_text_itself() {
        let text = "ＡＬＭ\u{200b}①e\u{301}㎏ 风扇";
        let (analysis, origins) = (analyse(text), origins(text).unwrap());
        assert_eq!(analysis.shown.iter().collect::<String>(), "ALM1\u{e9}kg 风扇");
        assert_eq!(origins, [0, 1, 2, 4, 5, 7, 7, 8, 9, 10, 11]);
    }

    #[test]
    fn hostile_input_is_only_text() {
        assert_eq!(texts(""), Vec::<String>::new());
        assert_eq!(texts("\0\u{1b}[2J\u{7}\n\t \u{202e}😀👩‍👩‍👧 \" OR * NEAR( ) AND NOT"), ["2j", "or", "near", "and", "not"]);
        assert_eq!(texts("💥风扇💥"), ["风扇", "风", "扇"]);
        assert!(texts(&"a".repeat(10_000)).iter().all(|token| token.len() == LONGEST));
        assert!(texts(&"a-".repeat(5_000)).iter().all(|token| token.len() <= 4 * LONGEST));
        assert!(texts(&"1.".repeat(5_000)).len() < 10);
        assert_eq!(texts(&"板".repeat(5_000)).len(), 9_999);
        assert_eq!(texts("\u{e001}\u{e001}"), Vec::<String>::new(), "nobody smuggles a joint in");
    }

    #[test]
    fn every_function_word_is_found() {
        for word in ["a", "about", "the", "your", "very", "no", "us", "we"] {
            assert_eq!(is_function_word(word), word != "us", "{word}");
        }
    }

    proptest! {
        #[test]
        fn tokens_hold_nothing_that_an_index_could_split(text in r"\PC{0,60}|[a-zA-Z0-9_./:# '-]{0,60}|[风扇板卡温度ＡａＢ０-９ A-Z-]{0,40}|.{0,40}") {
            let analysis = analyse(&text);
            for token in &analysis.tokens {
                prop_assert!(!token.text.is_empty());
                prop_assert!(token.text.chars().all(|c| c.is_ascii_alphanumeric() || !c.is_ascii()), "{:?}", token);
                prop_assert!(token.text.chars().count() <= LONGEST);
                prop_assert!(token.start < token.end && token.end <= analysis.shown.len());
            }
        }

        #[test]
        fn origins_fit_the_shown_text(text in r"\PC{0,30}|[e\u{301}①㎏ａ风\u{200b} ]{0,20}") {
            if let Some(origins) = origins(&text) {
                prop_assert_eq!(origins.len(), analyse(&text).shown.len() + 1);
                prop_assert!(origins.is_sorted() && origins.iter().all(|at| *at <= text.chars().count()));
            }
        }

        #[test]
        fn what_is_asked_as_it_is_written_is_found(text in "[a-z0-9]{1,6}([-_./ ][a-z0-9]{1,6}){0,2}|[风扇板卡温度告警]{1,6}") {
            let (index, asked) = (texts(&format!("前文 {text} 后文")), texts(&text));
            prop_assert!(asked.iter().all(|token| index.contains(token)));
        }
    }
}

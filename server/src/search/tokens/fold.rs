//! Text made comparable: NFKC, no invisible characters, lower case, simplified Chinese.
//!
//! Most text needs little of that, so each step first looks whether there is anything to do: ASCII, Chinese and its punctuation
//! are their own NFKC or one step from it, and few texts have a traditional character. What each step does is the same either way.

use std::sync::LazyLock;

use lineman_common::printable::is_invisible;
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::canonical_combining_class;

/// Where each character of the shown text stands in the text itself, in characters, and one more for the end: NFKC makes one
/// character of two and two of one. Nothing where a character can't be placed by itself.
pub fn origins(text: &str) -> Option<Vec<usize>> {
    if text.chars().all(|c| plain(c).is_some()) {
        return Some((0..=text.chars().count()).collect());
    }
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
    let mut whole = Vec::new();
    self::shown(text, &mut whole);
    (shown == whole).then_some(origins)
}

/// The text after NFKC, without what is not seen.
pub fn shown(text: &str, into: &mut Vec<char>) {
    into.clear();
    into.reserve(text.len());
    for c in text.chars() {
        let Some(shown) = plain(c) else {
            into.clear();
            into.extend(text.nfkc().filter(|c| is_shown(*c)));
            return;
        };
        into.push(shown);
    }
}

/// What NFKC makes of a character that it changes by itself alone, whatever stands beside it; nothing of others.
const fn plain(c: char) -> Option<char> {
    match c {
        '\0'..='\x7f'
        | '\u{4e00}'..='\u{9fff}'
        | '\u{b7}'
        | '\u{d7}'
        | '\u{2014}'
        | '\u{2018}'..='\u{201d}'
        | '\u{3001}'..='\u{3002}'
        | '\u{3008}'..='\u{3011}' => Some(c),
        '\u{3000}' => Some(' '),
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0),
        _ => None,
    }
}

fn is_shown(c: char) -> bool {
    !is_invisible(c) && !is_combining(c)
}

const fn is_combining(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{fe00}'..='\u{fe0f}')
}

/// One character for one, so that offsets hold in both.
pub fn folded(shown: &[char], into: &mut Vec<char>) {
    into.clear();
    into.reserve(shown.len());
    let mut is_special = false;
    let simplified = &*SIMPLIFIED;
    for c in shown {
        into.push(match c {
            '\0'..='\x7f' => c.to_ascii_lowercase(),
            '\u{2e80}'..='\u{a63f}' => {
                let simple = simplified.of(*c);
                is_special |= simple == SPECIAL;
                simple
            }
            _ => dash(c.to_lowercase().next().unwrap_or(*c)),
        });
    }
    if is_special {
        let lower: String = shown.iter().map(|c| dash(c.to_lowercase().next().unwrap_or(*c))).collect();
        let simplified = fast2s::convert(&lower);
        // The conversion maps character to character; should it ever not, comparing unconverted text is the safe answer.
        let is_whole = simplified.chars().count() == shown.len();
        into.clear();
        into.extend(if is_whole { simplified } else { lower }.chars());
    }
}

const fn dash(c: char) -> char {
    match c {
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        '\u{2019}' => '\'',
        c => c,
    }
}

/// Characters that become simplified ones, or don't, by what stands beside them.
const BESIDE: [char; 15] = ['兒', '覆', '夥', '藉', '瞭', '麽', '幺', '於', '乾', '著', '苧', '闔', '鍾', '讎', '畫'];

/// Stands for them in [`Simplified`].
const SPECIAL: char = '\0';

/// What becomes of a character whatever stands beside it.
struct Simplified(Vec<char>);

static SIMPLIFIED: LazyLock<Simplified> = LazyLock::new(|| {
    // Apart, so that none stands beside another.
    let apart: String = ('\u{2e80}'..='\u{a63f}').flat_map(|c| [c, ' ']).collect();
    let simplified = fast2s::convert(&apart);
    let of = |(c, simple): (char, char)| if BESIDE.contains(&c) { SPECIAL } else { simple };
    Simplified(apart.chars().zip(simplified.chars()).step_by(2).map(of).collect())
});

impl Simplified {
    fn of(&self, c: char) -> char {
        (c as usize).checked_sub(0x2e80).and_then(|at| self.0.get(at)).copied().unwrap_or(c)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn slowly(text: &str) -> (Vec<char>, Vec<char>) {
        let shown: Vec<char> = text.nfkc().filter(|c| is_shown(*c)).collect();
        let lower: String = shown.iter().map(|c| dash(c.to_lowercase().next().unwrap_or(*c))).collect();
        (shown, fast2s::convert(&lower).chars().collect())
    }

    fn quickly(text: &str) -> (Vec<char>, Vec<char>) {
        let (mut shown, mut folded) = (vec!['x'], vec!['x']);
        super::shown(text, &mut shown);
        super::folded(&shown, &mut folded);
        (shown, folded)
    }

    #[test]
    fn every_character_alone_is_what_the_slow_way_makes_of_it() {
        for c in '\0'..=char::MAX {
            let text = String::from(c);
            assert_eq!(quickly(&text), slowly(&text), "{c:?}");
            assert!(plain(c).is_none_or(|plain| text.nfkc().eq([plain]) && is_shown(plain)), "{c:?}");
        }
    }

    #[test]
    fn characters_that_change_beside_others_do() {
        for text in [
            "慰藉", "藉口", "憑藉", "看著", "苧麻", "闔家", "鍾書", "校讎", "讎定", "仇讎", "計畫", "企畫", "畫圖", "乾隆", "乾淨", "樊於",
            "於是", "瞭望", "甚夥",
        ] {
            assert_eq!(quickly(text), slowly(text), "{text}");
        }
        assert_eq!(quickly("看著 計畫").1.iter().collect::<String>(), "看着 计划");
    }

    proptest! {
        #[test]
        fn what_is_skipped_would_have_changed_nothing(text in r"\PC{0,30}|[风扇ＡＢＣ：，。（）《》“”—a-zA-Z e\u{301}①㎏が\u{3099}]{0,20}|[藉口看著苧麻闔家鍾書校讎畫計乾隆於樊夥瞭望覆答]{0,12}") {
            prop_assert_eq!(quickly(&text), slowly(&text));
        }
    }
}

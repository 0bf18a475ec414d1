//! What became of a text: word by word where words are written apart, character by character in Chinese.
//!
//! The longest common sequence of tokens stays, the rest was removed and added. Texts that differ too much for that in one piece are
//! compared line by line first, and then within the lines that differ.

use lineman_common::Printable;
use lineman_common::api::{CaseBody, CaseField, DiffOp, DiffPiece, FieldDiff, Language};

/// Pairs of tokens that are compared at most: 16 MB for the moment that it takes.
const MOST_PAIRS: usize = 4_000_000;

/// The fields that differ: texts by language, then what belongs to none.
pub fn bodies(old: &CaseBody, new: &CaseBody) -> Vec<FieldDiff> {
    let mut fields = Vec::new();
    for language in Language::ALL {
        for field in CaseField::ALL {
            let [from, to] = [old, new].map(|body| body.text(*language).map_or("", |text| text.field(*field).raw()));
            fields.push(FieldDiff { field: field.to_string(), language: Some(*language), pieces: texts(from, to) });
        }
    }
    let about = |body: &CaseBody| body.equipment.iter().map(|about| format!("{about} {}", about.versions).trim().to_owned()).collect();
    let codes = |body: &CaseBody| body.codes.iter().map(|code| code.raw().to_owned()).collect();
    let mut items_of = |field: &str, of: fn(&CaseBody) -> Vec<String>| {
        fields.push(FieldDiff { field: field.to_owned(), language: None, pieces: items(&of(old), &of(new)) });
    };
    items_of("equipment", about);
    items_of("codes", codes);
    items_of("probable_cause", |body| body.cause.iter().map(ToString::to_string).collect());
    items_of("audience", |body| vec![body.audience.to_string()]);
    fields.retain(|field| field.pieces.iter().any(|piece| piece.op != DiffOp::Same));
    fields
}

pub fn texts(old: &str, new: &str) -> Vec<DiffPiece> {
    let (from, to) = (words(old), words(new));
    let mut pieces = Pieces::default();
    if small(&from, &to) {
        pieces.compare(&from, &to);
    } else {
        let mut lines = Pieces::default();
        lines.compare(&old.split_inclusive('\n').collect::<Vec<_>>(), &new.split_inclusive('\n').collect::<Vec<_>>());
        lines.refined_into(&mut pieces);
    }
    pieces.readable().told()
}

/// Whole items, each with its end.
fn items(old: &[String], new: &[String]) -> Vec<DiffPiece> {
    let mut pieces = Pieces::default();
    let [old, new] = [old, new].map(|items| items.iter().map(|item| format!("{item}\n")).collect::<Vec<_>>());
    pieces.compare(&old.iter().map(String::as_str).collect::<Vec<_>>(), &new.iter().map(String::as_str).collect::<Vec<_>>());
    pieces.told()
}

fn small(from: &[&str], to: &[&str]) -> bool {
    let same = from.iter().zip(to).take_while(|(a, b)| a == b).count();
    (from.len() - same).saturating_mul(to.len() - same) <= MOST_PAIRS
}

/// Runs of letters and digits, runs of spaces, and everything else one by one: Han characters too.
fn words(text: &str) -> Vec<&str> {
    #[derive(PartialEq)]
    enum Kind {
        Word,
        Space,
        Single,
    }
    let kind = |c: char| {
        // Written without spaces: Han, kana.
        let stands_alone = matches!(c, '\n' | '\u{2e80}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}');
        if c.is_whitespace() && !stands_alone {
            Kind::Space
        } else if (c.is_alphanumeric() || c == '_') && !stands_alone {
            Kind::Word
        } else {
            Kind::Single
        }
    };
    let (mut words, mut begin, mut last) = (Vec::new(), 0, None);
    for (at, c) in text.char_indices() {
        let now = kind(c);
        if last.is_some_and(|last| last != now || now == Kind::Single) {
            words.push(&text[begin..at]);
            begin = at;
        }
        last = Some(now);
    }
    if begin < text.len() {
        words.push(&text[begin..]);
    }
    words
}

/// Pieces in the making: neighbours of one kind are one piece.
#[derive(Default)]
struct Pieces {
    list: Vec<(DiffOp, String)>,
}

impl Pieces {
    fn push(&mut self, op: DiffOp, text: &str) {
        match self.list.last_mut() {
            _ if text.is_empty() => {}
            Some((last, piece)) if *last == op => piece.push_str(text),
            Some(_) | None => self.list.push((op, text.to_owned())),
        }
    }

    fn compare(&mut self, from: &[&str], to: &[&str]) {
        let head = from.iter().zip(to).take_while(|(a, b)| a == b).count();
        let (from_rest, to_rest) = (&from[head..], &to[head..]);
        let tail = from_rest.iter().rev().zip(to_rest.iter().rev()).take_while(|(a, b)| a == b).count();
        for token in &from[..head] {
            self.push(DiffOp::Same, token);
        }
        self.middle(&from_rest[..from_rest.len() - tail], &to_rest[..to_rest.len() - tail]);
        for token in &from_rest[from_rest.len() - tail..] {
            self.push(DiffOp::Same, token);
        }
    }

    /// The longest common sequence of what lies between the two ends.
    fn middle(&mut self, from: &[&str], to: &[&str]) {
        if from.len().saturating_mul(to.len()) > MOST_PAIRS {
            for token in from {
                self.push(DiffOp::Removed, token);
            }
            for token in to {
                self.push(DiffOp::Added, token);
            }
            return;
        }
        let width = to.len() + 1;
        // How long the common sequence of the two rests is.
        let mut common = vec![0_u32; (from.len() + 1) * width];
        for i in (0..from.len()).rev() {
            for j in (0..to.len()).rev() {
                common[i * width + j] = if from[i] == to[j] {
                    common[(i + 1) * width + j + 1] + 1
                } else {
                    common[(i + 1) * width + j].max(common[i * width + j + 1])
                };
            }
        }
        let (mut i, mut j) = (0, 0);
        while i < from.len() || j < to.len() {
            if i < from.len() && j < to.len() && from[i] == to[j] {
                self.push(DiffOp::Same, from[i]);
                (i, j) = (i + 1, j + 1);
            } else if j == to.len() || (i < from.len() && common[(i + 1) * width + j] >= common[i * width + j + 1]) {
                self.push(DiffOp::Removed, from[i]);
                i += 1;
            } else {
                self.push(DiffOp::Added, to[j]);
                j += 1;
            }
        }
    }

    /// Lines that were removed and added are compared by words.
    fn refined_into(self, finer: &mut Self) {
        let (mut removed, mut added) = (String::new(), String::new());
        for (op, text) in self.list {
            match op {
                DiffOp::Removed => removed.push_str(&text),
                DiffOp::Added => added.push_str(&text),
                DiffOp::Same => {
                    finer.compare(&words(&std::mem::take(&mut removed)), &words(&std::mem::take(&mut added)));
                    finer.push(DiffOp::Same, &text);
                }
            }
        }
        finer.compare(&words(&removed), &words(&added));
    }

    /// What was removed stands before what was added, and a lone space between two changes belongs to them: `[a b] -> [c d]` reads
    /// better than `[a] -> [c] [b] -> [d]`.
    fn readable(self) -> Self {
        let mut out = Self::default();
        let (mut removed, mut added, mut space) = (String::new(), String::new(), String::new());
        for (op, text) in self.list {
            let changes = !removed.is_empty() || !added.is_empty();
            if op != DiffOp::Same {
                for side in [&mut removed, &mut added] {
                    side.push_str(&space);
                }
                space.clear();
                if op == DiffOp::Removed { removed.push_str(&text) } else { added.push_str(&text) }
            } else if changes && text.chars().all(|c| c.is_whitespace() && c != '\n') {
                space.push_str(&text);
            } else {
                out.push(DiffOp::Removed, &std::mem::take(&mut removed));
                out.push(DiffOp::Added, &std::mem::take(&mut added));
                out.push(DiffOp::Same, &std::mem::take(&mut space));
                out.push(DiffOp::Same, &text);
            }
        }
        out.push(DiffOp::Removed, &removed);
        out.push(DiffOp::Added, &added);
        out.push(DiffOp::Same, &space);
        out
    }

    fn told(self) -> Vec<DiffPiece> {
        self.list.into_iter().map(|(op, text)| DiffPiece { op, text: Printable::new(text) }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(old: &str, new: &str) -> String {
        let piece = |piece: &DiffPiece| match piece.op {
            DiffOp::Same => piece.text.raw().to_owned(),
            DiffOp::Removed => format!("[-{}-]", piece.text.raw()),
            DiffOp::Added => format!("[+{}+]", piece.text.raw()),
        };
        texts(old, new).iter().map(piece).collect()
    }

    #[test]
    fn english_goes_by_words_and_chinese_by_characters() {
        for (old, new, wanted) in [
            ("the fan stops at night", "the fan stopped at night", "the fan [-stops-][+stopped+] at night"),
            ("风扇停转导致高温", "风扇停转导致板卡高温", "风扇停转导致[+板卡+]高温"),
            ("更换光模块", "更换光纤", "更换光[-模块-][+纤+]"),
            ("reset the old fan now", "reset a new fan now", "reset [-the old-][+a new+] fan now"),
            ("board 3 温度高", "board 4 温度高", "board [-3-][+4+] 温度高"),
            ("a\nb\nc\n", "a\nc\n", "a\n[-b\n-]c\n"),
            ("same", "same", "same"),
            ("", "new", "[+new+]"),
            ("old", "", "[-old-]"),
        ] {
            assert_eq!(shown(old, new), wanted);
        }
    }

    #[test]
    fn long_texts_are_compared_by_lines_first() {
        let long = |changed: &str| {
            (0..800).map(|n| if n == 400 { format!("{changed}\n") } else { format!("line {n} of many words\n") }).collect::<String>()
        };
        let (old, new) = (long("the old words here"), long("the new words here"));
        let pieces = texts(&format!("x\n{old}"), &format!("{new}y\n"));
        let changed: Vec<_> = pieces.iter().filter(|piece| piece.op != DiffOp::Same).map(|piece| piece.text.raw()).collect();
        assert_eq!(changed, ["x\n", "old", "new", "y\n"]);
        let (a, b) = ("a ".repeat(10_000), "b ".repeat(10_000));
        let replaced = texts(&a, &b).into_iter().filter(|piece| piece.op != DiffOp::Same).count();
        assert_eq!(replaced, 2, "what has nothing in common is replaced");
    }

    #[test]
    fn fields_that_differ_are_told_with_their_language() {
        use lineman_common::api::{Audience, CaseText};
        let old = CaseBody {
            en: Some(CaseText { title: "fan".into(), ..CaseText::default() }),
            codes: vec!["A-1".into()],
            ..CaseBody::default()
        };
        let new = CaseBody {
            zh: Some(CaseText { title: "风扇".into(), ..CaseText::default() }),
            codes: vec!["A-1".into(), "A-2".into()],
            audience: Audience::Customer,
            ..old.clone()
        };
        let told: Vec<_> = bodies(&old, &new).into_iter().map(|diff| (diff.field, diff.language, diff.pieces.len())).collect();
        assert_eq!(told, [("title".into(), Some(Language::Zh), 1), ("codes".into(), None, 2), ("audience".to_owned(), None, 2)]);
        assert!(bodies(&old, &old).is_empty());
    }

    proptest! {
        #[test]
        fn both_texts_can_be_read_back(old in "[ab 风扇\n,]{0,60}", new in "[ab 风扇\n,]{0,60}") {
            let pieces = texts(&old, &new);
            let side = |not: DiffOp| pieces.iter().filter(|piece| piece.op != not).map(|piece| piece.text.raw()).collect::<String>();
            prop_assert_eq!(side(DiffOp::Added), old);
            prop_assert_eq!(side(DiffOp::Removed), new);
        }
    }
}

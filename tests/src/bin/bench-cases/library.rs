//! A library that nobody wrote: as many cases as are wanted, in both languages, of realistic lengths, from a seeded vocabulary.
//!
//! Words are drawn by Zipf's law, as they are in texts. The cases go into the server's own database, and the server's own code makes the
//! index of them (`lineman-server cases rebuild`); questions are asked through its API.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context;
use rusqlite::{Connection, params};
use serde_json::{Value, json};

const ENGLISH_WORDS: f64 = 60_000.0;
const CHINESE_WORDS: f64 = 30_000.0;
const CODES: u64 = 20_000;
const PRODUCTS: [&str; 8] = ["OLT", "ZXR10", "BBU", "OTN", "RRU", "PTN", "MSAN", "CPE"];
const CAUSES: [&str; 6] = ["fan_failure", "loss_of_signal", "degraded_signal", "power_problem", "out_of_memory", "equipment_malfunction"];

/// Numbers that look random and are the same each time (SplitMix64).
pub struct Dice(u64);

impl Dice {
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.below(to - from)
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        usize::try_from(self.below(of.len() as u64)).ok().and_then(|at| of.get(at)).copied().unwrap_or_default()
    }

    /// A rank by Zipf's law: the first word is there as often as the second and third together.
    fn rank(&mut self, words: f64) -> u64 {
        #[expect(clippy::cast_precision_loss, reason = "53 bits")]
        let unit = (self.next() >> 11) as f64 / (1u64 << 53) as f64;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "1 to the number of words")]
        let rank = words.powf(unit) as u64;
        rank
    }
}

/// The word of a rank: the same each time, short where it is frequent.
fn english(rank: u64) -> String {
    const STARTS: [&str; 16] = ["b", "br", "d", "f", "g", "k", "l", "m", "n", "p", "pr", "r", "s", "st", "t", "v"];
    const VOWELS: [&str; 8] = ["a", "e", "i", "o", "u", "ai", "ea", "ou"];
    let (mut dice, mut word) = (Dice::new(rank.wrapping_mul(0x51_7cc1)), String::new());
    for _ in 0..2 + u64::from(rank > 300) + dice.below(2) {
        word.push_str(dice.one(&STARTS));
        word.push_str(dice.one(&VOWELS));
    }
    word.push_str(dice.one(&["", "n", "r", "t", "l"]));
    word
}

fn chinese(rank: u64) -> String {
    let mut dice = Dice::new(rank.wrapping_mul(0x2545_f491));
    let han = |dice: &mut Dice| {
        let at = 0x4e00 + dice.rank(3_500.0) * 5;
        u32::try_from(at).ok().and_then(char::from_u32).unwrap_or('一')
    };
    (0..2 + u64::from(dice.below(4) == 0)).map(|_| han(&mut dice)).collect()
}

fn sentence(dice: &mut Dice, is_chinese: bool, words: u64) -> String {
    let mut text = String::new();
    for at in 0..words {
        if is_chinese {
            text.push_str(&chinese(dice.rank(CHINESE_WORDS)));
            text.push_str(if at % 9 == 8 { "，" } else { "" });
        } else {
            text.push_str(&english(dice.rank(ENGLISH_WORDS)));
            text.push(' ');
        }
    }
    text.trim_end().to_owned()
}

fn code(number: u64) -> String {
    format!("ALM-{}", 10_000 + number)
}

/// A model of a product, like `ZXR10 8902`.
fn model(dice: &mut Dice) -> (&'static str, String) {
    let product = dice.one(&PRODUCTS);
    (product, format!("{}{}", ["C", "8", "B", "M"].get(product.len() % 4).unwrap_or(&"X"), 300 + dice.rank(40.0)))
}

/// One language of a case.
fn text(dice: &mut Dice, is_chinese: bool) -> Value {
    let mut field = |from, to| {
        let words = dice.between(from, to);
        sentence(dice, is_chinese, words)
    };
    json!({
        "title": field(4, 12), "symptom": field(15, 60), "cause": field(5, 25), "steps": field(20, 80), "resolution": field(5, 30)
    })
}

/// The body of a case, as the API takes it.
pub fn body(number: u32) -> Value {
    let mut dice = Dice::new(u64::from(number) + 1);
    let (product, model) = model(&mut dice);
    let mut body = json!({
        "equipment": [{"product": product, "model": model}],
        "codes": [code(dice.rank(CODES as f64))],
        "probable_cause": dice.one(&CAUSES),
        "audience": if dice.below(3) == 0 { "customer" } else { "internal" },
    });
    let languages: &[(&str, bool)] = match dice.below(5) {
        0 | 1 => &[("zh", true)],
        2 | 3 => &[("en", false)],
        _ => &[("zh", true), ("en", false)],
    };
    for (language, is_chinese) in languages {
        body[*language] = text(&mut dice, *is_chinese);
    }
    body
}

/// Puts cases into the database of a server that does not run.
pub fn seed(database: &Path, cases: u32) -> anyhow::Result<()> {
    let mut connection = Connection::open(database)?;
    connection.pragma_update(None, "synchronous", "OFF")?;
    let sql = "INSERT INTO library_case(id, state, audience, body, author, editor, version, created_at, updated_at)
               VALUES (?1, ?2, ?3, ?4, 'admin-z', 'admin-z', 1, ?5, ?5)";
    let tx = connection.transaction()?;
    {
        let mut insert = tx.prepare(sql)?;
        for number in 1..=cases {
            let body = body(number);
            let state = ["validated", "validated", "validated", "not_validated", "wip"][number as usize % 5];
            let id = format!("cas_01900000-0000-7000-8000-{number:012x}");
            let at = 1_760_000_000_000_000_i64 + i64::from(number);
            insert.execute(params![id, state, body["audience"].as_str().context("an audience")?, body.to_string(), at])?;
        }
    }
    tx.commit()?;
    connection.execute_batch("PRAGMA optimize=0x10002; PRAGMA wal_checkpoint(TRUNCATE)")?;
    Ok(())
}

/// Kinds of questions: each name is a line of the table.
pub const KINDS: [&str; 7] = ["code", "model", "chinese", "english", "report", "facets", "fuzzy"];

/// A question of a kind, as `GET /api/v1/cases` takes it: what is asked for, and whether facets are counted.
pub fn question(kind: &str, number: u32) -> (String, bool) {
    let mut dice = Dice::new(u64::from(number).wrapping_mul(77_777) + 5);
    let query = match kind {
        "code" => code(dice.rank(CODES as f64)),
        "model" => {
            let (product, model) = model(&mut dice);
            format!("{product} {model}")
        }
        "chinese" => {
            let words = dice.between(2, 5);
            sentence(&mut dice, true, words)
        }
        "english" | "facets" => {
            let words = dice.between(3, 7);
            sentence(&mut dice, false, words)
        }
        // A fault report with everything that was typed into it.
        "report" => format!("{} {} {}", sentence(&mut dice, false, 60), code(dice.rank(CODES as f64)), sentence(&mut dice, true, 60)),
        _ => {
            // A long rare word with two letters swapped.
            let rank = dice.between(20_000, 60_000);
            let mut letters: Vec<char> = english(rank).chars().collect();
            let middle = letters.len() / 2;
            letters.swap(middle, middle - 1);
            letters.into_iter().collect()
        }
    };
    let mut query = query;
    if kind == "facets" {
        let _ = write!(query, " product:{} state:validated", dice.one(&PRODUCTS));
    }
    (query, kind == "facets")
}

//! What makes one hit stand before another: every weight of the order is here.
//!
//! `score = tier + lexical + w(question) * perfect * nearness + fit to the fault + 0.3 ln(1 + solved) + state - wrong - age`
//!
//! - **lexical** is BM25F, see [`super::fields`] and [`super::plan`].
//! - **nearness** is how far the meaning's cosine stands above the farthest of the neighbours that were asked for, in units of
//!   [`SPREAD`], or of all of them where a model spreads its cosines wider. It is measured in `perfect`, what a case would score that says all of the question in its title, so that words and meaning
//!   are weighed in one unit whatever the question's length.
//! - **w** is zero on an exact code, and grows as the best case by words says less of the question: across languages it is highest.
//! - **Use** moves only what is nearly equal.

use jiff::Timestamp;
use lineman_common::Printable;
use lineman_common::api::{CaseEquipment, CaseState};
use serde::Deserialize;

use super::About;
use super::sql::Facts;
use crate::search::tokens;

/// More than all codes together.
pub const NUMBER_TIER: f32 = 100_000.0;
/// `w` when the best case by words says all of the question, and when it says nothing of it.
const MEANING: (f32, f32) = (0.6, 1.0);
/// Cosines of one model lie close together, each model's elsewhere. Over less than this one step is no more than noise.
pub const SPREAD: f32 = 0.1;
/// The nearest case to a question that has nothing to do with the library stayed below this in 19 of 20 (questions of one development set
/// to the other's cases, multilingual-e5-small); of questions that belong there, 19 of 20 were above.
pub const MEANT: f32 = 0.865;
/// Below this part of the question said by the best case, there is no confident match.
pub const FLOOR: f32 = 0.25;
/// Similar cases say at least this part of what the best one says of the question: the rest only shares a word with it.
pub const SIMILAR: f32 = 0.2;

const SOLVED: f32 = 0.3;
const HELPED: f32 = 0.1;
const WRONG: f32 = 0.4;
/// For each year since somebody said that it is true, at most for five.
const AGE: f32 = 0.06;
const OLDEST_YEARS: f32 = 5.0;
/// Words in quotes stand in the case as they are.
pub const QUOTED: f32 = 3.0;

/// The fault's own model; its parent's counts half, the next a third.
const MODEL: f32 = 1.5;
const PRODUCT: f32 = 0.5;
/// The software is one that the case was seen on, or it is not.
const VERSION: f32 = 0.5;
/// Of all codes of the case and of the fault, those that both have.
const ALARMS: f32 = 2.0;

/// How much meaning counts for a question.
pub fn meaning(coverage: f32, has_code: bool) -> f32 {
    let (least, most) = MEANING;
    if has_code { 0.0 } else { least + (most - least) * (1.0 - coverage.clamp(0.0, 1.0)) }
}

/// What a case's history says of it: small beside what matched.
pub fn worth(facts: &Facts, now: Timestamp) -> f32 {
    let state = match facts.state {
        CaseState::Validated => 0.3,
        CaseState::NotValidated => 0.0,
        CaseState::Wip => -0.3,
        CaseState::Archived => -1.0,
    };
    state + SOLVED * ln(facts.solved) + HELPED * ln(facts.helped) - WRONG * ln(facts.wrong) - AGE * years(facts.confirmed_at, now)
}

fn ln(links: u32) -> f32 {
    f32::from(u16::try_from(links).unwrap_or(u16::MAX)).ln_1p()
}

fn years(from: Timestamp, now: Timestamp) -> f32 {
    let days = now.duration_since(from).as_hours() / 24;
    f32::from(u16::try_from(days).unwrap_or(0)).min(OLDEST_YEARS * 365.0) / 365.0
}

/// What a case is about, without its texts.
#[derive(Debug, Default, Deserialize)]
pub struct Subject {
    #[serde(default)]
    pub equipment: Vec<CaseEquipment>,
    #[serde(default)]
    pub codes: Vec<Printable>,
}

/// How a case fits the equipment and the alarms of a fault, and what of it is worth telling.
pub fn fit(body: &Subject, about: &About) -> (f32, Vec<String>) {
    let (mut score, mut reasons) = (0.0, Vec::new());
    let best = about.equipment.iter().zip(1u8..).map(|(device, far)| device.fit(body, f32::from(far)));
    if let Some((gain, reason)) = best.max_by(|a, b| a.0.total_cmp(&b.0)) {
        score += gain;
        reasons.extend(reason);
    }
    let same = body.codes.iter().filter(|code| about.codes.iter().any(|known| is_same(known, code.raw()))).count();
    let all = body.codes.len() + about.codes.len() - same.min(about.codes.len());
    if same > 0 {
        score += ALARMS * part(same, all);
        if about.codes.len() > 1 {
            reasons.push(format!("{same} of {} alarms", about.codes.len()));
        }
    }
    (score, reasons)
}

fn part(some: usize, all: usize) -> f32 {
    let small = |count: usize| f32::from(u16::try_from(count).unwrap_or(u16::MAX));
    if all == 0 { 0.0 } else { small(some) / small(all) }
}

/// The same name in any spelling.
pub fn is_same(name: &str, other: &str) -> bool {
    tokens::exact(name) == tokens::exact(other)
}

impl super::Device {
    fn fit(&self, body: &Subject, far: f32) -> (f32, Option<String>) {
        let mut best = (0.0, None);
        for about in &body.equipment {
            let (product, model) = (about.product.raw(), about.model.raw());
            let is_product = is_same(product, &self.product);
            let is_model = !model.is_empty() && (is_same(model, &self.model) || is_same(&about.to_string(), &self.model));
            let (mut score, mut reason) = match (is_model, is_product) {
                (true, _) => (MODEL, self.model.clone()),
                (false, true) => (PRODUCT, self.product.clone()),
                (false, false) => continue,
            };
            if !self.software.is_empty() && !about.versions.is_any() {
                if about.versions.contains(&self.software) {
                    score += VERSION;
                    reason = format!("{reason} {}", self.software);
                } else {
                    score -= VERSION;
                }
            }
            if score / far > best.0 {
                best = (score / far, Some(reason));
            }
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::super::Device;
    use super::*;

    /// Read from a whole case.
    fn body(versions: &str) -> Subject {
        let equipment = serde_json::json!([{"product": "OLT", "model": "C320", "versions": versions}]);
        let body = serde_json::json!({"en": {"title": "x"}, "equipment": equipment, "codes": ["ALM-1", "ALM-2"], "audience": "internal"});
        serde_json::from_value(body).unwrap()
    }

    fn device(product: &str, model: &str, software: &str) -> Device {
        Device { product: product.into(), model: model.into(), software: software.into() }
    }

    #[test]
    fn nearer_equipment_and_the_right_software_fit_better() {
        let score = |devices: Vec<Device>| fit(&body("5.2..5.4"), &About { equipment: devices, codes: Vec::new() }).0;
        let own = score(vec![device("OLT", "c-320", "5.3")]);
        assert!(own > score(vec![device("OLT", "C320", "5.5")]), "other software");
        assert!(own > score(vec![device("switch", "x", "1"), device("OLT", "C320", "5.3")]), "its parent");
        assert!(score(vec![device("OLT", "C320", "")]) > score(vec![device("OLT", "C300", "")]));
        assert!(score(vec![device("BBU", "B8200", "")]).abs() < f32::EPSILON);
        let (_, reasons) = fit(&body("5.2..5.4"), &About { equipment: vec![device("OLT", "C320", "5.3")], codes: Vec::new() });
        assert_eq!(reasons, ["C320 5.3"]);
    }

    #[test]
    fn more_of_the_same_alarms_fit_better() {
        let of = |codes: &[&str]| {
            let about = About { equipment: Vec::new(), codes: codes.iter().map(|code| (*code).to_owned()).collect() };
            fit(&body(""), &about)
        };
        assert!(of(&["alm1", "ALM_2"]).0 > of(&["ALM-1"]).0 && of(&["ALM-1"]).0 > of(&["ALM-1", "X-9", "X-8"]).0);
        assert_eq!(of(&["alm1", "alm2"]).1, ["2 of 2 alarms"]);
        assert!(of(&["X-9"]).0.abs() < f32::EPSILON);
    }

    #[test]
    fn meaning_counts_where_words_fail_and_never_beside_a_code() {
        assert!(meaning(0.0, false) > meaning(0.5, false) && meaning(0.5, false) > meaning(1.0, false));
        assert!(meaning(0.0, true).abs() < f32::EPSILON);
    }
}

//! The demo's case library, as it is posted.

use lineman_common::api::CaseBody;
use serde::Deserialize;

use super::Error;

const CASES: &str = include_str!("cases.toml");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Library {
    case: Vec<CaseBody>,
}

pub fn cases() -> Result<Vec<CaseBody>, Error> {
    toml::from_str::<Library>(CASES).map(|library| library.case).map_err(Error::trust)
}

#[cfg(test)]
mod tests {
    use super::*;
    use lineman_common::api::CaseText;
    use std::collections::BTreeSet;

    fn texts(body: &CaseBody) -> impl Iterator<Item = &CaseText> {
        body.zh.iter().chain(&body.en)
    }

    #[test]
    fn every_case_has_what_it_needs() {
        let cases = cases().unwrap();
        assert!(cases.len() >= 40, "{}", cases.len());
        let mut titles = BTreeSet::new();
        for case in &cases {
            assert!(texts(case).next().is_some());
            assert!(!case.equipment.is_empty() && !case.codes.is_empty(), "{case:?}");
            for text in texts(case) {
                let CaseText { title, symptom, cause, steps, resolution } = text;
                for (name, field) in [("title", title), ("symptom", symptom), ("cause", cause), ("resolution", resolution)] {
                    assert!(!field.is_empty() && !field.raw().contains('\n'), "{name} of {title}");
                }
                assert!(steps.raw().lines().count() >= 3, "steps of {title}");
                assert!(titles.insert(title.raw().to_owned()), "two cases are called {title}");
            }
        }
    }

    #[test]
    fn both_languages_are_there_together_and_alone() {
        let cases = cases().unwrap();
        let count = |zh, en| cases.iter().filter(|case| case.zh.is_some() == zh && case.en.is_some() == en).count();
        assert!(count(true, true) >= 30 && count(true, false) >= 2 && count(false, true) >= 2);
    }

    #[test]
    fn chinese_is_chinese_and_english_is_not() {
        let is_han = |c: char| ('\u{4e00}'..='\u{9fff}').contains(&c);
        for case in cases().unwrap() {
            assert!(case.zh.iter().all(|text| text.title.raw().chars().any(is_han) && text.steps.raw().chars().any(is_han)));
            let english = case.en.iter().flat_map(|text| [&text.title, &text.symptom, &text.cause, &text.steps, &text.resolution]);
            english.for_each(|field| assert!(!field.raw().chars().any(is_han), "{field}"));
        }
    }

    #[test]
    fn the_alarms_that_the_demo_can_raise_have_a_case() {
        let cases = cases().unwrap();
        for code in ["fan.speed", "board.temperature", "port.los", "log.full"] {
            assert!(cases.iter().any(|case| case.codes.iter().any(|known| known.raw() == code)), "{code}");
        }
    }
}

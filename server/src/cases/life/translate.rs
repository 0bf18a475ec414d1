//! Both languages of a case say the same, or it is known where they don't.
//!
//! Every field of either language carries the version in which it was last written, or found to say what the other one says. A field
//! that is empty where the other language says something is *lacking*; one whose mark is the lower of the two may be *older*, until
//! somebody writes it or confirms that it still fits. An edit of both languages in one version leaves nothing to be confirmed.

use std::collections::BTreeMap;

use lineman_common::api::{Case, CaseBody, CaseField, ConfirmTranslation, Language, ToTranslate, TranslateItem, Translation};
use lineman_common::name::CaseNumber;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::super::find::title;
use super::super::{Error, Reference, get, own, sql};
use super::states::tell_of;
use crate::events::Kind;
use crate::store::{Db, StoreError, Tx};
use crate::web::{Actor, Scope};

/// In which version each field was last written or confirmed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marks {
    #[serde(default)]
    zh: BTreeMap<CaseField, u32>,
    #[serde(default)]
    en: BTreeMap<CaseField, u32>,
}

fn said(body: &CaseBody, language: Language, field: CaseField) -> &str {
    body.text(language).map_or("", |text| text.field(field).raw().trim())
}

impl Marks {
    const fn side(&self, language: Language) -> &BTreeMap<CaseField, u32> {
        match language {
            Language::Zh => &self.zh,
            Language::En => &self.en,
        }
    }

    const fn side_mut(&mut self, language: Language) -> &mut BTreeMap<CaseField, u32> {
        match language {
            Language::Zh => &mut self.zh,
            Language::En => &mut self.en,
        }
    }

    /// 0 where nothing is known: a case of before there were marks.
    fn of(&self, language: Language, field: CaseField) -> u32 {
        self.side(language).get(&field).copied().unwrap_or_default()
    }

    pub fn of_first(body: &CaseBody) -> Self {
        Self::default().edited(&CaseBody::default(), body, 1)
    }

    /// After an edit: what was written carries its version. Where only the language that lacked something or was older was written, it
    /// has caught up with the other one.
    #[must_use]
    pub fn edited(mut self, old: &CaseBody, new: &CaseBody, version: u32) -> Self {
        for field in CaseField::ALL {
            let changed = |language| said(old, language, *field) != said(new, language, *field);
            for language in Language::ALL.iter().copied().filter(|language| changed(*language)) {
                let newer = self.of(language.other(), *field);
                let was_behind = said(old, language, *field).is_empty() || self.of(language, *field) < newer;
                let catches_up = was_behind && !changed(language.other()) && !said(new, language.other(), *field).is_empty();
                self.side_mut(language).insert(*field, if catches_up { newer } else { version });
            }
        }
        self
    }

    /// After somebody compared: these fields say what the other language says.
    #[must_use]
    fn confirmed(mut self, language: Language, fields: &[CaseField]) -> Self {
        for field in CaseField::ALL.iter().filter(|field| fields.is_empty() || fields.contains(field)) {
            let newest = self.of(Language::Zh, *field).max(self.of(Language::En, *field));
            self.side_mut(language).insert(*field, newest);
        }
        self
    }

    /// What is lacking or older, field by field.
    pub fn to_translate(&self, body: &CaseBody) -> Vec<ToTranslate> {
        CaseField::ALL.iter().filter_map(|field| self.field_to_translate(body, *field)).collect()
    }

    fn field_to_translate(&self, body: &CaseBody, field: CaseField) -> Option<ToTranslate> {
        let [zh, en] = [Language::Zh, Language::En].map(|language| (said(body, language, field).is_empty(), self.of(language, field)));
        let (language, why) = match (zh, en) {
            ((true, _), (true, _)) => return None,
            ((true, _), (false, _)) => (Language::Zh, Translation::Lacking),
            ((false, _), (true, _)) => (Language::En, Translation::Lacking),
            ((false, zh), (false, en)) if zh == en => return None,
            ((false, zh), (false, en)) => (if zh < en { Language::Zh } else { Language::En }, Translation::Older),
        };
        Some(ToTranslate { language, field, why, since_version: self.of(language.other(), field) })
    }

    /// Which queue the case is in: `zh`, `en`, `both`, or none.
    pub fn queue(&self, body: &CaseBody) -> Option<&'static str> {
        let fields = self.to_translate(body);
        let lacks = |language| fields.iter().any(|field| field.language == language);
        match (lacks(Language::Zh), lacks(Language::En)) {
            (true, true) => Some("both"),
            (true, false) => Some("zh"),
            (false, true) => Some("en"),
            (false, false) => None,
        }
    }
}

/// Cases with something to translate into a language, or into either; what was changed last is first.
pub fn queue(
    db: &Db<'_>,
    language: Option<Language>,
    after: Option<(jiff::Timestamp, CaseNumber)>,
    limit: u32,
) -> Result<Vec<TranslateItem>, StoreError> {
    let item = |case: Case| TranslateItem {
        number: case.number,
        title: title(&case.body, language == Some(Language::En)).1,
        state: case.state,
        owner: case.owner,
        updated_at: case.updated_at,
        fields: case.to_translate.into_iter().filter(|field| language.is_none_or(|language| field.language == language)).collect(),
    };
    Ok(super::sql::to_translate(db, language, after, limit)?.into_iter().map(item).collect())
}

/// One language was read beside the other and says the same: nothing of it is older any more. What is lacking has to be written.
pub fn confirm(tx: &mut Tx<'_>, actor: &Actor, reference: &Reference, said: &ConfirmTranslation) -> Result<Case, Error> {
    let stored = own(tx, &actor.scope(), reference)?;
    let marks = stored.marks.confirmed(said.language, &said.fields);
    sql::set_marks(tx, stored.case.number, &marks, &stored.case.body)?;
    let data = json!({"language": said.language, "fields": said.fields});
    tell_of(tx, actor, Kind::CaseTranslated, &stored.case, &format!("the {} text says what the other one says", said.language), data)?;
    get(tx, &Scope::All, reference)
}

#[cfg(test)]
mod tests {
    use super::*;
    use lineman_common::api::CaseText;

    fn body(zh: &str, en: &str) -> CaseBody {
        let text = |title: &str| (!title.is_empty()).then(|| CaseText { title: title.into(), cause: title.into(), ..CaseText::default() });
        CaseBody { zh: text(zh), en: text(en), ..CaseBody::default() }
    }

    fn told(marks: &Marks, body: &CaseBody) -> Vec<String> {
        let line = |field: ToTranslate| format!("{} {} {} {}", field.language, field.field, field.why, field.since_version);
        marks.to_translate(body).into_iter().map(line).collect()
    }

    #[test]
    fn an_edit_of_one_language_makes_the_other_older_until_it_is_confirmed() {
        let first = body("风扇", "");
        let marks = Marks::of_first(&first);
        assert_eq!(told(&marks, &first), ["en title lacking 1", "en cause lacking 1"]);
        assert_eq!(marks.queue(&first), Some("en"));
        let both = body("风扇", "fan");
        let marks = marks.edited(&first, &both, 2);
        assert!(told(&marks, &both).is_empty(), "translated");
        let changed = CaseBody { zh: Some(CaseText { cause: "轴承".into(), ..both.zh.clone().unwrap() }), ..both.clone() };
        let marks = marks.edited(&both, &changed, 3);
        assert_eq!(told(&marks, &changed), ["en cause older 3"]);
        let caught_up = CaseBody { en: Some(CaseText { cause: "bearing".into(), ..both.en.clone().unwrap() }), ..changed.clone() };
        assert!(told(&marks.clone().edited(&changed, &caught_up, 4), &caught_up).is_empty(), "who writes the older one reads the newer");
        assert_eq!(told(&marks.clone().confirmed(Language::En, &[CaseField::Title]), &changed), ["en cause older 3"]);
        assert!(told(&marks.clone().confirmed(Language::En, &[]), &changed).is_empty());
        let again = body("电源", "power");
        let marks = marks.edited(&changed, &again, 4);
        assert!(told(&marks, &again).is_empty(), "both in one version");
    }

    #[test]
    fn a_case_of_before_there_were_marks_is_in_step_until_it_is_changed() {
        let old = body("风扇", "fan");
        let marks = Marks::default();
        assert!(told(&marks, &old).is_empty());
        let new = body("风扇停转", "fan");
        assert_eq!(told(&marks.edited(&old, &new, 5), &new), ["en title older 5", "en cause older 5"]);
    }
}

//! Finding a handful of bilingual cases: ranking, tiers, reasons, filters, facets, notes, and texts that mean harm.

use lineman_common::api::{Audience, CaseAnswer, CaseFacet, CaseField, CaseState, Language, LinkVerdict, NewFault, NewLink, NoteKind};
use lineman_common::fault::Impact;
use lineman_common::name::CaseNumber;
use proptest::prelude::*;

use super::super::life::flags;
use super::super::tests::{Library, body, engineer};
use super::super::{Reference, archive, edit, link};
use super::*;
use crate::store::StoreError;

impl Library {
    /// A question in the query grammar.
    fn search(&self, scope: &Scope, question: &str) -> CaseAnswer {
        let (query, filters) = filter::read(question).unwrap();
        let ask = Ask { filters, facets: true, limit: 20, ..Ask::default() };
        self.store.read(|db| self.finder.search(db, scope, &query, ask)).unwrap()
    }

    fn found(&self, question: &str) -> Vec<u32> {
        self.search(&Scope::All, question).items.iter().map(|hit| hit.number.0).collect()
    }

    fn typing(&self, text: &str) -> Result<Vec<u32>, StoreError> {
        let ask = Ask { text, typing: true, limit: 20, ..Ask::default() };
        Ok(self.store.read(|db| self.finder.answer(db, &Scope::All, &ask))?.items.iter().map(|hit| hit.number.0).collect())
    }
}

fn counts(answer: &CaseAnswer, facet: CaseFacet) -> Vec<(String, u32)> {
    let facet = answer.facets.iter().find(|counts| counts.facet == facet);
    facet.map_or_else(Vec::new, |counts| counts.values.iter().map(|value| (value.value.raw().to_owned(), value.count)).collect())
}

fn notes(answer: &CaseAnswer) -> Vec<NoteKind> {
    answer.notes.iter().map(|note| note.kind).collect()
}

// ---- Ranking --------------------------------------------------------------------------------------------------------

#[test]
fn words_of_either_language_find_the_case() {
    let library = Library::new();
    for (question, best) in [
        ("板卡 温度", 1),
        ("fan tray overheating", 1),
        ("風扇停轉", 1),
        ("the fan has stopped, the board is too hot", 1),
        ("光模块收光过低", 2),
        ("上联口丢包", 2),
        ("no space left on device", 3),
        ("日志写满磁盘", 3),
        ("base station out of service, fibre cut", 4),
        ("单板夜间自动重启，电源欠压", 5),
        ("BER rises", 6),
        ("误码", 6),
        ("failover of the control card, NMS unreachable", 7),
        ("内存泄漏", 8),
    ] {
        assert_eq!(library.ask(question).first(), Some(&best), "{question}: {:?}", library.hits(&Scope::All, question));
    }
}

#[test]
fn an_exact_code_stands_before_all_else() {
    let library = Library::new();
    for question in [
        "ALM-25621",
        "alm25621",
        "ALM 25621",
        "ALM 256 21",
        "ＡＬＭ－２５６２１",
        "25621",
        "告警25621",
        "memory leak, optical module, ALM_25621",
    ] {
        let hits = library.hits(&Scope::All, question);
        assert_eq!(hits[0].number.0, 1, "{question}");
        assert!(hits.get(1).is_none_or(|second| second.score < hits[0].score / 2.0), "{question} is a tier of its own");
    }
    for (question, best) in [
        ("42-315", 3),
        ("42/315 磁盘", 3),
        ("风扇 42 315", 3),
        ("fan 42315", 3),
        ("fan.speed", 1),
        ("LOS on port 3, fan tray overheating", 4),
        ("C-0005", 5),
        ("c-7", 7),
    ] {
        assert_eq!(library.ask(question)[0], best, "{question}");
    }
    assert_eq!(library.ask("ALM"), Vec::<u32>::new(), "a bare prefix means nothing");
    assert_eq!(library.ask("ALM-99999"), Vec::<u32>::new());
}

#[test]
fn models_are_found_in_every_spelling() {
    let library = Library::new();
    for question in ["ZXR10 8902E", "zxr10-8902e", "8902E", "8902"] {
        assert_eq!(library.ask(question)[..2].iter().copied().max(), Some(8), "{question}");
        assert!(library.ask(question)[..2].contains(&2), "{question}");
    }
}

#[test]
fn a_question_of_one_character_is_a_question() {
    let library = Library::new();
    assert_eq!(library.ask("扇"), [1]);
    assert!(library.ask("板").contains(&1));
}

#[test]
fn a_hit_says_why() {
    let library = Library::new();
    assert_eq!(library.why("板卡温度"), ["板卡温度"]);
    assert_eq!(library.why("轴承温度"), ["轴承", "温度"]);
    assert_eq!(library.why("请问：风扇停转"), ["风扇停转"]);
    assert_eq!(library.why("ALM-25621 温度过高")[..2], ["ALM-25621", "温度过高"]);
    assert!(library.why("optical power").iter().all(|reason| !reason.contains('\u{e001}')));
    assert!(library.why("内存泄漏").contains(&"内存泄漏 ≈ memory leak".to_owned()));
}

#[test]
fn the_title_is_in_the_readers_language_where_there_is_one() {
    let library = Library::new();
    assert_eq!(library.hits(&Scope::All, "disk full")[0].language, Language::En);
    assert_eq!(library.hits(&Scope::All, "磁盘满")[0].language, Language::Zh);
    assert_eq!(library.hits(&Scope::All, "fan tray overheating")[0].language, Language::Zh, "it has no other");
}

#[test]
fn solved_links_raise_and_wrong_links_lower() {
    let mut library = Library::empty();
    library.customer("JW");
    let numbers: Vec<_> = (0..3).map(|n| library.add(&body("", &format!("fan fails, kind {n} | fan stopped"), &[], &[]))).collect();
    let order = |library: &Library| library.ask("fan stopped");
    assert_eq!(order(&library), [3, 2, 1], "equal ones: newest first");
    let file = |title: String| NewFault {
        equipment: Some("ne-1.jw.ne".parse().unwrap()),
        customer: None,
        title: title.into(),
        description: "".into(),
        impact: Impact::Partial,
        started_at: None,
        kind: lineman_common::fault::FaultKind::Fault,
        customer_reference: None,
    };
    for (case, verdict) in [(numbers[0], LinkVerdict::Solved), (numbers[2], LinkVerdict::Wrong)] {
        library.store.write(|tx| {
            let fault = faults::report(tx, &engineer("engineer-a"), file(format!("{verdict}"))).unwrap();
            let case = link(
                tx,
                &engineer("engineer-a"),
                &Reference::Number(case),
                &NewLink { fault: fault.number, verdict, reason: Some("not this".into()) },
            )
            .unwrap();
            assert_eq!((case.solved, case.wrong), if verdict == LinkVerdict::Solved { (1, 0) } else { (0, 1) });
        });
    }
    assert_eq!(order(&library), [1, 2, 3]);
    assert_eq!(library.hits(&Scope::All, "fan stopped")[0].solved, 1);
    // A second verdict takes the first one's place.
    let again = NewLink { fault: "F-JW-1".parse().unwrap(), verdict: LinkVerdict::Helped, reason: None };
    let case = library.store.write(|tx| link(tx, &engineer("engineer-a"), &Reference::Number(numbers[0]), &again)).unwrap();
    assert_eq!((case.solved, case.helped), (0, 1));
}

#[test]
fn no_question_fails() {
    let library = Library::new();
    assert_eq!(library.ask("").len(), 8, "an empty one gives the newest");
    assert_eq!(library.ask("  ").first(), Some(&8));
    let long = "风扇 fan ALM-25621 ".repeat(1_000);
    for question in [
        "\"",
        "'",
        "\" OR \"",
        "*",
        "fan*",
        "NEAR(fan board)",
        "title:fan",
        "-fan",
        "fan AND",
        "NOT",
        "(",
        "^fan",
        "{code} : x",
        "'; DROP TABLE library_case; --",
        "\u{0}",
        "\u{0}fan\u{1b}[2J",
        "😀",
        "💥💥",
        "\u{202e}naf",
        "a\u{301}",
        "?",
        "%",
        "的",
        "the",
        &"x".repeat(10_000),
        &"(".repeat(10_000),
        &"风".repeat(10_000),
        &"a-".repeat(5_000),
        &long,
    ] {
        let _ = library.hits(&Scope::All, question);
    }
    assert_eq!(library.ask(&long)[0], 1);
    assert_eq!(library.ask("what does the word mean"), Vec::<u32>::new(), "grammar finds nothing");
}

#[test]
fn the_index_follows_the_case() {
    let mut library = Library::new();
    let reference = Reference::Number(CaseNumber(1));
    let changed = body("电池鼓包 | 电压异常", "", &[], &["bat.swollen"]);
    library.store.write(|tx| edit(tx, &engineer("author-a"), &reference, &changed)).unwrap();
    assert_eq!(library.ask("电池"), [1]);
    assert!(!library.ask("ALM-25621").contains(&1) && !library.ask("风扇停转").contains(&1));
    assert_eq!(library.hits(&Scope::All, "电池")[0].state, CaseState::NotValidated, "marked by its state");
    library.store.write(|tx| archive(tx, &engineer("author-a"), &reference)).unwrap();
    assert!(library.ask("电池").is_empty());
    assert_eq!(library.ask("C-0001"), [1], "still known by its number");
}

#[test]
fn a_known_code_does_not_hide_what_says_the_same() {
    let mut library = Library::new();
    let same = library.add(&body("风扇停转，转速为零 | 风扇不转", "", &[], &["X-1234"]));
    let about = About { codes: vec!["fan.speed".into()], ..About::default() };
    let ask = Ask { text: "风扇停转，转速为零", about, only_similar: true, limit: 5, ..Ask::default() };
    let hits = library.store.read(|db| library.finder.answer(db, &Scope::All, &ask)).unwrap().items;
    assert_eq!(hits.iter().map(|hit| hit.number.0).take(2).collect::<Vec<_>>(), [1, same.0]);
}

#[test]
fn a_fault_is_offered_what_fits_it() {
    let mut library = Library::new();
    library.customer("JW");
    let fault = library.fan_fails();
    let hits = library.store.read(|db| library.finder.similar_to_fault(db, &Scope::All, &fault)).unwrap();
    assert_eq!(hits[0].number.0, 1);
    let why: Vec<_> = hits[0].why.iter().map(ToString::to_string).collect();
    assert!(why.contains(&"fan.speed".to_owned()) && why.contains(&"C320".to_owned()), "{why:?}");
    let about = "ne-1.jw.ne".parse().unwrap();
    let suggested = library.store.read(|db| library.finder.suggest(db, &Scope::All, "风扇不转了", Some(&about), 5)).unwrap();
    assert_eq!(suggested[0].number.0, 1);
    let nothing = library.store.read(|db| library.finder.suggest(db, &Scope::All, "明天开会", Some(&about), 5)).unwrap();
    assert!(nothing.is_empty(), "equipment alone suggests nothing: {nothing:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn any_text_is_a_question(question in r#"(\PC|[\x00-\x20"'*():^{}+-]){0,40}|(fan|风扇|ALM-|25621|OR|NEAR|"| ){0,12}"#) {
        thread_local!(static LIBRARY: Library = Library::new());
        LIBRARY.with(|library| library.hits(&Scope::All, &question));
    }
}

// ---- Filters, facets, notes -----------------------------------------------------------------------------------------

#[test]
fn filters_narrow_and_facets_count_what_is_left() {
    let mut library = Library::new();
    library.add(&body("", "fan stops, other model", &["OLT C300"], &[]));
    assert_eq!(library.found("fan product:OLT"), [1, 9]);
    assert_eq!(library.found("fan model:c300"), [9]);
    assert_eq!(library.found("fan -model:C300"), [1]);
    assert_eq!(library.found("product:BBU,ZXR10 language:en"), [8, 2], "without words, the newest first");
    assert_eq!(library.found("code:alm25622"), [2]);
    assert_eq!(library.found("fan state:wip"), Vec::<u32>::new());
    let answer = library.search(&Scope::All, "product:OLT");
    assert_eq!(answer.total, 3);
    let expected = |values: &[(&str, u32)]| values.iter().map(|(value, count)| ((*value).to_owned(), *count)).collect::<Vec<_>>();
    assert_eq!(counts(&answer, CaseFacet::Model), expected(&[("C300", 2), ("C320", 1)]));
    assert_eq!(counts(&answer, CaseFacet::Language), expected(&[("en", 2), ("zh", 1)]));
    assert_eq!(counts(&answer, CaseFacet::State), expected(&[("validated", 3)]));
    assert_eq!(counts(&answer, CaseFacet::Audience), expected(&[("internal", 3)]));
    assert_eq!(counts(&library.search(&Scope::All, "fan"), CaseFacet::Product), expected(&[("OLT", 2)]));
}

#[test]
fn customers_learn_nothing_of_internal_cases_from_facets_and_notes() {
    let mut library = Library::new();
    let jw = Scope::Customer(library.customer("JW"));
    let public = lineman_common::api::CaseBody { audience: Audience::Customer, ..body("风扇停转", "", &["OLT C600"], &["ALM-7777"]) };
    let number = library.add(&public);
    for question in ["fan 风扇", "product:OLT", "ALM-25621 风扇", "", "C-0001", "floods flash", "-audience:customer"] {
        let answer = library.search(&jw, question);
        assert!(answer.items.iter().all(|hit| hit.number == number), "{question}");
        let told = serde_json::to_string(&answer).unwrap();
        for secret in ["C320", "C300", "25621", "internal", "zxr10", "flash"] {
            assert!(question.contains(secret) || !told.contains(secret), "{question}: {told}");
        }
        assert!(answer.total <= 1 && counts(&answer, CaseFacet::Audience).is_empty());
    }
}

#[test]
fn what_is_no_filter_is_text_and_a_note_says_so() {
    let library = Library::new();
    let answer = library.search(&Scope::All, "title:fan 风扇停转");
    assert_eq!((answer.items[0].number.0, notes(&answer)), (1, vec![NoteKind::NotAFilter]));
    assert!(answer.notes[0].text.raw().contains("`title:` is no filter") && answer.notes[0].text.raw().contains("product:"));
    assert_eq!(library.found("ALM:25621"), [1]);
}

#[test]
fn a_mistyped_word_is_taken_for_one_like_it() {
    let library = Library::new();
    for (question, best, word) in [("undrevoltage", 5, "undrevoltage"), ("filesytem", 3, "filesytem"), ("swichover", 6, "swichover")] {
        let answer = library.search(&Scope::All, question);
        assert_eq!(answer.items.first().map(|hit| hit.number.0), Some(best), "{question}");
        let note = answer.notes.iter().find(|note| note.kind == NoteKind::Corrected).unwrap();
        assert_eq!(note.words[0].raw(), word);
    }
    assert!(notes(&library.search(&Scope::All, "undervoltage")).is_empty());
}

#[test]
fn what_shares_little_is_no_confident_match() {
    let library = Library::new();
    for question in ["quarterly invoice for the canteen", "明天下午三点召开季度财务预算会议", "xyzzy"] {
        let answer = library.search(&Scope::All, question);
        assert!(notes(&answer).contains(&NoteKind::NoConfidentMatch), "{question}: {answer:?}");
    }
    for question in ["风扇停转", "disk full", "ALM-25621", "C-0003", "memory leak in routing"] {
        assert!(notes(&library.search(&Scope::All, question)).is_empty(), "{question}");
    }
}

#[test]
fn the_last_word_may_be_a_beginning() {
    let library = Library::new();
    assert_eq!(library.typing("underv").unwrap(), [5]);
    assert_eq!(library.typing("clock out of sy").unwrap()[0], 6);
    assert_eq!(library.typing("underv ").unwrap(), Vec::<u32>::new(), "a space ends a word");
    assert_eq!(library.ask("underv"), Vec::<u32>::new(), "only while somebody types");
    assert_eq!(library.typing("风扇停").unwrap()[0], 1);
}

#[test]
fn words_in_quotes_stand_as_they_are() {
    let mut library = Library::empty();
    let loose = library.add(&body("", "module of the optical line, power module | optical module module", &[], &[]));
    let exact = library.add(&body("", "the card reboots | its receive power is low on the optical module", &[], &[]));
    assert_eq!(library.found("\"receive power is low\" module optical")[0], exact.0);
    assert_eq!(library.found("power module optical line")[0], loose.0);
}

#[test]
fn a_hit_shows_where_it_matched() {
    let library = Library::new();
    let hits = library.hits(&Scope::All, "ALM-25621 风扇停转");
    let title = &hits[0].highlights[0];
    assert_eq!((title.language, title.field, title.spans.as_slice()), (Language::Zh, CaseField::Title, [[0, 4]].as_slice()));
    let hits = library.hits(&Scope::All, "磁盘满 log");
    let fields: Vec<_> = hits[0].highlights.iter().map(|highlight| (highlight.language, highlight.field)).collect();
    assert!(
        fields.contains(&(Language::Zh, CaseField::Title)) && fields.contains(&(Language::En, CaseField::Title)),
        "both languages: {fields:?}"
    );
    assert!(library.search(&Scope::All, "").items[0].highlights.is_empty());
}

#[test]
fn common_words_are_left_out_of_a_large_library() {
    let mut index = crate::search::index::Index::new();
    for key in 0..20_000 {
        let rare = format!("rare{}", key % 100);
        let terms = ["common", rare.as_str(), "one", "two", "three"].map(|term| (term.into(), 1.0));
        let terms = terms.into_iter().take(if key < 50 { 5 } else { 2 }).collect();
        index.put(crate::search::index::Document { key, terms, tags: Vec::new() });
    }
    let table = Synonyms::default();
    let dropped = |question: &str| {
        let typed = tokens::analyse(question);
        Planner { index: &index, table: &table, typed: &typed, typing: false, guess: false }.plan(&[], &[]).dropped
    };
    assert_eq!(dropped("common one two three"), ["common"]);
    assert_eq!(dropped("common one two"), Vec::<String>::new(), "three rarer ones must remain");
    let many = (0..60).map(|n| format!("rare{n}")).collect::<Vec<_>>().join(" ");
    let typed = tokens::analyse(&many);
    let plan = Planner { index: &index, table: &table, typed: &typed, typing: false, guess: false }.plan(&[], &[]);
    assert_eq!(plan.clauses.len(), 24);
}

#[test]
fn the_manners_of_a_question_are_not_asked() {
    let mut index = crate::search::index::Index::new();
    for (key, said) in ["什么", "the", "没有"].into_iter().enumerate() {
        let key = u32::try_from(key).unwrap();
        index.put(crate::search::index::Document { key, terms: vec![(said.into(), 1.0), ("风扇".into(), 1.0)], tags: Vec::new() });
    }
    let table = Synonyms::default();
    let asked = |question: &str| {
        let typed = tokens::analyse(question);
        let mut terms: Vec<_> =
            Planner { index: &index, table: &table, typed: &typed, typing: false, guess: false }.plan(&[], &[]).terms.into_iter().collect();
        terms.sort_unstable();
        terms
    };
    assert_eq!(asked("为什么风扇没有 the"), ["没有", "风扇"], "what denies is meant");
    assert_eq!(asked("什麼"), ["什么"], "a question of nothing else is asked as it is");
}

#[test]
fn work_is_bounded_whatever_is_asked() {
    let library = Library::new();
    let words = (0..3_000).map(|n| format!("ALM-{n} 风扇{n} fan")).collect::<Vec<_>>().join(" ");
    for question in
        [words.as_str(), &"(a+)+$".repeat(2_000), &"风扇停转".repeat(3_000), &"C-0001 ".repeat(2_000), &"optical module ".repeat(700)]
    {
        let answer = library.search(&Scope::All, question);
        assert!(question.chars().count() <= 8_000 || notes(&answer).contains(&NoteKind::Cut));
        let typed = tokens::analyse(&question.chars().take(LONGEST_QUESTION).collect::<String>());
        let table = Synonyms::of_the_field();
        let plan = library.store.read(|db| {
            let index = library.finder.library.of(db, &Scope::All)?;
            Ok::<_, StoreError>(Planner { index: &index, table, typed: &typed, typing: true, guess: true }.plan(&[], &[]))
        });
        assert!(plan.unwrap().clauses.len() <= 64);
    }
}

#[test]
fn doubts_are_a_filter_of_the_support_centre() {
    let mut library = Library::new();
    let id = library.customer("JW");
    for number in [1, 7] {
        let reference = Reference::Number(CaseNumber(number));
        library.store.write(|tx| flags::doubt(tx, &engineer("engineer-a"), &reference, &"no longer so".into())).unwrap();
    }
    let mut flagged = library.found("flag:reader");
    flagged.sort_unstable();
    assert_eq!(flagged, [1, 7]);
    assert_eq!(library.found("flag:wrong_link,READER 风扇停转")[..1], [1]);
    assert!(library.found("flag:unconfirmed").is_empty());
    assert!(!library.found("-flag:reader 风扇停转").contains(&1) && library.found("-flag:reader 磁盘").contains(&3));
    let answer = library.search(&Scope::All, "flag:reader");
    assert_eq!(answer.total, 2);
    assert_eq!(counts(&answer, CaseFacet::Language).iter().map(|(_, count)| *count).max(), Some(2), "facets count what passes");
    for question in ["flag:reader", "-flag:reader", "flag:reader 风扇"] {
        let answer = library.search(&Scope::Customer(id), question);
        assert!(answer.items.is_empty() && answer.total == 0, "{question}");
    }
    let told = |scope: &Scope| library.search(scope, "x123:y").notes.iter().map(|note| note.text.to_string()).collect::<String>();
    assert!(!told(&Scope::Customer(id)).contains("flag:"));
}

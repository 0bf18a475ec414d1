use super::*;
use crate::Printable;
use crate::api::{Audience, CaseBody, CaseEquipment, CaseState, CaseText};
use crate::id::CaseId;
use proptest::prelude::*;

fn sample() -> CaseItem {
    let text = |title: &str, symptom: &str| CaseText { title: title.into(), symptom: symptom.into(), ..CaseText::default() };
    let equipment = CaseEquipment { product: "OLT".into(), model: "C320".into(), versions: "5.2..5.4".parse().unwrap() };
    CaseItem {
        id: Some("cas_0193f0a0000070008000000000000001".parse().unwrap()),
        number: Some("C-0042".parse().unwrap()),
        version: Some(3),
        state: Some(CaseState::Validated),
        body: CaseBody {
            zh: Some(text("风扇停转", "板卡温度升高\n\n# show fan\n")),
            en: Some(CaseText { steps: "1. reseat".into(), ..text("Fan stopped", "board hot") }),
            equipment: vec![equipment],
            codes: vec!["ALM-25621".into(), "fan.speed".into()],
            audience: Audience::Customer,
            ..CaseBody::default()
        },
        ..CaseItem::default()
    }
}

#[test]
fn markdown_reads_well() {
    let expected = r#"+++
id = "cas_0193f0a0000070008000000000000001"
number = "C-0042"
version = 3
state = "validated"
audience = "customer"
codes = ["ALM-25621", "fan.speed"]

[[equipment]]
model = "C320"
product = "OLT"
versions = "5.2..5.4"
+++

<!-- zh -->
# 风扇停转

## 现象

板卡温度升高

# show fan\u{a}

<!-- en -->
# Fan stopped

## Symptom

board hot

## Steps

1. reseat
"#;
    assert_eq!(markdown(&sample()), expected);
}

#[test]
fn a_file_by_hand_needs_little() {
    let one = |text: &str| read(ExchangeForm::Markdown, text).remove(0).item.unwrap();
    let item = one("\u{feff}+++\r\ncodes = [\"ALM-1\"]\r\n+++\r\n# 光功率低\r\n## 现象\r\n收光-28dBm\r\n");
    assert_eq!(item.body.zh.as_ref().unwrap().symptom.raw(), "收光-28dBm");
    assert!(item.id.is_none() && item.body.en.is_none() && item.body.audience == Audience::Internal);
    // The headings tell the language where the title does not.
    assert!(one("+++\n+++\n# LOS\n## 原因\nx").body.zh.is_some());
    assert!(one("+++\n+++\n# LOS\n").body.en.is_some());
    assert!(one("+++\n+++\n<!-- zh -->\n# LOS\n").body.zh.is_some());
}

#[test]
fn a_wrong_file_is_told_where_and_what_would_be_right() {
    for (text, line, says) in [
        ("# title\n", 1, "does not begin with its front matter"),
        ("---\ntitle: x\n---\n", 1, "YAML"),
        ("+++\nnumber = \"C-1\"\n", 1, "no end"),
        ("+++\nnumber = C-1\n+++\n", 2, "not TOML"),
        ("+++\nx = 1\n\ny = [1\n+++\n", 4, "not TOML"),
        ("+++\nnumbr = \"C-1\"\n+++\n# x\n", 2, "numbr"),
        ("+++\nnumber = \"42\"\n+++\n# x\n", 2, "C-0042"),
        ("+++\nsource = \"wiki\"\n+++\n# x\n", 2, "go together"),
        ("+++\naudience = \"all\"\n+++\n# x\n", 2, "internal"),
        ("+++\n+++\n\nno title\n", 4, "begins with its title"),
        ("+++\n+++\n# x\n## Symptoms\n", 4, "`## Symptom`"),
        ("+++\n+++\n# x\nloose\n", 4, "before the first heading"),
        ("+++\n+++\n# 标题\n## 现象\na\n# title\n## Symptom\n", 7, "<!-- en -->"),
        ("+++\n+++\n# x\n## Symptom\na\n## Symptom\n", 6, "twice"),
        ("+++\n+++\n<!-- en -->\n# x\n<!-- en -->\n# y\n", 5, "twice"),
        ("+++\n+++\n# x\n## Symptom\na\x1b[2J\n", 5, "\\u{1b}"),
    ] {
        let read = read(ExchangeForm::Markdown, text).remove(0);
        let why = read.item.clone().expect_err(text);
        assert!(why.contains(says) && read.line == line, "{text:?}: line {}: {why}", read.line);
    }
}

#[test]
fn csv_tells_the_row_and_goes_on() {
    let text = "\u{feff}Number,en_title,codes,equipment\r\nC-1,\"a \"\"b\"\",\r\nc\",ALM-1;ALM-2,OLT | C320 | 5.2..5.4; RNC\r\nC-1\r\n,,,\nx,t,,\nC-3,=t,,a|b|c|d\n";
    let read = read(ExchangeForm::Csv, text);
    assert_eq!(read.iter().map(|read| (read.line, read.item.is_ok())).collect::<Vec<_>>(), [(2, true), (4, false), (6, false), (7, false)]);
    let item = read[0].item.as_ref().unwrap();
    assert_eq!(item.body.en.as_ref().unwrap().title.raw(), "a \"b\",\nc");
    assert_eq!((item.body.codes.len(), item.body.equipment.len()), (2, 2));
    assert_eq!((item.body.equipment[0].model.raw(), item.body.equipment[1].product.raw()), ("C320", "RNC"));
    for (text, says) in [
        ("", "empty"),
        ("a;b\n", "commas"),
        ("number,titel\n", "en_title"),
        ("number,Number\n", "twice"),
        ("number,key\nC-1,\"a\n", "none closes"),
        ("number,key\nC-1,\"a\"b\n", "closing quotation mark"),
        ("number,key\nC-1,a\"b\n", "not quoted"),
        ("number,en_title\nC-1,\"a\x07\"\n", "control character"),
        ("number,key\nC-1,a\n", "go together"),
        ("number,source,key,state\n,a,b,done\n", "validated"),
    ] {
        let read = super::read(ExchangeForm::Csv, text);
        assert!(read.last().unwrap().item.as_ref().unwrap_err().contains(says), "{text:?}: {read:?}");
    }
}

#[test]
fn a_spreadsheet_runs_nothing_of_it() {
    let mut item = sample();
    for formula in ["=1+1", "+1", "-1", "@x", "\t=1", "'=1", "''=1", "'x"] {
        item.body.en.as_mut().unwrap().symptom = formula.into();
        let text = csv(std::slice::from_ref(&item));
        for cell in text.split([',', '\n']) {
            assert!(!cell.trim_start_matches('"').starts_with(['=', '+', '-', '@', '\t']), "{formula}: {text}");
        }
        assert_eq!(read(ExchangeForm::Csv, &text)[0].item.as_ref(), Ok(&item), "{formula}");
    }
}

#[test]
fn json_is_a_list_a_page_one_case_or_lines() {
    let one = serde_json::to_string(&sample()).unwrap();
    for text in [one.clone(), format!("[\n{one}\n]"), format!("{{\"items\": [{one}], \"next\": null}}")] {
        assert_eq!(read(ExchangeForm::Json, &text), [Read { line: 1 + text.lines().count() / 2, item: Ok(sample()) }], "{text}");
    }
    let lines = read(ExchangeForm::Jsonl, &format!("{one}\n\n{{\"number\": 1}}\n{one}"));
    assert_eq!(lines.iter().map(|read| (read.line, read.item.is_ok())).collect::<Vec<_>>(), [(1, true), (3, false), (4, true)]);
    for (text, line, says) in [("[1,", 1, "not JSON"), ("[\n{\"titel\": 1}]", 2, "titel"), ("\"x\"", 1, "list"), ("[{}]", 1, "")] {
        let read = read(ExchangeForm::Json, text).remove(0);
        assert!(read.line == line && read.item.as_ref().err().is_none_or(|why| why.contains(says)), "{text}: {read:?}");
    }
}

#[test]
fn every_field_that_the_api_tells_of_a_case_is_known() {
    use utoipa::PartialSchema;
    let schema = serde_json::to_value(crate::api::Case::schema()).unwrap();
    let mut names = Vec::new();
    let parts = schema["allOf"].as_array().cloned().unwrap_or_else(|| vec![schema.clone()]);
    for part in &parts {
        names.extend(part["properties"].as_object().into_iter().flatten().map(|(name, _)| name.clone()));
    }
    assert!(names.len() > 10, "{schema}");
    for name in names {
        let item = format!("{{\"{name}\": null}}");
        let why = serde_json::from_str::<CaseItem>(&item).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(!why.contains("unknown field"), "{name}: an import of what `case show -o json` prints has to pass over it: {why}");
    }
}

#[test]
fn hostile_files_are_refused_or_read_and_never_worse() {
    let deep = "[".repeat(100_000);
    assert!(read(ExchangeForm::Json, &deep)[0].item.is_err());
    assert!(read(ExchangeForm::Jsonl, &format!("{{\"zh\":{}", "{\"a\":".repeat(100_000)))[0].item.is_err());
    assert!(read(ExchangeForm::Markdown, &format!("+++\na = {deep}\n+++\n"))[0].item.is_err());
    assert!(read(ExchangeForm::Markdown, &format!("+++\n{} = 1\n+++\n", "a.".repeat(100_000) + "a"))[0].item.is_err());
    assert!(read(ExchangeForm::Markdown, &format!("+++\n{}", "\n".repeat(1_000_000)))[0].item.is_err());
    let long = "x".repeat(10_000_000);
    assert!(read(ExchangeForm::Markdown, &format!("+++\n+++\n# {long}"))[0].item.is_ok(), "what is too long is the library's word");
    assert_eq!(read(ExchangeForm::Csv, &format!("en_title\n{long}")).len(), 1);
    assert!(read(ExchangeForm::Csv, &"\"".repeat(999_999))[0].item.is_err());
    assert!(read(ExchangeForm::Csv, &",".repeat(100_000))[0].item.is_err());
}

#[test]
fn other_encodings_are_named() {
    let said = |bytes: &[u8]| decode("cases.csv", bytes.to_vec()).unwrap_err();
    assert!(said(b"number,zh_title\n,\xb7\xe7\xc9\xc8\xcd\xa3\xd7\xaa\n").contains("iconv -f GB18030"));
    assert!(said(b"\xff\xfea\0").contains("UTF-16"));
    let broken = said(b"a\nb\xff\n");
    assert!(broken.contains("line 2") && broken.contains("ff"), "{broken}");
    assert_eq!(decode("x", "风扇".into()).unwrap(), "风扇");
}

#[test]
fn a_forms_name_is_the_end_of_a_files_name() {
    assert_eq!(form_of("a/C-1.MD"), Some(ExchangeForm::Markdown));
    assert_eq!(form_of("x.jsonl"), Some(ExchangeForm::Jsonl));
    assert_eq!((form_of(".md"), form_of("md"), form_of("a.txt")), (None, None, None));
}

/// Texts with what is hard: structure, escapes, spaces at the ends, characters that nobody sees.
fn hard_text() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("\n".to_owned()),
        Just("\r\n".to_owned()),
        Just("## 现象".to_owned()),
        Just("\n## Symptom\n".to_owned()),
        Just("\n\\## Symptom".to_owned()),
        Just("\n\\\\## x".to_owned()),
        Just("\n# reboot\n".to_owned()),
        Just("\n<!-- en -->\n".to_owned()),
        Just("\n\\<!-- zh -->".to_owned()),
        Just("+++".to_owned()),
        Just("\\u{1b}".to_owned()),
        Just("\\u{".to_owned()),
        Just("\\\\u{5c}".to_owned()),
        Just("\u{1b}[2J".to_owned()),
        Just("\u{202e}\u{feff}\u{2028}\u{85}\u{3000}".to_owned()),
        Just("  \t".to_owned()),
        Just("=1;\"x\",'|".to_owned()),
        Just("''=".to_owned()),
        "\\PC{0,12}",
        "[ -~]{0,12}",
    ];
    proptest::collection::vec(part, 0..6).prop_map(|parts| parts.concat())
}

fn hard_name() -> impl Strategy<Value = Printable> {
    hard_text().prop_map(|text| if text.trim().is_empty() { "x".into() } else { text.into() })
}

fn text() -> impl Strategy<Value = CaseText> {
    (hard_name(), hard_text(), hard_text(), hard_text(), hard_text()).prop_map(|(title, symptom, cause, steps, resolution)| CaseText {
        title,
        symptom: symptom.into(),
        cause: cause.into(),
        steps: steps.into(),
        resolution: resolution.into(),
    })
}

prop_compose! {
    fn item()(
        known in any::<bool>(),
        foreign in proptest::option::of((hard_name(), hard_name())),
        zh in proptest::option::of(text()),
        en in text(),
        codes in proptest::collection::vec(hard_name(), 0..3),
        equipment in proptest::collection::vec((hard_name(), prop_oneof![Just(Printable::default()), hard_name()], prop_oneof![Just(""), Just("5.2..")]), 0..3),
        cause in proptest::option::of(proptest::sample::select(crate::alarm::ProbableCause::ALL)),
    ) -> CaseItem {
        let (source, key) = foreign.unwrap_or_default();
        let piece = |(product, model, versions): (Printable, Printable, &str)| CaseEquipment { product, model, versions: versions.parse().unwrap() };
        CaseItem {
            id: known.then(CaseId::new),
            number: known.then_some(crate::name::CaseNumber(42)),
            version: known.then_some(7),
            state: known.then_some(CaseState::Wip),
            source,
            key,
            body: CaseBody { zh, en: Some(en), equipment: equipment.into_iter().map(piece).collect(), codes, cause, audience: Audience::Customer },
        }
    }
}

proptest! {
    #[test]
    fn what_is_written_reads_back(items in proptest::collection::vec(item(), 1..4)) {
        for item in &items {
            let text = markdown(item);
            prop_assert_eq!(read(ExchangeForm::Markdown, &text).remove(0).item, Ok(item.clone()), "{}", text);
            // Whoever keeps it with the line ends of Windows changes nothing.
            prop_assert_eq!(read(ExchangeForm::Markdown, &text.replace('\n', "\r\n")).remove(0).item, Ok(item.clone()));
            prop_assert!(text.chars().all(|c| c == '\n' || c == '\t' || !(c.is_control() || crate::printable::is_invisible(c))), "{}", text);
        }
        let lines: String = items.iter().map(jsonl_line).collect();
        for (form, text) in [(ExchangeForm::Csv, csv(&items)), (ExchangeForm::Json, json(&items)), (ExchangeForm::Jsonl, lines)] {
            prop_assert!(text.chars().all(|c| matches!(c, '\r' | '\n' | '\t') || !(c.is_control() || crate::printable::is_invisible(c))), "{}", text);
            let read: Vec<_> = read(form, &text).into_iter().map(|read| read.item).collect();
            prop_assert_eq!(read, items.iter().cloned().map(Ok).collect::<Vec<_>>(), "{}", text);
        }
    }

    #[test]
    fn any_text_is_read_without_harm(text in "\\PC{0,200}", lines in hard_text()) {
        for form in ["markdown", "csv", "json", "jsonl"] {
            let form: ExchangeForm = form.parse().unwrap();
            for text in [&text, &lines, &format!("+++\n+++\n# x\n{lines}"), &format!("number,en_title\n{lines}")] {
                let _ = read(form, text);
            }
        }
    }
}

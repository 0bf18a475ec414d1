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
    let spellings = ["ALM-25621", "alm-25621", "ALM25621", "ALM_25621", "ALM 25621", "ALM:25621", "ALM–25621", "ALM - 25621", "ALM#25621"];
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
    for word in ["a", "about", "the", "your", "very", "no", "us", "we", "一下", "什么", "怎样", "没有", "还是"] {
        assert_eq!(is_function_word(word), !["us", "没有"].contains(&word), "{word}");
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

/// A sink that wants only words that may have some stems.
struct Wanting(Beginnings, Vec<String>);

impl Sink for Wanting {
    fn take(&mut self, text: &str, kind: Kind, _start: usize, _end: usize) {
        self.1.extend((kind == Kind::Word).then(|| text.to_owned()));
    }

    fn wants(&self, word: &str) -> bool {
        self.0.may_be(word)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]
    #[test]
    fn a_word_with_a_wanted_stem_is_wanted(
        word in "[a-zé]{1,3}(y|ying|ied|ies|ing|s|ed|eed|eedly|ly|ational|'s)|[a-z]{1,9}|y[aeiou]?[a-z]{0,3}|skis|skies|dying|lying|tying|idly|ugly"
    ) {
        let stems: Vec<String> = analyse(&word).tokens.into_iter().filter(|token| token.kind == Kind::Word).map(|token| token.text).collect();
        let mut wanting = Wanting(Beginnings::of(stems.iter().map(String::as_str)), Vec::new());
        Reader::default().read(&word, &mut wanting);
        prop_assert_eq!(stems, wanting.1);
    }

    #[test]
    fn a_reader_that_has_read_others_reads_the_same(before in r"\PC{0,30}|[a-z0-9 -]{0,30}", text in r"\PC{0,30}|[a-zA-Z0-9_./: '-]{0,30}|[风扇ａ① e\u{301}-]{0,20}") {
        let (mut reader, mut collector) = (Reader::default(), Collector(Vec::new()));
        reader.read(&before, &mut Collector(Vec::new()));
        reader.read(&text, &mut collector);
        prop_assert_eq!(collector.0, analyse(&text).tokens);
    }
}

#[test]
fn most_words_are_told_apart_without_their_stems() {
    let wanted = Beginnings::of(["optic", "us", "fan"]);
    assert!(["optical", "using", "fans", "operation", "dying", "é", "x"].iter().all(|word| wanted.may_be(word)));
    assert!(["board", "unit", "fibre"].iter().all(|word| !wanted.may_be(word)));
}

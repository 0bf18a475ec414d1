//! Keys pressed and pictures drawn without a terminal: whatever is typed, whatever arrives, on a screen of any size.

use jiff::Timestamp;
use lineman_common::api::ConsentView;
use lineman_common::id::ConsentId;
use proptest::prelude::*;
use unicode_width::UnicodeWidthStr;

use super::draw::{Line, Scene, bytes, draw};
use super::live::{Link, Snapshot};
use super::model::{Act, Key, Mode, Model};
use crate::consents::desk::{Draft, sample};
use crate::testing::World;

fn scene(columns: usize, rows: usize, who: &lineman_common::name::PersonName) -> Scene<'_> {
    Scene { columns, rows, who, server: "support.example", now: Timestamp::now(), moment: &|time| time.to_string() }
}

fn picture(model: &mut Model, columns: usize, rows: usize) -> Vec<Line> {
    let who = "approver-jw".parse().unwrap();
    draw(model, &scene(columns, rows, &who))
}

fn text(lines: &[Line]) -> String {
    lines.iter().map(|line| line.text() + "\n").collect()
}

fn snapshot(requests: Vec<ConsentView>) -> Snapshot {
    Snapshot { requests, link: Link::Connected, version: 1 }
}

fn request(draft: &Draft) -> ConsentView {
    ConsentView { id: ConsentId::new(), ..draft.view.clone() }
}

#[test]
fn a_new_request_on_top_moves_nothing_under_the_finger() {
    let world = World::new();
    let draft = sample(&world, "shell", "fan 2 stopped");
    let mut model = Model::new();
    let (old, new) = (request(&draft), request(&draft));
    assert!(model.update(snapshot(vec![old.clone()])));
    assert!(model.update(snapshot(vec![new.clone(), old.clone()])), "the bell rings for a new one");
    assert!(!model.update(snapshot(vec![new.clone(), old.clone()])));
    assert!(matches!(model.key(Key::Enter, 10), Act::Open(id) if id == old.id));
    // What is gone leaves its neighbour chosen.
    model.update(snapshot(vec![new.clone()]));
    assert!(matches!(model.key(Key::Enter, 10), Act::Open(id) if id == new.id));
}

#[test]
fn only_what_was_on_the_screen_is_signed() {
    let world = World::new();
    let draft = sample(&world, "shell", "fan 2 stopped");
    let mut model = Model::new();
    model.update(snapshot(vec![draft.view.clone()]));
    model.open(draft.clone());
    // Not drawn yet.
    assert!(matches!(model.key(Key::Char('a'), 10), Act::Nothing));
    // Drawn, but too small a screen for all of it.
    picture(&mut model, 80, 12);
    assert!(matches!(model.key(Key::Char('a'), 7), Act::Nothing));
    picture(&mut model, 80, 24);
    let Act::Sign(signed) = model.key(Key::Char('a'), 19) else { panic!("it was seen") };
    assert_eq!(signed.text(), draft.text());
}

#[test]
fn chinese_text_stays_on_its_line() {
    let world = World::new();
    let draft = sample(&world, "shell", "风扇2停转，请检查电源与背板，并确认温度传感器读数是否正常");
    let mut model = Model::new();
    model.update(snapshot(vec![ConsentView {
        reason: Some("风扇2停转，请检查电源与背板，并确认温度传感器读数".into()),
        ..draft.view.clone()
    }]));
    for (columns, rows) in [(80, 24), (41, 24), (20, 6)] {
        let lines = picture(&mut model, columns, rows);
        assert!(lines.iter().all(|line| line.text().width() <= columns), "{}", text(&lines));
    }
    model.open(draft);
    let lines = picture(&mut model, 40, 40);
    let shown = text(&lines).replace("\n         ", "");
    assert!(shown.contains("风扇2停转，请检查电源与背板，并确认温度传感器读数是否正常"), "{shown}");
}

#[test]
fn no_colour_means_none() {
    let world = World::new();
    let mut model = Model::new();
    model.open(sample(&world, "shell", "fan 2 stopped"));
    let lines = picture(&mut model, 80, 40);
    assert!(bytes(&lines, true).contains("\x1b[32m"));
    let plain = bytes(&lines, false);
    assert!(!plain.contains("\x1b[3") && !plain.contains("\x1b[1;3"), "{plain:?}");
}

fn any_key() -> impl Strategy<Value = Key> {
    prop_oneof![
        Just(Key::Up),
        Just(Key::Down),
        Just(Key::PageUp),
        Just(Key::PageDown),
        Just(Key::Enter),
        Just(Key::Escape),
        Just(Key::Tab),
        Just(Key::Backspace),
        Just(Key::Clear),
        prop::sample::select(vec!['a', 'n', 'r', '?', ' ', 'x', 'j', 'k', '3', 'h', '风']).prop_map(Key::Char),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever is pressed: every picture fits its screen, and nothing is signed but what a statement on it showed.
    #[test]
    fn any_keys_on_any_screen(
        keys in prop::collection::vec(any_key(), 0..40),
        columns in 20usize..140,
        rows in 6usize..50,
        reason in "\\PC{0,60}",
    ) {
        let world = World::new();
        let draft = sample(&world, "shell,exec,forward:10.0.0.5:443", "fan 2 stopped");
        let mut model = Model::new();
        let view = ConsentView { reason: Some((reason + "\x1b[2J\u{202e}\r\n").into()), ..draft.view.clone() };
        model.update(snapshot(vec![view, request(&draft)]));
        for key in keys {
            let lines = picture(&mut model, columns, rows);
            prop_assert_eq!(lines.len(), rows);
            for line in &lines {
                prop_assert!(line.text().width() <= columns, "{:?}", line.text());
                prop_assert!(!line.text().contains(char::is_control), "{:?}", line.text());
            }
            let on_screen = matches!(model.mode, Mode::Statement(_));
            match model.key(key, rows.saturating_sub(5).max(1)) {
                Act::Open(_) => model.open(draft.clone()),
                Act::Sign(signed) => {
                    prop_assert!(on_screen);
                    prop_assert_eq!(signed.text(), draft.text());
                }
                Act::Narrow(before, narrow) => {
                    prop_assert!(narrow.doors.is_some_and(|doors| doors.is_within(&draft.checked.request.doors)));
                    prop_assert!(narrow.duration_s.is_some_and(|time| time <= draft.checked.request.duration_s));
                    model.open(*before);
                }
                Act::Nothing | Act::Quit | Act::Refuse(..) => {}
            }
        }
    }
}

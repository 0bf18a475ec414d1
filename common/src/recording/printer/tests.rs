use proptest::prelude::*;

use super::*;

fn printed_on(mut printer: Printer, bytes: &[u8]) -> Vec<String> {
    let mut lines = printer.print(bytes);
    lines.extend(printer.rest());
    lines
}

fn printed(text: &str) -> Vec<String> {
    printed_on(Printer::new(), text.as_bytes())
}

#[test]
fn a_line_reads_as_the_terminal_showed_it() {
    assert_eq!(printed("one\r\ntwo\n\nthree"), ["one", "two", "", "three"]);
    assert_eq!(printed("10%\r50%\r100%\r\n"), ["100%"]);
    assert_eq!(printed("lss\x08 \x08 -l\n"), ["ls -l"]);
    assert_eq!(printed("secret\r\x1b[Kdone\n"), ["done"]);
    assert_eq!(printed("a\tb\x1b[1;31mred\x1b[0m\n"), ["a       bred"]);
    assert_eq!(printed("cat fle\x1b[2D\x1b[1@i\n"), ["cat file"]);
    assert_eq!(printed("cat fxile\x1b[4D\x1b[P\n"), ["cat file"]);
    assert_eq!(printed("\x1b]0;title\x07$ id\n"), ["$ id"]);
    assert_eq!(printed("x\x1b[5Cy\n"), ["x     y"]);
    assert_eq!(printed("abc\x1b[2X\x1b[3G-\n"), ["ab-"]);
}

#[test]
fn wide_and_combined_characters_keep_their_place() {
    assert_eq!(printed("风扇\x08\x08板\n"), ["风板"]);
    assert_eq!(printed("风扇\x1b[3DX\n"), [" X扇"], "half a character is no character");
    assert_eq!(printed("e\u{301}a\n"), ["e\u{301}a"]);
    assert_eq!(printed("pass\u{200b}word\u{202e}\n"), ["password"], "what nobody sees can't hide a word from a search");
}

#[test]
fn a_line_that_the_terminal_wrapped_is_one_line() {
    // bash at the right margin: the character, a space to wrap, and a carriage return.
    let typed = format!("{}\x20\r{}\r\nnext", "a".repeat(20), "b".repeat(5));
    assert_eq!(printed_on(Printer::wide(20), typed.as_bytes()), [format!("{}{}", "a".repeat(20), "b".repeat(5)), "next".into()]);
    // Back up into the first row, and change a letter there.
    let edited = format!("{}\r\x1b[AX\r\n\r\nnext", "a".repeat(25));
    assert_eq!(printed_on(Printer::wide(20), edited.as_bytes()), [format!("X{}", "a".repeat(24)), "next".into()]);
}

#[test]
fn a_full_screen_program_becomes_the_pieces_it_drew() {
    assert_eq!(printed("\x1b[?1049h\x1b[H\x1b[2Jtop - 1\x1b[2;1HTasks: 3\x1b[?1049l$ "), ["top - 1", "Tasks: 3", "$"]);
}

#[test]
fn a_line_without_an_end_becomes_several() {
    let lines = printed(&"x".repeat(10_000));
    assert_eq!(lines.iter().map(String::len).collect::<Vec<_>>(), [4096, 4096, 1808]);
}

/// What a terminal may get to see: text, controls and sequences, well and ill formed.
fn output() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        "[a-z ]{1,10}".prop_map(String::into_bytes),
        "[风扇e\u{301}\u{1f600}]{1,4}".prop_map(String::into_bytes),
        "\x1b\\[[0-9;?>]{0,6}[@A-Za-z]".prop_map(String::into_bytes),
        "[\r\n\t\x08\x0b\x1b]".prop_map(String::into_bytes),
        "\x1b[\\]P_78DEMc(][0-9;a-z]{0,5}".prop_map(String::into_bytes),
        proptest::collection::vec(any::<u8>(), 0..8),
    ];
    proptest::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn whatever_comes_the_lines_are_bounded(bytes in output(), cols in 0u32..60, resized in 0u32..60, cut in 0usize..400) {
        let mut printer = Printer::wide(cols);
        let cut = cut.min(bytes.len());
        let mut lines = printer.print(&bytes[..cut]);
        printer.set_width(resized);
        lines.extend(printer.print(&bytes[cut..]));
        prop_assert!(printer.cells.len() <= MOST_COLUMNS);
        lines.extend(printer.rest());
        prop_assert!(lines.iter().all(|line| line.len() <= MOST_LINE_BYTES));
        prop_assert!(lines.iter().all(|line| !line.chars().any(char::is_control)));
    }

    /// A printer that was kept and taken up again prints the same.
    #[test]
    fn what_is_kept_goes_on_where_it_was(bytes in output(), cols in 0u32..60, cut in 0usize..400) {
        let cut = cut.min(bytes.len());
        let mut whole = Printer::wide(cols);
        let mut expected = whole.print(&bytes[..cut]);
        let kept = serde_json::to_string(&whole).unwrap();
        let mut resumed: Printer = serde_json::from_str(&kept).unwrap();
        expected.extend(whole.print(&bytes[cut..]));
        expected.extend(whole.rest());
        let mut again = Printer::wide(cols).print(&bytes[..cut]);
        again.extend(resumed.print(&bytes[cut..]));
        again.extend(resumed.rest());
        prop_assert_eq!(again, expected);
    }
}

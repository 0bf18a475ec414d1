//! Terminal input is recorded where the carrier wants it, and never what is typed while the terminal's echo is off.

use std::path::Path;

use lineman_agent::session::limits::Limits;
use lineman_common::recording::{Flow, What};

use super::OnTerminal;
use super::device::{Device, Setup};

const SECRETS: [&str; 3] = ["hunter2-Qx", "correct-horse-Qx", "tr0ub4dor-Qx"];

/// Is this text in any file below?
fn is_in_a_file(dir: &Path, text: &str) -> bool {
    std::fs::read_dir(dir).unwrap().map(Result::unwrap).any(|entry| match entry.file_type().unwrap() {
        kind if kind.is_dir() => is_in_a_file(&entry.path(), text),
        kind if kind.is_file() => std::fs::read(entry.path()).unwrap().windows(text.len()).any(|part| part == text.as_bytes()),
        _ => false,
    })
}

fn device(input: bool) -> Device {
    let usual = Setup::usual();
    Device::set_up("shell", Setup { limits: Limits { input, ..usual.limits }, ..usual })
}

/// Types commands and passwords, at three kinds of prompt.
fn session(device: &Device) {
    let mut terminal = OnTerminal::start(device, &[]);
    // A shell without a line editor: the terminal itself echoes what is typed.
    terminal.type_in("PS1='' exec sh\n");
    terminal.type_in("echo rea''dy\n");
    terminal.expect("ready\r\n");
    terminal.type_in("echo visible 风扇 $((40 + 2))\n");
    terminal.expect("visible 风扇 42\r\n");
    terminal.type_in("stty -echo; printf 'Pass''word: '; read x; stty echo; echo; echo go''t ${#x}\n");
    terminal.expect("Password: ");
    terminal.type_in(&format!("{}\n", SECRETS[0]));
    terminal.expect("got 10\r\n");
    terminal.type_in("bash -c 'read -s -p \"Old pass\"word:\\  x; echo; echo go\"\"t ${#x}'\n");
    terminal.expect("Old password: ");
    // Key by key, as people type.
    for key in SECRETS[1].chars() {
        terminal.type_in(&key.to_string());
    }
    terminal.type_in("\n");
    terminal.expect("got 16\r\n");
    // As `passwd` and `ssh` read: without echo, and without line editing.
    terminal
        .type_in("stty -echo -icanon; printf 'New pass''word: '; dd bs=1 count=12 2>/dev/null | wc -c; stty echo icanon; echo do''ne\n");
    terminal.expect("New password: ");
    terminal.type_in(SECRETS[2]);
    terminal.expect("done\r\n");
    terminal.type_in("exit\n");
    assert_eq!(terminal.exit(), Some(0));
}

fn recorded_input(device: &Device) -> String {
    let events = device.recording().events;
    let input = events.into_iter().filter_map(|event| if let What::Bytes(Flow::Input, bytes) = event.what { Some(bytes) } else { None });
    String::from_utf8(input.flatten().collect()).unwrap()
}

#[test]
fn what_is_typed_without_echo_is_never_stored() {
    let device = device(true);
    session(&device);
    let input = recorded_input(&device);
    assert!(input.contains("echo visible 风扇 $((40 + 2))\n"), "{input}");
    for secret in SECRETS {
        assert!(!input.contains(secret) && !device.recording().text().contains(secret), "{input}");
        assert!(!is_in_a_file(device.state(), secret), "{secret} is in a file");
    }
    // Nor is its length to be had: only what was echoed counts.
    assert_eq!(device.ended().summary.input_bytes, input.len() as u64);
    assert!(is_in_a_file(device.state(), "echo visible"), "the search finds what is there");
}

#[test]
fn by_default_no_input_of_a_terminal_is_stored() {
    let device = device(false);
    session(&device);
    assert_eq!(recorded_input(&device), "");
    for secret in SECRETS {
        assert!(!is_in_a_file(device.state(), secret), "{secret} is in a file");
    }
}

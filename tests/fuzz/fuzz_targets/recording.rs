//! Recording files. As they come, and as chunks whose bodies are the input, each signed and put into its line: a chain that holds
//! without signatures holds with them, under the device's key and no other; what an event says, its line says.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lineman_common::recording::{Event, Recording, read_unverified, verify};
use lineman_common::statement::Namespace;
use lineman_fuzz::{STRANGER, key, signed};

const DEVICE: u8 = 6;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for line in text.lines().take(64) {
        if let Some(event) = Event::from_line(line) {
            check_event(&event);
        }
    }
    if let Ok(recording) = read_unverified(text) {
        check(&recording, text);
    }
    // Chunks are signed here, with a line of NUL between their bodies.
    let bodies: Vec<_> = text.split('\0').take(8).collect();
    let lines: Vec<_> =
        bodies.iter().map(|body| serde_json::to_string(&signed(DEVICE, Namespace::Recording, body)).expect("JSON")).collect();
    let file = lines.join("\n");
    let loose = read_unverified(&file);
    let sound = verify(&file, key(DEVICE).public_key());
    match (&loose, &sound) {
        (Ok(loose), Ok(sound)) => {
            assert_eq!((loose.chunks, &loose.head_sha256, &loose.events), (sound.chunks, &sound.head_sha256, &sound.events));
            check(sound, &file);
            assert!(verify(&file, key(STRANGER).public_key()).is_err(), "another device's");
            if lines.len() > 1 {
                assert!(verify(&lines[1..].join("\n"), key(DEVICE).public_key()).is_err(), "without its beginning");
            }
            if lines.len() > 2 {
                let dropped = [&lines[..1], &lines[2..]].concat().join("\n");
                assert!(verify(&dropped, key(DEVICE).public_key()).is_err(), "with a chunk dropped");
            }
        }
        (loose, sound) => assert_eq!(loose.as_ref().err(), sound.as_ref().err()),
    }
});

fn check(recording: &Recording, file: &str) {
    assert_eq!(usize::try_from(recording.chunks), Ok(file.lines().count()));
    assert_eq!(recording.head_sha256.len(), 64);
    let _ = (recording.main_channel(), recording.only_counted(), recording.text());
    for (channel, _) in recording.channels().take(4) {
        for cast in [recording.asciicast_v2(channel), recording.asciicast_v3(channel)] {
            assert!(cast.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "lines of JSON");
        }
    }
    recording.events.iter().for_each(check_event);
}

/// Times beyond any session are not kept to the microsecond.
fn check_event(event: &Event) {
    let line = event.to_line();
    assert!(!line.contains('\n'));
    if event.seconds.abs() < 1e9 {
        let again = Event::from_line(&line).expect("what was written reads");
        assert_eq!((again.channel, again.to_line()), (event.channel, line));
    }
}

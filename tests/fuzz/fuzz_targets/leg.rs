//! The session leg: greetings and frame headers.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lineman_common::leg::{HEADER_BYTES, Header, LegError, MAX_DATA_BYTES, greeting, read_greeting, read_reply, reply};

fuzz_target!(|data: &[u8]| {
    if let Some(bytes) = data.first_chunk::<HEADER_BYTES>() {
        if let Ok(header) = Header::decode(*bytes) {
            assert_eq!(header.encode(), *bytes);
            assert!(!matches!(header, Header::Data(length) if length == 0 || length > MAX_DATA_BYTES));
        }
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(ticket) = read_greeting(text) {
        assert_eq!(greeting(ticket), format!("{text}\n"));
    }
    match read_reply(text) {
        Ok(()) => assert_eq!(reply(Ok(())), format!("{text}\n")),
        Err(LegError::Refused(reason)) => assert!(!reason.chars().any(char::is_control), "fit to show"),
        Err(_) => {}
    }
});

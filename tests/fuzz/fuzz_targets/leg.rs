//! The session leg: greetings, replies and frame headers.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lineman_common::leg::{
    Greeting, HEADER_BYTES, Header, LegError, MAX_DATA_BYTES, Offer, Secret, line_greeting, read_line_greeting, read_line_reply,
};

fuzz_target!(|data: &[u8]| {
    if let Some(bytes) = data.first_chunk::<HEADER_BYTES>() {
        if let Ok(header) = Header::decode(*bytes) {
            assert_eq!(header.encode(), *bytes);
            assert!(!matches!(header, Header::Data(length) if length == 0 || length > MAX_DATA_BYTES));
        }
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(greeting) = text.parse::<Greeting>() {
        let offer = Offer { id: greeting.leg, secret: Secret::new([5; 32]) };
        if offer.greeting(greeting.attempt, greeting.taken).trim_end() == text {
            assert!(offer.is_from_the_device(&greeting));
        }
        match offer.read_reply(greeting.attempt, text) {
            Err(LegError::Refused(reason)) => assert!(!reason.chars().any(char::is_control), "fit to show"),
            Ok(_) | Err(_) => {}
        }
    }
    if let Ok(ticket) = read_line_greeting(text) {
        assert_eq!(line_greeting(ticket), format!("{text}\n"));
    }
    if let Err(LegError::Refused(reason)) = read_line_reply(text) {
        assert!(!reason.chars().any(char::is_control), "fit to show");
    }
});

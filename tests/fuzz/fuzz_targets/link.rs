//! What agent and server say to each other. What reads, writes; and what was written reads back to the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lineman_common::link::{EnrolReply, EnrolRequest, EnrolmentToken, FromAgent, RecordingFrame, Report, ToAgent};
use serde_json::{from_slice, from_str, to_string};

/// Reads `data` as `$kind`, writes it, and reads and writes it once more.
macro_rules! settles {
    ($data:expr, $kind:ty) => {
        if let Ok(read) = from_slice::<$kind>($data) {
            let written = to_string(&read).expect("what reads can be written");
            let again: $kind = from_str(&written).expect("what was written reads");
            assert_eq!(to_string(&again).expect("as before"), written);
        }
    };
}

fuzz_target!(|data: &[u8]| {
    settles!(data, FromAgent);
    settles!(data, ToAgent);
    settles!(data, Report);
    settles!(data, EnrolRequest);
    settles!(data, EnrolReply);
    if let Ok(FromAgent::Report { body, .. }) = from_slice(data) {
        assert!(std::str::from_utf8(data).is_ok_and(|text| text.contains(body.get())), "a report's body is passed on as it came");
    }
    if let Some(frame) = RecordingFrame::decode(data) {
        assert_eq!(frame.encode(), data);
        assert_eq!(frame.line.len() + 8, data.len());
    }
    if let Some(token) = std::str::from_utf8(data).ok().and_then(|text| text.parse::<EnrolmentToken>().ok()) {
        assert_eq!(token.to_string().parse(), Ok(token));
    }
});

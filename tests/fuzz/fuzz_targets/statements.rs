//! Everything that somebody signs. What reads, writes the same bytes; no text is two kinds of statement; nothing in it moves a cursor.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lineman_common::printable::is_invisible;
use lineman_common::statement::{Consent, DeviceStatement, LocalStatement, Receipt, Request, Signed, Standing, lines};
use lineman_fuzz::roster;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let signed = Signed { text: text.to_owned(), signature: String::new() };
    let request = Request::read_unverified(&signed);
    let standing = Standing::read_unverified(&signed);
    let consent = Consent::read_unverified(&signed);
    let written = [
        request.as_ref().ok().map(Request::write),
        consent.as_ref().ok().map(Consent::write),
        standing.as_ref().ok().map(Standing::write),
        Receipt::read_unverified(&signed).ok().as_ref().map(Receipt::write),
        LocalStatement::read_unverified(&signed).ok().as_ref().map(LocalStatement::write),
        DeviceStatement::read_unverified(text).ok().as_ref().map(DeviceStatement::write),
    ];
    let mut written = written.into_iter().flatten();
    if let Some(again) = written.next() {
        assert_eq!(again.expect("what reads can be written"), text);
        assert!(text.len() <= lines::MAX_BYTES);
        assert!(!text.chars().any(|c| (c.is_control() && c != '\n') || is_invisible(c)));
    }
    assert!(written.next().is_none(), "two kinds of statement");
    if let Ok(request) = &request {
        // The rules between papers hold for any values.
        if let Ok(base) = Standing::read_unverified(&seed("standing")) {
            let covered = base.check_covers(request, roster()).is_ok();
            assert!(!covered || (request.duration_s <= base.duration_s && request.doors.is_within(&base.doors)));
        }
        if let Ok(base) = Consent::read_unverified(&seed("consent")) {
            assert!(base.check_fits(request, text).is_err() || text == seed("request").text, "it names one request's hash");
        }
    }
    if let (Ok(standing), Ok(base)) = (&standing, Request::read_unverified(&seed("role"))) {
        let covered = standing.check_covers(&base, roster()).is_ok();
        assert!(!covered || (standing.level <= 2 && standing.customer == base.device.customer));
    }
    if let (Ok(consent), Ok(base)) = (&consent, Request::read_unverified(&seed("request"))) {
        let fits = consent.check_fits(&base, &seed("request").text).is_ok();
        assert!(!fits || (consent.id == base.id && consent.doors.is_within(&base.doors) && consent.duration_s <= base.duration_s));
    }
});

fn seed(name: &str) -> Signed {
    let text = match name {
        "standing" => include_str!("../seeds/statements/standing"),
        "consent" => include_str!("../seeds/statements/consent"),
        "role" => include_str!("../seeds/statements/request-role"),
        _ => include_str!("../seeds/statements/request"),
    };
    Signed { text: text.to_owned(), signature: String::new() }
}

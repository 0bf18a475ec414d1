//! Whatever comes from outside: no reader panics, and what reads back writes the same.

use proptest::prelude::*;

use super::*;
use crate::statement::{Consent, DeviceStatement, LocalStatement, Receipt, Request, Standing};

/// Text that gets past a reader's first checks, now and then.
fn nearly(text: String) -> impl Strategy<Value = String> {
    let length = text.len();
    (0..length, 0..length, "\\PC{0,8}|[\\x00-\\x7f]{0,8}").prop_map(move |(from, to, put)| {
        let (from, to) = (floor(&text, from.min(to)), floor(&text, from.max(to)));
        // A small cut, not half of the text.
        let to = floor(&text, to.min(from + 4)).max(from);
        format!("{}{put}{}", &text[..from], &text[to..])
    })
}

fn floor(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn unsigned(text: String) -> Signed {
    Signed { text, signature: String::new() }
}

/// What the machine would understand and the eye could misread is refused.
#[test]
fn there_is_one_way_to_write_a_statement() {
    let text = papers::request().write().unwrap();
    for (from, to, said) in [
        ("duration-s: 3600", "duration-s: +3600", "line 11: expected it to be written as `duration-s: 3600`"),
        ("duration-s: 3600", "duration-s: 03600", "line 11: "),
        (
            "issued: 2026-11-22T08:00:00Z",
            "issued: 2026-11-22T16:00:00+08:00",
            "line 14: expected it to be written as `issued: 2026-11-22T08",
        ),
        ("issued: 2026-11-22T08:00:00Z", "issued: 2026-11-22 08:00:00Z", "line 14: "),
        ("doors: shell", "doors: shell,shell", "line 9: expected it to be written as `doors: shell`"),
        ("doors: shell", "doors: shell, ", "line 9: "),
    ] {
        assert!(text.contains(from));
        let error = Request::read_unverified(&unsigned(text.replace(from, to))).unwrap_err().to_string();
        assert!(error.contains(said), "{error}\nshould say\n{said}");
    }
    let text = papers::standing().write().unwrap();
    let spaced = text.replace("devices: ne-1.jw.ne,ne-2.jw.ne", "devices: ne-2.jw.ne,ne-1.jw.ne");
    assert_ne!(spaced, text);
    assert!(Standing::read_unverified(&unsigned(spaced)).is_err());
}

proptest! {
    #[test]
    fn a_standing_statement_that_reads_writes_the_same(text in nearly(papers::standing().write().unwrap())) {
        let signed = unsigned(text);
        if let Ok(read) = Standing::read_unverified(&signed) {
            prop_assert_eq!(&read.write().unwrap(), &signed.text);
            let again = unsigned(read.write().unwrap());
            prop_assert_eq!(Standing::read_unverified(&again).unwrap(), read);
        }
    }

    #[test]
    fn a_request_that_reads_writes_the_same(text in nearly(papers::request().write().unwrap())) {
        let signed = unsigned(text);
        if let Ok(read) = Request::read_unverified(&signed) {
            prop_assert_eq!(&read.write().unwrap(), &signed.text);
            let again = unsigned(read.write().unwrap());
            prop_assert_eq!(Request::read_unverified(&again).unwrap(), read);
        }
    }

    #[test]
    fn a_receipt_that_reads_writes_the_same(text in nearly(papers::receipt().write().unwrap())) {
        let signed = unsigned(text);
        if let Ok(read) = Receipt::read_unverified(&signed) {
            prop_assert_eq!(&read.write().unwrap(), &signed.text);
            let again = unsigned(read.write().unwrap());
            prop_assert_eq!(Receipt::read_unverified(&again).unwrap(), read);
        }
    }

    #[test]
    fn a_local_statement_that_reads_writes_the_same(text in nearly(papers::local().write().unwrap())) {
        let signed = unsigned(text);
        if let Ok(read) = LocalStatement::read_unverified(&signed) {
            prop_assert_eq!(&read.write().unwrap(), &signed.text);
            let again = unsigned(read.write().unwrap());
            prop_assert_eq!(LocalStatement::read_unverified(&again).unwrap(), read);
        }
    }

    #[test]
    fn no_text_makes_a_reader_panic(text in "\\PC{0,200}") {
        let signed = unsigned(text.clone());
        let _ = (Request::read_unverified(&signed), Consent::read_unverified(&signed), Standing::read_unverified(&signed));
        let _ = (Receipt::read_unverified(&signed), LocalStatement::read_unverified(&signed), DeviceStatement::read_unverified(&text));
        let _ = SignerList::parse("list", &text);
        let _ = Signed { text: "t".into(), signature: text }.signatory("text", Namespace::Consent);
    }

    /// A list, however it was bent, lets nobody sign whose key is not in its text.
    #[test]
    fn a_bent_list_lets_in_nobody_new(text in nearly(format!(
        "# lineman-list: signers jw\n# counter: 3\n# issued: 2026-11-01T00:00:00Z\n# expiry: 2027-11-01T00:00:00Z\n\
         noc-jw namespaces=\"consent@lineman\",valid-before=\"20270101Z\" {KEY} remark\n"
    ))) {
        let stranger = ssh_key::PublicKey::from_openssh(OTHER).unwrap();
        if let Ok(list) = SignerList::parse("list", &text) {
            for principal in ["noc-jw", "noc", ""] {
                prop_assert!(list.authorise("text", principal, &stranger, Namespace::Consent, at(NOW)).is_err());
            }
            for line in &list.lines {
                prop_assert!(text.contains(&crate::statement::device::openssh(&line.key)));
                prop_assert!(!line.namespaces.is_empty() && !line.principals.is_empty());
            }
        }
    }
}

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";
const OTHER: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";

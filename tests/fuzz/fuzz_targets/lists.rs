//! allowed_signers files. A list never lets in a key that does not stand in it, nor anybody by a pattern; what was understood of it,
//! written down again, is understood the same.
#![no_main]

use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use lineman_common::name::CustomerCode;
use lineman_common::statement::list::SignerLine;
use lineman_common::statement::{Anchors, CarrierSigners, Namespace, Roster, SignerList, device};
use lineman_fuzz::{STRANGER, at, key, now, signed, signers, vendor_root};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let customer: CustomerCode = "JW".parse().expect("a code");
    let Ok(list) = SignerList::parse("list", text) else {
        assert!(CarrierSigners::parse(text, &customer).is_err());
        return;
    };
    let stranger = key(STRANGER);
    let listed = list.lines.iter().any(|line| line.key.key_data() == stranger.public_key().key_data());
    for line in &list.lines {
        check_line(text, line);
        for principal in &line.principals {
            for namespace in Namespace::ALL {
                for time in [Timestamp::MIN, Timestamp::UNIX_EPOCH, now(), Timestamp::MAX] {
                    let taken = list.authorise("text", principal, stranger.public_key(), *namespace, time).is_ok();
                    assert!(listed || !taken, "a key that is not in the list");
                }
            }
        }
    }
    let again = SignerList::parse("list", &written(&list)).expect("what was understood can be written");
    assert_eq!(written(&again), written(&list));
    assert_eq!(again.head, list.head);
    whole(text, &customer, &list);
});

fn check_line(text: &str, line: &SignerLine) {
    let key = device::openssh(&line.key);
    let base64 = key.split(' ').nth(1).expect("a key");
    assert!(text.contains(base64), "the key stands in the text");
    assert!(!line.namespaces.is_empty() && !line.principals.is_empty());
    for name in line.namespaces.iter().chain(&line.principals) {
        assert!(text.contains(name.as_str()) && !name.contains(['*', '?', '!', '"', ' ', '\n']) || name.contains(' '));
        assert!(!name.contains(['*', '?', '!']), "no patterns");
    }
    assert!(!key.starts_with("ssh-rsa") && !key.starts_with("ssh-dss") && !key.contains("-cert-"));
}

/// The same list, in the plainest form.
fn written(list: &SignerList) -> String {
    let head = list.head.as_ref().map(|head| {
        format!("# lineman-list: {}\n# counter: {}\n# issued: {}\n# expiry: {}\n", head.kind, head.counter, head.issued, head.expiry)
    });
    let time = |name: &str, time: Option<Timestamp>| time.map(|time| format!(",{name}=\"{}\"", time.strftime("%Y%m%d%H%M%SZ")));
    let lines = list.lines.iter().map(|line| {
        let authority = if line.cert_authority { "cert-authority," } else { "" };
        let (after, before) = (time("valid-after", line.valid_after), time("valid-before", line.valid_before));
        let (principals, namespaces, key) = (line.principals.join(","), line.namespaces.join(","), device::openssh(&line.key));
        format!("{principals} {authority}namespaces=\"{namespaces}\"{}{} {key}\n", after.unwrap_or_default(), before.unwrap_or_default())
    });
    head.unwrap_or_default() + &lines.collect::<String>()
}

/// As a roster, an anchor list and a new signer list, signed by those who may.
fn whole(text: &str, customer: &CustomerCode, list: &SignerList) {
    let kind = list.head.as_ref().map_or("", |head| head.kind.as_str());
    if let Ok(roster) = Roster::verify(&signed(1, Namespace::Roster, text), vendor_root(), now()) {
        assert_eq!(kind, "roster");
        assert!(list.lines.iter().all(|line| !line.cert_authority));
        assert!(roster.head.expiry.duration_since(roster.head.issued).as_hours() <= 24 * 35);
        let _ = (roster.level("engineer-a"), roster.engineer_of(key(2).public_key()), roster.gateway_keys().count());
        assert_eq!(roster.check_newer_than(roster.head.counter).is_ok(), true);
    }
    if Anchors::verify(&signed(1, Namespace::Anchors, text), customer, vendor_root(), now()).is_ok() {
        assert_eq!(kind, "anchors JW");
    }
    assert!(Roster::verify(&signed(STRANGER, Namespace::Roster, text), vendor_root(), now()).is_err());
    for needed in [1, 2] {
        let both = [signed(4, Namespace::Signers, text), signed(5, Namespace::Signers, text)];
        if let Ok(next) = signers().replaced_by(&both, customer, needed, now()) {
            assert!(kind == "signers JW" && next.counter() > 5);
            assert!(next.list().check_expiry(now()).is_ok());
            assert!(next.list().keys_for(Namespace::Signers).count() >= usize::from(needed));
        }
        assert!(signers().replaced_by(&both[..1], customer, 2, now()).is_err(), "one is not two");
        let forged = [signed(STRANGER, Namespace::Signers, text), both[0].clone()];
        assert!(signers().replaced_by(&forged, customer, needed, at("2026-11-22T09:00:00Z")).is_err());
    }
}

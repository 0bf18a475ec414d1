//! What the targets share: keys that are always the same, and lists made with them.

use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use lineman_common::statement::{CarrierSigners, Namespace, Roster, Signed, SignerList};
use ssh_key::PrivateKey;
use ssh_key::private::Ed25519Keypair;

/// A key that is the same in every run.
pub fn key(number: u8) -> PrivateKey {
    PrivateKey::from(Ed25519Keypair::from_seed(&[number; 32]))
}

/// `ssh-ed25519 AAAA...`
pub fn line(number: u8) -> String {
    lineman_common::statement::device::openssh(key(number).public_key())
}

pub fn now() -> Timestamp {
    at("2026-11-22T08:00:00Z")
}

pub fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

pub fn signed(number: u8, namespace: Namespace, text: &str) -> Signed {
    Signed::sign(&key(number), namespace, text.to_owned()).expect("an Ed25519 key signs")
}

/// Key 1 is the vendor's, 2 an engineer's, 3 the carrier's approver's, 4 and 5 change the carrier's list, 6 a device's, 9 a stranger's.
pub const STRANGER: u8 = 9;

pub fn roster_text() -> String {
    format!(
        "# lineman-list: roster\n# counter: 7\n# issued: 2026-11-20T00:00:00Z\n# expiry: 2026-12-20T00:00:00Z\n\
         engineer-a,level-2 namespaces=\"request@lineman\" {}\ngateway namespaces=\"gateway@lineman\" {}\n",
        line(2),
        line(7)
    )
}

pub fn signers_text(counter: u64) -> String {
    format!(
        "# lineman-list: signers JW\n# counter: {counter}\n# issued: 2026-11-01T00:00:00Z\n# expiry: 2027-11-01T00:00:00Z\n\
         noc-jw namespaces=\"consent@lineman,standing@lineman\",valid-after=\"20260101Z\",valid-before=\"202701010000Z\" {} NOC\n\
         noc-ca cert-authority,namespaces=\"consent@lineman\" {}\n\
         chief namespaces=\"signers@lineman\" {}\ndeputy namespaces=\"signers@lineman\" {}\n",
        line(3),
        line(8),
        line(4),
        line(5)
    )
}

pub fn vendor_root() -> &'static SignerList {
    static ROOT: OnceLock<SignerList> = OnceLock::new();
    ROOT.get_or_init(|| {
        let text = format!("vendor-root namespaces=\"roster@lineman,anchors@lineman\" {}\n", line(1));
        SignerList::parse("vendor root", &text).expect("a list")
    })
}

pub fn roster() -> &'static Roster {
    static ROSTER: OnceLock<Roster> = OnceLock::new();
    ROSTER.get_or_init(|| Roster::verify(&signed(1, Namespace::Roster, &roster_text()), vendor_root(), now()).expect("a roster"))
}

pub fn signers() -> &'static CarrierSigners {
    static SIGNERS: OnceLock<CarrierSigners> = OnceLock::new();
    SIGNERS.get_or_init(|| CarrierSigners::parse(&signers_text(5), &"JW".parse().expect("a code")).expect("a list"))
}

/// OpenSSH's armour around these bytes.
pub fn armoured(bytes: &[u8]) -> String {
    let base64 = STANDARD.encode(bytes);
    let lines: Vec<_> = base64.as_bytes().chunks(70).map(|line| std::str::from_utf8(line).expect("ASCII")).collect();
    format!("-----BEGIN SSH SIGNATURE-----\n{}\n-----END SSH SIGNATURE-----\n", lines.join("\n"))
}

/// What is inside the armour.
pub fn unarmoured(text: &str) -> Vec<u8> {
    let inside: String = text.lines().filter(|line| !line.starts_with('-')).collect();
    STANDARD.decode(inside).expect("base64")
}

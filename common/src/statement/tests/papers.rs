//! Standing statements, receipts, local statements: what they say, and every field that counts.

use super::*;
use crate::id::ConsentId;
use crate::session::Grade;
use crate::statement::{CarrierSigners, LocalAct, LocalStatement, Receipt, Request, Roster, Standing, sha256_hex};

pub fn standing() -> Standing {
    Standing {
        id: ConsentId::new(),
        customer: "JW".parse().unwrap(),
        devices: "ne-1.jw.ne,ne-2.jw.ne".parse().unwrap(),
        fault: "F-JW-42".parse().unwrap(),
        level: 2,
        doors: "shell,exec,forward:10.0.0.5:443".parse().unwrap(),
        account: "view".into(),
        duration_s: 3600,
        roster: 7,
        approver: "noc-jw".parse().unwrap(),
        issued: at("2026-11-22T00:00:00Z"),
        valid_before: at("2026-12-22T00:00:00Z"),
    }
}

pub fn request() -> Request {
    Request {
        id: ConsentId::new(),
        fault: "F-JW-42".parse().unwrap(),
        device: "ne-1.jw.ne".parse().unwrap(),
        host_key: "SHA256:h".into(),
        grade: Grade::Role,
        engineer: "engineer-a".parse().unwrap(),
        engineer_key: "SHA256:k".into(),
        doors: "shell".parse().unwrap(),
        account: "view".into(),
        duration_s: 3600,
        challenge: "c".into(),
        reason: "风扇停转".into(),
        issued: at(NOW),
    }
}

pub fn receipt() -> Receipt {
    Receipt {
        device: "ne-1.jw.ne".parse().unwrap(),
        signers: 3,
        signers_sha256: sha256_hex("s"),
        signers_expiry: at("2027-01-01T00:00:00Z"),
        vendor_root_sha256: sha256_hex("v"),
        roster: 7,
        grades: "end-to-end,role".into(),
        approvals: 2,
        stopped: "no".into(),
        at: at(NOW),
    }
}

pub fn local() -> LocalStatement {
    LocalStatement {
        device: "ne-1.jw.ne".parse().unwrap(),
        act: LocalAct::ApproveConsent,
        subject: ConsentId::new().to_string(),
        by: "root (pid 7, /dev/tty1)".into(),
        detail: "request-sha256 abc; doors shell; duration-s 3600".into(),
        at: at(NOW),
    }
}

/// A roster with engineers of some levels.
fn roster(levels: &[(&str, &str)]) -> Roster {
    let root = key();
    let lines = levels.iter().map(|(names, namespaces)| format!("{names} namespaces=\"{namespaces}\" {}\n", line(&key())));
    let head = "# lineman-list: roster\n# counter: 7\n# issued: 2026-11-20T00:00:00Z\n# expiry: 2026-12-20T00:00:00Z\n";
    let signed = Signed::sign(&root, Namespace::Roster, head.to_owned() + &lines.collect::<String>()).unwrap();
    let pinned = SignerList::parse("vendor root", &format!("vendor-root namespaces=\"roster@lineman\" {}\n", line(&root))).unwrap();
    Roster::verify(&signed, &pinned, at(NOW)).unwrap()
}

fn signers(key: &PrivateKey, namespaces: &str) -> CarrierSigners {
    let head = "# lineman-list: signers JW\n# counter: 1\n# issued: 2026-11-20T00:00:00Z\n# expiry: 2027-11-20T00:00:00Z\n";
    let text = format!("{head}noc-jw namespaces=\"{namespaces}\" {}\n", line(key));
    CarrierSigners::parse(&text, &"JW".parse().unwrap()).unwrap()
}

#[test]
fn what_is_written_reads_back_and_an_officer_can_read_it() {
    let key = key();
    let (paper, receipt, local) = (standing(), receipt(), local());
    let text = paper.write().unwrap();
    assert!(
        text.starts_with("lineman-standing: 1\nid: ")
            && text.contains("\nfault: F-JW-42\nlevel: 2\ndoors: shell,exec,forward:10.0.0.5:443\n")
    );
    let read = Standing::read_unverified(&Signed { text, signature: String::new() }).unwrap();
    assert_eq!(read, paper);
    let any = Standing { devices: "all".parse().unwrap(), fault: "any".parse().unwrap(), ..paper };
    assert_eq!(Standing::read_unverified(&Signed { text: any.write().unwrap(), signature: String::new() }).unwrap(), any);
    let host = key.public_key();
    let signed = Signed::sign(&key, Namespace::Receipt, receipt.write().unwrap()).unwrap();
    assert_eq!(Receipt::verify(&signed, &receipt.device, host).unwrap(), receipt);
    for act in LocalAct::ALL {
        let local = LocalStatement { act: *act, ..local.clone() };
        let signed = Signed::sign(&key, Namespace::Local, local.write().unwrap()).unwrap();
        assert_eq!(LocalStatement::verify(&signed, &local.device, host).unwrap(), local);
    }
}

#[test]
fn nothing_that_moves_a_cursor_or_adds_a_line_gets_into_a_paper() {
    for bad in ["a\nby: other", "a\u{1b}[2J", "a\u{202e}b", "a\rb"] {
        assert!(LocalStatement { detail: bad.into(), ..local() }.write().is_err(), "{bad:?}");
        assert!(LocalStatement { by: bad.into(), ..local() }.write().is_err());
        assert!(Receipt { stopped: bad.into(), ..receipt() }.write().is_err());
        assert!(Standing { account: bad.into(), ..standing() }.write().is_err());
    }
}

/// Stock OpenSSH checks these papers from the files alone.
#[test]
fn openssh_verifies_every_paper() {
    let (desk, key) = (Desk::new(), key());
    for (namespace, text) in [
        (Namespace::Standing, standing().write().unwrap()),
        (Namespace::Receipt, receipt().write().unwrap()),
        (Namespace::Local, local().write().unwrap()),
        (Namespace::Request, request().write().unwrap()),
    ] {
        let signed = Signed::sign(&key, namespace, text).unwrap();
        let list = format!("who namespaces=\"{namespace}\" {}\n", line(&key));
        assert_eq!(desk.both(&list, &signed, "who", namespace, at(NOW)), (true, Ok(())), "{namespace}");
    }
}

#[test]
fn a_devices_word_is_its_own_and_of_itself() {
    let (own, other) = (key(), key());
    let device = "ne-1.jw.ne".parse().unwrap();
    let signed = Signed::sign(&own, Namespace::Receipt, receipt().write().unwrap()).unwrap();
    Receipt::verify(&signed, &device, own.public_key()).unwrap();
    let said = |result: Result<Receipt, Refused>| result.unwrap_err().to_string();
    assert!(said(Receipt::verify(&signed, &device, other.public_key())).contains("which is not the device's key"));
    assert!(
        said(Receipt::verify(&signed, &"ne-2.jw.ne".parse().unwrap(), own.public_key())).contains("is of ne-1.jw.ne, not of ne-2.jw.ne")
    );
    // A word for one purpose is none for another, and a changed one is none at all.
    let elsewhere = Signed::sign(&own, Namespace::Local, receipt().write().unwrap()).unwrap();
    assert!(said(Receipt::verify(&elsewhere, &device, own.public_key())).contains("signed for `local@lineman`"));
    let changed = Signed { text: signed.text.replace("approvals: 2", "approvals: 1"), ..signed };
    assert!(said(Receipt::verify(&changed, &device, own.public_key())).contains("does not match its text"));
    let local = Signed::sign(&own, Namespace::Local, local().write().unwrap()).unwrap();
    LocalStatement::verify(&local, &device, own.public_key()).unwrap();
    for (key, device) in [(&other, &device), (&own, &"ne-2.jw.ne".parse().unwrap())] {
        LocalStatement::verify(&local, device, key.public_key()).unwrap_err();
    }
}

/// A certificate over the host key is not the host key, for OpenSSH either.
#[test]
fn a_device_shows_no_certificate() {
    let desk = Desk::new();
    desk.generate("ca", &["ed25519"]);
    desk.generate("host", &["ed25519"]);
    desk.keygen(&["-q", "-s", "ca", "-I", "id", "-n", "x", "host.pub"]).unwrap();
    let signed = desk.sign("host-cert.pub", Namespace::Receipt, &receipt().write().unwrap());
    let host = ssh_key::PublicKey::from_openssh(&desk.public("host")).unwrap();
    Receipt::verify(&signed, &"ne-1.jw.ne".parse().unwrap(), &host).unwrap_err();
    let plain = desk.sign("host", Namespace::Receipt, &receipt().write().unwrap());
    Receipt::verify(&plain, &"ne-1.jw.ne".parse().unwrap(), &host).unwrap();
}

#[test]
fn a_standing_statement_is_its_signers_for_its_time() {
    let key = key();
    let signed = Signed::sign(&key, Namespace::Standing, standing().write().unwrap()).unwrap();
    let ask = |signed: &Signed, namespaces: &str, time: &str| {
        Standing::verify(signed, &signers(&key, namespaces), at(time)).map(drop).map_err(|e| e.to_string())
    };
    assert_eq!(ask(&signed, "standing@lineman", NOW), Ok(()));
    assert_eq!(ask(&signed, "standing@lineman", "2026-12-21T23:59:59Z"), Ok(()));
    assert!(ask(&signed, "standing@lineman", "2026-12-22T00:00:00Z").unwrap_err().contains("ended at 2026-12-22"));
    assert!(ask(&signed, "consent@lineman", NOW).unwrap_err().contains("not listed for `noc-jw` and `standing@lineman`"));
    assert!(ask(&signed, "standing@lineman", "2027-11-20T00:00:00Z").unwrap_err().contains("the signer list expired"));
    let other = Standing { approver: "noc-xx".parse().unwrap(), ..standing() };
    let other = Signed::sign(&key, Namespace::Standing, other.write().unwrap()).unwrap();
    assert!(ask(&other, "standing@lineman", NOW).unwrap_err().contains("not listed for `noc-xx`"));
    let as_consent = Signed::sign(&key, Namespace::Consent, standing().write().unwrap()).unwrap();
    assert!(ask(&as_consent, "standing@lineman,consent@lineman", NOW).unwrap_err().contains("signed for `consent@lineman`"));
}

type Change = fn(&mut Standing, &mut Request);

#[test]
fn a_standing_statement_covers_what_it_says_and_nothing_else() {
    let roster = roster(&[
        ("engineer-a,level-2", "request@lineman"),
        ("engineer-b,level-1", "request@lineman"),
        ("engineer-c", "request@lineman"),
        ("engineer-d,level-10", "request@lineman"),
    ]);
    let none: Change = |_, _| {};
    let cases: [(Change, Option<&str>); 27] = [
        (none, None),
        (|_, request| request.device = "ne-2.jw.ne".parse().unwrap(), None),
        (|_, request| request.duration_s = 1, None),
        (|_, request| request.doors = "exec,forward:10.0.0.5:443".parse().unwrap(), None),
        (|_, request| request.engineer = "engineer-d".parse().unwrap(), None),
        (|standing, _| standing.level = 0, None),
        (|standing, _| standing.fault = "any".parse().unwrap(), None),
        (|standing, request| (standing.devices, request.device) = ("all".parse().unwrap(), "ne-9.jw.ne".parse().unwrap()), None),
        (|standing, request| (standing.fault, request.fault) = ("any".parse().unwrap(), "F-JW-7".parse().unwrap()), None),
        (|_, request| request.grade = Grade::EndToEnd, Some("not of grade role")),
        (|_, request| request.grade = Grade::Gateway, Some("not of grade role")),
        (|_, request| request.device = "ne-3.jw.ne".parse().unwrap(), Some("is not for ne-3.jw.ne, but for ne-1.jw.ne,ne-2.jw.ne")),
        (
            |standing, request| (standing.devices, request.device) = ("all".parse().unwrap(), "ne-1.xx.ne".parse().unwrap()),
            Some("not for ne-1.xx.ne"),
        ),
        (
            |standing, request| (standing.devices, request.device) = ("ne-1.xx.ne".parse().unwrap(), "ne-1.xx.ne".parse().unwrap()),
            Some("not for ne-1.xx.ne"),
        ),
        (|_, request| request.fault = "F-JW-43".parse().unwrap(), Some("is not for F-JW-43, but for F-JW-42")),
        (|standing, request| (standing.fault, request.fault) = ("any".parse().unwrap(), "F-XX-1".parse().unwrap()), Some("not for F-XX-1")),
        (|_, request| request.engineer = "engineer-b".parse().unwrap(), Some("wants level 2 or more; engineer-b has level 1")),
        (|_, request| request.engineer = "engineer-c".parse().unwrap(), Some("engineer-c has no level in the roster")),
        (|standing, request| (standing.level, request.engineer) = (0, "engineer-c".parse().unwrap()), Some("has no level")),
        (|standing, request| (standing.level, request.engineer) = (0, "stranger".parse().unwrap()), Some("stranger has no level")),
        (|standing, _| standing.level = 3, Some("wants level 3 or more; engineer-a has level 2")),
        (
            |_, request| request.doors = "shell,sftp-read".parse().unwrap(),
            Some("opens shell,exec,forward:10.0.0.5:443, not shell,sftp-read"),
        ),
        (|_, request| request.doors = "forward:10.0.0.5:444".parse().unwrap(), Some("not forward:10.0.0.5:444")),
        (|_, request| request.account = "operate".into(), Some("for another account")),
        (|_, request| request.duration_s = 3601, Some("gives 3600 s at most, not 3601")),
        (|_, request| request.duration_s = 0, Some("not 0")),
        (|standing, request| (standing.duration_s, request.duration_s) = (0, 0), Some("gives 0 s at most")),
    ];
    for (change, said) in cases {
        let (mut standing, mut request) = (standing(), request());
        change(&mut standing, &mut request);
        let covers = standing.check_covers(&request, &roster).map_err(|e| e.to_string());
        match said {
            None => assert_eq!(covers, Ok(())),
            Some(said) => assert!(covers.as_ref().is_err_and(|error| error.contains(said)), "{covers:?} should say {said}"),
        }
    }
}

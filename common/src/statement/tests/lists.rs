//! Lines of a list that OpenSSH and we read side by side.

use super::*;

const TEXT: &str = "a consent\n";

#[test]
fn no_line_lets_in_here_whom_openssh_does_not() {
    let desk = Desk::new();
    let key = key();
    let signed = Signed::sign(&key, Namespace::Consent, TEXT.into()).unwrap();
    let good = format!("noc-jw namespaces=\"consent@lineman\" {}", line(&key));
    let other = format!("noc-xx namespaces=\"consent@lineman\" {}", line(&self::key()));
    let mut wrong = Vec::new();
    // Whether OpenSSH takes it, whether we do, and the list with OPTIONS and KEY in their places.
    for (stock, here, form) in [
        (true, true, "noc-jw namespaces=\"consent@lineman\" KEY"),
        (true, true, "  noc-jw\t namespaces=\"consent@lineman\"\t KEY a comment"),
        (true, true, "other,noc-jw namespaces=\"x,consent@lineman\" KEY"),
        (true, true, "noc-jw valid-after=\"20261122080000Z\",namespaces=\"consent@lineman\",valid-before=\"20261122080001Z\" KEY"),
        (true, true, "noc-jw namespaces=\"consent@lineman\",valid-before=\"202611220801Z\" KEY"),
        (false, false, "noc-jw namespaces=\"consent@lineman\",valid-before=\"20261122075959Z\" KEY"),
        (true, false, "noc-jw namespaces=\"consent@lineman\",valid-before=\"20261122080000Z\" KEY"),
        (false, false, "noc-jw namespaces=\"consent@lineman\",valid-after=\"20261122080001Z\" KEY"),
        (true, false, "noc-jw namespaces=\"consent@lineman\",valid-before=\"20270101\" KEY"),
        (false, false, "noc-jw namespaces=consent@lineman KEY"),
        (false, false, "noc-jw namespaces=\"consent@lineman\",namespaces=\"x\" KEY"),
        (false, false, "noc-jw namespaces=\"x\",namespaces=\"consent@lineman\" KEY"),
        (false, false, "noc-jw namespaces=\"consent@lineman\",valid-before=\"20270101Z\",valid-before=\"20280101Z\" KEY"),
        (false, false, "noc-jw namespaces=\"consent@lineman,!consent@lineman\" KEY"),
        (true, false, "noc-jw namespaces=\"*@lineman\" KEY"),
        (true, false, "noc-jw KEY"),
        (true, false, "noc-* namespaces=\"consent@lineman\" KEY"),
        (false, false, "noc-jw,!noc-jw namespaces=\"consent@lineman\" KEY"),
        (true, false, "\"noc-jw\" namespaces=\"consent@lineman\" KEY"),
        (true, false, "noc-jw NAMESPACES=\"consent@lineman\" KEY"),
        (false, false, "noc-jw namespaces=\"consent@lineman\",level=2 KEY"),
        (false, false, "noc-jw namespaces=\"consent@lineman\"x KEY"),
        (false, false, "noc-jw namespaces=\"consent@lineman\\\"\" KEY"),
        (false, false, "noc-jw namespaces=\"consent@lineman\", KEY"),
        (false, false, "noc-jw namespaces=\"consent@lineman\" "),
        (false, false, "NOC-JW namespaces=\"consent@lineman\" KEY"),
        (false, false, "#noc-jw namespaces=\"consent@lineman\" KEY"),
        (false, false, "\u{b}noc-jw namespaces=\"consent@lineman\" KEY"),
        (false, false, "noc-jw\u{a0}namespaces=\"consent@lineman\" KEY"),
        (false, false, "noc-jw namespaces=\"consent@lineman\"\u{b}KEY"),
        (true, false, "noc-jw namespaces=\"consent@lineman\" KEY \u{202e}reversed"),
        (false, false, "noc-jw namespaces=\"consent@lineman\",valid-after=\"19600101Z\" KEY"),
        (true, false, "GOOD\nbroken"),
        (true, false, "broken\nGOOD"),
        (true, true, "OTHER\n\n# a comment\nGOOD"),
    ] {
        let list = form.replace("GOOD", &good).replace("OTHER", &other).replace("KEY", &line(&key)) + "\n";
        let (theirs, ours) = desk.both(&list, &signed, "noc-jw", Namespace::Consent, at(NOW));
        if (theirs, ours.is_ok()) != (stock, here) {
            wrong.push(format!("{form:?}: OpenSSH {theirs}, here {ours:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_signature_is_good_for_its_text_purpose_and_form_only() {
    let desk = Desk::new();
    let key = key();
    let list = format!("noc-jw namespaces=\"consent@lineman,standing@lineman\" {}\n", line(&key));
    let signed = Signed::sign(&key, Namespace::Consent, TEXT.into()).unwrap();
    assert_eq!(desk.both(&list, &signed, "noc-jw", Namespace::Consent, at(NOW)), (true, Ok(())));
    let (stock, ours) = desk.both(&list, &signed, "noc-jw", Namespace::Standing, at(NOW));
    assert!(!stock && ours.unwrap_err().contains("signed for `consent@lineman`, not for `standing@lineman`"));
    for changed in ["a consent", "a consent\n\n", "A consent\n", ""] {
        let changed = Signed { text: changed.into(), ..signed.clone() };
        let (stock, ours) = desk.both(&list, &changed, "noc-jw", Namespace::Consent, at(NOW));
        assert!(!stock && ours.unwrap_err().contains("does not match its text"));
    }
    for broken in [signed.signature.replace("BEGIN SSH", "BEGIN PGP"), signed.signature[..80].to_owned(), String::new(), "\0".into()] {
        let broken = Signed { signature: broken, ..signed.clone() };
        let (stock, ours) = desk.both(&list, &broken, "noc-jw", Namespace::Consent, at(NOW));
        assert!(!stock && ours.unwrap_err().contains("it is not an OpenSSH signature"));
    }
}

/// The field that is reserved is under the signature for us, and not for OpenSSH: it must be empty.
#[test]
fn a_signature_with_something_reserved_is_refused() {
    let (desk, key) = (Desk::new(), key());
    let list = format!("noc-jw namespaces=\"consent@lineman\" {}\n", line(&key));
    let field = |bytes: &[u8]| [&u32::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat();
    let hash = ssh_key::HashAlg::Sha512.digest(TEXT.as_bytes());
    let data = [&b"SSHSIG"[..], &field(b"consent@lineman"), &field(b"x"), &field(b"sha512"), &field(&hash)].concat();
    let signature = raw(&key, &data);
    let signature = [field(b"ssh-ed25519"), field(signature.as_bytes())].concat();
    let public = field(&key.public_key().to_bytes().unwrap());
    let blob = [&b"SSHSIG\0\0\0\x01"[..], &public, &field(b"consent@lineman"), &field(b"x"), &field(b"sha512"), &field(&signature)];
    let signed = Signed { text: TEXT.into(), signature: certificates::armoured(&blob.concat()) };
    let (stock, ours) = desk.both(&list, &signed, "noc-jw", Namespace::Consent, at(NOW));
    assert!(!stock && ours.unwrap_err().contains("it is not an OpenSSH signature"));
}

#[test]
fn every_kind_of_key_that_is_taken() {
    for kind in [&["ed25519"][..], &["ecdsa", "-b", "256"], &["ecdsa", "-b", "384"], &["ecdsa", "-b", "521"]] {
        let desk = Desk::new();
        desk.generate("key", kind);
        let signed = desk.sign("key", Namespace::Consent, TEXT);
        let list = format!("noc-jw namespaces=\"consent@lineman\" {}\n", desk.public("key"));
        assert_eq!(desk.both(&list, &signed, "noc-jw", Namespace::Consent, at(NOW)), (true, Ok(())), "{kind:?}");
    }
}

#[test]
fn a_certificate_in_a_keys_place_breaks_the_list() {
    let desk = Desk::new();
    desk.generate("ca", &["ed25519"]);
    desk.generate("user", &["ed25519"]);
    desk.keygen(&["-q", "-s", "ca", "-I", "id", "-n", "noc-jw", "user.pub"]).unwrap();
    let signed = desk.sign("user-cert.pub", Namespace::Consent, TEXT);
    let list = format!("noc-jw namespaces=\"consent@lineman\" {}\n", desk.public("user-cert"));
    let ours = ours(&list, &signed, "noc-jw", Namespace::Consent, at(NOW)).unwrap_err().to_string();
    assert!(ours.contains("line 1: "), "{ours}");
}

#[test]
fn the_lists_own_head_counts_once() {
    let key = line(&key());
    let head = |more: &str| {
        let head = "# lineman-list: signers jw\n# counter: 3\n# issued: 2026-11-01T00:00:00Z\n# expiry: 2027-11-01T00:00:00Z\n";
        SignerList::parse("test list", &format!("{head}{more}noc-jw namespaces=\"consent@lineman\" {key}\n"))
    };
    assert_eq!(head("# a remark: of any kind\n").unwrap().head.unwrap().counter, 3);
    for (more, said) in [
        ("# counter: 9\n", "`# counter:` is there twice"),
        ("#expiry:2099-01-01T00:00:00Z\n", "`# expiry:` is there twice"),
        ("# lineman-list: roster\n", "`# lineman-list:` is there twice"),
        ("# a\u{200b}b\n", "line 5: it holds the invisible character \\u{200b}"),
        ("# windows\r\n", "invisible character \\r"),
    ] {
        let error = head(more).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}

//! Certificates: made and used by stock `ssh-keygen`, judged by both.

use super::*;

const TEXT: &str = "a consent\n";

struct Case {
    what: &'static str,
    /// For `ssh-keygen -s`.
    certify: &'static [&'static str],
    /// The list's line before the authority's key.
    options: &'static str,
    /// Does OpenSSH take it, and what is said here when it is not taken here?
    stock: bool,
    said: Option<&'static str>,
}

const FOR_CONSENT: &str = "noc-jw cert-authority,namespaces=\"consent@lineman\"";

const fn case(what: &'static str, certify: &'static [&'static str], stock: bool, said: Option<&'static str>) -> Case {
    Case { what, certify, options: FOR_CONSENT, stock, said }
}

const fn line_case(what: &'static str, options: &'static str, stock: bool, said: Option<&'static str>) -> Case {
    Case { what, certify: &["-n", "noc-jw", "-V", "20260101Z:20280101Z"], options, stock, said }
}

const CASES: [Case; 19] = [
    case("right", &["-n", "noc-jw", "-V", "20260101Z:20280101Z"], true, None),
    case("one of several principals", &["-n", "other,noc-jw", "-V", "20260101Z:20280101Z"], true, None),
    case("for ever", &["-n", "noc-jw"], true, None),
    case("wrong principal", &["-n", "noc-xx", "-V", "20260101Z:20280101Z"], false, Some("does not name `noc-jw`")),
    case("no principal", &["-V", "20260101Z:20280101Z"], false, Some("does not name `noc-jw`")),
    case("expired", &["-n", "noc-jw", "-V", "20260101Z:20261122080000Z"], false, Some("not valid at this time")),
    case("not yet valid", &["-n", "noc-jw", "-V", "20261122080001Z:20280101Z"], false, Some("not valid at this time")),
    case("valid from this second", &["-n", "noc-jw", "-V", "20261122080000Z:20280101Z"], true, None),
    case("a host's", &["-h", "-n", "noc-jw", "-V", "20260101Z:20280101Z"], false, Some("it is not a user certificate")),
    case("critical option", &["-n", "noc-jw", "-O", "source-address=10.0.0.0/8"], true, Some("it has critical options")),
    case("unknown critical option", &["-n", "noc-jw", "-O", "critical:x@y=z"], true, Some("it has critical options")),
    case("an extension", &["-n", "noc-jw", "-O", "extension:x@y=z"], true, None),
    line_case("another purpose", "noc-jw cert-authority,namespaces=\"standing@lineman\"", false, Some("not listed for `noc-jw`")),
    line_case("several purposes", "noc-jw cert-authority,namespaces=\"standing@lineman,consent@lineman\"", true, None),
    line_case("no authority", "noc-jw namespaces=\"consent@lineman\"", false, Some("not listed for `noc-jw`")),
    line_case("another's authority", "noc-xx cert-authority,namespaces=\"consent@lineman\"", false, Some("not listed for `noc-jw`")),
    line_case(
        "the line's time is over",
        "noc-jw cert-authority,namespaces=\"consent@lineman\",valid-before=\"20261122075959Z\"",
        false,
        Some("its valid-before has passed"),
    ),
    line_case(
        "the line's time has not come",
        "noc-jw cert-authority,namespaces=\"consent@lineman\",valid-after=\"20261122080001Z\"",
        false,
        Some("its valid-after is in the future"),
    ),
    line_case("a pattern of principals", "noc-* cert-authority,namespaces=\"consent@lineman\"", true, Some("patterns in principals")),
];

fn certified(certify: &[&str]) -> Desk {
    let desk = Desk::new();
    for name in ["ca", "user"] {
        desk.generate(name, &["ed25519"]);
    }
    desk.keygen(&[&["-q", "-s", "ca", "-I", "id"], certify, &["user.pub"]].concat()).unwrap();
    desk
}

#[test]
fn openssh_and_we_say_the_same_of_a_certificate_or_we_are_stricter() {
    for Case { what, certify, options, stock, said } in &CASES {
        let desk = certified(certify);
        let signed = desk.sign("user-cert.pub", Namespace::Consent, TEXT);
        let list = format!("{options} {}\n", desk.public("ca"));
        let (theirs, ours) = desk.both(&list, &signed, "noc-jw", Namespace::Consent, at(NOW));
        assert_eq!(theirs, *stock, "{what}: OpenSSH");
        match said {
            None => assert_eq!(ours, Ok(()), "{what}"),
            Some(said) => assert!(ours.as_ref().is_err_and(|error| error.contains(said)), "{what}: {ours:?}"),
        }
    }
}

#[test]
fn a_certificate_counts_under_its_own_authority_only() {
    let desk = certified(&["-n", "noc-jw"]);
    let signed = desk.sign("user-cert.pub", Namespace::Consent, TEXT);
    desk.generate("other", &["ed25519"]);
    let ask = |list: String| desk.both(&list, &signed, "noc-jw", Namespace::Consent, at(NOW));
    assert_eq!(ask(format!("{FOR_CONSENT} {}\n", desk.public("ca"))), (true, Ok(())));
    let (stock, ours) = ask(format!("{FOR_CONSENT} {}\n", desk.public("other")));
    assert!(!stock && ours.unwrap_err().contains("a certificate of SHA256:"));
    // A key that is listed by itself: the certificate that came with the signature is not that key.
    let (stock, ours) = ask(format!("noc-jw namespaces=\"consent@lineman\" {}\n", desk.public("user")));
    assert!(!stock && ours.is_err());
}

#[test]
fn an_authority_does_not_sign_itself() {
    let desk = certified(&["-n", "noc-jw"]);
    let signed = desk.sign("ca", Namespace::Consent, TEXT);
    let (stock, ours) = desk.both(&format!("{FOR_CONSENT} {}\n", desk.public("ca")), &signed, "noc-jw", Namespace::Consent, at(NOW));
    assert!(!stock && ours.is_err());
}

#[test]
fn a_changed_certificate_does_not_count() {
    let desk = certified(&["-n", "noc-jw"]);
    let signed = desk.sign("user-cert.pub", Namespace::Consent, TEXT);
    let list = format!("{FOR_CONSENT} {}\n", desk.public("ca"));
    let armour: Vec<_> = signed.signature.lines().collect();
    let inside = armour[1..armour.len() - 1].concat();
    let mut bytes = <ssh_key::SshSig as std::str::FromStr>::from_str(&signed.signature).map(|_| decode(&inside)).unwrap();
    let name = bytes.windows(6).position(|window| window == b"noc-jw").unwrap();
    bytes[name + 4..name + 6].copy_from_slice(b"xx");
    let changed = Signed { signature: armoured(&bytes), ..signed };
    let (stock, ours) = desk.both(&list, &changed, "noc-xx", Namespace::Consent, at(NOW));
    assert!(!stock && ours.is_err());
    let wide = list.replace("noc-jw", "noc-xx");
    let (stock, ours) = desk.both(&wide, &changed, "noc-xx", Namespace::Consent, at(NOW));
    assert!(!stock && ours.unwrap_err().contains("not signed by its authority"));
}

/// A certificate shows who it is for; the signature covers the text alone. So a certificate can be put beside another's signature, and that
/// must not make the signature theirs.
#[test]
fn anothers_certificate_does_not_lend_its_name() {
    let desk = certified(&["-n", "noc-jw"]);
    desk.generate("thief", &["ed25519"]);
    let (theirs, stolen) = (desk.sign("user-cert.pub", Namespace::Consent, TEXT), desk.sign("thief", Namespace::Consent, TEXT));
    let parse = |signed: &Signed| ssh_key::SshSig::from_pem(&signed.signature).unwrap();
    let (certificate, signature) = (parse(&theirs), parse(&stolen));
    let mixed =
        ssh_key::SshSig::new(certificate.public_key().clone(), "consent@lineman", signature.hash_alg(), signature.signature().clone());
    let mixed = Signed { text: TEXT.into(), signature: mixed.unwrap().to_pem(ssh_key::LineEnding::LF).unwrap() };
    let list = format!("{FOR_CONSENT} {}\n", desk.public("ca"));
    let (stock, ours) = desk.both(&list, &mixed, "noc-jw", Namespace::Consent, at(NOW));
    assert!(!stock && ours.unwrap_err().contains("does not match its text"));
}

#[test]
fn certificates_of_every_kind_of_key() {
    for kind in [&["ecdsa", "-b", "256"][..], &["ecdsa", "-b", "384"], &["ecdsa", "-b", "521"]] {
        let desk = Desk::new();
        desk.generate("ca", kind);
        desk.generate("user", kind);
        desk.keygen(&["-q", "-s", "ca", "-I", "id", "-n", "noc-jw", "user.pub"]).unwrap();
        let signed = desk.sign("user-cert.pub", Namespace::Consent, TEXT);
        let list = format!("{FOR_CONSENT} {}\n", desk.public("ca"));
        assert_eq!(desk.both(&list, &signed, "noc-jw", Namespace::Consent, at(NOW)), (true, Ok(())), "{kind:?}");
    }
}

#[test]
fn rsa_is_refused_in_words_wherever_it_stands() {
    let desk = Desk::new();
    desk.generate("rsa", &["rsa", "-b", "2048"]);
    desk.generate("user", &["ed25519"]);
    let signed = desk.sign("rsa", Namespace::Consent, TEXT);
    let list = format!("noc-jw namespaces=\"consent@lineman\" {}\n", desk.public("rsa"));
    let (stock, ours) = desk.both(&list, &signed, "noc-jw", Namespace::Consent, at(NOW));
    assert!(stock && ours.unwrap_err().contains("RSA keys are not accepted: use Ed25519, ECDSA or a FIDO key"));
    // Signed with it, under a list that does not know it.
    let other = format!("noc-jw namespaces=\"consent@lineman\" {}\n", desk.public("user"));
    let (stock, ours) = desk.both(&other, &signed, "noc-jw", Namespace::Consent, at(NOW));
    assert!(!stock && ours.unwrap_err().contains("RSA keys are not accepted"));
    // As an authority; and certified by a sound one.
    desk.keygen(&["-q", "-s", "rsa", "-I", "id", "-n", "noc-jw", "user.pub"]).unwrap();
    let signed = desk.sign("user-cert.pub", Namespace::Consent, TEXT);
    let (stock, ours) = desk.both(&format!("{FOR_CONSENT} {}\n", desk.public("rsa")), &signed, "noc-jw", Namespace::Consent, at(NOW));
    assert!(stock && ours.unwrap_err().contains("RSA keys are not accepted"));
    desk.keygen(&["-q", "-s", "user", "-I", "id", "-n", "noc-jw", "rsa.pub"]).unwrap();
    let signed = desk.sign("rsa-cert.pub", Namespace::Consent, TEXT);
    let (stock, ours) = desk.both(&format!("{FOR_CONSENT} {}\n", desk.public("user")), &signed, "noc-jw", Namespace::Consent, at(NOW));
    assert!(stock && ours.unwrap_err().contains("RSA keys are not accepted"));
}

fn decode(base64: &str) -> Vec<u8> {
    base64::Engine::decode(&base64::engine::general_purpose::STANDARD, base64).unwrap()
}

pub fn armoured(bytes: &[u8]) -> String {
    let base64 = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes);
    let lines: Vec<_> = base64.as_bytes().chunks(70).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN SSH SIGNATURE-----\n{}\n-----END SSH SIGNATURE-----\n", lines.join("\n"))
}

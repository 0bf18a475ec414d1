//! FIDO keys: signatures as a token makes them, built here from ordinary keys (PROTOCOL.u2f), judged by OpenSSH and by us.

use sha2::{Digest, Sha256};
use ssh_key::public::{EcdsaPublicKey, KeyData, SkEcdsaSha2NistP256, SkEd25519};
use ssh_key::{EcdsaCurve, HashAlg, LineEnding, PublicKey, Signature, SshSig};

use super::*;

const TEXT: &str = "a consent\n";
const TOUCHED: u8 = 0x01;
const VERIFIED: u8 = 0x04;

/// A token: a private key, and the public key that it shows.
struct Token {
    inside: PrivateKey,
    public: PublicKey,
}

impl Token {
    fn new(algorithm: Algorithm, application: &str) -> Self {
        let inside = key_of(algorithm);
        let data = inside.public_key().key_data();
        let shown = match (data.ed25519(), data.ecdsa()) {
            (Some(key), _) => KeyData::SkEd25519(SkEd25519::new(*key, application)),
            (_, Some(EcdsaPublicKey::NistP256(key))) => KeyData::SkEcdsaSha2NistP256(SkEcdsaSha2NistP256::new(*key, application)),
            _ => panic!("no token has such a key: {data:?}"),
        };
        Self { inside, public: PublicKey::from(shown) }
    }

    /// As a token does it: over the hash of the application, the flags, a counter, and the hash of what is signed.
    fn sign(&self, application: &str, flags: u8, namespace: Namespace, text: &str) -> Signed {
        let counter = 7u32.to_be_bytes();
        let data = SshSig::signed_data(namespace.as_str(), HashAlg::Sha512, text.as_bytes()).unwrap();
        let message = [&Sha256::digest(application.as_bytes())[..], &[flags], &counter, &Sha256::digest(&data)[..]].concat();
        let plain = raw(&self.inside, &message);
        let trailer = [&[flags][..], &counter].concat();
        let signature = Signature::new(self.public.algorithm(), [plain.as_bytes(), &trailer].concat()).unwrap();
        let signature = SshSig::new(self.public.key_data().clone(), namespace.as_str(), HashAlg::Sha512, signature).unwrap();
        Signed { text: text.to_owned(), signature: signature.to_pem(LineEnding::LF).unwrap() }
    }

    fn list(&self) -> String {
        format!("noc-jw namespaces=\"consent@lineman\" {}\n", self.public.to_openssh().unwrap())
    }
}

fn tokens(application: &str) -> [Token; 2] {
    [Algorithm::Ed25519, Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 }].map(|algorithm| Token::new(algorithm, application))
}

#[test]
fn a_touched_token_counts_with_openssh_and_with_us() {
    for application in ["ssh:", "ssh:lineman"] {
        for token in tokens(application) {
            for flags in [TOUCHED, TOUCHED | VERIFIED] {
                let signed = token.sign(application, flags, Namespace::Consent, TEXT);
                let answers = Desk::new().both(&token.list(), &signed, "noc-jw", Namespace::Consent, at(NOW));
                assert_eq!(answers, (true, Ok(())), "{} {flags}", token.public.algorithm());
            }
        }
    }
}

#[test]
fn a_token_that_nobody_touched_signs_nothing_here() {
    for token in tokens("ssh:") {
        for flags in [0, VERIFIED] {
            let signed = token.sign("ssh:", flags, Namespace::Consent, TEXT);
            let (stock, ours) = Desk::new().both(&token.list(), &signed, "noc-jw", Namespace::Consent, at(NOW));
            assert!(stock, "OpenSSH takes it: this is where we are stricter");
            assert_eq!(ours.unwrap_err(), "the text is signed with a FIDO key that nobody touched");
        }
    }
}

/// Flags, counter and application are under the signature.
#[test]
fn nobody_adds_the_touch_afterwards() {
    for token in tokens("ssh:") {
        let signed = token.sign("ssh:", 0, Namespace::Consent, TEXT);
        let parsed = SshSig::from_pem(&signed.signature).unwrap();
        let mut bytes = parsed.signature_bytes().to_vec();
        let flags = bytes.len() - 5;
        bytes[flags] = TOUCHED;
        let touched = Signature::new(token.public.algorithm(), bytes).unwrap();
        let touched = SshSig::new(token.public.key_data().clone(), "consent@lineman", HashAlg::Sha512, touched).unwrap();
        let forged = Signed { text: signed.text.clone(), signature: touched.to_pem(LineEnding::LF).unwrap() };
        let (stock, ours) = Desk::new().both(&token.list(), &forged, "noc-jw", Namespace::Consent, at(NOW));
        assert!(!stock && ours.unwrap_err().contains("does not match its text"));
        // Another application: a signature that a web site got from the same token.
        let elsewhere = token.sign("webauthn.example", TOUCHED, Namespace::Consent, TEXT);
        let (stock, ours) = Desk::new().both(&token.list(), &elsewhere, "noc-jw", Namespace::Consent, at(NOW));
        assert!(!stock && ours.is_err());
    }
}

/// The key inside a token is not the token's key: without application and flags its signature is worth nothing.
#[test]
fn a_plain_signature_is_not_a_tokens() {
    for token in tokens("ssh:") {
        let plain = Signed::sign(&token.inside, Namespace::Consent, TEXT.into()).unwrap();
        let (stock, ours) = Desk::new().both(&token.list(), &plain, "noc-jw", Namespace::Consent, at(NOW));
        assert!(!stock && ours.unwrap_err().contains("not listed"));
    }
}

#[test]
fn a_certified_token_needs_its_touch_too() {
    for token in tokens("ssh:") {
        let desk = Desk::new();
        desk.generate("ca", &["ed25519"]);
        desk.write("token.pub", &(token.public.to_openssh().unwrap() + "\n"));
        desk.keygen(&["-q", "-s", "ca", "-I", "id", "-n", "noc-jw", "token.pub"]).unwrap();
        let certificate = ssh_key::Certificate::from_openssh(&desk.read("token-cert.pub")).unwrap();
        let list = format!("noc-jw cert-authority,namespaces=\"consent@lineman\" {}\n", desk.public("ca"));
        for (flags, taken) in [(TOUCHED, true), (0, false)] {
            let plain = SshSig::from_pem(token.sign("ssh:", flags, Namespace::Consent, TEXT).signature).unwrap();
            let shown = KeyData::Certificate(Box::new(certificate.clone()));
            let signed = SshSig::new(shown, "consent@lineman", HashAlg::Sha512, plain.signature().clone()).unwrap();
            let signed = Signed { text: TEXT.into(), signature: signed.to_pem(LineEnding::LF).unwrap() };
            let (stock, ours) = desk.both(&list, &signed, "noc-jw", Namespace::Consent, at(NOW));
            assert!(stock);
            assert_eq!(ours.is_ok(), taken, "{ours:?}");
        }
    }
}
